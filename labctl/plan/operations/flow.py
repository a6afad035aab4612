"""Operations that hold others, loops among them, or judge readings; the walk over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from labctl.plan.operations.acts import Record
from labctl.plan.operations.base import Op, Ranges, Value


@dataclass(frozen=True, slots=True)
class Repeat(Op):
    name: str
    count: Value
    body: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class Program(Op):
    """A loop whose trials run inside an instrument, many at a time; it may be carried out trial by trial just as well.

    ``controller`` is the channel that reads in it, whose instrument runs it; ``trigger`` the digital line that starts
    the pulses ('' without pulses); ``rest`` the digital lines of relays, and their levels whenever the host takes over.
    """

    body: tuple[Repeat]
    controller: str
    trigger: str
    rest: tuple[tuple[str, int], ...]

    @property
    def loop(self) -> Repeat:
        return self.body[0]


@dataclass(frozen=True, slots=True)
class Axis:
    """A loop variable: its SI values in the order of the protocol, and their unit."""

    name: str
    unit: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ForEach(Op):
    """Loop over the values of an axis.

    ``order``: sequential, reversed, shuffled (blocks in random order), interleaved (the trials of ``inner`` and the
    values mixed at random). Random orders come from the run's seed and are stored with every row.
    """

    axis: Axis
    order: str
    body: tuple[Op, ...]
    inner: tuple[str, int] | None = None

    @property
    def passes(self) -> int:
        return len(self.axis.values) * (self.inner[1] if self.inner else 1)

    def ranges(self) -> Ranges:
        return {self.axis.name: (min(self.axis.values), max(self.axis.values))}


@dataclass(frozen=True, slots=True)
class Condition:
    """What the latest value of a reading, or its ratio to the latest of ``against``, must fulfil.

    ``quantity``: 'value', or a figure of a sweep ('dI0', 'peak_voltage', 'peak_current').
    """

    reading: str
    quantity: str = "value"
    against: tuple[str, ...] = ()
    above: Value | None = None
    below: Value | None = None
    near: Value | None = None
    within: Value | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """The variable that a bounded search moves by halving: its unit and ends (SI), on a linear or log scale."""

    name: str
    unit: str
    start: float
    stop: float
    spacing: str


@dataclass(frozen=True, slots=True)
class Until(Op):
    """A block repeated until ``condition`` holds, at most ``at_most`` times; a search moves its variable each time."""

    name: str
    condition: Condition
    at_most: int
    otherwise: str
    body: tuple[Op, ...]
    search: Search | None = None

    def ranges(self) -> Ranges:
        if self.search is None:
            return {}
        ends = self.search.start, self.search.stop
        return {self.search.name: (min(ends), max(ends))}


@dataclass(frozen=True, slots=True)
class Allowed(Op):
    """A block under a named exception from a limit, with the reason; its rows carry the flag."""

    exception: str
    because: str
    body: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class EnterState(Op):
    """Carry out ``prepare``; from then on rows carry this state, if the latest reading proves it.

    '$variable' in the name is filled in.
    """

    name: str
    prepare: tuple[Op, ...] = ()
    certificate: Condition | None = None
    otherwise: str = "stop"


@dataclass(frozen=True, slots=True)
class Judge(Op):
    """Spike or not: ``reading`` against the latest earlier reading of ``against``.

    ``kind`` 'ratio' compares their ratio with the threshold, 'resistance' the reading itself (ohm); ``rising`` counts
    values above it (a successful reset) instead of below.
    """

    name: str
    reading: str
    against: tuple[str, ...]
    threshold: Value
    kind: str
    rising: bool


@dataclass(frozen=True, slots=True)
class Confirm(Op):
    """After a reset the resistance must be back within a fraction of the reference; ``again`` is the retry."""

    reading: str
    against: tuple[str, ...]
    within: Value
    retry: int
    otherwise: str
    again: tuple[Op, ...]


def variable_units(ops: tuple[Op, ...]) -> dict[str, str]:
    """Loop and search variables of a plan, with their SI units."""
    axes = {op.axis.name: op.axis.unit for op in walk(ops) if isinstance(op, ForEach)}
    searches = {op.search.name: op.search.unit for op in walk(ops) if isinstance(op, Until) and op.search}
    return axes | searches


def bodies(op: Op) -> tuple[Op, ...]:
    """The operations inside an operation."""
    if isinstance(op, Repeat | Program | ForEach | Until | Allowed | Record):
        return op.body
    if isinstance(op, EnterState):
        return op.prepare
    return op.again if isinstance(op, Confirm) else ()


def walk(ops: tuple[Op, ...]) -> Iterator[Op]:
    """Every operation once, loop bodies and retries included."""
    for op in ops:
        yield op
        yield from walk(bodies(op))
