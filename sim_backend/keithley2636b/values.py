"""Checks of what a script assigns to an attribute; each returns the value to keep or raises the instrument's error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim_backend.keithley2636b.errors import TspError

Check = Callable[[Any], Any]


def number(value: Any) -> float:
    """Any number; anything else is error -104."""
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    raise TspError(-104)


def within(low: float, high: float, code: int) -> Check:
    """A number from ``low`` to ``high``, else error ``code``."""

    def check(value: Any) -> float:
        checked = number(value)
        if not low <= checked <= high:
            raise TspError(code)
        return checked

    return check


def limit(low: float, high: float) -> Check:
    """A limit: below ``low`` is error 1102, above ``high`` 1101."""

    def check(value: Any) -> float:
        checked = number(value)
        if not checked >= low * (1 - 1e-9):
            raise TspError(1102)
        if checked > high * (1 + 1e-9):
            raise TspError(1101)
        return checked

    return check


def choice(code: int, *allowed: int) -> Check:
    """One of the numbers ``allowed``, else error ``code``."""

    def check(value: Any) -> int:
        checked = number(value)
        if checked not in allowed:
            raise TspError(code)
        return int(checked)

    return check


def whole(low: int, high: int, code: int) -> Check:
    """A number from ``low`` to ``high``, made whole."""
    inside = within(low, high, code)

    def check(value: Any) -> int:
        return int(inside(value))

    return check


def boolean(value: Any) -> bool:
    """true or false; 0 and 1 are taken too."""
    if isinstance(value, bool):
        return value
    if value in (0, 1) and type(value) in (int, float):
        return bool(value)
    raise TspError(-104)


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise TspError(-104)
    return value


def numbers(value: Any) -> list[float]:
    """The numbers of a Lua table, from index 1 on."""
    if isinstance(value, bool | int | float | str) or value is None or not hasattr(value, "keys"):
        raise TspError(-104)
    return [number(value[k]) for k in range(1, len(value) + 1)]
