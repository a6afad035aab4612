"""Resistance from an I-V sweep: a straight line through the points that the device, not the limiter, made.

Reference devices_and_protocols sec. 1.6: least squares I = a + b V with the *measured* voltage, R = 1/b; the
offset a and the residual are reported. Points in compliance lie on the line only because V is measured (F9),
an overflow marker is no current at all (F10): both are left out of the fit and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, inf, nan, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: bits of a point's status word; the same as the first bits of an event's flags
COMPLIANCE = 1
OVERFLOW = 2
#: what an instrument sends in place of a reading that is out of range (reference keithley2636b sec. 8)
OVERFLOW_MARKER = 9.91e37

_BEYOND = 9.9e36  # any magnitude from here on is a marker: 2636B 9.91e37, SCPI infinity 9.9e37
_SPREAD = 1e-12  # voltages that differ by less of the largest differ by rounding, and carry no slope
_FEW = 64  # points up to which plain arithmetic is faster than numpy: 4 us for 5 points, not 35

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class ResistanceFit(NamedTuple):
    """Straight-line fit of one I-V sweep, SI units.

    ``resistance`` is 1/slope and may be negative or huge when the slope is within its error of zero (an open
    device); ``conductance`` and its standard error stay well behaved there. NaN where the points cannot say.
    """

    resistance: float
    stderr: float
    offset: float
    residual: float
    points: int
    v_max: float
    conductance: float
    conductance_stderr: float
    compliance: int
    overflow: int

    @property
    def flags(self) -> int:
        """Event flags: which kinds of points were left out."""
        return COMPLIANCE * (self.compliance > 0) | OVERFLOW * (self.overflow > 0)


@dataclass(frozen=True, slots=True)
class ResistanceFits:
    """``ResistanceFit`` over leading axes: fields have the shape of the sweeps without their last axis."""

    resistance: Floats
    stderr: Floats
    offset: Floats
    residual: Floats
    points: Ints
    v_max: Floats
    conductance: Floats
    conductance_stderr: Floats
    compliance: Ints
    overflow: Ints


def fit_resistances(voltage: ArrayLike, current: ArrayLike, status: ArrayLike | None = None) -> ResistanceFits:
    """Fit many sweeps at once.

    Args:
        voltage: measured voltage in V, shape (..., points).
        current: measured current in A, same shape.
        status: bits ``COMPLIANCE`` and ``OVERFLOW`` per point, same shape; overflow markers and NaN are
            recognised without it.

    A fit needs two points at different voltages; stderr and residual need three. What is missing is NaN.
    """
    v, i = np.broadcast_arrays(np.asarray(voltage, np.float64), np.asarray(current, np.float64))
    return ResistanceFits(*_fit(v, i, np.broadcast_to(np.asarray(0 if status is None else status, np.int64), v.shape)))


def _fit(v: Floats, i: Floats, word: Ints) -> tuple[Any, ...]:
    """Fields of ``ResistanceFits`` from columns of one shape."""
    readable = (np.abs(v) < _BEYOND) & (np.abs(i) < _BEYOND)  # False for NaN too
    over = ~readable | (word & OVERFLOW > 0)
    limited = (word & COMPLIANCE > 0) & ~over
    use = ~(over | limited)
    n = _sum(use)
    with np.errstate(divide="ignore", invalid="ignore"):
        vz, iz = np.where(use, v, 0.0), np.where(use, i, 0.0)
        v_mean, i_mean = _sum(vz) / n, _sum(iz) / n
        dv = np.where(use, v - v_mean[..., None], 0.0)  # centred: the normal equations stay well conditioned
        di = np.where(use, i - i_mean[..., None], 0.0)
        sxx = _sum(dv * dv)
        v_max = np.abs(vz).max(axis=-1, initial=0.0)
        spread = sxx > n * (_SPREAD * v_max) ** 2
        slope = np.where(spread, _sum(dv * di) / sxx, np.nan)
        rest = di - slope[..., None] * dv
        residual = np.sqrt(_sum(rest * rest) / np.where(n > 2, n - 2.0, np.nan))
        slope_error = residual / np.sqrt(sxx)
        return (
            1.0 / slope,
            slope_error / slope**2,
            i_mean - slope * v_mean,
            residual,
            n.astype(np.int64),
            np.where(n > 0, v_max, np.nan),
            slope,
            slope_error,
            _sum(limited).astype(np.int64),
            _sum(over).astype(np.int64),
        )


def _sum(values: NDArray[Any]) -> Any:
    """Along the last axis; half the time of ``values.sum(axis=-1)`` for the few points of a reading."""
    return np.add.reduce(values, axis=-1)


def fit_resistance(voltage: ArrayLike, current: ArrayLike, status: ArrayLike | None = None) -> ResistanceFit:
    """Fit one sweep: ``voltage``, ``current`` and ``status`` have shape (points,); see ``fit_resistances``.

    Raises ``ValueError`` when the arrays are not one-dimensional or their lengths differ.
    """
    v, i = np.asarray(voltage, np.float64), np.asarray(current, np.float64)
    word = np.zeros(v.shape, np.int64) if status is None else np.asarray(status, np.int64)
    if v.ndim != 1 or v.shape != i.shape or word.shape != v.shape:
        raise ValueError(
            f"a sweep needs equally long columns: voltage {v.shape}, current {i.shape}, status {word.shape}"
        )
    if len(v) <= _FEW:
        return _fit_few(v.tolist(), i.tolist(), word.tolist())
    return ResistanceFit(*(value.item() for value in _fit(v, i, word)))


def _fit_few(voltage: Sequence[float], current: Sequence[float], status: Sequence[int]) -> ResistanceFit:
    """``_fit`` of one sweep without numpy; the two agree but for rounding."""
    v, i = [], []
    limited = over = 0
    for volts, amps, word in zip(voltage, current, status, strict=True):
        if not (abs(volts) < _BEYOND and abs(amps) < _BEYOND) or word & OVERFLOW:
            over += 1
        elif word & COMPLIANCE:
            limited += 1
        else:
            v.append(volts)
            i.append(amps)
    n = len(v)
    v_max = max(map(abs, v), default=nan)
    v_mean, i_mean = _ratio(sum(v), n), _ratio(sum(i), n)
    sxx = sxy = rest = 0.0
    for volts, amps in zip(v, i, strict=True):
        dv = volts - v_mean
        sxx += dv * dv
        sxy += dv * (amps - i_mean)
    slope = sxy / sxx if sxx > n * (_SPREAD * v_max) ** 2 else nan
    for volts, amps in zip(v, i, strict=True):
        di = amps - i_mean - slope * (volts - v_mean)
        rest += di * di
    residual = sqrt(rest / (n - 2)) if n > 2 else nan
    slope_error = _ratio(residual, sqrt(sxx))
    return ResistanceFit(
        resistance=_ratio(1.0, slope),
        stderr=_ratio(slope_error, slope * slope),
        offset=i_mean - slope * v_mean,
        residual=residual,
        points=n,
        v_max=v_max,
        conductance=slope,
        conductance_stderr=slope_error,
        compliance=limited,
        overflow=over,
    )


def _ratio(a: float, b: float) -> float:
    """a/b as IEEE 754 and numpy have it: by zero it is infinite, or no number."""
    return a / b if b else a * copysign(inf, b)
