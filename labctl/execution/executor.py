"""Execute a plan: every operation of it in order, and nothing that is not in it.

The executor walks the plan's tree, keeps the loop variables and the latest readings, and yields an event for every
executed reading or step, and an intent before each that acts on the device. It owns no file and no screen. Waiting
goes through the bench's clock.

A run that is resumed is walked in the same way: as long as its past has rows, they stand for what was done then and
no instrument is asked; then the connections are made again and the walk goes on with the instruments.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from math import isfinite
from typing import Any

from labctl.bench.opening import OpenBench
from labctl.execution import judging
from labctl.execution.acting import Aborted, Acting, Found, rows_of
from labctl.execution.events import Event, Intent, StopRun
from labctl.execution.memory import Memory
from labctl.execution.orders import order
from labctl.execution.past import AGAIN, Again, NoPast, Past, SimulatedPast
from labctl.execution.place import Place
from labctl.execution.programs import Block, Programs, rows_of_trial
from labctl.execution.shapes import columns, outside
from labctl.execution.switching import AskOperator, Switching
from labctl.plan import operations as o
from labctl.plan.halving import Halving
from labctl.plan.plan import Plan
from labctl.plan.text import words
from labctl.protocol.values import Quantity, fill_in
from labctl.store import loop_column
from labctl.store.flags import Flags

Steps = Iterator[Event | Intent]


class Executor:
    """One execution of one plan on one opened bench."""

    def __init__(self, plan: Plan, bench: OpenBench, ask_operator: AskOperator, past: Past | None = None) -> None:
        self._plan = plan
        self._clock = bench.clock
        self._past = NoPast() if past is None else past
        self._start = float(self._clock.now) - self._past.time
        self._acting = Acting(bench, self._start)
        self._ask = ask_operator
        self._switching = Switching(bench, self._ask_if_new)
        self._programs = Programs(bench, self._acting, self._switching)
        self._block: Block | None = None  # inside a loop that instruments run: what they did of it already
        self._count = 0  # events so far, those of the past included
        self._here = Place()
        for op in o.walk(plan.ops):
            self._here.loops |= outside(op)
        self._units = o.variable_units(plan.ops)
        self._state = ""
        self._entered: tuple[o.EnterState, Place] | None = None  # the latest state, and where its preparation began
        self._preparing = False
        self._depth = 0  # loops around, the whole counting as one
        self._skipping = False
        self._memory = Memory()
        self._passes: dict[int, int] = {}
        self._said_of: dict[int, str] = {}  # words of operations, by id
        self._flags = 0  # added to every row: retry, resumed
        self._actions: dict[type[o.Op], Callable[[Any], Steps]] = {
            o.Arm: self._arm,
            o.Connect: self._connect,
            o.Release: self._connect,
            o.Hold: self._hold,
            o.Pulses: self._act,
            o.ReadResistance: self._act,
            o.Sweep: self._act,
            o.Record: self._act,
            o.Bias: self._act,
            o.ReadCurrent: self._act,
            o.Wait: self._wait,
            o.Note: self._note,
            o.Until: self._until,
            o.Allowed: lambda op: self._one_by_one(op.body),
            o.Repeat: self._repeat,
            o.Program: self._program,
            o.ForEach: self._for_each,
            o.EnterState: self._enter,
            o.Judge: self._judge,
            o.Confirm: self._confirm,
        }

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the run, by the bench's clock."""
        return float(self._clock.now) - self._start

    def steps(self) -> Steps:
        """Execute the whole plan: events in order, each acting one announced by an intent.

        Raises:
            StopRun: the protocol asks to stop; errors of the instruments pass through.
        """
        if isinstance(self._past, NoPast):  # as below, without a look at it for every step
            for step in self._one_by_one(self._plan.ops):
                self._count += isinstance(step, Event)
                yield step
            return
        yield from self._caught_up()
        for step in self._one_by_one(self._plan.ops):
            if isinstance(step, Intent):
                if not self._past.catching_up:
                    yield step
                continue
            number, self._count = self._count, self._count + 1
            if number < len(self._past):
                self._past.compare(number, step)
                yield from self._caught_up()
            else:
                yield step

    @property
    def recording(self) -> bool:
        """Whether what passes on the wires is new, and not a simulated run that is simulated again up to its end."""
        return not self._past.catching_up

    def _do(self, ops: tuple[o.Op, ...]) -> Steps:
        for op in ops:
            yield from self._actions[type(op)](op)

    def _event(self, found: Found) -> Event:
        done = self._block.time if self._block is not None else None  # by a program, or else by now
        row = {
            "time": (float(self._clock.now) if done is None else done) - self._start,
            "step": found.node,
            "state": self._state,
            **self._here.loops,
            **found.measured,
            "flags": found.flags | self._flags,
        }
        return Event(found.kind, row, found.trace)

    def _said(self, kind: str, op: o.Op, flags: int = 0, **measured: Any) -> Event:
        return self._event(Found(kind, op.node, flags, measured))

    def _ask_if_new(self, step: str, what: str) -> None:
        if self.recording:
            self._ask(step, what)

    # --- sources --------------------------------------------------------------

    def _arm(self, op: o.Arm) -> Steps:
        self._switching.arm(op)
        yield from ()

    def _connect(self, op: o.Connect | o.Release) -> Steps:
        if self._past.replaying and self._count >= self._past.end:
            yield from self._go_live(op)
        self._here.laid[op.terminal] = op
        if not self._past.replaying and self._done(op) is None:
            self._switching.lay(op)
        position = op.source if isinstance(op, o.Connect) else "open"
        operations = self._switching.count(op.terminal)
        yield self._said("route", op, terminal=op.terminal, position=position, operations=operations)

    def _hold(self, op: o.Hold) -> Steps:
        self._here.held[op.source] = op
        if not self._past.replaying:
            self._switching.hold(op, self._here.variables)
        yield from ()

    def _note(self, op: o.Note) -> Steps:
        yield self._said("note", op, text=self._filled(op.text))

    def _wait(self, op: o.Wait) -> Steps:
        if not (self._past.replaying or self._skipping) and self._done(op) is None:
            self._clock.sleep(op.duration.at(self._here.variables))
        yield from ()

    # --- what acts on the device ----------------------------------------------

    def _act(self, op: o.Op) -> Steps:
        rows = rows_of(op, self._here.variables)
        if not rows or self._skipping:
            return
        first = self._count
        while self._past.replaying and first + rows > self._past.end:
            yield from self._go_live(op)
            if self._skipping:
                return
            first = self._count
        if self._past.replaying:
            events = list(self._past.rows(first, rows))
            yield from events
        else:
            events = []
            found, aborted = self._done(op), None
            if found is None:
                yield Intent(op.node, self._words(op), rows)
                first = self._count
                try:
                    found = self._acting.carry_out(op, self._here.variables)
                except Aborted as ended:
                    found, aborted = ended.rows, ended
            for row in found:
                events.append(self._event(row))
                yield events[-1]
            if aborted is not None:
                raise StopRun(f"{self._where(op)}: {aborted}")
        self._memory.keep_rows(first, events)

    def _done(self, op: o.Op) -> list[Found] | None:
        """Rows of what a program has done already; None: it is to be done now."""
        return self._block.take(op) if self._block is not None else None

    def _words(self, op: o.Op) -> str:
        """What the operation is, worked out once: the plan keeps it, so that its id stays its own."""
        if id(op) not in self._said_of:
            self._said_of[id(op)] = words(op)
        return self._said_of[id(op)]

    # --- a past that ends -----------------------------------------------------

    def _caught_up(self) -> Steps:
        """Say so when all that was stored has been done again on the simulated bench."""
        if isinstance(self._past, SimulatedPast) and self._past.catching_up:
            self._count = self._past.after_notes(self._count)
            if self._count == len(self._past):
                self._past.catching_up = False
                row = {"text": f"resumed at event {self._count}, {AGAIN}: {self._past.why}"}
                self._count += 1
                yield self._event(Found("note", 0, int(Flags.RESUMED), row))

    def _go_live(self, op: o.Op) -> Steps:
        """The stored events end before ``op``: connect again what was connected, then settle what is in doubt.

        Raises:
            Again: the pass is to begin again.
        """
        self._count = self._past.end
        choice, why = self._past.settle()
        self._flags |= Flags.RESUMED
        yield self._said("note", op, text=f"resumed at event {self._count}, {choice}: {why}")
        yield from self._return_to(self._here)
        if choice == "reprepare":
            raise Again
        self._skipping = choice == "skip"

    def _return_to(self, place: Place) -> Steps:
        """Loop variables and connections as they were."""
        self._here = place.copy()
        for laid in place.laid.values():
            yield from self._connect(laid)
        for held in place.held.values():
            yield from self._hold(held)

    def _prepare_again(self) -> Steps:
        """The latest state.

        Raises:
            StopRun: there was none, so that what is in doubt would only be repeated.
        """
        if self._entered is None:
            raise StopRun("no state was prepared before: nothing can be prepared again; --on-resume skip leaves it out")
        state, begin = self._entered
        yield from self._return_to(begin)
        yield from self._enter(state)

    # --- loops ----------------------------------------------------------------

    def _one_by_one(self, ops: tuple[o.Op, ...]) -> Steps:
        """Operations that no loop repeats, each a pass by itself."""
        for op in ops:
            yield from self._pass((op,)) if self._depth <= 1 else self._actions[type(op)](op)

    def _pass(self, body: tuple[o.Op, ...]) -> Generator[Event | Intent, None, bool]:
        """One pass of a loop; whether the rest of it was left out.

        Where the past ends in doubt inside the pass, it begins again, or its rest is left out.
        """
        if not self._past.replaying:
            yield from self._do(body)
            return self._skipping
        begin = self._here.copy()
        self._depth += 1
        try:
            yield from self._do(body)
        except Again:
            if self._preparing:
                raise
            yield from self._prepare_again()
            yield from self._return_to(begin)
            yield from self._do(body)
        finally:
            self._depth -= 1
        left_out, self._skipping = self._skipping, False
        self._flags &= ~Flags.RESUMED
        return left_out

    def _repeat(self, op: o.Repeat) -> Steps:
        for trial in range(round(op.count.at(self._here.variables))):
            self._here.loops |= columns(op, 0, trial)
            yield from self._pass(op.body)
            if self._skipping:
                break
        self._here.loops |= outside(op)

    def _program(self, op: o.Program) -> Steps:
        """A loop inside an instrument: block by block, each walked through when it is back.

        Where a past is walked through, and for the rest of a trial that a program did not finish (a reset that is to
        be repeated), it is a loop like others.
        """
        loop = op.loop
        trials = round(loop.count.at(self._here.variables))
        self._block = Block()
        for trial in range(trials):
            self._here.loops |= columns(loop, 0, trial)
            if not (self._past.replaying or self._block) and self._comparable(loop.body):
                block = self._programs.size(op, self._here.variables, trials - trial)
                yield Intent(op.node, f"{block} times: {words(loop)}", block * rows_of_trial(op))
                self._block = self._programs.run(op, self._here, self._reference, block)
            left_out = yield from self._pass(loop.body)
            if left_out:  # the trials after it may have run inside the instrument too
                break
        self._block = None
        self._here.loops |= outside(loop)

    def _comparable(self, body: tuple[o.Op, ...]) -> bool:
        """Whether every confirmation has a number to compare with: a reading without a value is the host's to judge."""
        return all(isfinite(self._reference(op)) for op in body if isinstance(op, o.Confirm))

    def _reference(self, op: o.Confirm) -> float:
        """The value that a confirmation compares with."""
        return self._memory.latest(op.against, self._where(op)).value

    def _for_each(self, op: o.ForEach) -> Steps:
        axis = op.axis
        passed = self._passes.get(op.node, 0)
        for index, trial in order(op, self._plan.seed, passed):
            self._here.variables[axis.name] = axis.values[index]
            self._here.loops |= columns(op, index, trial)
            yield from self._pass(op.body)
            if self._skipping:
                break
        self._passes[op.node] = passed + 1
        del self._here.variables[axis.name]
        self._here.loops |= outside(op)

    def _until(self, op: o.Until) -> Steps:
        search = Halving(op.search) if op.search else None
        for turn in range(op.at_most):
            self._here.loops |= columns(op, 0, turn)
            if search:
                self._here.variables[search.name] = search.value
                self._here.loops[loop_column(search.name)] = search.value
            left_out = yield from self._pass(op.body)
            if self._skipping:
                break
            if left_out:
                continue
            if self._memory.holds(op.condition, self._here.variables, self._where(op)):
                break
            if search:
                near = op.condition.near.at(self._here.variables) if op.condition.near else 0.0
                search.move(self._memory.figure(op.condition, self._where(op)) - near)
        else:
            self._fall_short(op, op.otherwise, f"the condition does not hold after {op.at_most} rounds")
        self._here.loops |= outside(op)

    # --- judgements -----------------------------------------------------------

    def _enter(self, op: o.EnterState) -> Steps:
        if self._skipping:
            return
        yield from self._prepare(op)
        self._state = self._filled(op.name)
        found = judging.state(op, self._state, self._memory, self._here.variables, self._where(op))
        yield self._judged(found)
        if not found.measured["passed"]:
            value, low, high = (found.measured[name] for name in ("value", "low", "high"))
            why = f"the device is not in state {self._state!r}: certificate {value:.4g}, wanted {low:g} .. {high:g}"
            self._fall_short(op, op.otherwise, why)

    def _prepare(self, op: o.EnterState) -> Steps:
        """The preparation of a state; where the past ends in doubt inside it, it begins again."""
        if not self._past.replaying:
            yield from self._do(op.prepare)
            return
        begin, outer, self._preparing = self._here.copy(), self._preparing, True
        self._entered = op, begin
        try:
            yield from self._one_by_one(op.prepare)
        except Again:
            if outer:
                raise
            yield from self._return_to(begin)
            yield from self._do(op.prepare)
        finally:
            self._preparing = outer

    def _judge(self, op: o.Judge) -> Steps:
        if self._skipping:
            return
        yield self._judged(judging.spike(op, self._memory, self._here.variables, self._where(op)))

    def _confirm(self, op: o.Confirm) -> Steps:
        if self._skipping:
            return
        where = self._where(op)
        reference = self._memory.latest(op.against, where, before=self._memory.latest((op.reading,), where).event)
        for attempt in range(op.retry + 1):
            if attempt:
                yield from self._retry(op)
                if self._skipping:
                    return
            found = judging.reset(op, reference.value, attempt, self._memory, self._here.variables, where)
            yield self._event(found)
            if found.measured["ok"]:
                return
        self._fall_short(
            op,
            op.otherwise,
            f"the reset does not work: {op.reading} is {found.measured['ratio']:.3g} of {' or '.join(op.against)}, "
            f"not within {op.within.at(self._here.variables):.0%}",
        )

    def _judged(self, found: Found) -> Event:
        """A row made of readings: their flags, without those that every row of now has."""
        return self._event(found._replace(flags=found.flags & ~self._flags))

    def _retry(self, op: o.Confirm) -> Steps:
        self._flags |= Flags.RETRY
        try:
            yield from self._do(op.again)
        finally:
            self._flags &= ~Flags.RETRY

    def _fall_short(self, op: o.Op, otherwise: str, why: str) -> None:
        """What the protocol says when a condition fails: stop; or go on (the row is flagged)."""
        if otherwise == "stop":
            raise StopRun(f"{self._where(op)}: {why}")

    def _filled(self, text: str) -> str:
        """'$variable' in a text replaced by its value with unit."""
        known = self._here.variables.items()
        return fill_in(text, {name: Quantity(value, self._units[name]) for name, value in known})

    def _where(self, op: o.Op) -> str:
        return self._plan.nodes[op.node].where
