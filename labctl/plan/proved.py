"""Whether a plan may be carried out on a bench: proved, and proved on this one."""

from __future__ import annotations

from labctl.bench.description import BenchDescription
from labctl.bench.facts import proof_facts
from labctl.plan.compare import changes
from labctl.plan.errors import ForeignPlan, RefusedByLimits
from labctl.plan.plan import Plan


def check_proved(plan: Plan, bench: BenchDescription) -> None:
    """Raises.

    RefusedByLimits: the plan breaks a limit of the bench that it was made for.
    ForeignPlan: it was proved on another bench, or on this one before its file was edited.
    """
    if plan.violations:
        raise RefusedByLimits(plan.violations)
    found = list(changes(plan.proved_on, proof_facts(bench)))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise ForeignPlan(plan, bench.name, f"{found[0].said('then', 'now')}{more}")
