"""Hierarchical fit over devices and repeats: time per fit, and how often its intervals hold the truth.

    OPENBLAS_NUM_THREADS=1 python benchmarks/spread.py                      # time of one fit
    OPENBLAS_NUM_THREADS=1 python benchmarks/spread.py --grid 2000 --write  # coverage; 10 minutes on two cores

Each experiment draws thresholds of devices and repeats and counts from them (17 or 9 voltages from 3.4 to 5.0 V, mean
V10 3.945 V, slope 0.116 V with 6 % between devices). A cell's spread is identifiable if ``design.shows_spread`` says so
from the design alone, the mean if the spread between devices is; what is not is drawn all the same.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np

from labctl.analysis.design import shows_spread
from labctl.analysis.estimate import Estimate
from labctl.analysis.hierarchy import Counts, fit_hierarchy

PAGE = Path(__file__).resolve().parent.parent / "docs" / "validation.md"
BEGIN, END = "<!-- spread: made by benchmarks/spread.py -->", "<!-- end of spread -->"
LEVEL, MEAN, SLOPE, SLOPES_DIFFER = 0.1, 3.945, 0.116, 0.06
DESIGNS = {"17 x 30": (np.linspace(3.4, 5.0, 17), 30), "9 x 20": (np.linspace(3.4, 5.0, 9), 20)}

#: devices, repeats of each, deviation between devices and between repeats (V), design
CELLS = [
    (8, 3, 0.06, 0.03, "17 x 30"),
    (10, 4, 0.06, 0.03, "17 x 30"),
    (10, 4, 0.06, 0.03, "9 x 20"),
    (10, 4, 0.12, 0.06, "17 x 30"),
    (10, 4, 0.12, 0.06, "9 x 20"),
    (10, 4, 0.06, 0.0, "17 x 30"),
    (10, 4, 0.0, 0.03, "17 x 30"),
    (10, 4, 0.0, 0.0, "17 x 30"),
    (5, 3, 0.06, 0.03, "17 x 30"),
    (5, 3, 0.12, 0.06, "17 x 30"),
    (20, 2, 0.06, 0.03, "17 x 30"),
    (30, 1, 0.06, 0.0, "17 x 30"),
    (12, 1, 0.06, 0.0, "9 x 20"),
    (1, 10, 0.0, 0.05, "17 x 30"),
]


def experiment(
    rng: np.random.Generator, devices: int, repeats: int, sds: tuple[float, float], design: str
) -> list[Counts]:
    volts, trials = DESIGNS[design]
    found = []
    for device in range(devices):
        own, slope = MEAN + sds[0] * rng.normal(), SLOPE * math.exp(SLOPES_DIFFER * rng.normal())
        for number in range(repeats):
            logit = (volts - own - sds[1] * rng.normal()) / slope + math.log(LEVEL / (1 - LEVEL))
            spikes = rng.binomial(trials, 1 / (1 + np.exp(-logit))).astype(float)
            counts = tuple(volts), (float(trials),) * volts.size, tuple(spikes)
            found.append(Counts(f"d{device:03}", "", str(number), *counts, "V"))
    return found


def error_of_one(design: str) -> float:
    """Standard error of one curve's threshold, its slope known."""
    volts, trials = DESIGNS[design]
    p = 1 / (1 + np.exp(-((volts - MEAN) / SLOPE + math.log(LEVEL / (1 - LEVEL)))))
    return SLOPE / math.sqrt(trials * float(p @ (1 - p)))


def identifiable(devices: int, repeats: int, sds: tuple[float, float], design: str) -> tuple[bool, bool, bool]:
    """Of the mean and both deviations. The mean over one device is that of its repeats."""
    error = error_of_one(design)
    over_repeats = repeats > 1 and shows_spread(sds[1], error, devices * (repeats - 1))
    if devices == 1:
        return over_repeats, False, over_repeats
    noise = math.sqrt((sds[1] ** 2 + error**2) / repeats)
    over_devices = shows_spread(sds[0], noise, devices - 1)
    return over_devices, over_devices, over_repeats


def row(number: int, experiments: int, seed: int) -> tuple[str, list[float]]:
    """A line of the table for one cell, and the coverages of what is identifiable in it."""
    devices, repeats, between, within, design = CELLS[number]
    rng, sds = np.random.default_rng([seed, number]), (between, within)
    fits = [fit_hierarchy(experiment(rng, devices, repeats, sds, design), LEVEL) for _ in range(experiments)]
    told = identifiable(devices, repeats, sds, design)
    cells, inside = [], []
    for known, truth, name in zip(told, (MEAN, *sds), ("mean", "between_devices", "between_repeats"), strict=True):
        if (name == "between_devices" and devices == 1) or (name == "between_repeats" and repeats == 1):
            cells.append("not told")
            continue
        estimates: list[Estimate] = [getattr(fit, name) for fit in fits]
        covers = float(np.mean([e.low <= truth <= e.high for e in estimates]))
        inside += [covers] if known else []
        values, widths = ([1e3 * f(e) for e in estimates] for f in (lambda e: e.value, lambda e: e.high - e.low))
        middle = f"{np.mean(values) - 1e3 * MEAN:+.1f}" if name == "mean" else f"{np.median(values):.0f}"
        text = f"{covers:.1%} {middle} {np.median(widths) / 2:.0f}".replace("%", "")
        cells.append(f"**{text}**" if known else text)
    sizes = f"{1e3 * between:.0f}, {1e3 * within:.0f}"
    return f"| {devices} x {repeats} | {sizes} | {design} | {' | '.join(cells)} |", inside


def grid(experiments: int, seed: int, jobs: int) -> str:
    """The table, and a sentence below it."""
    lines = [
        "| devices x repeats | sd of devices, repeats, mV | voltages x events | mean | sd of devices | sd of repeats |",
        "|---|---|---|---|---|---|",
    ]
    inside: list[float] = []
    with ProcessPoolExecutor(jobs) as pool:
        for line, known in pool.map(row, range(len(CELLS)), repeat(experiments), repeat(seed)):
            print(line, flush=True)
            lines.append(line)
            inside += known
    error, ends = math.sqrt(0.95 * 0.05 / experiments), f"{min(inside):.1%} to {max(inside):.1%}"
    sentence = (
        f"{experiments:,} experiments per cell, seed {seed}. Coverage of the {len(inside)} identifiable intervals: "
        f"{ends} (standard error {error:.1%})."
    )
    print(sentence)
    return "\n".join([*lines, "", sentence])


def speed(fits: int = 20) -> None:
    rng = np.random.default_rng(1)
    for devices, repeats in ((10, 4), (40, 1), (100, 20)):
        drawn = [experiment(rng, devices, repeats, (0.06, 0.03), "17 x 30") for _ in range(fits)]
        start = time.process_time()
        for curves in drawn:
            fit_hierarchy(curves, LEVEL)
        spent = (time.process_time() - start) / fits
        print(f"{devices * repeats:5} curves ({devices} x {repeats}): {spent * 1e3:.0f} ms of CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=int, metavar="EXPERIMENTS", help="coverage with so many experiments per cell")
    parser.add_argument("--write", action="store_true", help="put the table into docs/validation.md")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    if not options.grid:
        speed()
        return
    text = grid(options.grid, options.seed, options.jobs)
    if options.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
