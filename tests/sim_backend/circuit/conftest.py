"""Devices that show what the circuit applies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sim_backend.circuit import Circuit
from sim_backend.clock import Clock
from sim_backend.devices.device import Repeated
from sim_backend.devices.resistor import Resistor


class Logger(Resistor):
    """A resistor that keeps every stretch (s, V, V) it is taken through, and declines to take many periods at once."""

    def __init__(self, resistance: float) -> None:
        super().__init__(resistance)
        self.stretches: list[tuple[float, float, float]] = []

    def advance(self, duration: float, v1: float, v2: float) -> float:
        self.stretches.append((duration, v1, v2))
        return duration

    def repeat(
        self,
        durations: tuple[float, ...],
        emf_starts: tuple[float, ...],
        emf_ends: tuple[float, ...],
        resistance: float,
        count: int,
    ) -> Repeated:
        return Repeated(0, 0.0, 0.0, 0.0)

    def seconds(self) -> float:
        return sum(duration for duration, _, _ in self.stretches)

    def volt_seconds(self) -> float:
        return sum(duration * (v1 + v2) / 2 for duration, v1, v2 in self.stretches)

    def extreme(self) -> float:
        return max((v for _, v1, v2 in self.stretches for v in (v1, v2)), key=abs, default=0.0)


class Bench:
    """A clock and a circuit around one device, Au on common unless asked otherwise."""

    def __init__(self, resistance: float = 1e6, grounded: bool = True, swapped: bool = False) -> None:
        self.clock = Clock()
        self.device = Logger(resistance)
        self.circuit = Circuit(self.clock, self.device, swapped=swapped)
        self.afg = self.circuit.port("afg.1")
        self.smu = self.circuit.port("smu.a")
        if grounded:
            self.circuit.ground("au")

    def wait(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self.circuit.settle()


@pytest.fixture(scope="session")
def make_bench() -> Callable[..., Bench]:
    return Bench
