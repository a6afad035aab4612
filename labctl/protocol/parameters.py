"""Parameters: their declarations, and overrides."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass

from labctl.protocol import units
from labctl.protocol.errors import NOWHERE, ProtocolError, Where, nearest
from labctl.protocol.literals import read_quantity, read_single, read_value
from labctl.protocol.names import Bound, Scope
from labctl.protocol.nodes import Mapping as MappingNode
from labctl.protocol.nodes import Node, Scalar, Sequence
from labctl.protocol.values import IDENTIFIER, Quantity, Ref

PARAMETER_KEYS = ("value", "about", "min", "max", "choices", "examples")
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
    choices: tuple[Quantity | str, ...] = ()
    examples: tuple[Quantity | str, ...] = ()  #: what else may be given; an override may have their dimension
    where: Where = NOWHERE


def show(value: Bound) -> str:
    """A value as text: ``0.17 V/um, 0.175 V/um ... 0.25 V/um (17)``."""
    if not isinstance(value, tuple):
        return str(value)
    if len(value) <= 4:
        return ", ".join(str(v) for v in value)
    return f"{value[0]}, {value[1]} ... {value[-1]} ({len(value)})"


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
    where = node.items["value"].where
    default = _named(read_value(node.items["value"], scope), name)
    declared = Parameter(
        name,
        default,
        default,
        about=_about(node.items.get("about")),
        minimum=_bound(node.items.get("min"), default),
        maximum=_bound(node.items.get("max"), default),
        choices=_several(node.items.get("choices"), scope),
        examples=_several(node.items.get("examples"), scope),
        where=where,
    )
    _check(declared, where)
    if setting is None:
        return declared
    given, outer = setting
    value = _named(read_value(given, outer), name)
    if isinstance(default, tuple) and isinstance(value, Quantity):
        value = (value,)
    if isinstance(default, tuple) and isinstance(value, str):
        value = (value,)
    _same_kind(declared, value, given.where)
    bound = dataclasses.replace(declared, value=value)
    _check(bound, given.where)
    return bound


def _about(node: Node | None) -> str:
    if node is None:
        return ""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        raise ProtocolError("'about' is a text", node.where, "put quotes around it")
    return node.value


def _several(node: Node | None, scope: Scope) -> tuple[Quantity | str, ...]:
    """Choices or examples: quantities and texts side by side."""
    if node is None:
        return ()
    if not isinstance(node, Sequence) or not node.items:
        raise ProtocolError("expected a list", node.where, "such as [first, second]")
    return tuple(read_single(item, scope) for item in node.items)


def _named(value: Bound, name: str) -> Bound:
    """The value with the name of its parameter, so that texts can say where a number comes from."""
    return dataclasses.replace(value, name=name) if isinstance(value, Quantity) else value


def _bound(node: Node | None, default: Bound) -> Quantity | None:
    if node is None:
        return None
    if not isinstance(node, Scalar):
        raise ProtocolError("a bound is one value", node.where, "such as min: 1")
    bound = read_quantity(node)
    if bound.unit != _dimension(default):
        raise ProtocolError(f"{bound} cannot bound a value such as {show(default)}", node.where, "give the same unit")
    return bound


def _dimension(value: Bound) -> str | None:
    """Dimension of a value or of all in a list; None for texts."""
    first = value[0] if isinstance(value, tuple) else value
    return first.unit if isinstance(first, Quantity | Ref) else None


def _same_kind(parameter: Parameter, value: Bound, where: Where) -> None:
    """An override has the dimension of the default or of an example; volts and fields pass for each other."""
    name, default = parameter.name, parameter.default
    if isinstance(default, tuple) != isinstance(value, tuple):
        expected = "a list" if isinstance(default, tuple) else "one value"
        raise ProtocolError(f"'{name}' takes {expected}", where, f"its default is {show(default)}")
    old, new = _dimension(default), _dimension(value)
    allowed = {old, *(_dimension(example) for example in parameter.examples)}
    if new in allowed or (new in _LEVELS and not allowed.isdisjoint(_LEVELS)):
        return
    expected = "a text" if old is None else units.DIMENSIONS[old]
    found = "a text" if new is None else units.kind(new)
    raise ProtocolError(f"'{name}' is set to {found}: expected {expected}", where, f"its default is {show(default)}")


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
