"""Waveform patterns and their events, as the library keeps them (reference b1530a sec. 4.4, 4.5).

Times are whole numbers of 10 ns (ticks), voltages floats. Level-1 validation happens here: what breaks an absolute
limit is refused with a ``Failure`` and nothing is stored.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeVar

from sim_backend.wgfmu import codes
from sim_backend.wgfmu.codes import Failure, number

TICK = 1e-8
_MOST_TICKS = 2**40 - 1  # 10995.11627775 s
_MOST_VECTORS = 2048
_MOST_VOLTS = 10.0
_INTERVAL = (1, 134217728)  # ticks
_AVERAGING = (1, 2097151)  # 0.020971512 s
_SAMPLES_PER_TICK = 2  # the sampler takes one every 5 ns
_BINARY_NOISE = 1e-15  # relative: what a decimal number in binary is off

Warn = Callable[[int, str], None]


@dataclass(frozen=True)
class MeasureEvent:
    """Sampling measurement; times in ticks."""

    name: str
    time: int
    points: int
    interval: int
    averaging: int
    raw: bool

    @property
    def end(self) -> int:
        return self.time + self.interval * (self.points - 1) + (self.averaging or 1)

    @property
    def samples(self) -> int:
        """Values per point."""
        return 1 + self.averaging * _SAMPLES_PER_TICK if self.raw else 1

    @property
    def size(self) -> int:
        """Values."""
        return self.points * self.samples


@dataclass(frozen=True)
class RangeEvent:
    """Change of the current range at ``time`` (ticks); takes one tick."""

    name: str
    time: int
    code: int

    @property
    def end(self) -> int:
        return self.time + 1


@dataclass(frozen=True)
class TriggerEvent:
    """Trigger output; ``duration`` 0 at time 0 means: with the initial voltage."""

    name: str
    time: int
    duration: int

    @property
    def end(self) -> int:
        return self.time + self.duration


AnyEvent = TypeVar("AnyEvent", MeasureEvent, RangeEvent, TriggerEvent)


@dataclass
class Pattern:
    """Points (ticks, V) from time 0 on, and events in order of their time."""

    name: str
    ticks: list[int]
    volts: list[float]
    measures: list[MeasureEvent] = field(default_factory=list)
    ranges: list[RangeEvent] = field(default_factory=list)
    triggers: list[TriggerEvent] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Ticks."""
        return self.ticks[-1]

    def voltage(self, tick: float) -> float:
        """Interpolated voltage (V)."""
        k = bisect_right(self.ticks, tick)
        if k == len(self.ticks):
            return self.volts[-1]
        t0, t1 = self.ticks[k - 1], self.ticks[k]
        return self.volts[k - 1] + (self.volts[k] - self.volts[k - 1]) * (tick - t0) / (t1 - t0)

    def copy(self, name: str) -> Pattern:
        """The same under another name."""
        return Pattern(
            name, list(self.ticks), list(self.volts), list(self.measures), list(self.ranges), list(self.triggers)
        )


def to_ticks(name: str, seconds: float, low: int, high: int, warn: Warn) -> int:
    """``seconds`` on the 10 ns grid; rounding is told as an INFORMATION warning, then the limits are checked."""
    exact = seconds / TICK
    if exact != exact or abs(exact) > 2**53:
        raise Failure(codes.PARAMETER_OUT_OF_RANGE, _out_of_range(name, seconds, low * TICK, high * TICK))
    ticks = round(exact)
    if abs(exact - ticks) > 1e-9 + _BINARY_NOISE * abs(exact):
        warn(codes.WARNING_INFORMATION, f"{name} = {number(seconds)} was rounded to {number(ticks * TICK)}.")
    if not low <= ticks <= high:
        raise Failure(codes.PARAMETER_OUT_OF_RANGE, _out_of_range(name, seconds, low * TICK, high * TICK))
    return ticks


def check_voltage(name: str, volts: float) -> float:
    """Absolute limit of +-10 V."""
    if not -_MOST_VOLTS <= volts <= _MOST_VOLTS:
        raise Failure(codes.PARAMETER_OUT_OF_RANGE, _out_of_range(name, volts, -_MOST_VOLTS, _MOST_VOLTS))
    return volts


def _out_of_range(name: str, value: float, low: float, high: float) -> str:
    return f"{name} = {number(value)} is invalid. The value must be {number(low)} <= {name} <= {number(high)}."


def add_vectors(pattern: Pattern, deltas: Sequence[float], volts: Sequence[float], warn: Warn) -> None:
    """Append incremental vectors; all or nothing."""
    steps = [to_ticks("deltaTime", d, 1, _MOST_TICKS, warn) for d in deltas]
    levels = [check_voltage("voltage", v) for v in volts]
    ticks = list(pattern.ticks)
    for step in steps:
        ticks.append(ticks[-1] + step)
    _check_vectors(pattern.name, ticks)
    pattern.ticks, pattern.volts = ticks, [*pattern.volts, *levels]


def set_vectors(pattern: Pattern, times: Sequence[float], volts: Sequence[float], warn: Warn) -> None:
    """Insert or replace points at absolute times; all or nothing."""
    points = dict(zip(pattern.ticks, pattern.volts, strict=True))
    for time, v in zip(times, volts, strict=True):
        points[to_ticks("time", time, 0, _MOST_TICKS, warn)] = check_voltage("voltage", v)
    ticks = sorted(points)
    _check_vectors(pattern.name, ticks)
    pattern.ticks, pattern.volts = ticks, [points[t] for t in ticks]


def _check_vectors(name: str, ticks: Sequence[int]) -> None:
    if len(ticks) - 1 > _MOST_VECTORS:
        raise Failure(
            codes.PARAMETER_OUT_OF_RANGE,
            f'The number of vectors in pattern "{name}" is {len(ticks) - 1}. It must be {_MOST_VECTORS} or less.',
        )
    for a, b in pairwise(ticks):
        if b - a > _MOST_TICKS:
            raise Failure(
                codes.PARAMETER_OUT_OF_RANGE, _out_of_range("deltaTime", (b - a) * TICK, TICK, _MOST_TICKS * TICK)
            )


def merged_in_time(name: str, first: Pattern, second: Pattern) -> Pattern:
    """``second`` after ``first``, without its first point; its events shift."""
    shift = first.length
    result = first.copy(name)
    result.ticks += [t + shift for t in second.ticks[1:]]
    result.volts += second.volts[1:]
    result.measures += [replace(e, time=e.time + shift) for e in second.measures]
    result.ranges += [replace(e, time=e.time + shift) for e in second.ranges]
    result.triggers += [replace(e, time=e.time + shift) for e in second.triggers]
    _check_result(result)
    return result


def merged_in_voltage(name: str, first: Pattern, second: Pattern) -> Pattern:
    """Sum of both; the shorter one's last value holds; overlapping events of ``second`` win."""
    ticks = sorted({*first.ticks, *second.ticks})
    result = first.copy(name)
    result.ticks, result.volts = ticks, [first.voltage(t) + second.voltage(t) for t in ticks]
    for event in second.measures:
        result.measures, _ = placed(result.measures, event)
    for change in second.ranges:
        result.ranges, _ = placed(result.ranges, change)
    for trigger in second.triggers:
        result.triggers, _ = placed(result.triggers, trigger)
    _check_result(result)
    return result


def multiplied(name: str, source: Pattern, time: float, voltage: float) -> Pattern:
    """Times and voltages scaled; a negative time factor mirrors the pattern."""
    if time == 0.0 or voltage == 0.0:
        raise Failure(codes.PARAMETER_OUT_OF_RANGE, "timeFactor and voltageFactor must not be 0.")
    factor = abs(time)
    points = {round(t * factor): v * voltage for t, v in zip(source.ticks, source.volts, strict=True)}
    measures = [
        replace(
            e, time=round(e.time * factor), interval=round(e.interval * factor), averaging=round(e.averaging * factor)
        )
        for e in source.measures
    ]
    ranges = [replace(e, time=round(e.time * factor)) for e in source.ranges]
    triggers = [replace(e, time=round(e.time * factor), duration=round(e.duration * factor)) for e in source.triggers]
    if time < 0.0:
        length = round(source.length * factor)
        points = {length - t: v for t, v in points.items()}
        measures = [replace(e, time=length - e.time - e.interval * (e.points - 1) - e.averaging) for e in measures]
        ranges = [replace(e, time=length - e.time - 1) for e in ranges]
        triggers = [replace(e, time=length - e.time - e.duration) for e in triggers]
    ticks = sorted(points)
    result = Pattern(
        name,
        ticks,
        [points[t] for t in ticks],
        sorted(measures, key=lambda e: e.time),
        sorted(ranges, key=lambda e: e.time),
        sorted(triggers, key=lambda e: e.time),
    )
    _check_result(result)
    return result


def shifted(name: str, source: Pattern, ticks: int, volts: float) -> Pattern:
    """Later by ``ticks`` with the initial voltage in front, or (negative) trimmed at its front; ``volts`` added."""
    points = {t + ticks: v + volts for t, v in zip(source.ticks, source.volts, strict=True) if t + ticks >= 0}
    if ticks > 0:
        points[0] = source.volts[0] + volts
    elif ticks < 0:
        if -ticks >= source.length:
            raise Failure(codes.PARAMETER_OUT_OF_RANGE, "timeOffset leaves nothing of the pattern.")
        points[0] = source.voltage(-ticks) + volts
    order = sorted(points)
    result = Pattern(
        name,
        order,
        [points[t] for t in order],
        [replace(e, time=e.time + ticks) for e in source.measures if e.time + ticks >= 0],
        [replace(e, time=e.time + ticks) for e in source.ranges if e.time + ticks >= 0],
        [replace(e, time=e.time + ticks) for e in source.triggers if e.time + ticks >= 0],
    )
    _check_result(result)
    return result


def _check_result(pattern: Pattern) -> None:
    for v in pattern.volts:
        check_voltage("voltage", v)
    _check_vectors(pattern.name, pattern.ticks)
    if len(pattern.ticks) < 2 and pattern.measures:
        raise Failure(codes.PARAMETER_OUT_OF_RANGE, f'Events cannot be set outside pattern "{pattern.name}".')
    for event in pattern.measures:
        check_measure(event)
    for name, time, end in [
        *((e.name, e.time, e.end) for e in pattern.measures),
        *((e.name, e.time, e.end) for e in pattern.ranges),
        *((e.name, e.time, e.end) for e in pattern.triggers),
    ]:
        check_inside(pattern, name, time, end - time)


def check_measure(event: MeasureEvent) -> None:
    """Absolute limits of a measurement event, after rounding."""
    if event.points < 1:
        raise Failure(
            codes.PARAMETER_OUT_OF_RANGE, f"measurementPoints = {event.points} is invalid. The value must be 1 or more."
        )
    for name, value, (low, high) in (
        ("measurementInterval", event.interval, _INTERVAL),
        ("averagingTime", event.averaging or 1, _AVERAGING),
    ):
        if not low <= value <= high:
            message = _out_of_range(name, value * TICK, low * TICK, high * TICK)
            raise Failure(codes.PARAMETER_OUT_OF_RANGE, message)
    if event.averaging > event.interval:
        raise Failure(
            codes.PARAMETER_OUT_OF_RANGE,
            f"averagingTime = {number(event.averaging * TICK)} is greater than "
            f"measurementInterval = {number(event.interval * TICK)}.",
        )


def check_inside(pattern: Pattern, event: str, time: int, duration: int) -> None:
    """An event lies inside its pattern."""
    if time < 0 or time + duration > pattern.length:
        raise Failure(
            codes.PARAMETER_OUT_OF_RANGE,
            f'Event "{event}" cannot be set outside pattern "{pattern.name}". time + duration = '
            f"{number((time + duration) * TICK)} is greater than pattern length = {number(pattern.length * TICK)}.",
        )


def placed(events: list[AnyEvent], new: AnyEvent) -> tuple[list[AnyEvent], list[AnyEvent]]:
    """``events`` with ``new`` in its place, and those that it replaces because they overlap."""
    lost = [e for e in events if (e.time < new.end and new.time < e.end) or e.time == new.time]
    kept = [e for e in events if e not in lost]
    kept.insert(bisect_left([e.time for e in kept], new.time), new)
    return kept, lost
