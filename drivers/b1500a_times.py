"""What the calls of a B1500A's driver take, without an instrument: for planning (reference b1500a sec. 9, 13).

``B1500ATimes`` has the names of the driver's calls; each returns seconds and remembers what the driver and the
instrument would: switches, settings already sent, ranges. The times themselves are measured inside the instrument;
its commands take next to nothing beside them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from drivers import b1500a_ranges as ranges

#: s that a command takes, and an output switch: not documented, assumed
COMMAND, SWITCH = 0.2e-3, 5e-3
#: s of a reading beside its integration: by itself or in a sweep; in a sampling measurement (sec. 9.3, 13)
READING, SAMPLE = 1e-3, 20e-6
#: the measuring range (A) after a reset
INITIAL_RANGE = 0.1
#: how near to equal steps levels must be, as a part of their span
_EVEN = 1e-9
#: for a range that is not known
_ANY = 0.0
_LADDER = tuple(sorted(ranges.CURRENT_CODES))
#: commands that begin a measurement: buffer emptied, time stamps from 0, start
_BEGIN = 3


class B1500ATimes:
    """Times of one B1500A.

    Args:
        line_frequency: Hz.
    """

    def __init__(self, line_frequency: float = 50.0) -> None:
        self.line_frequency = line_frequency
        self._on: set[str] = set()
        self._known: dict[str, Hashable] = {}
        self._range: dict[str, float] = {}

    @property
    def state(self) -> Hashable:
        """What the times of further calls depend on."""
        return frozenset(self._on), frozenset(self._known.items()), frozenset(self._range.items())

    # -- channels ---------------------------------------------------------------------------------------------------

    def isolate(self, channel: str) -> float:
        """0 V, then the switch opens; nothing is sent if it is open."""
        if channel not in self._on:
            return 0.0
        self._on.discard(channel)
        return _sent(1) + SWITCH

    def hold(self, channel: str, level: float, compliance: float) -> float:
        """A steady level, as the instrument reports it back."""
        return self._switch_on(channel) + _sent(1) + COMMAND

    def _switch_on(self, channel: str) -> float:
        if channel in self._on:
            return 0.0
        self._on.add(channel)
        return _sent(1) + SWITCH

    # -- measurements -----------------------------------------------------------------------------------------------

    def sweep(
        self,
        channel: str,
        levels: Sequence[float],
        *,
        cyclic: bool,
        measured: Sequence[str],
        bias: Mapping[str, float],
        resistance: float,
        compliance: Mapping[str, float],
        range_: Mapping[str, float | None],
        nplc: float,
        hold: float,
        delay: float,
        dwell: float,
    ) -> float:
        """A staircase through ``levels`` (V), on a device of ``resistance`` (ohm), and back to 0 V."""
        taken = sum(self.hold(other, level, 0.0) for other, level in bias.items()) + self._switch_on(channel)
        taken += self._configured(measured, range_, nplc, {"FMT": 1}) + _sent(5 + len(measured)) + _BEGIN * COMMAND
        stairs = self._stairs(channel, levels, cyclic, measured, bias, compliance, range_, nplc, delay, dwell)
        start = tuple(self._range.get(m, INITIAL_RANGE) for m in measured)
        points, end = _staircase(stairs, start, resistance)
        self._range |= dict(zip(measured, end, strict=True))
        taken += ranges.on_grid(hold, 1e-2) + sum(lasts for _, lasts in points)
        return taken + COMMAND + _sent(1)

    def stays(
        self,
        channel: str,
        levels: Sequence[float],
        *,
        cyclic: bool,
        measured: Sequence[str],
        bias: Mapping[str, float],
        compliance: Mapping[str, float],
        range_: Mapping[str, float | None],
        nplc: float,
        hold: float,
        delay: float,
        dwell: float,
    ) -> list[float]:
        """At most: s at each point of a sweep, whatever the device draws and whichever ranges were left before.

        That of the level itself, and by the time stamps, which are those of a point's first reading: the readings after
        it count to the next point then.
        """
        stairs = self._stairs(channel, levels, cyclic, measured, bias, compliance, range_, nplc, delay, dwell)
        points, _ = _staircase(stairs, (_ANY,) * len(measured), None)
        found, rest = [], 0.0  # of the point before, after its time stamp
        for stamped, lasts in points:
            found.append(max(lasts, rest + stamped))
            rest = lasts - stamped
        found[0] += ranges.on_grid(hold, 1e-2) + _BEGIN * COMMAND
        found[-1] += COMMAND + _sent(1)
        return found

    def _stairs(
        self,
        channel: str,
        levels: Sequence[float],
        cyclic: bool,
        measured: Sequence[str],
        bias: Mapping[str, float],
        compliance: Mapping[str, float],
        range_: Mapping[str, float | None],
        nplc: float,
        delay: float,
        dwell: float,
    ) -> _Stairs:
        integration = nplc / self.line_frequency
        pause = max(delay, dwell - len(measured) * (integration + ranges.READING_OVERHEAD))
        held = tuple(None if m == channel else bias.get(m, 0.0) for m in measured)
        meters = tuple((level, compliance[m], range_[m]) for m, level in zip(measured, held, strict=True))
        way = (*levels, *levels[::-1]) if cyclic else tuple(levels)
        if _by_itself(levels):
            return _Stairs(way, meters, integration, 1, pause, max(0.0, dwell - pause), 0.0)
        sent = (1 + pause // ranges.MAX_PAUSE + 1 + len(measured)) * COMMAND
        return _Stairs(way, meters, integration, 2, pause, 0.0, sent)

    def sample(
        self,
        channels: Sequence[str],
        points: int,
        interval: float | None,
        *,
        bias: Mapping[str, float],
        resistance: float,
        hold: float,
        compliance: Mapping[str, float],
        range_: Mapping[str, float | None],
        nplc: float,
    ) -> float:
        """``points`` readings at fixed levels, ``interval`` s apart (None: as they come)."""
        taken = sum(self.hold(other, level, 0.0) for other, level in bias.items())
        taken += self._configured(channels, range_, nplc, {"FMT": 0}) + _sent(6) + _BEGIN * COMMAND
        integration = nplc / self.line_frequency
        interval = max(ranges.MIN_INTERVAL, integration) if interval is None else interval
        interval = ranges.on_grid(interval, ranges.sampling_grid(interval))
        reading = len(channels) * (SAMPLE + integration)
        ranging = 0.0
        for channel in channels:
            amps = _current(bias.get(channel, 0.0), resistance, compliance[channel])
            present = self._range.get(channel, INITIAL_RANGE)
            changes, self._range[channel] = _ranging(present, amps, compliance[channel], range_[channel])
            ranging += changes * ranges.RANGE_CHANGE
        late = max(0.0, ranging + (points - 1) * (reading - interval))  # what the intervals do not make up for
        return taken + ranges.on_grid(hold, 1e-2) + (points - 1) * interval + late + reading + COMMAND

    def bias(
        self,
        channel: str,
        level: float,
        duration: float,
        *,
        ramp: float,
        grounded: Sequence[str],
        compliance: float,
        abort_above: float | None,
    ) -> float:
        """A level held for a time, with its ramps; every step of a ramp is two commands."""
        taken = sum(self.hold(other, 0.0, compliance) for other in grounded) + self._switch_on(channel)
        held = ranges.current_range(compliance if abort_above is None else 2 * abort_above)
        self._range[channel] = held
        taken += self._configured([channel], {channel: held}, 1.0, {"FMT": 0}) + _sent(8) + _BEGIN * COMMAND
        steps = ranges.ramp_steps(ramp)
        pauses = duration // ranges.MAX_PAUSE + 1
        return taken + 2 * ramp + duration + COMMAND * (2 * steps * (2 if ramp else 1) + pauses + 3)

    # -- details ----------------------------------------------------------------------------------------------------

    def _configured(
        self, measured: Sequence[str], range_: Mapping[str, float | None], nplc: float, wanted: dict[str, Hashable]
    ) -> float:
        """Only what changes is sent, in one line."""
        converter = int(nplc >= 1)
        wanted = {**wanted, f"AIT{converter}": nplc}
        for m in measured:
            wanted |= {f"AAD{m}": converter, f"RI{m}": range_[m], f"RV{m}": 0, f"CMM{m}": 0}
        changed = {name: value for name, value in wanted.items() if self._known.get(name, "") != value}
        self._known |= changed
        return _sent(len(changed)) if changed else 0.0


def _sent(commands: int) -> float:
    """Commands, and a look into the error queue."""
    return (commands + 1) * COMMAND


def _current(level: float, resistance: float, compliance: float) -> float:
    """A, of ``resistance`` (ohm); 0 stands for a device that takes all that it may."""
    return min(abs(level) / resistance, compliance) if resistance else compliance


@dataclass(frozen=True)
class _Stairs:
    """A sweep as it is executed.

    Attributes:
        way: levels, V.
        meters: of each channel that measures its level (V; None: the swept one), compliance and fixed range (A).
        integration: s of a reading.
        readings: how many a channel takes: with its voltage where levels are sent one by one.
        pause, step, sent: s before the first reading, from there to the next level at least, and of commands.
    """

    way: tuple[float, ...]
    meters: tuple[tuple[float | None, float, float | None], ...]
    integration: float
    readings: int
    pause: float
    step: float
    sent: float


@lru_cache(maxsize=1024)
def _staircase(
    stairs: _Stairs, start: tuple[float, ...], resistance: float | None
) -> tuple[tuple[tuple[float, float], ...], tuple[float, ...]]:
    """Of each point the seconds up to its time stamp and in all, and the ranges (A) that they leave.

    ``start``: ranges before; ``resistance`` in ohm, None: the worst at every point.
    """
    at = list(start)
    points, before = [], math.nan
    for k, level in enumerate(stairs.way):
        now, stamped = stairs.pause, 0.0
        for m, (held, compliance, fixed) in enumerate(stairs.meters):
            if resistance is None:
                changes, at[m] = _most_ranging(at[m], compliance, fixed)
            else:
                amps = _current(level if held is None else held, resistance, compliance)
                changes, at[m] = _ranging(at[m], amps, compliance, fixed)
            settling = ranges.SETTLING[at[m]]
            if changes:
                now += changes * ranges.RANGE_CHANGE + settling
            elif level != before:  # the built-in wait counts from the last change of any output
                now = max(now, settling)
            stamped = stamped or now + READING
            now += stairs.readings * (READING + stairs.integration)
        now += stairs.sent
        points.append((stamped, max(now, stairs.pause + stairs.step) if k < len(stairs.way) - 1 else now))
        before = level
    return tuple(points), tuple(at)


def _by_itself(levels: Sequence[float]) -> bool:
    """Whether the instrument makes the steps by itself, linear or logarithmic ones."""
    first, last, n = levels[0], levels[-1], max(len(levels) - 1, 1)
    if all(abs(level - first - k * (last - first) / n) <= _EVEN * abs(last - first) for k, level in enumerate(levels)):
        return True
    ratio = last / first if first else 0.0
    return ratio > 0 and all(abs(level / (first * ratio ** (k / n)) - 1) <= _EVEN for k, level in enumerate(levels))


def _most_ranging(present: float, compliance: float, fixed: float | None) -> tuple[int, float]:
    """Most changes of range at a point, and the range (A) that takes longest.

    To a fixed range there is one change, at the first point; autorange may come from anywhere at every point.
    """
    top = ranges.current_range(compliance if fixed is None else fixed)
    if fixed is not None:
        return int(present == _ANY), top
    return int(present == _ANY) + _LADDER.index(top), _LADDER[0]


def _ranging(present: float, amps: float, compliance: float, fixed: float | None) -> tuple[int, float]:
    """Changes of range, and the range (A), on the way to the one for ``amps``.

    Down to the compliance's range, or to a fixed one, it is one change; autorange goes range by range.
    """
    top = ranges.current_range(compliance if fixed is None else fixed)
    if fixed is not None:
        return int(present != top), top
    target = min(top, ranges.current_range(amps))
    return int(present > top) + abs(_LADDER.index(min(present, top)) - _LADDER.index(target)), target
