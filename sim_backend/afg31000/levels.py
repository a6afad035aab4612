"""Voltages: amplitude, offset, high, low, their limits and the assumed load (reference afg31000 sec. 8).

Functions take the settings of a channel and give the new ones; arguments are volts as shown for the assumed load.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sim_backend.afg31000.limits import Arbiter
from sim_backend.afg31000.models import AMPLITUDE_MIN, Model
from sim_backend.afg31000.options import AfgOptions
from sim_backend.afg31000.settings import ChannelSettings
from sim_backend.scpi import ScpiError

RMS = {"SIN": 1 / (2 * math.sqrt(2)), "RAMP": 1 / (2 * math.sqrt(3)), "SQU": 0.5, "PULS": 0.5}
"""Vrms per Vpp; the other shapes have neither Vrms nor dBm."""
_MILLIWATT = 1e-3
_TIDY = 12
"""Decimals of stored volts: keeps rounding errors of the load factor out of the output."""


@dataclass(frozen=True)
class Levels:
    """The rules for voltages of one instrument."""

    model: Model
    options: AfgOptions
    arbiter: Arbiter

    def high_bounds(self, channel: ChannelSettings) -> tuple[float, float]:
        """Lowest and highest HIGH, shown."""
        floor = channel.limit_low if self._pushes else channel.low
        ceiling = min(channel.limit_high, channel.low + self._largest(channel))
        return (floor + AMPLITUDE_MIN) * channel.shown, ceiling * channel.shown

    def low_bounds(self, channel: ChannelSettings) -> tuple[float, float]:
        """Lowest and highest LOW, shown."""
        ceiling = channel.limit_high if self._pushes else channel.high
        floor = max(channel.limit_low, channel.high - self._largest(channel))
        return floor * channel.shown, (ceiling - AMPLITUDE_MIN) * channel.shown

    def amplitude_bounds(self, channel: ChannelSettings) -> tuple[float, float]:
        """Smallest and largest amplitude at the present offset, Vpp shown."""
        room = 2 * min(channel.limit_high - channel.offset, channel.offset - channel.limit_low)
        return AMPLITUDE_MIN * channel.shown, min(room, self._largest(channel)) * channel.shown

    def offset_bounds(self, channel: ChannelSettings) -> tuple[float, float]:
        """Lowest and highest offset at the present amplitude (DC: without one), shown."""
        half = 0.0 if channel.shape == "DC" else channel.amplitude / 2
        return (channel.limit_low + half) * channel.shown, (channel.limit_high - half) * channel.shown

    def set_high(self, channel: ChannelSettings, value: float) -> ChannelSettings:
        """HIGH moves, LOW stays unless it is in the way."""
        high = self._emf(channel, value, self.high_bounds(channel), "high level")
        return self.fit(self._span(channel, min(channel.low, high - AMPLITUDE_MIN), high))

    def set_low(self, channel: ChannelSettings, value: float) -> ChannelSettings:
        """LOW moves, HIGH stays unless it is in the way."""
        low = self._emf(channel, value, self.low_bounds(channel), "low level")
        return self.fit(self._span(channel, low, max(channel.high, low + AMPLITUDE_MIN)))

    def set_amplitude(self, channel: ChannelSettings, value: float, unit: str) -> ChannelSettings:
        """Amplitude in ``unit`` (VPP, VRMS, DBM); the offset stays."""
        vpp = self.to_vpp(channel, value, unit)
        amplitude = self._emf(channel, vpp, self.amplitude_bounds(channel), "amplitude")
        return self._span(channel, channel.offset - amplitude / 2, channel.offset + amplitude / 2)

    def set_offset(self, channel: ChannelSettings, value: float) -> ChannelSettings:
        """Offset; the amplitude stays."""
        offset = self._emf(channel, value, self.offset_bounds(channel), "offset")
        half = channel.amplitude / 2
        return self._span(channel, offset - half, offset + half)

    def set_limit(self, channel: ChannelSettings, value: float, upper: bool) -> ChannelSettings:
        """VOLTage:LIMit:HIGH (``upper``) or :LOW, shown."""
        window = self.model.window
        if upper:
            bounds = ((channel.limit_low + AMPLITUDE_MIN) * channel.shown, window * channel.shown)
            limited = replace(channel, limit_high=self._emf(channel, value, bounds, "upper limit"))
        else:
            bounds = (-window * channel.shown, (channel.limit_high - AMPLITUDE_MIN) * channel.shown)
            limited = replace(channel, limit_low=self._emf(channel, value, bounds, "lower limit"))
        fitted = self.fit(limited)
        if fitted != limited and self.options.limit_beyond_level == "reject":
            raise ScpiError(-221, "levels are outside that limit")
        return fitted

    def set_load(self, channel: ChannelSettings, ohms: float) -> ChannelSettings:
        """Assumed load; inf: open."""
        changed = replace(channel, load=ohms)
        if self.options.load_change_keeps == "emf":
            return changed
        ratio = channel.shown / changed.shown
        window = self.model.window
        top = min(max(round(channel.limit_high * ratio, _TIDY), AMPLITUDE_MIN - window), window)
        bottom = min(max(round(channel.limit_low * ratio, _TIDY), -window), top - AMPLITUDE_MIN)
        kept = self._span(changed, channel.low * ratio, channel.high * ratio)
        return self.fit(replace(kept, limit_high=top, limit_low=bottom))

    def fit(self, channel: ChannelSettings) -> ChannelSettings:
        """Levels cut off at the limits; an amplitude that is still too large shrinks about its middle."""
        top, bottom = channel.limit_high, channel.limit_low
        if channel.shape == "DC":
            moved = min(max(channel.offset, bottom), top) - channel.offset
            return self._span(channel, channel.low + moved, channel.high + moved) if moved else channel
        low = min(max(channel.low, bottom), top - AMPLITUDE_MIN)
        high = min(max(channel.high, low + AMPLITUDE_MIN), top)
        excess = max(0.0, high - low - self._largest(channel)) / 2
        if (low, high, excess) == (channel.low, channel.high, 0.0):
            return channel
        return self._span(channel, low + excess, high - excess)

    def to_vpp(self, channel: ChannelSettings, value: float, unit: str) -> float:
        """Vpp shown of an amplitude in ``unit``."""
        if unit == "VPP":
            return value
        factor = self.rms_factor(channel)
        if unit == "DBM":
            value = math.sqrt(10 ** (min(value, 100.0) / 10) * _MILLIWATT * self._dbm_load(channel))
        return value / factor

    def amplitude_shown(self, channel: ChannelSettings, vpp: float) -> float:
        """``vpp`` (shown) in the unit of VOLTage:UNIT."""
        if channel.unit == "VPP":
            return vpp
        rms = vpp * self.rms_factor(channel)
        if channel.unit == "VRMS":
            return rms
        return 10 * math.log10(rms**2 / (self._dbm_load(channel) * _MILLIWATT))

    def rms_factor(self, channel: ChannelSettings) -> float:
        """Vrms per Vpp of the shape; -221 when it has none."""
        if channel.shape not in RMS:
            raise ScpiError(-221, f"{channel.shape} has no Vrms")
        return RMS[channel.shape]

    def check_unit(self, channel: ChannelSettings, unit: str) -> None:
        """Whether amplitudes of this channel can be told in ``unit``; -221 if not."""
        if unit != "VPP":
            self.rms_factor(channel)
        if unit == "DBM":
            self._dbm_load(channel)

    def _dbm_load(self, channel: ChannelSettings) -> float:
        if not math.isinf(channel.load):
            return channel.load
        if self.options.dbm_into_open == "reject":
            raise ScpiError(-221, "dBm with load INF")
        return 50.0

    @property
    def _pushes(self) -> bool:
        return self.options.low_above_high == "push"

    def _largest(self, channel: ChannelSettings) -> float:
        return self.model.largest_amplitude(channel.frequency)

    def _emf(self, channel: ChannelSettings, shown: float, bounds: tuple[float, float], what: str) -> float:
        grid = self.options.amplitude_resolution
        if grid:
            shown = round(shown / grid) * grid if math.isfinite(shown) else shown
        return self.arbiter.admit(shown, *bounds, what) / channel.shown

    @staticmethod
    def _span(channel: ChannelSettings, low: float, high: float) -> ChannelSettings:
        return replace(channel, low=round(low, _TIDY), high=round(high, _TIDY))
