"""A waveform period as the H-NNO neuron sees it: its events, the rests between them, what one pulse does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import cosh, exp, log, sinh
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim_backend.devices.hnno.kinetics import Stretch, dose, grow, growth_slope, growth_steps, split

if TYPE_CHECKING:
    from sim_backend.devices.hnno.neuron import HnnoNeuron

Floats = NDArray[np.float64]

_LOADED = 0.02  # series resistance over device resistance from which on linearising its drop is too rough
TAIL = 5.0  # standard deviations of the spiking resistance that a safe bound allows for


@dataclass(frozen=True)
class Period:
    """One period of loop EMF (V) behind ``resistance`` (ohm), segment by segment (s)."""

    durations: tuple[float, ...]
    starts: tuple[float, ...]
    ends: tuple[float, ...]
    resistance: float

    def part(self, first: int, last: int | None) -> Period:
        """Segments ``first`` to before ``last`` (None: to the end)."""
        return Period(self.durations[first:last], self.starts[first:last], self.ends[first:last], self.resistance)

    def play(self, device: HnnoNeuron) -> None:
        """One period on the event path."""
        device.play(self.durations, self.starts, self.ends, self.resistance)

    def turned(self, first: int) -> Period:
        """The same cycle, begun at segment ``first``."""
        durations, starts, ends = (x[first:] + x[:first] for x in (self.durations, self.starts, self.ends))
        return Period(durations, starts, ends, self.resistance)


class Leg:
    """One event of the period while the device keeps one resistance: what a whole pulse does to it."""

    def __init__(self, plan: Plan, stretches: list[Stretch], own: float) -> None:
        p = plan.parameters
        self.stretches = [(duration, abs(v1), abs(v2)) for duration, v1, v2 in stretches]
        self.own = own
        self.peak = max(max(v1, v2) for _, v1, v2 in self.stretches)
        self._p = p
        self._series = plan.period.resistance
        self.harm = sum(dose(t, a - p.v_bd, b - p.v_bd, p.u_bd, p.w0) for t, a, b in self.stretches)

    def log_dose(self, u: float) -> float:
        """Logarithm of the dose against threshold 0 V with scale ``u`` (V)."""
        peak, w0 = self.peak, self._p.w0
        return peak / u + log(sum(dose(t, a - peak, b - peak, u, w0) for t, a, b in self.stretches))

    def rise(self, own: Floats) -> Floats:
        """How much higher the peak (V) is when the device's resistance is ``own`` (ohm), to first order."""
        scale = self._p.v_nl
        per_siemens = self._series * scale * sinh(self.peak / scale)
        loop = 1.0 + self._series / self.own * cosh(self.peak / scale)
        return per_siemens / loop * (1.0 / self.own - 1.0 / own)

    @cached_property
    def erasure(self) -> float:
        p = self._p
        return sum(dose(t, a - p.v_erase, b - p.v_erase, p.u_erase, p.w0) for t, a, b in self.stretches)

    @cached_property
    def steps(self) -> list[tuple[float, float]]:
        return list(growth_steps(self._p, self.stretches))

    def gain(self, level: float) -> tuple[float, float]:
        """Sensitization (V) that one pulse adds at ``level``, and by how much less it is per volt of ``level``."""
        return grow(self.steps, level) - level, growth_slope(self.steps, level)


class Plan:
    """A period as the device sees it: its events and the rests around them."""

    def __init__(self, device: HnnoNeuron, period: Period) -> None:
        self.device = device
        self.parameters = device.parameters
        self.period = period
        m = device.memory
        self.own_ns = device.resistance_after(m.spikes, False)
        self.own_s = device.resistance_after(m.spikes, True)
        self.groups = self._groups(self.own_ns)
        self.pattern = "".join(kind for kind, _ in self.groups if kind != "-")
        first, last = self.groups[0][0], self.groups[-1][0]
        self.continues = (first != "-" and first == last) or (
            m.direction != 0 and first == ("F" if m.direction > 0 else "R")
        )
        largest = max(max(abs(v) for v in period.starts), max(abs(v) for v in period.ends))
        slope = cosh(min(largest / self.parameters.v_nl, 50.0))
        self.loaded = period.resistance / (self.own_s * exp(-TAIL * self.parameters.jump_s)) * slope > _LOADED

    def leg(self, kind: str, own: float) -> Leg:
        """The forward ("F") or reverse ("R") event when the device's resistance is ``own`` (ohm)."""
        return Leg(self, next(stretches for name, stretches in self._groups(own) if name == kind), own)

    def rests(self) -> list[float]:
        """Seconds of rest before the first event, between and after events; one entry more than events."""
        found = [0.0]
        for kind, stretches in self.groups:
            if kind == "-":
                found[-1] += sum(duration for duration, _, _ in stretches)
            else:
                found.append(0.0)
        return found

    def kept(self, seconds: float) -> float:
        """Share of the sensitization that outlasts a rest."""
        return exp(-seconds / self.parameters.tau_retention)

    def _groups(self, own: float) -> list[tuple[str, list[Stretch]]]:
        """Runs of stretches of one kind: "F", "R" or "-" (rest)."""
        period, loop = self.period, self.device.loop_at
        groups: list[tuple[str, list[Stretch]]] = []
        for duration, first, last in zip(period.durations, period.starts, period.ends, strict=True):
            if duration == 0.0:
                continue
            v1, v2 = loop(first, period.resistance, own), loop(last, period.resistance, own)
            for stretch in split(duration, v1, v2, self.parameters.v_event):
                middle = 0.5 * (stretch[1] + stretch[2])
                kind = "-" if abs(middle) <= self.parameters.v_event else "F" if middle > 0 else "R"
                if not groups or groups[-1][0] != kind:
                    groups.append((kind, []))
                groups[-1][1].append(stretch)
        return groups
