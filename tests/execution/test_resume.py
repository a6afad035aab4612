"""Interrupted runs that go on: nothing twice in silence, nothing left out, every choice said in the file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labctl import api, load_run
from labctl.execution import acting
from labctl.execution.acting import Acting
from labctl.execution.events import Event
from labctl.report.tables import run_facts
from labctl.resume import ResumeError, resume, resumption
from labctl.store import Flags, Recorder, Run
from labctl.store.verify import verify
from labctl.testing import bench_file

TRIALS = """\
protocol: 1
title: t
measures: [H2]
bench: hnno
steps:
  - state:
      name: initial
      prepare:
        - pulse: {at: pd, level: -1 V, width: 10 us, role: reset}
      verify: {resistance: {at: pd, above: 10 kohm, points: 5}}
  - read: {resistance: pd, as: baseline, points: 5}
  - for: {v: [1 V, 2 V]}
    order: shuffled
    do:
      - repeat: 2
        do:
          - pulse: {at: pd, level: $v, width: 10 us, role: probe}
          - wait: 1 ms
          - read: {resistance: pd, as: after, points: 5}
          - spike: {from: after, against: [baseline], below: 0.5}
"""
#: what a row says, apart from when
SAID = ["kind", "step", "state", "v", "v_index", "trial", "level", "name", "value"]


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A plain resistor without noise, whose bench keeps it between runs: the same reading whenever it is taken."""
    kept = {"model": "resistor", "noise": False, "state": str(tmp_path / "device.json")}
    return bench_file(tmp_path, "hnno", device={"kind": "resistor"}, simulation=kept)


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "trials.yaml"
    path.write_text(TRIALS, encoding="utf-8")
    return path


def said(events: pd.DataFrame) -> pd.DataFrame:
    columns = [name for name in SAID if name in events]
    return events[columns].reset_index(drop=True)


def results(events: pd.DataFrame) -> pd.DataFrame:
    """What was done and read, apart from connections (made again on resuming) and the note that says so."""
    return said(events[~events["kind"].isin(["note", "route"])])


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Run]:
    """Run, and press Ctrl+C when event ``number`` is to be stored: what it tells has been done by then."""

    def go(number: int, *arguments: Any, timing: Any = "host", **options: Any) -> Run:
        append = Recorder.append

        def interrupted(recorder: Recorder, *row: Any) -> int:
            if recorder.events == number:
                raise KeyboardInterrupt
            return append(recorder, *row)

        with monkeypatch.context() as patch:
            patch.setattr(Recorder, "append", interrupted)
            outcome = api.run(*arguments, out=tmp_path / "runs", timing=timing, **options)
        assert outcome.exit_code == 130
        assert outcome.events == number
        return load_run(outcome.path)

    return go


def test_whatever_is_not_in_doubt_goes_on_at_the_next_event(
    tmp_path: Path, bench: Path, protocol: Path, cut: Callable[..., Run]
) -> None:
    """Cut at every event of preparation and first level in turn.

    A pulse that was sent and not stored is left out with its trial, nothing else is.
    """
    whole = load_run(api.run(protocol, bench, out=tmp_path / "whole", timing="host").path).events
    for number in range(int(whole.index[whole["v_index"] >= 0][0]) + 7):
        first = cut(number, protocol, bench)
        outcome = resume(first.path, on_resume="skip")
        assert (outcome.status, outcome.reason) == ("complete", ""), number
        again = load_run(outcome.path)
        stored = again.events.iloc[:number]
        pd.testing.assert_frame_equal(said(stored), said(whole.iloc[:number]))
        pd.testing.assert_frame_equal(stored[first.events.columns], first.events, check_dtype=False)
        cut_row, after = whole.iloc[number], np.arange(len(whole)) >= number
        same_trial = whole["trial"].eq(cut_row["trial"]) & whole["v"].eq(cut_row["v"])
        if cut_row["kind"] != "pulse":
            left_out = np.zeros(len(whole), bool)
        elif cut_row["trial"] < 0:  # the pulse of the preparation, which no loop repeats
            left_out = np.arange(len(whole)) == number
        else:
            left_out = same_trial.to_numpy() & after
        pd.testing.assert_frame_equal(results(again.events), results(whole[~left_out]))
        assert again.meta["extra"]["resumed"]["run_id"] == first.meta["run_id"]
        assert verify(outcome.path).ok
        for path in (first.path, outcome.path):
            path.unlink()


@pytest.mark.parametrize("choice", ["reprepare", "skip"])
def test_a_block_that_ran_inside_an_instrument_is_in_doubt_as_a_whole(
    tmp_path: Path, bench: Path, protocol: Path, cut: Callable[..., Run], choice: str
) -> None:
    """Cut after the first of its two trials: the second may have reached the device too."""
    done = load_run(api.run(protocol, bench, out=tmp_path / "whole").path)
    assert '"op": "Program"' in json.dumps(done.meta["plan"])
    whole = done.events
    number = int(whole.index[whole["kind"].eq("spike")][0]) + 1
    first = cut(number, protocol, bench, timing="auto")
    again = load_run(resume(first.path, on_resume=choice).path)
    (note,) = again.tables["note"]["text"]
    assert note.startswith(f"resumed at event {number}, {choice}: '2 times: repeat 2 times (trial):")
    judged = again.tables["spike"]
    level = whole["v"].iloc[number - 1]
    trials = judged[judged["v"].eq(level)]["trial"].tolist()
    assert trials == ([0, 1] if choice == "reprepare" else [0])
    assert judged[judged["v"].ne(level)]["trial"].tolist() == [0, 1]


def test_a_doubtful_pulse_is_repeated_only_with_its_state_prepared_again(
    tmp_path: Path, bench: Path, protocol: Path, cut: Callable[..., Run]
) -> None:
    whole = load_run(api.run(protocol, bench, out=tmp_path / "whole", timing="host").path).events
    number = int(whole.index[whole["role"].eq("probe")][0])
    first = cut(number, protocol, bench)
    again = load_run(resume(first.path, on_resume="reprepare").path).events
    new = again.iloc[number:]
    assert new["text"].iloc[0].startswith(f"resumed at event {number}, reprepare: 'pulse pd by afg.1")
    kinds = [kind for kind in new["kind"] if kind != "route"][:6]
    assert kinds == ["note", "pulse", "resistance", "state", "pulse", "resistance"]
    assert new["role"].dropna().replace("", np.nan).dropna().tolist()[:2] == ["reset", "probe"]
    assert (new[new["trial"].eq(0)]["flags"].iloc[:2] == int(Flags.RESUMED)).all()
    assert again["kind"].eq("spike").sum() == 4


def test_without_a_state_nothing_is_prepared_again_and_nothing_repeated(
    tmp_path: Path, bench: Path, cut: Callable[..., Run]
) -> None:
    path = tmp_path / "bare.yaml"
    path.write_text(
        "protocol: 1\ntitle: t\nmeasures: [H2]\nbench: hnno\nsteps:\n"
        "  - pulse: {at: pd, level: 1 V, width: 10 us}\n  - read: {resistance: pd, as: r, points: 5}\n",
        encoding="utf-8",
    )
    first = cut(1, path, bench)
    stopped = resume(first.path, on_resume="reprepare")
    assert (stopped.status, stopped.exit_code) == ("stopped", 3)
    assert stopped.reason.startswith("no state was prepared before")
    assert load_run(stopped.path).tables["pulse"].empty
    done = load_run(resume(first.path, on_resume="skip").path)
    assert (len(done.tables["pulse"]), len(done.tables["resistance"])) == (0, 1)


def test_nobody_there_to_ask_is_an_error_before_anything_is_opened(
    bench: Path, protocol: Path, cut: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cut(1, protocol, bench)  # the pulse of the preparation
    monkeypatch.setattr("labctl.bench.opening.open_bench", None)
    with pytest.raises(ResumeError, match=r"'pulse pd by afg.1: -1 V for 10 us \(reset\)' may have reached the device"):
        resume(first.path)
    with resumption(first.path, choose=lambda doubt: "go on") as found:
        assert found.past.why.endswith("taken as done")


def test_what_was_announced_but_not_sent_is_in_no_doubt(
    tmp_path: Path, bench: Path, protocol: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Acting, "carry_out", interrupted)
        first = load_run(api.run(protocol, bench, out=tmp_path / "runs").path)
    with resumption(first.path) as found:
        assert found.past.why == "nothing was sent that is not stored"
    assert load_run(resume(first.path).path).tables["spike"].shape[0] == 4


def test_a_run_is_resumed_as_often_as_need_be(
    tmp_path: Path, bench: Path, protocol: Path, cut: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut in a pulse, prepared again, cut in the read after it, cut once more: the last file holds it all."""
    first = cut(5, protocol, bench)
    append = Recorder.append
    paths = [first.path]
    for number in (9, 13):

        def interrupted(recorder: Recorder, *row: Any, number: int = number) -> int:
            if recorder.events == number:
                raise KeyboardInterrupt
            return append(recorder, *row)

        with monkeypatch.context() as patch:
            patch.setattr(Recorder, "append", interrupted)
            outcome = resume(paths[-1], on_resume="reprepare")
        assert (outcome.exit_code, outcome.events) == (130, number)
        paths.append(outcome.path)
    done = load_run(resume(paths[-1], on_resume="reprepare").path)
    assert done.meta["status"] == "complete"
    notes = done.tables["note"]["text"].str.extract(r"resumed at event (\d+)")[0].astype(int).tolist()
    assert notes == [5, 9, 13]
    judged = done.tables["spike"]
    assert sorted(zip(judged["v"], judged["trial"], strict=True)) == [(v, t) for v in (1.0, 2.0) for t in (0, 1)]
    history = [entry["events"] for entry in done.meta["history"] if entry["reason"].startswith("resumed after")]
    assert history == [13]
    assert done.meta["extra"]["resumed"]["before"]["before"]["run_id"] == first.meta["run_id"]


def test_a_new_simulated_device_that_is_asked_for_begins_its_pass_again_with_other_chances(
    tmp_path: Path, cut: Callable[..., Run]
) -> None:
    """H3 with a device that keeps no memory: every level gets all its trials, draws are not those of the first part."""
    settings = {"fields": "[0.19 V/um, 0.21 V/um]", "trials": "6", "order": "sequential"}
    first = cut(60, "hnno/spiking_probability", overrides=settings)
    done = load_run(resume(first.path, on_resume="reprepare").path)
    assert done.tables["note"]["text"].str.contains("the simulated device is a new one").tolist() == [True]
    judged = done.tables["spike"]
    assert judged.groupby("field").size().tolist() == [6, 6]
    whole = load_run(api.run("hnno/spiking_probability", overrides=settings, out=tmp_path / "whole").path)
    values = done.tables["resistance"]["value"].to_numpy()
    assert not np.isin(values[-4:], whole.tables["resistance"]["value"]).any()


@pytest.mark.skipif(os.name == "nt", reason="no question marks in file names")
def test_a_bench_whose_path_has_a_question_mark(tmp_path: Path, protocol: Path, cut: Callable[..., Run]) -> None:
    """What stands behind the last one are settings of the simulation; here, of all but it, a folder's name."""
    folder = tmp_path / "which one?seed=2&x"
    folder.mkdir()
    kept = {"model": "resistor", "noise": False, "state": str(tmp_path / "device.json")}
    bench = bench_file(folder, "hnno", device={"kind": "resistor"}, simulation=kept)
    first = cut(9, protocol, bench, seed=5)
    done = load_run(resume(first.path, bench, on_resume="reprepare").path)
    assert (done.meta["status"], done.meta["seed"]) == ("complete", 5)
    assert done.tables["spike"].shape[0] == 4


def test_a_search_goes_on_where_it_was(tmp_path: Path, bench: Path, cut: Callable[..., Run]) -> None:
    """An until with a search is walked again from the stored readings, so that it halves the same interval on."""
    path = tmp_path / "search.yaml"
    path.write_text(
        "protocol: 1\ntitle: t\nmeasures: [H2]\nbench: hnno\nsteps:\n"
        "  - until: {reading: r, near: 1 kohm, within: 1 ohm}\n"
        "    vary: {height: {from: 1 V, to: 3 V}}\n"
        "    at_most: 4\n    else: flag\n"
        "    do:\n"
        "      - pulse: {at: pd, level: $height, width: 10 us}\n"
        "      - read: {resistance: pd, as: r, points: 5}\n",
        encoding="utf-8",
    )
    whole = load_run(api.run(path, bench, out=tmp_path / "whole").path)
    levels = whole.tables["pulse"]["level"].tolist()
    assert levels == [2.0, 2.5, 2.75, 2.875]
    first = cut(10, path, bench)
    done = load_run(resume(first.path, on_resume="skip").path)
    assert done.tables["pulse"]["level"].tolist() == levels


def test_what_cannot_be_resumed_says_why(tmp_path: Path, bench: Path, protocol: Path, cut: Callable[..., Run]) -> None:
    complete = api.run(protocol, bench, out=tmp_path / "runs").path
    with pytest.raises(ResumeError, match="this run was not interrupted: complete"):
        resume(complete)
    stopped = tmp_path / "stopped.yaml"
    stopped.write_text(TRIALS.replace("above: 10 kohm", "below: 10 ohm"), encoding="utf-8")
    outcome = api.run(stopped, bench, out=tmp_path / "runs")
    with pytest.raises(ResumeError, match=r"this run was not interrupted: stopped: .*not in state 'initial'"):
        resume(outcome.path)
    first = cut(2, protocol, bench)
    narrower = bench_file(tmp_path, "hnno", device={"kind": "resistor", "limits": {"voltage": {"pd": "5 V"}}})
    with pytest.raises(ResumeError, match="its protocol gives another plan now"):
        resume(first.path, narrower)


def test_a_run_that_was_cut_off_while_it_was_copied_is_not_taken_for_the_run(
    tmp_path: Path, bench: Path, protocol: Path, cut: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cut(6, protocol, bench)
    kept: list[bytes] = []

    def copy(recorder: Recorder, content: Any, reason: str) -> None:
        whole_copy(recorder, content, reason)
        kept.append(recorder.journal.read_bytes())
        raise KeyboardInterrupt

    whole_copy = Recorder.copy
    monkeypatch.setattr(Recorder, "copy", copy)
    with pytest.raises(KeyboardInterrupt):
        resume(first.path)
    monkeypatch.setattr(Recorder, "copy", whole_copy)
    part = tmp_path / "part.h5.journal"
    part.write_bytes(kept[0][:-500])
    with pytest.raises(ResumeError, match=f"cut off before it held all of {first.path.name}") as error:
        resume(part)
    assert error.value.hint == f"remove it and resume {first.path.name}"


def test_what_it_continues_is_told(bench: Path, protocol: Path, cut: Callable[..., Run]) -> None:
    first = cut(6, protocol, bench)
    (told,) = run_facts(load_run(resume(first.path).path))["continues"]
    assert told.startswith(f"{first.path.name} after 6 events (started ")
    assert told.endswith("stopped: stopped by Ctrl+C)")


@pytest.mark.parametrize(
    ("name", "settings", "numbers"),
    [
        ("hnno/spiking_probability", {"fields": "[0.19 V/um, 0.21 V/um]", "trials": "4"}, (37, 61)),
        ("aab/conditioned_pulse", {}, (0, 5)),
    ],
)
def test_a_simulated_run_goes_on_as_if_it_had_not_been_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, str], numbers: tuple[int, ...]
) -> None:
    """The device is brought to where it was by simulating the run again: the rest comes out the same to the bit."""
    options: dict[str, Any] = {"overrides": settings, "ask_operator": lambda step, what: None}
    whole = load_run(api.run(name, out=tmp_path / "whole", **options).path).events
    append = Recorder.append
    path: Path | None = None
    for number in numbers:

        def interrupted(recorder: Recorder, *row: Any, number: int = number) -> int:
            if recorder.events == number:
                raise KeyboardInterrupt
            return append(recorder, *row)

        with monkeypatch.context() as patch:
            patch.setattr(Recorder, "append", interrupted)
            path = go_on(path) if path else api.run(name, out=tmp_path / "runs", **options).path
    assert path is not None
    done = load_run(go_on(path))
    assert done.meta["status"] == "complete"
    notes = done.events["text"].fillna("").str.startswith("resumed at event")
    assert list(np.flatnonzero(notes)) == list(numbers)
    columns = [name for name in whole if name not in ("event", "wire", "trace", "text")]
    again = done.events[~notes.to_numpy()].reset_index(drop=True)
    pd.testing.assert_frame_equal(again[columns], whole[columns], check_dtype=False, check_exact=True)


def go_on(path: Path) -> Path:
    """Resume with an operator who does as asked."""
    with resumption(path) as found:
        return found.go_on(ask_operator=lambda step, what: None).path


def test_another_simulation_is_not_taken_for_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(TRIALS, encoding="utf-8")
    outcome = api.run(path, out=tmp_path / "runs", progress=press_ctrl_c)
    fit = acting.fit_resistance
    monkeypatch.setattr(acting, "fit_resistance", lambda v, i, s: fit(v, i, s)._replace(stderr=0.0))
    again = resume(outcome.path)
    assert (again.status, again.exit_code) == ("stopped", 3)
    assert re.match(r"event \d+ of the run has stderr .*, simulated again 0.0: it was another simulation", again.reason)


def press_ctrl_c(event: Event) -> None:
    if event.kind == "spike":
        raise KeyboardInterrupt
