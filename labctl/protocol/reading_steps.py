"""Steps of a file: verb to class, blocks, loops, and the protocols that are used."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

from labctl.protocol import sources
from labctl.protocol.base import Step
from labctl.protocol.building import build, describe_field, file_fields, is_block
from labctl.protocol.errors import ProtocolError, Where, nearest, shorten
from labctl.protocol.literals import read_value
from labctl.protocol.names import Scope
from labctl.protocol.nodes import Mapping as MappingNode
from labctl.protocol.nodes import Node, Scalar, Sequence, plain
from labctl.protocol.parameters import Parameter, read_parameters
from labctl.protocol.steps import (
    VERBS,
    Condition,
    Confirm,
    For,
    Pulse,
    Read,
    Repeat,
    Spike,
    State,
    Train,
    Until,
    Vary,
)
from labctl.protocol.values import IDENTIFIER, Quantity, Ref

MAX_USES = 10  # depth of protocols that use protocols


def read_steps(node: Node, scope: Scope) -> tuple[Step, ...]:
    """A list of steps."""
    if not isinstance(node, Sequence):
        raise ProtocolError("expected a list of steps", node.where, "start each step with '- '")
    steps = [read_step(item, scope.at(index)) for index, item in enumerate(node.items)]
    return tuple(_with_retry(step, steps[:index]) for index, step in enumerate(steps))


def read_step(node: Node, scope: Scope) -> Step:
    """One step: ``verb: {fields}``, or ``verb: main`` with the other fields beside it."""
    verb, where, fields = _fields(node)
    scope.registry.count_step(where)
    step = _READERS.get(verb, _read_plain)(VERBS[verb], fields, scope, {"where": where, "path": scope.path})
    _declare(step, fields, scope)
    return step


def _fields(node: Node) -> tuple[str, Where, MappingNode]:
    """Verb, its place, and all fields of the step as one mapping placed at the verb."""
    if not isinstance(node, MappingNode) or not node.items:
        shown = shorten(node.value) if isinstance(node, Scalar) else "this"
        raise ProtocolError(f"{shown} is not a step", node.where, "a step is 'verb: ...', such as 'wait: 10 ms'")
    verbs = [key for key in node.items if key in VERBS]
    if not verbs:
        key = next(iter(node.items))
        raise ProtocolError(f"'{key}' is not a step", node.keys[key], nearest(key, VERBS))
    if len(verbs) > 1:
        raise ProtocolError(
            f"'{verbs[0]}' and '{verbs[1]}' in one step", node.keys[verbs[1]], "start each step with its own '- '"
        )
    verb, where = verbs[0], node.keys[verbs[0]]
    cls, value = VERBS[verb], node.items[verb]
    beside = {key: item for key, item in node.items.items() if key != verb}
    if cls.main is not None and (verb in ("for", "until") or not isinstance(value, MappingNode)):
        if cls.main in beside:
            raise ProtocolError(f"'{cls.main}' is what stands after '{verb}:'", node.keys[cls.main], "give it once")
        return verb, where, MappingNode(where, {cls.main: value, **beside}, {cls.main: value.where, **node.keys})
    if not isinstance(value, MappingNode):
        raise ProtocolError(f"'{verb}' needs its fields in braces", value.where, _example(verb))
    for key in beside:
        hint = f"move it into '{verb}: {{...}}'" if key in file_fields(cls) else nearest(key, file_fields(cls))
        raise ProtocolError(f"'{key}' stands beside '{verb}'", node.keys[key], hint)
    return verb, where, MappingNode(where, value.items, value.keys)


def _example(verb: str) -> str:
    needed = [key for key, name in file_fields(VERBS[verb]).items() if VERBS[verb].model_fields[name].is_required()]
    return f"{verb}: {{{', '.join(f'{key}: ...' for key in needed)}}}"


def _read_plain(cls: type[Step], fields: MappingNode, scope: Scope, built: dict[str, Any]) -> Step:
    for key, node in fields.items.items():
        if key in file_fields(cls) and is_block(cls, key):
            built[file_fields(cls)[key]] = read_steps(node, scope.at(key))
    return _build(cls, fields, scope, built)


def _build(cls: type[Step], fields: MappingNode, scope: Scope, built: dict[str, Any]) -> Step:
    """Build with the fields that are already read taken out of the file's."""
    done = {key for key, name in file_fields(cls).items() if name in built}
    return build(cls, _without(fields, done), scope, built)


def _without(fields: MappingNode, keys: set[str]) -> MappingNode:
    return MappingNode(fields.where, {k: n for k, n in fields.items.items() if k not in keys}, fields.keys)


def _needed(cls: type[Step], fields: MappingNode, key: str) -> Node:
    if key not in fields.items:
        about = describe_field(cls, file_fields(cls)[key])
        raise ProtocolError(f"'{key}' is missing", fields.where, f"{key}: {about}")
    return fields.items[key]


def _read_repeat(cls: type[Step], fields: MappingNode, scope: Scope, built: dict[str, Any]) -> Step:
    name, place = _loop_name(fields, "trial", scope)
    inner = scope.inside_loop(name, place)
    built["do"] = read_steps(_needed(cls, fields, "do"), inner.at("do"))
    return _build(cls, fields, scope, {**built, "name": name})


def _loop_name(fields: MappingNode, default: str, scope: Scope) -> tuple[str, Where]:
    node = fields.items.get("name")
    if node is None:
        return default, fields.where
    value = read_value(node, scope)
    if not isinstance(value, str) or not re.fullmatch(IDENTIFIER, value):
        raise ProtocolError("'name' must be a name", node.where, "a letter, then letters, digits or _")
    return value, node.where


def _read_for(cls: type[Step], fields: MappingNode, scope: Scope, built: dict[str, Any]) -> Step:
    head = fields.items["values"]
    if not isinstance(head, MappingNode) or len(head.items) != 1:
        raise ProtocolError("a 'for' has one variable", head.where, "for: {name: values}; nest them for a grid")
    variable = next(iter(head.items))
    place, values_node = head.keys[variable], head.items[variable]
    _check_variable(variable, place)
    given = read_value(values_node, scope)
    values = given if isinstance(given, tuple) else (given,)
    quantities = tuple(value for value in values if isinstance(value, Quantity))
    if len(quantities) != len(values):
        raise ProtocolError("a loop runs over constant numbers", values_node.where, "such as [3.4 V, 3.6 V] or $fields")
    ref = Ref(variable, quantities[0].unit, tuple(q.value for q in quantities))
    inner = scope.inside_loop(variable, place, ref)
    built |= {"variable": variable, "values": quantities}
    built["do"] = read_steps(_needed(cls, fields, "do"), inner.at("do"))
    step = _build(cls, _without(fields, {"values"}), scope, built)
    if (
        isinstance(step, For)
        and step.order == "interleaved"
        and not (len(step.do) == 1 and isinstance(step.do[0], Repeat))
    ):
        raise ProtocolError(
            "'interleaved' mixes the repetitions of one 'repeat'", fields.keys["order"], "make the block one 'repeat'"
        )
    return step


def _check_variable(name: str, where: Where) -> None:
    if not re.fullmatch(IDENTIFIER, name):
        raise ProtocolError(f"'{name[:60]}' cannot name a variable", where, "a letter, then letters, digits or _")


def _read_until(cls: type[Step], fields: MappingNode, scope: Scope, built: dict[str, Any]) -> Step:
    name, place = _loop_name(fields, "turn", scope)
    inner = scope.inside_loop(name, place)
    if "vary" in fields.items:
        vary, ref = _read_vary(fields.items["vary"], scope)
        built["vary"] = vary
        inner = inner.inside_loop(vary.variable, fields.items["vary"].where, ref)
    built["do"] = read_steps(_needed(cls, fields, "do"), inner.at("do"))
    return _build(cls, fields, scope, {**built, "name": name})


def _read_vary(node: Node, scope: Scope) -> tuple[Vary, Ref]:
    example = "vary: {duration: {from: 5 s, to: 120 s}}"
    if not isinstance(node, MappingNode) or len(node.items) != 1:
        raise ProtocolError("'vary' has one variable and its range", node.where, example)
    variable, body = next(iter(node.items.items()))
    _check_variable(variable, node.keys[variable])
    if not isinstance(body, MappingNode):
        raise ProtocolError("the range needs 'from' and 'to'", body.where, example)
    ends = {}
    for key in ("from", "to"):
        if key not in body.items:
            raise ProtocolError(f"'{key}' is missing", body.where, example)
        ends[key] = read_value(body.items[key], scope)
        if not isinstance(ends[key], Quantity):
            raise ProtocolError(f"'{key}' is one constant value", body.items[key].where, example)
    start, stop = ends["from"], ends["to"]
    assert isinstance(start, Quantity) and isinstance(stop, Quantity)  # noqa: PT018 - narrows the types
    if start.unit != stop.unit:
        raise ProtocolError("'from' and 'to' have different units", body.where, example)
    if "spacing" in body.items and plain(body.items["spacing"]) == "log" and not start.value * stop.value > 0:
        raise ProtocolError("a log range has two ends of one sign, neither of them 0", body.where, example)
    vary = build(Vary, _without(body, {"from", "to"}), scope, {"variable": variable, "start": start, "stop": stop})
    return vary, Ref(variable, start.unit, (start.value, stop.value))


def _read_use(cls: type[Step], fields: MappingNode, scope: Scope, built: dict[str, Any]) -> Step:
    name = _needed(cls, fields, "protocol")
    given = fields.items.get("set")
    if given is not None and not isinstance(given, MappingNode):
        raise ProtocolError("'set' holds 'parameter: value'", given.where, "set: {trials: 10}")
    if not isinstance(name, Scalar) or not isinstance(name.value, str):
        raise ProtocolError("'use' needs the name of a protocol", name.where, "such as hnno/parts/sensitize")
    settings = {key: (node, scope) for key, node in given.items.items()} if given else {}
    source = sources.open_source(name.value, scope.folder, name.where, scope.registry.library)
    if source.key in scope.stack:
        chain = " -> ".join([*scope.stack[scope.stack.index(source.key) :], source.key])
        raise ProtocolError(f"'{name.value}' uses itself: {chain}", name.where, "take one 'use' out")
    if len(scope.stack) >= MAX_USES:
        raise ProtocolError(f"'use' more than {MAX_USES} deep", name.where, "use fewer levels")
    scope.registry.texts[source.label] = source.text
    scope.registry.sources[source.label] = source
    root = sources.parse_source(source)
    inner = dataclasses.replace(
        scope,
        file=source.label,
        folder=source.folder,
        stack=(*scope.stack, source.key),
        bindings={},
        path=(*scope.path, "steps"),
    )
    parameters, steps = read_body(root, inner, settings)
    title = plain(root.items["title"]) if "title" in root.items else name.value
    built |= {"title": str(title), "steps": steps, "settings": {key: parameters[key].value for key in settings}}
    return build(cls, _without(fields, {"set"}), scope, built)


def read_body(
    root: MappingNode, scope: Scope, settings: Mapping[str, tuple[Node, Scope]]
) -> tuple[dict[str, Parameter], tuple[Step, ...]]:
    """Parameters and steps of a protocol's document, the same for a file that is run and one that is used."""
    parameters = read_parameters(root.items.get("parameters"), scope, settings)
    if "steps" not in root.items:
        raise ProtocolError("'steps' is missing", root.where, "steps: a list of what is done")
    inner = dataclasses.replace(scope, bindings={name: p.value for name, p in parameters.items()})
    return parameters, read_steps(root.items["steps"], inner)


_READERS: dict[str, Callable[[type[Step], MappingNode, Scope, dict[str, Any]], Step]] = {
    "repeat": _read_repeat,
    "for": _read_for,
    "until": _read_until,
    "use": _read_use,
}


def _declare(step: Step, fields: MappingNode, scope: Scope) -> None:
    """Note what the step names, and check the names that it uses (readings later in a loop: when all is read)."""
    registry = scope.registry

    def place(key: str) -> Where:
        return fields.items[key].where if key in fields.items else step.where

    if isinstance(step, State):
        registry.states.append(step.name)
        if step.verify is not None and step.verify.reading is not None:
            _check_condition(step.verify.reading, place("verify"), scope)
    elif isinstance(step, Until):
        _check_condition(step.condition, place("condition"), scope)
    elif isinstance(step, Spike):
        _check_reading(step.source, ("resistance",), place("from"), scope)
        _check_references(step.against, ("resistance",), place("against"), scope)
    elif isinstance(step, Confirm):
        _check_reading(step.reset, ("resistance",), place("reset"), scope)
        _check_references(step.against, ("resistance",), place("against"), scope)
    label = getattr(step, "label", None)
    if label is not None:
        kind = step.kind if isinstance(step, Read) else step.verb
        registry.declare_row(label, kind, place("as"))


def _check_reading(name: str, kinds: tuple[str, ...], where: Where, scope: Scope) -> None:
    """A reading that must come earlier in the text."""
    scope.registry.check_row(name, kinds, where)


def _check_references(names: tuple[str, ...], kinds: tuple[str, ...], where: Where, scope: Scope) -> None:
    """Readings of which at least one must come earlier, lest the first round has nothing to compare with."""
    for name in names:
        scope.registry.want(name, kinds, where)
    if not any(scope.registry.rows.get(name) in kinds for name in names):
        scope.registry.check_row(names[0], kinds, where)


_FIGURES = {"dI0": "A", "peak_current": "A", "peak_voltage": "V"}
_KINDS = {"resistance": "ohm", "current": "A"}


def _check_condition(condition: Condition, where: Where, scope: Scope) -> None:
    kinds = ("resistance", "current") if condition.quantity == "value" else ("sweep",)
    _check_reading(condition.reading, kinds, where, scope)
    kind = scope.registry.rows[condition.reading]
    unit = _FIGURES.get(condition.quantity) or _KINDS[kind]
    if condition.against is not None:
        _check_references(condition.against, (kind,), where, scope)
        unit = ""
    for key in ("above", "below", "near", "within"):
        bound = getattr(condition, key)
        dimension = getattr(bound, "unit", None)
        if dimension is not None and dimension != unit and not (key == "within" and dimension == ""):
            expected = f"expected {'a ratio' if not unit else 'a value in ' + unit}"
            raise ProtocolError(f"'{key}' = {bound} cannot bound '{condition.reading}': {expected}", where, "")


def _with_retry(step: Step, before: list[Step]) -> Step:
    """A confirm without 'again' repeats what its block did from the latest reset pulse to the reading."""
    if not isinstance(step, Confirm) or step.again or step.retry == 0:
        return step
    ends = [i for i, s in enumerate(before) if isinstance(s, Read) and s.label == step.reset]
    starts = [i for i, s in enumerate(before) if isinstance(s, Pulse | Train) and s.role == "reset"]
    starts = [i for i in starts if ends and i < ends[-1]]
    if not starts:
        raise ProtocolError(
            f"no pulse with 'role: reset' before '{step.reset}' in this block, so nothing can be retried",
            step.where,
            "give 'again', a list of steps, or retry: 0",
        )
    return step.model_copy(update={"again": tuple(before[starts[-1] : ends[-1] + 1])})
