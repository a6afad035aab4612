"""Make the run file of a run that was cut off, from its journal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labctl.store import locking
from labctl.store.content import Status
from labctl.store.convert import write_run_file
from labctl.store.errors import RunFileError, StorageError, storage_error
from labctl.store.files import BINARY, journal_of
from labctl.store.h5_reader import H5Reader
from labctl.store.header import now
from labctl.store.journal import remove
from labctl.store.journal_reader import JournalReader
from labctl.store.reading import CUT_OFF, open_journal
from labctl.store.verify import lost_events, verify


@dataclass(frozen=True)
class Repaired:
    """The run file, its number of events, and what was found and done, in words."""

    path: Path
    events: int
    statement: str


def repair(path: str | Path) -> Repaired:
    """Make ``RUN.h5`` from ``RUN.h5.journal`` (either name may be given). Nothing that exists is changed.

    The journal is removed if the run file holds all of it, kept if it is damaged. RunFileError: there is nothing to
    repair from; StorageError: the run goes on, or the disk.
    """
    path = Path(path)
    final = path.with_suffix("") if path.suffix == ".journal" else path
    journal = journal_of(final)
    if final.exists():
        return _finished(final, journal)
    if not journal.exists():
        raise RunFileError(f"{path}: there is no such run file, nor a journal of it", "Check the path.")
    with _alone(journal):
        reader = open_journal(journal, locked=True)
        try:
            repaired = _from_journal(reader, journal, final)
        finally:
            reader.close()
    if not reader.damage:
        remove(journal)
    return repaired


@contextmanager
def _alone(journal: Path) -> Iterator[None]:
    """Keep the recorder of the run, and other repairs, out."""
    try:
        fd = os.open(journal, os.O_RDWR | BINARY)
    except OSError as error:
        raise storage_error(error, journal, "opening the journal") from error
    try:
        if not locking.take(fd):
            raise StorageError(
                f"{journal}: the run goes on, another process is writing it", "Wait for its end, or stop that process."
            )
        yield
    finally:
        os.close(fd)


def _from_journal(reader: JournalReader, journal: Path, final: Path) -> Repaired:
    events = sum(reader.count(layout.index) for layout in reader.identity.layouts)
    words = [f"{events} events in {final}"]
    if reader.torn:
        words.append(f"{reader.torn}: a write that was cut off and never acknowledged, left out")
    lost = lost_events(reader)
    if reader.damage:
        bad = sum(damage.stop - damage.start for damage in reader.damage)
        tail = " and what the last record held" if reader.damage[-1].stop == reader.size else ""
        words.append(f"{bad} damaged bytes, {len(lost)} events{tail} lost with them; the journal is kept")
    added = []
    if reader.history[-1].status == "running":
        added.append(Status(now(), "failed", events, f"{CUT_OFF}; repaired: {'; '.join(words[1:]) or 'nothing lost'}"))
    elif reader.damage:
        last = reader.history[-1]
        added.append(Status(now(), last.status, events, f"{last.reason}; repaired: {'; '.join(words[1:])}".strip("; ")))
    try:
        write_run_file(reader, final, added)
    except OSError as error:
        then = f"; all {events} events are kept in {journal}. Then: labctl repair {journal}"
        raise storage_error(error, final, "making the run file", then) from error
    return Repaired(final, events, "; ".join(words))


def _finished(final: Path, journal: Path) -> Repaired:
    """A run file is there: is it whole, and is the journal beside it a leftover?"""
    verification = verify(final)
    if not verification.ok:
        first = verification.findings[0]
        hint = (
            f"Move it away; then its journal makes a new one: labctl repair {journal}"
            if journal.exists()
            else "Its journal is gone: restore it from a backup. labctl verify says what is affected."
        )
        raise RunFileError(f"{final}: damaged at {first.place}: {first.problem}", hint)
    with H5Reader(final) as reader:
        run_id = reader.identity.run_id
        events = sum(reader.count(layout.index) for layout in reader.identity.layouts)
    if not journal.exists():
        return Repaired(final, events, "the run file is whole: nothing to repair")
    leftover = open_journal(journal)
    same = leftover.identity.run_id == run_id and not leftover.running
    leftover.close()
    if not same:
        raise StorageError(
            f"{journal}: the journal of another run, or of one that goes on, lies beside {final}",
            "Move the run file or the journal to another folder.",
        )
    remove(journal)
    return Repaired(final, events, "the run file is whole; the journal left beside it is removed")
