"""The simulated AFG31000: settings, and the hardware that follows them (reference afg31000)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sim_backend.afg31000.commands import command_table
from sim_backend.afg31000.generator import Generator, Timer
from sim_backend.afg31000.levels import RMS, Levels
from sim_backend.afg31000.limits import Arbiter
from sim_backend.afg31000.memory import Memories
from sim_backend.afg31000.models import find_model
from sim_backend.afg31000.options import AfgOptions
from sim_backend.afg31000.output import Output
from sim_backend.afg31000.program import Programmer
from sim_backend.afg31000.replies import Replies
from sim_backend.afg31000.sequencer import Sequencer
from sim_backend.afg31000.settings import ChannelSettings, Settings, defaults
from sim_backend.afg31000.setups import Setups
from sim_backend.afg31000.timing import Timing
from sim_backend.context import InstrumentContext
from sim_backend.scpi import ErrorQueue, ScpiError, Session, Status
from sim_backend.scpi.errors import standard_event_bit

_QUEUE_SIZE = 64
_COMPLETE = -800
_OPERATION_SWEEPING = 1 << 3
_OPERATION_WAITING = 1 << 5

Change = Callable[[ChannelSettings], ChannelSettings]


class SimulatedAFG31000:
    """One AFG31000 on the bench, as the VISA layer sees it (``sim_backend.context.SimulatedInstrument``).

    Settings are immutable values; ``apply`` is the only way to new ones, and makes the outputs follow. Sources are
    told to the circuit as an EMF behind 50 ohm, or as an open relay.
    """

    def __init__(self, context: InstrumentContext) -> None:
        self.name = context.name
        self.clock = context.clock
        self.options = AfgOptions.build(context.options)
        self.model = find_model(context.model or "AFG31052")
        self.serial = context.serial or "C000001"
        self.status = Status(ErrorQueue(_QUEUE_SIZE, self.options.error_detail))
        self.arbiter = Arbiter(self.options.out_of_range == "clamp", self.status.report)
        self.levels = Levels(self.model, self.options, self.arbiter)
        self.timing = Timing(self.model, self.options, self.arbiter)
        self.replies = Replies(self.options)
        self.memories = Memories()
        self.setups = Setups()
        self.settings = defaults(self.model, self.options)
        self.power_on_clear = True
        self._lines = context.lines
        self._trigger_line = f"{self.name}.trigger"
        self._deaf = False
        self._timer_epoch = self.clock.now
        self._on_complete: list[Callable[[], None]] = []
        self._held = False  # the parser waits for bursts
        self._outputs = [
            Output(context.ports.get(str(n)), self.clock, self.options.output_on_time)
            for n in range(1, self.model.channels + 1)
        ]
        self._generators = [Generator(output, self.clock, self.options, self._changed) for output in self._outputs]
        self._programmer = Programmer(self.timing, self.options, self.memories, context.draws, self.name)
        self.sequencer = Sequencer(
            self.model, self.options, self.clock, self._outputs, self._generators, lambda: self.settings
        )
        self.protected = True
        self.session = Session(
            command_table(self),
            self.status,
            keep_unread=self.options.unread_reply == "keep",
            suffix_error=self.options.missing_channel if self.model.channels == 1 else -114,
        )
        self._lines.listen(self._trigger_line, self._external)
        self._switch_on()

    # -- the VISA layer ---------------------------------------------------------------------------------------------

    def write(self, data: bytes, end: bool) -> None:
        """Bytes from the controller."""
        self.session.write(data, end)
        if self.options.command_time and not self.session.busy:
            self.busy(self.options.command_time)

    def read(self, count: int) -> tuple[bytes, bool]:
        """Next bytes of the output queue, and END."""
        return self.session.read(count)

    def pending(self) -> bool:
        """Message available."""
        return self.session.pending()

    def status_byte(self) -> int:
        """Status byte; bit 6 is the master summary."""
        return self.status.byte(self.session.pending())

    def clear(self) -> None:
        """Device clear: the parser starts anew; settings, outputs and errors stay."""
        self.session.clear()
        self._let_go()

    def trigger(self) -> None:
        """Group execute trigger: as *TRG."""
        try:
            self.fire()
        except ScpiError as error:
            self.status.report(error.code, error.detail)

    # -- settings ---------------------------------------------------------------------------------------------------

    def channel(self, number: int) -> ChannelSettings:
        """Settings of channel 1 or 2."""
        return self.settings.channels[number - 1]

    def change(self, number: int, change: Change, linked: bool = False) -> None:
        """Change a channel; ``linked``: all channels alike (the CONCurrent commands). All of it or nothing."""
        channels = tuple(
            change(channel) if linked or n == number else channel
            for n, channel in enumerate(self.settings.channels, start=1)
        )
        self.apply(replace(self.settings, channels=channels))

    def alter(self, number: int, **fields: Any) -> None:
        """Change fields of a channel that have no side effects."""
        self.change(number, lambda channel: replace(channel, **fields))

    def apply(self, new: Settings) -> None:
        """Take new settings and let the hardware follow."""
        old, self.settings = self.settings, new
        same_trigger = old.trigger_source == new.trigger_source and old.trigger_period == new.trigger_period
        if not same_trigger:
            self._timer_epoch = self.clock.now
        self._note_toggle(old, new)
        for n, (before, after) in enumerate(zip(old.channels, new.channels, strict=True), start=1):
            if before == after and same_trigger:
                continue
            output = self._outputs[n - 1]
            if before.output and not after.output:
                output.switch(False)
            self._load(n)
            if after.output and not before.output:
                output.switch(True)

    def reload(self) -> None:
        """Edit memory or a file has changed: draw the waveforms anew."""
        for n in range(1, self.model.channels + 1):
            self._load(n)

    def reshape(self, channel: ChannelSettings, shape: str) -> ChannelSettings:
        """Another shape, with times, levels and unit that it knows."""
        changed = self.levels.fit(self.timing.set_shape(channel, shape))
        return changed if shape in RMS else replace(changed, unit="VPP")

    # -- what commands do -------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """*RST."""
        self.sequencer.reset()
        self.apply(defaults(self.model, self.options))
        if self.options.reset_clears_memory:
            self.memories.clear()
            self.reload()
        self.busy(self.options.reset_time)

    def recall(self, slot: int) -> None:
        """*RCL."""
        settings = self.setups.recall(slot)
        if not self.options.recall_output:
            off = tuple(replace(channel, output=False) for channel in settings.channels)
            settings = replace(settings, channels=off)
        self.apply(settings)

    def restart(self) -> None:
        """SYSTem:RESTart: as if switched off and on."""
        self.setups.save(0, self.settings)
        self.session.clear()
        self.sequencer.reset()
        self.apply(defaults(self.model, self.options))
        self.memories.clear()
        self._on_complete.clear()
        self._let_go()
        if self.power_on_clear:
            self.status.standard_enable = self.status.service_enable = 0
            self.status.preset()
        self.status.clear()
        self._switch_on()
        self.busy(self.options.restart_time)

    def fire(self) -> None:
        """*TRG, TRIGger: every channel that waits starts; -211 when none did."""
        if self.sequencer.active:
            started = self.sequencer.event("BUS")
        elif self.settings.trigger_source == "TIM":
            started = False
        else:
            # One trigger fires every channel, so each is asked.
            started = sum(generator.trigger() for generator in self._generators) > 0
        if not started and self.options.trigger_ignored_error:
            raise ScpiError(-211)

    def abort(self) -> None:
        """ABORt."""
        for generator in self._generators:
            generator.abort()

    def rearm(self, number: int) -> None:
        """BURSt:INFInite:REARm of one channel."""
        self._generators[number - 1].abort()

    def align(self) -> None:
        """PHASe:INITiate: both channels begin their period now."""
        for generator in self._generators:
            generator.restart()

    def busy(self, seconds: float) -> None:
        """Execute no further command for that long."""
        if seconds > 0:
            self.session.pause()
            self.clock.call_at(self.clock.now + seconds, self.session.resume)

    def report_complete(self) -> None:
        """*OPC: the OPC bit when operations are complete."""
        if self._incomplete():
            self._on_complete.append(self.report_complete)
            return
        self.status.standard_event |= standard_event_bit(_COMPLETE)
        if self.options.complete_event:
            self.status.report(_COMPLETE)

    def wait(self) -> None:
        """*WAI, *OPC?: hold the parser until operations are complete."""
        if self._incomplete() and not self._held:
            self._held = True
            self.session.pause()

    def load_sequence(self) -> None:
        """SEQControl:RUN: load for a while, then play."""
        # Scheduled before the end of being busy, so that *OPC? answers when the sequence runs.
        self.clock.call_at(self.clock.now + self.options.sequence_load_time, self._start_sequence)
        self.busy(self.options.sequence_load_time)

    def erase(self) -> None:
        """SYSTem:SECurity:IMMediate: defaults, and every memory empty."""
        self.setups.erase()
        self.memories.erase()
        self.reset()
        self.reload()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _switch_on(self) -> None:
        if self.setups.recall_last and self.setups.valid(0):
            self.apply(self.setups.recall(0))
        self.reload()
        if self.options.power_on_event:
            self.status.report(-500)

    def _load(self, number: int) -> None:
        channel = self.channel(number)
        timer = None
        if self.settings.trigger_source == "TIM":
            timer = Timer(self.settings.trigger_period, self._timer_epoch)
        program = self._programmer.program(channel, number)
        generator = self._generators[number - 1]
        generator.load(program, channel.sweep, timer)
        if self.settings.trigger_source == "EXT" and not self._deaf:  # a gate is a level, not an edge
            generator.gate(self._lines.level(self._trigger_line) == (self.settings.trigger_slope == "POS"))

    def _note_toggle(self, old: Settings, new: Settings) -> None:
        """Gotcha 5: after a burst is set up, the input may be deaf until the source goes TIM, EXT."""
        if not self.options.external_needs_toggle:
            return
        if any(b.burst and not a.burst for a, b in zip(old.channels, new.channels, strict=True)):
            self._deaf = True
        elif old.trigger_source == "TIM" and new.trigger_source == "EXT":
            self._deaf = False

    def _external(self, level: bool) -> None:
        """An edge on the trigger input."""
        active = level == (self.settings.trigger_slope == "POS")
        if self.sequencer.active:
            self.sequencer.external(level)
        elif self.settings.trigger_source == "EXT" and not self._deaf:
            for generator in self._generators:
                if active:
                    generator.trigger()
                generator.gate(active)

    def _incomplete(self) -> bool:
        """Whether something runs that completion waits for."""
        return self.options.opc_waits_for_burst and any(g.bursting for g in self._generators)

    def _let_go(self) -> None:
        if self._held:
            self._held = False
            self.session.resume()

    def _start_sequence(self) -> None:
        if self.sequencer.active:
            self.sequencer.run()

    def _changed(self) -> None:
        """A burst or sweep has begun or ended."""
        condition = 0
        if self.options.operation_bits == "scpi":
            if any(generator.sweeping for generator in self._generators):
                condition |= _OPERATION_SWEEPING
            if any(generator.waiting for generator in self._generators):
                condition |= _OPERATION_WAITING
        self.status.operation.update(condition)
        if not self._incomplete():
            waiting, self._on_complete = self._on_complete, []
            for then in waiting:
                then()
            self._let_go()
