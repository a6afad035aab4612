"""The AAB transistor: state, its way through time, and the currents on the way (reference part 2b)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from sim_backend.devices.aab.carriers import Lag, Ramp, follow, follow_many, lag_of, split_at_zero, train
from sim_backend.devices.aab.conduction import channel_current
from sim_backend.devices.aab.domains import Domains, Steps
from sim_backend.devices.aab.parameters import AabParameters
from sim_backend.devices.aab.traps import DeepCycle, Doses, FastCycle, after_deep, after_fast, doses

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: a straight piece of gate-source voltage: duration (s), start (V), end (V)
Piece = tuple[float, float, float]


class DeviceDraws(Protocol):
    """What the device needs of the bench's random draws."""

    @overload
    def normal(self, stream: str, channel: int, event: int) -> float: ...
    @overload
    def normal(self, stream: str, channel: int, event: Ints) -> Floats: ...

    def uniform(self, stream: str, channel: int, event: NDArray[np.int64], words: int = ...) -> Floats:
        """Uniform draws in (0, 1), one per event."""
        ...


@dataclass(frozen=True)
class _Step:
    """One ramp with everything that depends on its voltages only."""

    ramp: Ramp
    lag: Lag
    doses: Doses


@dataclass(frozen=True)
class Passage:
    """A repeated cycle of gate voltage that the device went through, kept to ask for currents within it."""

    parameters: AabParameters
    steps: tuple[_Step, ...]
    count: int
    felt: Floats  # A at the start of each period; entries beyond its end equal the last
    fast: FastCycle | Steps
    deep: DeepCycle

    @property
    def boundaries(self) -> Floats:
        """Ends of the ramps, s from the start of the period; the last is the period."""
        return np.cumsum([step.ramp.duration for step in self.steps])

    def states(self, periods: Ints, offsets: Floats) -> tuple[Floats, Floats, Floats]:
        """A, x and D of the chosen ``periods`` at ascending ``offsets`` (s) into them, shape (periods, offsets)."""
        felt = self.felt[np.minimum(periods, len(self.felt) - 1)][:, None]
        deep = self.deep.after(periods)[:, None]
        shape = (len(periods), len(offsets))
        at_felt, at_x, at_deep = np.empty(shape), np.empty(shape), np.empty(shape)
        ends = self.boundaries
        which = np.minimum(np.searchsorted(ends, offsets, side="right"), len(self.steps) - 1)
        for k, step in enumerate(self.steps):
            here = slice(*np.searchsorted(which, [k, k + 1]))
            if here.start < here.stop:
                start = ends[k] - step.ramp.duration
                into = np.clip(offsets[here] - start, 0.0, step.ramp.duration)
                part = doses(self.parameters, step.ramp, into)
                at_felt[:, here] = follow_many(step.lag, felt, into)
                at_x[:, here] = self.fast.at(periods[:, None], k, part)
                at_deep[:, here] = after_deep(self.parameters, part, deep)
            if here.stop == len(offsets):
                break
            felt = follow_many(step.lag, felt)
            deep = np.asarray(after_deep(self.parameters, step.doses, deep))
        return at_felt, at_x, at_deep

    def channel_current(self, periods: Ints, offsets: Floats, vds: Floats | float) -> Floats:
        """Channel current (A), shape (periods, offsets), at drain-source voltages ``vds`` (V), one per offset."""
        felt, x, deep = self.states(periods, offsets)
        return channel_current(self.parameters, felt, deep, x, vds)


@dataclass
class AabTransistor:
    """One specimen. ``draws`` is needed for spread, flicker and stochastic domains only.

    Attributes:
        felt: gate voltage that the carriers feel, A (V).
        x: fraction of trapped domains.
        deep: deep charge, D (V).
        oxide: seconds spent at the breakdown voltage; the oxide is ``broken`` for good at ``breakdown_time``.
    """

    parameters: AabParameters = field(default_factory=AabParameters)
    draws: DeviceDraws | None = None
    device: int = 0
    felt: float = 0.0
    deep: float = 0.0
    oxide: float = 0.0
    _x: float = 0.0
    _domains: Domains | None = None
    _readings: int = 0
    _solved: tuple[tuple[float, float, float, float] | None, float] = (None, 0.0)

    terminals = ("gate", "drain", "source")

    def __post_init__(self) -> None:
        if self.parameters.domains:
            if self.draws is None:
                raise ValueError("AAB device: stochastic domains need random draws")
            self._domains = Domains(self.draws, self.device, self.parameters.domains)

    # -- state -----------------------------------------------------------------------------------------------------

    @property
    def x(self) -> float:
        """Fraction of trapped domains."""
        return self._domains.fraction if self._domains else self._x

    @property
    def broken(self) -> bool:
        """Whether the gate oxide has broken down."""
        return self.oxide >= self.parameters.breakdown_time

    def dose(self) -> dict[str, float]:
        """What judges the treatment."""
        return {"oxide_seconds": self.oxide, "broken": float(self.broken)}

    def state(self) -> dict[str, Any]:
        """JSON-serialisable state that ``restore`` takes."""
        kept: dict[str, Any] = {"felt": self.felt, "deep": self.deep, "oxide": self.oxide, "readings": self._readings}
        if self._domains is None:
            return kept | {"x": self._x}
        d = self._domains
        return kept | {"trapped": d.trapped.tolist(), "switches": d.switches.tolist(), "need": d.need.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state saved earlier."""
        self.felt, self.deep, self.oxide = state["felt"], state["deep"], state["oxide"]
        self._readings = state["readings"]
        if self._domains is None:
            self._x = state["x"]
        else:
            self._domains.trapped = np.array(state["trapped"], dtype=bool)
            self._domains.switches = np.array(state["switches"], dtype=np.int64)
            self._domains.need = np.array(state["need"], dtype=np.float64)

    # -- time ------------------------------------------------------------------------------------------------------

    def hold(self, duration: float, vg: float) -> None:
        """Constant gate-source voltage (V) for ``duration`` (s)."""
        self.ramp(duration, vg, vg)

    def ramp(self, duration: float, start: float, end: float) -> None:
        """Gate-source voltage straight from ``start`` to ``end`` (V) in ``duration`` (s)."""
        for step in self._steps([(duration, start, end)]):
            self.felt = follow(step.lag, self.felt)
            if self._domains:
                self._domains.apply(step.doses)
            else:
                self._x = float(after_fast(step.doses, self._x))
            self.deep = float(after_deep(self.parameters, step.doses, self.deep))
            self.oxide += float(step.doses.oxide)

    def run(self, pieces: Sequence[Piece], count: int = 1) -> Passage:
        """``count`` identical periods of straight pieces; O(pieces + periods until A stands still)."""
        steps = self._steps(pieces)
        if not steps:
            raise ValueError("a period needs at least one piece that takes time")
        cycle = tuple(step.doses for step in steps)
        felt = train(tuple(step.lag for step in steps), self.felt, count)
        deep = DeepCycle(self.parameters, cycle, self.deep, count)
        fast: FastCycle | Steps
        if self._domains:
            fast = self._domains.repeat(cycle, count)
        else:
            fast = FastCycle(cycle, self._x)
            self._x = float(fast.at(np.array(count), 0))
        self.felt = float(felt[-1])
        self.deep = float(deep.after(count))
        self.oxide += count * float(sum(d.oxide for d in cycle))
        return Passage(self.parameters, steps, count, felt, fast, deep)

    def _steps(self, pieces: Sequence[Piece]) -> tuple[_Step, ...]:
        p = self.parameters
        return tuple(_Step(ramp, lag_of(p, ramp), doses(p, ramp)) for piece in pieces for ramp in split_at_zero(*piece))

    # -- currents --------------------------------------------------------------------------------------------------

    def channel_current(self, vds: float) -> float:
        """Current into the drain through the channel now (A)."""
        point = (self.felt, self.deep, self.x, vds)
        if self._solved[0] != point:  # asked several times per reading of an instrument
            self._solved = (point, float(channel_current(self.parameters, *point)))
        return self._solved[1]

    def most_channel_current(self, vds: float) -> float:
        """What the channel cannot exceed (A) at ``vds`` (V), whatever its gate: contacts, junction and shunt alone."""
        p = self.parameters
        return abs(vds) * (1.0 / p.r_contact + p.g_shunt) + p.i_s

    @property
    def gate_resistance(self) -> float:
        """Gate to source (ohm)."""
        return self.parameters.r_broken if self.broken else self.parameters.r_gate

    def gate_current(self, vg: float, slew: float = 0.0) -> float:
        """Current into the gate (A) at ``vg`` (V against the source) that changes by ``slew`` (V/s)."""
        return vg / self.gate_resistance + self.parameters.c_gate * slew

    def flicker(self) -> float:
        """Relative fluctuation of the current in one reading; a new draw at each call."""
        if self.draws is None or not self.parameters.flicker:
            return 0.0
        self._readings += 1
        # the same number as the array's, from a block that is kept: most readings come one by one
        return self.parameters.flicker * self.draws.normal("aab.flicker", self.device, self._readings - 1)

    def flickers(self, number: int) -> Floats:
        """Relative fluctuations of ``number`` readings."""
        if self.draws is None:
            return np.zeros(number)
        self._readings += number
        events = np.arange(self._readings - number, self._readings)
        return self.parameters.flicker * self.draws.normal("aab.flicker", self.device, events)
