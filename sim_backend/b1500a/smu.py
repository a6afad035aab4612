"""One SMU channel: what is set, and what that puts on its terminals (reference b1500a sec. 6, 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import copysign
from typing import Protocol

from sim_backend.b1500a import ranges
from sim_backend.b1500a.errors import FlexError
from sim_backend.b1500a.options import Options
from sim_backend.clock import Clock

INTERLOCK_VOLTS = 42.0


class SmuPort(Protocol):
    """What an SMU needs of the circuit, whichever circuit it is."""

    def drive(self, emf: float, resistance: float, limit: float, limit_delay: float) -> None: ...
    def source_current(self, amps: float, voltage_limit: float) -> None: ...
    def open(self) -> None: ...
    def voltage(self) -> float: ...
    def current(self) -> float: ...
    def compliance(self) -> bool: ...
    def flicker(self) -> float: ...


@dataclass(frozen=True)
class Output:
    """A forced output: ``volts`` tells the quantity of ``level``, ``compliance`` is of the other one.

    ``code`` and ``compliance_code`` are as asked, ``scale`` and ``compliance_scale`` the ranges in force.
    """

    volts: bool = True
    code: int = 200
    scale: float = 20.0
    level: float = 0.0
    compliance: float = 100e-6
    polarity: int = 0
    compliance_code: int = 16
    compliance_scale: float = 100e-6


@dataclass
class Measuring:
    """How a channel measures; the defaults are those after *RST."""

    adc: int = 0
    side: int = 0  # CMM
    current_code: int = 0  # RI
    voltage_code: int = 0  # RV
    range_mode: tuple[int, int] = (1, 50)  # RM
    series_resistor: int = 0
    filter: int = 0


class Smu:
    """An SMU in ``slot``.

    Args:
        moved: called with the step (V) just before the output changes.
    """

    def __init__(
        self, slot: int, module: ranges.Module, port: SmuPort, clock: Clock, options: Options, interlock: Interlock
    ) -> None:
        self.slot = slot
        self.module = module
        self.port = port
        self.on = False
        self.output = Output()
        self.measuring = Measuring()
        self.changed_at = clock.now
        self.stepped: Callable[[float], None] = lambda volts: None
        self._zeroed: Output | None = None
        self._clock = clock
        self._options = options
        self._interlock = interlock

    # -- output switch -----------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Close the output switch: voltage source at 0 V, 100 uA."""
        if self.on and self._options.connect_again == "keep":
            return
        self.on = True
        self._zeroed = None
        self.changed_at = self._clock.now
        self._set(Output())

    def release(self) -> None:
        """0 V, on the way to being disconnected."""
        if self.on:
            self._set(replace(self.output, level=0.0))

    def disconnect(self) -> None:
        """0 V, then open."""
        if self.on:
            self.release()
            self.port.open()
        self.on = False
        self.output, self._zeroed = Output(), None

    def reset(self) -> None:
        """As after *RST."""
        self.disconnect()
        self.measuring = Measuring()

    def initialise(self) -> None:
        """IN: back to 0 V with initial settings, the switch stays closed."""
        self.require_on()
        self._zeroed = None
        self.measuring = Measuring()
        self._set(Output())

    def zero(self) -> None:
        """DZ: 0 V now, what was set is kept for RZ."""
        self.require_on()
        self._zeroed = self._zeroed or self.output
        self._set(Output(compliance=100e-6))

    def restore(self) -> None:
        """RZ.

        Raises:
            FlexError: 205, there was no DZ.
        """
        self.require_on()
        if self._zeroed is None:
            raise FlexError(205, f"CHANNEL{self.slot}")
        self._set(self._zeroed)
        self._zeroed = None

    def require_on(self) -> None:
        """Raises FlexError 200 unless the output switch is closed."""
        if not self.on:
            raise FlexError(200, f"CHANNEL{self.slot}")

    # -- forcing -----------------------------------------------------------------------------------------------------

    def plan(
        self,
        volts: bool,
        code: int,
        level: float,
        compliance: float | None = None,
        polarity: int = 0,
        compliance_code: int = 0,
        span: float | None = None,
        power: float | None = None,
    ) -> Output:
        """The output that a command asks for, checked; nothing changes.

        ``span`` is the largest magnitude that its range must hold besides ``level``; ``power`` (W) lowers the
        compliance.

        Raises:
            FlexError: 120 level, 123 compliance, 124 range, 202 interlock, 212 compliance missing.
        """
        where = f"CHANNEL{self.slot}"
        if compliance is None:
            if volts != self.output.volts:
                raise FlexError(212, where)
            compliance = self.output.compliance
        scales, others = (self.module.volts, self.module.amps) if volts else (self.module.amps, self.module.volts)
        least = self._asked(volts, code, where)
        least_other = self._asked(not volts, compliance_code, where)
        needed = max(abs(level), span or 0.0)
        if needed > scales[-1] * (1 + 1e-9):
            raise FlexError(120, where)
        if abs(compliance) > others[-1] * (1 + 1e-9) or compliance == 0.0:
            raise FlexError(123, where)
        voltage, current = (needed, abs(compliance)) if volts else (abs(compliance), needed)
        most = self.module.most_current(voltage)
        if most is None or current > most * (1 + 1e-9):
            raise FlexError(123 if volts else 120, where)
        if voltage > self._interlock.threshold and not self._interlock.closed:
            raise FlexError(202, where)
        scale = max(ranges.covering(scales, needed), least)
        other = max(ranges.covering(others, compliance), least_other)
        level = ranges.truncated(level, scale)
        limit = ranges.truncated(compliance, other) or compliance
        if power is not None and level:
            limit = copysign(min(abs(limit), power / abs(level)), limit)
        signed = copysign(limit, level if level else 1.0) if polarity == 0 else limit
        return Output(volts, code, scale, level, signed, polarity, compliance_code, other)

    def force(self, output: Output) -> None:
        """Put a planned output on the terminals.

        Raises:
            FlexError: 200, the switch is open.
        """
        self.require_on()
        self._set(output)

    def apply(self) -> None:
        """Drive the terminals anew: series resistor or interlock has changed."""
        if self.on:
            self._set(self.output)

    def drop(self) -> bool:
        """The interlock opened: give up an output that needs it. True if there was one."""
        highest = self.output.level if self.output.volts else self.output.compliance
        if not self.on or abs(highest) <= self._interlock.threshold:
            return False
        if self._options.interlock_drop == "open":
            self.disconnect()
        else:
            self._set(Output())
        return True

    def _asked(self, volts: bool, code: int, where: str) -> float:
        """Lowest range (V, A) that a range code allows."""
        try:
            scale = self.module.voltage_range(code) if volts else self.module.current_range(code)
        except KeyError:
            raise FlexError(124, where) from None
        return scale or 0.0

    def _set(self, output: Output) -> None:
        before = self.output.level if self.output.volts else 0.0
        if output.volts and output.level != before:
            self.stepped(output.level - before)
        if output != self.output:
            self.changed_at = self._clock.now
        self.output = output
        if output.volts:
            series = self._options.series_resistor if self.measuring.series_resistor else 0.0
            resistance = self._options.output_resistance + series
            self.port.drive(output.level, resistance, abs(output.compliance), self._options.limit_delay)
        else:
            self.port.source_current(output.level, abs(output.compliance))

    # -- state ---------------------------------------------------------------------------------------------------------

    def limited(self) -> bool:
        """Whether compliance is active now."""
        return self.on and self.port.compliance()

    def status_code(self) -> int:
        """Two digits of LOP?."""
        if not self.on:
            return 0
        kind = 1 if self.output.volts else 2 if self.output.level >= 0 else 3
        return kind + (10 if self.limited() else 0)


class Interlock:
    """The safety interlock, and the voltage (V) from which it is needed."""

    def __init__(self, closed: bool) -> None:
        self.closed = closed
        self.threshold = INTERLOCK_VOLTS
