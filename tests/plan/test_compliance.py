"""Sweeps that must run into their compliance are refused by the plan, and only those."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labctl import api
from labctl.plan.plan import Violation
from labctl.testing import bench_file

Violations = Callable[..., tuple[Violation, ...]]


@pytest.fixture(name="violations")
def violations_fixture(tmp_path: Path) -> Violations:
    def found(steps: str, bench: str = "aab") -> tuple[Violation, ...]:
        file = tmp_path / "p.yaml"
        file.write_text(f"protocol: 1\ntitle: t\nbench: {bench}\nsteps:\n{steps}", encoding="utf-8")
        return api.prepare(file).plan.violations

    return found


def output(to: str = "5 V", gate: str = "-5 V", limit: str = "10 pA", more: str = "") -> str:
    """An output curve: a step of a protocol."""
    return f"sweep: {{at: drain, from: 0 V, to: {to}, points: 6, bias: {{gate: {gate}}}, compliance: {limit}{more}}}\n"


@pytest.mark.parametrize(
    ("to", "gate", "limit", "more", "refused"),
    [
        ("5 V", "-5 V", "10 pA", "", True),
        ("5 V", "-5 V", "20 pA", "", False),  # expected: at least 20 pA
        ("5 V", "-5 V", "10 pA", ", on_compliance: flag", False),
        ("1.9 V", "-5 V", "10 pA", "", False),  # the drain never reaches 2 V
        ("-5 V", "-5 V", "10 pA", "", False),
        ("5 V", "0 V", "10 pA", "", False),
        ("5 V", "-5 V", "{drain: 1 nA, gate: 10 pA}", "", False),
    ],
)
def test_expected_currents(violations: Violations, to: str, gate: str, limit: str, more: str, refused: bool) -> None:
    found = violations("  - " + output(to, gate, limit, more))
    assert bool(found) == refused
    if refused:
        (only,) = found
        assert only.where.endswith("p.yaml:5:5")
        assert (only.value, only.limit.value) == (20e-12, 10e-12)
        assert "compliance of drain" in only.limit.name
        assert "gate -6 to -4 V" in only.limit.name


def test_a_gate_sweep_that_passes_the_peak_counts_too(violations: Violations) -> None:
    ends = "to: 15 V, step: 1 V, bias: {drain: 2 V}, compliance: 10 pA"
    assert len(violations(f"  - sweep: {{at: gate, measure: drain, from: -15 V, {ends}}}\n")) == 1
    assert violations(f"  - sweep: {{at: gate, measure: drain, from: -3 V, {ends}}}\n") == ()


def test_loops_are_taken_value_by_value(violations: Violations) -> None:
    body = f"    do:\n      - {output(gate='$vg')}"
    assert violations(f"  - for: {{vg: [-10 V, -5 V, 0 V]}}\n{body}")
    assert violations(f"  - for: {{vg: [-10 V, 0 V]}}\n{body}") == ()  # -5 V is between, but never applied


def test_the_preparation_of_a_state_is_certain_too(violations: Violations) -> None:
    assert violations("  - state:\n      name: ready\n      prepare:\n        - " + output())


def test_what_may_not_happen_is_left_to_the_run(violations: Violations) -> None:
    search = "  - until: {reading: curve, quantity: peak_current, near: 1 nA, within: 1 pA}\n    at_most: 3\n"
    search += "    vary: {vg: {from: -6 V, to: 0 V}}\n    do:\n      - "
    assert violations(search + output(gate="$vg", more=", as: curve")) == ()
    assert violations(search + output(more=", as: curve"))  # the search moves something else
    assert violations(f"  - repeat: 0\n    do:\n      - {output()}") == ()


@pytest.mark.parametrize(("limit", "refused"), [("3.9 uA", True), ("4 uA", False)])
def test_the_largest_resistance_of_a_two_terminal_device(violations: Violations, limit: str, refused: bool) -> None:
    found = violations(f"  - sweep: {{at: pd, from: -4 V, to: 4 V, points: 9, compliance: {limit}}}\n", "hnno")
    assert [round(v.value * 1e6, 9) for v in found] == ([4.0] if refused else [])


def test_a_bench_that_expects_nothing_refuses_nothing(tmp_path: Path) -> None:
    file = bench_file(tmp_path, "aab", device={"expected": []})
    protocol = tmp_path / "p.yaml"
    protocol.write_text(f"protocol: 1\ntitle: t\nsteps:\n  - {output()}", encoding="utf-8")
    assert api.prepare(protocol, file).plan.violations == ()
