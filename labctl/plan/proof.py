"""Proof that a plan stays inside the limits of device, instruments and wiring, and the envelope it can reach.

Every operation is visited once with the bounds of its loop variables, so the cost grows with the length of the
protocol, not with the number of pulses. Rules 1-3 of design section 10; reference devices_and_protocols 3.4.

Worst cases: with the load set to high impedance an AFG's node voltage never exceeds its open-circuit voltage, whatever
the device does (F1, F2); a current is the voltage along the channel over the smallest resistance of the bench file,
within the compliance; the energy of a pulse is V^2 over that resistance times its width; conduction only, what charges
cables and gates is not counted. See ``abilities`` for what instruments can do, ``budgets`` for sums over the plan,
``contention`` for which source may be on which terminal, ``pitfalls`` for what is unwise but breaks no limit.
"""

from __future__ import annotations

from itertools import combinations
from math import inf

from labctl.bench.description import BenchDescription
from labctl.plan import operations as o
from labctl.plan.abilities import Abilities
from labctl.plan.budgets import Budgets
from labctl.plan.contention import check_contention
from labctl.plan.cost.steps import stays
from labctl.plan.cost.walk import Walk
from labctl.plan.dose import Dose
from labctl.plan.findings import ROUNDING, Findings
from labctl.plan.passes import Passes
from labctl.plan.pitfalls import Pitfalls
from labctl.plan.plan import Extent, Node
from labctl.plan.sources import Sources

#: volts from which on a steady level must be reached by a ramp (reference 3.4: the 40 V step)
STEP = 25.0

Bounds = tuple[float, float]


class Prover:
    """One walk over the operations of a plan; see the module's docstring.

    Args:
        bench: with its limits. sources: of that bench. nodes: steps that the operations refer to.
        allowed: exceptions that the run asks for. used: what earlier runs have applied to the device.
    """

    def __init__(
        self,
        bench: BenchDescription,
        sources: Sources,
        nodes: tuple[Node, ...],
        allowed: tuple[str, ...],
        used: Dose | None = None,
    ) -> None:
        self._bench = bench
        self._limits = bench.device.limits
        self._sources = sources
        self._asked = allowed
        self._open: list[str] = []  # exceptions of the blocks around the present operation
        self._findings = Findings(nodes)
        self._budgets = Budgets(self._limits, used or Dose())
        self._abilities = Abilities(sources, self._findings)
        self._pitfalls = Pitfalls(bench, sources, self._findings)
        self._based: list[tuple[o.Pulses, float]] = []  # pulses from a base beside zero, and its largest magnitude
        self._longest: dict[str, float] = {}  # pulse source -> longest cycle (s) that the plan has it play
        self._walk = Walk(bench, sources, inf)
        self.envelope: dict[str, Extent] = {}

    def prove(self, ops: tuple[o.Op, ...], duration: float) -> Findings:
        """Check a whole plan, predicted to take ``duration`` s."""
        self._visit(ops, {}, Passes())
        self._idle(duration)
        self._budgets.judge(self._findings)
        check_contention(ops, self._bench, self._sources, self._findings)
        self._pitfalls.of_order(ops)
        return self._findings

    def count(self, ops: tuple[o.Op, ...]) -> None:
        """Count ``ops`` besides the plan that is to be proved."""
        self._visit(ops, {}, Passes())

    @property
    def dose(self) -> Dose:
        """The most that the plan applies, terminal by terminal."""
        return self._budgets.dose

    def _visit(self, ops: tuple[o.Op, ...], ranges: o.Ranges, passes: Passes) -> None:
        """Check ``ops``, executed in ``passes``, with loop variables inside ``ranges``."""
        for op in ops:
            match op:
                case o.Repeat():
                    self._visit(op.body, ranges, passes.weighed(op.count))
                case o.Program():
                    self._visit(op.body, ranges, passes)
                case o.ForEach():
                    self._visit(op.body, ranges | op.ranges(), passes.over(op))
                case o.Until():
                    self._visit(op.body, ranges | op.ranges(), passes.searching(op.search, op.at_most))
                case o.Confirm():
                    self._visit(op.again, ranges, passes.repeated(op.retry))
                case o.EnterState():
                    self._visit(op.prepare, ranges, passes)
                case o.Allowed():
                    self._open.append(op.exception)
                    self._visit(op.body, ranges, passes)
                    self._open.pop()
                case o.Pulses():
                    self._pulses(op, ranges, passes)
                case o.ReadResistance():
                    self._read(op, ranges, passes)
                case o.ReadCurrent() | o.Record() | o.Sweep():
                    self._measured(op, ranges, passes)
                    if isinstance(op, o.Record):
                        self._visit(op.body, ranges, passes)
                case o.Bias():
                    self._bias(op, ranges, passes)
                case o.Hold():
                    self._hold(op, ranges)
                case _:
                    pass

    # --- what is applied ------------------------------------------------------

    def _pulses(self, op: o.Pulses, ranges: o.Ranges, passes: Passes) -> None:
        ends = [end for v in (op.base, *(part.level for part in op.parts)) for end in v.bounds(ranges)]
        cycles = passes.weighed(op.count)
        exception = self._level(op, op.terminal, op.source, (min(ends), max(ends)), None, counted=True)
        self._abilities.pulses(op, ranges, ends)
        self._pitfalls.pulses(op, ranges)
        edge = op.edge or 0.0
        for part in op.parts:
            self._budgets.pulses(op.node, op.terminal, part.role or op.role, cycles.total)
            if exception:
                limit = self._ordinary(op.terminal)
                beyond = sum(times for volts, times in cycles.by_level(part.level) if volts > limit * (1 + ROUNDING))
                self._budgets.beyond(op.node, op.terminal, exception, beyond)
            timed = [(cycles.weighed(part.width), 1.0), (cycles, edge)]
            held = [
                (volts, self._current(op.terminal, volts, None), times * factor)
                for counted, factor in timed
                for volts, times in counted.by_level(part.level)
            ]
            self._budgets.held(op.node, op.terminal, held)
            self._energy(op, max(map(abs, part.level.bounds(ranges))), part.width.bounds(ranges)[1])
        base = max(map(abs, op.base.bounds(ranges)))
        if base:
            self._based.append((op, base))
        longest = {name: max(ends) for name, ends in ranges.items()}
        cycle = max(op.cycle_time(longest), *(2 * (part.width.at(longest) + 2 * edge) for part in op.parts))
        self._longest[op.source] = max(cycle, self._longest.get(op.source, 0.0))

    def _idle(self, duration: float) -> None:
        """A base beside zero: within a cycle it may last as long as the source's longest, then to the end of the plan.

        A generator keeps the period of earlier pulses where a single one fits into it.
        """
        largest: dict[str, tuple[o.Pulses, float]] = {}
        for op, base in self._based:
            self._energy(op, base, self._longest[op.source])
            if base > largest.get(op.terminal, (op, 0.0))[1]:
                largest[op.terminal] = op, base
        for terminal, (op, base) in largest.items():
            self._budgets.held(op.node, terminal, [(base, self._current(terminal, base, None), duration)])

    def _energy(self, op: o.Pulses, volts: float, width: float) -> None:
        if self._limits.energy is None or op.terminal == self._bench.device.gate:
            return
        assert self._bench.device.resistance is not None, "the bench file's validation sees to it"
        energy = volts**2 / self._bench.device.resistance[0] * width
        self._findings.at_most(op, "energy", "device", "of one pulse", self._limits.energy, energy)

    def _read(self, op: o.ReadResistance, ranges: o.Ranges, passes: Passes) -> None:
        window = max(map(abs, op.window.bounds(ranges)))
        low, high = {"both": (-window, window), "positive": (0.0, window), "negative": (-window, 0.0)}[op.side]
        self._pitfalls.read(op, window)
        self._level(op, op.terminal, op.source, (low, high), op.meter.compliance)
        self._abilities.meter(op, op.source, "sweep", op.meter.compliance, (low, high), op.meter.nplc, op.length)
        self._steady(op, op.terminal, op.meter.compliance, [(window, passes.total * self._seconds(op, ranges))])

    def _measured(self, op: o.ReadCurrent | o.Record | o.Sweep, ranges: o.Ranges, passes: Passes) -> None:
        self._pitfalls.measured(op, ranges)
        seconds = self._seconds(op, ranges)
        at_levels: list[float] = []
        if isinstance(op, o.Sweep):
            at_levels = stays(self._walk, op)
            seconds = max(seconds, sum(at_levels))
        along: list[tuple[Bounds, float | None]] = []  # ends of the channel that are driven, with their compliance
        for station in op.stations:
            swept = station.level is None and isinstance(op, o.Sweep)
            levels = op.levels if swept and isinstance(op, o.Sweep) else (station.level or o.Value(),)
            shares = at_levels if swept else [seconds]
            ends = [end for level in levels for end in level.bounds(ranges)]
            bounds = min(ends), max(ends)
            compliance = self._compliance(station.source, station.compliance)
            self._level(op, station.terminal, station.source, bounds, compliance)
            self._abilities.station(op, station, bounds)
            if station.terminal != self._bench.device.gate:
                along.append((bounds, compliance))
            held = [
                (v, times * share)
                for level, share in zip(levels, shares, strict=True)
                for v, times in passes.by_level(level)
            ]
            self._steady(op, station.terminal, compliance, held)
        for (one, least), (other, most) in combinations(along, 2):
            self._channel(op, max(one[1] - other[0], other[1] - one[0]), [c for c in (least, most) if c is not None])

    def _bias(self, op: o.Bias, ranges: o.Ranges, passes: Passes) -> None:
        low, high = op.level.bounds(ranges)
        worst = max(abs(low), abs(high))
        self._pitfalls.bias(op, ranges)
        self._level(op, op.terminal, op.source, (min(low, 0.0), max(high, 0.0)), op.compliance)
        self._abilities.meter(op, op.source, "bias", op.compliance, (low, high))
        if worst > STEP and op.ramp is None:
            name = "a step; give 'ramp', such as 100 V/s"
            self._findings.violate(op, "voltage", "device", name, STEP, max(low, high, key=abs))
        ramps = 2 * worst / min(map(abs, op.ramp.bounds(ranges))) if op.ramp else 0.0
        held = [*passes.weighed(op.duration).by_level(op.level)]
        held += [(volts, times * ramps) for volts, times in passes.by_level(op.level)]
        self._steady(op, op.terminal, op.compliance, held)

    def _hold(self, op: o.Hold, ranges: o.Ranges) -> None:
        terminal = self._sources.named(op.source).connection.terminal
        if terminal in self._limits.voltage:  # the far end of a series loop has no limit of its own
            self._abilities.window(op, op.source, op.level.bounds(ranges))
            self._level(op, terminal, op.source, op.level.bounds(ranges), op.compliance)

    def _steady(self, op: o.Op, terminal: str, compliance: float | None, held: list[tuple[float, float]]) -> None:
        """Count (abs(V), s) of a level that is not pulsed."""
        self._budgets.held(op.node, terminal, [(v, self._current(terminal, v, compliance), s) for v, s in held])

    def _seconds(self, op: o.Op, ranges: o.Ranges) -> float:
        """Predicted time of one execution, with every loop variable at its largest and the lowest ranges."""
        self._walk.variables = {name: max(ends) for name, ends in ranges.items()}
        return self._walk.block((op,)).duration[2]

    # --- levels against limits ------------------------------------------------

    def _level(
        self, op: o.Op, terminal: str, source: str, ends: Bounds, compliance: float | None, *, counted: bool = False
    ) -> str | None:
        """Hold levels of ``terminal`` against the limits of voltage, field and current of device and wiring.

        ``counted``: pulses, which an exception may carry beyond the ordinary limit; its name is returned.
        """
        worst = max(ends, key=abs)
        current = self._current(terminal, worst, compliance)
        seen = self.envelope.get(terminal, Extent(0.0, 0.0, 0.0))
        self.envelope[terminal] = Extent(min(seen.low, *ends), max(seen.high, *ends), max(seen.current, current))
        exception = None
        if terminal not in self._limits.voltage:
            self._findings.violate(op, "voltage", "device", f"no limit is given for terminal {terminal!r}", 0.0, worst)
        elif abs(worst) > self._ordinary(terminal) * (1 + ROUNDING):
            exception = self._exception(worst) if counted else None
            if exception is None:
                self._beyond(op, terminal, worst)
        path = self._sources.named(source).connection.limit
        cables = self._bench.wiring.limits.get(terminal)
        for name, bound in ((f"cables of {terminal}", cables), (f"path of {source}", path)):
            if bound is not None:
                self._findings.at_most(op, "voltage", "wiring", name, bound, worst)
        if self._limits.current is not None:
            self._findings.at_most(op, "current", "device", f"through {terminal}", self._limits.current, current)
        return exception

    def _ordinary(self, terminal: str) -> float:
        """The ordinary limit of a terminal's voltage: its own, or that of the field along the channel."""
        voltage, field, length = self._limits.voltage[terminal], self._limits.field, self._bench.device.length
        if field is None or length is None or terminal == self._bench.device.gate:
            return voltage
        return min(voltage, field * length)

    def _exception(self, worst: float) -> str | None:
        """The exception that protocol and run both ask for and that holds ``worst`` (V)."""
        for name in self._open:
            exception = self._limits.exceptions.get(name) if name in self._asked else None
            if exception is not None and abs(worst) <= exception.voltage * (1 + ROUNDING):
                return name
        return None

    def _beyond(self, op: o.Op, terminal: str, worst: float) -> None:
        fitting = [name for name in self._open if name in self._limits.exceptions and name not in self._asked]
        asked = f"; --allow {fitting[0]} asks for its exception" if fitting else ""
        limit = self._limits.voltage[terminal]
        self._findings.at_most(op, "voltage", "device", f"{terminal} against common{asked}", limit, worst)
        if terminal != self._bench.device.gate:
            self._field(op, worst, asked)

    def _channel(self, op: o.Op, volts: float, compliances: list[float]) -> None:
        """The largest difference of two ends of the channel that are both driven."""
        self._field(op, volts)
        if self._limits.current is not None and self._bench.device.resistance is not None:
            current = min([volts / self._bench.device.resistance[0], *compliances])
            self._findings.at_most(op, "current", "device", "through the channel", self._limits.current, current)

    def _field(self, op: o.Op, volts: float, asked: str = "") -> None:
        if self._limits.field is not None and self._bench.device.length is not None:
            field = volts / self._bench.device.length
            self._findings.at_most(op, "field", "device", f"along the channel{asked}", self._limits.field, field)

    def _compliance(self, source: str, asked: float) -> float | None:
        """None for sources that have no compliance, such as a fast unit."""
        return asked if self._sources.named(source).capabilities.get("compliance", asked) is not None else None

    def _current(self, terminal: str, voltage: float, compliance: float | None) -> float:
        """Largest current at ``voltage``, A: through the smallest resistance of the channel, within the compliance.

        0 where neither is known: a gate behind its oxide, driven by a source without compliance.
        """
        expected = None if terminal == self._bench.device.gate else self._bench.device.resistance
        bounds = [abs(voltage) / expected[0]] if expected else []
        return min([*bounds, *([] if compliance is None else [compliance])], default=0.0)
