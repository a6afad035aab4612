"""Offset of the meter and leakage of its switches (pitfall F25): the current where the device carries none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labctl.analysis.curves import Maker
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import mean_and_deviation
from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError, Run, table
from labctl.analysis.transistor.base_current import current_rows, sample_mean
from labctl.analysis.transistor.repeats import METHOD_REPEATS, combined
from labctl.analysis.transistor.sweeps import conditions, sweep_groups

_NOTHING = Estimate(math.nan, math.nan, math.nan)


def offset_of(run: Run, name: str | None, confidence: float) -> Estimate:
    """The offset that a reading tells; exactly none without a name.

    Raises ``AnalysisError`` if the run has no usable reading of the name.
    """
    if name is None:
        return Estimate(0.0, 0.0, 0.0)
    rows = current_rows(run, name)
    used = [sample_mean(row, confidence) for _, row in rows[rows["why"] == ""].iterrows()]
    if not used:
        raise AnalysisError(f"no usable reading of {name!r}", "all of them are flagged")
    return combined(used, confidence)


def widened(estimate: Estimate, offset: Estimate) -> Estimate:
    """An estimate from which an offset was subtracted, with the offset's error added to its own."""
    if math.isnan(offset.low):
        return estimate
    low = estimate.value - math.hypot(estimate.value - estimate.low, offset.high - offset.value)
    high = estimate.value + math.hypot(estimate.high - estimate.value, offset.value - offset.low)
    return Estimate(estimate.value, low, high)


def offset(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Current where the device is off: a reading taken there, or a curve from ``beyond`` (V) on."""
    name, confidence, per = request["of"], request["confidence"], request.get("per") or ()
    if name in set(table(run, "sweep")["name"]):
        return _offset_of_curve(run, name, float(request.get("beyond", 12.0)), confidence, per)
    results = []
    for group, _ in conditions(run, current_rows(run, name), per):
        used = [sample_mean(row, confidence) for _, row in group.used.iterrows()]
        estimate = combined(used, confidence) if used else _NOTHING
        method = "mean of the samples, Student interval" if len(used) == 1 else "mean of the readings, Student interval"
        samples = int(group.used["samples"].sum()) if used else 0
        results.append(Maker(run, group, samples)("offset_current", estimate, "A", method, confidence=confidence))
    return results


def _offset_of_curve(run: Run, name: str, beyond: float, confidence: float, per: Sequence[str]) -> list[Result]:
    results = []
    for found in sweep_groups(run, name, per):
        ends = [
            np.concatenate([b.y[b.x >= beyond] if beyond >= 0 else b.y[b.x <= beyond] for b in sweep.branches])
            for sweep in found.sweeps
            if sweep.branches
        ]
        parts = [mean_and_deviation(end, confidence)[0] for end in ends if end.size]
        estimate = combined(parts, confidence) if parts else _NOTHING
        method = f"mean of the curve from {beyond:g} V on, Student interval" if len(parts) < 2 else METHOD_REPEATS
        make = Maker(run, found.group, sum(end.size for end in ends), found.note)
        results.append(make("offset_current", estimate, "A", method, confidence=confidence))
    return results
