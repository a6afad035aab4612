"""Parameters: their declarations, the forms a value may have in a file, and overrides."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labctl.protocol import units
from labctl.protocol.errors import NOWHERE, ProtocolError, Where, nearest, shorten
from labctl.protocol.names import Bound, Scope
from labctl.protocol.nodes import Mapping as MappingNode
from labctl.protocol.nodes import Node, Scalar, Sequence
from labctl.protocol.values import IDENTIFIER, REFERENCE, Quantity, Ref

MAX_VALUES = 10_000
PARAMETER_KEYS = ("value", "about", "min", "max", "choices")
SERIES = {
    "linspace": "linspace: [first, last, how many]",
    "geomspace": "geomspace: [first, last, how many]",
    "range": "range: [first, last, step]",
}
_LOOKS_NUMERIC = re.compile(r"\s*[+-]?[.0-9]")
_LEVELS = ("V", "V/m")  # an override may say volts for a field and the other way round


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named value that a run may override.

    ``value`` is what is in force, ``default`` what the file says.
    """

    name: str
    value: Bound
    default: Bound
    about: str = ""
    minimum: Quantity | None = None
    maximum: Quantity | None = None
    choices: tuple[Quantity, ...] | tuple[str, ...] = ()
    where: Where = NOWHERE


def show(value: Bound) -> str:
    """A value as text: ``0.17 V/um, 0.175 V/um ... 0.25 V/um (17)``."""
    if not isinstance(value, tuple):
        return str(value)
    if len(value) <= 4:
        return ", ".join(str(v) for v in value)
    return f"{value[0]}, {value[1]} ... {value[-1]} ({len(value)})"


def read_value(node: Node, scope: Scope) -> Bound:
    """A quantity, a text, a list of either, a series, or what a ``$name`` stands for."""
    if isinstance(node, MappingNode):
        return _series(node, scope)
    if isinstance(node, Sequence):
        return _list(node, scope)
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
    return _quantity(node)


def _quantity(node: Scalar) -> Quantity:
    try:
        if isinstance(node.value, str):
            return Quantity(*units.parse(node.value))
        return Quantity(units.to_si(node.value, ""))
    except ValueError as error:
        raise ProtocolError(str(error), node.where, "such as 4.2 V, 100 us, 20 % or 30") from None


def _list(node: Sequence, scope: Scope) -> tuple[Quantity, ...] | tuple[str, ...]:
    if not node.items:
        raise ProtocolError("an empty list", node.where, "give at least one value")
    if len(node.items) > MAX_VALUES:
        raise ProtocolError(f"more than {MAX_VALUES} values", node.where, "use fewer")
    found = [_one(item, scope) for item in node.items]
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


def _one(node: Node, scope: Scope) -> Quantity | str:
    """One element of a list: constant, for a list's length and values are known before the run."""
    if not isinstance(node, Scalar):
        raise ProtocolError("a list inside a list", node.where, "give plain values")
    value = _single(node, scope)
    if isinstance(value, Quantity | str):
        return value
    raise ProtocolError(f"{shorten(node.value)} is no single constant value", node.where, "give a constant")


def _series(node: MappingNode, scope: Scope) -> tuple[Quantity, ...]:
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
    value = _one(node, scope)
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


def read_parameters(
    node: Node | None, scope: Scope, settings: Mapping[str, tuple[Node, Scope]]
) -> dict[str, Parameter]:
    """Declarations with ``settings`` (name -> node and the scope it is read in) put in place of defaults."""
    if node is None:
        node = MappingNode(Where(scope.file, 1, 1), {}, {})
    if not isinstance(node, MappingNode):
        raise ProtocolError("'parameters' holds 'name: {value: ...}'", node.where, "such as width: {value: 100 us}")
    for name, (given, _) in settings.items():
        if name not in node.items:
            raise ProtocolError(f"no parameter is called '{name}'", given.where, nearest(name, node.items))
    found: dict[str, Parameter] = {}
    for name, declared in node.items.items():
        if not re.fullmatch(IDENTIFIER, name):
            raise ProtocolError(f"'{name}' cannot be a name", node.keys[name], "letters, digits and _")
        inner = dataclasses.replace(scope, bindings={n: p.value for n, p in found.items()})
        found[name] = _declaration(name, declared, inner, settings.get(name))
    return found


def _declaration(name: str, node: Node, scope: Scope, setting: tuple[Node, Scope] | None) -> Parameter:
    if not isinstance(node, MappingNode):
        raise ProtocolError(f"'{name}' needs braces", node.where, f"{name}: {{value: ...}}")
    for key in node.items:
        if key not in PARAMETER_KEYS:
            raise ProtocolError(f"unknown key '{key}'", node.keys[key], nearest(key, PARAMETER_KEYS))
    if "value" not in node.items:
        raise ProtocolError(f"parameter '{name}' has no 'value'", node.where, "give its default")
    default = _named(read_value(node.items["value"], scope), name)
    minimum, maximum = (_bound(node.items.get(key), default) for key in ("min", "max"))
    choices: Any = ()
    if "choices" in node.items:
        listed = node.items["choices"]
        if not isinstance(listed, Sequence):
            raise ProtocolError("'choices' is a list", listed.where, "choices: [first, second]")
        choices = _list(listed, scope)
    about = node.items.get("about")
    if about is not None and not (isinstance(about, Scalar) and isinstance(about.value, str)):
        raise ProtocolError("'about' is a text", about.where, "put quotes around it")
    text = about.value if isinstance(about, Scalar) else ""
    where = node.items["value"].where
    declared = Parameter(name, default, default, text, minimum, maximum, choices, where)
    _check(declared, where)
    if setting is None:
        return declared
    given, outer = setting
    value = _named(read_value(given, outer), name)
    if isinstance(default, tuple) and isinstance(value, Quantity):
        value = (value,)
    if isinstance(default, tuple) and isinstance(value, str):
        value = (value,)
    _same_kind(name, default, value, given.where)
    bound = dataclasses.replace(declared, value=value)
    _check(bound, given.where)
    return bound


def _named(value: Bound, name: str) -> Bound:
    """The value with the name of its parameter, so that texts can say where a number comes from."""
    return dataclasses.replace(value, name=name) if isinstance(value, Quantity) else value


def _bound(node: Node | None, default: Bound) -> Quantity | None:
    if node is None:
        return None
    if not isinstance(node, Scalar):
        raise ProtocolError("a bound is one value", node.where, "such as min: 1")
    bound = _quantity(node)
    if bound.unit != _dimension(default):
        raise ProtocolError(f"{bound} cannot bound a value such as {show(default)}", node.where, "give the same unit")
    return bound


def _dimension(value: Bound) -> str | None:
    """Dimension of a value or of all in a list; None for texts."""
    first = value[0] if isinstance(value, tuple) else value
    return first.unit if isinstance(first, Quantity | Ref) else None


def _same_kind(name: str, default: Bound, value: Bound, where: Where) -> None:
    old, new = _dimension(default), _dimension(value)
    if isinstance(default, tuple) != isinstance(value, tuple):
        raise ProtocolError(f"'{name}' takes {'a list' if isinstance(default, tuple) else 'one value'}", where,
                            f"as its default {show(default)}")  # fmt: skip
    if old != new and not (old in _LEVELS and new in _LEVELS):
        expected = "a text" if old is None else units.DIMENSIONS[old]
        found = "a text" if new is None else units.kind(new)
        raise ProtocolError(
            f"'{name}' is set to {found}: expected {expected}", where, f"its default is {show(default)}"
        )


def _numbers(value: Bound) -> list[Quantity]:
    if isinstance(value, Ref):
        return [Quantity(number, value.unit or "") for number in value.values]
    listed = value if isinstance(value, tuple) else (value,)
    return [item for item in listed if isinstance(item, Quantity)]


def _check(parameter: Parameter, where: Where) -> None:
    """Hold the value in force against min, max and choices."""
    for number in _numbers(parameter.value):
        for bound, low in ((parameter.minimum, True), (parameter.maximum, False)):
            if bound is None:
                continue
            if bound.unit != number.unit:
                raise ProtocolError(
                    f"'{parameter.name}' is bounded by {bound}; {number} cannot be compared",
                    where,
                    "give the same unit",
                )
            if (number.value < bound.value) if low else (number.value > bound.value):
                relation = "less than its minimum" if low else "more than its maximum"
                raise ProtocolError(
                    f"'{parameter.name}' = {number} is {relation} {bound}", where, "choose another value"
                )
    if not parameter.choices or isinstance(parameter.value, Ref):
        return
    for item in parameter.value if isinstance(parameter.value, tuple) else (parameter.value,):
        if item not in parameter.choices:
            known = [str(choice) for choice in parameter.choices]
            raise ProtocolError(f"'{parameter.name}' cannot be {item}", where, nearest(str(item), known))
