"""Read a run file: as an analyst wants it (columns), and as the chain of hashes sees it (rows)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from labctl.store import content as c
from labctl.store.errors import RunFileError
from labctl.store.sheet import ROWS
from labctl.store.tables import RowLayout

if TYPE_CHECKING:
    import h5py


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What h5py and a damaged structure raise in the block, as RunFileError: keep the block to reading the file."""
    try:
        yield
    except FileNotFoundError:
        raise RunFileError(f"{path}: there is no such file", "Check the path; labctl run prints it.") from None
    except (PermissionError, IsADirectoryError) as error:
        hint = "Check the path and its permissions."
        raise RunFileError(f"{path}: cannot be read: {error.strerror}", hint) from error
    except (OSError, LookupError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        cut = re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", str(error))
        if cut:
            raise RunFileError(
                f"{path}: the file is cut short: {cut[1]} of at least {cut[2]} bytes are there",
                "Copy it again from where it was made, or restore it from a backup; it cannot be repaired.",
            ) from error
        if "signature not found" in str(error):
            raise RunFileError(
                f"{path}: not an HDF5 file", "Check the path; the name of a labctl run file ends in .h5."
            ) from error
        raise RunFileError(
            f"{path}: damaged: {str(error).strip(chr(39))}", f"See what is affected: labctl verify {path}"
        ) from error


def _opened(path: Path) -> h5py.File:
    """Without HDF5's file locks: a published file is never written, and they fail on some network shares."""
    import h5py

    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if "file locking flag" not in str(error):
            raise
        return h5py.File(path, "r")  # as this process has it open already


_INDEX = np.dtype([("group", "<u2"), ("length", "<u4"), ("offset", "<u8")])


class H5Reader:
    """Content of a run file (see :class:`labctl.store.content.Content`), as a context manager. Raises RunFileError.

    identity: what has been read of the file's header before; it is long, and never changes.
    """

    def __init__(self, path: Path, identity: c.Identity | None = None) -> None:
        self.path = path
        if identity is not None:
            self.identity = identity
        self._tables: dict[int, npt.NDArray[np.void]] = {}
        self._traces: dict[int, dict[str, npt.NDArray[Any]]] = {}
        with reading(path):
            if path.is_dir():
                raise IsADirectoryError(0, "it is a folder")
            self._file = _opened(path)
        try:
            self._check_format()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def _check_format(self) -> None:
        with reading(self.path):
            version = int(self._file.attrs.get("labctl_format", 0))
        if not version:
            raise RunFileError(
                f"{self.path}: an HDF5 file, but not one of labctl's runs", "Open it with the program that made it."
            )
        if version > c.FORMAT:
            raise RunFileError(
                f"{self.path}: format {version} of the run file is later than this labctl knows ({c.FORMAT})",
                "Update labctl to read it.",
            )

    def _texts(self, path: str) -> list[str]:
        return [text.decode() for text in self._file[path][()].tolist()]

    @cached_property
    def identity(self) -> c.Identity:
        with reading(self.path):
            header: dict[str, Any] = {}
            for name, dataset in self._file["entry/header"].items():
                text = dataset[()].decode()
                header[name] = json.loads(text) if dataset.attrs["type"] == "application/json" else text
            layouts = tuple(RowLayout.from_dict(i, table) for i, table in enumerate(header.pop("tables")))
            return c.Identity(self._file["entry/entry_identifier"][()].decode(), header, layouts)

    @property
    def device(self) -> str:
        """The device of the run, and nothing else of the header read."""
        with reading(self.path):
            return str(self._file["entry/header/device"].asstr()[()])

    @cached_property
    def history(self) -> Sequence[c.Status]:
        with reading(self.path):
            events = self._file["entry/history/events"][()].tolist()
            texts = [self._texts(f"entry/history/{name}") for name in ("time", "status", "reason", "instruments")]
            elapsed = [np.nan] * len(events)
            if "elapsed" in self._file["entry/history"]:  # not in the oldest files
                elapsed = self._file["entry/history/elapsed"][()].tolist()
            return [
                c.Status(t, s, n, r, json.loads(i), None if np.isnan(e) else e)
                for n, e, t, s, r, i in zip(events, elapsed, *texts, strict=True)
            ]

    @cached_property
    def strings(self) -> Sequence[str]:
        with reading(self.path):
            return self._texts("entry/integrity/strings")

    @cached_property
    def trace_layouts(self) -> Sequence[c.TraceLayout]:
        with reading(self.path):
            return [
                c.TraceLayout(group.attrs["kind"], tuple((str(n), group[n].dtype.str) for n in group.attrs["channels"]))
                for group in (self._file["entry/traces"][name] for name in self.trace_groups)
            ]

    @cached_property
    def trace_groups(self) -> list[str]:
        """Names of the groups of traces, by code."""
        import h5py

        if "entry/traces/index" not in self._file:
            return []
        codes = h5py.check_enum_dtype(self._file["entry/traces/index/group"].dtype)
        return sorted(codes, key=codes.__getitem__)

    @property
    def counts(self) -> c.Counts:
        return self.blocks[-1].end if self.blocks else c.Counts()

    @cached_property
    def blocks(self) -> Sequence[c.Block]:
        with reading(self.path):
            group = self._file["entry/integrity"]
            ends, digests = group["block_ends"][()].tolist(), group["block_digests"][()]
            return [c.Block(c.Counts(*end), digest.tobytes()) for end, digest in zip(ends, digests, strict=True)]

    def count(self, kind: int) -> int:
        with reading(self.path):
            table = self._file["entry/events"].get(self.identity.layouts[kind].kind)
            return len(table["event"]) if table is not None else 0

    def columns(self, kind: int, names: Collection[str] | None = None) -> dict[str, npt.NDArray[Any]]:
        """A kind's columns, or those of ``names`` that it has; texts, and names of an enum's values, as objects."""
        layout = self.identity.layouts[kind]
        wanted = {name: column for name, column in layout.columns.items() if names is None or name in names}
        if not self.count(kind):
            found = c.columns(np.empty(0, layout.dtype), layout, [""])
            return {name: found[name] for name in wanted}
        with reading(self.path):
            table = self._file[f"entry/events/{layout.kind}"]
            return {name: c.named(column, self._column(table, name)) for name, column in wanted.items()}

    def points(self, kind: int, channels: Sequence[str]) -> Iterator[c.Points]:
        """All points behind a kind's rows, trace after trace; of ``channels`` those that the traces have."""
        for code, layout in enumerate(self.trace_layouts):
            if layout.kind != self.identity.layouts[kind].kind:
                continue
            with reading(self.path):
                group = self._file[f"entry/traces/{self.trace_groups[code]}"]
                own = self._index["group"] == code
                events = self._file["entry/traces/index/event"][()][own]
                numbers = np.repeat(events.astype(np.int64), self._index["length"][own])
                yield numbers, {name: group[name][()] for name in channels if name in group}

    def _column(self, table: h5py.Group, name: str) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = table[name][()]
        if values.dtype.kind != "S":
            return values
        raw = values.tolist()
        texts = {text: text.decode() for text in set(raw)}
        return np.array([texts[text] for text in raw], object)

    def changes(self) -> Iterator[tuple[str, str]]:
        """Datasets that are not what was written, and what about them; by checksums, and units by the tables' spec."""
        with reading(self.path):
            paths = self._texts("entry/integrity/datasets")
            hashes = self._file["entry/integrity/sha256"][()]
        for path, expected in zip(paths, hashes, strict=True):
            try:
                if self._sha256(path) != expected.tobytes():
                    yield path, "its values have changed"
            except (OSError, KeyError) as error:
                yield path, f"cannot be read: {error}"
        for layout in self.identity.layouts:
            for name, column in layout.columns.items():
                path = f"entry/events/{layout.kind}/{name}"
                if path in self._file and self._file[path].attrs.get("units", "") != column.unit:
                    yield f"/{path}", f"its unit has changed; it was {column.unit!r}"

    def _sha256(self, path: str) -> bytes:
        dataset = self._file[path]
        sha = hashlib.sha256()
        if dataset.ndim == 0:
            return hashlib.sha256(dataset[...].tobytes()).digest()
        for start in range(0, len(dataset), ROWS):
            sha.update(dataset[start : start + ROWS].tobytes())
        return sha.digest()

    def rows(self, kind: int, start: int, stop: int) -> npt.NDArray[np.void]:
        return self._rows(kind)[start:stop]

    def events_of(self, kind: int) -> npt.NDArray[np.int64]:
        return np.ascontiguousarray(self._rows(kind)["event"])

    def _rows(self, kind: int) -> npt.NDArray[np.void]:
        """The whole table as the journal had it, texts as codes."""
        if kind not in self._tables:
            layout = self.identity.layouts[kind]
            rows = np.empty(self.count(kind), layout.dtype)
            if len(rows):
                with reading(self.path):
                    table = self._file[f"entry/events/{layout.kind}"]
                    for name, column in layout.columns.items():
                        rows[name] = self._codes(table[name][()]) if column.is_text else table[name][()]
            self._tables[kind] = rows
        return self._tables[kind]

    def _codes(self, encoded: npt.NDArray[np.bytes_]) -> list[int]:
        return [self._code_of.get(text, len(self._code_of)) for text in encoded.tolist()]

    @cached_property
    def _code_of(self) -> dict[bytes, int]:
        return {text.encode(): code for code, text in enumerate(self.strings)}

    @cached_property
    def _index(self) -> npt.NDArray[np.void]:
        """Of every trace: group, points, place."""
        with reading(self.path):
            if not self.trace_groups:
                return np.empty(0, _INDEX)
            group = self._file["entry/traces/index"]
            index = np.empty(len(group["group"]), _INDEX)
            for name in _INDEX.names or ():
                index[name] = group[name][()]
            return index

    def _arrays(self, code: int) -> dict[str, npt.NDArray[Any]]:
        """A group's arrays, all traces one after the other; read once."""
        if code not in self._traces:
            with reading(self.path):
                group = self._file[f"entry/traces/{self.trace_groups[code]}"]
                self._traces[code] = {str(name): group[name][()] for name in group.attrs["channels"]}
        return self._traces[code]

    def load_traces(self) -> None:
        """Have all traces in memory, so that :meth:`trace_arrays` works when the file is closed."""
        for code in range(len(self.trace_groups) if len(self._index) else 0):
            self._arrays(code)

    def trace_heads(self) -> npt.NDArray[np.void]:
        heads = np.empty(len(self._index), c.TRACE_HEAD)
        heads["layout"], heads["points"] = self._index["group"], self._index["length"]
        return heads

    def trace_arrays(self, number: int) -> dict[str, npt.NDArray[Any]]:
        """Channel -> values of one trace."""
        code, points, start = self._index[number].item()
        return {name: values[start : start + points] for name, values in self._arrays(code).items()}

    def trace(self, number: int) -> bytes:
        code, points, _ = self._index[number].item()
        return c.TRACE.pack(code, points) + b"".join(a.tobytes() for a in self.trace_arrays(number).values())

    @cached_property
    def _wire(self) -> tuple[npt.NDArray[np.void], npt.NDArray[np.uint64], bytes]:
        """Heads, places and bytes of the messages."""
        with reading(self.path):
            group = self._file["entry/wire"]
            heads = np.empty(len(group["time"]), c.WIRE_HEAD)
            heads["time"], heads["length"] = group["time"][()], group["length"][()]
            for name in ("instrument", "direction"):
                heads[name] = self._codes(group[name][()])
            return heads, group["offset"][()], group["data"][()].tobytes()

    def wire_heads(self) -> npt.NDArray[np.void]:
        return self._wire[0]

    def wire(self, number: int) -> bytes:
        heads, offsets, data = self._wire
        head, start = heads[number], int(offsets[number])
        if head["time"] != head["time"]:  # lost
            return b""
        message = data[start : start + int(head["length"])]
        return c.WIRE.pack(number, head["time"], head["instrument"], head["direction"]) + message
