"""Top of a noisy bell-shaped curve, with errors: what ``peak`` does for clean samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labctl.numerics.local import Local, fit_local
from labctl.numerics.peak import find_peak

Floats = NDArray[np.float64]

ABOVE = 0.8  #: share of the highest running mean above which samples belong to the top
SMOOTH = 5  #: samples of the running mean that decides which those are, lest noise does
DEGREE = 4
_STEPS = 100  #: places in the top at which the slope is asked for


@dataclass(frozen=True, slots=True)
class Vertex:
    """Highest point of a curve, and the polynomial through its top from ``first`` to ``last``.

    ``method``: 'quartic', 'parabola' (too few samples for more: no ``fit``), or 'edge': the largest sample is the
    first or last, so that (x, y) is only a bound. ``left`` and ``right`` are the samples next to the largest one,
    ``points`` how many samples were used.
    """

    x: float
    y: float
    left: float
    right: float
    points: int
    method: str
    fit: Local | None = None
    first: float = math.nan
    last: float = math.nan

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the errors."""
        return self.fit.freedom if self.fit else 0

    @property
    def y_stderr(self) -> float:
        """Standard error of the height; NaN without a fit."""
        return self.fit.stderr(self.x) if self.fit else math.nan

    def x_ends(self, t: float) -> tuple[float, float]:
        """Ends of the places around the vertex at which the slope is within ``t`` of its standard errors of zero.

        Fieller's interval: it stays honest where the bend is uncertain. It ends with the top; NaN without a fit.
        """
        if self.fit is None:
            return math.nan, math.nan
        places = np.linspace(self.first, self.last, _STEPS)
        excess = np.array([abs(self.fit.value(p, 1)) - t * self.fit.stderr(p, 1) for p in places])
        below, above = places < self.x, places > self.x
        return (
            _first_zero(places[below][::-1], excess[below][::-1], self.first),
            _first_zero(places[above], excess[above], self.last),
        )


def _first_zero(places: Floats, excess: Floats, end: float) -> float:
    """Where ``excess`` becomes positive on the way, interpolated; ``end`` if it does not."""
    beyond = np.flatnonzero(excess > 0)
    if not beyond.size:
        return end
    i = int(beyond[0])
    if i == 0:
        return float(places[0])
    share = excess[i - 1] / (excess[i - 1] - excess[i])
    return float(places[i - 1] + share * (places[i] - places[i - 1]))


def find_vertex(x: ArrayLike, y: ArrayLike) -> Vertex:
    """Vertex of the quartic through the samples around the global maximum that exceed 80 % of it, shape (n,).

    ``find_peak`` (parabola through the top three) is exact for clean samples, but the noise of three decides: 0.5 % of
    it at 0.25 V on a bell 6 V wide moves that vertex by 0.10 V rms, the quartic's by 0.02 V. With fewer than seven
    such samples it is the parabola's. A negative maximum has no top: its largest sample, as an edge.
    Raises ``ValueError`` as ``find_peak`` does.
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    parabola = find_peak(xs, ys)
    good = np.flatnonzero(np.isfinite(xs) & np.isfinite(ys))
    good = good[np.argsort(xs[good], kind="stable")]
    xs, ys, top = xs[good], ys[good], int(np.flatnonzero(good == parabola.index)[0])
    if parabola.at_edge or ys[top] <= 0:
        return Vertex(float(xs[top]), float(ys[top]), math.nan, math.nan, 1, "edge")
    bracket = float(xs[top - 1]), float(xs[top + 1])
    part = _top(ys)
    if part.stop - part.start >= DEGREE + 3:
        fit = fit_local(xs[part], ys[part], DEGREE)
        ends = float(xs[part][0]), float(xs[part][-1])
        place = _highest(fit, *ends)
        if place is not None:
            return Vertex(place, fit.value(place), *bracket, part.stop - part.start, "quartic", fit, *ends)
    return Vertex(parabola.x, parabola.y, *bracket, 3, "parabola")


def _top(y: Floats) -> slice:
    """Samples around the highest running mean, on both sides up to the first mean below ``ABOVE`` of it."""
    box = np.ones(min(SMOOTH, y.size))
    mean = np.convolve(y, box, "same") / np.convolve(np.ones_like(y), box, "same")
    top = int(np.argmax(mean))
    low, high = (np.flatnonzero(part < ABOVE * mean[top]) for part in (mean[:top], mean[top:]))
    return slice(int(low[-1]) + 1 if low.size else 0, top + int(high[0]) if high.size else y.size)


def _highest(fit: Local, low: float, high: float) -> float | None:
    """Highest inner maximum of the polynomial; None if it has none."""
    roots = np.polynomial.polynomial.polyroots(np.polynomial.polynomial.polyder(fit.coefficients))
    places = fit.centre + fit.scale * roots[np.abs(roots.imag) < 1e-9].real
    inner = [float(p) for p in places if low < p < high and fit.value(float(p), 2) < 0]
    return max(inner, key=fit.value, default=None)
