"""Psychometric fit with a guess rate and a lapse rate: P = guess + (1 - guess - lapse) / (1 + exp(-(a + b V))).

For devices that sometimes spike whatever the voltage, or fail to (F. A. Wichmann and N. J. Hill, Perception &
Psychophysics 63, 1293, 2001). Penalised maximum likelihood as in ``logistic``: the penalty is half the log
determinant of the information on (a, b), so that both rates 0 give the same fit. Intervals by likelihood ratio with
the other parameters profiled out; a rate on its bound 0 makes them cautious. One data set at a time, by scipy's
bounded quasi-Newton method on analytic gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import chi2_quantile
from labctl.analysis.psychometric import fit_psychometric, merge_counts

Floats = NDArray[np.float64]

METHOD = "penalised maximum likelihood with guess and lapse rates, likelihood-ratio interval"
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

    def value(self, theta: Floats) -> tuple[float, Floats]:
        """Penalised log likelihood and its gradient."""
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
        return value + 0.5 * math.log(det), changes @ score + 0.5 * logs @ leverage


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
    best, theta = _maximise(model, start, [(None, None), (1e-3, 1e3), *bounds])
    place = (_logit(level, theta[2], theta[3]) - theta[0]) / theta[1]
    floor = best - chi2_quantile(confidence) / 2
    low, high = (_end(model, theta, place, side, level, bounds, floor) for side in (-1.0, 1.0))
    threshold = Estimate(*(centre + scale * v for v in (place, low, high)))
    return LapseFit(threshold, level, scale / theta[1], theta[2], theta[3], confidence, plain.n)


def _logit(level: float, guess: float, lapse: float) -> float:
    """a + b z where P is the level."""
    return math.log((level - guess) / (1 - lapse - level))


def _maximise(
    model: _Model, start: Floats, bounds: list[tuple[float | None, float | None]]
) -> tuple[float, tuple[float, float, float, float]]:
    from scipy.optimize import minimize  # 0.7 s

    def objective(theta: Floats) -> tuple[float, Floats]:
        value, gradient = model.value(theta)
        return -value, -gradient

    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-7}
    )
    a, b, guess, lapse = map(float, found.x)
    return -float(found.fun), (a, b, guess, lapse)


def _end(
    model: _Model,
    theta: tuple[float, float, float, float],
    place: float,
    side: float,
    level: float,
    bounds: list[tuple[float, float]],
    floor: float,
) -> float:
    """Where the profile falls to ``floor`` on one side of the estimate; infinite if it does not within reach."""
    from scipy.optimize import brentq, minimize

    latest = np.array(theta[1:])

    def profile(z: float) -> float:
        """Largest value with the threshold at ``z``, less the floor."""

        def objective(rest: Floats) -> tuple[float, Floats]:
            b, guess, lapse = rest
            value, g = model.value(np.array([_logit(level, guess, lapse) - b * z, b, guess, lapse]))
            through = g[0] * np.array([-z, -1 / (level - guess), 1 / (1 - lapse - level)])
            return -value, -(g[1:] + through)

        nonlocal latest
        limits = [(1e-3, 1e3), *bounds]
        found = minimize(objective, latest, jac=True, method="L-BFGS-B", bounds=limits, options={"ftol": 1e-10})
        latest = found.x
        return -float(found.fun) - floor

    step = 0.05
    inner, outer = place, place + side * step
    while profile(outer) > 0:
        inner, step = outer, 1.6 * step
        outer += side * step
        if abs(outer - place) > _FAR:
            return side * math.inf
    return float(brentq(profile, inner, outer, xtol=1e-6))
