"""Predicted duration, pulses and rows of a plan, from the instruments' timings; loops are multiplied, not expanded.

Timings come from the drivers' capabilities. What a retry may add is not counted: the figure is for a run in which
every reset works.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from labctl.plan import model as m
from labctl.plan.sources import Sources


@dataclass
class Tally:
    """Sums over the walk."""

    duration: float = 0.0
    pulses: float = 0.0
    rows: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    on: set[str] = field(default_factory=set)

    def cost(self) -> m.Cost:
        return m.Cost(self.duration, self.pulses, dict(self.rows))


Means = dict[str, float]


def add(tally: Tally, ops: tuple[m.Op, ...], sources: Sources, means: Means, times: float = 1) -> None:
    """Add ``ops``, executed ``times`` times; a loop variable counts with the mean of its values."""
    for op in ops:
        kind = ROWS.get(type(op))
        if kind is not None:
            tally.rows[kind] += times
        match op:
            case m.Repeat():
                add(tally, op.body, sources, means, times * op.count.at(means))
            case m.ForEach():
                mean = sum(op.axis.values) / len(op.axis.values)
                add(tally, op.body, sources, means | {op.axis.name: mean}, times * op.passes)
            case m.Until():
                add(tally, op.body, sources, means, times * op.at_most)
            case m.Allowed():
                add(tally, op.body, sources, means, times)
            case m.Connect():
                tally.duration += times * op.time
                if op.source not in tally.on or op.isolation == "output":
                    switched = times if op.isolation == "output" else 1
                    tally.duration += switched * _timing(sources, op.source, "output_time")
                tally.on.add(op.source)
            case m.Pulses():
                count = op.count.at(means)
                tally.pulses += times * count * len(op.parts)
                tally.duration += times * count * op.cycle_time(means)
            case m.ReadResistance():
                tally.duration += times * _measuring(sources, op, op.length)
            case m.ReadCurrent():
                tally.duration += times * _measuring(sources, op, op.samples)
            case m.Sweep():
                tally.duration += times * _measuring(sources, op, len(op.levels), op.dwell)
            case m.Wait():
                tally.duration += times * op.duration.at(means)
            case _:
                pass


#: operation -> table in which it leaves one row
ROWS: dict[type[m.Op], str] = {
    m.Connect: "route",
    m.Release: "route",
    m.Note: "note",
    m.Pulses: "pulse",
    m.ReadResistance: "resistance",
    m.ReadCurrent: "current",
    m.Sweep: "sweep",
    m.EnterState: "state",
    m.Judge: "spike",
    m.Confirm: "confirm",
}


def _timing(sources: Sources, source: str, name: str) -> float:
    return float(sources.named(source).capabilities.get("timing", {}).get(name, 0.0))


def _measuring(
    sources: Sources, op: m.ReadResistance | m.ReadCurrent | m.Sweep, points: int, dwell: float = 0.0
) -> float:
    """Seconds of so many points: settling, integration with its autozero conversions, transfer."""
    meter = op.meter
    timing = sources.named(op.source).capabilities["timing"]
    settle = timing["auto_delay"] if meter.delay is None else meter.delay
    return points * float(dwell + settle + meter.nplc / timing["line_frequency"] + timing["point_overhead"])
