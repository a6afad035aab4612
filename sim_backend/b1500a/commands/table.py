"""The table of commands: header, kinds of its parameters, what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sim_backend.b1500a.errors import FlexError
from sim_backend.b1500a.syntax import integer, number
from sim_backend.tasks import Steps

if TYPE_CHECKING:
    from sim_backend.b1500a.instrument import SimulatedB1500A

#: what a command leaves: nothing, the reply to a query, or work that takes time
Result = str | Steps[None] | None
Handler = Callable[..., Result]
_H = TypeVar("_H", bound=Handler)

COMMANDS: dict[str, Spec] = {}


@dataclass(frozen=True)
class Spec:
    """Parameters of a command, one letter each: ``c`` channel, ``i`` integer, ``n`` number, ``t`` text.

    ``required`` must be there, ``optional`` may follow; ``rest`` is the kind of any number of further ones.
    """

    required: str
    optional: str
    rest: str
    handler: Handler

    def run(self, instrument: SimulatedB1500A, parameters: tuple[str, ...]) -> Result:
        """Convert the parameters and carry the command out.

        Raises:
            FlexError: 102 not a number, 103 too few or too many, 121 no such channel, and what the command refuses.
        """
        kinds = self.required + self.optional
        given = len(parameters)
        if given < len(self.required) or (given > len(kinds) and not self.rest):
            raise FlexError(103)
        kinds += self.rest * max(0, given - len(kinds))
        values = [_convert(instrument, kind, text) for kind, text in zip(kinds, parameters, strict=False)]
        return self.handler(instrument, *values)


def _convert(instrument: SimulatedB1500A, kind: str, text: str) -> Any:
    if kind == "t":
        return text
    if kind == "n":
        return number(text)
    return instrument.channel_number(integer(text)) if kind == "c" else integer(text)


def command(header: str, required: str = "", optional: str = "", rest: str = "") -> Callable[[_H], _H]:
    """Register a function ``f(instrument, *parameters)`` under a header."""

    def register(handler: _H) -> _H:
        COMMANDS[header] = Spec(required, optional, rest, handler)
        return handler

    return register


def one_of(value: int, allowed: tuple[int, ...] | range) -> int:
    """``value`` if it is among ``allowed``.

    Raises:
        FlexError: 120.
    """
    if value not in allowed:
        raise FlexError(120)
    return value


def within(value: float, low: float, high: float) -> float:
    """``value`` if it lies in [low, high].

    Raises:
        FlexError: 120.
    """
    if not low <= value <= high:
        raise FlexError(120)
    return value
