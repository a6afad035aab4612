"""A frequency sweep as steps of constant frequency, each a whole number of cycles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sim_backend.afg31000.settings import Sweep

_STEPS: Final = 50
_BACK_STEPS: Final = 10


@dataclass(frozen=True)
class Step:
    """Hz for s."""

    frequency: float
    duration: float


def sweep_steps(sweep: Sweep) -> list[Step]:
    """Up (or down) in the sweep time, hold at the stop frequency, and back in the return time."""
    forward = _part(sweep.start, sweep.stop, sweep.time, sweep.spacing, _STEPS)
    hold = _part(sweep.stop, sweep.stop, sweep.hold, sweep.spacing, 1)
    back = _part(sweep.stop, sweep.start, sweep.back, sweep.spacing, _BACK_STEPS)
    return [*forward, *hold, *back]


def _part(start: float, stop: float, time: float, spacing: str, steps: int) -> list[Step]:
    if time <= 0:
        return []
    frequencies = np.geomspace(start, stop, steps) if spacing == "LOG" else np.linspace(start, stop, steps)
    share = time / steps
    return [Step(f, max(1, round(share * f)) / f) for f in frequencies.tolist()]
