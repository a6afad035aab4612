"""Psychometric fit with a guess rate and a lapse rate: P = guess + (1 - guess - lapse) / (1 + exp(-(a + b V))).

For devices that sometimes spike whatever the voltage, or fail to (F. A. Wichmann and N. J. Hill, Perception &
Psychophysics 63, 1293, 2001). Penalised maximum likelihood as in ``logistic``: the penalty is half the log
determinant of the information on (a, b), so that both rates 0 give the same fit. Intervals by likelihood ratio with
the other parameters profiled out; a rate on its bound 0 makes them cautious. One data set at a time, by Fisher
scoring inside the bounds on analytic gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import chi2_quantile
from labctl.analysis.psychometric import fit_psychometric, merge_counts

Floats = NDArray[np.float64]
Function = Callable[[Floats], tuple[float, Floats, Floats]]

METHOD = "penalised maximum likelihood with guess and lapse rates, likelihood-ratio interval"
_STEEPNESS = (1e-3, 1e3)  # of the curve on the scaled voltage
_FAR = 20.0  # half spans of the voltages beyond which a side of an interval counts as open


@dataclass(frozen=True, slots=True)
class LapseFit:
    """Threshold at ``level`` (of P itself), slope of the logistic part in V, rates; ``reason`` if refused."""

    threshold: Estimate
    level: float
    slope: float
    guess: float
    lapse: float
    confidence: float
    n: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Model:
    """One data set on voltages scaled to [-1, 1]; parameters (a, b, guess, lapse)."""

    z: Floats
    n: Floats
    k: Floats

    def value(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Penalised log likelihood, its gradient, and the Fisher information (4, 4)."""
        a, b, guess, lapse = theta
        eta = np.clip(a + b * self.z, -30, 30)
        f = 1 / (1 + np.exp(-eta))
        scale = 1 - guess - lapse
        p = np.clip(guess + scale * f, 1e-12, 1 - 1e-12)
        bent = f * (1 - f)
        score = self.k / p - (self.n - self.k) / (1 - p)
        changes = np.stack([scale * bent, scale * bent * self.z, 1 - f, -f])  # of p with each parameter
        weight = self.n * (scale * bent) ** 2 / (p * (1 - p))
        s0, s1, s2 = weight.sum(), weight @ self.z, weight @ self.z**2
        det = max(s0 * s2 - s1 * s1, 1e-300)
        leverage = weight * (s2 - 2 * s1 * self.z + s0 * self.z**2) / det
        balance = 1 / p - 1 / (1 - p)
        logs = -changes * balance  # derivatives of log weight
        logs[0] += 2 * (1 - 2 * f)
        logs[1] += 2 * (1 - 2 * f) * self.z
        logs[2:] -= 2 / scale
        value = float(self.k @ np.log(p) + (self.n - self.k) @ np.log1p(-p))
        information = changes * (self.n / (p * (1 - p))) @ changes.T
        return value + 0.5 * math.log(det), changes @ score + 0.5 * logs @ leverage, information


def fit_with_lapses(
    voltages: ArrayLike,
    trials: ArrayLike,
    spikes: ArrayLike,
    *,
    guess: float | None = None,
    lapse: float | None = None,
    most: float = 0.1,
    level: float = 0.5,
    confidence: float = 0.95,
) -> LapseFit:
    """Fit one data set; arguments as of ``fit_psychometric``.

    ``guess`` and ``lapse`` are rates that are known, or None to be fitted between 0 and ``most``. Data without a
    rising curve are refused with the reason that ``fit_psychometric`` gives.
    Raises ``ValueError`` for rates or a level that leave no curve between guess and 1 - lapse.
    """
    bounds = [(0.0, most) if rate is None else (rate, rate) for rate in (guess, lapse)]
    if min(bounds[0][0], bounds[1][0]) < 0 or not bounds[0][1] < level < 1 - bounds[1][1]:
        raise ValueError(f"the level {level:g} must lie between the largest guess rate and 1 - the largest lapse rate")
    x, n, k = merge_counts(voltages, trials, spikes)
    plain = fit_psychometric(x, n, k, levels=(level,), confidence=confidence)
    if not plain.steepness > 0:
        return LapseFit(plain.thresholds[level], level, math.nan, math.nan, math.nan, confidence, plain.n, plain.reason)
    centre, scale = (x.max() + x.min()) / 2, (x.max() - x.min()) / 2
    model = _Model((x - centre) / scale, n, k)
    start = np.array([plain.intercept + plain.steepness * centre, plain.steepness * scale, *(low for low, _ in bounds)])
    best, theta = _climb(model.value, start, np.array([(-math.inf, math.inf), _STEEPNESS, *bounds]))
    place = (_logit(level, theta[2], theta[3]) - theta[0]) / theta[1]
    floor = best - chi2_quantile(confidence) / 2
    low, high = (_end(model, theta, place, side, level, bounds, floor) for side in (-1.0, 1.0))
    threshold = Estimate(*(centre + scale * v for v in (place, low, high)))
    slope, guessed, lapsed = float(scale / theta[1]), float(theta[2]), float(theta[3])
    return LapseFit(threshold, level, slope, guessed, lapsed, confidence, plain.n)


def _logit(level: float, guess: float, lapse: float) -> float:
    """a + b z where P is the level."""
    return math.log((level - guess) / (1 - lapse - level))


def _climb(function: Function, start: Floats, bounds: Floats) -> tuple[float, Floats]:
    """Largest value inside ``bounds`` (parameters, 2), by Fisher scoring of what no bound holds."""
    low, high = bounds.T
    here = np.clip(start, low, high)
    value, gradient, information = function(here)
    for _ in range(200):
        held = ((here <= low) & (gradient <= 0)) | ((here >= high) & (gradient >= 0))
        free = np.flatnonzero(~held)
        if free.size == 0:
            break
        curvature = information[np.ix_(free, free)]
        step = np.zeros_like(here)
        step[free] = np.linalg.solve(curvature + 1e-12 * np.diag(np.diag(curvature) + 1e-12), gradient[free])
        share, gain = 1.0, -math.inf
        while share > 1e-10 and not gain > 0:
            there = np.clip(here + share * step, low, high)
            found = function(there)
            gain, share = found[0] - value, share / 2
        if not gain > 0:
            break
        here, (value, gradient, information) = there, found
        if gain < 1e-11 * (1 + abs(value)):
            break
    return value, here


def _end(
    model: _Model,
    theta: Floats,
    place: float,
    side: float,
    level: float,
    bounds: list[tuple[float, float]],
    floor: float,
) -> float:
    """Where the profile falls to ``floor`` on one side of the estimate; infinite if it does not within reach."""
    from scipy.optimize import brentq  # 0.7 s

    limits = np.array([_STEEPNESS, *bounds])
    latest = theta[1:]

    def profile(z: float) -> float:
        """Largest value with the threshold at ``z``, less the floor."""

        def value(rest: Floats) -> tuple[float, Floats, Floats]:
            b, guess, lapse = rest
            found, gradient, information = model.value(np.array([_logit(level, guess, lapse) - b * z, *rest]))
            through = np.vstack([[-z, -1 / (level - guess), 1 / (1 - lapse - level)], np.eye(3)])
            return found, gradient @ through, through.T @ information @ through

        nonlocal latest
        best, latest = _climb(value, latest, limits)
        return best - floor

    step = 0.05
    inner, outer = place, place + side * step
    while profile(outer) > 0:
        inner, step = outer, 1.6 * step
        outer += side * step
        if abs(outer - place) > _FAR:
            return side * math.inf
    return float(brentq(profile, inner, outer, xtol=1e-7))
