"""Measurements of one or several terminals: what a plan asks, said to the drivers, and their points in one form.

Two kinds of drivers are known by what they offer: channels that measure by themselves (2636B), and instruments that
sweep and sample several channels together (B1500A). A terminal that is only held may be on a pulse source.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labctl.bench.opening import OpenBench
from labctl.numerics import COMPLIANCE, OVERFLOW
from labctl.plan import operations as o
from labctl.plan.shapes import LEVELS_SETTLE, RECORD_POLL

Floats = NDArray[np.float64]


_OTHER = 4  # bit of a point's status, see Points


class Points(NamedTuple):
    """Measured points of one terminal, each array (n,): volts asked and measured, amperes, seconds, status bits.

    ``status``: 1 the terminal was in compliance, 2 its reading overflowed, 4 another terminal of the measurement was
    in compliance, so the device was not at the levels asked for.
    """

    set: Floats
    volts: Floats
    amps: Floats
    time: Floats
    status: NDArray[np.int64]
    range: float = np.nan

    @property
    def compliance(self) -> NDArray[np.bool_]:
        return np.asarray(self.status & COMPLIANCE != 0)

    @property
    def overflow(self) -> NDArray[np.bool_]:
        return np.asarray(self.status & OVERFLOW != 0)

    @property
    def other(self) -> NDArray[np.bool_]:
        return np.asarray(self.status & _OTHER != 0)

    @property
    def flags(self) -> int:
        """Flags of a row from its points (rule 5: flagged, never dropped)."""
        bits = int(np.bitwise_or.reduce(self.status))
        return COMPLIANCE * (bits & (COMPLIANCE | _OTHER) != 0) | OVERFLOW * (bits & OVERFLOW != 0)

    @property
    def trace(self) -> dict[str, NDArray[Any]]:
        return {"set": self.set, "voltage": self.volts, "current": self.amps, "time": self.time, "status": self.status}


def resistance_points(bench: OpenBench, op: o.ReadResistance, levels: Floats) -> Points:
    """The small I-V of a resistance reading."""
    return of_channel(configure_resistance(bench, op, levels).sweep(levels))


def configure_resistance(bench: OpenBench, op: o.ReadResistance, levels: Floats) -> Any:
    """The channel of a resistance reading, ready for it.

    Autorange goes no lower than the largest resistance that is expected asks for at the edge of the window: the points
    around zero need no better, and on the lowest ranges each of them costs a second (F12).
    """
    channel = bench.channel(op.source)
    meter = op.meter
    expected = bench.description.device.resistance
    least = None if expected is None else float(np.abs(levels).max()) / expected[1]
    channel.configure_read(meter.compliance, range_=meter.range, nplc=meter.nplc, delay=meter.delay, least=least)
    return channel


def sweep(bench: OpenBench, op: o.Sweep, variables: dict[str, float]) -> dict[str, Points]:
    """Terminal -> points of a staircase."""
    levels = np.array([level.at(variables) for level in op.levels])
    swept = op.stations[0]
    instrument = several(bench, swept.source)
    if instrument is None:
        channel = bench.channel(swept.source)
        channel.configure_read(swept.compliance, range_=swept.range, nplc=op.nplc, delay=op.delay)
        there_and_back = np.concatenate([levels, levels[::-1]]) if op.cyclic else levels
        found = channel.sweep(there_and_back, dwell=op.dwell, abort=op.on_compliance == "stop")
        return {swept.terminal: of_channel(found)}
    held = hold_others(bench, op.stations, swept.source, variables)
    curve = instrument.sweep(
        name(swept),
        levels,
        mode="cyclic" if op.cyclic else "single",
        measured=[name(s) for s in op.stations if s.measured],
        bias=held,
        compliance={name(s): s.compliance for s in op.stations if name(s) in held or s is swept},
        range_={name(s): s.range for s in op.stations if s.measured},
        nplc=op.nplc,
        hold=op.hold,
        delay=op.delay or 0.0,
        dwell=op.dwell,
        abort=op.on_compliance == "stop",
    )
    return {s.terminal: of_curve(curve, name(s)) for s in op.stations if s.measured}


def samples(
    bench: OpenBench,
    op: o.ReadCurrent | o.Record,
    count: int,
    interval: float | None,
    nplc: float,
    delay: float,
    variables: dict[str, float],
) -> dict[str, Points]:
    """Terminal -> ``count`` points at fixed levels, ``interval`` s apart (None: as fast as they come)."""
    first = next(s for s in op.stations if s.measured)
    instrument = several(bench, first.source)
    if instrument is None:
        channel = bench.channel(first.source)
        channel.configure_read(first.compliance, range_=first.range, nplc=nplc)
        assert first.level is not None
        level = first.level.at(variables)
        if delay:
            channel.hold(level, first.compliance)
            bench.clock.sleep(delay)
        return {first.terminal: of_channel(channel.sweep(np.full(count, level), dwell=interval or 0.0))}
    held = hold_others(bench, op.stations, first.source, variables)
    taken = instrument.sample(
        [name(s) for s in op.stations if s.measured],
        count,
        interval if interval is not None else max(1e-4, nplc / bench.line_frequency),
        bias=held,
        hold=delay,
        compliance={name(s): s.compliance for s in op.stations if name(s) in held},
        range_={name(s): s.range for s in op.stations if s.measured},
        nplc=nplc,
    )
    return {s.terminal: of_samples(taken, name(s), held[name(s)]) for s in op.stations if s.measured}


def record_during(bench: OpenBench, op: o.Record, duration: float, variables: dict[str, float]) -> dict[str, Points]:
    """Terminal -> points that the fast unit takes while what is prepared on its other channels plays.

    The unit must have been prepared with the pulses; this adds the measuring channels, triggers, waits and reads.
    """
    unit = bench.instruments[op.stations[0].source.partition(".")[0]]
    duration = o.on_grid(duration, op.grid)
    interval, window = o.on_grid(op.interval, op.grid), o.on_grid(op.window, op.grid)
    start = max(0.0, duration - op.last.at(variables)) if op.last else 0.0
    longest = 0.0
    for station in op.stations:
        assert station.level is not None
        channel = bench.channel(station.source)
        channel.prepare_record(station.level.at(variables), duration, interval, window, station.range, start)
        channel.output(True)
        longest = max(longest, channel.burst_duration)
    bench.clock.sleep(LEVELS_SETTLE)
    unit.trigger()
    bench.clock.sleep(longest)
    while not unit.finished():
        bench.clock.sleep(RECORD_POLL)
    found = {}
    for station in op.stations:
        assert station.level is not None
        data = bench.channel(station.source).fetch_record()
        level = np.full(len(data.time), station.level.at(variables))
        status = np.where(data.clipped, OVERFLOW, 0).astype(np.int64)  # the fast unit has no compliance
        found[station.terminal] = Points(level, level, data.value, data.time, status, data.range)
    return found


def several(bench: OpenBench, source: str) -> Any | None:
    """The instrument of a source, if it measures several channels together."""
    instrument = bench.instruments[source.partition(".")[0]]
    return instrument if hasattr(instrument, "sweep") else None


def name(station: o.Station) -> str:
    """Channel of a station as its instrument calls it."""
    return station.source.partition(".")[2]


def hold_others(
    bench: OpenBench, stations: tuple[o.Station, ...], with_: str, variables: dict[str, float]
) -> dict[str, float]:
    """Levels of the stations on the same instrument, by channel; stations on other instruments are held now."""
    together = {}
    for station in stations:
        if station.level is None:
            continue
        level = station.level.at(variables)
        if station.source.partition(".")[0] == with_.partition(".")[0]:
            together[name(station)] = level
        else:
            bench.channel(station.source).hold(level, station.compliance)
    return together


def of_channel(data: Any) -> Points:
    """Points of a channel that measures by itself."""
    return Points(data.set, data.volts, data.amps, data.time, np.asarray(data.status, np.int64), data.range_)


def of_curve(curve: Any, channel: str) -> Points:
    status = np.asarray(curve.status[channel], np.int64)
    return Points(curve.set, curve.volts[channel], curve.amps[channel], curve.time, status)


def of_samples(taken: Any, channel: str, level: float) -> Points:
    asked = np.full(len(taken.time), level)
    status = np.asarray(taken.status[channel], np.int64)
    return Points(asked, taken.volts[channel], taken.amps[channel], taken.time, status)
