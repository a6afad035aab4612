"""Limits of the B1530A (reference b1530a sec. 1): ranges, grids, recommended edges and settling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drivers.b1530a_times import DEFAULT_EDGE, B1530ATimes
from drivers.errors import SettingError
from drivers.wgfmu_header import ForceVoltageRange, MeasureCurrentRange, MeasureVoltageRange

#: all times lie on this grid, s
#: smallest current told, as a fraction of its range
CURRENT_RESOLUTION = 1.4e-4
TIME_GRID = 1e-8
VECTOR = (1e-8, 10995.11627775)
VECTORS = 2048
SEQUENCES = 512
LOOPS = (1, 2**40)
INTERVAL = (1e-8, 1.34217728)
AVERAGING = (1e-8, 0.020971512)
DATA_POINTS = 4_000_000
AMPLITUDE = 10.0
#: windows of different averaging time lie at least this far apart, s (firmware error 3051)
EVENT_DISTANCE = 1e-7
#: sampler of a window: one sample every 5 ns
SAMPLE = 5e-9


@dataclass(frozen=True)
class ForceRange:
    """An output range: levels (V) and the fastest recommended edge (s)."""

    code: ForceVoltageRange
    low: float
    high: float
    edge: float


FORCE_RANGES: dict[str, ForceRange] = {
    "3 V": ForceRange(ForceVoltageRange.V3, -3.0, 3.0, 30e-9),
    "5 V": ForceRange(ForceVoltageRange.V5, -5.0, 5.0, 30e-9),
    "-10 V": ForceRange(ForceVoltageRange.V10_NEGATIVE, -10.0, 0.0, 70e-9),
    "+10 V": ForceRange(ForceVoltageRange.V10_POSITIVE, 0.0, 10.0, 70e-9),
}
PG_RANGES = ("3 V", "5 V")
PG_EDGE = 24e-9


@dataclass(frozen=True)
class MeasureRange:
    """A current (A) or voltage (V) range: settling to 0.6 % and smallest useful window (s), noise of that window."""

    code: MeasureCurrentRange | MeasureVoltageRange
    full_scale: float
    settling: float
    window: float
    noise: float


CURRENT_RANGES: tuple[MeasureRange, ...] = (
    MeasureRange(MeasureCurrentRange.UA1, 1e-6, 37e-6, 1.64e-6, 425e-12),
    MeasureRange(MeasureCurrentRange.UA10, 10e-6, 5.8e-6, 1e-6, 2.5e-9),
    MeasureRange(MeasureCurrentRange.UA100, 100e-6, 820e-9, 130e-9, 47e-9),
    MeasureRange(MeasureCurrentRange.MA1, 1e-3, 200e-9, 40e-9, 280e-9),
    MeasureRange(MeasureCurrentRange.MA10, 10e-3, 125e-9, 20e-9, 1.9e-6),
)
VOLTAGE_RANGES: tuple[MeasureRange, ...] = (
    MeasureRange(MeasureVoltageRange.V5, 5.0, 85e-9, 20e-9, 1.4e-3),
    MeasureRange(MeasureVoltageRange.V10, 10.0, 110e-9, 20e-9, 1.4e-3),
)


def measure_range(quantity: str, full_scale: float) -> MeasureRange:
    """The range of ``quantity`` ("current", "voltage") with this full scale (A, V).

    Raises:
        SettingError: there is none; names those that there are.
    """
    ranges = CURRENT_RANGES if quantity == "current" else VOLTAGE_RANGES
    for entry in ranges:
        if abs(entry.full_scale - full_scale) <= 1e-6 * entry.full_scale:
            return entry
    unit = "A" if quantity == "current" else "V"
    known = ", ".join(f"{entry.full_scale:g} {unit}" for entry in ranges)
    raise SettingError(f"the B1530A has no {quantity} range of {full_scale:g} {unit}; it has {known}")


def capabilities() -> dict[str, Any]:
    """What a channel can do, for planning without an instrument; SI units."""
    return {
        "through": "rsu",  # without one a channel is an error when it is driven (reference b1530a sec. 1)
        "pulse": {
            "min_width": 100e-9,
            "max_width": VECTOR[1],
            "width_grid": TIME_GRID,
            "level_grid": {3.0: 96e-6, 5.0: 160e-6, 10.0: 160e-6},
            "window": (-AMPLITUDE, AMPLITUDE),
            "one_sign_above": 5.0,
            "min_period": 2 * TIME_GRID,
            "max_period": VECTOR[1],
            "default_edge": DEFAULT_EDGE,
            "edges": {"min": TIME_GRID, "recommended": {name: r.edge for name, r in FORCE_RANGES.items()}},
        },
        "burst": {"min_count": LOOPS[0], "max_count": LOOPS[1], "triggers": ("software",)},
        "arbitrary": {
            "points": (2, VECTORS + 1),
            "vectors": VECTORS,
            "time_grid": TIME_GRID,
            "max_period": VECTOR[1],
            "window": (-AMPLITUDE, AMPLITUDE),
        },
        "sample": {
            "current_ranges": {
                r.full_scale: {"settling": r.settling, "window": r.window, "noise": r.noise} for r in CURRENT_RANGES
            },
            "interval": INTERVAL,
            "current_resolution": ((0.0, CURRENT_RESOLUTION),),
            "averaging": AVERAGING,
            "points": DATA_POINTS,
        },
        "timing": {"times": B1530ATimes},
        "compliance": None,
        "source_resistance": 0.0,
        "lines": 0,
    }
