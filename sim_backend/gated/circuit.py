"""Circuit of one gated (three-terminal) device: same face towards instruments as ``sim_backend.circuit.Circuit``.

Sources are stiff against a channel of a gigaohm: a node takes the EMF of its source, unless the source is at its
current limit or nothing is connected. Then the node's own capacitance is charged by what is left over (F20, F30).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import copysign, exp, inf, log

import numpy as np
from numpy.typing import NDArray

from sim_backend.circuit import Extremes
from sim_backend.clock import Clock
from sim_backend.devices.aab import AabTransistor
from sim_backend.gated.port import GatedPort
from sim_backend.gated.recording import Edges, RecordedBlock, Recording
from sim_backend.gated.score import Block, blocks

_AT_ONCE = 1e-8  # s: a gate that is charged faster than this jumps
_STRAIGHT = 0.05  # of R C: longest piece of an exponential that is taken as straight
_OVER = 15.0  # of R C: an exponential that is over
_RELAX_STEP = 0.2  # of R C: step of a node that is not held
_SETTLED = 1e-7  # V
_HALVINGS = 60


@dataclass(frozen=True)
class _Cable:
    """A port laid on a terminal, the capacitance (F) of its cable, and the most voltage (V) that its path passes."""

    port: GatedPort
    capacitance: float
    ceiling: float

    @property
    def emf(self) -> float:
        return min(max(self.port.emf, -self.ceiling), self.ceiling)


@dataclass(frozen=True)
class _Supply:
    """What drives a node: EMF (V), None when it floats, and the most current (A) that comes with it."""

    emf: float | None
    limit: float


class GatedCircuit:
    """Ports on gate, drain and source of one device.

    Args:
        clock: the bench's clock.
        device: the transistor.
    """

    terminals = ("gate", "drain", "source")

    def __init__(self, clock: Clock, device: AabTransistor) -> None:
        self.clock = clock
        self.device = device
        self.ports: dict[str, GatedPort] = {}
        self.extremes = {name: Extremes() for name in self.terminals}
        self._recent = {name: Extremes() for name in self.terminals}
        self._cables: dict[str, list[_Cable]] = {name: [] for name in self.terminals}
        self._leakage: dict[str, Callable[[float], float]] = {}
        self._grounded: set[str] = set()
        self._node = dict.fromkeys(self.terminals, 0.0)
        self._recordings: list[Recording] = []
        self._time = clock.now

    # -- wiring ----------------------------------------------------------------------------------------------------

    def port(self, name: str) -> GatedPort:
        """The port of that name; made when asked for first."""
        if name not in self.ports:
            self.ports[name] = GatedPort(name, self)
        return self.ports[name]

    def connect(self, port: GatedPort, terminal: str, capacitance: float = 0.0, ceiling: float = inf) -> None:
        """Lay the port on a terminal from now on, with a cable of ``capacitance`` (F) to common.

        What lies in between passes at most ``ceiling`` (V), as the SMU path of an RSU does (F18).
        """
        self.settle()
        if self.terminal_of(port) is not None:
            raise ValueError(f"port {port.name} is on a terminal already")
        self._cables[terminal].append(_Cable(port, capacitance, ceiling))
        self.changed()

    def disconnect(self, port: GatedPort) -> None:
        """Take the port off its terminal from now on."""
        self.settle()
        for cables in self._cables.values():
            cables[:] = [cable for cable in cables if cable.port is not port]
        self.changed()

    def ground(self, terminal: str) -> None:
        """Lay a terminal on common from now on."""
        self.settle()
        self._grounded.add(terminal)
        self.changed()

    def leak(self, port: GatedPort, current: Callable[[float], float]) -> None:
        """The path behind ``port`` leaks ``current(time)`` (A) to ground while it is laid on a terminal (F25)."""
        self._leakage[port.name] = current

    def terminal_of(self, port: GatedPort) -> str | None:
        """The terminal that a port is laid on now."""
        for terminal, cables in self._cables.items():
            if any(cable.port is port for cable in cables):
                return terminal
        return None

    # -- what ports and instruments ask ----------------------------------------------------------------------------

    def record(self) -> Recording:
        """Keep what flows from now on, until ``stop``."""
        self.settle()
        recording = Recording()
        self._recordings.append(recording)
        return recording

    def stop(self, recording: Recording) -> None:
        """End a recording now."""
        self.settle()
        self._recordings = [other for other in self._recordings if other is not recording]

    def changed(self) -> None:
        """A port or the wiring has changed (after ``settle``)."""
        self._track()

    def ahead(self, start: float) -> float:
        """Seconds from now until absolute time ``start``."""
        return max(0.0, start - self.clock.now)

    def port_voltage(self, port: GatedPort) -> float:
        terminal = self._reached(port)
        return port.emf if terminal is None else self.true_voltage(terminal)

    def port_current(self, port: GatedPort) -> float:
        """Current out of a port now (A), leakage of its path included, displacement left out."""
        terminal = self._reached(port)
        if terminal is None:
            return 0.0
        self.settle()
        leak = self._leakage.get(port.name)
        return self._share(port, terminal) + (leak(self.clock.now) if leak else 0.0)

    def port_limited(self, port: GatedPort) -> bool:
        terminal = self._reached(port)
        if terminal is None:
            return False
        self.settle()
        return self._limited(terminal)

    def flicker(self) -> float:
        return self.device.flicker()

    def flickers(self, number: int) -> NDArray[np.float64]:
        """``flicker`` for ``number`` readings."""
        return self.device.flickers(number)

    def take_extremes(self) -> dict[str, float]:
        """Terminal -> voltage (V) of the largest magnitude since the last call."""
        self.settle()
        taken = {name: max(seen.lowest, seen.highest, key=abs) for name, seen in self._recent.items()}
        self._recent = {name: Extremes() for name in self.terminals}
        self._note()
        return taken

    def true_voltage(self, terminal: str) -> float:
        """Node voltage (V) against common now."""
        self.settle()
        return self._node[terminal]

    def true_voltages(self) -> dict[str, float]:
        """All node voltages (V) now."""
        self.settle()
        return dict(self._node)

    # -- time ------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Integrate up to the clock."""
        duration = self.clock.now - self._time
        if duration <= 0.0:
            return
        live = {p.name: p.cursor for p in self.ports.values() if p.cursor and not p.cursor.finished}
        if live:
            for block in blocks(live, duration):
                self._go(block)
        else:
            self._hold(duration)
        self._time = self.clock.now
        self._track()

    def _go(self, block: Block) -> None:
        flat = len(block.durations) == 1 and all(a == b for a, b in block.levels.values())
        if flat:
            self._track()  # the cursors stand at the block's beginning
            self._hold(block.durations[0])
        else:
            self._run(block)

    def _run(self, block: Block) -> None:
        """Nodes follow their sources through ``count`` periods."""
        number = len(block.durations)
        nodes = {}
        for terminal in self.terminals:
            moving = [block.levels[p.name] for p in self._ports_on(terminal) if p.name in block.levels]
            still = np.full(number, self._node[terminal])
            edges = Edges(np.array(moving[0][0]), np.array(moving[0][1])) if moving else Edges(still, still)
            nodes[terminal] = edges
            for v in (edges.starts.min(), edges.starts.max(), edges.ends.min(), edges.ends.max()):
                self._include(terminal, float(v))
            self._node[terminal] = float(edges.ends[-1])
        self._through(np.array(block.durations), nodes, block.count)

    def _hold(self, duration: float) -> None:
        """Constant EMFs; gate, drain or source may still be on their way."""
        for seconds, end in self._gate_pieces(duration):
            start, left = self._node["gate"], seconds
            while left > 0.0:
                step = min(left, self._relax_nodes(left))
                here = start + (end - start) * (1.0 - left / seconds)
                there = start + (end - start) * (1.0 - (left - step) / seconds)
                nodes = {name: Edges(np.array([v]), np.array([v])) for name, v in self._node.items()}
                nodes["gate"] = Edges(np.array([here]), np.array([there]))
                self._through(np.array([step]), nodes, 1)
                self._node["gate"] = there
                left -= step if step < left else left
            self._note()

    def _through(self, durations: NDArray[np.float64], nodes: Mapping[str, Edges], count: int) -> None:
        gate, source = nodes["gate"], nodes["source"]
        pieces = list(
            zip(
                durations.tolist(),
                (gate.starts - source.starts).tolist(),
                (gate.ends - source.ends).tolist(),
                strict=True,
            )
        )
        start = self._time
        self._time += float(durations.sum()) * count
        if not self._recordings and count == 1:
            for piece in pieces:
                self.device.ramp(*piece)
            return
        resistance = self.device.gate_resistance
        cables = {terminal: self._cable(terminal) for terminal in self.terminals}
        passage = self.device.run(pieces, count)
        for recording in self._recordings:
            recording.blocks.append(RecordedBlock(start, count, durations, nodes, passage, resistance, cables))

    # -- nodes -----------------------------------------------------------------------------------------------------

    def _ports_on(self, terminal: str) -> list[GatedPort]:
        return [cable.port for cable in self._cables[terminal] if cable.port.connected]

    def _supply(self, terminal: str) -> _Supply:
        if terminal in self._grounded:
            return _Supply(0.0, inf)
        cables = [cable for cable in self._cables[terminal] if cable.port.connected]
        if not cables:
            return _Supply(None, 0.0)
        weights = [1.0 / cable.port.resistance for cable in cables]
        emf = sum(w * cable.emf for w, cable in zip(weights, cables, strict=True)) / sum(weights)
        return _Supply(emf, sum(cable.port.limit for cable in cables))

    def _track(self) -> None:
        """Put all nodes that their sources can hold to where the sources are."""
        for terminal in self.terminals:
            supply = self._supply(terminal)
            if supply.emf is not None and not self._slow(terminal, supply.emf, supply.limit):
                self._node[terminal] = supply.emf
        self._note()

    def _slow(self, terminal: str, emf: float, limit: float) -> bool:
        """Whether the source cannot hold the node at ``emf``: charging it takes time, or its current is too large."""
        if limit == inf:
            return False
        capacitance = self._capacitance(terminal)
        if capacitance * abs(emf - self._node[terminal]) > limit * _AT_ONCE:
            return True
        return abs(self._device_current(terminal, emf)) > limit

    def _capacitance(self, terminal: str) -> float:
        p = self.device.parameters
        own = p.c_gate + p.c_gd if terminal == "gate" else p.c_gd
        return own + self._cable(terminal)

    def _cable(self, terminal: str) -> float:
        """Cable capacitance (F) of what is laid on a terminal."""
        return sum(cable.capacitance for cable in self._cables[terminal])

    def _device_current(self, terminal: str, voltage: float) -> float:
        """Current (A) into ``terminal`` if it were at ``voltage``, the others as they are."""
        node = {**self._node, terminal: voltage}
        into_gate = self.device.gate_current(node["gate"] - node["source"])
        if terminal == "gate":
            return into_gate
        channel = self.device.channel_current(node["drain"] - node["source"])
        return channel if terminal == "drain" else -channel - into_gate

    def _limited(self, terminal: str) -> bool:
        supply = self._supply(terminal)
        if supply.emf is None or supply.limit == inf:
            return False
        v = self._node[terminal]
        return abs(supply.emf - v) > _SETTLED or abs(self._device_current(terminal, v)) > supply.limit

    def _injected(self, terminal: str) -> float:
        """Current (A) that a source at its limit pushes into its node; 0 for a floating one."""
        supply, v = self._supply(terminal), self._node[terminal]
        if supply.emf is None:
            return 0.0
        lag = supply.emf - v
        return copysign(supply.limit, lag if abs(lag) > _SETTLED else self._device_current(terminal, v))

    def _share(self, port: GatedPort, terminal: str) -> float:
        """Current (A) out of one of the ports on a node; the stiffest takes what the others leave."""
        v = self._node[terminal]
        total = self._injected(terminal) if self._limited(terminal) else self._device_current(terminal, v)
        cables = [cable for cable in self._cables[terminal] if cable.port.connected]
        currents = {cable.port.name: (cable.emf - v) / cable.port.resistance for cable in cables}
        stiffest = min(cables, key=lambda cable: cable.port.resistance).port
        if port is not stiffest:
            return currents[port.name]
        return total - sum(current for name, current in currents.items() if name != stiffest.name)

    def _gate_pieces(self, duration: float) -> list[tuple[float, float]]:
        """(seconds, end voltage) of straight pieces of the gate for ``duration``: mostly one."""
        supply, v = self._supply("gate"), self._node["gate"]
        if (supply.emf is not None and supply.limit == inf) or not self._unheld("gate"):
            return [(duration, v)]
        r_c = self.device.gate_resistance * self._capacitance("gate")
        final = self._node["source"] + self._injected("gate") * self.device.gate_resistance
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
        return supply.emf is None or self._limited(terminal)

    def _relax_nodes(self, left: float) -> float:
        """Let drain and source go on where nothing holds them; returns the step (s) for which they may stay so."""
        step = left
        for terminal in ("drain", "source"):
            if self._unheld(terminal):
                step = min(step, self._relax(terminal, left))
        return step

    def _relax(self, terminal: str, left: float) -> float:
        v, injected = self._node[terminal], self._injected(terminal)
        surplus = injected - self._device_current(terminal, v)
        final = self._rest_voltage(terminal, injected)
        capacitance = self._capacitance(terminal)
        if abs(final - v) < _SETTLED or surplus == 0.0 or capacitance == 0.0:
            self._node[terminal] = final
            return left
        tau = max(capacitance * (final - v) / surplus, 1e-12)
        step = min(left, _RELAX_STEP * tau)
        self._node[terminal] = final + (v - final) * exp(-step / tau)
        return step

    def _rest_voltage(self, terminal: str, injected: float) -> float:
        """Where the node comes to rest: device current equal to the injected one, or at the source's EMF."""
        supply = self._supply(terminal)
        other = self._node["source" if terminal == "drain" else "drain"]
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

    def _reached(self, port: GatedPort) -> str | None:
        """The terminal that a port acts on now."""
        return self.terminal_of(port) if port.connected else None

    def _note(self) -> None:
        for terminal, v in self._node.items():
            self._include(terminal, v)

    def _include(self, terminal: str, v: float) -> None:
        for seen in (self.extremes[terminal], self._recent[terminal]):
            seen.include(v, 0.0)
