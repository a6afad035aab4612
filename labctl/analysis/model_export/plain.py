"""Numbers as the file has them: null for what is not finite."""

from __future__ import annotations

import math
from collections.abc import Iterable

from labctl.analysis.estimate import Estimate

CONFIDENCE = 0.95


def plain(estimate: Estimate) -> dict[str, float | None]:
    return {"value": number(estimate.value), "low": number(estimate.low), "high": number(estimate.high)}


def number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def numbers(values: Iterable[float]) -> list[float | None]:
    return [number(value) for value in values]
