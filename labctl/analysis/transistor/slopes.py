"""Output curves: dI/dV at one drain voltage against the gate voltage, and where it is largest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labctl.analysis.curves import Maker
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import student_quantile
from labctl.analysis.results import Result
from labctl.analysis.runs import Run
from labctl.analysis.transistor.crossings import lost_beside
from labctl.analysis.transistor.repeats import METHOD_REPEATS, combined
from labctl.analysis.transistor.sweeps import Branch, sweep_groups
from labctl.numerics import fit_local, nearest

NEIGHBOURS = 4  #: samples on either side of the voltage through which the quadratic goes
METHOD = f"slope of a quadratic through the {NEIGHBOURS} samples on either side, Student interval from its residuals"
_NOTHING = Estimate(math.nan, math.nan, math.nan)


def slope_at(branch: Branch, at: float, confidence: float) -> Estimate:
    """dy/dx of one branch at ``at``; no value outside it, or where points beside ``at`` could not be used."""
    near = nearest(branch.x, at, NEIGHBOURS)
    x, y = branch.x[near], branch.y[near]
    if np.unique(x).size < 3 or not x.min() <= at <= x.max() or lost_beside(branch, at):
        return _NOTHING
    fit = fit_local(x, y, 2)
    half = math.nan
    if fit.freedom:
        half = float(student_quantile(0.5 + confidence / 2, fit.freedom)) * fit.stderr(at, 1)
    slope = fit.value(at, 1)
    return Estimate(slope, slope - half, slope + half)


def output_slope(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Slope of each output curve at ``at`` (V), and the gate voltage of the steepest, by state."""
    at, over, confidence = float(request["at"]), request["over"], request["confidence"]
    found = sweep_groups(run, request.get("of") or "sweep", request.get("per") or (), over)
    results: list[Result] = []
    for label in dict.fromkeys(one.group.label for one in found):
        part = [one for one in found if one.group.label == label]
        slopes = []
        for one in part:
            branches = [b for sweep in one.sweeps for b in sweep.branches]
            slopes.append(
                combined((slope_at(b, at, confidence) for b in branches), confidence) if branches else _NOTHING
            )
            make = Maker(run, one.group, len(branches), one.note)
            method = f"at {at:g} V, {METHOD if len(branches) < 2 else METHOD_REPEATS}"
            results.append(
                make("output_slope", slopes[-1], "S", method, at=one.at, at_unit=one.at_unit, confidence=confidence)
            )
        known = [(one.at, s) for one, s in zip(part, slopes, strict=True) if math.isfinite(s.value)]
        if len(known) > 1:
            make = Maker(run, part[0].group, len(known))
            place = steepest([x for x, _ in known], [s for _, s in known])
            top = max((s for _, s in known), key=lambda s: s.value)
            method = f"{over} of the largest slope at {at:g} V; ends: beside the values whose intervals reach it"
            results += [
                make("steepest_at", place, part[0].at_unit, method, confidence=confidence, left_out=0),
                make("output_slope_max", top, "S", f"at {at:g} V, {METHOD}", confidence=confidence, left_out=0),
            ]
    return results


def steepest(x: Sequence[float], slopes: Sequence[Estimate]) -> Estimate:
    """Abscissa of the largest slope; the interval ends at the neighbours of those that may be the largest."""
    order = sorted(range(len(x)), key=lambda i: x[i])
    place = np.array([x[i] for i in order])
    value, low, high = (np.array([getattr(slopes[i], name) for i in order]) for name in ("value", "low", "high"))
    best = int(np.argmax(value))
    floor = low[best] if math.isfinite(low[best]) else value[best]
    possible = np.flatnonzero(np.where(np.isfinite(high), high, value) >= floor)
    ends = (possible[0] - 1, possible[-1] + 1)
    return Estimate(
        float(place[best]),
        float(place[ends[0]]) if ends[0] >= 0 else -math.inf,
        float(place[ends[1]]) if ends[1] < place.size else math.inf,
    )
