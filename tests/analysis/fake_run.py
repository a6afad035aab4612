"""A run in memory, with the tables that execution writes, from the closed form of the H-NNO model."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

LENGTH = 20e-6


@dataclass
class FakeRun:
    """Collects rows as execution does; ``tables`` and ``meta`` are what analysis reads."""

    meta: dict[str, Any] = field(default_factory=dict)
    path: str = "fake.h5"
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    traces: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    loops: dict[str, Any] = field(default_factory=dict)
    state: str = ""
    count: int = 0

    def add(self, kind: str, flags: int = 0, trace: dict[str, np.ndarray] | None = None, **columns: Any) -> int:
        number = -1
        if trace is not None:
            number = len(self.traces)
            self.traces[number] = trace
        self.rows.setdefault(kind, []).append(
            {"event": self.count, "time": 0.02 * self.count, "step": 0, "state": self.state}
            | self.loops
            | columns
            | {"flags": flags, "trace": number}
        )
        self.count += 1
        return self.count - 1

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Made at the first look, when all rows are there."""
        return {kind: pd.DataFrame(rows) for kind, rows in self.rows.items()}


class Neuron:
    """The H-NNO device as far as analysis sees it: V50, slope, resistances; no drift, no wiring."""

    def __init__(self, seed: int = 1, v50: float = 4.2, s: float = 0.116) -> None:
        self.rng = np.random.default_rng(seed)
        self.v50, self.s, self.spiking = v50, s, False

    def pulse(self, level: float) -> None:
        if level < 0:
            self.spiking = False
        elif self.rng.random() < 1 / (1 + np.exp(-(level - self.v50) / self.s)):
            self.spiking = True

    def resistance(self) -> float:
        centre, sd = (80e3, 0.08) if self.spiking else (400e3, 0.04)
        return float(centre * np.exp(sd * self.rng.normal()))


def read(run: FakeRun, device: Neuron, name: str, flags: int = 0, keep: bool = False) -> float:
    value = device.resistance()
    volts = np.linspace(-0.1, 0.1, 21)
    amps = volts / value + 1e-10 * device.rng.normal(size=21)
    trace = {"set": volts, "voltage": volts, "current": amps, "time": np.arange(21.0), "status": np.zeros(21, int)}
    run.add(
        "resistance", flags, trace if keep else None, name=name, terminal="pd", value=value, stderr=value * 1e-4,
        offset=1e-11, residual=1e-10, points=21, v_max=0.1, range=1e-5,
    )  # fmt: skip
    return value


def trial(run: FakeRun, device: Neuron, level: float, reset: bool = True, flags: int = 0) -> None:
    """Pulse, read, reset, read, judge: a cycle of H2."""
    before = run.meta.setdefault("last_reset", read(run, device, "baseline"))
    run.add("pulse", terminal="pd", role="set", level=level, width=1e-4, base=0.0, count=1, period=np.nan)
    device.pulse(level)
    after = read(run, device, "after_pulse", flags, keep=True)
    if reset:
        run.add("pulse", terminal="pd", role="reset", level=-4.2, width=1e-4, base=0.0, count=1, period=np.nan)
        device.pulse(-4.2)
        run.meta["last_reset"] = read(run, device, "after_reset")
    run.add(
        "spike", flags, name="spike", value=int(after / before < 0.5), ratio=after / before, resistance=after,
        reference=before, criterion=0.5,
    )  # fmt: skip
    if reset:
        run.add("confirm", name="after_reset", ok=True, ratio=1.0, attempt=0)


def probability_run(
    states: dict[str, float], fields: np.ndarray, trials: int = 30, seed: int = 1, simulated: bool = True
) -> FakeRun:
    """H7: P(V) in each state (name -> V50), fields in V/m, shuffled blocks."""
    run = FakeRun(meta={"device": "neuron-7", "simulated": simulated, "status": "complete", "title": "P(V) per state"})
    device = Neuron(seed)
    for state, v50 in states.items():
        run.state, device.v50 = state, v50
        run.loops = {"field": np.nan, "field_index": -1, "trial": -1}
        run.add("state", name=state, passed=True, value=4e5, low=2e5, high=np.inf)
        for index in device.rng.permutation(len(fields)):
            for number in range(trials):
                run.loops = {"field": fields[index], "field_index": index, "trial": number}
                trial(run, device, fields[index] * LENGTH)
    run.meta["resolved"] = {
        "steps": [{"variable": "field", "values": [{"value": f, "unit": "V/m"} for f in fields]}],
        "analyze": [
            {"request": "probability", "of": "spike", "over": "field", "per": ["state"]},
            {"request": "sigmoid", "of": "spike", "over": "field", "per": ["state"]},
            {
                "request": "threshold",
                "of": "spike",
                "over": "field",
                "per": ["state"],
                "level": {"value": 0.1, "unit": ""},
            },
            {"request": "shift", "of": "spike", "over": "field", "per": ["state"], "quantity": "threshold"},
            {"request": "resistance", "of": ["after_reset"], "per": ["state"]},
        ],
    }
    return run
