"""From the settings of a channel to what its generator has to do in Basic mode."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi

import numpy as np

from sim_backend.afg31000 import shapes
from sim_backend.afg31000.memory import Memories
from sim_backend.afg31000.options import AfgOptions
from sim_backend.afg31000.settings import ARBITRARY, NO_PHASE, ChannelSettings
from sim_backend.afg31000.shapes import Shape
from sim_backend.afg31000.timing import Timing
from sim_backend.circuit import Waveform
from sim_backend.draws import Draws


@dataclass(frozen=True)
class Program:
    """What a channel plays: one period between its levels (V of EMF), and how it is let go."""

    run_mode: str
    shape: Shape
    period: float
    low: float
    high: float
    inverted: bool
    cycles: float
    delay: float
    idle: str
    gated: bool

    @property
    def timing(self) -> tuple[object, ...]:
        """What must stay the same for a running waveform to go on at new levels."""
        return self.run_mode, self.gated, self.period, self.cycles, self.delay

    def level(self, y: float) -> float:
        """EMF (V) of a point of the shape."""
        base, peak = (self.high, self.low) if self.inverted else (self.low, self.high)
        return base * (1 - y) + peak * y

    def idle_level(self, ran: bool) -> float:
        """EMF (V) between bursts; ``ran``: a burst has been played, without which END shows the first point."""
        if self.idle == "DC":
            return (self.low + self.high) / 2
        return self.level(self.shape.last if self.idle == "END" and ran else self.shape.first)

    @cached_property
    def waveform(self) -> Waveform:
        """One period, idling afterwards."""
        return self.waveform_of(self.period)

    def waveform_of(self, period: float) -> Waveform:
        """One period of another length (s), idling afterwards."""
        return shapes.waveform(self.shape, period, self.low, self.high, self.inverted, self.idle_level(ran=True))


class Programmer:
    """Draws programs; keeps what does not depend on levels."""

    def __init__(self, timing: Timing, options: AfgOptions, memories: Memories, draws: Draws, stream: str) -> None:
        self._timing = timing
        self._options = options
        self._memories = memories
        self._draws = draws
        self._stream = stream
        self._kept: dict[int, tuple[tuple[object, ...], Shape]] = {}

    def program(self, channel: ChannelSettings, number: int) -> Program:
        """Program of channel ``number`` (1, 2)."""
        idle = channel.idle
        if idle == "OFF":
            idle = "DC" if self._options.idle_off == "offset" else "START"
        return Program(
            run_mode=channel.run_mode,
            shape=self._shape(channel, number),
            period=self._period(channel),
            low=channel.low,
            high=channel.high,
            inverted=channel.polarity == "INV",
            cycles=channel.cycles,
            delay=channel.burst_delay,
            idle=idle,
            gated=channel.burst_mode == "GAT",
        )

    def _period(self, channel: ChannelSettings) -> float:
        if channel.shape == "PRN":
            return self._options.noise_points / (2 * self._timing.model.sine)
        return channel.period

    def _shape(self, channel: ChannelSettings, number: int) -> Shape:
        """The shape, drawn anew only when something that it depends on has changed."""
        key = (
            channel.shape, channel.period, channel.width, channel.leading, channel.trailing, channel.delay,
            channel.symmetry, channel.phase, channel.file, self._memories.version,
        )  # fmt: skip
        kept = self._kept.get(number)
        if kept is None or kept[0] != key:
            shape = self._draw(channel, number)
            if channel.phase and channel.shape not in NO_PHASE:
                shape = shape.rotated(channel.phase / (2 * pi))
            self._kept[number] = kept = (key, shape)
        return kept[1]

    def _draw(self, channel: ChannelSettings, number: int) -> Shape:
        name = channel.shape
        if name == "DC":
            return Shape((1.0,), (0.5,), (0.5,))
        if name == "PULS":
            leading, trailing = self._timing.edges(channel)
            return shapes.trapezoid(channel.period, channel.width, leading, trailing, channel.delay)
        if name == "SQU":
            edge = min(self._timing.min_edge / self._options.edge_span, channel.period / 4)
            return shapes.trapezoid(channel.period, channel.period / 2, edge, edge)
        if name == "PRN":
            events = np.arange(self._options.noise_points, dtype=np.int64)
            return shapes.noise(self._draws.normal(f"{self._stream}.noise", number, events))
        if name in ARBITRARY:
            codes = self._memories.file_codes(channel.file) if name == "EFIL" else self._memories.codes(number)
            clip = self._options.full_scale == "clip"
            return shapes.record(codes, channel.frequency, self._timing.model, clip)
        return shapes.function(name, self._options, channel.symmetry)
