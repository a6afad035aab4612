"""From a protocol and a bench to a plan: every step lowered to operations on named sources.

The switching between sources is inserted here, fields become voltages through the channel length, loops stay
loops. The result is then bounded (``proof``) and costed (``cost``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from labctl.bench.description import BenchDescription
from labctl.plan import cost
from labctl.plan import model as m
from labctl.plan.errors import PlanError
from labctl.plan.proof import Prover
from labctl.plan.routing import Routes
from labctl.plan.sources import Source, Sources
from labctl.protocol import Protocol, describe_step
from labctl.protocol import steps as s


def build_plan(protocol: Protocol, bench: BenchDescription, *, seed: int, allow: tuple[str, ...] = ()) -> m.Plan:
    """Lower, bound and cost ``protocol`` on ``bench``; violations of limits are listed in the plan, not raised.

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
    ops = (*arm(body, sources), *body)
    nodes = tuple(lowering.nodes)
    prover = Prover(bench, sources, nodes, allow)
    prover.visit(ops, {}, 1)
    tally = cost.Tally()
    cost.add(tally, ops, sources, {})
    return m.Plan(
        title=protocol.title,
        protocol=protocol.name,
        bench=bench.name,
        seed=seed,
        nodes=nodes,
        ops=ops,
        envelope=prover.result.envelope,
        cost=tally.cost(),
        violations=tuple(prover.result.violations),
        warnings=tuple(prover.result.warnings),
        allowed=allow,
    )


def arm(ops: tuple[m.Op, ...], sources: Sources) -> list[m.Op]:
    """Hardware limits of every pulse source: the widest levels that this plan sends through it (rule 2)."""
    found: dict[str, tuple[float, float]] = {}
    for op, ranges in with_ranges(ops):
        if isinstance(op, m.Pulses):
            low, high = found.get(op.source, (0.0, 0.0))
            ends = [end for v in (op.base, *(p.level for p in op.parts)) for end in v.bounds(ranges)]
            found[op.source] = (min(low, *ends), max(high, *ends))
    return [m.Arm(0, source, low, high) for source, (low, high) in found.items()]


def with_ranges(ops: tuple[m.Op, ...], ranges: m.Ranges | None = None) -> list[tuple[m.Op, m.Ranges]]:
    """Every operation with the bounds of the loop variables around it."""
    around = ranges or {}
    found = []
    for op in ops:
        inner = around | op.ranges() if isinstance(op, m.ForEach) else around
        found += [(op, around), *with_ranges(m.bodies(op), inner)]
    return found


class Lowering:
    """One pass over the steps of a protocol."""

    def __init__(self, bench: BenchDescription, sources: Sources) -> None:
        self._bench = bench
        self._sources = sources
        self._routes = Routes(bench, sources)
        self._node_of: dict[tuple[str | int, ...], int] = {}
        self.nodes: list[m.Node] = []
        self._lower: dict[type[s.Step], Callable[[Any, int, Sequence[s.Step]], list[m.Op]]] = {
            s.Pulse: self._pulse,
            s.Train: self._train,
            s.Read: self._read,
            s.Sweep: self._sweep,
            s.Wait: lambda step, node, _: [m.Wait(node, self._value(step.duration))],
            s.Note: lambda step, node, _: [m.Note(node, step.text)],
            s.Repeat: self._repeat,
            s.For: self._for,
            s.Until: self._until,
            s.State: self._state,
            s.Spike: self._spike,
            s.Confirm: self._confirm,
            s.Route: self._route,
            s.Use: lambda step, node, _: list(self.block(step.steps)),
            s.Allow: lambda step, node, _: [m.Allowed(node, step.exception, step.because, self.block(step.do))],
        }

    def block(self, steps: Sequence[s.Step]) -> tuple[m.Op, ...]:
        """The operations of a list of steps."""
        ops: list[m.Op] = []
        for index, step in enumerate(steps):
            lower = self._lower.get(type(step))
            if lower is None:
                raise PlanError(
                    f"no source of bench {self._bench.name!r} can carry out '{step.verb}'",
                    str(step.where),
                    "name a bench with the instruments for it",
                )
            ops += lower(step, self._node(step), steps[:index])
        return tuple(ops)

    def _node(self, step: s.Step) -> int:
        if step.path not in self._node_of or not step.path:
            self._node_of[step.path] = len(self.nodes)
            self.nodes.append(m.Node(describe_step(step), str(step.where)))
        return self._node_of[step.path]

    # --- values ---------------------------------------------------------------

    def _value(self, quantity: s.Quantity | s.Ref | int | float) -> m.Value:
        """A number or a loop variable; fields are turned into voltages."""
        if isinstance(quantity, s.Ref):
            return m.Value(name=quantity.name, scale=self._length() if quantity.unit == "V/m" else 1.0)
        if isinstance(quantity, s.Quantity):
            return m.Value(quantity.value * (self._length() if quantity.unit == "V/m" else 1.0))
        return m.Value(float(quantity))

    def _optional(self, quantity: s.Quantity | s.Ref | None) -> m.Value | None:
        return None if quantity is None else self._value(quantity)

    def _number(self, quantity: s.Quantity | s.Ref | int | str, step: s.Step, what: str) -> float:
        """A number that may not change inside a loop."""
        if isinstance(quantity, s.Quantity):
            return quantity.value
        if isinstance(quantity, int):
            return float(quantity)
        raise PlanError(f"'{what}' cannot be the variable of a loop", str(step.where), "give a number or a parameter")

    def _length(self) -> float:
        if self._bench.device.length is None:
            raise PlanError(
                f"bench {self._bench.name!r} gives no channel length, so fields (V/m) have no voltage",
                hint="add 'length' under 'device' in the bench file, or give levels in volts",
            )
        return self._bench.device.length

    # --- stimuli --------------------------------------------------------------

    def _pulse(self, step: s.Pulse, node: int, _: Sequence[s.Step]) -> list[m.Op]:
        part = m.Part(self._value(step.level), self._value(step.width))
        return self._drive(step, node, (part,), m.Value(1.0), "rectangular", m.Value(0.0), None)

    def _train(self, step: s.Train, node: int, _: Sequence[s.Step]) -> list[m.Op]:
        parts = tuple(m.Part(self._value(shot.level), self._value(shot.width)) for shot in step.shots)
        gap = m.Value(0.0) if step.gap is None else self._value(step.gap)
        return self._drive(step, node, parts, self._value(step.count), step.shape, gap, self._optional(step.period))

    def _drive(
        self,
        step: s.Pulse | s.Train,
        node: int,
        parts: tuple[m.Part, ...],
        count: m.Value,
        shape: str,
        gap: m.Value,
        period: m.Value | None,
    ) -> list[m.Op]:
        abilities = ("pulse",) if len(parts) == 1 and shape == "rectangular" else ("pulse", "arbitrary")
        source = self._sources.find(step.at, *abilities, where=str(step.where))
        edge = None if step.edge is None else self._number(step.edge, step, "edge")
        role = step.role or ""
        pulses = m.Pulses(
            node,
            source.name,
            step.at,
            parts,
            self._value(step.base),
            edge,
            gap,
            period,
            count,
            shape,
            role,
            step.label or "",
        )
        return [*self._routes.connect(source, node), *self._close_loop(source, node), pulses]

    def _close_loop(self, source: Source, node: int) -> list[m.Op]:
        """In a series loop (T2) the partner holds its end at 0 V, with a limit above any current of a pulse."""
        ops: list[m.Op] = []
        limits, resistance = self._bench.device.limits, self._bench.device.resistance
        expected = 2 * max(limits.voltage.values()) / resistance[0] if resistance else 1e-3
        for partner in self._routes.series_partners(source):
            ops += [*self._routes.connect(partner, node), m.Hold(node, partner.name, m.Value(0.0), expected)]
        return ops

    def _route(self, step: s.Route, node: int, _: Sequence[s.Step]) -> list[m.Op]:
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
        return self._routes.connect(source, node)

    # --- readings -------------------------------------------------------------

    def _meter(self, step: s.Read | s.Sweep) -> m.Meter:
        compliance = step.compliance
        if isinstance(compliance, dict):
            compliance = compliance.get(getattr(step, "at", ""), next(iter(compliance.values())))
        return m.Meter(
            compliance=self._number(compliance, step, "compliance"),
            range=None if step.range == "auto" else self._number(step.range, step, "range"),
            nplc=self._number(step.nplc, step, "nplc"),
            delay=None if step.delay is None else self._number(step.delay, step, "delay"),
        )

    def _measuring(self, step: s.Step, terminal: str, node: int) -> tuple[Source, list[m.Op]]:
        source = self._sources.find(terminal, "sweep", where=str(step.where))
        return source, [*self._routes.connect(source, node), *self._close_loop(source, node)]

    def _read(self, step: s.Read, node: int, _: Sequence[s.Step]) -> list[m.Op]:
        if step.resistance is not None:
            source, ops = self._measuring(step, step.resistance, node)
            points = round(self._number(step.points, step, "points"))
            read = m.ReadResistance(
                node,
                source.name,
                step.resistance,
                step.label,
                self._value(step.window),
                points,
                step.side,
                step.direction,
                self._meter(step),
            )
            return [*ops, read]
        terminals = step.current or ()
        if len(terminals) != 1 or set(step.bias) - set(terminals):
            raise PlanError(
                "this bench reads the current of one terminal at its own bias",
                str(step.where),
                "read one terminal at a time",
            )
        source, ops = self._measuring(step, terminals[0], node)
        level = self._value(step.bias[terminals[0]]) if step.bias else m.Value(0.0)
        samples = round(self._number(step.samples, step, "samples"))
        return [
            *ops,
            m.ReadCurrent(node, source.name, terminals[0], step.label, level, samples, self._meter(step)),
        ]

    def _sweep(self, step: s.Sweep, node: int, _: Sequence[s.Step]) -> list[m.Op]:
        if (step.measure or (step.at,)) != (step.at,) or set(step.bias):
            raise PlanError(
                "this bench sweeps and measures one terminal",
                str(step.where),
                "leave out 'measure' and 'bias'",
            )
        source, ops = self._measuring(step, step.at, node)
        dwell = 0.0 if step.delay is None else self._number(step.delay, step, "delay")
        return [
            *ops,
            m.Sweep(node, source.name, step.at, step.label, self._staircase(step), dwell, self._meter(step)),
        ]

    def _staircase(self, step: s.Sweep) -> tuple[m.Value, ...]:
        """Levels in order; a sweep from and to given ends may not depend on loop variables."""
        if step.values:
            levels = [self._value(level) for level in step.values]
        else:
            assert isinstance(step.start, s.Quantity | s.Ref)
            assert isinstance(step.stop, s.Quantity | s.Ref)
            start, stop = (self._value(end) for end in (step.start, step.stop))
            if start.name or stop.name:
                raise PlanError("the ends of a sweep cannot be variables of a loop", str(step.where), "use 'values'")
            if step.points is not None:
                count = round(self._number(step.points, step, "points"))
            else:
                assert step.step is not None
                count = round(abs((stop.constant - start.constant) / self._value(step.step).constant)) + 1
            spaced = np.geomspace if step.spacing == "log" else np.linspace
            levels = [m.Value(float(v)) for v in spaced(start.constant, stop.constant, count)]
        return tuple(levels + levels[-2::-1] if step.mode == "cyclic" else levels)

    # --- loops ----------------------------------------------------------------

    def _looped(self, steps: Sequence[s.Step]) -> tuple[m.Op, ...]:
        """A body that may run again: lowered for the route it starts with in every pass."""
        entry = dict(self._routes.now)
        ops = self.block(steps)
        after = self._routes.now
        common = {terminal: source for terminal, source in entry.items() if after.get(terminal) == source}
        if common == entry:
            return ops
        self._routes.now = common
        return self.block(steps)

    def _repeat(self, step: s.Repeat, node: int, _: Sequence[s.Step]) -> list[m.Op]:
        before = dict(self._routes.now)
        body = self._looped(step.do)
        count = self._value(step.count)
        if count.name or count.constant == 0:
            self._routes.now = {t: x for t, x in before.items() if self._routes.now.get(t) == x}
        return [m.Repeat(node, step.name, count, body)]

    def _for(self, step: s.For, node: int, _: Sequence[s.Step]) -> list[m.Op]:
        axis = m.Axis(step.variable, step.unit, tuple(v.value for v in step.values))
        if step.order != "interleaved":
            return [m.ForEach(node, axis, step.order, self._looped(step.do))]
        inner = step.do[0]
        assert isinstance(inner, s.Repeat), "the language sees to it"
        count = round(self._number(inner.count, inner, "repeat"))
        return [m.ForEach(node, axis, step.order, self._looped(inner.do), (inner.name, count))]

    def _until(self, step: s.Until, node: int, _: Sequence[s.Step]) -> list[m.Op]:
        if step.vary is not None or step.condition.quantity != "value":
            raise PlanError("a search over sweeps needs a bench with a transistor", str(step.where))
        at_most = round(self._number(step.at_most, step, "at_most"))
        body = self._looped(step.do)
        return [m.Until(node, step.name, self._condition(step.condition), at_most, step.otherwise, body)]

    # --- judgements -----------------------------------------------------------

    def _condition(self, condition: Any) -> m.Condition:
        return m.Condition(
            condition.reading,
            tuple(condition.against or ()),
            *(self._optional(getattr(condition, name)) for name in ("above", "below", "near", "within")),
        )

    def _state(self, step: s.State, node: int, _: Sequence[s.Step]) -> list[m.Op]:
        ops = list(self.block(step.prepare))
        if step.verify is None:
            return [*ops, m.EnterState(node, step.name)]
        if step.verify.reading is not None:
            return [*ops, m.EnterState(node, step.name, self._condition(step.verify.reading), step.otherwise)]
        check = step.verify.resistance
        assert check is not None
        name = f"certificate_of_{step.name}"
        as_read = s.Read.model_validate(
            {
                "resistance": check.at,
                "window": check.window,
                "points": check.points,
                "compliance": check.compliance,
                "as": "certificate",
            }
        )
        source, route = self._measuring(step, check.at, node)
        read = m.ReadResistance(
            node,
            source.name,
            check.at,
            name,
            self._value(check.window),
            round(self._number(check.points, step, "points")),
            "both",
            "up",
            self._meter(as_read),
        )
        condition = m.Condition(name, (), self._optional(check.above), self._optional(check.below))
        return [*ops, *route, read, m.EnterState(node, step.name, condition, step.otherwise)]

    def _spike(self, step: s.Spike, node: int, _: Sequence[s.Step]) -> list[m.Op]:
        rising = step.above is not None
        threshold = step.above if rising else step.below
        assert threshold is not None
        kind = "resistance" if threshold.unit == "ohm" else "ratio"
        return [m.Judge(node, step.label, step.source, tuple(step.against), self._value(threshold), kind, rising)]

    def _confirm(self, step: s.Confirm, node: int, before: Sequence[s.Step]) -> list[m.Op]:
        again = step.again or since_reset(before)
        retry = round(self._number(step.retry, step, "retry"))
        entry = dict(self._routes.now)
        ops = self._looped(again) if retry else ()
        self._routes.now = {t: x for t, x in entry.items() if self._routes.now.get(t) == x}
        return [m.Confirm(node, step.reset, tuple(step.against), self._value(step.within), retry, step.otherwise, ops)]


def since_reset(steps: Sequence[s.Step]) -> tuple[s.Step, ...]:
    """The steps from the latest reset pulse on: what a failed confirmation repeats."""
    for index in range(len(steps) - 1, -1, -1):
        step = steps[index]
        if isinstance(step, s.Pulse | s.Train) and step.role == "reset":
            return tuple(again for again in steps[index:] if not isinstance(again, s.Spike | s.Confirm))
    return ()
