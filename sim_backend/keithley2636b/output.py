"""The output queue: one reply per message, each ended by LF (reference keithley2636b sec. 1)."""

from __future__ import annotations

from collections import deque

from sim_backend.clock import Clock


class OutputQueue:
    """Replies not yet read; shared by all interfaces, emptied by device clear and *CLS.

    A reply is there ``reply_time`` (s) after it was printed, so that a host that polls lets time pass.
    """

    def __init__(self, clock: Clock, reply_time: float) -> None:
        self._clock = clock
        self._reply_time = reply_time
        self._messages: deque[tuple[float, bytes]] = deque()

    def put(self, message: bytes) -> None:
        ready = self._clock.now + self._reply_time
        self._messages.append((ready, message + b"\n"))
        self._clock.call_at(ready, _nothing)

    def take(self, count: int) -> tuple[bytes, bool]:
        """Up to ``count`` bytes of the oldest message that is there; True with its last byte."""
        if not self:
            return b"", False
        ready, message = self._messages[0]
        if len(message) <= count:
            self._messages.popleft()
            return message, True
        self._messages[0] = ready, message[count:]
        return message[:count], False

    def clear(self) -> None:
        self._messages.clear()

    def __bool__(self) -> bool:
        return bool(self._messages) and self._messages[0][0] <= self._clock.now


def _nothing() -> None:
    """The clock stops here: a reply is there from now on."""
