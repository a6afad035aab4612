"""What two runs have in common and what not: what was recorded bit for bit, and what is known about the runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labctl.store.reading import Run

if TYPE_CHECKING:
    import pandas as pd

MISSING = "(none)"


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same: the part of the run file, the place in it, and both values as text."""

    section: str
    what: str
    first: str
    second: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.section}: {self.what}: {self.first} -> {self.second}"


def compare_runs(first: Run, second: Run) -> list[Difference]:
    """Protocol, parameters, plan, bench, device, seed, versions, instruments, end, and everything recorded.

    Who ran it, when, on which host and with what note are no differences.
    """
    return [*compare_origins(first.meta, second.meta), *compare_ends(first, second), *compare_records(first, second)]


def compare_origins(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    """Differences of what the runs were made from, by their ``Run.meta``."""
    yield from _texts("protocol", "", first["protocol"], second["protocol"])
    used = [meta["extra"].get("used_protocols", {}) for meta in (first, second)]
    for label in sorted({*used[0], *used[1]}):
        yield from _texts("protocol", f"{label} ", *(found.get(label, {}).get("text", "") for found in used))
    yield from _values("parameters", *(meta["resolved"].get("parameters", {}) for meta in (first, second)))
    yield from _values(
        "plan", *({"hash": m["plan_hash"], "allowed": m["plan"].get("allowed")} for m in (first, second))
    )
    yield from _texts("bench", "", first["bench"], second["bench"])
    yield from _values("run", *({name: m[name] for name in ("device", "seed", "simulated")} for m in (first, second)))
    yield from _values("versions", first["versions"], second["versions"])
    yield from _values("instruments", *(_without_after(meta["instruments"]) for meta in (first, second)))


def compare_ends(first: Run, second: Run) -> Iterator[Difference]:
    """How the runs ended, and how the instruments were left."""
    yield from _values("end", *({name: run.meta[name] for name in ("status", "reason")} for run in (first, second)))
    after = [{name: e["after"] for name, e in r.meta["instruments"].items() if "after" in e} for r in (first, second)]
    yield from _values("instruments after", after[0], after[1])


def compare_records(first: Run, second: Run, events: int | None = None) -> Iterator[Difference]:
    """Events, traces and wire log, bit for bit: one difference per column, with the first place of it.

    events: compare the first so many only, with their traces and messages.
    """
    for kind in dict.fromkeys([*first.tables, *second.tables]):
        tables = [_head(run.tables[kind], events) if kind in run.tables else None for run in (first, second)]
        a, b = tables
        if a is None or b is None or len(a) != len(b):
            yield Difference("events", f"{kind}, rows", *("0" if t is None else str(len(t)) for t in tables))
        if a is not None and b is not None:
            yield from _tables(kind, a, b)
            yield from _traces(kind, first, second, a, b)
    x, y = (_wire(run, events) for run in (first, second))
    if len(x) != len(y):
        yield Difference("wire", "messages", str(len(x)), str(len(y)))
    yield from _tables("", x, y, section="wire")


def _head(table: pd.DataFrame, events: int | None) -> pd.DataFrame:
    return table if events is None else table[table["event"] < events]


def _wire(run: Run, events: int | None) -> pd.DataFrame:
    if events is None:
        return run.wire
    counts = [int(head["wire"].max()) for table in run.tables.values() if len(head := _head(table, events))]
    return run.wire.iloc[: max(counts, default=0)]


def _tables(kind: str, a: pd.DataFrame, b: pd.DataFrame, section: str = "events") -> Iterator[Difference]:
    rows = min(len(a), len(b))
    for column in dict.fromkeys([*a.columns, *b.columns]):
        name = f"{kind}.{column}" if kind else str(column)
        if column not in a.columns or column not in b.columns:
            if rows:
                yield Difference(section, name, *("there" if column in t.columns else MISSING for t in (a, b)))
            continue
        x, y = a[column].to_numpy()[:rows], b[column].to_numpy()[:rows]
        places = np.flatnonzero(_unequal(x, y))
        if len(places):
            place = int(places[0])
            where = f"event {a['event'].iloc[place]}" if "event" in a.columns else f"message {place}"
            yield Difference(
                section, f"{name}, {len(places)} of {rows}, first {where}", _text(x[place]), _text(y[place])
            )


def _traces(kind: str, first: Run, second: Run, a: pd.DataFrame, b: pd.DataFrame) -> Iterator[Difference]:
    pairs = [(int(m), int(n)) for m, n in zip(a["trace"], b["trace"], strict=False) if m >= 0 and n >= 0]
    different = []
    for m, n in pairs:
        x, y = first.traces[m], second.traces[n]
        changed = [key for key in dict.fromkeys([*x, *y]) if key not in x or key not in y or _changed(x[key], y[key])]
        if changed:
            different.append((m, ", ".join(changed)))
    if different:
        number, names = different[0]
        what = f"{kind}, {len(different)} of {len(pairs)}"
        yield Difference("traces", what, f"trace {number}", f"not the same in {names}")


def _changed(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> bool:
    return x.dtype != y.dtype or x.tobytes() != y.tobytes()


def _unequal(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where two columns differ; floats by their bits, so that NaN equals NaN and 0 is not -0."""
    if x.dtype != y.dtype:
        return np.ones(len(x), bool)
    if x.dtype.kind == "f":
        x, y = (np.ascontiguousarray(v).view(f"u{v.dtype.itemsize}") for v in (x, y))
    return np.asarray(x != y, bool)


def _texts(section: str, label: str, first: str, second: str) -> Iterator[Difference]:
    """Changed lines of two texts."""
    a, b = first.splitlines(), second.splitlines()
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Difference(
                section, f"{label}line {i + 1}", *("\n".join(part) or MISSING for part in (a[i:j], b[k:m]))
            )


def _values(section: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    a, b = dict(_leaves(first, "")), dict(_leaves(second, ""))
    for key in dict.fromkeys([*a, *b]):
        # Compared as text: a NaN in the settings is itself, and 1 is not 1.0.
        one, other = (_text(values[key]) if key in values else MISSING for values in (a, b))
        if one != other:
            yield Difference(section, key, one, other)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _without_after(instruments: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: {k: v for k, v in entry.items() if k != "after"} for name, entry in instruments.items()}


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return repr(value[:80])
    return value if isinstance(value, str) else repr(value.item() if isinstance(value, np.generic) else value)
