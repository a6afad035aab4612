"""Waveforms as straight pieces (reference afg31000 sec. 6, 7, 11).

A ``Shape`` is one period between 0 (LOW) and 1 (HIGH); ``waveform`` lays it between levels. Curves are drawn by
chords between points on the curve; ``AfgOptions`` says how many. Rectangular shapes begin at LOW: that is the first
point, at which the output idles between bursts. What the reference does not say, and stands here as a choice: the
square and the ramp begin at LOW, sine at the middle going up; the bell curves are cut at 5 widths.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from sim_backend.afg31000.models import Model
from sim_backend.afg31000.options import AfgOptions
from sim_backend.circuit import Waveform

FULL_SCALE = 16382
"""Sample code of HIGH."""


@dataclass(frozen=True)
class Shape:
    """Segments of one period: durations (any unit) and ends, 0..1."""

    durations: tuple[float, ...]
    starts: tuple[float, ...]
    ends: tuple[float, ...]

    @property
    def first(self) -> float:
        return self.starts[0]

    @property
    def last(self) -> float:
        return self.ends[-1]

    def rotated(self, fraction: float) -> Shape:
        """The same period begun at ``fraction`` (0..1) of it."""
        total = sum(self.durations)
        at = (fraction % 1.0) * total
        if at == 0.0:
            return self
        edges = list(accumulate(self.durations))
        k = min(bisect_right(edges, at), len(edges) - 1)
        left = edges[k] - at
        sliver = 1e-12 * total  # what rounding leaves of a segment when the cut is on a corner
        if left <= sliver or self.durations[k] - left <= sliver:
            first = (k + 1) % len(edges) if left <= sliver else k
            return self._take([*range(first, len(edges)), *range(first)])
        middle = self.ends[k] - (self.ends[k] - self.starts[k]) * left / self.durations[k]
        rest = self._take([*range(k + 1, len(edges)), *range(k)])
        return Shape(
            (left, *rest.durations, self.durations[k] - left),
            (middle, *rest.starts, self.starts[k]),
            (self.ends[k], *rest.ends, middle),
        )

    def _take(self, order: list[int]) -> Shape:
        pick = [(self.durations[i], self.starts[i], self.ends[i]) for i in order]
        return _from_segments(pick) if pick else Shape((), (), ())


def _from_segments(segments: list[tuple[float, float, float]]) -> Shape:
    kept = [segment for segment in segments if segment[0] > 0]
    return Shape(tuple(s[0] for s in kept), tuple(s[1] for s in kept), tuple(s[2] for s in kept))


def _through(values: NDArray[np.float64]) -> Shape:
    """Chords through equally spaced points of a curve."""
    pairs = list(pairwise(values.tolist()))
    return Shape((1.0 / len(pairs),) * len(pairs), tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


@cache
def sine(pieces: int) -> Shape:
    """Sine from the middle upwards."""
    return _through(0.5 + 0.5 * np.sin(np.linspace(0.0, 2 * math.pi, pieces + 1)))


def trapezoid(period: float, width: float, leading: float, trailing: float, delay: float = 0.0) -> Shape:
    """Pulse of ``width`` at 50 %, edges from level to level, s; delayed, it may run over the period's end."""
    flat = max(0.0, width - (leading + trailing) / 2)
    rest = max(0.0, period - leading - flat - trailing)
    pulse = [(leading, 0.0, 1.0), (flat, 1.0, 1.0), (trailing, 1.0, 0.0)]
    if delay <= rest:
        return _from_segments([(delay, 0.0, 0.0), *pulse, (rest - delay, 0.0, 0.0)])
    return _from_segments([*pulse, (rest, 0.0, 0.0)]).rotated(1.0 - delay / period)


def ramp(symmetry: float) -> Shape:
    """From LOW up for ``symmetry`` (%) of the period, then down."""
    up = symmetry / 100
    return _from_segments([(up, 0.0, 1.0), (1.0 - up, 1.0, 0.0)])


@cache
def curve(name: str, pieces: int, upper_half: bool) -> Shape:
    """SINC, GAUS, LOR, ERIS, EDEC, HAV."""
    x = np.linspace(-1.0, 1.0, pieces + 1)
    t = (x + 1) / 2
    curves: dict[str, NDArray[np.float64]] = {
        "SINC": np.sinc(10 * x),
        "GAUS": np.exp(-0.5 * (5 * x) ** 2),
        "LOR": 1 / (1 + (10 * x) ** 2),
        "ERIS": 1 - np.exp(-5 * t),
        "EDEC": np.exp(-5 * t),
        "HAV": (1 + np.cos(math.pi * x)) / 2,
    }
    drawn = curves[name]
    drawn = (drawn - drawn.min()) / (drawn.max() - drawn.min())
    return _through(0.5 + drawn / 2 if upper_half and name != "SINC" else drawn)


def noise(normal: NDArray[np.float64]) -> Shape:
    """A record of normal draws, +-3 sigma filling the span."""
    points = 0.5 + np.clip(normal, -3, 3) / 6
    return _through(np.append(points, points[0]))


def record(codes: NDArray[np.uint16], frequency: float, model: Model, clip: bool) -> Shape:
    """Edit memory as held samples: runs of equal samples are one flat segment, and the level jumps between runs.

    The converter holds each sample for period / points; its own rise time (ns) is far below that, so a jump is
    nearer to the instrument than a ramp of a sample's length. Where the points do not fit the sample rate, as many
    as fit are taken, evenly spaced.
    """
    fitting = max(2, min(len(codes), int(model.record_rate(len(codes)) / frequency)))
    if fitting < len(codes):
        codes = codes[np.arange(fitting) * len(codes) // fitting]
    return held((np.minimum(codes, FULL_SCALE) if clip else codes) / FULL_SCALE)


def held(levels: NDArray[np.float64]) -> Shape:
    """Equally long samples, each held: one flat segment per run of equal ones."""
    begins = np.flatnonzero(np.concatenate(([True], levels[1:] != levels[:-1])))
    shares = np.diff(np.append(begins, len(levels))) / len(levels)
    heights = tuple(levels[begins].tolist())
    return Shape(tuple(shares.tolist()), heights, heights)


def function(name: str, options: AfgOptions, symmetry: float) -> Shape:
    """Shape of a function without times of its own."""
    if name == "SIN":
        return sine(options.sine_pieces)
    if name == "RAMP":
        return ramp(symmetry)
    return curve(name, options.curve_pieces, options.bell_span == "upper")


def waveform(shape: Shape, period: float, low: float, high: float, inverted: bool, after: float) -> Waveform:
    """``shape`` between ``low`` and ``high`` (V of EMF); ``inverted``: mirrored about the offset."""
    base, peak = (high, low) if inverted else (low, high)
    total = sum(shape.durations)
    durations = shape.durations
    if abs(total - period) > 1e-12 * period:
        durations = tuple(duration * (period / total) for duration in durations)
    return Waveform(
        durations,
        tuple(base * (1 - y) + peak * y for y in shape.starts),
        tuple(base * (1 - y) + peak * y for y in shape.ends),
        after,
    )
