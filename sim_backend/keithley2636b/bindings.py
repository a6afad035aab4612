"""Python functions as the leaves of Lua objects.

Lua only ever gets numbers, strings, booleans and its own tables and functions from the host: a tree of Python objects
handed to Lua 5.1 does not survive its garbage collector. Of Python it holds one function, which finds the leaves by
number and does not keep them alive, so that an instrument that nobody uses any more can go.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from lupa.lua51 import LuaRuntime

from sim_backend.keithley2636b.errors import LuaFault, TspError
from sim_backend.tasks import Steps, Wait

Leaf = Callable[..., Any]
Report = Callable[[TspError], None]


class Leaves(list[Leaf]):
    """Leaves by number."""

    __slots__ = ("__weakref__",)

    def dispatcher(self) -> Leaf:
        """The one function that Lua gets."""
        reference = weakref.ref(self)

        def dispatch(number: int, *arguments: Any) -> Any:
            leaves = reference()
            assert leaves is not None
            return leaves[number](*arguments)

        return dispatch


class Handoff:
    """What passes between a chunk that waits and the task that runs it."""

    def __init__(self, report: Report) -> None:
        self.pending: tuple[Wait, Steps[Any]] | None = None  # first wait and rest of the work that the chunk waits for
        self.report = report  # takes the errors of that work
        self.results: tuple[Any, ...] = ()  # its answer, in the protocol of ``callable`` in core.lua
        self.slices = 0  # times that Lua has been entered
        self.running = False  # inside Lua now

    def collect(self) -> tuple[Any, ...]:
        return self.results

    def work(self) -> Steps[None]:
        """Do the pending work and keep its answer."""
        assert self.pending is not None
        (wait, steps), self.pending = self.pending, None
        report = self.report
        try:
            while True:
                wait = steps.send((yield wait))
        except StopIteration as stop:
            self.results = _answer(stop.value)
        except TspError as error:
            report(error)
            self.results = (True,)
        except LuaFault as fault:
            self.results = (None, str(fault))
        finally:
            steps.close()


class Bindings:
    """Builds attribute objects.

    ``report`` takes the errors of the leaves. ``ahead`` tells the seconds that settings made before still take: a
    function waits for them first.
    """

    def __init__(self, lua: LuaRuntime, handoff: Handoff, report: Report, ahead: Callable[[], float]) -> None:
        self._lua = lua
        self._ahead = ahead
        self.handoff = handoff
        self.report = report
        self._leaves = Leaves()
        self.core: Any = None
        self.objects: Any = None
        self.globals: Any = lua.globals()

    def load(self, functions: dict[str, Leaf], constants: dict[str, float | str]) -> None:
        """Run the two libraries that everything else stands on."""
        dispatch = self._leaves.dispatcher()
        numbers = {name: self.guarded(function) for name, function in functions.items()}
        self.core = self.run_file("core.lua", dispatch, self.table(numbers), self.table(constants))
        self.objects = self.run_file("objects.lua", self.core.callable, dispatch)

    def labelled(self, label: str) -> Bindings:
        """The same, for leaves whose errors carry the name of a channel."""

        def report(error: TspError) -> None:
            error.label = error.label or label
            self.report(error)

        other = Bindings(self._lua, self.handoff, report, self._ahead)
        other.core, other.objects, other._leaves = self.core, self.objects, self._leaves
        return other

    def run_file(self, name: str, *arguments: Any) -> Any:
        """Run one of our own Lua sources and hand back what it returns."""
        return self._lua.execute(source_text(name), *arguments, name=f"={name}")

    def table(self, values: dict[str, Any] | list[Any]) -> Any:
        """A plain Lua table."""
        return self._lua.table_from(values)

    # -- objects -----------------------------------------------------------------------------------------------------

    def object(self, kind: str = "object") -> Any:
        """A new attribute object."""
        return self.objects.new(kind)

    def attribute(self, parent: Any, name: str, get: Leaf, put: Callable[[Any], None] | None = None) -> None:
        """A readable member; writable when ``put`` is given."""
        self.objects.attribute(parent, name, self.guarded(get), None if put is None else self.guarded(put))

    def member(self, parent: Any, name: str | int, value: Any) -> None:
        """A constant or a sub-object."""
        self.objects.member(parent, name, value)

    def function(self, parent: Any, name: str, function: Leaf) -> None:
        """A function that answers at once."""
        self.objects.fn(parent, name, self.immediate(function))

    def slow_function(self, parent: Any, name: str, steps: Callable[..., Steps[Any]]) -> None:
        """A function that may take instrument time."""
        self.objects.fn(parent, name, self.blocking(steps))

    def global_function(self, name: str, function: Leaf) -> None:
        self.globals[name] = self.core.callable(self.immediate(function))

    def global_slow_function(self, name: str, steps: Callable[..., Steps[Any]]) -> None:
        self.globals[name] = self.core.callable(self.blocking(steps))

    # -- leaves ------------------------------------------------------------------------------------------------------

    def _leaf(self, function: Leaf) -> int:
        self._leaves.append(function)
        return len(self._leaves) - 1

    def guarded(self, function: Leaf) -> int:
        """``function`` whose TspErrors go to the error queue."""
        report = self.report

        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except TspError as error:
                report(error)
                return None

        return self._leaf(call)

    def immediate(self, function: Leaf) -> int:
        """``function`` in the protocol of ``callable`` in core.lua."""

        def steps(*arguments: Any) -> Steps[Any]:
            return function(*arguments)
            yield

        return self._started(function, steps)

    def blocking(self, function: Callable[..., Steps[Any]]) -> int:
        """Generator function in that protocol: runs at once as far as it goes without waiting."""
        return self._started(None, function)

    def _started(self, at_once: Leaf | None, function: Callable[..., Steps[Any]]) -> int:
        """Leaf that does ``at_once``; or, without that or when settings still take time, the steps of ``function``."""
        report, handoff, ahead = self.report, self.handoff, self._ahead

        def start(*arguments: Any) -> tuple[Any, ...]:
            try:
                late = ahead()
                if late > 0.0:
                    steps = _delayed(late, function, arguments)
                elif at_once is not None:
                    return _answer(at_once(*arguments))
                else:
                    steps = function(*arguments)
                handoff.pending = next(steps), steps
            except StopIteration as stop:
                return _answer(stop.value)
            except TspError as error:
                report(error)
                return (True,)
            except LuaFault as fault:
                return None, str(fault)
            handoff.report = report
            return (False,)

        return self._leaf(start)


def _delayed(seconds: float, function: Callable[..., Steps[Any]], arguments: tuple[Any, ...]) -> Steps[Any]:
    yield seconds
    return (yield from function(*arguments))


@cache
def source_text(name: str) -> str:
    """One of our own Lua sources."""
    return (files(__package__) / "lua" / name).read_text(encoding="ascii")


def _answer(value: Any) -> tuple[Any, ...]:
    if value is None:
        return (True,)
    if isinstance(value, tuple):
        return (True, *value)
    return True, value
