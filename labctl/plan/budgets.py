"""Budgets of a device: charge, pulses and time above a level, summed over a plan and what earlier runs have used.

A violation names the step that exhausts the budget, and the sum of the whole plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from labctl.bench.description import DeviceLimits
from labctl.plan.dose import DIGITS, Dose, TerminalDose, total
from labctl.plan.findings import ROUNDING, Findings
from labctl.plan.plan import Limit


@dataclass
class Budget:
    """One sum and its bound; ``role`` and ``level`` where the sum is of those only."""

    limit: Limit
    terminal: str
    spent: float
    role: str | None = None
    level: float = 0.0
    step: int | None = None  # node that exhausted it

    def spend(self, amount: float, node: int) -> None:
        self.spent += amount
        if amount and self.step is None and self.spent > self.limit.value * (1 + ROUNDING):
            self.step = node


class Budgets:
    """All budgets of a device, and the dose of the plan so far."""

    def __init__(self, limits: DeviceLimits, used: Dose) -> None:
        self._charge, self._pulses, self._dwell = _charges(limits, used), _pulses(limits, used), _dwells(limits, used)
        self._beyond = _beyond(limits, used)
        self._found: dict[str, list[TerminalDose]] = defaultdict(list)

    def pulses(self, node: int, terminal: str, role: str, number: float) -> None:
        """``number`` more pulses of a role."""
        self._found[terminal].append(TerminalDose(pulses={role: number}))
        for budget in self._pulses:
            if budget.terminal == terminal and budget.role in (None, role):
                budget.spend(number, node)

    def beyond(self, node: int, terminal: str, exception: str, number: float) -> None:
        """``number`` more pulses above the ordinary limit, under an exception."""
        self._found[terminal].append(TerminalDose(beyond=number))
        for budget in self._beyond:
            if budget.terminal == terminal and budget.role == exception:
                budget.spend(number, node)

    def held(self, node: int, terminal: str, held: Iterable[tuple[float, float, float]]) -> None:
        """Times at levels: (abs(V), A, s) each, the current being the worst at that level."""
        stretches = list(held)
        charge = sum(amps * seconds for _, amps, seconds in stretches)
        self._found[terminal].append(TerminalDose(charge=charge, held=tuple((v, s) for v, _, s in stretches)))
        for budget in self._charge:
            if budget.terminal == terminal:
                budget.spend(charge, node)
        for budget in self._dwell:
            if budget.terminal == terminal:
                budget.spend(sum(s for v, _, s in stretches if v > budget.level), node)

    @property
    def dose(self) -> Dose:
        """What the plan may apply, without what was used before."""
        return Dose({terminal: total(self._found[terminal]) for terminal in sorted(self._found)})

    def judge(self, findings: Findings) -> None:
        """Report every budget that the plan exhausts."""
        for budget in (*self._charge, *self._dwell, *self._pulses, *self._beyond):
            if budget.step is not None:
                findings.breach(budget.step, budget.limit, budget.spent)


def _charges(limits: DeviceLimits, used: Dose) -> list[Budget]:
    if limits.charge is None:
        return []
    return [
        _budget("charge", f"through {name}", limits.charge, name, used.of(name).charge, "C") for name in limits.voltage
    ]


def _dwells(limits: DeviceLimits, used: Dose) -> list[Budget]:
    found = []
    for dwell in limits.dwell:
        before = used.of(dwell.terminal).above(dwell.above)
        name = f"{dwell.terminal} above {dwell.above:g} V"
        found.append(_budget("dwell", name, dwell.duration, dwell.terminal, before, "s", level=dwell.above))
    return found


def _pulses(limits: DeviceLimits, used: Dose) -> list[Budget]:
    found = []
    for limit in limits.pulses:
        for terminal in limits.voltage if limit.terminal is None else (limit.terminal,):
            name = f"on {terminal}" + (f", role {limit.role!r}" if limit.role is not None else "")
            before = used.of(terminal).count(limit.role)
            found.append(_budget("pulses", name, limit.at_most, terminal, before, "", role=limit.role))
    return found


def _beyond(limits: DeviceLimits, used: Dose) -> list[Budget]:
    """Caps of exceptions: in one run, and over the device's life."""
    found = []
    for name, exception in limits.exceptions.items():
        for terminal in limits.voltage:
            found.append(_budget("pulses", f"exception {name!r}", exception.pulses, terminal, 0.0, "", role=name))
            if exception.ever is not None:
                before = used.of(terminal).beyond
                text = f"exception {name!r} in all runs"
                found.append(_budget("pulses", text, exception.ever, terminal, before, "", role=name))
    return found


def _budget(
    quantity: str, name: str, most: float, terminal: str, before: float, unit: str, *, role: str | None = None,
    level: float = 0.0,
) -> Budget:  # fmt: skip
    earlier = f", {before:.6g} {unit}".rstrip() + " of it in earlier runs" if before else ""
    return Budget(Limit(quantity, "device", name + earlier, most), terminal, before, role, round(level, DIGITS))
