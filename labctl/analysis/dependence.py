"""Are the events of a run independent? Trend over time and runs within one voltage.

Both tests are conditional on the number of spikes at each voltage (stratum), so a shuffled order of voltages or a
wrong curve does not disturb them; under independence every arrangement within a stratum is equally likely. Moments
are those of the permutation distribution (trend: stratified Mantel, JASA 58, 690, 1963; runs: Wald and Wolfowitz,
Ann. Math. Statist. 11, 147, 1940), the sum over strata is taken as normal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dependence:
    """A test statistic ``z`` (standard normal without dependence), its two-sided ``p`` and the events that counted.

    Trend: z > 0 means spikes become more frequent. Runs: z < 0 means outcomes stick together, z > 0 alternate.
    NaN where no stratum has both outcomes.
    """

    z: float
    p: float
    events: int


def trend(outcome: ArrayLike, stratum: ArrayLike, order: ArrayLike) -> Dependence:
    """Do spikes become more or less frequent in the course of the run, at equal voltage?

    Args:
        outcome: 0 or 1 per event.
        stratum: voltage (or its index) per event.
        order: event number or time.
    """
    y, s = np.asarray(outcome, np.float64), np.asarray(stratum)
    t = np.argsort(np.argsort(np.asarray(order, np.float64), kind="stable"), kind="stable").astype(np.float64)
    total, variance, events = 0.0, 0.0, 0
    for value in np.unique(s):
        rows = s == value
        n, k = int(rows.sum()), float(y[rows].sum())
        if not 0 < k < n:
            continue
        centred = t[rows] - t[rows].mean()
        total += float(centred @ y[rows])
        variance += float(centred @ centred) * k * (n - k) / (n * (n - 1))
        events += n
    return _normal(total, variance, events)


def runs(outcome: ArrayLike, stratum: ArrayLike, order: ArrayLike) -> Dependence:
    """Do outcomes at one voltage stick together, or alternate, from event to event? Arguments as of ``trend``."""
    y, s = np.asarray(outcome, np.float64), np.asarray(stratum)
    sequence = np.argsort(np.asarray(order, np.float64), kind="stable")
    y, s = y[sequence], s[sequence]
    total, variance, events = 0.0, 0.0, 0
    for value in np.unique(s):
        here = y[s == value]
        n, k = here.size, float(here.sum())
        if not 0 < k < n:
            continue
        pairs = 2 * k * (n - k)
        total += 1 + float(np.abs(np.diff(here)).sum()) - (pairs / n + 1)
        variance += pairs * (pairs - n) / (n * n * (n - 1))
        events += n
    return _normal(total, variance, events)


def _normal(total: float, variance: float, events: int) -> Dependence:
    from scipy.special import ndtr

    if variance <= 0:
        return Dependence(float("nan"), float("nan"), events)
    z = total / variance**0.5
    return Dependence(z, float(2 * ndtr(-abs(z))), events)
