"""What the rooms of a model share: values with intervals, the refusal to answer, the format's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FORMAT = "labctl-model"
VERSION = 2  #: 1 had neurons only
KNOWN = (1, 2)


class ModelError(ValueError):
    """A file that is no model, or a question that it cannot answer (exit code 2)."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Value(NamedTuple):
    """A value with its interval; NaN: not known, or open on that side."""

    value: float
    low: float
    high: float


def value_of(entry: Mapping[str, Any]) -> Value:
    """From ``{value, low, high}``; null is NaN."""
    return Value(*(number(entry[name]) for name in Value._fields))


def number(entry: float | None) -> float:
    return float("nan") if entry is None else float(entry)


def numbers(entries: list[float | None]) -> Floats:
    return np.array([number(entry) for entry in entries])
