"""Keithley TSP instruments at the wire: statements whose errors are known when they end, and scripts by content."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pyvisa

from drivers.clock import Clock
from drivers.errors import ErrorEntry, InstrumentError, ReplyError
from drivers.wire import WireInstrument, timed_out

#: how often, and how long each time in s, an instrument is asked to answer in turn
_ATTEMPTS = 4
_MARK_TIMEOUT = 1.0
_BOOLEANS = {"true": 1.0, "false": 0.0}
#: a number in a binary answer: little-endian REAL64
_REAL64 = np.dtype("<f8")
#: lines, or errors, read before the instrument is given up as babbling
_MOST_LINES = 1000


class TspInstrument(WireInstrument):
    """Statements of the Test Script Processor in one line that ends by printing the number of errors queued.

    An instrument of this family answers nothing when a line fails; the failure is found in its error queue.
    """

    def __init__(
        self, adapter: Any, name: str, clock: Clock | None = None, visa_library: Any = "", **kwargs: Any
    ) -> None:
        super().__init__(adapter, name, clock, visa_library, **kwargs)
        self._scripts: dict[str, str] = {}
        self._marks = 0

    def exchange(self, statements: Sequence[str], expressions: Sequence[str] = ()) -> list[str]:
        """Carry out ``statements`` and print ``expressions``, in one line; the values printed.

        Raises:
            InstrumentError: the error queue is not empty after it; the line is its ``command``.
            ReplyError: not one value per expression.
            pyvisa.VisaIOError: no reply, and no error queued that explains it.
        """
        line = " ".join([*statements, f"print({', '.join([*expressions, 'errorqueue.count'])})"])
        try:
            reply: str = self.ask(line)
        except pyvisa.VisaIOError as error:
            self.explain(error, line)
            raise
        values = reply.strip("\r\n").split("\t")
        if len(values) != len(expressions) + 1:
            raise ReplyError(self.name, line, reply)
        if self.as_numbers(values[-1:], line)[0]:
            self.check_errors(line)
        return values[:-1]

    def numbers(self, statements: Sequence[str], expressions: Sequence[str]) -> list[float]:
        """Like ``exchange``, with all values as numbers; true is 1 and false 0.

        Raises:
            ReplyError: one is none.
        """
        return self.as_numbers(self.exchange(statements, expressions), ", ".join(expressions))

    def as_numbers(self, values: Sequence[str], command: str) -> list[float]:
        """Numbers and booleans as printed; ``command`` is named if one is neither.

        Raises:
            ReplyError
        """
        try:
            return [_BOOLEANS[v] if v in _BOOLEANS else float(v) for v in values]
        except ValueError:
            raise ReplyError(self.name, command, "\t".join(values)) from None

    def check_errors(self, command: str = "") -> list[ErrorEntry]:
        """Empty the error queue.

        Args:
            command: what was sent before, for the message; what was sent last by default.

        Returns:
            An empty list, as PyMeasure's properties expect.

        Raises:
            InstrumentError: there were errors.
        """
        command = command or self.sent
        entries = self._errors()
        if entries:
            raise InstrumentError(self.name, entries, command)
        return []

    def explain(self, error: pyvisa.VisaIOError, command: str) -> None:
        """After a reply that did not come: stop what may still run, and raise the error queued for it, if any.

        Raises:
            InstrumentError
        """
        if timed_out(error):
            self._scripts.clear()  # the instrument may have been switched off and on
            self.synchronise()
            self.check_errors(command)

    def synchronise(self) -> None:
        """Stop running scripts, throw away replies that nobody read, and make sure that the next one is ours.

        On a raw socket, lines that wait behind a running one stay when that is aborted: hence several attempts.

        Raises:
            ReplyError: the instrument does not answer in turn. pyvisa.VisaIOError: it does not answer.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            self.write("abort")
            self.clear_link()
            self._marks += 1
            mark = f"synchronised {self._marks}"
            self.write(f"localnode.prompts=0 localnode.showerrors=0 print([[{mark}]])")
            try:
                with self.timeout(_MARK_TIMEOUT):
                    self._read_until(mark)
                return
            except pyvisa.VisaIOError as error:
                if not timed_out(error) or attempt == _ATTEMPTS:
                    raise

    def _read_until(self, mark: str) -> None:
        for _ in range(_MOST_LINES):
            if self.read().strip().endswith(mark):
                return
        raise ReplyError(self.name, mark, "messages without end")

    def load_script(self, stem: str) -> str:
        """Global name of the functions in ``tsp/<stem>.lua``; asked for, and sent if absent, once per session.

        The name carries the hash of the source: what an earlier version left in the instrument is never run.

        Raises:
            InstrumentError: the source does not compile or run. ReplyError: it left no functions.
        """
        if stem in self._scripts:
            return self._scripts[stem]
        source = (files("drivers") / "tsp" / f"{stem}.lua").read_text(encoding="utf-8").replace("\r\n", "\n")
        name = f"{stem}_{sha256(source.encode()).hexdigest()[:12]}"
        if not self._has(name):
            body = source.replace("MODULE", name).rstrip()
            self.write(f"loadandrunscript\n{body}\nendscript")
            if not self._has(name):
                raise ReplyError(self.name, f"loadandrunscript {stem}", f"{name} is nil")
        self._scripts[stem] = name
        return name

    def read_block(self, count: int) -> npt.NDArray[np.float64]:
        """``count`` little-endian REAL64 numbers, read by length, for they may look like terminators.

        Raises:
            ReplyError: not a block of this length.
        """
        data: bytes = self.read_bytes(2 + 8 * count + 1)
        if not (data.startswith(b"#0") and data.endswith(b"\n")):
            raise ReplyError(self.name, "printbuffer", data[:32])
        return np.frombuffer(data, _REAL64, count, offset=2).astype(np.float64)

    def _has(self, name: str) -> bool:
        return self.exchange([], [f"{name} ~= nil"]) == ["true"]

    def _errors(self) -> list[ErrorEntry]:
        """All entries of the queue: code, text, severity and node, printed with tabs between."""
        entries: list[ErrorEntry] = []
        query = "print(errorqueue.next())"
        for _ in range(_MOST_LINES):
            fields = self.ask(query).strip("\r\n").split("\t")
            if len(fields) < 3:
                raise ReplyError(self.name, query, "\t".join(fields))
            code, severity = self.as_numbers([fields[0], fields[2]], query)
            if code == 0:
                break
            entries.append(ErrorEntry(int(code), fields[1], int(severity)))
        return entries
