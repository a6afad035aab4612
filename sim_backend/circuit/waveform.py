"""Piecewise-linear EMF of a source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate


@dataclass(frozen=True)
class Waveform:
    """One period: segment ``k`` goes straight from ``starts[k]`` to ``ends[k]`` (V of EMF) in ``durations[k]`` (s).

    Jumps between segments are allowed. ``after`` (V) holds once the last repetition is over.
    """

    durations: tuple[float, ...]
    starts: tuple[float, ...]
    ends: tuple[float, ...]
    after: float = 0.0

    def __post_init__(self) -> None:
        if not len(self.durations) == len(self.starts) == len(self.ends) > 0:
            raise ValueError("a waveform needs as many durations as starts and ends, and at least one")
        if min(self.durations) < 0 or not sum(self.durations) > 0:
            raise ValueError("durations of a waveform must not be negative, and their sum must be positive")

    @cached_property
    def boundaries(self) -> tuple[float, ...]:
        """End of each segment, s from the start of the period."""
        return tuple(accumulate(self.durations))

    @property
    def period(self) -> float:
        """Seconds."""
        return self.boundaries[-1]

    @property
    def extremes(self) -> tuple[float, float]:
        """Lowest and highest EMF (V) within the period."""
        return min(*self.starts, *self.ends), max(*self.starts, *self.ends)


def pulse(level: float, base: float, width: float, edge: float, rest: float = 0.0) -> Waveform:
    """Trapezoid from ``base`` to ``level`` (V): ``width`` at half height, ``edge`` 0-100 %, then ``rest`` (s)."""
    flat = width - edge
    if flat < 0:
        raise ValueError("the edges do not fit into the width")
    segments = [(edge, base, level), (flat, level, level), (edge, level, base), (rest, base, base)]
    durations, starts, ends = zip(*(s for s in segments if s[0] > 0), strict=True)
    return Waveform(durations, starts, ends, after=base)
