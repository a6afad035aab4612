"""Intent, sent and stored are told apart; a run goes on in a file that begins with what the first one recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl.store import Header, Recorder, RunFileError, StorageError, load_run
from labctl.store.compare import compare_records
from labctl.store.continuation import copy_records, origin, pending
from labctl.store.open_block import BLOCK_PIECES
from labctl.store.repair import repair
from labctl.store.verify import verify
from tests.store.conftest import TABLES


def resumed(path: Path, first: Any, **header: Any) -> Recorder:
    recorder = Recorder.create(path, Header(protocol="protocol: 1\n", extra={"resumed": origin(first)}), TABLES)
    copy_records(first, recorder)
    return recorder


def test_an_intent_stands_before_what_it_announces(short_run: Any) -> None:
    short = short_run(1)
    recorder = short.recorder
    recorder.intent(3.25, 7, "pulse pd 4.2 V µ")
    recorder.wire(3.5, "afg", ">", b"*TRG\n")
    short.append("pulse", {"level": 4.2})
    recorder.intent(4.0, 8, "read", 2)
    recorder.wire(4.5, "smu", ">", b"print(1)\n")
    run = load_run(recorder.journal)
    expected = {
        "event": [2, 3], "wire": [1, 3], "time": [3.25, 4.0], "step": [7, 8], "rows": [1, 2],
        "what": ["pulse pd 4.2 V µ", "read"],
    }  # fmt: skip
    assert run.intents.to_dict("list") == expected
    assert run.wire["data"].tolist()[1:] == ["7x1 pulse pd 4.2 V µ".encode(), b"*TRG\n", b"8x2 read", b"print(1)\n"]
    path = recorder.finish("complete")
    assert load_run(path).intents.to_dict("list") == expected
    assert verify(path).ok


def test_a_run_without_intents_has_none(short_run: Any) -> None:
    run = load_run(short_run(1).recorder.finish("complete"))
    assert run.intents.empty
    assert list(run.intents) == ["event", "wire", "time", "step", "rows", "what"]
    assert pending(run) is None


@pytest.mark.parametrize(("sent", "stored"), [(0, 0), (1, 0), (3, 0), (2, 1), (2, 2)])
def test_what_may_have_reached_the_device_is_pending_until_an_event_is_stored(
    short_run: Any, sent: int, stored: int
) -> None:
    short = short_run(2)
    short.recorder.intent(9.0, 3, "pulse")
    for _ in range(sent):
        short.recorder.wire(9.5, "afg", ">", b"*TRG\n")
    for _ in range(stored):
        short.append("pulse", {"level": 1.0})
    short.recorder.close()
    found = pending(load_run(repair(short.recorder.path).path))
    if stored or not sent:  # an intent is in the journal with the first message after it, before that is sent
        assert found is None
    else:
        assert found is not None
        assert (found.event, found.time, found.step, found.what) == (4, 9.0, 3, "pulse")
        assert found.sent == 1  # the others go with the event


def full(data: bytes) -> None:
    raise OSError(28, "no space")


def test_what_cannot_be_announced_is_refused_and_leaves_nothing(
    short_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = short_run(1)

    with monkeypatch.context() as patch:
        patch.setattr(short.recorder._writer, "write", full)
        short.recorder.intent(5.0, 1, "pulse")
        with pytest.raises(StorageError, match="No space"):
            short.recorder.wire(5.0, "afg", ">", b"*TRG\n")  # raised before it is sent
        short.recorder.wire(5.5, "afg", ">", b"OUTP OFF\n")
    run = load_run(short.recorder.finish("failed", "disk full"))
    assert run.intents.empty
    assert run.wire["data"].tolist()[1:] == [b"OUTP OFF\n"]


def test_after_a_stop_the_disk_keeps_no_message_from_being_sent(
    short_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl+C between an intent and its first message: the messages that follow make outputs safe."""
    short = short_run(1)

    with monkeypatch.context() as patch:
        patch.setattr(short.recorder._writer, "write", full)
        short.recorder.intent(5.0, 1, "pulse", 1)
        short.recorder.broken_off(5.0, "stopped by Ctrl+C")
        short.recorder.wire(5.5, "afg", ">", b"OUTP OFF\n")
    run = load_run(short.recorder.finish("stopped", "stopped by Ctrl+C"))
    assert run.wire["data"].iloc[-1] == b"OUTP OFF\n"
    found = pending(run)
    assert found is not None
    assert found.sent == 0


@pytest.mark.parametrize("finished", [True, False], ids=["run file", "journal"])
def test_a_resumed_run_begins_with_the_first_one_s_records(short_run: Any, tmp_path: Path, finished: bool) -> None:
    trials = BLOCK_PIECES // 2  # several blocks of the chain
    short = short_run(trials)
    recorder = short.recorder
    recorder.extend("pulse", {"time": np.arange(3.0), "level": np.array([np.nan, -0.0, np.inf]), "role": "probe"})
    recorder.intent(1e3, 5, "pulse")
    recorder.wire(1e3, "afg", ">", b"*TRG\n")
    recorder.finish("stopped", "by hand") if finished else recorder.close()
    first = load_run(recorder.path)
    second = resumed(tmp_path / "resumed.h5", first)
    assert second.events == len(first.events)
    assert second.append("pulse", {"time": 2e3, "role": "new"}, {"x": np.zeros(2)}) == len(first.events)
    path = second.finish("complete")
    run = load_run(path)
    assert verify(path).ok
    assert list(compare_records(first, run, len(first.events))) == []
    assert run.wire.equals(first.wire)
    assert pending(first) is not None
    assert run.traces[trials]["x"].tolist() == [0, 0]
    told = run.meta["extra"]["resumed"]
    assert (told["from"], told["run_id"], told["events"]) == ("run.h5", first.meta["run_id"], len(first.events))
    assert (told["status"], told["reason"]) == (first.meta["status"], first.meta["reason"])
    assert told["time"] == first.events["time"].iloc[-1]
    began, goes_on, _ = run.meta["history"]
    assert (began["status"], began["events"]) == ("running", 0)
    assert (goes_on["status"], goes_on["events"]) == ("running", len(first.events))
    assert goes_on["reason"] == f"resumed after {len(first.events)} events of run.h5"


def test_resumed_twice(short_run: Any, tmp_path: Path) -> None:
    short = short_run(2)
    short.recorder.close()
    first = load_run(short.recorder.path)
    second = resumed(tmp_path / "second.h5", first)
    second.close()
    between = load_run(tmp_path / "second.h5")
    assert between.meta["status"] == "failed"
    third = load_run(resumed(tmp_path / "third.h5", between).finish("complete"))
    assert list(compare_records(first, third)) == []
    assert third.meta["extra"]["resumed"]["before"]["run_id"] == first.meta["run_id"]


def test_a_run_that_had_no_events(short_run: Any, tmp_path: Path) -> None:
    short = short_run(0)
    short.recorder.close()
    recorder = resumed(tmp_path / "second.h5", load_run(short.recorder.path))
    recorder.append("pulse", {"role": "set"})
    path = recorder.finish("complete")
    assert verify(path).ok
    assert load_run(path).tables["pulse"]["role"].tolist() == ["set"]


def test_what_cannot_be_continued_leaves_no_file(short_run: Any, tmp_path: Path) -> None:
    short = short_run(3)
    with pytest.raises(StorageError, match="the run goes on"):
        resumed(tmp_path / "second.h5", load_run(short.recorder.journal))
    data = bytearray(short.recorder.journal.read_bytes())
    short.recorder.close()
    data[short.sizes[2] - 3] ^= 1
    short.recorder.journal.write_bytes(data)
    with pytest.raises(RunFileError, match="damaged: events 2: lost with damaged bytes") as error:
        resumed(tmp_path / "second.h5", load_run(repair(short.recorder.path).path))
    assert "labctl verify" in error.value.hint
    assert not list(tmp_path.glob("second*"))


def test_tables_must_be_the_same_and_the_recorder_new(short_run: Any, tmp_path: Path) -> None:
    short = short_run(1)
    first = load_run(short.recorder.finish("complete"))
    other = Recorder.create(tmp_path / "other.h5", Header(protocol=""), {"pulse": TABLES["pulse"]})
    with pytest.raises(ValueError, match="tables"):
        copy_records(first, other)
    begun = short_run(1, "begun.h5").recorder
    with pytest.raises(ValueError, match="has not begun"), first.content() as content:
        begun.copy(content, "")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wire"), st.binary(max_size=20)),
        st.tuples(st.just("intent"), st.text(max_size=10)),
        st.tuples(
            st.just("pulse"), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
        ),
        st.tuples(st.just("trace"), st.integers(0, 4)),
        st.tuples(st.just("rows"), st.integers(1, 5)),
    ),
    max_size=30,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, finished=st.booleans())
def test_any_run_is_copied_bit_for_bit(tmp_path_factory: Any, steps: list[tuple[str, Any]], finished: bool) -> None:
    folder = tmp_path_factory.mktemp("any")
    with Recorder.create(folder / "run.h5", Header(protocol=""), TABLES, sync_interval=None) as recorder:
        for number, (what, value) in enumerate(steps):
            if what == "wire":
                recorder.wire(float(number), "smu", "<", value)
            elif what == "intent":
                recorder.intent(float(number), number, value)
            elif what == "pulse":
                recorder.append("pulse", {"role": value})
            elif what == "trace":
                recorder.append("resistance", {"value": float(number)}, {f"t{value % 2}": np.arange(float(value))})
            else:
                recorder.extend("pulse", {"level": np.full(value, 0.1 * number)})
        if finished:
            recorder.finish("stopped")
    first = load_run(folder / "run.h5")
    path = resumed(folder / "again.h5", first).finish("complete")
    again = load_run(path)
    assert verify(path).ok
    assert list(compare_records(first, again)) == []
    assert again.intents.equals(first.intents)
    # an intent is written with what follows it
    last = len(steps) if finished else max((k for k, (what, _) in enumerate(steps) if what != "intent"), default=0)
    said = [value for what, value in steps[:last] if what == "intent"]
    assert again.intents["what"].tolist() == [v.encode("utf-8", "backslashreplace").decode() for v in said]
