"""The spike criterion: a sudden drop of resistance (reference devices_and_protocols sec. 1.3, H2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def spike_ratio(resistance: ArrayLike, reference: ArrayLike) -> NDArray[np.float64]:
    """``resistance / reference``, both in ohm; NaN where either is no resistance (NaN, zero or negative).

    An infinite reading (open) is a resistance, an infinite reference is not.
    """
    r, ref = np.broadcast_arrays(np.asarray(resistance, np.float64), np.asarray(reference, np.float64))
    known = (r > 0) & (ref > 0) & np.isfinite(ref)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(known, r / ref, np.nan)


def is_spike(resistance: ArrayLike, reference: ArrayLike, below: float = 0.5) -> NDArray[np.bool_]:
    """Whether ``resistance`` fell below ``below`` x ``reference``.

    An undefined ratio is no spike but no failure either: exclude those events (``spike_ratio`` is NaN).
    """
    if not 0 < below < 1:
        raise ValueError(f"a spike is a drop: 'below' must lie between 0 and 1, got {below:g}")
    return np.asarray(spike_ratio(resistance, reference) < below)


def geometric_criterion(nonspiking: ArrayLike, spiking: ArrayLike) -> NDArray[np.float64]:
    """sqrt(R_ns R_s) in ohm, halfway between the states on a logarithmic scale: a spike lies below it."""
    return np.sqrt(np.asarray(nonspiking, np.float64) * np.asarray(spiking, np.float64))
