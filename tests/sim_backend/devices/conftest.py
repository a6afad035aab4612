"""An H-NNO neuron behind 50 ohm, driven with pulses and cycles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim_backend.circuit import Circuit, Waveform, pulse
from sim_backend.clock import Clock
from sim_backend.devices.device import Repeated
from sim_backend.devices.hnno import HnnoNeuron, make_parameters, spread
from sim_backend.draws import Draws

WIDTH, EDGE = 100e-6, 10e-9


class EventByEvent(HnnoNeuron):
    """A neuron that always declines to take many periods at once."""

    def repeat(
        self,
        durations: tuple[float, ...],
        emf_starts: tuple[float, ...],
        emf_ends: tuple[float, ...],
        resistance: float,
        count: int,
    ) -> Repeated:
        return Repeated(0, 0.0, 0.0, 0.0)


def cycle(*levels: float, width: float = WIDTH, edge: float = EDGE, gap: float = 100e-6) -> Waveform:
    """One pulse per level, ``gap`` after each, then idle until 1 ms is over."""
    durations: list[float] = []
    starts: list[float] = []
    ends: list[float] = []
    for level in levels:
        durations += [edge, width - edge, edge, gap]
        starts += [0.0, level, level, 0.0]
        ends += [level, level, 0.0, 0.0]
    durations[-1] = max(gap, 1e-3 - sum(durations[:-1]))
    return Waveform(tuple(durations), tuple(starts), tuple(ends))


class Neuron:
    """A device on a bench of its own; ``resistance`` (ohm) is that of the pulse source."""

    def __init__(
        self, seed: int = 1, specimen: int = 0, resistance: float = 50.0, slow: bool = False, **parameters: float
    ) -> None:
        draws = Draws(seed)
        nominal = make_parameters(parameters)
        chosen = spread(nominal, draws, specimen) if specimen else nominal
        self.device = (EventByEvent if slow else HnnoNeuron)(chosen, draws, specimen)
        self.memory = self.device.memory
        self.clock = Clock()
        self.circuit = Circuit(self.clock, self.device)
        self.circuit.ground("au")
        self.port = self.circuit.port("afg.1")
        self.circuit.connect(self.port, "pd", 150e-12)
        self.port.drive(0.0, resistance)

    def pulse(self, level: float, width: float = WIDTH, edge: float = EDGE) -> bool:
        """One pulse and 1 ms; whether the device is in the spiking state after it."""
        self.repeat(pulse(level, 0.0, width, edge, 1e-3), 1)
        return self.memory.spiking

    def repeat(self, wave: Waveform, count: int) -> int:
        """Repeat a waveform; returns how many spikes there were."""
        before = self.memory.spikes
        self.port.play(wave, count, self.clock.now)
        self.clock.sleep(wave.period * count + 1e-3)
        self.circuit.settle()
        return self.memory.spikes - before

    def share(self, level: float, count: int, reset: float = -4.2) -> float:
        """Share of ``count`` pulses that make a spike, with a reset after each."""
        return self.repeat(cycle(level, reset), count) / count

    @property
    def sensitization(self) -> float:
        return self.memory.consolidated + self.memory.labile


@pytest.fixture(scope="session")
def make_neuron() -> Callable[..., Neuron]:
    return Neuron


@pytest.fixture(scope="session")
def make_cycle() -> Callable[..., Any]:
    return cycle
