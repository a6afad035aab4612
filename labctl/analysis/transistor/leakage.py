"""Gate leakage, from the gate's own current in sweeps and during biases (reference sec. 1.5, A17)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from labctl.analysis.curves import Maker
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import mean_and_deviation, student_quantile
from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError, Run, table
from labctl.analysis.transistor.repeats import combined
from labctl.analysis.transistor.sweeps import SweepGroup, conditions, sweep_groups, traces_of
from labctl.analysis.transistor.tops import largest
from labctl.analysis.trials import Group, reasons
from labctl.numerics import fit_resistance

_NOTHING = Estimate(math.nan, math.nan, math.nan)


def leakage(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Largest leakage and resistance of each measured sweep, and the settled current of each bias."""
    terminal, confidence = str(request.get("terminal") or "gate"), request["confidence"]
    per = request.get("per") or ()
    sweeps = table(run, "sweep")
    measured = list(map(str, sweeps[sweeps["measured"] == terminal]["name"].unique())) if len(sweeps) else []
    names = [name for name in measured if name in (request.get("of") or measured)]
    results = []
    for name in names:
        for found in sweep_groups(run, name, per, measured=terminal):
            results += _of_sweeps(run, found, name, terminal, confidence)
    results += _of_biases(run, terminal, confidence, per)
    if not results:
        raise AnalysisError(
            f"the current of {terminal!r} was not measured", f"sweep with 'measure: [drain, {terminal}]'"
        )
    return results


def _of_sweeps(run: Run, found: SweepGroup, name: str, terminal: str, confidence: float) -> list[Result]:
    branches = [b for sweep in found.sweeps for b in sweep.branches if b.y.size]
    label = Group((("state", ", ".join(filter(None, (found.group.label, name)))),), found.group.rows)
    make = Maker(run, label, sum(b.y.size for b in branches), found.note)
    method = "largest magnitude; interval for the noise of all samples at once"
    top = largest(found.sweeps, confidence)
    results = [make(f"{terminal}_leakage", top, "A", method, confidence=confidence)]
    if branches:
        fit = fit_resistance(np.concatenate([b.x for b in branches]), np.concatenate([b.y for b in branches]))
        half = fit.conductance_stderr * float(student_quantile(0.5 + confidence / 2, fit.points - 2))
        steep, flat = fit.conductance + half, fit.conductance - half
        ends = (1 / steep if steep > 0 else -math.inf, 1 / flat if flat > 0 else math.inf)
        method = "straight line through current against voltage, Student interval of its slope"
        results.append(
            make(f"{terminal}_resistance", Estimate(fit.resistance, *ends), "ohm", method, confidence=confidence)
        )
    return results


def _of_biases(run: Run, terminal: str, confidence: float, per: Any) -> list[Result]:
    """Mean of the second half of each record, when charging is over; biases of one level and condition together."""
    rows = table(run, "bias")
    rows = rows[rows["terminal"] == terminal].copy() if len(rows) else rows
    if rows.empty:
        return []
    rows["why"] = reasons(rows["flags"].to_numpy(np.int64) & 16)  # points in compliance are left out one by one
    traces, results = traces_of(run), []
    for group, _ in conditions(run, rows, per):
        for _, part in group.rows.groupby("level", sort=False):
            one = Group((("state", ", ".join(filter(None, (group.label, "bias")))),), part)
            settled = [
                mean_and_deviation(_second_half(traces[int(number)]), confidence)[0]
                for number in one.used["trace"]
                if int(number) in traces
            ]
            make = Maker(run, one, len(settled))
            how = "mean of the second half of the record, Student interval"
            method = (
                how if len(settled) < 2 else "mean over biases of the second half of their records, Student interval"
            )
            estimate = combined(settled, confidence) if settled else _NOTHING
            results.append(
                make(
                    f"{terminal}_leakage",
                    estimate,
                    "A",
                    method,
                    at=float(part["level"].iloc[0]),
                    at_unit="V",
                    confidence=confidence,
                )
            )
    return results


def _second_half(trace: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Samples of the second half of a record that no limit or range spoiled."""
    time, current = (np.asarray(trace[key], np.float64) for key in ("time", "current"))
    status = np.broadcast_to(np.asarray(trace.get("status", 0), np.int64), time.shape)
    late = time >= (time.min() + time.max()) / 2 if time.size else np.zeros(0, bool)
    return np.asarray(current[late & (status & 3 == 0) & (np.abs(current) < 1e30)])
