"""Plays the sequence table on both outputs (reference afg31000 sec. 12).

Both channels share clock, run mode, triggers and sequence. Not in the reference, and chosen here: while an element
waits, the last level holds; a jump acts at once; CONTinuous, TRIGgered and GATed play element 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

import numpy as np

from sim_backend.afg31000 import shapes
from sim_backend.afg31000.advanced import Advanced, Element
from sim_backend.afg31000.generator import UNROLLED, Generator, chain
from sim_backend.afg31000.models import Model
from sim_backend.afg31000.options import AfgOptions
from sim_backend.afg31000.output import Output
from sim_backend.afg31000.settings import ChannelSettings, Settings
from sim_backend.circuit import Waveform
from sim_backend.clock import Clock, Event

_LOCKED_AMPLITUDE = 1.0
"""Basic-mode amplitude (Vpp of EMF, 500 mVpp into 50 ohm) up to which gotcha 13 locks."""


class Sequencer:
    """The Advanced mode of one instrument: off, stopped, or running at an element."""

    def __init__(
        self,
        model: Model,
        options: AfgOptions,
        clock: Clock,
        outputs: Sequence[Output],
        generators: Sequence[Generator],
        settings: Callable[[], Settings],
    ) -> None:
        self._model = model
        self._options = options
        self._clock = clock
        self._outputs = outputs
        self._generators = generators
        self._settings = settings
        self.table = Advanced(model.channels, model.sequence_rate)
        self.active = False
        self.running = False
        self._at = 0
        self._waiting = False
        self._runs = 0
        self._drawn: dict[tuple[object, ...], Waveform] = {}
        self._event: Event | None = None
        self._ticker: Event | None = None

    def switch(self, on: bool) -> None:
        """SEQControl:STATe: hand the outputs from one mode to the other."""
        if on == self.active:
            return
        self.stop()
        self.active = on
        self._runs = 0
        for generator in self._generators:
            if on:
                generator.release()
            else:
                generator.take()

    def reset(self) -> None:
        """SEQControl:RESet, *RST: Basic mode, everything empty."""
        self.switch(False)
        self.table = Advanced(self._model.channels, self._model.sequence_rate)

    def check(self) -> None:
        """Whether ``run`` can be told to; ScpiError if not."""
        self.table.validate()

    def run(self) -> None:
        """Start at element 1."""
        self.stop()
        self.running = True
        self._runs += 1
        self._drawn.clear()
        self._at = 0
        if not self._lay_out():
            self._tick_later()
            self._enter(0)

    def stop(self) -> None:
        """Stop where it is: the level of now holds at the first point of the element."""
        for event in (self._event, self._ticker):
            if event is not None:
                self._clock.cancel(event)
        self._event = self._ticker = None
        if self.running:
            self._hold_first(self.table.elements[self._at])
        self.running = self._waiting = False

    def event(self, kind: str, level: bool = True) -> bool:
        """A trigger: BUS (*TRG, which also serves MANual), EXT with its edge, TIM. Whether it did something."""
        if not self.running:
            return False
        element = self.table.elements[self._at]
        if self.table.run_mode == "TRIG":
            if self._waiting and kind != "TIM":
                self._play(element, element.loops)
                return True
            return False
        if self.table.run_mode != "SEQ":
            return False
        if self._waiting:
            if self._matches(kind, level, element.wait_event, element.wait_slope):
                self._play(element, inf if element.infinite else element.loops)
                return True
        elif element.jump_type != "OFF" and self._matches(kind, level, element.jump_event, element.jump_slope):
            self._enter(element.jump_index - 1 if element.jump_type == "IND" else self._at + 1)
            return True
        return False

    def external(self, level: bool) -> None:
        """An edge on the trigger input."""
        if self.running and self.table.run_mode == "GAT":
            element = self.table.elements[self._at]
            if level == (self._settings().trigger_slope == "POS"):
                self._play(element, inf)
            else:
                self._wait(element)
        else:
            self.event("EXT", level)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _enter(self, index: int) -> None:
        """Go to an element (0-based); beyond the last: as the option says."""
        if index >= len(self.table.elements):
            if self._options.sequence_end == "stop":
                self.stop()
                return
            index = 0
        self._at = index
        element = self.table.elements[index]
        if self.table.run_mode == "CONT":
            self._play(element, inf)
        elif self.table.run_mode != "SEQ":
            self._wait(element)
        elif element.wait:
            self._waiting = True
            self._cancel()
        else:
            self._play(element, inf if element.infinite else element.loops)

    def _play(self, element: Element, loops: float) -> None:
        self._waiting = False
        now = self._clock.now
        period = 0.0
        for number, name in enumerate(element.waveforms[: self._model.channels], start=1):
            if not name or self._is_deaf(number):
                continue
            waveform = self._waveform(number, name)
            period = waveform.period
            self._outputs[number - 1].play(waveform, loops, now + self._lag(number))
        self._cancel()
        if loops < inf:
            self._event = self._clock.call_at(now + loops * period, self._played)

    def _played(self) -> None:
        self._event = None
        element = self.table.elements[self._at]
        if self.table.run_mode == "SEQ":
            self._enter(element.goto_index - 1 if element.goto else self._at + 1)
        else:
            self._wait(element)

    def _wait(self, element: Element) -> None:
        self._cancel()
        self._waiting = True
        self._hold_first(element)

    def _hold_first(self, element: Element) -> None:
        for number, name in enumerate(element.waveforms[: self._model.channels], start=1):
            if name:
                self._outputs[number - 1].hold(self._waveform(number, name).starts[0])

    def _is_deaf(self, number: int) -> bool:
        """Gotcha 11: channel 2 after a second RUN, in modes that are triggered."""
        second = self._options.second_run == "ch2_deaf" and self._runs > 1
        return second and number == 2 and self.table.run_mode != "CONT"

    def _lay_out(self) -> bool:
        """Play a sequence that nothing can interrupt as one periodic waveform; False if there is no such one."""
        elements = self.table.elements
        ends_at_start = elements[-1].goto and elements[-1].goto_index == 1
        if self.table.run_mode != "SEQ" or not (ends_at_start or self._options.sequence_end == "restart"):
            return False
        free = all(not (e.wait or e.infinite) and e.jump_type == "OFF" for e in elements)
        if not free or any(e.goto for e in elements[:-1]) or (elements[-1].goto and not ends_at_start):
            return False
        whole = []
        for number in range(1, self._model.channels + 1):
            names = [e.waveforms[number - 1] for e in elements]
            if not any(names):
                continue
            if not all(names):
                return False
            parts = [(self._waveform(number, n), e.loops) for n, e in zip(names, elements, strict=True)]
            if sum(len(part.durations) * loops for part, loops in parts) > UNROLLED:
                return False
            whole.append((number, chain(parts)))
        for number, waveform in whole:
            self._outputs[number - 1].play(waveform, inf, self._clock.now + self._lag(number))
        return True

    def _lag(self, number: int) -> float:
        """SEQControl:DELay: positive holds channel 2 back, negative channel 1."""
        return max(0.0, self.table.skew if number == 2 else -self.table.skew)

    def _waveform(self, number: int, name: str) -> Waveform:
        """A waveform of the list at the present scale, offset and rate."""
        table, channel = self.table, self._settings().channels[number - 1]
        key = (number, name, table.scale[number - 1], table.offset[number - 1], table.rate, channel)
        if key not in self._drawn:
            self._drawn[key] = self._draw(number, name, channel)
        return self._drawn[key]

    def _draw(self, number: int, name: str, channel: ChannelSettings) -> Waveform:
        """EMF of a waveform of the list: held samples, runs merged."""
        file = self.table.find(name)
        half = self._half_span(channel, file.amplitude, self.table.scale[number - 1])
        offset = self.table.offset[number - 1] / channel.shown
        levels = np.clip(offset + half * file.samples, channel.limit_low, channel.limit_high)
        shape = shapes.held(levels)
        period = len(levels) / self.table.rate
        lasts = tuple(duration * period for duration in shape.durations)
        return Waveform(lasts, shape.starts, shape.ends, shape.ends[-1])

    def _half_span(self, channel: ChannelSettings, amplitude: float, scale: float) -> float:
        if self._options.amplitude_lock and channel.amplitude <= _LOCKED_AMPLITUDE:
            return channel.amplitude / 2
        return amplitude / 2 * scale / 100 / channel.shown

    def _matches(self, kind: str, level: bool, wanted: str, slope: str) -> bool:
        if kind == "EXT":
            return wanted == "EXT" and level == (slope == "POS")
        return kind == wanted or (kind == "BUS" and wanted == "MAN")

    def _tick_later(self) -> None:
        """The jump and wait timer, where an element listens to it."""
        events = {e.wait_event for e in self.table.elements if e.wait}
        events |= {e.jump_event for e in self.table.elements if e.jump_type != "OFF"}
        if self.table.run_mode == "SEQ" and "TIM" in events:
            self._ticker = self._clock.call_at(self._clock.now + self.table.timer, self._tick)

    def _tick(self) -> None:
        self._tick_later()
        self.event("TIM")

    def _cancel(self) -> None:
        if self._event is not None:
            self._clock.cancel(self._event)
            self._event = None
