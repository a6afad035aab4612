"""Transistors: transfer bells per state, output slopes, responses to trains, and what pulses and biases change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import student_quantile
from labctl.analysis.model_export.plain import CONFIDENCE, number, numbers, plain
from labctl.analysis.requests import DEFAULTS
from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError, Run, device_name, requests_of, run_name, table
from labctl.analysis.transistor.base_current import current_rows, delta_base_current
from labctl.analysis.transistor.bells import Bell, fit_bell
from labctl.analysis.transistor.crossings import crossing_of, null_time
from labctl.analysis.transistor.offsets import Offset, offset_of, widened
from labctl.analysis.transistor.repeats import combined
from labctl.analysis.transistor.retention import decay_of
from labctl.analysis.transistor.series import series_of
from labctl.analysis.transistor.slopes import output_slope
from labctl.analysis.transistor.sweeps import Branch, SweepGroup, conditions, sweep_groups
from labctl.analysis.transistor.tops import find_top, off_current
from labctl.analysis.transistor.trains import respond
from labctl.analysis.trials import Group
from labctl.numerics import noise_near
from labctl.protocol.units import parse

Floats = NDArray[np.float64]
Entry = dict[str, Any]

PARTS = ("transfers", "outputs", "responses", "pulses", "conditioning", "null_times", "retention")
_OF_SWEEPS = ("peak", "crossing", "bell", "map", "null_time")  #: requests that name transfer curves
_NOTHING = Estimate(float("nan"), float("nan"), float("nan"))


def measured(run: Run) -> dict[str, list[Entry]]:
    """Everything of a transistor that a run measured, by part of the file; a part that it has not is empty."""
    found: dict[str, list[Entry]] = {name: [] for name in PARTS}
    for group, offset in _transfer_groups(run):
        found["transfers"] += [_transfer(run, group, name, offset) for name in group.names]
        if "backward" in group.names:
            found["conditioning"].append(_conditioned(run, group, offset))
    parts = {
        "output_slope": ("outputs", _outputs),
        "train_response": ("responses", _responses),
        "delta_base_current": ("pulses", _pulse_changes),
        "null_time": ("null_times", _null_times),
        "retention": ("retention", _retention),
    }
    for asked in requests_of(run):
        part, entries = parts.get(str(asked.get("request")), ("", None))
        if entries is not None:
            request = {**DEFAULTS, **{k: v for k, v in asked.items() if v is not None}, "confidence": CONFIDENCE}
            try:
                found[part] += entries(run, request)
            except AnalysisError:  # a run that was stopped before it measured this
                continue
    return found


def _transfer_groups(run: Run) -> Iterator[tuple[SweepGroup, Offset]]:
    """Sweeps of the gate read at the drain, with what was subtracted: those that the protocol asks about, else all."""
    sweeps = table(run, "sweep")
    if sweeps.empty:
        return
    rows = sweeps[(sweeps["terminal"] == "gate") & (sweeps["measured"] == "drain")]
    asked = [r for r in requests_of(run) if r.get("request") in _OF_SWEEPS]
    names = [str(n) for n in dict.fromkeys(rows["name"])]
    wanted = [n for n in names if n in {str(r.get("of") or "sweep") for r in asked}] or names
    for name in wanted:
        told = next((r.get("offset") for r in asked if r.get("of") == name and r.get("offset")), None)
        offset = offset_of(run, None if told is None else str(told), CONFIDENCE)
        for group in sweep_groups(run, name, ("state",), measured="drain", offset=offset):
            yield group, offset


def _common(run: Run, group: Group) -> Entry:
    """What all entries share: device, run, state, loop variables, the latest bias of the gate before."""
    keys = dict(group.keys)
    return {
        "device": device_name(run),
        "run": Path(run_name(run)).name,
        "state": str(keys.pop("state", "")),
        "conditions": {name.removeprefix("loop_"): value for name, value in keys.items() if value == value},
        "conditioning": _bias_before(run, int(group.rows["event"].min())),
    }


def _bias_before(run: Run, event: int) -> dict[str, float] | None:
    biases = table(run, "bias")
    if biases.empty:
        return None
    earlier = biases[(biases["terminal"] == "gate") & (biases["event"] < event)]
    if earlier.empty:
        return None
    last = earlier.iloc[-1]
    return {"level": float(last["level"]), "time": float(f"{last['stop'] - last['start']:.6g}")}


def _transfer(run: Run, found: SweepGroup, name: str, offset: Offset) -> Entry:
    branches = found.branches(name)
    places, measured_points = _points(branches)
    points = [widened(point, offset) for point in measured_points]
    tops = [find_top(branch, CONFIDENCE, offset) for branch in branches]
    bells = [fit_bell(branch, CONFIDENCE) for branch in branches]
    notes = [found.note, offset.words, *(top.note for top in tops), *(bell.reason for bell in bells)]
    return {
        **_common(run, found.group),
        "name": str(found.group.rows["name"].iloc[0]),
        "branch": name,
        "drain_voltage": _drain_voltage(found.group.rows),
        "voltage": numbers(places),
        "current": numbers(p.value for p in points),
        "low": numbers(p.low for p in points),
        "high": numbers(p.high for p in points),
        "peak_voltage": plain(combined((top.voltage for top in tops), CONFIDENCE)),
        "peak_current": plain(combined((top.current for top in tops), CONFIDENCE)),
        "off_current": plain(widened(combined((off_current(b, CONFIDENCE) for b in branches), CONFIDENCE), offset)),
        "bell": _bell(bells),
        "N": len(branches),
        "left_out": found.group.left_out,
        "note": "; ".join(dict.fromkeys(filter(None, notes))),
    }


def _points(branches: list[Branch]) -> tuple[Floats, list[Estimate]]:
    """Gate voltages that all repeats share, ascending, and the current at each.

    One curve: Student's interval from the residuals of a cubic through its neighbours. Several: of their mean.
    """
    shared = branches[0].x
    for branch in branches[1:]:
        shared = np.intersect1d(shared, branch.x)
    places = np.unique(shared)
    if len(branches) > 1:
        values = [[float(b.y[b.x == x].mean()) for b in branches] for x in places]
        return places, [combined((Estimate(v, v, v) for v in row), CONFIDENCE) for row in values]
    (branch,) = branches
    points = []
    for x in places:
        noise, freedom = noise_near(branch.x, branch.y, float(x))
        value = float(branch.y[branch.x == x].mean())
        half = float(student_quantile(0.5 + CONFIDENCE / 2, freedom)) * noise
        points.append(Estimate(value, value - half, value + half))
    return places, points


def _bell(bells: list[Bell]) -> Entry:
    parts = {"centre": "centre", "sigma": "width", "height": "height", "floor": "floor"}
    found: Entry = {
        key: plain(combined((getattr(bell, name) for bell in bells), CONFIDENCE)) for key, name in parts.items()
    }
    return {**found, "misfit": number(float(np.mean([bell.misfit for bell in bells])))}


def _drain_voltage(rows: pd.DataFrame) -> float | None:
    """From the text of the biases of a sweep, ``drain=2 V``; None where it changed or is not told."""
    told = {str(text) for text in rows["bias"]} if "bias" in rows.columns else set()
    if len(told) != 1:
        return None
    biases = dict(part.split("=", 1) for part in told.pop().split(", ") if "=" in part)
    return parse(biases["drain"])[0] if "drain" in biases else None


def _conditioned(run: Run, found: SweepGroup, offset: Offset) -> Entry:
    both = crossing_of(found, 0.0, CONFIDENCE)
    return {
        **_common(run, found.group),
        "forward": plain(widened(both.forward, offset)),
        "backward": plain(widened(both.backward, offset)),
        "dI0": plain(both.change),
        "N": len(found.sweeps),
        "note": both.note,
    }


def _outputs(run: Run, request: Mapping[str, Any]) -> Iterator[Entry]:
    """Slopes of output curves against the gate voltage, one entry per state."""
    results = output_slope(run, request)
    for state in dict.fromkeys(r.state for r in results):
        slopes = [r for r in results if r.state == state and r.quantity == "output_slope"]
        steepest = [r for r in results if r.state == state and r.quantity == "steepest_at"]
        yield {
            "device": device_name(run),
            "run": Path(run_name(run)).name,
            "state": state,
            "drain_voltage": float(request["at"]),
            "gate_voltage": numbers(r.at for r in slopes),
            "slope": numbers(r.value for r in slopes),
            "low": numbers(r.low for r in slopes),
            "high": numbers(r.high for r in slopes),
            "steepest_at": plain(_estimate(steepest[0]) if steepest else _NOTHING),
            "method": slopes[0].method if slopes else "",
        }


def _estimate(result: Result) -> Estimate:
    return Estimate(result.value, result.low, result.high)


def _responses(run: Run, request: Mapping[str, Any]) -> Iterator[Entry]:
    for series in series_of(run, request["of"], request.get("per") or (), request.get("over")):
        found = respond(series, CONFIDENCE)
        half = float(student_quantile(0.5 + CONFIDENCE / 2, max(series.freedom, 1))) * series.sigma
        yield {
            **_common(run, series.group),
            "pulse": _pulse_of(run, series.group),
            "unit": series.unit,
            "x": numbers(series.x),
            "current": numbers(series.y),
            "low": numbers(series.y - half),
            "high": numbers(series.y + half),
            "shape": found.words,
            "maximum": plain(found.maximum),
            "maximum_at": plain(found.place),
            "end_over_maximum": plain(found.end_over_maximum),
            "N": series.repeats,
            "note": series.group.note,
        }


def _pulse_of(run: Run, group: Group) -> dict[str, float | None]:
    """Level, width and period of the gate pulses before the readings, null where they were not all alike."""
    pulses = table(run, "pulse")
    pulses = pulses[pulses["terminal"] == "gate"]
    place = np.searchsorted(pulses["event"].to_numpy(), group.rows["event"].to_numpy()) - 1
    before = pulses.iloc[np.unique(place[place >= 0])]
    period = before["period"].where(before["count"] > 1)
    return {"level": _only(before["level"]), "width": _only(before["width"]), "period": _only(period)}


def _only(values: pd.Series[Any]) -> float | None:
    different = values.dropna().unique()
    return float(different[0]) if different.size == 1 else None


def _pulse_changes(run: Run, request: Mapping[str, Any]) -> Iterator[Entry]:
    results = {result.state: result for result in delta_base_current(run, request)}
    before, after = (current_rows(run, request[key]) for key in ("before", "after"))
    for group, _ in conditions(run, before, request.get("per") or ()):
        result = results.get(group.label)
        later = after[after["event"] > group.rows["event"].min()]
        if result is None or later.empty:
            continue
        pulses = table(run, "pulse")
        inside = pulses["event"].between(group.rows["event"].min(), later["event"].min())
        between = pulses[inside & (pulses["terminal"] == "gate")]
        yield {
            **_common(run, group),
            "pulse": {
                "level": _only(between["level"]),
                "width": _only(between["width"]),
                "count": number(float(between["count"].sum())),
            },
            "change": plain(_estimate(result)),
            "N": result.n,
            "method": result.method,
            "note": result.note,
        }


def _null_times(run: Run, request: Mapping[str, Any]) -> Iterator[Entry]:
    for result in null_time(run, request):
        yield {
            "device": result.device,
            "run": Path(result.run).name,
            "state": result.state,
            "time": plain(_estimate(result)),
            "unit": result.unit,
            "method": result.method,
            "note": result.note,
        }


def _retention(run: Run, request: Mapping[str, Any]) -> Iterator[Entry]:
    offset = offset_of(run, request.get("offset"), CONFIDENCE)
    for series in series_of(run, request["of"], request.get("per") or (), offset=offset):
        _, _, decay = decay_of(run, series, request.get("reference"), CONFIDENCE, offset)
        if decay is not None:
            yield {
                **_common(run, series.group),
                "of": request["of"],
                "less": request.get("reference"),
                "rate": plain(decay.rate),
                "start": number(decay.start),
                "span": decay.span,
                "left": plain(decay.retained),
                "N": int(series.y.size),
            }
