"""Closed forms of the H-NNO model against brute-force integration."""

from __future__ import annotations

from itertools import pairwise
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.devices.hnno.kinetics import crossing, dose, grow, growth_slope, growth_steps, split
from sim_backend.devices.hnno.parameters import HnnoParameters

P = HnnoParameters()
VOLTS = st.floats(-6, 6)
TIMES = st.sampled_from([1e-9, 1e-6, 1e-4, 1e-2])


def integrate_dose(duration: float, a1: float, a2: float, u: float) -> float:
    """Gauss-Legendre on 200 pieces: exact to rounding for these exponents."""
    x, weights = np.polynomial.legendre.leggauss(8)
    corners = np.linspace(0, 1, 201)
    middle, half = (corners[1:] + corners[:-1]) / 2, 1 / 400
    t = middle[:, None] + half * x
    return float((np.exp((a1 + (a2 - a1) * t) / u) * weights).sum() * half * duration / P.w0)


@given(duration=TIMES, a1=VOLTS, a2=VOLTS, u=st.floats(0.1, 0.3))
def test_dose(duration: float, a1: float, a2: float, u: float) -> None:
    assert dose(duration, a1, a2, u, P.w0) == pytest.approx(integrate_dose(duration, a1, a2, u), rel=1e-9)


@given(duration=TIMES, a1=VOLTS, a2=VOLTS, part=st.floats(1e-6, 1))
def test_crossing_is_where_the_dose_is_reached(duration: float, a1: float, a2: float, part: float) -> None:
    need = part * dose(duration, a1, a2, P.u, P.w0)
    when = crossing(need, duration, a1, a2, P.u, P.w0)
    assert 0 <= when <= duration
    reached = dose(when, a1, a1 + (a2 - a1) * when / duration, P.u, P.w0)
    # where the voltage falls steeply, the last of the dose comes late and slowly: compare doses, not times
    assert reached == pytest.approx(need, rel=1e-6)


@given(duration=TIMES, v1=VOLTS, v2=VOLTS)
def test_split_covers_the_ramp_and_keeps_each_part_on_one_side(duration: float, v1: float, v2: float) -> None:
    parts = split(duration, v1, v2, P.v_event)
    assert sum(t for t, _, _ in parts) == pytest.approx(duration, rel=1e-9)
    assert (parts[0][1], parts[-1][2]) == (v1, v2)
    for before, after in pairwise(parts):
        assert before[2] == after[1]
    for _, a, b in parts:
        assert min(a, b) >= P.v_event or max(a, b) <= -P.v_event or max(abs(a), abs(b)) <= P.v_event


def brute_growth(stretches: list[tuple[float, float, float]], level: float, steps: int = 20000) -> float:
    """d(S+q)/dt = max(0, S_sat - (S+q)) g/tau_a, explicit Euler."""
    for duration, v1, v2 in stretches:
        for v in v1 + (v2 - v1) * (np.arange(steps) + 0.5) / steps:
            gate = 1 / (1 + exp((P.v_floor - v) / P.w_floor)) if v > 2 else 0.0
            level += max(0.0, P.saturation(v) - level) * gate * duration / steps / P.tau_a
    return level


@pytest.mark.parametrize("start", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(
    "stretches",
    [
        [(100e-6, 3.8, 3.8)],
        [(1e-6, 0.5, 4.2), (99e-6, 4.2, 4.2), (1e-6, 4.2, 0.5)],
        [(300e-6, 0.5, 4.2), (300e-6, 4.2, 0.5)],
        [(100e-6, 3.0, 3.2)],
        [(100e-9, 0.5, 4.2), (100e-9, 4.2, 0.5)],
    ],
)
def test_growth(stretches: list[tuple[float, float, float]], start: float) -> None:
    ours = grow(growth_steps(P, stretches), start)
    assert ours == pytest.approx(brute_growth(stretches, start), abs=1e-3)
    assert ours >= start


@given(level=st.floats(0, 0.9), peak=st.floats(3.0, 4.6))
def test_the_slope_of_the_growth_is_its_derivative(level: float, peak: float) -> None:
    steps = list(growth_steps(P, [(1e-6, 0.5, peak), (99e-6, peak, peak)]))
    h = 1e-7
    numeric = (grow(steps, level) - level - (grow(steps, level + h) - level - h)) / h
    assert growth_slope(steps, level) == pytest.approx(numeric, abs=0.02)


def test_equal_pulses_follow_their_closed_form() -> None:
    """S_N = S_sat - (S_sat - S_0)(1-a)^N to 1e-5 V, a = 1 - exp(-w g/tau_a)."""
    level = 0.0
    for _ in range(10):
        level = grow(growth_steps(P, [(100e-6, 3.8, 3.8)]), level)
    assert level == pytest.approx(0.55 * (1 - exp(-10 * 100 / 280)), abs=1e-5)
