"""The TSP engine: one Lua state, its chunks run as tasks, errors put the way the instrument puts them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lupa.lua51 import LuaRuntime

from sim_backend.keithley2636b.bindings import Bindings, Handoff, Leaf, Report
from sim_backend.keithley2636b.dialect import translate
from sim_backend.keithley2636b.errors import TspError
from sim_backend.tasks import Steps

_POSITION = re.compile(r'^(?:tsp|\[string "(?:[^\n]*?)"\]):(\d+): ')
# what Lua itself quotes: after a word, or before 'expected'
_QUOTED = re.compile(r"(?<= )'([^\n]*?)'(?=$|[\s,)])|'([^'\n]*)'(?= expected)")
_CACHED = 2048  # lines whose compiled chunk is kept
_HOOK = 1_000_000  # instructions between looks at an endless loop, as in core.lua
_EXIT = "exit"
_OUT_OF_MEMORY = "not enough memory"


class CompileError(Exception):
    """A chunk that does not compile; the text is the instrument's."""


class Engine:
    """Lua for one instrument.

    ``functions`` are the host functions that the core library needs by name; ``report`` takes what goes to the error
    queue; ``ahead`` tells the seconds that settings still take. A run-time error ends its chunk as -286.
    """

    def __init__(
        self,
        functions: dict[str, Leaf],
        report: Report,
        ahead: Callable[[], float],
        loop_time: float,
        endless_loop: int,
        memory: int,
    ) -> None:
        self._lua = LuaRuntime(
            encoding="latin-1",
            source_encoding="latin-1",
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            max_memory=0,
        )
        self._report = report
        self._cache: dict[str, Any] = {}
        self._worker: Any = None
        self.handoff = Handoff(report)
        self.bindings = Bindings(self._lua, self.handoff, report, ahead)
        self.bindings.load(
            {**functions, "translate": translate, "results": self.handoff.collect},
            {"turn_time": loop_time, "budget": max(1, endless_loop // _HOOK), "exit": _EXIT},
        )
        self._memory = memory
        self._built = 0

    def seal(self) -> None:
        """The instrument is built: from here on memory counts as the scripts'."""
        self._built = self._lua.get_memory_used()
        self._lua.set_max_memory(self._built + self._memory)

    @property
    def memory_used(self) -> int:
        """Bytes that scripts and variables hold."""
        return max(0, int(self._lua.get_memory_used()) - self._built)

    def compile(self, source: str) -> Any:
        """Chunk of ``source`` (kept for the next time); CompileError with the instrument's text."""
        chunk = self._cache.get(source)
        if chunk is None:
            chunk = self.bindings.core.compile(translate(source), source)
            if isinstance(chunk, tuple):
                raise CompileError(syntax_text(str(chunk[1])))
            if "setfenv" not in source:
                if len(self._cache) >= _CACHED:
                    self._cache.clear()
                self._cache[source] = chunk
        return chunk

    def run(self, chunk: Any) -> Steps[None]:
        """Steps of a chunk."""
        worker = self._worker
        if worker is None:
            worker = self._worker = self.bindings.core.worker().coroutine()
            worker.send(None)
        handoff, message = self.handoff, chunk
        ended = False
        try:
            while True:
                handoff.slices += 1
                handoff.running = True
                state = worker.send(message)
                handoff.running = False
                if state is False:
                    yield from handoff.work()
                elif state is True:
                    break
                elif isinstance(state, tuple):
                    self._failed(state[1])
                    return
                else:
                    yield float(state)
                message = None
            ended = True
        finally:
            handoff.running = False
            if not ended:
                self._worker = None

    def _failed(self, problem: Any) -> None:
        """A chunk ended with ``problem``: Lua's message, or what a host function raised (a bug, Ctrl+C)."""
        if isinstance(problem, BaseException):
            raise problem
        text = problem if isinstance(problem, str) else ""
        if text == _OUT_OF_MEMORY:
            self._report(TspError(-225))
        elif text != _EXIT:
            self._report(TspError(-286, text=runtime_text(text)))


def syntax_text(message: str) -> str:
    """Lua 5.1's message in the instrument's words: TSP Syntax error at line 1: unexpected symbol near `*' (sec. 6)."""
    return _put("TSP Syntax error", message)


def runtime_text(message: str) -> str:
    """TSP Runtime error at line N: ..., quotes as in Lua 5.0."""
    return _put("TSP Runtime error", message)


def _put(what: str, message: str) -> str:
    message = message.split("\nstack traceback:", 1)[0]
    position = _POSITION.match(message)
    where = f"{what} at line {position.group(1)}" if position else what
    return f"{where}: " + _QUOTED.sub(r"`\1\2'", message[position.end() :] if position else message)
