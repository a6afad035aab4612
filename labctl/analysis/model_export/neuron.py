"""Neurons: spiking probability per state, the rule by which inputs change it, resistances, energies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from labctl.analysis import readings
from labctl.analysis.curves import Curve, curves
from labctl.analysis.estimate import Estimate
from labctl.analysis.model_export.plain import CONFIDENCE, number, plain
from labctl.analysis.requests import DEFAULTS
from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError, Run, device_name, requests_of, run_name, table, unit_of_variable
from labctl.analysis.shift import difference
from labctl.analysis.trials import level_scale

LEVEL = 0.1  #: of the threshold V10


def activations(run: Run) -> Iterator[dict[str, Any]]:
    """An entry for each state in which a run measured a probability curve of spikes."""
    for request in requests_of(run):
        if request.get("request") != "probability" or not request.get("over"):
            continue
        try:
            found = curves(run, {"per": ["state"], **request})
        except AnalysisError:  # a run that was stopped before it judged anything
            continue
        for curve in found:
            rows = curve.group.rows
            rising = bool(((rows["y"] == 1) & (rows["ratio"] > 1)).any())  # success of a reset, no spike
            if curve.at.size > 1 and curve.unit == "V" and not rising:
                yield _activation(run, curve, str(request["over"]))


def _activation(run: Run, curve: Curve, over: str) -> dict[str, Any]:
    fit = curve.fit(LEVEL, CONFIDENCE)
    stimulus = _stimulus(run, curve)
    known = math.isfinite(fit.v50.value) and math.isfinite(fit.slope.value)
    scale = level_scale(stimulus, over) if unit_of_variable(run, over) == "V/m" else None
    width = np.unique(stimulus["width"].to_numpy(np.float64)) if "width" in stimulus.columns else np.zeros(0)
    return {
        "device": device_name(run),
        "state": curve.label,
        "run": Path(run_name(run)).name,
        "V50": plain(fit.v50),
        "s": plain(fit.slope),
        "V10": plain(fit.thresholds[LEVEL]),
        "N": fit.n,
        "left_out": curve.group.left_out,
        "sign": fit.sign,
        "intercept": number(fit.intercept) if known else None,
        "steepness": number(fit.steepness) if known else None,
        "covariance": fit.covariance.tolist() if known and np.isfinite(fit.covariance).all() else None,
        "volts_per_field": scale,
        "width": float(width[0]) if width.size == 1 else None,
        "counts": {"voltage": curve.at.tolist(), "trials": curve.trials.tolist(), "spikes": curve.spikes.tolist()},
        "method": fit.method,
        "note": "; ".join(filter(None, (fit.reason, curve.group.note))),
    }


def _stimulus(run: Run, curve: Curve) -> Any:
    """Pulses that the curve's outcomes were judged after."""
    pulses = table(run, "pulse")
    pulses = pulses[~pulses["role"].fillna("").isin(("reset", "erase"))]
    place = np.searchsorted(pulses["event"].to_numpy(), curve.group.rows["event"].to_numpy()) - 1
    return pulses.iloc[np.unique(place[place >= 0])]


def rules(run: Run, activations: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Input -> state: pulses with the role 'set' that no outcome was judged from, between two measured states."""
    measured = {a["state"]: a for a in activations if a["run"] == Path(run_name(run)).name}
    pulses, spikes = table(run, "pulse"), table(run, "spike")
    if pulses.empty or spikes.empty:
        return
    judged = spikes[["event", "state"]]
    states = [s for s in dict.fromkeys(judged["state"]) if s in measured]
    for before, after in pairwise(states):
        start = int(judged.loc[judged["state"] == before, "event"].max())
        end = int(judged.loc[judged["state"] == after, "event"].min())
        between = pulses[(pulses["event"] > start) & (pulses["event"] < end) & (pulses["state"] != after)]
        between = between[between["role"].fillna("") == "set"]
        scale = measured[after]["volts_per_field"]
        for level, part in between.groupby("level", sort=False):
            change = _change(measured[before]["V10"], measured[after]["V10"])
            count = part["count"].to_numpy(np.float64) if "count" in part.columns else np.ones(len(part))
            yield {
                "device": device_name(run),
                "run": Path(run_name(run)).name,
                "from": before,
                "to": after,
                "level": float(str(level)),
                "field": float(str(level)) / scale if scale else None,
                "pulses": int(count.sum()),
                "width": float(part["width"].iloc[0]),
                "V10_shift": change,
                "established": change["low"] is not None
                and change["high"] is not None
                and not change["low"] <= 0 <= change["high"],
            }


def _change(before: dict[str, float | None], after: dict[str, float | None]) -> dict[str, float | None]:
    def estimate(entry: dict[str, float | None]) -> Estimate:
        value = math.nan if entry["value"] is None else entry["value"]
        low = -math.inf if entry["low"] is None else entry["low"]
        return Estimate(value, low, math.inf if entry["high"] is None else entry["high"])

    return plain(difference(estimate(before), estimate(after)))


def of_request(run: Run, name: str, key: str) -> Iterator[dict[str, Any]]:
    """Results of a reading's request: resistances always, energies where the protocol asks for them."""
    asked = [r for r in requests_of(run) if r.get("request") == name]
    if name == "resistance" and not table(run, "resistance").empty:
        asked = [{"request": name, "per": ["state"]}]
    handler = {"resistance": readings.resistance, "energy": readings.energy}[name]
    for request in asked:
        for result in handler(run, {**DEFAULTS, **request}):
            yield _entry(result, key)


def _entry(result: Result, key: str) -> dict[str, Any]:
    place = {"state": result.state} if key == "state" else {"at": number(result.at), "at_unit": result.at_unit}
    return {
        "device": result.device,
        "run": Path(result.run).name,
        "quantity": result.quantity,
        **place,
        "value": number(result.value),
        "low": number(result.low),
        "high": number(result.high),
        "unit": result.unit,
        "N": result.n,
        "method": result.method,
    }


def known_state(entry: dict[str, Any], states: set[str]) -> bool:
    """Whether a resistance belongs to a state with an activation, not to a conditioning in between."""
    return any(entry["state"] == state or entry["state"].startswith(f"{state}, ") for state in states)
