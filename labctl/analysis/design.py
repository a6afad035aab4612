"""What a set of voltages and trials can tell about a curve, before any event is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

#: from these values on intervals cover between 94 and 96 % (docs, validation: coverage grid)
TRANSITION = 2.0
SLOPE_ERROR = 0.25


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected standard errors (V) of V50, slope and threshold from the Fisher information of a design.

    ``transition`` is the sum of 4 P (1 - P) over the voltages: how many lie on the rising part of the curve.
    ``separation`` is the chance that a step explains the data.
    """

    v50_error: float
    slope_error: float
    threshold_error: float
    transition: float
    separation: float
    slope: float

    @property
    def identifiable(self) -> bool:
        """Two voltages on the rising part at least, and the slope known to a quarter: intervals are then exact."""
        return self.transition >= TRANSITION and self.slope_error <= SLOPE_ERROR * self.slope


def expected(voltages: ArrayLike, trials: ArrayLike, v50: float, slope: float, level: float = 0.1) -> Expected:
    """Expected errors for a curve with ``v50`` and ``slope`` (V) at ``voltages`` with ``trials`` events each, (m,)."""
    x = np.asarray(voltages, np.float64)
    n = np.broadcast_to(np.asarray(trials, np.float64), x.shape)
    order = np.argsort(x)
    z, n = (x[order] - v50) / slope, n[order]
    p, q = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))
    w = n * p * q
    information = np.array([[w.sum(), w @ z], [w @ z, w @ z**2]])
    with np.errstate(divide="ignore", invalid="ignore"):
        det = information[0, 0] * information[1, 1] - information[0, 1] ** 2
        covariance = np.array([[information[1, 1], -information[0, 1]], [-information[0, 1], information[0, 0]]]) / det

    def error(at: float) -> float:
        """Standard error, in units of the slope, of the place where the logit is ``at``."""
        gradient = np.array([1.0, at])
        return float(np.sqrt(max(gradient @ covariance @ gradient, 0.0)))

    return Expected(
        v50_error=slope * error(0.0),
        slope_error=slope * float(np.sqrt(covariance[1, 1])),
        threshold_error=slope * error(float(np.log(level / (1 - level)))),
        transition=float(4 * (p * q) @ (n > 0)),
        separation=_separation(p, q, n),
        slope=slope,
    )


def shows_spread(deviation: float, noise: float, freedom: int) -> bool:
    """Whether a spread shows through what counting makes of it, told from the design alone.

    Of ``freedom`` + 1 thresholds with this deviation and this standard error each (V), the smallest variance that
    chance lets through in 97.5 % of experiments must exceed that of the noise: else the lower bound may be 0.
    """
    from labctl.analysis.intervals import chi2_quantile

    smallest = chi2_quantile(0.025, freedom) / freedom * (deviation**2 + noise**2)
    return smallest > noise**2


def _separation(p: np.ndarray, q: np.ndarray, n: np.ndarray) -> float:
    """Chance that all events below some voltage are silent and all above spike; ascending voltages."""
    silent, spiking = q**n, p**n
    below = np.concatenate([[1.0], np.cumprod(silent)])
    above = np.concatenate([np.cumprod(spiking[::-1])[::-1], [1.0]])
    mixed = (1 - silent - spiking) * (n > 1)
    return float(below @ above + (below[:-1] * mixed) @ above[1:])
