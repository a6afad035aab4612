"""Spike criterion, peak, crossing and small statistics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.numerics import (
    branch_values,
    find_peak,
    geometric_criterion,
    is_spike,
    spike_ratio,
    split_branches,
    summarise,
    value_at,
    within,
)


def test_spike_is_a_drop_below_the_fraction_of_the_reference():
    assert is_spike(80e3, 400e3)
    assert not is_spike(250e3, 400e3)
    np.testing.assert_array_equal(is_spike([80e3, 390e3], [400e3, 400e3]), [True, False])


def test_geometric_criterion_is_between_the_states():
    assert geometric_criterion(400e3, 80e3) == pytest.approx(178885.438)


@pytest.mark.parametrize(("r", "ref"), [(np.nan, 4e5), (4e5, np.nan), (-1e3, 4e5), (4e5, 0.0), (4e5, np.inf)])
def test_an_undefined_ratio_is_nan_and_no_spike(r, ref):
    assert np.isnan(spike_ratio(r, ref))
    assert not is_spike(r, ref)


def test_an_open_reading_is_no_spike():
    assert spike_ratio(np.inf, 4e5) == np.inf
    assert not is_spike(np.inf, 4e5)


@pytest.mark.parametrize("below", [0.0, 1.0, 2.0, -0.5])
def test_a_criterion_that_is_no_drop_is_refused(below):
    with pytest.raises(ValueError, match="between 0 and 1"):
        is_spike(1.0, 2.0, below)


@given(
    centre=st.floats(-5.9, 5.9),
    height=st.floats(1e-12, 1.0),
    width=st.floats(1.0, 10.0),
    seed=st.integers(0, 1000),
)
def test_parabola_is_found_exactly_whatever_order_and_spacing(centre, height, width, seed):
    rng = np.random.default_rng(seed)
    x = rng.permutation(np.linspace(-8, 8, 41) + rng.uniform(-0.1, 0.1, 41))
    y = height * (1 - ((x - centre) / width) ** 2)
    peak = find_peak(x, y)
    assert peak.x == pytest.approx(centre, abs=1e-6)
    assert peak.y == pytest.approx(height, rel=1e-9)
    assert peak.curvature == pytest.approx(-2 * height / width**2, rel=1e-6)
    assert not peak.at_edge
    assert y[peak.index] == y.max()


def test_global_maximum_wins_over_a_hump_and_nan_is_skipped():
    x = np.arange(-10.0, 11.0)
    y = np.exp(-((x - 3) ** 2) / 4) + 0.22 * np.exp(-((x + 8) ** 2))
    y[0] = np.nan
    assert find_peak(x, y).x == pytest.approx(3.0, abs=1e-9)


def test_a_maximum_at_the_edge_is_only_a_bound():
    peak = find_peak([0.0, 1.0, 2.0], [3.0, 2.0, 1.0])
    assert peak.at_edge
    assert (peak.x, peak.y) == (0.0, 3.0)


def test_no_finite_sample_is_refused():
    with pytest.raises(ValueError, match="no finite sample"):
        find_peak([0.0, 1.0], [np.nan, np.nan])


def test_cyclic_sweep_crosses_zero_on_both_branches():
    v = np.concatenate([np.arange(-15, 15.1, 0.5), np.arange(14.5, -15.1, -0.5)]) + 0.1
    i = np.where(np.arange(v.size) <= 60, 1.0 + 0.1 * v, 3.0 + 0.2 * v)
    crossing = branch_values(v, i)
    assert crossing.forward == pytest.approx(1.0)
    assert crossing.backward == pytest.approx(3.0)
    assert crossing.difference == pytest.approx(2.0)


def test_a_sweep_that_does_not_turn_once_is_refused():
    with pytest.raises(ValueError, match="turns once"):
        split_branches([0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="turns once"):
        split_branches([0.0, 1.0, 0.0, 1.0])


def test_no_extrapolation():
    assert np.isnan(value_at([1.0, 2.0], [1.0, 2.0], at=0.0))
    assert np.isnan(value_at([], [], at=0.0))


def test_summary_skips_what_is_not_finite_and_knows_what_it_cannot_say():
    s = summarise([1.0, 2.0, 3.0, np.nan, np.inf])
    assert (s.n, s.mean, s.std) == (3, 2.0, 1.0)
    assert s.stderr == pytest.approx(3**-0.5)
    assert np.isnan(summarise([1.0]).stderr)
    assert np.isnan(summarise([]).mean)


def test_within_is_false_for_readings_that_are_not_numbers():
    assert within(110.0, 100.0, 0.1)
    assert not within(111.0, 100.0, 0.1)
    assert not within(float("nan"), 100.0, 0.1)
    assert not within(100.0, float("inf"), 0.1)
