"""Loops timed by the host and by the instruments: the same rows, the same retries, the same safety."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from labctl import api, load_run
from labctl.execution.events import Event
from labctl.resume import resume
from labctl.store import Flags, Run
from labctl.testing import bench_file

Go = Callable[..., Run]
#: what differs: when, which messages were sent, and what the generator reports of its idle level
APART = {"time", "wire", "trace", "reported_high", "reported_low"}

RETRIES = """\
protocol: 1
title: t
measures: [H2]
bench: hnno
steps:
  - pulse: {at: pd, level: -4.6 V, width: 100 us, role: reset}
  - read: {resistance: pd, as: baseline, points: 5}
  - repeat: 12
    do:
      - pulse: {at: pd, level: 4.8 V, width: 100 us, role: probe}
      - wait: 10 ms
      - read: {resistance: pd, as: after_pulse, points: 5}
      - pulse: {at: pd, level: -3.0 V, width: 100 us, role: reset}
      - wait: 10 ms
      - read: {resistance: pd, as: after_reset, points: 5}
      - spike: {from: after_pulse, against: [after_reset, baseline], below: 0.5}
      - confirm: {reset: after_reset, against: baseline, within: 40 %, retry: 3, else: flag}
"""


def assert_same_rows(one: Run, other: Run) -> None:
    """Row for row, column for column, bit for bit, but for what is APART."""
    pd.testing.assert_series_equal(one.events["kind"], other.events["kind"])
    assert set(one.tables) == set(other.tables)
    for kind, table in one.tables.items():
        left, right = (t.drop(columns=[c for c in APART if c in t]) for t in (table, other.tables[kind]))
        pd.testing.assert_frame_equal(left, right, check_exact=True, obj=kind)
        assert (np.diff(other.tables[kind]["time"]) >= 0).all()
        for column in {"reported_high", "reported_low"} & set(table):
            assert np.allclose(table[column], other.tables[kind][column], atol=5e-4)


@pytest.fixture
def both(run_protocol: Go) -> Callable[..., tuple[Run, Run]]:
    return lambda *a, **options: (
        run_protocol(*a, timing="host", **options),
        run_protocol(*a, timing="auto", **options),
    )


@pytest.mark.parametrize(
    ("protocol", "settings"),
    [
        ("hnno/spiking_probability", {"fields": "[0.19 V/um, 0.21 V/um, 0.25 V/um]", "trials": "3"}),
        ("hnno/self_sensitization", {"trials": "2", "pulses": "3"}),
        ("hnno/width_dependence", {"fields": "[0.2 V/um]", "trials": "1"}),
        ("hnno/characterisation", {}),
        ("hnno/stochastic_spiking", {"cycles": "2", "settle": "20 ms"}),
    ],
)
def test_rows_are_the_same_either_way(both: Any, protocol: str, settings: dict[str, str]) -> None:
    """Noise, chance and all: draws are keyed by event, and pulses, waits and readings come in the same order."""
    host, inside = both(protocol, set=settings)
    assert "Program" in str(inside.meta["plan"]["ops"])
    assert_same_rows(host, inside)
    assert host.traces.keys() == inside.traces.keys()
    for index in host.traces:
        for column in ("set", "voltage", "current", "status"):
            assert np.array_equal(host.traces[index][column], inside.traces[index][column])
        assert np.allclose(host.traces[index]["time"], inside.traces[index]["time"], atol=3e-6)


def test_rows_are_the_same_on_a_plain_resistor(both: Any, tmp_path: Path) -> None:
    plain = {"model": "resistor", "noise": False, "parameters": {"resistance": 4e5}}
    bench = bench_file(tmp_path, "hnno", device={"kind": "resistor"}, simulation=plain)
    assert_same_rows(*both("hnno/stochastic_spiking", bench, set={"cycles": "3"}))


def test_a_reset_that_fails_is_repeated_by_the_host_and_the_loop_goes_on(both: Any, tmp_path: Path) -> None:
    """-3.0 V resets every other time (F15): the program ends there, the host repeats the reset, a block follows."""
    path = tmp_path / "retries.yaml"
    path.write_text(RETRIES)
    host, inside = both(path, seed=3)
    assert inside.meta["status"] == "complete"
    confirms = inside.tables["confirm"]
    assert (confirms["attempt"] > 0).sum() >= 3
    assert (inside.tables["pulse"]["flags"] & int(Flags.RETRY) > 0).sum() == (confirms["attempt"] > 0).sum()
    assert_same_rows(host, inside)


def test_a_reset_that_fails_for_good_stops_the_run_at_the_same_row(both: Any, tmp_path: Path) -> None:
    path = tmp_path / "retries.yaml"
    path.write_text(RETRIES.replace("retry: 3, else: flag", "retry: 1, else: stop").replace("-3.0 V", "-0.5 V"))
    host, inside = both(path)
    assert inside.meta["status"] == host.meta["status"] == "stopped"
    assert inside.meta["reason"] == host.meta["reason"]
    assert "the reset does not work" in inside.meta["reason"]
    assert_same_rows(host, inside)


def test_a_reference_without_a_value_is_judged_by_the_host(both: Any, tmp_path: Path) -> None:
    """A baseline beyond its fixed range has no value: no instrument can compare with it, no reset agrees with it."""
    kept = {"model": "resistor", "noise": False, "parameters": {"resistance": 50.0}}
    bench = bench_file(tmp_path, device={"kind": "resistor"}, simulation=kept)
    path = tmp_path / "p.yaml"
    path.write_text(RETRIES.replace("points: 5", "points: 5, range: 100 nA"), encoding="utf-8")
    host, instruments = both(path, bench)
    assert '"op": "Program"' in json.dumps(instruments.meta["plan"])
    assert instruments.tables["confirm"]["flags"].eq(int(Flags.FAILED_RESET)).any()
    assert_same_rows(host, instruments)


def test_both_ways_give_the_same_probability(run_protocol: Go) -> None:
    """Different seeds, 150 trials each at 4.2 V (P = 0.49): Fisher's exact test at a false-alarm rate of 1e-4."""
    counts = []
    for timing, seed in (("host", 11), ("auto", 12)):
        spikes = run_protocol("hnno/stochastic_spiking", set={"cycles": "150"}, seed=seed, timing=timing).tables[
            "spike"
        ]["value"]
        counts.append([int(spikes.sum()), len(spikes) - int(spikes.sum())])
    assert fisher_exact(counts)[1] > 1e-4
    for spikes, others in counts:
        assert 0.3 < spikes / (spikes + others) < 0.7


def test_one_round_trip_of_each_instrument_per_level(run_protocol: Go) -> None:
    """After the first level: one message changes and reads back the generator, one call runs the block of trials."""
    done = run_protocol("hnno/spiking_probability", set={"fields": "[0.18 V/um, 0.19 V/um, 0.2 V/um]", "trials": "4"})
    wire = done.wire
    calls = [i for i in wire.index if wire["instrument"][i] == "smu" and b".run(4)" in bytes(wire["data"][i])]
    assert len(calls) == 3
    for begin, end in pairwise(calls):
        between = wire.loc[begin + 1 : end]
        answered = between[between["direction"] == "<"]
        turns = (between["direction"] == "<") & (between["direction"].shift(fill_value="<") == ">")
        assert set(answered["instrument"]) == {"smu", "afg"}
        assert turns.sum() == 1  # the generator's; the answer of the block belongs to the call before


@pytest.mark.parametrize("lost", ["smu", "afg"])
def test_an_instrument_lost_inside_a_block_ends_safe(run_protocol: Go, tmp_path: Path, lost: str) -> None:
    bench = bench_file(tmp_path, "hnno", simulation={"faults": {"instrument_lost_after": {lost: 90.0}}})
    done = run_protocol("hnno/stochastic_spiking", bench, set={"cycles": "200"})
    assert done.meta["status"] == "failed"
    assert lost in done.meta["reason"]
    assert len(done.tables["spike"]) >= 40  # the block before is kept


def test_ctrl_c_between_rows_of_a_block_leaves_everything_off(tmp_path: Path) -> None:
    stopped: list[Event] = []

    def press(event: Event) -> None:
        stopped.append(event)
        if event.kind == "spike":
            raise KeyboardInterrupt

    outcome = api.run("hnno/stochastic_spiking", out=tmp_path, progress=press, timing="auto")
    assert (outcome.exit_code, outcome.unsafe) == (130, ())
    run = load_run(outcome.path)
    assert len(run.tables["spike"]) == 1
    smu, afg = (run.meta["instruments"][name]["after"]["settings"] for name in ("smu", "afg"))
    assert (smu["a.source.output"], smu["lines"], afg["1.output"]) == (0, 0, 0)  # outputs off, the relay at rest


def test_late_commands_of_the_host_move_its_own_pulses_only(run_protocol: Go, tmp_path: Path) -> None:
    """F31: with 2 to 20 ms on the way of each message, the time from pulse to reading varies; inside it does not."""
    late = {"faults": {"link_latency": {"smu": ["2 ms", "20 ms"], "afg": ["2 ms", "20 ms"]}}}
    bench = bench_file(tmp_path, "hnno", simulation=late)
    spread = {}
    for timing in ("host", "auto"):
        events = run_protocol("hnno/stochastic_spiking", bench, set={"cycles": "12"}, timing=timing).events
        inside = events[events["trial"] >= 0]
        pulses = inside[inside["role"].eq("probe")]["time"].to_numpy()
        route = inside[inside["position"].eq("smu.a")]["time"].to_numpy()[::2]  # the meter is on the device
        spread[timing] = float(np.ptp(route - pulses))
    assert spread["host"] > 2e-3
    assert spread["auto"] < 5e-6


def test_a_block_that_was_cut_is_told_and_its_trials_are_not_silently_repeated(tmp_path: Path) -> None:
    """All trials of a block may have run beyond its stored rows: 'skip' leaves out the rest of the loop."""
    kept = {"model": "resistor", "noise": False, "state": str(tmp_path / "device.json")}
    bench = bench_file(tmp_path, "hnno", device={"kind": "resistor"}, simulation=kept)
    path = tmp_path / "trials.yaml"
    path.write_text(
        "protocol: 1\ntitle: t\nmeasures: [H2]\nbench: hnno\nsteps:\n  - read: {resistance: pd, as: b, points: 5}\n"
        "  - repeat: 4\n    do:\n      - pulse: {at: pd, level: 1 V, width: 10 us}\n      - wait: 1 ms\n"
        "      - read: {resistance: pd, as: r, points: 5}\n  - read: {resistance: pd, as: end, points: 5}\n"
    )

    def press(event: Event) -> None:
        if event.kind == "pulse" and event.row["trial"] == 1:
            raise KeyboardInterrupt

    first = api.run(path, bench, out=tmp_path, progress=press)
    again = load_run(resume(first.path, on_resume="skip").path)
    assert again.meta["status"] == "complete"
    note = again.tables["note"]["text"].iloc[0]
    assert "4 times: repeat 4 times (trial):" in note
    assert "may have reached the device" in note
    read = again.tables["resistance"]
    assert read["name"].tolist() == ["b", "r", "end"]


def test_the_host_triggers_every_cycle_of_a_train_if_asked(run_protocol: Go, tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(
        "protocol: 1\ntitle: t\nmeasures: [H11]\nbench: hnno\nsteps:\n"
        "  - train:\n      at: pd\n      pulses:\n        - {level: 1 V, width: 100 us}\n"
        "        - {level: -1 V, width: 100 us}\n      gap: 100 us\n      period: 1 ms\n      count: 20\n"
    )
    sent = {}
    for timing in ("host", "auto"):
        done = run_protocol(path, timing=timing)
        row = done.tables["pulse"].iloc[0]
        assert (row["count"], row["level"]) == (20, 1.0)
        sent[timing] = done.events["time"].iloc[-1]
    assert sent["host"] - sent["auto"] == pytest.approx(19 * 10e-6, abs=1e-6)  # the unknown trigger latency, each time
