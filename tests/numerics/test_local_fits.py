"""Local polynomials, noise of a curve, top of a noisy bell, branches of a sweep that dwells at its turn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.numerics import branch_values, find_vertex, fit_local, nearest, noise_near, noise_of, split_branches

GRID = np.arange(-15.0, 15.1, 0.25)


@given(
    coefficients=st.lists(st.floats(-5, 5), min_size=3, max_size=5),
    start=st.floats(-100, 100),
    span=st.floats(0.1, 1000),
)
def test_a_polynomial_is_found_with_its_derivatives(coefficients, start, span):
    x = start + span * np.linspace(0, 1, 12)
    z = (x - start) / span
    y = np.polynomial.polynomial.polyval(z, coefficients)
    fit = fit_local(x, y, len(coefficients) - 1)
    slope = np.polynomial.polynomial.polyval(0.3, np.polynomial.polynomial.polyder(coefficients)) / span
    size = 1 + np.abs(coefficients).sum()
    assert fit.value(start + 0.3 * span) == pytest.approx(
        np.polynomial.polynomial.polyval(0.3, coefficients), abs=1e-7 * size
    )
    assert fit.value(start + 0.3 * span, 1) == pytest.approx(slope, abs=1e-6 * size / span)
    assert fit.freedom == 12 - len(coefficients)


def test_errors_of_a_fit_are_those_of_repeated_fits():
    """Standard errors over 2000 draws: each sd is known to 1.6 %, so 6 % is passed with a false alarm below 1e-3."""
    rng = np.random.default_rng(1)
    x = np.linspace(-1, 2, 15)
    fits = [fit_local(x, x**2 + 0.1 * rng.normal(size=15), 3) for _ in range(2000)]
    for at, order in ((0.7, 0), (1.5, 1), (0.0, 2)):
        spread = np.std([fit.value(at, order) for fit in fits])
        claimed = np.sqrt(np.mean([fit.stderr(at, order) ** 2 for fit in fits]))
        assert claimed == pytest.approx(spread, rel=0.06)


def test_too_few_abscissae_are_refused_and_a_full_fit_knows_no_error():
    with pytest.raises(ValueError, match="more than 2 distinct"):
        fit_local([0.0, 0.0, 1.0], [1.0, 2.0, 3.0], 2)
    assert np.isnan(fit_local([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], 2).stderr(0.5))


def test_nearest_takes_as_many_on_either_side_in_any_order():
    x = np.array([3.0, -1.0, 0.0, 2.0, -2.0, 1.0])
    assert sorted(x[nearest(x, 0.0, 2)]) == [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert sorted(x[nearest(x, 0.5, 1)]) == [0.0, 1.0]
    assert sorted(x[nearest(x, 9.0, 2)]) == [2.0, 3.0]


def test_noise_of_a_curve_is_that_put_on_it():
    """119 differences of 121 samples, about 61 degrees of freedom: sd known to 9 %, mean of 200 to 0.7 %."""
    rng = np.random.default_rng(2)
    bell = np.exp(-((GRID + 5) ** 2) / 14)
    found = [noise_of(GRID, bell + 0.01 * rng.normal(size=GRID.size)) for _ in range(200)]
    assert np.mean([noise for noise, _ in found]) == pytest.approx(0.01, rel=0.025)
    assert found[0][1] == 61
    near = [noise_near(GRID, bell + 0.01 * rng.normal(size=GRID.size), -5.1) for _ in range(400)]
    assert np.sqrt(np.mean([noise**2 for noise, _ in near])) == pytest.approx(0.01, rel=0.1)


def test_three_samples_tell_no_noise():
    assert noise_of([0, 1, 2], [0, 5, 0])[1] == 0
    assert noise_near([0, 1, 2], [0, 5, 0], 1.0)[1] == 0


def test_vertex_of_a_clean_bell_is_that_of_its_parabola():
    vertex = find_vertex(GRID, np.exp(-((GRID + 4.87) ** 2) / 14))
    assert vertex.method == "quartic"
    assert vertex.x == pytest.approx(-4.87, abs=0.01)
    assert vertex.y == pytest.approx(1.0, abs=1e-3)
    assert vertex.left < vertex.x < vertex.right


def test_vertex_of_a_noisy_bell_is_steadier_than_the_parabola():
    """0.5 % flicker at 0.25 V: 0.02 V rms; 300 draws know it to 4 %."""
    rng = np.random.default_rng(3)
    bell = np.exp(-((GRID + 4.87) ** 2) / 14)
    places = [find_vertex(GRID, bell * (1 + 0.005 * rng.normal(size=GRID.size))).x for _ in range(300)]
    assert np.std(places) < 0.03
    assert np.mean(places) == pytest.approx(-4.87, abs=0.01)


def test_few_samples_give_a_parabola_and_an_end_gives_a_bound():
    coarse = np.arange(-8.0, 9.0, 2.0)
    vertex = find_vertex(coarse, np.exp(-((coarse - 0.3) ** 2) / 8))
    assert (vertex.method, vertex.left, vertex.right) == ("parabola", -2.0, 2.0)
    assert np.isnan(vertex.y_stderr)
    assert np.isnan(vertex.x_ends(2.0)).all()
    assert find_vertex([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]).method == "edge"
    assert find_vertex([0.0, 1.0, 2.0], [-3.0, -1.0, -2.0]).method == "edge"


def test_global_maximum_wins_over_a_hump_and_unordered_samples_do_no_harm():
    y = np.exp(-((GRID - 0.5) ** 2) / 14) + 0.22 * np.exp(-((GRID + 9) ** 2))
    back = slice(None, None, -1)
    assert find_vertex(GRID[back], y[back]).x == pytest.approx(0.5, abs=0.02)


def test_a_turn_that_is_measured_twice_belongs_once_to_each_branch():
    up = np.arange(-2.0, 2.1, 0.5)
    first, second = split_branches(np.concatenate([up, up[::-1]]))
    assert (first.stop, second.start) == (9, 9)
    first, second = split_branches(np.concatenate([up, up[-2::-1]]))
    assert (first.stop, second.start) == (9, 8)
    both = branch_values(np.concatenate([up, up[::-1]]), np.concatenate([up, 2 * up[::-1] + 1]), at=2.0)
    assert (both.forward, both.backward) == (2.0, 5.0)
