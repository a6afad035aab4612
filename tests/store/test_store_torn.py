"""A journal cut anywhere loses no acknowledged event; a flipped bit anywhere is found, and costs one record at most."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labctl.store import RunFileError, load_run
from labctl.store.journal import HEAD, MAGIC
from labctl.store.repair import repair
from labctl.store.verify import verify


def acknowledged(sizes: list[int], cut: int) -> int:
    return sum(size <= cut for size in sizes)


def record_ends(data: bytes) -> list[int]:
    """Ends of the journal's records, by its heads."""
    ends, at = [], len(MAGIC)
    while at < len(data):
        at += HEAD.size + HEAD.unpack_from(data, at)[2]
        ends.append(at)
    return ends


def test_cut_at_every_byte_no_acknowledged_event_is_lost(short_run: Any, tmp_path: Path) -> None:
    short = short_run(3)
    short.recorder.close()
    data = short.recorder.journal.read_bytes()
    ends = record_ends(data)
    cut_file = tmp_path / "cut.h5.journal"
    for cut in range(len(data)):
        cut_file.write_bytes(data[:cut])
        if cut < ends[0]:  # no run has started yet; the recorder makes a journal appear with its header complete
            with pytest.raises(RunFileError):
                load_run(cut_file)
            continue
        run = load_run(cut_file)
        count = acknowledged(short.sizes, cut)
        assert len(run.tables["pulse"]) + len(run.tables["resistance"]) == count
        assert (run.meta["torn"] == "") == (cut in ends)
        assert run.meta["status"] == "failed"
        if cut % 29 == 0:
            short.check(run, count)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.61, 0.77, 0.999])
def test_a_cut_journal_is_repaired_to_a_run_file_that_says_so(short_run: Any, tmp_path: Path, fraction: float) -> None:
    short = short_run(4)
    short.recorder.close()
    data = short.recorder.journal.read_bytes()
    first = record_ends(data)[0]
    cut = first + int(fraction * (len(data) - first))
    short.recorder.journal.write_bytes(data[:cut])
    repaired = repair(short.recorder.path)
    assert repaired.events == acknowledged(short.sizes, cut)
    run = load_run(repaired.path)
    short.check(run, repaired.events)
    assert run.meta["status"] == "failed"
    assert "ended without finishing" in run.meta["reason"]
    assert verify(repaired.path).ok
    assert not short.recorder.journal.exists()


def test_a_flipped_bit_anywhere_in_a_journal_is_found_and_named(short_run: Any, tmp_path: Path) -> None:
    short = short_run(2)
    short.recorder.close()
    data = short.recorder.journal.read_bytes()
    ends = record_ends(data)
    starts = [len(MAGIC), *ends[:-1]]
    flipped = tmp_path / "flipped.h5.journal"
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        flipped.write_bytes(damaged)
        if at < ends[0]:
            with pytest.raises(RunFileError, match=r"not a labctl journal|header is damaged"):
                verify(flipped)
            continue
        findings = verify(flipped).findings
        start = max(start for start in starts if start <= at)
        # With a wrong length the last record looks as if it had been cut off.
        torn = start == starts[-1] and 4 <= at - start < 8
        assert (f"from byte {start} on" if torn else f"bytes {start} to ") in findings[0].place, at
        if not torn:
            with pytest.raises(RunFileError, match=f"bytes {start} to"):
                load_run(flipped)


def test_damage_to_the_last_record_is_not_taken_for_a_write_that_was_cut_off(short_run: Any) -> None:
    short = short_run(3)
    short.recorder.close()
    journal = short.recorder.journal
    data = bytearray(journal.read_bytes())
    data[-1] ^= 1
    journal.write_bytes(data)
    repaired = repair(journal)
    assert (repaired.events, "what the last record held" in repaired.statement) == (5, True)
    assert journal.exists()
    assert "what the last record held" in load_run(repaired.path).meta["reason"]


def test_damage_in_the_middle_costs_the_damaged_events_only_and_is_never_hidden(short_run: Any) -> None:
    short = short_run(30)
    short.recorder.close()
    journal = short.recorder.journal
    data = bytearray(journal.read_bytes())
    data[short.sizes[20] - 3] ^= 1  # in the record of event 20, a pulse
    data[short.sizes[33] - 3] ^= 1  # and in a trace
    journal.write_bytes(data)
    findings = verify(journal).findings
    assert [f.place for f in findings][-2:] == ["events 20, 33", "messages 10"]
    repaired = repair(journal)
    assert (repaired.events, "2 events lost" in repaired.statement) == (58, True)
    assert journal.exists()
    run = load_run(repaired.path)
    assert run.events["event"].tolist() == [e for e in range(60) if e not in (20, 33)]
    assert "2 events lost" in run.meta["reason"]
    later = run.tables["resistance"].iloc[-1]
    assert run.traces[later["trace"]]["status"].tolist() == [29, 29, 29]
    assert not verify(repaired.path).ok


def test_a_lost_text_is_marked_where_it_was_used(short_run: Any) -> None:
    short = short_run(3)
    short.append("pulse", {"role": "after_1 µ"})
    short.recorder.close()
    journal = short.recorder.journal
    data = bytearray(journal.read_bytes())
    data[data.index(b"after_1") + 1] ^= 1
    journal.write_bytes(data)
    repaired = repair(journal).path
    run = load_run(repaired)
    assert run.tables["resistance"]["name"].tolist() == ["after_0 µ", "(lost)", "after_2 µ"]
    assert run.tables["pulse"]["role"].tolist() == ["set", "set", "set", "(lost)"]
    assert [f.place for f in verify(repaired).findings] == ["texts '(lost)'"]


def test_an_event_lost_before_the_first_block_was_closed_stays_named_in_the_repaired_file(short_run: Any) -> None:
    short = short_run(3)
    short.recorder.close()
    journal = short.recorder.journal
    data = bytearray(journal.read_bytes())
    data[short.sizes[2] - 3] ^= 1
    journal.write_bytes(data)
    assert [f.place for f in verify(repair(journal).path).findings] == ["events 2", "messages 1"]


def test_a_journal_of_a_later_version_is_not_guessed_at(short_run: Any) -> None:
    from labctl.store.journal import record

    short = short_run(1)
    short.recorder.close()
    with short.recorder.journal.open("ab") as file:
        file.write(record(99, b"news"))
    with pytest.raises(RunFileError, match="unknown kind 99") as error:
        load_run(short.recorder.journal)
    assert "later version" in error.value.hint


def test_a_cut_between_a_definition_and_the_first_trace_that_needs_it_leaves_no_damage(
    short_run: Any, tmp_path: Path
) -> None:
    short = short_run(1)
    short.recorder.close()
    data = short.recorder.journal.read_bytes()
    cut_file = tmp_path / "cut.h5.journal"
    ends = [end for end in record_ends(data) if short.sizes[0] <= end <= short.sizes[1]]
    assert len(ends) > 3  # a message, texts, the trace's channels, then the event
    for end in ends:
        cut_file.write_bytes(data[:end])
        repaired = repair(cut_file).path
        assert verify(repaired).ok, end
        assert len(load_run(repaired).events) == 1 + (end == ends[-1])
        repaired.unlink()


@pytest.mark.parametrize("content", [b"", b"hello", MAGIC, MAGIC + b"x" * 50])
def test_what_is_no_journal_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.h5.journal"
    path.write_bytes(content)
    for act in (load_run, verify, repair):
        with pytest.raises(RunFileError) as error:
            act(path)
        assert error.value.exit_code == 5
        assert len(str(error.value).splitlines()) == 2
