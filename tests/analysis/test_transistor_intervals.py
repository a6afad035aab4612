"""What the intervals and verdicts on transistor curves claim, against simulated truth; seeds are fixed.

A 95 % interval misses 5 % of n cases, give or take sqrt(0.05 * 0.95 n): the bounds below are 3.1 of that away, so
that a right procedure would fail one of these tests with a chance of 1e-3 if the seed were drawn anew.
"""

import numpy as np
import pytest
from fake_transistor import UP, TransistorBench

from labctl.analysis.estimate import Estimate
from labctl.analysis.transistor.base_current import welch
from labctl.analysis.transistor.bells import fit_bell
from labctl.analysis.transistor.crossings import crossing_of
from labctl.analysis.transistor.nulls import null_of
from labctl.analysis.transistor.retention import fit_decay
from labctl.analysis.transistor.reversals import in_blocks, reversals
from labctl.analysis.transistor.series import Series
from labctl.analysis.transistor.slopes import slope_at, steepest
from labctl.analysis.transistor.sweeps import Branch, Sweep, SweepGroup
from labctl.analysis.transistor.tops import find_top, largest
from labctl.analysis.transistor.trains import respond
from labctl.analysis.trials import Group
from labctl.numerics import find_peak, noise_of

NOTHING = np.zeros(0)
CASES = 400
MISSED = 0.05 * CASES + 3.1 * (0.05 * 0.95 * CASES) ** 0.5  # 33 of 400


@pytest.fixture(scope="module")
def curve():
    """Clean cyclic transfer curve of the nominal device."""
    bench = TransistorBench()
    bench.transfer()
    return bench.run.traces[0]["current"]


def noisy(rng, current):
    return current * (1 + 5e-3 * rng.normal(size=current.size)) + 1e-13 * rng.normal(size=current.size)


def missed(estimates, truth):
    return sum(not e.low <= truth <= e.high for e in estimates)


def group_of(*branches):
    return SweepGroup(Group((), None), (Sweep(branches, ""),), np.nan, "")


def test_peak_width_and_largest_current_are_held(curve):
    rng, up = np.random.default_rng(1), curve[: UP.size]
    true = find_peak(UP, up)
    branches = [Branch("forward", UP, noisy(rng, up), NOTHING) for _ in range(CASES)]
    tops = [find_top(branch, 0.95) for branch in branches]
    assert missed([t.voltage for t in tops], true.x) <= MISSED
    assert missed([t.current for t in tops], true.y) <= MISSED
    assert missed([t.width for t in tops], 6.068) <= MISSED
    assert missed([largest([Sweep((b,), "")], 0.95) for b in branches], up.max()) <= MISSED
    # and not by being wide: the voltage to 0.1 V, the current to 2 %
    assert np.median([t.voltage.high - t.voltage.low for t in tops]) < 0.12
    assert np.median([t.current.high - t.current.low for t in tops]) < 0.02 * true.y


def test_dI0_is_held(curve):  # noqa: N802
    rng, n = np.random.default_rng(2), UP.size
    changes = []
    for _ in range(CASES):
        y = noisy(rng, curve)
        both = group_of(Branch("forward", UP, y[:n], NOTHING), Branch("backward", UP[::-1], y[n:], NOTHING))
        changes.append(crossing_of(both, 0.0, 0.95).change)
    assert missed(changes, float(np.interp(0, UP, curve[n:][::-1]) - np.interp(0, UP, curve[:n]))) <= MISSED
    assert np.median([c.high - c.low for c in changes]) < 0.05e-9


def test_slope_of_an_output_curve_is_held():
    rng, bench = np.random.default_rng(3), TransistorBench()
    span = np.arange(-5.0, 5.01, 0.25)
    bench.output(span, -5.0)
    clean = bench.run.traces[0]["current"]
    true = (bench.device.channel_current(4.01) - bench.device.channel_current(3.99)) / 0.02
    slopes = [slope_at(Branch("", span, noisy(rng, clean), NOTHING), 4.0, 0.95) for _ in range(CASES)]
    assert missed(slopes, true) <= MISSED


def test_bell_is_held_in_white_noise():
    """Intervals count correlated residuals in; on a curve that is a bell they must not be too narrow for it."""
    rng = np.random.default_rng(4)
    clean = 1e-9 * np.exp(-((UP + 5) ** 2) / 2 / 2.5**2) + 2e-11
    bells = [fit_bell(Branch("", UP, clean + 1e-11 * rng.normal(size=UP.size), NOTHING), 0.95) for _ in range(CASES)]
    for part, truth in (("centre", -5.0), ("width", 2.5), ("height", 1e-9), ("floor", 2e-11)):
        assert missed([getattr(bell, part) for bell in bells], truth) <= MISSED


@pytest.mark.parametrize("decay_time", [50.0, 1000.0, 1e9])
def test_decay_rate_is_held_and_none_is_claimed_without_one(decay_time):
    rng, t = np.random.default_rng(5), np.arange(100.0)
    fits = [fit_decay(t, 2e-10 * np.exp(-t / decay_time) + 3e-12 * rng.normal(size=100), 0.95) for _ in range(CASES)]
    assert missed([fit.rate for fit in fits], 1 / decay_time) <= MISSED
    claimed = sum(fit.rate.low > 0 for fit in fits)
    if decay_time > 1e6:
        assert claimed <= 0.025 * CASES + 3.1 * (0.025 * 0.975 * CASES) ** 0.5
        assert not any(fit.time.low < 1000 for fit in fits)
    else:
        assert claimed == CASES


def test_delta_base_current_is_held():
    """Unequal variances, as flicker of two levels has them."""
    rng, found = np.random.default_rng(6), []
    for _ in range(CASES):
        readings = (level * (1 + 5e-3 * rng.normal(size=10)) for level in (0.145e-9, 0.365e-9))
        found.append(welch(*({"value": y.mean(), "std": y.std(ddof=1), "samples": 10} for y in readings), 0.95))
    assert missed(found, 0.220e-9) <= MISSED


def test_null_time_is_held():
    """dI0 falls as the logarithm here, so that interpolation adds no error; points as a search piles them up."""
    rng = np.random.default_rng(7)
    times = np.array([5.0, 120.0, 24.5, 54.2, 36.4, 29.9, 27.0, 28.4])
    true = -0.43e-9 * np.log(times / 29.7)
    nulls = []
    for _ in range(CASES):
        value = true + 5e-12 * rng.normal(size=times.size)
        nulls.append(null_of(times, [Estimate(v, v - 9.8e-12, v + 9.8e-12) for v in value]).place)
    assert missed(nulls, 29.7) <= MISSED
    assert all(27 < null.value < 32 for null in nulls)


def series(x, y, sigma, freedom, noise="samples"):
    return Series(Group((), None), x, "", y, np.broadcast_to(sigma, y.shape), freedom, noise, 1)


@pytest.mark.parametrize("source", ["samples", "repeats", "differences"])
@pytest.mark.parametrize(("size", "slope"), [(10, 0.0), (60, 0.0), (60, 1.0)])
def test_a_monotonic_train_is_called_turning_in_at_most_5_percent(source, size, slope):
    rng, cases, alarms = np.random.default_rng(8), 150, 0
    true = 0.5e-9 * (1 + slope * np.linspace(0, 1, size))
    for case in range(cases):
        if source == "samples":
            y = true[:, None] * (1 + 5e-3 * rng.normal(size=(size, 10)))
        else:
            y = true[:, None] + 40e-12 * rng.normal(size=(size, 4))
        mean, sigma, freedom = y.mean(axis=1), y.std(axis=1, ddof=1) / y.shape[1] ** 0.5, y.size - size
        if source == "differences":
            noise, freedom = noise_of(np.arange(size), mean)
            sigma = np.full(size, noise)
        alarms += reversals(in_blocks(mean, sigma), freedom, seed=case).fall_p < 0.05
    assert alarms <= 0.05 * cases + 3.1 * (0.05 * 0.95 * cases) ** 0.5


def test_a_fall_of_a_tenth_after_the_maximum_is_seen():
    rng, x = np.random.default_rng(9), np.arange(1.0, 61)
    y = 1e-9 * np.exp(-(np.log(x / 30) ** 2) / 4.56)  # 0.9 of the maximum at 60
    found = respond(series(x, y + 3e-12 * rng.normal(size=60), 3e-12, 540), 0.95)
    assert found.shape == "turns"
    assert found.words == "rises to a maximum, then falls"
    assert found.end_over_maximum.low < 0.9 < found.end_over_maximum.high
    assert found.place.low < 30 < found.place.high


def test_place_of_the_maximum_of_a_train_is_held():
    rng, x = np.random.default_rng(10), (np.arange(80) + 0.5) * 1e-5
    u = np.log(x / 1.15e-4)
    clean = 1.03e-9 * np.exp(-(u**2) / 2 / 1.3**2)
    places = [respond(series(x, clean + 40e-12 * rng.normal(size=80), 40e-12, 1200), 0.95).place for _ in range(CASES)]
    assert missed(places, 1.15e-4) <= MISSED


def test_steepest_holds_the_values_that_may_be_the_largest():
    close = [Estimate(v, v - 0.2, v + 0.2) for v in (0.1, 0.9, 1.0, 0.2)]
    assert steepest([0.0, 1.0, 2.0, 3.0], close) == Estimate(2.0, 0.0, 3.0)
    apart = [Estimate(v, v - 0.01, v + 0.01) for v in (0.1, 0.9, 1.0)]
    assert steepest([0.0, 1.0, 2.0], apart) == Estimate(2.0, 1.0, np.inf)
