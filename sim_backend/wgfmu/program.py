"""The sequences of one channel compiled: absolute times, force values, measurement events and values.

Loops are never expanded: everything is found by division (reference b1530a sec. 4.6, 4.7). Loops of one sequence
follow without gap; between two sequences lie 50 ns, 10 ns at the last voltage and 40 ns to the next one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from sim_backend.circuit import Waveform
from sim_backend.wgfmu import codes
from sim_backend.wgfmu.codes import Failure
from sim_backend.wgfmu.pattern import TICK, MeasureEvent, Pattern

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GAP_HOLD, GAP_RAMP = 1, 4  # ticks
GAP = GAP_HOLD + GAP_RAMP
SAMPLE = 5e-9


@dataclass(frozen=True)
class Windows:
    """Where values come from: times (s from the start of the output) at which each begins, its length, its stamp."""

    starts: Floats
    lengths: Floats  # 0: one sample
    stamps: Floats
    loops: Floats
    sequences: Ints
    events: Ints  # index of the event in its pattern

    @classmethod
    def none(cls) -> Windows:
        real, whole = np.empty(0), np.empty(0, dtype=np.int64)
        return cls(real, real, real, real, whole, whole)

    @classmethod
    def joined(cls, parts: Sequence[Windows]) -> Windows:
        return cls(
            np.concatenate([p.starts for p in parts]),
            np.concatenate([p.lengths for p in parts]),
            np.concatenate([p.stamps for p in parts]),
            np.concatenate([p.loops for p in parts]),
            np.concatenate([p.sequences for p in parts]),
            np.concatenate([p.events for p in parts]),
        )


@dataclass(frozen=True)
class EventAddress:
    """One execution of one measurement event on a channel."""

    sequence: int
    loop: int
    event: int  # index in the pattern
    offset: int  # first value
    size: int


class Line:
    """One sequence: a pattern repeated, with what every loop of it measures."""

    def __init__(self, pattern: Pattern, loops: int) -> None:
        self.pattern = pattern
        self.loops = loops

    @cached_property
    def duration(self) -> int:
        """Ticks."""
        return self.pattern.length * self.loops

    @cached_property
    def values(self) -> int:
        """Values per loop."""
        return sum(e.size for e in self.pattern.measures)

    @cached_property
    def template(self) -> tuple[Floats, Floats, Floats, Ints]:
        """Per value of a loop: begin (s), length (s), stamp (s), event index."""
        begins, lengths, stamps, events = [], [], [], []
        for k, e in enumerate(self.pattern.measures):
            starts = (e.time + e.interval * np.arange(e.points, dtype=np.float64)) * TICK
            if e.raw:
                starts = (starts[:, None] + SAMPLE * np.arange(e.samples)).ravel()
            length = 0.0 if e.raw else e.averaging * TICK
            begins.append(starts)
            lengths.append(np.full(starts.size, length))
            stamps.append(starts + 0.5 * length)
            events.append(np.full(starts.size, k))
        if not begins:
            return np.empty(0), np.empty(0), np.empty(0), np.empty(0, dtype=np.int64)
        return np.concatenate(begins), np.concatenate(lengths), np.concatenate(stamps), np.concatenate(events)

    def waveform(self) -> Waveform:
        """One loop."""
        ticks, volts = self.pattern.ticks, self.pattern.volts
        durations = tuple((b - a) * TICK for a, b in pairwise(ticks))
        return Waveform(durations, tuple(volts[:-1]), tuple(volts[1:]), volts[-1])


class Program:
    """All sequences of a channel, in order."""

    def __init__(self, sequences: Sequence[tuple[Pattern, int]]) -> None:
        self.lines = [Line(pattern, loops) for pattern, loops in sequences]
        steps = [line.duration + GAP for line in self.lines]
        self.starts: list[int] = [0, *accumulate(steps)][: len(self.lines)]
        self._values = [0, *accumulate(line.values * line.loops for line in self.lines)]
        self._events = [0, *accumulate(len(line.pattern.measures) * line.loops for line in self.lines)]
        self._points = [0, *accumulate(len(line.pattern.ticks) * line.loops for line in self.lines)]

    @property
    def duration(self) -> float:
        """Seconds from the start of the output to the end of the last sequence."""
        return (self.starts[-1] + self.lines[-1].duration) * TICK

    @property
    def size(self) -> int:
        """Values in all."""
        return self._values[-1]

    @property
    def event_count(self) -> int:
        return self._events[-1]

    @property
    def vectors(self) -> int:
        """Vectors that the channel's memory holds: those of each pattern once."""
        return sum(len(p.ticks) - 1 for p in {line.pattern.name: line.pattern for line in self.lines}.values())

    def parts(self) -> tuple[tuple[Waveform, float], ...]:
        """Waveforms with their counts, gaps between sequences included."""
        parts: list[tuple[Waveform, float]] = []
        for k, line in enumerate(self.lines):
            if k:
                last, first = self.lines[k - 1].pattern.volts[-1], line.pattern.volts[0]
                parts.append((Waveform((GAP_HOLD * TICK, GAP_RAMP * TICK), (last, last), (last, first), first), 1))
            parts.append((line.waveform(), line.loops))
        return tuple(parts)

    # -- force values ------------------------------------------------------------------------------------------------

    @property
    def force_size(self) -> int:
        """Points of all loops."""
        return self._points[-1]

    def force_value(self, index: int) -> tuple[float, float]:
        """Time (s) and voltage (V) of one point."""
        k = bisect_right(self._points, index) - 1
        line = self.lines[k]
        loop, point = divmod(index - self._points[k], len(line.pattern.ticks))
        ticks = self.starts[k] + loop * line.pattern.length + line.pattern.ticks[point]
        return ticks * TICK, line.pattern.volts[point]

    def interpolated(self, time: float) -> float:
        """Voltage (V) at ``time`` (s)."""
        tick = time / TICK
        k = max(0, bisect_right(self.starts, tick + 1e-6) - 1)
        line, into = self.lines[k], max(0.0, tick - self.starts[k])
        if into <= line.duration:
            loop = min(int(into // line.pattern.length), line.loops - 1)
            return line.pattern.voltage(into - loop * line.pattern.length)
        last, following = line.pattern.volts[-1], self.lines[min(k + 1, len(self.lines) - 1)].pattern.volts[0]
        share = min(max((into - line.duration - GAP_HOLD) / GAP_RAMP, 0.0), 1.0)
        return last + (following - last) * share

    # -- measurement -------------------------------------------------------------------------------------------------

    def windows(self, offset: int, size: int) -> Windows:
        """Windows of values ``offset`` .. ``offset + size - 1``."""
        parts = [Windows.none()]
        for k, line in enumerate(self.lines):
            first, last = max(offset, self._values[k]), min(offset + size, self._values[k + 1])
            if first >= last:
                continue
            loops, within = np.divmod(np.arange(first, last) - self._values[k], line.values)
            begins, lengths, stamps, events = line.template
            base = (self.starts[k] + loops * line.pattern.length) * TICK
            parts.append(
                Windows(
                    base + begins[within],
                    lengths[within],
                    base + stamps[within],
                    loops.astype(np.float64),
                    np.full(loops.size, k),
                    events[within],
                )
            )
        return Windows.joined(parts)

    def finished_values(self, elapsed: float) -> int:
        """Values whose windows are over ``elapsed`` seconds after the start."""
        for k, line in enumerate(self.lines):
            start = self.starts[k] * TICK
            if elapsed >= start + line.duration * TICK:
                continue
            if elapsed <= start or not line.values:
                return self._values[k]
            loops = int((elapsed - start) / (line.pattern.length * TICK))
            begins, lengths, _, _ = line.template
            ends = begins + np.maximum(lengths, SAMPLE)
            within = elapsed - start - loops * line.pattern.length * TICK
            return self._values[k] + loops * line.values + int(np.searchsorted(ends, within, side="right"))
        return self.size

    def event(self, index: int) -> EventAddress:
        """The ``index``-th measurement event of the channel."""
        k = bisect_right(self._events, index) - 1
        line = self.lines[k]
        loop, event = divmod(index - self._events[k], len(line.pattern.measures))
        return self._address(k, loop, event)

    def measure_event(self, address: EventAddress) -> MeasureEvent:
        """The event behind an address."""
        return self.lines[address.sequence].pattern.measures[address.event]

    def cycle(self, sequence: int) -> int:
        """How many sequences before this one use the same pattern."""
        name = self.lines[sequence].pattern.name
        return sum(line.pattern.name == name for line in self.lines[:sequence])

    def count(self, address: EventAddress) -> int:
        """How many events of the same name come before this one in its pattern."""
        events = self.lines[address.sequence].pattern.measures
        return sum(e.name == events[address.event].name for e in events[: address.event])

    def find(self, pattern: str, event: str, cycle: int, loop: float, count: int) -> tuple[int, EventAddress]:
        """Index and address of an event by its name. Raises ``Failure`` when there is none."""
        uses = [k for k, line in enumerate(self.lines) if line.pattern.name == pattern]
        if 0 <= cycle < len(uses):
            k = uses[cycle]
            line = self.lines[k]
            named = [n for n, e in enumerate(line.pattern.measures) if e.name == event]
            if 0 <= count < len(named) and 0 <= loop < line.loops:
                address = self._address(k, int(loop), named[count])
                return self._events[k] + int(loop) * len(line.pattern.measures) + named[count], address
        raise Failure(codes.EVENT_NOT_FOUND, "Event not found.")

    def _address(self, sequence: int, loop: int, event: int) -> EventAddress:
        line = self.lines[sequence]
        before = sum(e.size for e in line.pattern.measures[:event])
        offset = self._values[sequence] + loop * line.values + before
        return EventAddress(sequence, loop, event, offset, line.pattern.measures[event].size)

    # -- ranges ------------------------------------------------------------------------------------------------------

    def current_ranges(self, windows: Windows, initial: int) -> tuple[Ints, Floats]:
        """Current range (code) of each window, and seconds since it was chosen by a range event (inf: never)."""
        ranges = np.full(windows.starts.size, initial)
        since = np.full(windows.starts.size, np.inf)
        carried = initial
        for k, line in enumerate(self.lines):
            last = line.pattern.ranges[-1].code if line.pattern.ranges else carried
            for before, here in (
                (carried, (windows.sequences == k) & (windows.loops == 0)),
                (last, (windows.sequences == k) & (windows.loops > 0)),
            ):
                if not here.any():
                    continue
                within = windows.starts[here] - (self.starts[k] + windows.loops[here] * line.pattern.length) * TICK
                times, after = _changes(line.pattern, before)
                at = np.searchsorted(times, within + 1e-12, side="right")
                ranges[here] = after[at]
                since[here] = within - np.concatenate([[-np.inf], times])[at]
            carried = last
        return ranges, since


def _changes(pattern: Pattern, before: int) -> tuple[Floats, Ints]:
    """Times (s) at which range events really change the range, and the range before the first and after each."""
    times: list[float] = []
    codes_after = [before]
    for event in pattern.ranges:
        if event.code != codes_after[-1]:
            times.append(event.time * TICK)
            codes_after.append(event.code)
    return np.array(times), np.array(codes_after)
