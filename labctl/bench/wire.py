"""The wire log: every byte that passes between labctl and its instruments, with the bench's time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: called with (time in s, instrument name, '>' sent or '<' received, bytes)
Tap = Callable[[float, str, str, bytes], None]


class TappedLibrary:
    """A VISA library that reports what one resource writes and reads, and passes everything on.

    Put in place of ``resource.visalib``, it sees the bytes as PyVISA hands them over, whatever driver is above
    and whatever VISA below.
    """

    def __init__(self, library: Any, name: str, now: Callable[[], float], tap: Tap) -> None:
        self._library = library
        self._name = name
        self._now = now
        self._tap = tap

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._library, attribute)

    def write(self, session: Any, data: bytes) -> Any:
        self._tap(self._now(), self._name, ">", bytes(data))
        return self._library.write(session, data)

    def read(self, session: Any, count: int) -> Any:
        data, status = self._library.read(session, count)
        self._tap(self._now(), self._name, "<", bytes(data))
        return data, status
