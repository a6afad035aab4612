"""The circuit: ports, ground and one two-terminal device, integrated lazily up to the clock."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from sim_backend.circuit.network import Solution, Source, reduce_loop, solve
from sim_backend.circuit.port import Port
from sim_backend.clock import Clock
from sim_backend.devices.device import TwoTerminalDevice

_GROUND = Source(0.0, 0.0)
_MANY = 4  # periods from which on handing them over together pays


@dataclass(slots=True)
class Extremes:
    """Worst that a terminal has seen: voltage against common (V) and current into the device (A)."""

    lowest: float = 0.0
    highest: float = 0.0
    current: float = 0.0

    def include(self, voltage: float, current: float = 0.0) -> None:
        if voltage < self.lowest:
            self.lowest = voltage
        if voltage > self.highest:
            self.highest = voltage
        if abs(current) > self.current:
            self.current = abs(current)


class Circuit:
    """Ports on the terminals of a device.

    Nothing is computed while nothing changes: ``settle`` integrates from the last change to ``clock.now`` in closed
    form per segment, and many equal periods at once where the device knows how.
    """

    def __init__(self, clock: Clock, device: TwoTerminalDevice, swapped: bool = False) -> None:
        self.clock = clock
        self.device = device
        self.terminals: tuple[str, str] = device.terminals
        self.ports: dict[str, Port] = {}
        self.extremes = {name: Extremes() for name in self.terminals}
        self._polarity = -1 if swapped else 1  # leads on the wrong terminals (F14)
        self._on: dict[str, list[Port]] = {name: [] for name in self.terminals}
        self._grounded: set[str] = set()
        self._time = clock.now

    # -- wiring ----------------------------------------------------------------------------------------------------

    def port(self, name: str) -> Port:
        """The port of that name; made when asked for first."""
        if name not in self.ports:
            self.ports[name] = Port(name, self)
        return self.ports[name]

    def connect(self, port: Port, terminal: str) -> None:
        """Lay the port on a terminal from now on."""
        self.settle()
        self._on[terminal].append(port)
        self.changed(port)

    def disconnect(self, port: Port, terminal: str) -> None:
        """Take the port off a terminal from now on."""
        self.settle()
        self._on[terminal].remove(port)
        self.changed(port)

    def ground(self, terminal: str) -> None:
        """Lay a terminal on common."""
        self.settle()
        self._grounded.add(terminal)

    # -- what instruments and tests ask -----------------------------------------------------------------------------

    def true_voltage(self, terminal: str) -> float:
        """Voltage (V) of a device terminal against common now; a floating terminal follows the other one."""
        self.settle()
        solution = self._solve()
        return solution.first if terminal == self.terminals[0] else solution.second

    def port_voltage(self, port: Port) -> float:
        terminal = self._terminal_of(port)
        return self.emf_of(port) if terminal is None else self.true_voltage(terminal)

    def port_current(self, port: Port) -> float:
        return self._of_port(port, lambda solution, k: solution.currents[k], 0.0)

    def port_limited(self, port: Port) -> bool:
        return self._of_port(port, lambda solution, k: solution.limited[k] != 0, False)

    def flicker(self) -> float:
        return self.device.flicker()

    def emf_of(self, port: Port) -> float:
        """EMF (V) of a port now."""
        return port.player.emf() if port.player else port.emf
