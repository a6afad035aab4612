"""Only a proved plan is carried out, and only on the bench that it was proved on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl import api
from labctl.bench.opening import OpenBench
from labctl.execution.carry_out import carry_out
from labctl.plan.errors import ForeignPlan, RefusedByLimits
from labctl.plan.plan import Plan
from labctl.store import Header, Recorder, event_tables
from labctl.testing import bench_file


def attempt(plan: Plan, bench: OpenBench, folder: Path) -> Recorder:
    with Recorder.create(folder / "run.h5", Header(protocol=""), event_tables(repeats=("reading",))) as recorder:
        carry_out(plan, bench, recorder, lambda step, what: None)
    return recorder


def test_a_plan_of_another_bench_sends_nothing(simulated_bench: Callable[..., OpenBench], tmp_path: Path) -> None:
    plan = api.prepare("hnno/resistance_read").plan
    bench = simulated_bench(device={"limits": {"voltage": {"pd": "4 V"}}})
    sent: list[bytes] = []
    bench.wire.tap(lambda time, name, direction, data: sent.append(data))
    with pytest.raises(ForeignPlan, match=r"device.limits.voltage.pd: 5\.5 V then, 4 V now") as refusal:
        attempt(plan, bench, tmp_path)
    assert refusal.value.exit_code == 3
    assert "proved on bench 'hnno'" in refusal.value.message
    assert not sent


def test_a_plan_with_violations_sends_nothing(simulated_bench: Callable[..., OpenBench], tmp_path: Path) -> None:
    file = bench_file(tmp_path, device={"limits": {"voltage": {"pd": "50 mV"}}})
    plan = api.prepare("hnno/resistance_read", file).plan
    bench = simulated_bench(device={"limits": {"voltage": {"pd": "50 mV"}}})
    with pytest.raises(RefusedByLimits):
        attempt(plan, bench, tmp_path)


def test_the_same_bench_at_another_address_takes_the_plan(
    simulated_bench: Callable[..., OpenBench], tmp_path: Path
) -> None:
    """Addresses, serial numbers and simulation settings prove nothing."""
    plan = api.prepare("hnno/resistance_read").plan
    bench = simulated_bench(instruments={"smu": {"address": "TCPIP0::h::5025::SOCKET"}}, simulation={"seed": 9})
    assert attempt(plan, bench, tmp_path).events == 20


def test_a_run_of_an_edited_bench_opens_nothing(tmp_path: Path) -> None:
    ready = api.prepare("hnno/resistance_read")
    limits = ready.bench.device.limits.model_copy(update={"current": 1e-6})
    bench = ready.bench.model_copy(update={"device": ready.bench.device.model_copy(update={"limits": limits})})
    with pytest.raises(ForeignPlan, match=r"device.limits.current: 1 mA then, 1 uA now"):
        api.run(dataclasses.replace(ready, bench=bench), out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
