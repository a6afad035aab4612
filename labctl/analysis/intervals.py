"""Intervals of a proportion (Wilson's score interval, Clopper and Pearson's exact one), of a mean and a deviation.

Reference devices_and_protocols sec. 1.6. Score: E. B. Wilson, JASA 22, 209 (1927); exact: C. J. Clopper and
E. S. Pearson, Biometrika 26, 404 (1934).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labctl.analysis.estimate import Estimate
from labctl.numerics import summarise

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Lower and upper end, arrays of one shape."""

    low: Floats
    high: Floats


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    from scipy.special import ndtri  # 0.2 s: only when an interval is asked for

    return float(ndtri(probability))


def chi2_quantile(probability: float, freedom: float = 1.0) -> float:
    """Quantile of the chi-square distribution."""
    from scipy.special import chdtri

    return float(chdtri(freedom, 1.0 - probability))


def student_quantile(probability: float, freedom: ArrayLike) -> Floats:
    """Quantile of Student's t; NaN without degrees of freedom."""
    from scipy.special import stdtrit

    nu = np.asarray(freedom, np.float64)
    return np.asarray(stdtrit(np.where(nu > 0, nu, np.nan), probability), np.float64)


def wilson(successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> Interval:
    """Score interval of k/n. Its ends are exactly 0 at k = 0 and 1 at k = n; n = 0 says nothing: (0, 1)."""
    k, n = _counts(successes, trials)
    z2 = normal_quantile(0.5 + _checked(confidence) / 2) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = (k + z2 / 2) / (n + z2)
        half = np.sqrt(z2 * (k * (n - k) / n + z2 / 4)) / (n + z2)
        low = np.where((k == 0) | (n == 0), 0.0, np.maximum(centre - half, 0.0))
        high = np.where((k == n) | (n == 0), 1.0, np.minimum(centre + half, 1.0))
    return Interval(low, high)


def clopper_pearson(successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> Interval:
    """Exact interval of k/n: it covers at least as often as it says. Same edge cases as ``wilson``."""
    from scipy.special import betaincinv

    k, n = _counts(successes, trials)
    tail = (1 - _checked(confidence)) / 2
    low = np.where(k > 0, betaincinv(np.maximum(k, 0.5), n - k + 1, tail), 0.0)
    high = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 0.5), 1 - tail), 1.0)
    return Interval(low, high)


def _counts(successes: ArrayLike, trials: ArrayLike) -> tuple[Floats, Floats]:
    k, n = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(trials, np.float64))
    if np.any(~(k >= 0) | ~(k <= n)):
        raise ValueError("counts must obey 0 <= successes <= trials")
    return k, n


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence:g}")
    return confidence


def mean_and_deviation(values: ArrayLike, confidence: float) -> tuple[Estimate, Estimate]:
    """Mean with Student's interval, standard deviation with the chi-square one; NaN values are skipped."""
    s = summarise(values)
    if s.n < 2:
        return Estimate(s.mean, math.nan, math.nan), Estimate(math.nan, math.nan, math.nan)
    half = float(student_quantile(0.5 + confidence / 2, s.n - 1)) * s.stderr
    low, high = (chi2_quantile(0.5 + side * confidence / 2, s.n - 1) for side in (1, -1))
    return (
        Estimate(s.mean, s.mean - half, s.mean + half),
        Estimate(s.std, s.std * ((s.n - 1) / low) ** 0.5, s.std * ((s.n - 1) / high) ** 0.5),
    )
