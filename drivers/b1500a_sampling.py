"""Samples at fixed levels and biases held for a time, inside a B1500A (reference b1500a sec. 9.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyvisa

from drivers import b1500a_data as data
from drivers import b1500a_ranges as ranges
from drivers.b1500a_data import Bias, Elements, ReadSetup, Samples
from drivers.b1500a_stations import PerChannel, Station, columns_of, exceeds, reading_commands, stations
from drivers.errors import SettingError
from drivers.wire import number, within

if TYPE_CHECKING:
    from drivers.b1500a import B1500A
    from drivers.b1500a_channel import B1500AChannel

_SLACK = 0.1e-3  # beside the integration of a reading
_POLL, _MOST_POLLS = 50e-3, 1000
_SAMPLES_OF_BIAS = 100
_INTERVALS_OF_BIAS = (0.1, 1.0)

# -- sampling ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sampling:
    """Samples under way: what ``fetch`` must know."""

    at: Mapping[str, Station]
    measured: tuple[str, ...]
    bias: Mapping[str, float]
    points: int
    interval: float
    hold: float


def start_sampling(
    b: B1500A,
    measured: Sequence[str],
    points: int,
    interval: float,
    bias: Mapping[str, float],
    hold: float,
    compliance: PerChannel,
    range_: PerChannel,
    nplc: float,
) -> Sampling:
    """See ``B1500A.start_sample``."""
    within("interval", interval, ranges.MIN_INTERVAL, ranges.MAX_INTERVAL, "s")
    within("hold", hold, 0.0, ranges.MAX_HOLD, "s")
    within("number of samples", points, 1, ranges.MAX_SAMPLES // len(measured))
    at = stations(b, list(dict.fromkeys([*measured, *bias])), compliance, range_, nplc)
    for name, level in bias.items():
        at[name].channel.check(level, at[name].setup.limit)
    settings = reading_commands(at, measured)
    for name, level in bias.items():
        at[name].channel.source(level, at[name].setup.limit)
    hold = ranges.on_grid(hold, ranges.HOLD_GRID)
    interval = ranges.on_grid(interval, ranges.sampling_grid(interval))
    sides = {f"CMM{at[name].slot}": f"CMM {at[name].slot},0" for name in measured}
    b.send_changed({"FMT": "FMT 21,0", **settings, **sides})
    mode = "MM 10," + ",".join(str(at[name].slot) for name in measured)
    b.send(["TSC 1", "MCC", "ML 1", mode, f"MT {number(hold)},{number(interval)},{points}", "MSC 1,2"])
    b.begin(["TSR"])
    return Sampling(at, tuple(measured), dict(bias), points, interval, hold)


def fetch_sampling(b: B1500A, job: Sampling, abort_above: float | None = None) -> Samples:
    """See ``B1500A.fetch_sample``."""
    columns = 2 * len(job.measured)
    longest = sum(b.reading_time(job.at[name].setup) for name in job.measured)
    parts: list[Elements] = []
    stopped = False
    for part in b.stream(job.points, columns, job.hold + longest, job.interval + longest):
        parts.append(part)
        if abort_above is not None and any(exceeds(part, job.at[n].slot, abort_above) for n in job.measured):
            b.abort()
            parts += b.rest(columns)
            stopped = True
            break
    b.check_errors("XE")
    found = data.join(parts)
    time = found.values[:, found.column("T", job.at[job.measured[0]].slot)]
    amps, status, _ = columns_of(found, job.at, job.measured, False)
    volts = {name: np.full(len(time), job.bias.get(name, np.nan)) for name in job.measured}
    return Samples(time, volts, amps, status, complete=not stopped)


# -- bias ----------------------------------------------------------------------------------------------------------


def bias(
    b: B1500A,
    name: str,
    level: float,
    duration: float,
    ramp: float,
    compliance: float,
    abort_above: float | None,
    grounded: Sequence[str],
    nplc: float,
    range_: float | None,
    interval: float | None,
) -> Bias:
    """See ``B1500A.bias``."""
    within("duration", duration, 0.0, 1e6, "s")
    within("ramp", ramp, 0.0, 1e4, "s")
    channel = b.channel(name)
    channel.check(level, compliance)
    if range_ is None:
        range_ = ranges.current_range(compliance if abort_above is None else 2 * abort_above, channel.type)
    setup = ReadSetup(compliance, range_, nplc, 0.0)
    if name in grounded:
        raise SettingError(f"SMU {name} cannot be biased and grounded at once")
    for other in [b.channel(grounded_name) for grounded_name in grounded]:
        other.source(0.0, compliance)
    channel.output(True)
    b.send_changed({"FMT": "FMT 21,0", **channel.reading_commands(setup), f"CMM{name}": f"CMM {channel.slot},0"})
    watch = Watch.over(duration, interval, b.integration_time(nplc))
    commands = ["TSC 1", "MCC", "ML 1", "MSC 1,2", f"MM 10,{channel.slot}"]
    if watch.points:
        commands.append(f"MT {number(watch.first)},{number(watch.interval)},{watch.points}")
    b.send([*commands, channel.force_command(0.0, compliance)])
    began = float(b.clock.now)
    steps = ranges.ramp_steps(ramp)
    b.queue(["TSR", *_ramp(channel, level, compliance, ramp, range(1, steps + 1))])
    if watch.points:
        b.begin([])
    # what follows waits in the instrument: the bias ends by itself, whatever becomes of the host
    b.queue([*_pauses(watch.rest), *_ramp(channel, level, compliance, ramp, range(steps - 1, -1, -1))])
    parts, reason = _readings(b, channel, watch, ramp, abort_above, b.reading_time(setup))
    if reason:
        _leave(b, channel, compliance, ramp)
    with b.patience(2 * ramp + duration):
        b.ask("*OPC?")
    b.check_errors("XE")
    _discharge(b, channel)
    if not parts:
        none = np.empty(0)
        stop = began + ramp + duration
        return Bias(level, stop - duration, stop, none, none, none.astype(np.int64), math.nan)
    found = data.join(parts)
    amps, status = found.readings("I", channel.slot)
    time = began + found.values[:, found.column("T", channel.slot)]
    # a change of range may delay the first reading: the others tell when the hold began
    start = float(np.min(time - watch.interval * np.arange(len(time)))) - watch.first
    stop = float(time[-1]) + b.integration_time(nplc) + (0.0 if reason else watch.rest)
    largest = float(np.max(np.abs(amps))) if np.isfinite(amps).all() else math.inf
    return Bias(level, start, stop, time, amps, status, largest, not reason, reason)


@dataclass(frozen=True)
class Watch:
    """Readings during a bias: how many, every ``interval`` from ``first`` on, and the ``rest`` after them (s)."""

    points: int
    interval: float
    first: float
    rest: float

    @classmethod
    def over(cls, duration: float, interval: float | None, reading: float) -> Watch:
        """Readings of ``reading`` (s) each that fit into ``duration`` (s); none fit into a very short one.

        Raises:
            SettingError: an interval that the instrument does not have.
        """
        if interval is None:
            low, high = _INTERVALS_OF_BIAS
            interval = min(max(duration / _SAMPLES_OF_BIAS, low), high)
        within("interval", interval, ranges.MIN_INTERVAL, ranges.MAX_INTERVAL, "s")
        interval = ranges.on_grid(max(interval, reading), 1e-3)
        room = duration - reading - _SLACK
        if room < 0:
            return cls(0, interval, 0.0, duration)
        points = max(1, min(int(room / interval), ranges.MAX_SAMPLES))
        first = min(math.floor((room - (points - 1) * interval) / ranges.HOLD_GRID) * ranges.HOLD_GRID, ranges.MAX_HOLD)
        return cls(points, interval, first, duration - first - (points - 1) * interval - reading)


def _ramp(channel: B1500AChannel, level: float, compliance: float, ramp: float, steps: range) -> list[str]:
    """Commands through ``steps`` of the way to ``level``, on one range throughout."""
    total, code = ranges.ramp_steps(ramp), ranges.voltage_code(level)
    pause = f"PA {number(round(ramp / total, 4))}"
    found = []
    for k in steps:
        found.append(f"DV {channel.slot},{code},{number(round(level * k / total, 6))},{number(compliance)}")
        if ramp:
            found.append(pause)
    return found


def _pauses(seconds: float) -> list[str]:
    """Pauses that take ``seconds`` together."""
    whole = int(seconds / ranges.MAX_PAUSE)
    rest = round(seconds - whole * ranges.MAX_PAUSE, 4)
    return [f"PA {number(ranges.MAX_PAUSE)}"] * whole + ([f"PA {number(rest)}"] if rest > 0 else [])


def _readings(
    b: B1500A, channel: B1500AChannel, watch: Watch, ramp: float, abort_above: float | None, reading: float
) -> tuple[list[Elements], str]:
    """Readings as they come, and why the bias was left early ("": it was not)."""
    parts: list[Elements] = []
    if not watch.points:
        return parts, ""
    for part in b.stream(watch.points, 2, ramp + watch.first + reading, watch.interval + reading):
        parts.append(part)
        if abort_above is not None and exceeds(part, channel.slot, abort_above):
            b.abort()
            amps, _ = part.readings("I", channel.slot)
            parts += b.rest(2)
            largest = np.max(np.abs(amps))
            said = f"{largest:g} A" if np.isfinite(largest) else "a current beyond the range"
            return parts, f"{said} into SMU {channel.slot}, more than {abort_above:g} A"
    return parts, ""


def _leave(b: B1500A, channel: B1500AChannel, compliance: float, ramp: float) -> None:
    """Ramp down from wherever AB left the output; what waited behind the measurement may have been discarded."""
    try:
        present = channel.reported().level
        if present:
            b.queue(_ramp(channel, present, compliance, ramp, range(ranges.ramp_steps(ramp) - 1, -1, -1)))
    except pyvisa.Error:
        channel.isolate()
        raise


def _discharge(b: B1500A, channel: B1500AChannel) -> None:
    """Wait until the output has reached 0 V: with a small compliance it is long on its way (F20)."""
    for _ in range(_MOST_POLLS):
        if not b.limited(channel.slot):
            return
        b.clock.sleep(_POLL)
