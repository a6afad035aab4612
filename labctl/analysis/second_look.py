"""A second look at a run: another spike criterion, excluded rows with reasons. The run file is never touched.

A look is a YAML file, such as ``exclude: [{because: probe lifted, where: {state: initial, trial: 3}}]``, and
``spike_below: 0.4``. An entry of ``exclude`` needs ``because`` and at least one of ``where`` (columns of the events: a
value or a list, with units), ``time`` (``[from, to]`` since the start) and ``events`` (numbers, or ``"14..24"``); a row
must meet all of them. ``run`` (a pattern of file names) keeps an entry to some runs. What was looked at, with which
results, is appended to ``RUN.analysis.yaml`` beside the run: one YAML document per look, the last of which can be given
as a look again.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError, Run, column, run_name, unit_of_variable

if TYPE_CHECKING:
    import pandas as pd

Bools = NDArray[np.bool_]
EXCLUDED = 16  #: labctl.store.Flags.EXCLUDED
_TESTS = ("where", "time", "events")
_EXAMPLE = "example: exclude: [{because: probe lifted, where: {state: initial, trial: 3}}]"


@dataclass(frozen=True)
class Exclusion:
    """Rows to leave out, and why; ``where`` maps columns to the values (text or number with unit) that are meant."""

    because: str
    where: Mapping[str, Sequence[Any]]
    time: tuple[float, float] | None = None
    events: tuple[tuple[int, int], ...] = ()
    run: str = "*"

    def rows(self, run: Run, table: pd.DataFrame) -> Bools:
        """Which rows of a table are meant."""
        chosen = np.ones(len(table), bool)
        if self.time is not None:
            chosen &= table["time"].between(*self.time).to_numpy()
        if self.events:
            number = table["event"].to_numpy()
            chosen &= np.any([(number >= first) & (number <= last) for first, last in self.events], axis=0)
        for name, values in self.where.items():
            found = table[column(table, name)]
            if found.dtype.kind in "Of" and found.map(lambda v: isinstance(v, str)).all():
                chosen &= found.isin([str(v) for v in values]).to_numpy()
                continue
            numbers = [_in_si(v, unit_of_variable(run, name)) for v in values]
            chosen &= np.isclose(found.to_numpy(np.float64)[:, None], numbers, rtol=1e-9, atol=0).any(axis=1)
        return chosen


@dataclass(frozen=True)
class SecondLook:
    """``spike_below``: a ratio, or with ``unit`` ohm a resistance; None keeps the run's own criterion."""

    spike_below: float | None = None
    unit: str = ""
    exclusions: tuple[Exclusion, ...] = ()
    source: str = ""  #: text of the file the exclusions came from

    def __bool__(self) -> bool:
        return self.spike_below is not None or bool(self.exclusions)

    @property
    def text(self) -> str:
        """In words, for results and reports."""
        said = []
        if self.spike_below is not None:
            said.append(f"a spike is below {self.spike_below:g}{' ohm' if self.unit else ' of the reading before'}")
        reasons = dict.fromkeys(e.because for e in self.exclusions)
        if reasons:
            said.append(f"excluded: {', '.join(reasons)}")
        return f"second look: {'; '.join(said)}" if said else ""


class Seen:
    """A run as a second look sees it: same facts, other outcomes, excluded rows flagged with their reasons."""

    def __init__(self, run: Any, look: SecondLook) -> None:
        """Raises ``AnalysisError`` for an entry that names no row of the run, or a criterion that judges nothing."""
        self.path, self.traces = getattr(run, "path", ""), getattr(run, "traces", {})
        self.meta: Mapping[str, Any] = {**run.meta, "second_look": look.text}
        self.tables: Mapping[str, pd.DataFrame] = _seen(run, look)


def analyze_seen(run: Run, look: SecondLook) -> list[Result]:
    """Results of a run after a second look; each one says so in its note."""
    from labctl.analysis.requests import analyze_run

    if not look:
        return analyze_run(run)
    found = analyze_run(Seen(run, look))
    return [replace(r, note="; ".join(filter(None, (r.note, look.text)))) for r in found]


def load_look(spike_below: str | None = None, file: str | Path | None = None) -> SecondLook:
    """A look from what the command line gives: a criterion (``0.4``, ``180 kohm``), a file with exclusions.

    Raises ``AnalysisError`` with what is wrong in which entry.
    """
    text = "" if file is None else _read(Path(file))
    data = _last_document(text, str(file)) if text else {}
    if unknown := set(data) - {"exclude", "spike_below", "run", "run_id", "made", "labctl", "results"}:
        raise AnalysisError(f"{file}: unknown key {sorted(unknown)[0]!r}", "known: exclude, spike_below")
    entries = data.get("exclude") or []
    if not isinstance(entries, list):
        raise AnalysisError(f"{file}: 'exclude' must be a list", _EXAMPLE)
    exclusions = tuple(_exclusion(entry, f"{file}, entry {number}") for number, entry in enumerate(entries, 1))
    below = spike_below if spike_below is not None else data.get("spike_below")
    value, unit = (None, "") if below is None else _criterion(str(below))
    return SecondLook(value, unit, exclusions, text)


def save_look(run: Run, look: SecondLook, results: Sequence[Result]) -> Path:
    """Append look and results to ``RUN.analysis.yaml`` and return its path. ``StorageError`` if that fails."""
    from importlib.metadata import version

    from ruamel.yaml import YAML

    from labctl.store.errors import storage_error

    target = beside(run)
    document = {
        "run": Path(run_name(run)).name,
        "run_id": str(run.meta.get("run_id", "")),
        "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "labctl": version("labctl"),
        "spike_below": None if look.spike_below is None else f"{look.spike_below:.9g}{' ohm' if look.unit else ''}",
        "exclude": _last_document(look.source, "").get("exclude", []) if look.source else [],
        "results": [result.to_dict() for result in results],
    }
    try:
        with target.open("a", encoding="utf-8") as stream:
            stream.write("---\n")
            YAML(typ="safe").dump(document, stream)
    except OSError as error:
        raise storage_error(error, target, "keeping the second look") from error
    return target


def beside(run: Run) -> Path:
    """Where second looks at a run are kept."""
    path = Path(run_name(run))
    return path.with_name(path.name.removesuffix(".journal").removesuffix(".h5") + ".analysis.yaml")


def _seen(run: Run, look: SecondLook) -> dict[str, pd.DataFrame]:
    tables = {kind: table.assign(excluded="") for kind, table in run.tables.items()}
    name = Path(run_name(run)).name
    for entry in look.exclusions:
        if not fnmatch.fnmatch(name, entry.run):
            continue
        hits = 0
        for table in tables.values():
            if len(table) and all(key in table.columns or f"loop_{key}" in table.columns for key in entry.where):
                chosen = entry.rows(run, table)
                hits += int(chosen.sum())
                table.loc[chosen, "excluded"] = f"excluded: {entry.because}"
        if not hits:
            raise AnalysisError(f"{name}: the exclusion {entry.because!r} names no event of the run", _EXAMPLE)
    if "spike" in tables and len(tables["spike"]):
        _judged_from_excluded(tables)
        if look.spike_below is not None:
            tables["spike"] = _judged_again(tables["spike"], look.spike_below, look.unit)
    elif look.spike_below is not None:
        raise AnalysisError(f"{name}: the run judged no spikes", "leave out --spike-below")
    for table in tables.values():
        if "flags" in table.columns:
            table.loc[table["excluded"] != "", "flags"] |= EXCLUDED
    return tables


def _judged_from_excluded(tables: Mapping[str, pd.DataFrame]) -> None:
    """An outcome that was judged from an excluded reading is excluded for its reason.

    An outcome keeps the resistances it was judged from; the latest reading before it with that value is the one.
    """
    spikes, readings = tables["spike"], tables.get("resistance")
    if readings is None or not (readings["excluded"] != "").any():
        return
    value, event, why = (readings[name].to_numpy() for name in ("value", "event", "excluded"))
    suspects = np.isin(spikes[["resistance", "reference"]].to_numpy(), value[why != ""]).any(axis=1)
    for row in spikes[suspects & (spikes["excluded"] == "").to_numpy()].itertuples():
        for resistance in (row.resistance, row.reference):
            earlier = np.flatnonzero((value == resistance) & (event < row.event))
            if earlier.size and why[earlier[-1]]:
                spikes.loc[row.Index, "excluded"] = why[earlier[-1]]


def _judged_again(spikes: pd.DataFrame, below: float, unit: str) -> pd.DataFrame:
    """Outcomes that are drops of resistance, judged by another criterion; successes of resets stay as they are."""
    spikes = spikes.copy()
    new = (spikes["resistance"] if unit else spikes["ratio"]) < below
    compared = spikes["resistance"].where(spikes["criterion"] > 1, spikes["ratio"])  # a criterion above 1 is in ohm
    again = 0
    for _, rows in spikes.groupby("name", sort=False):
        falling = (rows["value"] == 1) == (compared[rows.index] < rows["criterion"])
        if falling[rows["ratio"].notna()].all():
            spikes.loc[rows.index, "value"] = new[rows.index].astype(rows["value"].dtype)
            spikes.loc[rows.index, "criterion"] = below
            again += 1
    if not again:
        raise AnalysisError("the run has no outcome that is a drop of resistance", "leave out --spike-below")
    return spikes


def _criterion(text: str) -> tuple[float, str]:
    from labctl.protocol.units import parse

    try:
        value, unit = parse(text)
    except ValueError as error:
        raise AnalysisError(
            f"spike criterion: {error}", "a ratio such as 0.4, or a resistance such as 180 kohm"
        ) from None
    if unit not in ("", "ohm") or value <= 0 or (unit == "" and value >= 1):
        raise AnalysisError(
            f"{text!r} is no spike criterion", "a ratio between 0 and 1, or a resistance such as 180 kohm"
        )
    return value, unit


def _exclusion(entry: Any, place: str) -> Exclusion:
    if not isinstance(entry, Mapping) or not str(entry.get("because") or "").strip():
        raise AnalysisError(f"{place}: no reason given", _EXAMPLE)
    if unknown := set(entry) - {"because", "run", *_TESTS}:
        raise AnalysisError(f"{place}: unknown key {sorted(unknown)[0]!r}", f"known: because, run, {', '.join(_TESTS)}")
    if not any(entry.get(key) for key in _TESTS):
        raise AnalysisError(f"{place}: it names no rows", f"give one of {', '.join(_TESTS)}")
    where = entry.get("where") or {}
    if not isinstance(where, Mapping):
        raise AnalysisError(f"{place}: 'where' maps columns to values", _EXAMPLE)
    values = {str(name): tuple(v) if isinstance(v, list) else (v,) for name, v in where.items()}
    limits = [_in_si(v, "s") for v in entry.get("time") or ()]
    if len(limits) not in (0, 2):
        raise AnalysisError(f"{place}: 'time' is [from, to]", "example: time: [10 s, 2 min]")
    events = entry.get("events") or []
    return Exclusion(
        because=str(entry["because"]).strip(),
        where=values,
        time=(limits[0], limits[1]) if limits else None,
        events=tuple(_span(v, place) for v in (events if isinstance(events, list) else [events])),
        run=str(entry.get("run", "*")),
    )


def _span(value: Any, place: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)(?:\s*\.\.\s*(\d+))?", str(value))
    if found is None:
        raise AnalysisError(f"{place}: {value!r} is no event number", 'example: events: [14, "20..24"]')
    return int(found[1]), int(found[2] or found[1])


def _in_si(value: Any, unit: str | None) -> float:
    """A number as the column holds it; text needs the column's unit."""
    from labctl.protocol.units import parse

    if isinstance(value, int | float):
        return float(value)
    try:
        number, found = parse(str(value))
    except ValueError as error:
        raise AnalysisError(f"exclusion: {error}", _EXAMPLE) from None
    if found and unit not in (None, found):
        raise AnalysisError(f"exclusion: {value!r} is not in {unit or 'a plain number'}", _EXAMPLE)
    return number


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AnalysisError(f"{path}: cannot be read: {error}", "give a YAML file with 'exclude:'") from error


def _last_document(text: str, name: str) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        documents = [d for d in YAML(typ="safe", pure=True).load_all(text) if d is not None]
    except YAMLError as error:
        raise AnalysisError(f"{name}: no YAML: {error}", _EXAMPLE) from error
    if not documents or not isinstance(documents[-1], dict):
        raise AnalysisError(f"{name}: holds no 'exclude:'", _EXAMPLE)
    return documents[-1]
