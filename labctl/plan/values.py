"""Quantities of a protocol as values of a plan: fields become voltages through the channel length."""

from __future__ import annotations

from labctl.bench.description import BenchDescription
from labctl.plan import operations as o
from labctl.plan.errors import PlanError
from labctl.protocol import steps as s


class Values:
    """Conversion for one bench."""

    def __init__(self, bench: BenchDescription) -> None:
        self._bench = bench

    def value(self, quantity: s.Quantity | s.Ref | int | float) -> o.Value:
        """A number or a loop variable."""
        if isinstance(quantity, s.Ref):
            return o.Value(name=quantity.name, scale=self.length if quantity.unit == "V/m" else 1.0)
        if isinstance(quantity, s.Quantity):
            return o.Value(quantity.value * (self.length if quantity.unit == "V/m" else 1.0))
        return o.Value(float(quantity))

    def optional(self, quantity: s.Quantity | s.Ref | None) -> o.Value | None:
        return None if quantity is None else self.value(quantity)

    def number(self, quantity: s.Quantity | s.Ref | int | str, step: s.Step, what: str) -> float:
        """A number that may not change inside a loop."""
        if isinstance(quantity, s.Quantity):
            return quantity.value
        if isinstance(quantity, int):
            return float(quantity)
        raise PlanError(f"'{what}' cannot be the variable of a loop", str(step.where), "give a number or a parameter")

    def count(self, quantity: s.Quantity | s.Ref | int | str, step: s.Step, what: str) -> int:
        return round(self.number(quantity, step, what))

    def seconds(self, quantity: s.Quantity | s.Ref | None, step: s.Step, what: str) -> float:
        """A time that may be left out: 0."""
        return 0.0 if quantity is None else self.number(quantity, step, what)

    @property
    def length(self) -> float:
        if self._bench.device.length is None:
            raise PlanError(
                f"bench {self._bench.name!r} gives no channel length, so fields (V/m) have no voltage",
                hint="add 'length' under 'device' in the bench file, or give levels in volts",
            )
        return self._bench.device.length


def reach(value: s.Quantity | s.Ref | None) -> float:
    """Largest magnitude that a quantity or loop variable takes, in its own unit; what a source must be able to give."""
    if isinstance(value, s.Ref):
        return max(map(abs, value.values), default=0.0)
    return 0.0 if value is None else abs(value.value)
