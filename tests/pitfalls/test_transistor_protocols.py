"""The AAB protocols show none of F18 to F28, and the plan lays the gate on an SMU where an RSU would not bear it.

What is refused, and what ends a run: ``tests/cli/test_transistor_bad_input.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl import api, load_run
from labctl.plan import operations as o
from labctl.protocol.catalogue import catalogue
from labctl.store.flags import Flags

SMALL: dict[str, dict[str, str]] = {
    "conditioned_pulse": {},
    "conditioned_train": {"duration": "3 s"},
    "conditioning": {},
    "conditioning_map": {"levels": "[38 V, 42 V]", "times": "[3 s]"},
    "control_devices": {},
    "cyclic_transfer": {},
    "gaussian_synapse": {"times": "[3 s]"},
    "integration_bursts": {"counts": "[1, 400]", "repeats": "2"},
    "integration_envelope": {"trains": "2"},
    "integration_high_current": {},
    "negative_pulses": {"duration": "3 s"},
    "non_plastic_state": {"rounds": "3", "within": "500 pA"},
    "output_curves": {"gates": "[-5 V]"},
    "paper_sequence": {"count": "3"},
    "pulse_train": {"count": "3"},
    "retention": {"duration": "5 s"},
    "single_pulse": {},
    "transfer_curves": {},
}
FAST = {"integration_bursts", "integration_envelope", "integration_high_current"}


def confirmed(*step: str) -> None:
    """An operator who has done it."""


def test_the_table_has_every_shipped_protocol() -> None:
    assert set(SMALL) == {e.name.removeprefix("aab/") for e in catalogue() if e.name.startswith("aab/")}


@pytest.mark.parametrize("name", SMALL)
def test_shipped_protocols_show_none_of_the_pitfalls(worlds: list[Any], tmp_path: Path, name: str) -> None:
    ready = api.prepare(f"aab/{name}", overrides=SMALL[name])
    done = api.run(ready, out=tmp_path, ask_operator=confirmed)
    assert (done.status, done.unsafe) == ("complete", ()), done.reason
    world, run = worlds[-1], load_run(done.path)
    world.circuit.settle()
    extremes = world.circuit.extremes
    assert max(-extremes["gate"].lowest, extremes["gate"].highest) <= 42.0 * 1.001
    assert max(-extremes["drain"].lowest, extremes["drain"].highest) <= 5.0 * 1.001
    assert world.device.dose()["oxide_seconds"] < 1e-4
    flags = int(np.bitwise_or.reduce([int(f) for table in run.tables.values() for f in table["flags"]]))
    assert flags == (int(Flags.FAST_EDGES) if name in FAST else 0)  # F27, F28; no compliance, no overflow
    assert not any(port.connected for port in world.circuit.ports.values())
    for _, bias in run.tables["bias"].iterrows():  # F18, F20, F21
        assert abs(bias["true_extreme"]) == pytest.approx(abs(bias["level"]), rel=1e-3)
        assert bias["max_current"] < 1e-9
        held = bias["stop"] - bias["start"]
        asked = next(float(t) for t in _durations(ready.plan) if abs(t - held) < 0.2)
        assert held == pytest.approx(asked, abs=0.2)
    assert {"gate": "b1500.5"}.items() <= _at_bias(ready.plan).items() or run.tables["bias"].empty


def _durations(plan: Any) -> set[float]:
    """Times of the plan's biases (s), loop values included."""
    found: set[float] = set()
    for op in o.walk(plan.ops):
        if isinstance(op, o.Bias):
            found.add(op.duration.constant)
        if isinstance(op, o.ForEach):
            found |= set(op.axis.values)
    return found | set(np.geomspace(5.0, 120.0, 5)[[2]])


def _at_bias(plan: Any) -> dict[str, str]:
    """Terminal -> source of the biases beyond 25 V."""
    return {op.terminal: op.source for op in o.walk(plan.ops) if isinstance(op, o.Bias)}


# -- the plan ---------------------------------------------------------------------------------------------------------


def test_f18_the_plan_lays_the_gate_on_an_smu_for_40_v() -> None:
    plan = api.prepare("aab/conditioning").plan
    ops = list(o.walk(plan.ops))
    (bias,) = [op for op in ops if isinstance(op, o.Bias)]
    assert bias.source == "b1500.5"
    moved = [op for op in ops if isinstance(op, o.Connect) and op.source == "b1500.5"]
    assert len(moved) == 1
    assert moved[0].manual
    assert "straight on gate" in moved[0].operator
    assert set(moved[0].quiet) == {"b1500.3", "wgfmu.101"}
    assert ops.index(moved[0]) < ops.index(bias)
    assert plan.violations == ()
