"""Common commands (reference keithley2636b sec. 5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from sim_backend.tasks import Steps

if TYPE_CHECKING:
    from sim_backend.keithley2636b.instrument import Simulated2636B

_WITH_NUMBER = re.compile(r"(\*(?:ese|sre))\s+([+-]?\d+(?:\.\d*)?)$")


def common_command(instrument: Simulated2636B, command: str) -> Steps[None] | None:
    """Steps of a *command in lower case; None when there is none of that name (then it is Lua, and a syntax error)."""
    if (match := _WITH_NUMBER.match(command)) is not None:
        return _set_enable(instrument, match.group(1), int(float(match.group(2))))
    handler = _COMMANDS.get(command)
    return None if handler is None else handler(instrument)


def _set_enable(instrument: Simulated2636B, name: str, mask: int) -> Steps[None]:
    if name == "*ese":
        instrument.status["standard"].enable = mask
    else:
        instrument.status.service_request = mask & 0xBF
    return
    yield


def _answer(read: Callable[[Simulated2636B], str]) -> Callable[[Simulated2636B], Steps[None]]:
    def steps(instrument: Simulated2636B) -> Steps[None]:
        instrument.output.put(read(instrument).encode("ascii"))
        return
        yield

    return steps


def _clear(instrument: Simulated2636B) -> Steps[None]:
    instrument.errors.clear()
    instrument.output.clear()
    instrument.status.clear()
    return
    yield


def _complete(instrument: Simulated2636B) -> Steps[None]:
    yield from instrument.complete()


def _notify(instrument: Simulated2636B) -> Steps[None]:
    instrument.notify_complete()
    return
    yield


def _ask_complete(instrument: Simulated2636B) -> Steps[None]:
    yield from instrument.complete()
    instrument.output.put(b"1")


def _reset(instrument: Simulated2636B) -> Steps[None]:
    yield from instrument.reset()


_COMMANDS: dict[str, Callable[[Simulated2636B], Steps[None]]] = {
    "*idn?": _answer(
        lambda i: "{}, Model {}, {}, {}".format(*i.identity()),
    ),
    "*cls": _clear,
    "*ese?": _answer(lambda i: str(i.status["standard"].enable)),
    "*esr?": _answer(lambda i: str(i.status["standard"].read_event())),
    "*opc": _notify,
    "*opc?": _ask_complete,
    "*rst": _reset,
    "*sre?": _answer(lambda i: str(i.status.service_request)),
    "*stb?": _answer(lambda i: str(i.status.byte())),
    "*tst?": _answer(lambda i: "0"),
    "*wai": _complete,
}
