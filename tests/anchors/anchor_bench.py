"""One measurement through the whole path: protocol file, driver, VISA bytes, instrument, circuit, device, run file,
analysis; and the simulated device as the measurement leaves it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labctl import api, load_run
from labctl.analysis import Result, analyze_run
from labctl.store import Run
from labctl.testing import bench_file

HERE = Path(__file__).parent
#: limits of a device that is to be destroyed
STRONG: dict[str, Any] = {"voltage": {"pd": "9 V"}, "field": None, "energy": None, "dwell": []}
#: limits of a device whose pulses last 10 ms
LONG: dict[str, Any] = {"energy": None}


@dataclass(frozen=True)
class Measured:
    """A run, what its protocol asks of the analysis, the device's memory after it, and the command that repeats it."""

    run: Run
    results: list[Result]
    device: dict[str, Any]
    command: str
    bench: Path

    def result(self, quantity: str, state: str | None = None, at: float | None = None) -> Result:
        """The one result of that quantity, state and abscissa."""
        (found,) = self.all(quantity, state, at)
        return found

    def all(self, quantity: str, state: str | None = None, at: float | None = None) -> list[Result]:
        return [
            r
            for r in self.results
            if r.quantity == quantity
            and (state is None or r.state == state)
            and (at is None or bool(np.isclose(r.at, at)))
        ]

    def spikes(self, state: str | None = None, at: float | None = None) -> tuple[int, int]:
        """(spikes, trials) of one probability."""
        found = self.result("probability", state, at)
        return round(found.value * found.n), found.n

    @property
    def sensitization(self) -> float:
        """S + q in V."""
        return float(self.device["consolidated"] + self.device["labile"])

    @property
    def failed_resets(self) -> int:
        return int((~self.run.tables["confirm"]["ok"].to_numpy(bool)).sum())


class Laboratory:
    """Runs protocols on simulated benches of its own, each with a fresh device unless told to go on with one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._count = 0

    def measure(
        self,
        protocol: str,
        seed: int,
        *,
        limits: Mapping[str, Any] | None = None,
        simulation: Mapping[str, Any] | None = None,
        allow: Sequence[str] = (),
        requests: Iterable[Mapping[str, Any]] | None = None,
        on: Measured | None = None,
        **parameters: str,
    ) -> Measured:
        """Run ``protocol`` (a catalogue name, or a file of this folder) with ``parameters`` as ``--set`` takes them.

        ``limits`` and ``simulation`` are merged into the bench file; ``on`` goes on with the device of an earlier
        measurement; ``requests`` are analysed instead of those of the protocol.
        """
        self._count += 1
        own = HERE / protocol
        name: str | Path = own if own.suffix == ".yaml" else protocol
        if on is None:
            changes = {"device": {"limits": dict(limits or {})}, "simulation": dict(simulation or {})}
            changes["simulation"]["state"] = str(self._folder / f"device-{self._count}.json")
            bench = bench_file(self._folder, "hnno", **changes)
            state = Path(changes["simulation"]["state"])
        else:
            bench = on.bench
            state = self._state_of(bench)
        outcome = api.run(
            name, bench, overrides=parameters, seed=seed, allow=allow, out=self._folder / f"run-{self._count}"
        )
        assert outcome.status == "complete", outcome.reason
        run = load_run(outcome.path)
        command = ["labctl", "run", protocol, "--seed", str(seed)]
        command += [word for key, text in parameters.items() for word in ("--set", f"{key}={text}")]
        command += [word for exception in allow for word in ("--allow", exception)]
        device = json.loads(state.read_text(encoding="utf-8"))["state"]
        return Measured(run, analyze_run(run, requests), device, shlex.join(command), bench)

    @staticmethod
    def _state_of(bench: Path) -> Path:
        from labctl.bench.loading import load_bench

        state = load_bench(bench).simulation.state
        assert state is not None
        return Path(state)
