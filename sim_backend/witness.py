"""What a simulated device has really seen, beyond the extremes: time above levels, charge, pulses and their energy.

A judge of plans and drivers: put on a circuit (``circuit.witness = Witness(...)``) it is told every straight stretch of
the device's node voltages, as the circuit has solved it. Displacement currents are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: V: what a source plays and does not reach this is no pulse
SMALLEST_PULSE = 0.5

#: node voltage (V) at the beginning and at the end of a straight stretch
Edge = tuple[float, float]


@dataclass
class Seen:
    """One terminal: extreme voltages (V), largest current (A), charge (C), seconds above each level asked for."""

    lowest: float = 0.0
    highest: float = 0.0
    current: float = 0.0
    charge: float = 0.0
    above: dict[float, float] = field(default_factory=dict)


class Witness:
    """Keeps what happened; ``levels``: terminal -> magnitudes (V) above which time is counted.

    Attributes:
        terminals: what each of them saw. channel: largest voltage between the channel's ends (V).
        pulses: by terminal; stretches of one sign that a playing source drives beyond ``SMALLEST_PULSE``.
        energy: largest energy of one pulse (J).
    """

    def __init__(self, terminals: Sequence[str], levels: Mapping[str, Sequence[float]]) -> None:
        self.terminals = {name: Seen(above=dict.fromkeys(levels.get(name, ()), 0.0)) for name in terminals}
        self.channel = 0.0
        self.pulses = dict.fromkeys(terminals, 0)
        self.energy = 0.0
        self._inside = dict.fromkeys(terminals, 0)  # sign of the pulse that a terminal is in
        self._running = 0.0  # energy of the present pulse

    def stretch(
        self,
        seconds: float,
        nodes: Mapping[str, Edge],
        ends: tuple[str, str],
        current: Edge,
        playing: bool,
        count: int = 1,
    ) -> None:
        """``count`` equal stretches; ``current`` (A) flows into ``ends[0]`` and out of ``ends[1]``."""
        for name, (v1, v2) in nodes.items():
            seen = self.terminals[name]
            seen.lowest, seen.highest = min(seen.lowest, v1, v2), max(seen.highest, v1, v2)
            for level in seen.above:
                seen.above[level] += count * seconds * share_above(level, v1, v2)
        amps = max(map(abs, current))
        for name in ends:
            seen = self.terminals[name]
            seen.current = max(seen.current, amps)
            seen.charge += count * seconds * 0.5 * (abs(current[0]) + abs(current[1]))
        (a1, a2), (b1, b2) = (nodes[name] for name in ends)
        self.channel = max(self.channel, abs(a1 - b1), abs(a2 - b2))
        work = seconds * 0.5 * (abs((a1 - b1) * current[0]) + abs((a2 - b2) * current[1]))
        for name, edge in nodes.items():
            self._pulse(name, edge, playing, work if name in ends else 0.0, count)

    def _pulse(self, name: str, edge: Edge, playing: bool, work: float, count: int) -> None:
        largest = max(edge, key=abs)
        sign = 0 if abs(largest) <= SMALLEST_PULSE or not playing else (1 if largest > 0 else -1)
        if sign and sign != self._inside[name]:
            self.pulses[name] += count
            self._running = 0.0
        if sign:
            self._running += work
            self.energy = max(self.energy, self._running)
        self._inside[name] = sign


def share_above(level: float, v1: float, v2: float) -> float:
    """Share of a straight stretch from ``v1`` to ``v2`` (V) that is spent at magnitudes above ``level`` >= 0."""
    if v1 == v2:
        return float(abs(v1) > level)
    low, high = sorted((v1, v2))
    up = max(0.0, high - max(level, low))
    down = max(0.0, min(-level, high) - low)
    return (up + down) / (high - low)
