"""The spiking probability curve of one data set: V50, slope and thresholds with intervals, or why there are none.

P(V) = 1 / (1 + exp(-(V - V50) / s)), fitted by maximum likelihood with Firth's penalty; intervals by likelihood ratio
(``logistic``, ``likelihood``; ``separation`` where a step explains the data). Reference devices_and_protocols
sec. 1.6; V10 = V50 - s ln 9 is the threshold at level 10 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labctl.analysis.batch import Estimates, Status, fit_many
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import normal_quantile

Floats = NDArray[np.float64]

METHOD = "penalised maximum likelihood (Firth), likelihood-ratio interval"
METHOD_SEPARATED = "penalised maximum likelihood (Firth); interval by likelihood over all rising curves"

_REASONS = {
    Status.FITTED: "",
    Status.SEPARATED: "a step explains the data: the slope has an upper bound only",
    Status.FLAT: "a flat curve is not rejected: the voltages tested do not bound the threshold on every side",
    Status.FALLING: "refused: spiking falls with voltage beyond doubt",
    Status.ALL_SILENT: "no spike at all: lower bounds only",
    Status.ALL_SPIKES: "nothing but spikes: upper bounds only",
    Status.ONE_VOLTAGE: "refused: events at one voltage make no curve",
    Status.NO_EVENTS: "refused: no usable event",
}


@dataclass(frozen=True, slots=True)
class PsychometricFit:
    """Fit of one data set; voltages ascend, each once, those without events left out.

    ``sign`` is -1 for data at negative voltages only: the curve rises with -V, thresholds are negative.
    ``intercept`` and ``steepness`` (1/V) belong to |V|: logit P = intercept + steepness x sign x V, with their
    ``covariance``; they are the raw fit, NaN where there is none.
    """

    voltages: Floats
    trials: Floats
    spikes: Floats
    status: Status
    confidence: float
    v50: Estimate
    slope: Estimate
    thresholds: dict[float, Estimate]
    sign: int
    intercept: float
    steepness: float
    covariance: Floats

    @property
    def n(self) -> int:
        """Events used."""
        return int(self.trials.sum())

    @property
    def reason(self) -> str:
        """Why something is missing; empty for a plain fit."""
        return _REASONS[self.status]

    @property
    def method(self) -> str:
        return METHOD_SEPARATED if self.status == Status.SEPARATED else METHOD

    def extrapolated(self, estimate: Estimate) -> bool:
        """Whether a value lies outside the tested voltages."""
        outside = (estimate.value < self.voltages.min(initial=np.inf)) | (
            estimate.value > self.voltages.max(initial=-np.inf)
        )
        return bool(outside and np.isfinite(estimate.value))

    def probability(self, voltage: ArrayLike) -> Floats:
        """The fitted curve; NaN where there is none."""
        logit = self.intercept + self.steepness * self.sign * np.asarray(voltage, np.float64)
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-logit)))

    def band(self, probabilities: ArrayLike) -> Estimates:
        """Thresholds at many levels: the likelihood-ratio band of the curve, read across (V for each P)."""
        levels = [float(p) for p in np.asarray(probabilities, np.float64)]
        batch = fit_many(
            self.sign * self.voltages, self.trials, self.spikes[None, :], levels=levels, confidence=self.confidence
        )
        found = [_single(batch.thresholds[level], self.sign) for level in levels]
        return Estimates(*(np.array([getattr(e, f) for e in found]) for f in ("value", "low", "high")))

    def delta_interval(self, level: float) -> Estimate:
        """Symmetric interval of a threshold from the curvature at the maximum (delta method), for comparison."""
        if self.status not in (Status.FITTED, Status.FLAT) or self.steepness <= 0:
            return Estimate(np.nan, -np.inf, np.inf)
        place = (float(np.log(level / (1 - level))) - self.intercept) / self.steepness
        gradient = np.array([1.0, place]) / self.steepness
        half = normal_quantile(0.5 + self.confidence / 2) * float(gradient @ self.covariance @ gradient) ** 0.5
        return Estimate(self.sign * place, self.sign * place - half, self.sign * place + half)


def fit_psychometric(
    voltages: ArrayLike,
    trials: ArrayLike,
    spikes: ArrayLike,
    *,
    levels: Sequence[float] = (0.1,),
    confidence: float = 0.95,
) -> PsychometricFit:
    """Fit counts per voltage, all of shape (m,); voltages may repeat and come in any order.

    Data at negative voltages only (reverse pulses) are fitted against |V|.
    Raises ``ValueError`` as ``fit_many`` does.
    """
    v, n, k = merge_counts(voltages, trials, spikes)
    sign = -1 if v.size and v.max() <= 0 and v.min() < 0 else 1
    asked = tuple(dict.fromkeys((*levels, 0.5)))
    batch = fit_many(sign * v, n, k[None, :], levels=asked, slope=True, confidence=confidence)
    assert batch.slope is not None
    return PsychometricFit(
        voltages=v,
        trials=n,
        spikes=k,
        status=Status(int(batch.status[0])),
        confidence=confidence,
        v50=_single(batch.thresholds[0.5], sign),
        slope=_single(batch.slope, 1),
        thresholds={level: _single(batch.thresholds[level], sign) for level in levels},
        sign=sign,
        intercept=float(batch.intercept[0]),
        steepness=float(batch.steepness[0]),
        covariance=batch.covariance[0],
    )


def _single(estimates: Estimates, sign: int) -> Estimate:
    value, low, high = (float(e[0]) for e in (estimates.value, estimates.low, estimates.high))
    return Estimate(value, low, high) if sign > 0 else Estimate(-value, -high, -low)


def merge_counts(voltages: ArrayLike, trials: ArrayLike, spikes: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Counts by ascending voltage, each once (equal within 1e-9 of the largest), those without events left out.

    Raises ``ValueError`` on columns of different length and voltages that are no numbers.
    """
    v, n, k = (np.atleast_1d(np.asarray(a, np.float64)) for a in (voltages, trials, spikes))
    if not v.shape == n.shape == k.shape or v.ndim != 1:
        raise ValueError(f"voltages, trials and spikes must be equally long: {v.shape}, {n.shape}, {k.shape}")
    used = np.flatnonzero(n > 0)
    used = used[np.argsort(v[used], kind="stable")]
    v, n, k = v[used], n[used], k[used]
    if not np.all(np.isfinite(v)):
        raise ValueError("a voltage with events must be a number")
    if v.size == 0:
        return v, n, k
    group = np.concatenate([[0], np.cumsum(np.diff(v) > 1e-9 * np.abs(v).max())])
    first = np.concatenate([[True], np.diff(group) > 0])
    return v[first], np.bincount(group, n).astype(np.float64), np.bincount(group, k).astype(np.float64)
