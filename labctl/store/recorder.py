"""Write a run while it happens: every acknowledged event is on its way to the disk before the next one starts."""

from __future__ import annotations

import contextlib
import math
import struct
import uuid
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from labctl.store import content as c
from labctl.store.errors import NameTaken, StorageError, storage_error
from labctl.store.files import journal_of
from labctl.store.fitting import fill, misfit
from labctl.store.header import Header, canonical, now, storable
from labctl.store.journal import ITEM, JournalWriter, Tag, pack_block, record
from labctl.store.open_block import BLOCK_PIECES, TRACE, WIRE, OpenBlock
from labctl.store.tables import Column, row_layouts
from labctl.store.vocabulary import Vocabulary

MOST_HELD = 256  # messages of the wire log that wait for the next event,
LARGE_MESSAGE = 1 << 16  # and bytes of one that does not wait
ROWS_PER_RECORD = 16384
ENDINGS = ("complete", "stopped", "failed")
_EVENT_TAG, _WIRE_TAG, _BUNDLE_TAG = int(Tag.EVENT), int(Tag.WIRE), int(Tag.BUNDLE)  # plain numbers, quick to add

_Message = tuple[float, str, str, bytes]  # time, instrument, direction, data
_Mark = tuple[int, int, int, int, int, int, int, OpenBlock, int, int, list[_Message]]


class Recorder:
    """The one writer of a run file. Not to be shared between threads.

    State is committed by one assignment after each write; whatever interrupts an operation before that (disk full,
    Ctrl+C) is taken back, in the file and here, before the next one starts.
    """

    def __init__(self, path: Path, identity: c.Identity, sync_interval: float | None) -> None:
        """Use :meth:`create`."""
        self.path = path
        self.journal = journal_of(path)
        self._layouts = {layout.kind: layout for layout in identity.layouts}
        self._sync_interval = math.inf if sync_interval is None else sync_interval
        self._events = self._wires = self._traces = 0
        self._words = Vocabulary()
        self._history = [c.Status(identity.header["started"], "running", 0)]
        self._block = OpenBlock(c.first_link(identity), c.Counts(), len(self._layouts))
        self._held: list[_Message] = []  # messages that are not in the journal yet
        self._announced = False  # an intent came last: it must be in the journal before the next message is sent
        first = record(Tag.IDENTITY, identity.canonical) + record(Tag.STATUS, canonical(self._history[0].as_dict()))
        self._writer = JournalWriter(self.journal, first)
        self._dirty = False
        self._commit()

    @classmethod
    def create(
        cls,
        path: str | Path,
        header: Header,
        tables: Mapping[str, Mapping[str, Column | str]],
        *,
        sync_interval: float | None = 5.0,
    ) -> Self:
        """Start a run. Nothing may be there yet: neither the run file nor a journal of it.

        sync_interval: what is acknowledged reaches the disk itself (fsync) at least this often (s) while events come;
        None leaves that to the operating system. Raises StorageError, NameTaken among them.
        """
        path = Path(path)
        identity = c.Identity(uuid.uuid4().hex, header.as_dict(), row_layouts(tables))
        if path.exists():
            raise NameTaken(
                f"{path}: there is a file of this name already", "Choose another name: run files are never overwritten."
            )
        try:
            return cls(path, identity, sync_interval)
        except FileExistsError:
            raise NameTaken(
                f"{journal_of(path)}: another run is being written under this name, or one was cut off",
                f"Choose another name; if the run was cut off: labctl repair {journal_of(path)}",
            ) from None
        except OSError as error:
            raise storage_error(error, journal_of(path), "starting the run file") from error

    @property
    def events(self) -> int:
        """Events acknowledged so far."""
        return self._mark[1]

    def append(self, kind: str, row: Mapping[str, Any], trace: Mapping[str, npt.ArrayLike] | None = None) -> int:
        """Record one event; its number. When this returns, the event is acknowledged: it survives kill -9.

        row: column -> value; a column left out takes its default. trace: equally long one-dimensional arrays.
        ValueError or TypeError: kind, column, value or trace that the tables do not have; StorageError: the disk.
        """
        layout = self._layouts.get(kind)
        if layout is None:
            raise self._unknown(kind, row)
        whole = {**layout.blank, **row}
        if len(whole) != len(layout.blank):
            raise self._unknown(kind, row)
        values = list(whole.values())
        self._begin()
        codes = self._words.codes
        for i in layout.text:
            text = values[i]
            values[i] = codes[text] if text in codes else self._words.code(text)
        for i, enum in layout.enums:
            values[i] = enum.get(values[i], values[i])
        items = self._messages()
        points = b"" if trace is None else self._words.trace(kind, trace)
        event = self._events
        try:
            packed = layout.struct.pack(event, self._wires, self._traces if points else -1, *values)
        except (struct.error, TypeError, OverflowError):
            raise misfit(layout, values) from None
        if items:
            items += (ITEM.pack(_EVENT_TAG + layout.index, len(packed) + len(points)), packed, points)
            self._write(record(_BUNDLE_TAG, b"".join(items)))
        else:
            self._write(record(_EVENT_TAG + layout.index, packed + points))
        self._events = event + 1
        self._block.keep(layout.index, packed)
        if points:
            self._traces += 1
            self._block.keep(TRACE, points)
        self._taken()
        return event

    def extend(self, kind: str, columns: Mapping[str, Any]) -> range:
        """Record many events of one kind at once, all or none; their numbers.

        columns: equally long arrays, and scalars that hold for every row. Errors as for :meth:`append`.
        """
        layout = self._layouts.get(kind)
        if layout is None or not columns.keys() <= layout.given:
            raise self._unknown(kind, columns)
        lengths = {len(v) for v in columns.values() if np.ndim(v) == 1}
        if len(lengths) != 1:
            raise ValueError(f"{kind}: one length of the columns is needed, not {sorted(lengths)}")
        n = lengths.pop()
        if self._held:
            self._log_held()
        self._begin()
        first = self._events
        given = {
            name: self._words.encoded(layout.columns[name], columns.get(name, default))
            for name, default in layout.defaults
        }
        parts = []
        rows = np.empty(min(n, ROWS_PER_RECORD), layout.dtype)  # small enough for the processor's cache
        rows["wire"], rows["trace"] = self._wires, -1
        for start in range(0, n, ROWS_PER_RECORD):
            part = rows[: n - start]
            part["event"] = np.arange(first + start, first + start + len(part))
            for name, values in given.items():
                fill(part, name, values if np.ndim(values) == 0 else values[start : start + len(part)], kind)
            parts.append(part.tobytes())
        for packed in parts:
            self._write(record(Tag.ROWS + layout.index, packed))
            self._block.keep(layout.index, packed)
        self._events += n
        self._commit()
        return range(first, first + n)

    def wire(self, t: float, instrument: str, direction: str, data: bytes) -> None:
        """Log a message on the wire: time (s), instrument, direction (a short word: write, read, ...), its bytes.

        It goes to the journal with the next event; the first one after an intent at once and together with the intent,
        before it is sent. Only there a StorageError: what cannot be announced must not be done. Any other message is
        sent whether it can be logged or not, for it may be the one that switches an output off: it is held, and goes
        ahead of the next event, which is refused if it still cannot be written.
        """
        self._held.append((t, instrument, direction, data))
        if self._announced:
            self._log_announced()
        elif len(self._held) >= MOST_HELD or len(data) >= LARGE_MESSAGE:
            self._log_held_if_possible()

    def intent(self, t: float, step: int, what: str, rows: int = 1) -> None:
        """Say in the wire log what is about to act on the device: time (s), node of the plan, words, events expected.

        It is in the journal before the first message after it is sent: so a run that was cut off tells what was never
        begun from what may have reached the device.
        """
        self._held.append((t, *c.INTENT, c.intent_message(step, what, rows)))
        self._announced = True

    def broken_off(self, t: float, reason: str) -> None:
        """Say in the wire log that the plan is left at ``t`` (s): the messages that follow only make outputs safe."""
        self._announced = False  # what was announced last is not begun any more
        self.wire(t, *c.BROKEN_OFF, reason.encode("utf-8", "backslashreplace"))
        self._log_held_if_possible()

    def _log_announced(self) -> None:
        """Log an intent and the first message after it; where that fails, neither was: the message is not sent."""
        self._announced = False
        try:
            self._log_held()
        except StorageError:
            del self._held[-2:]
            raise

    def _log_held_if_possible(self) -> None:
        with contextlib.suppress(StorageError):
            self._log_held()

    def _log_held(self) -> None:
        if self._held:
            self._begin()
            self._write(record(_BUNDLE_TAG, b"".join(self._messages())))
            self._taken()

    def _messages(self) -> list[bytes]:
        """Items of the held messages, in pieces; what they change here counts when the operation is committed."""
        pieces: list[bytes] = []
        words, codes, keep, number = self._words, self._words.codes, self._block.keep, self._wires
        for t, instrument, direction, data in self._held:
            try:
                message = c.WIRE.pack(number, t, codes[instrument], codes[direction]) + data
            except KeyError:
                message = c.WIRE.pack(number, t, words.code(instrument), words.code(direction)) + data
            pieces += (ITEM.pack(_WIRE_TAG, len(message)), message)
            keep(WIRE, message)
            number += 1
        self._wires = number
        return pieces

    def _taken(self) -> None:
        """Commit an operation that took the held messages along."""
        self._held = []
        self._announced = False
        self._commit()

    def finish(
        self,
        status: str,
        reason: str = "",
        instruments_after: Mapping[str, Mapping[str, Any]] | None = None,
        elapsed: float | None = None,
    ) -> Path:
        """End the run: the run file is made from the journal, and the journal removed. Returns the run file's path.

        status: complete, stopped or failed; elapsed: s by the bench's clock. StorageError: the journal stays, with
        every acknowledged event.
        """
        from labctl.store.convert import convert

        if status not in ENDINGS:
            raise ValueError(f"a run ends {', '.join(ENDINGS)}; not {status!r}")
        after = storable(dict(instruments_after or {}))
        try:
            self._log_held()
            self._enter(c.Status(now(), status, self.events, storable(reason), after, elapsed))
            self._close_block()
            self._writer.sync()
            convert(self.journal, self.path)
        except OSError as error:
            raise storage_error(error, self.path, "making the run file", self._safe()) from error
        self._writer.remove()
        return self.path

    def copy(self, content: c.Content, reason: str) -> None:
        """Begin with all that another run of the same tables has recorded, unchanged; ``reason`` goes to the history.

        content: whole, see ``labctl.store.continuation``. ValueError if something has been recorded; StorageError.
        """
        if self._events or self._wires:
            raise ValueError("only a run that has not begun can begin with another one's records")
        if [own.as_dict() for own in self._layouts.values()] != [its.as_dict() for its in content.identity.layouts]:
            raise ValueError("the tables of the other run are not the same")
        self._begin()
        for text in content.strings:
            self._words.code(text)
        for layout in content.trace_layouts:
            names, dtypes = zip(*layout.channels, strict=True)
            self._words.define_trace(layout, (layout.kind, *names, *dtypes))
        self._write()
        self._commit()
        pieces = c.in_order(content)
        while batch := list(islice(pieces, BLOCK_PIECES)):
            self._begin()
            self._write(
                *(record(Tag.WIRE if kind == WIRE else Tag.EVENT + kind, row + trace) for kind, row, trace in batch)
            )
            for kind, row, trace in batch:
                self._wires += kind == WIRE
                self._events += kind != WIRE
                self._block.keep(kind, row)
                if trace:
                    self._traces += 1
                    self._block.keep(TRACE, trace)
            self._commit()
        self._enter(c.Status(now(), "running", self._events, storable(reason)))

    def discard(self) -> None:
        """Take back a run that has not begun: its journal is removed."""
        self._writer.remove()

    def close(self) -> None:
        """Leave the run as a kill would: the journal stays with what was acknowledged. Harmless after ``finish``."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _unknown(self, kind: str, row: Mapping[str, Any]) -> ValueError:
        """What the tables do not have."""
        layout = self._layouts.get(kind)
        if layout is None:
            return ValueError(f"no table {kind!r}; there are {', '.join(self._layouts)}")
        unknown = ", ".join(repr(name) for name in row if name not in layout.given)
        return ValueError(f"table {kind} has no column {unknown} that a row could give")

    def _enter(self, entry: c.Status) -> None:
        """Append an entry to the history."""
        self._begin()
        self._write(record(Tag.STATUS, canonical(entry.as_dict())))
        self._history.append(entry)
        self._commit()

    def _begin(self) -> None:
        """Start an operation, on firm ground."""
        if self._dirty:
            self._recover()
        try:
            self._writer.sync_older_than(self._sync_interval)
        except OSError as error:
            raise self._failed(error) from error
        if self._block.is_full:
            self._close_block()
        self._dirty = True

    def _write(self, *records: bytes) -> None:
        new = self._words.definitions
        try:
            self._writer.write(b"".join((*new, *records)) if new or len(records) != 1 else records[0])
        except OSError as error:
            with contextlib.suppress(OSError):  # then the reader finds a torn tail, and drops it
                self._recover()
            raise self._failed(error) from error
        if new:
            self._words.definitions = []

    def _commit(self) -> None:
        """All done: one assignment, so that nothing can come between."""
        self._mark: _Mark = (
            self._writer.size, self._events, self._wires, self._traces,
            len(self._words.strings), len(self._words.trace_layouts), len(self._history),
            self._block, len(self._block.pieces), self._block.size, self._held,
        )  # fmt: skip
        self._dirty = False

    def _recover(self) -> None:
        """Back to the last commit."""
        (
            size, self._events, self._wires, self._traces, strings, layouts, history,
            self._block, pieces, bytes_kept, held,
        ) = self._mark  # fmt: skip
        if self._held is not held:  # interrupted on the way to the commit: what came since goes behind
            held += self._held
            self._held = held
        self._words.forget(strings, layouts)
        del self._history[history:]
        self._block.cut(pieces, bytes_kept)
        self._writer.cut(size)
        self._dirty = False

    def _close_block(self) -> None:
        """Close the open block of the chain and write its link."""
        self._dirty = True
        end = c.Counts(
            self._events,
            self._wires,
            self._traces,
            len(self._words.strings),
            len(self._words.trace_layouts),
            len(self._history),
        )
        block = self._block.closed(end, self._words.strings, self._words.trace_layouts, self._history)
        self._write(record(Tag.BLOCK, pack_block(block)))
        self._block = OpenBlock(block.digest, end, len(self._layouts))
        self._commit()

    def _failed(self, error: OSError) -> StorageError:
        return storage_error(error, self.journal, f"writing event {self.events}", self._safe())

    def _safe(self) -> str:
        kept = f"all {self.events} acknowledged events are kept in {self.journal}"
        return f"; {kept}. If no run file was made of it: labctl repair {self.journal}"
