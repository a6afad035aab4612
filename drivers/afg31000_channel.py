"""One output of an AFG31000: pulses and waveforms prepared as a whole, in few messages, and read back."""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import Any

import numpy.typing as npt

from drivers import afg31000_commands as commands
from drivers import afg31000_readback as readback
from drivers.afg31000_models import FULL_SCALE, Model, PulseShape, check_count, check_levels, checked_pulse
from drivers.afg31000_readback import EXACT, LEVEL, Programmed, agree, floats, same
from drivers.afg31000_settings import AFG31000Settings
from drivers.afg31000_times import LATENCY, UPLOAD_SETTLING
from drivers.arbitrary import record
from drivers.errors import ReadBackError, SettingError
from drivers.scpi import block
from drivers.wire import number, within


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
        self._title = f"{parent.name} output {id}"
        self._model: Model = parent.limits
        self._low_limit, self._high_limit = -self._model.window, self._model.window
        self.is_on: bool | None = None
        self.programmed: Programmed | None = None
        self._shape: PulseShape | None = None
        self._waveform: tuple[bytes, float, float, float, int] | None = None
        # a program asks for the same few pulses, and reads the same back, again and again
        self._checked = lru_cache(maxsize=64, typed=True)(partial(checked_pulse, self._model))
        self._read_back = lru_cache(maxsize=64)(partial(readback.pulse, self._title))
        self._pulse_queries = readback.pulse_queries(id)
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
        agree(self._title, "low limit", low, reported[0], LEVEL)
        agree(self._title, "high limit", high, reported[1], LEVEL)
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
        agree(self._title, "output", float(on), state, EXACT)
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
        shape = self._checked(self._low_limit, self._high_limit, level, base, width, edge, period, count)
        known = self._shape
        self.forget()
        changes: list[str] = []
        if known is None or (known.period, known.count) != (period, count):
            self._quiet()
            self.parent.exchange(commands.timing(self.id, shape))
            self._set_levels(commands.polarity(shape), shape.low, shape.high)
            self._arm(count, period)
        elif shape != known:
            changes += commands.timing_changes(self.id, known, shape)
            changes += commands.level_changes(self.id, known, shape, self._model.min_amplitude)
        # in the message that makes the last changes, all is read that a trigger would let out
        replies = self.parent.exchange(changes, self._pulse_queries)
        self.programmed, self.is_on = self._read_back(shape, tuple(replies))
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
        known, queries = self._waveform, readback.waveform_queries(self.id)
        if known == waveform:
            self.is_on = None
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
        self.programmed, self.is_on = readback.waveform(self._title, samples, period, count, replies)
        self._waveform = waveform
        return self.programmed

    # steps of the configuration

    def _load_infinite(self) -> None:
        """Voltages are for the assumed load; a wrong one makes them wrong by a factor of two."""
        (load,) = self.parent.numbers([f"OUTP{self.id}:IMP INF"], [f"OUTP{self.id}:IMP?"])
        agree(self._title, "load", math.inf, load, EXACT)

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
        same(self._title, "trigger source", "EXT", replies[0])
        same(self._title, "burst mode", "TRIG", replies[1])
        same(self._title, "burst idle", "STAR", replies[2])
        agree(self._title, "burst count", count, floats(self._title, replies[3:])[0], EXACT)
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
