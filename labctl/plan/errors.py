"""Errors of planning."""

from __future__ import annotations

from textwrap import shorten

from labctl.plan.plan import Plan, Violation
from labctl.protocol import units


class PlanError(ValueError):
    """The protocol cannot be carried out on this bench, whatever its values (exit code 2)."""

    exit_code = 2

    def __init__(self, message: str, where: str = "", hint: str = "") -> None:
        self.message = f"{where}: {message}" if where else message
        super().__init__(self.message)
        self.hint = hint


class RefusedByLimits(RuntimeError):
    """The plan would break limits (exit code 3)."""

    exit_code = 3

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        first = violations[0]
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        self.message = f"{first.where}: {describe(first)}{more}"
        super().__init__(self.message)
        step = shorten(first.text, 100, placeholder=" ...")
        self.hint = f"change '{step}', or use a device and bench whose limits hold it"


class ForeignPlan(RuntimeError):
    """The plan was proved on another bench than the one it is to be carried out on (exit code 3)."""

    exit_code = 3

    def __init__(self, plan: Plan, bench: str, difference: str) -> None:
        self.message = (
            f"the plan of {plan.protocol} was proved on bench {plan.bench!r} ({plan.fingerprint[:16]}), "
            f"not on this {bench!r}: {difference}"
        )
        super().__init__(self.message)
        self.hint = "plan the protocol again on this bench, or name the bench that it was proved on with --bench"


class EditedPlan(RuntimeError):
    """A plan file does not hold the plan that the texts in it give (exit code 3)."""

    exit_code = 3

    def __init__(self, file: str, difference: str, made_by: str, present: str) -> None:
        self.message = f"{file}: not the plan that its own protocol and bench give: {difference}"
        super().__init__(self.message)
        self.hint = "change the protocol, not its plan, and plan again: labctl plan PROTOCOL --save PLAN.json"
        if made_by != present:
            self.hint = f"it was made by labctl {made_by}, this is {present}: plan the protocol again"


_UNITS = {
    "voltage": "V",
    "current": "A",
    "width": "s",
    "edge": "s",
    "period": "s",
    "pulses": "",
    "vectors": "",
    "field": "V/m",
    "energy": "J",
    "charge": "C",
    "dwell": "s",
    "sources": "",
    "compliance": "A",
    "nplc": "",
    "range": "A",
    "amplitude": "V",
    "window": "s",
    "points": "",
}


def describe(violation: Violation) -> str:
    """One sentence: value, limit, whose limit it is, and by how much it is missed."""
    limit = violation.limit
    below = violation.value < limit.value and limit.quantity in _MINIMA
    relation = "below the minimum" if below else "beyond the limit"
    by = abs(abs(violation.value) - limit.value)
    value, bound, missed = (_said(number, limit.quantity) for number in (violation.value, limit.value, by))
    return f"{limit.quantity} {value} is {relation} {bound} of the {limit.whose} ({limit.name}), by {missed}"


def _said(number: float, quantity: str) -> str:
    return units.text(float(f"{number:.6g}"), _UNITS.get(quantity, ""))


_MINIMA = {"width", "edge", "period", "amplitude", "compliance", "nplc"}
