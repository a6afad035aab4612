"""How often an operation runs, for every value of the loop variables around it, without expanding the loops.

The passes of nested loops form a product of their axes. A count that is itself a loop variable weighs the values of its
own axis, so that sums such as 'pulses at each level' are exact and cost as much as the axes have values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from labctl.plan.operations import ForEach, Search, Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """Values (SI) of one loop variable and the weight of each, both shape (n,).

    ``searched``: the variable is moved between two ends by readings; any pass may have either of them.
    """

    values: Floats
    weights: Floats
    searched: bool = False

    @property
    def total(self) -> float:
        return float(self.weights.max() if self.searched else self.weights.sum())


@dataclass(frozen=True)
class Passes:
    """``times`` passes for every combination of the axes' values, times their weights."""

    times: float = 1.0
    axes: dict[str, Axis] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """All passes; for searches the most there can be."""
        return self.times * prod(axis.total for axis in self.axes.values())

    def repeated(self, count: float) -> Passes:
        return replace(self, times=self.times * count)

    def weighed(self, value: Value) -> Passes:
        """Multiplied by the magnitude of a number or of a loop variable: counts, or seconds per pass."""
        if not value.name:
            return self.repeated(abs(value.constant))
        axis = self.axes[value.name]
        weights = axis.weights * np.abs(axis.values * value.scale)
        return replace(self, axes=self.axes | {value.name: replace(axis, weights=weights)})

    def over(self, loop: ForEach) -> Passes:
        """Inside a loop over an axis."""
        values = np.array(loop.axis.values, float)
        inner = loop.inner[1] if loop.inner else 1
        return self._inside(loop.axis.name, Axis(values, np.full(len(values), float(inner))))

    def searching(self, search: Search | None, at_most: int) -> Passes:
        """Inside a loop that ends on a condition, after ``at_most`` passes at the latest."""
        inside = self.repeated(at_most)
        if search is None:
            return inside
        ends = np.array([search.start, search.stop], float)
        return inside._inside(search.name, Axis(ends, np.ones(2), searched=True))

    def by_level(self, value: Value) -> list[tuple[float, float]]:
        """(magnitude, passes) for each value; what a search may reach counts in full at its largest magnitude."""
        if not value.name:
            return [(abs(value.constant), self.total)]
        axis = self.axes[value.name]
        others = replace(self, axes={name: a for name, a in self.axes.items() if name != value.name}).total
        magnitudes = np.abs(axis.values * value.scale)
        if axis.searched:
            return [(float(magnitudes.max()), others * axis.total)]
        return [(float(m), others * float(w)) for m, w in zip(magnitudes, axis.weights, strict=True)]

    def _inside(self, name: str, axis: Axis) -> Passes:
        return replace(self, axes=self.axes | {name: axis})
