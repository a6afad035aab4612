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
from labctl.numerics import fit_resistance, spike_ratio
from labctl.plan import model as m
from labctl.store import flags

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
        self._loops: dict[str, float | int] = loop_columns(plan.ops)
        self._state = ""
        self._readings: dict[str, deque[Reading]] = defaultdict(lambda: deque(maxlen=2))
        self._switched: dict[str, int] = defaultdict(int)
        self._passes: dict[int, int] = defaultdict(int)
        self._flags = 0  # added to every row: retry, allowed exception
        self._actions: dict[type[m.Op], Callable[[Any], Iterator[Event]]] = {
            m.Arm: self._arm,
            m.Connect: self._connect,
            m.Pulses: self._pulses,
            m.ReadResistance: self._read,
            m.Sweep: self._sweep,
            m.Wait: self._wait,
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

    # --- sources -------------------------------------------------------------------------------------------------

    def _arm(self, op: m.Arm) -> Iterator[Event]:
        self._bench.channel(op.source).limit(op.low, op.high)
        yield from ()

    def _connect(self, op: m.Connect) -> Iterator[Event]:
        if op.operator:
            self._ask(op.operator)
        for rival in op.quiet:
            channel = self._bench.channel(rival)
            channel.isolate()
        if op.line:
            instrument, _, number = op.line.split(".")
            self._bench.instruments[instrument].line(int(number), op.level)
            self._clock.sleep(op.time)
        self._bench.channel(op.source).output(True)
        self._switched[op.terminal] += 1
        yield self._event(
            "route", op, terminal=op.terminal, position=op.source, operations=self._switched[op.terminal]
        )

    def _pulses(self, op: m.Pulses) -> Iterator[Event]:
        channel = self._bench.channel(op.source)
        base = op.base.at(self._variables)
        count = round(op.count.at(self._variables))
        levels = [part.level.at(self._variables) for part in op.parts]
        widths = [part.width.at(self._variables) for part in op.parts]
        if len(op.parts) == 1 and op.shape == "rectangular":
            set_ = channel.prepare_pulse(levels[0], base, widths[0], op.edge, op.period, count)
        else:
            times, volts = cycle(levels, widths, base, op.edge, op.gap, op.period, op.shape)
            set_ = channel.prepare_waveform(times, volts, op.period, count)
        self._bench.true_extremes()
        self._bench.instruments[op.source.split(".")[0]].trigger()
        self._clock.sleep(channel.burst_duration)
        extreme = self._bench.true_extremes().get(op.terminal, np.nan)
        first = int(np.argmax(np.abs(levels)))
        limit = self._bench.description.device.limits.voltage.get(op.terminal, np.inf)
        yield self._event(
            "pulse",
            op,
            flags.BEYOND_LIMIT if abs(levels[first]) > limit else 0,
            terminal=op.terminal,
            role=op.role,
            name=op.name,
            level=levels[first],
            width=widths[first],
            base=base,
            count=count,
            period=op.period,
            set_high=set_.high,
            set_low=set_.low,
            reported_high=set_.reported_high,
            reported_low=set_.reported_low,
            true_extreme=extreme,
        )

    # --- readings ------------------------------------------------------------------------------------------------

    def _read(self, op: m.ReadResistance) -> Iterator[Event]:
        window = op.window.at(self._variables)
        levels = np.linspace(-window, window, op.points)
        if op.direction == "both":
            levels = np.concatenate([levels, levels[-2::-1]])
        data = self._measure(op, levels)
        fit = fit_resistance(data.voltage, data.current, data.status)
        flag = flags.from_points(data.status)
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
            v_max=float(np.max(np.abs(data.voltage))),
            range=data.range,
        )

    def _sweep(self, op: m.Sweep) -> Iterator[Event]:
        data = self._measure(op, np.asarray(op.levels))
        yield self._event(
            "sweep",
            op,
            flags.from_points(data.status),
            trace_of(data),
            name=op.name,
            terminal=op.terminal,
            measured=op.terminal,
            points=len(op.levels),
        )

    def _measure(self, op: m.ReadResistance | m.Sweep, levels: Any) -> Any:
        channel = self._bench.channel(op.source)
        channel.configure_read(op.compliance, op.range, op.nplc, op.delay)
        return channel.sweep(levels)

    def _wait(self, op: m.Wait) -> Iterator[Event]:
        self._clock.sleep(op.duration.at(self._variables))
        yield from ()

    # --- loops ---------------------------------------------------------------------------------------------------

    def _repeat(self, op: m.Repeat) -> Iterator[Event]:
        for trial in range(op.count):
            self._loops[op.name] = trial
            yield from self._do(op.body)
        self._loops[op.name] = -1

    def _for_each(self, op: m.ForEach) -> Iterator[Event]:
        for index, trial in self._order(op):
            for axis in op.axes:
                self._variables[axis.name] = self._loops[axis.name] = axis.values[index]
                self._loops[f"{axis.name}_index"] = index
            if op.inner:
                self._loops[op.inner[0]] = trial
            yield from self._do(op.body)
        for axis in op.axes:
            del self._variables[axis.name]
            self._loops |= {axis.name: np.nan, f"{axis.name}_index": -1}
        if op.inner:
            self._loops[op.inner[0]] = -1

    def _order(self, op: m.ForEach) -> list[tuple[int, int]]:
        """(index of the value, trial) in the order of execution; random orders are keyed by seed, step and pass."""
        indices = range(len(op.axes[0].values))
        trials = range(op.inner[1]) if op.inner else range(1)
        order = [(index, trial) for index in indices for trial in trials]
        if op.order == "reversed":
            return order[::-1]
        if op.order in ("shuffled", "interleaved"):
            generator = np.random.default_rng([self._plan.seed, op.node, self._passes[op.node]])
            self._passes[op.node] += 1
            return [order[i] for i in generator.permutation(len(order))]
        return order

    # --- judgements ----------------------------------------------------------------------------------------------

    def _enter(self, op: m.EnterState) -> Iterator[Event]:
        value, flag = np.nan, 0
        if op.verify:
            yield from self._read(op.verify)
            latest = self._readings[op.verify.name][-1]
            value, flag = latest.value, latest.flags
        low = -np.inf if op.above is None else op.above
        high = np.inf if op.below is None else op.below
        passed = op.verify is None or (low < value < high and not flag & flags.UNUSABLE)
        self._state = op.name
        yield self._event("state", op, flag, name=op.name, passed=passed, value=value, low=low, high=high)
        if not passed:
            raise StopRun(
                f"{self._where(op)}: the device is not in state {op.name!r}: {value:.4g} ohm is not inside "
                f"({low:g}, {high:g}) ohm"
            )

    def _judge(self, op: m.Judge) -> Iterator[Event]:
        subject = self._readings[op.reading][-1]
        earlier = [r for name in op.against for r in self._readings[name] if r.event < subject.event]
        if not earlier:
            raise StopRun(f"{self._where(op)}: no reading of {', '.join(op.against)} before {op.reading!r} to judge it by")
        reference = max(earlier, key=lambda r: r.event)
        ratio = float(spike_ratio(subject.value, reference.value))
        yield self._event(
            "spike",
            op,
            subject.flags | reference.flags,
            name=op.name,
            value=int(ratio < op.below),
            ratio=ratio,
            resistance=subject.value,
            reference=reference.value,
            criterion=op.below,
        )

    def _confirm(self, op: m.Confirm) -> Iterator[Event]:
        for attempt in range(op.retry + 1):
            if attempt:
                self._flags |= flags.RETRY
                yield from self._do(op.again)
                self._flags &= ~flags.RETRY
            reading, reference = self._readings[op.reading][-1], self._readings[op.against][-1]
            ratio = reading.value / reference.value
            ok = abs(ratio - 1) <= op.within and not reading.flags & flags.UNUSABLE
            last = ok or attempt == op.retry
            flag = 0 if ok else flags.FAILED_RESET
            yield self._event("confirm", op, flag, name=op.reading, ok=ok, ratio=ratio, attempt=attempt)
            if last:
                break
        if not ok and op.otherwise == "stop":
            raise StopRun(
                f"{self._where(op)}: {op.reading} is {ratio:.3g} of {op.against} after {op.retry + 1} attempts, "
                f"not within {op.within:.0%}: the reset does not work"
            )

    def _where(self, op: m.Op) -> str:
        return self._plan.nodes[op.node].where


def loop_columns(ops: tuple[m.Op, ...]) -> dict[str, float | int]:
    """Loop columns of every row and their values outside the loops: NaN for variables, -1 for indices and trials."""
    columns: dict[str, float | int] = {}
    for op in m.walk(ops):
        if isinstance(op, m.Repeat):
            columns[op.name] = -1
        elif isinstance(op, m.ForEach):
            for axis in op.axes:
                columns |= {axis.name: np.nan, f"{axis.name}_index": -1}
            if op.inner:
                columns[op.inner[0]] = -1
    return columns


def cycle(
    levels: list[float], widths: list[float], base: float, edge: float, gap: float, period: float, shape: str
) -> tuple[list[float], list[float]]:
    """Corner points (s, V) of one period: the pulses one after the other with ``gap`` between them, then base.

    Width is at half height: a rectangle's flat top lasts width - edge; a triangle rises and falls in its full
    duration, which is ``width`` from foot to foot.
    """
    times, volts, now = [0.0], [base], 0.0
    for level, width in zip(levels, widths, strict=True):
        corners = (
            [(edge, level), (width - edge, level), (edge, base)]
            if shape == "rectangular"
            else [(width / 2, level), (width / 2, base)]
        )
        for duration, volt in corners:
            now += duration
            times.append(now)
            volts.append(volt)
        now += gap
        times.append(now)
        volts.append(base)
    if now < period:
        times.append(period)
        volts.append(base)
    return times, volts


def trace_of(data: Any) -> dict[str, Any]:
    """The raw points of a sweep as the run file keeps them."""
    return {
        "set": data.set,
        "voltage": data.voltage,
        "current": data.current,
        "time": data.time,
        "status": np.asarray(data.status, np.int64),
    }
