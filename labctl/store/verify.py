"""Is a run file what was recorded? If not, which bytes, which columns, which events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labctl.store import content as c
from labctl.store.errors import RunFileError
from labctl.store.h5_reader import H5Reader, reading
from labctl.store.pages import check_pages
from labctl.store.reading import locate, open_journal


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was recorded: where, and what about it."""

    place: str
    problem: str


@dataclass(frozen=True)
class Verification:
    """``ok``: not a byte of the file has changed."""

    path: Path
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return not self.findings


def verify(path: str | Path) -> Verification:
    """Check a run file or a journal to the last byte. RunFileError if it cannot be opened as one at all."""
    path = locate(Path(path))
    findings = _journal(path) if path.suffix == ".journal" else _run_file(path)
    return Verification(path, tuple(findings))


def _journal(path: Path) -> Iterator[Finding]:
    reader = open_journal(path)
    for damage in reader.damage:
        yield Finding(f"bytes {damage.start} to {damage.stop - 1}", "no valid record: damaged")
    yield from _lost(reader)
    if reader.torn:
        yield Finding(reader.torn, "a write that was cut off and never acknowledged, or damage to the last record")
    if not reader.damage:
        yield from _chain(reader)


def _run_file(path: Path) -> Iterator[Finding]:
    with reading(path):
        pages = check_pages(path)
    if pages is None:
        with H5Reader(path) as reader:  # a file that is no run file, or cut too short to be read, ends here
            yield Finding("end of the file", "its table of checksums is missing: cut, or changed by another program")
            yield from _content(reader)
    elif pages.bad:
        # What HDF5 makes of a damaged structure is anybody's guess: the table's map names the places without it.
        for start, stop, what in pages.bad:
            yield Finding(f"bytes {start} to {stop - 1}", f"changed; there stands {what}")
    else:
        with H5Reader(path) as reader:
            yield from _content(reader)


def _content(reader: H5Reader) -> Iterator[Finding]:
    """Datasets by their checksums, units by the tables' description, blocks of events by the chain."""
    findings = [Finding(*change) for change in reader.changes()]
    yield from findings
    try:
        yield from whole(reader)
    except RunFileError:
        if not findings:
            raise


def whole(content: c.Content) -> Iterator[Finding]:
    """What is not as it was recorded, by the content alone: what is missing, blocks that the chain does not hold."""
    yield from _lost(content)
    yield from _chain(content)


def _chain(content: c.Content) -> Iterator[Finding]:
    for number, start, block in c.check_chain(content):
        end = block.end
        events = f"events {start.events} to {end.events - 1}" if end.events > start.events else "no events"
        wires = f", messages {start.wires} to {end.wires - 1}" if end.wires > start.wires else ""
        yield Finding(f"block {number} ({events}{wires})", "not what was recorded, by the chain of hashes")


def _lost(content: c.Content) -> Iterator[Finding]:
    """What is missing since its records in the journal were damaged."""
    lost = lost_events(content)
    if lost:
        yield Finding(f"events {_ranges(lost)}", "lost with damaged bytes of the journal")
    messages = np.flatnonzero(np.isnan(content.wire_heads()["time"])).tolist()
    if messages:
        yield Finding(f"messages {_ranges(messages)}", "lost with damaged bytes of the journal")
    texts = list(content.strings).count(c.LOST_TEXT)
    if texts:
        yield Finding(f"texts {c.LOST_TEXT!r}", f"{texts} lost with damaged bytes of the journal")


def lost_events(content: c.Content) -> list[int]:
    """Numbers of events that are missing among those recorded."""
    found = {event for layout in content.identity.layouts for event in content.events_of(layout.index).tolist()}
    expected = max(content.counts.events, *(block.end.events for block in content.blocks), 0)
    return sorted(set(range(expected)) - found)


def _ranges(numbers: list[int]) -> str:
    """Ascending numbers in short: ``3, 7-9``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
