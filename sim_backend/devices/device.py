"""What the circuit needs of a two-terminal device."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class Repeated(NamedTuple):
    """What a device did with repeated periods: how many it took, and the extremes while it did."""

    periods: int
    lowest: float  # V across the device
    highest: float
    largest_current: float  # A, absolute


class TwoTerminalDevice(Protocol):
    """Voltage ``v`` (V) is that of the first terminal against the second, current ``i`` (A) flows in at the first.

    I(V) must be odd-signed, continuous and strictly increasing.
    """

    terminals: tuple[str, str]

    def current(self, v: float) -> float:
        """I(V) in the present state."""

    def voltage(self, i: float) -> float:
        """Inverse of ``current``."""

    def loop(self, emf: float, resistance: float) -> float:
        """Device voltage behind a source of ``emf`` (V) and series ``resistance`` (ohm): v + R I(v) = emf."""

    def worst_current(self, v: float) -> float:
        """Bound of abs(I) at ``v`` over all states that the device can reach without being destroyed."""

    def advance(self, duration: float, v1: float, v2: float) -> float:
        """Let the voltage go straight from ``v1`` to ``v2`` in ``duration`` (s).

        Returns the time (s) really spent: less than ``duration`` when I(V) changed and the circuit must be solved
        anew, then the rest is offered again.
        """

    def repeat(
        self,
        durations: tuple[float, ...],
        emf_starts: tuple[float, ...],
        emf_ends: tuple[float, ...],
        resistance: float,
        count: int,
    ) -> Repeated:
        """Take up to ``count`` identical periods of loop EMF (V) behind ``resistance`` (ohm) in closed form.

        ``periods`` = 0 declines: the circuit then goes segment by segment.
        """

    def flicker(self) -> float:
        """Relative fluctuation of the current in one measurement of 1 PLC; a new draw at each call."""

    def dose(self) -> dict[str, float]:
        """What judges the treatment: accumulated doses and counters by name."""

    def state(self) -> dict[str, Any]:
        """JSON-serialisable state that ``restore`` takes."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state saved earlier."""
