"""Operations that do one thing: on a source, on a terminal, or for a while."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.plan.operations.base import Op, Value, on_grid


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
