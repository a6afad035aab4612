"""Optional stochastic traps: a finite number of domains that are captured and released at random times.

Each domain carries a target dose -ln U, drawn anew at each switch from its own address (device, domain, switch).
It switches when the dose since its last switch reaches the target, so it does not matter into how many pieces a
waveform is cut, and with identical periods the next switch is found by a division.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim_backend.devices.aab.traps import Doses

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class UniformDraws(Protocol):
    """What the domains need of the bench's random draws."""

    def uniform(self, stream: str, channel: int, event: NDArray[np.int64], words: int = ...) -> Floats:
        """Uniform draws in (0, 1), one per event."""
        ...


@dataclass(frozen=True)
class Steps:
    """x in a train of periods of ``ramps`` ramps: ``values[k]`` once ``done[k]`` ramps are over."""

    ramps: int
    done: Ints
    values: Floats

    def at(self, periods: Floats | Ints, ramp: int, partial: Doses | None = None) -> Floats:
        """Trapped fraction ``periods`` + the first ``ramp`` ramps after the start; switches show at a ramp's end."""
        position = np.asarray(periods) * self.ramps + ramp
        return np.asarray(self.values[np.searchsorted(self.done, position, side="right") - 1])


@dataclass
class Domains:
    """State of all domains of one device."""

    draws: UniformDraws
    device: int
    number: int
    trapped: NDArray[np.bool_] = field(init=False)
    switches: Ints = field(init=False)
    need: Floats = field(init=False)  # dose left until the next switch

    def __post_init__(self) -> None:
        self.trapped = np.zeros(self.number, dtype=bool)
        self.switches = np.zeros(self.number, dtype=np.int64)
        self.need = self._targets(np.arange(self.number))

    @property
    def fraction(self) -> float:
        """x."""
        return float(self.trapped.mean())

    def apply(self, d: Doses) -> None:
        """One ramp: capture, then release."""
        self._expose(~self.trapped, float(d.capture))
        self._expose(self.trapped.copy(), float(d.release))

    def repeat(self, cycle: tuple[Doses, ...], count: int) -> Steps:
        """``count`` identical periods; returns x over them."""
        capture, release = float(sum(d.capture for d in cycle)), float(sum(d.release for d in cycle))
        done, values, period = [0], [self.fraction], 0
        while period < count:
            per_period = np.where(self.trapped, release, capture)
            with np.errstate(divide="ignore"):
                quiet = float(np.min(np.where(per_period > 0.0, self.need / per_period, np.inf)))
            skipped = int(min(count - period, max(0.0, quiet - 1.0)))  # periods in which nothing can switch
            self.need = self.need - skipped * per_period
            period += skipped
            if period < count:
                for k, d in enumerate(cycle):
                    self.apply(d)
                    if self.fraction != values[-1]:
                        done.append(period * len(cycle) + k + 1)
                        values.append(self.fraction)
                period += 1
        return Steps(len(cycle), np.array(done), np.array(values))

    def _expose(self, which: NDArray[np.bool_], dose: float) -> None:
        if dose == 0.0:
            return
        self.need = np.where(which, self.need - dose, self.need)
        flipped = np.flatnonzero(which & (self.need <= 0.0))
        if flipped.size:
            self.trapped[flipped] = ~self.trapped[flipped]
            self.switches[flipped] += 1
            self.need[flipped] = self._targets(flipped)

    def _targets(self, which: Ints) -> Floats:
        u = self.draws.uniform("aab.domains", self.device, self.switches[which] * self.number + which)
        return -np.log(u)
