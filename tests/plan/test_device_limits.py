"""Limits of the device beside voltage: field, energy, charge, dwell, pulses; counted exactly through loops."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.bench.description import BenchDescription
from labctl.bench.errors import BenchFileError
from labctl.bench.loading import find_bench, load_bench, parse_bench
from labctl.plan.build import build_plan
from labctl.plan.dose import Dose, TerminalDose
from labctl.plan.errors import describe
from labctl.plan.plan import Plan
from labctl.protocol import loads_protocol
from labctl.protocol.sources import shipped

HEAD = "protocol: 1\ntitle: t\nmeasures: [H3]\nbench: hnno\nsteps:\n"
PULSE = "  - pulse: {at: pd, level: 4.2 V, width: 100 us, role: set}\n"


def bench(base: str = "hnno", **limits: Any) -> BenchDescription:
    """A shipped bench with limits of the device replaced, said as a bench file says them; None takes one away."""
    said = load_bench(base).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    said["device"]["limits"] |= limits
    return BenchDescription.model_validate(said)


def plan(steps: str, on: BenchDescription, allow: tuple[str, ...] = (), used: Dose | None = None) -> Plan:
    return build_plan(loads_protocol(HEAD + steps, "p.yaml"), on, seed=1, allow=allow, used=used)


def refused(planned: Plan) -> dict[str, tuple[float, float]]:
    """Quantity -> (value, limit) of the violations."""
    return {v.limit.quantity: (v.value, v.limit.value) for v in planned.violations}


def nested(text: str, depth: int = 1) -> str:
    return "".join("    " * depth + line + "\n" for line in text.splitlines())


def test_the_field_is_the_voltage_over_the_channel() -> None:
    found = plan(PULSE, bench(field="0.2 V/um")).violations
    assert [v.limit.quantity for v in found] == ["field"]
    assert describe(found[0]) == (
        "field 0.21 V/um is beyond the limit 0.2 V/um of the device (along the channel), by 0.01 V/um"
    )
    assert not plan(PULSE, bench(field="0.21 V/um")).violations


def test_the_field_counts_both_ends_of_the_channel_and_not_the_gate() -> None:
    both = "  - read: {current: drain, bias: {gate: 30 V, drain: 4 V, source: 0 V}, compliance: 1 uA}\n"
    assert not plan(both, bench("aab_w2", field="0.3 V/um")).violations
    assert refused(plan(both, bench("aab_w2", field="0.25 V/um"))) == {"field": (pytest.approx(4 / 15e-6), 0.25e6)}


def test_an_exception_lifts_the_field_with_the_voltage() -> None:
    erase = "  - allow: erase\n    because: b\n    do:\n      - pulse: {at: pd, level: -6.2 V, width: 100 us}\n"
    assert not plan(erase, bench(), allow=("erase",)).violations
    assert set(refused(plan(erase, bench()))) == {"voltage", "field"}


def test_the_energy_is_of_one_pulse_at_the_smallest_resistance() -> None:
    energy = 4.2**2 / 25e3 * 100e-6
    assert refused(plan(PULSE, bench(energy="70 nJ"))) == {"energy": (pytest.approx(energy), 70e-9)}
    assert not plan("  - repeat: 50\n    do:\n" + nested(PULSE), bench(energy="71 nJ")).violations


def test_pulses_are_counted_through_loops_and_by_role() -> None:
    steps = (
        "  - for: {n: [1, 9, 90]}\n    do:\n      - repeat: 2\n        do:\n"
        "          - train: {at: pd, level: 4 V, width: 1 us, gap: 1 us, count: $n, role: set}\n"
        "          - pulse: {at: pd, level: -4 V, width: 1 us, role: reset}\n"
    )
    dose = plan(steps, bench()).dose.of("pd")
    assert dose.pulses == {"set": 200, "reset": 6}
    assert not plan(steps, bench(pulses=206)).violations
    assert refused(plan(steps, bench(pulses=205))) == {"pulses": (206, 205)}
    resets = [{"role": "reset", "at_most": 5}]
    (found,) = plan(steps, bench(pulses=resets)).violations
    assert found.where == "p.yaml:11:13"
    assert "on pd, role 'reset'" in describe(found)


def test_pulses_of_a_train_count_with_their_own_roles() -> None:
    cycle = "[{level: 4 V, width: 1 us, role: set}, {level: -4 V, width: 1 us, role: reset}, {level: 1 V, width: 1 us}]"
    steps = f"  - train: {{at: pd, pulses: {cycle}, gap: 1 us, count: 10, role: probe}}\n"
    assert plan(steps, bench()).dose.of("pd").pulses == {"set": 10, "reset": 10, "probe": 10}


def test_a_count_that_is_a_loop_variable_twice_is_not_underestimated() -> None:
    steps = (
        "  - for: {n: [1, 10]}\n    do:\n      - repeat: $n\n        do:\n"
        "          - train: {at: pd, level: 4 V, width: 1 us, gap: 1 us, count: $n}\n"
    )
    assert plan(steps, bench()).dose.of("pd").count() == 101


def test_dwell_adds_up_over_the_levels_above() -> None:
    steps = (
        "  - for: {v: [4.0 V, 4.4 V, 4.8 V]}\n    do:\n      - repeat: 10\n        do:\n"
        "          - pulse: {at: pd, level: $v, width: 100 us}\n"
    )
    dose = plan(steps, bench()).dose.of("pd")
    assert dose.held == ((4.0, pytest.approx(1e-3)), (4.4, pytest.approx(1e-3)), (4.8, pytest.approx(1e-3)))
    limit = [{"terminal": "pd", "above": "4.2 V", "for": "1.9 ms"}]
    assert refused(plan(steps, bench(dwell=limit))) == {"dwell": (pytest.approx(2e-3), 1.9e-3)}
    limit[0]["above"] = "4.4 V"
    assert not plan(steps, bench(dwell=limit)).violations


def test_a_bias_dwells_for_its_time_and_ramps() -> None:
    steps = "  - bias: {at: gate, level: 40 V, for: 90 s, ramp: 100 V/s, grounded: [drain]}\n"
    limit = [{"terminal": "gate", "above": "30 V", "for": "90 s"}]
    assert refused(plan(steps, bench("aab_w2", dwell=limit)))["dwell"] == (pytest.approx(90.8), 90)
    limit[0]["for"] = "91 s"
    assert not plan(steps, bench("aab_w2", dwell=limit)).violations


def test_a_search_may_stay_at_its_worst_end() -> None:
    steps = (
        "  - until: {reading: c, near: 0 A, within: 1 pA}\n    at_most: 3\n"
        "    vary: {t: {from: 1 s, to: 10 s, spacing: log}}\n    do:\n"
        "      - bias: {at: gate, level: 20 V, for: $t, grounded: [drain]}\n"
        "      - read: {current: drain, bias: {gate: 0 V, drain: 2 V}, compliance: 1 uA, as: c}\n"
    )
    assert plan(steps, bench("aab_w2")).dose.of("gate").above(19.0) == pytest.approx(30.0)


def test_a_base_beside_zero_is_held_as_long_as_the_plan_takes() -> None:
    steps = "  - pulse: {at: pd, level: 4.2 V, width: 100 us, base: 2 V}\n  - wait: 100 s\n"
    planned = plan(steps, bench())
    assert planned.dose.of("pd").above(1.9) >= 100.0
    assert "F3" in planned.warnings[0]


def test_a_base_beside_zero_dissipates_for_the_longest_cycle_of_its_source() -> None:
    based = "  - pulse: {at: pd, level: 4.2 V, width: 100 us, base: 5 V}\n"
    slow = "  - train: {at: pd, level: 1 V, width: 100 us, gap: 10 ms, count: 2}\n"
    assert not plan(based, bench()).violations
    assert refused(plan(based + slow, bench())) == {"energy": (pytest.approx(25 / 25e3 * 10.1e-3), 2e-6)}


def test_charge_is_the_worst_current_times_time() -> None:
    expected = 4.2 / 25e3 * 100e-6
    assert plan(PULSE, bench()).dose.of("pd").charge == pytest.approx(expected)
    assert set(refused(plan(PULSE, bench(charge="16 nC")))) == {"charge"}
    held = "  - read: {current: gate, bias: {gate: 10 V, drain: 0 V}, samples: 10, interval: 1 s, compliance: 1 uA}\n"
    assert 9e-6 <= plan(held, bench("aab_w2")).dose.of("gate").charge <= 10.5e-6  # compliance x time


def test_earlier_runs_count_against_budgets_and_a_violation_says_so() -> None:
    used = Dose({"pd": TerminalDose({"set": 19}, 11, 0.0, ((4.5, 0.5),))})
    assert not plan(PULSE, bench(pulses=20), used=used).violations
    (found,) = plan(PULSE + PULSE, bench(pulses=20), used=used).violations
    assert (found.value, found.where) == (21, "p.yaml:7:5")
    assert "19 of it in earlier runs" in describe(found)
    erase = "  - allow: erase\n    because: b\n    do:\n      - repeat: 6\n        do:\n"
    erase += "          - pulse: {at: pd, level: -6.2 V, width: 100 us}\n"
    life = {"erase": {"voltage": "6.5 V", "pulses": 12, "ever": 16}}
    assert plan(erase, bench(exceptions=life), allow=("erase",)).dose.of("pd").beyond == 6
    assert refused(plan(erase, bench(exceptions=life), allow=("erase",), used=used)) == {"pulses": (17, 16)}


def test_a_million_cycles_are_proved_by_their_sum() -> None:
    steps = "  - train: {at: pd, level: 4.6 V, width: 100 us, gap: 100 us, count: 1e6}\n"
    limit = [{"terminal": "pd", "above": "4.5 V", "for": "99 s"}]
    found = refused(plan(steps, bench(pulses=999_999, dwell=limit)))
    assert found == {"pulses": (1e6, 999_999), "dwell": (pytest.approx(100.0), 99.0)}


LEVELS = st.floats(0.6, 5.4).map(lambda v: round(v, 3))


@settings(max_examples=40, deadline=None)
@given(
    levels=st.lists(LEVELS, min_size=1, max_size=4),
    widths=st.lists(st.integers(1, 50), min_size=1, max_size=3),
    repeats=st.integers(1, 9),
    above=LEVELS,
)
def test_loops_count_as_if_they_were_written_out(
    levels: list[float], widths: list[int], repeats: int, above: float
) -> None:
    looped = (
        f"  - for: {{v: [{', '.join(f'{v} V' for v in levels)}]}}\n    do:\n"
        f"      - for: {{w: [{', '.join(f'{w} us' for w in widths)}]}}\n        do:\n"
        f"          - repeat: {repeats}\n            do:\n"
        "              - pulse: {at: pd, level: $v, width: $w}\n"
    )
    flat = "".join(
        f"  - pulse: {{at: pd, level: {v} V, width: {w} us}}\n" for v in levels for w in widths for _ in range(repeats)
    )
    on = bench()
    folded, written = plan(looped, on).dose.of("pd"), plan(flat, on).dose.of("pd")
    assert folded.count() == written.count()
    assert folded.charge == pytest.approx(written.charge)
    assert folded.above(above) == pytest.approx(written.above(above))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("length: 20 um", "# no length"), "needs the channel's 'length'"),
        (("resistance: [25 kohm, 1 Mohm]", "# none"), "needs the smallest 'resistance'"),
        (("resistance: [25 kohm", "resistance: [0 ohm"), "both above 0 ohm"),
        (("{terminal: pd, above: 4.3 V", "{terminal: gate, above: 4.3 V"), "the terminal 'gate'"),
        (("energy: 2 uJ", "energy: 2 V"), "an energy"),
        (("voltage: {pd: 5.5 V}", "voltage: {pd: -5.5 V}"), "greater than or equal to 0"),
    ],
)
def test_limits_that_cannot_be_proved_are_errors_of_the_bench_file(edit: tuple[str, str], message: str) -> None:
    text = find_bench("hnno").read_text(encoding="utf-8")
    assert edit[0] in text
    with pytest.raises(BenchFileError, match=re.escape(message)):
        parse_bench(text.replace(*edit), "b.yaml")


def test_an_rsu_lies_where_its_smu_does() -> None:
    text = find_bench("aab").read_text(encoding="utf-8").replace("wgfmu.101, to: gate", "wgfmu.101, to: drain")
    with pytest.raises(BenchFileError, match=re.escape("b1500.3 -> gate passes the RSU of wgfmu.101, which lies on")):
        parse_bench(text, "b.yaml")


@pytest.mark.parametrize("name", [name for name in shipped() if "/parts/" not in name])
def test_shipped_protocols_pass_on_their_benches(name: str) -> None:
    from labctl.api import prepare

    planned = prepare(name, allow=["erase"] if name.startswith("hnno/") else []).plan
    assert not planned.violations
    fine = name == "aab/transfer_curves"  # its second curve is read on 1 nA behind an RSU, as its text says
    assert [text for text in planned.warnings if not (fine and "F25" in text)] == []
    # the hash holds for every machine: places are named by the catalogue, not by where it is installed
    assert not [node.where for node in planned.nodes if Path(node.where).is_absolute()]
