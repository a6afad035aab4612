"""The one clock of the simulated bench: discrete events in virtual time, or paced to the wall."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from math import inf


class Event:
    """A callback waiting for its time; the handle that ``call_at`` returns."""

    __slots__ = ("cancelled", "function", "time")

    def __init__(self, when: float, function: Callable[[], None]) -> None:
        self.time = when
        self.function = function
        self.cancelled = False


class Clock:
    """Virtual time in seconds since the bench was switched on.

    Time moves only through ``sleep``, ``advance_to`` and ``wait_for``; callbacks due on the way run in order of
    their time (ties: order of scheduling) with ``now`` at that time. A callback may schedule more, never sleep.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._queue: list[tuple[float, int, Event]] = []
        self._order = itertools.count()
        self._running = False

    @property
    def now(self) -> float:
        """Seconds."""
        return self._now

    def call_at(self, when: float, function: Callable[[], None]) -> Event:
        """Run ``function`` at time ``when`` (s); a time already past means: as soon as the clock moves."""
        event = Event(max(when, self._now), function)
        heapq.heappush(self._queue, (event.time, next(self._order), event))
        return event

    def cancel(self, event: Event) -> None:
        """Take a callback back; harmless when it has run already."""
        event.cancelled = True

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.advance_to(self._now + max(0.0, seconds))

    def advance_to(self, when: float) -> None:
        """Let time pass until ``when`` (s); nothing happens if that is past."""
        self._enter()
        try:
            while self._next_due() <= when:
                self._run_next()
            if when > self._now:
                self._reach(when)
        finally:
            self._running = False

    def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Go from callback to callback until ``predicate`` holds; False when ``timeout`` (s) passes first.

        Without a timeout (inf) it is False when nothing is scheduled any more: nothing can come.
        """
        deadline = self._now + timeout
        while not predicate():
            due = self._next_due()
            if due == inf and deadline == inf:
                return False
            if due > deadline:
                self.advance_to(deadline)
                return predicate()
            self._enter()
            try:
                self._run_next()
            finally:
                self._running = False
        return True

    def sync(self) -> None:
        """Catch up with real time (wall mode); virtual time stands still between calls."""

    def _enter(self) -> None:
        if self._running:
            raise RuntimeError("a callback of the clock must not sleep: schedule with call_at instead")
        self._running = True

    def _next_due(self) -> float:
        while self._queue and self._queue[0][2].cancelled:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else inf

    def _run_next(self) -> None:
        when, _, event = heapq.heappop(self._queue)
        self._reach(when)
        event.function()

    def _reach(self, when: float) -> None:
        self._now = max(self._now, when)


class WallClock(Clock):
    """Virtual time tied to the wall: ``speed`` virtual seconds pass per real second.

    For foreign programs that call ``time.sleep``: the VISA layer calls ``sync`` at each operation, and whatever
    virtual time is spent inside an operation is really waited for.
    """

    def __init__(self, speed: float = 1.0) -> None:
        super().__init__()
        self._speed = speed
        self._origin = time.monotonic()

    def sync(self) -> None:
        if not self._running:
            self.advance_to((time.monotonic() - self._origin) * self._speed)

    def _reach(self, when: float) -> None:
        ahead = when / self._speed - (time.monotonic() - self._origin)
        if ahead > 0:
            time.sleep(ahead)
        super()._reach(when)
