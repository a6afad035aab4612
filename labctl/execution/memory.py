"""What a run remembers of its readings, and the conditions that are asked of them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labctl.execution.events import Event, StopRun, Trace
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
        self._curves: dict[str, Trace] = {}

    def keep(self, name: str, reading: Reading) -> None:
        self._readings[name].append(reading)

    def keep_rows(self, first: int, rows: Sequence[Event]) -> None:
        """The rows of one operation, numbered from ``first``: readings, or a sweep, whose first curve gives figures."""
        for number, event in enumerate(rows, first):
            if event.kind in ("resistance", "current"):
                self.keep(event.row["name"], Reading(number, event.row["value"], event.row["flags"]))
        if rows and rows[0].kind == "sweep":
            assert rows[0].trace is not None
            self.keep_curve(rows[0].row["name"], first, rows[0].trace)

    def keep_curve(self, name: str, event: int, curve: Trace) -> None:
        """The curve of a sweep that figures are taken of: 'set' (V) and 'current' (A)."""
        self._curves[name] = curve
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
            levels, amps = (self._curves[condition.reading][name] for name in ("set", "current"))
            if condition.quantity == "dI0":
                return float(branch_values(levels, amps).difference)
            steps = np.diff(levels)
            cyclic = bool((steps > 0).any() and (steps < 0).any())
            forward = split_branches(levels)[0] if cyclic else slice(None)
            peak = find_peak(levels[forward], amps[forward])
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
