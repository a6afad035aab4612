"""What the terminals of a device have seen, or may see at worst: pulses, charge, time at each level.

A plan carries the most that it can apply; a ledger of earlier runs adds what they applied. Both are held against the
same budgets of the bench file (``device: limits: pulses, charge, dwell``). SI units; levels and currents by magnitude.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

#: decimals of a level in V; levels that agree in them count as one
DIGITS = 6


@dataclass(frozen=True, slots=True)
class TerminalDose:
    """The dose of one terminal.

    Attributes:
        pulses: role ('' without one) -> number of pulses.
        beyond: pulses above the device's ordinary voltage limit, whatever their role.
        charge: C, integral of abs(I).
        held: (abs(V), s): time spent at each level, pulses included; sorted by level.
    """

    pulses: dict[str, float] = field(default_factory=dict)
    beyond: float = 0.0
    charge: float = 0.0
    held: tuple[tuple[float, float], ...] = ()

    def count(self, role: str | None = None) -> float:
        """Pulses of one role; of all for None."""
        return sum(self.pulses.values()) if role is None else self.pulses.get(role, 0.0)

    def above(self, level: float) -> float:
        """Seconds at magnitudes beyond ``level`` (V); ``level`` itself is not beyond it."""
        return sum(seconds for volts, seconds in self.held if volts > round(level, DIGITS))

    def __add__(self, other: TerminalDose) -> TerminalDose:
        return total((self, other))


@dataclass(frozen=True, slots=True)
class Dose:
    """The dose of a device, terminal by terminal; one that is not named has seen nothing."""

    terminals: dict[str, TerminalDose] = field(default_factory=dict)

    def of(self, terminal: str) -> TerminalDose:
        return self.terminals.get(terminal, TerminalDose())

    def __add__(self, other: Dose) -> Dose:
        names = {**self.terminals, **other.terminals}
        return Dose({name: self.of(name) + other.of(name) for name in names})


def levels(held: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """(V, s) pairs with the times of equal magnitudes summed, sorted by magnitude."""
    summed: dict[float, float] = defaultdict(float)
    for volts, seconds in held:
        summed[round(abs(volts), DIGITS)] += seconds
    return tuple((volts, summed[volts]) for volts in sorted(summed) if summed[volts] > 0)


def total(parts: Iterable[TerminalDose]) -> TerminalDose:
    """Doses of one terminal as one."""
    listed = list(parts)
    roles: dict[str, float] = defaultdict(float)
    for part in listed:
        for role, number in part.pulses.items():
            roles[role] += number
    return TerminalDose(
        dict(roles),
        sum(part.beyond for part in listed),
        sum(part.charge for part in listed),
        levels(pair for part in listed for pair in part.held),
    )
