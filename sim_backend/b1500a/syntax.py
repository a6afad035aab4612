"""From bytes to commands: lines, headers, parameters, numbers (reference b1500a sec. 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sim_backend.b1500a.errors import FlexError

_COMMAND = re.compile(r"(\*?[A-Za-z]+\??)[ \t]*(.*)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Command:
    """Header in capitals and the parameters as typed."""

    header: str
    parameters: tuple[str, ...]


def commands_of(line: str) -> list[Command | FlexError]:
    """Commands of a line; what is no command at all stands as its error."""
    found: list[Command | FlexError] = []
    for text in line.split(";"):
        text = text.strip()
        if not text:
            continue
        match = _COMMAND.fullmatch(text)
        if match is None:
            found.append(FlexError(100))
            continue
        header, rest = match[1].upper(), match[2].strip()
        parameters = tuple(word.strip() for word in rest.split(",")) if rest else ()
        found.append(Command(header, parameters))
    return found


def number(text: str) -> float:
    """A number in integer, fixed or exponent form.

    Raises:
        FlexError: 102.
    """
    if _NUMBER.fullmatch(text) is None:
        raise FlexError(102)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise FlexError(120)
    return value


def integer(text: str) -> int:
    """A number whose excess digits are cut off.

    Raises:
        FlexError: 102.
    """
    return int(number(text))
