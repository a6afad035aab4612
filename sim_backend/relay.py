"""A relay that lays one of several sources on the device, driven by a digital line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sim_backend.circuit import Circuit, Port
from sim_backend.clock import Clock, Event
from sim_backend.lines import Lines


@dataclass(frozen=True)
class Branch:
    """What a position connects: a port, the terminal and the cable's capacitance (F)."""

    port: Port
    terminal: str
    capacitance: float


class SelectorRelay:
    """Exactly one position is connected, break before make; everything open for ``time`` (s) while it moves (F8).

    ``operations`` counts the movements, for wear.
    """

    def __init__(
        self,
        clock: Clock,
        circuit: Circuit,
        lines: Lines,
        line: str,
        branches: Mapping[int, Sequence[Branch]],
        time: float,
    ) -> None:
        self.operations = 0
        self._clock = clock
        self._circuit = circuit
        self._branches = branches
        self._time = time
        self._made: Sequence[Branch] = ()
        self._moving: Event | None = None
        lines.listen(line, self._move)
        self._make(int(lines.level(line)))

    def _move(self, level: bool) -> None:
        for branch in self._made:
            self._circuit.disconnect(branch.port)
        self._made = ()
        if self._moving:
            self._clock.cancel(self._moving)
        self.operations += 1
        self._moving = self._clock.call_at(self._clock.now + self._time, lambda: self._make(int(level)))

    def _make(self, level: int) -> None:
        self._moving = None
        self._made = self._branches.get(level, ())
        for branch in self._made:
            self._circuit.connect(branch.port, branch.terminal, branch.capacitance)
