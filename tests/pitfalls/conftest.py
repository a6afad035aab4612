"""A bench that the real drivers have opened, and what only a simulation can tell about it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.bench.loading import load_bench
from labctl.bench.opening import OpenBench, open_bench, visa_specification
from labctl.numerics import ResistanceFit, fit_resistance
from labctl.testing import bench_file

sys.path.insert(0, str(Path(__file__).parent))  # importmode importlib adds no path: makes ``expected`` importable

RELAY_LINE, RELAY_TIME = 1, 6e-3


class Rig:
    """The two drivers on a shipped bench; ``channel`` is the generator's output, ``meter`` the SMU's channel."""

    def __init__(self, bench: OpenBench) -> None:
        self.clock = bench.clock
        self.afg = bench.instruments["afg"]
        self.smu = bench.instruments["smu"]
        self.channel = self.afg.channel("1")
        self.meter = self.smu.channel("a")
        self.library = bench.library
        self.world = bench.library.bench
        self.circuit = self.world.circuit
        self.device = self.world.device

    # -- what the user does -------------------------------------------------------------------------------------

    def route(self, source: str) -> None:
        """Wiring T3: lay "afg" or "smu" on the device."""
        self.smu.line(RELAY_LINE, int(source == "afg"))
        self.clock.sleep(RELAY_TIME)

    def pulse(self, level: float, width: float = 100e-6, **options: Any) -> float:
        """Pulses on Pd as the driver makes them; the voltage of largest magnitude that Pd saw."""
        self.channel.prepare_pulse(level, width=width, **options)
        self.channel.output(True)
        return self.fire()

    def fire(self, seconds: float | None = None) -> float:
        """Trigger what is prepared and wait; the voltage of largest magnitude that Pd saw."""
        self.circuit.take_extremes()
        self.afg.trigger()
        self.clock.sleep(self.channel.burst_duration if seconds is None else seconds)
        return float(self.circuit.take_extremes()["pd"])

    def cycles(self, level: float, reset: float, count: int, width: float = 100e-6) -> int:
        """``count`` cycles of 1 ms, one pulse and one reset pulse each; the number of times that the device spiked."""
        return self.rounds(level, reset, count, 1, width)[0]

    def rounds(self, level: float, reset: float, count: int, rounds: int, width: float = 100e-6) -> list[int]:
        """The same several times over."""
        half = 0.5e-3
        times = [0, 0, width, width, half, half, half + width, half + width]
        self.channel.prepare_waveform(times, [0, level, level, 0, 0, reset, reset, 0], 1e-3, count)
        self.channel.output(True)
        total = [self.records()["spikes"]]
        for _ in range(rounds):
            self.fire()
            total.append(self.records()["spikes"])
        return [round(n) for n in np.diff(total)]

    def sweep(self, window: float = 0.1, points: int = 21, **options: Any) -> Any:
        return self.meter.sweep(start=-window, stop=window, points=points, **options)

    def resistance(self, **options: Any) -> ResistanceFit:
        """The reading of H1, by labctl's own fit."""
        data = self.sweep(**options)
        return fit_resistance(data.volts, data.amps, data.status)

    # -- what the simulation knows ------------------------------------------------------------------------------

    def records(self) -> dict[str, float]:
        """Doses and counters of the device up to now."""
        self.circuit.settle()
        return dict(self.device.dose())

    @property
    def spiking(self) -> bool:
        self.circuit.settle()
        return bool(self.device.memory.spiking)


@pytest.fixture
def open_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """``open_rig("hnno_t1", seed=3, simulation={...})``: a fresh world; changes are merged into the bench file."""
    with ExitStack() as stack:

        def opened(base: str = "hnno", seed: int = 1, **changes: Any) -> Rig:
            file = bench_file(tmp_path, base, **changes)
            described = load_bench(file)
            specification = visa_specification(described, file, simulate=True, seed=seed)
            return Rig(stack.enter_context(open_bench(described, specification, "pitfalls")))

        yield opened


@pytest.fixture
def programmed_slope() -> Callable[[Any], float]:
    """Resistance (ohm) that a fit on the *programmed* voltage gives, all points in."""
    return lambda data: float(1.0 / np.polyfit(data.set, data.amps, 1)[0])
