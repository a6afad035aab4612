"""The walk over a plan: loops are walked until a pass leaves the instruments as it found them, then multiplied."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from labctl.bench.description import BenchDescription
from labctl.plan import operations as o
from labctl.plan.cost.programs import program
from labctl.plan.cost.steps import STEPS, matters, tells_apart
from labctl.plan.cost.tally import ONCE, Tally, Times, often
from labctl.plan.cost.times import times_of
from labctl.plan.halving import Halving
from labctl.plan.sources import Sources

#: passes of a body that are walked at most, over all loops around it; longer loops are walked in groups of values
MOST_PASSES = 100


class Walk:
    """One walk, with the device at one resistance (ohm; 0: it draws all that it may, inf: nothing).

    Attributes:
        variables: SI values of the loops around the present operation.
        plugged: terminal -> source that an operator has laid on it.
    """

    def __init__(self, bench: BenchDescription, sources: Sources, resistance: float) -> None:
        self.resistance = resistance
        self.variables: dict[str, float] = {}
        self.plugged: dict[str, str] = {}
        self._expected = bench.device.resistance
        self._sources = sources
        self._times = times_of(bench, sources)
        self._passes = 1
        self._known_names: dict[tuple[int, object], frozenset[str]] = {}

    def times(self, source: str) -> Any:
        """Times of the instrument of a source such as 'afg.1'."""
        return self._times[source.partition(".")[0]]

    def able(self, source: str, ability: str) -> Any:
        """What the driver says of an ability of a source."""
        return self._sources.named(source).capabilities[ability]

    def least_range(self, volts: float) -> float | None:
        """Lowest range (A) of a resistance reading up to ``volts``: what the largest resistance expected asks for."""
        return None if self._expected is None else volts / self._expected[1]

    def block(self, ops: Sequence[o.Op]) -> Tally:
        """One pass through ``ops``."""
        tally = Tally()
        for op in ops:
            step = STEPS.get(type(op))
            if step is not None:
                step(self, op, tally)
            else:
                LOOPS[type(op)](self, op, tally)
        return tally

    def repeated(self, ops: Sequence[o.Op], times: Times, tally: Tally) -> None:
        """So many passes through ``ops``: the first, which may find other settings, and all others alike."""
        least, expected, most = times
        if most <= 0:
            return
        before = self._state
        first = self.block(ops)
        tally.merge(first, (min(1.0, least), min(1.0, expected), min(1.0, most)))
        if most > 1:
            again = first if self._state == before else self.block(ops)
            tally.merge(again, (max(0.0, least - 1), max(0.0, expected - 1), most - 1))

    def over(self, name: str, values: Sequence[float], ops: Sequence[o.Op], each: float, tally: Tally) -> None:
        """``each`` passes for every value of a variable."""
        around = self._passes
        if name in self._names(ops, matters):
            groups = list(grouped(values, max(1, MOST_PASSES // around)))
        elif name in self._names(ops, tells_apart) and len(values) > 1:
            groups = [(values[0], 1), (values[1], len(values) - 1)]  # the first waveform, and all others alike
        else:
            self.variables[name] = values[0]
            self.repeated(ops, often(each * len(values)), tally)
            return
        self._passes = around * len(groups)
        for value, count in groups:
            self.variables[name] = value
            one = Tally()
            self.repeated(ops, often(each), one)
            tally.merge(one, often(count))
        self._passes = around

    def _names(self, ops: Sequence[o.Op], values: Callable[[o.Op], list[o.Value | None]]) -> frozenset[str]:
        """Variables among the ``values`` of ``ops``, bodies included."""
        key = id(ops), values
        if key not in self._known_names:
            own = frozenset(v.name for op in ops for v in values(op) if v is not None and v.name)
            self._known_names[key] = own.union(*(self._names(o.bodies(op), values) for op in ops))
        return self._known_names[key]

    @property
    def _state(self) -> Hashable:
        return tuple(times.state for times in self._times.values()), frozenset(self.plugged.items())


def grouped(values: Sequence[float], most: int) -> Iterator[tuple[float, int]]:
    """Values with how often they occur: all of them, or ``most`` groups of neighbours by their means."""
    if len(values) <= most:
        yield from ((value, 1) for value in values)
        return
    for k in range(most):
        group = values[k * len(values) // most : (k + 1) * len(values) // most]
        yield sum(group) / len(group), len(group)


# --- operations with a body ---------------------------------------------------------------------------------------


def repeat(walk: Walk, op: o.Repeat, tally: Tally) -> None:
    walk.repeated(op.body, often(round(op.count.at(walk.variables))), tally)


def for_each(walk: Walk, op: o.ForEach, tally: Tally) -> None:
    values = op.axis.values[::-1] if op.order == "reversed" else op.axis.values
    walk.over(op.axis.name, values, op.body, op.passes / len(values), tally)
    del walk.variables[op.axis.name]


def until(walk: Walk, op: o.Until, tally: Tally) -> None:
    """Once at least, as often as it may at most.

    Expected: the chance that a pass is the last one is not known, and every chance is as likely (the mean number of
    passes is 1 + 1/2 + ... + 1/at_most). A search halves what remains until that is narrow enough, and each number of
    halvings is as likely.
    """
    most = op.at_most
    if op.search is None:
        walk.repeated(op.body, (1, sum(1 / turn for turn in range(1, most + 1)), most), tally)
        return
    ways = [_way(walk, op, op.search, distance) for distance in (1.0, -1.0)]
    longest = max(ways, key=lambda way: sum(one.duration[2] for one in way))
    for way in ways:
        for turn, one in enumerate(way):
            first = float(way is ways[0] and turn == 0)  # of all searches the same
            tally.merge(one, (first, (most - turn) / most / len(ways), float(way is longest)))


def _way(walk: Walk, op: o.Until, search: o.Search, distance: float) -> list[Tally]:
    """Every pass of a search that always finds itself on the same side of its target."""
    halving = Halving(search)
    found = []
    for _ in range(op.at_most):
        walk.variables[search.name] = halving.value
        found.append(walk.block(op.body))
        halving.move(distance)
    del walk.variables[search.name]
    return found


def allowed(walk: Walk, op: o.Allowed, tally: Tally) -> None:
    tally.merge(walk.block(op.body))


def enter(walk: Walk, op: o.EnterState, tally: Tally) -> None:
    tally.merge(walk.block(op.prepare))
    tally.row("state")


def confirm(walk: Walk, op: o.Confirm, tally: Tally) -> None:
    """No retry is expected."""
    tally.row("confirm")
    retries = Tally()
    walk.repeated(op.again, ONCE, retries)
    retries.row("confirm")
    tally.merge(retries, (0.0, 0.0, op.retry))


LOOPS: dict[type[o.Op], Callable[[Walk, Any, Tally], None]] = {
    o.Repeat: repeat,
    o.Program: program,
    o.ForEach: for_each,
    o.Until: until,
    o.Allowed: allowed,
    o.EnterState: enter,
    o.Confirm: confirm,
}
