"""Waveforms and measurement windows of the B1530A, checked before anything is sent (reference b1530a sec. 1, 4).

Times in s from the start of the pattern, levels in V. Everything here is immutable and knows no instrument.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from drivers import b1530a_limits as limits
from drivers.errors import SettingError
from drivers.wire import within

Quantity = Literal["current", "voltage"]
Mode = Literal["fastiv", "pg"]

_OFF_GRID = 1e-3  # of a grid step: what counts as rounding of the decimal number


@dataclass(frozen=True)
class Window:
    """``points`` readings, ``interval`` apart (start to start), each the mean over ``averaging`` (0: one sample)."""

    name: str
    start: float
    points: int = 1
    interval: float = 1e-8
    averaging: float = 0.0
    raw: bool = False

    @property
    def end(self) -> float:
        """End of the last reading, s; a reading without averaging still takes 10 ns."""
        return self.start + self.interval * (self.points - 1) + (self.averaging or limits.TIME_GRID)

    @property
    def size(self) -> int:
        """Values that the window gives."""
        return self.points * (1 + int(ticks(self.averaging) * 2) if self.raw else 1)


@dataclass(frozen=True)
class Pattern:
    """Straight lines between ``levels`` (V) at ``times`` (s, beginning with 0), and windows measured meanwhile."""

    name: str
    times: tuple[float, ...]
    levels: tuple[float, ...]
    windows: tuple[Window, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.times[-1]

    @property
    def size(self) -> int:
        """Values that one output of the pattern gives."""
        return sum(window.size for window in self.windows)

    def measured(self, *windows: Window) -> Pattern:
        """The same waveform with these windows, in order of their start."""
        return replace(self, windows=tuple(sorted((*self.windows, *windows), key=lambda w: w.start)))

    @classmethod
    def constant(cls, name: str, level: float, duration: float) -> Pattern:
        """One level throughout."""
        return cls(name, (0.0, duration), (level, level))

    @classmethod
    def pulse(
        cls, name: str, level: float, width: float, edge: float, rest: float, base: float = 0.0, lead: float = 0.0
    ) -> Pattern:
        """Trapezoid: ``width`` at half height, edges of ``edge`` each, ``lead`` before it and ``rest`` after."""
        if width < edge:
            raise SettingError(f"pulse {name!r}: edges of {edge:g} s do not fit into a width of {width:g} s")
        flat = width - edge
        return cls.through(name, base, [(lead, base), (edge, level), (flat, level), (edge, base), (rest, base)])

    @classmethod
    def triangle(cls, name: str, level: float, width: float, rest: float, base: float = 0.0) -> Pattern:
        """Up and down in ``width`` from foot to foot, then ``rest`` at ``base``."""
        return cls.through(name, base, [(width / 2, level), (width / 2, base), (rest, base)])

    @classmethod
    def through(cls, name: str, initial: float, vectors: Sequence[tuple[float, float]]) -> Pattern:
        """From ``initial`` (V) along (duration, level); vectors of no duration are left out."""
        times, levels = [0.0], [initial]
        for duration, level in vectors:
            if duration:
                times.append(round((times[-1] + duration) / limits.TIME_GRID, 6) * limits.TIME_GRID)
                levels.append(level)
        return cls(name, tuple(times), tuple(levels))


@dataclass(frozen=True)
class Program:
    """What one channel does: patterns with their counts, and how it measures (``measure`` None: not at all)."""

    sequence: tuple[tuple[Pattern, int], ...]
    measure: Quantity | None = None
    range: float = 10e-3
    mode: Mode = "fastiv"
    force_range: str = "auto"

    @property
    def duration(self) -> float:
        """Seconds, with the 50 ns between sequences."""
        return sum(p.duration * n for p, n in self.sequence) + 5 * limits.TIME_GRID * (len(self.sequence) - 1)

    @property
    def size(self) -> int:
        """Values measured."""
        return sum(p.size * n for p, n in self.sequence) if self.measure else 0

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Each pattern once, in order of first use."""
        return tuple(dict.fromkeys(pattern for pattern, _ in self.sequence))


def ticks(time: float) -> int:
    """Number of grid steps (10 ns)."""
    return round(time / limits.TIME_GRID)


def check(program: Program, allow_fast_edges: bool = False) -> frozenset[str]:
    """Refuse what the instrument would refuse, round or do badly; return what was allowed nevertheless.

    Returns:
        Flags for the data: ``fast_edges`` (edges under the recommended ones), ``unsettled`` (a window begins before
        the range has settled after the last change of level).

    Raises:
        SettingError: names the rule and what would be accepted.
    """
    if not program.sequence:
        raise SettingError("a channel needs at least one pattern")
    if len(program.sequence) > limits.SEQUENCES:
        raise SettingError(f"{len(program.sequence)} sequences: at most {limits.SEQUENCES} fit on a channel")
    for pattern, count in program.sequence:
        if count != int(count) or not limits.LOOPS[0] <= count <= limits.LOOPS[1]:
            raise SettingError(
                f"pattern {pattern.name!r}: count {count} is not a whole number from 1 to {limits.LOOPS[1]}"
            )
    if program.size > limits.DATA_POINTS:
        raise SettingError(f"{program.size} values: the channel's memory holds about {limits.DATA_POINTS}")
    chosen = force_range(program)
    edge = limits.PG_EDGE if program.mode == "pg" else chosen.edge
    flags = set()
    for pattern in program.patterns:
        _check_times(pattern)
        if _check_edges(pattern, edge, allow_fast_edges):
            flags.add("fast_edges")
        if program.measure:
            settling = limits.measure_range(program.measure, program.range).settling
            _check_windows(pattern)
            if any(_begins_unsettled(pattern, window, settling) for window in pattern.windows):
                flags.add("unsettled")
    if program.measure == "current" and program.mode == "pg":
        raise SettingError("PG mode measures voltage only; choose mode 'fastiv' to measure current")
    return frozenset(flags)


def force_range(program: Program) -> limits.ForceRange:
    """The output range that holds all levels: the one asked for, or with "auto" the smallest.

    Raises:
        SettingError: a level is outside, or signs are mixed above 5 V.
    """
    levels = [level for pattern in program.patterns for level in pattern.levels]
    low, high = min(levels), max(levels)
    within("level", low, -limits.AMPLITUDE, limits.AMPLITUDE, "V")
    within("level", high, -limits.AMPLITUDE, limits.AMPLITUDE, "V")
    allowed = limits.PG_RANGES if program.mode == "pg" else tuple(limits.FORCE_RANGES)
    if program.force_range == "auto":
        for name in allowed:
            if limits.FORCE_RANGES[name].low <= low and high <= limits.FORCE_RANGES[name].high:
                return limits.FORCE_RANGES[name]
        if program.mode == "pg":
            raise SettingError(f"levels {low:g} .. {high:g} V: PG mode reaches -5 .. 5 V; choose mode 'fastiv'")
        raise SettingError(
            f"levels {low:g} .. {high:g} V: above 5 V a channel has one sign only (ranges -10 .. 0 V and 0 .. 10 V); "
            "keep all levels on one side of 0 V, or within -5 .. 5 V"
        )
    if program.force_range not in allowed:
        raise SettingError(f"force range {program.force_range!r}: {program.mode} mode has auto, {', '.join(allowed)}")
    chosen = limits.FORCE_RANGES[program.force_range]
    if low < chosen.low or high > chosen.high:
        raise SettingError(
            f"levels {low:g} .. {high:g} V are outside the {program.force_range} range "
            f"({chosen.low:g} .. {chosen.high:g} V)"
        )
    return chosen


def _on_grid(what: str, time: float) -> None:
    exact = time / limits.TIME_GRID
    if abs(exact - round(exact)) > _OFF_GRID:
        below, above = (n * limits.TIME_GRID * 1e9 for n in (math.floor(exact), math.ceil(exact)))
        raise SettingError(
            f"{what} {time * 1e9:.6g} ns is not on the 10 ns grid; {below:.6g} ns or {above:.6g} ns would be"
        )


def _check_times(pattern: Pattern) -> None:
    title = f"pattern {pattern.name!r}"
    if not pattern.name or not pattern.name.isascii():
        raise SettingError(f"{title}: a name needs ASCII characters")
    if len(pattern.times) != len(pattern.levels) or len(pattern.times) < 2 or pattern.times[0] != 0.0:
        raise SettingError(f"{title}: needs as many times as levels, at least two, beginning at 0 s")
    if len(pattern.times) - 1 > limits.VECTORS:
        raise SettingError(
            f"{title}: {len(pattern.times) - 1} vectors, at most {limits.VECTORS} are accepted; "
            "repeat a shorter pattern by its count, or split it into several"
        )
    for time in pattern.times:
        _on_grid(f"{title}: time", time)
    for first, last in pairwise(pattern.times):
        if ticks(last) - ticks(first) < 1:
            raise SettingError(f"{title}: a vector of {(last - first) * 1e9:g} ns; 10 ns is the shortest accepted")
        within(f"{title}: vector", last - first, limits.VECTOR[0] / 2, limits.VECTOR[1], "s")


def _check_edges(pattern: Pattern, recommended: float, allow: bool) -> bool:
    """Whether the pattern has edges under the recommended one."""
    fast = [
        last - first
        for (first, last), (start, end) in zip(pairwise(pattern.times), pairwise(pattern.levels), strict=True)
        if start != end and ticks(last - first) * limits.TIME_GRID < recommended * (1 - _OFF_GRID)
    ]
    if fast and not allow:
        raise SettingError(
            f"pattern {pattern.name!r}: an edge of {min(fast) * 1e9:.4g} ns is under the {recommended * 1e9:.4g} ns "
            f"recommended for this range; {recommended * 1e9:.4g} ns or more is accepted, less with fast edges allowed"
        )
    return bool(fast)


def _check_windows(pattern: Pattern) -> None:
    for window in pattern.windows:
        title = f"pattern {pattern.name!r}, window {window.name!r}"
        if not window.name or not window.name.isascii():
            raise SettingError(f"{title}: a name needs ASCII characters")
        if window.points < 1:
            raise SettingError(f"{title}: {window.points} points; at least 1 is needed")
        for what, time in (("start", window.start), ("interval", window.interval), ("averaging", window.averaging)):
            _on_grid(f"{title}: {what}", time)
        within(f"{title}: interval", window.interval, limits.INTERVAL[0] * (1 - _OFF_GRID), limits.INTERVAL[1], "s")
        if window.averaging:
            within(f"{title}: averaging", window.averaging, 0.0, limits.AVERAGING[1], "s")
        if ticks(window.averaging) > ticks(window.interval):
            raise SettingError(
                f"{title}: averages over {window.averaging:g} s every {window.interval:g} s; "
                "the interval must be as long at least"
            )
        if window.start < 0 or ticks(window.end) > ticks(pattern.duration):
            raise SettingError(
                f"{title}: ends at {window.end:.9g} s, the pattern at {pattern.duration:.9g} s; "
                f"lengthen the pattern to {window.end:.9g} s or more"
            )
    for first, second in pairwise(sorted(pattern.windows, key=lambda w: w.start)):
        gap = ticks(second.start) - ticks(first.end)
        needed = 0 if first.averaging == second.averaging else ticks(limits.EVENT_DISTANCE)
        if gap < needed:
            raise SettingError(
                f"pattern {pattern.name!r}: windows {first.name!r} and {second.name!r} are {gap * 10} ns apart; "
                f"{needed * 10} ns or more is accepted"
            )


def _begins_unsettled(pattern: Pattern, window: Window, settling: float) -> bool:
    """Whether the level changes within ``settling`` before the window begins, or within the window."""
    for (first, last), (start, end) in zip(pairwise(pattern.times), pairwise(pattern.levels), strict=True):
        if start != end and first < window.end and last > window.start - settling:
            return True
    return False
