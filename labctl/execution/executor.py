"""Execute a plan: every operation of it in order, and nothing that is not in it.

The executor walks the plan's tree, keeps the loop variables and the latest readings, and yields an event for every
executed reading or step. It owns no file and no screen. Waiting goes through the bench's clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from labctl.bench.opening import OpenBench
from labctl.execution import meters
from labctl.execution.events import Event, StopRun
from labctl.execution.memory import Memory, Reading
from labctl.execution.orders import Halving, order
from labctl.execution.shapes import columns, corners, outside, staircase
from labctl.numerics import fit_resistance, spike_ratio
from labctl.plan import operations as o
from labctl.plan.plan import Plan
from labctl.plan.proof import ROUNDING
from labctl.protocol import units
from labctl.protocol.values import Quantity, fill_in
from labctl.store import loop_column
from labctl.store.flags import Flags

#: asks the operator to carry out a step (name for --confirm, what to do); returns when done, raises StopRun if refused
AskOperator = Callable[[str, str], None]


class Executor:
    """One execution of one plan on one opened bench."""

    def __init__(self, plan: Plan, bench: OpenBench, ask_operator: AskOperator) -> None:
        self._plan = plan
        self._bench = bench
        self._ask = ask_operator
        self._clock = bench.clock
        self._start = float(self._clock.now)
        self._count = 0
        self._variables: dict[str, float] = {}
        self._loops: dict[str, float | int] = {}
        for op in o.walk(plan.ops):
            self._loops |= outside(op)
        self._units = o.variable_units(plan.ops)
        self._state = ""
        self._memory = Memory()
        self._switched: dict[str, int] = defaultdict(int)
        self._plugged: dict[str, str] = {}
        self._passes: dict[int, int] = defaultdict(int)
        self._flags = 0  # added to every row: retry
        self._actions: dict[type[o.Op], Callable[[Any], Iterator[Event]]] = {
            o.Arm: self._arm,
            o.Connect: self._connect,
            o.Pulses: self._pulses,
            o.ReadResistance: self._read,
            o.Sweep: self._sweep,
            o.Record: self._record,
            o.Bias: self._bias,
            o.ReadCurrent: self._current,
            o.Hold: self._hold,
            o.Wait: self._wait,
            o.Note: self._note,
            o.Release: self._release,
            o.Until: self._until,
            o.Allowed: lambda op: self._do(op.body),
            o.Repeat: self._repeat,
            o.ForEach: self._for_each,
            o.EnterState: self._enter,
            o.Judge: self._judge,
            o.Confirm: self._confirm,
        }

    def events(self) -> Iterator[Event]:
        """Execute the whole plan.

        Raises:
            StopRun: the protocol asks to stop; errors of the instruments pass through.
        """
        yield from self._do(self._plan.ops)

    def _do(self, ops: tuple[o.Op, ...]) -> Iterator[Event]:
        for op in ops:
            yield from self._actions[type(op)](op)

    def _event(self, kind: str, op: o.Op, flag: int = 0, trace: Any = None, **measured: Any) -> Event:
        row = {
            "time": self._clock.now - self._start,
            "step": op.node,
            "state": self._state,
            **self._loops,
            **measured,
            "flags": flag | self._flags,
        }
        self._count += 1
        return Event(kind, row, trace)

    # --- sources --------------------------------------------------------------

    def _arm(self, op: o.Arm) -> Iterator[Event]:
        self._bench.channel(op.source).limit(op.low, op.high)
        yield from ()

    def _connect(self, op: o.Connect) -> Iterator[Event]:
        for rival in op.quiet:
            self._bench.channel(rival).isolate()
        self._plug(op)
        if op.line:
            instrument, _, number = op.line.split(".")
            self._bench.instruments[instrument].line(int(number), op.level)
            self._clock.sleep(op.time)
        self._switched[op.terminal] += 1
        yield self._event("route", op, terminal=op.terminal, position=op.source, operations=self._switched[op.terminal])

    def _plug(self, op: o.Connect) -> None:
        """Have the operator plug or unplug what is not switched; nothing is asked when it is so already."""
        wanted = op.source if op.manual else ""
        present = self._plugged.get(op.terminal, "")
        if present == wanted:
            return
        if present:
            self._bench.channel(present).isolate()
            self._ask(f"{present}_off_{op.terminal}", f"take {present} off {op.terminal} and restore its usual cable")
            self._bench.unplug(present)
        if wanted:
            self._ask(op.label, op.operator)
            self._bench.plug(wanted)
        self._plugged[op.terminal] = wanted

    def _hold(self, op: o.Hold) -> Iterator[Event]:
        self._bench.channel(op.source).hold(op.level.at(self._variables), op.compliance)
        yield from ()

    def _release(self, op: o.Release) -> Iterator[Event]:
        for source in op.quiet:
            self._bench.channel(source).isolate()
        self._switched[op.terminal] += 1
        yield self._event("route", op, terminal=op.terminal, position="open", operations=self._switched[op.terminal])

    def _note(self, op: o.Note) -> Iterator[Event]:
        yield self._event("note", op, text=self._filled(op.text))

    def _pulses(self, op: o.Pulses) -> Iterator[Event]:
        if round(op.count.at(self._variables)) == 0:
            return
        channel = self._bench.channel(op.source)
        programmed = self._prepare(op)
        channel.output(True)
        self._bench.true_extremes()
        self._bench.instruments[op.source.partition(".")[0]].trigger()
        self._clock.sleep(channel.burst_duration)
        yield self._pulse_event(op, programmed)

    def _prepare(self, op: o.Pulses) -> Any:
        """Program the pulses; nothing is driven yet."""
        channel = self._bench.channel(op.source)
        if op.fast_edges:
            channel.allow_fast_edges = True
        base = op.base.at(self._variables)
        count = round(op.count.at(self._variables))
        levels = [part.level.at(self._variables) for part in op.parts]
        widths = [part.width.at(self._variables) for part in op.parts]
        period = op.cycle_time(self._variables)
        if len(op.parts) == 1 and op.shape == "rectangular":
            return channel.prepare_pulse(levels[0], base, widths[0], op.edge, period if count > 1 else None, count)
        times, volts = corners(levels, widths, base, op.edge or 0.0, op.gap.at(self._variables), op.shape)
        return channel.prepare_waveform(times, volts, period, count)

    def _pulse_event(self, op: o.Pulses, programmed: Any) -> Event:
        levels = [part.level.at(self._variables) for part in op.parts]
        first = int(np.argmax(np.abs(levels)))
        limit = self._bench.description.device.limits.voltage.get(op.terminal, np.inf)
        beyond = Flags.BEYOND_ORDINARY_LIMIT if abs(levels[first]) > limit * (1 + ROUNDING) else 0
        return self._event(
            "pulse",
            op,
            beyond | (Flags.FAST_EDGES if op.fast_edges else 0),
            terminal=op.terminal,
            role=op.role,
            name=op.name,
            level=levels[first],
            width=op.parts[first].width.at(self._variables),
            base=op.base.at(self._variables),
            count=round(op.count.at(self._variables)),
            period=op.cycle_time(self._variables),
            set_high=programmed.set_high,
            set_low=programmed.set_low,
            reported_high=programmed.reported_high,
            reported_low=programmed.reported_low,
            true_extreme=self._bench.true_extremes().get(op.terminal, np.nan),
        )

    def _bias(self, op: o.Bias) -> Iterator[Event]:
        level = op.level.at(self._variables)
        self._bench.true_extremes()
        ramp = abs(level) / op.ramp.at(self._variables) if op.ramp else 0.0
        done = self._bench.channel(op.source).bias(
            level,
            op.duration.at(self._variables),
            ramp=ramp,
            compliance=op.compliance,
            abort_above=op.abort_above,
            grounded=[source.partition(".")[2] for source in op.grounded],
        )
        yield self._event(
            "bias",
            op,
            0 if done.complete else int(Flags.EXCLUDED),
            {"time": done.time, "current": done.amps, "status": np.asarray(done.status, np.int64)},
            terminal=op.terminal,
            level=level,
            start=done.start - self._start,
            stop=done.stop - self._start,
            max_current=done.max_current,
            true_extreme=self._bench.true_extremes().get(op.terminal, np.nan),
        )
        if not done.complete:
            raise StopRun(f"{self._where(op)}: the bias was aborted: {done.reason}")

    # --- readings -------------------------------------------------------------

    def _read(self, op: o.ReadResistance) -> Iterator[Event]:
        self._bench.true_extremes()
        points = meters.resistance_points(self._bench, op, staircase(op, op.window.at(self._variables)))
        fit = fit_resistance(points.volts, points.amps, points.status)
        self._memory.keep(op.name, Reading(self._count, fit.resistance, points.flags | self._flags))
        yield self._event(
            "resistance",
            op,
            points.flags,
            points.trace,
            name=op.name,
            terminal=op.terminal,
            value=fit.resistance,
            stderr=fit.stderr,
            offset=fit.offset,
            residual=fit.residual,
            points=fit.points,
            v_max=float(np.max(np.abs(points.volts))),
            true_extreme=self._bench.true_extremes().get(op.terminal, np.nan),
            range=points.range,
        )

    def _current(self, op: o.ReadCurrent) -> Iterator[Event]:
        found = meters.samples(self._bench, op, op.samples, op.interval, op.nplc, op.delay, self._variables)
        for terminal, points in found.items():
            value = float(np.mean(points.amps))
            self._memory.keep(op.name, Reading(self._count, value, points.flags | self._flags))
            yield self._event(
                "current",
                op,
                points.flags,
                points.trace,
                name=op.name,
                terminal=terminal,
                value=value,
                std=float(np.std(points.amps, ddof=1)) if op.samples > 1 else np.nan,
                samples=op.samples,
                voltage=float(np.mean(points.volts)),
                true_voltage=self._bench.true_voltages().get(terminal, np.nan),
            )

    def _sweep(self, op: o.Sweep) -> Iterator[Event]:
        swept = op.stations[0].terminal
        held = {s.terminal: s.level.at(self._variables) for s in op.stations if s.level is not None}
        self._bench.true_extremes()
        found = meters.sweep(self._bench, op, self._variables)
        curves = dict(sorted(found.items(), key=lambda curve: curve[0] == swept))  # figures are of the response
        extremes = self._bench.true_extremes()
        self._memory.keep_curves(op.name, self._count, curves)
        for terminal, points in curves.items():
            yield self._event(
                "sweep",
                op,
                points.flags,
                points.trace,
                name=op.name,
                terminal=swept,
                measured=terminal,
                points=len(points.set),
                true_extreme=extremes.get(swept, np.nan),
                bias=", ".join(f"{name}={units.text(level, 'V')}" for name, level in held.items()),
            )

    def _record(self, op: o.Record) -> Iterator[Event]:
        if op.duration is not None:
            count = max(2, round(op.duration.at(self._variables) / op.interval))
            nplc = min(1.0, op.interval * self._bench.line_frequency / 2)
            found = meters.samples(self._bench, op, count, op.interval, nplc, 0.0, self._variables)
        else:
            pulses = next(inner for inner in op.body if isinstance(inner, o.Pulses))
            programmed = self._prepare(pulses)
            channel = self._bench.channel(pulses.source)
            channel.output(True)
            self._bench.true_extremes()
            waits = sum(w.duration.at(self._variables) for w in op.body if isinstance(w, o.Wait))
            found = meters.record_during(self._bench, op, programmed.duration + waits, self._variables)
            yield self._pulse_event(pulses, programmed)
        for terminal, points in found.items():
            yield self._event(
                "sample",
                op,
                points.flags,
                {"time": points.time, "current": points.amps, "status": points.status},
                name=op.name,
                terminal=terminal,
                points=len(points.set),
                interval=op.interval,
                window=op.window,
                range=points.range,
            )

    def _wait(self, op: o.Wait) -> Iterator[Event]:
        self._clock.sleep(op.duration.at(self._variables))
        yield from ()

    # --- loops ----------------------------------------------------------------

    def _repeat(self, op: o.Repeat) -> Iterator[Event]:
        for trial in range(round(op.count.at(self._variables))):
            self._loops |= columns(op, 0, trial)
            yield from self._do(op.body)
        self._loops |= outside(op)

    def _for_each(self, op: o.ForEach) -> Iterator[Event]:
        axis = op.axis
        for index, trial in order(op, self._plan.seed, self._passes[op.node]):
            self._variables[axis.name] = axis.values[index]
            self._loops |= columns(op, index, trial)
            yield from self._do(op.body)
        self._passes[op.node] += 1
        del self._variables[axis.name]
        self._loops |= outside(op)

    def _until(self, op: o.Until) -> Iterator[Event]:
        search = Halving(op.search) if op.search else None
        for turn in range(op.at_most):
            self._loops |= columns(op, 0, turn)
            if search:
                self._variables[search.name] = search.value
                self._loops[loop_column(search.name)] = search.value
            yield from self._do(op.body)
            if self._memory.holds(op.condition, self._variables, self._where(op)):
                break
            if search:
                near = op.condition.near.at(self._variables) if op.condition.near else 0.0
                search.move(self._memory.figure(op.condition, self._where(op)) - near)
        else:
            self._fall_short(op, op.otherwise, f"the condition does not hold after {op.at_most} rounds")
        self._loops |= outside(op)

    # --- judgements -----------------------------------------------------------

    def _enter(self, op: o.EnterState) -> Iterator[Event]:
        self._state = self._filled(op.name)
        certificate = op.certificate
        value, flag, passed = np.nan, 0, True
        low = high = np.nan
        if certificate is not None:
            latest = self._memory.latest((certificate.reading,), self._where(op))
            value, flag = latest.value, latest.flags & ~self._flags
            passed = self._memory.holds(certificate, self._variables, self._where(op))
            low, high = (np.nan if v is None else v.at(self._variables) for v in (certificate.above, certificate.below))
        yield self._event("state", op, flag, name=self._state, passed=passed, value=value, low=low, high=high)
        if not passed:
            self._fall_short(
                op,
                op.otherwise,
                f"the device is not in state {self._state!r}: certificate {value:.4g}, wanted {low:g} .. {high:g}",
            )

    def _judge(self, op: o.Judge) -> Iterator[Event]:
        subject = self._memory.latest((op.reading,), self._where(op))
        reference = self._memory.latest(op.against, self._where(op), before=subject.event)
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

    def _confirm(self, op: o.Confirm) -> Iterator[Event]:
        within = op.within.at(self._variables)
        where = self._where(op)
        reference = self._memory.latest(op.against, where, before=self._memory.latest((op.reading,), where).event)
        for attempt in range(op.retry + 1):
            if attempt:
                self._flags |= Flags.RETRY
                yield from self._do(op.again)
                self._flags &= ~Flags.RETRY
            reading = self._memory.latest((op.reading,), self._where(op))
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

    def _fall_short(self, op: o.Op, otherwise: str, why: str) -> None:
        """What the protocol says when a condition fails: stop; or go on (the row is flagged)."""
        if otherwise == "stop":
            raise StopRun(f"{self._where(op)}: {why}")

    def _filled(self, text: str) -> str:
        """'$variable' in a text replaced by its value with unit."""
        return fill_in(text, {name: Quantity(value, self._units[name]) for name, value in self._variables.items()})

    def _where(self, op: o.Op) -> str:
        return self._plan.nodes[op.node].where
