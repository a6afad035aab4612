"""Doses add up level by level and role by role."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.plan.dose import Dose, TerminalDose, levels

HELD = st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 1e4)), max_size=8)


def test_doses_of_runs_add_up() -> None:
    first = Dose({"pd": TerminalDose({"set": 3, "reset": 3}, 1, 2e-9, ((3.8, 3e-4), (4.2, 3e-4)))})
    second = Dose({"pd": TerminalDose({"set": 2}, 0, 1e-9, ((3.8, 2e-4),)), "au": TerminalDose(charge=1e-9)})
    total = first + second
    assert total.of("pd").pulses == {"set": 5, "reset": 3}
    assert total.of("pd").count() == 8
    assert total.of("pd").beyond == 1
    assert total.of("pd").charge == pytest.approx(3e-9)
    assert total.of("pd").above(3.8) == pytest.approx(3e-4)
    assert total.of("pd").above(3.7) == pytest.approx(8e-4)
    assert total.of("au").charge == 1e-9
    assert total.of("gate") == TerminalDose()


@given(HELD, HELD, st.floats(0, 50))
def test_no_time_is_lost_in_adding(
    one: list[tuple[float, float]], two: list[tuple[float, float]], level: float
) -> None:
    a, b = TerminalDose(held=levels(one)), TerminalDose(held=levels(two))
    assert (a + b).above(level) == pytest.approx(a.above(level) + b.above(level))
    assert (a + b).above(-1.0) == pytest.approx(sum(seconds for _, seconds in one + two))
