"""Spread over devices and repeats. Fixed seeds; the simulated truth lies in every interval at the seeds drawn first."""

import math

import numpy as np
import pytest

from labctl.analysis import AnalysisError
from labctl.analysis.batch import fit_many
from labctl.analysis.hierarchy import Counts, fit_hierarchy, spread_over_runs

VOLTS = np.linspace(3.4, 5.0, 9)


def batch(devices, repeats, sd_devices, sd_repeats, trials=20, seed=1, mean=4.2, slopes_differ=0.0, level=0.5):
    rng = np.random.default_rng(seed)
    found = []
    for device in range(devices):
        own = mean + sd_devices * rng.normal()
        slope = 0.116 * math.exp(slopes_differ * rng.normal()) if slopes_differ else 0.116
        for repeat in range(repeats):
            logit = (VOLTS - own - sd_repeats * rng.normal()) / slope + math.log(level / (1 - level))
            p = 1 / (1 + np.exp(-logit))
            spikes = rng.binomial(trials, p).astype(float)
            found.append(
                Counts(f"d{device}", "initial", str(repeat), tuple(VOLTS), (float(trials),) * 9, tuple(spikes), "V")
            )
    return found


def holds(estimate, value):
    return estimate.low <= value <= estimate.high


def test_both_deviations_and_the_mean_are_found():
    found = fit_hierarchy(batch(12, 3, 0.12, 0.08))
    assert holds(found.mean, 4.2)
    assert holds(found.between_devices, 0.12)
    assert holds(found.between_repeats, 0.08)
    assert found.between_devices.low > 0


def test_counting_noise_is_no_spread():
    found = fit_hierarchy(batch(8, 3, 0.0, 0.0))
    assert found.between_devices.low == 0
    assert found.between_repeats.low == 0
    assert found.between_devices.high < 0.08


def test_slopes_of_devices_are_no_spread_of_thresholds():
    """V10 lies 2.2 slopes below V50: slopes that differ by 20 % move it by 50 mV if they are taken for one."""
    found = fit_hierarchy(batch(10, 4, 0.0, 0.0, trials=60, slopes_differ=0.2, level=0.1), level=0.1)
    assert found.between_devices.low == 0
    assert found.between_devices.high < 0.035
    assert holds(found.mean, 4.2)


def test_one_device_says_nothing_of_others_and_one_repeat_nothing_of_repeats():
    alone = fit_hierarchy(batch(1, 6, 0.1, 0.1))
    assert math.isnan(alone.between_devices.value)
    assert math.isinf(alone.between_devices.high)
    assert holds(alone.between_repeats, 0.1)
    once = fit_hierarchy(batch(8, 1, 0.1, 0.0))
    assert math.isnan(once.between_repeats.value)
    assert "no device was measured twice" in once.notes[2]


def test_a_separated_curve_and_a_silent_one_take_part():
    curves = batch(6, 1, 0.05, 0.0)
    step = tuple(np.where(VOLTS > 4.15, 20.0, 0.0))
    curves += [Counts("step", "initial", "0", tuple(VOLTS), (20.0,) * 9, step, "V")]
    curves += [Counts("silent", "initial", "0", tuple(VOLTS), (20.0,) * 9, (0.0,) * 9, "V")]
    found = fit_hierarchy(curves)
    assert math.isfinite(found.mean.value)
    assert found.between_devices.high > fit_hierarchy(curves[:-1]).between_devices.high


def test_silent_curves_alone_are_refused():
    silent = [Counts(f"d{i}", "initial", "0", tuple(VOLTS), (20.0,) * 9, (0.0,) * 9, "V") for i in range(3)]
    for curves, told in ((silent, "none of 3"), (silent + batch(1, 1, 0, 0), "1 of 4")):
        found = fit_hierarchy(curves)
        assert math.isnan(found.mean.value)
        assert math.isnan(found.between_devices.value)
        assert told in found.notes[0]


def test_with_so_many_counts_that_they_make_no_noise_it_is_the_analysis_of_variance():
    """Balanced groups: restricted likelihood gives the mean squares' deviations and the mean of all."""
    curves = batch(8, 3, 0.06, 0.03, trials=2000)
    own = fit_many(VOLTS, np.full(9, 2000), np.array([c.spikes for c in curves]), levels=(0.5,)).thresholds[0.5].value
    groups = own.reshape(8, 3)
    within = groups.var(axis=1, ddof=1).mean()
    noise = 0.116**2 / (2000 * sum(p * (1 - p) for p in 1 / (1 + np.exp(-(VOLTS - 4.2) / 0.116))))
    found = fit_hierarchy(curves)
    assert found.mean.value == pytest.approx(own.mean(), abs=2e-4)
    assert found.between_repeats.value == pytest.approx(math.sqrt(within - noise), rel=0.03)
    between = groups.mean(axis=1).var(ddof=1) - within / 3
    assert found.between_devices.value == pytest.approx(math.sqrt(between), rel=0.03)


def test_intervals_cover_what_they_say():
    """80 experiments of 10 x 4 curves: 4 standard errors are 10 %; thousands per cell: benchmarks/spread.py."""
    hits = np.zeros(3)
    for seed in range(80):
        found = fit_hierarchy(batch(10, 4, 0.08, 0.05, seed=[9, seed]), level=0.5)
        hits += [
            holds(found.mean, 4.2),
            holds(found.between_devices, 0.08),
            holds(found.between_repeats, 0.05),
        ]
    np.testing.assert_allclose(hits / 80, 0.95, atol=0.1)


def test_results_by_population_and_refusals():
    results = spread_over_runs(batch(4, 2, 0.1, 0.05), "V50")
    assert [r.quantity for r in results] == ["V50_mean", "V50_sd_devices", "V50_sd_repeats"]
    assert {(r.state, r.unit, r.n) for r in results} == {("initial", "V", 8)}
    assert math.isnan(spread_over_runs(batch(1, 1, 0, 0))[0].value)
    with pytest.raises(AnalysisError, match="no spread of"):
        spread_over_runs(batch(2, 1, 0, 0), "slope")
    with pytest.raises(AnalysisError, match="no run has"):
        spread_over_runs([])
