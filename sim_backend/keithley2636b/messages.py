"""From bytes on the wire to work for the engine: lines, script loading (reference keithley2636b sec. 1, 4)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Protocol

from sim_backend.clock import Clock
from sim_backend.keithley2636b.source import Pace
from sim_backend.tasks import Steps, Task

_LOADING = re.compile(r"(loadscript|loadandrunscript)(?:[ \t]+([A-Za-z_]\w*))?[ \t]*$")


class Interpreter(Protocol):
    """What lines are handed to."""

    def chunk(self, line: str) -> Steps[None]:
        """Run a line as one anonymous chunk."""

    def common(self, command: str) -> Steps[None] | None:
        """Run a *command; None when there is none of that name."""

    def script(self, source: str, name: str | None, run: bool) -> Steps[None]:
        """Take a script that has been loaded."""

    def prompt(self, loading: bool) -> None:
        """A line has been dealt with."""

    def too_long(self) -> None:
        """A line exceeded the input buffer."""

    def triggered(self) -> None:
        """*TRG came."""


class CommandQueue:
    """Takes lines one after the other; what a line starts must end before the next line begins (sec. 4 rule 3)."""

    def __init__(self, interpreter: Interpreter, clock: Clock, pace: Pace, line_limit: int) -> None:
        self._interpreter = interpreter
        self._clock = clock
        self._pace = pace
        self._line_limit = line_limit
        self._partial = b""
        self._lines: deque[str] = deque()
        self._task: Task | None = None
        self._waiting = False
        self._pumping = False
        self._loading: list[str] | None = None
        self._loading_as: tuple[str, str | None] = ("", None)

    # -- input -------------------------------------------------------------------------------------------------------

    def feed(self, data: bytes, end: bool, abort: Callable[[], None]) -> None:
        """Bytes as the wire delivers them. ``abort`` is called for a line of that word, at once."""
        data = self._partial + data
        *lines, self._partial = data.split(b"\n")
        if end and self._partial:
            lines.append(self._partial)
            self._partial = b""
        for raw in lines:
            line = raw.rstrip(b"\r").decode("latin-1")
            word = line.strip()
            if word == "abort":
                self._loading = None
                self.stop()
                abort()
            elif word.lower() == "*trg" and self._loading is None:
                self._interpreter.triggered()
            elif self._line_limit and len(line) > self._line_limit:
                self._interpreter.too_long()
            else:
                self._lines.append(line)
        self._pump()

    def stop(self) -> None:
        """End the running line where it stands; lines behind it stay."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def clear(self) -> None:
        """Device clear: everything that has not run is gone, what runs ends."""
        self._partial = b""
        self._lines.clear()
        self._loading = None
        self.stop()

    # -- lines -------------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Run lines until one has to wait."""
        if self._pumping or self._waiting:
            return
        self._pumping = True
        try:
            while self._lines and (self._task is None or self._task.done):
                if self._pace.ahead:
                    self._waiting = True
                    self._clock.call_at(self._clock.now + self._pace.ahead, self._resume)
                    return
                self._take(self._lines.popleft())
        finally:
            self._pumping = False

    def _resume(self) -> None:
        self._waiting = False
        self._pump()

    def _take(self, line: str) -> None:
        steps = self._steps_of(line)
        if steps is None:
            return
        self._task = Task(self._clock, steps, self._finished)
        self._task.start()

    def _finished(self) -> None:
        self._task = None
        self._interpreter.prompt(False)
        self._pump()

    def _steps_of(self, line: str) -> Steps[None] | None:
        word = line.strip()
        if self._loading is not None:
            if word != "endscript":
                self._loading.append(line)
                self._interpreter.prompt(True)
                return None
            source, self._loading = "\n".join(self._loading), None
            how, name = self._loading_as
            return self._interpreter.script(source, name, how == "loadandrunscript")
        if not word:
            return None
        if word.startswith("*"):
            steps = self._interpreter.common(word.lower())
            if steps is not None:
                return steps
        elif (match := _LOADING.match(word)) is not None:
            self._loading = []
            self._loading_as = (match.group(1), match.group(2))
            self._interpreter.prompt(True)
            return None
        elif word.split(None, 1)[0] == "password":
            return None
        return self._interpreter.chunk(line)
