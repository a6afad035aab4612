"""Ranges of the 2636B and what depends on them (reference keithley2636b sec. 13)."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

VOLTAGE = (0.2, 2.0, 20.0, 200.0)
CURRENT_SOURCE = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1.5, 10.0)
CURRENT_MEASURE = (1e-10, *CURRENT_SOURCE)

SOURCE_OVER = 1.01  # of full scale
MEASURE_OVER = 1.02
OVERFLOW = 9.91e37

MOST_VOLTS, MOST_AMPS, MOST_PULSE_AMPS = 200.0, 1.5, 10.0
HIGH_VOLTS = 20.0  # above: 200 V range, interlock
HIGH_VOLTS_AMPS = 0.1  # most current with the 200 V range

#: s, settling to 0.1 % by current range; also the automatic measure delay
_SETTLING = (360e-3, 360e-3, 90e-3, 15e-3, 2.5e-3, 500e-6, 150e-6, 100e-6, 80e-6, 80e-6, 120e-6, 120e-6, 120e-6)
_ANALOG_FILTER = 450e-3  # s, 100 pA and 1 nA ranges with the analog filter
_HIGH_C = {1e-3: 3e-3, 1e-4: 3e-3, 1e-5: 230e-3, 1e-6: 230e-3}
SETTLED = 6.9  # time constants in a settling time (0.1 %)

_DELAY = dict(zip(CURRENT_MEASURE, _SETTLING, strict=True))


def pick(ranges: tuple[float, ...], value: float) -> float:
    """Smallest range that holds abs(value); the largest one when none does."""
    index = bisect_left(ranges, abs(value) * (1 - 1e-9))
    return ranges[min(index, len(ranges) - 1)]


def below(ranges: tuple[float, ...], present: float) -> float | None:
    """The next lower range."""
    index = ranges.index(present)
    return ranges[index - 1] if index else None


def above(ranges: tuple[float, ...], present: float) -> float | None:
    """The next higher range."""
    index = ranges.index(present)
    return ranges[index + 1] if index + 1 < len(ranges) else None


def settling_time(current_range: float, analog_filter: int) -> float:
    """Seconds to 0.1 % on a current measure range."""
    if analog_filter and current_range <= 1e-9:
        return _ANALOG_FILTER
    return _DELAY[current_range]


def auto_delay(current_range: float, analog_filter: int, high_c: int, factor: float, high_c_factor: float) -> float:
    """Seconds that DELAY_AUTO waits before a current measurement."""
    if high_c and current_range in _HIGH_C:
        return _HIGH_C[current_range] * high_c_factor / 10.0
    return settling_time(current_range, analog_filter) * factor


def pulse_area(volts: float, amps: float) -> tuple[float, float] | None:
    """Longest width (s) and highest duty of pulses up to these magnitudes; None where they may last (DC)."""
    if amps <= HIGH_VOLTS_AMPS * SOURCE_OVER or (amps <= MOST_AMPS * SOURCE_OVER and volts <= HIGH_VOLTS * SOURCE_OVER):
        return None
    if volts <= 5.0 * SOURCE_OVER:
        return 1e-3, 0.022
    return (8.5e-3, 0.01) if volts <= 180.0 else (2.2e-3, 0.01)


def on_grid(value: float, step: float) -> float:
    """``value`` rounded to whole counts of ``step``; decimal steps give exact decimals."""
    per_unit = _per_unit(step)
    return round(value * per_unit) / per_unit if per_unit else round(value / step) * step


@lru_cache(maxsize=256)
def _per_unit(step: float) -> int:
    """Steps in one unit; 0 when that is no whole number."""
    inverse = 1.0 / step
    whole = round(inverse)
    return whole if whole and abs(whole - inverse) < 1e-9 * inverse else 0
