"""A protocol file, or text, to a ``Protocol``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labctl.protocol import sources, units
from labctl.protocol.building import build
from labctl.protocol.errors import ProtocolError, Where, excerpt, nearest
from labctl.protocol.model import ON_RESUME, TOLERANCE, VERSION, Protocol
from labctl.protocol.names import Registry, Scope
from labctl.protocol.nodes import Mapping as MappingNode
from labctl.protocol.nodes import Node, Scalar, Sequence, parse
from labctl.protocol.reading_steps import read_body
from labctl.protocol.requests import REQUESTS, Probability, Request

KEYS = ("protocol", "title", "about", "measures", "bench", "tolerance", "on_resume", "parameters", "steps", "analyze")
_LOOP_FIELDS = ("over", "per", "across", "variable", "x", "y")


def load_protocol(
    name: str | Path,
    overrides: Mapping[str, str] | None = None,
    library: Mapping[str, sources.Source] | None = None,
) -> Protocol:
    """The protocol of that name in the catalogue, or of that file, with its parameters bound.

    Args:
        name: name such as ``hnno/spiking_probability``, or path.
        overrides: parameter -> YAML text, as ``--set`` takes it.
        library: ``Protocol.sources`` of an earlier load; given, no file is read.

    Raises:
        ProtocolError: whatever is wrong with the file, a file that it uses, or an override.
    """
    return _load(sources.open_source(str(name), None, None, library), str(name), overrides or {}, library)


def loads_protocol(text: str, file: str = "<text>", overrides: Mapping[str, str] | None = None) -> Protocol:
    """The protocol in ``text``; ``file`` is how messages name it. Relative paths of 'use' start at its folder."""
    folder = str(Path(file).parent) if file != "<text>" else None
    return _load(sources.Source(text, file, folder, file), file, overrides or {})


def _load(
    source: sources.Source,
    name: str,
    overrides: Mapping[str, str],
    library: Mapping[str, sources.Source] | None = None,
) -> Protocol:
    registry = Registry(texts={source.label: source.text}, sources={source.label: source}, library=library)
    try:
        return _read(source, name, overrides, registry)
    except ProtocolError as error:
        if error.where is not None and not error.excerpt:
            error.excerpt = excerpt(registry.texts.get(error.where.file, ""), error.where)
        raise


def _read(source: sources.Source, name: str, overrides: Mapping[str, str], registry: Registry) -> Protocol:
    root = sources.parse_source(source)
    _check_version(root)
    for key in root.items:
        if key not in KEYS:
            raise ProtocolError(f"unknown key '{key}'", root.keys[key], nearest(key, KEYS))
    scope = Scope(source.label, source.folder, registry, stack=(source.key,), path=("steps",))
    settings = {key: (_override(key, text, registry), scope) for key, text in overrides.items()}
    parameters, steps = read_body(root, scope, settings)
    registry.settle()
    bindings = {key: parameter.value for key, parameter in parameters.items()}
    return Protocol(
        version=VERSION,
        name=name,
        title=_text(root, "title", needed=True),
        about=_text(root, "about"),
        measures=_measures(root),
        bench=_text(root, "bench") or None,
        on_resume=_on_resume(root),
        tolerance=_tolerance(root),
        parameters=parameters,
        steps=steps,
        analyze=_requests(root.items.get("analyze"), dataclasses.replace(scope, bindings=bindings)),
        source_text=source.text,
        file=source.label,
        overrides=dict(overrides),
        sources=registry.sources,
    )


def _on_resume(root: MappingNode) -> str:
    said = _text(root, "on_resume") or ON_RESUME[0]
    if said not in ON_RESUME:
        raise ProtocolError(f"'on_resume' cannot be '{said}'", root.items["on_resume"].where, nearest(said, ON_RESUME))
    return said


def _check_version(root: MappingNode) -> None:
    node = root.items.get("protocol")
    if node is None:
        hint = nearest(next(iter(root.items), ""), KEYS) if root.items else ""
        raise ProtocolError("'protocol', the version of the language, is missing", root.where, hint or "protocol: 1")
    if not isinstance(node, Scalar) or node.value is True or node.value != VERSION:
        raise ProtocolError("this version of the language is not known", node.where, f"protocol: {VERSION}")


def _override(name: str, text: str, registry: Registry) -> Node:
    file = f"--set {name}"
    registry.texts[file] = text
    if not text.strip():
        raise ProtocolError("no value is given", Where(file, 1, 1), f"such as --set '{name}=100 us'")
    return parse(text, file)


def _text(root: MappingNode, key: str, needed: bool = False) -> str:
    node = root.items.get(key)
    if node is None:
        if needed:
            raise ProtocolError(f"'{key}' is missing", root.where, f"{key}: one line that says what this is for")
        return ""
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value.strip():
        raise ProtocolError(f"'{key}' is a text", node.where, "put quotes around it")
    return node.value.strip()


def _tolerance(root: MappingNode) -> float:
    node = root.items.get("tolerance")
    if node is None:
        return TOLERANCE
    try:
        value = units.to_si(node.value if isinstance(node, Scalar) else None, "")
    except ValueError as error:
        raise ProtocolError(f"'tolerance': {error}", node.where, "such as 'tolerance: 0.1 %'") from None
    if not 0 < value < 1:
        raise ProtocolError("'tolerance' lies between 0 and 100 %", node.where, "such as 'tolerance: 0.1 %'")
    return value


def _measures(root: MappingNode) -> tuple[str, ...]:
    node = root.items.get("measures")
    if node is None:
        return ()
    items = node.items if isinstance(node, Sequence) else (node,)
    found = [item.value for item in items if isinstance(item, Scalar) and isinstance(item.value, str)]
    if isinstance(node, MappingNode) or len(found) != len(items):
        raise ProtocolError("'measures' is a list of ids of the catalogue", node.where, "measures: [H3]")
    return tuple(found)


def _requests(node: Node | None, scope: Scope) -> tuple[Request, ...]:
    if node is None:
        return ()
    if not isinstance(node, Sequence):
        raise ProtocolError("'analyze' is a list", node.where, "start each entry with '- ', such as '- probability:'")
    found: list[Request] = []
    for item in node.items:
        latest = next((r for r in reversed(found) if isinstance(r, Probability)), None)
        found.append(_request(item, latest, scope))
    return tuple(found)


def _request(node: Node, latest: Probability | None, scope: Scope) -> Request:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        node = MappingNode(node.where, {node.value: Scalar(node.where, None)}, {node.value: node.where})
    if not isinstance(node, MappingNode) or len(node.items) != 1:
        raise ProtocolError("an entry is one 'name: {...}'", node.where, "such as '- threshold: {level: 10 %}'")
    name, body = next(iter(node.items.items()))
    where = node.keys[name]
    if name not in REQUESTS:
        raise ProtocolError(f"'{name[:60]}' is not an analysis", where, nearest(name, REQUESTS))
    if isinstance(body, Scalar) and body.value is None:
        body = MappingNode(where, {}, {})
    if not isinstance(body, MappingNode):
        raise ProtocolError(f"'{name}' needs its fields in braces", body.where, f"{name}: {{...}}")
    cls = REQUESTS[name]
    fields = MappingNode(where, body.items, body.keys)
    request = _inherit(build(cls, fields, scope, {"where": where}), latest)
    _check_names(request, fields, scope)
    return request


def _inherit(request: Request, latest: Probability | None) -> Request:
    """Fill 'of', 'over' and 'per' from the latest probability."""
    if not request.inherits:
        return request
    missing = {key: getattr(latest, key, None) for key in ("of", "over", "per") if getattr(request, key) is None}
    if latest is None and "of" in missing:
        missing = {"of": "spike", "over": missing.get("over"), "per": missing.get("per")}
    return request.model_copy(update=missing)


def _check_names(request: Request, fields: MappingNode, scope: Scope) -> None:
    """Everything that a request names must be declared by the steps."""

    def place(key: str) -> Any:
        return fields.items[key].where if key in fields.items else request.where

    for key, kinds in request.reads.items():
        for name in _as_names(getattr(request, key)):
            scope.registry.check_row(name, kinds, place(key))
    for key in _LOOP_FIELDS:
        for name in _as_names(getattr(request, key, None)):
            scope.registry.check_loop(name, place(key))


def _as_names(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)
