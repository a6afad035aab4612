"""Base currents, and their change by a pulse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.analysis.curves import Maker
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import student_quantile
from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError, Run, table
from labctl.analysis.shift import shifted
from labctl.analysis.transistor.repeats import combined
from labctl.analysis.transistor.sweeps import conditions, curve_terminal, traces_of
from labctl.analysis.trials import Group, reasons
from labctl.numerics import fit_local

if TYPE_CHECKING:
    import pandas as pd

METHOD_WELCH = "mean after minus mean before, Welch's interval from the samples of both readings"
METHOD_PAIRS = "mean of the differences of paired readings, Student interval"
DRIFT = 1e-3  #: chance below which a drift within a reading is told
_NOTHING = Estimate(math.nan, math.nan, math.nan)


def current_rows(run: Run, name: str, terminal: str | None = None) -> pd.DataFrame:
    """Rows of one current reading at one terminal (the drain, if there), with a column ``why``.

    Raises ``AnalysisError`` if the run has no such reading.
    """
    everything = table(run, "current")
    rows = everything[everything["name"] == name]
    if rows.empty:
        names = ", ".join(sorted(map(str, everything["name"].unique()))) or "none"
        raise AnalysisError(f"the run has no current reading {name!r}", f"current readings in it: {names}")
    rows = rows[rows["terminal"] == (terminal or curve_terminal(rows, "terminal"))].copy()
    why = reasons(rows["flags"].to_numpy(np.int64))
    why[(why == "") & ~(np.abs(rows["value"].to_numpy(np.float64)) < 1e30)] = "value undefined"
    rows["why"] = why
    return rows


def sample_mean(row: pd.Series[Any], confidence: float) -> Estimate:
    """Mean of the samples of one reading with Student's interval; no interval from a single sample."""
    value, n = float(row["value"]), int(row["samples"])
    if n < 2 or not math.isfinite(row["std"]):
        return Estimate(value, math.nan, math.nan)
    half = float(student_quantile(0.5 + confidence / 2, n - 1)) * float(row["std"]) / math.sqrt(n)
    return Estimate(value, value - half, value + half)


def welch(before: pd.Series[Any], after: pd.Series[Any], confidence: float) -> Estimate:
    """``after - before`` from mean, standard deviation and number of samples of both.

    B. L. Welch, Biometrika 34, 28 (1947). Samples are taken as independent: fluctuations that last longer than a
    reading are not in the interval.
    """
    change = float(after["value"]) - float(before["value"])
    n = np.array([before["samples"], after["samples"]], np.float64)
    if n.min() < 2:
        return Estimate(change, math.nan, math.nan)
    variance = np.array([before["std"], after["std"]], np.float64) ** 2 / n
    total = float(variance.sum())
    if total == 0.0:
        return Estimate(change, change, change)
    freedom = total**2 / float(np.sum(variance**2 / (n - 1)))
    half = float(student_quantile(0.5 + confidence / 2, freedom)) * math.sqrt(total)
    return Estimate(change, change - half, change + half)


def delta_base_current(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Change of the base current in each group: each reading before with the first one after it."""
    confidence, per, results = request["confidence"], request.get("per") or (), []
    before, after = (current_rows(run, request[key]) for key in ("before", "after"))
    later = {group.label: group for group, _ in conditions(run, after, per)}
    for group, _ in conditions(run, before, per):
        if group.label in later:
            results.append(_delta(run, group, later[group.label], confidence))
    return results


def _delta(run: Run, before: Group, after: Group, confidence: float) -> Result:
    pairs = _pairs(before.used, after.used)
    lost = "; ".join(f"{name}: {g.note}" for name, g in (("before", before), ("after", after)) if g.note)
    samples = sum(int(row["samples"]) for pair in pairs for row in pair)
    label = Group((("state", before.label),), before.rows)
    if not pairs:
        return Maker(run, label, 0)("delta_base_current", _NOTHING, "A", "refused", lost or "no reading after")
    change = combined((welch(one, two, confidence) for one, two in pairs), confidence)
    method = METHOD_WELCH if len(pairs) == 1 else METHOD_PAIRS
    verdict = "changed" if shifted(change) else "no change established"
    if not math.isfinite(change.low):
        verdict = "one sample before or after: no interval"
    drifts = [_drift(run, row, name) for pair in pairs for name, row in zip(("before", "after"), pair, strict=True)]
    note = "; ".join(dict.fromkeys(filter(None, (verdict, *drifts, f"after: {after.note}" if after.note else ""))))
    make = Maker(run, label, samples)
    return make(
        "delta_base_current", change, "A", method, note,
        left_out=before.left_out + after.left_out, confidence=confidence,
    )  # fmt: skip


def _pairs(before: pd.DataFrame, after: pd.DataFrame) -> list[tuple[pd.Series[Any], pd.Series[Any]]]:
    """Each reading before with the first reading after it, unless another one before comes in between."""
    events = after["event"].to_numpy()
    first = np.searchsorted(events, before["event"].to_numpy())
    following = np.append(before["event"].to_numpy(), np.iinfo(np.int64).max)[1:]
    return [
        (before.iloc[i], after.iloc[j]) for i, j in enumerate(first) if j < events.size and events[j] < following[i]
    ]


def _drift(run: Run, row: pd.Series[Any], name: str) -> str:
    """Whether the samples of a reading run away with time, as they do when it came too soon (pitfall F22)."""
    from scipy.special import stdtr

    trace = traces_of(run).get(int(row["trace"]))
    if trace is None or len(trace["current"]) < 5:
        return ""
    time, current = (np.asarray(trace[key], np.float64) for key in ("time", "current"))
    if np.ptp(time) == 0:
        return ""
    line = fit_local(time, current, 1)
    slope, error = line.value(line.centre, 1), line.stderr(line.centre, 1)
    if error == 0 or 2 * float(stdtr(line.freedom, -abs(slope / error))) > DRIFT:
        return ""
    return f"the samples of {name!r} drift by {slope * np.ptp(time):.2g} A during the reading"
