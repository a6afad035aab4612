"""The clock that drivers wait on: the host's, or a simulated bench's."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds from any origin, and a way to let them pass."""

    @property
    def now(self) -> float:
        """Time now in s."""

    def sleep(self, duration: float, /) -> None:
        """Let ``duration`` seconds pass."""


class SystemClock:
    """The host's monotonic clock."""

    @property
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, duration: float, /) -> None:
        time.sleep(duration)
