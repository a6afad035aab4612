"""The times of instruments, as their drivers tell them.

A driver offers under ``capabilities()["timing"]["times"]`` something that is called with the options of its bench entry
(those it knows) and returns an object whose methods are named as the driver's calls (``isolate``, ``hold``, ``pulses``,
``waveform``, ``read``, ``sweep``, ``sample``, ``bias``, ``record``, ``line``; and ``ready_pulses``, ``ready_waveform``:
prepared only, ``burst``: what is prepared): each returns the seconds it takes and remembers what the driver would.
``stays``, if there, tells the most that a sweep may stay at each of its points, whatever the device draws. ``state`` is
what its further times depend on. A driver without it is costed by constants.
"""

from __future__ import annotations

import inspect
from collections.abc import Hashable
from typing import Any

from labctl.bench.description import BenchDescription
from labctl.plan.sources import Sources


class PlainTimes:
    """Times of a driver that tells constants only: every call takes as long as the one before."""

    state: Hashable = None

    def __init__(self, timing: dict[str, Any]) -> None:
        self.line_frequency = float(timing.get("line_frequency", 50.0))
        self._switch = float(timing.get("output_time", 0.0))
        self._settling = float(timing.get("auto_delay", 0.0))
        self._reading = float(timing.get("point_overhead", 0.0))
        self._bursts: dict[str, float] = {}

    def line(self) -> float:
        return 0.0

    def isolate(self, channel: str) -> float:
        return self._switch

    def hold(self, channel: str, level: float, compliance: float) -> float:
        return self._switch

    def pulses(self, channel: str, width: float, edge: float | None, period: float | None, count: int) -> float:
        return self.ready_pulses(channel, width, edge, period, count) + self.burst(channel)

    def waveform(self, channel: str, shape: Hashable, period: float, count: int) -> float:
        return self.ready_waveform(channel, shape, period, count) + self.burst(channel)

    def ready_pulses(self, channel: str, width: float, edge: float | None, period: float | None, count: int) -> float:
        self._bursts[channel] = count * (width + 2 * (edge or 0.0) if period is None else period)
        return self._switch

    def ready_waveform(self, channel: str, shape: Hashable, period: float, count: int, isolated: bool = False) -> float:
        self._bursts[channel] = count * period
        return self._switch

    def burst(self, channel: str) -> float:
        return self._bursts[channel]

    def read(
        self,
        channel: str,
        levels: tuple[float, ...],
        resistance: float,
        *,
        nplc: float,
        delay: float | None,
        dwell: float = 0.0,
        **limits: Any,
    ) -> float:
        settling = self._settling if delay is None else delay
        return self._switch + len(levels) * (dwell + settling + nplc / self.line_frequency + self._reading)

    def record(self, duration: float) -> float:
        return self._switch + duration

    def bias(self, channel: str, level: float, duration: float, *, ramp: float, **limits: Any) -> float:
        return self._switch + duration + 2 * ramp


def times_of(bench: BenchDescription, sources: Sources) -> dict[str, Any]:
    """Fresh times of every instrument of the bench that is wired to the device, by its name."""
    found: dict[str, Any] = {}
    for source in sources.all:
        instrument = source.name.partition(".")[0]
        if instrument in found:
            continue
        timing = source.capabilities.get("timing", {})
        make = timing.get("times")
        if make is None:
            found[instrument] = PlainTimes(timing)
            continue
        known = inspect.signature(make).parameters
        options = bench.instruments[instrument].options
        found[instrument] = make(**{name: value for name, value in options.items() if name in known})
    return found
