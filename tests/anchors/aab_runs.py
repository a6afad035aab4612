"""AAB protocols run as ``labctl run`` does, on the shipped benches with noise and flicker on, and analysed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from labctl import api, load_run
from labctl.testing import bench_file


@dataclass
class Done:
    """A finished run with its results; currents in nA, voltages in V."""

    run: Any
    results: list[Any]

    def result(self, quantity: str, state: str | None = None, at: float | None = None) -> Any:
        """The one result of a quantity, in its unit (A, V)."""
        (found,) = [
            r
            for r in self.results
            if r.quantity == quantity
            and (state is None or r.state == state)
            and (at is None or abs(r.at - at) < 1e-9 * max(1.0, abs(at)))
        ]
        return found

    def curve(self, name: str, index: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gate voltages and drain currents of the ``index``-th curve of a name."""
        table = self.run.tables["sweep"]
        rows = table[(table["name"] == name) & (table["measured"] == "drain")]
        trace = self.run.traces[int(rows["trace"].iloc[index])]
        return np.asarray(trace["set"]), np.asarray(trace["current"]) * 1e9

    def currents(self, name: str) -> NDArray[np.float64]:
        """Readings of a name, in order."""
        table = self.run.tables["current"]
        chosen = table[(table["name"] == name) & (table["terminal"] == "drain")]
        return chosen["value"].to_numpy() * 1e9

    def offset(self, name: str = "transfer") -> float:
        """What leaks beside the device (F25): the current at the turn of a cyclic curve, where the device is off."""
        _, current = self.curve(name)
        turn = len(current) // 2
        return float(current[turn - 3 : turn + 3].mean())


Measure = Callable[..., Done]


@pytest.fixture(name="measure_aab")
def measure_fixture(tmp_path: Path) -> Measure:
    """``measure("single_pulse", seed=2, parameters={"kind": "mos2"}, level="9 V")``."""

    def run(
        name: str, bench: str = "aab", seed: int = 1, parameters: dict[str, Any] | None = None, **overrides: str
    ) -> Done:
        file = bench_file(tmp_path, bench, simulation={"parameters": parameters or {}})
        outcome = api.run(
            f"aab/{name}", file, overrides=overrides, seed=seed, out=tmp_path / "runs", ask_operator=lambda *step: None
        )
        assert (outcome.status, outcome.unsafe) == ("complete", ()), outcome.reason
        return Done(load_run(outcome.path), api.analyze(outcome.path))

    return run


def agree(measured: dict[Any, float], expected: dict[Any, float], tolerance: float) -> None:
    """Every value of a mapping within ``tolerance`` of what is expected."""
    away = {key: round(measured[key] - value, 4) for key, value in expected.items()}
    assert max(map(abs, away.values())) <= tolerance, away
