"""YAML 1.2 text to a tree that knows its places.

Read from ruamel.yaml's events, so that nothing is built before it is checked: anchors, aliases and tags are
no part of the language, keys are unique, depth and size are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from labctl.protocol.errors import ProtocolError, Where, excerpt

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: None, bool, int, float or str."""

    where: Where
    value: Any


@dataclass(frozen=True, slots=True)
class Sequence:
    where: Where
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    where: Where
    items: dict[str, Node]
    keys: dict[str, Where]  #: place of each key


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    where: Where
    is_mapping: bool
    nodes: list[Node] = field(default_factory=list)


def decode(data: bytes, file: str) -> str:
    """Text of a file; refuses what is too large or not UTF-8."""
    if len(data) > MAX_BYTES:
        raise ProtocolError(
            f"{file} has {len(data)} bytes, more than the {MAX_BYTES} a file of this kind may have",
            hint="is this the right file?",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise ProtocolError(
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            Where(file, line, column),
            "save the file as UTF-8 text",
        ) from None


def parse(text: str, file: str) -> Node:
    """The tree of one YAML document. Raises ``ProtocolError`` with the place of whatever is wrong."""
    try:
        return _build(text, file)
    except ProtocolError as error:
        if error.where is not None and not error.excerpt:
            error.excerpt = excerpt(text, error.where)
        raise


def plain(node: Node) -> Any:
    """The tree as lists, dictionaries and values."""
    if isinstance(node, Mapping):
        return {key: plain(item) for key, item in node.items.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


def find(node: Node, path: tuple[str | int, ...]) -> Node:
    """The node at ``path``, or the innermost one on the way that exists."""
    for key in path:
        below: Node | None = None
        if isinstance(node, Mapping) and isinstance(key, str):
            below = node.items.get(key)
        elif isinstance(node, Sequence) and isinstance(key, int) and key < len(node.items):
            below = node.items[key]
        node = below or node
    return node


def events(text: str, file: str) -> Iterator[Any]:
    """ruamel's events; its errors become ``ProtocolError``. Stops early if the caller does."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where(file, mark.line + 1, mark.column + 1) if mark else Where(file, 1, 1)
        problem = " ".join(str(error.problem or error.context or "not YAML").split())
        tab = "\\t" in problem or "\t" in text.splitlines()[where.line - 1 : where.line]
        hint = "indent with spaces, not tabs" if tab else "check indentation, brackets, quotes and colons here"
        raise ProtocolError(f"not YAML: {problem}", where, hint) from None
    except YAMLError as error:
        problem = " ".join(str(error).split())
        raise ProtocolError(f"not YAML: {problem[:200]}", Where(file, 1, 1), "is this a text file?") from None


def _build(text: str, file: str) -> Node:
    stack: list[_Open] = []
    root: Node | None = None
    documents = 0
    for event in events(text, file):
        kind = type(event).__name__
        where = Where(file, event.start_mark.line + 1, event.start_mark.column + 1)
        if kind == "DocumentStartEvent":
            documents += 1
            if documents > 1:
                raise ProtocolError("a second document starts here", where, "one file holds one document")
            continue
        if kind in ("StreamStartEvent", "StreamEndEvent", "DocumentEndEvent"):
            continue
        _refuse_extras(event, kind, where)
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            if len(stack) >= MAX_DEPTH:
                raise ProtocolError(
                    f"nested more than {MAX_DEPTH} deep", where, "move the inner part to a file and 'use' it"
                )
            stack.append(_Open(where, kind == "MappingStartEvent"))
            continue
        if kind == "ScalarEvent":
            node: Node = Scalar(where, _scalar(event, where))
        else:
            closed = stack.pop()
            node = _mapping(closed) if closed.is_mapping else Sequence(closed.where, tuple(closed.nodes))
        if stack:
            stack[-1].nodes.append(node)
        else:
            root = node
    if root is None:
        raise ProtocolError("the file is empty", Where(file, 1, 1), "start with 'protocol: 1'")
    return root


def _refuse_extras(event: Any, kind: str, where: Where) -> None:
    if kind == "AliasEvent" or getattr(event, "anchor", None):
        raise ProtocolError(
            "anchors (&) and aliases (*) are not used here", where, "use a parameter, or 'use' a protocol"
        )
    if getattr(event, "tag", None):
        raise ProtocolError(f"tags such as '{event.tag}' are not used here", where, "write the value alone")


def _mapping(closed: _Open) -> Mapping:
    items: dict[str, Node] = {}
    keys: dict[str, Where] = {}
    for key, value in zip(closed.nodes[::2], closed.nodes[1::2], strict=True):
        if not isinstance(key, Scalar) or key.value is None:
            raise ProtocolError("a key must be a word", key.where, "write 'key: value'")
        name = key.value if isinstance(key.value, str) else str(key.value)
        if name in items:
            raise ProtocolError(f"'{name}' is given twice", key.where, f"first at line {keys[name].line}")
        items[name], keys[name] = value, key.where
    return Mapping(closed.where, items, keys)


def _scalar(event: Any, where: Where) -> Any:
    """Value of a scalar by the core schema of YAML 1.2; quoted text is text."""
    text: str = event.value
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ProtocolError("half of a character (a surrogate)", where, "write the character itself")
    if not event.implicit[0]:
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if len(text) > 300 and _FLOAT.fullmatch(text):
        raise ProtocolError("a number of more than 300 digits", where, "write a number")
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
