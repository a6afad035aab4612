"""Numbers as people read them: as many digits as the interval justifies, units with a prefix."""

from __future__ import annotations

import math
from dataclasses import dataclass

from labctl.analysis import Result
from labctl.protocol import units

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
_PREFIXED = ("ohm", "S", "A", "s", "J")  #: volts stay volts: thresholds and their shifts are read side by side


@dataclass(frozen=True, slots=True)
class Shown:
    """Texts of one result; an open end is 'open', what does not exist '-'."""

    value: str
    unit: str
    low: str
    high: str


def shown(result: Result) -> Shown:
    """Value and interval in one unit, with two digits of the interval's half width.

    Pure numbers and volts have three decimals at least, for they stand in columns; bounds and what has no interval
    have four digits.
    """
    numbers = (result.value, result.low, result.high)
    size = max((abs(v) for v in numbers if math.isfinite(v)), default=0.0)
    power = 0
    if result.unit in _PREFIXED and size > 0:
        power = min(max(3 * math.floor(math.log10(size) / 3), -15), 9)
    value, low, high = (v / 10.0**power for v in numbers)
    digits = _decimals(value, low, high) if math.isfinite(result.confidence) else None
    if digits is not None and result.unit in ("", "V"):
        digits = max(digits, 3)
    unit = _PREFIXES[power] + result.unit
    return Shown(_text(value, digits), unit, _end(low, digits), _end(high, digits))


def abscissa(result: Result) -> str:
    """Where a result holds, with its unit; empty if it is no point of a curve."""
    return units.text(float(f"{result.at:.6g}"), result.at_unit) if math.isfinite(result.at) else ""


def _decimals(value: float, low: float, high: float) -> int | None:
    """Decimals that show two digits of the half width; None if there is none."""
    ends = [v for v in (low, high) if math.isfinite(v)]
    width = max(ends) - min(ends) if len(ends) == 2 else max((abs(v - value) for v in ends), default=math.nan)
    if not math.isfinite(width) or width <= 0:
        return None
    return min(max(1 - math.floor(math.log10(width / 2)), 0), 9)


def _text(value: float, decimals: int | None) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.4g}" if decimals is None else f"{value:.{decimals}f}"


def _end(value: float, decimals: int | None) -> str:
    return "open" if math.isinf(value) else _text(value, decimals)
