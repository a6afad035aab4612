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


@dataclass(frozen=True, slots=True)
class Value:
    """A number, or a loop variable times a scale (a field becomes a voltage through the channel length)."""

    constant: float = 0.0
    name: str = ""
    scale: float = 1.0

    def at(self, variables: dict[str, float]) -> float:
        """The number, given the loop variables' SI values."""
        return variables[self.name] * self.scale if self.name else self.constant

    def bounds(self, ranges: dict[str, tuple[float, float]]) -> tuple[float, float]:
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
class Arm(Op):
    """Hardware limits of a pulse source, set before any output goes on (rule 2): volts at a high-impedance load."""

    source: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Part:
    """One pulse of a train's period: height and width at half height."""

    level: Value
    width: Value


@dataclass(frozen=True, slots=True)
class Pulses(Op):
    """``count`` periods of one or more pulses from ``base``; a single pulse has count 1."""

    source: str
    terminal: str
    parts: tuple[Part, ...]
    base: Value
    edge: float
    gap: float
    period: float
    count: Value
    shape: str = "rectangular"
    role: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ReadResistance(Op):
    """Small I-V sweep inside +-window by the SMU; straight-line fit on measured voltage (H1)."""

    source: str
    terminal: str
    name: str
    window: Value
    points: int
    nplc: float
    compliance: float
    range: float | None
    delay: float
    direction: str = "up"


@dataclass(frozen=True, slots=True)
class Sweep(Op):
    """I-V sweep of one source, in the order of ``levels`` (volts)."""

    source: str
    terminal: str
    name: str
    levels: tuple[float, ...]
    nplc: float
    compliance: float
    range: float | None
    delay: float


@dataclass(frozen=True, slots=True)
class Wait(Op):
    duration: Value


@dataclass(frozen=True, slots=True)
class Repeat(Op):
    name: str
    count: int
    body: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """A loop variable: its SI values in the order of the protocol, and their unit."""

    name: str
    unit: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ForEach(Op):
    """Loop over the values of its axes, which advance together.

    ``order``: sequential, reversed, shuffled (blocks in random order), interleaved (the trials of ``inner`` and the
    values mixed at random). Random orders come from the run's seed and are stored with every row.
    """

    axes: tuple[Axis, ...]
    order: str
    body: tuple[Op, ...]
    inner: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class EnterState(Op):
    """From here on rows carry this state; ``verify`` is the reading that proves it (resistance between bounds)."""

    name: str
    verify: ReadResistance | None = None
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class Judge(Op):
    """Spike or no spike: ``reading`` against the latest earlier reading of ``against``."""

    name: str
    reading: str
    against: tuple[str, ...]
    below: float


@dataclass(frozen=True, slots=True)
class Confirm(Op):
    """After a reset the resistance must be back within a fraction of the reference; ``again`` is the retry."""

    reading: str
    against: str
    within: float
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


def walk(ops: tuple[Op, ...]) -> Iterator[Op]:
    """Every operation once, loop bodies and retries included."""
    for op in ops:
        yield op
        if isinstance(op, Repeat | ForEach):
            yield from walk(op.body)
        elif isinstance(op, Confirm):
            yield from walk(op.again)


