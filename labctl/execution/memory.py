"""What a run remembers of its readings, and the conditions that are asked of them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labctl.execution.events import StopRun
from labctl.execution.meters import Points
from labctl.numerics import branch_values, find_peak, split_branches
from labctl.plan import operations as o


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that was read: event number, SI value, flags."""

    event: int
    value: float
    flags: int


class Memory:
    """The two latest readings of each name (a judgement needs the one before the pulse), and the latest sweeps."""

    def __init__(self) -> None:
        self._readings: dict[str, deque[Reading]] = defaultdict(lambda: deque(maxlen=2))
        self._curves: dict[str, dict[str, Points]] = {}

    def keep(self, name: str, reading: Reading) -> None:
        self._readings[name].append(reading)

    def keep_curves(self, name: str, event: int, curves: dict[str, Points]) -> None:
        """The curves of a sweep, by measured terminal; the one that figures are taken of comes first."""
        self._curves[name] = curves
        self.keep(name, Reading(event, np.nan, 0))

    def latest(self, names: tuple[str, ...], where: str, before: float = np.inf) -> Reading:
        """The latest reading of any of the names, before an event.

        Raises:
            StopRun: there is none.
        """
        found = [reading for name in names for reading in self._readings[name] if reading.event < before]
        if not found:
            raise StopRun(f"{where}: there is no earlier reading of {' or '.join(names)}")
        return max(found, key=lambda reading: reading.event)

    def figure(self, condition: o.Condition, where: str) -> float:
        """The value that a condition is about: of a reading, its ratio to a reference, or a figure of a sweep.

        'dI0' (A), 'peak_voltage' (V) and 'peak_current' (A) are those of the first of the sweep's curves, peaks those
        of its forward branch.
        """
        reading = self.latest((condition.reading,), where)
        if condition.quantity != "value":
            points = next(iter(self._curves[condition.reading].values()))
            if condition.quantity == "dI0":
                return float(branch_values(points.set, points.amps).difference)
            steps = np.diff(points.set)
            cyclic = bool((steps > 0).any() and (steps < 0).any())
            forward = split_branches(points.set)[0] if cyclic else slice(None)
            peak = find_peak(points.set[forward], points.amps[forward])
            return float(peak.x if condition.quantity == "peak_voltage" else peak.y)
        if condition.against:
            return reading.value / self.latest(condition.against, where, before=reading.event).value
        return reading.value

    def holds(self, condition: o.Condition, variables: Mapping[str, float], where: str) -> bool:
        """Is the condition true of the latest readings? A reading without a value (NaN) proves nothing."""
        value = self.figure(condition, where)
        above, below, near, within = (
            None if bound is None else bound.at(dict(variables))
            for bound in (condition.above, condition.below, condition.near, condition.within)
        )
        inside = within is None or abs(value - (1.0 if near is None else near)) <= within
        return inside and (above is None or value > above) and (below is None or value < below)
