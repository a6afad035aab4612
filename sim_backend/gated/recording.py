"""What flowed through the terminals of a gated device over a stretch of time, block by block of equal periods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim_backend.devices.aab import Passage

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Edges:
    """Straight pieces of one node voltage in a period: where each begins and ends (V)."""

    starts: Floats
    ends: Floats


@dataclass(frozen=True)
class RecordedBlock:
    """``count`` identical periods from absolute time ``start`` (s).

    ``durations`` (s) and ``nodes`` hold one period; ``passage`` is the device's way through it. ``capacitance`` (F) is
    that of the cables from terminal to ground.
    """

    start: float
    count: int
    durations: Floats
    nodes: Mapping[str, Edges]
    passage: Passage
    gate_resistance: float
    capacitance: Mapping[str, float]

    @cached_property
    def boundaries(self) -> Floats:
        """Ends of the pieces, s from the start of the period."""
        return np.cumsum(self.durations)

    @property
    def period(self) -> float:
        """Seconds."""
        return float(self.boundaries[-1])

    @property
    def end(self) -> float:
        """Absolute time, s."""
        return self.start + self.count * self.period

    @property
    def knots(self) -> Floats:
        """Offsets (s) between which currents are smooth: kinks of voltage or of regime."""
        return np.union1d(self.boundaries, self.passage.boundaries)

    @property
    def time_constants(self) -> tuple[float, ...]:
        """Those with which currents relax after a knot, s."""
        p = self.passage.parameters
        return p.tau_charge, p.tau_relax_negative, p.tau_relax_positive

    def voltage(self, terminal: str, offsets: Floats) -> Floats:
        """Node voltage (V) at ``offsets`` (s) into the period."""
        k = self._piece(offsets)
        share = (offsets - (self.boundaries[k] - self.durations[k])) / self.durations[k]
        edges = self.nodes[terminal]
        return np.asarray(edges.starts[k] + (edges.ends[k] - edges.starts[k]) * share)

    def slope(self, terminal: str, offsets: Floats) -> Floats:
        """dV/dt (V/s) of the node."""
        edges = self.nodes[terminal]
        return np.asarray(((edges.ends - edges.starts) / self.durations)[self._piece(offsets)])

    def current(self, terminal: str, periods: Ints, offsets: Floats) -> Floats:
        """Current (A) into ``terminal``, shape (periods, offsets), displacement included.

        The drain carries ``C_gd dVg/dt`` with the sign of the reference (part 2b.2).
        """
        p = self.passage.parameters
        slopes = {name: self.slope(name, offsets) for name in self.nodes}
        source = self.voltage("source", offsets)
        cable = self.capacitance.get(terminal, 0.0) * slopes[terminal]
        into_gate = (self.voltage("gate", offsets) - source) / self.gate_resistance + p.c_gate * (
            slopes["gate"] - slopes["source"]
        )
        if terminal == "gate":
            total = into_gate + p.c_gd * (slopes["gate"] - slopes["drain"]) + cable
            return np.broadcast_to(total, (len(periods), len(offsets)))
        channel = self.passage.channel_current(periods, offsets, self.voltage("drain", offsets) - source)
        if terminal == "drain":
            return np.asarray(channel + p.c_gd * (slopes["gate"] + slopes["drain"]) + cable)
        return np.asarray(cable - channel - into_gate)

    def _piece(self, offsets: Floats) -> Ints:
        return np.minimum(np.searchsorted(self.boundaries, offsets, side="right"), len(self.durations) - 1)


@dataclass
class Recording:
    """Blocks in order of time; the circuit adds to it until it is stopped."""

    blocks: list[RecordedBlock] = field(default_factory=list)
