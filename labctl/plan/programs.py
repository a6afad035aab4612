"""Which loops run inside the instruments, and why the others do not.

A loop of trials - connect, pulse, wait, connect, read, judge, confirm - becomes one program of the meter's instrument
where that drives the relay and triggers the generator by its digital lines. Where the trial has several different
pulses, the generator plays them all at every trigger, far apart, and the relay lets the one through that is meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import ceil, floor
from typing import Any

from labctl.bench.description import BenchDescription
from labctl.plan import operations as o
from labctl.plan.plan import Node, Timing
from labctl.plan.sources import Sources

#: s between what must not overlap: pulses and moving relays; trigger latency and delays inside instruments are far less
MARGIN = 1e-3
#: s that a block lasts, about: what a run waits for when it is stopped, and loses if the power fails
BLOCK_TIME = 60.0
#: assumed for the length of a block; blocks of the same length whatever the instrument finds
_LINE_FREQUENCY = 50.0
#: conversions of a reading that autozero and changes of range add to its points, as a part of those, about
_CONVERSIONS = 1.5
#: largest error of a pulse's width on the sample grid, as a part of it
WIDTH_ERROR = 1e-3
#: fewest samples of a pulse, and of its edges if they are given
_SAMPLES_PER_PULSE, _SAMPLES_PER_EDGE = 20, 4


class Obstacle(Exception):
    """Why a loop cannot run inside an instrument."""


@dataclass(frozen=True)
class Slot:
    """One of the pulses that the generator plays at every trigger; ``start``: s from the trigger to its foot."""

    start: float
    level: float
    width: float

    def end(self, edge: float) -> float:
        return self.start + self.width + edge


@dataclass(frozen=True)
class Layout:
    """All pulses of a trial in one waveform of ``period`` s from ``base`` V, on a grid of samples; edges in s."""

    slots: tuple[Slot, ...]
    base: float
    edge: float
    period: float
    grid: float


def choose(
    ops: tuple[o.Op, ...], bench: BenchDescription, sources: Sources, nodes: tuple[Node, ...], timing: Timing
) -> tuple[tuple[o.Op, ...], tuple[str, ...]]:
    """``ops`` with every loop that can run inside an instrument as a ``Program``, and what was decided, in words."""
    chooser = _Chooser(bench, sources, nodes, timing)
    chosen = chooser.visit(ops, {})
    return chosen, tuple(dict.fromkeys(chooser.decisions))


class _Chooser:
    def __init__(self, bench: BenchDescription, sources: Sources, nodes: tuple[Node, ...], timing: Timing) -> None:
        self._bench = bench
        self._sources = sources
        self._nodes = nodes
        self._timing = timing
        self.decisions: list[str] = []

    def visit(self, ops: tuple[o.Op, ...], ranges: o.Ranges) -> tuple[o.Op, ...]:
        return tuple(self._one(op, ranges) for op in ops)

    def _one(self, op: o.Op, ranges: o.Ranges) -> o.Op:
        match op:
            case o.Repeat():
                return self._repeat(op, ranges)
            case o.ForEach():
                if not _loops_inside(op.body):
                    self._say(op, "timed by the host: its values need the sources to be programmed again")
                return replace(op, body=self.visit(op.body, ranges | op.ranges()))
            case o.Until():
                self._say(op, "timed by the host: a search inside, it ends when a reading says so")
                return replace(op, body=self.visit(op.body, ranges | op.ranges()))
            case o.Allowed():
                return replace(op, body=self.visit(op.body, ranges))
            case o.EnterState():
                return replace(op, prepare=self.visit(op.prepare, ranges))
            case o.Pulses() if op.count != o.Value(1.0):
                return self._train(op)
            case _:
                return op

    def _repeat(self, op: o.Repeat, ranges: o.Ranges) -> o.Op:
        if _loops_inside(op.body):
            return replace(op, body=self.visit(op.body, ranges))
        try:
            program = self._program(op, ranges)
        except Obstacle as obstacle:
            self._say(op, f"timed by the host: {obstacle}")
            return replace(op, body=self.visit(op.body, ranges))
        controller = program.controller.partition(".")[0]
        how = [f"relay by {line}" for line, _ in program.rest]
        if program.trigger:
            how.append(f"trigger by {program.trigger}")
        pulses = distinct(op.body)
        if len(pulses) > 1:
            how.append(f"{pulses[0].source} plays its {len(pulses)} pulses at each trigger, the relay lets one through")
        self._say(op, f"runs inside {controller}, in blocks of trials{': ' if how else ''}{', '.join(how)}")
        return program

    def _train(self, op: o.Pulses) -> o.Op:
        """A train is a burst or pattern of its source; one trigger per cycle only where the host is asked to do it."""
        if self._timing == "host" and "software" in self._able(op.source, "burst").get("triggers", ()):
            self._say(op, f"timed by the host: one trigger of {op.source} per cycle, as --timing host asks")
            return replace(op, each=True)
        self._say(op, f"all its cycles are one burst or pattern of {op.source}")
        return op

    def _say(self, op: o.Op, what: str) -> None:
        node = self._nodes[op.node]
        self.decisions.append(f"{node.where}: {node.text.rstrip(':')}: {what}")

    # --- programs -------------------------------------------------------------

    def _program(self, op: o.Repeat, ranges: o.Ranges) -> o.Program:
        """The loop as a program.

        Raises:
            Obstacle
        """
        if self._timing == "host":
            raise Obstacle("as --timing host asks")
        for inner in op.body:
            self._fits(inner, ranges)
        reader = self._reader(op.body)
        controller = reader.partition(".")[0]
        pulses = [inner for inner in op.body if isinstance(inner, o.Pulses)]
        trigger = self._trigger(controller, pulses)
        self._confirmations(op.body)
        rest = self._rest(op.body, reader, controller)
        if len(distinct(op.body)) > 1:
            self._several(op.body, ranges)
        return o.Program(op.node, (op,), reader, trigger, rest)

    def _fits(self, op: o.Op, ranges: o.Ranges) -> None:
        match op:
            case o.Connect() if op.manual:
                raise Obstacle("it needs an operator")
            case o.Connect() if not op.line:
                raise Obstacle(f"{op.source} is put on {op.terminal} by its own output, not by a relay")
            case o.Pulses() if op.fast_edges:
                raise Obstacle("its pulses need an exception")
            case o.Pulses() if op.count.bounds(ranges)[0] < 1:
                raise Obstacle("a train in it may have no pulse")
            case o.Connect() | o.Pulses() | o.Wait() | o.ReadResistance() | o.Judge() | o.Confirm():
                return
            case _:
                raise Obstacle(f"{type(op).__name__.lower()} is nothing that a program does")

    def _reader(self, body: tuple[o.Op, ...]) -> str:
        """The one meter of the loop, which must be able to run programs."""
        reads = [op for op in body if isinstance(op, o.ReadResistance)]
        if not reads:
            raise Obstacle("nothing is read in it")
        if len({op.source for op in reads}) > 1:
            raise Obstacle("several sources read in it")
        if len({(op.meter, op.window) for op in reads}) > 1:
            raise Obstacle("its readings differ in window, range, compliance or integration")
        source = reads[0].source
        able = self._able(source, "program")
        if not able:
            raise Obstacle(f"{source} cannot run programs")
        if sum(op.length for op in reads) > able["points"]:
            raise Obstacle(f"one trial is longer than the buffers of {source}, {able['points']} points")
        return source

    def _trigger(self, controller: str, pulses: list[o.Pulses]) -> str:
        """The controller's digital line that triggers the source of all pulses; '' if there are none."""
        if not pulses:
            return ""
        source = pulses[0].source
        if any(op.source != source for op in pulses):
            raise Obstacle("several sources pulse in it")
        if "external" not in self._able(source, "burst").get("triggers", ()):
            raise Obstacle(f"{source} has no trigger input")
        target = f"{source.partition('.')[0]}.trigger"
        for wire in self._bench.wiring.triggers:
            if wire.target == target and wire.source.startswith(f"{controller}.digio."):
                return wire.source
        raise Obstacle(f"no trigger line from {controller} to {target} on this bench")

    def _confirmations(self, body: tuple[o.Op, ...]) -> None:
        read = {op.name for op in body if isinstance(op, o.ReadResistance)}
        for op in body:
            if isinstance(op, o.Confirm) and op.reading not in read:
                raise Obstacle(f"it confirms {op.reading!r}, which is not read in it")
            if isinstance(op, o.Confirm) and read & set(op.against):
                raise Obstacle("it confirms against a reading inside the loop")

    def _rest(self, body: tuple[o.Op, ...], reader: str, controller: str) -> tuple[tuple[str, int], ...]:
        """Relay lines and their levels at rest, where the meter is on the device whenever the host takes over."""
        levels: dict[str, int] = {}
        laid = reader
        for op in body:
            if isinstance(op, o.Connect):
                if not op.line.startswith(f"{controller}.digio."):
                    raise Obstacle(f"the relay of {op.source} is not driven by {controller}")
                relay = next(relay for relay in self._bench.wiring.relays.values() if relay.line == op.line)
                levels[op.line] = relay.positions[relay.rest]
                laid = op.source
                if laid == reader and op.level != levels[op.line]:
                    raise Obstacle(f"{reader} is not on the device when the relay rests")
            elif isinstance(op, o.Confirm) and laid != reader:
                raise Obstacle("a reset is confirmed with the generator on the device")
        if laid != reader:
            raise Obstacle(f"it ends with {laid} on the device")
        return tuple(levels.items())

    def _several(self, body: tuple[o.Op, ...], ranges: o.Ranges) -> None:
        """Different pulses: a relay must part them, and one record of the generator hold them."""
        pulses = distinct(body)
        for pulse in pulses:
            if len(pulse.parts) > 1 or pulse.shape != "rectangular" or pulse.count != o.Value(1.0):
                raise Obstacle("it has trains beside other pulses")
        if len({(pulse.base, pulse.edge) for pulse in pulses}) > 1:
            raise Obstacle("its pulses differ in base or edges")
        for before, op in zip((None, *body), body, strict=False):
            if isinstance(op, o.Pulses) and not isinstance(before, o.Connect):
                raise Obstacle("different pulses come without a reading between them")
        able = self._able(pulses[0].source, "arbitrary")
        if not able:
            raise Obstacle("its generator has no arbitrary waveforms")
        for ends in _corners(ranges):
            _check(layout(body, ends, able["points"][1]), pulses)

    def _able(self, source: str, ability: str) -> dict[str, Any]:
        found: dict[str, Any] = self._sources.named(source).capabilities.get(ability, {})
        return found


def block_size(op: o.Program, variables: dict[str, float], capacity: int) -> int:
    """Trials of one block: what buffers of ``capacity`` points hold, for about ``BLOCK_TIME``."""
    points = sum(inner.length for inner in op.loop.body if isinstance(inner, o.ReadResistance))
    return trials_per_block(points, seconds_per_trial(op.loop.body, variables), capacity)


def trials_per_block(points: int, seconds: float, capacity: int) -> int:
    """Trials of ``points`` readings and about ``seconds`` s: one at least."""
    by_time = int(min(capacity, max(1.0, BLOCK_TIME / seconds))) if seconds > 0 else capacity
    return min(by_time, capacity // points) if points else by_time


def seconds_per_trial(body: tuple[o.Op, ...], variables: dict[str, float]) -> float:
    """About how long a trial takes, s."""
    total = 0.0
    for op in body:
        match op:
            case o.Connect():
                total += op.time
            case o.Wait():
                total += op.duration.at(variables)
            case o.Pulses():
                total += round(op.count.at(variables)) * op.cycle_time(variables)
            case o.ReadResistance():
                total += op.length * ((op.meter.delay or 0.0) + _CONVERSIONS * op.meter.nplc / _LINE_FREQUENCY)
    return total


def distinct(body: tuple[o.Op, ...]) -> tuple[o.Pulses, ...]:
    """Pulses of a trial that differ in what the generator plays, each once, in order."""
    found: dict[object, o.Pulses] = {}
    for op in body:
        if isinstance(op, o.Pulses):
            found.setdefault(played(op), op)
    return tuple(found.values())


def played(op: o.Pulses) -> tuple[object, ...]:
    """What the generator plays for it: equal for pulses that differ in name or role only."""
    return op.source, op.parts, op.base, op.edge, op.gap, op.period, op.count, op.shape


def layout(body: tuple[o.Op, ...], variables: dict[str, float], most: int) -> Layout:
    """Where the different pulses of a trial lie in one waveform of at most ``most`` samples.

    After each pulse there is time for the waits behind it and for the relay to leave, and before the next one for the
    relay to come. The grid is a whole part of the first pulse's width; other widths are rounded to it.
    """
    pulses = distinct(body)
    edge = pulses[0].edge or 0.0
    widths = [op.parts[0].width.at(variables) for op in pulses]
    pauses = [_pause(body, op, variables) + MARGIN for op in pulses[:-1]]
    total = MARGIN + sum(widths) + len(widths) * edge + sum(pauses)
    samples = floor(widths[0] / total * (most - 4 * len(widths)))  # some are lost to rounding up
    grid = widths[0] / max(samples, 1)
    starts, at = [], 1
    for width, pause in zip(widths, [*pauses, 0.0], strict=True):
        starts.append(at)
        at += round(width / grid) + round(edge / grid) + ceil(pause / grid)
    slots = [
        Slot(start * grid, op.parts[0].level.at(variables), round(width / grid) * grid)
        for start, op, width in zip(starts, pulses, widths, strict=True)
    ]
    return Layout(tuple(slots), pulses[0].base.at(variables), round(edge / grid) * grid, (at + 1) * grid, grid)


def _check(found: Layout, pulses: tuple[o.Pulses, ...]) -> None:
    """Whether the samples are fine enough for widths and edges.

    Raises:
        Obstacle
    """
    rounded = [
        slot for slot, op in zip(found.slots, pulses, strict=True) if op.parts[0].width != pulses[0].parts[0].width
    ]
    shortest = min(slot.width for slot in found.slots)
    if shortest < _SAMPLES_PER_PULSE * found.grid or any(found.grid / 2 > WIDTH_ERROR * s.width for s in rounded):
        raise Obstacle(f"one waveform with all its pulses would have samples of {found.grid:.2g} s: too coarse")
    if 0 < found.edge < _SAMPLES_PER_EDGE * found.grid:
        raise Obstacle(f"edges are shorter than samples of one waveform with all its pulses, {found.grid:.2g} s")


def _pause(body: tuple[o.Op, ...], pulses: o.Pulses, variables: dict[str, float]) -> float:
    """Longest time from the end of such a pulse until the relay has left, or comes for the next, s."""
    longest = max(op.time for op in body if isinstance(op, o.Connect)) + MARGIN
    for index, op in enumerate(body):
        if isinstance(op, o.Pulses) and played(op) == played(pulses):
            held = 0.0
            for after in body[index + 1 :]:
                if isinstance(after, o.Connect):
                    longest = max(longest, held + after.time)
                    break
                held += after.duration.at(variables) if isinstance(after, o.Wait) else 0.0
    return longest


def _loops_inside(body: tuple[o.Op, ...]) -> bool:
    return any(isinstance(op, o.Repeat | o.ForEach | o.Until) for op in o.walk(body))


def _corners(ranges: o.Ranges) -> Iterator[dict[str, float]]:
    """All combinations of lower and upper ends."""
    for ends in product(*ranges.values()):
        yield dict(zip(ranges, ends, strict=True))
