"""Figures after the panels 2A-2F of the H-NNO paper, each from one run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.curves import Curve
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import wilson
from labctl.analysis.psychometric import PsychometricFit
from labctl.analysis.results import Result
from labctl.analysis.runs import Run, table
from labctl.report.sources import Family
from labctl.report.style import (
    BLUE,
    GREY,
    VERMILION,
    colour,
    field_axis,
    log_resistance_axis,
    marker,
    new_figure,
    outside_legend,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
_LEVELS = np.concatenate([[0.005, 0.01, 0.02], np.arange(0.04, 0.97, 0.02), [0.98, 0.99, 0.995]])


def stochastic_spiking(run: Run, family: Family) -> Figure:
    """2A: resistance after each pulse at the level that spikes most like a coin, spikes marked."""
    curve, at = _most_stochastic(family)
    rows = curve.group.used
    rows = rows[np.isclose(rows["at"], at)].sort_values("event")
    figure = new_figure(run)
    axes = figure.add_subplot()
    trial = np.arange(1, len(rows) + 1)
    after = rows["resistance"].to_numpy(np.float64) / 1e3
    spiked = rows["y"].to_numpy(np.int64) == 1
    axes.plot(
        trial, rows["reference"].to_numpy(np.float64) / 1e3, "_", color=GREY, markersize=6, label="before the pulse"
    )
    axes.plot(trial, after, "-", color="0.8", linewidth=0.8, zorder=0)
    axes.plot(trial[~spiked], after[~spiked], marker(0), color=BLUE, label="after: no spike")
    axes.plot(trial[spiked], after[spiked], marker(2), color=VERMILION, label="after: spike")
    log_resistance_axis(axes)
    axes.set(xlabel="trial", ylabel="resistance (kΩ)", xlim=(0, len(rows) + 1))
    share = wilson(int(spiked.sum()), len(rows), CONFIDENCE)
    text = f"{_level(curve, at, family.length)}, {spiked.sum()} spikes in {len(rows)}"
    text += f", P = {spiked.mean():.2f} ({float(share.low):.2f} to {float(share.high):.2f})"
    axes.set_title(": ".join(filter(None, (label_of(curve), text))), loc="left")
    outside_legend(axes)
    return figure


def _most_stochastic(family: Family) -> tuple[Curve, float]:
    """Of the levels with many trials the one whose share of spikes is closest to a half."""
    options = [
        (c.trials[i] >= 20, -abs(c.spikes[i] / c.trials[i] - 0.5), c.trials[i], -j, i)
        for j, c in enumerate(family.curves)
        for i in range(c.at.size)
    ]
    best = max(options)
    curve = family.curves[-best[3]]
    return curve, float(curve.at[best[4]])


def probability(run: Run, family: Family) -> Figure:
    """2B: spiking probability of the first state against the pulse, with score intervals and the band of the fit."""
    return _curves(run, Family(family.request, family.curves[:1], family.length), "spiking probability")


def probability_per_state(run: Run, family: Family) -> Figure:
    """2E: the curves of all states."""
    return _curves(run, family, "spiking probability")


def success_of_reset(run: Run, family: Family, found: Result | None) -> Figure:
    """Reset calibration (H16): share of successful resets against the level of the reverse pulse.

    ``found`` is the smallest level that never failed, if that was asked for.
    """
    figure, axes = _plain_curves(run, family, "reset probability", threshold=False)
    if found is not None and math.isfinite(found.value):
        axes.axvline(found.value, color="black", linewidth=1, linestyle="--", zorder=0,
                     label=f"smallest reliable level\n{found.value:.4g} V, {found.n} trials")  # fmt: skip
    outside_legend(axes)
    return figure


def _curves(run: Run, family: Family, name: str) -> Figure:
    figure, axes = _plain_curves(run, family, name, threshold=True)
    axes.axhline(0.1, color=GREY, linewidth=0.6, linestyle=":")
    axes.annotate(
        "10 %", (1.0, 0.1), xycoords=("axes fraction", "data"), fontsize=7, color=GREY, va="bottom", ha="right"
    )
    outside_legend(axes, title=label_of(family.curves[0]) if len(family.curves) == 1 else None)
    return figure


def _plain_curves(run: Run, family: Family, name: str, threshold: bool) -> tuple[Figure, Axes]:
    """Points, fits and bands of every curve; the legend is yet to be made."""
    figure = new_figure(run, 3.4)
    axes = figure.add_subplot()
    several = len(family.curves) > 1
    for index, curve in enumerate(family.curves):
        _points(axes, curve, index, label_of(curve) if several else "share, 95 % score interval")
        fit = curve.fit(0.1, CONFIDENCE)
        _fit(axes, curve, fit, index, several)
        if threshold:
            _threshold(axes, curve, fit, several)
    unit = "V" if family.voltage else family.curves[0].unit
    axes.set(xlabel=f"pulse level ({unit})" if unit else "level", ylabel=name, ylim=(-0.04, 1.04))
    field_axis(axes, family.length)
    return figure, axes


def _points(axes: Axes, curve: Curve, index: int, label: str) -> None:
    share = curve.spikes / curve.trials
    ends = wilson(curve.spikes, curve.trials, CONFIDENCE)
    errors = np.abs([share - ends.low, ends.high - share])
    axes.errorbar(
        curve.at, share, errors, fmt=marker(index), color=colour(index), elinewidth=0.7, capsize=1.2, label=label
    )


def _fit(axes: Axes, curve: Curve, fit: PsychometricFit, index: int, several: bool) -> None:
    """Curve and band, as far as the data allow them."""
    if math.isfinite(fit.v50.value):
        span = np.ptp(curve.at)
        volts = np.linspace(curve.at.min() - 0.02 * span, curve.at.max() + 0.02 * span, 300)
        axes.plot(volts, fit.probability(volts), color=colour(index), label=None if several else "logistic fit")
        band = fit.band(_LEVELS)
        low, high = (np.clip(end, volts[0], volts[-1]) for end in (band.low, band.high))
        axes.fill_betweenx(
            _LEVELS, low, high, color=colour(index), alpha=0.18, linewidth=0, label=None if several else "95 % band"
        )


def _threshold(axes: Axes, curve: Curve, fit: PsychometricFit, several: bool) -> None:
    """The voltage of 10 % with its interval, if it lies among the levels."""
    threshold = fit.thresholds[0.1]
    if math.isfinite(threshold.value) and not fit.extrapolated(threshold):
        axes.errorbar(
            threshold.value, 0.1, xerr=_errors(threshold), fmt="|", markersize=9, color="black", elinewidth=1.6,
            capsize=3, zorder=5, label=None if several else _threshold_text(threshold, curve.unit),
        )  # fmt: skip


def _threshold_text(threshold: Estimate, unit: str) -> str:
    ends = f"{_end(threshold.low)} to {_end(threshold.high)}"
    return f"threshold (P = 10 %)\n{threshold.value:.3f} {unit} ({ends})"


def _end(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "open"


def _errors(estimate: Estimate) -> Any:
    """Distances of the ends; nothing is drawn towards an open one."""
    low, high = estimate.value - estimate.low, estimate.high - estimate.value
    return [[low if math.isfinite(low) else 0.0], [high if math.isfinite(high) else 0.0]]


def thresholds(run: Run, family: Family) -> Figure:
    """2F: threshold of each state with its interval, in the order of measurement; open sides as arrows."""
    figure = new_figure(run, 3.0)
    axes = figure.add_subplot()
    for index, curve in enumerate(family.curves):
        fit = curve.fit(0.1, CONFIDENCE)
        found = fit.thresholds[0.1]
        if math.isfinite(found.value):
            axes.errorbar(
                index, found.value, _errors(found), fmt=marker(index), color=colour(index), markersize=6, capsize=4
            )
            axes.annotate(f"{found.value:.3f}", (index, found.value), (9, 0), textcoords="offset points", va="center")
        if not (math.isfinite(found.low) and math.isfinite(found.high)):
            _arrow(axes, index, found)
        if not math.isfinite(found.value) and not math.isfinite(found.low) and not math.isfinite(found.high):
            axes.annotate(
                "no threshold", (index, 0.5), xycoords=("data", "axes fraction"), ha="center", rotation=90, fontsize=7
            )
    labels = [_wrapped(label_of(curve)) for curve in family.curves]
    axes.set_xticks(range(len(labels)), labels)
    axes.set(xlim=(-0.6, len(labels) - 0.4), ylabel=f"threshold, P = 10 % ({family.curves[0].unit})")
    axes.margins(y=0.15)
    field_axis(axes, family.length, "right")
    return figure


def _arrow(axes: Axes, place: float, found: Estimate) -> None:
    """A one-sided bound: an arrow from the bound towards where the threshold may be."""
    for end, way in ((found.low, 1), (found.high, -1)):
        if math.isfinite(end):
            start = found.value if math.isfinite(found.value) else end
            axes.plot(place, start, "none")
            axes.annotate(
                "",
                (place, start),
                (0, 22 * way),
                textcoords="offset points",
                arrowprops={"arrowstyle": "<-", "color": "black"},
            )
            if not math.isfinite(found.value):
                axes.plot(place, end, "_", color="black", markersize=10)


def _wrapped(label: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(label, 16)) or "all"


def sensitized_states(run: Run, family: Family) -> Figure:
    """2D: probability at a few common levels in each state, with score intervals."""
    figure = new_figure(run, 3.0)
    axes = figure.add_subplot()
    levels = np.unique(np.concatenate([curve.at for curve in family.curves]).round(9))
    spread = 0.5 / max(levels.size, 1)
    for number, level in enumerate(levels):
        offset = (number - (levels.size - 1) / 2) * spread
        for index, curve in enumerate(family.curves):
            for i in np.flatnonzero(np.isclose(curve.at, level)):
                share = curve.spikes[i] / curve.trials[i]
                ends = wilson(curve.spikes[i], curve.trials[i], CONFIDENCE)
                axes.errorbar(
                    index + offset, share, [[share - float(ends.low)], [float(ends.high) - share]], fmt=marker(number),
                    color=colour(number), capsize=3, label=_level(curve, level, family.length) if index == 0 else None,
                )  # fmt: skip
    labels = [_wrapped(label_of(curve)) for curve in family.curves]
    axes.set_xticks(range(len(labels)), labels)
    axes.set(xlim=(-0.6, len(labels) - 0.4), ylim=(-0.04, 1.04), ylabel="spiking probability")
    outside_legend(axes, title="pulse level")
    return figure


def self_sensitization(run: Run, family: Family) -> Figure | None:
    """2C: resistance along the run: trials with reset (A), pulses without reset (B), trials again (C).

    None if the run has no pulses without reset between two blocks of trials at one level.
    """
    blocks = _blocks(run, family)
    if blocks is None:
        return None
    figure = new_figure(run)
    axes = figure.add_subplot()
    start = 1
    for block in blocks:
        count = block.after.size
        number, after, spiked = np.arange(start, start + count), block.after / 1e3, block.spiked
        if block.name == "B":
            axes.axvspan(start - 0.5, start + count - 0.5, color="0.93", zorder=0, linewidth=0)
        axes.plot(number[~spiked], after[~spiked], marker(0), color=BLUE, label="no spike" if start == 1 else None)
        axes.plot(number[spiked], after[spiked], marker(2), color=VERMILION, label="spike" if start == 1 else None)
        axes.annotate(
            f"{block.name}: {block.label}\n{block.note}",
            (start + (count - 1) / 2, 1.02),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=8,
        )
        start += count
    log_resistance_axis(axes)
    axes.set(xlabel="pulse", ylabel="resistance after the pulse (kΩ)", xlim=(0.5, start - 0.5))
    outside_legend(axes)
    return figure


@dataclass(frozen=True, slots=True)
class _Block:
    """Pulses of one block of 2C: resistances after them (ohm), which of them spiked, and two lines about it."""

    name: str
    label: str
    note: str
    after: Floats
    spiked: NDArray[np.bool_]


def _blocks(run: Run, family: Family) -> list[_Block] | None:
    """Blocks A, B and C around the first pulses without reset."""
    pulses = table(run, "pulse")
    if len(family.curves) < 2 or pulses.empty:
        return None
    reverse = pulses["role"].fillna("").isin(("reset", "erase")).to_numpy()
    event = pulses["event"].to_numpy()
    for first, second in zip(family.curves, family.curves[1:], strict=False):
        common = np.array([a for a in first.at if np.any(np.isclose(second.at, a))])
        begin = event[~reverse & (event < second.group.rows["event"].min())].max(initial=-1)
        between = (event > first.group.rows["event"].max()) & (event < begin) & ~reverse
        pushed = _readings_after(run, event, between)
        if not common.size or len(pushed) < 2:
            continue
        at = float(common[np.argmin(np.abs(common - pulses["level"].to_numpy()[between][-1]))])
        limit = 0.5 * float(np.median(first.group.used["reference"]))
        middle = _Block("B", f"{len(pushed)} pulses", "no reset", pushed, pushed < limit)
        return [_trials_at(first, at, "A", family.length), middle, _trials_at(second, at, "C", family.length)]
    return None


def _trials_at(curve: Curve, at: float, name: str, length: float | None) -> _Block:
    rows = curve.group.used
    rows = rows[np.isclose(rows["at"], at)].sort_values("event")
    spiked = rows["y"].to_numpy(np.int64) == 1
    note = f"{spiked.sum()} of {len(rows)} at {_level(curve, at, length)}"
    return _Block(name, label_of(curve), note, rows["resistance"].to_numpy(np.float64), spiked)


def _readings_after(run: Run, pulses: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Floats:
    """The first resistance read after each chosen pulse and before the next pulse."""
    readings = table(run, "resistance")
    event = readings["event"].to_numpy()
    first = np.searchsorted(event, pulses[chosen])
    following = np.append(pulses, np.iinfo(np.int64).max)[1:][chosen]
    there = first < event.size
    there[there] = event[first[there]] < following[there]
    return np.asarray(readings["value"].to_numpy(np.float64)[first[there]])


def label_of(curve: Curve) -> str:
    """The state's name as it was given, with the sign for micro."""
    return curve.label.replace("/um", "/µm").replace(" us", " µs")


def _level(curve: Curve, at: float, length: float | None) -> str:
    field = f" ({at / length / 1e6:.3g} V/µm)" if length else ""
    return f"{at:.4g} {curve.unit}{field}"
