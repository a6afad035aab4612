"""Program data and response data."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.scpi import ScpiError
from sim_backend.scpi.values import (
    Choice,
    arbitrary_block,
    boolean,
    integer,
    keyword,
    number,
    quantity,
    quoted,
    scientific,
    string,
)

PREFIXES = {"": 0, "K": 3, "M": -3, "U": -6, "N": -9, "P": -12, "G": 9, "MA": 6}


@given(value=st.floats(allow_nan=False, allow_infinity=False), form=st.sampled_from(["{!r}", "{:.17e}", "{:+.17E}"]))
def test_decimal_numbers_arrive_exactly(value: float, form: str) -> None:
    assert number(form.format(value)) == value


@given(
    mantissa=st.integers(-99999, 99999),
    point=st.integers(0, 4),
    prefix=st.sampled_from(sorted(PREFIXES)),
    blank=st.sampled_from(["", " "]),
    lower=st.booleans(),
)
def test_a_prefix_shifts_the_decimal_point_exactly(
    mantissa: int, point: int, prefix: str, blank: str, lower: bool
) -> None:
    digits = str(Decimal(mantissa).scaleb(-point))
    unit = f"{prefix}S"
    token = f"{digits}{blank}{unit.lower() if lower else unit}"
    if "E" in digits:
        return
    assert quantity(token, ("S",)) == (float(Decimal(digits).scaleb(PREFIXES[prefix])), "S")


@pytest.mark.parametrize(
    ("token", "units", "expected"),
    [
        ("100us", ("S",), 1e-4),
        ("1e-3 s", ("S",), 1e-3),
        ("5 MHz", ("HZ",), 5e6),
        ("5 mHz", ("HZ",), 5e6),  # M is mega before HZ, whatever its case
        ("2 MAHZ", ("HZ",), 2e6),
        ("10 kOHM", ("OHM",), 10e3),
        ("1MOHM", ("OHM",), 1e6),
        ("1MV", ("V",), 1e-3),
        ("0 DEG", ("DEG", "RAD"), 0.0),
        (".5", ("V",), 0.5),
        ("5.", ("V",), 5.0),
        ("+1E+3", ("V",), 1e3),
        ("#H1F", (), 31.0),
        ("#b101", (), 5.0),
        ("#Q17", (), 15.0),
    ],
)
def test_units(token: str, units: tuple[str, ...], expected: float) -> None:
    assert number(token, units) == expected


def test_the_unit_that_was_written_is_told() -> None:
    units = ("V", "VPP", "VRMS", "DBM")
    assert quantity("250mVPP", units) == (0.25, "VPP")
    assert quantity("1 VRMS", units) == (1.0, "VRMS")
    assert quantity("-3dbm", units) == (-3.0, "DBM")
    assert quantity("2", units) == (2.0, "")


@pytest.mark.parametrize(
    ("token", "units", "code"),
    [
        ("1 A", ("V",), -131),
        ("1 XV", ("V",), -131),
        ("1V", (), -138),
        ("abc", ("V",), -141),
        ("--1", ("V",), -120),
        ("1,5", ("V",), -120),
        ("", ("V",), -120),
        ('"1"', ("V",), -158),
        (b"1", ("V",), -168),
    ],
)
def test_what_is_no_number(token: str | bytes, units: tuple[str, ...], code: int) -> None:
    with pytest.raises(ScpiError) as error:
        number(token, units)
    assert error.value.code == code


def test_integers_are_rounded_and_finite() -> None:
    assert integer("2.6") == 3
    assert integer("1E3") == 1000
    with pytest.raises(ScpiError) as error:
        integer("1e999")
    assert error.value.code == -222


def test_booleans() -> None:
    assert [boolean(t) for t in ("ON", "off", "1", "0", "2.7", "0.2")] == [True, False, True, False, True, False]
    with pytest.raises(ScpiError):
        boolean("YES")


@given(text=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)), mark=st.sampled_from(['"', "'"]))
def test_strings_come_back(text: str, mark: str) -> None:
    assert string(mark + text.replace(mark, mark * 2) + mark) == text
    assert string(quoted(text)) == text


@pytest.mark.parametrize(("token", "code"), [("abc", -104), ('"abc', -151), ('"', -151), (b"x", -168)])
def test_what_is_no_string(token: str | bytes, code: int) -> None:
    with pytest.raises(ScpiError) as error:
        string(token)
    assert error.value.code == code


def test_choices_take_short_and_long_forms_only() -> None:
    choice = Choice("SINusoid", "EMEMory[1]", "EMEMory2", aliases={"FIXed": "CW"})
    for spelling in ("sin", "SINUSOID", "Sinusoid"):
        assert choice(spelling) == "SIN"
    assert [choice(t) for t in ("EMEM", "ememory1", "EMEM1", "EMEM2", "ememory2")] == ["EMEM"] * 3 + ["EMEM2"] * 2
    assert choice("FIX") == "CW"
    for wrong, code in (("SINU", -224), ("EMEM3", -224), ("5", -104), ('"SIN"', -158)):
        with pytest.raises(ScpiError) as error:
            choice(wrong)
        assert error.value.code == code


def test_keywords() -> None:
    assert [keyword(t) for t in ("min", "MAXimum", "INFinity", "DEF", "5", "MINI")] == [
        "MIN", "MAX", "INF", "DEF", None, None,
    ]  # fmt: skip


@given(value=st.floats(min_value=-1e12, max_value=1e12).filter(lambda v: v == 0 or abs(v) > 1e-15))
def test_scientific_keeps_twelve_digits(value: float) -> None:
    text = scientific(value)
    assert math.isclose(float(text), value, rel_tol=1e-11)
    mantissa, exponent = text.split("E")
    assert len(mantissa.split(".")[1]) >= 3
    assert exponent == str(int(exponent))


def test_scientific_as_the_manual_prints_it() -> None:
    assert scientific(1.0) == "1.000E0"
    assert scientific(1e-3) == "1.000E-3"
    assert scientific(math.inf) == "9.9E+37"


@given(content=st.binary(max_size=300))
def test_blocks(content: bytes) -> None:
    sent = arbitrary_block(content)
    digits = int(sent[1:2])
    assert int(sent[2 : 2 + digits]) == len(content)
    assert sent[2 + digits :] == content
