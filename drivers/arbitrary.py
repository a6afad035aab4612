"""Piecewise-linear waveforms as records of a sampling generator. Pure functions on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.errors import SettingError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Record:
    """One period as unsigned codes, 0 at ``low`` V and ``full_scale`` at ``high`` V.

    Attributes:
        codes: uint16, one per sample.
        low, high: V.
        time_error: largest distance of a corner from the sample grid, s (0 when all fall on it).
        level_error: largest rounding of a corner's level to a code, V.
    """

    codes: npt.NDArray[np.uint16]
    low: float
    high: float
    time_error: float
    level_error: float


def record(times: npt.ArrayLike, volts: npt.ArrayLike, period: float, most: int, full_scale: int) -> Record:
    """Sample a piecewise-linear waveform over one period.

    Args:
        times: s, from 0, not falling; two equal times make a step.
        volts: V at these times; the last is held to the end of the period.
        period: s.
        most: largest number of samples.
        full_scale: code of the highest level.

    The largest number of samples that puts every corner on the grid is taken; if none does, the largest at all,
    and ``time_error`` tells by how much corners move. A sample has the value at its start (behind the step, if a
    step is there). The first sample is ``volts[0]``, the idle level: a waveform that steps at time 0 does so one
    sample later.

    Raises:
        SettingError: not a waveform, or one that does not begin and end at one idle level.
    """
    t = np.asarray(times, dtype=float)
    v = np.asarray(volts, dtype=float)
    if t.ndim != 1 or t.shape != v.shape or t.size < 2:
        raise SettingError(f"a waveform needs two times at least, and as many voltages; got {t.size}, {v.size}")
    if not (np.isfinite(t).all() and np.isfinite(v).all()):
        raise SettingError("a waveform needs finite times and voltages")
    if t[-1] <= period * (1 + 1e-9):
        t = np.minimum(t, period)
    if t[0] != 0 or (np.diff(t) < 0).any() or t[-1] > period:
        raise SettingError(f"times of a waveform begin at 0, never fall, and end by the period {period:g} s")
    points, error = _points(t / period, most)
    if v[-1] != v[0]:
        raise SettingError(f"a waveform must end where it idles, at {v[0]:g} V, not at {v[-1]:g} V")
    low, high = float(v.min()), float(v.max())
    if low == high:
        raise SettingError(f"a waveform that stays at {low:g} V has no amplitude")
    corners = _snap(t / period * points)
    values = _values(corners, v, points)
    if values[0] != v[0]:
        if values[-1] != v[0]:
            raise SettingError("a waveform that steps at time 0 must rest at its idle level before its period ends")
        values = np.roll(values, 1)
    codes = np.rint((values - low) / (high - low) * full_scale)
    step = (high - low) / full_scale
    rounded = low + np.rint((v - low) / step) * step
    return Record(codes.astype(np.uint16), low, high, error * period, float(np.abs(rounded - v).max()))


def _points(corners: Floats, most: int) -> tuple[int, float]:
    """Number of samples, and the largest distance of ``corners`` (parts of the period) from their grid."""
    if most < 2:
        raise SettingError("the period is shorter than two samples")
    counts = np.arange(most, 1, -1, dtype=float)
    distance = np.zeros_like(counts)
    for corner in np.unique(corners):
        place = corner * counts
        distance = np.maximum(distance, np.abs(place - np.rint(place)))
    exact = np.flatnonzero(distance < 1e-6)
    if exact.size:
        return int(counts[exact[0]]), 0.0
    return most, float(distance[0] / most)


def _snap(places: Floats) -> Floats:
    """Sample positions, moved onto the grid where rounding alone keeps them off it."""
    whole = np.rint(places)
    return np.where(np.abs(places - whole) < 1e-6, whole, places)


def _values(corners: Floats, volts: Floats, points: int) -> Floats:
    """Level at the start of every sample, behind the step where there is one."""
    index = np.arange(points, dtype=float)
    segment = np.searchsorted(corners, index, side="right") - 1
    behind = np.minimum(segment + 1, corners.size - 1)
    length = corners[behind] - corners[segment]
    part = np.divide(index - corners[segment], length, out=np.zeros_like(index), where=length > 0)
    return np.asarray(volts[segment] + part * (volts[behind] - volts[segment]), dtype=float)
