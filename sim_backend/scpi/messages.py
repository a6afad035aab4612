"""From bytes on the wire to program messages, and from a message to its units with their data."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sim_backend.scpi.errors import ScpiError
from sim_backend.scpi.values import Token

_SPECIAL = re.compile(rb"[\"'\n#]")
_SEPARATOR = re.compile(rb"[\"'#;,]")
_NEEDS_SCAN = re.compile(rb"[\"'#]")


@dataclass(frozen=True)
class _Block:
    """Where the content of an arbitrary block lies; ``stop`` is None while its length is unknown."""

    start: int
    stop: int | None


def _block_at(buffer: bytes | bytearray, position: int) -> _Block | None:
    """The block whose ``#`` stands at ``position``; None if that is no block; may end beyond the buffer."""
    digits = buffer[position + 1 : position + 2]
    if not digits:
        return _Block(len(buffer), None)
    if not digits.isdigit():
        return None
    start = position + 2 + int(digits)
    length = buffer[position + 2 : start]
    if length and not length.isdigit():
        return None
    if digits == b"0" or len(length) < int(digits):
        return _Block(start, None)
    return _Block(start, start + int(length))


class Framer:
    """Cuts the bytes that arrive, in whatever pieces, into program messages.

    A message ends with LF or with END; a LF inside a block is data.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._seen = 0  # everything before has been looked at and holds no end of message

    def feed(self, data: bytes, end: bool) -> list[bytes]:
        """Messages that are complete now, without their terminators."""
        if not self._buffer and data.endswith(b"\n") and data.count(b"\n") == 1 and b"#" not in data:
            return [data]
        self._buffer += data
        messages = []
        while (stop := self._end_of_message()) is not None:
            messages.append(bytes(self._buffer[:stop]))
            del self._buffer[: stop + 1]
            self._seen = 0
        if end and self._buffer:
            messages.append(bytes(self._buffer))
            self.clear()
        return messages

    def clear(self) -> None:
        """Forget what has arrived (device clear)."""
        self._buffer.clear()
        self._seen = 0

    def _end_of_message(self) -> int | None:
        buffer = self._buffer
        while found := _SPECIAL.search(buffer, self._seen):
            position = found.start()
            mark = found.group()
            if mark == b"\n":
                return position
            if mark == b"#":
                block = _block_at(buffer, position)
                if block is None:
                    self._seen = position + 1
                elif block.stop is None or block.stop > len(buffer):
                    self._seen = position
                    return None
                else:
                    self._seen = block.stop
                continue
            closing = re.compile(mark + rb"|\n").search(buffer, position + 1)
            if closing is None:
                self._seen = position
                return None
            self._seen = closing.start() + (closing.group() == mark)
        self._seen = len(buffer)
        return None


@dataclass(frozen=True)
class Unit:
    """One program message unit: header as sent, without its question mark, and data."""

    header: str
    query: bool
    tokens: tuple[Token, ...]


def split_units(message: bytes) -> list[Unit | ScpiError]:
    """Units of one message; a unit that cannot be read is the error to queue."""
    if _NEEDS_SCAN.search(message) is None:
        parts = (text.split(",") for text in message.decode("latin-1").split(";"))
        return [unit for pieces in parts if (unit := _unit([(p, None) for p in pieces])) is not None]
    try:
        return _scan(message)
    except ScpiError as error:
        return [error]


Piece = tuple[str, bytes | None]
"""Text of one datum, or what stands before a block, and the block."""


def _unit(pieces: list[Piece]) -> Unit | None:
    """Unit from what stands between its commas, header still in front of the first datum."""
    text, content = pieces[0]
    words = text.split(None, 1)
    if not words:
        return None
    rest = words[1].rstrip() if len(words) > 1 else ""
    query = words[0].endswith("?")
    tokens: list[Token] = []
    if rest or content is not None or len(pieces) > 1:
        tokens.append(_token(rest, content))
    tokens += [_token(text.strip(), content) for text, content in pieces[1:]]
    return Unit(words[0][:-1] if query else words[0], query, tuple(tokens))


def _token(text: str, content: bytes | None) -> Token:
    if content is None:
        return text
    if text:
        raise ScpiError(-161, text)
    return content


def _scan(message: bytes) -> list[Unit | ScpiError]:
    units: list[Unit | ScpiError] = []
    pieces: list[Piece] = []
    content: bytes | None = None
    begin = position = 0
    while True:
        found = _SEPARATOR.search(message, position)
        mark = found.group() if found else b";"
        here = found.start() if found else len(message)
        position = here + 1
        if mark == b"#" and content is None:
            block = _block_at(message, here)
            if block is not None:
                before = message[begin:here].decode("latin-1")
                content, position = _content(message, block)
                begin = position
                pieces.append((before, content))
            continue
        if mark in (b'"', b"'"):
            closing = message.find(mark, position)
            if closing < 0:
                raise ScpiError(-151)
            position = closing + 1
            continue
        if mark == b"#":
            raise ScpiError(-161)
        text = message[begin:here].decode("latin-1")
        if content is None:
            pieces.append((text, None))
        elif text.strip():
            raise ScpiError(-161, text.strip())
        begin, content = position, None
        if mark == b";":
            unit = _unit(pieces)
            if unit is not None:
                units.append(unit)
            pieces = []
            if found is None:
                return units


def _content(message: bytes, block: _Block) -> tuple[bytes, int]:
    if block.stop is None:
        if message[block.start - 2 : block.start] != b"#0":
            raise ScpiError(-161)
        return message[block.start :].removesuffix(b"\n"), len(message)
    if block.stop > len(message):
        raise ScpiError(-161)
    return message[block.start : block.stop], block.stop
