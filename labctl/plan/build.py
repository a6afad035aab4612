"""From a protocol and a bench to a plan: every step lowered to operations on named sources.

The switching between sources is inserted here, fields become voltages through the channel length, loops stay
loops. The result is then bounded (``proof``) and costed (``cost``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from labctl.bench.description import BenchDescription
from labctl.bench.facts import proof_facts
from labctl.plan import compliance
from labctl.plan import operations as o
from labctl.plan.cost import predict
from labctl.plan.dose import Dose
from labctl.plan.errors import PlanError
from labctl.plan.measuring import Measuring
from labctl.plan.plan import Node, Plan, Timing
from labctl.plan.programs import choose
from labctl.plan.proof import Prover
from labctl.plan.quantise import beyond, host_timed, roundings
from labctl.plan.routing import Routes
from labctl.plan.sources import Sources
from labctl.plan.stimulating import Stimulating
from labctl.plan.values import Values
from labctl.protocol import Protocol, describe_step
from labctl.protocol import steps as s

#: switchings in one run from which wear is worth a warning
MANY_SWITCHINGS = 20_000


def build_plan(
    protocol: Protocol,
    bench: BenchDescription,
    *,
    seed: int,
    allow: tuple[str, ...] = (),
    used: Dose | None = None,
    timing: Timing = "auto",
) -> Plan:
    """Lower, bound and cost ``protocol`` on ``bench``; violations of limits are listed in the plan, not raised.

    ``used``: what earlier runs have applied to the device; it counts against the budgets of charge, dwell and pulses.
    ``timing``: 'auto' lets the instruments run the loops that they can, 'host' none.

    Raises:
        PlanError: the bench has no source for a step, or the protocol needs what the bench file does not say.
    """
    unknown = set(allow) - set(bench.device.limits.exceptions)
    if unknown:
        known = ", ".join(sorted(bench.device.limits.exceptions)) or "none"
        raise PlanError(
            f"bench {bench.name!r} has no exception {sorted(unknown)[0]!r}",
            hint=f"exceptions of this bench: {known}",
        )
    sources = Sources(bench)
    lowering = Lowering(bench, sources)
    body = lowering.block(protocol.steps)
    nodes = tuple(lowering.nodes)
    body, decisions = choose(body, bench, sources, nodes, timing)
    ops = (*arm(body, sources), *body)
    cost = predict(ops, sources, bench)
    prover = Prover(bench, sources, nodes, allow, used)
    findings = prover.prove(ops, cost.longest)
    if cost.rows.get("route", 0) > MANY_SWITCHINGS:
        worn = f"{cost.rows['route']:.0f} switchings between sources: relays wear (F8); most last some 1e6"
        findings.warnings.append(worn)
    rounded = roundings(ops, sources, bench)
    refused = (*compliance.refused(ops, bench.device, nodes), *beyond(rounded, protocol.tolerance, nodes))
    return Plan(
        title=protocol.title,
        protocol=protocol.name,
        bench=bench.name,
        proved_on=proof_facts(bench),
        seed=seed,
        nodes=nodes,
        ops=ops,
        envelope=prover.envelope,
        cost=cost,
        dose=prover.dose,
        violations=(*findings.violations, *refused),
        warnings=tuple(findings.warnings),
        allowed=allow,
        decisions=decisions,
        timing=timing,
        tolerance=protocol.tolerance,
        quantisation=rounded,
        host_timed=host_timed(ops),
    )


def arm(ops: tuple[o.Op, ...], sources: Sources) -> list[o.Op]:
    """Hardware limits of every pulse source: the widest levels that this plan sends through it (rule 2)."""
    found: dict[str, tuple[float, float]] = {}
    for op, ranges in with_ranges(ops):
        if isinstance(op, o.Pulses):
            low, high = found.get(op.source, (0.0, 0.0))
            ends = [end for v in (op.base, *(p.level for p in op.parts)) for end in v.bounds(ranges)]
            found[op.source] = (min(low, *ends), max(high, *ends))
    return [o.Arm(0, source, low, high) for source, (low, high) in found.items()]


def with_ranges(ops: tuple[o.Op, ...], ranges: o.Ranges | None = None) -> list[tuple[o.Op, o.Ranges]]:
    """Every operation with the bounds of the loop variables around it."""
    around = ranges or {}
    found = []
    for op in ops:
        inner = around | op.ranges() if isinstance(op, o.ForEach | o.Until) else around
        found += [(op, around), *with_ranges(o.bodies(op), inner)]
    return found


class Lowering:
    """One pass over the steps of a protocol."""

    def __init__(self, bench: BenchDescription, sources: Sources) -> None:
        self._bench = bench
        self._sources = sources
        self._routes = Routes(bench, sources)
        self._values = Values(bench)
        self._stimulating = Stimulating(bench, sources, self._routes, self._values)
        self._measuring = Measuring(sources, self._routes, self._values)
        self._allowed: list[str] = []
        self._node_of: dict[tuple[str | int, ...], int] = {}
        self.nodes: list[Node] = []
        self._lower: dict[type[s.Step], Callable[[Any, int], list[o.Op]]] = {
            s.Pulse: lambda step, node: self._stimulating.pulse(step, node, tuple(self._allowed)),
            s.Train: lambda step, node: self._stimulating.train(step, node, tuple(self._allowed)),
            s.Bias: lambda step, node: self._stimulating.bias(step, node),
            s.Read: self._read,
            s.Sweep: lambda step, node: self._measuring.sweep(step, node),
            s.Sample: self._sample,
            s.Wait: lambda step, node: [o.Wait(node, self._values.value(step.duration))],
            s.Note: lambda step, node: [o.Note(node, step.text)],
            s.Repeat: self._repeat,
            s.For: self._for,
            s.Until: self._until,
            s.State: self._state,
            s.Spike: self._spike,
            s.Confirm: self._confirm,
            s.Route: self._route,
            s.Use: lambda step, node: list(self.block(step.steps)),
            s.Allow: self._allow,
        }

    def block(self, steps: Sequence[s.Step]) -> tuple[o.Op, ...]:
        """The operations of a list of steps."""
        ops: list[o.Op] = []
        for step in steps:
            lower = self._lower.get(type(step))
            if lower is None:
                raise PlanError(
                    f"no source of bench {self._bench.name!r} can carry out '{step.verb}'",
                    str(step.where),
                    "name a bench with the instruments for it",
                )
            ops += lower(step, self._node(step))
        return tuple(ops)

    def _node(self, step: s.Step) -> int:
        if step.path not in self._node_of or not step.path:
            self._node_of[step.path] = len(self.nodes)
            self.nodes.append(Node(describe_step(step), str(step.where)))
        return self._node_of[step.path]

    def _route(self, step: s.Route, node: int) -> list[o.Op]:
        if step.source == "open":
            return [self._routes.release(step.terminal, node)]
        source = next((x for x in self._sources.on(step.terminal) if x.name == step.source), None)
        if source is None:
            there = ", ".join(x.name for x in self._sources.on(step.terminal)) or "none"
            raise PlanError(
                f"bench {self._bench.name!r} has no source {step.source!r} on terminal {step.terminal!r}",
                str(step.where),
                f"sources there: {there}; 'open' releases the terminal",
            )
        return self._routes.connect(source, node, step.operator or "", step.label or "")

    def _read(self, step: s.Read, node: int) -> list[o.Op]:
        if step.resistance is not None:
            return self._measuring.resistance(step, step.resistance, node, step.label)
        return self._measuring.current(step, node)

    def _sample(self, step: s.Sample, node: int) -> list[o.Op]:
        return self._measuring.record(step, node, self.block(step.during))

    def _allow(self, step: s.Allow, node: int) -> list[o.Op]:
        self._allowed.append(step.exception)
        body = self.block(step.do)
        self._allowed.pop()
        return [o.Allowed(node, step.exception, step.because, body)]

    # --- loops ----------------------------------------------------------------

    def _looped(self, steps: Sequence[s.Step]) -> tuple[o.Op, ...]:
        """A body that may run again: lowered for the route it starts with in every pass."""
        entry = dict(self._routes.now)
        ops = self.block(steps)
        after = self._routes.now
        common = {terminal: source for terminal, source in entry.items() if after.get(terminal) == source}
        if common == entry:
            return ops
        self._routes.now = common
        return self.block(steps)

    def _repeat(self, step: s.Repeat, node: int) -> list[o.Op]:
        before = dict(self._routes.now)
        body = self._looped(step.do)
        count = self._values.value(step.count)
        if count.name or count.constant == 0:
            self._routes.now = {t: x for t, x in before.items() if self._routes.now.get(t) == x}
        return [o.Repeat(node, step.name, count, body)]

    def _for(self, step: s.For, node: int) -> list[o.Op]:
        axis = o.Axis(step.variable, step.unit, tuple(v.value for v in step.values))
        if step.order != "interleaved":
            return [o.ForEach(node, axis, step.order, self._looped(step.do))]
        inner = step.do[0]
        assert isinstance(inner, s.Repeat), "the language sees to it"
        count = round(self._values.number(inner.count, inner, "repeat"))
        return [o.ForEach(node, axis, step.order, self._looped(inner.do), (inner.name, count))]

    def _until(self, step: s.Until, node: int) -> list[o.Op]:
        search = None
        if step.vary is not None:
            vary = step.vary
            search = o.Search(vary.variable, vary.start.unit, vary.start.value, vary.stop.value, vary.spacing)
        at_most = self._values.count(step.at_most, step, "at_most")
        body = self._looped(step.do)
        return [o.Until(node, step.name, self._condition(step.condition), at_most, step.otherwise, body, search)]

    # --- judgements -----------------------------------------------------------

    def _condition(self, condition: Any) -> o.Condition:
        return o.Condition(
            condition.reading,
            condition.quantity,
            tuple(condition.against or ()),
            *(self._values.optional(getattr(condition, name)) for name in ("above", "below", "near", "within")),
        )

    def _state(self, step: s.State, node: int) -> list[o.Op]:
        ops = self.block(step.prepare)
        if step.verify is None:
            return [o.EnterState(node, step.name, ops)]
        if step.verify.reading is not None:
            return [o.EnterState(node, step.name, ops, self._condition(step.verify.reading), step.otherwise)]
        check = step.verify.resistance
        assert check is not None
        name = f"certificate_of_{step.name}"
        read = s.Read.model_validate(
            {
                "resistance": check.at,
                "window": check.window,
                "points": check.points,
                "compliance": check.compliance,
                "where": step.where,
            }
        )
        condition = o.Condition(
            name, above=self._values.optional(check.above), below=self._values.optional(check.below)
        )
        proof = self._measuring.resistance(read, check.at, node, name)
        return [o.EnterState(node, step.name, (*ops, *proof), condition, step.otherwise)]

    def _spike(self, step: s.Spike, node: int) -> list[o.Op]:
        rising = step.above is not None
        threshold = step.above if rising else step.below
        assert threshold is not None
        kind = "resistance" if threshold.unit == "ohm" else "ratio"
        value = self._values.value(threshold)
        return [o.Judge(node, step.label, step.source, tuple(step.against), value, kind, rising)]

    def _confirm(self, step: s.Confirm, node: int) -> list[o.Op]:
        retry = self._values.count(step.retry, step, "retry")
        entry = dict(self._routes.now)
        again = self._looped(step.again) if retry else ()
        self._routes.now = {t: x for t, x in entry.items() if self._routes.now.get(t) == x}
        within = self._values.value(step.within)
        return [o.Confirm(node, step.reset, tuple(step.against), within, retry, step.otherwise, again)]
