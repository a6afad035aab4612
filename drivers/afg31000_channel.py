"""One output of an AFG31000: pulses and waveforms prepared as a whole, in few messages, and read back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from drivers import afg31000_commands as commands
from drivers.afg31000_models import FULL_SCALE, LEVEL_GRID, Model, PulseShape, check_count, check_levels
from drivers.afg31000_settings import AFG31000Settings
from drivers.afg31000_times import LATENCY, UPLOAD_SETTLING
from drivers.arbitrary import Record, record
from drivers.errors import ReadBackError, ReplyError, SettingError
from drivers.scpi import block, parse_float
from drivers.wire import number, within

# what the instrument may round away: levels to 0.1 mV or 4 digits, times to 4 digits
_LEVEL = {"rel_tol": 1e-3, "abs_tol": 2 * LEVEL_GRID}
_TIME = {"rel_tol": 1e-3, "abs_tol": 1e-10}
_EXACT = {"rel_tol": 0.0, "abs_tol": 0.0}


@dataclass(frozen=True)
class Programmed:
    """What a channel is prepared for; volts open-circuit, times in s.

    ``set_*`` was sent, ``reported_*`` and the times of a pulse are as read back. ``time_error``: largest distance
    of a waveform's corner from the sample grid.
    """

    function: str
    set_high: float
    set_low: float
    reported_high: float
    reported_low: float
    base: float
    width: float
    edge: float
    period: float
    count: int
    inverted: bool
    time_error: float = 0.0

    @property
    def duration(self) -> float:
        """From trigger to the end of the burst, s."""
        return self.count * self.period


class AFG31000Channel(AFG31000Settings):
    """One output.

    ``prepare_pulse`` and ``prepare_waveform`` set everything that a burst needs and keep the output at the base
    between bursts. The plain properties change one setting each; after one of them the next ``prepare_*``
    configures the channel anew.

    Attributes:
        is_on: state of the output as last read back, None if unknown.
        programmed: what is prepared, None if nothing is.
    """

    def __init__(self, parent: Any, id: str) -> None:
        super().__init__(parent, id)
        self._model: Model = parent.limits
        self._low_limit, self._high_limit = -self._model.window, self._model.window
        self.is_on: bool | None = None
        self.programmed: Programmed | None = None
        self._shape: PulseShape | None = None
        self._waveform: tuple[bytes, float, float, float, int] | None = None
        for setting in ("high", "low", "offset"):
            setattr(self, f"{setting}_values", (-self._model.window, self._model.window))
        self.pulse_width_values = (self._model.min_width, 999.99)

    def write(self, command: str, **kwargs: Any) -> None:
        """Send a single command; what was prepared is then no longer known to hold."""
        if "?" not in command:
            self.forget()
        super().write(command, **kwargs)

    def forget(self) -> None:
        """Forget what is prepared: the next ``prepare_*`` configures everything."""
        self.is_on = self.programmed = self._shape = self._waveform = None

    # limits and output

    def limit(self, low: float, high: float) -> None:
        """Bound all levels to ``low`` .. ``high`` V open-circuit, in the instrument and in this driver.

        Levels in force outside these bounds are parked inside, with the output off.

        Raises:
            SettingError: bounds outside the model's window. ReadBackError, InstrumentError.
        """
        check_levels(self._model, low, high, -self._model.window, self._model.window)
        self._load_infinite()
        volt = f"SOUR{self.id}:VOLT"
        present_low, present_high, old_low, old_high = self.parent.numbers(
            [], [f"{volt}:LOW?", f"{volt}:HIGH?", f"{volt}:LIM:LOW?", f"{volt}:LIM:HIGH?"]
        )
        # widened before they are narrowed, so that parking never meets the old bounds
        steps = [
            f"{volt}:LIM:HIGH {number(max(high, old_high))}",
            f"{volt}:LIM:LOW {number(min(low, old_low))}",
        ]
        smallest = self._model.min_amplitude
        if present_low < low or present_high > high:
            self.output(False)
            self.forget()
            parked = min(max(low, 0.0), high - smallest)
            steps += commands.levels(self.id, (present_low, present_high), (parked, parked + smallest), smallest)
        steps += [f"{volt}:LIM:LOW {number(low)}", f"{volt}:LIM:HIGH {number(high)}"]
        reported = self.parent.numbers(steps, [f"{volt}:LIM:LOW?", f"{volt}:LIM:HIGH?"])
        self._agree("low limit", low, reported[0], _LEVEL)
        self._agree("high limit", high, reported[1], _LEVEL)
        self._low_limit, self._high_limit = low, high

    def output(self, on: bool) -> None:
        """Switch the output relay and wait until it has settled; an output known to be on is left alone.

        Raises:
            SettingError: nothing is prepared. ReadBackError, InstrumentError.
        """
        if on and self.programmed is None:
            raise SettingError(f"{self._title}: nothing is prepared, the output stays off")
        if on and self.is_on:
            return
        was_off = self.is_on is False
        self.is_on = None
        (state,) = self.parent.numbers([f"OUTP{self.id}:STAT {'ON' if on else 'OFF'}"], [f"OUTP{self.id}:STAT?"])
        self._agree("output", float(on), state, _EXACT)
        self.is_on = on
        if on:
            self.parent.clock.sleep(self.parent.settling)
        elif not was_off:
            self.parent.clock.sleep(self.parent.release)

    def isolate(self) -> None:
        """Take the output off whatever it is wired to."""
        self.output(False)

    def hold(self, level: float, compliance: float) -> None:
        """Drive a steady level from the idle state, 50 ohm behind it, while another source measures in series.

        The smallest pulse the model can make is prepared on it and never triggered; a generator has no compliance,
        so the device's own limit must hold the current.
        """
        if self._shape is None or self._shape.base != level:
            least = self._model.min_amplitude
            self.prepare_pulse(level - least if level + least > self._high_limit else level + least, base=level)
        self.output(True)

    @property
    def burst_duration(self) -> float:
        """Time from trigger until the prepared burst has surely ended, s; 0 if nothing is prepared."""
        return self.programmed.duration + LATENCY if self.programmed else 0.0

    # pulses and waveforms

    def prepare_pulse(
        self,
        level: float,
        base: float = 0.0,
        width: float = 100e-6,
        edge: float | None = None,
        period: float | None = None,
        count: int = 1,
    ) -> Programmed:
        """Prepare ``count`` pulses from ``base`` to ``level`` (V, open-circuit) per trigger.

        Args:
            level, base: V; the output idles at the base, whether the pulse goes up or down.
            width: s at half height. edge: s, both edges; None for the instrument's shortest.
            period: s; by default the one in force if the pulse fits into it, else twice the pulse.
            count: pulses per trigger.

        The first call, and one with another period or count, configures the channel anew and leaves the output
        off. Otherwise one message changes what differs, and the output stays as it is, at the base.

        Raises:
            SettingError: refused by the model's limits or those of ``limit``, before anything is sent.
            ReadBackError, InstrumentError.
        """
        if period is None:
            period = max(2 * (width + 2 * (edge or 0.0)), 1 / self._model.pulse_rate)
            if self._shape and self._shape.period > period:
                period = self._shape.period
        shape = PulseShape(level, base, width, edge, period, count)
        shape.check(self._model, self._low_limit, self._high_limit)
        known, on = self._shape, self.is_on
        self.forget()
        changes: list[str] = []
        if known is None or (known.period, known.count) != (period, count):
            self._quiet()
            self.parent.exchange(commands.timing(self.id, shape))
            self._set_levels(commands.polarity(shape), shape.low, shape.high)
            self._arm(count, period)
        else:
            self.is_on = on
            changes += commands.timing_changes(self.id, known, shape)
            changes += commands.level_changes(self.id, known, shape, self._model.min_amplitude)
        self.programmed = self._verify_pulse(shape, changes)
        self._shape = shape
        return self.programmed

    def prepare_waveform(
        self,
        times: npt.ArrayLike,
        volts: npt.ArrayLike,
        period: float,
        count: int = 1,
        verify: bool = True,
        isolated: bool = False,
    ) -> Programmed:
        """Prepare ``count`` periods of a piecewise-linear waveform per trigger, from the edit memory.

        Args:
            times: s, from 0; two equal times make a step.
            volts: V open-circuit; begins and ends at the level at which the output idles.
            period: s; the last level is held until its end. count: periods per trigger.
            verify: read the record back and compare.
            isolated: a switch outside keeps the output off the device, so that it may be on at any level meanwhile.

        The output is left off unless the very same waveform is prepared already; or, isolated, one of the same period
        and count: then levels and record change in one message and its answer.

        Raises:
            SettingError: refused before anything is sent. ReadBackError, InstrumentError.
        """
        within("period", period, 1 / self._model.arbitrary_rate, self._model.max_period, "s")
        check_count(count)
        samples = record(times, volts, period, self._model.points(period), FULL_SCALE)
        check_levels(self._model, samples.low, samples.high, self._low_limit, self._high_limit)
        data = samples.codes.astype(">u2").tobytes()
        waveform = (data, samples.low, samples.high, period, count)
        known, queries = self._waveform, [*self._state_queries(), f"SOUR{self.id}:FREQ?"]
        if known == waveform:
            replies = self.parent.exchange([], queries)
        elif isolated and known is not None and known[3:] == (period, count):
            self.forget()
            self._overwrite(data, (known[1], known[2]), (samples.low, samples.high))
            stored, replies = self.parent.block_and_values(f"DATA:DATA? EMEM{self.id}", queries)
            self._same_record(data, stored)
        else:
            self.forget()
            self._quiet()
            self._upload(data, verify)
            self.parent.exchange([f"SOUR{self.id}:FREQ {number(1 / period)}"])
            self._set_levels("NORM", samples.low, samples.high)
            self._arm(count, period)
            replies = self.parent.exchange([], queries)
        self.programmed = self._verify_waveform(samples, period, count, replies)
        self._waveform = waveform
        return self.programmed

    # steps of the configuration

    def _load_infinite(self) -> None:
        """Voltages are for the assumed load; a wrong one makes them wrong by a factor of two."""
        (load,) = self.parent.numbers([f"OUTP{self.id}:IMP INF"], [f"OUTP{self.id}:IMP?"])
        self._agree("load", math.inf, load, _EXACT)

    def _quiet(self) -> None:
        """Output and burst off, load infinite, Basic mode: nothing set after this reaches the terminals.

        Burst mode would survive a change of function, and hinder one of the frequency.
        """
        self.output(False)
        (advanced,) = self.parent.numbers([f"SOUR{self.id}:BURS:STAT OFF"], ["SEQC:STAT?"])
        if advanced:
            self.parent.leave_advanced_mode()
        self._load_infinite()

    def _set_levels(self, polarity: str, low: float, high: float) -> None:
        """Levels from whatever they are; the output is off."""
        volt = f"SOUR{self.id}:VOLT"
        present = self.parent.numbers([f"OUTP{self.id}:POL {polarity}"], [f"{volt}:LOW?", f"{volt}:HIGH?"])
        self.parent.exchange(commands.levels(self.id, (present[0], present[1]), (low, high), self._model.min_amplitude))

    def _arm(self, count: int, period: float) -> None:
        """Enable the burst; a cycle that arming may start is waited for.

        Raises:
            SettingError: arming would start the burst of another output, which is on.
        """
        wait = period
        for other in self.parent.channels.values():
            if other is self:
                continue
            burst, on = self.parent.numbers([], [f"SOUR{other.id}:BURS:STAT?", f"OUTP{other.id}:STAT?"])
            if burst and on:
                raise SettingError(f"{self._title}: switch output {other.id} off first, arming this one would fire it")
            wait = max(wait, other.burst_duration)
        burst_node = f"SOUR{self.id}:BURS"
        replies = self.parent.exchange(
            commands.arming(self.id, count),
            ["TRIG:SOUR?", f"{burst_node}:MODE?", f"{burst_node}:IDLE?", f"{burst_node}:NCYC?"],
        )
        self._same("trigger source", "EXT", replies[0])
        self._same("burst mode", "TRIG", replies[1])
        self._same("burst idle", "STAR", replies[2])
        self._agree("burst count", count, self._floats(replies[3:])[0], _EXACT)
        self.parent.clock.sleep(wait)

    def _upload(self, data: bytes, verify: bool) -> None:
        """Put a record into this output's edit memory; the memory is selected first, as Tektronix does."""
        memory = f"EMEM{self.id}"
        self.parent.exchange([f"SOUR{self.id}:FUNC {memory}"])
        self.parent.write_bytes(f":DATA:DATA {memory},".encode("ascii") + block(data) + b"\n")
        self.parent.exchange([], ["*OPC?"])
        self.parent.clock.sleep(UPLOAD_SETTLING)
        if verify:
            self._same_record(data, self.parent.block_and_values(f"DATA:DATA? {memory}")[0])

    def _overwrite(self, data: bytes, present: commands.Levels, wanted: commands.Levels) -> None:
        """Other levels and another record in the memory that is selected, in one message that is not answered."""
        levels = commands.levels(self.id, present, wanted, self._model.min_amplitude)
        message = ";".join(f":{part}" for part in [*levels, f"DATA:DATA EMEM{self.id},"])
        self.parent.write_bytes(message.encode("ascii") + block(data) + b"\n")
        self.parent.clock.sleep(UPLOAD_SETTLING)

    def _same_record(self, asked: bytes, reported: bytes) -> None:
        if asked != reported:
            raise ReadBackError(self._title, f"EMEM{self.id}", f"{len(asked) // 2} samples", "another record")

    # reading back

    def _verify_pulse(self, shape: PulseShape, changes: list[str]) -> Programmed:
        """Send the last ``changes``; in the same message, read all that a trigger would let out, and check it."""
        pulse = f"SOUR{self.id}:PULS"
        times = [f"{pulse}:WIDT?", f"{pulse}:PER?", f"{pulse}:TRAN:LEAD?", f"{pulse}:TRAN:TRA?"]
        replies = self.parent.exchange(changes, [*self._state_queries(), *times])
        low, high = self._check_state("PULS", commands.polarity(shape), shape.low, shape.high, replies)
        width, period, leading, trailing = self._floats(replies[-4:])
        self._agree("pulse width", shape.width, width, _TIME)
        self._agree("pulse period", shape.period, period, _TIME)
        if shape.edge is not None:
            self._agree("leading edge", shape.edge, leading, _TIME)
            self._agree("trailing edge", shape.edge, trailing, _TIME)
        return Programmed(
            function="pulse",
            set_high=shape.high,
            set_low=shape.low,
            reported_high=high,
            reported_low=low,
            base=shape.base,
            width=width,
            edge=leading,
            period=shape.period,
            count=shape.count,
            inverted=shape.inverted,
        )

    def _verify_waveform(self, samples: Record, period: float, count: int, replies: list[str]) -> Programmed:
        low, high = self._check_state("EMEM", "NORM", samples.low, samples.high, replies)
        self._agree("period", period, 1 / self._floats(replies[-1:])[0], _TIME)
        return Programmed(
            function="waveform",
            set_high=samples.high,
            set_low=samples.low,
            reported_high=high,
            reported_low=low,
            base=samples.low + float(samples.codes[0]) / FULL_SCALE * (samples.high - samples.low),
            width=period,
            edge=period / samples.codes.size,
            period=period,
            count=count,
            inverted=False,
            time_error=samples.time_error,
        )

    def _state_queries(self) -> list[str]:
        source, output = f"SOUR{self.id}", f"OUTP{self.id}"
        return [
            f"{source}:FUNC?",
            f"{output}:POL?",
            f"{source}:VOLT:LOW?",
            f"{source}:VOLT:HIGH?",
            f"{output}:IMP?",
            f"{source}:BURS:STAT?",
            f"{output}:STAT?",
        ]

    def _check_state(
        self, function: str, polarity: str, low: float, high: float, replies: list[str]
    ) -> tuple[float, float]:
        """(low, high) as reported; all must be as prepared but the output, whose state is noted."""
        self._same("function", function, replies[0])
        self._same("polarity", polarity, replies[1])
        reported_low, reported_high, load, burst, on = self._floats(replies[2:7])
        self.is_on = bool(on)
        self._agree("load", math.inf, load, _EXACT)
        self._agree("burst", 1.0, burst, _EXACT)
        self._agree("low level", low, reported_low, _LEVEL)
        self._agree("high level", high, reported_high, _LEVEL)
        return reported_low, reported_high

    @property
    def _title(self) -> str:
        return f"{self.parent.name} output {self.id}"

    def _floats(self, replies: list[str]) -> list[float]:
        try:
            return [parse_float(reply) for reply in replies]
        except ValueError:
            raise ReplyError(self._title, "read back", ";".join(replies)) from None

    def _same(self, setting: str, asked: str, reported: str) -> None:
        if not reported.upper().startswith(asked):
            raise ReadBackError(self._title, setting, asked, reported)

    def _agree(self, setting: str, asked: float, reported: float, tolerance: dict[str, float]) -> None:
        if not math.isclose(asked, reported, **tolerance):
            raise ReadBackError(self._title, setting, asked, reported)
