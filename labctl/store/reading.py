"""``load_run``: a run file, or the journal of a run that still goes on or was cut off, as tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from labctl.store import content as c
from labctl.store import pages
from labctl.store.errors import RunFileError
from labctl.store.files import journal_of
from labctl.store.h5_reader import H5Reader, reading
from labctl.store.journal_reader import JournalReader

if TYPE_CHECKING:
    import pandas as pd

Trace = dict[str, npt.NDArray[Any]]
CUT_OFF = "the process ended without finishing the run"
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lazy(Mapping[K, V]):
    """A mapping whose values are made when first asked for; ``make`` raises KeyError for a key that is not there."""

    def __init__(self, keys: Sequence[K], make: Callable[[K], V]) -> None:
        self._keys = keys
        self._make = make
        self._made: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        if key not in self._made:
            self._made[key] = self._make(key)
        return self._made[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def load_run(path: str | Path, *, check: bool = True) -> Run:
    """Open a run: ``RUN.h5``, its journal, or ``RUN.h5`` while only its journal is there. RunFileError.

    check: compare every byte of a run file with its checksums first (about 1 s per GB) and refuse a damaged one.
    False reads what can still be read of it.
    """
    return Run(Path(path), check)


def locate(path: Path) -> Path:
    """The file to read: a journal only if it was asked for, or if there is no run file."""
    if path.suffix != ".journal":
        journal = journal_of(path)
        return journal if journal.exists() and not path.exists() else path
    finished = path.with_suffix("")
    return finished if finished.exists() and not path.exists() else path


def open_journal(path: Path, locked: bool = False) -> JournalReader:
    """The journal's reader. RunFileError. locked: it is this process that keeps it from being written."""
    try:
        return JournalReader(path, locked)
    except FileNotFoundError:
        raise RunFileError(f"{path}: there is no such file", "Check the path; labctl run prints it.") from None
    except OSError as error:
        raise RunFileError(
            f"{path}: cannot be read: {error.strerror}", "Check the path and its permissions."
        ) from error


class Run:
    """A run as an analyst wants it. Tables and traces are read when first asked for. Raises RunFileError."""

    def __init__(self, path: Path, check: bool = True) -> None:
        self.path = path
        self._check = check
        self._source = path
        self._journal: JournalReader | None = None
        self._open()

    def _open(self) -> None:
        """Find the file and check that it is a run's."""
        self._source = locate(self.path)
        if self._source.suffix == ".journal":
            try:
                self._journal = open_journal(self._source)
            except RunFileError:
                if self._source.exists():
                    raise
                self._source = locate(self.path)  # the run has just finished, or there never was one
        if self._source.suffix != ".journal":
            self._journal = None
        if self._journal is not None:
            self._check_journal()
        elif self._check:
            self._check_pages()
        with self._reader(None) as reader:
            self._identity = reader.identity
            self._history = list(reader.history)

    def _check_journal(self) -> None:
        if self._journal is not None and self._journal.damage and self._check:
            first = self._journal.damage[0]
            raise RunFileError(
                f"{self._source}: damaged: bytes {first.start} to {first.stop - 1} are no valid record",
                f"Make a run file of everything else: labctl repair {self._source}",
            )

    def _check_pages(self) -> None:
        with reading(self._source):
            found = pages.check_pages(self._source)
        if found is not None and found.bad:
            start, stop, what = found.bad[0]
            raise RunFileError(
                f"{self._source}: damaged: bytes {start} to {stop - 1} have changed; there stands {what}",
                f"Restore the file from a backup; what is affected: labctl verify {self._source}",
            )

    def content(self) -> AbstractContextManager[JournalReader | H5Reader]:
        """The file's reader: what is recorded as the recorder wrote it."""
        return self._reader(self._identity)

    def _reader(self, identity: c.Identity | None) -> AbstractContextManager[JournalReader | H5Reader]:
        return nullcontext(self._journal) if self._journal is not None else H5Reader(self._source, identity)

    def refresh(self) -> bool:
        """Follow a run that goes on: read what is new. True if there is something, be it that the run has ended."""
        if self._journal is None:
            return False
        running = self._journal.running
        try:
            new = self._journal.refresh()
        except FileNotFoundError:
            self._open()
            new = True
        else:
            self._check_journal()
            new |= self._journal.running != running
            self._history = list(self._journal.history)
        for name in ("meta", "tables", "events", "traces", "wire", "intents") if new else ():
            self.__dict__.pop(name, None)
        return new

    @cached_property
    def meta(self) -> dict[str, Any]:
        """Status, reason, history, running (a writer is alive), torn (what is wrong with the end of the file, "" if
        nothing), run_id, format, units (kind -> column -> unit), finished, elapsed (s by the bench's clock, None if
        not known), and the header's fields, JSON texts parsed.

        ``instruments[name]["after"]`` is what was read from the instrument at the end.
        """
        header = self._identity.as_header
        last = self._history[-1]
        running = self._journal is not None and self._journal.running
        cut_off = last.status == "running" and not running
        meta = header.as_dict() | {
            "status": "failed" if cut_off else last.status,
            "reason": CUT_OFF if cut_off else last.reason,
            "history": [{n: v for n, v in s.as_dict().items() if n != "instruments"} for s in self._history],
            "running": running,
            "torn": self._torn(),
            "finished": "" if last.status == "running" else last.time,
            "elapsed": last.elapsed,
            "run_id": self._identity.run_id,
            "format": c.FORMAT,
            "plan_hash": header.plan_hash,
            "units": {t.kind: {name: col.unit for name, col in t.columns.items()} for t in self._identity.layouts},
        }
        for name in ("resolved", "plan"):
            meta[name] = json.loads(meta[name])
        for status in self._history:
            for name, after in status.instruments.items():
                meta["instruments"].setdefault(name, {})["after"] = after
        return meta

    def _torn(self) -> str:
        if self._journal is not None:
            return self._journal.torn
        if pages.has_footer(self._source):
            return ""
        return "the table of checksums at its end is missing: the file was cut or changed after it was made"

    @cached_property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Kind -> table, one row per event, in order of execution."""
        numbers = {layout.kind: layout.index for layout in self._identity.layouts}
        return Lazy(list(numbers), lambda kind: self._table(numbers[kind]))

    def _table(self, kind: int) -> pd.DataFrame:
        import pandas as pd

        with self.content() as reader:
            return pd.DataFrame(reader.columns(kind))

    @cached_property
    def events(self) -> pd.DataFrame:
        """All events in order of execution, with a column ``kind``.

        Columns that a kind lacks: NaN (integers become floats), "" for text, <NA> for truth values.
        """
        import pandas as pd

        tables = {kind: table for kind, table in self.tables.items() if len(table)}
        if not tables:
            first = next(iter(self.tables.values()), pd.DataFrame())
            return first.assign(kind="")[["kind", *first.columns]]
        parts = [table.assign(kind=kind) for kind, table in tables.items()]
        parts = [part.astype({n: "boolean" for n, d in part.dtypes.items() if d.kind == "b"}) for part in parts]
        events = pd.concat(parts, ignore_index=True).sort_values("event", ignore_index=True)
        texts = {n for layout in self._identity.layouts for n, column in layout.columns.items() if column.is_named}
        for name in texts & set(events.columns):
            events[name] = events[name].fillna("")
        return events[["kind", *events.columns.drop("kind")]]

    @cached_property
    def traces(self) -> Mapping[int, Trace]:
        """Number of a trace (column ``trace``) -> its arrays by name."""
        with self.content() as reader:
            numbers = range(len(reader.trace_heads()))
            if isinstance(reader, H5Reader):
                reader.load_traces()

        def make(number: int) -> Trace:
            if not 0 <= number < len(numbers):
                raise KeyError(number)
            return reader.trace_arrays(int(number))

        return Lazy(numbers, make)

    def to_xarray(self) -> Any:
        """The run as an ``xarray.DataTree``, see ``labctl.store.xarray_view``. ExportError without xarray."""
        from labctl.store.xarray_view import to_xarray

        return to_xarray(self)

    @cached_property
    def wire(self) -> pd.DataFrame:
        """The wire log: time (s), instrument, direction, data (bytes); an event's messages: see its column ``wire``."""
        import pandas as pd

        with self.content() as reader:
            heads = reader.wire_heads()
            texts = {
                name: np.array([reader.strings[i] for i in heads[name].tolist()], object)
                for name in ("instrument", "direction")
            }
            data = [reader.wire(i)[c.WIRE.size :] for i in range(len(heads))]
        return pd.DataFrame({"time": heads["time"], **texts, "data": pd.Series(data, dtype=object)})

    @cached_property
    def intents(self) -> pd.DataFrame:
        """What was about to act on the device, in order: event and wire (how many events and messages had been stored
        before it), time (s), step (node of the plan), rows (events it was to leave), what.

        What it sent stands in the wire log from ``wire`` + 1 on; the event that came of it has number ``event``.
        """
        import pandas as pd

        log = self.wire
        places = np.flatnonzero((log["instrument"] == c.INTENT[0]) & (log["direction"] == c.INTENT[1]))
        tables = [table for table in self.tables.values() if len(table)]
        events = np.sort(np.concatenate([np.empty(0, np.int64), *(table["event"] for table in tables)]))
        wires = np.sort(np.concatenate([np.empty(0, np.int64), *(table["wire"] for table in tables)]))
        stored = np.concatenate([[0], events + 1])[np.searchsorted(wires, places, side="right")]
        said = [c.read_intent(message) for message in log["data"].to_numpy()[places]]
        return pd.DataFrame(
            {
                "event": stored.astype(np.int64),
                "wire": places.astype(np.int64),
                "time": log["time"].to_numpy()[places],
                "step": np.array([step for step, _, _ in said], np.int64),
                "rows": np.array([rows for _, rows, _ in said], np.int64),
                "what": pd.Series([what for _, _, what in said], dtype=object),
            }
        )
