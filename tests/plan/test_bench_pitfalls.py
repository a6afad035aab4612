"""What a plan can see of the pitfalls F1-F31: refused where it is a limit or drives two sources, else warned of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from labctl.bench.description import BenchDescription
from labctl.bench.loading import find_bench, load_bench, parse_bench
from labctl.plan import operations as o
from labctl.plan.build import build_plan
from labctl.plan.contention import check_contention
from labctl.plan.findings import Findings
from labctl.plan.plan import Plan, Violation
from labctl.plan.sources import Sources
from labctl.protocol import loads_protocol

HEAD = "protocol: 1\ntitle: t\nmeasures: [H3]\nbench: hnno\nsteps:\n"
PULSE = "  - pulse: {at: pd, level: 4.2 V, width: 100 us}\n"
READ = "  - read: {resistance: pd, as: r}\n"


def edited(base: str, *edits: tuple[str, str]) -> BenchDescription:
    text = find_bench(base).read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return parse_bench(text, "b.yaml")


def plan(steps: str, on: str | BenchDescription = "hnno") -> Plan:
    return build_plan(loads_protocol(HEAD + steps, "p.yaml"), load_bench(on) if isinstance(on, str) else on, seed=1)


def quantities(planned: Plan) -> list[tuple[str, str]]:
    return [(v.limit.quantity, v.limit.whose) for v in planned.violations]


# --- two sources on one node (F5, F6, F7) -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "edits"),
    [
        ("hnno", [("{smu: 0, afg: 1}", "{smu: 0, afg: 0}")]),
        ("hnno_t1", [("smu.a, to: pd, isolation: output", "smu.a, to: pd, isolation: direct")]),
        ("hnno_t1", [("isolation: output", "isolation: direct")]),
    ],
)
def test_two_sources_that_nothing_keeps_apart_are_refused(base: str, edits: list[tuple[str, str]]) -> None:
    assert ("sources", "wiring") in quantities(plan(READ + PULSE, edited(base, *edits)))


def contention(ops: tuple[o.Op, ...], planned: Plan, bench: str = "hnno") -> list[Violation]:
    on = load_bench(bench)
    findings = Findings(planned.nodes)
    check_contention(ops, on, Sources(on), findings)
    return findings.violations


@pytest.mark.parametrize("bench", ["hnno", "hnno_t1", "hnno_t2"])
def test_a_plan_whose_switching_is_taken_out_is_refused(bench: str) -> None:
    planned = plan("  - repeat: 3\n    do:\n    " + PULSE.replace("  - ", "  - ") + "    " + READ, bench)
    assert contention(planned.ops, planned, bench) == []

    def without(ops: tuple[o.Op, ...], which: int) -> tuple[o.Op, ...]:
        kept: list[o.Op] = []
        for op in ops:
            if isinstance(op, o.Repeat | o.Program):
                kept.append(replace(op, body=without(op.body, which)))
            elif isinstance(op, o.Connect):
                counted.append(op)
                if len(counted) - 1 != which:
                    kept.append(op)
            else:
                kept.append(op)
        return tuple(kept)

    connects = sum(isinstance(op, o.Connect) for op in o.walk(planned.ops))
    for which in range(connects):
        counted: list[o.Connect] = []
        assert contention(without(planned.ops, which), planned, bench), which


def test_a_rival_that_is_not_quieted_is_refused() -> None:
    planned = plan(PULSE + READ, "hnno_t1")
    noisy = tuple(replace(op, quiet=()) if isinstance(op, o.Connect) else op for op in planned.ops)
    assert contention(noisy, planned, "hnno_t1")


# --- instruments (F4) -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "quantity", "whose"),
    [
        ("  - pulse: {at: pd, level: 4 V, width: 1 us, edge: 0.9 us}\n", "edge", "afg.1"),
        ("  - train: {at: pd, level: 4 V, width: 1 us, gap: 1 us, count: 2e6}\n", "pulses", "afg.1"),
        ("  - train: {at: pd, level: 4 V, width: 1 us, period: 1.5e3 s, count: 2}\n", "period", "afg.1"),
        (
            "  - for: {t: [4 us, 20 us]}\n    do:\n"
            "      - train: {at: pd, level: 4 V, width: 5 us, period: $t, count: 2}\n",
            "period",
            "afg.1",
        ),
        ("  - pulse: {at: pd, level: 1 mV, width: 1 us}\n", "amplitude", "afg.1"),
        ("  - read: {resistance: pd, compliance: 2 A}\n", "compliance", "smu.a"),
        ("  - read: {resistance: pd, compliance: 50 pA}\n", "compliance", "smu.a"),
        ("  - read: {resistance: pd, nplc: 50}\n", "nplc", "smu.a"),
        ("  - sweep: {at: pd, from: 0 V, to: 0.1 V, points: 70000, compliance: 1 mA}\n", "points", "smu.a"),
    ],
)
def test_what_an_instrument_cannot_do_is_refused(steps: str, quantity: str, whose: str) -> None:
    assert (quantity, whose) in quantities(plan(steps))


RECORD = (
    "  - sample:\n      current: drain\n      interval: 10 us\n      window: 10 us\n      range: 1 uA\n"
    "      bias: {drain: 2 V}\n      as: x\n      during:\n"
    "        - train: {at: gate, level: -4 V, width: 1 us, gap: 1 us, count: 100}\n"
)


@pytest.mark.parametrize(
    ("old", "new", "quantity"),
    [
        ("range: 1 uA", "range: 1 A", "range"),
        ("window: 10 us", "window: 100 us", "window"),
        ("current: drain", "current: gate", "sources"),
    ],
)
def test_a_record_is_what_a_fast_unit_can_take(old: str, new: str, quantity: str) -> None:
    assert quantities(plan(RECORD, "aab")) == []
    assert quantity in [found for found, _ in quantities(plan(RECORD.replace(old, new), "aab"))]


def test_an_rsu_passes_what_its_maker_says_whatever_the_bench_file_says() -> None:
    steps = "  - read: {current: gate, bias: {gate: 30 V, drain: 0 V}, range: 1 uA, compliance: 1 uA}\n"
    manual = "    - {from: b1500.5, to: gate, isolation: direct, manual: true, capacitance: 300 pF}\n"
    generous = edited("aab", ("limit: 25 V", "limit: 50 V"), (manual, ""))
    assert quantities(plan(steps, generous)) == [("voltage", "b1500.3")]


def test_the_envelope_of_an_smu_is_held() -> None:
    steps = "  - bias: {at: gate, level: 40 V, for: 1 s, ramp: 100 V/s, compliance: 80 mA, grounded: [drain]}\n"
    assert ("compliance", "b1500.3") in quantities(plan(steps, "aab_w2"))


def test_a_step_of_forty_volts_needs_a_ramp() -> None:
    steps = "  - bias: {at: gate, level: 40 V, for: 1 s, grounded: [drain], abort_above: 1 nA}\n"
    assert quantities(plan(steps, "aab_w2")) == [("voltage", "device")]
    assert quantities(plan(steps.replace("for:", "ramp: 100 V/s, for:"), "aab_w2")) == []


# --- warnings ---------------------------------------------------------------------------------------------------------

BIAS = "  - bias: {at: gate, level: 40 V, for: 1 s, ramp: 100 V/s, grounded: [drain], abort_above: 1 nA}\n"
GATE_PULSE = "  - pulse: {at: gate, level: 10 V, width: 1 ms}\n"
SWEEP = "  - sweep: {at: gate, from: -15 V, to: 15 V, points: 5, mode: cyclic, bias: {drain: 2 V}, compliance: 1 uA}\n"


@pytest.mark.parametrize(
    ("pitfall", "steps", "base", "edits"),
    [
        ("F2", PULSE, "hnno", [("[25 kohm", "[1 kohm"), ("energy: 2 uJ", "energy: 20 uJ"), ("1 mA", "10 mA")]),
        ("F3", PULSE.replace("width", "base: -2.1 V, width"), "hnno", []),
        ("F9", "  - read: {resistance: pd, compliance: 1 uA}\n", "hnno", []),
        ("F10", "  - read: {resistance: pd, range: 1 uA}\n", "hnno", []),
        ("F11", "  - read: {resistance: pd, range: 1 uA, compliance: 100 uA, delay: 0.1 ms}\n", "hnno", []),
        ("F12", SWEEP.replace("points: 5", "points: 5, dwell: 0.1 s"), "aab_w2", []),
        ("F20", BIAS.replace("grounded", "compliance: 1 nA, grounded"), "aab_w2", []),
        ("F23", BIAS + GATE_PULSE, "aab", []),
        ("F25", SWEEP.replace("points: 5", "points: 5, measure: [drain], range: 1 nA"), "aab", []),
        ("F29", PULSE.replace("100 us", "20 ns"), "hnno", []),
        ("F30", SWEEP.replace("bias: {drain: 2 V}, ", ""), "aab_w2", []),
    ],
)
def test_a_pitfall_is_warned_of(pitfall: str, steps: str, base: str, edits: list[tuple[str, str]]) -> None:
    warnings = plan(steps, edited(base, *edits)).warnings
    assert any(f"({pitfall})" in text and text.startswith("p.yaml:") for text in warnings), warnings


def test_a_sweep_between_bias_and_pulse_empties_the_traps() -> None:
    assert not any("F23" in text for text in plan(BIAS + SWEEP + GATE_PULSE, "aab").warnings)


TRIALS: dict[str, Any] = {
    "none": ("", True),
    "reset": ("      - pulse: {at: pd, level: -4.2 V, width: 100 us, role: reset}\n", False),
    "weaker words": ("      - pulse: {at: pd, level: -4.2 V, width: 100 us}\n", False),
}


@pytest.mark.parametrize("case", TRIALS)
def test_trials_without_a_reset_are_warned_of(case: str) -> None:
    reset, warned = TRIALS[case]
    steps = (
        "  - read: {resistance: pd, as: a}\n  - repeat: 10\n    do:\n"
        "      - pulse: {at: pd, level: 4.2 V, width: 100 us, role: probe}\n      - read: {resistance: pd, as: b}\n"
        + reset
        + "      - spike: {from: b, against: a, below: 0.5}\n"
    )
    assert any("F15" in text for text in plan(steps).warnings) is warned
