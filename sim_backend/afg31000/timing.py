"""Frequency, period and the times of a pulse (reference afg31000 sec. 6, 7).

Frequency and period are one quantity; width and duty another. HOLD decides which of the latter answers to the
former. Functions take the settings of a channel and give the new ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sim_backend.afg31000.limits import Arbiter
from sim_backend.afg31000.models import DUTY, PULSE_EDGE_MAX, PULSE_WIDTH_MAX, Model
from sim_backend.afg31000.options import AfgOptions
from sim_backend.afg31000.settings import ARBITRARY, NO_BURST, NO_SWEEP, ChannelSettings
from sim_backend.scpi import ScpiError

_WIDTH_PER_EDGES = 0.625
_REST_PER_EDGES = 0.8
_SLACK = 1e-9


@dataclass(frozen=True)
class Timing:
    """The rules for times of one instrument."""

    model: Model
    options: AfgOptions
    arbiter: Arbiter

    @property
    def min_edge(self) -> float:
        """Shortest edge, s."""
        given = self.options.minimum_edge
        return self.model.min_edge if given is None else given

    def frequency_bounds(self, channel: ChannelSettings) -> tuple[float, float]:
        """Hz, for the shape and run mode of the channel."""
        low, high = self.model.frequency_bounds(channel.shape)
        return (max(low, 1e-3), high * self.options.burst_frequency_factor) if channel.burst else (low, high)

    def set_frequency(self, channel: ChannelSettings, hertz: float) -> ChannelSettings:
        """-222 out of range, -221 in Sweep mode."""
        self._not_sweeping(channel)
        hertz = self.arbiter.admit(float(f"{hertz:.12g}"), *self.frequency_bounds(channel), "frequency")
        return self._retime(channel, hertz, 1 / hertz)

    def set_period(self, channel: ChannelSettings, seconds: float) -> ChannelSettings:
        """As ``set_frequency``, s."""
        self._not_sweeping(channel)
        low, high = self.frequency_bounds(channel)
        seconds = self.arbiter.admit(seconds, 1 / high, 1 / low, "period")
        return self._retime(channel, 1 / seconds, seconds)

    def set_shape(self, channel: ChannelSettings, shape: str) -> ChannelSettings:
        """Another shape: run modes that it does not know end, and the frequency comes into its range."""
        changed = replace(
            channel,
            shape=shape,
            burst=channel.burst and shape not in NO_BURST,
            mode="CW" if shape in NO_SWEEP else channel.mode,
        )
        low, high = self.frequency_bounds(changed)
        if not low <= channel.frequency <= high:
            hertz = min(max(channel.frequency, low), high)
            changed = replace(changed, frequency=hertz, period=1 / hertz)
        return self._settle(changed, strict=False)

    def set_burst(self, channel: ChannelSettings, on: bool) -> ChannelSettings:
        """Burst mode; -221 where the shape or the frequency has none."""
        if on and channel.shape in NO_BURST:
            raise ScpiError(-221, f"{channel.shape} has no burst")
        changed = replace(channel, burst=on, mode="CW" if on else channel.mode)
        if on:
            low, high = self.frequency_bounds(changed)
            if not low <= channel.frequency <= high * (1 + _SLACK):
                raise ScpiError(-221, "frequency too high or too low for burst")
        return self._settle(changed, strict=on and channel.shape == "PULS")

    def set_mode(self, channel: ChannelSettings, mode: str) -> ChannelSettings:
        """CW or SWE; a sweep ends a burst; -221 where the shape has no sweep."""
        if mode == "SWE" and channel.shape in (*NO_SWEEP, *ARBITRARY):
            raise ScpiError(-221, f"{channel.shape} has no sweep")
        return replace(channel, mode=mode, burst=channel.burst and mode == "CW")

    def set_width(self, channel: ChannelSettings, seconds: float) -> ChannelSettings:
        """Width at 50 %; the duty follows. -222 beyond the model, -221 where period or edges are in the way."""
        seconds = self.arbiter.admit(seconds, *self.width_bounds(), "width")
        changed = replace(channel, width=seconds, duty=100 * seconds / channel.period)
        return self._settle(changed, self._rejects)

    def set_duty(self, channel: ChannelSettings, percent: float) -> ChannelSettings:
        """Duty, %; the width follows."""
        percent = self.arbiter.admit(percent, *DUTY, "duty")
        changed = replace(channel, duty=percent, width=channel.period * percent / 100)
        return self._settle(changed, self._rejects)

    def set_edges(
        self, channel: ChannelSettings, leading: float | None = None, trailing: float | None = None
    ) -> ChannelSettings:
        """Edge times, s; None leaves one as it is."""
        times = [
            old if new is None else self.arbiter.admit(new, *self.edge_bounds(), "edge")
            for new, old in ((leading, channel.leading), (trailing, channel.trailing))
        ]
        return self._settle(replace(channel, leading=times[0], trailing=times[1]), self._rejects)

    def set_delay(self, channel: ChannelSettings, seconds: float) -> ChannelSettings:
        """Lead delay, s."""
        seconds = self.arbiter.admit(seconds, 0.0, channel.period, "delay")
        return self._settle(replace(channel, delay=seconds), self._rejects)

    def width_bounds(self) -> tuple[float, float]:
        return self.model.min_width, PULSE_WIDTH_MAX

    def edge_bounds(self) -> tuple[float, float]:
        return self.min_edge, PULSE_EDGE_MAX

    def edges(self, channel: ChannelSettings) -> tuple[float, float]:
        """Leading and trailing edge from level to level, s."""
        span = self.options.edge_span
        return channel.leading / span, channel.trailing / span

    def length(self, channel: ChannelSettings) -> float:
        """Pulse from foot to foot, s."""
        return channel.width + sum(self.edges(channel)) / 2

    @property
    def _rejects(self) -> bool:
        return self.options.pulse_conflict == "reject"

    def _retime(self, channel: ChannelSettings, hertz: float, seconds: float) -> ChannelSettings:
        if channel.amplitude > self.model.largest_amplitude(hertz) * (1 + _SLACK) and channel.shape != "DC":
            raise ScpiError(-221, "amplitude too large for that frequency")
        changed = replace(channel, frequency=hertz, period=seconds)
        if channel.hold == "DUTY":
            changed = replace(changed, width=seconds * channel.duty / 100)
        else:
            changed = replace(changed, duty=100 * channel.width / seconds)
        return self._settle(changed, self._rejects and channel.shape == "PULS")

    def _settle(self, channel: ChannelSettings, strict: bool) -> ChannelSettings:
        """Width, edges and delay that fit the period: -221 (``strict``), or made to fit."""
        shortest, longest = self._width_room(channel)
        if not shortest * (1 - _SLACK) <= channel.width <= longest * (1 + _SLACK):
            if strict:
                raise ScpiError(-221, "pulse width with edges and period")
            if shortest > longest:
                channel = replace(channel, leading=self.min_edge, trailing=self.min_edge)
                shortest, longest = self._width_room(channel)
            width = min(max(channel.width, shortest), longest)
            channel = replace(channel, width=width, duty=100 * width / channel.period)
        latest = self._latest(channel)
        if channel.delay > latest * (1 + _SLACK):
            if strict:
                raise ScpiError(-221, "pulse delay with width and period")
            channel = replace(channel, delay=max(latest, 0.0))
        return channel

    def _width_room(self, channel: ChannelSettings) -> tuple[float, float]:
        edges = channel.leading + channel.trailing
        period = channel.period
        shortest = max(self.model.min_width, _WIDTH_PER_EDGES * edges, period * DUTY[0] / 100)
        return shortest, min(PULSE_WIDTH_MAX, period - _REST_PER_EDGES * edges, period * DUTY[1] / 100)

    def _latest(self, channel: ChannelSettings) -> float:
        """Longest delay: in burst the pulse must end before the next period begins."""
        bursts = channel.burst and channel.shape == "PULS"
        return channel.period - self.length(channel) if bursts else channel.period

    def _not_sweeping(self, channel: ChannelSettings) -> None:
        if channel.mode == "SWE":
            raise ScpiError(-221, "frequency in Sweep mode")
