"""Proof that a plan stays inside the limits of device, instruments and wiring, and the envelope it can reach.

Every operation is visited once with the bounds of its loop variables, so the cost grows with the length of the
protocol, not with the number of pulses. Rules 1-3 of design section 10; reference devices_and_protocols 3.4.

Worst cases: with the load set to high impedance an AFG's node voltage never exceeds its open-circuit voltage, whatever
the device does (F1, F2); a current is that voltage over the smallest resistance the bench file expects.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from labctl.bench.description import BenchDescription
from labctl.plan.model import (
    Confirm,
    EnterState,
    Extent,
    ForEach,
    Limit,
    Node,
    Op,
    Pulses,
    ReadResistance,
    Repeat,
    Sweep,
    Violation,
)
from labctl.plan.sources import Sources

Ranges = dict[str, tuple[float, float]]


@dataclass
class Proof:
    """What the walk over the operations found."""

    envelope: dict[str, Extent] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Prover:
    """One walk over the operations of a plan; see the module's docstring."""

    def __init__(self, bench: BenchDescription, sources: Sources, nodes: tuple[Node, ...], allowed: tuple[str, ...]) -> None:
        self._bench = bench
        self._limits = bench.device.limits
        self._sources = sources
        self._nodes = nodes
        self._allowed = allowed
        self._beyond = 0.0  # pulses above the ordinary limit so far
        self.result = Proof()

    def visit(self, ops: tuple[Op, ...], ranges: Ranges, times: float) -> None:
        """Check ``ops``, executed ``times`` times with loop variables inside ``ranges``."""
        for op in ops:
            match op:
                case Repeat():
                    self.visit(op.body, ranges, times * op.count)
                case ForEach():
                    inner = {a.name: (min(a.values), max(a.values)) for a in op.axes}
                    count = len(op.axes[0].values) * (op.inner[1] if op.inner else 1)
                    self.visit(op.body, ranges | inner, times * count)
                case Confirm():
                    self.visit(op.again, ranges, times * op.retry)
                case EnterState(verify=ReadResistance() as read):
                    self._read(read, ranges)
                case Pulses():
                    self._pulses(op, ranges, times)
                case ReadResistance():
                    self._read(op, ranges)
                case Sweep():
                    self._voltage(op, op.terminal, min(op.levels), max(op.levels), "sweep", op.compliance)
                    self._instrument_window(op, op.source, "sweep", max(map(abs, op.levels)))
                case _:
                    pass

    def _pulses(self, op: Pulses, ranges: Ranges, times: float) -> None:
        base = op.base.bounds(ranges)
        lows, highs = zip(base, *(part.level.bounds(ranges) for part in op.parts), strict=True)
        count = times * op.count.bounds(ranges)[1] * len(op.parts)
        self._voltage(op, op.terminal, min(lows), max(highs), "pulse", None, pulses=count)
        able = self._capability(op.source, "pulse")
        self._instrument_window(op, op.source, "pulse", max(map(abs, (*lows, *highs))))
        widths = [part.width.bounds(ranges) for part in op.parts]
        shortest, longest = min(w[0] for w in widths), max(w[1] for w in widths)
        if shortest < able["min_width"]:
            self._violate(op, "width", op.source, "minimum pulse width of the model", able["min_width"], shortest)
        if longest > able["max_width"]:
            self._violate(op, "width", op.source, "maximum pulse width", able["max_width"], longest)
        if op.edge > shortest:
            self._violate(op, "edge", op.source, "edge time within the pulse width", shortest, op.edge)
        needed = sum(w[1] for w in widths) + op.edge * len(widths)
        if op.count.bounds(ranges)[1] > 1 and op.period < needed:
            self._violate(op, "period", op.source, "period that holds its pulses", needed, op.period)

    def _read(self, op: ReadResistance, ranges: Ranges) -> None:
        low, high = op.window.bounds(ranges)
        window = max(abs(low), abs(high))
        self._voltage(op, op.terminal, -window, window, "read", op.compliance)
        self._instrument_window(op, op.source, "sweep", window)
        where = self._nodes[op.node].where
        gentle = self._limits.read_voltage
        if gentle is not None and window > gentle:
            self._warn(f"{where}: read window {window:g} V may disturb the device: reads should stay within {gentle:g} V")
        if self._bench.device.resistance and op.compliance < 2 * window / self._bench.device.resistance[0]:
            self._warn(
                f"{where}: compliance {op.compliance:g} A is less than twice the largest current expected "
                f"({window / self._bench.device.resistance[0]:.3g} A): readings may be clipped (F9)"
            )

    def _voltage(
        self, op: Op, terminal: str, low: float, high: float, quantity: str, compliance: float | None, pulses: float = 0
    ) -> None:
        worst = low if abs(low) > abs(high) else high
        current = abs(worst) / self._bench.device.resistance[0] if self._bench.device.resistance else float("inf")
        current = min(current, compliance) if compliance is not None else current
        seen = self.result.envelope.get(terminal, Extent(0.0, 0.0, 0.0))
        self.result.envelope[terminal] = Extent(min(seen.low, low), max(seen.high, high), max(seen.current, current))

        limit = self._limits.voltage.get(terminal)
        if limit is None:
            self._violate(op, "voltage", "device", f"no limit is given for terminal {terminal!r}", 0.0, worst)
        elif abs(worst) > limit:
            self._above(op, terminal, limit, worst, pulses)
        wiring = self._bench.wiring.limits.get(terminal)
        if wiring is not None and abs(worst) > wiring:
            self._violate(op, "voltage", "wiring", f"cables of {terminal}", wiring, worst)
        if self._limits.current is not None and current > self._limits.current:
            self._violate(op, "current", "device", f"{quantity} current", self._limits.current, current)

    def _above(self, op: Op, terminal: str, limit: float, worst: float, pulses: float) -> None:
        """Beyond the ordinary device limit: an exception that the run asks for may hold it."""
        for name in self._allowed:
            exception = self._limits.exceptions.get(name)
            if exception is None or abs(worst) > exception.voltage:
                continue
            if not isinstance(op, Pulses):
                break  # exceptions are for counted pulses, never for steady levels
            self._beyond += pulses
            if self._beyond > exception.pulses:
                self._violate(op, "pulses", "device", f"exception {name!r}", exception.pulses, self._beyond)
            return
        hint = [n for n, e in self._limits.exceptions.items() if abs(worst) <= e.voltage]
        asked = f"; --allow {hint[0]} would hold it" if hint else ""
        self._violate(op, "voltage", "device", f"{terminal} against common{asked}", limit, worst)

    def _instrument_window(self, op: Op, source: str, ability: str, worst: float) -> None:
        window = self._capability(source, ability)["window"]
        if worst > window:
            self._violate(op, "voltage", source, "largest open-circuit voltage", window, worst)

    def _capability(self, source: str, ability: str) -> dict[str, float]:
        capability: dict[str, float] = self._sources.named(source).capabilities[ability]
        return capability

    def _violate(self, op: Op, quantity: str, whose: str, name: str, limit: float, value: float) -> None:
        node = self._nodes[op.node]
        violation = Violation(op.node, node.text, node.where, Limit(quantity, whose, name, limit), value)
        if violation not in self.result.violations:
            self.result.violations.append(violation)

    def _warn(self, text: str) -> None:
        if text not in self.result.warnings:
            self.result.warnings.append(text)
