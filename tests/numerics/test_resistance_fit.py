"""Straight-line resistance: known lines, what is left out, invariances."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from labctl.numerics import COMPLIANCE, OVERFLOW, OVERFLOW_MARKER, fit_resistance, fit_resistances

VOLTS = np.linspace(-0.1, 0.1, 21)


def test_exact_line_gives_resistance_offset_and_no_residual():
    fit = fit_resistance(VOLTS, 3e-9 + VOLTS / 400e3)
    assert fit.resistance == pytest.approx(400e3, rel=1e-12)
    assert fit.offset == pytest.approx(3e-9, rel=1e-9)
    assert fit.residual < 1e-20
    assert (fit.points, fit.compliance, fit.overflow, fit.flags) == (21, 0, 0, 0)
    assert fit.v_max == pytest.approx(0.1)


def test_agrees_with_numpy_polyfit_and_its_covariance():
    rng = np.random.default_rng(5)
    v = VOLTS + rng.normal(0, 1e-4, 21)
    i = 1e-10 + v / 80e3 + rng.normal(0, 1e-9, 21)
    (slope, offset), cov = np.polyfit(v, i, 1, cov=True)
    fit = fit_resistance(v, i)
    assert fit.conductance == pytest.approx(slope, rel=1e-10)
    assert fit.offset == pytest.approx(offset, rel=1e-7)
    assert fit.conductance_stderr == pytest.approx(cov[0, 0] ** 0.5, rel=1e-8)
    assert fit.stderr == pytest.approx(cov[0, 0] ** 0.5 / slope**2, rel=1e-8)


def test_stderr_is_the_scatter_of_repeated_fits():
    """4000 fits: mean squared error over mean stated variance is 1 within 4.5 sigma of a chi-square."""
    rng = np.random.default_rng(11)
    i = VOLTS / 400e3 + rng.normal(0, 1e-9, (4000, 21))
    fits = fit_resistances(VOLTS, i)
    ratio = np.mean((fits.conductance - 1 / 400e3) ** 2) / np.mean(fits.conductance_stderr**2)
    assert ratio == pytest.approx(1.0, abs=4.5 * (2 / 4000) ** 0.5)


def test_compliance_and_overflow_are_left_out_and_counted():
    """F9 and F10: clipped points and 9.91e37 do not enter the slope, and nothing is silent about it."""
    i = VOLTS / 80e3
    i[-1] = OVERFLOW_MARKER
    status = np.zeros(21, int)
    i[0], status[0] = -0.5e-6, COMPLIANCE
    status[1] = OVERFLOW
    fit = fit_resistance(VOLTS, i, status)
    assert fit.resistance == pytest.approx(80e3, rel=1e-12)
    assert (fit.points, fit.compliance, fit.overflow) == (18, 1, 2)
    assert fit.flags == COMPLIANCE | OVERFLOW
    assert fit.v_max == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("volts", "amps"),
    [([], []), ([0.1], [1e-6]), ([0.1, 0.1, 0.1], [1e-6, 2e-6, 3e-6]), ([0.0, 0.1], [OVERFLOW_MARKER] * 2)],
)
def test_points_that_cannot_say_give_nan(volts, amps):
    fit = fit_resistance(volts, amps)
    assert np.isnan(fit.resistance)
    assert np.isnan(fit.stderr)


def test_two_points_have_a_slope_but_no_error():
    fit = fit_resistance([-0.1, 0.1], [-1e-6, 1e-6])
    assert fit.resistance == pytest.approx(1e5)
    assert np.isnan(fit.stderr)
    assert np.isnan(fit.residual)


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="equally long"):
        fit_resistance([0.0, 0.1], [0.0])


def test_batch_equals_single_fits():
    rng = np.random.default_rng(2)
    i = VOLTS / 1e5 + rng.normal(0, 1e-9, (3, 4, 21))
    status = (rng.random((3, 4, 21)) < 0.2) * COMPLIANCE
    fits = fit_resistances(VOLTS, i, status)
    for index in np.ndindex(3, 4):
        one = fit_resistance(VOLTS, i[index], status[index])
        assert fits.resistance[index] == pytest.approx(one.resistance, rel=1e-12)
        assert fits.points[index] == one.points


@given(
    ohms=st.floats(1e2, 1e9),
    offset=st.floats(-1e-9, 1e-9),
    shift=st.floats(-1.0, 1.0),
    order=st.permutations(range(9)),
)
def test_order_and_shift_of_voltage_change_nothing(ohms, offset, shift, order):
    v = np.linspace(-0.1, 0.1, 9)
    i = offset + v / ohms
    assert fit_resistance(v[order] + shift, i[order]).resistance == pytest.approx(ohms, rel=1e-4)


@given(
    points=st.lists(
        st.tuples(
            st.integers(-2000, 2000),
            st.floats(-1e-3, 1e-3) | st.sampled_from([OVERFLOW_MARKER, -np.inf, np.nan]),
            st.sampled_from([0, 0, 0, COMPLIANCE, OVERFLOW, COMPLIANCE | OVERFLOW]),
        ),
        max_size=70,
    )
)
@example(points=[(-1000, 0.0, 0), (0, 0.0, 0), (1000, 0.0, 0)])  # no current at all: R is infinite
@example(points=[(k - 35, 1e-6 * k, 0) for k in range(70)])
def test_one_sweep_and_many_are_fitted_alike(points):
    """Few points are fitted without numpy: counts exactly, figures but for rounding (voltages are 0.1 mV apart)."""
    v = 1e-4 * np.array([volts for volts, _, _ in points], float)
    i = np.array([amps for _, amps, _ in points], float)
    status = np.array([word for _, _, word in points], int)
    one, many = fit_resistance(v, i, status), fit_resistances(v, i, status)
    for name in ("points", "compliance", "overflow", "v_max"):
        assert getattr(one, name) == pytest.approx(getattr(many, name), rel=0, nan_ok=True), name
    amps = np.abs(i[(np.abs(i) < 1) & (status == 0)]).max(initial=0.0)
    siemens = 1e-12 * amps / 1e-4
    for name, rounding in (
        ("conductance", siemens),
        ("conductance_stderr", siemens),
        ("offset", siemens * 0.2),
        ("residual", siemens * 0.2),
    ):
        close = pytest.approx(float(getattr(many, name)), rel=1e-9, abs=rounding, nan_ok=True)
        assert getattr(one, name) == close, name
    assume(not abs(many.conductance) < 1e5 * siemens)  # 1/slope of next to nothing is rounding
    assert one.resistance == pytest.approx(float(many.resistance), rel=1e-5, nan_ok=True)
