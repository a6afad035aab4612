"""One WGFMU channel as a source of pulses: the interface that the AFG31000's channels have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from drivers import b1530a_limits as limits
from drivers.b1530a_patterns import Pattern, Program, Window, check
from drivers.b1530a_readings import Readings
from drivers.b1530a_times import DEFAULT_EDGE, LATENCY
from drivers.errors import ReadBackError, SettingError
from drivers.wire import within


class Unit(Protocol):
    """What a channel asks of its driver."""

    name: str

    def prepare(self, channel: int, program: Program, allow_fast_edges: bool) -> list[tuple[float, float]]: ...
    def connect(self, channel: int) -> None: ...
    def release(self, channel: int) -> None: ...
    def hold(self, channel: int, level: float) -> None: ...
    def read(self, channel: int) -> Readings: ...


@dataclass(frozen=True)
class Programmed:
    """What a channel is prepared for; volts, times in s. ``set_*`` was sent, ``reported_*`` is as read back."""

    set_high: float
    set_low: float
    reported_high: float
    reported_low: float
    base: float
    width: float
    edge: float
    period: float
    count: int

    @property
    def duration(self) -> float:
        """From trigger to the end of the burst, s."""
        return self.count * self.period


class B1530AChannel:
    """Pulses and waveforms on one channel; levels in V at a high-impedance load (there is no compliance).

    Attributes:
        allow_fast_edges: accept edges under the recommended ones; the data of the unit then carry the flag.
        programmed: what is prepared, None if nothing is.
    """

    def __init__(self, unit: Unit, number: int) -> None:
        self.id = str(number)
        self.allow_fast_edges = False
        self.programmed: Programmed | None = None
        self._unit, self._number = unit, number
        self._low, self._high = -limits.AMPLITUDE, limits.AMPLITUDE

    def limit(self, low: float, high: float) -> None:
        """Bound all levels to ``low`` .. ``high`` V, in this driver: the unit itself has no such setting."""
        within("low limit", low, -limits.AMPLITUDE, limits.AMPLITUDE, "V")
        within("high limit", high, low, limits.AMPLITUDE, "V")
        self._low, self._high = low, high

    def prepare_pulse(
        self,
        level: float,
        base: float = 0.0,
        width: float = 100e-6,
        edge: float | None = None,
        period: float | None = None,
        count: int = 1,
    ) -> Programmed:
        """Prepare ``count`` pulses from ``base`` to ``level`` (V) per trigger; the output idles at the base.

        Args:
            width: s at half height. edge: s, both edges; 100 ns by default. period: s; twice the pulse by default.

        Raises:
            SettingError: refused by the limits, before anything is sent. WgfmuError, ReadBackError.
        """
        edge = DEFAULT_EDGE if edge is None else edge
        whole = width + edge
        period = 2 * whole if period is None else period
        if period < whole:
            raise SettingError(f"period {period:g} s is shorter than the pulse with its edges, {whole:g} s")
        pattern = Pattern.pulse("pulse" + self.id, level, width, edge, period - whole, base)
        return self._prepare(pattern, count, base, width, edge)

    def prepare_waveform(
        self,
        times: list[float] | tuple[float, ...],
        volts: list[float] | tuple[float, ...],
        period: float,
        count: int = 1,
    ) -> Programmed:
        """Prepare ``count`` periods of a piecewise-linear waveform per trigger.

        Args:
            times: s, from 0, ascending. volts: V. period: s; the last level is held until its end.

        Raises:
            SettingError: refused by the limits, before anything is sent. WgfmuError, ReadBackError.
        """
        pattern = Pattern("wave" + self.id, tuple(map(float, times)), tuple(map(float, volts)))
        if period < pattern.duration:
            raise SettingError(f"period {period:g} s is shorter than the waveform, {pattern.duration:g} s")
        if period > pattern.duration:
            pattern = Pattern(pattern.name, (*pattern.times, float(period)), (*pattern.levels, pattern.levels[-1]))
        return self._prepare(pattern, count, pattern.levels[0], 0.0, 0.0)

    @property
    def burst_duration(self) -> float:
        """Time from trigger until the prepared burst has surely ended, s; 0 if nothing is prepared."""
        return self.programmed.duration + LATENCY if self.programmed else 0.0

    def output(self, on: bool) -> None:
        """Connect the channel, its output at the base of what is prepared; or give the RSU back to its SMU."""
        if not on:
            self._unit.release(self._number)
            return
        if self.programmed is None:
            raise SettingError(f"{self._unit.name}: channel {self.id}: nothing is prepared")
        self._unit.connect(self._number)

    def isolate(self) -> None:
        """Take the channel off its output."""
        self.output(False)

    def hold(self, level: float, compliance: float) -> None:
        """Drive a steady level (V) from now on. ``compliance`` cannot be set: the device's own limit must hold."""
        within("level", level, self._low, self._high, "V")
        self.programmed = None
        self._unit.hold(self._number, level)

    def prepare_record(
        self,
        level: float,
        duration: float,
        interval: float,
        window: float,
        full_scale: float | None = None,
        start: float = 0.0,
    ) -> int:
        """Prepare the channel to hold ``level`` (V) and record its current while the other channels play.

        Args:
            duration: s. interval: s from reading to reading. window: s over which a reading is averaged.
            full_scale: A, range of the meter; its most sensitive one by default. start: s, of the first reading.

        Returns the number of readings.

        Raises:
            SettingError: refused by the limits, before anything is sent. WgfmuError.
        """
        within("level", level, self._low, self._high, "V")
        start = round(start / limits.TIME_GRID) * limits.TIME_GRID
        points = int((duration - start) / interval + 1e-6)
        if points < 1:
            raise SettingError(f"a record of {duration - start:g} s holds no reading every {interval:g} s")
        constant = Pattern.constant("record" + self.id, level, duration)
        pattern = constant.measured(Window("window", start, points, interval, window))
        program = Program(((pattern, 1),), "current", full_scale or min(r.full_scale for r in limits.CURRENT_RANGES))
        check(program, self.allow_fast_edges)
        self._unit.prepare(self._number, program, self.allow_fast_edges)
        self.programmed = Programmed(level, level, level, level, level, 0.0, 0.0, duration, 1)
        return points

    def fetch_record(self) -> Readings:
        """What ``prepare_record`` has recorded in the last run."""
        return self._unit.read(self._number)

    def _prepare(self, pattern: Pattern, count: int, base: float, width: float, edge: float) -> Programmed:
        for level in pattern.levels:
            within("level", level, self._low, self._high, "V")
        program = Program(((pattern, count),))
        check(program, self.allow_fast_edges)
        self.programmed = None
        points = self._unit.prepare(self._number, program, self.allow_fast_edges)
        volts = [v for _, v in points]
        for asked, reported in zip(pattern.levels, volts, strict=True):
            if asked != reported:
                raise ReadBackError(self._unit.name, f"level of pattern {pattern.name}", asked, reported)
        self.programmed = Programmed(
            max(pattern.levels),
            min(pattern.levels),
            max(volts),
            min(volts),
            base,
            width,
            edge,
            pattern.duration,
            count,
        )
        return self.programmed
