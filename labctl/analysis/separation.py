"""Intervals of a threshold from separated data: every event below some voltage silent, every one above a spike.

There the likelihood has no maximum: it rises as the curve turns into a step. Firth's penalty still gives a finite
estimate, but its interval would exclude steep curves on the strength of the penalty alone. Here the interval comes
from the plain likelihood with its supremum over all rising curves, steps included, and holds the thresholds under
which the outcome is at least alpha/2 times as likely as under the best curve. For all events silent at one voltage
that is the exact (Clopper-Pearson) one-sided bound; in general it is cautious, as data must be taken that cannot
tell how steep the curve is. All-silent and all-spike data are the special cases with one side open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.likelihood import Level, bracket, flat_best, flat_value
from labctl.analysis.logistic import Problem

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Separation:
    """Last voltage with a silent event and first with a spike, as z of each set (infinite where there is none).

    ``silent_trials`` and ``silent_spikes`` count the events at the former, ``spike_trials`` and ``spike_spikes``
    at the latter; both are the same voltage when one voltage has mixed outcomes.
    """

    last_silent: Floats
    first_spike: Floats
    silent_trials: Floats
    silent_spikes: Floats
    spike_trials: Floats
    spike_spikes: Floats

    @property
    def separated(self) -> Bools:
        """Whether a step explains the data (but for one voltage with mixed outcomes)."""
        return np.asarray(self.last_silent <= self.first_spike)

    @property
    def complete(self) -> Bools:
        """Whether no voltage has mixed outcomes."""
        return np.asarray(self.last_silent < self.first_spike)

    def take(self, rows: NDArray[np.intp] | Bools) -> Separation:
        """The description of some of the data sets."""
        return Separation(
            self.last_silent[rows],
            self.first_spike[rows],
            self.silent_trials[rows],
            self.silent_spikes[rows],
            self.spike_trials[rows],
            self.spike_spikes[rows],
        )


def separation(problem: Problem, trials: Floats, spikes: Floats) -> Separation:
    """Describe each data set; ``trials`` is (m,) or (sets, m), ``spikes`` (sets, m)."""
    z = np.broadcast_to(problem.z.T, spikes.shape)
    n = np.broadcast_to(trials, spikes.shape)
    last = np.max(z, axis=1, where=spikes < n, initial=-np.inf)
    first = np.min(z, axis=1, where=spikes > 0, initial=np.inf)
    at_last, at_first = z == last[:, None], z == first[:, None]
    return Separation(
        last,
        first,
        np.sum(n, axis=1, where=at_last),
        np.sum(spikes, axis=1, where=at_last),
        np.sum(n, axis=1, where=at_first),
        np.sum(spikes, axis=1, where=at_first),
    )


def separated_bounds(problem: Problem, data: Separation, logit: float, alpha: float) -> tuple[Floats, Floats]:
    """Interval (low, high) in z of the place where the logit is ``logit``, for sets that are all separated.

    ``alpha`` is the chance of error of both sides together.
    """
    plain = replace(problem, kappa=0.0)
    mixed = np.where(data.complete, 0.0, data.silent_spikes / np.maximum(data.silent_trials, 1.0))
    top = np.where(data.complete, 0.0, _binomial(data.silent_trials, data.silent_spikes, mixed))
    floor = top + np.log(alpha / 2)
    low = _side(plain, logit, -1.0, floor, data.last_silent, data.silent_trials, data.silent_spikes)
    high = _side(plain, logit, 1.0, floor, data.first_spike, data.spike_trials, data.spike_spikes)
    return low, high


def _side(
    problem: Problem, logit: float, side: float, floor: Floats, edge: Floats, trials: Floats, spikes: Floats
) -> Floats:
    """One bound: the edge itself, a place beyond it, or infinite.

    A threshold beyond the edge holds the probability at the edge on the wrong side of the level; if that alone is
    rejected, the bound is the edge.
    """
    level = 1 / (1 + np.exp(-logit))
    wrong = np.maximum if side < 0 else np.minimum
    at_edge = _binomial(trials, spikes, wrong(spikes / np.maximum(trials, 1.0), level))
    unlimited = flat_value(problem, wrong(flat_best(problem), level)) >= floor
    bound = np.where(unlimited | np.isinf(edge), side * np.inf, edge)
    rows = np.flatnonzero(np.isfinite(bound) & (at_edge >= floor))
    if rows.size:
        inner, along = np.arctan(edge[rows]), np.full(rows.size, 5.0)
        outer, sides = np.full(rows.size, side * np.pi / 2), np.full(rows.size, side)
        a, b = bracket(problem.take(rows), Level(logit), inner, outer, along, floor[rows], sides)
        with np.errstate(divide="ignore"):
            bound[rows] = (logit - a) / b
    return bound


def _binomial(trials: Floats, spikes: Floats, probability: Floats) -> Floats:
    """Log likelihood of one voltage, without the constant."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ones = np.where(spikes > 0, spikes * np.log(probability), 0.0)
        return ones + np.where(trials > spikes, (trials - spikes) * np.log1p(-probability), 0.0)
