"""Sweeps inside a B1500A: staircases that it makes itself, and lists of levels line by line (reference sec. 9.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from drivers import b1500a_data as data
from drivers import b1500a_ranges as ranges
from drivers.b1500a_data import Curve
from drivers.b1500a_stations import PerChannel, Station, columns_of, stations
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


def sweep(
    b: B1500A,
    name: str,
    levels: npt.NDArray[np.float64],
    cyclic: bool,
    measured: Sequence[str],
    bias: Mapping[str, float],
    synchronous: Mapping[str, tuple[float, float]],
    compliance: PerChannel,
    range_: PerChannel,
    nplc: float,
    hold: float,
    delay: float,
    dwell: float,
    abort: bool,
    after: Literal["zero", "hold", "off"],
    measure_voltage: bool,
) -> Curve:
    """See ``B1500A.sweep``."""
    if after not in _AFTER:
        raise SettingError(f"after {after!r} is none of {', '.join(_AFTER)}")
    driven = list(dict.fromkeys([name, *synchronous, *bias]))
    others = [other for other in measured if other not in driven]
    at = stations(b, [*driven, *others], compliance, range_, nplc)
    if name in bias or name in synchronous or set(bias) & set(synchronous):
        raise SettingError("a channel is either swept, swept along or held at a bias")
    for level in (levels.min(), levels.max()):
        at[name].channel.check(float(level), at[name].setup.limit)
    for other, ends in synchronous.items():
        for level in ends:
            at[other].channel.check(level, at[other].setup.limit)
    reading = sum(b.reading_time(at[m].setup, ranging=False) for m in measured) * (2 if measure_voltage else 1)
    delay = max(delay, dwell - reading)
    within("hold", hold, 0.0, ranges.MAX_HOLD, "s")
    within("delay", delay, 0.0, ranges.MAX_DELAY, "s")
    stairs = Staircase.of(levels, cyclic)
    for other, level in bias.items():
        at[other].channel.source(level, at[other].setup.limit)
    for driven_name in (name, *synchronous):
        at[driven_name].channel.output(True)
    if stairs is None:
        if synchronous:
            raise SettingError("levels that are not equally spaced cannot be swept along on another channel")
        curve = _step_by_step(b, at, name, levels, cyclic, measured, bias, hold, delay, measure_voltage)
    else:
        curve = _staircase(b, at, name, stairs, measured, bias, synchronous, hold, delay, dwell, abort, measure_voltage)
    if after == "zero":
        b.send([at[other].channel.force_command(0.0, at[other].setup.limit) for other in (name, *synchronous)])
    elif after == "off":
        for other in driven:
            at[other].channel.isolate()
    return curve


def _staircase(
    b: B1500A,
    at: Mapping[str, Station],
    name: str,
    stairs: Staircase,
    measured: Sequence[str],
    bias: Mapping[str, float],
    synchronous: Mapping[str, tuple[float, float]],
    hold: float,
    delay: float,
    dwell: float,
    abort: bool,
    measure_voltage: bool,
) -> Curve:
    """One XE: the instrument steps, waits and measures."""
    swept = at[name]
    settings = {"FMT": "FMT 21,1"}
    for other in measured:
        settings |= at[other].channel.reading_commands(at[other].setup)
        settings[f"CMM{at[other].slot}"] = f"CMM {at[other].slot},{4 if measure_voltage else 0}"
    delay = round(delay, 4)
    step = min(max(0.0, round(dwell - delay, 4)), ranges.MAX_STEP_DELAY)
    ends = f"{number(stairs.start)},{number(stairs.stop)}"
    code = ranges.voltage_code(max(abs(stairs.start), abs(stairs.stop)))
    commands = [
        "TSC 1",
        f"WT {number(ranges.on_grid(hold, 1e-2))},{number(delay)},{number(step)},0,0",
        f"WM {2 if abort else 1},{1 if stairs.mode in (3, 4) else 2}",
        f"WV {swept.slot},{stairs.mode},{code},{ends},{stairs.points},{number(swept.setup.limit)}",
        *(
            f"WSV {at[other].slot},{ranges.voltage_code(max(map(abs, pair)))},"
            f"{number(pair[0])},{number(pair[1])},{number(at[other].setup.limit)}"
            for other, pair in synchronous.items()
        ),
        "MM 2," + ",".join(str(at[other].slot) for other in measured),
    ]
    b.send_changed(settings)
    b.send(commands)
    columns = len(measured) * (4 if measure_voltage else 2) + 1
    longest = sum(b.reading_time(at[other].setup) for other in measured) * (2 if measure_voltage else 1)
    b.begin(["TSR"])
    found = data.join(list(b.stream(stairs.count, columns, hold + longest, delay + step + longest)))
    b.check_errors("XE")
    programmed = found.values[:, found.column("v", swept.slot)]
    time = found.values[:, found.column("T", at[measured[0]].slot)]
    amps, status, volts = columns_of(found, at, measured, measure_voltage)
    if not measure_voltage:
        for other in measured:
            if other == name:
                volts[other] = programmed
            elif other in synchronous:
                volts[other] = _along(synchronous[other], stairs)
            else:
                volts[other] = np.full(len(time), bias.get(other, np.nan))
    # after an automatic abort the rest are dummies in every column
    ended = all(bool((state & data.OVERFLOW)[-1]) and not np.isfinite(amps[k][-1]) for k, state in status.items())
    return Curve(programmed, volts, amps, time, status, complete=not (abort and ended))


def _along(pair: tuple[float, float], stairs: Staircase) -> npt.NDArray[np.float64]:
    """Levels of a synchronous source."""
    spaced = np.geomspace(*pair, stairs.points) if stairs.mode in (2, 4) else np.linspace(*pair, stairs.points)
    return np.concatenate([spaced, spaced[::-1]]) if stairs.mode in (3, 4) else spaced


def _step_by_step(
    b: B1500A,
    at: Mapping[str, Station],
    name: str,
    levels: npt.NDArray[np.float64],
    cyclic: bool,
    measured: Sequence[str],
    bias: Mapping[str, float],
    hold: float,
    delay: float,
    measure_voltage: bool,
) -> Curve:
    """Levels in any order, one line per point: force, pause, measure; the pauses are the instrument's."""
    values = np.concatenate([levels, levels[::-1]]) if cyclic else levels
    settings = {"FMT": "FMT 21,0"}
    for other in measured:
        settings |= at[other].channel.reading_commands(at[other].setup)
    b.send_changed(settings)
    b.send(["TSR"])
    rows = []
    swept = at[name]
    pauses = [hold + delay] + [delay] * (len(values) - 1)
    patience = sum(b.reading_time(at[other].setup) for other in measured)
    for level, pause in zip(values, pauses, strict=True):
        line = [swept.channel.force_command(float(level), swept.setup.limit)]
        line += [f"PA {number(min(pause - done, ranges.MAX_PAUSE))}" for done in np.arange(0, pause, ranges.MAX_PAUSE)]
        line += [f"TTIV {at[o].slot},{at[o].channel.range_code(at[o].setup)},0" for o in measured]
        with b.patience(pause + patience):
            replies = b.ask_all(";".join(line), len(measured))
        rows.append([data.parse(b.name, reply, 3) for reply in replies])
    b.check_errors("TTIV")
    found = {o: data.join([row[k] for row in rows]) for k, o in enumerate(measured)}
    time = found[measured[0]].values[:, 0]
    amps, status, volts = {}, {}, {}
    for other in measured:
        amps[other], status[other] = found[other].readings("I", at[other].slot)
        if measure_voltage:
            volts[other], _ = found[other].readings("V", at[other].slot)
        else:
            volts[other] = values if other == name else np.full(len(values), bias.get(other, np.nan))
    return Curve(values, volts, amps, time, status)
