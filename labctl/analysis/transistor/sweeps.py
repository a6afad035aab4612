"""Sweeps of a run as curves: usable points by branch, in groups.

A point in compliance or overflow is no measurement of the device at that voltage: it is left out and counted, and the
curve keeps its place, for what it may hide (design section 10, rule 5).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.runs import AnalysisError, Run, column, table, unit_of_variable
from labctl.analysis.trials import UNUSABLE, Group, groups, reasons
from labctl.numerics import OVERFLOW_MARKER, split_branches

if TYPE_CHECKING:
    import pandas as pd

    from labctl.analysis.transistor.offsets import Offset

Floats = NDArray[np.float64]

#: status bits of a point: compliance, overflow, another terminal in compliance (so not at its voltage)
_POINT = {1: "compliance", 2: "overflow", 4: "another terminal in compliance"}
_ALL_POINTS = sum(_POINT)


@dataclass(frozen=True, slots=True)
class Branch:
    """One way of a sweep: swept voltage and measured current of the usable points, in order of measurement.

    ``name``: 'forward' and 'backward' of a cyclic sweep, '' of a single one. ``lost``: voltages of unusable points.
    """

    name: str
    x: Floats
    y: Floats
    lost: Floats


@dataclass(frozen=True, slots=True)
class Sweep:
    """One executed sweep; ``note`` says which points were left out."""

    branches: tuple[Branch, ...]
    note: str


@dataclass(frozen=True, slots=True)
class SweepGroup:
    """Repeated sweeps under one condition; ``at`` is the abscissa that was asked for (NaN: none), in ``at_unit``."""

    group: Group
    sweeps: tuple[Sweep, ...]
    at: float
    at_unit: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the branches."""
        return tuple(dict.fromkeys(branch.name for sweep in self.sweeps for branch in sweep.branches))

    def branches(self, name: str) -> list[Branch]:
        """That branch of every sweep."""
        return [branch for sweep in self.sweeps for branch in sweep.branches if branch.name == name]

    @property
    def note(self) -> str:
        return "; ".join(dict.fromkeys(sweep.note for sweep in self.sweeps if sweep.note))


def curve_terminal(rows: pd.DataFrame, key: str = "measured") -> str:
    """The terminal whose current is the curve: the drain, else the first that is not swept, else the first."""
    names = list(dict.fromkeys(map(str, rows[key])))
    swept = set(rows["terminal"]) if key != "terminal" else set()
    return next((n for n in ("drain", *(n for n in names if n not in swept), *names) if n in names), "")


def traces_of(run: Run) -> Mapping[int, Mapping[str, Any]]:
    """Raw points by index; empty for a run without."""
    found: Mapping[int, Mapping[str, Any]] = getattr(run, "traces", {})
    return found


def sweep_rows(run: Run, name: str, measured: str | None = None) -> pd.DataFrame:
    """Rows of one sweep with a column ``why``: empty, or why the whole row cannot be used.

    Flags of single points do not condemn the row where the trace says which points. Raises ``AnalysisError`` if the
    run has no such sweep.
    """
    everything = table(run, "sweep")
    rows = everything[everything["name"] == name]
    if rows.empty:
        names = ", ".join(sorted(map(str, everything["name"].unique()))) or "none"
        raise AnalysisError(f"the run has no sweep {name!r}", f"sweeps in it: {names}")
    rows = rows[rows["measured"] == (measured or curve_terminal(rows))].copy()
    flags, traces = rows["flags"].to_numpy(np.int64), traces_of(run)
    why = reasons(flags)
    for i, number in enumerate(rows["trace"].to_numpy(np.int64)):
        if number not in traces:
            why[i] = "no trace"
        elif not flags[i] & 16 and np.any(np.asarray(traces[number].get("status", 0)) & _ALL_POINTS):
            why[i] = ""
    rows["why"] = why
    return rows


def conditions(run: Run, rows: pd.DataFrame, per: Sequence[str], over: str | None = None) -> list[tuple[Group, float]]:
    """Groups of rows by ``per`` and ``over``, with the value of ``over`` (NaN without it), in order of execution.

    A loop variable that changes within a group splits it further: what was measured under different conditions is
    not averaged.
    """
    wanted = [*per, *([over] if over else [])]
    names = {column(rows, name) for name in wanted if name != "state"}
    loops = [c for c in loop_variables(rows) if c not in names]
    changing = [c for c in loops if any(part.rows[c].nunique() > 1 for part in groups(rows, wanted))]
    found = []
    for group in groups(rows, [*wanted, *changing]):
        keys = dict(group.keys)
        at = float(keys.pop(over)) if over else math.nan
        found.append((Group(tuple(keys.items()), group.rows), at))
    return found


def loop_variables(rows: pd.DataFrame) -> list[str]:
    """Columns of loop variables and searches: the numbers that no table has by itself."""
    from labctl.store import event_tables  # h5py comes with it

    own = {name for columns in event_tables({}, ()).values() for name in columns}
    numbers = [str(c) for c in rows.columns if rows[c].dtype.kind == "f"]
    return [c for c in numbers if c not in own and not c.endswith("_index")]


def sweep_groups(
    run: Run,
    name: str,
    per: Sequence[str] = ("state",),
    over: str | None = None,
    measured: str | None = None,
    offset: Offset | None = None,
) -> list[SweepGroup]:
    """Sweeps called ``name`` in groups; see ``conditions``. A group whose rows are all unusable has no sweeps.

    ``offset`` is subtracted from every current, as it was when that was read.
    """
    rows, traces = sweep_rows(run, name, measured), traces_of(run)
    unit = (unit_of_variable(run, over) or "") if over else ""
    own = str(rows["measured"].iloc[0]) == str(rows["terminal"].iloc[0])
    return [
        SweepGroup(
            group,
            tuple(_sweep(traces[int(row["trace"])], own, row, offset) for _, row in group.used.iterrows()),
            at,
            unit,
        )
        for group, at in conditions(run, rows, per, over)
    ]


def times_of(row: Any, trace: Mapping[str, Any]) -> Floats:
    """When each point behind a row was read, s since the start of the run: the row's own time is its end."""
    time = np.asarray(trace["time"], np.float64)
    return np.asarray(float(row["time"]) + time - time[-1])


def _sweep(trace: Mapping[str, Any], own: bool, row: Any, offset: Offset | None) -> Sweep:
    """Measured voltage is that of the measured terminal: it is the abscissa only if that one is swept (``own``)."""
    programmed, current = (np.asarray(trace[name], np.float64) for name in ("set", "current"))
    read = np.asarray(trace.get("voltage", programmed) if own else programmed, np.float64)
    volts = np.where(np.isfinite(read) & (np.abs(read) < OVERFLOW_MARKER / 10), read, programmed)
    status = np.broadcast_to(np.asarray(trace.get("status", 0), np.int64), programmed.shape)
    readable = np.abs(current) < OVERFLOW_MARKER / 10  # False for NaN too
    usable = readable & (status & _ALL_POINTS == 0)
    if offset is not None and offset.name:
        current = current - offset.at(times_of(row, trace))
    branches = []
    for branch_name, part in _branches(programmed):
        use = usable[part]
        branches.append(Branch(branch_name, volts[part][use], current[part][use], programmed[part][~use]))
    return Sweep(tuple(branches), _left_out(status, readable) if branches else "neither a single nor a cyclic sweep")


def _branches(programmed: Floats) -> list[tuple[str, slice]]:
    """Both ways of a cyclic sweep, the only one of a single sweep, none of anything else."""
    steps = np.diff(programmed)
    if np.all(steps > 0) or np.all(steps < 0):
        return [("", slice(None))]
    try:
        forward, backward = split_branches(programmed)
    except ValueError:
        return []
    return [("forward", forward), ("backward", backward)]


def _left_out(status: NDArray[np.int64], readable: NDArray[np.bool_]) -> str:
    """How many points were left out and why; empty if none."""
    counts = {word: int(np.sum(status & bit > 0)) for bit, word in _POINT.items()}
    counts[UNUSABLE[2]] = int(np.sum((status & 2 > 0) | ~readable))
    lost = int(np.sum((status & _ALL_POINTS > 0) | ~readable))
    words = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{lost} of {status.size} points left out: {words}" if lost else ""
