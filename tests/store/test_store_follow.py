"""Reading a run that goes on, from its start to its end; and repairing around one."""

from __future__ import annotations

from typing import Any

import pytest

from labctl.store import Header, Recorder, RunFileError, StorageError, load_run
from labctl.store.repair import repair
from labctl.store.verify import verify


def test_a_running_file_is_followed_to_its_end(short_run: Any) -> None:
    short = short_run(2)
    run = load_run(short.recorder.path)
    assert (run.meta["status"], run.meta["running"]) == ("running", True)
    short.check(run, 4)
    assert not run.refresh()
    short.fill(3, start=2)
    short.check(run, 4)
    assert run.refresh()
    short.check(run, 10)
    assert verify(short.recorder.journal).ok
    short.recorder.finish("stopped", "by Ctrl+C")
    assert run.refresh()
    assert (run.meta["status"], run.meta["reason"], run.meta["running"]) == ("stopped", "by Ctrl+C", False)
    short.check(run, 10)
    assert not run.refresh()


def test_a_killed_writer_is_noticed(short_run: Any) -> None:
    short = short_run(1)
    run = load_run(short.recorder.journal)
    short.recorder.close()
    assert run.refresh()
    assert (run.meta["status"], run.meta["running"], run.meta["finished"]) == ("failed", False, "")
    assert "ended without finishing" in run.meta["reason"]


def test_a_half_written_record_is_left_for_the_next_look(short_run: Any) -> None:
    short = short_run(2)
    short.recorder.close()
    journal = short.recorder.journal
    data = journal.read_bytes()
    cut = short.sizes[2] + 5
    journal.write_bytes(data[:cut])
    run = load_run(journal)
    short.check(run, 3)
    assert f"from byte {short.sizes[2]} on" in run.meta["torn"]
    journal.write_bytes(data)
    assert run.refresh()
    short.check(run, 4)
    assert run.meta["torn"] == ""


def test_a_finished_run_is_found_under_its_journals_name(short_run: Any) -> None:
    short = short_run(1)
    short.recorder.finish("complete")
    short.check(load_run(short.recorder.journal), 2)


def test_a_run_that_goes_on_is_not_repaired(short_run: Any) -> None:
    short = short_run(1)
    with pytest.raises(StorageError, match="the run goes on"):
        repair(short.recorder.path)
    short.check(load_run(short.recorder.finish("complete")), 2)
    assert "nothing to repair" in repair(short.recorder.path).statement


def test_a_run_that_ended_but_was_not_converted_keeps_its_status(
    short_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labctl.store import convert

    short = short_run(1)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(convert, "publish", die)
    with pytest.raises(KeyboardInterrupt):
        short.recorder.finish("complete", "as planned")
    monkeypatch.undo()
    short.recorder.close()
    repaired = repair(short.recorder.path)
    run = load_run(repaired.path)
    assert (run.meta["status"], run.meta["reason"]) == ("complete", "as planned")
    assert [(entry["status"], entry["events"]) for entry in run.meta["history"]] == [("running", 0), ("complete", 2)]
    short.check(run, 2)


def test_a_journal_left_beside_its_run_file_is_removed(short_run: Any) -> None:
    short = short_run(1)
    data = short.recorder.journal.read_bytes()
    path = short.recorder.finish("complete")
    short.recorder.journal.write_bytes(data)
    assert "is removed" in repair(path).statement
    assert not short.recorder.journal.exists()


def test_a_journal_of_another_run_is_left_alone(short_run: Any) -> None:
    short, other = short_run(1), short_run(2, name="other.h5")
    path = short.recorder.finish("complete")
    other.recorder.close()
    other.recorder.journal.rename(short.recorder.journal)
    with pytest.raises(StorageError, match="another run"):
        repair(path)
    assert short.recorder.journal.exists()


def test_repairing_nothing(tmp_path: Any) -> None:
    with pytest.raises(RunFileError, match="there is no such run file"):
        repair(tmp_path / "run.h5")


def test_a_recorder_that_is_left_unfinished_leaves_its_journal(tmp_path: Any) -> None:
    path = tmp_path / "run.h5"
    with Recorder.create(path, Header(protocol=""), {"pulse": {"level": "f8"}}) as recorder:
        recorder.append("pulse", {"level": 1.0})
    run = load_run(path)
    assert (len(run.events), run.meta["status"], run.meta["running"]) == (1, "failed", False)
