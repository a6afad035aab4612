"""Where a repeated waveform stands, segment by segment, without rounding adding up over a million periods."""

from __future__ import annotations

from bisect import bisect_right
from math import floor, inf

from sim_backend.circuit.cable import low_pass, visible
from sim_backend.circuit.waveform import Waveform


class Player:
    """Cursor in a waveform repeated ``count`` times from absolute time ``start`` (s).

    Before ``start`` the EMF is ``before``, after the last repetition it is ``waveform.after`` (V).
    """

    __slots__ = ("_programmed", "_tau", "before", "count", "cycle", "offset", "segment", "start", "waveform")

    def __init__(self, waveform: Waveform, count: float, start: float, before: float) -> None:
        self.waveform = waveform  # as it arrives at the terminal
        self._programmed = waveform
        self._tau = 0.0
        self.count = count
        self.start = start
        self.before = before
        self.cycle = -1  # -1: not begun
        self.segment = 0
        self.offset = 0.0  # s into the segment

    @property
    def finished(self) -> bool:
        return self.cycle >= self.count

    def through_cable(self, tau: float) -> None:
        """Pass the programmed waveform through a low-pass of ``tau`` (s), where that shows; then ``seek`` anew."""
        if tau == self._tau:
            return
        wave, self._tau = self._programmed, tau
        self.waveform = low_pass(wave, tau, self.count, self.before) if visible(wave, tau) else wave

    def seek(self, now: float) -> None:
        """Go to where absolute time ``now`` (s) lies."""
        elapsed = now - self.start
        self.segment, self.offset = 0, 0.0
        if elapsed < 0:
            self.cycle = -1
            return
        self.cycle = floor(elapsed / self.waveform.period)
        if self.finished:
            return
        within = min(max(elapsed - self.cycle * self.waveform.period, 0.0), self.waveform.period)
        self.segment = bisect_right(self.waveform.boundaries, within)
        if self.segment == len(self.waveform.durations):
            self._next_cycle()
            return
        self.offset = within - (self.waveform.boundaries[self.segment - 1] if self.segment else 0.0)

    def boundary(self) -> float:
        """Absolute time (s) at which the present segment ends."""
        if self.cycle < 0:
            return self.start
        if self.finished:
            return inf
        return self.start + self.cycle * self.waveform.period + self.waveform.boundaries[self.segment]

    def remaining(self) -> float:
        """Seconds left of the present segment, exact to the segment's own duration."""
        return self.waveform.durations[self.segment] - self.offset

    def emf(self, ahead: float = 0.0) -> float:
        """EMF (V) ``ahead`` seconds on within the present segment."""
        if self.cycle < 0:
            return self.before
        if self.finished:
            return self.waveform.after
        first, last = self.waveform.starts[self.segment], self.waveform.ends[self.segment]
        if first == last:
            return first
        duration = self.waveform.durations[self.segment]
        return first + (last - first) * min(1.0, (self.offset + ahead) / duration)

    def sloped(self) -> bool:
        """Whether the EMF changes within the present segment."""
        if self.cycle < 0 or self.finished:
            return False
        return self.waveform.starts[self.segment] != self.waveform.ends[self.segment]

    def at_period_start(self) -> bool:
        return self.cycle >= 0 and self.segment == 0 and self.offset == 0.0

    def step(self, seconds: float) -> None:
        """Move on within the present segment."""
        self.offset += seconds

    def next_segment(self) -> None:
        """Move to the start of the next segment (or of the waveform)."""
        self.offset = 0.0
        if self.cycle < 0:
            self.cycle = 0
            self.segment = -1
        self.segment += 1
        while self.segment < len(self.waveform.durations) and self.waveform.durations[self.segment] == 0.0:
            self.segment += 1
        if self.segment == len(self.waveform.durations):
            self._next_cycle()

    def skip(self, periods: int) -> None:
        """Move on by whole periods."""
        self.cycle += periods

    def _next_cycle(self) -> None:
        self.cycle += 1
        self.segment = 0
        self.offset = 0.0
        while self.waveform.durations[self.segment] == 0.0:
            self.segment += 1
