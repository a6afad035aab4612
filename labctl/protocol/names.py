"""Names in a protocol: what is bound to a name, what rows and loops a name may mean, what is reserved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from labctl.protocol import units
from labctl.protocol.errors import ProtocolError, Where, nearest
from labctl.protocol.sources import Source
from labctl.protocol.values import Quantity, Ref

#: what ``$name`` may stand for
Bound = Quantity | Ref | str | tuple[Quantity, ...] | tuple[str, ...]

#: columns of the event tables: no loop variable or counter may have such a name
RESERVED = frozenset([
    "event", "time", "step", "state", "name", "flags", "trace", "terminal", "role", "level", "width", "base", "count",
    "period", "set_high", "set_low", "reported_high", "reported_low", "true_extreme", "value", "stderr", "offset",
    "residual", "points", "v_max", "range", "std", "samples", "voltage", "true_voltage", "measured", "ratio",
    "resistance", "reference", "criterion", "ok", "passed", "low", "high", "position", "operations", "start", "stop",
    "max_current", "kind", "table", "index", "unit", "current", "sweep", "sample", "spike", "pulse", "confirm", "route",
    "bias", "attempt", "wire", "text", "interval", "window", "note",
])  # fmt: skip
MAX_STEPS = 20_000


@dataclass(slots=True)
class Registry:
    """What the steps of one protocol declare while they are read, in the order of the text."""

    rows: dict[str, str] = field(default_factory=dict)  #: 'as' of a reading or outcome -> its kind
    wanted: list[tuple[str, tuple[str, ...], Where]] = field(default_factory=list)
    loops: dict[str, str] = field(default_factory=dict)  #: loop variable -> dimension; counter -> 'count'
    states: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)  #: file -> text, for excerpts of errors
    sources: dict[str, Source] = field(default_factory=dict)  #: label -> every file that was read
    library: Mapping[str, Source] | None = None  #: where files come from, if not from the disk
    steps: int = 0

    def count_step(self, where: Where) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise ProtocolError(f"more than {MAX_STEPS} steps", where, "use loops, and fewer levels of 'use'")

    def declare_row(self, name: str, kind: str, where: Where) -> None:
        known = self.rows.setdefault(name, kind)
        if known != kind:
            raise ProtocolError(f"'{name}' is already the name of a {known}", where, "choose another 'as'")

    def want(self, name: str, kinds: tuple[str, ...], where: Where) -> None:
        """Note a use of a name that may be declared later in the text (in the same loop)."""
        self.wanted.append((name, kinds, where))

    def settle(self) -> None:
        """Check all names that were used. Raises ``ProtocolError`` at the first that means nothing."""
        for name, kinds, where in self.wanted:
            self.check_row(name, kinds, where)

    def check_row(self, name: str, kinds: tuple[str, ...], where: Where) -> None:
        known = self.rows.get(name)
        fitting = [row for row, kind in self.rows.items() if kind in kinds]
        if known is None:
            raise ProtocolError(f"nothing is called '{name}'", where, nearest(name, fitting))
        if known not in kinds:
            raise ProtocolError(f"'{name}' is a {known}, not a {' or '.join(kinds)}", where, nearest(name, fitting))

    def check_loop(self, name: str, where: Where) -> None:
        if name != "state" and name not in self.loops:
            raise ProtocolError(f"no loop is called '{name}'", where, nearest(name, [*self.loops, "state"]))


@dataclass(frozen=True)
class Scope:
    """What names mean at one place of the text."""

    file: str
    folder: str | None  #: where relative paths of 'use' start
    registry: Registry
    bindings: Mapping[str, Bound] = field(default_factory=dict)
    loops: tuple[str, ...] = ()  #: names of all loops around this place, the callers' included
    stack: tuple[str, ...] = ()  #: files that are being read
    path: tuple[str | int, ...] = ()

    def at(self, *keys: str | int) -> Scope:
        return dataclasses.replace(self, path=(*self.path, *keys))

    def lookup(self, name: str, where: Where) -> Bound:
        if name not in self.bindings:
            raise ProtocolError(f"nothing is called '${name}'", where, _nearest_reference(name, self.bindings))
        return self.bindings[name]

    def inside_loop(self, name: str, where: Where, variable: Ref | None = None) -> Scope:
        """The scope of a loop's block; refuses names that would hide another."""
        if name in RESERVED or name.endswith("_index"):
            raise ProtocolError(
                f"'{name}' is a column of the data and cannot name a loop", where, f"such as 'my_{name}'"
            )
        if name in self.loops:
            raise ProtocolError(f"'{name}' already names an enclosing loop", where, "choose another name")
        if variable is not None and name in self.bindings:
            raise ProtocolError(f"'{name}' already names a parameter", where, "choose another name")
        unit = "count" if variable is None else variable.unit or ""
        known = self.registry.loops.setdefault(name, unit)
        if known != unit:
            raise ProtocolError(
                f"'{name}' is {_said(unit)} here, but {_said(known)} in another loop",
                where,
                "give the values of both in one unit, or choose another name",
            )
        bindings = self.bindings if variable is None else {**self.bindings, name: variable}
        return dataclasses.replace(self, bindings=bindings, loops=(*self.loops, name))


def _said(unit: str) -> str:
    return "a counter" if unit == "count" else units.kind(unit)


def _nearest_reference(name: str, bindings: Mapping[str, Bound]) -> str:
    if not bindings:
        return "declare it under 'parameters'"
    return nearest(name, bindings).replace("'", "'$", 1) if bindings else ""
