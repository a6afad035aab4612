"""Resistances of a run: means with intervals, ratios, contact, polarity, bounds on energy, reliable levels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.curves import Maker
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import clopper_pearson, mean_and_deviation, student_quantile, wilson
from labctl.analysis.psychometric import merge_counts
from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError, Run, table, unit_of_variable
from labctl.analysis.shift import difference, ratio
from labctl.analysis.trials import Group, groups, trials, why_not

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

METHOD_MEAN = "mean of straight-line fits on measured voltage, Student interval"
METHOD_DEVIATION = "standard deviation of the readings, chi-square interval"
METHOD_ONE = "straight-line fit on measured voltage, Student interval of its slope"
PER_SWITCHING = "; readings between two switchings averaged first"


def readings(run: Run, name: str, kind: str = "resistance") -> pd.DataFrame:
    """Rows of one reading with a column ``why``: empty, or why the row cannot be used.

    Raises ``AnalysisError`` if the run has no such reading.
    """
    everything = table(run, kind)
    rows = everything[everything["name"] == name].copy()
    if rows.empty:
        names = ", ".join(sorted(map(str, everything["name"].unique()))) or "none"
        raise AnalysisError(f"the run has no {kind} reading {name!r}", f"readings in it: {names}")
    why = why_not(rows)
    why[(why == "") & ~np.isfinite(rows["value"].to_numpy(np.float64))] = "value undefined"
    rows["why"] = why
    return rows


def mean_estimate(rows: pd.DataFrame, confidence: float) -> Estimate:
    """Mean of several readings with Student's interval; of one reading, the interval of its own fit.

    One reading: through the slope 1/R, whose error is symmetric, so that an open device has an open upper end.
    """
    values = rows["value"].to_numpy(np.float64)
    if values.size != 1:
        return mean_and_deviation(values, confidence)[0]
    value = float(values[0])
    if "stderr" not in rows.columns or "points" not in rows.columns:
        return Estimate(value, math.nan, math.nan)
    error = float(rows["stderr"].iloc[0]) / value**2
    half = error * float(student_quantile(0.5 + confidence / 2, float(rows["points"].iloc[0]) - 2))
    steep, flat = 1 / value + half, 1 / value - half
    return Estimate(value, 1 / steep if steep > 0 else -math.inf, 1 / flat if flat > 0 else math.inf)


def per_switching(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """One row for all readings between two switchings: a device that did not switch is read at one resistance.

    Only a switching draws a new one, so that repeated readings are no independent sample. Unchanged where no outcome
    was judged.
    """
    judged = table(run, "spike")
    if judged.empty or rows.empty:
        return rows
    source = table(run, "resistance")["event"].to_numpy()
    place = np.searchsorted(source, judged["event"][judged["value"] == 1].to_numpy()) - 1
    number = np.searchsorted(np.unique(source[place[place >= 0]]), rows["event"].to_numpy(), side="right")
    return rows.groupby(number, sort=False).agg({"value": "mean"}) if np.unique(number).size > 1 else rows


def resistance(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Mean resistance by reading and group; readings after a pulse apart by outcome, as they come from two states."""
    names = request.get("of") or sorted(map(str, table(run, "resistance")["name"].unique()))
    results = []
    for name in names:
        for group, outcome in by_outcome(run, name, request.get("per") or ()):
            label = ", ".join(filter(None, [group.label, name if len(names) > 1 else "", outcome]))
            results += _mean_results(run, Group((("state", label),), group.rows), request["confidence"])
    return results


def by_outcome(run: Run, name: str, per: Sequence[str]) -> Iterator[tuple[Group, str]]:
    """Readings by group, those after a pulse apart by what was judged from them: 'spiking', 'non-spiking' or ''."""
    for group in groups(_with_outcome(run, readings(run, name)), per):
        for outcome, part in group.rows.groupby("outcome", sort=True):
            yield Group(group.keys, part), str(outcome)


def _mean_results(run: Run, group: Group, confidence: float) -> list[Result]:
    used = per_switching(run, group.used)
    make = Maker(run, group, len(used))
    if len(used) < 2:
        return [make("resistance", mean_estimate(used, confidence), "ohm", METHOD_ONE, confidence=confidence)]
    mean, deviation = mean_and_deviation(used["value"], confidence)
    averaged = PER_SWITCHING if len(used) < len(group.used) else ""
    return [
        make("resistance", mean, "ohm", METHOD_MEAN + averaged, confidence=confidence),
        make("resistance_sd", deviation, "ohm", METHOD_DEVIATION + averaged, confidence=confidence),
    ]


def _with_outcome(run: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """Column ``outcome``: 'spiking' or 'non-spiking' where an outcome was judged from the reading, else empty.

    A judgement keeps the resistance it was made from; the latest reading with that value is the one.
    """
    rows = rows.assign(outcome="")
    judged = table(run, "spike")
    if judged.empty or "resistance" not in judged.columns:
        return rows
    place = np.searchsorted(rows["event"].to_numpy(), judged["event"].to_numpy()) - 1
    same = (place >= 0) & (rows["value"].to_numpy()[place] == judged["resistance"].to_numpy())
    yes = judged["value"].to_numpy(np.int64) == 1
    rising = bool(np.any(yes & same & (judged["ratio"].to_numpy(np.float64) > 1)))  # success of a reset
    words = np.where(yes[same] != rising, "spiking", "non-spiking")
    outcome = rows["outcome"].to_numpy(object).copy()
    outcome[place[same]] = words
    return rows.assign(outcome=outcome)


def window(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Ratio of two readings by group and abscissa; with ``split``, of silent to spiking rows of the readings."""
    of, to = readings(run, request["of"]), readings(run, request["to"])
    if request.get("split"):
        of, to = _judged(run, of, request["split"], 0), _judged(run, to, request["split"], 1)
    per = [*(request.get("per") or ()), *([request["over"]] if request.get("over") else [])]
    below = {group.label: group for group in groups(to, per)}
    results = []
    for above in groups(of, per):
        if (under := below.get(above.label)) is None:
            continue
        samples = [per_switching(run, g.used) for g in (under, above)]
        one, other = (mean_estimate(sample, request["confidence"]) for sample in samples)
        at = float(dict(above.keys).get(request.get("over") or "", math.nan))
        keys = tuple(pair for pair in above.keys if pair[0] != request.get("over"))
        make = Maker(run, Group(keys, above.rows), sum(map(len, samples)), under.note)
        method = "ratio of mean resistances, interval from theirs (MOVER on logarithms)"
        method += PER_SWITCHING if sum(map(len, samples)) < len(above.used) + len(under.used) else ""
        unit = unit_of_variable(run, request["over"]) if request.get("over") else None
        where: dict[str, Any] = {"at": at, "at_unit": unit or ""}
        results.append(make("ratio", ratio(one, other), "", method, confidence=request["confidence"], **where))
    return results


def _judged(run: Run, rows: pd.DataFrame, outcome: str, value: int) -> pd.DataFrame:
    """Readings from which ``outcome`` was judged to be ``value``."""
    judged = table(run, "spike")
    judged = judged[judged["name"] == outcome]
    place = np.searchsorted(rows["event"].to_numpy(), judged["event"].to_numpy()) - 1
    chosen = place[(place >= 0) & (judged["value"].to_numpy() == value)]
    return rows.iloc[np.unique(chosen)]


def contact(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Open, short or contacted, from all readings: one in compliance still tells a short, and the note says so."""
    results = []
    for name in request["of"]:
        rows = readings(run, name)
        flagged = sorted({why for why in rows["why"] if why})
        known = rows[rows["why"] != "value undefined"]
        found = mean_estimate(known[np.isfinite(known["value"])], request["confidence"])
        verdict = _contact(found.value, flagged, request)
        note = "; ".join([verdict, *(f"flagged: {why}" for why in flagged)])
        make = Maker(run, Group((("state", name),), rows), len(known))
        limits = f"open above {request['open_above']:.3g} ohm, short below {request['short_below']:.3g} ohm"
        method = f"{METHOD_MEAN}; {limits}"
        results.append(make("contact", found, "ohm", method, note, confidence=request["confidence"]))
    return results


def _contact(value: float, flagged: list[str], request: Mapping[str, Any]) -> str:
    if not math.isfinite(value):
        return "short: the current limit was reached" if "compliance" in flagged else "no reading"
    if value < 0 or value > request["open_above"]:  # a negative slope within its error is as open as can be told
        return "open"
    return "short" if value < request["short_below"] else "contacted"


def polarity(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Spiking after positive minus after negative pulses: positive if the leads are the right way round."""
    parts, n, both = [], 0, None
    for name in (request["forward"], request["reverse"]):
        group = Group((("state", ""),), trials(run, name))
        k, events = int(group.used["y"].sum()), len(group.used)
        ends = wilson(k, events, request["confidence"])
        parts.append(Estimate(k / events if events else math.nan, float(ends.low), float(ends.high)))
        n, both = n + events, both or group
    change = difference(parts[1], parts[0])
    verdict = "undecided"
    if change.low > 0:
        verdict = "leads the right way round"
    elif change.high < 0:
        verdict = "leads swapped"
    assert both is not None
    method = "difference of shares, interval from Wilson's (Newcombe)"
    return [Maker(run, both, n)("polarity", change, "", method, verdict, confidence=request["confidence"])]


def energy(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Bounds on energy and switching time of a spike (H12): nothing inside the pulse was measured.

    At least the resistance before the pulse for its whole width, at most that after: V^2 w / R_before <= E <=
    V^2 w / R_after x ``excess``, the factor by which the device conducts better at V than near 0 V, where both were
    read. The switch happened within the width.
    """
    rows = trials(run, request["of"], request.get("over"))
    pulses = table(run, "pulse")
    pulses = pulses[~pulses["role"].fillna("").isin(("reset", "erase"))]
    place = np.searchsorted(pulses["event"].to_numpy(), rows["event"].to_numpy()) - 1
    rows["level"], rows["width"] = (pulses[c].to_numpy(np.float64)[place] for c in ("level", "width"))
    until = {"before": pulses["event"].to_numpy()[place], "after": rows["event"].to_numpy()}
    for name, event in until.items():
        source = readings(run, request[name])
        place = np.searchsorted(source["event"].to_numpy(), event) - 1
        usable = (place >= 0) & (source["why"].to_numpy()[place] == "")
        rows[name] = np.where(usable, source["value"].to_numpy(np.float64)[place], np.nan)
    rows["before"] = rows["before"].fillna(rows["reference"])  # of the first trial: there is no such reading yet
    for name in until:
        rows["why"] = np.where((rows["why"] == "") & rows[name].isna(), f"no resistance {name}", rows["why"])
    results = []
    for at, part in rows.groupby("at") if request.get("over") else [(math.nan, rows)]:
        group = Group((), part)
        spikes = group.used[group.used["y"] == 1]
        make = Maker(run, group, len(spikes), "" if len(spikes) else "no spike to bound")
        work = spikes["level"] ** 2 * spikes["width"]
        least, most = (work / spikes["before"]).mean(), (work / spikes["after"]).mean() * request.get("excess", 1.0)
        unit = str(rows["at_unit"].iloc[0]) if request.get("over") else ""
        where: dict[str, Any] = {"at": _number(at), "at_unit": unit}
        excess = f"the upper one times {request.get('excess', 1.0):.3g} for the conductance at V"
        ohmic = f"bounds, no I(t): V^2 width over the resistances before and after, read near 0 V, {excess}"
        results += [
            make("energy", Estimate(math.nan, float(least), float(most)), "J", ohmic, **where),
            make(
                "switching_time",
                Estimate(math.nan, 0.0, float(spikes["width"].max()) if len(spikes) else math.nan),
                "s",
                "bounds: within the width of the pulse",
                **where,
            ),
        ]
    return results


def _number(value: Any) -> float:
    return float(value)


def reliable(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Smallest magnitude of a level at which the outcome failed no more often than allowed, in enough trials."""
    rows = trials(run, request["of"], request["over"])
    group = Group((), rows)
    used = group.used
    at, n, k = merge_counts(used["at"], np.ones(len(used)), used["y"])
    failures = n - k
    passed = (failures <= request["failures"]) & (n >= request["trials"])
    make = Maker(run, group, len(used))
    unit = str(rows["at_unit"].iloc[0])
    if not passed.any():
        enough = "" if np.any(n >= request["trials"]) else f"; most trials at one level: {n.max(initial=0):.0f}"
        note = f"no level with at most {request['failures']} failures in {request['trials']} trials{enough}"
        return [make("reliable_level", Estimate(math.nan, math.nan, math.nan), unit, "refused", note)]
    best = int(np.argmin(np.where(passed, np.abs(at), np.inf)))
    bound = float(clopper_pearson(failures[best], n[best], request["confidence"]).high)
    note = f"{failures[best]:.0f} failures in {n[best]:.0f}; chance of failure below {bound:.3g} (Clopper-Pearson)"
    estimate = Estimate(float(at[best]), math.nan, math.nan)
    return [make("reliable_level", estimate, unit, "smallest level that passed", note, n=int(n[best]))]
