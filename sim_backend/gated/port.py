"""A port on a gated device's circuit: the interface of ``sim_backend.circuit.Port``, and scores besides."""

from __future__ import annotations

from math import copysign, inf
from typing import Protocol

from sim_backend.circuit import Waveform
from sim_backend.circuit.network import LEAST_RESISTANCE
from sim_backend.gated.score import Cursor, Score


class Owner(Protocol):
    """What a port asks of its circuit."""

    def settle(self) -> None: ...
    def changed(self) -> None: ...
    def ahead(self, start: float) -> float: ...
    def port_voltage(self, port: GatedPort) -> float: ...
    def port_current(self, port: GatedPort) -> float: ...
    def port_limited(self, port: GatedPort) -> bool: ...
    def flicker(self) -> float: ...


class GatedPort:
    """Terminals of one instrument channel. Made by the circuit; open until driven.

    Everything takes effect at ``clock.now``. Volts, ohms, amperes, seconds; currents count out of the port.
    """

    def __init__(self, name: str, circuit: Owner) -> None:
        self.name = name
        self.connected = False  # output relay of the instrument closed
        self.resistance = LEAST_RESISTANCE
        self.limit = inf
        self.cursor: Cursor | None = None
        self._emf = 0.0
        self._regulates_current = False
        self._circuit = circuit

    @property
    def emf(self) -> float:
        """EMF (V) now; at a jump the one after it."""
        return self.cursor.level() if self.cursor else self._emf

    @property
    def still(self) -> bool:
        """Whether the EMF stays as it is until the port is told something."""
        return self.cursor is None or self.cursor.finished

    def drive(self, emf: float, resistance: float, limit: float = inf, limit_delay: float = 0.0) -> None:
        """Constant EMF behind ``resistance`` from now on, abs(current) <= ``limit``; replaces what was playing.

        ``limit_delay`` is accepted for the interface's sake: a gated device draws no current that a limit could be
        late for.
        """
        self._circuit.settle()
        self._emf, self.resistance, self.limit = emf, max(resistance, LEAST_RESISTANCE), limit
        self.connected, self.cursor, self._regulates_current = True, None, False
        self._circuit.changed()

    def source_current(self, amps: float, voltage_limit: float) -> None:
        """Constant current from now on, as long as the terminal voltage stays within ``voltage_limit``."""
        # An EMF at the voltage limit that cannot give more than `amps` has just this characteristic.
        self.drive(copysign(voltage_limit, amps), 0.0, abs(amps))
        self._regulates_current = True

    def open(self) -> None:
        """Output relay open from now on; a waveform that plays goes on unseen."""
        self._circuit.settle()
        self.connected = False
        self._circuit.changed()

    def play(self, waveform: Waveform, count: float, start: float) -> None:
        """Repeat ``waveform`` ``count`` times from absolute time ``start`` (s); see ``perform``."""
        self.perform(Score(((waveform, count),)), start)

    def perform(self, score: Score, start: float) -> None:
        """Play a score from absolute time ``start`` (s); replaces what was playing.

        Until then the present EMF holds, after the end the score's last.
        """
        self._circuit.settle()
        self.cursor = Cursor(score, self._circuit.ahead(start), self.emf)
        self._circuit.changed()

    def freeze(self) -> None:
        """Stop what plays; the present EMF holds."""
        self._circuit.settle()
        self._emf, self.cursor = self.emf, None
        self._circuit.changed()

    def voltage(self) -> float:
        """Voltage at this port's terminals now: the node voltage, or the open-circuit EMF when nothing is connected."""
        return self._circuit.port_voltage(self)

    def current(self) -> float:
        """Current out of this port now, without any noise."""
        return self._circuit.port_current(self)

    def compliance(self) -> bool:
        """Whether the limit is active now (a current source: its voltage limit)."""
        limited = self._circuit.port_limited(self)
        return not limited and self.limit > 0 if self._regulates_current else limited

    def flicker(self) -> float:
        """Relative fluctuation of the device's current in one measurement: one new draw per call."""
        return self._circuit.flicker()
