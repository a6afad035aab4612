"""What a design promises agrees with what simulated experiments on it do."""

import numpy as np
import pytest

from labctl.analysis.batch import Status, fit_many
from labctl.analysis.design import expected

VOLTS = np.linspace(3.4, 5.0, 17)


def experiments(v50, s, n, volts=VOLTS, sets=4000):
    p = 1 / (1 + np.exp(-(volts - v50) / s))
    return np.random.default_rng(1).binomial(n, p, (sets, volts.size))


def test_expected_errors_are_the_scatter_of_the_estimates():
    """4000 experiments: a standard deviation is known to 1.1 %; the rest is what the information bound leaves."""
    told = expected(VOLTS, 100, 4.2, 0.115)
    batch = fit_many(VOLTS, np.full(17, 100), experiments(4.2, 0.115, 100), levels=(0.1, 0.5), slope=True)
    assert np.std(batch.thresholds[0.1].value) == pytest.approx(told.threshold_error, rel=0.06)
    assert np.std(batch.thresholds[0.5].value) == pytest.approx(told.v50_error, rel=0.06)
    assert np.std(batch.slope.value) == pytest.approx(told.slope_error, rel=0.06)
    assert told.identifiable


def test_reference_design_knows_the_threshold_to_3_hundredths_of_a_volt():
    """Reference sec. 1.6: 17 voltages x 30 events give se(V10) of about 0.03 V."""
    assert expected(VOLTS, 30, 4.2, 0.115).threshold_error == pytest.approx(0.03, abs=0.003)


@pytest.mark.parametrize(("points", "n", "s"), [(5, 5, 0.15), (9, 10, 0.05), (17, 30, 0.04)])
def test_chance_of_separation_is_exact(points, n, s):
    """4000 experiments: 4 standard errors are 3.2 % at most."""
    volts = np.linspace(3, 5, points)
    status = fit_many(volts, np.full(points, n), experiments(4.1, s, n, volts)).status
    apart = np.isin(status, (Status.SEPARATED, Status.ALL_SILENT, Status.ALL_SPIKES))
    assert expected(volts, n, 4.1, s).separation == pytest.approx(apart.mean(), abs=0.032)


@pytest.mark.parametrize(("v50", "s", "n"), [(4.2, 0.01, 30), (6.5, 0.1, 30), (4.2, 0.115, 2)])
def test_designs_that_cannot_tell_are_not_called_identifiable(v50, s, n):
    assert not expected(VOLTS, n, v50, s).identifiable


def test_order_of_voltages_does_not_matter():
    rng = np.random.default_rng(2)
    told, mixed = expected(VOLTS, 30, 4.2, 0.115), expected(rng.permutation(VOLTS), 30, 4.2, 0.115)
    assert mixed.threshold_error == pytest.approx(told.threshold_error)
    assert mixed.separation == pytest.approx(told.separation)
