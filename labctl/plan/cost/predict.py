"""The cost of a plan from walks at several resistances of the device."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from labctl.bench.description import BenchDescription, Device
from labctl.plan import operations as o
from labctl.plan.cost.walk import Walk
from labctl.plan.plan import Cost
from labctl.plan.sources import Sources

#: resistances between the ends that the bench file expects, spaced evenly on a logarithmic scale
RESISTANCES = 7
#: digits that are kept: the plan's text is the same wherever it is made
_DIGITS = 9


def predict(ops: Sequence[o.Op], sources: Sources, bench: BenchDescription) -> Cost:
    """Cost of ``ops`` on ``bench``.

    The device's resistance is not known before it is read: the expected duration is the mean over resistances that a
    reading may meet, the bounds are those of the shortest and the longest with any resistance that is expected at all.
    """
    read, ends = resistances(bench.device)
    tallies = [Walk(bench, sources, resistance).block(ops) for resistance in (*read, *ends)]
    expected, rows = tallies[: len(read)], tallies[0].rows
    return Cost(
        duration=_mean(t.duration[1] for t in expected),
        pulses=float(round(tallies[0].pulses[1])),
        rows={table: float(round(count[1])) for table, count in rows.items()},
        shortest=_rounded(min(t.duration[0] for t in tallies)),
        longest=_rounded(max(t.duration[2] for t in tallies)),
        fewest={table: _rounded(count[0]) for table, count in rows.items()},
        most={table: _rounded(count[2]) for table, count in rows.items()},
        most_pulses=_rounded(tallies[0].pulses[2]),
        kinds={kind: _mean(t.seconds[kind][1] for t in expected) for kind in tallies[0].seconds},
    )


def resistances(device: Device) -> tuple[list[float], list[float]]:
    """What a reading may meet, ohm, and ends beyond; without a word of the bench file anything from 0 to infinite."""
    within = device.read_resistance or device.resistance
    if within is None:
        return [0.0, math.inf], []
    low, high = within
    step = math.log(high / low) / (RESISTANCES - 1)
    read = [low * math.exp(step * k) for k in range(RESISTANCES)] if high > low else [low]
    return read, [end for end in device.resistance or () if end not in within]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return _rounded(sum(found) / len(found))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
