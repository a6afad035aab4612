"""Steps that order other steps: wait, repeat, for, until, route, use, allow, note."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, WithJsonSchema, model_validator

from labctl.protocol.base import Name, Otherwise, Part, Step, Steps, Template, Text, given, needed
from labctl.protocol.outcomes import Condition
from labctl.protocol.values import IDENTIFIER, Count, CountOrNone, Quantity, Time


class Wait(Step):
    """Nothing for a time; what is connected stays as it is."""

    verb: ClassVar[str] = "wait"
    main: ClassVar[str | None] = "duration"

    duration: Time = needed("how long")


class Repeat(Step):
    """A block of steps, so many times."""

    verb: ClassVar[str] = "repeat"
    main: ClassVar[str | None] = "count"

    count: CountOrNone = needed("how many times")
    name: Name = given("trial", "name of the counter in the data")
    do: Steps = needed("the steps", min_length=1)


class For(Step):
    """A block of steps for each value of one variable: ``for: {field: $fields}``."""

    verb: ClassVar[str] = "for"
    main: ClassVar[str | None] = "values"
    internal: ClassVar[frozenset[str]] = Step.internal | {"variable"}

    variable: Name = needed("name of the variable, '$name' in the block")
    values: tuple[Quantity, ...] = needed("what it takes, in this order", min_length=1)
    order: Literal["sequential", "reversed", "shuffled", "interleaved"] = given(
        "sequential",
        "shuffled: whole blocks in random order, seeded and stored; interleaved: the repetitions of the "
        "'repeat' that is the whole block are mixed over all values",
    )
    do: Steps = needed("the steps", min_length=1)

    @property
    def unit(self) -> str:
        return self.values[0].unit


class Vary(Part):
    """The variable that a bounded search moves: halving of its range by the sign of (quantity - near)."""

    internal: ClassVar[frozenset[str]] = frozenset({"variable"})

    variable: Name = needed("name of the variable, '$name' in the block")
    start: Quantity = needed("one end of the range", alias="from")
    stop: Quantity = needed("the other end", alias="to")
    spacing: Literal["linear", "log"] = given("linear", "how the range is halved")


class Until(Step):
    """A block repeated until a condition holds, at most so many times."""

    verb: ClassVar[str] = "until"
    main: ClassVar[str | None] = "condition"

    condition: Condition = needed("what ends the loop, asked after each round")
    at_most: Count = needed("bound on the rounds")
    vary: Vary | None = given(None, "search: the variable that moves, and its range")
    name: Name = given("turn", "name of the counter in the data")
    do: Steps = needed("the steps", min_length=1)
    otherwise: Otherwise = given("stop", "if the bound is reached first", alias="else")

    @model_validator(mode="after")
    def _search_has_target(self) -> Until:
        if self.vary is not None and self.condition.near is None:
            raise ValueError("a search with 'vary' needs 'near' and 'within' in its condition")
        return self


class Route(Step):
    """Connect a terminal to another source, with an operator's hand if need be."""

    verb: ClassVar[str] = "route"

    terminal: Name = needed("device terminal")
    source: Annotated[
        str,
        StringConstraints(pattern=rf"^{IDENTIFIER}(\.{IDENTIFIER})*$"),
        WithJsonSchema({"type": "string", "pattern": rf"^\$?{IDENTIFIER}(\.{IDENTIFIER})*$"}),
    ] = needed("instrument or instrument.channel of the bench; 'open': nothing drives the terminal")
    operator: Text | None = given(None, "what the operator is asked to do")
    label: Name | None = given(None, "name of the step for --confirm", alias="as")


class Use(Step):
    """The steps of another protocol, with its parameters set."""

    verb: ClassVar[str] = "use"
    main: ClassVar[str | None] = "protocol"
    internal: ClassVar[frozenset[str]] = Step.internal | {"title", "steps"}

    protocol: Text = needed("name in the catalogue, or a path relative to this file")
    settings: dict[str, Any] = given({}, "parameter of the other protocol -> value", alias="set")
    title: str = Field("", exclude=True)  #: the other protocol's title, filled in loading
    steps: Steps = ()  #: its steps with the parameters filled in


class Allow(Step):
    """A named exception from a limit, for the steps inside; their rows carry its flag."""

    verb: ClassVar[str] = "allow"
    main: ClassVar[str | None] = "exception"

    exception: Name = needed("name of the exception, such as 'erase' or 'fast_edges'")
    because: Text = needed("why, for the run file and the report")
    do: Steps = needed("the steps", min_length=1)


class Note(Step):
    """A remark that is shown while running and kept in the run file."""

    verb: ClassVar[str] = "note"
    main: ClassVar[str | None] = "text"

    text: Template = needed("the remark; may hold '$variable'")
