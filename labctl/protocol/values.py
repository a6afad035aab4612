"""Values that steps hold: quantities, references to loop variables, counts and names.

A field says which dimensions it takes by an annotation (``Level``, ``Time`` ...), so that a text, a parameter
and a loop variable are checked by the same rule, and the JSON Schema is written from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from labctl.protocol import units
from labctl.protocol.errors import shorten

REFERENCE = r"\$[A-Za-z_][A-Za-z0-9_]*"
IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_NUMBER = r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?"


@dataclass(frozen=True, slots=True)
class Quantity:
    """An SI number and its dimension, a key of ``units.DIMENSIONS``."""

    value: float
    unit: str = ""
    name: str = field(default="", compare=False)  #: the parameter that it came from

    def __str__(self) -> str:
        return units.text(self.value, self.unit)


@dataclass(frozen=True, slots=True)
class Ref:
    """``$name``: the variable of an enclosing loop; parameters are replaced by their values in loading.

    ``unit`` is the dimension of the variable (None: unknown, a step made by code); ``values`` all that it
    takes, or the two ends of its range where a search varies it.
    """

    name: str
    unit: str | None = None
    values: tuple[float, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        return f"${self.name}"


def fill_in(text: str, variables: Mapping[str, Quantity]) -> str:
    """A text of a state or note with ``$variable`` replaced: ``sensitized at 0.19 V/um``. Unknown ones stay."""

    def replace(match: re.Match[str]) -> str:
        name = match.group()[1:]
        return str(variables[name]) if name in variables else match.group()

    return re.sub(REFERENCE, replace, text)


def _expected(dimensions: tuple[str, ...], words: tuple[str, ...]) -> str:
    return " or ".join([units.DIMENSIONS[d] for d in dimensions] + [f"'{w}'" for w in words])


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    """Base of the annotations: a reader of raw values and the JSON Schema that describes what it takes."""

    read: Callable[[Any], Any]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self.schema)


def _value(
    *dimensions: str,
    least: float = -math.inf,
    positive: bool = False,
    most: float = math.inf,
    words: tuple[str, ...] = (),
) -> _Rule:
    """Rule for ``Quantity | Ref`` of one of the dimensions, or one of the words."""
    said = _expected(dimensions, words)

    def check(number: float, dimension: str, shown: str) -> None:
        if dimension not in dimensions:
            raise ValueError(f"{shown} is {units.kind(dimension)}: expected {said}")
        if positive and number <= 0:
            raise ValueError(f"{shown} must be more than 0")
        if number < least:
            raise ValueError(f"{shown} must be at least {units.text(least, dimension)}")
        if number > most:
            raise ValueError(f"{shown} must be at most {units.text(most, dimension) if dimension else f'{most:.0%}'}")

    def read(raw: Any) -> Quantity | Ref | str:
        if isinstance(raw, str) and raw in words:
            return raw
        if isinstance(raw, Ref):
            for number in raw.values if raw.unit is not None else ():
                check(number, raw.unit or "", f"${raw.name} ({units.text(number, raw.unit or '')})")
            return raw
        if isinstance(raw, Quantity):
            check(raw.value, raw.unit, f"${raw.name} ({raw})" if raw.name else str(raw))
            return raw
        if isinstance(raw, str) and raw.startswith("$"):
            return Ref(raw[1:])
        return text(raw)

    def text(raw: Any) -> Quantity:
        if isinstance(raw, str):
            number, dimension = units.parse(raw)
            if dimension == "" and "" not in dimensions and number != 0:
                raise ValueError(f"missing unit in '{raw}': expected {said}")
        elif isinstance(raw, int | float) and not isinstance(raw, bool):
            if raw != 0 and "" not in dimensions:
                raise ValueError(f"missing unit in {raw!r}: expected {said}")
            number, dimension = units.to_si(raw, ""), ""
        else:
            raise ValueError(f"{shorten(raw)} is no quantity: expected {said}")
        if number == 0 and dimension == "" and "" not in dimensions:
            dimension = dimensions[0]
        check(number, dimension, f"'{raw}'")
        return Quantity(number, dimension)

    any_of: list[dict[str, Any]] = [
        {"type": "string", "pattern": rf"^\s*({REFERENCE}|{_NUMBER}\s*[^\s0-9.].*|[+-]?0+([.]0*)?)\s*$"}
    ]
    if "" in dimensions:
        any_of = [
            {"type": "string", "pattern": rf"^\s*({REFERENCE}|{_NUMBER}(\s*[^\s0-9.].*)?)\s*$"},
            {"type": "number"},
        ]
    else:
        any_of.append({"const": 0})
    if words:
        any_of.append({"enum": list(words)})
    kinds = [units.kind(dimension).removeprefix("a ").replace(" ", "_") for dimension in dimensions]
    return _Rule(read, {"$comment": "_or_".join([*kinds, *words]), "description": said, "anyOf": any_of})


def _whole(least: int, most: int = 2**40) -> _Rule:
    """Rule for ``int | Ref``: a whole number, ``1e6`` included."""

    def check(number: float, shown: str) -> int:
        if number != math.floor(number):
            raise ValueError(f"{shown} is not a whole number")
        if not least <= number <= most:
            raise ValueError(f"{shown} must be {least} to {most}")
        return int(number)

    def read(raw: Any) -> int | Ref:
        if isinstance(raw, Ref):
            if raw.unit:
                raise ValueError(f"${raw.name} is {units.kind(raw.unit)}: expected a whole number")
            for number in raw.values:
                check(number, f"${raw.name} ({number:g})")
            return raw
        if isinstance(raw, Quantity):
            if raw.unit:
                raise ValueError(f"${raw.name} is {units.kind(raw.unit)}: expected a whole number")
            return check(raw.value, f"${raw.name} ({raw.value:g})")
        if isinstance(raw, str) and raw.startswith("$"):
            return Ref(raw[1:])
        if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
            raise ValueError(f"{shorten(raw)} is no count: expected a whole number, such as 30")
        return check(raw, shorten(raw))

    number = {"type": "number", "multipleOf": 1, "minimum": least, "maximum": most}
    reference = {"type": "string", "pattern": f"^{REFERENCE}$"}
    return _Rule(read, {"description": "a whole number", "anyOf": [number, reference]})


Level = Annotated[Quantity | Ref, _value("V", "V/m")]  #: volts, or a field along the channel
Voltage = Annotated[Quantity | Ref, _value("V")]
Window = Annotated[Quantity | Ref, _value("V", positive=True)]
Slew = Annotated[Quantity | Ref, _value("V/s", positive=True)]
Current = Annotated[Quantity | Ref, _value("A", positive=True)]
SignedCurrent = Annotated[Quantity | Ref, _value("A")]
Range = Annotated[Quantity | Ref | Literal["auto"], _value("A", positive=True, words=("auto",))]
Time = Annotated[Quantity | Ref, _value("s", least=0)]
Duration = Annotated[Quantity | Ref, _value("s", positive=True)]
Resistance = Annotated[Quantity | Ref, _value("ohm", least=0)]
Ratio = Annotated[Quantity | Ref, _value("", positive=True)]
Fraction = Annotated[Quantity | Ref, _value("", least=0, most=1)]
Bound = Annotated[Quantity | Ref, _value("", "ohm", "A", "V")]  #: a limit of the reading it stands beside
Drop = Annotated[Quantity | Ref, _value("", "ohm", positive=True)]  #: a ratio to a reference, or a resistance
Periods = Annotated[Quantity | Ref, _value("", positive=True)]  #: integration time in power-line periods
Count = Annotated[int | Ref, _whole(1)]
CountOrNone = Annotated[int | Ref, _whole(0)]
Points = Annotated[int | Ref, _whole(2, 100_000)]
Retries = Annotated[int | Ref, _whole(0, 1000)]
