"""Query buffer and output data buffer (reference b1500a sec. 1, 11)."""

from __future__ import annotations

from collections import deque

from sim_backend.b1500a import formats
from sim_backend.b1500a.formats import Datum

_END = b"\r\n"


class _Record:
    """Data of one measurement, streamed while it runs; ``closed``: nothing more comes."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.first = True
        self.closed = False


class DataBuffer:
    """Measured data in the format chosen; emptied by reading, BC, FMT, *RST, device clear."""

    def __init__(self, fill: str) -> None:
        self.format = 1
        self._fill = fill
        self._records: deque[_Record] = deque()

    def begin(self) -> None:
        """A measurement starts: what comes now is one record."""
        self._records.append(_Record())

    def put(self, datum: Datum) -> None:
        """Add an element to the record that is open."""
        record = self._records[-1]
        element = formats.encode(datum, self.format, self._fill)
        first, record.first = record.first, False
        if self.format in formats.COMMA:
            record.data += element + b","
            return
        if not first and self.format not in (*formats.BINARY_SHORT, *formats.BINARY_LONG):
            record.data += b","
        record.data += element

    def end(self) -> None:
        """The measurement is over, or was cut short: the record ends as its format says; without data there is none."""
        if not self._records or self._records[-1].closed:
            return
        record = self._records[-1]
        if not record.first and self.format not in (*formats.COMMA, 4, 14):
            record.data += _END
        record.closed = True
        if not record.data:
            self._records.pop()

    def clear(self) -> None:
        """Throw unread data away; an open record goes on empty."""
        running = self._records[-1] if self._records and not self._records[-1].closed else None
        self._records.clear()
        if running is not None:
            running.data.clear()
            self._records.append(running)

    def take(self, count: int) -> tuple[bytes, bool]:
        """Up to ``count`` bytes, and whether the record ends with them."""
        if not self:
            return b"", False
        record = self._records[0]
        taken = bytes(record.data[:count])
        del record.data[:count]
        ended = record.closed and not record.data
        if ended:
            self._records.popleft()
        # comma formats have no end of their own
        return taken, ended and self.format not in formats.COMMA

    def unread(self) -> int:
        """Number of elements not yet read (NUB?)."""
        if self.format in formats.BINARY_SHORT:
            return sum(len(record.data) // 4 for record in self._records)
        if self.format in formats.BINARY_LONG:
            return sum(len(record.data) // 8 for record in self._records)
        return sum(
            sum(1 for element in record.data.replace(_END, b"").split(b",") if element) for record in self._records
        )

    def __bool__(self) -> bool:
        return bool(self._records) and bool(self._records[0].data)


class QueryBuffer:
    """Replies to queries, always ASCII and one record each."""

    def __init__(self) -> None:
        self._replies: deque[bytes] = deque()

    def put(self, text: str) -> None:
        """Add a reply."""
        self._replies.append(text.encode("latin-1") + _END)

    def take(self, count: int) -> tuple[bytes, bool]:
        """Up to ``count`` bytes of the oldest reply, and whether it ends with them."""
        reply = self._replies.popleft()
        if len(reply) <= count:
            return reply, True
        self._replies.appendleft(reply[count:])
        return reply[:count], False

    def clear(self) -> None:
        self._replies.clear()

    def __bool__(self) -> bool:
        return bool(self._replies)
