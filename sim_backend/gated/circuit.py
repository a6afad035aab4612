"""Circuit of one gated (three-terminal) device: same face towards instruments as ``sim_backend.circuit.Circuit``.

Time is cut into blocks of what the sources play together; in each the nodes follow their sources, and the device goes
through the gate's straight pieces in closed form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

import numpy as np
from numpy.typing import NDArray

from sim_backend.circuit import Extremes
from sim_backend.clock import Clock
from sim_backend.devices.aab import AabTransistor
from sim_backend.gated.nodes import Cable, Nodes
from sim_backend.gated.port import GatedPort
from sim_backend.gated.recording import Edges, RecordedBlock, Recording
from sim_backend.gated.score import Block, blocks
from sim_backend.witness import Witness


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
        self._nodes = Nodes(device)
        self._noted: tuple[float, ...] = ()  # voltages that the extremes have seen last
        self._recordings: list[Recording] = []
        self.witness: Witness | None = None
        self._time = clock.now

    # -- wiring ----------------------------------------------------------------------------------------------------

    def port(self, name: str) -> GatedPort:
        """The port of that name; made when asked for first."""
        if name not in self.ports:
            self.ports[name] = GatedPort(name, self)
        return self.ports[name]

    def connect(
        self,
        port: GatedPort,
        terminal: str,
        capacitance: float = 0.0,
        ceiling: float = inf,
        leakage: Callable[[float], float] | None = None,
    ) -> None:
        """Lay the port on a terminal from now on, with a cable of ``capacitance`` (F) to common.

        What lies in between passes at most ``ceiling`` (V) and leaks ``leakage(time)`` (A) to common, as the SMU path
        of an RSU does (F18, F25).
        """
        self.settle()
        if self.terminal_of(port) is not None:
            raise ValueError(f"port {port.name} is on a terminal already")
        self._nodes.cables[terminal].append(Cable(port, capacitance, ceiling, leakage))
        self.changed()

    def disconnect(self, port: GatedPort) -> None:
        """Take the port off its terminal from now on."""
        self.settle()
        for cables in self._nodes.cables.values():
            cables[:] = [cable for cable in cables if cable.port is not port]
        self.changed()

    def ground(self, terminal: str) -> None:
        """Lay a terminal on common from now on."""
        self.settle()
        self._nodes.grounded.add(terminal)
        self.changed()

    def terminal_of(self, port: GatedPort) -> str | None:
        """The terminal that a port is laid on now."""
        for terminal, cables in self._nodes.cables.items():
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
        self._nodes.forget_supplies()
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
        leak = next(cable.leakage for cable in self._nodes.cables[terminal] if cable.port is port)
        return self._nodes.share(port, terminal) + (leak(self.clock.now) if leak else 0.0)

    def port_limited(self, port: GatedPort) -> bool:
        terminal = self._reached(port)
        if terminal is None:
            return False
        self.settle()
        return self._nodes.limited(terminal)

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
        self._noted = ()
        self._note()
        return taken

    def true_voltage(self, terminal: str) -> float:
        """Node voltage (V) against common now."""
        self.settle()
        return self._nodes.voltage[terminal]

    def true_voltages(self) -> dict[str, float]:
        """All node voltages (V) now."""
        self.settle()
        return dict(self._nodes.voltage)

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
            moving = [block.levels[p.name] for p in self._nodes.ports_on(terminal) if p.name in block.levels]
            still = np.full(number, self._nodes.voltage[terminal])
            edges = Edges(np.array(moving[0][0]), np.array(moving[0][1])) if moving else Edges(still, still)
            nodes[terminal] = edges
            for v in (edges.starts.min(), edges.starts.max(), edges.ends.min(), edges.ends.max()):
                self._include(terminal, float(v))
            self._nodes.voltage[terminal] = float(edges.ends[-1])
        self._through(np.array(block.durations), nodes, block.count)

    def _hold(self, duration: float) -> None:
        """Constant EMFs; gate, drain or source may still be on their way."""
        for seconds, end in self._nodes.gate_pieces(duration):
            start, left = self._nodes.voltage["gate"], seconds
            while left > 0.0:
                step = min(left, self._nodes.relax(left))
                here = start + (end - start) * (1.0 - left / seconds)
                there = start + (end - start) * (1.0 - (left - step) / seconds)
                self._pass(step, here, there)
                self._nodes.voltage["gate"] = there
                left -= step if step < left else left
            self._note()

    def _pass(self, seconds: float, start: float, end: float) -> None:
        """One straight piece of the gate (V against common), the other nodes as they are."""
        if self._recordings or self.witness is not None:
            nodes = {name: Edges(np.array([v]), np.array([v])) for name, v in self._nodes.voltage.items()}
            nodes["gate"] = Edges(np.array([start]), np.array([end]))
            self._through(np.array([seconds]), nodes, 1)
            return
        source = self._nodes.voltage["source"]
        self._time += seconds
        self.device.ramp(seconds, start - source, end - source)

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
        if self.witness is not None:
            self._testify(self.witness, durations, nodes, count)
        if not self._recordings and count == 1:
            for piece in pieces:
                self.device.ramp(*piece)
            return
        resistance = self.device.gate_resistance
        cables = {terminal: self._nodes.cable(terminal) for terminal in self.terminals}
        passage = self.device.run(pieces, count)
        for recording in self._recordings:
            recording.blocks.append(RecordedBlock(start, count, durations, nodes, passage, resistance, cables))

    def _testify(
        self, witness: Witness, durations: NDArray[np.float64], nodes: Mapping[str, Edges], count: int
    ) -> None:
        """Tell the witness of ``count`` periods; the channel's current is that of the state they begin in."""
        playing = any(p.cursor is not None and not p.cursor.finished for p in self.ports.values())
        for k, seconds in enumerate(durations.tolist()):
            edges = {name: (float(edge.starts[k]), float(edge.ends[k])) for name, edge in nodes.items()}
            along = (edges["drain"][0] - edges["source"][0], edges["drain"][1] - edges["source"][1])
            current = (self.device.channel_current(along[0]), self.device.channel_current(along[1]))
            witness.stretch(seconds, edges, ("drain", "source"), current, playing, count)

    def _track(self) -> None:
        """Nodes go to where their sources are."""
        self._nodes.track()
        self._note()

    def _reached(self, port: GatedPort) -> str | None:
        """The terminal that a port acts on now."""
        return self.terminal_of(port) if port.connected else None

    def _note(self) -> None:
        voltages = tuple(self._nodes.voltage.values())
        if voltages != self._noted:
            self._noted = voltages
            for terminal, v in self._nodes.voltage.items():
                self._include(terminal, v)

    def _include(self, terminal: str, v: float) -> None:
        for seen in (self.extremes[terminal], self._recent[terminal]):
            seen.include(v, 0.0)
