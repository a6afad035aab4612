"""DC measurement as a program of its own: samples at constant voltage (reference b1530a sec. 4.9)."""

from __future__ import annotations

from sim_backend.wgfmu.pattern import TICK, MeasureEvent, Pattern
from sim_backend.wgfmu.program import Program

_SAMPLE = 5e-9
_MOST_AVERAGING = 2097151  # ticks
_SETTLED = 6.0  # time constants of the meter


def dc_program(count: int, interval: int, tau: float) -> tuple[Program, float]:
    """One averaging window over all samples, and the seconds that the meter is given before it.

    ``count`` samples, ``interval`` in units of 5 ns. One sample is one point without averaging.
    """
    ticks = max(1, round(count * interval * _SAMPLE / TICK)) if count > 1 else 0
    windows = -(-ticks // _MOST_AVERAGING) or 1
    each = ticks // windows
    event = MeasureEvent("dc", 0, windows, max(each, 1), each, False)
    pattern = Pattern("dc", [0, event.end], [0.0, 0.0], [event])
    return Program([(pattern, 1)]), _SETTLED * tau
