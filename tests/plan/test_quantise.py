"""What the instruments' grids make of what is asked: told in the plan, refused beyond a tolerance, kept by benches."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl import api
from labctl.bench.loading import load_bench
from labctl.plan import operations as o
from labctl.plan.build import build_plan
from labctl.plan.errors import describe
from labctl.plan.grids import Grid
from labctl.plan.operations import on_grid
from labctl.plan.plan import Plan, Rounding
from labctl.protocol import ProtocolError, loads_protocol
from labctl.store import load_run

HEAD = "protocol: 1\ntitle: t\n"


def plan(steps: str, bench: str = "hnno", head: str = "") -> Plan:
    return build_plan(loads_protocol(f"{HEAD}{head}steps:\n{steps}", "p.yaml"), load_bench(bench), seed=1)


def of(planned: Plan, quantity: str, source: str = "") -> Rounding:
    (found,) = [r for r in planned.quantisation if r.quantity == quantity and r.source.startswith(source)]
    return found


def test_levels_of_a_generator_have_four_digits_and_a_tenth_of_a_millivolt() -> None:
    found = of(plan("  - pulse: {at: pd, level: 4.2187 V, width: 100 us}\n"), "level")
    assert (found.source, found.unit, found.asked, found.delivered) == ("afg.1", "V", 4.2187, pytest.approx(4.219))
    assert found.error == pytest.approx(0.0003 / 4.2187, rel=1e-5)
    small = of(plan("  - pulse: {at: pd, level: 0.12346 V, width: 100 us}\n"), "level")
    assert small.delivered == pytest.approx(0.1235)


def test_a_loop_is_told_by_its_worst_value() -> None:
    steps = "  - for: {height: [4 V, 2.5003 V, 3.0001 V]}\n    do:\n"
    found = of(plan(f"{steps}      - pulse: {{at: pd, level: $height, width: 100 us}}\n"), "level")
    assert (found.asked, found.delivered) == (2.5003, pytest.approx(2.5))


def test_fields_are_levels_through_the_length() -> None:
    """0.17001 V/um over 20 um: 3.4002 V asked, 3.400 V delivered."""
    found = of(plan("  - pulse: {at: pd, level: 0.17001 V/um, width: 100 us}\n"), "level")
    assert (found.asked, found.delivered) == (pytest.approx(3.4002), pytest.approx(3.4))


def test_a_search_is_bounded_by_half_a_step() -> None:
    steps = """
  - until: {reading: r, near: 1 Mohm, within: 10 %}
    at_most: 5
    vary: {height: {from: 3 V, to: 4 V}}
    do:
      - pulse: {at: pd, level: $height, width: 100 us}
      - read: {resistance: pd, as: r}
"""
    assert of(plan(steps), "level", "afg").error == pytest.approx(0.5e-3 / 4)


def test_times_of_the_fast_unit_lie_on_10_ns() -> None:
    train = "  - train: {at: gate, level: 5 V, width: 1.004 us, edge: 100 ns, period: 5.006 us, count: 3}\n"
    planned = plan(train, "aab")
    width, period = of(planned, "width"), of(planned, "period")
    assert (width.asked, width.delivered) == (1.004e-6, pytest.approx(1.00e-6))
    assert (period.asked, period.delivered) == (5.006e-6, pytest.approx(5.01e-6))
    assert not planned.violations


def test_beyond_the_tolerance_the_plan_is_refused() -> None:
    """105 ns become 100 or 110: 5 %, refused unless the protocol accepts it."""
    pulse = "  - pulse: {at: gate, level: 5 V, width: 105 ns, edge: 100 ns}\n"
    (violation,) = plan(pulse, "aab").violations
    assert (violation.where, violation.limit.whose) == ("p.yaml:4:5", "wgfmu.101")
    assert "tolerance of the protocol; width 105 ns asked, 100 ns delivered" in describe(violation)
    assert not plan(pulse, "aab", "tolerance: 5 %\n").violations
    assert plan("  - pulse: {at: pd, level: 4.2187 V, width: 100 us}\n", head="tolerance: 0.001 %\n").violations


def test_sampling_times_of_the_smus() -> None:
    """From 2 ms on in whole ms, rounded up: 2.5 ms become 3 ms."""
    steps = "  - read: {current: drain, bias: {gate: 0 V, drain: 1 V}, samples: 3, interval: 2.5 ms, as: i}\n"
    planned = plan(steps, "aab")
    assert of(planned, "interval").delivered == pytest.approx(3e-3)
    assert [v.limit.quantity for v in planned.violations] == ["rounding"]
    assert not plan(steps.replace("2.5 ms", "1.5 ms"), "aab").violations


def test_levels_of_the_smus_have_the_grid_of_their_range() -> None:
    """30.0007 V on the 40 V range of the B1500A: 2 mV; 0.1 V on the 200 mV range of the 2636B: 5 uV."""
    held = "  - bias: {at: gate, level: 30.0007 V, for: 1 s, ramp: 10 V/s}\n"
    assert of(plan(held, "aab_w2"), "level").delivered == pytest.approx(30.0)
    read = plan("  - read: {resistance: pd, as: r, window: 0.1 V, points: 7}\n")
    assert of(read, "level").error == pytest.approx(1.67e-6 / 0.1, rel=0.01)  # 33.333 mV


def test_a_range_that_cannot_tell_the_smallest_current() -> None:
    """0.1 V over 1 Mohm: 0.1 uA, on the 100 mA range in steps of 0.1 uA; on a ten times smaller signal refused."""
    read = "  - read: {resistance: pd, as: r, window: 0.1 V, range: 100 mA, compliance: 100 mA}\n"
    assert of(plan(read), "current read").error < 0.01
    refused = [v for v in plan(read.replace("0.1 V", "0.03 V")).violations if v.limit.quantity == "rounding"]
    assert "current read 30 nA asked, 0 A delivered" in describe(refused[0])


def test_pulses_of_a_loop_inside_the_instrument_share_one_waveform() -> None:
    """Widths are rounded to samples that divide the first of them; levels in between to 14 bit of the whole."""
    steps = """
  - repeat: 3
    do:
      - pulse: {at: pd, level: 4.2 V, width: 100 us}
      - wait: 1 ms
      - read: {resistance: pd, as: a}
      - pulse: {at: pd, level: -3.3 V, width: 123.4567 us, role: reset}
      - wait: 1 ms
      - read: {resistance: pd, as: b}
      - pulse: {at: pd, level: 1.2345 V, width: 100 us}
      - wait: 1 ms
      - read: {resistance: pd, as: c}
"""
    planned = plan(steps)
    assert any(isinstance(op, o.Program) for op in o.walk(planned.ops))
    widths = [r for r in planned.quantisation if r.quantity == "width"]
    assert [r.error == 0 for r in widths] == [True, False, True]
    assert widths[1].asked == 123.4567e-6
    assert widths[1].error < 1e-3
    levels = [r for r in planned.quantisation if r.quantity == "sample level"]
    assert max(r.error for r in levels) <= 7.5 / 16382 / 2 / 4.2
    assert not planned.host_timed


def test_host_timed_waits_are_stated_with_their_jitter() -> None:
    steps = """
  - wait: 3 ms
  - for: {pause: [10 ms, 1 s]}
    do:
      - wait: $pause
"""
    first, second = plan(steps).host_timed
    assert (first.shortest, first.longest) == (3e-3, 3e-3)
    assert (second.shortest, second.longest) == (10e-3, 1.0)
    assert (second.jitter_least, second.jitter_most) == (2e-3, 20e-3)


def test_waits_of_a_record_are_the_instruments() -> None:
    record = """
  - sample:
      current: drain
      bias: {drain: 1 V}
      interval: 10 us
      as: i
      during:
        - train: {at: gate, level: 5 V, width: 1 us, edge: 100 ns, period: 5 us, count: 3}
        - wait: 1 ms
"""
    assert not plan(record, "aab").host_timed


@pytest.mark.parametrize("text", ["0", "150 %", "1", "-1 %", "1 V", "none", "[1 %]", "true"])
def test_a_wrong_tolerance_is_told_with_its_place(text: str) -> None:
    with pytest.raises(ProtocolError, match="tolerance") as error:
        loads_protocol(f"{HEAD}tolerance: {text}\nsteps: []\n", "p.yaml")
    assert error.value.where is not None
    assert error.value.where.line == 3


def test_the_bench_delivers_what_the_plan_says(tmp_path: Path, run_protocol: Callable[..., object]) -> None:
    """Levels as the generator reports them, and as they are at the node of 80..400 kohm, within the stated error."""
    steps = "  - for: {height: [4.2187 V, -3.33333 V, 0.77777 V]}\n    do:\n"
    steps += "      - pulse: {at: pd, level: $height, width: 123.4567 us}\n"
    (tmp_path / "p.yaml").write_text(f"{HEAD}bench: hnno\nsteps:\n{steps}", encoding="utf-8")
    ready = api.prepare(tmp_path / "p.yaml")
    error = of(ready.plan, "level").error
    pulses = load_run(api.run(ready, out=tmp_path / "runs").path).tables["pulse"]
    reported = np.where(pulses["level"] > 0, pulses["reported_high"], pulses["reported_low"])
    assert np.all(np.abs(reported - pulses["level"]) <= error * np.abs(pulses["level"]) + 1e-12)
    assert np.all(np.abs(pulses["true_extreme"] - reported) <= 1e-3 * np.abs(reported))  # 50 ohm into the device


def test_the_fast_unit_takes_what_the_plan_delivers(tmp_path: Path) -> None:
    """Off the 10 ns grid its driver refuses; what the plan makes of it is played, and stands in the row."""
    steps = """
  - for: {span: [1.0004 ms, 33.3333 us]}
    do:
      - pulse: {at: gate, level: 5 V, width: $span, edge: 1.003 us}
      - train: {at: gate, level: 5 V, width: $span, gap: 7.7777 us, count: 3, shape: triangle}
  - sample:
      current: drain
      bias: {drain: 1 V}
      interval: 10.0004 us
      as: i
      during:
        - pulse: {at: gate, level: 5 V, width: 33.3333 us}
        - wait: 1.234567 ms
"""
    (tmp_path / "p.yaml").write_text(f"{HEAD}bench: aab\nsteps:\n{steps}", encoding="utf-8")
    run = load_run(api.run(tmp_path / "p.yaml", out=tmp_path / "runs").path)
    assert run.meta["status"] == "complete", run.meta["reason"]
    widths = run.tables["pulse"]["width"].to_numpy()
    assert np.allclose(widths / 1e-8, np.rint(widths / 1e-8), atol=1e-6)
    assert widths[2] == pytest.approx(33.33e-6)
    assert run.tables["sample"]["interval"].iloc[0] == pytest.approx(10e-6)


def test_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        f"{HEAD}bench: aab\nsteps:\n  - pulse: {{at: gate, level: 5 V, width: 105 ns, edge: 100 ns}}\n  - wait: 1 ms\n",
        encoding="utf-8",
    )

    def labctl(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "labctl", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)

    done = labctl("plan", "p.yaml")
    assert done.returncode == 3
    assert "  105 ns     100 ns  4.8 %  width of wgfmu.101, p.yaml:5:5" in done.stdout
    assert "wait 1 ms, p.yaml:6:5: 2 to 20 ms longer on a real bench" in done.stdout
    assert "p.yaml:5:5: rounding 0.047619 is beyond the limit 0.01 of the wgfmu.101" in done.stderr
    said = json.loads(labctl("plan", "p.yaml", "--json").stdout)
    (width,) = [entry for entry in said["quantisation"] if entry["quantity"] == "width"]
    assert (width["where"], width["asked"]) == ("p.yaml:5:5", 105e-9)
    assert said["host_timed"][0]["jitter_most"] == 20e-3


@given(st.floats(-200, 200, allow_subnormal=False), st.sampled_from([1e-4, 5e-6, 160e-6, 5e-3]))
def test_a_grid_rounds_to_the_nearest_step(value: float, step: float) -> None:
    delivered = float(Grid(step).delivered(np.array([value]))[0])
    assert abs(delivered - value) <= step / 2 * (1 + 1e-9)
    assert math.isclose(delivered / step, round(delivered / step), abs_tol=2e-6)
    up = float(Grid(step, up=True).delivered(np.array([value]))[0])
    assert value - 2e-6 * step <= up <= value + step * (1 + 1e-9)


@given(st.floats(1e-9, 1e3), st.sampled_from([1e-8, 2e-8]))
def test_times_on_a_grid(seconds: float, grid: float) -> None:
    taken = on_grid(seconds, grid)
    assert taken > 0
    assert abs(taken - seconds) <= max(grid / 2, grid - seconds) * (1 + 1e-6) + 1e-12 * seconds
    assert on_grid(taken, grid) == taken
    assert on_grid(0.0, grid) == 0.0
    assert on_grid(seconds, 0.0) == seconds
