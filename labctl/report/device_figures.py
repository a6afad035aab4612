"""Figures beyond the paper's panels: I-V readings, endurance, pulse width, readings along a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.analysis.comparison import straight_line
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import wilson
from labctl.analysis.readings import window
from labctl.analysis.runs import Run, column, requests_of, table, unit_of_variable
from labctl.analysis.trials import trials
from labctl.report import style
from labctl.report.sources import Family

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FEW_READINGS = 60  #: up to which readings along a run are drawn with the error of their fits


def current_voltage(run: Run) -> Figure | None:
    """The I-V readings with the smallest and the largest resistance, with their straight lines. None without traces."""
    traces: Mapping[int, Mapping[str, Any]] = getattr(run, "traces", {})
    rows = table(run, "resistance")
    if "trace" not in rows.columns:
        return None
    rows = rows[(rows["trace"] >= 0) & np.isfinite(rows["value"])]
    if rows.empty or not traces:
        return None
    figure = style.new_figure(run)
    axes = figure.add_subplot()
    ends = [rows["value"].idxmin(), rows["value"].idxmax()]
    for index, place in enumerate(dict.fromkeys(ends)):
        row = rows.loc[place]
        trace = traces[int(row["trace"])]
        volts, amps = (np.asarray(trace[name], np.float64) for name in ("voltage", "current"))
        line = np.array([volts.min(), volts.max()])
        error = f" ± {row['stderr'] / 1e3:.2g}" if math.isfinite(row["stderr"]) else ""
        label = f"{row['name']}: {row['value'] / 1e3:.4g}{error} kΩ"
        axes.plot(volts * 1e3, amps * 1e6, style.marker(index), color=style.colour(index), label=label)
        axes.plot(line * 1e3, (row["offset"] + line / row["value"]) * 1e6, color=style.colour(index), linewidth=1)
    axes.axhline(0, color=style.GREY, linewidth=0.5, zorder=0)
    axes.axvline(0, color=style.GREY, linewidth=0.5, zorder=0)
    axes.set(xlabel="measured voltage (mV)", ylabel="current (µA)")
    style.outside_legend(axes, title="least and most\nresistive reading")
    return figure


def readings_along(run: Run) -> Figure | None:
    """Resistance readings against time, by name; flagged ones as crosses. None without readings."""
    rows = table(run, "resistance")
    rows = rows[np.isfinite(rows["value"])] if len(rows) else rows
    if rows.empty:
        return None
    figure = style.new_figure(run)
    axes = figure.add_subplot()
    for index, (name, part) in enumerate(rows.groupby("name", sort=False)):
        flagged = part["flags"].to_numpy(np.int64) & (1 | 2 | 16) > 0
        time, value = part["time"].to_numpy(np.float64), part["value"].to_numpy(np.float64) / 1e3
        shape: dict[str, Any] = {"color": style.colour(index), "label": _short(str(name))}
        if len(rows) <= FEW_READINGS:
            error = part["stderr"].to_numpy(np.float64)[~flagged] / 1e3
            axes.errorbar(time[~flagged], value[~flagged], error, fmt=style.marker(index), elinewidth=0.8, **shape)
        else:
            axes.plot(time[~flagged], value[~flagged], style.marker(index), markersize=2.5, **shape)
        if flagged.any():
            axes.plot(time[flagged], value[flagged], "x", color=style.VERMILION, label=f"{name}, flagged")
    _states(axes, run)
    values = rows["value"].to_numpy(np.float64)
    if values.min() > 0 and values.max() > 1.5 * values.min():
        style.log_resistance_axis(axes)
    axes.set(xlabel="time since the start of the run (s)", ylabel="resistance (kΩ)")
    style.outside_legend(axes, markerscale=1 if len(rows) <= FEW_READINGS else 2)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"


def _states(axes: Axes, run: Run) -> None:
    """Where a state was entered: a line and its name, as long as there are few."""
    entered: pd.DataFrame = table(run, "state")
    length = table(run, "resistance")["time"].max()
    lasting = np.diff(entered["time"].to_numpy(np.float64), append=np.inf) > 0.02 * length
    entered = entered[lasting]
    if entered.empty or len(entered) > 8:
        return
    for time, name in zip(entered["time"], entered["name"].str.replace("/um", "/µm"), strict=True):
        axes.axvline(time, color=style.GREY, linewidth=0.6, linestyle=":")
        axes.annotate(
            f" {name}",
            (time, 1.0),
            xycoords=("data", "axes fraction"),
            fontsize=6.5,
            color=style.GREY,
            va="bottom",
            rotation=15,
        )


def endurance(run: Run) -> Figure | None:
    """Window R_ns/R_s and spiking probability against the cycles so far (H11). None without a ratio over bursts."""
    asked = [r for r in requests_of(run) if r.get("request") == "ratio" and r.get("split") and r.get("over")]
    if not asked:
        return None
    request: dict[str, Any] = {"confidence": 0.95, "per": ["state"]} | asked[0]
    cycles = _cycles(run, request["over"])
    found = [r for r in window(run, request) if math.isfinite(r.value)]
    if len(cycles) < 2 or not found:
        return None
    figure = style.new_figure(run, 3.4)
    left, right = figure.subplots(1, 2)
    for result in found:
        place = cycles.get(result.at, 0.0)
        _point(left, place, Estimate(result.value, result.low, result.high), style.BLUE, 0, None)
    left.set(xlabel="cycles", ylabel="window, R non-spiking / R spiking")
    levels = [r.get("over") for r in requests_of(run) if r.get("request") == "probability"]
    rows = trials(run, request["split"], levels[0] if levels else None)
    rows = rows[rows["why"] == ""]
    burst = rows[column(rows, request["over"])]
    for index, (at, level) in enumerate(rows.groupby("at")):
        for value, part in level.groupby(burst, dropna=False):
            k, n = int(part["y"].sum()), len(part)
            ends = wilson(k, n)
            place = cycles.get(float(value), 0.0)
            label = f"{float(str(at)):.4g} V" if place == 0 else None
            _point(right, place, Estimate(k / n, float(ends.low), float(ends.high)), style.colour(index), index, label)
    right.set(xlabel="cycles", ylabel="spiking probability", ylim=(-0.04, 1.04))
    for axes in (left, right):
        axes.set_xscale("symlog", linthresh=1, linscale=0.5)
        axes.set_xlim(-0.3, 2 * max(cycles.values()))
    style.outside_legend(right, title="pulse level")
    return figure


def _point(axes: Axes, x: float, estimate: Estimate, hue: str, index: int, label: str | None) -> None:
    low, high = estimate.value - estimate.low, estimate.high - estimate.value
    errors = [[low if math.isfinite(low) else 0.0], [high if math.isfinite(high) else 0.0]]
    axes.errorbar(x, estimate.value, errors, fmt=style.marker(index), color=hue, label=label, elinewidth=0.8)


def _cycles(run: Run, over: str) -> dict[float, float]:
    """Loop variable of each burst -> cycles up to and with it."""
    pulses = table(run, "pulse")
    if pulses.empty or "count" not in pulses.columns:
        return {}
    bursts = pulses[pulses["count"].to_numpy() == pulses[column(pulses, over)].to_numpy(np.float64)]
    bursts = bursts.drop_duplicates(column(bursts, over))  # a burst comes before the trials of its checkpoint
    return dict(zip(bursts[column(bursts, over)].astype(float), np.cumsum(bursts["count"].astype(float)), strict=True))


def width_dependence(run: Run, family: Family, variable: str) -> Figure | None:
    """V50 of each curve against the loop variable on a logarithmic axis (H17)."""
    points = [(float(dict(c.group.keys).get(variable, math.nan)), c.fit(0.5, 0.95).v50) for c in family.curves]
    points = [(x, v) for x, v in points if x > 0 and math.isfinite(v.value)]
    if len(points) < 2:
        return None
    figure = style.new_figure(run)
    axes = figure.add_subplot()
    for x, estimate in points:
        _point(axes, x, estimate, style.BLUE, 0, None)
    line = straight_line([(x, v) for x, v in points if math.isfinite(v.low) and math.isfinite(v.high)], 0.95)
    if line is not None:
        ends = np.array([min(x for x, _ in points), max(x for x, _ in points)])
        per_decade = line.slope
        text = f"{per_decade.value:.3f} V per decade\n({per_decade.low:.3f} to {per_decade.high:.3f})"
        axes.plot(ends, line.at(np.log10(ends)), color=style.VERMILION, linewidth=1, zorder=0, label=text)
        axes.legend(loc="upper right")
    axes.set_xscale("log")
    unit = unit_of_variable(run, variable)
    axes.set(xlabel=variable.replace("_", " ") + (f" ({unit})" if unit else ""), ylabel="V50 (V)")
    style.field_axis(axes, family.length, "right")
    return figure
