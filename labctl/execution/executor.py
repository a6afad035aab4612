"""Execute a plan: every operation of it in order, and nothing that is not in it.

The executor walks the plan's tree, keeps the loop variables and the latest readings, and yields an event for every
executed reading or step. It owns no file and no screen. Waiting goes through the bench's clock.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl.bench.opening import OpenBench
from labctl.execution.events import Event, StopRun
from labctl.execution.shapes import columns, corners, outside, point_flags, staircase, trace_of
from labctl.numerics import fit_resistance, spike_ratio
from labctl.plan import model as m
from labctl.plan.proof import ROUNDING
from labctl.protocol.values import Quantity, fill_in
from labctl.store.flags import Flags

#: asks the operator to carry out a step; returns when it is done, raises StopRun when refused
AskOperator = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Reading:
    event: int
    value: float
    flags: int


class Executor:
    """One execution of one plan on one opened bench."""

    def __init__(self, plan: m.Plan, bench: OpenBench, ask_operator: AskOperator) -> None:
        self._plan = plan
        self._bench = bench
        self._ask = ask_operator
        self._clock = bench.clock
        self._start = float(self._clock.now)
        self._count = 0
        self._variables: dict[str, float] = {}
        self._loops: dict[str, float | int] = {}
        for op in m.walk(plan.ops):
            self._loops |= outside(op)
        self._units = {op.axis.name: op.axis.unit for op in m.walk(plan.ops) if isinstance(op, m.ForEach)}
        self._state = ""
        self._readings: dict[str, deque[Reading]] = defaultdict(lambda: deque(maxlen=2))
        self._switched: dict[str, int] = defaultdict(int)
        self._passes: dict[int, int] = defaultdict(int)
        self._flags = 0  # added to every row: retry
        self._actions: dict[type[m.Op], Callable[[Any], Iterator[Event]]] = {
            m.Arm: self._arm,
            m.Connect: self._connect,
            m.Pulses: self._pulses,
            m.ReadResistance: self._read,
            m.Sweep: self._sweep,
            m.ReadCurrent: self._current,
            m.Hold: self._hold,
            m.Wait: self._wait,
            m.Note: self._note,
            m.Release: self._release,
            m.Until: self._until,
            m.Allowed: lambda op: self._do(op.body),
            m.Repeat: self._repeat,
            m.ForEach: self._for_each,
            m.EnterState: self._enter,
            m.Judge: self._judge,
            m.Confirm: self._confirm,
        }

    def events(self) -> Iterator[Event]:
        """Execute the whole plan.

        Raises:
            StopRun: the protocol asks to stop; errors of the instruments pass through.
        """
        yield from self._do(self._plan.ops)

    def _do(self, ops: tuple[m.Op, ...]) -> Iterator[Event]:
        for op in ops:
            yield from self._actions[type(op)](op)

    def _event(self, kind: str, op: m.Op, flag: int = 0, trace: Any = None, **columns: Any) -> Event:
        row = {
            "time": self._clock.now - self._start,
            "step": op.node,
            "state": self._state,
            **self._loops,
            **columns,
            "flags": flag | self._flags,
        }
        self._count += 1
        return Event(kind, row, trace)

    # --- sources --------------------------------------------------------------

    def _arm(self, op: m.Arm) -> Iterator[Event]:
        self._bench.channel(op.source).limit(op.low, op.high)
        yield from ()

    def _connect(self, op: m.Connect) -> Iterator[Event]:
        if op.operator:
            self._ask(op.operator)
        for rival in op.quiet:
            self._bench.channel(rival).isolate()
        if op.line:
            instrument, _, number = op.line.split(".")
            self._bench.instruments[instrument].line(int(number), op.level)
            self._clock.sleep(op.time)
        self._switched[op.terminal] += 1
        yield self._event("route", op, terminal=op.terminal, position=op.source, operations=self._switched[op.terminal])

    def _hold(self, op: m.Hold) -> Iterator[Event]:
        self._bench.channel(op.source).hold(op.level.at(self._variables), op.compliance)
        yield from ()

    def _release(self, op: m.Release) -> Iterator[Event]:
        for source in op.quiet:
            self._bench.channel(source).isolate()
        self._switched[op.terminal] += 1
        yield self._event("route", op, terminal=op.terminal, position="open", operations=self._switched[op.terminal])

    def _note(self, op: m.Note) -> Iterator[Event]:
        yield self._event("note", op, text=self._filled(op.text))

    def _pulses(self, op: m.Pulses) -> Iterator[Event]:
        channel = self._bench.channel(op.source)
        base = op.base.at(self._variables)
        count = round(op.count.at(self._variables))
        if count == 0:
            return
        levels = [part.level.at(self._variables) for part in op.parts]
        widths = [part.width.at(self._variables) for part in op.parts]
        period = op.cycle_time(self._variables)
        if len(op.parts) == 1 and op.shape == "rectangular":
            programmed = channel.prepare_pulse(
                levels[0], base, widths[0], op.edge, period if count > 1 else None, count
            )
        else:
            times, volts = corners(levels, widths, base, op.edge or 0.0, op.gap.at(self._variables), op.shape)
            programmed = channel.prepare_waveform(times, volts, period, count)
        channel.output(True)
        self._bench.true_extremes()
        self._bench.instruments[op.source.split(".")[0]].trigger()
        self._clock.sleep(channel.burst_duration)
        extreme = self._bench.true_extremes().get(op.terminal, np.nan)
        first = int(np.argmax(np.abs(levels)))
        limit = self._bench.description.device.limits.voltage.get(op.terminal, np.inf)
        yield self._event(
            "pulse",
            op,
            Flags.BEYOND_ORDINARY_LIMIT if abs(levels[first]) > limit * (1 + ROUNDING) else 0,
            terminal=op.terminal,
            role=op.role,
            name=op.name,
            level=levels[first],
            width=widths[first],
            base=base,
            count=count,
            period=period,
            set_high=programmed.set_high,
            set_low=programmed.set_low,
            reported_high=programmed.reported_high,
            reported_low=programmed.reported_low,
            true_extreme=extreme,
        )

    # --- readings -------------------------------------------------------------

    def _read(self, op: m.ReadResistance) -> Iterator[Event]:
        data = self._measure(op, staircase(op, op.window.at(self._variables)))
        fit = fit_resistance(data.volts, data.amps, data.status)
        flag = point_flags(data)
        self._readings[op.name].append(Reading(self._count, fit.resistance, flag | self._flags))
        yield self._event(
            "resistance",
            op,
            flag,
            trace_of(data),
            name=op.name,
            terminal=op.terminal,
            value=fit.resistance,
            stderr=fit.stderr,
            offset=fit.offset,
            residual=fit.residual,
            points=fit.points,
            v_max=float(np.max(np.abs(data.volts))),
            range=data.range_,
        )

    def _current(self, op: m.ReadCurrent) -> Iterator[Event]:
        data = self._measure(op, np.full(op.samples, op.level.at(self._variables)))
        flag = point_flags(data)
        value = float(np.mean(data.amps))
        self._readings[op.name].append(Reading(self._count, value, flag | self._flags))
        yield self._event(
            "current",
            op,
            flag,
            trace_of(data),
            name=op.name,
            terminal=op.terminal,
            value=value,
            std=float(np.std(data.amps, ddof=1)) if op.samples > 1 else np.nan,
            samples=op.samples,
            voltage=float(np.mean(data.volts)),
            true_voltage=self._bench.true_voltages().get(op.terminal, np.nan),
        )

    def _sweep(self, op: m.Sweep) -> Iterator[Event]:
        data = self._measure(op, np.array([level.at(self._variables) for level in op.levels]), op.dwell)
        yield self._event(
            "sweep",
            op,
            point_flags(data),
            trace_of(data),
            name=op.name,
            terminal=op.terminal,
            measured=op.terminal,
            points=len(op.levels),
        )

    def _measure(self, op: m.ReadResistance | m.ReadCurrent | m.Sweep, levels: Any, dwell: float = 0.0) -> Any:
        channel = self._bench.channel(op.source)
        meter = op.meter
        channel.configure_read(meter.compliance, range_=meter.range, nplc=meter.nplc, delay=meter.delay)
        return channel.sweep(levels, dwell=dwell)

    def _wait(self, op: m.Wait) -> Iterator[Event]:
        self._clock.sleep(op.duration.at(self._variables))
        yield from ()

    # --- loops ----------------------------------------------------------------

    def _repeat(self, op: m.Repeat) -> Iterator[Event]:
        for trial in range(round(op.count.at(self._variables))):
            self._loops |= columns(op, 0, trial)
            yield from self._do(op.body)
        self._loops |= outside(op)

    def _for_each(self, op: m.ForEach) -> Iterator[Event]:
        axis = op.axis
        for index, trial in self._order(op):
            self._variables[axis.name] = axis.values[index]
            self._loops |= columns(op, index, trial)
            yield from self._do(op.body)
        del self._variables[axis.name]
        self._loops |= outside(op)

    def _until(self, op: m.Until) -> Iterator[Event]:
        for attempt in range(op.at_most):
            self._loops |= columns(op, 0, attempt)
            yield from self._do(op.body)
            if self._holds(op, op.condition):
                break
        else:
            self._fall_short(op, op.otherwise, f"the condition does not hold after {op.at_most} rounds")
        self._loops |= outside(op)

    def _order(self, op: m.ForEach) -> list[tuple[int, int]]:
        """(index of the value, trial) in the order of execution; random orders are keyed by seed, step and pass."""
        indices = range(len(op.axis.values))
        trials = range(op.inner[1]) if op.inner else range(1)
        order = [(index, trial) for index in indices for trial in trials]
        if op.order == "reversed":
            return order[::-1]
        if op.order in ("shuffled", "interleaved"):
            generator = np.random.default_rng([self._plan.seed, op.node, self._passes[op.node]])
            self._passes[op.node] += 1
            return [order[i] for i in generator.permutation(len(order))]
        return order

    # --- judgements -----------------------------------------------------------

    def _enter(self, op: m.EnterState) -> Iterator[Event]:
        self._state = self._filled(op.name)
        certificate = op.certificate
        value, flag, passed = np.nan, 0, True
        low = high = np.nan
        if certificate is not None:
            latest = self._latest(op, (certificate.reading,))
            value, flag = latest.value, latest.flags & ~self._flags
            passed = self._holds(op, certificate)
            low, high = (np.nan if v is None else v.at(self._variables) for v in (certificate.above, certificate.below))
        yield self._event("state", op, flag, name=self._state, passed=passed, value=value, low=low, high=high)
        if not passed:
            self._fall_short(
                op,
                op.otherwise,
                f"the device is not in state {self._state!r}: certificate {value:.4g}, wanted {low:g} .. {high:g}",
            )

    def _judge(self, op: m.Judge) -> Iterator[Event]:
        subject = self._latest(op, (op.reading,))
        reference = self._latest(op, op.against, before=subject.event)
        ratio = float(spike_ratio(subject.value, reference.value))
        threshold = op.threshold.at(self._variables)
        compared = subject.value if op.kind == "resistance" else ratio
        yield self._event(
            "spike",
            op,
            (subject.flags | reference.flags) & ~self._flags,
            name=op.name,
            value=int(compared > threshold if op.rising else compared < threshold),
            ratio=ratio,
            resistance=subject.value,
            reference=reference.value,
            criterion=threshold,
        )

    def _confirm(self, op: m.Confirm) -> Iterator[Event]:
        within = op.within.at(self._variables)
        reference = self._latest(op, op.against, before=self._latest(op, (op.reading,)).event)
        for attempt in range(op.retry + 1):
            if attempt:
                self._flags |= Flags.RETRY
                yield from self._do(op.again)
                self._flags &= ~Flags.RETRY
            reading = self._latest(op, (op.reading,))
            ratio = reading.value / reference.value
            ok = abs(ratio - 1) <= within
            flag = 0 if ok else Flags.FAILED_RESET
            yield self._event("confirm", op, flag, name=op.reading, ok=ok, ratio=ratio, attempt=attempt)
            if ok:
                return
        self._fall_short(
            op,
            op.otherwise,
            f"the reset does not work: {op.reading} is {ratio:.3g} of {' or '.join(op.against)}, "
            f"not within {within:.0%}",
        )

    def _holds(self, op: m.Op, condition: m.Condition) -> bool:
        """Is the condition true of the latest readings? A reading without a value (NaN) proves nothing."""
        reading = self._latest(op, (condition.reading,))
        value = reading.value
        if condition.against:
            value /= self._latest(op, condition.against, before=reading.event).value
        above, below, near, within = (
            None if bound is None else bound.at(self._variables)
            for bound in (condition.above, condition.below, condition.near, condition.within)
        )
        if within is not None:
            centre = 1.0 if near is None else near
            if abs(value - centre) > within:
                return False
        return (above is None or value > above) and (below is None or value < below)

    def _latest(self, op: m.Op, names: tuple[str, ...], before: float = np.inf) -> Reading:
        """The latest reading of any of the names, before an event."""
        found = [r for name in names for r in self._readings[name] if r.event < before]
        if not found:
            raise StopRun(f"{self._where(op)}: there is no earlier reading of {' or '.join(names)}")
        return max(found, key=lambda reading: reading.event)

    def _fall_short(self, op: m.Op, otherwise: str, why: str) -> None:
        """What the protocol says when a condition fails: stop; or go on (the row is flagged)."""
        if otherwise == "stop":
            raise StopRun(f"{self._where(op)}: {why}")

    def _filled(self, text: str) -> str:
        """'$variable' in a text replaced by its value with unit."""
        return fill_in(text, {name: Quantity(value, self._units[name]) for name, value in self._variables.items()})

    def _where(self, op: m.Op) -> str:
        return self._plan.nodes[op.node].where
