"""Numbers in tables: as many digits as the interval justifies, units with a prefix, notes with a subject."""

from __future__ import annotations

import math

import pytest
from fake_run import FakeRun

from labctl.analysis import Result
from labctl.report.numbers import abscissa, shown
from labctl.report.tables import results_table


def result(value: float, low: float = math.nan, high: float = math.nan, unit: str = "", **more: object) -> Result:
    given = {"confidence": 0.95, "quantity": "quantity", "state": "", "n": 3, "method": "m"} | more
    return Result(run="r.h5", device="d", value=value, low=low, high=high, unit=unit, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("numbers", "unit", "texts"),
    [
        ((399986.0, 399957.0, 400015.0), "ohm", ("399.986", "kohm", "399.957", "400.015")),
        ((14.2, 8.1, 39.6), "ohm", ("14", "ohm", "8", "40")),
        ((3.4159, 3.3361, 3.4912), "V", ("3.416", "V", "3.336", "3.491")),
        ((-0.4799, -0.5809, -0.3791), "V", ("-0.480", "V", "-0.581", "-0.379")),
        ((0.4, 0.246, 0.577), "", ("0.400", "", "0.246", "0.577")),
        ((2.2e-10, 2.1e-10, 2.31e-10), "A", ("220", "pA", "210", "231")),
        ((math.nan, 3.9, math.inf), "V", ("-", "V", "3.9", "open")),
        ((0.0, 0.0, 0.0), "ohm", ("0", "ohm", "0", "0")),
        ((1000.0, 999.0, 1001.0), "ohm", ("1.00000", "kohm", "0.99900", "1.00100")),
    ],
)
def test_digits_and_units(numbers: tuple[float, float, float], unit: str, texts: tuple[str, ...]) -> None:
    made = shown(result(*numbers, unit=unit))
    assert (made.value, made.unit, made.low, made.high) == texts


def test_bounds_are_said_to_be_bounds() -> None:
    bounds = result(math.nan, 4.4212e-9, 35.57e-9, "J", quantity="energy", confidence=math.nan, at=4.2, at_unit="V")
    lines = table([bounds])
    assert "[4.421, 35.57] (bounds)" in lines[4]
    assert " nJ " in lines[4]
    assert " 4.2 V " in lines[4]


@pytest.mark.parametrize(
    ("at", "unit", "text"), [(3.4000000000000004, "V", "3.4 V"), (1e-5, "s", "10 us"), (900000.0, "", "900000")]
)
def test_abscissa_has_its_unit(at: float, unit: str, text: str) -> None:
    assert abscissa(result(1.0, at=at, at_unit=unit)) == text
    assert abscissa(result(1.0)) == ""


def table(results: list[Result]) -> list[str]:
    run = FakeRun({})
    run.meta |= {"title": "t", "simulated": True, "device": "d"}
    return results_table(run, results)  # type: ignore[arg-type]


def test_counts_intervals_and_notes() -> None:
    shifts = [
        result(v, v - 0.1, v + 0.1, quantity="probability_shift", state="a -> b", at=at, at_unit="V", note=note)
        for v, at, note in ((0.05, 3.4, "no shift established"), (0.5, 3.6, "shifted"), (0.6, 3.8, "shifted"))
    ]
    lines = table([result(0.4, 0.25, 0.58, quantity="probability", state="a", n=30), *shifts])
    assert lines[0].startswith("SIMULATED")
    assert "95 % interval" in lines[2]
    assert "12/30" in lines[4]
    assert "  note: probability_shift (a -> b at 3.4 V): no shift established" in lines
    assert "  note: probability_shift (a -> b at 3.6 V, 3.8 V): shifted" in lines


def test_confidences_that_differ_are_said_row_by_row() -> None:
    lines = table([result(1.0, 0.9, 1.1), result(1.0, 0.8, 1.2, confidence=0.99)])
    assert "%" not in lines[2]
    assert lines[4].rstrip().endswith("[0.900, 1.100] 95%  3")
    assert "99%" in lines[5]
