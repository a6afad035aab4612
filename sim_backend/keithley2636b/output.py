"""The output queue: one reply per message, each ended by LF (reference keithley2636b sec. 1)."""

from __future__ import annotations

from collections import deque


class OutputQueue:
    """Replies not yet read; shared by all interfaces, emptied by device clear and *CLS."""

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self.replies = 0  # put so far

    def put(self, message: bytes) -> None:
        self._messages.append(message + b"\n")
        self.replies += 1

    def take(self, count: int) -> tuple[bytes, bool]:
        """Up to ``count`` bytes of the oldest message; True with its last byte."""
        if not self._messages:
            return b"", False
        message = self._messages[0]
        if len(message) <= count:
            self._messages.popleft()
            return message, True
        self._messages[0] = message[count:]
        return message[:count], False

    def clear(self) -> None:
        self._messages.clear()

    def __bool__(self) -> bool:
        return bool(self._messages)
