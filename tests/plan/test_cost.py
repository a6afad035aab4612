"""Cost of plans: loops multiplied, values summed, adaptive steps bounded; drivers' times against what they mirror."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.bench.loading import load_bench
from labctl.plan.build import build_plan
from labctl.plan.cost import predict, walk
from labctl.plan.cost.times import PlainTimes
from labctl.plan.plan import Cost
from labctl.plan.sources import Sources
from labctl.protocol import loads_protocol

HEAD = "protocol: 1\ntitle: t\nbench: hnno\nsteps:\n"
PULSE = "- pulse: {at: pd, level: 4.2 V, width: 100 us}\n"
READ = "- read: {resistance: pd, as: r}\n"
#: what the first pulse needs besides: the output's relay and its arming
FIRST = 1.0 + 10e-3 + 200e-6


def cost(steps: str, bench: str = "hnno") -> Cost:
    return build_plan(loads_protocol(HEAD + steps, "p.yaml"), load_bench(bench), seed=1).cost


def test_the_output_of_a_generator_settles_once_where_a_relay_switches_and_each_time_where_it_does_itself() -> None:
    switch = 5e-3 + 0.5e-3
    assert cost(PULSE).duration == pytest.approx(FIRST + 200e-6 + 10e-6 + switch)
    assert cost(PULSE * 3).duration == pytest.approx(FIRST + 3 * (200e-6 + 10e-6) + switch)
    both = "- repeat: 10\n  do:\n    " + PULSE + "    " + READ
    assert cost(both).kinds["pulse"] == pytest.approx(FIRST + 10 * 210e-6)
    assert cost(both, "hnno_t1").kinds["pulse"] == pytest.approx(FIRST + 9 * 1.0 + 10 * 210e-6)


def test_a_train_of_another_period_is_armed_anew() -> None:
    train = "- train: {at: pd, level: 4.2 V, width: 100 us, gap: 100 us, count: 5}\n"
    alternating = cost("- repeat: 4\n  do:\n    " + PULSE + "    " + train)
    assert alternating.kinds["pulse"] > 8 * 1.0
    assert cost("- repeat: 4\n  do:\n    " + train).kinds["pulse"] == pytest.approx(1.0102 + 4 * (1e-3 + 10e-6))


def test_values_of_loops_are_summed_one_by_one() -> None:
    waits = cost("- for: {pause: [1 s, 2 s, 10 s]}\n  do:\n    - wait: $pause\n")
    assert waits.duration == pytest.approx(13.0)
    counts = "- for: {n: [1, 2, 30]}\n  do:\n    - repeat: $n\n      do:\n        - wait: 1 s\n"
    assert cost(counts).duration == pytest.approx(33.0)


def test_another_level_is_another_waveform() -> None:
    train = "- train: {at: pd, pulses: [{level: $v, width: 1 ms}, {level: -1 V, width: 1 ms}], gap: 1 ms, count: 1}\n"
    steps = "- for: {v: {linspace: [1 V, 3 V, 40]}}\n  do:\n    - repeat: 3\n      do:\n        " + train
    prepared = 10e-3 + 0.2 + 4e-3 + 1.0
    assert cost(steps).kinds["pulse"] == pytest.approx(40 * (prepared + 3 * (4e-3 + 10e-6)))


def test_a_search_and_a_retry_have_bounds() -> None:
    until = cost(
        "- until: {reading: r, above: 1 kohm}\n  at_most: 10\n  do:\n    " + PULSE + "    " + READ + "- wait: 1 s\n"
    )
    assert (until.fewest["resistance"], until.rows["resistance"], until.most["resistance"]) == (1, 3, 10)
    assert (until.pulses, until.most_pulses) == (3, 10)
    assert until.shortest < until.duration < until.longest
    confirm = "- confirm: {reset: a, against: r, within: 20 %, retry: 2}\n"
    retried = cost(READ + PULSE.replace("us}", "us, role: reset}") + READ.replace("as: r", "as: a") + confirm)
    assert (retried.rows["resistance"], retried.most["resistance"]) == (2, 4)
    assert (retried.rows["confirm"], retried.most["confirm"]) == (1, 3)


def test_expected_passes_of_loops_that_end_on_a_reading() -> None:
    """Of a chance that may be anything: the mean of 1/p up to the bound. Of a search: the middle of its turns."""
    until = "- until: {reading: r, near: 1 kohm, within: 1 ohm}\n  at_most: 4\n"
    body = "  do:\n    - wait: 1 s\n    " + READ
    assert cost(until + body).kinds["wait"] == pytest.approx(1 + 1 / 2 + 1 / 3 + 1 / 4)
    vary = "  vary: {pause: {from: 1 s, to: 3 s}}\n"
    assert cost(until + vary + body).kinds["wait"] == pytest.approx((1 + 4) / 2)
    once = cost(until.replace("at_most: 4", "at_most: 1") + body)
    assert once.kinds["wait"] == 1
    assert once.rows == once.fewest == once.most


def test_readings_are_expected_at_their_own_resistances_and_bounded_at_any() -> None:
    """A device conducts better at high voltage than any reading sees."""
    bench = load_bench("hnno")
    assert bench.device.read_resistance == (50e3, 1e6)
    assert bench.device.resistance == (25e3, 1e6)

    def read(**device: tuple[float, float] | None) -> Cost:
        changed = bench.model_copy(update={"device": bench.device.model_copy(update=device)})
        return build_plan(loads_protocol(HEAD + READ, "p.yaml"), changed, seed=1).cost

    both, any_, those = read(), read(read_resistance=None), read(resistance=bench.device.read_resistance)
    assert both.duration == those.duration > any_.duration
    assert (both.shortest, both.longest) == (any_.shortest, any_.longest)
    assert both.shortest < those.shortest
    states = read(read_resistance=(400e3, 400e3))
    assert any_.shortest < states.duration < any_.longest
    assert (states.shortest, states.longest) == (any_.shortest, any_.longest)


def test_a_fixed_range_and_delay_leave_nothing_open() -> None:
    read = "- read: {resistance: pd, as: r, range: 10 uA, delay: 1 ms}\n"
    certain = cost(read * 2)
    assert certain.shortest == certain.duration == certain.longest
    open_ = cost(READ * 2)
    assert open_.shortest < open_.duration < open_.longest


def test_the_work_does_not_grow_with_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[int] = []
    block = walk.Walk.block
    monkeypatch.setattr(walk.Walk, "block", lambda self, ops: walked.append(len(ops)) or block(self, ops))

    def passes(trials: str, values: int) -> int:
        walked.clear()
        steps = f"- for: {{v: {{linspace: [10 us, 1 ms, {values}]}}}}\n  do:\n    - repeat: {trials}\n      do:\n"
        steps += "        " + PULSE.replace("100 us", "$v") + "        " + READ
        cost(steps)
        return len(walked)

    assert passes("10", 5) == passes("1000000", 5)
    assert passes("10", 10_000) == passes("10", 2000) < 2 * passes("10", walk.MOST_PASSES)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=60), st.integers(1, 20))
def test_groups_keep_number_and_sum_of_the_values(values: list[float], most: int) -> None:
    groups = list(walk.grouped(values, most))
    assert len(groups) <= max(most, 1)
    assert sum(count for _, count in groups) == len(values)
    assert sum(value * count for value, count in groups) == pytest.approx(sum(values), abs=1e-6)


def test_a_driver_that_tells_constants_only_is_costed_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = load_bench("hnno")
    plan = build_plan(loads_protocol(HEAD + PULSE + READ, "p.yaml"), bench, seed=1)
    sources = Sources(bench)
    for source in sources.all:
        constants: dict[str, Any] = dict(source.capabilities["timing"])
        del constants["times"]
        source.capabilities["timing"] = constants
    assert isinstance(walk.times_of(bench, sources)["smu"], PlainTimes)
    plain = predict(plan.ops, sources, bench)
    assert plain.shortest == plain.longest
    assert plain.duration == pytest.approx(plan.cost.duration, rel=0.5)


def test_options_of_the_bench_file_are_the_drivers_times() -> None:
    bench = load_bench("hnno")
    slow = bench.model_copy(
        update={
            "instruments": bench.instruments
            | {"afg": bench.instruments["afg"].model_copy(update={"options": {"settling": 3.0}})}
        }
    )
    plan = build_plan(loads_protocol(HEAD + PULSE, "p.yaml"), slow, seed=1)
    assert plan.cost.duration - cost(PULSE).duration == pytest.approx(2.0)
