"""Proof that a plan stays inside the limits of device, instruments and wiring, and the envelope it can reach.

Every operation is visited once with the bounds of its loop variables, so the cost grows with the length of the
protocol, not with the number of pulses. Rules 1-3 of design section 10; reference devices_and_protocols 3.4.

Worst cases: with the load set to high impedance an AFG's node voltage never exceeds its open-circuit voltage, whatever
the device does (F1, F2); a current is that voltage over the smallest resistance the bench file expects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

from labctl.bench.description import BenchDescription
from labctl.plan import operations as o
from labctl.plan.plan import Extent, Limit, Node, Violation
from labctl.plan.sources import Sources

#: a level that is a product of a field and a length may round up by this part of itself
ROUNDING = 1e-9
#: straight pieces of one pulse in a pattern, its pause included, by shape
_VECTORS = {"rectangular": 4, "triangle": 3, "ramp": 3}


@dataclass
class Proof:
    """What the walk over the operations found."""

    envelope: dict[str, Extent] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Prover:
    """One walk over the operations of a plan; see the module's docstring."""

    def __init__(
        self, bench: BenchDescription, sources: Sources, nodes: tuple[Node, ...], allowed: tuple[str, ...]
    ) -> None:
        self._bench = bench
        self._limits = bench.device.limits
        self._sources = sources
        self._nodes = nodes
        self._asked = allowed
        self._open: list[str] = []  # exceptions of the blocks around the present operation
        self._beyond = 0.0  # pulses above the ordinary limit so far
        self.result = Proof()

    def visit(self, ops: tuple[o.Op, ...], ranges: o.Ranges, times: float) -> None:
        """Check ``ops``, executed ``times`` times at most, with loop variables inside ``ranges``."""
        for op in ops:
            match op:
                case o.Repeat():
                    self.visit(op.body, ranges, times * op.count.bounds(ranges)[1])
                case o.ForEach():
                    self.visit(op.body, ranges | op.ranges(), times * op.passes)
                case o.Until():
                    self.visit(op.body, ranges | op.ranges(), times * op.at_most)
                case o.Confirm():
                    self.visit(op.again, ranges, times * op.retry)
                case o.EnterState():
                    self.visit(op.prepare, ranges, times)
                case o.Allowed():
                    self._open.append(op.exception)
                    self.visit(op.body, ranges, times)
                    self._open.pop()
                case o.Pulses():
                    self._pulses(op, ranges, times)
                case o.ReadResistance():
                    self._read(op, ranges)
                case o.ReadCurrent() | o.Record() | o.Sweep():
                    self._stations(op, ranges)
                    if isinstance(op, o.Record):
                        self.visit(op.body, ranges, times)
                case o.Bias():
                    self._bias(op, ranges)
                case o.Hold():
                    self._hold(op, ranges)
                case _:
                    pass

    def _pulses(self, op: o.Pulses, ranges: o.Ranges, times: float) -> None:
        ends = [end for v in (op.base, *(part.level for part in op.parts)) for end in v.bounds(ranges)]
        count = op.count.bounds(ranges)[1]
        pulses = times * count * len(op.parts)
        self._voltage(op, op.terminal, op.source, (min(ends), max(ends)), "pulse current", None, pulses)
        self._instrument_window(op, op.source, "pulse", (min(ends), max(ends)))
        able = self._capability(op.source, "pulse")
        widths = [part.width.bounds(ranges) for part in op.parts]
        shortest, longest = min(w[0] for w in widths), max(w[1] for w in widths)
        if shortest < able["min_width"]:
            self._violate(op, "width", op.source, "minimum pulse width of the model", able["min_width"], shortest)
        if longest > able["max_width"]:
            self._violate(op, "width", op.source, "maximum pulse width", able["max_width"], longest)
        edge = op.edge or 0.0
        if edge > shortest:
            self._violate(op, "edge", op.source, "edge within the pulse width", shortest, edge)
        self._fast_unit(op, able, ends, shortest)
        if op.period is not None:
            needed = sum(w[1] + edge for w in widths) + op.gap.bounds(ranges)[1] * (len(widths) - 1)
            shortest_period = op.period.bounds(ranges)[0]
            if count > 1 and shortest_period < needed:
                self._violate(op, "period", op.source, "period that holds its pulses", needed, shortest_period)

    def _fast_unit(self, op: o.Pulses, able: dict[str, Any], ends: list[float], shortest: float) -> None:
        """Limits that only some pulse sources have: recommended edges, ranges of one sign."""
        worst = max(map(abs, ends))
        recommended = able.get("edges", {}).get("recommended", {})
        edge = able.get("default_edge", 0.0) if op.edge is None else op.edge
        if op.shape != "rectangular":
            edge = shortest / 2 if op.shape == "triangle" else shortest
        slowest = recommended.get("+10 V" if worst > able.get("one_sign_above", worst) else "5 V", 0.0)
        if edge < slowest * (1 - ROUNDING) and not op.fast_edges:
            name = "recommended edge; a block 'allow: fast_edges' accepts faster ones"
            self._violate(op, "edge", op.source, name, slowest, edge)
        most = self._sources.named(op.source).capabilities.get("arbitrary", {}).get("vectors", inf)
        vectors = len(op.parts) * _VECTORS[op.shape]
        if vectors > most:
            name = "vectors of a pattern; repeat a shorter one, or split it"
            self._violate(op, "vectors", op.source, name, most, vectors)
        one_sign = able.get("one_sign_above")
        if one_sign is not None and worst > one_sign and min(ends) < 0 < max(ends):
            other = min(max(ends), -min(ends))
            self._violate(op, "voltage", op.source, f"levels of one sign beyond {one_sign:g} V", 0.0, other)

    def _read(self, op: o.ReadResistance, ranges: o.Ranges) -> None:
        window = max(map(abs, op.window.bounds(ranges)))
        low, high = {"both": (-window, window), "positive": (0.0, window), "negative": (-window, 0.0)}[op.side]
        self._steady(op, op.terminal, op.source, (low, high), op.meter.compliance)
        where = self._nodes[op.node].where
        gentle = self._limits.read_voltage
        if gentle is not None and window > gentle:
            self._warn(
                f"{where}: read window {window:g} V may disturb the device: reads should stay within {gentle:g} V"
            )
        if self._bench.device.resistance and op.meter.compliance < 2 * window / self._bench.device.resistance[0]:
            self._warn(
                f"{where}: compliance {op.meter.compliance:g} A is less than twice the largest current expected "
                f"({window / self._bench.device.resistance[0]:.3g} A): readings may be clipped (F9)"
            )

    def _stations(self, op: o.ReadCurrent | o.Record | o.Sweep, ranges: o.Ranges) -> None:
        for station in op.stations:
            levels = op.levels if station.level is None and isinstance(op, o.Sweep) else (station.level or o.Value(),)
            ends = [end for level in levels for end in level.bounds(ranges)]
            self._steady(op, station.terminal, station.source, (min(ends), max(ends)), station.compliance)

    def _bias(self, op: o.Bias, ranges: o.Ranges) -> None:
        low, high = op.level.bounds(ranges)
        self._steady(op, op.terminal, op.source, (min(low, 0.0), max(high, 0.0)), op.compliance)

    def _hold(self, op: o.Hold, ranges: o.Ranges) -> None:
        terminal = self._sources.named(op.source).connection.terminal
        if terminal in self._limits.voltage:  # the far end of a series loop has no limit of its own
            self._steady(op, terminal, op.source, op.level.bounds(ranges), op.compliance)

    def _steady(self, op: o.Op, terminal: str, source: str, ends: tuple[float, float], compliance: float) -> None:
        self._voltage(op, terminal, source, ends, "current", compliance)
        able = self._sources.named(source)
        self._instrument_window(op, source, "sweep" if able.can("sweep") else "pulse", ends)

    def _voltage(
        self,
        op: o.Op,
        terminal: str,
        source: str,
        ends: tuple[float, float],
        quantity: str,
        compliance: float | None,
        pulses: float | None = None,
    ) -> None:
        """Hold the worst voltage and current on ``terminal`` against every limit; ``pulses`` None: a steady level."""
        worst = max(ends, key=abs)
        current = self._worst_current(worst, compliance)
        seen = self.result.envelope.get(terminal, Extent(0.0, 0.0, 0.0))
        self.result.envelope[terminal] = Extent(min(seen.low, *ends), max(seen.high, *ends), max(seen.current, current))
        limit = self._limits.voltage.get(terminal)
        if limit is None:
            self._violate(op, "voltage", "device", f"no limit is given for terminal {terminal!r}", 0.0, worst)
        elif abs(worst) > limit * (1 + ROUNDING):
            self._above(op, terminal, limit, worst, pulses)
        path = self._sources.named(source).connection.limit
        cables = self._bench.wiring.limits.get(terminal)
        for name, bound in ((f"cables of {terminal}", cables), (f"path of {source}", path)):
            if bound is not None and abs(worst) > bound * (1 + ROUNDING):
                self._violate(op, "voltage", "wiring", name, bound, worst)
        if self._limits.current is not None and current > self._limits.current:
            self._violate(op, "current", "device", quantity, self._limits.current, current)

    def _worst_current(self, voltage: float, compliance: float | None) -> float:
        """Largest current at ``voltage``, A: through the smallest resistance expected, within the compliance.

        0 where neither is known: a gate behind its oxide, driven by a source without compliance.
        """
        expected = self._bench.device.resistance
        bounds = [abs(voltage) / expected[0]] if expected else []
        return min([*bounds, *([] if compliance is None else [compliance])], default=0.0)

    def _above(self, op: o.Op, terminal: str, limit: float, worst: float, pulses: float | None) -> None:
        """Beyond the ordinary device limit: an exception that protocol and run both ask for may hold it.

        Exceptions are for counted pulses, never for steady levels.
        """
        for name in set(self._open) & set(self._asked) if pulses is not None else ():
            exception = self._limits.exceptions.get(name)
            if exception is None or abs(worst) > exception.voltage * (1 + ROUNDING):
                continue
            assert pulses is not None
            self._beyond += pulses
            if self._beyond > exception.pulses:
                self._violate(op, "pulses", "device", f"exception {name!r}", exception.pulses, self._beyond)
            return
        fitting = [name for name in self._open if name in self._limits.exceptions and name not in self._asked]
        asked = f"; --allow {fitting[0]} asks for its exception" if fitting else ""
        self._violate(op, "voltage", "device", f"{terminal} against common{asked}", limit, worst)

    def _instrument_window(self, op: o.Op, source: str, ability: str, ends: tuple[float, float]) -> None:
        low, high = self._capability(source, ability)["window"]
        if ends[0] < low:
            self._violate(op, "voltage", source, "lowest open-circuit voltage", abs(low), ends[0])
        if ends[1] > high:
            self._violate(op, "voltage", source, "highest open-circuit voltage", high, ends[1])

    def _capability(self, source: str, ability: str) -> dict[str, Any]:
        capability: dict[str, Any] = self._sources.named(source).capabilities[ability]
        return capability

    def _violate(self, op: o.Op, quantity: str, whose: str, name: str, limit: float, value: float) -> None:
        node = self._nodes[op.node]
        violation = Violation(op.node, node.text, node.where, Limit(quantity, whose, name, limit), value)
        if violation not in self.result.violations:
            self.result.violations.append(violation)

    def _warn(self, text: str) -> None:
        if text not in self.result.warnings:
            self.result.warnings.append(text)
