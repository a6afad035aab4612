"""Currents of both branches of a cyclic curve at one gate voltage, and dI0 = backward - forward there.

Each branch is interpolated between the two samples around the voltage (reference sec. 1.6). The noise comes from the
residuals of a cubic through the samples next to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl.analysis.curves import Maker
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import student_quantile
from labctl.analysis.results import Result
from labctl.analysis.runs import Run, column, table, unit_of_variable
from labctl.analysis.shift import difference
from labctl.analysis.transistor.nulls import null_of
from labctl.analysis.transistor.offsets import offset_of, widened
from labctl.analysis.transistor.repeats import METHOD_REPEATS, combined
from labctl.analysis.transistor.sweeps import Branch, SweepGroup, sweep_groups
from labctl.analysis.trials import Group
from labctl.numerics import nearest, noise_near, value_at

_NOTHING = Estimate(math.nan, math.nan, math.nan)

METHOD = "linear interpolation of each branch, Student interval from the residuals of a local cubic"
METHOD_NULL = (
    "linear interpolation of dI0 against the logarithm, after pooling to a monotonic course (isotonic regression); "
    "interval where that of dI0 holds 0, for noise, not for the spacing of the values"
)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Both branches (A) at one voltage and their difference, backward minus forward."""

    forward: Estimate
    backward: Estimate
    change: Estimate
    note: str


def branch_at(branch: Branch, at: float, confidence: float) -> Estimate:
    """One branch at ``at`` (V); no value outside it, or where a point beside ``at`` could not be used."""
    value = value_at(branch.x, branch.y, at)
    around = nearest(branch.x, at, 1)
    if not math.isfinite(value) or lost_beside(branch, at):
        return _NOTHING
    low, high = float(branch.x[around].min()), float(branch.x[around].max())
    exact = bool(np.any(branch.x[around] == at))
    share = 0.0 if exact or high == low else (at - low) / (high - low)
    noise, freedom = noise_near(branch.x, branch.y, at)
    half = float(student_quantile(0.5 + confidence / 2, freedom)) * noise * math.hypot(share, 1 - share)
    return Estimate(value, value - half, value + half)


def lost_beside(branch: Branch, at: float) -> bool:
    """Whether an unusable point is ``at``, or closer to it than the usable ones on that side."""
    if np.any(branch.lost == at):
        return True
    if np.any(branch.x == at):
        return False
    return any(
        side.any() and np.abs(branch.lost[side] - at).min() < np.abs(branch.x[other] - at).min(initial=np.inf)
        for side, other in ((branch.lost < at, branch.x < at), (branch.lost > at, branch.x > at))
    )


def crossing_of(found: SweepGroup, at: float, confidence: float) -> Crossing:
    """Crossing of the cyclic sweeps of a group; NaN where there are none."""
    forward, backward = (
        [branch_at(branch, at, confidence) for branch in found.branches(name)] for name in ("forward", "backward")
    )
    if not forward:
        why = "no usable sweep" if not found.sweeps else found.note or "the sweep is not cyclic"
        return Crossing(_NOTHING, _NOTHING, _NOTHING, why)
    changes = [difference(one, two) for one, two in zip(forward, backward, strict=True)]
    change = combined(changes, confidence)
    unknown = "" if math.isfinite(change.value) else f"{at:g} V is outside the sweep, or was not measured"
    note = "; ".join(filter(None, (found.note, unknown)))
    return Crossing(combined(forward, confidence), combined(backward, confidence), change, note)


def crossing(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Both branch currents and their difference, by group and abscissa."""
    at, confidence, results = float(request.get("at") or 0.0), request["confidence"], []
    offset = offset_of(run, request.get("offset"), confidence)
    of, per, over = request.get("of") or "sweep", request.get("per") or (), request.get("over")
    for found in sweep_groups(run, of, per, over, offset=offset):
        both = crossing_of(found, at, confidence)
        make = Maker(run, found.group, len(found.sweeps), both.note)
        method = f"at {at:g} V, {METHOD_REPEATS if len(found.sweeps) > 1 else METHOD}"
        for quantity, estimate in (
            ("crossing_forward", widened(both.forward, offset)),
            ("crossing_backward", widened(both.backward, offset)),
            ("dI0" if at == 0 else "dI", both.change),
        ):
            results.append(
                make(quantity, estimate, "A", method, at=found.at, at_unit=found.at_unit, confidence=confidence)
            )
    return results


def cgb_map(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """dI0 over two loop variables: ``at`` is x, the group's label names y."""
    confidence, results = request["confidence"], []
    for found in sweep_groups(run, request.get("of") or "sweep", [request["y"]], request["x"]):
        both = crossing_of(found, 0.0, confidence)
        make = Maker(run, found.group, len(found.sweeps), both.note)
        method = f"at 0 V, {METHOD_REPEATS if len(found.sweeps) > 1 else METHOD}"
        results.append(make("dI0", both.change, "A", method, at=found.at, at_unit=found.at_unit, confidence=confidence))
    return results


def null_time(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Value of the loop variable at which dI0 passes zero, in each group."""
    import pandas as pd  # 0.6 s

    over, confidence, results = request["over"], request["confidence"], []
    found = sweep_groups(run, request.get("of") or "sweep", request.get("per") or (), over)
    unit = unit_of_variable(run, over) or ""
    for label in dict.fromkeys(one.group.label for one in found):
        part = [one for one in found if one.group.label == label and math.isfinite(one.at)]
        rows = pd.concat([one.group.rows for one in found if one.group.label == label])
        changes = [crossing_of(one, 0.0, confidence).change for one in part]
        usable = [(one.at, change) for one, change in zip(part, changes, strict=True) if math.isfinite(change.value)]
        null = null_of([at for at, _ in usable], [change for _, change in usable])
        notes = "; ".join(filter(None, (null.note, _held(run, rows, over) if unit == "s" else "")))
        make = Maker(run, Group((("state", label),), rows), len(usable), notes)
        share = confidence if math.isfinite(null.place.value) else math.nan
        results.append(make("null_time", null.place, unit, METHOD_NULL, confidence=share))
    return results


def _held(run: Run, rows: Any, over: str) -> str:
    """Where the bias before a sweep did not last as long as the loop variable says (pitfall F21), or was limited."""
    biases = table(run, "bias")
    if biases.empty or not {"start", "stop"} <= set(biases.columns):
        return ""
    latest = np.searchsorted(biases["event"].to_numpy(), rows["event"].to_numpy()) - 1
    asked = rows[column(rows, over)].to_numpy(np.float64)
    known = (latest >= 0) & np.isfinite(asked)
    before = biases.iloc[latest[known]]
    lasted = (before["stop"] - before["start"]).to_numpy(np.float64)
    off = int(np.sum(np.abs(lasted / asked[known] - 1) > 0.01))
    limited = int(np.sum(before["flags"].to_numpy(np.int64) & 1 > 0))
    words = (
        f"{off} of {lasted.size} biases lasted more than 1 % off what was asked" if off else "",
        f"{limited} of {lasted.size} biases in compliance" if limited else "",
    )
    return "; ".join(filter(None, words))
