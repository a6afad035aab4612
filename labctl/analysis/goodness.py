"""Does the curve describe the data? Deviance, overdispersion, and whether any rising curve could.

References of the tests are simulated from the fitted curve (parametric bootstrap): with some tens of events per
voltage and probabilities near 0 and 1 the chi-square approximation is too generous or too strict by factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.batch import fit_many
from labctl.analysis.psychometric import PsychometricFit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Goodness:
    """Tests of a fit.

    ``deviance``: twice the log likelihood ratio of separate probabilities per voltage against the curve, and
    ``deviance_p`` the share of simulated data sets with a larger one. ``dispersion``: Pearson's chi-square per
    degree of freedom (1 for independent events), ``dispersion_p`` likewise. ``disorder``: twice the log likelihood
    ratio of separate probabilities against the best rising ones (isotonic), ``disorder_p`` likewise.
    """

    freedom: int
    deviance: float
    deviance_p: float
    dispersion: float
    dispersion_p: float
    disorder: float
    disorder_p: float


def goodness(fit: PsychometricFit, draws: int = 2000, seed: int = 1) -> Goodness:
    """Test a fit against ``draws`` data sets simulated from its curve and fitted again.

    All NaN without a curve or without freedom (two voltages).
    """
    freedom = fit.voltages.size - 2
    if freedom < 1 or not np.isfinite(fit.steepness):
        nothing = float("nan")
        return Goodness(max(freedom, 0), *(nothing,) * 6)
    x, n = fit.sign * fit.voltages, fit.trials
    curve = np.clip(fit.probability(fit.voltages), 1e-15, 1 - 1e-15)
    rng = np.random.default_rng(seed)
    drawn = rng.binomial(n.astype(np.int64), curve, (draws, n.size)).astype(np.float64)
    sets = np.concatenate([fit.spikes[None, :], drawn])
    refit = fit_many(x, n, drawn, levels=())
    logit = refit.intercept[:, None] + refit.steepness[:, None] * x
    curves = np.concatenate([curve[None, :], 1 / (1 + np.exp(-np.clip(logit, -34, 34)))])
    deviance = 2 * (saturated(n, sets) - log_likelihood(n, sets, curves))
    pearson = ((sets - n * curves) ** 2 / (n * curves * (1 - curves))).sum(axis=1) / freedom
    order = 2 * (saturated(n, sets) - log_likelihood(n, sets, isotonic(n, sets[:, :: fit.sign])[:, :: fit.sign]))
    p = [_exceeding(values) for values in (deviance, pearson, order)]
    return Goodness(freedom, float(deviance[0]), p[0], float(pearson[0]), p[1], float(order[0]), p[2])


def _exceeding(values: Floats) -> float:
    """Share of simulated values at least as large as the observed first one, which counts as one of them."""
    return float((values[1:] >= values[0] * (1 - 1e-9)).sum() + 1) / values.size


def log_likelihood(trials: Floats, spikes: Floats, probability: Floats) -> Floats:
    """Binomial log likelihood of each set without its constant; arrays (sets, m)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ones = np.where(spikes > 0, spikes * np.log(probability), 0.0)
        zeros = np.where(trials > spikes, (trials - spikes) * np.log1p(-probability), 0.0)
    total: Floats = (ones + zeros).sum(axis=1)
    return total


def saturated(trials: Floats, spikes: Floats) -> Floats:
    """Largest possible log likelihood of each set: every voltage with its own probability."""
    return log_likelihood(trials, spikes, spikes / trials)


def isotonic(trials: Floats, spikes: Floats) -> Floats:
    """Best non-decreasing probabilities of each set: max over i <= j of min over l >= j of the mean over i..l."""
    k = np.concatenate([np.zeros((len(spikes), 1)), np.cumsum(spikes, axis=1)], axis=1)
    n = np.concatenate([[0.0], np.cumsum(trials)])
    m = trials.size
    best = np.full(spikes.shape, -np.inf)
    for i in range(m):
        means = (k[:, i + 1 :] - k[:, i : i + 1]) / (n[i + 1 :] - n[i])
        floor = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        best[:, i:] = np.maximum(best[:, i:], floor)
    return best
