"""What a reader must know before using the numbers of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import Result
from labctl.report.tables import notes
from labctl.store import Run

Floats = NDArray[np.float64]

DRIFT = 0.001  #: chance of a steady device below which a drift is told: a report looks at several readings
LEAST = 10  #: readings without which no drift is judged


def warnings(run: Run, results: Sequence[Result]) -> list[str]:
    """Early end, second look, flags, failed resets, drift, notes of results that lack something; the gravest first."""
    found = []
    if run.meta["status"] != "complete":
        found.append(f"The run is not complete: {run.meta['status']}. {run.meta['reason']}".strip())
    if run.meta.get("torn"):
        found.append(f"The file: {run.meta['torn']}.")
    if look := run.meta.get("second_look"):
        found.append(f"Not as the protocol has it: {look}.")
    told = notes([r for r in results if r.note and not _harmless(r)])
    return list(dict.fromkeys([*found, *_flagged(run), *_resets(run), *_drifts(run), *told]))


def _flagged(run: Run) -> Iterator[str]:
    from labctl.store import Flags, describe

    for kind, table in run.tables.items():
        flags = table["flags"].to_numpy(np.int64) if len(table) else np.zeros(0, np.int64)
        for flag in Flags:
            if count := int((flags & flag > 0).sum()):
                yield f"{count} of {len(table)} rows of kind {kind}: {describe(flag)}."


def _resets(run: Run) -> Iterator[str]:
    checks = run.tables.get("confirm")
    if checks is not None and len(checks) and (failed := int((~checks["ok"].to_numpy(bool)).sum())):
        yield f"{failed} of {len(checks)} checks of a reset were not passed."


def _drifts(run: Run) -> Iterator[str]:
    """Resistances that change steadily with time while the device should be the same.

    Readings from which outcomes were judged are left out: they come from two states.
    """
    readings, spikes = run.tables.get("resistance"), run.tables.get("spike")
    if readings is None or not len(readings):
        return
    judged = set() if spikes is None or not len(spikes) else set(spikes["resistance"])
    steady = readings[(readings["flags"] == 0) & (readings["value"] > 0) & np.isfinite(readings["value"])]
    for (name, state), rows in steady.groupby(["name", "state"], sort=False):
        value = rows["value"].to_numpy(np.float64)
        if len(rows) < LEAST or np.isin(value, list(judged)).mean() > 0.5:
            continue
        change, p = _trend(rows["time"].to_numpy(np.float64), np.log(value))
        if p < DRIFT:
            where = f" in state {state}" if state else ""
            yield f"Drift: {name}{where} changed by {100 * math.expm1(change):+.1f} % over its readings (p = {p:.1g})."


def _trend(time: Floats, value: Floats) -> tuple[float, float]:
    """Change along a straight line over the whole time, and the chance of one as large without a trend.

    A t test with the number of readings reduced for what neighbours share (a device keeps its resistance until it
    switches): n (1 - r) / (1 + r), r the correlation of successive residuals.
    """
    from scipy.special import stdtr

    centred = time - time.mean()
    squares = float(centred @ centred)
    if squares == 0:
        return 0.0, 1.0
    slope = float(centred @ value) / squares
    rest = value - value.mean() - slope * centred
    squared = float(rest @ rest)
    if squared == 0:
        return 0.0, 1.0
    shared = min(max(float(rest[1:] @ rest[:-1]) / squared, 0.0), 0.99)
    independent = value.size * (1 - shared) / (1 + shared)
    if independent <= 3:
        return 0.0, 1.0
    error = math.sqrt(squared / (independent - 2) / (squares * independent / value.size))
    return slope * float(np.ptp(time)), float(2 * stdtr(independent - 2, -abs(slope / error)))


def _harmless(result: Result) -> bool:
    """A note that is information only: a value with a closed interval and nothing left out."""
    closed = math.isfinite(result.value) and not (math.isinf(result.low) or math.isinf(result.high))
    return closed and not result.left_out and "p = " not in result.note
