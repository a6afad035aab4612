"""Offset of the meter and leakage of its switches (pitfall F25): the current where the device carries none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.curves import Maker
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import mean_and_deviation
from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError, Run, table
from labctl.analysis.transistor.base_current import current_rows, sample_mean
from labctl.analysis.transistor.repeats import METHOD_REPEATS, combined
from labctl.analysis.transistor.sweeps import conditions, sweep_groups

Floats = NDArray[np.float64]

_NOTHING = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Offset:
    """Currents ``amps`` (A) that are not the device's, read at ``times`` (s since the start of the run).

    Between its readings it drifts along straight lines, before the first and after the last it stays. ``error`` (A):
    half the widest interval of its readings, NaN if none has one. ``name``: that of the readings, '' of no offset.
    """

    times: Floats
    amps: Floats
    error: float
    name: str

    def at(self, times: Floats | float) -> Floats:
        """Offset (A) at times of the run."""
        return np.asarray(np.interp(times, self.times, self.amps))

    @property
    def mean(self) -> float:
        return float(self.amps.mean())

    @property
    def words(self) -> str:
        """What was subtracted."""
        if not self.name:
            return ""
        return f"less {self.name!r}, of {self.times.size} readings with straight lines between"


NO_OFFSET = Offset(np.zeros(1), np.zeros(1), 0.0, "")


def offset_of(run: Run, name: str | None, confidence: float) -> Offset:
    """The offset that readings tell; exactly none without a name.

    Raises ``AnalysisError`` if the run has no usable reading of the name.
    """
    if name is None:
        return NO_OFFSET
    rows = current_rows(run, name)
    rows = rows[rows["why"] == ""].sort_values("time")
    if rows.empty:
        raise AnalysisError(f"no usable reading of {name!r}", "all of them are flagged")
    halves = np.array([e.high - e.value for e in (sample_mean(row, confidence) for _, row in rows.iterrows())])
    error = float(np.nanmax(halves)) if np.isfinite(halves).any() else math.nan
    return Offset(rows["time"].to_numpy(np.float64), rows["value"].to_numpy(np.float64), error, name)


def widened(estimate: Estimate, offset: Offset) -> Estimate:
    """An estimate from which an offset was subtracted, with the offset's error added to its own."""
    if math.isnan(offset.error):
        return estimate
    low = estimate.value - math.hypot(estimate.value - estimate.low, offset.error)
    high = estimate.value + math.hypot(estimate.high - estimate.value, offset.error)
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
