"""Guess and lapse rates: the same as the plain fit without them, robust with them, gradients right."""

import math

import numpy as np
import pytest

from labctl.analysis import fit_psychometric
from labctl.analysis.lapses import _Model, fit_with_lapses

VOLTS = np.linspace(3.4, 5.0, 17)


def draw(seed, guess=0.0, lapse=0.0, n=60, v50=4.2, s=0.115):
    p = guess + (1 - guess - lapse) / (1 + np.exp(-(VOLTS - v50) / s))
    return np.random.default_rng(seed).binomial(n, p)


def test_gradient_is_the_derivative():
    model = _Model(np.linspace(-1, 1, 17), np.full(17, 60.0), draw(1).astype(float))
    theta, h = np.array([0.2, 6.0, 0.02, 0.03]), 1e-6
    for i in range(4):
        step = h * np.eye(4)[i]
        slope = (model.value(theta + step)[0] - model.value(theta - step)[0]) / (2 * h)
        assert model.value(theta)[1][i] == pytest.approx(slope, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("level", [0.1, 0.5])
def test_without_rates_it_is_the_plain_fit(level):
    k = draw(2)
    plain = fit_psychometric(VOLTS, np.full(17, 60), k, levels=(level,)).thresholds[level]
    other = fit_with_lapses(VOLTS, np.full(17, 60), k, guess=0.0, lapse=0.0, level=level)
    assert other.threshold.value == pytest.approx(plain.value, abs=1e-5)
    assert other.threshold.low == pytest.approx(plain.low, abs=1e-4)
    assert other.threshold.high == pytest.approx(plain.high, abs=1e-4)


def test_lapses_no_longer_bias_the_slope_and_the_rates_are_found():
    k = draw(3, guess=0.03, lapse=0.06, n=400)
    plain = fit_psychometric(VOLTS, np.full(17, 400), k)
    other = fit_with_lapses(VOLTS, np.full(17, 400), k)
    assert plain.slope.value > 0.135
    assert other.slope == pytest.approx(0.115, abs=0.012)
    assert other.guess == pytest.approx(0.03, abs=0.015)
    assert other.lapse == pytest.approx(0.06, abs=0.02)


def test_interval_covers_with_free_rates():
    """150 experiments at 95 %: 4 standard errors are 7 %."""
    hits = 0
    for seed in range(150):
        found = fit_with_lapses(VOLTS, np.full(17, 60), draw(100 + seed, 0.02, 0.04)).threshold
        p_half = 4.2 + 0.115 * math.log((0.5 - 0.02) / (1 - 0.04 - 0.5))
        hits += found.low <= p_half <= found.high
    assert hits / 150 == pytest.approx(0.95, abs=0.07)


def test_a_level_inside_the_rates_makes_no_sense():
    with pytest.raises(ValueError, match="must lie between"):
        fit_with_lapses(VOLTS, np.full(17, 60), draw(4), level=0.05)


def test_data_without_a_rising_curve_are_refused_with_the_reason():
    found = fit_with_lapses(VOLTS, np.full(17, 30), draw(5)[::-1] // 2)
    assert math.isnan(found.threshold.value)
    assert "falls" in found.reason
