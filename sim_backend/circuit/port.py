"""A port: one output channel of an instrument, as the circuit sees it."""

from __future__ import annotations

from math import copysign, inf, ulp
from typing import TYPE_CHECKING

from sim_backend.circuit.network import Source
from sim_backend.circuit.player import Player

if TYPE_CHECKING:
    from sim_backend.circuit.circuit import Circuit
    from sim_backend.circuit.waveform import Waveform


class Port:
    """Terminals of one instrument channel. Made by the circuit; open until driven.

    Everything takes effect at ``clock.now``. Volts, ohms, amperes, seconds; currents count out of the port.
    """

    def __init__(self, name: str, circuit: Circuit) -> None:
        self.name = name
        self.connected = False  # output relay of the instrument closed
        self.emf = 0.0
        self.limit = inf
        self.limit_delay = 0.0
        self.source = Source(0.0, 0.0)
        self.player: Player | None = None
        self.contended = False  # another source is on the same terminal
        self.over_since: float | None = None  # when the present excess over the limit began (absolute time, s)
        self._regulates_current = False
        self._circuit = circuit

    def drive(self, emf: float, resistance: float, limit: float = inf, limit_delay: float = 0.0) -> None:
        """Constant EMF behind ``resistance`` from now on, abs(current) <= ``limit``; replaces what was playing.

        Where another source on the same terminal forces more than the limit through this one, the EMF still holds
        for ``limit_delay`` before the limit loop has recovered from the overload and acts (F6); through the device
        alone the limit acts at once (T2).
        """
        self._circuit.settle()
        self.emf, self.limit, self.limit_delay = emf, limit, limit_delay
        self.source = Source(emf, resistance, limit)
        self.connected, self.player, self._regulates_current = True, None, False
        self._circuit.changed()

    def source_current(self, amps: float, voltage_limit: float) -> None:
        """Constant current from now on, as long as the terminal voltage stays within ``voltage_limit``."""
        # An EMF at the voltage limit that cannot give more than `amps` has just this characteristic.
        self.drive(copysign(voltage_limit, amps), 0.0, abs(amps))
        self._regulates_current = True

    def open(self) -> None:
        """Output relay open or high impedance from now on; a waveform that plays goes on unseen."""
        self._circuit.settle()
        self.connected = False
        self.over_since = None
        self._circuit.changed()

    def play(self, waveform: Waveform, count: float, start: float) -> None:
        """Repeat ``waveform`` ``count`` times (inf allowed) from absolute time ``start``; replaces what was playing.

        Until ``start`` the present EMF holds, after the end ``waveform.after``. The resistance and limit of the last
        ``drive`` hold.
        """
        self._circuit.settle()
        before = self._circuit.emf_of(self)
        self.player = Player(waveform, count, start, before)
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
        """Relative fluctuation of the device's current in a measurement of 1 PLC: one new draw per call.

        A meter multiplies ``current()`` by (1 + flicker()) once per measurement and adds its own noise.
        """
        return self._circuit.flicker()

    # -- for the circuit -------------------------------------------------------------------------------------

    def rest(self, emf: float) -> None:
        """The waveform is over; ``emf`` (V) holds."""
        self.emf = self.source.emf = emf
        self.player = None

    def update_limit(self, now: float) -> None:
        """Let the limit act at ``now`` (s), or not yet."""
        self.source.limit = self.limit if now >= self._deadline(now) else inf

    def note_excess(self, exceeds: bool, now: float) -> float:
        """Note that the current exceeds the limit (or not) from ``now`` on; returns when the limit will act (s)."""
        if not exceeds:
            self.over_since = None
            return inf
        if self.over_since is None:
            self.over_since = now
        deadline = self._deadline(now)
        return deadline if deadline > now else inf

    def _deadline(self, now: float) -> float:
        """When (s) the limit acts, or has acted; rounding of ``now`` counts for nothing."""
        if not self.contended:
            return now
        since = now if self.over_since is None else self.over_since
        deadline = since + self.limit_delay
        return now if deadline <= now + 4 * ulp(now) else deadline
