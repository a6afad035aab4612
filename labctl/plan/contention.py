"""Which source may be on which terminal at every point of a plan: never two, never another one than meant (rule 3).

Independent of how the switching came into the plan: a walk over the operations keeps, for each terminal, the sources
that may be on it; a loop body is walked twice, the second time from where the first pass leaves off. Two sources are
kept apart by positions of one relay, by their own outputs, by an RSU or by an operator's hand (F5, F6, F7).
"""

from __future__ import annotations

from labctl.bench.description import BenchDescription
from labctl.plan import operations as o
from labctl.plan.findings import Findings
from labctl.plan.sources import Source, Sources

#: terminal -> sources that may be on it; '' for none
Routes = dict[str, frozenset[str]]

_NOTHING = frozenset({""})


def check_contention(ops: tuple[o.Op, ...], bench: BenchDescription, sources: Sources, findings: Findings) -> None:
    """Report every operation that may drive a terminal together with another source, or from the wrong one."""
    _Walk(bench, sources, findings).block(ops, {})


class _Walk:
    def __init__(self, bench: BenchDescription, sources: Sources, findings: Findings) -> None:
        self._relays = bench.wiring.relays
        self._sources = sources
        self._findings = findings

    def block(self, ops: tuple[o.Op, ...], routes: Routes) -> Routes:
        """Routes after ``ops``, begun at ``routes``."""
        for op in ops:
            match op:
                case o.Connect():
                    self._connect(op)
                    routes = routes | {op.terminal: frozenset({op.source})}
                case o.Release():
                    routes = routes | {op.terminal: _NOTHING}
                case o.Repeat() | o.ForEach() | o.Until() | o.Confirm():
                    body = o.bodies(op)
                    after = self.block(body, _either(routes, self.block(body, routes)))
                    routes = after if _surely_runs(op) else _either(routes, after)
                case o.Allowed() | o.EnterState() | o.Program():
                    routes = self.block(o.bodies(op), routes)
                case _:
                    for source in _driving(op):
                        self._driven(op, source, routes)
                    if isinstance(op, o.Record):
                        routes = self.block(op.body, routes)
        return routes

    def _connect(self, op: o.Connect) -> None:
        source = self._sources.named(op.source)
        for rival in self._sources.rivals(source):
            if rival.name not in op.quiet and not self._apart(source, rival):
                name = f"{op.source} and {rival.name} on {op.terminal}: nothing keeps them apart"
                self._findings.violate(op, "sources", "wiring", name, 1.0, 2.0)

    def _apart(self, one: Source, other: Source) -> bool:
        """Are the two never on the terminal together, by the wiring alone?"""
        a, b = one.connection, other.connection
        if a.manual or b.manual:
            return True
        if a.relay is None or a.relay != b.relay or a.position is None or b.position is None:
            return False
        positions = self._relays[a.relay].positions
        return positions[a.position] != positions[b.position]

    def _driven(self, op: o.Op, source: str, routes: Routes) -> None:
        terminal = self._sources.named(source).connection.terminal
        there = routes.get(terminal, _NOTHING)
        if there != {source}:
            others = " or ".join(sorted(name or "nothing" for name in there - {source}))
            name = f"{source} drives {terminal}, on which {others} may be"
            self._findings.violate(op, "sources", "wiring", name, 1.0, 1.0 + len(there - {source}))


def _either(one: Routes, other: Routes) -> Routes:
    """What may be on each terminal when one of two ways was gone."""
    return {name: one.get(name, _NOTHING) | other.get(name, _NOTHING) for name in {**one, **other}}


def _surely_runs(op: o.Op) -> bool:
    """Is the body of a loop executed at least once?"""
    return not isinstance(op, o.Confirm) and not (isinstance(op, o.Repeat) and (op.count.name or op.count.constant < 1))


def _driving(op: o.Op) -> tuple[str, ...]:
    """Sources that an operation has drive something."""
    match op:
        case o.Pulses() | o.ReadResistance() | o.Hold():
            return (op.source,)
        case o.ReadCurrent() | o.Sweep() | o.Record():
            return tuple(station.source for station in op.stations)
        case o.Bias():
            return (op.source, *op.grounded)
        case _:
            return ()
