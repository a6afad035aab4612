"""The run file as HDF5 with NeXus names: one dataset per column. What stands where is in docs/run_file.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labctl.store import content as c
from labctl.store.header import canonical
from labctl.store.journal_reader import JournalReader
from labctl.store.sheet import ROWS, Sheet, new_file
from labctl.store.tables import Column, RowLayout

if TYPE_CHECKING:
    import h5py

# What the plot of a table shows, and which group a viewer shows first: the first of these that is there. What was
# measured comes before what was applied.
_SIGNALS = ("value", "level", "ratio", "operations", "points")
_FAVOURITES = ("events/resistance", "events/current", "events/spike", "traces/sweep", "traces/sample", "events/pulse")
_TRACE_SIGNALS = ("current", "voltage")
_TRACE_AXES = ("voltage", "set", "time")


def write(content: JournalReader, path: Path, blocks: Sequence[c.Block], history: Sequence[c.Status]) -> None:
    """Write ``content`` as HDF5 at ``path``, replacing what is there; ``blocks`` is the chain over it.

    ``history`` may say more than the content does (a repair adds its entry).
    """
    with new_file(path) as sheet:
        header = content.identity.header
        sheet.file.attrs.update(
            NX_class="NXroot", default="entry", creator="labctl", labctl_format=c.FORMAT, simulated=header["simulated"]
        )
        entry = sheet.group("entry", "NXentry")
        _write_header(sheet, entry, content, history)
        _write_history(sheet, history)
        sheet.group("entry/events", "NXcollection")
        for layout in content.identity.layouts:
            if content.count(layout.index):
                _write_table(sheet, content, layout)
        _write_traces(sheet, content)
        _write_wire(sheet, content)
        _write_default_plot(sheet, entry, content)
        _write_integrity(sheet, content, blocks)


def _write_header(sheet: Sheet, entry: h5py.Group, content: c.Content, history: Sequence[c.Status]) -> None:
    """What NeXus has names for, and the header's fields: texts as they are, anything else as JSON."""
    header = content.identity.header
    title = f"SIMULATED: {header['title']}" if header["simulated"] else header["title"]
    sheet.text(entry, "title", title)
    sheet.text(entry, "entry_identifier", content.identity.run_id)
    sheet.text(entry, "start_time", header["started"])
    sheet.text(entry, "end_time", history[-1].time)
    sheet.text(sheet.group("entry/sample", "NXsample"), "name", header["device"])
    sheet.text(sheet.group("entry/user", "NXuser"), "name", header["operator"])
    group = sheet.group("entry/header", "NXcollection")
    tables = [layout.as_dict() for layout in content.identity.layouts]
    for name, value in {**header, "tables": tables}.items():
        text = isinstance(value, str)
        sheet.text(group, name, value if text else canonical(value).decode())
        group[name].attrs["type"] = "text/plain" if text else "application/json"
    group["plan"].attrs["sha256"] = content.identity.as_header.plan_hash


def _write_history(sheet: Sheet, history: Sequence[c.Status]) -> None:
    group = sheet.group("entry/history", "NXcollection")
    for name in ("time", "status", "reason"):
        sheet.texts(group, name, [getattr(status, name) for status in history])
    sheet.array(group, "events", np.array([status.events for status in history], np.int64))
    sheet.texts(group, "instruments", [canonical(status.instruments).decode() for status in history])
    elapsed = np.array([np.nan if status.elapsed is None else status.elapsed for status in history])
    sheet.array(group, "elapsed", elapsed, "s", "since the start of the run, bench clock")


def _write_table(sheet: Sheet, content: c.Content, layout: RowLayout) -> None:
    """One kind of event. Rows are gathered once per step and dealt out to the columns."""
    n = content.count(layout.index)
    group = sheet.group(f"entry/events/{layout.kind}", "NXdata")
    streams = {
        name: sheet.stream(group, name, (n,), _dtype(column), column.unit, column.about)
        for name, column in layout.columns.items()
        if not column.is_text
    }
    codes: dict[str, list[npt.NDArray[np.uint32]]] = {n: [] for n, col in layout.columns.items() if col.is_text}
    for start in range(0, n, ROWS):
        rows = content.rows(layout.index, start, start + ROWS)
        for name, stream in streams.items():
            stream.put(rows[name])
        for name, parts in codes.items():
            parts.append(np.ascontiguousarray(rows[name]))
    for stream in streams.values():
        stream.close()
    for name, parts in codes.items():
        column = layout.columns[name]
        texts = encoded(content.strings, np.concatenate(parts))
        sheet.fixed(group, name, texts, column.unit, column.about)
    _plot(group, _first(_SIGNALS, streams) or "event", "time" if "time" in streams else "event")


def _dtype(column: Column) -> Any:
    """HDF5 type of a column that is no text; names of an enum go along."""
    if column.enum:
        import h5py

        return h5py.enum_dtype(dict(column.enum), basetype=column.stored)
    return column.stored


def encoded(strings: Sequence[str], codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.bytes_]:
    """Texts of a column as fixed-length UTF-8, no longer than its longest."""
    used = np.flatnonzero(np.bincount(codes)) if len(codes) else np.empty(0, np.int64)
    texts = {i: (strings[i] if i < len(strings) else c.LOST_TEXT).encode() for i in used.tolist()}
    width = max(map(len, texts.values()), default=1) or 1
    table = np.zeros(max(texts, default=0) + 1, f"S{width}")
    for i, text in texts.items():
        table[i] = text
    found: npt.NDArray[np.bytes_] = table[codes]
    return found


def _write_traces(sheet: Sheet, content: JournalReader) -> None:
    """Ragged arrays: per layout its channels, all traces one after the other; an index says where each trace is."""
    import h5py

    heads = content.trace_heads()
    sheet.group("entry/traces", "NXcollection")
    if not content.trace_layouts:
        return
    names = _trace_names(content.trace_layouts)
    offsets = np.zeros(len(heads), np.uint64)
    for code, layout in enumerate(content.trace_layouts):
        mine = np.flatnonzero(heads["layout"] == code)
        lengths = heads["points"][mine].astype(np.uint64)
        offsets[mine] = np.cumsum(lengths) - lengths
        group = sheet.group(f"entry/traces/{names[code]}", "NXdata")
        group.attrs["kind"] = layout.kind
        group.attrs["channels"] = np.array([name for name, _ in layout.channels], h5py.string_dtype())
        shape = (int(lengths.sum()),)
        whole = mine[lengths > 0]
        for number, (name, dtype) in enumerate(layout.channels):
            stream = sheet.stream(group, name, shape, np.dtype(dtype), _unit(name))
            for part in content.channel(whole, number) if len(whole) else ():
                stream.put(part)
            stream.close()
        channels = dict(layout.channels)
        signal = _first(_TRACE_SIGNALS, channels) or layout.channels[0][0] if channels else ""
        if signal:
            _plot(group, signal, _first(_TRACE_AXES, {n: d for n, d in channels.items() if n != signal}))
    events = np.full(len(heads), -1, np.int64)
    for row in content.identity.layouts:
        for start in range(0, content.count(row.index), ROWS):
            rows = content.rows(row.index, start, start + ROWS)
            rows = rows[rows["trace"] >= 0]
            events[rows["trace"]] = rows["event"]
    index = sheet.group("entry/traces/index", "NXcollection")
    group_type = h5py.enum_dtype({name: code for code, name in enumerate(names)}, basetype="<u2")
    sheet.array(index, "group", heads["layout"].astype(group_type), about="group beside this one that has the trace")
    sheet.array(index, "offset", offsets, about="place of the trace's first point in the group's arrays")
    sheet.array(index, "length", heads["points"], about="points of the trace")
    sheet.array(index, "event", events, about="event that the trace is behind")


def _trace_names(layouts: Sequence[c.TraceLayout]) -> list[str]:
    """Names of the groups: the kind of event; a second set of channels of the same kind gets a number."""
    names: list[str] = []
    for layout in layouts:
        name, n = layout.kind, 1
        while name in names or name == "index":
            n += 1
            name = f"{layout.kind}_{n}"
        names.append(name)
    return names


_UNITS = {"set": "V", "voltage": "V", "current": "A", "time": "s"}


def _unit(channel: str) -> str:
    return _UNITS.get(channel, "")


def _write_wire(sheet: Sheet, content: JournalReader) -> None:
    """The wire log: the messages one after the other, and where each one is."""
    heads = content.wire_heads()
    group = sheet.group("entry/wire", "NXcollection")
    lengths = heads["length"].astype(np.uint64)
    sheet.array(group, "time", heads["time"], "s", "since the start of the run, bench clock")
    for name in ("instrument", "direction"):
        sheet.fixed(group, name, encoded(content.strings, heads[name]))
    sheet.array(group, "offset", np.cumsum(lengths) - lengths, about="place of the message's first byte in data")
    sheet.array(group, "length", heads["length"], about="bytes of the message")
    stream = sheet.stream(group, "data", (int(lengths.sum()),), np.uint8, compress=True)
    for part in content.messages():
        stream.put(part)
    stream.close()


def _write_default_plot(sheet: Sheet, entry: h5py.Group, content: c.Content) -> None:
    """What viewers show on opening: a table's plot, or all sweeps or records; the same datasets by a second name."""
    tables = [f"events/{layout.kind}" for layout in content.identity.layouts if content.count(layout.index)]
    source = _first((*_FAVOURITES, *tables), entry)
    if not source:
        return
    original = entry[source]
    group = sheet.group("entry/data", "NXdata")
    group.attrs["title"] = f"{entry['title'][()].decode()} ({source.split('/')[1]})"
    signal, axes = original.attrs["signal"], original.attrs.get("axes")
    group[signal] = original[signal]
    if axes is not None and axes[0] != signal:
        group[axes[0]] = original[axes[0]]
    _plot(group, signal, axes[0] if axes is not None else "")
    entry.attrs["default"] = "data"
    original.parent.attrs["default"] = original.name.rsplit("/", 1)[1]


def _plot(group: h5py.Group, signal: str, axis: str) -> None:
    group.attrs["signal"] = signal
    if axis:
        group.attrs["axes"] = [axis]


def _first(names: Iterable[str], there: Any) -> str:
    return next((name for name in names if name in there), "")


def _write_integrity(sheet: Sheet, content: c.Content, blocks: Sequence[c.Block]) -> None:
    """The chain, the strings in the order that it knows them by, and the checksum of every dataset before this one."""
    hashes = dict(sheet.hashes)
    group = sheet.group("entry/integrity", "NXcollection")
    sheet.texts(group, "strings", content.strings)
    ends = [(e.events, e.wires, e.traces, e.strings, e.trace_layouts, e.history) for e in (b.end for b in blocks)]
    sheet.array(group, "block_ends", np.array(ends, np.uint64).reshape(-1, 6))
    digests = np.frombuffer(b"".join(block.digest for block in blocks), np.uint8)
    sheet.array(group, "block_digests", digests.reshape(-1, 32))
    sheet.texts(group, "datasets", list(hashes))
    sheet.array(group, "sha256", np.frombuffer(b"".join(hashes.values()), np.uint8).reshape(-1, 32))
