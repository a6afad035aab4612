"""Predicted duration, pulses and rows of a plan, from the instruments' timings; loops are multiplied, not expanded.

Timings come from the drivers' capabilities: ``sweep.point_time(nplc, delay, range)`` and the fixed times of a call. What a
retry may add is not counted: the figure is for a run in which every reset works.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from labctl.plan import model as m
from labctl.plan.sources import Sources


@dataclass
class Tally:
    """Sums over the walk."""

    duration: float = 0.0
    pulses: float = 0.0
    rows: Counter[str] = field(default_factory=Counter)
    on: set[str] = field(default_factory=set)

    def cost(self) -> m.Cost:
        return m.Cost(self.duration, self.pulses, dict(self.rows))


Means = dict[str, float]


def add(tally: Tally, ops: tuple[m.Op, ...], sources: Sources, means: Means, times: float = 1) -> None:
    """Add ``ops``, executed ``times`` times; a loop variable counts with the mean of its values."""
    for op in ops:
        match op:
            case m.Repeat():
                add(tally, op.body, sources, means, times * op.count)
            case m.ForEach():
                inner = {axis.name: sum(axis.values) / len(axis.values) for axis in op.axes}
                count = len(op.axes[0].values) * (op.inner[1] if op.inner else 1)
                add(tally, op.body, sources, means | inner, times * count)
            case m.Connect():
                tally.rows["route"] += times
                tally.duration += times * op.time
                if op.source not in tally.on or op.isolation == "output":
                    switched = times if op.isolation == "output" else 1
                    tally.duration += switched * _timing(sources, op.source, "output_time")
                tally.on.add(op.source)
            case m.Pulses():
                count = op.count.at(means)
                tally.rows["pulse"] += times
                tally.pulses += times * count * len(op.parts)
                each = op.period if count > 1 else sum(p.width.at(means) + op.edge for p in op.parts)
                tally.duration += times * (each * count + _timing(sources, op.source, "pulse_overhead"))
            case m.ReadResistance():
                points = op.points if op.direction == "up" else 2 * op.points - 1
                tally.rows["resistance"] += times
                tally.duration += times * points * _point(sources, op)
            case m.Sweep():
                tally.rows["sweep"] += times
                tally.duration += times * len(op.levels) * _point(sources, op)
            case m.Wait():
                tally.duration += times * op.duration.at(means)
            case m.EnterState():
                tally.rows["state"] += times
                if op.verify:
                    add(tally, (op.verify,), sources, means, times)
            case m.Judge():
                tally.rows["spike"] += times
            case m.Confirm():
                tally.rows["confirm"] += times
            case _:
                pass


def _timing(sources: Sources, source: str, name: str) -> float:
    return float(sources.named(source).capabilities.get("timing", {}).get(name, 0.0))


def _point(sources: Sources, op: m.ReadResistance | m.Sweep) -> float:
    """Seconds of one point of a sweep: settling delay and integration, autozero conversions included."""
    timing = sources.named(op.source).capabilities.get("timing", {})
    return op.delay + op.nplc / timing.get("line_frequency", 50.0) * timing.get("conversions", 1) + timing.get("point_overhead", 0.0)
