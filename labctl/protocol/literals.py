"""The forms that a value may have in a file: a quantity, a text, a list of either, a series, a ``$name``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from labctl.protocol import units
from labctl.protocol.errors import ProtocolError, nearest, shorten
from labctl.protocol.names import Bound, Scope
from labctl.protocol.nodes import Mapping, Node, Scalar, Sequence
from labctl.protocol.values import REFERENCE, Quantity

MAX_VALUES = 10_000
SERIES = {
    "linspace": "linspace: [first, last, how many]",
    "geomspace": "geomspace: [first, last, how many]",
    "range": "range: [first, last, step]",
}
_LOOKS_NUMERIC = re.compile(r"\s*[+-]?[.0-9]")


def read_value(node: Node, scope: Scope) -> Bound:
    """A quantity, a text, a list of either, a series, or what a ``$name`` stands for."""
    if isinstance(node, Mapping):
        return _series(node, scope)
    if isinstance(node, Sequence):
        return read_list(node, scope)
    return _single(node, scope)


def _single(node: Scalar, scope: Scope) -> Bound:
    raw = node.value
    if isinstance(raw, str) and re.fullmatch(REFERENCE, raw):
        return scope.lookup(raw[1:], node.where)
    if isinstance(raw, str) and not _LOOKS_NUMERIC.match(raw):
        if not raw.strip() or len(raw) > 200:
            raise ProtocolError("a text must have 1 to 200 characters", node.where, "give a value")
        return raw
    if isinstance(raw, bool) or raw is None:
        hint = "give a number with its unit, a text or a list"
        raise ProtocolError(f"{shorten(raw)} is no value here", node.where, hint)
    return read_quantity(node)


def read_quantity(node: Scalar) -> Quantity:
    try:
        if isinstance(node.value, str):
            return Quantity(*units.parse(node.value))
        return Quantity(units.to_si(node.value, ""))
    except ValueError as error:
        raise ProtocolError(str(error), node.where, "such as 4.2 V, 100 us, 20 % or 30") from None


def read_list(node: Sequence, scope: Scope) -> tuple[Quantity, ...] | tuple[str, ...]:
    if not node.items:
        raise ProtocolError("an empty list", node.where, "give at least one value")
    if len(node.items) > MAX_VALUES:
        raise ProtocolError(f"more than {MAX_VALUES} values", node.where, "use fewer")
    found = [read_single(item, scope) for item in node.items]
    texts = [value for value in found if isinstance(value, str)]
    if len(texts) == len(found):
        return tuple(texts)
    numbers: list[Quantity] = []
    for item, value in zip(node.items, found, strict=True):
        if isinstance(value, str):
            raise ProtocolError(f"{shorten(value)} stands among numbers", item.where, "give one kind of value")
        if numbers and value.unit != numbers[0].unit:
            raise ProtocolError(
                f"{value} is {units.kind(value.unit)}, the values before are not",
                item.where,
                f"every value as {units.DIMENSIONS[numbers[0].unit]}",
            )
        numbers.append(value)
    return tuple(numbers)


def read_single(node: Node, scope: Scope) -> Quantity | str:
    """One element of a list: constant, for a list's length and values are known before the run."""
    if not isinstance(node, Scalar):
        raise ProtocolError("a list inside a list", node.where, "give plain values")
    value = _single(node, scope)
    if isinstance(value, Quantity | str):
        return value
    raise ProtocolError(f"{shorten(node.value)} is no single constant value", node.where, "give a constant")


def _series(node: Mapping, scope: Scope) -> tuple[Quantity, ...]:
    unit = ""
    kinds = [key for key in node.items if key in SERIES]
    for key in node.items:
        if key not in SERIES and key != "unit":
            raise ProtocolError(f"unknown key '{key}'", node.keys[key], nearest(key, [*SERIES, "unit"]))
    if len(kinds) != 1:
        raise ProtocolError("a series has one of " + ", ".join(SERIES), node.where, " or ".join(SERIES.values()))
    if "unit" in node.items:
        given = node.items["unit"]
        if not isinstance(given, Scalar) or not isinstance(given.value, str):
            raise ProtocolError("'unit' must be a unit", given.where, "such as V/um")
        unit = given.value
    kind, body = kinds[0], node.items[kinds[0]]
    if not isinstance(body, Sequence) or len(body.items) != 3:
        raise ProtocolError(f"'{kind}' has three values", body.where, SERIES[kind])
    numbers = [_with_unit(item, unit if i < 2 or kind == "range" else "", scope) for i, item in enumerate(body.items)]
    first, last, third = numbers
    if first.unit != last.unit or (third.unit != first.unit and kind == "range"):
        raise ProtocolError("the values have different units", body.where, "give 'unit' once beside the series")
    try:
        values = _SPACED[kind](first.value, last.value, third.value)
    except ValueError as error:
        raise ProtocolError(str(error), body.where, SERIES[kind]) from None
    if not all(math.isfinite(value) for value in values):
        raise ProtocolError("the series holds values that are not finite", body.where, SERIES[kind])
    return tuple(Quantity(value, first.unit) for value in values)


def _with_unit(node: Node, unit: str, scope: Scope) -> Quantity:
    if isinstance(node, Scalar) and unit and isinstance(node.value, int | float):
        node = Scalar(node.where, f"{node.value!r} {unit}")
    value = read_single(node, scope)
    if isinstance(value, str):
        raise ProtocolError(f"{shorten(value)} is not a number", node.where, "give a number")
    return value


def _number_of(count: float) -> int:
    if count != math.floor(count) or not 2 <= count <= MAX_VALUES:
        raise ValueError(f"the third value is how many: a whole number from 2 to {MAX_VALUES}")
    return int(count)


def _linspace(first: float, last: float, count: float) -> list[float]:
    n = _number_of(count) - 1
    return [_round(first + (last - first) * i / n, max(abs(first), abs(last))) for i in range(n)] + [last]


def _geomspace(first: float, last: float, count: float) -> list[float]:
    n = _number_of(count) - 1
    if first == 0 or last == 0 or (first > 0) != (last > 0):
        raise ValueError("a geometric series needs two ends of one sign, neither of them 0")
    steps = [first * (last / first) ** (i / n) for i in range(n)]
    return [first] + [_round(value, abs(value)) for value in steps[1:]] + [last]


def _range(first: float, last: float, step: float) -> list[float]:
    if step == 0 or (last - first) * step < 0:
        raise ValueError("the step does not lead from the first value to the last")
    count = (last - first) / step
    if not count <= MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES} values")
    n = math.floor(count + 1e-9)
    return [_round(first + i * step, max(abs(first), abs(last))) for i in range(n + 1)]


_SPACED: dict[str, Callable[[float, float, float], list[float]]] = {
    "linspace": _linspace,
    "geomspace": _geomspace,
    "range": _range,
}


def _round(value: float, scale: float) -> float:
    """The nearest number of 12 digits: 3.5 V stays 3.5 V whichever way it was reached."""
    if not math.isfinite(value) or scale == 0:
        return value
    return round(value, 11 - math.floor(math.log10(scale)))
