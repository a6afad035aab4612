"""Nodes of a gated device: who holds them at which voltage, and where they drift when nobody can (F20, F30).

Sources are stiff against a channel of a gigaohm: a node takes the EMF of its source, unless the source is at its
current limit or nothing is connected. Then the node's own capacitance is charged by what is left over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import copysign, exp, inf, log

from sim_backend.devices.aab import AabTransistor
from sim_backend.gated.port import GatedPort

_AT_ONCE = 1e-6  # s: a gate that is charged faster than this jumps
_STRAIGHT = 0.05  # of R C: longest piece of an exponential that is taken as straight
_OVER = 15.0  # of R C: an exponential that is over
_RELAX_STEP = 0.2  # of R C: step of a node that is not held
_SETTLED = 1e-7  # V
_HALVINGS = 60


@dataclass(frozen=True)
class Cable:
    """A port laid on a terminal: capacitance (F) of its cable, most voltage (V) and leakage (A) of its path."""

    port: GatedPort
    capacitance: float
    ceiling: float
    leakage: Callable[[float], float] | None

    @property
    def emf(self) -> float:
        return min(max(self.port.emf, -self.ceiling), self.ceiling)


@dataclass(frozen=True)
class _Supply:
    """What drives a node: EMF (V), None when it floats, and the most current (A) that comes with it."""

    emf: float | None
    limit: float


class Nodes:
    """Voltages of the terminals and what is laid on them; time is the circuit's business.

    Attributes:
        voltage: node voltage (V) against common, by terminal.
        cables: what is laid on each terminal. grounded: terminals on common.
    """

    def __init__(self, device: AabTransistor) -> None:
        self.device = device
        self.voltage = dict.fromkeys(device.terminals, 0.0)
        self.cables: dict[str, list[Cable]] = {name: [] for name in device.terminals}
        self.grounded: set[str] = set()
        self._supplies: dict[str, _Supply] = {}

    def forget_supplies(self) -> None:
        """A port or the wiring has changed."""
        self._supplies.clear()

    def ports_on(self, terminal: str) -> list[GatedPort]:
        return [cable.port for cable in self.cables[terminal] if cable.port.connected]

    def _supply(self, terminal: str) -> _Supply:
        """What drives a node now; remembered while nothing plays on it."""
        known = self._supplies.get(terminal)
        if known is None:
            known = self._present_supply(terminal)
            if all(port.still for port in self.ports_on(terminal)):
                self._supplies[terminal] = known
        return known

    def _present_supply(self, terminal: str) -> _Supply:
        if terminal in self.grounded:
            return _Supply(0.0, inf)
        cables = [cable for cable in self.cables[terminal] if cable.port.connected]
        if not cables:
            return _Supply(None, 0.0)
        weights = [1.0 / cable.port.resistance for cable in cables]
        emf = sum(w * cable.emf for w, cable in zip(weights, cables, strict=True)) / sum(weights)
        return _Supply(emf, sum(cable.port.limit for cable in cables))

    def track(self) -> None:
        """Put all nodes that their sources can hold to where the sources are."""
        for terminal in self.voltage:
            supply = self._supply(terminal)
            if supply.emf is not None and not self._slow(terminal, supply.emf, supply.limit):
                self.voltage[terminal] = supply.emf

    def _slow(self, terminal: str, emf: float, limit: float) -> bool:
        """Whether the source cannot hold the node at ``emf``: charging it takes time, or its current is too large."""
        if limit == inf:
            return False
        capacitance = self._capacitance(terminal)
        if capacitance * abs(emf - self.voltage[terminal]) > limit * _AT_ONCE:
            return True
        return self._exceeds(terminal, emf, limit)

    def _capacitance(self, terminal: str) -> float:
        p = self.device.parameters
        own = p.c_gate + p.c_gd if terminal == "gate" else p.c_gd
        return own + self.cable(terminal)

    def cable(self, terminal: str) -> float:
        """Cable capacitance (F) of what is laid on a terminal."""
        return sum(cable.capacitance for cable in self.cables[terminal])

    def _device_current(self, terminal: str, voltage: float) -> float:
        """Current (A) into ``terminal`` if it were at ``voltage``, the others as they are."""
        node = {**self.voltage, terminal: voltage}
        into_gate = self.device.gate_current(node["gate"] - node["source"])
        if terminal == "gate":
            return into_gate
        channel = self.device.channel_current(node["drain"] - node["source"])
        return channel if terminal == "drain" else -channel - into_gate

    def limited(self, terminal: str) -> bool:
        supply = self._supply(terminal)
        if supply.emf is None or supply.limit == inf:
            return False
        v = self.voltage[terminal]
        return abs(supply.emf - v) > _SETTLED or self._exceeds(terminal, v, supply.limit)

    def _exceeds(self, terminal: str, voltage: float, limit: float) -> bool:
        """Whether the device draws more than ``limit`` (A) from a terminal at ``voltage``; mostly its bound tells."""
        if terminal == "drain" and self.device.most_channel_current(voltage - self.voltage["source"]) <= limit:
            return False
        return abs(self._device_current(terminal, voltage)) > limit

    def _injected(self, terminal: str) -> float:
        """Current (A) that a source at its limit pushes into its node; 0 for a floating one."""
        supply, v = self._supply(terminal), self.voltage[terminal]
        if supply.emf is None:
            return 0.0
        lag = supply.emf - v
        return copysign(supply.limit, lag if abs(lag) > _SETTLED else self._device_current(terminal, v))

    def share(self, port: GatedPort, terminal: str) -> float:
        """Current (A) out of one of the ports on a node; the stiffest takes what the others leave."""
        v = self.voltage[terminal]
        total = self._injected(terminal) if self.limited(terminal) else self._device_current(terminal, v)
        cables = [cable for cable in self.cables[terminal] if cable.port.connected]
        currents = {cable.port.name: (cable.emf - v) / cable.port.resistance for cable in cables}
        stiffest = min(cables, key=lambda cable: cable.port.resistance).port
        if port is not stiffest:
            return currents[port.name]
        return total - sum(current for name, current in currents.items() if name != stiffest.name)

    def gate_pieces(self, duration: float) -> list[tuple[float, float]]:
        """(seconds, end voltage) of straight pieces of the gate for ``duration``: mostly one."""
        supply, v = self._supply("gate"), self.voltage["gate"]
        if (supply.emf is not None and supply.limit == inf) or not self._unheld("gate"):
            return [(duration, v)]
        r_c = self.device.gate_resistance * self._capacitance("gate")
        final = self.voltage["source"] + self._injected("gate") * self.device.gate_resistance
        target = supply.emf
        until = duration
        if target is not None and (final - target) * (target - v) > 0.0:
            until = min(duration, r_c * log((final - v) / (final - target)))
        curved = min(until, _OVER * r_c)
        number = int(curved / (_STRAIGHT * r_c)) + 1
        ends = [final + (v - final) * exp(-curved * (k + 1) / number / r_c) for k in range(number)]
        pieces = [(curved / number, end) for end in ends]
        if curved < until:
            pieces.append((until - curved, final))
        if until < duration and target is not None:
            pieces[-1] = (pieces[-1][0], target)
            pieces.append((duration - until, target))
        return [piece for piece in pieces if piece[0] > 0.0]

    def _unheld(self, terminal: str) -> bool:
        supply = self._supply(terminal)
        return supply.emf is None or self.limited(terminal)

    def relax(self, left: float) -> float:
        """Let drain and source go on where nothing holds them; returns the step (s) for which they may stay so."""
        step = left
        for terminal in ("drain", "source"):
            if self._unheld(terminal):
                step = min(step, self._relax_one(terminal, left))
        return step

    def _relax_one(self, terminal: str, left: float) -> float:
        v, injected = self.voltage[terminal], self._injected(terminal)
        surplus = injected - self._device_current(terminal, v)
        final = self._rest_voltage(terminal, injected)
        capacitance = self._capacitance(terminal)
        if abs(final - v) < _SETTLED or surplus == 0.0 or capacitance == 0.0:
            self.voltage[terminal] = final
            return left
        tau = max(capacitance * (final - v) / surplus, 1e-12)
        step = min(left, _RELAX_STEP * tau)
        self.voltage[terminal] = final + (v - final) * exp(-step / tau)
        return step

    def _rest_voltage(self, terminal: str, injected: float) -> float:
        """Where the node comes to rest: device current equal to the injected one, or at the source's EMF."""
        supply = self._supply(terminal)
        other = self.voltage["source" if terminal == "drain" else "drain"]
        if supply.emf is None and terminal == "drain":
            return other  # no current, no voltage across the channel
        bound = supply.emf if supply.emf is not None else other
        low, high = sorted((other, bound)) if bound != other else (other - 1.0, other + 1.0)
        if supply.emf is not None and abs(self._device_current(terminal, supply.emf)) <= supply.limit:
            return supply.emf
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if self._device_current(terminal, middle) < injected:
                low = middle
            else:
                high = middle
        return 0.5 * (low + high)
