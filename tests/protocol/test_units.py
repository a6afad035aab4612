"""Units: the exact path agrees with pint, nothing without a unit passes, nothing but ValueError comes out."""

import math
import re
import subprocess
import sys

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.protocol import units

_PINT = pint.UnitRegistry()
_COMMON = sorted(unit for unit in units._COMMON if unit)


@given(st.floats(1e-12, 1e12) | st.floats(-1e12, -1e-12), st.sampled_from(_COMMON))
def test_common_units_agree_with_pint(number: float, unit: str) -> None:
    value, dimension = units.parse(f"{number!r} {unit}")
    expected = _PINT.Quantity(number, unit).to(dimension or "dimensionless").magnitude
    assert value == pytest.approx(expected, rel=1e-15 * 4, abs=0)


@given(st.integers(1, 10**6), st.integers(0, 3))
def test_decimal_text_is_exact(mantissa: int, places: int) -> None:
    assert units.parse(f"{mantissa / 10**places:.{places}f} us")[0] == float(f"{mantissa}e{-6 - places}")


@given(
    st.floats(min_value=-1e30, max_value=1e30),
    st.sampled_from(sorted(units.DIMENSIONS)),
)
def test_text_and_back(value: float, dimension: str) -> None:
    again, found = units.parse(units.text(value, dimension))
    assert (again, found) == (value, dimension)


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("4.2 V", 4.2, "V"),
        ("-4.2V", -4.2, "V"),
        ("0.21 V/um", 2.1e5, "V/m"),
        ("0.21 V / µm", 2.1e5, "V/m"),
        ("3 MV/cm", 3e8, "V/m"),
        ("200 kΩ", 2e5, "ohm"),
        ("1.5 Mohm", 1.5e6, "ohm"),
        ("20 %", 0.2, ""),
        ("1e6", 1e6, ""),
        ("2 min", 120.0, "s"),
        ("4 volts", 4.0, "V"),
    ],
)
def test_reads(text: str, value: float, dimension: str) -> None:
    assert units.parse(text) == (value, dimension)


@pytest.mark.parametrize(
    ("value", "dimension", "said"),
    [
        (4.2, "V", "missing unit in 4.2: expected a voltage"),
        ("4.2", "V", "missing unit in '4.2': expected a voltage"),
        ("4.2 A", "V", "'4.2 A' is a current: expected a voltage"),
        ("4.2 V", "V/m", "is a voltage: expected a field"),
        ("5 Kohm", "ohm", "did you mean 'kohm'"),
        ("3 degC", "V", "of no use"),
        ("three volts", "V", "is not a number with a unit"),
        (True, "", "is no quantity"),
        (True, "V", "is no quantity"),
        (None, "s", "is no quantity"),
        (math.nan, "", "not a finite number"),
        (math.inf, "V", "not a finite number"),
        (10**400, "", "not a finite number"),
        ("1e999 V", "V", "not a finite number"),
        ("nan V", "V", "is not a number with a unit"),
        ("1 V**999999999", "V", "is not a number with a unit"),
    ],
)
def test_refuses(value: object, dimension: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        units.to_si(value, dimension)


def test_zero_needs_no_unit() -> None:
    assert units.to_si(0, "V") == units.to_si("0", "V") == units.to_si(0.0, "s") == 0.0


@given(st.text(max_size=30), st.sampled_from(sorted(units.DIMENSIONS)))
def test_any_text_gives_a_number_or_a_value_error(text: str, dimension: str) -> None:
    try:
        value = units.to_si(text, dimension)
    except ValueError:
        return
    assert math.isfinite(value)


@given(st.from_regex(r"[1-9] [a-zA-Z]{1,6}([*/][a-zA-Z]{1,4}(\^-?[0-9])?)?", fullmatch=True))
def test_any_unit_gives_a_number_or_a_value_error(text: str) -> None:
    try:
        value, dimension = units.parse(text)
    except ValueError:
        return
    assert math.isfinite(value)
    assert dimension in units.DIMENSIONS


def test_common_units_do_not_import_pint() -> None:
    code = "import sys;from labctl.protocol.units import parse as p; p('4 V'); assert 'pint' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
