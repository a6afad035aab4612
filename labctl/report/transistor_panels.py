"""Figures after the panels 2a, 2c, 2d and 5c-5h of the transistor paper, each from one run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.estimate import Estimate
from labctl.analysis.results import Result
from labctl.analysis.runs import Run, table
from labctl.analysis.transistor.base_current import sample_mean, welch
from labctl.analysis.transistor.crossings import crossing_of
from labctl.analysis.transistor.offsets import offset_of
from labctl.analysis.transistor.series import Series, series_of
from labctl.analysis.transistor.slopes import slope_at
from labctl.analysis.transistor.sweeps import Branch, SweepGroup, sweep_groups, traces_of
from labctl.analysis.transistor.tops import find_top, rectification
from labctl.analysis.transistor.trains import TURNS, Response, respond
from labctl.analysis.trials import Group
from labctl.report.style import BLUE, GREY, VERMILION, colour, marker, new_figure, outside_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
NANO = 1e-9
_STYLES = {"forward": "-", "backward": "--", "": "-"}


def transfer(run: Run, names: Sequence[str], request: Mapping[str, Any]) -> Figure | None:
    """2a: transfer curves of one way, such as at both supplies, with their peaks; currents linear and logarithmic."""
    offset = offset_of(run, request.get("offset"), CONFIDENCE)
    every = [(name, group) for name in names for group in sweep_groups(run, name, offset=offset)]
    found = [(name, group) for name, group in every if group.names == ("",)]
    if not found:
        return None
    figure = new_figure(run, 3.2)
    linear, logarithmic = figure.subplots(1, 2)
    for index, (name, group) in enumerate(found):
        label = ", ".join(filter(None, (name, group.group.label, _supply(group))))
        for branch in group.branches(""):
            x, y = _ascending(branch)
            linear.plot(x, y / NANO, color=colour(index), label=label)
            logarithmic.plot(x, np.abs(y) / NANO, color=colour(index), label=label)
            _peak(linear, branch, index)
    asked = {"confidence": CONFIDENCE, "per": ["state"]} | dict(request)
    ratios = [r for r in rectification(run, asked) if math.isfinite(r.value)] if request.get("to") else []
    if ratios:
        low, high = (_end(float(f"{end:.3g}"), "g") for end in (ratios[0].low, ratios[0].high))
        logarithmic.set_title(f"rectification {ratios[0].value:.0f} ({low} to {high})", loc="left")
    if request.get("offset"):
        linear.set_title(f"{-offset.mean / NANO * 1e3:+.3g} pA for the offset", loc="left")
    logarithmic.set_yscale("log")
    linear.axhline(0, color=GREY, linewidth=0.5, zorder=0)
    for axes, quantity in ((linear, "drain current (nA)"), (logarithmic, "|drain current| (nA)")):
        axes.set(xlabel="gate voltage (V)", ylabel=quantity)
    outside_legend(logarithmic)
    return figure


def _supply(group: SweepGroup) -> str:
    """What was held during the sweep, as the run says it."""
    rows = group.group.rows
    return str(rows["bias"].iloc[0]).replace("=", " ") if "bias" in rows.columns and len(rows) else ""


def _ascending(branch: Branch) -> tuple[Floats, Floats]:
    order = np.argsort(branch.x, kind="stable")
    return branch.x[order], branch.y[order]


def _peak(axes: Axes, branch: Branch, index: int) -> None:
    """The peak with its interval, and its voltage in words."""
    top = find_top(branch, CONFIDENCE)
    if not math.isfinite(top.voltage.value) or branch.y.max() < 0.2 * np.abs(axes.dataLim.intervaly).max() * NANO:
        return
    x, y = top.voltage, top.current
    axes.errorbar(
        x.value, y.value / NANO, errors_of(y, NANO), errors_of(x), fmt=marker(index), color=colour(index),
        markersize=3.5, elinewidth=1.2, markeredgecolor="black", markeredgewidth=0.5, zorder=5,
    )  # fmt: skip
    axes.annotate(
        f"{x.value:.2f} V", (x.value, y.value / NANO), (0, 5), textcoords="offset points", ha="center", fontsize=7,
        color=colour(index),
    )  # fmt: skip
    axes.margins(y=0.12)


def errors_of(estimate: Estimate | Result, scale: float = 1.0) -> Any:
    """Distances of the ends; nothing is drawn towards an open one."""
    low, high = (estimate.value - estimate.low) / scale, (estimate.high - estimate.value) / scale
    return [[low if math.isfinite(low) else 0.0], [high if math.isfinite(high) else 0.0]]


def in_nano(estimate: Estimate) -> str:
    """'0.220 nA (0.218 to 0.222)'."""
    ends = "" if math.isnan(estimate.low) else f" ({_end(estimate.low / NANO)} to {_end(estimate.high / NANO)})"
    return f"{estimate.value / NANO:.3f} nA{ends}"


def _end(value: float, form: str = ".3f") -> str:
    return f"{value:{form}}" if math.isfinite(value) else "open"


def output(run: Run, request: Mapping[str, Any]) -> Figure | None:
    """2c: output curves at several gate voltages, and their slope at one drain voltage."""
    at, over = float(request["at"]), str(request["over"])
    found = [g for g in sweep_groups(run, request.get("of") or "sweep", (), over) if math.isfinite(g.at) and g.sweeps]
    if not found:
        return None
    figure = new_figure(run, 3.2)
    curves, slopes = figure.subplots(1, 2)
    for index, group in enumerate(sorted(found, key=lambda g: g.at)):
        hue = _ramp(index, len(found))
        for branch in (b for sweep in group.sweeps for b in sweep.branches):
            x, y = _ascending(branch)
            curves.plot(x, y / NANO, color=hue, label=f"{group.at:g} V")
            slope = slope_at(branch, at, CONFIDENCE)
            if math.isfinite(slope.value):
                slopes.errorbar(group.at, slope.value / NANO, errors_of(slope, NANO), fmt=marker(0), color=hue)
    curves.axvline(at, color=GREY, linewidth=0.6, linestyle=":")
    curves.set(xlabel="drain voltage (V)", ylabel="drain current (nA)")
    slopes.set(xlabel="gate voltage (V)", ylabel=f"slope at {at:g} V (nA/V)")
    handles, labels = curves.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    outside_legend(slopes, handles=once.values(), labels=once.keys(), title="gate voltage")
    return figure


def _ramp(index: int, count: int) -> Any:
    """Colour of an ordered family: dark to light, told apart in grey too."""
    import matplotlib as mpl

    return mpl.colormaps["viridis"](0.9 * index / max(count - 1, 1))


def cyclic(run: Run, groups: Sequence[SweepGroup]) -> Figure | None:
    """5c and 5f: both branches of cyclic transfer curves, their peaks, and dI0 at zero gate voltage."""
    found = [group for group in groups if {"forward", "backward"} <= set(group.names)]
    if not found:
        return None
    figure = new_figure(run, 3.4)
    axes = figure.add_subplot()
    titles = []
    for index, group in enumerate(found):
        label = _label(group)
        for number, (name, line) in enumerate((("forward", "-"), ("backward", "--"))):
            hue = len(found) > 1
            for branch in group.branches(name)[:1]:
                x, y = _ascending(branch)
                place = index if hue else number
                words = ", ".join(filter(None, (label if hue else "", name)))
                axes.plot(x, y / NANO, line, color=colour(place), label=words)
                _peak(axes, branch, place)
        both = crossing_of(group, 0.0, CONFIDENCE)
        if math.isfinite(both.change.value):
            ends = (both.forward.value / NANO, both.backward.value / NANO)
            axes.annotate("", (0, ends[1]), (0, ends[0]), arrowprops={"arrowstyle": "->", "color": "black", "lw": 1.2})
            titles.append(f"{label + ': ' if label else ''}dI₀ = {in_nano(both.change)}")
    axes.axvline(0, color=GREY, linewidth=0.6, linestyle=":")
    axes.set(xlabel="gate voltage (V)", ylabel="drain current (nA)")
    axes.set_title("\n".join(titles[:6]), loc="left")
    outside_legend(axes)
    return figure


def _label(group: SweepGroup) -> str:
    here = f"{group.at:g} {group.at_unit}" if math.isfinite(group.at) else ""
    return ", ".join(filter(None, (group.group.label, here)))


def single_pulse(run: Run, before: Group, after: Group) -> Figure | None:
    """5d and 5g: samples of the base current before and after a pulse, their means, and the change."""
    from matplotlib.ticker import MaxNLocator

    if before.used.empty or after.used.empty:
        return None
    figure = new_figure(run, 3.0)
    axes = figure.add_subplot()
    start, traces = 1, traces_of(run)
    readings = [(before.used.iloc[-1], BLUE, "before"), (_first_after(before.used.iloc[-1], after), VERMILION, "after")]
    if readings[1][0] is None:
        return None
    for index, (row, hue, name) in enumerate(readings):
        trace = traces.get(int(row["trace"]), {})
        amps = np.asarray(trace.get("current", [row["value"]]), np.float64) / NANO
        number = np.arange(start, start + amps.size)
        mean = sample_mean(row, CONFIDENCE)
        axes.plot(number, amps, marker(2 * index), color=hue, label=f"samples {name}")
        axes.plot(number[[0, -1]] + [-0.4, 0.4], [mean.value / NANO] * 2, color=hue, linewidth=1)
        if math.isfinite(mean.low):
            axes.axhspan(mean.low / NANO, mean.high / NANO, *_part(index), color=hue, alpha=0.15, linewidth=0)
        start += amps.size
        if name == "before":
            axes.axvline(start - 0.5, color=GREY, linewidth=0.8, linestyle=":")
            axes.annotate(
                f" {_pulse_words(run, before.used.iloc[-1], readings[1][0])}", (start - 0.5, 1.0),
                xycoords=("data", "axes fraction"), fontsize=7, color=GREY, va="top",
            )  # fmt: skip
    axes.set(xlabel="sample", ylabel="base current (nA)", xlim=(0.5, start - 0.5))
    axes.margins(y=0.2)
    change = welch(readings[0][0], readings[1][0], CONFIDENCE)
    axes.set_title(": ".join(filter(None, (before.label, f"Δ = {in_nano(change)}"))), loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    outside_legend(axes)
    return figure


def _part(index: int) -> tuple[float, float]:
    return (0.0, 0.5) if index == 0 else (0.5, 1.0)


def _first_after(row: pd.Series[Any], group: Group) -> Any:
    later = group.used[group.used["event"] > row["event"]]
    return later.iloc[0] if len(later) else None


def _pulse_words(run: Run, before: pd.Series[Any], after: pd.Series[Any]) -> str:
    """The pulses between two readings: '10 V, 10 ms'."""
    from labctl.protocol import units

    pulses = table(run, "pulse")
    pulses = pulses[(pulses["event"] > before["event"]) & (pulses["event"] < after["event"])]
    if pulses.empty:
        return ""
    first = pulses.iloc[0]
    words = f"{units.text(float(first['level']), 'V')}, {units.text(float(first['width']), 's')}"
    count = int(pulses["count"].sum()) if "count" in pulses.columns else len(pulses)
    return words if count == 1 else f"{count} × {words}"


def train(run: Run, series: Series) -> Figure | None:
    """5e and 5h: base current against pulse number, with the verdict on its course."""
    return _course(run, [respond(series, CONFIDENCE)], "pulse number", logarithmic=False)


def integration(run: Run, of: str, per: Sequence[str], over: str | None) -> Figure | None:
    """2d: current during or after trains of fast pulses, against pulse number or time, with its maximum."""
    found = [respond(series, CONFIDENCE) for series in series_of(run, of, per, over) if series.y.size > 2]
    return _course(run, found, over or "time", logarithmic=True)


def _course(run: Run, found: Sequence[Response], name: str, logarithmic: bool) -> Figure | None:
    if not found:
        return None
    figure = new_figure(run, 3.2)
    axes = figure.add_subplot()
    fast = found[0].series.unit == "s" and found[0].series.x.max() < 0.1
    scale, unit = (1e6, "µs") if fast else (1.0, found[0].series.unit)
    for index, response in enumerate(found):
        series, place, top = response.series, response.place, response.maximum
        words = response.words
        if response.shape == TURNS and math.isfinite(place.value):
            words += f"\nmaximum at {place.value * scale:.3g} {unit}".rstrip()
            axes.errorbar(
                place.value * scale, top.value / NANO, errors_of(top, NANO), errors_of(place, 1 / scale), fmt="D",
                color="black", markerfacecolor="none", markersize=5, zorder=5,
            )  # fmt: skip
        words = ": ".join(filter(None, (series.group.label, words)))
        error = series.sigma / NANO if series.y.size <= 100 else None
        line = marker(index) if series.y.size <= 100 else "-"
        axes.errorbar(
            series.x * scale, series.y / NANO, error, fmt=line, color=colour(index), elinewidth=0.7, capsize=0,
            markersize=3, label=words,
        )  # fmt: skip
    if logarithmic:
        _logarithmic(axes, np.concatenate([response.series.x for response in found]) * scale)
    axes.set(
        xlabel=f"{name.replace('_', ' ')} ({unit})" if unit else name.replace("_", " "), ylabel="drain current (nA)"
    )
    if len(found) > 1:
        outside_legend(axes)
    else:
        axes.set_title(words.replace("\n", ", "), loc="left")
    return figure


def _logarithmic(axes: Axes, x: Floats) -> None:
    """Logarithmic abscissa, with a place for 0 (no pulse) beside its decades if there is one."""
    if x.min() > 0:
        axes.set_xscale("log")
        return
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    least = float(x[x > 0].min())
    axes.set_xscale("symlog", linthresh=least, linscale=0.4)
    decades = 10.0 ** np.arange(math.ceil(math.log10(least)), math.floor(math.log10(x.max())) + 1)
    axes.xaxis.set_major_locator(FixedLocator([0.0, *decades]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
