"""The grids of instruments, from their drivers' capabilities: what a value becomes when it is set.

A voltage has the grid of the smallest range that holds the largest level of its operation; where a reference gives a
resolution as so many digits, the coarser of both counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.plan.sources import Source

Floats = NDArray[np.float64]

#: parts of a step by which a value may miss the grid and still be on it: rounding of the arithmetic
_ON_GRID = 1e-6
_FINEST = 1e-12  # s, unit in which the times of a waveform are compared


@dataclass(frozen=True, slots=True)
class Grid:
    """Whole multiples of ``step``, of ``digits`` decimal digits at most; ``up``: never below what was asked."""

    step: float
    digits: int | None = None
    up: bool = False

    def steps(self, values: Floats) -> Floats:
        """The step at each value."""
        steps = np.full(values.shape, self.step)
        if self.digits is not None:
            size = np.maximum(np.abs(values), np.finfo(float).tiny)
            steps = np.maximum(steps, 10.0 ** (np.floor(np.log10(size) + 1e-12) - self.digits + 1))
        return steps

    def delivered(self, values: Floats) -> Floats:
        """What the values become; one that is on the grid but for rounding stays as it is."""
        steps = self.steps(values)
        exact = values / steps
        whole = np.rint(exact)
        on = np.abs(exact - whole) < _ON_GRID
        return np.where(on, values, (np.ceil(exact) if self.up else whole) * steps)


def level_grid(source: Source, largest: float) -> Grid | None:
    """Grid of voltages up to ``largest``; None where the driver tells none."""
    able = _first(source, "pulse", "sweep", "bias")
    grid = able.get("level_grid")
    if isinstance(grid, Mapping):  # full scale -> step
        fitting = [scale for scale in grid if scale >= largest * (1 - _ON_GRID)]
        return Grid(grid[min(fitting)] if fitting else max(grid.values()))
    return None if grid is None else Grid(grid, able.get("level_digits"))


def time_grid(source: Source, what: str, value: float = 0.0) -> Grid | None:
    """Grid of ``what`` ('hold', 'delay', 'interval', 'window', 'width'): of the ability that has it."""
    for able in source.capabilities.values():
        grid = able.get(f"{what}_grid") if isinstance(able, Mapping) else None
        if isinstance(grid, Sequence):  # (from this value on, step) pairs, ascending
            return Grid(next(step for least, step in reversed(grid) if value >= least * (1 - _ON_GRID)), up=True)
        if grid is not None:
            return Grid(grid, up=what in ("hold", "interval"))
    return None


def strict_time_grid(source: Source) -> float:
    """Step (s) of a source that takes no other times than multiples of it; 0 where it rounds by itself."""
    return float(source.capabilities.get("arbitrary", {}).get("time_grid", 0.0))


def current_resolution(source: Source, full_scale: float, nplc: float) -> float | None:
    """Smallest difference of currents (A) on a range; None where the driver tells none."""
    known = _first(source, "sweep", "sample").get("current_resolution")
    if known is None:
        return None
    return float(next(part for least, part in reversed(known) if nplc >= least)) * full_scale


def record_error(source: Source, times: Sequence[float], period: float) -> tuple[float, int]:
    """Largest shift of the corners (s) of a waveform that is played from a record, and the record's full scale.

    0 s where some number of points that the sample rate allows puts every corner on the grid.
    """
    able = source.capabilities["arbitrary"]
    most = max(min(points, math.floor(period * rate * (1 + 1e-12))) for points, rate in able["rates"])
    unit = math.gcd(*(round(time / _FINEST) for time in (*times, period)))
    on_grid = unit > 0 and round(period / _FINEST) // unit <= most
    return (0.0 if on_grid else period / most / 2), int(able["full_scale"])


def _first(source: Source, *abilities: str) -> Mapping[str, Any]:
    """The first of the abilities that the source has."""
    return next((source.capabilities[name] for name in abilities if name in source.capabilities), {})
