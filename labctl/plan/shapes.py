"""Levels and pauses that planning and execution share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: s in a record after its levels are set: the charge of the cables must have left the meter (37 us on the slowest)
LEVELS_SETTLE = 1e-3
#: s between two looks whether a record is complete
RECORD_POLL = 1e-3


def staircase(side: str, direction: str, points: int, window: float) -> NDArray[np.float64]:
    """Levels of a resistance reading as executed, V: ``points`` of them, and back again if ``direction`` is 'both'."""
    low, high = {"both": (-window, window), "positive": (0.0, window), "negative": (-window, 0.0)}[side]
    up = np.linspace(low, high, points)
    if direction == "both":
        return np.concatenate([up, up[-2::-1]])
    return up[::-1] if direction == "down" else up
