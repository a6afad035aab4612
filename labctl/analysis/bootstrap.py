"""Parametric bootstrap intervals of V50, slope and thresholds: simulate from the fitted curve, fit again.

Bias-corrected percentiles (B. Efron, JASA 82, 171, 1987, without acceleration). Infinite and refused fits keep their
rank, so an interval may be open. Likelihood-ratio intervals are the default of labctl: this is the second opinion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.batch import fit_many
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import normal_quantile
from labctl.analysis.psychometric import PsychometricFit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Intervals from ``draws`` simulated data sets; their values are those of the fit."""

    v50: Estimate
    slope: Estimate
    thresholds: dict[float, Estimate]
    draws: int


def bootstrap(fit: PsychometricFit, draws: int = 2000, seed: int = 1) -> Bootstrap:
    """Bootstrap a fit. Open intervals where the fit has no rising curve to simulate from."""
    nothing = Estimate(float("nan"), float("-inf"), float("inf"))
    if not fit.steepness > 0 or not np.isfinite(fit.v50.value):
        return Bootstrap(nothing, nothing, dict.fromkeys(fit.thresholds, nothing), 0)
    rng = np.random.default_rng(seed)
    curve = np.clip(fit.probability(fit.voltages), 0, 1)
    drawn = rng.binomial(fit.trials.astype(np.int64), curve, (draws, fit.trials.size))
    batch = fit_many(fit.sign * fit.voltages, fit.trials, drawn, levels=())
    a, b = batch.intercept, batch.steepness
    with np.errstate(divide="ignore"):
        slopes = np.where(b > 0, 1 / b, np.inf)

    def threshold(level: float) -> Estimate:
        logit = float(np.log(level / (1 - level)))
        with np.errstate(divide="ignore", invalid="ignore"):
            # a falling or flat refit puts the threshold beyond the side to which its curve is too high or too low
            remote = np.where(a + b * np.mean(fit.sign * fit.voltages) > logit, -np.inf, np.inf)
            places = np.where(b > 0, (logit - a) / b, remote)
        centre = (logit - fit.intercept) / fit.steepness
        ends = _percentiles(places, centre, fit.confidence)
        low, high = ends if fit.sign > 0 else (-ends[1], -ends[0])
        return Estimate(fit.sign * centre, low, high)

    low, high = _percentiles(slopes, 1 / fit.steepness, fit.confidence)
    return Bootstrap(
        v50=threshold(0.5),
        slope=Estimate(1 / fit.steepness, low, high),
        thresholds={level: threshold(level) for level in fit.thresholds},
        draws=draws,
    )


def _percentiles(values: Floats, estimate: float, confidence: float) -> tuple[float, float]:
    """Bias-corrected percentile interval; order statistics, so infinite values do no harm."""
    from scipy.special import ndtr

    below = np.mean(values < estimate) + np.mean(values == estimate) / 2
    shift = 2 * normal_quantile(float(np.clip(below, 1 / values.size, 1 - 1 / values.size)))
    z = normal_quantile(0.5 + confidence / 2)
    ordered = np.sort(values)
    low, high = (float(ndtr(shift + end)) for end in (-z, z))
    last = values.size - 1
    return float(ordered[int(np.floor(low * last))]), float(ordered[int(np.ceil(high * last))])
