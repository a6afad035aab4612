"""From nodes of a file to models, with every error at the place that caused it.

pydantic checks the fields; this module finds the class, fills in what ``$names`` stand for, reads blocks of steps,
and turns pydantic's errors into places, expectations and suggestions.
"""

from __future__ import annotations

import functools
import re
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from labctl.protocol.base import BLOCK, TEMPLATE, Part
from labctl.protocol.errors import ProtocolError, Where, nearest
from labctl.protocol.names import Scope
from labctl.protocol.nodes import Mapping as MappingNode
from labctl.protocol.nodes import Node, Scalar, Sequence, find
from labctl.protocol.values import REFERENCE, Quantity, Ref

P = TypeVar("P", bound=Part)


@functools.cache
def file_fields(cls: type[Part]) -> dict[str, str]:
    """Spelling in the file -> name of the field, without what the loader fills in itself."""
    return {info.alias or name: name for name, info in cls.model_fields.items() if name not in cls.internal}


@functools.cache
def is_block(cls: type[Part], key: str) -> bool:
    """Does the field hold steps?"""
    return any(mark is BLOCK for mark in cls.model_fields[file_fields(cls)[key]].metadata)


@functools.cache
def _is_template(cls: type[Part], key: str) -> bool:
    return any(mark is TEMPLATE for mark in cls.model_fields[file_fields(cls)[key]].metadata)


@functools.cache
def inner_part(cls: type[Part], key: str) -> type[Part] | None:
    """The class of the part or parts that a field holds, such as the pulses of a train."""

    def search(annotation: Any) -> type[Part] | None:
        if isinstance(annotation, type) and issubclass(annotation, Part):
            return annotation
        return next((found for inner in typing.get_args(annotation) if (found := search(inner))), None)

    return None if is_block(cls, key) else search(cls.model_fields[file_fields(cls)[key]].annotation)


def build(cls: type[P], fields: MappingNode, scope: Scope, extra: Mapping[str, Any]) -> P:
    """An instance of ``cls`` from its fields in a file; ``extra`` are fields that are already built."""
    check_keys(cls, fields)
    raw = {key: _filled(cls, key, node, scope) for key, node in fields.items.items() if key not in extra}
    try:
        return cls.model_validate({**raw, **extra})
    except ValidationError as error:
        raise _translated(cls, error, fields) from None


def check_keys(cls: type[Part], fields: MappingNode) -> None:
    """Refuse unknown keys, in inner parts too."""
    known = file_fields(cls)
    for key, node in fields.items.items():
        if key not in known:
            raise ProtocolError(f"unknown key '{key}'", fields.keys[key], nearest(key, known))
        part = inner_part(cls, key)
        for inner in node.items if isinstance(node, Sequence) else (node,):
            if part is not None and isinstance(inner, MappingNode):
                check_keys(part, inner)


def _filled(cls: type[Part], key: str, node: Node, scope: Scope) -> Any:
    if _is_template(cls, key) and isinstance(node, Scalar) and isinstance(node.value, str):
        return fill_template(node.value, node.where, scope)
    return substitute(node, scope)


def substitute(node: Node, scope: Scope) -> Any:
    """Plain data with every ``$name`` replaced by what it stands for."""
    if isinstance(node, MappingNode):
        return {_key(key, node, scope): substitute(item, scope) for key, item in node.items.items()}
    if isinstance(node, Sequence):
        return [substitute(item, scope) for item in node.items]
    if isinstance(node.value, str) and node.value.startswith("$"):
        if not re.fullmatch(REFERENCE, node.value):
            raise ProtocolError(f"'{node.value[:60]}' is not a reference", node.where, "write '$name' alone")
        return scope.lookup(node.value[1:], node.where)
    return node.value


def _key(key: str, node: MappingNode, scope: Scope) -> str:
    """A key may be the name of a parameter that holds a terminal's name."""
    if not re.fullmatch(REFERENCE, key):
        return key
    value = scope.lookup(key[1:], node.keys[key])
    if not isinstance(value, str):
        raise ProtocolError(f"'{key}' is not a name", node.keys[key], "a parameter whose value is a text")
    return value


def fill_template(text: str, where: Where, scope: Scope) -> str:
    """A text in which ``$parameter`` is replaced; ``$variable`` of a loop stays, for it changes while running."""

    def replace(match: re.Match[str]) -> str:
        value = scope.lookup(match.group()[1:], where)
        if isinstance(value, tuple):
            raise ProtocolError(f"{match.group()} is a list", where, "a text can hold single values")
        return str(value)

    return re.sub(REFERENCE, replace, text)


def describe_field(cls: type[Part], name: str) -> str:
    return cls.model_fields[name].description or ""


def _translated(cls: type[Part], error: ValidationError, fields: MappingNode) -> ProtocolError:
    """The first of pydantic's errors as ours, at the innermost node that it speaks of."""
    first = error.errors(include_url=False)[0]
    location = tuple(key for key in first["loc"] if isinstance(key, str | int))
    node = find(fields, location)
    kind, context = first["type"], first.get("ctx", {})
    value = first.get("input")
    what = str(location[0]) if location else ""
    if kind == "value_error":
        return ProtocolError(str(context["error"]), node.where, _about(cls, location))
    if kind == "missing":
        missing = str(location[-1])
        owner = _owner(cls, location)
        about = describe_field(owner, file_fields(owner)[missing]) if missing in file_fields(owner) else ""
        return ProtocolError(f"'{missing}' is missing", node.where, f"{missing}: {about}" if about else "")
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        return ProtocolError(f"'{what}' cannot be {_shown(value)}", node.where, nearest(str(value), words))
    not_text = isinstance(value, Quantity | Ref | bool | int | float)
    if kind == "string_pattern_mismatch" or (kind == "string_type" and not_text):
        return ProtocolError(
            f"'{what}' cannot be {_shown(value)}: expected a name", node.where, "a letter, then letters, digits or _"
        )
    said = _SAID.get(kind) or f"{first['msg'][:1].lower()}{first['msg'][1:]}"
    return ProtocolError(f"'{what}': {said}", node.where, _about(cls, location))


_SAID = {
    "model_type": "expected fields in braces",
    "dict_type": "expected fields in braces",
    "tuple_type": "expected a list",
    "string_type": "expected a text",
}


def _owner(cls: type[Part], location: tuple[str | int, ...]) -> type[Part]:
    """The class of the part in which the last key of ``location`` is missing."""
    for key in location[:-1]:
        if isinstance(key, str) and key in file_fields(cls):
            cls = inner_part(cls, key) or cls
    return cls


def _about(cls: type[Part], location: tuple[str | int, ...]) -> str:
    """What the innermost field of ``location`` is for."""
    hint = f"{cls.__name__.lower()}: {(cls.__doc__ or '').strip().splitlines()[0]}"
    for key in location:
        if isinstance(key, str) and key in file_fields(cls):
            hint = f"{key}: {describe_field(cls, file_fields(cls)[key])}"
            cls = inner_part(cls, key) or cls
    return hint


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, Ref | Quantity) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
