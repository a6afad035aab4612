"""Runs of the AAB bench in memory, made with the simulated device: rows as execution records them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fake_run import FakeRun

from sim_backend.devices.aab import AabTransistor

UP = np.arange(-15.0, 15.001, 0.25)
CYCLIC = np.concatenate([UP, UP[::-1]])  # the turning point is measured twice
TRIANGLE = 50e-9


@dataclass
class TransistorBench:
    """An AAB device and a meter with relative (flicker) and absolute noise; every method adds rows to ``run``."""

    device: AabTransistor = field(default_factory=AabTransistor)
    flicker: float = 0.0
    floor: float = 0.0  # A rms of a sample
    offset: float = 0.0  # A, of the meter and what leaks into it
    vds: float = 2.0
    seed: int = 1
    run: FakeRun = field(
        default_factory=lambda: FakeRun(meta={"device": "aab-1", "simulated": True, "status": "complete"})
    )
    now: float = 0.0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.run.loops = {"number": -1}

    def hold(self, seconds: float, vg: float) -> None:
        self.device.hold(seconds, vg)
        self.now += seconds

    def noisy(self, current: np.ndarray) -> np.ndarray:
        """What the meter makes of true currents (A)."""
        size = np.shape(current)
        flicker, floor = self.flicker * self.rng.normal(size=size), self.floor * self.rng.normal(size=size)
        return current * (1 + flicker) + floor + self.offset

    def add(self, kind: str, flags: int = 0, trace: dict[str, np.ndarray] | None = None, **columns: Any) -> None:
        self.run.add(kind, flags, trace, time=self.now, **columns)

    def transfer(
        self,
        name: str = "transfer",
        levels: np.ndarray = CYCLIC,
        vds: float | None = None,
        dwell: float = 0.1,
        status: np.ndarray | None = None,
        flags: int = 0,
    ) -> None:
        """Gate sweep with drain and gate measured at the end of each dwell."""
        supply = self.vds if vds is None else vds
        true = []
        for level in levels:
            self.hold(dwell, float(level))
            true.append(self.device.channel_current(supply))
        time = np.arange(1, len(levels) + 1) * dwell
        word = np.zeros(len(levels), int) if status is None else status
        gate = np.array([self.device.gate_current(v) for v in levels])
        held = {"set": levels, "time": time, "status": word}
        common = {"name": name, "terminal": "gate", "points": len(levels), "bias": f"drain={supply:g} V"}
        drain = held | {"voltage": np.full(len(levels), supply), "current": self.noisy(np.array(true))}
        self.add("sweep", flags, drain, measured="drain", **common)
        self.add("sweep", 0, held | {"voltage": levels, "current": self.noisy(gate)}, measured="gate", **common)

    def output(self, levels: np.ndarray, vg: float, dwell: float = 0.1, name: str = "output") -> None:
        """Drain sweep at a fixed gate voltage."""
        true = []
        for level in levels:
            self.hold(dwell, vg)
            true.append(self.device.channel_current(float(level)))
        trace = {
            "set": levels, "voltage": levels, "current": self.noisy(np.array(true)),
            "time": np.arange(len(levels)) * dwell, "status": np.zeros(len(levels), int),
        }  # fmt: skip
        self.add("sweep", 0, trace, name=name, terminal="drain", measured="drain", points=len(levels), bias="")

    def read(self, name: str, samples: int = 10, delay: float = 0.1, flags: int = 0, vds: float | None = None) -> None:
        """Drain current at zero gate voltage after ``delay``, without loss of time for the samples."""
        if delay:
            self.hold(delay, 0.0)
        supply = self.vds if vds is None else vds
        amps = self.noisy(np.full(samples, self.device.channel_current(supply)))
        trace = {"time": np.arange(samples) * 0.02, "current": amps, "status": np.zeros(samples, int)}
        self.add(
            "current", flags, trace, name=name, terminal="drain", value=float(amps.mean()), samples=samples,
            std=float(amps.std(ddof=1)) if samples > 1 else np.nan, voltage=supply, true_voltage=supply,
        )  # fmt: skip

    def pulse(self, level: float, width: float) -> None:
        self.hold(width, level)
        self.add("pulse", terminal="gate", role="", name="", level=level, width=width, base=0.0, count=1, period=np.nan)

    def condition(self, seconds: float, level: float = 40.0, wait: float = 1.0, flags: int = 0) -> None:
        """Conditioning gate bias, then a pause at 0 V."""
        start = self.now
        self.hold(seconds, level)
        time = np.linspace(0, seconds, 50)
        leak = self.noisy(np.full(50, self.device.gate_current(level)))
        self.add(
            "bias", flags, {"time": time, "current": leak, "status": np.zeros(50, int)}, terminal="gate", level=level,
            start=start, stop=self.now, max_current=float(np.abs(leak).max()),
        )  # fmt: skip
        self.hold(wait, 0.0)

    def train(self, count: int = 60, level: float = 10.0, width: float = 1e-3, samples: int = 10) -> None:
        """Pulses with a reading at the end of each interval."""
        for number in range(count):
            self.run.loops["number"] = number
            self.pulse(level, width)
            self.read("train", samples, delay=width)
        self.run.loops["number"] = -1

    def triangles(self, level: float, count: int = 4000, window: int = 50, trains: int = 1, noise: float = 0.0) -> None:
        """Record of means over whole periods during a train of triangles, from the pristine state each time."""
        for train in range(trains):
            self.device = AabTransistor(self.device.parameters)
            passage = self.device.run([(TRIANGLE, 0.0, level), (TRIANGLE, level, 0.0), (2 * TRIANGLE, 0.0, 0.0)], count)
            ends = passage.channel_current(np.arange(count), np.array([4 * TRIANGLE]), self.vds)[:, 0]
            amps = ends.reshape(-1, window).mean(axis=1) + noise * self.rng.normal(size=count // window)
            time = (np.arange(amps.size) + 0.5) * window * 4 * TRIANGLE
            self.run.loops = self.run.loops | {"train": train}
            self.add(
                "sample", 0, {"time": time, "current": amps, "status": np.zeros(amps.size, int)}, name="response",
                terminal="drain", points=amps.size, interval=window * 4 * TRIANGLE, window=window * 4 * TRIANGLE,
                range=1e-6,
            )  # fmt: skip

    def record(self, name: str, seconds: float, interval: float) -> None:
        """Drain current at zero gate voltage against time."""
        count = round(seconds / interval)
        true = []
        for _ in range(count):
            self.hold(interval, 0.0)
            true.append(self.device.channel_current(self.vds))
        trace = {
            "time": np.arange(count) * interval, "current": self.noisy(np.array(true)), "status": np.zeros(count, int)
        }  # fmt: skip
        common = {"terminal": "drain", "points": count, "interval": interval, "window": interval, "range": 1e-9}
        self.add("sample", 0, trace, name=name, **common)
