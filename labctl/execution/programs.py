"""Programs: trials that run inside an instrument, a block at a time, and what they left, operation by operation.

The executor walks through a block as it walks through a loop; what a program did already it takes from the block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labctl.bench.opening import OpenBench
from labctl.execution import meters
from labctl.execution.acting import Acting, Found, Variables
from labctl.execution.place import Place
from labctl.execution.switching import Switching
from labctl.plan import operations as o
from labctl.plan.programs import MARGIN, Layout, block_size, distinct, layout, played
from labctl.plan.shapes import staircase


@dataclass(frozen=True)
class Record:
    """One operation as a program did it: when it ended (s, bench clock), and its rows."""

    op: o.Op
    time: float
    found: list[Found]


class Block:
    """What a block of trials left, taken in the order in which it was done.

    Args:
        records: of every operation done.
        failure: why the program ended early, raised when its records are used up.
    """

    def __init__(self, records: Sequence[Record] = (), failure: Exception | None = None) -> None:
        self._records = deque(records)
        self._failure = failure
        #: when the operation taken last ended, s by the bench clock; None: none was taken
        self.time: float | None = None

    def __bool__(self) -> bool:
        return bool(self._records) or self._failure is not None

    def take(self, op: o.Op) -> list[Found] | None:
        """Rows of ``op`` if the program has done it; None if not: then it is to be done now.

        Raises:
            the failure of the program.
        """
        if not self._records:
            failure, self._failure, self.time = self._failure, None, None
            if failure is not None:
                raise failure
            return None
        record = self._records.popleft()
        assert record.op is op, "a program does the operations of its loop in their order"
        self.time = record.time
        return record.found


class Programs:
    """Runs the blocks of a plan's programs on one opened bench."""

    def __init__(self, bench: OpenBench, acting: Acting, switching: Switching) -> None:
        self._bench = bench
        self._acting = acting
        self._switching = switching
        self._listening: set[str] = set()

    def size(self, op: o.Program, variables: Variables, left: int) -> int:
        """Trials of the next block: what the buffers hold, for about ``BLOCK_TIME``, and no more than ``left``."""
        return min(left, block_size(op, variables, self._bench.able(op.controller, "program")["points"]))

    def run(self, op: o.Program, place: Place, reference: Callable[[o.Confirm], float], trials: int) -> Block:
        """Prepare the pulses, run ``trials`` trials, and fetch what they left.

        ``reference`` is the value that a confirmation compares with. Afterwards the relays rest, with the meter on the
        device and its output off.
        """
        body, variables = op.loop.body, place.variables
        self._bring_home(op, place)
        reader = self._bench.channel(op.controller)
        for read in (inner for inner in body if isinstance(inner, o.ReadResistance)):
            meters.configure_resistance(self._bench, read, _levels(read, variables))
        pulses = self._prepare(op, variables)
        program = reader.program()
        steps = _build(program, op, variables, pulses, reference)
        self._bench.watch_extremes()
        data = program.run(trials)
        start = float(self._bench.clock.now) - data.seconds  # late by what the answer took
        times = [start, *(start + float(mark) for mark in data.marks)]
        done = [steps[index % len(steps)] for index in range(len(data.marks))]
        extremes = self._bench.watched_extremes(_between(times, done))
        readings = iter(data.readings)
        records = []
        for index, step in enumerate(done):
            if step is None:
                continue
            found = self._found(step, variables, pulses, readings, extremes[index])
            records.append(Record(step, times[index + 1], found))
        return Block(records, data.failure)

    def _bring_home(self, op: o.Program, place: Place) -> None:
        """Relays at rest before the generator is programmed: the meter is on the device then."""
        for connect in op.loop.body:
            if isinstance(connect, o.Connect) and connect.source == op.controller:
                laid = place.laid.get(connect.terminal)
                if not (isinstance(laid, o.Connect) and laid.source == op.controller):
                    self._switching.lay(connect)
                return

    def _prepare(self, op: o.Program, variables: Variables) -> dict[object, _Pulse]:
        """All pulses of a trial in the generator, its output on: how each of them comes, by what is played."""
        body = op.loop.body
        found = distinct(body)
        if not found:
            return {}
        name = found[0].source.partition(".")[0]
        if name not in self._listening:
            self._bench.instruments[name].trigger_slope = "positive"
            self._listening.add(name)
        channel = self._bench.channel(found[0].source)
        if len(found) == 1:
            programmed = self._acting.prepare(found[0], variables)
            channel.output(True)
            return {played(found[0]): _Pulse(programmed, 0.0, channel.burst_duration, channel.burst_duration)}
        plan = layout(body, variables, self._bench.able(found[0].source, "arbitrary")["points"][1])
        programmed = channel.prepare_waveform(*_corners(plan), plan.period, isolated=True)
        channel.output(True)
        latency = channel.burst_duration - programmed.duration
        return {
            played(pulse): _Pulse(
                _of_one(programmed, slot.level, slot.width, plan),
                slot.start if index else 0.0,
                slot.end(plan.edge) + latency,
                channel.burst_duration + MARGIN,
            )
            for index, (pulse, slot) in enumerate(zip(found, plan.slots, strict=True))
        }

    def _found(
        self,
        op: o.Op,
        variables: Variables,
        pulses: dict[object, _Pulse],
        readings: Iterator[Any],
        extremes: dict[str, float],
    ) -> list[Found]:
        match op:
            case o.Pulses():
                extreme = extremes.get(op.terminal, np.nan)
                return [self._acting.pulse_row(op, variables, pulses[played(op)].programmed, extreme)]
            case o.ReadResistance():
                points = meters.of_channel(next(readings))
                return [self._acting.resistance_row(op, points, extremes.get(op.terminal, np.nan))]
            case _:
                return []


@dataclass(frozen=True)
class _Pulse:
    """How a pulse of a program comes.

    s from the trigger to its first foot (0: the relay waits for it), until it is surely over, and until another trigger
    may be sent.
    """

    programmed: Any
    start: float
    end: float
    length: float


def rows_of_trial(op: o.Program) -> int:
    """Rows that one trial leaves if every reset works."""
    return sum(not isinstance(inner, o.Wait) for inner in op.loop.body)


def _build(
    program: Any,
    op: o.Program,
    variables: Variables,
    pulses: dict[object, _Pulse],
    reference: Callable[[o.Confirm], float],
) -> list[o.Op | None]:
    """Give the program the steps of one trial; the operation that each of them ends, if any."""
    steps: list[o.Op | None] = []
    readings: dict[str, int] = {}
    trigger = _line(op.trigger) if op.trigger else 0
    for line, level in op.rest:
        program.rest(_line(line), level)
    body = op.loop.body
    for inner, after in zip(body, (*body[1:], None), strict=True):
        match inner:
            case o.Connect():
                coming = pulses[played(after)] if isinstance(after, o.Pulses) else None
                if coming is not None and coming.start:  # the relay comes when the pulses before it have passed
                    program.fire(trigger, coming.start - inner.time - MARGIN, coming.length)
                    steps.append(None)
                program.line(_line(inner.line), inner.level, inner.time)
            case o.Pulses():
                pulse = pulses[played(inner)]
                if pulse.start:
                    program.wait(MARGIN + pulse.end - pulse.start)
                else:
                    program.fire(trigger, pulse.end, pulse.length)
            case o.Wait():
                program.wait(inner.duration.at(variables))
            case o.ReadResistance():
                readings[inner.name] = program.read(_levels(inner, variables))
            case o.Confirm():
                # a hair narrower than what the host asks for: where rounding decides, it is asked
                within = inner.within.at(variables) * (1 - 1e-9)
                program.confirm(readings[inner.reading], reference(inner), within)
            case _:
                continue
        steps.append(None if isinstance(inner, o.Confirm) else inner)
    return steps


def _between(times: list[float], done: list[o.Op | None]) -> list[float]:
    """Times that part the voltages of one step from those of the next, with as much room as there is.

    From a step that acts on the device to one that does not the bound lies in the middle of the latter.
    """
    acts = [isinstance(op, o.Pulses | o.ReadResistance) for op in done]
    bounds = list(times)
    for k in range(1, len(done)):
        if acts[k] and not acts[k - 1]:
            bounds[k] = (times[k - 1] + times[k]) / 2
        elif acts[k - 1] and not acts[k]:
            bounds[k] = (times[k] + times[k + 1]) / 2
    return bounds


def _levels(op: o.ReadResistance, variables: Variables) -> Any:
    return staircase(op.side, op.direction, op.points, op.window.at(variables))


def _line(name: str) -> int:
    """Number of a digital line such as 'smu.digio.2'."""
    return int(name.rpartition(".")[2])


def _corners(plan: Layout) -> tuple[list[float], list[float]]:
    """Corner points (s, V) of the waveform."""
    times, volts = [0.0], [plan.base]
    for slot in plan.slots:
        times += [slot.start, slot.start + plan.edge, slot.start + slot.width, slot.end(plan.edge)]
        volts += [plan.base, slot.level, slot.level, plan.base]
    return times, volts


def _of_one(programmed: Any, level: float, width: float, plan: Layout) -> Any:
    """What is programmed for one pulse of a waveform: its own levels, as far as they were sent and read back."""
    reported = {programmed.set_high: programmed.reported_high, programmed.set_low: programmed.reported_low}
    own = reported.get(level, level)
    low, high = sorted((level, plan.base))
    base = programmed.base
    return replace(
        programmed,
        set_high=high,
        set_low=low,
        reported_high=own if level == high else base,
        reported_low=own if level == low else base,
        width=width,
        edge=plan.edge,
    )
