"""Measurement mode, sampling, triggers (reference b1500a sec. 8, 9, 9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim_backend.b1500a import settings
from sim_backend.b1500a.commands.table import command, one_of, within
from sim_backend.b1500a.errors import FlexError
from sim_backend.b1500a.settings import TwoLevelSource
from sim_backend.tasks import Steps

if TYPE_CHECKING:
    from sim_backend.b1500a.instrument import SimulatedB1500A

_MOST_CHANNELS = 10
_MOST_DATA = 100_001
_FAST = 2e-3  # s, intervals below it have a finer grid
_LEAST_INTERVAL, _PER_CHANNEL = 100e-6, 20e-6
_MOST_PAUSE = 99.9999
_LOG_DECADES = 11
_LOG_DENSITY = {2: 10, 3: 25, 4: 50, 5: 100, 6: 250, 7: 500}
_ROUNDING = 1e-9


@command("MM", "i", rest="c")
def mode(b: SimulatedB1500A, chosen: int, *channels: int) -> None:
    one_of(chosen, settings.MODES)
    if chosen in settings.CMU_MODES and not b.has_cmu:
        raise FlexError(120)
    if chosen not in settings.CMU_MODES:
        for channel in channels:
            b.smu(channel)
    wanted = {True: 1}.get(chosen in settings.ONE_CHANNEL, _MOST_CHANNELS)
    fewest = 0 if chosen in settings.NO_CHANNEL or chosen in settings.UNDOCUMENTED_MODES else 1
    if not fewest <= len(channels) <= wanted or (chosen in settings.NO_CHANNEL and channels):
        raise FlexError(122)
    b.setup.mode, b.setup.channels = chosen, channels


@command("XE")
def execute(b: SimulatedB1500A) -> Steps[None]:
    return b.measure()


@command("TM", "i")
def trigger_mode(b: SimulatedB1500A, chosen: int) -> None:
    b.setup.trigger_mode = one_of(chosen, (1, 2, 3, 4))


@command("PA", "", "n")
def pause(b: SimulatedB1500A, seconds: float | None = None) -> Steps[None]:
    """Pause; without a time until a trigger."""
    if seconds is not None:
        within(seconds, 0.0, _MOST_PAUSE)
    return b.pause(seconds)


@command("AB")
def abort(b: SimulatedB1500A) -> None:
    """Nothing runs when this is reached in turn; what runs is stopped as soon as the line arrives."""


@command("ML", "i")
def spacing(b: SimulatedB1500A, chosen: int) -> None:
    b.setup.spacing = one_of(chosen, (1, *_LOG_DENSITY))


@command("MT", "nni", "n")
def sampling_timing(b: SimulatedB1500A, hold_bias: float, interval: float, number: int, hold_base: float = 0.0) -> None:
    channels = max(1, len(b.setup.channels))
    within(interval, _LEAST_INTERVAL, 65.535)
    if interval < _FAST - _ROUNDING:
        within(interval, _LEAST_INTERVAL + _PER_CHANNEL * (channels - 1) - _ROUNDING, _FAST)
        interval = round(interval / 1e-5) * 1e-5
    else:
        interval = int(interval / 1e-3 + 1e-6) * 1e-3
    if hold_bias < 0.0:
        if interval >= _FAST - _ROUNDING:
            raise FlexError(120)
        within(hold_bias, -0.09, -0.0001)
    else:
        within(hold_bias, 0.0, 655.35)
    density = _LOG_DENSITY.get(b.setup.spacing)
    most = _MOST_DATA // channels if density is None else 1 + density * _LOG_DECADES
    one_of(number, range(1, most + 1))
    b.setup.sampling = hold_bias, interval, number, within(hold_base, 0.0, 655.35)


def _source(header: str) -> None:
    @command(header, "cinn", "n")
    def source(
        b: SimulatedB1500A, channel: int, code: int, base: float, bias: float, compliance: float | None = None
    ) -> None:
        smu = b.smu(channel)
        smu.require_on()
        found = TwoLevelSource(header, channel, code, base, bias, compliance)
        for value in (base, bias):
            smu.plan(found.volts, code, value, compliance)
        b.setup.sampling_sources[channel] = found


for _header in ("MV", "MI"):
    _source(_header)


@command("MCC", rest="c")
def forget_sources(b: SimulatedB1500A, *channels: int) -> None:
    for channel in channels or tuple(b.setup.sampling_sources):
        b.setup.sampling_sources.pop(channel, None)
        b.setup.sampling_ends.pop(channel, None)


@command("MSC", "i", "i")
def sampling_abort(b: SimulatedB1500A, abort: int, post: int | None = None) -> None:
    b.setup.sampling_abort = one_of(abort, (1, 2))
    b.setup.sampling_post = b.setup.sampling_post if post is None else one_of(post, (1, 2))


@command("MSP", "c", "nn")
def sampling_end(b: SimulatedB1500A, channel: int, post: float | None = None, base: float | None = None) -> None:
    """Output value of a channel after sampling, and its base."""
    b.smu(channel)
    if post is None:
        b.setup.sampling_ends.pop(channel, None)
    else:
        b.setup.sampling_ends[channel] = post, base
