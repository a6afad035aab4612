"""How often the intervals of a threshold fit hold the truth, over designs: thousands of experiments per cell.

    OPENBLAS_NUM_THREADS=1 python benchmarks/coverage.py 10000 --write   # docs/coverage.md; minutes

A cell is a design (voltages from 3 to 5 V, events at each) and a curve (V10, slope). Which cells are identifiable
``labctl.analysis.design.expected`` tells from design and curve, before anything is drawn; the others are drawn all the
same. The seed only makes the table repeatable: nothing was chosen by it.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.batch import Estimates, Status, fit_many
from labctl.analysis.design import SLOPE_ERROR, TRANSITION, expected

Floats = NDArray[np.float64]

LOW, HIGH, LN9 = 3.0, 5.0, math.log(9)
POINTS, EVENTS = (5, 9, 17, 25), (5, 10, 30, 100)
THRESHOLDS = (3.0, 3.13, 3.6, 4.0, 4.7, 5.0)  # at both ends, beside one, inside
SLOPES = (0.03, 0.05, 0.1, 0.15, 0.25, 0.4, 0.8)
DESIGNS = list(itertools.product(POINTS, EVENTS, THRESHOLDS, SLOPES))
PAGE = Path(__file__).resolve().parent.parent / "docs" / "coverage.md"


@dataclass(frozen=True)
class Told:
    """What the experiments of a cell say of one quantity: share covered, share bounded, bias and half width in V."""

    covers: float
    bounded: float
    bias: float
    half: float


@dataclass(frozen=True)
class Cell:
    points: int
    events: int
    v10: float
    slope: float
    identifiable: bool
    separated: float
    threshold: Told
    v50: Told
    steepness: Told


def told(found: Estimates, truth: float) -> Told:
    """Bias is the median of the estimates less the truth, half width the median over bounded intervals."""
    value, width = found.value[~np.isnan(found.value)], found.high - found.low
    bounded = np.isfinite(width)
    return Told(
        covers=float(np.mean((found.low <= truth) & (truth <= found.high))),
        bounded=float(bounded.mean()),
        bias=float(np.median(value) - truth) if value.size else math.nan,
        half=float(np.median(width[bounded]) / 2) if bounded.any() else math.nan,
    )


def cell(number: int, experiments: int, seed: int) -> Cell:
    points, n, v10, slope = DESIGNS[number]
    volts, v50 = np.linspace(LOW, HIGH, points), v10 + slope * LN9
    curve = 1 / (1 + np.exp(-(volts - v50) / slope))
    spikes = np.random.default_rng([seed, number]).binomial(n, curve, (experiments, points)).astype(float)
    batch = fit_many(volts, np.full(points, n), spikes, levels=(0.1, 0.5), slope=True)
    assert batch.slope is not None
    return Cell(
        points, n, v10, slope,
        identifiable=expected(volts, n, v50, slope).identifiable,
        separated=float(np.mean(batch.status == Status.SEPARATED)),
        threshold=told(batch.thresholds[0.1], v10),
        v50=told(batch.thresholds[0.5], v50),
        steepness=told(batch.slope, slope),
    )  # fmt: skip


def cells(experiments: int, seed: int, jobs: int) -> list[Cell]:
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(cell, range(len(DESIGNS)), repeat(experiments), repeat(seed), chunksize=8))


def summary(found: list[Cell], experiments: int) -> list[str]:
    error = math.sqrt(0.95 * 0.05 / experiments)
    inside = [cell for cell in found if cell.identifiable]
    lines = [
        f"{len(found)} cells of {experiments:,} experiments, {len(inside)} of them identifiable; standard error of a "
        f"coverage {error:.2%}.",
        "",
        "| 95 % interval of | identifiable: lowest, median, highest coverage | outside 94 to 96 % | "
        "all cells: lowest, median, highest |",
        "|---|---|---|---|",
    ]
    for name, label in (("threshold", "V10"), ("v50", "V50"), ("steepness", "slope")):
        known, every = ([getattr(cell, name).covers for cell in part] for part in (inside, found))
        outside = sum(not 0.94 <= share <= 0.96 for share in known)
        ends = [f"{min(s):.1%}, {np.median(s):.1%}, {max(s):.1%}" for s in (known, every)]
        lines.append(f"| {label} | {ends[0]} | {outside} | {ends[1]} |")
    return lines


def table(found: list[Cell]) -> list[str]:
    """A row per design and slope, a column per threshold."""
    lines = [
        "| voltages x events | slope | " + " | ".join(f"V10 {v10:g} V" for v10 in THRESHOLDS) + " |",
        "|---|---|" + "---|" * len(THRESHOLDS),
    ]
    places = {(c.points, c.events, c.slope, c.v10): c for c in found}
    for points, n, slope in itertools.product(POINTS, EVENTS, SLOPES):
        row = [_entry(places[points, n, slope, v10]) for v10 in THRESHOLDS]
        lines.append(f"| {points} x {n} | {slope:g} V | {' | '.join(row)} |")
    return lines


def _entry(cell: Cell) -> str:
    one = cell.threshold
    text = f"{one.covers:.1%} {_millivolts(one.bias, '+')} {_millivolts(one.half)}".replace("%", "")
    text += f" ({one.bounded:.0%})" if one.bounded < 0.995 else ""
    return f"**{text}**" if cell.identifiable else text


def _millivolts(volts: float, sign: str = "") -> str:
    return "-" if math.isnan(volts) else f"{1e3 * volts:{sign}.0f}"


def page(found: list[Cell], experiments: int, seed: int) -> str:
    return "\n".join(
        [
            "# Coverage of threshold intervals",
            "",
            f"Made by `python benchmarks/coverage.py {experiments} --seed {seed} --write`. Voltages evenly from "
            f"{LOW:g} to {HIGH:g} V, events at each, curves with V10 and slope as given.",
            "A cell is called identifiable from design and curve alone, before anything is drawn: at least "
            f"{TRANSITION:g} voltages on the rising part (sum of 4 P (1 - P)) and an",
            f"expected standard error of the slope of at most {SLOPE_ERROR:.0%} (`labctl.analysis.design`). Intervals "
            "are those of `labctl analyze`, open ones count as they are.",
            "",
            *summary(found, experiments),
            "",
            "## V10 in every cell",
            "",
            "Each entry: coverage in %, bias and half width of the interval in mV (medians; the half width over "
            "intervals with two ends, in brackets their share",
            "where it is below 99.5 %). **Bold: identifiable.** Where steep curves lie between two voltages, data "
            "are separated and intervals wider than they need to be:",
            "they hold the truth too often rather than too rarely.",
            "",
            *table(found),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", type=int, help="per cell")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}; otherwise it is printed")
    options = parser.parse_args()
    text = page(cells(options.experiments, options.seed, options.jobs), options.experiments, options.seed)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
