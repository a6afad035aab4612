"""Lowering of what acts on the device: pulses, trains, biases."""

from __future__ import annotations

from labctl.bench.description import BenchDescription
from labctl.plan import operations as o
from labctl.plan.errors import PlanError
from labctl.plan.grids import strict_time_grid
from labctl.plan.routing import Routes
from labctl.plan.sources import Sources
from labctl.plan.values import Values, reach
from labctl.protocol import steps as s

FAST_EDGES = "fast_edges"


class Stimulating:
    """Pulse sources found by what they can do; the switching before them."""

    def __init__(self, bench: BenchDescription, sources: Sources, routes: Routes, values: Values) -> None:
        self._bench = bench
        self._sources = sources
        self._routes = routes
        self._values = values

    def pulse(self, step: s.Pulse, node: int, allowed: tuple[str, ...]) -> list[o.Op]:
        part = o.Part(self._values.value(step.level), self._values.value(step.width))
        return self._drive(step, node, (part,), o.Value(1.0), "rectangular", o.Value(0.0), None, allowed)

    def train(self, step: s.Train, node: int, allowed: tuple[str, ...]) -> list[o.Op]:
        value = self._values.value
        parts = tuple(
            o.Part(value(shot.level), value(shot.width), "" if shot.role == step.role else shot.role or "")
            for shot in step.shots
        )
        gap = o.Value(0.0) if step.gap is None else value(step.gap)
        period = self._values.optional(step.period)
        return self._drive(step, node, parts, value(step.count), step.shape, gap, period, allowed)

    def _drive(
        self,
        step: s.Pulse | s.Train,
        node: int,
        parts: tuple[o.Part, ...],
        count: o.Value,
        shape: str,
        gap: o.Value,
        period: o.Value | None,
        allowed: tuple[str, ...],
    ) -> list[o.Op]:
        abilities = ("pulse",) if len(parts) == 1 and shape == "rectangular" else ("pulse", "arbitrary")
        source = self._sources.find(step.at, *abilities, where=str(step.where))
        pulses = o.Pulses(
            node,
            source.name,
            step.at,
            parts,
            self._values.value(step.base),
            None if step.edge is None else self._values.number(step.edge, step, "edge"),
            gap,
            period,
            count,
            shape,
            step.role or "",
            step.label or "",
            FAST_EDGES in allowed,
            strict_time_grid(source),
        )
        return [*self._routes.connect(source, node), *self._routes.close_loop(source, node), pulses]

    def bias(self, step: s.Bias, node: int) -> list[o.Op]:
        """A timed level from the source that may pass it: 40 V never goes through an RSU (F18)."""
        if step.during or step.duration is None:
            raise PlanError("a bias during other steps is not carried out", str(step.where), "give 'for', a time")
        source = self._sources.find(step.at, "bias", where=str(step.where), reach=reach(step.level))
        ops = self._routes.connect(source, node)
        grounded = []
        for terminal in step.grounded or ():
            if terminal == step.at:
                raise PlanError(f"{terminal!r} is biased: it cannot be grounded", str(step.where), "leave it out")
            if self._sources.is_common(terminal):
                continue
            other = self._sources.find(terminal, "bias", where=str(step.where), prefer=self._routes.now.get(terminal))
            ops += self._routes.connect(other, node)
            grounded.append(other.name)
        compliance = 100e-9 if step.compliance is None else self._values.number(step.compliance, step, "compliance")
        abort = None if step.abort_above is None else self._values.number(step.abort_above, step, "abort_above")
        value = self._values.value
        bias = o.Bias(
            node,
            source.name,
            step.at,
            step.label or "bias",
            value(step.level),
            value(step.duration),
            self._values.optional(step.ramp),
            compliance,
            abort,
            tuple(grounded),
        )
        return [*ops, bias]
