"""The drivers of the AAB bench, what its user does with them, and what only a simulation can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labctl.bench.loading import load_bench
from labctl.bench.opening import OpenBench, open_bench, visa_specification
from labctl.testing import bench_file

VDS, NANO = 2.0, 1e-9
TIGHT = {"wgfmu": {"smu_path_leakage": 0.0, "smu_path_drift": 0.0}}  # RSUs that do not leak


class TransistorRig:
    """Gate and drain by their SMUs (``b1500``) or the fast unit (``unit``); ``straight`` lays the gate on an SMU."""

    def __init__(self, bench: OpenBench) -> None:
        self.bench = bench
        self.clock = bench.clock
        self.b1500 = bench.instruments["b1500"]
        self.unit: Any = bench.instruments.get("wgfmu")
        self.world = bench.library.bench
        self.circuit = self.world.circuit
        self.gate = "3"

    @property
    def device(self) -> Any:
        """The transistor, up to now."""
        self.circuit.settle()
        return self.world.device

    def volts(self, terminal: str = "gate") -> float:
        return float(self.circuit.true_voltage(terminal))

    def straight(self) -> None:
        """Wiring W2 for the gate: the operator takes the RSU off the probe."""
        self.fast_off()
        self.b1500.channel(self.gate).isolate()
        self.bench.plug("b1500.5")
        self.gate = "5"

    def behind_rsu(self) -> None:
        self.b1500.channel("5").isolate()
        self.bench.unplug("b1500.5")
        self.gate = "3"

    def fast_off(self) -> None:
        for channel in (101, 102):
            self.unit.release(channel)

    # -- quasi-DC -----------------------------------------------------------------------------------------------

    def base(self, samples: int = 10, delay: float = 0.1) -> float:
        """Current at zero gate voltage (nA)."""
        taken = self.b1500.sample(
            ["4"], samples, 0.05, bias={self.gate: 0.0, "4": VDS}, hold=delay, compliance=1e-6, range_=1e-8
        )
        return float(taken.amps["4"].mean()) / NANO

    def cyclic(self, span: float = 15.0) -> Any:
        """Cyclic transfer curve, 0.25 V, 0.13 s per point."""
        points = round(2 * span / 0.25) + 1
        return self.b1500.sweep(
            self.gate,
            start=-span,
            stop=span,
            points=points,
            mode="cyclic",
            measured=["4"],
            bias={"4": VDS},
            compliance=1e-6,
            range_=1e-8,
            dwell=0.1,
        )

    def di0(self, span: float = 15.0) -> float:
        """dI0 of a cyclic curve (nA)."""
        curve = self.cyclic(span)
        forward, backward = curve.amps["4"][np.flatnonzero(curve.set == 0.0)]
        return float(backward - forward) / NANO

    def condition(self, duration: float, level: float = 40.0, **options: Any) -> Any:
        self.straight()
        done = self.b1500.bias("5", level, duration, grounded=["4"], **{"ramp": 0.4, **options})
        self.behind_rsu()
        return done

    # -- fast ---------------------------------------------------------------------------------------------------

    def pulse(self, level: float = 10.0, width: float = 10e-3) -> None:
        """One rectangular pulse on the gate, then the RSU back on its SMU path."""
        gate = self.unit.channel("101")
        gate.prepare_pulse(level, width=width)
        gate.output(True)
        self.unit.trigger()
        self.clock.sleep(gate.burst_duration)
        gate.output(False)

    def record(
        self, times: list[float], volts: list[float], windows: Mapping[str, float], full_scale: float, count: int = 1
    ) -> NDArray[np.float64]:
        """Drain current (A) while ``count`` periods of a waveform play on the gate.

        ``windows``: start, interval and window of the readings (s), all after the first 1 ms at the first level.
        """
        gate, drain = self.unit.channel("101"), self.unit.channel("102")
        gate.allow_fast_edges = drain.allow_fast_edges = True
        gate.prepare_waveform(times, volts, times[-1], count)
        points = drain.prepare_record(
            VDS, times[-1] * count, windows["interval"], windows["window"], full_scale, windows.get("start", 0.0)
        )
        assert points
        for channel in (gate, drain):
            channel.output(True)
        self.clock.sleep(1e-3)
        self.unit.trigger()
        self.clock.sleep(gate.burst_duration + 2e-3)
        return np.asarray(drain.fetch_record().value)


OpenTransistor = Callable[..., TransistorRig]


@pytest.fixture(name="transistor")
def open_transistor(tmp_path: Path) -> Iterator[OpenTransistor]:
    """``transistor("aab_w2", seed=3, parameters={...}, noise=True)``: a fresh world; no noise unless asked for."""
    with ExitStack() as stack:

        def opened(
            base: str = "aab",
            seed: int = 1,
            noise: bool = False,
            connections: list[dict[str, Any]] | None = None,
            **simulation: Any,
        ) -> TransistorRig:
            changes: dict[str, Any] = {"wiring": {"connections": connections}} if connections else {}
            file = bench_file(tmp_path, base, simulation={"noise": noise, **simulation}, **changes)
            described = load_bench(file)
            specification = visa_specification(described, file, True, seed)
            return TransistorRig(stack.enter_context(open_bench(described, specification, "pitfalls")))

        yield opened
