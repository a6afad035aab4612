"""Levels and pauses that planning and execution share."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

#: s in a record after its levels are set: the charge of the cables must have left the meter (37 us on the slowest)
LEVELS_SETTLE = 1e-3
#: s between two looks whether a record is complete
RECORD_POLL = 1e-3


@functools.lru_cache(maxsize=64)
def staircase(side: str, direction: str, points: int, window: float) -> NDArray[np.float64]:
    """Levels of a resistance reading as executed, V: ``points`` of them, and back again if ``direction`` is 'both'.

    The array is the same for the same reading, which comes again and again; it cannot be written to.
    """
    low, high = {"both": (-window, window), "positive": (0.0, window), "negative": (-window, 0.0)}[side]
    up = np.linspace(low, high, points)
    levels = np.concatenate([up, up[-2::-1]]) if direction == "both" else up[::-1] if direction == "down" else up
    levels.flags.writeable = False
    return levels
