"""Every message between labctl and the instruments of a bench, from the first byte on, told to whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

#: called with (time in s, instrument name, direction, bytes); directions: '>' sent, '<' received, 'clear' device clear
Tap = Callable[[float, str, str, bytes], None]


class Wire:
    """The taps of one bench.

    Args:
        clock: the bench's, ``now`` in s.
        taps: who listens from the start.
        keep: keep what passes until ``log`` asks for it, for a log that can only start when the bench is open.
    """

    def __init__(self, clock: Any, taps: Iterable[Tap] = (), keep: bool = False) -> None:
        self._clock = clock
        self._taps = list(taps)
        self._kept: list[tuple[float, str, str, bytes]] = []
        if keep:
            self._taps.append(self._keep)

    def _keep(self, *message: Any) -> None:
        self._kept.append(message)

    def tell(self, name: str, direction: str, data: bytes) -> None:
        """A message passes now."""
        now = self._clock.now
        for tap in self._taps:
            tap(now, name, direction, data)

    def tap(self, tap: Tap) -> None:
        """Tell ``tap`` of every message from now on."""
        self._taps.append(tap)

    def untap(self, tap: Tap) -> None:
        """Tell ``tap`` no more."""
        self._taps.remove(tap)

    @contextmanager
    def log(self, tap: Tap) -> Iterator[None]:
        """Tell ``tap`` of every message that was kept, then of every message while the block runs."""
        if self._keep in self._taps:
            self.untap(self._keep)
        for message in self._kept:
            tap(*message)
        self._kept = []
        self.tap(tap)
        try:
            yield
        finally:
            self.untap(tap)


class TappedLibrary:
    """A VISA library that tells a ``Wire`` what its resources write and read, and passes everything on.

    Put in place of ``ResourceManager.visalib``, it sees the bytes as PyVISA hands them over, whatever driver is above
    and whatever VISA below. What is opened belongs to the instrument called ``opening``.
    """

    def __init__(self, library: Any, wire: Wire) -> None:
        self._library = library
        self._wire = wire
        self._names: dict[Any, str] = {}
        self.opening = ""

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._library, attribute)
        if callable(found):
            setattr(self, attribute, found)  # found without this detour the next time
        return found

    def open(self, *arguments: Any, **options: Any) -> Any:
        session, status = self._library.open(*arguments, **options)
        self._names[session] = self.opening
        return session, status

    def write(self, session: Any, data: bytes) -> Any:
        self._wire.tell(self._names[session], ">", bytes(data))
        return self._library.write(session, data)

    def read(self, session: Any, count: int) -> Any:
        data, status = self._library.read(session, count)
        self._wire.tell(self._names[session], "<", bytes(data))
        return data, status

    def clear(self, session: Any) -> Any:
        self._wire.tell(self._names[session], "clear", b"")
        return self._library.clear(session)
