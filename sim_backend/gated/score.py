"""What several sources play at once, merged into blocks of identical periods.

A million repeats stay one block as long as all sources repeat in step, or hold still, or have a common period.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import floor, inf, lcm

from sim_backend.circuit.waveform import Waveform

_SAME = 1e-9  # relative: periods that differ by less are equal
_TICK = 1e-10  # s, grid on which common multiples of periods are looked for
_MOST_SEGMENTS = 4096  # of a common period


@dataclass(frozen=True)
class Score:
    """Waveforms played one after the other, each its number of times; then the last one's ``after`` holds."""

    parts: tuple[tuple[Waveform, float], ...]

    @cached_property
    def duration(self) -> float:
        """Seconds."""
        return sum(waveform.period * count for waveform, count in self.parts)

    @property
    def after(self) -> float:
        """EMF (V) once everything is over."""
        return self.parts[-1][0].after


@dataclass(frozen=True)
class Block:
    """``count`` identical periods: durations (s) of straight pieces, and per source where each begins and ends (V)."""

    durations: tuple[float, ...]
    levels: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]
    count: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return sum(self.durations) * self.count


class Cursor:
    """Where a score stands: ``ahead`` (s) before its start, then part, loop, and place in the period."""

    def __init__(self, score: Score, ahead: float, before: float) -> None:
        self._score, self._ahead, self._before = score, ahead, before
        self._part, self._loop, self._within = 0, 0, 0.0

    @property
    def finished(self) -> bool:
        return self._part >= len(self._score.parts)

    @property
    def flat(self) -> bool:
        """Whether nothing moves until the end of the present part."""
        if self._ahead > 0.0 or self.finished:
            return True
        low, high = self._waveform.extremes
        return low == high

    @property
    def flat_left(self) -> float:
        """Seconds for which a flat source stays flat."""
        if self._ahead > 0.0:
            return self._ahead
        if self.finished:
            return inf
        return self._waveform.period * (self._count - self._loop) - self._within

    @property
    def at_start(self) -> bool:
        return self._within == 0.0

    @property
    def loops_left(self) -> float:
        return self._count - self._loop

    @property
    def period(self) -> float:
        return self._waveform.period

    @property
    def boundaries(self) -> tuple[float, ...]:
        return self._waveform.boundaries

    def level(self) -> float:
        """EMF (V) now; at a jump the one after it."""
        return self.piece(0.0, 0.0)[0]

    def segment_left(self) -> float:
        """Seconds to the end of the present segment."""
        k = self._segment(self._within)
        return self._waveform.boundaries[k] - self._within

    def piece(self, start: float, end: float) -> tuple[float, float]:
        """EMF (V) at ``start`` and just before ``end`` (s from now, within one segment of one period)."""
        if self._ahead > 0.0:
            return self._before, self._before
        if self.finished:
            return self._score.after, self._score.after
        w = self._waveform
        first = self._within + start
        k = self._segment(first + 1e-6 * (end - start))
        begin = w.boundaries[k] - w.durations[k]

        def at(t: float) -> float:
            share = min(max((t - begin) / w.durations[k], 0.0), 1.0)
            return w.starts[k] + (w.ends[k] - w.starts[k]) * share

        return at(first), at(self._within + end)

    def advance(self, seconds: float) -> None:
        """Let time pass; at most to the end of the present period, or any time while flat."""
        if self._ahead > 0.0:
            self._ahead -= seconds
            if self._ahead < _TICK * 1e-3:
                self._ahead = 0.0
            return
        if self.finished:
            return
        position = self._within + seconds
        loops = floor(position / self.period * (1 + 1e-12) + 1e-9)
        self._within = max(0.0, position - loops * self.period)
        if loops and self._within < 1e-9 * self.period:
            self._within = 0.0
        self.skip(loops)

    def skip(self, loops: int) -> None:
        """Move on by whole periods."""
        self._loop += loops
        if self._loop >= self._count:
            self._part, self._loop, self._within = self._part + 1, 0, 0.0

    @property
    def _waveform(self) -> Waveform:
        return self._score.parts[self._part][0]

    @property
    def _count(self) -> float:
        return self._score.parts[self._part][1]

    def _segment(self, within: float) -> int:
        return min(bisect_right(self._waveform.boundaries, within), len(self._waveform.boundaries) - 1)


def blocks(cursors: Mapping[str, Cursor], duration: float) -> Iterator[Block]:
    """Blocks that fill ``duration`` (s); the cursors move along."""
    left = duration
    while left > 1e-15 + 1e-13 * duration:
        moving = {name: c for name, c in cursors.items() if not c.flat}
        still = min([left, *(c.flat_left for c in cursors.values() if c.flat)])
        if not moving:
            levels = {name: ((c.level(),), (c.level(),)) for name, c in cursors.items()}
            yield Block((still,), levels, 1)
            _advance_all(cursors, still)
            left -= still
            continue
        period = _common_period(list(moving.values()))
        count = 0
        if period:
            fits = min(floor(still / period * (1 + 1e-12)), *(_times(c, period) for c in moving.values()))
            count = int(fits)
        if count:
            yield _period_block(cursors, moving, period, count)
            for c in moving.values():
                c.skip(round(period / c.period) * count)
            _advance_all({name: c for name, c in cursors.items() if name not in moving}, period * count)
            left -= period * count
            continue
        step = min(still, *(c.segment_left() for c in moving.values()))
        pieces = {name: c.piece(0.0, step) for name, c in cursors.items()}
        yield Block((step,), {name: ((a,), (b,)) for name, (a, b) in pieces.items()}, 1)
        _advance_all(cursors, step)
        left -= step


def _advance_all(cursors: Mapping[str, Cursor], seconds: float) -> None:
    for c in cursors.values():
        c.advance(seconds)


def _times(cursor: Cursor, period: float) -> float:
    loops = cursor.loops_left
    return inf if loops == inf else loops // round(period / cursor.period)


def _common_period(moving: list[Cursor]) -> float:
    """Shortest time after which all moving sources are at their starts again; 0 if they are not now, or never."""
    if not all(c.at_start for c in moving):
        return 0.0
    longest = max(c.period for c in moving)
    if all(abs(c.period - longest) <= _SAME * longest for c in moving):
        return longest
    ticks = [round(c.period / _TICK) for c in moving]
    if any(abs(t * _TICK - c.period) > _SAME * c.period for t, c in zip(ticks, moving, strict=True)):
        return 0.0
    common = lcm(*ticks)
    segments = sum(common // t * len(c.boundaries) for t, c in zip(ticks, moving, strict=True))
    return common * _TICK if segments <= _MOST_SEGMENTS else 0.0


def _period_block(cursors: Mapping[str, Cursor], moving: Mapping[str, Cursor], period: float, count: int) -> Block:
    ends: set[float] = {period}
    for c in moving.values():
        repeats = round(period / c.period)
        ends |= {k * c.period + b for k in range(repeats) for b in c.boundaries}
    knots = [0.0]
    for end in sorted(ends):
        if end - knots[-1] > _SAME * period / len(ends):
            knots.append(min(end, period))
    levels: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {}
    for name, c in cursors.items():
        if name not in moving:
            levels[name] = ((c.level(),) * (len(knots) - 1),) * 2
            continue
        pairs = []
        for a, b in pairwise(knots):
            base = floor(a / c.period + 1e-9) * c.period
            pairs.append(c.piece(max(0.0, a - base), b - base))
        levels[name] = (tuple(p[0] for p in pairs), tuple(p[1] for p in pairs))
    durations = tuple(b - a for a, b in pairwise(knots))
    return Block(durations, levels, count)
