"""The vocabulary of protocols: one class per kind of step (design, section 5).

A step is data. Values are SI floats with their unit (``Quantity``) or names of parameters and loop variables
(``Ref``), written ``$name`` in a file. Nothing here knows an instrument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


@dataclass(frozen=True, slots=True)
class Quantity:
    """An SI number and its unit: one of the keys of ``units.DIMENSIONS``."""

    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Ref:
    """``$name``: a parameter or the variable of an enclosing loop."""

    name: str


@dataclass(frozen=True, slots=True)
class Where:
    """Place of a node in its file, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
