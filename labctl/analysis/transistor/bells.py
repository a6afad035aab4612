"""Gaussian fit of a transfer curve: A exp(-(V - mu)^2 / 2 sigma^2) + c (reference sec. 1.6).

The bell is a description: the curve of the model is wider on its left flank, and misses it by 3 % of the peak. Such
misfit is no independent noise, so the intervals come from a covariance that counts correlated residuals in (W. K.
Newey and K. D. West, Econometrica 55, 703, 1987; bandwidth and degrees of freedom after E. Lazarus et al., J. Bus.
Econ. Stat. 36, 541, 2018), or from that of independent ones where it is larger: few points carry the flanks, so the
former alone holds a centre in white noise only 77 times in 100.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.curves import Maker
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import student_quantile
from labctl.analysis.results import Result
from labctl.analysis.runs import Run
from labctl.analysis.transistor.repeats import METHOD_REPEATS, combined
from labctl.analysis.transistor.sweeps import Branch, sweep_groups
from labctl.analysis.transistor.tops import named

Floats = NDArray[np.float64]

METHOD = "least squares of A exp(-(V-mu)^2/2 sigma^2) + c, Student interval with correlated residuals (Newey-West)"
FEWEST = 8  #: points that a fit of four parameters needs
_NOTHING = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Bell:
    """Fit of one branch: centre and sigma (V), height and floor (A), rms residual over the height; why not, if not."""

    centre: Estimate
    width: Estimate
    height: Estimate
    floor: Estimate
    misfit: float
    reason: str

    def current(self, volts: Floats) -> Floats:
        """The fitted curve (A)."""
        z = (volts - self.centre.value) / self.width.value
        return np.asarray(self.height.value * np.exp(-(z**2) / 2) + self.floor.value)


def fit_bell(branch: Branch, confidence: float) -> Bell:
    """Fit one branch; no values where the points show no bell inside their range."""
    from scipy.optimize import least_squares  # 0.3 s

    if branch.x.size < FEWEST:
        return _no_bell(f"fewer than {FEWEST} usable points")
    order = np.argsort(branch.x, kind="stable")
    x, y = branch.x[order], branch.y[order]
    scale = float(np.ptp(y))
    if scale == 0:
        return _no_bell("the curve is flat")
    top, above = int(np.argmax(y)), y > (y.max() + y.min()) / 2
    sigma = max(float(np.ptp(x[above])) / 2.355, float(np.diff(x).mean()))

    def residuals(p: Floats) -> Floats:
        return np.asarray(p[2] * np.exp(-(((x - p[0]) / p[1]) ** 2) / 2) + p[3] - y / scale)

    def slopes(p: Floats) -> Floats:
        z = (x - p[0]) / p[1]
        g = np.exp(-(z**2) / 2)
        return np.column_stack([p[2] * g * z / p[1], p[2] * g * z**2 / p[1], g, np.ones_like(x)])

    found = least_squares(residuals, [x[top], sigma, 1.0, float(y.min()) / scale], jac=slopes, x_scale="jac")
    p = found.x
    if not found.success or not x[0] < p[0] < x[-1] or p[2] <= 0 or abs(p[1]) > float(np.ptp(x)):
        return _no_bell("no bell inside the range of the sweep")
    errors, freedom = _errors(found.jac, found.fun)
    half = float(student_quantile(0.5 + confidence / 2, freedom)) * errors * [1.0, 1.0, scale, scale]
    values = p * [1.0, 1.0, scale, scale]
    values[1] = abs(values[1])
    estimates = [Estimate(float(v), float(v - h), float(v + h)) for v, h in zip(values, half, strict=True)]
    centre, width, height, floor = estimates
    return Bell(centre, width, height, floor, float(np.sqrt(np.mean(found.fun**2)) / p[2]), "")


def _no_bell(why: str) -> Bell:
    return Bell(_NOTHING, _NOTHING, _NOTHING, _NOTHING, math.nan, why)


def _errors(jacobian: Floats, residuals: Floats) -> tuple[Floats, float]:
    """Standard errors, the larger of those with Bartlett weights over 1.3 sqrt(n) lags and plain ones; freedom."""
    n, parameters = jacobian.shape
    lags = max(1, round(1.3 * math.sqrt(n)))
    scores = jacobian * residuals[:, None]
    meat = scores.T @ scores
    for lag in range(1, min(lags, n)):
        cross = scores[lag:].T @ scores[:-lag]
        meat += (1 - lag / lags) * (cross + cross.T)
    bread = np.linalg.pinv(jacobian.T @ jacobian)
    plain = np.diag(bread) * float(residuals @ residuals) / (n - parameters)
    correlated = np.diag(bread @ meat @ bread) * n / (n - parameters)
    return np.sqrt(np.maximum(plain, correlated)), max(1.0, 1.5 * n / lags)


def bell(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Centre, width and height of each branch, by group and abscissa."""
    confidence, results = request["confidence"], []
    for found in sweep_groups(run, request.get("of") or "sweep", request.get("per") or (), request.get("over")):
        for name in found.names:
            fits = [fit_bell(branch, confidence) for branch in found.branches(name)]
            points = sum(branch.x.size for branch in found.branches(name))
            notes = [f.reason or f"rms residual {f.misfit:.2g} of the height" for f in fits]
            make = Maker(
                run, named(found, name), points, "; ".join(dict.fromkeys([found.note, *notes] if found.note else notes))
            )
            method = METHOD if len(fits) == 1 else METHOD_REPEATS
            for quantity, part, unit in (
                ("bell_centre", "centre", "V"), ("bell_sigma", "width", "V"),
                ("bell_height", "height", "A"), ("bell_floor", "floor", "A"),
            ):  # fmt: skip
                estimate = combined((getattr(f, part) for f in fits), confidence)
                results.append(
                    make(quantity, estimate, unit, method, at=found.at, at_unit=found.at_unit, confidence=confidence)
                )
    return results
