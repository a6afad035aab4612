"""Likelihood-ratio (profile) intervals of the logistic fit, many data sets at once.

An interval holds the values that a likelihood-ratio test does not reject: 2 (l_max - l_profile) <= q, q the
chi-square quantile with one degree of freedom; the likelihood is the penalised one of ``logistic`` throughout
(Heinze and Schemper 2002). Curves are taken to rise: b >= 0.

The voltage of a given probability is where a + b z meets the logit c, so all (a, b) with one threshold lie on a ray
from the point (c, 0), and the profile is a maximum along the ray. Rays along the axis b = 0 are flat curves: where
one of them is not rejected, no voltage however remote is, and that side of the interval is open.

A bound solves two equations, value = l_max - q/2 and gradient along the ray = 0 (Venzon and Moolgavkar, Appl.
Statist. 37, 87, 1988), by Newton's method from the tangents of the quadratic approximation (Fieller's bounds).
Where that fails, bisection over the rays brackets the bound first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.logistic import Maximum, Problem, Terms

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

_ROUNDS = 14
_TOLERANCE = 1e-6
_STEEPEST = 1e9  # a curve with this a or b is a step between any two voltages


class Family(Protocol):
    """Curves in the (a, b) plane on which the quantity of interest is constant, numbered by an angle."""

    radial: bool  # the curves are rays from (c, 0); otherwise parallels to the a axis

    def direction(self, a: Floats, b: Floats) -> tuple[Floats, Floats]:
        """Tangent of the curve through (a, b)."""

    def point(self, angle: Floats, along: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """(a, b) at a place of a curve, and the derivative of both with respect to ``along``."""

    def angle(self, a: Floats, b: Floats) -> Floats:
        """Number of the curve through (a, b)."""

    def along(self, a: Floats, b: Floats) -> Floats:
        """Place of (a, b) on its curve."""


@dataclass(frozen=True, slots=True)
class Level:
    """Rays of constant threshold: the voltage at which the logit is ``logit``. Angle = arctan of that z."""

    logit: float
    radial = True

    def direction(self, a: Floats, b: Floats) -> tuple[Floats, Floats]:
        return a - self.logit, b

    def point(self, angle: Floats, along: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        da, db = -np.sin(angle), np.cos(angle)
        return self.logit + along * da, along * db, da, db

    def angle(self, a: Floats, b: Floats) -> Floats:
        return np.arctan2(self.logit - a, b)

    def along(self, a: Floats, b: Floats) -> Floats:
        return np.hypot(a - self.logit, b)


@dataclass(frozen=True, slots=True)
class Steepness:
    """Lines of constant steepness b = tan(angle)."""

    radial = False

    def direction(self, a: Floats, b: Floats) -> tuple[Floats, Floats]:
        return np.ones_like(a), np.zeros_like(b)

    def point(self, angle: Floats, along: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        return along, np.tan(angle), np.ones_like(along), np.zeros_like(along)

    def angle(self, a: Floats, b: Floats) -> Floats:
        return np.arctan(b)

    def along(self, a: Floats, b: Floats) -> Floats:
        return a


def flat_value(problem: Problem, probability: Floats) -> Floats:
    """Penalised log likelihood of the flat curve of that probability (b = 0)."""
    s0, s1, s2 = problem.totals()
    p, k = np.clip(probability, 1e-300, 1 - 1e-16), problem.kappa
    ones = problem.k0 + 2 * k
    rest = np.where(ones >= s0 + 4 * k, 0.0, (s0 + 4 * k - ones) * np.log1p(-p))
    penalty = k * np.log(s0 * s2 - s1 * s1) if k else 0.0
    return np.where(ones <= 0, 0.0, ones * np.log(p)) + rest + penalty


def flat_best(problem: Problem) -> Floats:
    """Probability of the best flat curve."""
    k = problem.kappa
    return (problem.k0 + 2 * k) / (problem.totals()[0] + 4 * k)


def level_bounds(problem: Problem, best: Maximum, logit: float, drop: float) -> tuple[Floats, Floats]:
    """Interval (low, high) in z of the place where the logit is ``logit``; infinite where the data leave it open.

    ``drop`` is q/2. A set whose best curve falls (b <= 0) counts with its best flat curve.
    """
    flat, p = flat_best(problem), 1 / (1 + np.exp(-logit))
    top = np.where(best.b > 0, best.terms.value, flat_value(problem, flat))
    floor = top - drop
    open_low = flat_value(problem, np.maximum(flat, p)) >= floor
    open_high = flat_value(problem, np.minimum(flat, p)) >= floor
    low, high = np.full(top.shape, -np.inf), np.full(top.shape, np.inf)
    rows = np.concatenate([np.flatnonzero(~open_low), np.flatnonzero(~open_high)])
    if rows.size:
        cut = int((~open_low).sum())
        side = np.where(np.arange(rows.size) < cut, -1.0, 1.0)
        a, b = _solve(problem, best, Level(logit), rows, side, floor)
        with np.errstate(divide="ignore"):
            z = (logit - a) / b
        low[rows[:cut]], high[rows[cut:]] = z[:cut], z[cut:]
    return low, high


def steepness_bounds(problem: Problem, best: Maximum, drop: float) -> tuple[Floats, Floats]:
    """Interval (low, high) of b; low is 0 where a flat curve is not rejected."""
    flat = flat_value(problem, flat_best(problem))
    top = np.where(best.b > 0, best.terms.value, flat)
    floor = top - drop
    rising = flat < floor
    low, high = np.zeros(top.shape), np.full(top.shape, np.inf)
    rows = np.concatenate([np.flatnonzero(rising), np.arange(top.size)])
    cut = int(rising.sum())
    side = np.where(np.arange(rows.size) < cut, -1.0, 1.0)
    _, b = _solve(problem, best, Steepness(), rows, side, floor)
    low[rows[:cut]], high[rows[cut:]] = b[:cut], b[cut:]
    return low, high


def _solve(
    problem: Problem, best: Maximum, family: Family, rows: Ints, side: Floats, floor: Floats
) -> tuple[Floats, Floats]:
    """(a, b) of each bound: Newton from the quadratic approximation, then from ever tighter brackets."""
    local, target = problem.take(rows), floor[rows]
    top_a, top_b = best.a[rows], best.b[rows]
    centre = family.angle(top_a, top_b)
    ga, gb = _tangents(best.terms, rows, top_a, top_b, family, side, 2 * (best.terms.value - floor)[rows])
    a, b, solved = _newton(local, family, ga, gb, target, side, centre)
    left = np.flatnonzero(~solved)
    if left.size:
        rising, side = top_b[left] > 0, side[left]
        outer = side * np.pi / 2 if family.radial else np.where(side > 0, np.pi / 2, 0.0)
        inner = np.where(rising, centre[left], -outer if family.radial else 0.0)
        along = np.where(rising | (not family.radial), family.along(top_a, top_b)[left], 1.0)
        a[left], b[left] = bracket(local.take(left), family, inner, outer, along, target[left], side)
    return a, b


@np.errstate(divide="ignore", invalid="ignore")  # no tangent: NaN, and the row is bracketed
def _tangents(
    t: Terms, rows: Ints, a: Floats, b: Floats, family: Family, side: Floats, q: Floats
) -> tuple[Floats, Floats]:
    """Where the ellipse of the quadratic approximation touches a curve of the family, on the side asked for."""
    maa, mab, mbb = -t.haa[rows], -t.hab[rows], -t.hbb[rows]
    if not family.radial:
        det = maa * mbb - mab * mab
        step = side * np.sqrt(q * maa / det)
        return a - mab / maa * step, b + step
    ua, ub = family.direction(a, b)  # from the centre of the rays to the maximum
    ma, mb = maa * ua + mab * ub, mab * ua + mbb * ub
    squared = ua * ma + ub * mb
    ea, eb = -mb, ma  # conjugate to u
    norm = np.sqrt(maa * ea * ea + 2 * mab * ea * eb + mbb * eb * eb)
    share = q / squared
    across = np.sqrt(q * (1 - share)) / norm
    across *= side  # turned counterclockwise, that is towards higher z, for +
    return a - share * ua + across * ea, b - share * ub + across * eb


@np.errstate(over="ignore", divide="ignore", invalid="ignore")  # what is not finite is refused below
def _newton(
    problem: Problem, family: Family, a: Floats, b: Floats, target: Floats, side: Floats, centre: Floats
) -> tuple[Floats, Floats, Bools]:
    """Newton's method on (value - target, gradient along the curve); says which rows arrived at a proper bound."""
    solved = np.zeros(a.shape, bool)
    out_a, out_b = a.copy(), b.copy()
    rows = np.flatnonzero(np.isfinite(a) & np.isfinite(b) & (b > 0))
    a, b, local = a[rows], b[rows], problem.take(rows)
    for _ in range(_ROUNDS):
        if rows.size == 0:
            break
        t = local.terms(a, b)
        u, v = family.direction(a, b)
        across_a, across_b = t.haa * u + t.hab * v, t.hab * u + t.hbb * v
        ja, jb = (t.ga + across_a, t.gb + across_b) if family.radial else (across_a, across_b)
        f1, f2 = t.value - target[rows], t.ga * u + t.gb * v
        det = t.ga * jb - t.gb * ja
        da, db = (f2 * t.gb - f1 * jb) / det, (f1 * ja - f2 * t.ga) / det
        size = np.abs(da) + np.abs(db)
        reach = 1 + 0.5 * (np.abs(a) + np.abs(b))
        shrink = np.minimum(1.0, reach / size)
        a, b = a + shrink * da, b + shrink * db
        near = size < _TOLERANCE * (1 + np.abs(a) + np.abs(b))
        proper = (u * across_a + v * across_b < 0) & (side[rows] * (family.angle(a, b) - centre[rows]) > 0)
        lost = ~np.isfinite(size) | (b <= 0)
        end = near | lost
        if end.any():
            good = near & proper & ~lost
            out_a[rows[good]], out_b[rows[good]], solved[rows[good]] = a[good], b[good], True
            live = np.flatnonzero(~end)
            rows, a, b, local = rows[live], a[live], b[live], local.take(live)
    return out_a, out_b, solved


@np.errstate(over="ignore", divide="ignore", invalid="ignore")  # a slope that is no number: too steep, back
def _profile(problem: Problem, family: Family, angle: Floats, along: Floats) -> tuple[Floats, Floats]:
    """Largest value on each curve and its place: Newton's method inside a bracket of the slope's sign."""
    low = np.zeros_like(angle) if family.radial else np.full_like(angle, -np.inf)
    high = np.full_like(angle, np.inf)
    value = np.full_like(angle, -np.inf)
    for _ in range(80):
        a, b, da, db = family.point(angle, along)
        t = problem.terms(a, b)
        slope = t.ga * da + t.gb * db
        bend = t.haa * da * da + 2 * t.hab * da * db + t.hbb * db * db
        info = t.iaa * da * da + 2 * t.iab * da * db + t.ibb * db * db
        value = t.value
        # an information too small to invert means a curve too steep: back
        low, high = np.where(slope > 0, along, low), np.where(slope > 0, high, along)
        moved = along + slope / np.where(bend < 0, -bend, info)
        reach = 0.5 + np.abs(along)
        moved = np.clip(np.where(np.isfinite(moved), moved, low), along - reach, along + reach)
        moved = np.clip(moved, -_STEEPEST, _STEEPEST)
        halved = np.where(np.isfinite(low) & np.isfinite(high), (low + high) / 2, moved)
        moved = np.where((moved > low) & (moved < high), moved, halved)
        if np.all(np.abs(moved - along) < 1e-7 * (1 + np.abs(along))):
            break
        along = moved
    return np.where(np.isnan(value), -np.inf, value), along


def bracket(
    problem: Problem, family: Family, inner: Floats, outer: Floats, along: Floats, target: Floats, side: Floats
) -> tuple[Floats, Floats]:
    """(a, b) of the bound between the curves ``inner`` (not rejected) and ``outer`` (rejected).

    Bisection over the angle; every few halvings Newton's method tries to finish, and must stay in the bracket.
    """
    inner, outer, along = inner.copy(), outer.copy(), along.copy()
    out_a, out_b = np.full(inner.shape, np.nan), np.full(inner.shape, np.nan)
    rows = np.arange(inner.size)
    for round_ in range(52):
        local, middle = problem.take(rows), (inner[rows] + outer[rows]) / 2
        value, place = _profile(local, family, middle, along[rows])
        inside = value >= target[rows]
        inner[rows] = np.where(inside, middle, inner[rows])
        outer[rows] = np.where(inside, outer[rows], middle)
        along[rows] = place
        out_a[rows], out_b[rows], _, _ = family.point(middle, place)
        if round_ % 3 == 2:
            a, b, solved = _newton(local, family, out_a[rows], out_b[rows], target[rows], side[rows], inner[rows])
            angle = family.angle(a, b)
            solved &= side[rows] * (outer[rows] - angle) > 0
            out_a[rows[solved]], out_b[rows[solved]] = a[solved], b[solved]
            rows = rows[~solved]
            if rows.size == 0:
                break
    return out_a, out_b
