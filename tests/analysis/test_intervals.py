"""Intervals of a proportion: the reference's values, identities, edge cases, exact coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.analysis.intervals import chi2_quantile, clopper_pearson, normal_quantile, student_quantile, wilson


@pytest.mark.parametrize(("k", "low", "high"), [(1, 0.006, 0.167), (15, 0.33, 0.67)])
def test_score_interval_of_the_reference(k, low, high):
    """Reference devices_and_protocols sec. 1.6, N = 30."""
    interval = wilson(k, 30)
    assert interval.low == pytest.approx(low, abs=0.0035)
    assert interval.high == pytest.approx(high, abs=0.0035)


def test_clopper_pearson_against_published_values():
    """Textbook values: 0/10 -> (0, 0.3085), 5/10 -> (0.1871, 0.8129), 10/10 -> (0.6915, 1)."""
    interval = clopper_pearson([0, 5, 10], 10)
    np.testing.assert_allclose(interval.low, [0, 0.187086, 0.691503], atol=1e-6)
    np.testing.assert_allclose(interval.high, [0.308497, 0.812914, 1], atol=1e-6)


@pytest.mark.parametrize("method", [wilson, clopper_pearson])
def test_edges(method):
    interval = method([0, 7, 0], [7, 7, 0])
    assert interval.low[0] == 0
    assert interval.high[1] == 1
    assert (interval.low[2], interval.high[2]) == (0, 1)
    with pytest.raises(ValueError, match="successes <= trials"):
        method(8, 7)
    with pytest.raises(ValueError, match="successes <= trials"):
        method(-1, 7)
    with pytest.raises(ValueError, match="confidence"):
        method(1, 7, 95)


@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_ends_solve_their_defining_equations(n, share, confidence):
    """Score: |k/n - p| = z sqrt(p (1 - p) / n) at both ends. Mirror: spikes and silence exchange the ends."""
    k = round(share * n)
    z = normal_quantile(0.5 + confidence / 2)
    for end in wilson(k, n, confidence):
        if 0 < end < 1:
            assert abs(k / n - end) == pytest.approx(z * (end * (1 - end) / n) ** 0.5, rel=1e-6)
    for method in (wilson, clopper_pearson):
        one, other = method(k, n, confidence), method(n - k, n, confidence)
        assert one.low == pytest.approx(1 - other.high, abs=1e-9)
        assert one.low <= k / n <= one.high


@pytest.mark.parametrize("n", [5, 30, 100])
def test_exact_interval_never_covers_less_than_it_says(n):
    """Sum over all outcomes, no simulation."""
    from scipy.special import comb

    k = np.arange(n + 1)
    interval = clopper_pearson(k, n)
    for p in np.linspace(0.01, 0.99, 99):
        chance = comb(n, k) * p**k * (1 - p) ** (n - k)
        assert chance[(interval.low <= p) & (p <= interval.high)].sum() >= 0.95


def test_quantiles():
    assert normal_quantile(0.975) == pytest.approx(1.959963984540054)
    assert chi2_quantile(0.95) == pytest.approx(3.841458820694124)
    assert student_quantile(0.975, 10) == pytest.approx(2.2281388519649385)
    assert np.isnan(student_quantile(0.975, 0))
