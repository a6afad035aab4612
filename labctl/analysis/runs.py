"""What analysis takes from a run: any object with ``tables`` (kind -> DataFrame) and ``meta`` (mapping)."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


#: version of the protocol language whose ``analyze`` entries are understood here
LANGUAGE = 1


class Run(Protocol):
    """A run file as ``labctl.load_run`` gives it."""

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Rows by kind of event."""

    @property
    def meta(self) -> Mapping[str, Any]:
        """Facts of the run."""


class AnalysisError(ValueError):
    """A request that the run cannot answer as it is written; ``hint`` says what to do (exit code 2)."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Remembered:
    """A run as one analysis sees it: each table in order of execution and each count of trials, made once.

    Several requests of a protocol ask about the same curves.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._found: dict[Hashable, Any] = {}
        self.path, self.meta, self.tables = run_name(run), run.meta, run.tables

    @property
    def traces(self) -> Mapping[int, Mapping[str, Any]]:
        """Raw points, read when they are asked for."""
        found: Mapping[int, Mapping[str, Any]] = getattr(self._run, "traces", {})
        return found

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What ``make`` gave when ``key`` was first asked for; nobody may change it."""
        if key not in self._found:
            self._found[key] = make()
        return self._found[key]


def table(run: Run, kind: str) -> pd.DataFrame:
    """Rows of one kind in order of execution; without rows an empty table with at least ``event`` and ``state``.

    ``attrs["units"]`` has the SI unit of each column, as far as the run knows it. Not to be changed.
    """
    if isinstance(run, Remembered):
        ordered: pd.DataFrame = run.once(("table", kind), lambda: _ordered(run, kind))
        return ordered
    return _ordered(run, kind)


def _ordered(run: Run, kind: str) -> pd.DataFrame:
    import pandas as pd  # 0.6 s

    rows = run.tables.get(kind)
    if rows is None:
        return pd.DataFrame({"event": [], "time": [], "state": [], "flags": np.zeros(0, np.int64), "name": []})
    ordered = rows.sort_values("event", kind="stable")
    ordered.attrs["units"] = dict((run.meta.get("units") or {}).get(kind, {}))
    return ordered


def run_name(run: Run) -> str:
    """Path of the run file, as far as it is known."""
    return str(getattr(run, "path", "") or run.meta.get("path", ""))


def device_name(run: Run) -> str:
    return str(run.meta.get("device", "") or "")


def resolved(run: Run) -> Mapping[str, Any]:
    """The resolved protocol as plain data."""
    found = run.meta.get("resolved") or {}
    return json.loads(found) if isinstance(found, str) else found


def requests_of(run: Run) -> list[dict[str, Any]]:
    """The protocol's ``analyze`` entries; quantities come as their SI numbers.

    Raises ``AnalysisError`` if the protocol is of another version of the language: its words may mean something else.
    """
    version = resolved(run).get("protocol", LANGUAGE)
    if version != LANGUAGE:
        raise AnalysisError(
            f"{run_name(run)}: its protocol is of version {version} of the language, known here is {LANGUAGE}",
            "analyse it with the labctl that made it; labctl export gives its tables",
        )
    return [{key: _number(value) for key, value in entry.items()} for entry in resolved(run).get("analyze", ())]


def _number(value: Any) -> Any:
    return value["value"] if isinstance(value, Mapping) and "value" in value and "unit" in value else value


def column(rows: pd.DataFrame, name: str) -> str:
    """Column of a loop variable or repeat: ``loop_<name>`` where the table means something else by the name.

    Raises ``AnalysisError`` with the names there are.
    """
    for candidate in (f"loop_{name}", name):
        if candidate in rows.columns:
            return candidate
    raise AnalysisError(f"the run has no column {name!r}", f"columns: {', '.join(map(str, rows.columns))}")


def unit_of_variable(run: Run, name: str) -> str | None:
    """SI unit of a loop variable, from the run's columns or the resolved protocol; None if it is in neither."""
    for columns in (run.meta.get("units") or {}).values():
        for candidate in (f"loop_{name}", name):
            if candidate in columns:
                return str(columns[candidate])
    for node in _mappings(resolved(run).get("steps", ())):
        values = node.get("values")
        if node.get("variable") == name and values:
            return str(values[0].get("unit", ""))
    return None


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _mappings(item)
