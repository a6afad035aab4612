"""Figures of a transistor beyond the paper's panels: conditioning map, null times, retention, bell, gate leakage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.results import Result
from labctl.analysis.runs import Run, table, unit_of_variable
from labctl.analysis.transistor.bells import Bell, fit_bell
from labctl.analysis.transistor.crossings import cgb_map, crossing, null_time
from labctl.analysis.transistor.offsets import offset_of
from labctl.analysis.transistor.retention import decay_of
from labctl.analysis.transistor.series import series_of
from labctl.analysis.transistor.sweeps import SweepGroup, sweep_groups
from labctl.report.style import BLACK, GREY, colour, marker, new_figure, outside_legend
from labctl.report.transistor_panels import CONFIDENCE, NANO, errors_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

FEW = 6  #: bells that are drawn one by one; more are drawn as centre and width
NUMBERED = 120  #: cells of a map up to which each carries its value
PICO = 1e-12


def conditioning_map(run: Run, request: Mapping[str, Any]) -> Figure | None:
    """dI0 over duration and level of the conditioning bias, with the null times of each level."""
    asked = {"confidence": CONFIDENCE} | dict(request)
    groups = sweep_groups(run, str(request["of"]), [str(request["y"])], str(request["x"]))
    rows = {g.group.label: float(dict(g.group.keys)[request["y"]]) for g in groups}
    cells = {(r.at, rows[r.state]): r.value for r in cgb_map(run, asked) if math.isfinite(r.at)}
    x, y = (np.array(sorted({place[i] for place in cells})) for i in (0, 1))
    if x.size < 2 or y.size < 2 or x[0] <= 0:
        return None
    grid = np.array([[cells.get((a, b), math.nan) for a in x] for b in y]) / NANO
    figure = new_figure(run, 3.8)
    axes = figure.add_subplot()
    reach = float(np.nanmax(np.abs(grid)))
    columns, levels = np.arange(x.size), np.arange(y.size)  # cells of equal size: neither axis is evenly spaced
    image = axes.pcolormesh(
        columns, levels, grid, cmap="PuOr", vmin=-reach, vmax=reach, edgecolors="white", linewidth=0.5
    )
    if grid.size <= NUMBERED:
        for (i, j), value in np.ndenumerate(grid):
            if math.isfinite(value):
                ink = "white" if abs(value) > 0.65 * reach else "black"
                words = f"{value:.2f}".replace("-0.00", "0.00")  # below the middle, where null times may stand
                axes.text(j, i - 0.3, words, ha="center", va="center", fontsize=6, color=ink)
    _nulls_on_map(axes, run, asked, rows, x, y)
    axes.set_xticks(columns, [f"{value:g}" for value in x])
    axes.set_yticks(levels, [f"{value:g}" for value in y])
    axes.set(xlabel=_axis(run, str(request["x"])), ylabel=_axis(run, str(request["y"])))
    figure.colorbar(image, ax=axes, label="dI₀ (nA)", pad=0.02)
    return figure


def _nulls_on_map(
    axes: Axes, run: Run, request: Mapping[str, Any], rows: Mapping[str, float], x: Floats, y: Floats
) -> None:
    asked = {"of": request["of"], "over": request["x"], "per": [request["y"]], "confidence": CONFIDENCE}
    nulls = [result for result in null_time(run, asked) if math.isfinite(result.value)]
    if nulls:
        across = [np.interp(math.log(null.value), np.log(x), np.arange(x.size)) for null in nulls]
        up = [np.searchsorted(y, rows[null.state]) for null in nulls]
        axes.plot(across, up, "-", color=BLACK, marker="D", markersize=4, label="dI₀ = 0")
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2)


def _axis(run: Run, name: str) -> str:
    unit = unit_of_variable(run, name)
    return f"{name.replace('_', ' ')} ({unit})" if unit else name.replace("_", " ")


def null_times(run: Run, request: Mapping[str, Any]) -> Figure | None:
    """dI0 against the duration of the bias, by group, with the time at which it passes zero."""
    asked = {"confidence": CONFIDENCE, "per": ["state"]} | dict(request)
    points = [r for r in crossing(run, asked) if r.quantity == "dI0" and math.isfinite(r.at) and math.isfinite(r.value)]
    if len(points) < 2:
        return None
    nulls = {r.state: r for r in null_time(run, asked)}
    figure = new_figure(run, 3.2)
    axes = figure.add_subplot()
    for index, label in enumerate(dict.fromkeys(point.state for point in points)):
        part = sorted((p for p in points if p.state == label), key=lambda p: p.at)
        _one_course(axes, part, index, _null_words(label, nulls.get(label)))
        null = nulls.get(label)
        if null is not None and math.isfinite(null.value):
            axes.errorbar(
                null.value, 0, xerr=errors_of(null), fmt="|", color="black", markersize=9, elinewidth=1.6, capsize=3,
                zorder=5,
            )  # fmt: skip
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.set_xscale("log")
    axes.set(xlabel=_axis(run, str(request["over"])), ylabel="dI₀ (nA)")
    outside_legend(axes)
    return figure


def _one_course(axes: Axes, part: Sequence[Result], index: int, label: str) -> None:
    errors = np.concatenate([errors_of(p, NANO) for p in part], axis=1)
    axes.errorbar(
        [p.at for p in part], [p.value / NANO for p in part], errors, fmt=marker(index) + "-", color=colour(index),
        markersize=3.5, linewidth=0.9, elinewidth=0.8, label=label,
    )  # fmt: skip


def _null_words(label: str, null: Result | None) -> str:
    if null is None:
        return label
    if math.isfinite(null.value):
        return ": ".join(filter(None, (label, f"null {null.value:.3g} {null.unit}".strip())))
    bound = f"above {null.low:g}" if math.isinf(null.high) and null.low > 0 else f"below {null.high:g}"
    return ": ".join(filter(None, (label, f"null {bound} {null.unit}".strip())))


def retention(run: Run, request: Mapping[str, Any]) -> Figure | None:
    """Base current, or its change, against time, with the exponential that was fitted."""
    offset = offset_of(run, request.get("offset"), CONFIDENCE)
    found = series_of(run, str(request["of"]), request.get("per") or ("state",), offset=offset)
    figure = new_figure(run, 3.0)
    axes = figure.add_subplot()
    drawn = False
    for index, series in enumerate(found):
        t, y, decay = decay_of(run, series, request.get("reference"), CONFIDENCE, offset)
        if decay is None:
            continue
        drawn = True
        axes.plot(
            t, y / NANO, marker(index), color=colour(index), markersize=2.5, label=series.group.label or "current"
        )
        left = decay.retained
        words = f"{left.value:.1%} left ({left.low:.1%} to {left.high:.1%})"
        axes.plot(t, decay.at(t) / NANO, color="black", linewidth=1, label=f"exponential: {words}")
    axes.axhline(0, color=GREY, linewidth=0.6)
    changed = f"current − {request['reference']!r} (nA)" if request.get("reference") else "base current (nA)"
    axes.set(xlabel="time (s)", ylabel=changed)
    outside_legend(axes)
    return figure if drawn else None


def bells(run: Run, request: Mapping[str, Any]) -> Figure | None:
    """Gaussian fits: a few with their curves, more as centre and width against the abscissa."""
    groups = sweep_groups(run, str(request.get("of") or "sweep"), request.get("per") or (), request.get("over"))
    fits = [
        (group, name, fit)
        for group in groups
        for name in group.names
        for fit in [fit_bell(branch, CONFIDENCE) for branch in group.branches(name)[:1]]
        if not fit.reason
    ]
    if not fits:
        return None
    return _bell_curves(run, fits) if len(fits) <= FEW else _bell_courses(run, fits, request)


def _bell_curves(run: Run, fits: Sequence[tuple[SweepGroup, str, Bell]]) -> Figure:
    figure = new_figure(run, 3.2)
    axes = figure.add_subplot()
    for index, (group, name, fit) in enumerate(fits):
        branch = group.branches(name)[0]
        words = ", ".join(filter(None, (group.group.label, name)))
        axes.plot(branch.x, branch.y / NANO, marker(index), color=colour(index), markersize=2, alpha=0.5)
        volts = np.linspace(branch.x.min(), branch.x.max(), 300)
        label = f"{words}\nµ = {fit.centre.value:.2f} V, σ = {fit.width.value:.2f} V, rms {fit.misfit:.1%}".strip()
        axes.plot(volts, fit.current(volts) / NANO, color=colour(index), linewidth=1, label=label)
    axes.set(xlabel="gate voltage (V)", ylabel="drain current (nA)")
    outside_legend(axes)
    return figure


def _bell_courses(run: Run, fits: Sequence[tuple[SweepGroup, str, Bell]], request: Mapping[str, Any]) -> Figure | None:
    figure = new_figure(run, 3.4)
    centre, width = figure.subplots(1, 2)
    curves = dict.fromkeys((group.group.label, name) for group, name, _ in fits)
    labels = list(dict.fromkeys(label for label, _ in curves))
    for label, name in curves:
        index = labels.index(label)
        part = [(g.at, f) for g, n, f in fits if (g.group.label, n) == (label, name) and math.isfinite(g.at)]
        part.sort(key=lambda point: point[0])
        line = ("-" if name != "backward" else "--") + marker(index)
        for axes, quantity in ((centre, "centre"), (width, "width")):
            values = [getattr(fit, quantity).value for _, fit in part]
            axes.plot(
                [at for at, _ in part], values, line, color=colour(index), markersize=3, linewidth=0.8,
                label=", ".join(filter(None, (label, name))),
            )  # fmt: skip
    for axes, quantity in ((centre, "centre of the bell µ (V)"), (width, "width of the bell σ (V)")):
        axes.set_xscale("log")
        axes.set(xlabel=_axis(run, str(request["over"])) if request.get("over") else "group", ylabel=quantity)
    outside_legend(width, fontsize=6)
    return figure


def leakage(run: Run, terminal: str = "gate") -> Figure | None:
    """Gate current against gate voltage in every sweep that measured it."""
    rows = table(run, "sweep")
    names = list(map(str, rows[rows["measured"] == terminal]["name"].unique())) if len(rows) else []
    if not names:
        return None
    figure = new_figure(run, 3.0)
    axes = figure.add_subplot()
    index = 0
    for name in names:
        for group in sweep_groups(run, name, measured=terminal)[:FEW]:
            for branch in (b for sweep in group.sweeps[:1] for b in sweep.branches):
                words = ", ".join(filter(None, (name, group.group.label, branch.name)))
                axes.plot(branch.x, branch.y / PICO, marker(index), color=colour(index), markersize=2, label=words)
                index += 1
    axes.axhline(0, color=GREY, linewidth=0.5, zorder=0)
    axes.set(xlabel=f"{terminal} voltage (V)", ylabel=f"{terminal} current (pA)")
    if index:
        outside_legend(axes, fontsize=7)
    return figure if index else None
