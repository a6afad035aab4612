"""Polynomials through part of a curve by least squares, with errors from their own residuals, and noise of a curve.

Local regression as W. S. Cleveland and S. J. Devlin, JASA 83, 596 (1988), with equal weights. Noise: second divided
differences (T. Gasser, L. Sroka and C. Jennen-Steinmetz, Biometrika 73, 625, 1986).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Local:
    """Polynomial in z = (x - centre)/scale, ascending ``coefficients``; ``unit_covariance`` is that at unit noise.

    ``noise`` is the rms residual with ``freedom`` degrees of freedom, NaN without any.
    """

    centre: float
    scale: float
    coefficients: Floats
    unit_covariance: Floats
    noise: float
    freedom: int

    def _row(self, x: float, order: int) -> Floats:
        """Derivative of the basis: p^(order)(x) is this times the coefficients."""
        z = (x - self.centre) / self.scale
        k = np.arange(self.coefficients.size)
        factor = np.array([math.perm(i, order) for i in k], np.float64)
        return np.asarray(factor * np.where(k >= order, z ** np.maximum(k - order, 0), 0.0) / self.scale**order)

    def value(self, x: float, order: int = 0) -> float:
        """p(x), or its derivative of that order."""
        return float(self._row(x, order) @ self.coefficients)

    def stderr(self, x: float, order: int = 0) -> float:
        """Standard error of ``value``; NaN without degrees of freedom."""
        row = self._row(x, order)
        return self.noise * math.sqrt(float(row @ self.unit_covariance @ row))


def fit_local(x: ArrayLike, y: ArrayLike, degree: int) -> Local:
    """Polynomial of ``degree`` through (x, y), shape (n,). Raises ``ValueError`` for too few distinct abscissae."""
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if xs.ndim != 1 or xs.shape != ys.shape:
        raise ValueError(f"a curve needs equally long x and y, got {xs.shape} and {ys.shape}")
    if np.unique(xs).size <= degree:
        raise ValueError(f"a polynomial of degree {degree} needs more than {degree} distinct abscissae")
    centre, scale = (float(xs.max()) + float(xs.min())) / 2, float(np.ptp(xs)) / 2 or 1.0
    basis = np.vander((xs - centre) / scale, degree + 1, increasing=True)
    orthogonal, triangle = np.linalg.qr(basis)
    coefficients = np.linalg.solve(triangle, orthogonal.T @ ys)
    inverse = np.linalg.inv(triangle)
    freedom = xs.size - degree - 1
    rest = ys - basis @ coefficients
    noise = math.sqrt(float(rest @ rest) / freedom) if freedom else math.nan
    return Local(centre, scale, coefficients, inverse @ inverse.T, noise, freedom)


def nearest(x: ArrayLike, at: float, each: int) -> NDArray[np.intp]:
    """Indices of the up to ``each`` samples next to ``at`` on either side, and of those at it, by abscissa."""
    xs = np.asarray(x, np.float64)
    order = np.argsort(xs, kind="stable")
    low, high = np.searchsorted(xs[order], at, "left"), np.searchsorted(xs[order], at, "right")
    return order[max(low - each, 0) : high + each]


def noise_of(x: ArrayLike, y: ArrayLike) -> tuple[float, int]:
    """Standard deviation of the noise on a curve, and its degrees of freedom; (NaN, 0) for fewer than four samples.

    Each sample against the straight line through its neighbours; bends of the curve between neighbours count as
    noise, so it errs upwards. Neighbouring differences overlap: freedom is that of their quadratic form
    (18/35 of their number for even spacing).
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    order = np.argsort(xs, kind="stable")
    xs, ys = xs[order], ys[order]
    if xs.size < 4:
        return math.nan, 0
    span = xs[2:] - xs[:-2]
    left = np.divide(xs[2:] - xs[1:-1], span, out=np.full(span.size, 0.5), where=span > 0)
    rest = ys[1:-1] - left * ys[:-2] - (1 - left) * ys[2:]
    variance = float(np.mean(rest**2 / (1 + left**2 + (1 - left) ** 2)))
    return math.sqrt(variance), max(1, round(rest.size * 18 / 35))


def noise_near(x: ArrayLike, y: ArrayLike, at: float, each: int = 4) -> tuple[float, int]:
    """Noise of the samples next to ``at``: residuals of a cubic through ``each`` of them on either side.

    Returns its standard deviation and degrees of freedom; (NaN, 0) for fewer than six samples.
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    near = nearest(xs, at, each)
    if np.unique(xs[near]).size < 6:
        return math.nan, 0
    fit = fit_local(xs[near], ys[near], 3)
    return fit.noise, fit.freedom
