"""Read a journal: of a run that goes on, of one that was killed, or of one about to become a run file.

One pass over the heads finds and checks every record and keeps where it is; rows are then gathered in numpy.
"""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl.store import content as c
from labctl.store import locking
from labctl.store.errors import RunFileError
from labctl.store.journal import HEAD, ITEM, MAGIC, SIGN, Tag, checksum, unpack_block

_NUMBER = struct.Struct("<q")
_BYTES = 1 << 22  # of traces or messages that are gathered at once
_STRETCH = 16  # rows on end from which on a stretch is copied as a whole
_TRACE_FIELD = 16  # place of a row's trace number: after event and wire
_LONG = 256  # bytes per stretch from which on stretches are copied one by one
_EVENT, _ROWS, _WIRE, _BUNDLE = int(Tag.EVENT), int(Tag.ROWS), int(Tag.WIRE), int(Tag.BUNDLE)  # plain numbers: faster
_WIRE_FIELDS = np.dtype([("number", "<i8"), ("time", "<f8"), ("instrument", "<u4"), ("direction", "<u4")])


@dataclass(frozen=True)
class Damage:
    """Bytes of the journal that are no valid record, though valid ones follow."""

    start: int
    stop: int


class JournalReader:
    """Content of a journal (see :class:`labctl.store.content.Content`).

    It stops cleanly at a torn tail, the mark of a write that was cut off: ``torn`` says so. Damage, of records that are
    as long as they should be, is listed in ``damage``; whatever can be read around it is read.
    """

    def __init__(self, path: Path, locked: bool = False) -> None:
        """Raises RunFileError if this is no journal, or one without a header; OSError.

        locked: it is this process that keeps it from being written.
        """
        self.path = path
        self._locked = locked
        self.identity: c.Identity
        self.strings: list[str] = [""]
        self.trace_layouts: list[c.TraceLayout] = []
        self.history: list[c.Status] = []
        self.blocks: list[c.Block] = []
        self.damage: list[Damage] = []
        self.torn = ""
        self.running = False
        self._rows: list[array[int]] = []  # per kind: where the rows are
        self._traces = array("q")  # per number: where the trace is, 0 lost
        self._wires = array("q")
        self._wire_lengths = array("I")
        self._events = 0
        self._end = 0
        self._map: mmap.mmap | bytes = b""
        self.refresh()

    def refresh(self) -> bool:
        """Read what was written since; True if there was something."""
        with self.path.open("rb") as file:
            self.running = not self._locked and locking.is_held(file.fileno())
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if self.path.stat().st_size else b""
        before = self._end
        if not before:
            self._start()
        self._scan()
        return self._end > before

    def close(self) -> None:
        """Let go of the file."""
        if isinstance(self._map, mmap.mmap):
            self._map.close()
            self._map = b""

    @property
    def size(self) -> int:
        """Bytes that have been read."""
        return self._end

    @property
    def counts(self) -> c.Counts:
        return c.Counts(
            self._events,
            len(self._wires),
            len(self._traces),
            len(self.strings),
            len(self.trace_layouts),
            len(self.history),
        )

    def count(self, kind: int) -> int:
        return len(self._rows[kind])

    def rows(self, kind: int, start: int, stop: int) -> npt.NDArray[np.void]:
        return self._take(self._places(kind, start, stop), self.identity.layouts[kind].dtype)

    def events_of(self, kind: int) -> npt.NDArray[np.int64]:
        return self._take(self._places(kind, 0, self.count(kind)), np.dtype("<i8"))

    def trace_heads(self) -> npt.NDArray[np.void]:
        places = np.frombuffer(self._traces, dtype=np.int64) if self._traces else np.empty(0, np.int64)
        heads = self._take(places, c.TRACE_HEAD)
        known = [layout.kind != c.LOST_TEXT for layout in self.trace_layouts]
        lost = places == 0
        lost |= ~np.isin(heads["layout"], np.flatnonzero(known))
        heads[lost] = (0, 0)
        return heads

    def wire_heads(self) -> npt.NDArray[np.void]:
        places = np.frombuffer(self._wires, dtype=np.int64) if self._wires else np.empty(0, np.int64)
        lost = places == 0
        messages = self._take(places, _WIRE_FIELDS)
        heads = np.empty(len(places), c.WIRE_HEAD)
        for name in ("time", "instrument", "direction"):
            heads[name] = messages[name]
        heads["length"] = np.frombuffer(self._wire_lengths, np.uint32) - np.uint32(c.WIRE.size) if len(places) else 0
        heads[lost] = (np.nan, 0, 0, 0)
        return heads

    def trace(self, number: int) -> bytes:
        start = self._traces[number]
        if not start:
            return b""
        code, points = c.TRACE.unpack_from(self._map, start)
        sizes = self.trace_layouts[code].sizes if code < len(self.trace_layouts) else ()
        return bytes(self._map[start : start + c.TRACE.size + points * sum(sizes)])

    def trace_arrays(self, number: int) -> dict[str, npt.NDArray[Any]]:
        """Channel -> values of one trace."""
        data = self.trace(number)
        if not data:
            return {}
        code, points = c.TRACE.unpack_from(data)
        arrays, at = {}, c.TRACE.size
        for name, dtype in self.trace_layouts[code].channels if code < len(self.trace_layouts) else ():
            arrays[name] = np.frombuffer(data, dtype, points, at)
            at += arrays[name].nbytes
        return arrays

    def columns(self, kind: int, names: Collection[str] | None = None) -> dict[str, npt.NDArray[Any]]:
        """A kind's columns, or those of ``names`` that it has; texts, and names of an enum's values, as objects."""
        found = c.columns(self.rows(kind, 0, self.count(kind)), self.identity.layouts[kind], self.strings)
        return found if names is None else {name: values for name, values in found.items() if name in names}

    def points(self, kind: int, channels: Sequence[str]) -> Iterator[c.Points]:
        """All points behind a kind's rows, trace after trace; of ``channels`` those that the traces have."""
        rows = self.rows(kind, 0, self.count(kind))
        for event, number in zip(rows["event"].tolist(), rows["trace"].tolist(), strict=True):
            found = self.trace_arrays(number) if number >= 0 else {}
            if found:
                length = len(next(iter(found.values())))
                yield np.full(length, event, np.int64), {name: found[name] for name in channels if name in found}

    def wire(self, number: int) -> bytes:
        start = self._wires[number]
        return bytes(self._map[start : start + self._wire_lengths[number]]) if start else b""

    def messages(self) -> Iterator[npt.NDArray[np.uint8]]:
        """The bytes of all messages, one after the other, without their heads."""
        places, lengths = (np.array(kept, np.int64) for kept in (self._wires, self._wire_lengths))
        there = places > 0
        return self._stretches(places[there] + c.WIRE.size, lengths[there] - c.WIRE.size)

    def channel(self, numbers: npt.NDArray[np.int64], channel: int) -> Iterator[npt.NDArray[Any]]:
        """Values of one channel of traces that have the same layout and are not lost, one after the other."""
        places = np.frombuffer(self._traces, np.int64)[numbers]
        heads = self._take(places, c.TRACE_HEAD)
        layout = self.trace_layouts[int(heads["layout"][0])]
        points = heads["points"].astype(np.int64)
        places = places + c.TRACE.size + points * sum(layout.sizes[:channel])
        for part in self._stretches(places, points * layout.sizes[channel]):
            yield part.view(layout.channels[channel][1])

    def _stretches(
        self, places: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
    ) -> Iterator[npt.NDArray[np.uint8]]:
        """Stretches of the file, one after the other, in parts of ``_BYTES`` or the length of one that is longer."""
        ends = np.cumsum(lengths)
        steps = (ends - lengths) // _BYTES
        for some in np.split(np.arange(len(places)), np.flatnonzero(np.diff(steps)) + 1) if len(places) else ():
            start, length = places[some], lengths[some]
            total = int(length.sum())
            if total > _LONG * len(some):
                data = b"".join(self._map[a : a + n] for a, n in zip(start.tolist(), length.tolist(), strict=True))
                yield np.frombuffer(data, np.uint8)
            else:
                before = np.cumsum(length) - length
                yield np.frombuffer(self._map, np.uint8)[np.arange(total) + np.repeat(start - before, length)]

    def _places(self, kind: int, start: int, stop: int) -> npt.NDArray[np.int64]:
        rows = self._rows[kind]
        return np.frombuffer(rows, dtype=np.int64)[start:stop] if rows else np.empty(0, np.int64)

    def _take(self, places: npt.NDArray[np.int64], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """What stands at the places."""
        if not len(places):
            return np.empty(0, dtype)
        breaks = np.flatnonzero(np.diff(places) != dtype.itemsize) + 1
        if len(breaks) < len(places) // _STRETCH:  # recorded in blocks: rows one after the other
            stretches = np.split(places, breaks)
            return np.concatenate([np.frombuffer(self._map, dtype, len(s), int(s[0])) for s in stretches])
        # The file seen as an array with one, overlapping, element per byte.
        overlapping = np.ndarray((len(self._map) - dtype.itemsize + 1,), dtype, buffer=self._map, strides=(1,))
        taken: npt.NDArray[Any] = overlapping[places]
        return taken

    def _start(self) -> None:
        """The file's first line and the run's identity."""
        at = len(MAGIC)
        if self._map[:at] != MAGIC:
            raise RunFileError(
                f"{self.path}: not a labctl journal, or its first bytes are damaged",
                "Check that this is the journal of a run; a damaged one must come from a backup.",
            )
        found = self._record(at)
        if found is None or found[0] != Tag.IDENTITY:
            raise RunFileError(
                f"{self.path}: the journal's header is damaged (byte {at})",
                "Its events cannot be told apart without it: restore the file from a backup.",
            )
        self.identity = c.Identity.from_dict(json.loads(self._map[found[1] : found[2]]))
        self._rows = [array("q") for _ in self.identity.layouts]
        self._sizes = [layout.dtype.itemsize for layout in self.identity.layouts]
        self._end = found[2]

    def _record(self, at: int) -> tuple[int, int, int] | None:
        """Tag, start and stop of the payload of the record at ``at``; None if there is no valid one."""
        start = at + HEAD.size
        if start > len(self._map):
            return None
        sign, tag, length, crc = HEAD.unpack_from(self._map, at)
        stop = start + length
        if sign != SIGN or stop > len(self._map) or checksum(tag, self._map[start:stop]) != crc:
            return None
        return tag, start, stop

    def _scan(self) -> None:
        self.torn = ""
        data = self._map
        size = len(data)
        at = self._end
        unpack, crc32, head = HEAD.unpack_from, zlib.crc32, HEAD.size
        with memoryview(data) as view:
            while at < size:
                start = at + head
                if start <= size:
                    sign, tag, length, crc = unpack(data, at)
                    stop = start + length
                    if sign == SIGN and stop <= size and crc32(view[start:stop], tag << 16 ^ length) == crc:
                        if tag == _BUNDLE:
                            self._note_items(start, stop)
                        else:
                            self._note(tag, start, stop)
                        at = stop
                        continue
                found = self._next_record(at)
                if found < 0 and self._is_whole(at) and not self.running:
                    found = size
                if found < 0:
                    self.torn = f"{size - at} bytes at the end, from byte {at} on, are no complete record"
                    break
                self.damage.append(Damage(at, found))
                at = found
        self._end = at
        if not self.history:  # its record is damaged
            self.history.append(c.Status(self.identity.header["started"], "running", 0))
        self._events = max((self._last_event(kind) + 1 for kind in range(len(self._rows))), default=0)

    def _next_record(self, at: int) -> int:
        """Where the next valid record starts after a bad one at ``at``; -1 if there is none."""
        while (at := self._map.find(SIGN, at + 1)) >= 0:
            if self._record(at):
                return at
        return -1

    def _is_whole(self, at: int) -> bool:
        """Whether what is no valid record at ``at`` has the length of one: then it was not cut off, but damaged."""
        start = at + HEAD.size
        return start <= len(self._map) and start + HEAD.unpack_from(self._map, at)[2] == len(self._map)

    def _last_event(self, kind: int) -> int:
        n = self.count(kind)
        return int(self._take(self._places(kind, n - 1, n), np.dtype("<i8"))[0]) if n else -1

    def _note_items(self, at: int, stop: int) -> None:
        """Note what a bundle holds."""
        data, unpack, size = self._map, ITEM.unpack_from, ITEM.size
        counting = not self.damage  # then messages have the numbers 0, 1, 2, ...: each is the next one
        while at < stop:
            tag, length = unpack(data, at)
            at += size
            if counting and tag == _WIRE:
                self._wires.append(at)
                self._wire_lengths.append(length)
            else:
                self._note(tag, at, at + length)
            at += length

    def _note(self, tag: int, start: int, stop: int) -> None:
        """Keep what a record says, or where it is."""
        sizes = self._sizes
        if 0 <= (kind := tag - _EVENT) < len(sizes):
            self._rows[kind].append(start)
            if stop - start > sizes[kind]:
                (number,) = _NUMBER.unpack_from(self._map, start + _TRACE_FIELD)
                _put(self._traces, number, start + sizes[kind], 0)
            return
        if tag == _WIRE:
            (number,) = _NUMBER.unpack_from(self._map, start)
            _put(self._wires, number, start, 0)
            _put(self._wire_lengths, number, stop - start, c.WIRE.size)
            return
        payload = self._map[start:stop]
        if 0 <= (kind := tag - _ROWS) < len(sizes):
            self._rows[kind].frombytes(np.arange(start, stop, sizes[kind]).tobytes())
        elif tag == Tag.STRING:
            _put(self.strings, int.from_bytes(payload[:4], "little"), payload[4:].decode(), c.LOST_TEXT)
        elif tag == Tag.TRACE_LAYOUT:
            layout = c.TraceLayout.from_dict(json.loads(payload[2:]))
            _put(self.trace_layouts, int.from_bytes(payload[:2], "little"), layout, c.TraceLayout(c.LOST_TEXT, ()))
        elif tag == Tag.STATUS:
            self.history.append(c.Status(**json.loads(payload)))
        elif tag == Tag.BLOCK:
            self.blocks.append(unpack_block(payload))
        else:
            raise RunFileError(
                f"{self.path}: record of an unknown kind {tag} at byte {start - HEAD.size}",
                "The journal was written by a later version of labctl: use that one.",
            )


def _put(sequence: Any, number: int, value: Any, lost: Any) -> None:
    """``sequence[number] = value``; numbers come in order, but what went missing before this one is filled in."""
    while len(sequence) < number:
        sequence.append(lost)
    if len(sequence) == number:
        sequence.append(value)
    else:
        sequence[number] = value
