"""The operations of a plan: what will be done, on which source; loops kept as loops.

Voltages are volts at the DUT terminal against common, times seconds. ``Value`` is a number or a loop variable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
    """Put one source on a terminal; the others of that terminal are quieted first (rule 3).

    ``manual``: an operator plugs it in, and out again when another source follows; ``operator`` is what is asked,
    ``label`` the name of the step for --confirm.
    """

    terminal: str
    source: str
    isolation: str
    quiet: tuple[str, ...] = ()
    line: str = ""
    level: int = 0
    time: float = 0.0
    position: str = ""
    manual: bool = False
    operator: str = ""
    label: str = ""


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
    """One pulse of a train's cycle: height, and width at half height (foot to foot of a triangle or ramp).

    ``role`` is its own, where that is another than the train's.
    """

    level: Value
    width: Value
    role: str = ""


@dataclass(frozen=True, slots=True)
class Pulses(Op):
    """``count`` cycles of one or more pulses from ``base``; a single pulse has count 1.

    ``edge`` None is the instrument's own, nanoseconds. ``gap`` is the pause after each pulse, foot to foot;
    ``period`` (s) replaces the gap after the last one. ``grid`` (s): the source takes no times but its multiples.
    ``each``: the host triggers every cycle by itself.
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
    fast_edges: bool = False
    grid: float = 0.0
    each: bool = False

    @property
    def plain(self) -> bool:
        """Rectangular pulses of one kind, which a source of pulses makes by itself; others are played as waveforms."""
        return len(self.parts) == 1 and self.shape == "rectangular"

    def cycle_time(self, variables: dict[str, float]) -> float:
        """Seconds from cycle to cycle, given the loop variables."""
        if self.period is not None:
            return on_grid(self.period.at(variables), self.grid)
        edges = self.edge or 0.0 if self.shape == "rectangular" else 0.0
        return sum(width + on_grid(edges, self.grid) + self.pause(variables) for width in self.widths(variables))

    def widths(self, variables: dict[str, float]) -> list[float]:
        """Widths of the parts as the source takes them, s; half a triangle's must be on its grid."""
        grid = self.grid * (2 if self.shape == "triangle" else 1)
        return [on_grid(part.width.at(variables), grid) for part in self.parts]

    def pause(self, variables: dict[str, float]) -> float:
        """The gap as the source takes it, s."""
        return on_grid(self.gap.at(variables), self.grid)


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
class Station:
    """One terminal during a measurement: its source, the level held there, and whether its current is measured.

    ``level`` None: the swept terminal.
    """

    terminal: str
    source: str
    level: Value | None
    compliance: float
    range: float | None
    measured: bool


@dataclass(frozen=True, slots=True)
class ReadCurrent(Op):
    """Mean of ``samples`` currents of every measured station, ``interval`` s apart (None: as fast as they come)."""

    name: str
    stations: tuple[Station, ...]
    samples: int
    interval: float | None
    nplc: float
    delay: float


@dataclass(frozen=True, slots=True)
class Sweep(Op):
    """Staircase of the first station through ``levels``, and back again if ``cyclic``, with the others held.

    ``hold`` s at the first level, ``delay`` s from each level to its measurement (None: the instrument's), at least
    ``dwell`` s on each level. ``on_compliance``: 'stop' or 'flag'.
    """

    name: str
    levels: tuple[Value, ...]
    cyclic: bool
    stations: tuple[Station, ...]
    nplc: float
    hold: float
    delay: float | None
    dwell: float
    on_compliance: str

    @property
    def length(self) -> int:
        """Points as executed; the turning point is measured twice."""
        return len(self.levels) * (2 if self.cyclic else 1)


@dataclass(frozen=True, slots=True)
class Record(Op):
    """Currents against time: for ``duration`` s by SMUs, or by the fast unit while the pulses of ``body`` play.

    Waits of the body prolong the record behind the pulses; ``last`` (s) keeps only its end. ``grid`` as for pulses.
    """

    name: str
    stations: tuple[Station, ...]
    interval: float
    window: float
    duration: Value | None
    body: tuple[Op, ...] = ()
    last: Value | None = None
    grid: float = 0.0


@dataclass(frozen=True, slots=True)
class Bias(Op):
    """A level held for a time by an instrument that times it itself, the other terminals at 0 V; ``ramp`` in V/s."""

    source: str
    terminal: str
    name: str
    level: Value
    duration: Value
    ramp: Value | None
    compliance: float
    abort_above: float | None
    grounded: tuple[str, ...]


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


def on_grid(seconds: float, grid: float) -> float:
    """The nearest multiple of ``grid``, one at least of a time that is not 0; any time where there is no grid."""
    if not grid or abs(seconds / grid - round(seconds / grid)) < 1e-6:
        return seconds
    return max(round(seconds / grid), 1) * grid


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
