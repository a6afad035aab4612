"""The plan as data: what will be done, on which source, in which order; loops kept as loops.

A plan is built from a protocol and a bench (``lowering``), bounded (``proof``) and costed (``cost``) without any
hardware. It prints, compares, serialises and has a hash; the executor runs what is in it and nothing else.
Voltages are volts at the DUT terminal against common, times seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any

#: loop variable -> smallest and largest SI value
Ranges = dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Value:
    """A number, or a loop variable times a scale (a field becomes a voltage through the channel length)."""

    constant: float = 0.0
    name: str = ""
    scale: float = 1.0

    def at(self, variables: dict[str, float]) -> float:
        """The number, given the loop variables' SI values."""
        return variables[self.name] * self.scale if self.name else self.constant

    def bounds(self, ranges: Ranges) -> tuple[float, float]:
        """Smallest and largest number over the loops' values."""
        if not self.name:
            return self.constant, self.constant
        a, b = (end * self.scale for end in ranges[self.name])
        return min(a, b), max(a, b)


@dataclass(frozen=True, slots=True)
class Op:
    """Base of all operations; ``node`` is the index of the protocol's step in ``Plan.nodes``."""

    node: int


@dataclass(frozen=True, slots=True)
class Connect(Op):
    """Put one source on a terminal; the others of that terminal are quieted first (rule 3)."""

    terminal: str
    source: str
    isolation: str
    quiet: tuple[str, ...] = ()
    line: str = ""
    level: int = 0
    time: float = 0.0
    position: str = ""
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Release(Op):
    """Take every source off a terminal: nothing of this bench drives it any more."""

    terminal: str
    quiet: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arm(Op):
    """Hardware limits of a pulse source, set before any output goes on (rule 2): volts at a high-impedance load."""

    source: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Hold(Op):
    """A source kept at a level while others act, such as the ammeter of a series loop at 0 V (wiring T2)."""

    source: str
    level: Value
    compliance: float


@dataclass(frozen=True, slots=True)
class Part:
    """One pulse of a train's cycle: height, and width at half height (foot to foot of a triangle or ramp)."""

    level: Value
    width: Value


@dataclass(frozen=True, slots=True)
class Pulses(Op):
    """``count`` cycles of one or more pulses from ``base``; a single pulse has count 1.

    ``edge`` None is the instrument's own, nanoseconds. ``gap`` is the pause after each pulse, foot to foot;
    ``period`` (s) replaces the gap after the last one.
    """

    source: str
    terminal: str
    parts: tuple[Part, ...]
    base: Value
    edge: float | None
    gap: Value
    period: Value | None
    count: Value
    shape: str = "rectangular"
    role: str = ""
    name: str = ""

    def cycle_time(self, variables: dict[str, float]) -> float:
        """Seconds from cycle to cycle, given the loop variables."""
        if self.period is not None:
            return self.period.at(variables)
        edges = self.edge or 0.0 if self.shape == "rectangular" else 0.0
        return sum(part.width.at(variables) + edges + self.gap.at(variables) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Meter:
    """Settings of a measurement: compliance and range in A (None: autorange), delay in s (None: the instrument's)."""

    compliance: float
    range: float | None
    nplc: float
    delay: float | None


@dataclass(frozen=True, slots=True)
class ReadResistance(Op):
    """Small I-V inside +-window by the SMU; straight-line fit on measured voltage (H1)."""

    source: str
    terminal: str
    name: str
    window: Value
    points: int
    side: str
    direction: str
    meter: Meter

    @property
    def length(self) -> int:
        """Points of the I-V as executed."""
        return 2 * self.points - 1 if self.direction == "both" else self.points


@dataclass(frozen=True, slots=True)
class ReadCurrent(Op):
    """Mean of ``samples`` currents at a fixed level."""

    source: str
    terminal: str
    name: str
    level: Value
    samples: int
    meter: Meter


@dataclass(frozen=True, slots=True)
class Sweep(Op):
    """I-V sweep of one source, in the order of ``levels`` (V); ``dwell`` s at each level before it is measured."""

    source: str
    terminal: str
    name: str
    levels: tuple[Value, ...]
    dwell: float
    meter: Meter


@dataclass(frozen=True, slots=True)
class Wait(Op):
    duration: Value


@dataclass(frozen=True, slots=True)
class Note(Op):
    text: str


@dataclass(frozen=True, slots=True)
class Repeat(Op):
    name: str
    count: Value
    body: tuple[Op, ...]


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
    """What the latest value of a reading, or its ratio to the latest of ``against``, must fulfil."""

    reading: str
    against: tuple[str, ...] = ()
    above: Value | None = None
    below: Value | None = None
    near: Value | None = None
    within: Value | None = None


@dataclass(frozen=True, slots=True)
class Until(Op):
    """A block repeated until ``condition`` holds, at most ``at_most`` times."""

    name: str
    condition: Condition
    at_most: int
    otherwise: str
    body: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class Allowed(Op):
    """A block under a named exception from a limit, with the reason; its rows carry the flag."""

    exception: str
    because: str
    body: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class EnterState(Op):
    """From here on rows carry this state, if the latest reading proves it; '$variable' in the name is filled in."""

    name: str
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


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit that a quantity was held against, and whose it is."""

    quantity: str
    whose: str
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Violation:
    """A limit that the plan would break."""

    node: int
    text: str
    where: str
    limit: Limit
    value: float

    @property
    def excess(self) -> float:
        return abs(self.value) - self.limit.value


@dataclass(frozen=True, slots=True)
class Node:
    """A step of the protocol as rows refer to it."""

    text: str
    where: str


@dataclass(frozen=True, slots=True)
class Cost:
    """Predicted duration (s), pulses on the device, rows per table."""

    duration: float
    pulses: float
    rows: dict[str, float]


@dataclass(frozen=True, slots=True)
class Extent:
    """Envelope of one terminal: smallest and largest voltage, largest current the sources can give."""

    low: float
    high: float
    current: float


@dataclass(frozen=True)
class Plan:
    """A protocol lowered onto a bench; see the module's docstring."""

    title: str
    protocol: str
    bench: str
    seed: int
    nodes: tuple[Node, ...]
    ops: tuple[Op, ...]
    envelope: dict[str, Extent]
    cost: Cost
    violations: tuple[Violation, ...] = ()
    warnings: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    decisions: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Plain data, each operation tagged with its class name; the form that is hashed and stored."""
        plain = to_plain(self)
        assert isinstance(plain, dict)
        return plain

    @cached_property
    def hash(self) -> str:
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def to_plain(value: Any) -> Any:
    """Dataclasses to tagged dictionaries, tuples to lists; everything JSON can say."""
    if is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
        return {"op": type(value).__name__, **plain} if isinstance(value, Op) else plain
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def bodies(op: Op) -> tuple[Op, ...]:
    """The operations inside an operation."""
    if isinstance(op, Repeat | ForEach | Until | Allowed):
        return op.body
    return op.again if isinstance(op, Confirm) else ()


def walk(ops: tuple[Op, ...]) -> Iterator[Op]:
    """Every operation once, loop bodies and retries included."""
    for op in ops:
        yield op
        yield from walk(bodies(op))
