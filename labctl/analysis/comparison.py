"""Quantities across repeats and along loop variables: mean and spread, change per decade."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.analysis.curves import Curve, Maker, curves
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import mean_and_deviation, normal_quantile, wilson
from labctl.analysis.readings import by_outcome, per_switching
from labctl.analysis.results import Result
from labctl.analysis.runs import Run
from labctl.analysis.trials import Group
from labctl.numerics import summarise

if TYPE_CHECKING:
    import pandas as pd

METHOD_SHARE = "Wilson score interval"
METHOD_SD = "standard deviation between repeats, counting noise included, chi-square interval"


@dataclass(frozen=True, slots=True)
class _Member:
    """The quantity in one repeat: ``keys`` without the repeat, and where on the abscissa (NaN: nowhere).

    ``value`` of a probability is ``hits`` / ``trials``.
    """

    value: float
    keys: tuple[tuple[str, str | float], ...]
    rows: pd.DataFrame
    unit: str
    at: float = math.nan
    at_unit: str = ""
    hits: float = 0.0
    trials: float = 0.0


def spread(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Mean and standard deviation of a quantity across a repeat or loop variable of one run."""
    across = request.get("across")
    per = [name for name in request.get("per") or () if name != across]
    quantity = request["quantity"]
    found: dict[tuple[str, str], list[_Member]] = {}
    for member in _members(run, request, [*per, *([across] if across else [])]):
        if across and dict(member.keys).get(across) != dict(member.keys).get(across):
            continue  # NaN: outside the repeat
        keys = tuple(pair for pair in member.keys if pair[0] != across)
        rest = replace(member, keys=keys)
        found.setdefault((Group(keys, member.rows).label, f"{member.at:.9g}"), []).append(rest)
    results = []
    for members in found.values():
        first = members[0]
        note = "" if across else "one run: spread needs several"
        make = Maker(run, Group(first.keys, first.rows), len(members), note)
        mean, deviation = mean_and_deviation([member.value for member in members], request["confidence"])
        method = f"mean over {across or 'runs'}, Student interval"
        if quantity == "probability":
            mean, method = _pooled(members, request["confidence"]), f"share over {across or 'runs'}, {METHOD_SHARE}"
        if deviation.value == 0:
            deviation = Estimate(0.0, math.nan, math.nan)
        common: dict[str, Any] = {
            "confidence": request["confidence"],
            "left_out": sum(Group((), member.rows).left_out for member in members),
            "at": first.at,
            "at_unit": first.at_unit,
        }
        results += [
            make(f"{quantity}_mean", mean, first.unit, method, **common),
            make(f"{quantity}_sd", deviation, first.unit, METHOD_SD, **common),
        ]
    return results


def _pooled(members: list[_Member], confidence: float) -> Estimate:
    hits, trials = sum(m.hits for m in members), sum(m.trials for m in members)
    ends = wilson(hits, trials, confidence)
    return Estimate(hits / trials, float(ends.low), float(ends.high))


def _members(run: Run, request: Mapping[str, Any], per: list[str]) -> Iterator[_Member]:
    quantity = request["quantity"]
    if quantity == "resistance":
        for group, outcome in by_outcome(run, request["of"], per):
            keys = (*group.keys, ("outcome", outcome))
            yield _Member(summarise(per_switching(run, group.used)["value"]).mean, keys, group.rows, "ohm")
        return
    for curve in curves(run, {**request, "per": per}):
        if quantity == "probability":
            for at, k, n in zip(curve.at, curve.spikes, curve.trials, strict=True):
                yield _Member(float(k / n), curve.group.keys, curve.group.rows, "", float(at), curve.unit, k, n)
        else:
            level = 0.5 if quantity == "V50" else request["level"]
            value = curve.fit(level, request["confidence"]).thresholds[level].value
            yield _Member(value, curve.group.keys, curve.group.rows, curve.unit)


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
        line = straight_line(usable, confidence)
        slope = Estimate(math.nan, -math.inf, math.inf) if line is None else line.slope
        results.append(make("V50_per_decade", slope, first.unit, method, confidence=confidence))
    return results


@dataclass(frozen=True, slots=True)
class Line:
    """A weighted straight line through ``(x, y)`` with this slope."""

    slope: Estimate
    x: float
    y: float

    def at(self, x: Any) -> Any:
        return self.y + self.slope.value * (x - self.x)


def straight_line(points: list[tuple[float, Estimate]], confidence: float) -> Line | None:
    """Line against log10 x with known errors; these grow by the scatter where it is larger than they explain.

    None for fewer than two places.
    """
    if len({x for x, _ in points}) < 2:
        return None
    z = normal_quantile(0.5 + confidence / 2)
    x = np.log10([x for x, _ in points])
    y = np.array([v.value for _, v in points])
    w = np.array([(2 * z / (v.high - v.low)) ** 2 for _, v in points])
    middle, level = float((w @ x) / w.sum()), float((w @ y) / w.sum())
    centred = x - middle
    slope = float((w * centred) @ y / ((w * centred) @ centred))
    rest = y - level - slope * centred
    scatter = float(w @ rest**2) / (len(points) - 2) if len(points) > 2 else 1.0
    half = z * float(max(scatter, 1.0) / ((w * centred) @ centred)) ** 0.5
    return Line(Estimate(slope, slope - half, slope + half), middle, level)
