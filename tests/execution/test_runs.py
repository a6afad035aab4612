"""Whole runs on the simulated bench: what the rows say about what was done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl import load_run
from labctl.plan.errors import RefusedByLimits
from labctl.store import Flags, Run
from labctl.testing import bench_file

HEAD = "protocol: 1\ntitle: t\nmeasures: [H2]\nbench: hnno\n"


@pytest.fixture
def run(tmp_path: Path, run_protocol: Callable[..., Run]) -> Callable[..., Run]:
    def go(steps: str, *arguments: Any, **options: Any) -> Run:
        path = tmp_path / "p.yaml"
        path.write_text(HEAD + "steps:\n" + steps, encoding="utf-8")
        return run_protocol(path, *arguments, **options)

    return go


READ = "  - read: {resistance: pd, as: r}\n"


def test_a_reading_keeps_fit_and_points(run: Callable[..., Run]) -> None:
    """400 kohm inside +-0.1 V: the fit is on measured voltage, the raw points are behind the row (H1)."""
    done = run(READ)
    row = done.tables["resistance"].iloc[0]
    assert row["value"] == pytest.approx(400e3, rel=0.05)  # jR has a spread of 4 %
    trace = done.traces[int(row["trace"])]
    assert set(trace) == {"set", "voltage", "current", "time", "status"}
    assert len(trace["voltage"]) == row["points"] == 21
    slope = np.polyfit(trace["voltage"], trace["current"], 1)[0]
    assert row["value"] == pytest.approx(1 / slope, rel=1e-9)


@pytest.mark.parametrize(("bench", "series"), [("hnno", 0.0), ("hnno_t1", 0.0), ("hnno_t2", 50.0)])
def test_wirings_read_the_same_device(run: Callable[..., Run], bench: str, series: float) -> None:
    """The three wirings agree to the noise; T2 reads the generator's 50 ohm in series."""
    value = run(READ, bench, seed=4).tables["resistance"]["value"].iloc[0]
    reference = run(READ, "hnno", seed=4).tables["resistance"]["value"].iloc[0]
    assert value - reference == pytest.approx(series, abs=2e-3 * reference)


@pytest.mark.parametrize("bench", ["hnno", "hnno_t1", "hnno_t2"])
def test_a_pulse_arrives_as_planned(run: Callable[..., Run], bench: str) -> None:
    """4.2 V behind 50 ohm on 80..400 kohm loses at most 3 mV (F2); the row has plan, read-back and truth."""
    done = run(
        "  - pulse: {at: pd, level: 4.2 V, width: 100 us}\n  - pulse: {at: pd, level: -4.2 V, width: 100 us}\n", bench
    )
    pulses = done.tables["pulse"]
    assert list(pulses["level"]) == [4.2, -4.2]
    assert pulses["true_extreme"].to_numpy() == pytest.approx([4.2, -4.2], abs=5e-3)
    assert list(pulses["reported_high"] - pulses["reported_low"]) == pytest.approx([4.2, 4.2], rel=1e-3)


def test_random_orders_come_from_the_seed_and_are_stored(run: Callable[..., Run]) -> None:
    steps = (
        "  - for: {v: [1 V, 2 V, 3 V]}\n    order: {}\n    do:\n      - repeat: 2\n        do:\n"
        "          - pulse: {at: pd, level: $v, width: 10 us}\n"
    )
    sequential = run(steps.replace("{}", "sequential", 1)).tables["pulse"]
    assert list(sequential["v"]) == [1, 1, 2, 2, 3, 3]
    assert list(sequential["v_index"]) == [0, 0, 1, 1, 2, 2]
    assert list(sequential["trial"]) == [0, 1] * 3
    shuffled = run(steps.replace("{}", "shuffled", 1), seed=5).tables["pulse"]
    assert sorted(shuffled["v"]) == [1, 1, 2, 2, 3, 3]
    assert list(shuffled["v"])[::2] == list(shuffled["v"])[1::2], "blocks stay together"
    mixed = run(steps.replace("{}", "interleaved", 1), seed=5).tables["pulse"]
    assert sorted(zip(mixed["v"], mixed["trial"], strict=True)) == [(v, t) for v in (1, 2, 3) for t in (0, 1)]
    again = run(steps.replace("{}", "interleaved", 1), seed=5).tables["pulse"]
    assert list(mixed["v"]) == list(again["v"])


def test_a_failed_reset_is_retried_flagged_and_stops(run: Callable[..., Run]) -> None:
    """A reset of -2 V never works (2a.4: 0.11 at -2.8 V): the retry is done, flagged, and the run stops."""
    steps = READ + (
        "  - pulse: {at: pd, level: 5.2 V, width: 100 us}\n"
        "  - pulse: {at: pd, level: -2 V, width: 100 us, role: reset}\n"
        "  - read: {resistance: pd, as: after}\n"
        "  - confirm: {reset: after, against: r, within: 30 %, retry: 2, else: stop}\n" + READ
    )
    done = run(steps)
    assert done.meta["status"] == "stopped"
    assert "reset does not work" in done.meta["reason"]
    confirms = done.tables["confirm"]
    assert list(confirms["attempt"]) == [0, 1, 2]
    assert not confirms["ok"].any()
    assert all(flags & Flags.FAILED_RESET for flags in confirms["flags"])
    resets = done.tables["pulse"].query("role == 'reset'")
    assert [bool(flags & Flags.RETRY) for flags in resets["flags"]] == [False, True, True]
    assert len(done.tables["resistance"].query("name == 'r'")) == 1, "nothing after the stop"


def test_until_is_bounded(run: Callable[..., Run]) -> None:
    steps = READ + (
        "  - until: {reading: r, below: 1 kohm}\n    at_most: 3\n    else: continue\n    do:\n"
        "      - read: {resistance: pd, as: r}\n"
    )
    done = run(steps)
    assert done.meta["status"] == "complete"
    assert list(done.tables["resistance"]["turn"]) == [-1, 0, 1, 2]


def test_a_state_that_is_not_reached_stops_the_run(run: Callable[..., Run]) -> None:
    done = run("  - state: {name: spiking, verify: {resistance: {at: pd, below: 150 kohm}}}\n" + READ)
    assert done.meta["status"] == "stopped"
    assert "spiking" in done.meta["reason"]
    assert not done.tables["state"]["passed"].iloc[0]


def test_an_allowed_exception_is_asked_for_and_flagged(run: Callable[..., Run]) -> None:
    steps = "  - allow: erase\n    because: test\n    do:\n      - pulse: {at: pd, level: -6.2 V, width: 100 us}\n"
    with pytest.raises(RefusedByLimits, match="--allow erase"):
        run(steps)
    (flags,) = run(steps, allow=("erase",)).tables["pulse"]["flags"]
    assert flags & Flags.BEYOND_ORDINARY_LIMIT


def test_clipped_readings_are_flagged(run: Callable[..., Run]) -> None:
    """Compliance of 0.1 uA on 400 kohm: the points beyond 40 mV are clipped (F9), R is right by measured voltage."""
    row = run("  - read: {resistance: pd, as: r, compliance: 0.1 uA}\n").tables["resistance"].iloc[0]
    assert row["flags"] & Flags.COMPLIANCE
    assert row["value"] == pytest.approx(400e3, rel=0.05)


def test_everything_off_after_a_run(run: Callable[..., Run]) -> None:
    done = run(READ + "  - pulse: {at: pd, level: 1 V, width: 100 us}\n")
    after = done.meta["instruments"]
    assert not after["afg"]["after"]["settings"]["1.output"]
    assert not after["smu"]["after"]["settings"]["a.source.output"]


def test_a_released_terminal_is_driven_by_nothing(run: Callable[..., Run]) -> None:
    done = run(READ + "  - route: {terminal: pd, source: open}\n  - note: left open\n")
    assert list(done.tables["route"]["position"]) == ["smu.a", "open"]
    assert list(done.tables["note"]["text"]) == ["left open"]
    assert any(b"source.output=2" in data for data in done.wire.query("direction == '>'")["data"])


def test_wire_log_holds_every_byte_and_its_event(run: Callable[..., Run]) -> None:
    done = run("  - pulse: {at: pd, level: 1.25 V, width: 100 us}\n" + READ)
    sent = done.wire.query("direction == '>'")
    assert any(b"*TRG" in data for data in sent["data"])
    first, last = done.tables["pulse"]["wire"].iloc[0], done.tables["resistance"]["wire"].iloc[0]
    assert 0 < first < last <= len(done.wire)


def test_a_device_keeps_its_state_between_runs(run: Callable[..., Run], tmp_path: Path) -> None:
    """With ``simulation.state`` a second run finds the device as the first one left it."""
    kept = bench_file(tmp_path, "hnno", simulation={"state": str(tmp_path / "device.json")})
    set_ = "  - pulse: {at: pd, level: 5.2 V, width: 100 us}\n"
    spiking = run(set_ + READ, kept).tables["resistance"]["value"].iloc[0]
    found = run(READ, kept).tables["resistance"]["value"].iloc[0]
    assert spiking < 150e3
    assert found == pytest.approx(spiking, rel=5e-3)


def test_a_run_can_be_followed_by_its_file(run: Callable[..., Run]) -> None:
    done = run(READ)
    assert load_run(done.path).events.equals(done.events)
