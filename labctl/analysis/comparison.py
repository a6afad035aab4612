"""Quantities across repeats and along loop variables: mean and spread, change per decade."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from labctl.analysis.curves import Curve, Maker, curves
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import mean_and_deviation, normal_quantile
from labctl.analysis.readings import readings
from labctl.analysis.results import Result
from labctl.analysis.runs import Run
from labctl.analysis.trials import Group, groups
from labctl.numerics import summarise

METHOD_SD = "standard deviation between repeats, counting noise included, chi-square interval"


def spread(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Mean and standard deviation of a quantity across a repeat or loop variable of one run."""
    across = request.get("across")
    per = [name for name in request.get("per") or () if name != across]
    quantity = request["quantity"]
    found: dict[str, list[tuple[float, Group, str]]] = {}
    for value, group, unit in _values(run, request, [*per, *([across] if across else [])]):
        rest = Group(tuple(pair for pair in group.keys if pair[0] != across), group.rows)
        found.setdefault(rest.label, []).append((value, rest, unit))
    results = []
    for members in found.values():
        make = Maker(run, members[0][1], len(members), "" if across else "one run: spread needs several")
        unit = members[0][2]
        mean, deviation = mean_and_deviation([value for value, _, _ in members], request["confidence"])
        common = {"confidence": request["confidence"], "left_out": sum(group.left_out for _, group, _ in members)}
        method = f"mean over {across or 'runs'}, Student interval"
        results += [
            make(f"{quantity}_mean", mean, unit, method, **common),
            make(f"{quantity}_sd", deviation, unit, METHOD_SD, **common),
        ]
    return results


def _values(run: Run, request: Mapping[str, Any], per: list[str]) -> list[tuple[float, Group, str]]:
    """(value, group, unit) of the quantity for each group."""
    quantity = request["quantity"]
    if quantity == "resistance":
        rows = readings(run, request["of"])
        return [(summarise(g.used["value"]).mean, g, "ohm") for g in groups(rows, per)]
    found = curves(run, {**request, "per": per})
    if quantity == "probability":
        shares = [c.spikes.sum() / c.trials.sum() if c.trials.sum() else math.nan for c in found]
        return [(float(share), c.group, "") for share, c in zip(shares, found, strict=True)]
    level = 0.5 if quantity == "V50" else request["level"]
    return [(c.fit(level, request["confidence"]).thresholds[level].value, c.group, c.unit) for c in found]


def per_decade(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Change of V50 per decade of a loop variable: straight line through the fits, weighted by their intervals."""
    variable, confidence = request["variable"], request["confidence"]
    per = [name for name in request.get("per") or () if name != variable]
    found: dict[str, list[tuple[float, Estimate, Curve]]] = {}
    for curve in curves(run, {**request, "per": [*per, variable]}):
        place = float(dict(curve.group.keys)[variable])
        rest = Group(tuple(pair for pair in curve.group.keys if pair[0] != variable), curve.group.rows)
        found.setdefault(rest.label, []).append((place, curve.fit(0.5, confidence).v50, curve))
    results = []
    for members in found.values():
        usable = [(x, v) for x, v, _ in members if x > 0 and all(map(math.isfinite, (v.value, v.low, v.high)))]
        first = members[0][2]
        keys = tuple(pair for pair in first.group.keys if pair[0] != variable)
        note = f"{len(members) - len(usable)} of {len(members)} curves without a bounded V50 left out"
        make = Maker(run, Group(keys, first.group.rows), len(usable), note if len(usable) < len(members) else "")
        method = f"weighted straight line of V50 against log10 {variable}"
        results.append(make("V50_per_decade", _line(usable, confidence), first.unit, method, confidence=confidence))
    return results


def _line(points: list[tuple[float, Estimate]], confidence: float) -> Estimate:
    """Slope against log10 x with known errors; these grow by the scatter where it is larger than they explain."""
    if len({x for x, _ in points}) < 2:
        return Estimate(math.nan, -math.inf, math.inf)
    z = normal_quantile(0.5 + confidence / 2)
    x = np.log10([x for x, _ in points])
    y = np.array([v.value for _, v in points])
    w = np.array([(2 * z / (v.high - v.low)) ** 2 for _, v in points])
    centred = x - (w @ x) / w.sum()
    slope = float((w * centred) @ y / ((w * centred) @ centred))
    rest = y - (w @ y) / w.sum() - slope * centred
    scatter = float(w @ rest**2) / (len(points) - 2) if len(points) > 2 else 1.0
    half = z * float(max(scatter, 1.0) / ((w * centred) @ centred)) ** 0.5
    return Estimate(slope, slope - half, slope + half)
