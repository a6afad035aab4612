"""Text with units at the edges, SI floats inside.

Common units are read by a table of decimal exponents, which is exact to the last bit ("100 us" is the float
``1e-4``) and needs no import; anything else is asked of pint, which costs 0.4 s once.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from decimal import Decimal
from typing import Any

#: dimensions of the language: SI unit -> how it is said in an error
DIMENSIONS = {
    "V": "a voltage, such as '4.2 V'",
    "V/m": "a field, such as '0.21 V/um'",
    "V/s": "a slew rate, such as '1 V/s'",
    "A": "a current, such as '100 uA'",
    "s": "a time, such as '100 us'",
    "ohm": "a resistance, such as '200 kohm'",
    "m": "a length, such as '20 um'",
    "F": "a capacitance, such as '150 pF'",
    "J": "an energy, such as '10 nJ'",
    "C": "a charge, such as '1 nC'",
    "": "a plain number or a percentage, such as '20 %'",
}

_PREFIXES = {"f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
# what is handed to pint: factors of letters with a one-digit power, joined by * or /
_UNIT = re.compile(r"[A-Za-zΩ°%_]+(?:(?:\^|\*\*)-?\d)?(?:[*/][A-Za-zΩ_]+(?:(?:\^|\*\*)-?\d)?){0,5}")
_MICRO = str.maketrans({"µ": "u", "μ": "u", "Ω": "Ω"})


def _common_units() -> dict[str, tuple[str, int, int]]:
    """Unit text -> (dimension, integer factor, decimal exponent)."""
    units: dict[str, tuple[str, int, int]] = {"": ("", 1, 0), "%": ("", 1, -2)}
    units |= {"min": ("s", 60, 0), "h": ("s", 3600, 0), "cm": ("m", 1, -2)}
    for prefix, power in _PREFIXES.items():
        for name in ("V", "A", "s", "m", "F", "J", "C", "ohm", "Ω"):
            units[prefix + name] = ("ohm" if name == "Ω" else name, 1, power)
        for length, metre in (("m", 0), ("cm", -2), ("mm", -3), ("um", -6), ("nm", -9)):
            units[f"{prefix}V/{length}"] = ("V/m", 1, power - metre)
        units[f"{prefix}V/s"] = ("V/s", 1, power)
    return units


_COMMON = _common_units()


@functools.cache
def _registry() -> Any:
    import pint  # 0.4 s: only when an uncommon unit is met
    import platformdirs

    return pint.UnitRegistry(cache_folder=platformdirs.user_cache_dir("labctl"))


def parse(text: str) -> tuple[float, str]:
    """``"100 us"`` -> ``(1e-4, "s")``: the SI value and its dimension, a key of ``DIMENSIONS``.

    A text without unit, and a percentage, have the dimension ``""``. Raises ``ValueError`` on anything else.
    """
    clean = text.strip().translate(_MICRO)
    number = _NUMBER.match(clean)
    if number is None:
        raise ValueError(f"{_quoted(text)} is not a number with a unit")
    unit = re.sub(r"\s*([*/])\s*", r"\1", clean[number.end() :].strip())
    common = _COMMON.get(unit)
    if common is None:
        value, dimension = _by_pint(float(number.group()), unit, text)
    else:
        dimension, factor, exponent = common
        value = float((Decimal(number.group()) * factor).scaleb(exponent))
    if not math.isfinite(value):
        raise ValueError(f"{_quoted(text)} is not a finite number")
    return value, dimension


def to_si(value: Any, dimension: str) -> float:
    """SI value of ``value``: text with a unit of the named dimension, or a bare 0.

    Bare numbers are values only where the dimension is ``""``; elsewhere they lack their unit, wherever they
    come from: code writes text too, or keeps its own SI floats. Raises ``ValueError`` with what was expected.
    """
    expected = DIMENSIONS[dimension]
    if isinstance(value, str):
        number, found = parse(value)
        if found == dimension or (number == 0 and found == ""):
            return number
        if found == "":
            raise ValueError(f"missing unit in {_quoted(value)}: expected {expected}")
        raise ValueError(f"{_quoted(value)} is {kind(found)}: expected {expected}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_quoted(value)} is no quantity: expected {expected}")
    try:
        number = float(value)
    except OverflowError:  # a whole number of more than 308 digits
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{_quoted(value)} is not a finite number: expected {expected}")
    if dimension and number != 0:
        raise ValueError(f"missing unit in {_quoted(value)}: expected {expected}")
    return number


def kind(dimension: str) -> str:
    """``"V"`` -> ``"a voltage"``."""
    return DIMENSIONS[dimension].partition(",")[0] if dimension else "a plain number"


def text(value: float, dimension: str) -> str:
    """Exact text of an SI value in a readable unit: ``(1e-4, "s")`` -> ``"100 us"``.

    ``parse`` gives the same float back. Fields are written in V/um, the unit of the devices.
    """
    if not dimension or not value:
        return f"{_digits(Decimal(repr(value)))} {dimension}".strip()
    exact = Decimal(repr(value))
    if dimension == "V/m":
        return f"{_digits(exact.scaleb(-6))} V/um"
    if dimension == "s" and value >= 1:
        return f"{_digits(exact)} s"
    power = min(max(exact.adjusted() // 3 * 3, -15), 12)
    prefix = next(p for p, e in _PREFIXES.items() if e == power)
    stem, slash, rest = dimension.partition("/")
    return f"{_digits(exact.scaleb(-power))} {prefix}{stem}{slash}{rest}"


def _digits(number: Decimal) -> str:
    short = number.normalize()
    return f"{short:f}" if -5 <= short.adjusted() < 16 else f"{short:e}"


def _by_pint(number: float, unit: str, original: str) -> tuple[float, str]:
    if len(unit) > 40 or not _UNIT.fullmatch(unit):
        raise ValueError(f"{_quoted(original)} is not a number with a unit")
    registry = _registry()
    import pint

    try:
        quantity = number * registry.parse_units(unit)
        for dimension in DIMENSIONS:
            if quantity.check(registry.parse_units(dimension).dimensionality):
                return float(quantity.to(dimension or "dimensionless").magnitude), dimension
    except pint.UndefinedUnitError:
        same = [known for known in _COMMON if known.lower() == unit.lower()]
        near = same or difflib.get_close_matches(unit, _COMMON, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"unknown unit '{unit}' in {_quoted(original)}{hint}") from None
    except (pint.PintError, ValueError, TypeError, ArithmeticError):
        pass  # a unit that cannot be combined, such as a power of degC
    raise ValueError(f"the unit '{unit}' in {_quoted(original)} is of no use in a protocol or bench file")


def _quoted(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
