"""What a run holds, whichever file it is read from, and the hash chain over it.

The chain is taken over the content in one canonical spelling, not over a file's bytes: so the chain that the recorder
wrote while the run was going can be computed again from the finished HDF5 file.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from labctl.store.header import Header, canonical
from labctl.store.tables import Column, RowLayout

FORMAT = 1  # of the journal and of the run file
LOST_TEXT = "(lost)"  # stands for a text whose record is damaged


@dataclass(frozen=True)
class Status:
    """One entry of the run's history, oldest first; the last one holds.

    events: how many had been acknowledged by then; instruments: what was read from them at that moment, by name, such
    as the settings they were left with; elapsed: s of the run by the bench's clock, where that is known.
    """

    time: str
    status: str
    events: int
    reason: str = ""
    instruments: Mapping[str, Any] = field(default_factory=dict)
    elapsed: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Identity:
    """First record of a run: its id, its header and its tables."""

    run_id: str
    header: Mapping[str, Any]
    layouts: tuple[RowLayout, ...]

    @cached_property
    def canonical(self) -> bytes:
        tables = [layout.as_dict() for layout in self.layouts]
        return canonical({"format": FORMAT, "run_id": self.run_id, "header": self.header, "tables": tables})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Identity:
        layouts = tuple(RowLayout.from_dict(i, t) for i, t in enumerate(values["tables"]))
        return cls(values["run_id"], values["header"], layouts)

    @property
    def as_header(self) -> Header:
        return Header.from_dict(self.header)


@dataclass(frozen=True)
class TraceLayout:
    """Names and dtypes (numpy strings, little-endian) of a trace's arrays, and the kind of row that it is behind."""

    kind: str
    channels: tuple[tuple[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "channels": [list(c) for c in self.channels]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TraceLayout:
        return cls(values["kind"], tuple((name, dtype) for name, dtype in values["channels"]))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Bytes per point, per channel."""
        return tuple(np.dtype(dtype).itemsize for _, dtype in self.channels)


TRACE = struct.Struct("<HI")  # layout, points; then the channels' bytes, one after the other
WIRE = struct.Struct("<qdII")  # number, time (s), code of the instrument, code of the direction; then the message
TRACE_HEAD = np.dtype([("layout", "<u2"), ("points", "<u4")])
WIRE_HEAD = np.dtype([("time", "<f8"), ("instrument", "<u4"), ("direction", "<u4"), ("length", "<u4")])
#: points behind several rows: number of each point's event, and channel -> values
Points = tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[Any]]]
MESSAGE = -2  # stands for the kind of row where a message of the wire log is meant
BROKEN_OFF = ("labctl", "broken off")  # of a message after which only outputs are made safe
INTENT = ("labctl", "intent")  # instrument and direction of a message that says what is about to act on the device


def intent_message(step: int, what: str, rows: int) -> bytes:
    """An intent as a message: the node of the plan, 'x' and the events expected, a space, words."""
    return f"{step}x{rows} {what}".encode("utf-8", "backslashreplace")


def read_intent(message: bytes) -> tuple[int, int, str]:
    """Node of the plan, events expected and words of an intent. A lost message has the node -1."""
    place, _, what = message.decode().partition(" ")
    step, _, rows = place.partition("x")
    return int(step or -1), int(rows or 1), what


@dataclass(frozen=True)
class Counts:
    """How much of everything there is; the ends of a block."""

    events: int = 0
    wires: int = 0
    traces: int = 0
    strings: int = 0
    trace_layouts: int = 0
    history: int = 0


@dataclass(frozen=True)
class Block:
    """A link of the chain: all that came after the block before it, up to ``end``."""

    end: Counts
    digest: bytes


class Content(Protocol):
    """A run's content as a file gives it. Rows are structured arrays of the kind's ``RowLayout.dtype``."""

    @property
    def identity(self) -> Identity: ...

    @property
    def strings(self) -> Sequence[str]: ...

    @property
    def trace_layouts(self) -> Sequence[TraceLayout]: ...

    @property
    def history(self) -> Sequence[Status]: ...

    @property
    def blocks(self) -> Sequence[Block]: ...

    @property
    def counts(self) -> Counts: ...

    def count(self, kind: int) -> int:
        """Rows of a kind."""

    def rows(self, kind: int, start: int, stop: int) -> npt.NDArray[np.void]:
        """Rows of a kind, of its layout's dtype, in order of execution."""

    def events_of(self, kind: int) -> npt.NDArray[np.int64]:
        """Event numbers of a kind's rows, ascending."""

    def columns(self, kind: int, names: Collection[str] | None = None) -> dict[str, npt.NDArray[Any]]:
        """Columns of a kind, all or those of ``names`` that it has; nothing else is read."""

    def points(self, kind: int, channels: Sequence[str]) -> Iterator[Points]:
        """All points behind a kind's rows, trace after trace; of ``channels`` those that the traces have."""

    def trace_heads(self) -> npt.NDArray[np.void]:
        """``TRACE_HEAD`` of every trace; a lost one has no points."""

    def wire_heads(self) -> npt.NDArray[np.void]:
        """``WIRE_HEAD`` of every message; a lost one has no bytes and the time NaN."""

    def trace(self, number: int) -> bytes:
        """A trace as ``TRACE`` and its channels' bytes; nothing if it is lost."""

    def wire(self, number: int) -> bytes:
        """A message as ``WIRE`` and its bytes; nothing if it is lost."""


def columns(rows: npt.NDArray[np.void], layout: RowLayout, strings: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Rows as columns; texts, and names of an enum's values, as objects."""
    found: dict[str, npt.NDArray[Any]] = {}
    for name, column in layout.columns.items():
        values = np.ascontiguousarray(rows[name])
        if column.is_text:
            missing = int(values.max(initial=0)) + 1 - len(strings)
            values = np.array([*strings, *[LOST_TEXT] * missing], object)[values]
        found[name] = named(column, values)
    return found


def named(column: Column, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values of a column with an enum as their names (a number without a name as text); others unchanged."""
    if not column.enum:
        return values
    names = {code: name for name, code in column.enum.items()}
    return np.array([names.get(value, str(value)) for value in values.tolist()], object)


def in_order(content: Content) -> Iterator[tuple[int, bytes, bytes]]:
    """All events and messages as they were recorded, one after the other: kind of row, its bytes, those of its trace.

    A message has the kind ``MESSAGE``.
    """

    def messages(start: int, stop: int) -> Iterator[tuple[int, bytes, bytes]]:
        return ((MESSAGE, content.wire(number), b"") for number in range(start, stop))

    tables = [content.rows(layout.index, 0, content.count(layout.index)) for layout in content.identity.layouts]
    kinds = np.repeat(np.arange(len(tables)), [len(rows) for rows in tables])
    places = np.concatenate([np.empty(0, np.int64), *(np.arange(len(rows)) for rows in tables)])
    order = np.argsort(np.concatenate([np.empty(0, np.int64), *(rows["event"] for rows in tables)]))
    packed = [(memoryview(rows.tobytes()), rows.dtype.itemsize) for rows in tables]
    before = [(rows["wire"].tolist(), rows["trace"].tolist()) for rows in tables]
    logged = 0
    for kind, place in zip(kinds[order].tolist(), places[order].tolist(), strict=True):
        (data, size), (wires, traces) = packed[kind], before[kind]
        yield from messages(logged, wires[place])
        logged = wires[place]
        row = bytes(data[place * size : (place + 1) * size])
        yield kind, row, content.trace(traces[place]) if traces[place] >= 0 else b""
    yield from messages(logged, content.counts.wires)


def digest(previous: bytes, streams: Iterable[bytes | memoryview]) -> bytes:
    """SHA-256 over the link before and the block's streams, each with its length."""
    sha = hashlib.sha256(previous)
    for stream in streams:
        sha.update(len(stream).to_bytes(8, "little"))
        sha.update(stream)
    return sha.digest()


def first_link(identity: Identity) -> bytes:
    """What the first block is chained to."""
    return hashlib.sha256(identity.canonical).digest()


def text_stream(strings: Sequence[str], layouts: Sequence[TraceLayout], history: Sequence[Status]) -> bytes:
    """The stream of a block's texts: strings and trace layouts that it introduced, entries of the history."""
    return canonical([list(strings), [layout.as_dict() for layout in layouts], [s.as_dict() for s in history]])


def block_digest(content: Content, previous: bytes, start: Counts, end: Counts) -> bytes:
    """Digest of the block from ``start`` to ``end``, from the content."""

    def streams() -> Iterator[bytes]:
        for layout in content.identity.layouts:
            events = content.events_of(layout.index)
            low, high = np.searchsorted(events, (start.events, end.events))
            yield content.rows(layout.index, int(low), int(high)).tobytes()
        yield b"".join(content.trace(i) for i in range(start.traces, end.traces))
        yield b"".join(content.wire(i) for i in range(start.wires, end.wires))
        yield text_stream(
            content.strings[start.strings : end.strings],
            content.trace_layouts[start.trace_layouts : end.trace_layouts],
            content.history[start.history : end.history],
        )

    return digest(previous, streams())


def check_chain(content: Content) -> Iterator[tuple[int, Counts, Block]]:
    """Blocks that are not what was recorded: number, start, block; each judged by the stored link before it."""
    previous, start = first_link(content.identity), Counts()
    for number, block in enumerate(content.blocks):
        if block_digest(content, previous, start, block.end) != block.digest:
            yield number, start, block
        previous, start = block.digest, block.end


def open_block(content: Content) -> Block | None:
    """A block for what came after the last one (the rest of a run that was killed), None if nothing did."""
    start = content.blocks[-1].end if content.blocks else Counts()
    previous = content.blocks[-1].digest if content.blocks else first_link(content.identity)
    end = content.counts
    return None if end == start else Block(end, block_digest(content, previous, start, end))
