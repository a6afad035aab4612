"""Outcomes of a run as trials: spiked or not, at which pulse, usable or not and why not.

Nothing is dropped in silence (design section 10, rule 5): a trial that does not count stays in the table with its
reason, and results say how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.runs import AnalysisError, Run, column, table, unit_of_variable
from labctl.protocol import units

if TYPE_CHECKING:
    import pandas as pd

#: flags of readings that are no measurement of the device (labctl.store.flags: compliance, overflow, excluded)
UNUSABLE = {1: "compliance", 2: "overflow", 16: "excluded or aborted"}
_AFTERWARDS = ("reset", "erase")


@dataclass(frozen=True, slots=True)
class Group:
    """Trials or readings that belong together: the values of the grouping columns, and a label.

    Units of the columns are in ``rows.attrs["units"]``, where ``runs.table`` puts them.
    """

    keys: tuple[tuple[str, str | float], ...]
    rows: pd.DataFrame

    @property
    def label(self) -> str:
        """The state's name; other columns as ``name=value unit``."""
        inside = [(k, v) for k, v in self.keys if v != "" and v == v]
        return ", ".join(v if isinstance(v, str) else f"{k}={self._text(k, v)}" for k, v in inside)

    def _text(self, name: str, value: float) -> str:
        known = self.rows.attrs.get("units", {})
        return units.text(float(f"{value:.9g}"), known.get(f"loop_{name}", known.get(name, "")))

    @property
    def used(self) -> pd.DataFrame:
        return self.rows[self.rows["why"] == ""]

    @property
    def left_out(self) -> int:
        return int((self.rows["why"] != "").sum())

    @property
    def note(self) -> str:
        """How many rows were left out, and why; empty if none."""
        why = self.rows["why"][self.rows["why"] != ""]
        if why.empty:
            return ""
        reasons = ", ".join(f"{count} {reason}" for reason, count in why.value_counts(sort=False).items())
        return f"{len(why)} of {len(self.rows)} left out: {reasons}"


def groups(rows: pd.DataFrame, per: Sequence[str]) -> list[Group]:
    """Split by the columns of ``per`` in the order of execution; rows outside a loop have the key NaN."""
    columns = {name: column(rows, name) for name in per if name != "state" or "state" in rows.columns}
    if rows.empty:
        return []
    if not columns:
        return [Group((), rows)]
    keys = [
        rows[name] if rows[name].dtype.kind != "i" else rows[name].where(rows[name] != -1) for name in columns.values()
    ]
    split = rows.groupby(keys, sort=False, dropna=False)
    return [Group(tuple(zip(columns, (_key(v) for v in key), strict=True)), part) for key, part in split]


def _key(value: Any) -> str | float:
    return value if isinstance(value, str) else float(value)


def reasons(flags: NDArray[np.int64]) -> NDArray[np.str_]:
    """Why each row cannot be used by its flags; empty where it can."""
    why = np.full(flags.shape, "", dtype="U48")
    for bit, text in reversed(UNUSABLE.items()):
        why[flags & bit > 0] = text
    return why


def why_not(rows: pd.DataFrame) -> NDArray[np.object_]:
    """Why each row cannot be used: the reason of a second look, else by its flags; empty where it can."""
    why = reasons(rows["flags"].to_numpy(np.int64)).astype(object)
    if "excluded" in rows.columns:
        told = rows["excluded"].to_numpy(object)
        why = np.where(told != "", told, why)
    return why


def trials(run: Run, of: str, over: str | None = None) -> pd.DataFrame:
    """Outcomes named ``of`` with columns ``y`` (0 or 1), ``at`` (abscissa), ``dose`` (stimuli so far), ``why``.

    ``at`` is the pulse's level in V where ``over`` is a field or a voltage (or nothing), else the loop variable in
    SI. A trial cannot be used if one of its readings is flagged, its ratio is undefined, or the reset before it
    failed for good. Raises ``AnalysisError`` if the run has no such outcome.
    """
    everything = table(run, "spike")
    rows = everything[everything["name"] == of].copy()
    if rows.empty:
        names = ", ".join(sorted(map(str, everything["name"].unique()))) or "none"
        raise AnalysisError(f"the run has no outcome {of!r}", f"outcomes in it: {names}")
    pulses = table(run, "pulse")
    stimulus = _stimuli(pulses, over)
    place = _before(pulses.loc[stimulus, "event"], rows["event"]) if stimulus.any() else np.full(len(rows), -1)
    rows["at"], rows["at_unit"] = _abscissa(run, rows, pulses, over, stimulus, place)
    rows["dose"] = _dose(pulses, stimulus, rows)
    rows["y"] = rows["value"].to_numpy(np.int64)
    why = why_not(rows)
    why[(why == "") & ~np.isfinite(rows["ratio"].to_numpy(np.float64))] = "resistance undefined"
    start = (
        np.where(place >= 0, pulses.loc[stimulus, "event"].to_numpy()[place], rows["event"])
        if len(pulses)
        else rows["event"]
    )
    why[(why == "") & _reset_failed(run, np.asarray(start))] = "after a failed reset"
    rows["why"] = why
    return rows


def _before(earlier: pd.Series, events: pd.Series) -> NDArray[np.int64]:
    """Index into ``earlier`` (ascending) of the last one before each event; -1 where there is none."""
    return np.searchsorted(earlier.to_numpy(), events.to_numpy()) - 1


def _roles(pulses: pd.DataFrame) -> NDArray[np.object_]:
    if "role" not in pulses.columns:
        return np.full(len(pulses), "", dtype=object)
    return pulses["role"].fillna("").to_numpy(object)


def _stimuli(pulses: pd.DataFrame, over: str | None) -> NDArray[np.bool_]:
    """Which pulses are the stimulus: of those whose level follows ``over``, else those that are no resets."""
    roles = _roles(pulses)
    forward = ~np.isin(roles, _AFTERWARDS)
    if over is None or pulses.empty:
        return forward
    for kind in (forward, ~forward):
        if level_scale(pulses[kind], over) is not None:
            return kind
    return forward


def level_scale(pulses: pd.DataFrame, over: str) -> float | None:
    """Volts per unit of the loop variable, where the level of all these pulses follows it; else None."""
    try:
        variable = pulses[column(pulses, over)].to_numpy(np.float64)
    except AnalysisError:
        return None
    level = pulses["level"].to_numpy(np.float64)
    inside = np.isfinite(variable) & (variable != 0)
    if not inside.any():
        return None
    scale = level[inside] / variable[inside]
    middle = float(np.median(scale))
    return middle if np.all(np.abs(scale - middle) <= 1e-6 * abs(middle)) and middle != 0 else None


def _abscissa(
    run: Run,
    rows: pd.DataFrame,
    pulses: pd.DataFrame,
    over: str | None,
    stimulus: NDArray[np.bool_],
    place: NDArray[np.int64],
) -> tuple[NDArray[np.float64], str]:
    if over is None:
        levels = pulses.loc[stimulus, "level"].to_numpy(np.float64) if len(pulses) else np.zeros(0)
        return np.where(place >= 0, levels[place] if levels.size else np.nan, np.nan), "V"
    values = rows[column(rows, over)].to_numpy(np.float64)
    unit = unit_of_variable(run, over)
    scale = level_scale(pulses[stimulus], over) if unit in (None, "V", "V/m") and len(pulses) else None
    if scale is not None:
        return values * scale, "V"
    return values, unit or ""


def _dose(pulses: pd.DataFrame, stimulus: NDArray[np.bool_], rows: pd.DataFrame) -> NDArray[np.float64]:
    """Stimulus pulses that the device had seen in this run when the outcome was judged."""
    if pulses.empty:
        return np.zeros(len(rows))
    count = pulses["count"].to_numpy(np.float64) if "count" in pulses.columns else np.ones(len(pulses))
    total = np.concatenate([[0.0], np.cumsum(np.where(stimulus, count, 0.0))])
    return total[np.searchsorted(pulses["event"].to_numpy(), rows["event"].to_numpy())]


def _reset_failed(run: Run, start: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the last check of the reset before each trial's stimulus was not passed."""
    checks = table(run, "confirm")
    if checks.empty:
        return np.zeros(start.size, bool)
    last = np.searchsorted(checks["event"].to_numpy(), start) - 1
    ok = checks["ok"].to_numpy(bool)
    return np.where(last >= 0, ~ok[np.maximum(last, 0)], False)
