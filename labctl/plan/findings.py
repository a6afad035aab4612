"""What a proof finds: violations and warnings, each with the step that it is about."""

from __future__ import annotations

from labctl.plan.operations import Op
from labctl.plan.plan import Limit, Node, Violation

#: a level that is a product of a field and a length may round up by this part of itself
ROUNDING = 1e-9


class Findings:
    """Collected during the walk over a plan; the same finding counts once."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self._nodes = nodes
        self.violations: list[Violation] = []
        self.warnings: list[str] = []

    def violate(self, op: Op, quantity: str, whose: str, name: str, limit: float, value: float) -> None:
        """A limit that ``op`` breaks: its value and the plan's, SI; ``whose``: 'device', 'wiring', or a source."""
        self.breach(op.node, Limit(quantity, whose, name, limit), value)

    def breach(self, node: int, limit: Limit, value: float) -> None:
        found = self._nodes[node]
        violation = Violation(node, found.text, found.where, limit, value)
        if violation not in self.violations:
            self.violations.append(violation)

    def at_most(self, op: Op, quantity: str, whose: str, name: str, limit: float, value: float) -> None:
        """Violated where abs(``value``) exceeds ``limit`` by more than rounding."""
        if abs(value) > limit * (1 + ROUNDING):
            self.violate(op, quantity, whose, name, limit, value)

    def at_least(self, op: Op, quantity: str, whose: str, name: str, limit: float, value: float) -> None:
        """Violated where ``value`` is below ``limit`` by more than rounding."""
        if value < limit * (1 - ROUNDING):
            self.violate(op, quantity, whose, name, limit, value)

    def warn(self, op: Op, text: str) -> None:
        """Not a limit, but likely not what was wanted."""
        warning = f"{self._nodes[op.node].where}: {text}"
        if warning not in self.warnings:
            self.warnings.append(warning)
