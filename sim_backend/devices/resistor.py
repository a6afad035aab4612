"""A plain resistor: nothing switches, nothing ages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim_backend.devices.device import Repeated
from sim_backend.draws import Draws


class Resistor:
    """Ideal resistor of ``resistance`` (ohm)."""

    def __init__(self, resistance: float, terminals: tuple[str, str] = ("pd", "au")) -> None:
        if not resistance > 0:
            raise ValueError("a resistance must be positive")
        self.resistance = resistance
        self.terminals = terminals

    def current(self, v: float) -> float:
        return v / self.resistance

    def voltage(self, i: float) -> float:
        return i * self.resistance

    def loop(self, emf: float, resistance: float) -> float:
        return emf * self.resistance / (self.resistance + resistance)

    def worst_current(self, v: float) -> float:
        return abs(v) / self.resistance

    def advance(self, duration: float, v1: float, v2: float) -> float:
        return duration

    def repeat(
        self,
        durations: tuple[float, ...],
        emf_starts: tuple[float, ...],
        emf_ends: tuple[float, ...],
        resistance: float,
        count: int,
    ) -> Repeated:
        lowest = self.loop(min(*emf_starts, *emf_ends), resistance)
        highest = self.loop(max(*emf_starts, *emf_ends), resistance)
        return Repeated(count, lowest, highest, max(-lowest, highest) / self.resistance)

    def flicker(self) -> float:
        return 0.0

    def dose(self) -> dict[str, float]:
        return {}

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


def make_device(parameters: Mapping[str, Any], draws: Draws, noise: bool) -> Resistor:
    """Resistor of the bench file: ``resistance`` in ohm (100 kohm), ``terminals`` (pd, au)."""
    unknown = set(parameters) - {"resistance", "terminals"}
    if unknown:
        raise ValueError(f"resistor: unknown parameter {', '.join(sorted(unknown))}; known: resistance, terminals")
    first, second = parameters.get("terminals", ("pd", "au"))
    return Resistor(float(parameters.get("resistance", 100e3)), (first, second))
