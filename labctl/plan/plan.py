"""The plan as data: operations, envelope, cost, and what it would break.

A plan is built from a protocol and a bench (``build``), bounded (``proof``) and costed (``cost``) without any hardware.
It prints, compares, serialises and has a hash; the executor runs what is in it and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any, Literal

from labctl.bench.facts import fingerprint
from labctl.plan.dose import Dose
from labctl.plan.operations import Op

#: who times loops: 'auto' the instruments where they can, 'host' always the host
Timing = Literal["auto", "host"]


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
    """Predicted duration (s), pulses on the device, rows per table.

    A run that goes to its end lies between ``shortest`` and ``longest``, its rows between ``fewest`` and ``most``; its
    pulses are ``most_pulses`` at most. They differ where a step adapts (until, retry), and where autorange depends on
    the device. ``kinds`` says where the time goes, s by kind of operation. What an operator takes is not in it.
    """

    duration: float
    pulses: float
    rows: dict[str, float]
    shortest: float
    longest: float
    fewest: dict[str, float]
    most: dict[str, float]
    most_pulses: float
    kinds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Extent:
    """Envelope of one terminal: smallest and largest voltage, largest current the sources can give."""

    low: float
    high: float
    current: float


@dataclass(frozen=True, slots=True)
class Rounding:
    """What a source makes of a value that it is asked for, the worst one of a loop; ``error`` as a fraction."""

    node: int
    source: str
    quantity: str
    unit: str
    asked: float
    delivered: float
    error: float


@dataclass(frozen=True, slots=True)
class HostTimed:
    """A wait that the host times: asked (s), and by how much it may be longer on a real bench (s)."""

    node: int
    shortest: float
    longest: float
    jitter_least: float
    jitter_most: float


@dataclass(frozen=True)
class Plan:
    """A protocol lowered onto a bench; see the module's docstring.

    ``proved_on``: what the proof depends on in the bench file (``labctl.bench.facts``); it holds for no other bench.
    ``tolerance``: largest ``error`` in ``quantisation`` that the protocol accepts.
    ``timing``: what was asked for, 'auto' or 'host'; ``decisions`` say what came of it, loop by loop.
    """

    title: str
    protocol: str
    bench: str
    proved_on: dict[str, Any]
    seed: int
    nodes: tuple[Node, ...]
    ops: tuple[Op, ...]
    envelope: dict[str, Extent]
    cost: Cost
    dose: Dose = field(default_factory=Dose)
    violations: tuple[Violation, ...] = ()
    warnings: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    decisions: tuple[str, ...] = field(default=())
    tolerance: float = 0.01
    quantisation: tuple[Rounding, ...] = ()
    host_timed: tuple[HostTimed, ...] = ()
    timing: Timing = "host"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, each operation tagged with its class name; the form that is hashed and stored."""
        plain = to_plain(self)
        assert isinstance(plain, dict)
        return plain

    @cached_property
    def text(self) -> str:
        """``to_dict`` as JSON in one spelling only: what is hashed and stored."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @property
    def fingerprint(self) -> str:
        """Of the bench that the plan was proved on, hexadecimal."""
        return fingerprint(self.proved_on)

    @property
    def hash(self) -> str:
        """SHA-256 of the text, hexadecimal; a run file's ``plan_hash`` is the same."""
        return hashlib.sha256(self.text.encode()).hexdigest()


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
