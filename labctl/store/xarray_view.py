"""A run as an xarray tree: one dataset per kind of event, units as attributes, traces beside their rows."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.store.errors import ExportError

if TYPE_CHECKING:
    from labctl.store.reading import Run

_FACTS = (
    "title", "status", "reason", "device", "operator", "note", "seed", "simulated", "started", "finished", "run_id",
    "plan_hash", "host",
)  # fmt: skip


def to_xarray(run: Run) -> Any:
    """An ``xarray.DataTree`` with a node per kind that has rows; facts of the run are its attributes.

    A node has the dimension ``event`` with the coordinates ``event`` and ``time``, and the columns of its table. Where
    rows have traces, ``trace_<name>`` has the dimensions ``event`` and ``point``: NaN beyond the end of a shorter one
    and where a row has none. ``ExportError`` without xarray (the extra ``xarray``).
    """
    if find_spec("xarray") is None:
        raise ExportError("to_xarray needs the package xarray, which is not installed", "pip install 'labctl[xarray]'")
    import xarray

    nodes = {kind: _dataset(xarray, run, kind) for kind, table in run.tables.items() if len(table)}
    facts = {name: run.meta[name] for name in _FACTS}
    attributes = {name: int(v) if isinstance(v, bool) else "" if v is None else v for name, v in facts.items()}
    return xarray.DataTree.from_dict({"/": xarray.Dataset(attrs=attributes), **nodes})


def _dataset(xarray: Any, run: Run, kind: str) -> Any:
    table, units = run.tables[kind], run.meta["units"].get(kind, {})
    columns = {
        str(name): ("event", column.to_numpy(), {"units": units[name]} if units.get(name) else {})
        for name, column in table.items()
    }
    return xarray.Dataset(columns | _traces(run, table)).set_coords(["event", "time"])


def _traces(run: Run, table: Any) -> dict[str, tuple[tuple[str, str], Any]]:
    traces = {place: run.traces[int(n)] for place, n in enumerate(table["trace"]) if n >= 0}
    if not traces:
        return {}
    longest = max(len(next(iter(trace.values()), ())) for trace in traces.values())
    found: dict[str, tuple[tuple[str, str], Any]] = {}
    for name in dict.fromkeys(name for trace in traces.values() for name in trace):
        values = np.full((len(table), longest), np.nan)
        for place, trace in traces.items():
            values[place, : len(trace.get(name, ()))] = trace.get(name, ())
        found[f"trace_{name}"] = (("event", "point"), values)
    return found
