"""JSON Schema (draft 2020-12) of the file format, for editors; written from the classes that the loader fills.

What a schema cannot say is left to the loader: names that must be declared, dimensions of uncommon units, fields
that exclude each other.
"""

from __future__ import annotations

from typing import Any

from labctl.protocol.base import Part, Step
from labctl.protocol.building import file_fields, inner_part
from labctl.protocol.literals import SERIES
from labctl.protocol.loading import KEYS
from labctl.protocol.model import ON_RESUME, TOLERANCE, VERSION
from labctl.protocol.requests import REQUESTS
from labctl.protocol.steps import VERBS
from labctl.protocol.values import IDENTIFIER, REFERENCE

Schema = dict[str, Any]

_REFERENCE: Schema = {"type": "string", "pattern": f"^{REFERENCE}$"}
_NUMBER_OR_TEXT: Schema = {"type": ["number", "string"]}
_NAME: Schema = {"pattern": f"^{IDENTIFIER}$"}


def json_schema() -> Schema:
    """The schema of a protocol file as plain data."""
    definitions = {name: _tidy(schema) for name, schema in _parts().items()}
    shared: Schema = {}
    for schema in definitions.values():
        _hoist(schema, shared)
    steps = {f"step_{verb}": _step(cls, definitions[cls.__name__]) for verb, cls in VERBS.items()}
    inner = {name: definitions[name] for name in _inner_classes()}
    requests = {f"analyze_{name}": {**definitions[cls.__name__], "title": name} for name, cls in REQUESTS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "labctl protocol",
        **_root(),
        "$defs": {**_common(), **dict(sorted(shared.items())), **inner, **steps, **requests},
    }


def _parts() -> dict[str, Schema]:
    """pydantic's schemas of all classes, by class name."""
    from pydantic.json_schema import models_json_schema

    classes: list[type[Part]] = [*VERBS.values(), *REQUESTS.values()]
    _, document = models_json_schema(
        [(cls, "validation") for cls in classes], by_alias=True, ref_template="#/$defs/{model}"
    )
    found: dict[str, Schema] = document["$defs"]
    known = {cls.__name__: cls for cls in classes} | _inner_classes()
    return {name: _only_file_keys(known[name], schema) for name, schema in found.items() if name in known}


def _inner_classes() -> dict[str, type[Part]]:
    """The parts inside steps, such as the pulses of a train, by class name."""
    found: dict[str, type[Part]] = {}

    def collect(cls: type[Part]) -> None:
        for key in file_fields(cls):
            part = inner_part(cls, key)
            if part is not None and part.__name__ not in found:
                found[part.__name__] = part
                collect(part)

    for cls in VERBS.values():
        collect(cls)
    return found


def _only_file_keys(cls: type[Part], schema: Schema) -> Schema:
    keys = file_fields(cls)
    properties = {key: value for key, value in schema["properties"].items() if key in keys}
    if cls.__name__ == "Vary":
        properties |= {"from": {"$ref": "#/$defs/value"}, "to": {"$ref": "#/$defs/value"}}
    if cls.__name__ == "Use":
        properties["set"] = {**properties["set"], "additionalProperties": {"$ref": "#/$defs/value"}}
    required = [key for key in schema.get("required", ()) if key in keys]
    for key in required:
        if properties[key].get("$comment") == "steps":  # a block that must be there may not be empty
            properties[key] = {**properties[key], "minItems": 1}
    return {
        "type": "object",
        "description": schema.get("description", ""),
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _tidy(schema: Any) -> Any:
    """Blocks become references to the list of steps, closed choices and lists also take a ``$name``."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("$comment") == "steps":
        about = {key: value for key, value in schema.items() if key in ("description", "minItems")}
        return {"$ref": "#/$defs/steps", **about}
    tidy = {key: _tidy(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    about = {key: tidy.pop(key) for key in ("description", "default") if key in tidy}
    choice = "enum" in tidy and tidy.get("type") == "string"
    if choice or (tidy.get("type") == "array" and "$ref" not in tidy.get("items", {})):
        tidy = {"anyOf": [tidy, _REFERENCE]}
    return {**about, **tidy}


def _hoist(schema: Any, shared: Schema) -> None:
    """Move the schemas of quantities, which carry their name as a comment, among the definitions."""
    children = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for child in children:
        _hoist(child, shared)
    if isinstance(schema, dict) and isinstance(name := schema.get("$comment"), str):
        body = {"anyOf": schema.pop("anyOf")}
        del schema["$comment"]
        shared[name] = body
        schema["$ref"] = f"#/$defs/{name}"


def _step(cls: type[Step], fields: Schema) -> Schema:
    """Both spellings of a step: fields in braces, or the main one alone and the others beside it."""
    verb, main = cls.verb, cls.main
    braces = {"properties": {verb: fields}, "required": [verb], "additionalProperties": False}
    about = {"description": fields["description"]}
    if main is None:
        return {**about, "type": "object", **braces}
    head = _for_head() if verb == "for" else fields["properties"][main]
    others = {key: value for key, value in fields["properties"].items() if key != main}
    if verb == "until":
        others["vary"] = _vary(others["vary"])
    beside = {
        "properties": {verb: head, **others},
        "required": [verb, *(key for key in fields["required"] if key != main)],
        "additionalProperties": False,
    }
    forms = [beside] if verb in ("for", "until") else [beside, braces]
    return {**about, "type": "object", **(forms[0] if len(forms) == 1 else {"anyOf": forms})}


def _for_head() -> Schema:
    return {
        "type": "object",
        "description": "one variable and its values",
        "propertyNames": _NAME,
        "additionalProperties": {"$ref": "#/$defs/value"},
        "minProperties": 1,
        "maxProperties": 1,
    }


def _vary(field: Schema) -> Schema:
    return {
        "description": field.get("description", ""),
        "type": "object",
        "propertyNames": _NAME,
        "additionalProperties": {"$ref": "#/$defs/Vary"},
        "minProperties": 1,
        "maxProperties": 1,
    }


def _common() -> Schema:
    """Definitions that every file leans on: steps, values, series."""
    series = {
        "type": "object",
        "properties": {
            **{
                kind: {"description": form, "type": "array", "items": _NUMBER_OR_TEXT, "minItems": 3, "maxItems": 3}
                for kind, form in SERIES.items()
            },
            "unit": {"type": "string", "description": "unit of the values that are bare numbers"},
        },
        "oneOf": [{"required": [kind]} for kind in SERIES],
        "additionalProperties": False,
    }
    scalar = {"anyOf": [{"type": "number"}, {"type": "string", "minLength": 1, "maxLength": 200}]}
    return {
        "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
        "step": {
            "type": "object",
            "properties": {verb: {"description": _about(cls)} for verb, cls in VERBS.items()},
            "oneOf": [{"required": [verb]} for verb in VERBS],
            "allOf": [{"if": {"required": [verb]}, "then": {"$ref": f"#/$defs/step_{verb}"}} for verb in VERBS],
        },
        "request": {
            "anyOf": [
                {"enum": [name for name, cls in REQUESTS.items() if not _required(cls)]},
                {
                    "type": "object",
                    "properties": {name: _request_body(name, cls) for name, cls in REQUESTS.items()},
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ]
        },
        "value": {"anyOf": [scalar, {"type": "array", "items": scalar, "minItems": 1}, {"$ref": "#/$defs/series"}]},
        "series": series,
    }


def _about(cls: type[Part]) -> str:
    return (cls.__doc__ or "").strip().split("\n")[0]


def _required(cls: type[Part]) -> bool:
    return any(field.is_required() for field in cls.model_fields.values())


def _request_body(name: str, cls: type[Part]) -> Schema:
    body = {"$ref": f"#/$defs/analyze_{name}"}
    return {"description": _about(cls), **(body if _required(cls) else {"anyOf": [body, {"type": "null"}]})}


def _root() -> Schema:
    text = {"type": "string", "minLength": 1}
    several = {"type": "array", "minItems": 1, "items": _NUMBER_OR_TEXT}
    parameter = {
        "type": "object",
        "properties": {
            "value": {"$ref": "#/$defs/value", "description": "default"},
            "about": {"type": "string", "description": "what it is, for 'labctl show'"},
            "min": {**_NUMBER_OR_TEXT, "description": "smallest value that is accepted"},
            "max": {**_NUMBER_OR_TEXT, "description": "largest value that is accepted"},
            "choices": {**several, "description": "all that is accepted"},
            "examples": {**several, "description": "what else may be given; also allows their dimensions"},
        },
        "required": ["value"],
        "additionalProperties": False,
    }
    properties: Schema = {
        "protocol": {"const": VERSION, "description": "version of the language"},
        "title": {**text, "description": "one line that says what this is for"},
        "about": {**text, "description": "what it does and why, for people"},
        "measures": {
            "description": "ids of the catalogue of measurements",
            "anyOf": [text, {"type": "array", "items": {"type": "string"}}],
        },
        "bench": {**text, "description": "simulated bench that is used when none is named"},
        "on_resume": {
            "enum": list(ON_RESUME),
            "description": "when a run that was interrupted is resumed and an operation may have reached the device "
            "without being stored: ask; prepare the state again and begin the pass again; or leave the pass out",
        },
        "tolerance": {
            **_NUMBER_OR_TEXT,
            "description": "how far from what is asked an instrument's grid may lie before the plan is refused, "
            f"such as 0.1 %; {TOLERANCE:.0%} without it",
        },
        "parameters": {
            "type": "object",
            "description": "values that a run may override with --set NAME=VALUE",
            "propertyNames": _NAME,
            "additionalProperties": parameter,
        },
        "steps": {"$ref": "#/$defs/steps", "description": "what is done, in this order"},
        "analyze": {
            "type": "array",
            "description": "what is computed from the readings",
            "items": {"$ref": "#/$defs/request"},
        },
    }
    return {
        "type": "object",
        "properties": {key: properties[key] for key in KEYS},
        "required": ["protocol", "title", "steps"],
        "additionalProperties": False,
    }
