"""Readings or records as a series: a current against pulse number, another loop variable, or time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.runs import AnalysisError, Run, column, table, unit_of_variable
from labctl.analysis.transistor.base_current import current_rows
from labctl.analysis.transistor.offsets import NO_OFFSET, Offset
from labctl.analysis.transistor.sweeps import conditions, curve_terminal, times_of, traces_of
from labctl.analysis.trials import Group, reasons
from labctl.numerics import noise_of

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

#: current range (A) of a fast unit -> s until its filter has settled to 0.6 % (reference b1530a sec. 1.2)
SETTLING = {1e-6: 37e-6, 1e-5: 5.8e-6, 1e-4: 820e-9, 1e-3: 200e-9, 1e-2: 125e-9}

NOISE = {
    "repeats": "noise from repeated series",
    "samples": "noise from the samples behind each reading",
    "differences": "noise from differences of neighbours",
}


@dataclass(frozen=True, slots=True)
class Series:
    """Currents ``y`` (A) with standard errors ``sigma`` at ascending ``x``.

    ``freedom``: degrees of freedom behind the errors, all together. ``noise``: key of ``NOISE``, where they are from.
    ``repeats``: series that were averaged. ``settling``: s at the start of each record of which nothing is used.
    """

    group: Group
    x: Floats
    unit: str
    y: Floats
    sigma: Floats
    freedom: int
    noise: str
    repeats: int
    settling: float = 0.0

    @property
    def left_out(self) -> str:
        """What is left out of each record, in words."""
        if not self.settling:
            return ""
        return f"windows that begin in the first {self.settling * 1e6:g} us left out (the meter's filter)"


def series_of(
    run: Run,
    name: str,
    per: Sequence[str],
    over: str | None = None,
    settling: str = "left_out",
    offset: Offset = NO_OFFSET,
) -> list[Series]:
    """Series called ``name`` in groups: current readings, or records against time.

    ``over`` is a loop variable, or the counter of a repeat (it counts from 1 then); without it the abscissa is time: of
    a reading since the run's start, of a record since its own. Several series of one group are averaged.
    ``settling`` 'left_out': without what a fast unit records while its filter settles; 'kept': with it. ``offset`` is
    subtracted, as it was when each current was read.
    Raises ``AnalysisError`` if the run has neither a reading nor a record of the name.
    """
    samples = table(run, "sample")
    if len(samples) and (samples["name"] == name).any():
        return _of_records(run, samples[samples["name"] == name], per, over, settling == "kept", offset)
    rows = current_rows(run, name)
    rows["value"] -= offset.at(rows["time"].to_numpy(np.float64))
    if over is None:
        return [
            _of_readings(group, group.used["time"].to_numpy(np.float64), "s") for group, _ in conditions(run, rows, per)
        ]
    where = column(rows, over)
    counter = f"{over}_index" not in rows.columns and rows[where].dtype.kind == "i"
    unit = "" if counter else unit_of_variable(run, over) or ""
    others = rows.drop(columns=[where, f"{over}_index"], errors="ignore")
    found = []
    for group, _ in conditions(run, others, per):
        part = Group(group.keys, rows.loc[group.rows.index])
        x = part.used[where].to_numpy(np.float64)
        found.append(_of_readings(part, np.where(x < 0, np.nan, x + 1) if counter else x, unit))
    return [series for series in found if series.y.size]


def _of_readings(group: Group, x: Floats, unit: str) -> Series:
    used = group.used
    return _merged(group, x, unit, used["value"].to_numpy(np.float64), _errors(used))


def _errors(rows: pd.DataFrame) -> Floats:
    """Standard error of each reading from its samples; NaN for a single sample."""
    count = rows["samples"].to_numpy(np.float64)
    return np.where(count > 1, rows["std"].to_numpy(np.float64) / np.sqrt(np.maximum(count, 1)), np.nan)


def _merged(group: Group, x: Floats, unit: str, y: Floats, errors: Floats) -> Series:
    """Mean at each abscissa, with its error from repeats, from samples, or from neighbours, whichever there is."""
    inside = np.isfinite(x) & np.isfinite(y)
    places, which, count = np.unique(x[inside], return_inverse=True, return_counts=True)
    mean = np.bincount(which, y[inside]) / np.maximum(count, 1)
    repeats = int(count.min()) if count.size else 0
    if repeats > 1:
        rest = np.bincount(which, (y[inside] - mean[which]) ** 2)
        sigma, freedom, noise = np.sqrt(rest / (count - 1) / count), int(np.sum(count - 1)), "repeats"
    elif np.isfinite(errors[inside]).all() and errors[inside].size:
        sigma = np.sqrt(np.bincount(which, errors[inside] ** 2)) / count
        freedom, noise = int(np.sum(group.used["samples"].to_numpy() - 1)), "samples"
    else:
        value, freedom = noise_of(places, mean)
        sigma, noise = np.full(places.size, value), "differences"
    floor = 1e-9 * float(np.abs(mean).max(initial=0.0))  # rounding is no change
    sigma = np.where(sigma > floor, sigma, floor)
    return Series(group, places, unit, mean, sigma, freedom, noise, repeats)


def _of_records(
    run: Run, rows: pd.DataFrame, per: Sequence[str], over: str | None, whole: bool, offset: Offset
) -> list[Series]:
    import pandas as pd  # 0.6 s

    rows = rows[rows["terminal"] == curve_terminal(rows, "terminal")].copy()
    traces = traces_of(run)
    why = reasons(rows["flags"].to_numpy(np.int64))
    why[(why == "") & ~rows["trace"].isin(list(traces)).to_numpy()] = "no trace"
    rows["why"] = why
    unit = "s" if over is None else unit_of_variable(run, over) or ""
    parts: dict[str, list[tuple[Group, Floats, Floats, float]]] = {}
    for group, at in conditions(run, rows, per, over):
        points, settling = [], 0.0
        for _, row in group.used.iterrows():
            trace = traces[int(row["trace"])]
            settles = -math.inf if whole else _settling(row)
            settled = np.asarray(trace["time"], np.float64) - 0.5 * float(row["window"]) >= settles * (1 - 1e-9)
            points.append(_points(trace, settled, offset.at(times_of(row, trace))))
            settling = settling if settled.all() else max(settling, settles)
        if over is not None:  # one value per record, its mean
            points = [(np.array([at]), np.array([y.mean()])) for _, y in points if y.size]
        parts.setdefault(group.label, []).extend((group, x, y, settling) for x, y in points)
    found = []
    for same in (part for part in parts.values() if part):
        groups_of = {id(group): group.rows for group, *_ in same}
        group = Group(same[0][0].keys, pd.concat(list(groups_of.values())))
        x, y = (np.concatenate([part[i] for part in same]) for i in (1, 2))
        series = _merged(group, x, unit, y, np.full(y.size, math.nan))
        found.append(replace(series, settling=max(part[3] for part in same)))
    return found


def _settling(row: Any) -> float:
    """Seconds that a fast unit's filter takes on the range of a record; -inf of an SMU, which tells no such range."""
    scale = float(row.get("range", math.nan))
    return next((t for known, t in SETTLING.items() if math.isclose(known, scale, rel_tol=1e-6)), -math.inf)


def _points(trace: Mapping[str, Any], wanted: NDArray[np.bool_], offset: Floats) -> tuple[Floats, Floats]:
    """Times, rounded to 1e-9 of the record so that repeats fall together, and currents less ``offset`` of the points
    that are ``wanted`` and that no range cut."""
    time, current = (np.asarray(trace[key], np.float64) for key in ("time", "current"))
    status = np.broadcast_to(np.asarray(trace.get("status", 0), np.int64), time.shape)
    good = (status & 3 == 0) & (np.abs(current) < 1e30) & wanted
    span = float(np.ptp(time)) if time.size else 0.0
    digits = 9 - math.floor(math.log10(span)) if span > 0 else 15
    return np.round(time, digits)[good], (current - offset)[good]


def need(found: list[Series], name: str) -> list[Series]:
    """The series, if any. Raises ``AnalysisError`` otherwise."""
    if not found:
        raise AnalysisError(f"no usable reading of {name!r}", "all of them are flagged, or outside the loop")
    return found
