"""Which loops run inside the instruments, and why not: decisions, layouts of pulses, blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.bench.loading import load_bench
from labctl.plan import operations as o
from labctl.plan.build import build_plan
from labctl.plan.plan import Plan
from labctl.plan.programs import BLOCK_TIME, MARGIN, block_size, layout, trials_per_block
from labctl.plan.text import describe_plan
from labctl.protocol import load_protocol, loads_protocol
from labctl.protocol.catalogue import catalogue
from labctl.testing import bench_file

HEAD = "protocol: 1\ntitle: t\nmeasures: [H3]\nbench: hnno\nsteps:\n  - read: {resistance: pd, as: base}\n"
SET = "      - pulse: {at: pd, level: 4.2 V, width: 100 us}\n"
RESET = "      - pulse: {at: pd, level: -4.2 V, width: 100 us, role: reset}\n"
WAIT = "      - wait: 10 ms\n"
READ = "      - read: {resistance: pd, as: r}\n"
REPEAT = "  - repeat: 30\n    do:\n"
TRIAL = REPEAT + SET + WAIT + READ + RESET + WAIT + "      - read: {resistance: pd, as: after}\n"
CONFIRM = "      - confirm: {reset: after, against: base, within: 20 %, retry: 1, else: stop}\n"


def plan(steps: str, bench: str | Path = "hnno", timing: str = "auto") -> Plan:
    return build_plan(loads_protocol(HEAD + steps, "p.yaml"), load_bench(bench), seed=1, timing=timing)


def programs(planned: Plan) -> list[o.Program]:
    return [op for op in o.walk(planned.ops) if isinstance(op, o.Program)]


def test_a_trial_loop_is_a_program_that_keeps_the_loop() -> None:
    planned = plan(TRIAL + CONFIRM)
    (program,) = programs(planned)
    assert (program.controller, program.trigger, program.rest) == ("smu.a", "smu.digio.2", (("smu.digio.1", 0),))
    (decision,) = planned.decisions
    assert decision.startswith("p.yaml:7:5: repeat 30 times (trial): runs inside smu")
    assert "relay by smu.digio.1, trigger by smu.digio.2, afg.1 plays its 2 pulses at each trigger" in decision
    by_host = plan(TRIAL + CONFIRM, timing="host")
    assert by_host.ops[2:] == (*planned.ops[2:-1], program.loop)  # Arm and Connect before, the same loop inside
    assert by_host.decisions == ("p.yaml:7:5: repeat 30 times (trial): timed by the host: as --timing host asks",)
    assert planned.hash != by_host.hash
    assert planned.envelope == by_host.envelope
    assert planned.cost.rows == by_host.cost.rows
    outline = "\n".join(describe_plan(planned))
    assert "inside smu, in blocks of trials, triggers by smu.digio.2:\n  repeat 30 times (trial):" in outline
    assert planned.host_timed == ()
    assert {timed.shortest for timed in by_host.host_timed} == {10e-3}


REASONS = {
    "a search inside": REPEAT
    + "      - until: {reading: r, below: 100 kohm}\n        at_most: 3\n        do:\n"
    + "".join(f"    {line}\n" for line in (SET + READ).splitlines()),
    "nothing is read in it": REPEAT + SET + WAIT,
    "its readings differ": TRIAL + "      - read: {resistance: pd, as: slow, nplc: 2}\n",
    "it confirms against a reading inside": TRIAL + CONFIRM.replace("against: base", "against: r"),
    "it ends with afg.1 on the device": REPEAT + READ + SET + WAIT,
    "different pulses come without a reading": REPEAT + SET + RESET + READ,
    "its pulses differ in base or edges": TRIAL.replace("level: 4.2 V,", "level: 4.2 V, base: 0.1 V,"),
    "trains beside other pulses": TRIAL
    + "      - train: {at: pd, level: 1 V, width: 10 us, count: 3, gap: 10 us}\n"
    + READ,
    "too coarse": TRIAL.replace("wait: 10 ms", "wait: 10 s"),
    "note is nothing that a program does": TRIAL + "      - note: hello\n",
    "longer than the buffers": TRIAL.replace("as: r}", "as: r, points: 30000}").replace(
        "as: after}", "as: after, points: 30001}"
    ),
    "edges are shorter than samples": TRIAL.replace("width: 100 us", "width: 100 us, edge: 200 ns"),
    "its values need the sources": "  - for: {v: [1 V, 2 V]}\n    do:\n" + SET.replace("4.2 V", "$v") + WAIT + READ,
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_loop_that_stays_with_the_host_says_why(reason: str) -> None:
    planned = plan(REASONS[reason])
    assert programs(planned) == []
    assert any(reason in decision for decision in planned.decisions), planned.decisions


@pytest.mark.parametrize(
    ("bench", "reason"),
    [("hnno_t1", "by its own output, not by a relay"), ("hnno_t2", "its own output, not by a relay")],
)
def test_a_bench_without_relay_stays_with_the_host(bench: str, reason: str) -> None:
    planned = plan(TRIAL, bench)
    assert programs(planned) == []
    assert reason in planned.decisions[0] or "hold" in planned.decisions[0]


def test_a_bench_without_trigger_line_stays_with_the_host(tmp_path: Path) -> None:
    bench = bench_file(tmp_path, "hnno", wiring={"triggers": []})
    planned = plan(TRIAL, bench)
    assert programs(planned) == []
    assert "no trigger line from smu to afg.trigger on this bench" in planned.decisions[0]


def test_a_relay_that_rests_on_the_generator_stays_with_the_host(tmp_path: Path) -> None:
    bench = bench_file(tmp_path, "hnno", wiring={"relays": {"k1": {"rest": "afg"}}})
    assert "is not on the device when the relay rests" in plan(TRIAL, bench).decisions[0]


def test_trains_are_bursts_unless_the_host_is_asked() -> None:
    train = "  - train: {at: pd, level: 1 V, width: 10 us, count: 1000, period: 1 ms}\n"
    auto, host = plan(train), plan(train, timing="host")
    assert "all its cycles are one burst or pattern of afg.1" in auto.decisions[0]
    assert "one trigger of afg.1 per cycle" in host.decisions[0]
    assert [op.each for p in (auto, host) for op in o.walk(p.ops) if isinstance(op, o.Pulses)] == [False, True]
    assert host.cost.duration == pytest.approx(auto.cost.duration, rel=0.02)
    assert host.cost.pulses == auto.cost.pulses


def test_every_shipped_protocol_says_what_becomes_of_its_loops() -> None:
    """On wiring T3 every trial loop of the catalogue runs inside the SMU; no loop of the AAB bench does."""
    for entry in catalogue():
        loaded = load_protocol(entry.name)
        assert loaded.bench is not None
        planned = build_plan(loaded, load_bench(loaded.bench), seed=1)
        inside = {op.node for op in programs(planned)}
        loops = [op for op in o.walk(planned.ops) if isinstance(op, o.Repeat)]
        innermost = [
            op for op in loops if not any(isinstance(i, o.Repeat | o.Until | o.ForEach) for i in o.walk(op.body))
        ]
        if loaded.bench == "hnno":
            assert {op.node for op in innermost} == inside, entry.name
        else:
            assert not inside
        assert len(planned.decisions) == len(set(planned.decisions))


# --- layouts and blocks -----------------------------------------------------------------------------------------------


@given(
    width=st.floats(20e-6, 1e-3),
    reset=st.floats(20e-6, 1e-3),
    settle=st.floats(0.0, 50e-3),
    edge=st.none() | st.floats(1e-6, 10e-6),
    most=st.sampled_from([16_384, 131_072]),
)
def test_pulses_of_a_layout_are_as_far_apart_as_the_relay_needs(
    width: float, reset: float, settle: float, edge: float | None, most: int
) -> None:
    pulses = [
        o.Pulses(
            0, "afg.1", "pd", (o.Part(o.Value(v), o.Value(w)),), o.Value(0.0), edge, o.Value(0.0), None, o.Value(1.0)
        )
        for v, w in ((4.2, width), (-4.2, reset))
    ]
    away = o.Connect(0, "pd", "smu.a", "relay", line="smu.digio.1", time=5e-3)
    there = o.Connect(0, "pd", "afg.1", "relay", line="smu.digio.1", level=1, time=5e-3)
    rest = (o.Wait(0, o.Value(settle)), away)
    found = layout((there, pulses[0], *rest, there, pulses[1], *rest), {}, most)
    first, second = found.slots
    assert first.start > 0
    assert second.start - first.end(found.edge) >= max(settle + 5e-3, 5e-3 + MARGIN) + MARGIN - 1e-12
    assert found.period > second.end(found.edge)
    samples = found.period / found.grid
    assert samples == pytest.approx(round(samples), abs=1e-6)
    assert samples <= most
    assert first.width == pytest.approx(width)  # the first pulse is on the grid, others within half a sample
    assert abs(second.width - reset) <= found.grid / 2 * (1 + 1e-9)
    for time in (first.start, first.end(found.edge), second.start, second.end(found.edge)):
        assert time / found.grid == pytest.approx(round(time / found.grid), abs=1e-6)


@given(
    points=st.integers(0, 70_000),
    seconds=st.floats(0, 1e4),
    capacity=st.integers(1, 60_000),
    trials=st.integers(1, 10**6),
)
def test_blocks_never_overrun_the_buffers_nor_last_long(
    points: int, seconds: float, capacity: int, trials: int
) -> None:
    """All trials, block by block, as execution splits them."""
    if points > capacity:  # such a loop stays with the host
        return
    size = trials_per_block(points, seconds, capacity)
    assert size >= 1
    assert size * points <= capacity
    assert size == 1 or size * seconds <= BLOCK_TIME * (1 + 1e-9)
    blocks, left = 0, trials
    while left and blocks < 10:
        left -= min(left, size)
        blocks += 1
    assert left == max(0, trials - blocks * size)


def test_a_block_is_bounded_by_time_and_by_points() -> None:
    (quick,) = programs(plan(TRIAL.replace("as: r}", "as: r, nplc: 0.001}").replace("after}", "after, nplc: 0.001}")))
    assert 42 * block_size(quick, {}, 60_000) <= 60_000
    (slow,) = programs(plan(TRIAL))
    assert 30 <= block_size(slow, {}, 60_000) < 60
