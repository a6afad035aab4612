"""Numbers on the wire: full precision, nothing clipped, nothing invented."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import SettingError
from drivers.wire import number, within

finite = st.floats(allow_nan=False, allow_infinity=False)


def test_small_current_is_not_sent_as_zero() -> None:
    assert number(1e-9) == "1e-09"
    assert number(1e-4) == "0.0001"


@given(finite)
def test_text_of_a_number_keeps_eleven_digits(value: float) -> None:
    assert math.isclose(float(number(value)), value, rel_tol=1e-11, abs_tol=0.0)


@given(finite.filter(lambda v: v != 0))
def test_text_of_a_number_keeps_the_sign_and_is_never_zero(value: float) -> None:
    assert math.copysign(1, float(number(value))) == math.copysign(1, value)
    assert float(number(value)) != 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_sent(value: float) -> None:
    with pytest.raises(SettingError, match="cannot be sent"):
        number(value)


@given(st.floats(), st.tuples(finite, finite).map(sorted))
def test_a_value_passes_unchanged_or_is_refused(value: float, bounds: list[float]) -> None:
    low, high = bounds
    if low <= value <= high:
        assert within("level", value, low, high) == value
    else:
        with pytest.raises(SettingError, match="level"):
            within("level", value, low, high)


def test_refusal_says_what_and_what_is_allowed() -> None:
    with pytest.raises(SettingError, match=r"pulse width 5e-09 s is outside 1e-08 \.\. 999\.99 s"):
        within("pulse width", 5e-9, 1e-8, 999.99, "s")
