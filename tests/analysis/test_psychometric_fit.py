"""The psychometric fit against brute force, statsmodels and its own invariances; what it refuses and why."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.analysis import fit_psychometric
from labctl.analysis.batch import Status, fit_many
from labctl.analysis.logistic import Problem

VOLTS = np.linspace(3.4, 5.0, 17)
Q = 3.841458820694124


def draw(seed, v50=4.2, s=0.115, n=30, volts=VOLTS, sets=1):
    return np.random.default_rng(seed).binomial(n, 1 / (1 + np.exp(-(volts - v50) / s)), (sets, volts.size))


def penalised(volts, n, k, a, b):
    """Firth's penalised log likelihood written out."""
    eta = a + b * volts
    p = 1 / (1 + np.exp(-eta))
    w = n * p * (1 - p)
    design = np.stack([np.ones_like(volts), volts])
    return np.sum(k * eta - n * np.logaddexp(0, eta)) + 0.5 * np.linalg.slogdet(design * w @ design.T)[1]


def test_gradient_and_hessian_are_the_derivatives():
    problem = Problem.of(VOLTS, np.full(17, 30.0), draw(1, sets=4).astype(float))
    a, b, h = np.array([0.3, -1.0, 2.0, 0.0]), np.array([5.0, 8.0, 2.0, 1.0]), 1e-5

    def at(da, db):
        return problem.terms(a + da, b + db)

    t = at(0, 0)
    np.testing.assert_allclose((at(h, 0).value - at(-h, 0).value) / (2 * h), t.ga, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose((at(0, h).value - at(0, -h).value) / (2 * h), t.gb, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose((at(h, 0).ga - at(-h, 0).ga) / (2 * h), t.haa, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose((at(0, h).ga - at(0, -h).ga) / (2 * h), t.hab, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose((at(0, h).gb - at(0, -h).gb) / (2 * h), t.hbb, rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # inside scipy's scalar minimiser
@pytest.mark.parametrize(("seed", "s", "n"), [(1, 0.115, 30), (2, 0.3, 10), (3, 0.06, 30), (4, 0.4, 50)])
def test_maximum_and_likelihood_ratio_ends_against_brute_force(seed, s, n):
    """scipy's general optimisers on the written-out function, nested for the profile."""
    from scipy.optimize import brentq, minimize, minimize_scalar

    k = draw(seed, s=s, n=n)[0]
    fit = fit_psychometric(VOLTS, np.full(17, n), k)

    def value(v10, steepness):
        return penalised(VOLTS, n, k, math.log(1 / 9) - steepness * v10, steepness)

    found = minimize(
        lambda x: -value(x[0], x[1]), [4.0, 1 / s], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}
    )
    assert fit.thresholds[0.1].value == pytest.approx(found.x[0], abs=1e-6)
    assert fit.slope.value == pytest.approx(1 / found.x[1], rel=1e-6)

    def excess(v10):
        best = minimize_scalar(lambda b: -value(v10, b), bounds=(0.1, 80), method="bounded", options={"xatol": 1e-10})
        return 2 * (-found.fun + best.fun) - Q

    estimate = fit.thresholds[0.1]
    assert estimate.low == pytest.approx(brentq(excess, estimate.value - 3, estimate.value), abs=1e-6)
    assert estimate.high == pytest.approx(brentq(excess, estimate.value, estimate.value + 1), abs=1e-6)


def test_batch_equals_single_fits_with_shared_and_with_own_designs():
    k = draw(6, sets=5)
    shared = fit_many(VOLTS, np.full(17, 30), k, levels=(0.1, 0.5), slope=True)
    shift = np.arange(5)[:, None]
    own = fit_many(VOLTS + shift, np.full((5, 17), 30), k, levels=(0.1, 0.5), slope=True)
    for i in range(5):
        one = fit_psychometric(VOLTS, np.full(17, 30), k[i])
        for batch, offset in ((shared, 0), (own, i)):
            for end in ("value", "low", "high"):
                assert getattr(batch.thresholds[0.1], end)[i] == pytest.approx(
                    getattr(one.thresholds[0.1], end) + offset
                )
                assert getattr(batch.slope, end)[i] == pytest.approx(getattr(one.slope, end))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shift=st.floats(-50, 50),
    scale=st.floats(1e-3, 1e3),
    order=st.permutations(range(17)),
    s=st.sampled_from([0.02, 0.1, 0.3, 1.0]),
)
def test_shift_scale_and_order_of_voltages_carry_over(seed, shift, scale, order, s):
    """Firth's penalty is invariant; rows may come in any order and split in two."""
    order = np.array(order)
    k = draw(seed, s=s)[0]
    plain = fit_psychometric(VOLTS, np.full(17, 30), k)
    other = fit_many(scale * (VOLTS[order] + shift), np.full(17, 30), k[order][None], levels=(0.1,))
    ordered = k[order]
    halves = fit_psychometric(
        np.tile(VOLTS[order], 2), np.repeat([15, 15], 17), np.concatenate([ordered // 2, ordered - ordered // 2])
    )
    for end in ("value", "low", "high"):
        expected = getattr(plain.thresholds[0.1], end)
        tolerance = 1e-6 * (1 + abs(expected))
        assert getattr(other.thresholds[0.1], end)[0] / scale - shift == pytest.approx(
            expected, abs=tolerance, nan_ok=True
        )
        assert getattr(halves.thresholds[0.1], end) == pytest.approx(expected, abs=tolerance, nan_ok=True)


def test_exchange_of_spikes_and_silence_mirrors_the_curve():
    k = draw(9)[0]
    one = fit_psychometric(VOLTS, np.full(17, 30), k, levels=(0.1, 0.9))
    other = fit_psychometric(-VOLTS[::-1] + 10, np.full(17, 30), 30 - k[::-1], levels=(0.1, 0.9))
    assert other.v50.value == pytest.approx(10 - one.v50.value)
    assert other.thresholds[0.9].low == pytest.approx(10 - one.thresholds[0.1].high)


def test_reverse_pulses_are_fitted_against_their_magnitude():
    """Success of a reset rises with -V; thresholds stay negative, low < high."""
    k = draw(4, v50=3.0, s=0.1, volts=np.linspace(2.6, 3.8, 13))[0]
    fit = fit_psychometric(-np.linspace(2.6, 3.8, 13), np.full(13, 30), k)
    assert -3.1 < fit.v50.value < -2.9
    assert fit.v50.low < fit.v50.value < fit.v50.high
    assert fit.probability(-3.8) > 0.9


@pytest.mark.parametrize(
    ("spikes", "status", "low", "high"),
    [
        ([0, 0, 0], Status.ALL_SILENT, (4.5, 4.6), (math.inf, math.inf)),
        ([30, 30, 30], Status.ALL_SPIKES, (-math.inf, -math.inf), (3.4, 3.4)),
        ([0, 0, 30], Status.SEPARATED, (3.9, 4.0), (4.6, 4.6)),
        ([0, 15, 30], Status.SEPARATED, (3.4, 4.0), (4.0, 4.0)),
        ([30, 15, 0], Status.FALLING, (-math.inf, -math.inf), (math.inf, math.inf)),
        ([15, 14, 16], Status.FLAT, (-math.inf, -math.inf), (3.4, 3.4)),
        ([1, 0, 0], Status.FLAT, (4.6, 4.6), (math.inf, math.inf)),
    ],
)
def test_what_the_data_do_not_allow_is_refused_or_bounded(spikes, status, low, high):
    fit = fit_psychometric([3.4, 4.0, 4.6], [30] * 3, spikes)
    found = fit.thresholds[0.1]
    assert fit.status == status
    assert fit.reason
    assert low[0] - 1e-9 <= found.low <= low[1] + 1e-9
    assert high[0] - 1e-9 <= found.high <= high[1] + 1e-9
    assert math.isnan(found.value) == (status != Status.SEPARATED)
    assert math.isnan(fit.slope.value)
    assert math.isnan(found.value) or found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("trials", "spikes", "low", "high"),
    [(40, 0, 4.2, math.inf), (30, 0, -math.inf, math.inf), (40, 20, -math.inf, 4.2), (0, 0, -math.inf, math.inf)],
)
def test_one_voltage_gives_an_exact_bound_at_most(trials, spikes, low, high):
    """0 of 30 does not exclude P = 10 % at 97.5 % (0.9^30 = 0.042), 0 of 40 does (0.015)."""
    fit = fit_psychometric([4.2], [trials], [spikes])
    assert fit.status == (Status.ONE_VOLTAGE if trials else Status.NO_EVENTS)
    assert (fit.thresholds[0.1].low, fit.thresholds[0.1].high) == (low, high)
    assert math.isnan(fit.v50.value)


def test_estimate_lies_in_its_interval_and_nothing_is_nan_but_refused_values():
    """Every kind of data among 5 voltages x 4 events, all 3125 outcomes."""
    k = np.stack(np.meshgrid(*[np.arange(5)] * 5), axis=-1).reshape(-1, 5)
    batch = fit_many(np.linspace(3, 5, 5), np.full(5, 4), k, levels=(0.1, 0.5), slope=True)
    for estimates in (*batch.thresholds.values(), batch.slope):
        assert not np.isnan(estimates.low).any()
        assert not np.isnan(estimates.high).any()
        assert np.all(estimates.low <= estimates.high)
        given_value = ~np.isnan(estimates.value)
        assert np.all(estimates.low[given_value] <= estimates.value[given_value] + 1e-9)
        assert np.all(estimates.value[given_value] <= estimates.high[given_value] + 1e-9)


def test_random_designs_however_odd_give_consistent_answers():
    """Uneven voltages, 1 to 1000 events, slopes from steps to flat, falling ones too: no warning, no NaN."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        m = rng.integers(2, 12)
        volts = np.sort(rng.choice([1e-3, 1, 1e3]) * rng.standard_cauchy(m) + rng.uniform(-5, 5))
        n = rng.integers(1, rng.choice([2, 5, 40, 1000]) + 1, m)
        slope = np.ptp(volts) * 10 ** rng.uniform(-3, 1) * rng.choice([1, 1, 1, -1])
        p = 1 / (1 + np.exp(-np.clip((volts - rng.choice(volts)) / slope, -500, 500)))
        k = rng.binomial(n, p, (100, m))
        with np.errstate(all="raise", under="ignore"):
            batch = fit_many(volts, n, k, levels=(0.01, 0.5, 0.9), slope=True)
        assert np.isfinite(batch.steepness).all()
        margin = 1e-9 * np.ptp(volts)
        for found in (*batch.thresholds.values(), batch.slope):
            assert np.all(found.low <= found.high)
            assert not np.any(found.value < found.low - margin)
            assert not np.any(found.value > found.high + margin)


@pytest.mark.parametrize(
    ("volts", "trials", "spikes", "message"),
    [
        ([3.4, 4.0], [30, 30], [1, 31], "whole numbers"),
        ([3.4, 4.0], [30, 30], [-1, 3], "whole numbers"),
        ([3.4, 4.0], [30, 30], [1.5, 3], "whole numbers"),
        ([3.4, math.nan], [30, 30], [1, 3], "must be a number"),
        ([3.4, 4.0], [30, 30, 30], [1, 3, 4], "equally long"),
    ],
)
def test_counts_that_are_none_are_refused(volts, trials, spikes, message):
    with pytest.raises(ValueError, match=message):
        fit_psychometric(volts, trials, spikes)


def test_level_must_be_a_probability():
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit_psychometric([3.4, 4.0], [30, 30], [1, 3], levels=(10,))


def test_band_is_the_interval_of_each_level():
    fit = fit_psychometric(VOLTS, np.full(17, 30), draw(8)[0], levels=(0.1,))
    band = fit.band([0.05, 0.1, 0.9])
    assert band.low[1] == pytest.approx(fit.thresholds[0.1].low)
    assert band.high[1] == pytest.approx(fit.thresholds[0.1].high)
    assert np.all(np.diff(band.low) > 0)
