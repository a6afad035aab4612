"""However a run ends, the relays are at rest: after the outputs are off, and named if they cannot be moved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl import api, load_run
from labctl.bench.check import make_safe
from labctl.bench.opening import OpenBench
from labctl.execution.events import Event
from labctl.store import Run
from labctl.testing import bench_file

RELAY = "smu.digio.1"


def last_move(run: Run) -> int:
    """Index of the last message that moves the relay in the wire log."""
    return max(i for i, data in run.wire["data"].items() if b"digio.writebit(1,0)" in bytes(data))


def assert_at_rest_after_the_outputs(path: Path) -> None:
    run = load_run(path)
    assert run.meta["instruments"]["smu"]["after"]["settings"]["lines"] == 0
    off = [i for i, data in run.wire["data"].items() if b"OUTP1:STAT OFF" in bytes(data) or b".abort()" in bytes(data)]
    assert off[-1] < last_move(run)
    assert {run.wire["instrument"][i] for i in off} == {"afg", "smu"}


def test_ctrl_c_with_the_generator_on_the_device(tmp_path: Path, worlds: list[Any]) -> None:
    """Timed by the host: the relay stood at the generator."""
    stood: list[bool] = []

    def press(event: Event) -> None:
        if event.kind == "pulse" and event.row["trial"] == 0:
            stood.append(worlds[-1].lines.level(RELAY))
            raise KeyboardInterrupt

    outcome = api.run("hnno/stochastic_spiking", out=tmp_path, progress=press, timing="host")
    assert stood == [True]
    assert (outcome.exit_code, outcome.unsafe) == (130, ())
    assert_at_rest_after_the_outputs(outcome.path)


def test_ctrl_c_inside_a_block_that_the_instrument_runs(tmp_path: Path, worlds: list[Any]) -> None:
    """The host waits for the block's answer while the instrument has the relay at the generator."""
    stood: list[bool] = []

    def ctrl_c() -> None:
        stood.append(worlds[-1].lines.level(RELAY))
        raise KeyboardInterrupt

    def begin(event: Event) -> None:
        """After the baseline the block comes; in its third trial Ctrl+C is pressed with the relay just moved."""
        if event.kind == "resistance" and event.row["name"] == "baseline":
            moves: list[float] = []

            def moved(level: bool) -> None:
                moves.append(world.clock.now)
                if level and len(moves) == 9:  # four movements a trial
                    world.clock.call_at(world.clock.now + 6e-3, ctrl_c)

            world = worlds[-1]
            world.lines.listen(RELAY, moved)

    outcome = api.run("hnno/stochastic_spiking", out=tmp_path, progress=begin, timing="auto")
    assert stood == [True]
    assert (outcome.exit_code, outcome.unsafe) == (130, ())
    assert_at_rest_after_the_outputs(outcome.path)


def test_a_relay_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    bench = bench_file(tmp_path, "hnno", simulation={"faults": {"instrument_lost_after": {"smu": 90.0}}})
    outcome = api.run("hnno/stochastic_spiking", bench, overrides={"cycles": "200"}, out=tmp_path)
    assert outcome.exit_code == 4
    smu, relay = outcome.unsafe
    assert smu.startswith("smu (TCPIP0::")
    assert relay.startswith("relay k1 to smu (smu.digio.1): ")


def test_a_relay_whose_line_is_held_is_named(simulated_bench: Callable[..., OpenBench]) -> None:
    bench = simulated_bench()
    lines = bench.library.bench.lines
    bench.line(RELAY, 1)
    lines.listen(RELAY, lambda level: lines.set(RELAY, True))  # a short to the supply
    (problem,) = bench.safe()
    assert problem.startswith("relay k1 to smu (smu.digio.1): ")
    assert "digital line 1" in problem


def test_safe_moves_a_relay_that_another_program_left(simulated_bench: Callable[..., OpenBench]) -> None:
    """Lines that float high when the instrument is switched on, or as a program left them."""
    bench = simulated_bench(simulation={"options": {"smu": {"digio_power_on": (1 << 14) - 1}}})
    assert bench.library.bench.lines.level(RELAY)
    assert bench.safe() == []
    assert not bench.library.bench.lines.level(RELAY)
    assert bench.safe() == []  # idempotent


@pytest.mark.parametrize("bench", ["hnno", "hnno_t1", "hnno_t2", "aab", "aab_w2"])
def test_every_shipped_bench_can_be_made_safe(bench: str) -> None:
    assert make_safe(bench, simulate=True) == []
