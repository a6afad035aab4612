"""Where a falling or rising quantity passes zero, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.estimate import Estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Null:
    """Abscissa of the zero with its interval; NaN with a bound where the sign does not change."""

    place: Estimate
    note: str


@dataclass(frozen=True, slots=True)
class _Course:
    """Monotonic course, falling: abscissae (logarithms), values, and half widths of their intervals."""

    u: Floats
    value: Floats
    half: Floats


def null_of(x: Sequence[float], estimates: Sequence[Estimate]) -> Null:
    """Zero of the estimates (with values) over positive ``x``, assumed monotonic; equal ``x`` are repeats.

    Neighbours that break the order are pooled (isotonic regression, weights from the intervals), so that noise about
    zero, as a search piles it up, gives one zero. Between the pooled values: linear in log x. The interval ends where
    the interpolated ends of the values' intervals pass zero, and is open where they do not.
    """
    if len(x) < 2 or min(x) <= 0:
        return Null(Estimate(math.nan, 0.0, math.inf), "fewer than two usable points" if len(x) < 2 else "x <= 0")
    order = np.argsort(np.asarray(x, np.float64), kind="stable")
    u = np.log(np.asarray(x, np.float64)[order])
    value = np.array([estimates[i].value for i in order])
    half = np.array([(estimates[i].high - estimates[i].low) / 2 for i in order])
    known = np.isfinite(half) & (half > 0)
    half = np.where(known, half, np.max(half, where=known, initial=0.0))
    weight = np.ones_like(half) if not known.any() else half**-2.0
    trend = np.average((u - np.average(u, weights=weight)) * value, weights=weight)
    sign = -1.0 if trend > 0 else 1.0
    course = _pooled(u, sign * value, half, weight)
    place = _zero(course.u, course.value)
    if place is None:
        beyond = bool(course.value[-1] > 0)
        end = float(max(x) if beyond else min(x))
        bound = Estimate(math.nan, end, math.inf) if beyond else Estimate(math.nan, 0.0, end)
        return Null(bound, "dI0 keeps its sign over the whole range")
    low, high = (_zero(course.u, course.value + side * course.half) for side in (-1, 1))
    inside = np.searchsorted(u, place)
    note = f"between {np.exp(u[inside - 1]):.4g} and {np.exp(u[inside]):.4g}" if 0 < inside < u.size else ""
    if not known.any():
        return Null(Estimate(math.exp(place), math.nan, math.nan), note)
    ends = (math.exp(low) if low is not None else 0.0, math.exp(high) if high is not None else math.inf)
    return Null(Estimate(math.exp(place), *ends), note)


def _pooled(u: Floats, value: Floats, half: Floats, weight: Floats) -> _Course:
    """Falling course by pooling adjacent violators; repeats of one abscissa are pooled first."""
    from scipy.optimize import isotonic_regression

    places, which = np.unique(u, return_inverse=True)
    total = np.bincount(which, weight)
    means = np.bincount(which, weight * value) / total
    errors = np.sqrt(np.bincount(which, (weight * half) ** 2)) / total
    fit = isotonic_regression(means, weights=total, increasing=False)
    starts = np.asarray(fit.blocks)[:-1]
    block = np.repeat(np.arange(starts.size), np.diff(fit.blocks))
    mass = np.bincount(block, total)
    return _Course(
        np.bincount(block, total * places) / mass,
        np.bincount(block, total * means) / mass,
        np.sqrt(np.bincount(block, (total * errors) ** 2)) / mass,
    )


def _zero(u: Floats, value: Floats) -> float | None:
    """First place where the linear interpolation of ``value`` comes down to zero; None if it does not."""
    if value[0] <= 0:
        return float(u[0]) if value[0] == 0 else None
    below = np.flatnonzero(value <= 0)
    if not below.size:
        return None
    i = int(below[0])
    share = value[i - 1] / (value[i - 1] - value[i])
    return float(u[i - 1] + share * (u[i] - u[i - 1]))
