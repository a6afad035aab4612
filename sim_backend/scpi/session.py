"""The message exchange of IEEE 488.2: parser, input buffer, output queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sim_backend.scpi.errors import ScpiError
from sim_backend.scpi.headers import HeaderTree
from sim_backend.scpi.messages import Framer, split_units
from sim_backend.scpi.status import Status
from sim_backend.scpi.values import Token

Suffixes = tuple[int, ...]
Tokens = tuple[Token, ...]
Setter = Callable[[Suffixes, Tokens], None]
Getter = Callable[[Suffixes, Tokens], str | bytes]

_CACHED_LENGTH = 256  # longer messages hold data that hardly come twice
_CACHED_MESSAGES = 4096


@dataclass(frozen=True)
class Command:
    """One command: its headers, written as ``sim_backend.scpi.headers`` says, and what its two forms do."""

    patterns: tuple[str, ...]
    set: Setter | None = None
    query: Getter | None = None


@dataclass(frozen=True, slots=True)
class _Query:
    run: Getter
    suffixes: Suffixes
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class _Set:
    run: Setter
    suffixes: Suffixes
    tokens: Tokens


_Call = _Query | _Set | ScpiError


class Session:
    """Executes program messages against a table of commands, one unit after the other.

    A reply that has not been read when the next message begins is thrown away with -410, unless
    ``keep_unread``. ``pause`` holds everything after the running unit until ``resume``: that is being busy.
    """

    def __init__(
        self,
        commands: Iterable[Command],
        status: Status,
        keep_unread: bool = False,
        suffix_error: int = -114,
    ) -> None:
        """``suffix_error``: what a numeric suffix out of range queues."""
        self._tree: HeaderTree[Command] = HeaderTree(suffix_error)
        for command in commands:
            for pattern in command.patterns:
                self._tree.add(pattern, command)
        self._status = status
        self._keep_unread = keep_unread
        self._framer = Framer()
        self._compiled: dict[bytes, tuple[_Call, ...]] = {}
        self._messages: deque[tuple[_Call, ...]] = deque()
        self._running: Iterator[_Call] | None = None
        self._replies: list[bytes] = []
        self._output: deque[bytes] = deque()
        self._paused = 0
        self._told_unterminated = False

    def write(self, data: bytes, end: bool) -> None:
        """Bytes from the controller."""
        self._told_unterminated = False
        for message in self._framer.feed(data, end):
            calls = self._compile(message)
            if calls:  # a terminator alone is no message
                self._messages.append(calls)
        self._run()

    def read(self, count: int) -> tuple[bytes, bool]:
        """Next bytes of the output queue, and whether a message ends there; -420 if nothing will come."""
        if not self._output:
            if not (self.busy or self._told_unterminated):
                self._told_unterminated = True
                self._status.report(-420)
            return b"", False
        message = self._output[0]
        if len(message) <= count:
            return self._output.popleft(), True
        self._output[0] = message[count:]
        return message[:count], False

    def pending(self) -> bool:
        """Is there something to read (MAV)?"""
        return bool(self._output)

    @property
    def busy(self) -> bool:
        """Is a message waiting or running?"""
        return bool(self._paused or self._messages or self._running is not None)

    def clear(self) -> None:
        """Device clear: input, output and what has not been executed yet; a pause that is on goes on."""
        self._framer.clear()
        self._messages.clear()
        self._running = None
        self._replies.clear()
        self._output.clear()

    def pause(self) -> None:
        """Execute nothing more until ``resume``; pauses nest."""
        self._paused += 1

    def resume(self) -> None:
        """End one pause and go on."""
        self._paused -= 1
        self._run()

    def _run(self) -> None:
        while not self._paused:
            if self._running is None:
                if not self._messages:
                    return
                self._running = iter(self._messages.popleft())
                if self._output and not self._keep_unread:
                    self._output.clear()
                    self._status.report(-410)
            call = next(self._running, None)
            if call is None:
                self._running = None
                if self._replies:
                    self._output.append(b";".join(self._replies) + b"\n")
                    self._replies.clear()
            else:
                self._execute(call)

    def _execute(self, call: _Call) -> None:
        try:
            if isinstance(call, _Set):
                call.run(call.suffixes, call.tokens)
            elif isinstance(call, _Query):
                reply = call.run(call.suffixes, call.tokens)
                self._replies.append(reply.encode("latin-1") if isinstance(reply, str) else reply)
            else:
                self._status.report(call.code, call.detail)
        except ScpiError as error:
            self._status.report(error.code, error.detail)

    def _compile(self, message: bytes) -> tuple[_Call, ...]:
        calls = self._compiled.get(message)
        if calls is None:
            calls = tuple(self._calls(message))
            if len(message) <= _CACHED_LENGTH:
                if len(self._compiled) >= _CACHED_MESSAGES:
                    self._compiled.clear()
                self._compiled[message] = calls
        return calls

    def _calls(self, message: bytes) -> Iterator[_Call]:
        branch = ""
        for unit in split_units(message):
            if isinstance(unit, ScpiError):
                yield unit
                continue
            header = unit.header
            if header.startswith(":"):
                header = header[1:]
            elif not header.startswith("*"):
                header = branch + header
            if not header.startswith("*"):
                branch = header[: header.rfind(":") + 1]
            try:
                command, suffixes = self._tree.find(header)
            except ScpiError as error:
                yield error
                continue
            if unit.query and command.query is not None:
                yield _Query(command.query, suffixes, unit.tokens)
            elif not unit.query and command.set is not None:
                yield _Set(command.set, suffixes, unit.tokens)
            else:
                yield ScpiError(-113, header)
