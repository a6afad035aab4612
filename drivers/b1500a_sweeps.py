"""Sweeps inside a B1500A: staircases that it makes itself, and lists of levels line by line (reference sec. 9.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from drivers import b1500a_data as data
from drivers import b1500a_ranges as ranges
from drivers.b1500a_data import Curve
from drivers.b1500a_stations import PerChannel, Station, columns_of, reading_commands, stations
from drivers.errors import SettingError
from drivers.wire import number, within

if TYPE_CHECKING:
    from drivers.b1500a import B1500A

_AFTER = ("zero", "hold", "off")
_SPACINGS = ("linear", "log")
_GRID = 1e-9  # of the span: how near to equal steps levels must be


@dataclass(frozen=True)
class Staircase:
    """Levels (V) that the instrument makes itself; ``mode`` as WV counts."""

    mode: int
    start: float
    stop: float
    points: int

    @property
    def count(self) -> int:
        """Points that it measures."""
        return self.points * (2 if self.mode in (3, 4) else 1)

    @classmethod
    def of(cls, levels: npt.NDArray[np.float64], cyclic: bool) -> Staircase | None:
        """The staircase through ``levels``; None if they are neither equally nor logarithmically spaced."""
        n = len(levels)
        first, last = float(levels[0]), float(levels[-1])
        span = max(abs(last - first), 1e-12)
        if n == 1 or np.allclose(levels, np.linspace(first, last, n), rtol=0, atol=_GRID * span):
            return cls(3 if cyclic else 1, first, last, n)
        if first * last > 0 and np.allclose(levels, np.geomspace(first, last, n), rtol=_GRID, atol=0):
            return cls(4 if cyclic else 2, first, last, n)
        return None


def levels_of(
    levels: npt.ArrayLike | None, start: float | None, stop: float | None, points: int | None, spacing: str
) -> npt.NDArray[np.float64]:
    """Levels given as a list or by their ends.

    Raises:
        SettingError
    """
    if spacing not in _SPACINGS:
        raise SettingError(f"spacing {spacing!r} is none of {', '.join(_SPACINGS)}")
    if levels is not None:
        found = np.atleast_1d(np.asarray(levels, dtype=float))
    elif start is None or stop is None or points is None:
        raise SettingError("a sweep needs levels, or start, stop and points")
    elif spacing == "log":
        if start * stop <= 0:
            raise SettingError(f"a logarithmic sweep from {start:g} to {stop:g} V would pass 0 V")
        found = np.geomspace(start, stop, points)
    else:
        found = np.linspace(start, stop, points)
    within("number of points", len(found), 1, ranges.MAX_POINTS)
    return found


@dataclass(frozen=True)
class Request:
    """What ``B1500A.sweep`` is asked for, beside how its channels read."""

    name: str
    levels: npt.NDArray[np.float64]
    cyclic: bool
    measured: tuple[str, ...]
    bias: Mapping[str, float]
    synchronous: Mapping[str, tuple[float, float]]
    hold: float
    delay: float
    dwell: float
    abort: bool
    after: Literal["zero", "hold", "off"]
    measure_voltage: bool

    @property
    def driven(self) -> list[str]:
        """Channels that force something for this sweep, the swept one first."""
        return list(dict.fromkeys([self.name, *self.synchronous, *self.bias]))

    def check(self, b: B1500A, at: Mapping[str, Station]) -> None:
        """Refuse what cannot be, before anything is sent.

        Raises:
            SettingError
        """
        if self.after not in _AFTER:
            raise SettingError(f"after {self.after!r} is none of {', '.join(_AFTER)}")
        within("hold", self.hold, 0.0, ranges.MAX_HOLD, "s")
        within("delay", self.pause(b, at), 0.0, ranges.MAX_DELAY, "s")
        if self.name in self.bias or self.name in self.synchronous or set(self.bias) & set(self.synchronous):
            raise SettingError("a channel is either swept, swept along or held at a bias")
        if self.synchronous and Staircase.of(self.levels, self.cyclic) is None:
            raise SettingError("nothing can be swept along with levels that are not equally spaced")
        forced = {self.name: (float(self.levels.min()), float(self.levels.max())), **self.synchronous}
        for name, levels in (*forced.items(), *((held, (level,)) for held, level in self.bias.items())):
            for level in levels:
                at[name].channel.check(level, at[name].setup.limit)
        reading_commands(at, self.measured)

    def pause(self, b: B1500A, at: Mapping[str, Station]) -> float:
        """Delay (s) at each level before it is measured, such that the measurement ends with the dwell."""
        reading = sum(b.reading_time(at[m].setup, ranging=False) for m in self.measured)
        return max(self.delay, self.dwell - reading * (2 if self.measure_voltage else 1))

    def patience(self, b: B1500A, at: Mapping[str, Station]) -> float:
        """Seconds that the readings of one level may take at most."""
        return sum(b.reading_time(at[m].setup) for m in self.measured) * (2 if self.measure_voltage else 1)


def sweep(b: B1500A, request: Request, compliance: PerChannel, range_: PerChannel, nplc: float) -> Curve:
    """See ``B1500A.sweep``."""
    driven = request.driven
    at = stations(b, list(dict.fromkeys([*driven, *request.measured])), compliance, range_, nplc)
    request.check(b, at)
    for other, level in request.bias.items():
        at[other].channel.source(level, at[other].setup.limit)
    swept = (request.name, *request.synchronous)
    for other in swept:
        at[other].channel.output(True)
    stairs = Staircase.of(request.levels, request.cyclic)
    curve = _step_by_step(b, at, request) if stairs is None else _staircase(b, at, request, stairs)
    if request.after == "zero":
        b.send([at[other].channel.force_command(0.0, at[other].setup.limit) for other in swept])
    elif request.after == "off":
        for other in driven:
            at[other].channel.isolate()
    return curve


def _staircase(b: B1500A, at: Mapping[str, Station], request: Request, stairs: Staircase) -> Curve:
    """One XE: the instrument steps, waits and measures."""
    measured, swept = request.measured, at[request.name]
    side = 4 if request.measure_voltage else 0
    sides = {f"CMM{at[m].slot}": f"CMM {at[m].slot},{side}" for m in measured}
    b.send_changed({"FMT": "FMT 21,1", **reading_commands(at, measured), **sides})
    delay = round(request.pause(b, at), 4)
    step = min(max(0.0, round(request.dwell - delay, 4)), ranges.MAX_STEP_DELAY)
    double = stairs.mode in (3, 4)
    b.send(
        [
            "TSC 1",
            f"WT {number(ranges.on_grid(request.hold, 1e-2))},{number(delay)},{number(step)},0,0",
            f"WM {2 if request.abort else 1},{1 if double else 2}",
            f"WV {swept.slot},{stairs.mode},{_ends(stairs.start, stairs.stop)},{stairs.points},"
            f"{number(swept.setup.limit)}",
            *(
                f"WSV {at[other].slot},{_ends(*pair)},{number(at[other].setup.limit)}"
                for other, pair in request.synchronous.items()
            ),
            "MM 2," + ",".join(str(at[m].slot) for m in measured),
        ]
    )
    columns = len(measured) * (4 if request.measure_voltage else 2) + 1
    longest = request.patience(b, at)
    b.begin(["TSR"])
    found = data.join(list(b.stream(stairs.count, columns, request.hold + longest, delay + step + longest)))
    b.check_errors("XE")
    programmed = found.values[:, found.column("v", swept.slot)]
    time = found.values[:, found.column("T", at[measured[0]].slot)]
    amps, status, volts = columns_of(found, at, measured, request.measure_voltage)
    if not request.measure_voltage:
        along = {other: _along(pair, stairs) for other, pair in request.synchronous.items()}
        for m in measured:
            held = np.full(len(time), request.bias.get(m, np.nan))
            volts[m] = programmed if m == request.name else along.get(m, held)
    curve = Curve(programmed, volts, amps, time, status)
    # the automatic abort fills the record up with dummies
    return curve.until(data.measured_points(found)) if request.abort else curve


def _ends(start: float, stop: float) -> str:
    """Range, start and stop of a source."""
    return f"{ranges.voltage_code(max(abs(start), abs(stop)))},{number(start)},{number(stop)}"


def _along(pair: tuple[float, float], stairs: Staircase) -> npt.NDArray[np.float64]:
    """Levels of a synchronous source."""
    spaced = np.geomspace(*pair, stairs.points) if stairs.mode in (2, 4) else np.linspace(*pair, stairs.points)
    return np.concatenate([spaced, spaced[::-1]]) if stairs.mode in (3, 4) else spaced


def _step_by_step(b: B1500A, at: Mapping[str, Station], request: Request) -> Curve:
    """Levels in any order, one line per point: force, pause, measure; the pauses are the instrument's."""
    levels = np.concatenate([request.levels, request.levels[::-1]]) if request.cyclic else request.levels
    measured, swept = request.measured, at[request.name]
    b.send_changed({"FMT": "FMT 21,0", **reading_commands(at, measured)})
    b.send(["TSR"])
    rows = []
    delay = request.pause(b, at)
    pauses = [request.hold + delay] + [delay] * (len(levels) - 1)
    for level, pause in zip(levels, pauses, strict=True):
        line = [swept.channel.force_command(float(level), swept.setup.limit)]
        line += [f"PA {number(min(pause - done, ranges.MAX_PAUSE))}" for done in np.arange(0, pause, ranges.MAX_PAUSE)]
        line += [f"TTIV {at[m].slot},{at[m].channel.range_code(at[m].setup)},0" for m in measured]
        with b.patience(pause + request.patience(b, at)):
            replies = b.ask_all(";".join(line), len(measured))
        rows.append([data.parse(b.name, reply, 3) for reply in replies])
        if request.abort and any(part.aborts for part in rows[-1]):
            break
    b.check_errors("TTIV")
    values = levels[: len(rows)]
    found = {m: data.join([row[k] for row in rows]) for k, m in enumerate(measured)}
    time = found[measured[0]].values[:, 0]
    amps, status, volts = {}, {}, {}
    for m in measured:
        amps[m], status[m] = found[m].readings("I", at[m].slot)
        if request.measure_voltage:
            volts[m], _ = found[m].readings("V", at[m].slot)
        else:
            volts[m] = values if m == request.name else np.full(len(values), request.bias.get(m, np.nan))
    return Curve(values, volts, amps, time, status, complete=len(values) == len(levels))
