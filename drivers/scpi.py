"""SCPI in messages that always end with the instrument's errors known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import pyvisa

from drivers.errors import ErrorEntry, InstrumentError, ReplyError
from drivers.wire import WireInstrument, timed_out

#: error classes of the standard event status register (QYE, DDE, EXE, CME) as SCPI's class numbers
_EVENT_CLASSES = {
    32: ErrorEntry(-100, "Command error (event status register; the queue is empty)"),
    16: ErrorEntry(-200, "Execution error (event status register; the queue is empty)"),
    8: ErrorEntry(-300, "Device-specific error (event status register; the queue is empty)"),
    4: ErrorEntry(-400, "Query error (event status register; the queue is empty)"),
}
_ERROR_BITS = sum(_EVENT_CLASSES)
#: power on, user request, request control, operation complete: in the queue, but no errors
_EVENTS = range(-899, -499)
#: entries read before a queue is given up as endless (the AFG31000's holds 64)
_MOST_ENTRIES = 200
INFINITE = 1e30


def parse_float(reply: str) -> float:
    """A number, also of a count; 9.9E+37 stands for infinity.

    Raises:
        ValueError
    """
    value = float(reply)
    return float("inf") if value > INFINITE else value


@lru_cache(maxsize=64)  # nearly always the same: no error
def parse_error(reply: str) -> ErrorEntry:
    """``-222,"Data out of range"`` as an entry.

    Raises:
        ValueError
    """
    code, comma, text = reply.strip().partition(",")
    if not comma:
        raise ValueError(f"no error entry: {reply!r}")
    return ErrorEntry(int(float(code)), text.strip().strip('"'))


def block(data: bytes) -> bytes:
    """Definite-length arbitrary block of IEEE 488.2."""
    length = str(len(data))
    return f"#{len(length)}{length}".encode("ascii") + data


@lru_cache(maxsize=256)  # the same few, again and again
def _message(*parts: str) -> str:
    headed = [p if p.startswith("*") else f":{p}" for p in parts]
    return ";".join([*headed, "*ESR?", ":SYST:ERR?"])


class ScpiInstrument(WireInstrument):
    """Commands and queries in one message, closed by ``*ESR?`` and ``SYSTem:ERRor?``.

    One message, one reply: that keeps the instrument's input buffer from overflowing, and no group of settings
    ends with an error unread.
    """

    def exchange(self, commands: Sequence[str], queries: Sequence[str] = ()) -> list[str]:
        """Send ``commands``, then ``queries``, in one message; replies of the queries.

        Headers are given without leading colon.

        Raises:
            InstrumentError: the instrument reports an error; the message is its ``command``.
            ReplyError: not one reply per query.
            pyvisa.VisaIOError: no reply, and no error queued that explains it.
        """
        message = _message(*commands, *queries)
        try:
            reply = self.ask(message).strip()
        except pyvisa.VisaIOError as error:
            self._explain(error, message)
            raise
        return self._values(message, reply, len(queries))

    def block_and_values(self, query: str, queries: Sequence[str] = ()) -> tuple[bytes, list[str]]:
        """A block that ``query`` asks for, and replies of further queries, in one message; errors as in ``exchange``.

        The block is read by length, for its bytes may look like terminators.

        Raises:
            InstrumentError, ReplyError, pyvisa.VisaIOError: as ``exchange``.
        """
        message = _message(query, *queries)
        try:
            self.write(message)
            start = self.read_bytes(2)
            if start[:1] != b"#" or not start[1:].isdigit():
                raise ReplyError(self.name, message, start)
            data: bytes = self.read_bytes(int(self.read_bytes(int(start[1:]))))
            reply = self.read().strip()
        except pyvisa.VisaIOError as error:
            self._explain(error, message)
            raise
        return data, self._values(message, reply.removeprefix(";"), len(queries))

    def _explain(self, error: pyvisa.VisaIOError, message: str) -> None:
        """After a reply that did not come: raise the error queued for it, if any."""
        if timed_out(error):  # an instrument that drops the rest of a faulty message says so in its queue
            self.clear_link()
            self.check_errors(message)

    def _values(self, message: str, reply: str, count: int) -> list[str]:
        """Replies of ``count`` queries, out of a reply that ends with event register and error entry."""
        # the error text comes last, for it may contain semicolons
        values = reply.split(";", count + 1)
        try:
            events, entry = int(float(values[-2])), parse_error(values[-1])
        except (ValueError, IndexError):
            raise ReplyError(self.name, message, reply) from None
        if len(values) != count + 2:
            raise ReplyError(self.name, message, reply)
        if entry.code or events & _ERROR_BITS:
            self._raise(message, entry, events)
        return [value.strip() for value in values[:-2]]

    def numbers(self, commands: Sequence[str], queries: Sequence[str]) -> list[float]:
        """Like ``exchange``, with all replies as numbers.

        Raises:
            ReplyError: one is none.
        """
        replies = self.exchange(commands, queries)
        try:
            return [parse_float(reply) for reply in replies]
        except ValueError:
            raise ReplyError(self.name, ";".join(queries), ";".join(replies)) from None

    def check_errors(self, command: str = "") -> list[ErrorEntry]:
        """Empty the error queue.

        Args:
            command: what was sent before, for the message; what was sent last by default.

        Returns:
            An empty list, as PyMeasure's properties expect.

        Raises:
            InstrumentError: there were errors (events of the range -899 .. -500 are none).
        """
        self._raise(command or self.sent, self._next_error(), 0)
        return []

    def _next_error(self) -> ErrorEntry:
        reply = self.ask(":SYST:ERR?")
        try:
            return parse_error(reply)
        except ValueError:
            raise ReplyError(self.name, ":SYST:ERR?", reply) from None

    def _raise(self, command: str, entry: ErrorEntry, events: int) -> None:
        """Raise for ``entry``, for what is behind it in the queue, or for the bits of ``events`` alone."""
        entries = []
        for _ in range(_MOST_ENTRIES):
            if entry.code == 0:
                break
            entries.append(entry)
            entry = self._next_error()
        errors = [e for e in entries if e.code not in _EVENTS]
        if not entries:
            errors = [e for bit, e in _EVENT_CLASSES.items() if events & bit]
        if errors:
            raise InstrumentError(self.name, errors, command)
