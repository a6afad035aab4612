"""Predicted duration, pulses and rows of a plan, from the instruments' timings; loops are multiplied, not expanded.

Timings come from the drivers' capabilities. What a retry may add is not counted: the figure is for a run in which
every reset works.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from labctl.plan import operations as o
from labctl.plan.plan import Cost
from labctl.plan.sources import Sources


@dataclass
class Tally:
    """Sums over the walk."""

    duration: float = 0.0
    pulses: float = 0.0
    rows: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    on: set[str] = field(default_factory=set)

    def cost(self) -> Cost:
        return Cost(self.duration, self.pulses, dict(self.rows))


Means = dict[str, float]


def add(tally: Tally, ops: tuple[o.Op, ...], sources: Sources, means: Means, times: float = 1) -> None:
    """Add ``ops``, executed ``times`` times; a loop variable counts with the mean of its values."""
    for op in ops:
        kind = ROWS.get(type(op))
        if kind is not None:
            tally.rows[kind] += times
        match op:
            case o.Repeat():
                add(tally, op.body, sources, means, times * op.count.at(means))
            case o.ForEach():
                mean = sum(op.axis.values) / len(op.axis.values)
                add(tally, op.body, sources, means | {op.axis.name: mean}, times * op.passes)
            case o.Until():
                middle = {name: sum(ends) / 2 for name, ends in op.ranges().items()}
                add(tally, op.body, sources, means | middle, times * op.at_most)
            case o.EnterState():
                add(tally, op.prepare, sources, means, times)
            case o.Allowed():
                add(tally, op.body, sources, means, times)
            case o.Connect():
                tally.duration += times * op.time
                if op.source not in tally.on or op.isolation == "output":
                    switched = times if op.isolation == "output" else 1
                    tally.duration += switched * _timing(sources, op.source, "output_time")
                tally.on.add(op.source)
            case o.Pulses():
                count = op.count.at(means)
                tally.pulses += times * count * len(op.parts)
                tally.duration += times * count * op.cycle_time(means)
            case o.ReadResistance():
                tally.duration += times * op.length * _point(sources, op.source, op.meter.nplc, op.meter.delay)
            case o.ReadCurrent():
                each = max(op.interval or 0.0, _point(sources, op.stations[0].source, op.nplc, 0.0))
                tally.duration += times * (op.delay + op.samples * each)
                tally.rows["current"] += times * (_measured(op.stations) - 1)
            case o.Sweep():
                each = max(op.dwell, _point(sources, op.stations[0].source, op.nplc, op.delay))
                tally.duration += times * (op.hold + op.length * each)
                tally.rows["sweep"] += times * (_measured(op.stations) - 1)
            case o.Record():
                tally.duration += times * (op.duration.at(means) if op.duration else 0.0)
                tally.rows["sample"] += times * (_measured(op.stations) - 1)
                add(tally, op.body, sources, means, times)
            case o.Bias():
                ramp = 2 * abs(op.level.at(means)) / op.ramp.at(means) if op.ramp else 0.0
                tally.duration += times * (op.duration.at(means) + ramp)
            case o.Wait():
                tally.duration += times * op.duration.at(means)
            case _:
                pass


#: operation -> table in which it leaves one row
ROWS: dict[type[o.Op], str] = {
    o.Connect: "route",
    o.Release: "route",
    o.Note: "note",
    o.Pulses: "pulse",
    o.ReadResistance: "resistance",
    o.ReadCurrent: "current",
    o.Sweep: "sweep",
    o.Record: "sample",
    o.Bias: "bias",
    o.EnterState: "state",
    o.Judge: "spike",
    o.Confirm: "confirm",
}


def _timing(sources: Sources, source: str, name: str) -> float:
    return float(sources.named(source).capabilities.get("timing", {}).get(name, 0.0))


def _measured(stations: tuple[o.Station, ...]) -> int:
    return sum(station.measured for station in stations)


def _point(sources: Sources, source: str, nplc: float, delay: float | None) -> float:
    """Seconds of one point: settling, integration with its autozero conversions, transfer."""
    timing = sources.named(source).capabilities.get("timing", {})
    settle = timing.get("auto_delay", 0.0) if delay is None else delay
    return float(settle + nplc / timing.get("line_frequency", 50.0) + timing.get("point_overhead", 0.0))
