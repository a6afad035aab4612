"""Goodness of fit, dependence between events, differences: right size under the null, power against real faults."""

import math

import numpy as np
import pytest

from labctl.analysis import Estimate, fit_psychometric
from labctl.analysis.dependence import runs, trend
from labctl.analysis.goodness import goodness, isotonic
from labctl.analysis.shift import difference, ratio, shifted

VOLTS = np.linspace(3.4, 5.0, 17)


def draw(rng, p, n=30):
    return rng.binomial(n, p)


def curve(v50=4.2, s=0.115):
    return 1 / (1 + np.exp(-(VOLTS - v50) / s))


def test_tests_of_fit_reject_a_true_curve_as_often_as_they_say():
    """300 experiments at 10 %: 4 standard errors are 7 %."""
    rng = np.random.default_rng(1)
    found = [
        goodness(fit_psychometric(VOLTS, np.full(17, 30), draw(rng, curve())), draws=199, seed=i) for i in range(300)
    ]
    for p in ("deviance_p", "dispersion_p", "disorder_p"):
        assert np.mean([getattr(g, p) <= 0.1 for g in found]) == pytest.approx(0.1, abs=0.07)


def test_overdispersion_and_disorder_are_seen():
    rng = np.random.default_rng(2)
    noisy = rng.binomial(30, rng.beta(5 * curve(s=0.4), 5 * (1 - curve(s=0.4))))
    found = goodness(fit_psychometric(VOLTS, np.full(17, 30), noisy))
    assert found.dispersion > 2
    assert found.dispersion_p < 0.01
    humped = goodness(fit_psychometric([3.4, 3.8, 4.2, 4.6], [30] * 4, [0, 28, 3, 30]))
    assert humped.disorder_p < 0.001


def test_no_freedom_no_statement():
    assert math.isnan(goodness(fit_psychometric([3.4, 4.0], [30, 30], [1, 20])).deviance_p)


def test_isotonic_is_the_best_rising_curve():
    """Against pool-adjacent-violators by hand."""
    n, k = np.array([10.0, 10, 10, 10]), np.array([[1.0, 6, 2, 9], [5, 5, 5, 5], [9, 6, 3, 0]])
    np.testing.assert_allclose(isotonic(n, k), [[0.1, 0.4, 0.4, 0.9], [0.5] * 4, [0.45] * 4])


def test_dependence_tests_have_their_size():
    """2000 independent runs at 5 %: 4 standard errors are 2 %."""
    rng = np.random.default_rng(3)
    p = []
    for _ in range(2000):
        volts = rng.permutation(np.repeat([3.9, 4.1, 4.3], 20))
        y = rng.random(60) < 1 / (1 + np.exp(-(volts - 4.1) / 0.15))
        p.append([trend(y, volts, np.arange(60)).p, runs(y, volts, np.arange(60)).p])
    assert np.nanmean(np.array(p) < 0.05, axis=0) == pytest.approx([0.05, 0.05], abs=0.02)


def test_trend_and_runs_see_drift_and_stickiness():
    rng = np.random.default_rng(4)
    order = np.arange(300)
    falling = rng.random(300) < np.linspace(0.8, 0.3, 300)
    found = trend(falling, np.zeros(300), order)
    assert found.z < -4
    assert found.events == 300
    sticky = np.repeat(rng.random(60) < 0.5, 5)
    assert runs(sticky, np.zeros(300), order).z < -4
    assert runs(np.arange(300) % 2, np.zeros(300), order).z > 4


def test_order_of_rows_does_not_matter_to_dependence():
    rng = np.random.default_rng(5)
    y, s, t = rng.random(50) < 0.5, rng.integers(0, 3, 50), np.arange(50)
    mixed = rng.permutation(50)
    assert trend(y[mixed], s[mixed], t[mixed]).z == pytest.approx(trend(y, s, t).z)
    assert runs(y[mixed], s[mixed], t[mixed]).z == pytest.approx(runs(y, s, t).z)


def test_no_mixed_outcomes_no_statement():
    assert math.isnan(trend([0, 0, 1, 1], [1, 1, 2, 2], [0, 1, 2, 3]).p)


def test_symmetric_parts_give_the_usual_difference():
    change = difference(Estimate(1.0, 0.7, 1.3), Estimate(3.0, 2.6, 3.4))
    assert (change.value, change.low, change.high) == pytest.approx((2.0, 1.5, 2.5))
    assert shifted(change)


def test_open_and_missing_parts_stay_open():
    change = difference(Estimate(1.0, 0.7, math.inf), Estimate(3.0, 2.6, 3.4))
    assert change.low == -math.inf
    assert change.high == pytest.approx(2.5)
    bound = difference(Estimate(4.0, 3.9, 4.1), Estimate(math.nan, 4.6, math.inf))
    assert math.isnan(bound.value)
    assert (bound.low, bound.high) == (pytest.approx(0.5), math.inf)
    assert shifted(bound)


def test_ratio_of_resistances():
    found = ratio(Estimate(80e3, 79e3, 81e3), Estimate(400e3, 396e3, 404e3))
    assert found.value == pytest.approx(5.0)
    assert found.low < 5 < found.high
    assert found.high / found.low == pytest.approx(1.0328, abs=2e-3)


def test_difference_of_thresholds_covers():
    """1000 pairs: 4 standard errors are 2.8 %."""
    rng, hits = np.random.default_rng(6), 0
    for _ in range(1000):
        parts = [fit_psychometric(VOLTS, np.full(17, 30), draw(rng, curve(v))).thresholds[0.1] for v in (4.2, 3.9)]
        change = difference(*parts)
        hits += change.low <= -0.3 <= change.high
    assert hits / 1000 == pytest.approx(0.95, abs=0.028)
