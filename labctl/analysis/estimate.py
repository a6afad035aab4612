"""A value with its interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """NaN value: not estimable; infinite end: no bound there; NaN ends: no interval is known."""

    value: float
    low: float
    high: float
