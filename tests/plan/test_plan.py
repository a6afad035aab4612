"""Lowering, switching, proof and cost of plans: no instrument is involved."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.bench.loading import load_bench
from labctl.plan import operations as o
from labctl.plan.build import build_plan
from labctl.plan.errors import PlanError, describe
from labctl.plan.plan import Plan
from labctl.protocol import loads_protocol

HEAD = "protocol: 1\ntitle: t\nmeasures: [H3]\nbench: hnno\nsteps:\n"
PULSE = "  - pulse: {at: pd, level: 4.2 V, width: 100 us}\n"
RESET = "  - pulse: {at: pd, level: -4.2 V, width: 100 us, role: reset}\n"
READ = "  - read: {resistance: pd, as: r}\n"


def plan(steps: str, bench: str = "hnno", allow: tuple[str, ...] = (), seed: int = 1) -> Plan:
    return build_plan(loads_protocol(HEAD + steps, "p.yaml"), load_bench(bench), seed=seed, allow=allow)


def kinds(ops: tuple[o.Op, ...]) -> list[str]:
    return [type(op).__name__ for op in ops]


def test_switching_is_inserted_between_pulse_and_read() -> None:
    ops = plan(PULSE + READ + PULSE).ops
    assert kinds(ops) == ["Arm", "Connect", "Pulses", "Connect", "ReadResistance", "Connect", "Pulses"]
    relays = [(op.line, op.level, op.time) for op in ops if isinstance(op, o.Connect)]
    assert relays == [("smu.digio.1", 1, 5e-3), ("smu.digio.1", 0, 5e-3), ("smu.digio.1", 1, 5e-3)]


def test_no_switching_where_the_source_stays() -> None:
    assert kinds(plan(READ + READ + READ).ops) == ["Connect", *["ReadResistance"] * 3]


def test_a_loop_switches_for_its_second_pass() -> None:
    """Entered on the SMU, left on the AFG: the read at the top needs its switch in every pass."""
    ops = plan(
        READ + "  - repeat: 3\n    do:\n      - read: {resistance: pd, as: r}\n    " + PULSE.replace("  -", "  -")
    ).ops
    (loop,) = [op for op in ops if isinstance(op, o.Repeat)]
    assert kinds(loop.body) == ["Connect", "ReadResistance", "Connect", "Pulses"]


def test_wiring_t1_quiets_the_other_source() -> None:
    connects = [op for op in plan(PULSE + READ, "hnno_t1").ops if isinstance(op, o.Connect)]
    assert [(op.source, op.quiet, op.line) for op in connects] == [("afg.1", ("smu.a",), ""), ("smu.a", ("afg.1",), "")]


def test_wiring_t2_holds_the_loop_at_zero() -> None:
    ops = plan(PULSE + READ, "hnno_t2").ops
    ammeter, generator = [op for op in ops if isinstance(op, o.Hold)]
    assert (ammeter.source, ammeter.level.constant) == ("smu.a", 0.0)
    assert ammeter.compliance >= 2 * 5.5 / 50e3
    assert (generator.source, generator.level.constant) == ("afg.1", 0.0)
    assert kinds(ops) == ["Arm", "Connect", "Connect", "Hold", "Pulses", "Hold", "ReadResistance"]


def test_fields_become_voltages_through_the_channel_length() -> None:
    (pulse,) = [op for op in plan(PULSE.replace("4.2 V", "0.21 V/um")).ops if isinstance(op, o.Pulses)]
    assert pulse.parts[0].level.constant == pytest.approx(4.2)


def test_retry_repeats_from_the_latest_reset_and_switches() -> None:
    steps = (
        READ
        + RESET
        + "  - wait: 10 ms\n  - read: {resistance: pd, as: after}\n"
        + "  - confirm: {reset: after, against: r, within: 20 %}\n"
    )
    confirm = plan(steps).ops[-1]
    assert isinstance(confirm, o.Confirm)
    assert kinds(confirm.again) == ["Connect", "Pulses", "Wait", "Connect", "ReadResistance"]


def test_hardware_limits_come_first_and_span_the_plan() -> None:
    steps = (
        "  - for: {v: {linspace: [3.4, 5.0, 9], unit: V}}\n    do:\n      - pulse: {at: pd, level: $v, width: 100 us}\n"
        + RESET
    )
    arm = plan(steps).ops[0]
    assert isinstance(arm, o.Arm)
    assert (arm.low, arm.high) == (-4.2, 5.0)


@pytest.mark.parametrize(
    ("steps", "quantity", "whose", "excess"),
    [
        (PULSE.replace("4.2 V", "5.6 V"), "voltage", "device", 0.1),
        (PULSE.replace("4.2 V", "-8.4 V"), "voltage", "device", 2.9),
        (PULSE.replace("100 us", "5 ns"), "width", "afg.1", None),
        ("  - sweep: {at: pd, from: 0 V, to: 6.5 V, points: 11, compliance: 10 uA}\n", "voltage", "device", 1.0),
        (
            "  - for: {v: [3 V, 7 V]}\n    do:\n      - pulse: {at: pd, level: $v, width: 1 us}\n",
            "voltage",
            "device",
            1.5,
        ),
    ],
)
def test_limits_are_proved(steps: str, quantity: str, whose: str, excess: float | None) -> None:
    violations = plan(steps).violations
    found = [v for v in violations if v.limit.quantity == quantity and v.limit.whose == whose]
    assert found, violations
    if excess is not None:
        assert found[0].excess == pytest.approx(excess)
    assert found[0].where.startswith("p.yaml:")
    assert whose in describe(found[0])


def test_an_exception_needs_protocol_and_run() -> None:
    erase = "  - pulse: {at: pd, level: -6.2 V, width: 100 us}\n"
    block = "  - allow: erase\n    because: back to the initial state\n    do:\n    " + erase.replace("  - ", "  - ")
    assert plan(erase, allow=("erase",)).violations
    refused = plan(block).violations
    assert "--allow erase" in describe(refused[0])
    assert not plan(block, allow=("erase",)).violations
    thirteen = block.replace("do:\n", "do:\n      - repeat: 13\n        do:\n    ")
    assert [v.limit.quantity for v in plan(thirteen, allow=("erase",)).violations] == ["pulses"]


def test_clipping_and_disturbing_reads_are_warned_of() -> None:
    assert "F9" in plan("  - read: {resistance: pd, as: r, compliance: 1 uA}\n").warnings[0]
    assert "disturb" in plan("  - read: {resistance: pd, as: r, window: 0.5 V, compliance: 1 mA}\n").warnings[0]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("  - pulse: {at: gate, level: 1 V, width: 1 ms}\n", "no terminal 'gate'"),
        ("  - bias: {at: pd, level: 1 V, for: 1 s}\n", "can do: bias"),
        ("  - sweep: {at: au, from: 0 V, to: 0.1 V, points: 3, compliance: 1 mA}\n", "'au' is wired to common"),
        ("  - read: {current: au, bias: {pd: 0.1 V}, compliance: 1 mA}\n", "'au' is wired to common"),
    ],
)
def test_what_a_bench_cannot_do_is_said(steps: str, message: str) -> None:
    with pytest.raises(PlanError, match=message) as error:
        plan(steps)
    assert error.value.exit_code == 2


def test_a_million_cycles_stay_one_operation() -> None:
    pulses = "[{level: 4.6 V, width: 100 us}, {level: -4.2 V, width: 100 us}]"
    steps = f"  - train: {{at: pd, pulses: {pulses}, gap: 400 us, count: 1e6}}\n"
    planned = plan(steps)
    assert planned.cost.pulses == 2e6
    assert planned.cost.duration == pytest.approx(1000.0, rel=0.01)
    assert len(list(o.walk(planned.ops))) == 3


def test_the_hash_is_of_the_content() -> None:
    assert plan(PULSE).hash == plan(PULSE).hash
    assert plan(PULSE).hash != plan(PULSE, seed=2).hash
    assert plan(PULSE).hash != plan(RESET).hash


@settings(max_examples=60, deadline=None)
@given(level=st.floats(-9.9, 9.9), width=st.sampled_from(["20 ns", "1 us", "100 us", "10 ms"]))
def test_the_envelope_holds_every_level_and_the_limit_decides(level: float, width: str) -> None:
    planned = plan(f"  - pulse: {{at: pd, level: {level!r} V, width: {width}}}\n" if level else PULSE)
    extent = planned.envelope["pd"]
    assert extent.low <= min(level, 0) or math.isclose(extent.low, level)
    assert extent.high >= max(level, 0) or level == 0
    assert any(v.limit.quantity == "voltage" for v in planned.violations) == (abs(level) > 5.5)


def test_shipped_benches_plan(tmp_path: Path) -> None:
    for bench in ("hnno", "hnno_t1", "hnno_t2"):
        assert not plan(PULSE + READ, bench).violations
