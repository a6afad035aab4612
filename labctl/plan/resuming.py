"""Whether an interrupted run may go on: its budgets with what other runs have applied, before it and since.

What the run applied before it was cut and what is left of it are together no more than its plan, which is counted once.
Only what is done once more comes on top: the state's preparation and the pass that was cut, where they begin again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import UnionType

from labctl.bench.description import BenchDescription
from labctl.plan import operations as o
from labctl.plan.dose import Dose
from labctl.plan.errors import RefusedByLimits
from labctl.plan.plan import Plan
from labctl.plan.proof import Prover
from labctl.plan.sources import Sources

Kinds = type[o.Op] | UnionType
#: what the executor announces; a state's certificate is a reading of the state's own step
_ANNOUNCED = o.EnterState | o.Program | o.Pulses | o.ReadResistance | o.ReadCurrent | o.Sweep | o.Record | o.Bias


@dataclass(frozen=True)
class Repreparation:
    """A place where a run began again, or shall: the step that was in doubt, and that of the latest state, if any."""

    step: int
    state: int | None


def check_budgets(plan: Plan, bench: BenchDescription, others: Dose, begun_again: Iterable[Repreparation]) -> None:
    """Hold a proved plan, and what is done of it once more, against the budgets that ``others`` have used of.

    Raises:
        RefusedByLimits
    """
    prover = Prover(bench, Sources(bench), plan.nodes, plan.allowed, others)
    for place in begun_again:
        prover.count(once_more(plan.ops, place))
    findings = prover.prove(plan.ops, plan.cost.longest)
    if findings.violations:
        raise RefusedByLimits(tuple(findings.violations))


def once_more(ops: tuple[o.Op, ...], place: Repreparation) -> tuple[o.Op, ...]:
    """What is done again, with every variable of the loops around it wherever they may take it.

    As the executor does it: a preparation that was cut begins again; else the latest state is prepared and the pass of
    the innermost loop begins again. Of a block inside an instrument any trial may have been done, and is.
    """
    path = _path(ops, place.step, _ANNOUNCED)
    states = [depth for depth, op in enumerate(path) if isinstance(op, o.EnterState)]
    if states:
        return _inside(path[: states[0]], (path[states[0]],))
    again: tuple[o.Op, ...] = ()
    if place.state is not None:
        *around, state = _path(ops, place.state, o.EnterState)
        again = _inside(around, (state,))
    *around, last = path
    loops = [depth for depth, op in enumerate(around) if isinstance(op, o.Repeat | o.ForEach | o.Until)]
    if isinstance(last, o.Program) or not loops:
        return again + _inside(around, (last,))
    return again + _inside(around[: loops[-1] + 1], o.bodies(around[loops[-1]]))


def _path(ops: tuple[o.Op, ...], step: int, kinds: Kinds) -> tuple[o.Op, ...]:
    """The first operation of a step that is of these kinds, after those that it stands in; () if there is none."""
    for op in ops:
        if op.node == step and isinstance(op, kinds):
            return (op,)
        inner = _path(o.bodies(op), step, kinds)
        if inner:
            return (op, *inner)
    return ()


def _inside(around: Sequence[o.Op], body: tuple[o.Op, ...]) -> tuple[o.Op, ...]:
    """One pass of ``body`` inside what is around it."""
    for op in reversed(around):
        match op:
            case o.ForEach(axis=axis):
                ends = o.Search(axis.name, axis.unit, *op.ranges()[axis.name], "linear")
                body = (o.Until(op.node, axis.name, o.Condition(""), 1, "flag", body, ends),)
            case o.Until():
                body = (replace(op, at_most=1, body=body),)
            case o.Allowed():
                body = (replace(op, body=body),)
    return body
