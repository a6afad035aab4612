"""A B1500A at the wire: lines of FLEX commands, its error queue, streamed data (reference b1500a sec. 1, 5, 11)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyvisa
from pymeasure.instruments.agilent.agilentB1500 import AgilentB1500

from drivers import b1500a_data as data
from drivers.clock import Clock
from drivers.errors import ErrorEntry, InstrumentError, ReplyError
from drivers.wire import SILENCE, WireInstrument, timed_out

#: longest line that the instrument takes, terminator included, with some room
_LINE = 240
_ERROR = re.compile(r'([+-]?\d+),"(.*)"')
_MOST_ERRORS = 1000
_MOST_STALE = 10_000
#: data are fetched in pieces that take about this long (s), so that what runs can be watched
_PIECE = 1.0
_SEPARATOR = 1  # byte between elements


class B1500ALink(AgilentB1500, WireInstrument):
    """PyMeasure's AgilentB1500 with an injected clock, every error reported, and data read while they come."""

    def __init__(
        self, adapter: Any, name: str, clock: Clock | None = None, visa_library: Any = "", **kwargs: Any
    ) -> None:
        super().__init__(adapter, name, clock=clock, visa_library=visa_library, **kwargs)
        self._known: dict[str, str] = {}

    # -- commands ----------------------------------------------------------------------------------------------------

    def write(self, command: str, **kwargs: Any) -> None:
        """Send a command; what was set is then no longer known to hold, unless it is a query."""
        if "?" not in command:
            self.forget()
        super().write(command, **kwargs)

    @staticmethod
    def lines(commands: Sequence[str]) -> Iterator[str]:
        """Commands joined to lines that the instrument takes."""
        line = ""
        for command in commands:
            longer = f"{line};{command}" if line else command
            if len(longer) > _LINE:
                yield line
                longer = command
            line = longer
        if line:
            yield line

    def forget(self) -> None:
        """Forget what is set: the next calls set everything."""
        self._known.clear()

    def send(self, commands: Sequence[str]) -> None:
        """Send commands in as few lines as they fit, then read the error queue.

        Raises:
            InstrumentError: names the lines.
        """
        lines = list(self.lines(commands))
        for line in lines:
            WireInstrument.write(self, line)
        self.check_errors("; ".join(lines))

    def send_changed(self, wanted: dict[str, str]) -> None:
        """Send those commands, by the name of the setting, that are not known to hold.

        Raises:
            InstrumentError: nothing is known to hold then.
        """
        changed = {name: text for name, text in wanted.items() if self._known.get(name) != text}
        if not changed:
            return
        try:
            self.send(list(changed.values()))
        except pyvisa.Error:
            self.forget()
            raise
        self._known.update(changed)

    def check_errors(self, command: str = "") -> list[ErrorEntry]:
        """Empty the error queue; ``command`` is what was sent before.

        Returns:
            An empty list, as PyMeasure's properties expect.

        Raises:
            InstrumentError: there were errors.
        """
        command = command or self.sent
        entries = self.errors()
        if entries:
            raise InstrumentError(self.name, entries, command)
        return []

    def errors(self) -> list[ErrorEntry]:
        """Take all entries out of the error queue."""
        entries: list[ErrorEntry] = []
        for _ in range(_MOST_ERRORS):
            reply = self.ask("ERRX?").strip()
            match = _ERROR.fullmatch(reply)
            if match is None:
                raise ReplyError(self.name, "ERRX?", reply)
            if int(match[1]) == 0:
                break
            entries.append(ErrorEntry(int(match[1]), match[2]))
        return entries

    # -- stale replies -----------------------------------------------------------------------------------------------

    def settle_link(self) -> None:
        """Stop a measurement that still runs and throw away what nobody read; outputs stay as they are.

        A device clear would do as much, but it switches all outputs off at once.
        """
        WireInstrument.write(self, "AB")
        connection = self.adapter.connection
        try:
            with self.timeout(SILENCE):
                for _ in range(_MOST_STALE):
                    connection.read_raw()
        except pyvisa.VisaIOError as error:
            if not timed_out(error):
                raise
        else:
            raise ReplyError(self.name, "AB", "messages without end")
        WireInstrument.write(self, "BC")

    def explain(self, error: pyvisa.VisaIOError, command: str) -> None:
        """After data that did not come: stop what may still run, and raise the error queued for it, if any.

        Raises:
            InstrumentError
        """
        self.forget()
        if timed_out(error):
            self.settle_link()
            self.check_errors(command)

    # -- data --------------------------------------------------------------------------------------------------------

    def stream(self, points: int, columns: int, first: float, step: float) -> Iterator[data.Elements]:
        """Data of a running measurement, piece by piece.

        Args:
            columns: elements per point. first, step: s that the first point and each further one may take.

        Raises:
            ReplyError, pyvisa.VisaIOError, InstrumentError.
        """
        at_once = max(1, int(_PIECE / step)) if step > 0 else points
        done = 0
        while done < points:
            # a single point first: what is wrong shows early
            count = min(at_once, points - done) if done else 1
            size = count * columns * (data.ELEMENT + _SEPARATOR) - (0 if done else _SEPARATOR)
            with self.patience(count * step + (0 if done else first)):
                piece = self._bytes(size)
            done += count
            yield data.parse(self.name, piece.decode("ascii").strip(","), columns)
        with self.patience(step):
            self._bytes(2)

    def rest(self, columns: int) -> list[data.Elements]:
        """What a measurement that was stopped still has, after ``stream`` was left."""
        text = self.read().strip("\r\n,")
        return [data.parse(self.name, text, columns)] if text else []

    def _bytes(self, size: int) -> bytes:
        try:
            found: bytes = self.read_bytes(size)
        except pyvisa.VisaIOError as error:
            self.explain(error, "XE")
            raise
        return found
