"""What every step is made of: names, blocks of steps, and the base classes.

In a file a step is its verb with the fields in braces (``pulse: {at: pd, level: 4.2 V, width: 100 us}``), or,
where the class names a ``main`` field, the verb with that field alone and the other fields beside it
(``repeat: 30`` with ``do:``). Fields whose names are Python keywords have an alias, the spelling in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
)

from labctl.protocol.errors import NOWHERE, Where
from labctl.protocol.values import IDENTIFIER, Level


def _listed(raw: Any) -> Any:
    return [raw] if isinstance(raw, str) else raw


_NAME_SCHEMA = {"type": "string", "pattern": rf"^\$?{IDENTIFIER}$"}
Name = Annotated[str, StringConstraints(pattern=f"^{IDENTIFIER}$", max_length=60), WithJsonSchema(_NAME_SCHEMA)]
Names = Annotated[
    tuple[Name, ...],
    BeforeValidator(_listed),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [_NAME_SCHEMA, {"type": "array", "minItems": 1, "items": _NAME_SCHEMA}]}),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
TEMPLATE = object()  #: marks a text that may hold '$name'
Template = Annotated[str, StringConstraints(min_length=1, max_length=2000), TEMPLATE]
Levels = dict[Name, Level]
Otherwise = Literal["stop", "continue", "flag"]
Role = Literal["set", "reset", "probe", "erase"]


def given(default: Any, about: str, **more: Any) -> Any:
    """A field that may be left out. Defaults are written as in a file (``"0.1 V"``)."""
    return Field(default, description=about, **more)


def needed(about: str, **more: Any) -> Any:
    """A field that must be there."""
    return Field(description=about, **more)


class Part(BaseModel):
    """Base of every piece of a protocol: immutable, closed, defaults validated like texts of a file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, validate_default=True, defer_build=True
    )
    internal: ClassVar[frozenset[str]] = frozenset()  #: fields that loading fills in, never keys of a file


class Step(Part):
    """Base of the steps."""

    verb: ClassVar[str] = ""
    main: ClassVar[str | None] = None  #: field (its spelling in the file) that may stand alone after the verb
    internal: ClassVar[frozenset[str]] = frozenset({"where", "path"})

    where: Where = Field(default=NOWHERE, exclude=True, repr=False)
    #: keys from the root of the file, a stable id
    path: tuple[str | int, ...] = Field(default=(), repr=False)

    def blocks(self) -> dict[str, tuple[Step, ...]]:
        """Field name -> the steps inside this one."""
        found = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, tuple) and value and isinstance(value[0], Step):
                found[name] = value
        return found

    def walk(self) -> Iterator[Step]:
        """This step and all inside it, in the order of the text."""
        yield self
        for block in self.blocks().values():
            for step in block:
                yield from step.walk()

    @model_serializer(mode="wrap")
    def _with_verb(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"verb": self.verb, **handler(self)}


BLOCK = WithJsonSchema({"$comment": "steps"})  #: marks a field that holds steps
Steps = Annotated[tuple[SerializeAsAny[Step], ...], BLOCK]
