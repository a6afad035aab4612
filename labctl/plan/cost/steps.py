"""Operations without a body: what each takes, and the rows it leaves. One small function for every kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from labctl.plan import operations as o
from labctl.plan.cost.tally import Tally
from labctl.plan.programs import distinct
from labctl.plan.shapes import LEVELS_SETTLE, RECORD_POLL, staircase

if TYPE_CHECKING:
    from labctl.plan.cost.walk import Walk


def nothing(walk: Walk, op: o.Op, tally: Tally) -> None:
    """Done by the host alone."""


def note(walk: Walk, op: o.Note, tally: Tally) -> None:
    tally.row("note")


def connect(walk: Walk, op: o.Connect, tally: Tally) -> None:
    """Rivals off, the relay over; what an operator needs is nobody's to know."""
    seconds = sum(walk.times(rival).isolate(_channel(rival)) for rival in op.quiet)
    present = walk.plugged.get(op.terminal, "")
    wanted = op.source if op.manual else ""
    if present and present != wanted:
        seconds += walk.times(present).isolate(_channel(present))
    walk.plugged[op.terminal] = wanted
    if op.line:
        seconds += walk.times(op.line).line() + op.time
    tally.spend("switch", seconds)
    tally.row("route")


def release(walk: Walk, op: o.Release, tally: Tally) -> None:
    tally.spend("switch", sum(walk.times(source).isolate(_channel(source)) for source in op.quiet))
    tally.row("route")


def hold(walk: Walk, op: o.Hold, tally: Tally) -> None:
    level = op.level.at(walk.variables)
    tally.spend("hold", walk.times(op.source).hold(_channel(op.source), level, op.compliance))


def pulses(walk: Walk, op: o.Pulses, tally: Tally) -> None:
    count = round(op.count.at(walk.variables))
    if count == 0:
        return
    tally.spend("pulse", played(walk, op, count))
    tally.row("pulse")
    tally.pulse(count * len(op.parts))


def played(walk: Walk, op: o.Pulses, count: int) -> float:
    """Seconds from preparing the pulses until they have ended."""
    times, channel = walk.times(op.source), _channel(op.source)
    period = op.cycle_time(walk.variables)
    if op.each and count > 1:
        return played(walk, op, 1) + (count - 1) * float(times.burst(channel))
    if op.plain:
        width = op.parts[0].width.at(walk.variables)
        seconds = times.pulses(channel, width, op.edge, period if count > 1 or op.each else None, count)
    else:
        parts = tuple((part.level.at(walk.variables), part.width.at(walk.variables)) for part in op.parts)
        shape = (op.shape, parts, op.base.at(walk.variables), op.edge, op.gap.at(walk.variables))
        seconds = times.waveform(channel, shape, period, count)
    return float(seconds)


def resistance(walk: Walk, op: o.ReadResistance, tally: Tally) -> None:
    levels = _staircase(op.side, op.direction, op.points, op.window.at(walk.variables))
    meter, least = op.meter, walk.least_range(max(map(abs, levels)))
    seconds = walk.times(op.source).read(
        _channel(op.source),
        levels,
        walk.resistance,
        compliance=meter.compliance,
        range_=meter.range,
        nplc=meter.nplc,
        delay=meter.delay,
        least=least,
    )
    tally.spend("read", seconds)
    tally.row("resistance")


def current(walk: Walk, op: o.ReadCurrent, tally: Tally) -> None:
    tally.spend("read", samples(walk, op.stations, op.samples, op.interval, op.nplc, op.delay))
    tally.row("current", _measured(op.stations))


def samples(
    walk: Walk, stations: Sequence[o.Station], count: int, interval: float | None, nplc: float, delay: float
) -> float:
    """Seconds of ``count`` readings at fixed levels, ``interval`` s apart (None: as they come)."""
    first = next(station for station in stations if station.measured)
    times = walk.times(first.source)
    if not hasattr(times, "sample"):
        assert first.level is not None
        channel, level = _channel(first.source), first.level.at(walk.variables)
        meter = {"compliance": first.compliance, "range_": first.range, "nplc": nplc, "delay": None}
        seconds = times.hold(channel, level, first.compliance) + delay if delay else 0.0
        return float(seconds + times.read(channel, (level,) * count, walk.resistance, dwell=interval or 0.0, **meter))
    held, seconds = _others(walk, stations, first.source)
    return float(
        seconds
        + times.sample(
            [_channel(s.source) for s in stations if s.measured],
            count,
            interval,
            bias=held,
            resistance=walk.resistance,
            hold=delay,
            compliance={_channel(s.source): s.compliance for s in stations},
            range_={_channel(s.source): s.range for s in stations},
            nplc=nplc,
        )
    )


def sweep(walk: Walk, op: o.Sweep, tally: Tally) -> None:
    swept = op.stations[0]
    times, channel = walk.times(swept.source), _channel(swept.source)
    levels = tuple(level.at(walk.variables) for level in op.levels)
    if hasattr(times, "sweep"):
        held, seconds = _others(walk, op.stations, swept.source)
        seconds += times.sweep(channel, levels, bias=held, resistance=walk.resistance, **_stairs(op))
    else:
        meter = {"compliance": swept.compliance, "range_": swept.range, "nplc": op.nplc, "delay": op.delay}
        way = (*levels, *levels[::-1]) if op.cyclic else levels
        seconds = times.read(channel, way, walk.resistance, dwell=op.dwell, **meter)
    tally.spend("sweep", seconds)
    tally.row("sweep", _measured(op.stations))


def _stairs(op: o.Sweep) -> dict[str, Any]:
    """What a driver's sweep is asked for, beside levels."""
    return {
        "cyclic": op.cyclic,
        "measured": [_channel(s.source) for s in op.stations if s.measured],
        "compliance": {_channel(s.source): s.compliance for s in op.stations},
        "range_": {_channel(s.source): s.range for s in op.stations},
        "nplc": op.nplc,
        "hold": op.hold,
        "delay": op.delay or 0.0,
        "dwell": op.dwell,
    }


def stays(walk: Walk, op: o.Sweep) -> list[float]:
    """At most: s at each of a sweep's levels, in one execution; equal parts of it where the driver tells no more."""
    swept = op.stations[0]
    times = walk.times(swept.source)
    if not hasattr(times, "stays"):
        return [walk.block((op,)).duration[2] / len(op.levels)] * len(op.levels)
    levels = [level.at(walk.variables) for level in op.levels]
    held, _ = _others(walk, op.stations, swept.source)
    points = times.stays(_channel(swept.source), levels, bias=held, **_stairs(op))
    return [sum(both) for both in zip(points, points[::-1], strict=True)][: len(levels)] if op.cyclic else list(points)


def record(walk: Walk, op: o.Record, tally: Tally) -> None:
    if op.duration is not None:
        line_frequency = walk.times(op.stations[0].source).line_frequency
        count = max(2, round(op.duration.at(walk.variables) / op.interval))
        nplc = min(1.0, op.interval * line_frequency / 2)
        tally.spend("record", samples(walk, op.stations, count, op.interval, nplc, 0.0))
    else:
        train = next(inner for inner in op.body if isinstance(inner, o.Pulses))
        waits = sum(inner.duration.at(walk.variables) for inner in op.body if isinstance(inner, o.Wait))
        count = round(train.count.at(walk.variables))
        duration = count * train.cycle_time(walk.variables) + waits
        tally.spend("record", walk.times(op.stations[0].source).record(duration) + LEVELS_SETTLE + RECORD_POLL)
        tally.row("pulse")
        tally.pulse(count * len(train.parts))
    tally.row("sample", _measured(op.stations))


def bias(walk: Walk, op: o.Bias, tally: Tally) -> None:
    level = op.level.at(walk.variables)
    seconds = walk.times(op.source).bias(
        _channel(op.source),
        level,
        op.duration.at(walk.variables),
        ramp=abs(level) / op.ramp.at(walk.variables) if op.ramp else 0.0,
        grounded=[_channel(source) for source in op.grounded],
        compliance=op.compliance,
        abort_above=op.abort_above,
    )
    tally.spend("bias", seconds)
    tally.row("bias")


def wait(walk: Walk, op: o.Wait, tally: Tally) -> None:
    tally.spend("wait", op.duration.at(walk.variables))


def judge(walk: Walk, op: o.Judge, tally: Tally) -> None:
    tally.row("spike")


#: kind of operation -> what it takes
STEPS: dict[type[o.Op], Callable[[Walk, Any, Tally], None]] = {
    o.Arm: nothing,
    o.Note: note,
    o.Connect: connect,
    o.Release: release,
    o.Hold: hold,
    o.Pulses: pulses,
    o.ReadResistance: resistance,
    o.ReadCurrent: current,
    o.Sweep: sweep,
    o.Record: record,
    o.Bias: bias,
    o.Wait: wait,
    o.Judge: judge,
}


def matters(op: o.Op) -> list[o.Value | None]:
    """The values that the times of an operation depend on; a pulse takes as long at any level."""
    match op:
        case o.Pulses():
            return [*(part.width for part in op.parts), op.gap, op.period, op.count]
        case o.ReadResistance():
            return [op.window]
        case o.ReadCurrent():
            return [station.level for station in op.stations]
        case o.Sweep():
            return [*op.levels, *(station.level for station in op.stations)]
        case o.Record():
            return [op.duration, *(station.level for station in op.stations)]
        case o.Bias():
            return [op.level, op.duration, op.ramp]
        case o.Wait():
            return [op.duration]
        case o.Repeat():
            return [op.count]
        case _:
            return []


def tells_apart(op: o.Op) -> list[o.Value | None]:
    """The values that only make a waveform another one, which takes as long, but is to be uploaded."""
    match op:
        case o.Pulses() if not op.plain:
            return [op.base, *(part.level for part in op.parts)]
        case o.Program():
            pulses = distinct(op.loop.body)
            return [part.level for pulse in pulses for part in pulse.parts] if len(pulses) > 1 else []
        case _:
            return []


@lru_cache(maxsize=256)
def _staircase(side: str, direction: str, points: int, window: float) -> tuple[float, ...]:
    return tuple(float(level) for level in staircase(side, direction, points, window))


def _others(walk: Walk, stations: Sequence[o.Station], with_: str) -> tuple[dict[str, float], float]:
    """Levels of the stations on the instrument of ``with_``, by channel; seconds that holding the others takes."""
    together: dict[str, float] = {}
    seconds = 0.0
    for station in stations:
        if station.level is None:
            continue
        level = station.level.at(walk.variables)
        if station.source.partition(".")[0] == with_.partition(".")[0]:
            together[_channel(station.source)] = level
        else:
            seconds += walk.times(station.source).hold(_channel(station.source), level, station.compliance)
    return together, seconds


def _channel(source: str) -> str:
    return source.partition(".")[2]


def _measured(stations: Sequence[o.Station]) -> int:
    return sum(station.measured for station in stations)
