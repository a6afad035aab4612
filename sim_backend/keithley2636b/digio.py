"""Digital I/O: fourteen lines and their triggers (reference keithley2636b sec. 11)."""

from __future__ import annotations

from sim_backend.keithley2636b.errors import TspError
from sim_backend.keithley2636b.events import Detector, EventBus
from sim_backend.lines import Lines

LINES = 14
ALL = (1 << LINES) - 1
BYPASS, FALLING, RISING, EITHER = 0, 1, 2, 3
_FALLING_MODES = frozenset({FALLING, EITHER, 4, 5, 6})  # synchronous modes detect the falling edge
_RISING_MODES = frozenset({RISING, EITHER, 7, 8})


class DigitalLine:
    """One line: the bit that scripts write and read, and its trigger.

    What is written reaches the bench's lines only in BYPASS mode; an asserted trigger is a pulse there.
    """

    def __init__(self, number: int, prefix: str, lines: Lines, bus: EventBus, power_on: int) -> None:
        self.number = number
        self.name = f"{prefix}.digio.{number}"
        self._lines = lines
        self._bus = bus
        self._own = False  # the change under way is our own
        self._held = False
        self.written = power_on
        self.detector = Detector(bus, number)
        self.stimulus = Detector(bus, on_event=self.assert_)
        lines.set(self.name, power_on)
        lines.listen(self.name, self._changed)
        self.reset()

    def reset(self) -> None:
        """Trigger settings to their defaults; the state of the line stays."""
        self.mode = BYPASS
        self.pulsewidth = 10e-6
        self.stimulus.listen_to(0)
        self.detector.clear()

    def write(self, bit: int) -> None:
        self.written = bit
        if self.mode == BYPASS:
            self._set(bool(bit))

    def read(self) -> int:
        return int(self._lines.level(self.name))

    def assert_(self) -> None:
        """A trigger pulse out; with pulse width 0 the line stays asserted until ``release``."""
        if self.pulsewidth > 0:
            self._own = True
            self._lines.pulse(self.name)
            self._own = False
        elif not self._held:
            self._held = True
            self._set(not self._lines.level(self.name))

    def release(self) -> None:
        if self._held:
            self._held = False
            self._set(not self._lines.level(self.name))

    def _set(self, level: bool) -> None:
        self._own = True
        self._lines.set(self.name, level)
        self._own = False

    def _changed(self, level: bool) -> None:
        """An edge from outside."""
        if self._own:
            return
        if self.mode in (_RISING_MODES if level else _FALLING_MODES):
            self._bus.fire(self.number)


class DigitalPort:
    """All lines; ``writeprotect`` masks bits that writes leave alone."""

    def __init__(self, prefix: str, lines: Lines, bus: EventBus, power_on: int) -> None:
        self.lines = [DigitalLine(n, prefix, lines, bus, power_on) for n in range(1, LINES + 1)]
        self.writeprotect = 0

    def line(self, number: float) -> DigitalLine:
        """Line 1-14; error 1801 for any other."""
        if number not in range(1, LINES + 1):
            raise TspError(1801)
        return self.lines[int(number) - 1]

    def write_bit(self, number: float, bit: float) -> None:
        line = self.line(number)
        if bit not in (0, 1):
            raise TspError(1401, 2)
        if not self.writeprotect >> (line.number - 1) & 1:
            line.write(int(bit))

    def write_port(self, value: float) -> None:
        if not 0 <= value <= ALL:
            raise TspError(-222)
        for line in self.lines:
            if not self.writeprotect >> (line.number - 1) & 1:
                line.write(int(value) >> (line.number - 1) & 1)

    def read_port(self) -> int:
        return sum(line.read() << (line.number - 1) for line in self.lines)
