"""What operations are made of: values, and times on a grid."""

from __future__ import annotations

from dataclasses import dataclass

#: loop variable -> smallest and largest SI value
Ranges = dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Value:
    """A number, or a loop variable times a scale (a field becomes a voltage through the channel length)."""

    constant: float = 0.0
    name: str = ""
    scale: float = 1.0

    def at(self, variables: dict[str, float]) -> float:
        """The number, given the loop variables' SI values."""
        return variables[self.name] * self.scale if self.name else self.constant

    def bounds(self, ranges: Ranges) -> tuple[float, float]:
        """Smallest and largest number over the loops' values."""
        if not self.name:
            return self.constant, self.constant
        a, b = (end * self.scale for end in ranges[self.name])
        return min(a, b), max(a, b)


@dataclass(frozen=True, slots=True)
class Op:
    """Base of all operations; ``node`` is the index of the protocol's step in ``Plan.nodes``."""

    node: int


def on_grid(seconds: float, grid: float) -> float:
    """The nearest multiple of ``grid``, one at least of a time that is not 0; any time where there is no grid."""
    if not grid or abs(seconds / grid - round(seconds / grid)) < 1e-6:
        return seconds
    return max(round(seconds / grid), 1) * grid
