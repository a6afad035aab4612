"""Global functions and the smaller objects of the instrument (reference keithley2636b sec. 3-5, 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from sim_backend.keithley2636b.bindings import Bindings
from sim_backend.keithley2636b.buffer_store import Format
from sim_backend.keithley2636b.errors import TspError
from sim_backend.keithley2636b.events import number_argument
from sim_backend.keithley2636b.settings import LONGEST_DELAY
from sim_backend.keithley2636b.values import boolean, choice, number, text
from sim_backend.tasks import Signal, Steps

_FORMATS = {
    "ASCII": 1, "SREAL": 2, "REAL32": 2, "REAL": 3, "REAL64": 3, "DREAL": 3, "NORMAL": 0, "NETWORK": 0, "BIGENDIAN": 0,
    "SWAPPED": 1, "LITTLEENDIAN": 1,
}  # fmt: skip


class Host(Protocol):
    """What the instrument does for these functions."""

    linefreq: float
    autolinefreq: bool
    prompts: int
    prompts4882: int
    showerrors: int
    description: str

    def now(self) -> float: ...
    def set_calendar(self, seconds: float) -> None: ...
    def identity(self) -> tuple[str, str, str, str]: ...
    def reset(self) -> Steps[None]: ...
    def complete(self) -> Steps[None]: ...
    def notify_complete(self) -> None: ...
    def memory(self) -> tuple[float, float]: ...


def publish_format(bind: Bindings, style: Format) -> Any:
    """The ``format`` object; errors 1404-1406."""
    target = bind.object("format")
    checks = {
        "data": choice(1406, 1, 2, 3),
        "byteorder": choice(1404, 0, 1),
        "asciiprecision": choice(1405, *range(1, 17)),
    }

    def setter(name: str) -> Callable[[Any], None]:
        def assign(value: Any) -> None:
            setattr(style, name, checks[name](value))
            bind.core.set_precision(style.asciiprecision)

        return assign

    for name in checks:
        bind.attribute(target, name, lambda name=name: getattr(style, name), setter(name))
    for name, value in _FORMATS.items():
        bind.member(target, name, value)
    return target


def publish_timing(bind: Bindings, host: Host) -> None:
    """delay, timer, waitcomplete, opc, exit, time of day."""
    started = 0.0

    def delay(seconds: Any = None) -> Steps[None]:
        wait = number_argument(1, seconds)
        if not 0 <= wait <= LONGEST_DELAY:
            raise TspError(-222)
        yield wait

    def reset() -> None:
        nonlocal started
        started = host.now()

    def elapsed() -> Steps[float]:
        yield 1e-6  # a loop that only looks at the time must come to an end
        return round(host.now() - started, 6)

    def complete(*_: Any) -> Steps[None]:
        yield from host.complete()

    timer = bind.object("timer")
    measure = bind.object("timer")
    bind.function(timer, "reset", reset)
    bind.slow_function(measure, "t", elapsed)
    bind.member(timer, "measure", measure)
    bind.globals["timer"] = timer
    bind.global_slow_function("delay", delay)
    bind.global_slow_function("waitcomplete", complete)
    bind.global_function("opc", host.notify_complete)
    bind.global_function("settime", lambda value=None: host.set_calendar(number(value)))
    zone = ["0"]
    bind.global_function("gettimezone", lambda: zone[0])
    bind.global_function("settimezone", lambda value, *_: zone.__setitem__(0, text(value)))
    bind.global_function("meminfo", host.memory)

    def restart(*_: Any) -> Steps[None]:
        yield from host.reset()

    bind.global_slow_function("reset", restart)


def publish_localnode(bind: Bindings, host: Host, members: dict[str, Any]) -> Any:
    """``localnode``; ``members`` are the objects that it shows again."""
    target = bind.object("localnode")
    _, model, serial, revision = host.identity()
    for name, value in (("model", model), ("serialno", serial), ("revision", revision), ("license", "")):
        bind.attribute(target, name, lambda value=value: value)

    def put(name: str, check: Callable[[Any], Any]) -> Callable[[Any], None]:
        def assign(value: Any) -> None:
            setattr(host, name, check(value))
            if name == "linefreq":
                host.autolinefreq = False

        return assign

    switch = choice(-224, 0, 1)
    checks: dict[str, Callable[[Any], Any]] = {
        "linefreq": choice(-224, 50, 60),
        "autolinefreq": boolean,
        "prompts": switch,
        "prompts4882": switch,
        "showerrors": switch,
        "description": text,
    }
    for name, check in checks.items():
        bind.attribute(target, name, lambda name=name: getattr(host, name), put(name, check))
    kept: dict[str, Any] = {"passwordmode": 1}
    bind.attribute(target, "password", lambda: None, lambda value: kept.update(password=text(value)))
    bind.attribute(
        target, "passwordmode", lambda: kept["passwordmode"], lambda value: kept.update(passwordmode=int(number(value)))
    )
    for name, value in members.items():
        bind.member(target, name, value)

    def restart() -> Steps[None]:
        yield from host.reset()

    bind.slow_function(target, "reset", restart)
    return target


def publish_library(bind: Bindings, host: Host, refuse: Callable[[int], None]) -> None:
    """The objects written in Lua (library.lua): bit, dataqueue, userstring, display and the like."""
    never = Signal()

    def nobody(*_: Any) -> Steps[None]:
        yield never  # an operator at the front panel, who never comes; ended by abort or device clear

    def beep(seconds: Any = None, *_: Any) -> Steps[None]:
        yield number_argument(1, seconds)

    def recall(*_: Any) -> Steps[None]:
        yield from host.reset()

    functions = {
        "refuse": bind.guarded(refuse),
        "nobody": bind.blocking(nobody),
        "beep": bind.blocking(beep),
        "recall": bind.blocking(recall),
    }
    bind.run_file("library.lua", bind.objects, bind.core, bind.table(functions))
