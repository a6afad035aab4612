"""Differences and ratios of two independent estimates that each have an interval.

The interval of a difference comes from those of its parts (MOVER, method of variance estimates recovery: G. Y. Zou
and A. Donner, Statist. Med. 27, 1693, 2008): asymmetric intervals stay asymmetric, open sides stay open.
"""

from __future__ import annotations

import math

from labctl.analysis.estimate import Estimate

METHOD = "difference of independent estimates, interval from theirs (MOVER)"


def difference(first: Estimate, second: Estimate) -> Estimate:
    """``second - first``, both at one confidence, which the interval keeps. NaN value if one of them has none.

    Without a value a part counts as anywhere in its interval.
    """
    if math.isfinite(first.value) and math.isfinite(second.value):
        value = second.value - first.value
        low = value - math.hypot(second.value - second.low, first.high - first.value)
        high = value + math.hypot(second.high - second.value, first.value - first.low)
        return Estimate(value, low, high)
    return Estimate(math.nan, second.low - first.high, second.high - first.low)


def ratio(first: Estimate, second: Estimate) -> Estimate:
    """``second / first`` of positive quantities, by the difference of their logarithms."""
    found = difference(_log(first), _log(second))
    return Estimate(*(math.exp(v) if v < 700 else math.inf for v in (found.value, found.low, found.high)))


def _log(estimate: Estimate) -> Estimate:
    value, low, high = (
        math.log(v) if v > 0 else (-math.inf if v <= 0 else math.nan)
        for v in (estimate.value, estimate.low, estimate.high)
    )
    return Estimate(value, low, high)


def shifted(estimate: Estimate) -> bool:
    """Whether a difference is established: its interval does not hold 0."""
    return estimate.low > 0 or estimate.high < 0
