"""AAB kinetics in closed form against brute force, other cuts of the same waveform, and period-by-period runs."""

from __future__ import annotations

from math import ceil, exp, log, sinh

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import wrightomega

from sim_backend.devices.aab import AabParameters, AabTransistor, make_parameters
from sim_backend.devices.aab.carriers import Ramp, follow, follow_many, lag_of, split_at_zero
from sim_backend.devices.aab.conduction import branch_current, omega, resistance
from sim_backend.draws import Draws

P = AabParameters()
TRIANGLE = [(50e-9, 0.0, -10.0), (50e-9, -10.0, 0.0), (100e-9, 0.0, 0.0)]


def lag_by_brute_force(felt: float, pieces: list[tuple[float, float, float]], steps: int = 20_000) -> float:
    """Exponential midpoint steps: second order, regime chosen anew at each step."""
    for duration, start, end in pieces:
        dt = duration / steps
        for k in range(steps):
            v = start + (end - start) * (k + 0.5) / steps
            charging = felt * v >= 0 and abs(v) > abs(felt)
            relaxing = P.tau_relax_negative if felt < 0 else P.tau_relax_positive
            tau = P.tau_charge if charging else relaxing
            felt = v + (felt - v) * exp(-dt / tau)
    return felt


@pytest.mark.parametrize("start", [-6.0, 0.0, 4.0])
def test_lag_of_three_triangles_against_brute_force(start: float) -> None:
    device = AabTransistor(felt=start)
    for piece in 3 * TRIANGLE:
        device.ramp(*piece)
    assert device.felt == pytest.approx(lag_by_brute_force(start, 3 * TRIANGLE, 2000), abs=1e-8)


@pytest.mark.parametrize(
    ("felt", "piece"),
    [
        (-6.0, (2e-3, 0.0, 9.0)),  # opposite sign, V begins at 0: crosses 0, then charges
        (5.0, (4e-4, 0.0, -7.0)),
        (5.0, (3e-4, 2.0, 8.0)),  # relaxes until V meets it, then charges
        (5.0, (1e-4, 9.0, 1.0)),  # charges until V meets it, then relaxes
        (-4.0, (1e-3, -9.0, 8.0)),  # V changes its sign
        (3.0, (1e-3, 3.0, 3.0)),  # nothing happens
        (-3.0, (1e-2, 4.0, 4.0)),
    ],
)
def test_lag_through_changes_of_regime(felt: float, piece: tuple[float, float, float]) -> None:
    device = AabTransistor(felt=felt)
    device.ramp(*piece)
    assert device.felt == pytest.approx(lag_by_brute_force(felt, [piece]), abs=2e-4)


def reference_lag(felt: float, v1: float, v2: float, duration: float) -> float:
    """The reference's own loop over regimes, with a bisection for A passing 0."""
    k, v, t = (v2 - v1) / duration, v1, 0.0
    for _ in range(8):
        left = duration - t
        if left <= 1e-12 * duration:
            break
        charging = felt * v >= 0 and abs(v) > abs(felt)
        if abs(v - felt) < 1e-12:
            charging = k * v > 0 or (v == 0 and k != 0)
        relax = P.tau_relax_negative if felt < 0 or (felt == 0 and v > 0) else P.tau_relax_positive
        tau = P.tau_charge if charging else relax
        c = felt - v + k * tau
        end = left

        def path(s: float, v: float = v, tau: float = tau, c: float = c) -> float:
            return v + k * s - k * tau + c * exp(-s / tau)

        if abs(v - felt) >= 1e-12 and k != 0 and c / (k * tau) > 1:
            end = min(end, tau * log(c / (k * tau)))
        if felt * (v1 + v2) < 0 and path(end) * felt < 0:
            low, high = 0.0, end
            for _ in range(200):
                middle = (low + high) / 2
                low, high = (middle, high) if path(middle) * felt > 0 else (low, middle)
            end, felt = high, 0.0
        else:
            felt = path(end)
        v += k * end
        t += end
        if end < left and abs(v - felt) < 1e-9 * max(1, abs(v)):
            felt = v
    return felt


volts = st.floats(0.0, 40.0).map(lambda v: round(v, 9))
durations = st.floats(-8.0, 2.0).map(lambda e: 10.0**e)


@settings(max_examples=300, deadline=None)
@given(felt=st.floats(-40, 40), v1=volts, v2=volts, side=st.sampled_from([-1, 1]), duration=durations)
def test_lag_equals_the_reference(felt: float, v1: float, v2: float, side: int, duration: float) -> None:
    ramp = Ramp(duration, side * v1, side * v2)
    exact = follow(lag_of(P, ramp), felt)
    assert exact == pytest.approx(reference_lag(felt, side * v1, side * v2, duration), abs=1e-6)
    assert follow_many(lag_of(P, ramp), np.array([felt]))[0] == pytest.approx(exact, abs=1e-10)


@settings(max_examples=200, deadline=None)
@given(
    felt=st.floats(-15, 15),
    x=st.floats(0, 1),
    deep=st.floats(-2, 5),
    v1=st.floats(-15, 15),
    v2=st.floats(-15, 15),
    duration=durations,
    cut=st.floats(0.01, 0.99),
)
def test_a_ramp_may_be_cut_anywhere(
    felt: float, x: float, deep: float, v1: float, v2: float, duration: float, cut: float
) -> None:
    whole = AabTransistor(felt=felt, deep=deep, _x=x)
    pieces = AabTransistor(felt=felt, deep=deep, _x=x)
    middle = v1 + (v2 - v1) * cut
    whole.ramp(duration, v1, v2)
    pieces.ramp(duration * cut, v1, middle)
    pieces.ramp(duration * (1 - cut), middle, v2)
    assert pieces.felt == pytest.approx(whole.felt, abs=1e-7)
    # within a ramp retention is taken after capture, so the cut shows to the order of T / tau
    assert pieces.x == pytest.approx(whole.x, abs=1e-9 + duration / P.tau_x)
    assert pieces.deep == pytest.approx(whole.deep, abs=1e-4)


@pytest.mark.parametrize(("v1", "v2"), [(2.0, 11.0), (10.0, 10.0), (-12.0, -3.0), (-6.0, 9.5)])
def test_fast_traps_on_ramps_against_integration(v1: float, v2: float) -> None:
    duration = 20e-3

    def slope(t: float, x: list[float]) -> list[float]:
        v = v1 + (v2 - v1) * t / duration
        if v > 0:
            return [(1 - x[0]) * P.capture_rate * sinh(v / P.capture_scale) / sinh(10 / P.capture_scale)]
        return [-x[0] * P.emission_rate * sinh(-v / P.emission_scale) / sinh(10 / P.emission_scale)]

    truth = solve_ivp(slope, (0, duration), [0.4], rtol=1e-10, atol=1e-14, max_step=duration / 200).y[0, -1]
    device = AabTransistor(_x=0.4)
    device.ramp(duration, v1, v2)
    assert device.x == pytest.approx(truth, rel=1e-5)


@pytest.mark.parametrize(("v1", "v2"), [(40.0, 40.0), (5.0, 41.0), (-40.0, -40.0), (-42.0, 30.0)])
def test_deep_charge_on_ramps_against_integration(v1: float, v2: float) -> None:
    duration = 30.0

    def slope(t: float, d: list[float]) -> list[float]:
        v = v1 + (v2 - v1) * t / duration
        side = 1 if v > 0 else -1
        growth = exp((abs(v) - P.v_ref_deep) / P.v_scale_deep) * exp(-side * d[0] / P.c_deep)
        return [side * P.c_deep / P.t_deep * growth - d[0] / P.tau_deep]

    truth = solve_ivp(slope, (0, duration), [0.7], rtol=1e-10, atol=1e-12, max_step=duration / 500).y[0, -1]
    device = AabTransistor(deep=0.7)
    device.ramp(duration, v1, v2)
    assert device.deep == pytest.approx(truth, rel=2e-5)


def test_negative_bias_erases_as_the_reference_says() -> None:
    device = AabTransistor(deep=3.5)
    device.hold(3.0, -40.0)
    assert device.deep == pytest.approx(0.1, abs=0.05)


def test_deep_charge_stays_inside_its_limits() -> None:
    device = AabTransistor()
    device.hold(1000.0, 60.0)
    assert device.deep == pytest.approx(P.deep_max, rel=1e-3)
    device.hold(1000.0, -60.0)
    assert device.deep == pytest.approx(P.deep_min, rel=1e-3)


CYCLES = {
    "triangle": TRIANGLE,
    "millisecond": [(1e-3, 10.0, 10.0), (1e-3, 0.0, 0.0)],
    "both signs": [(1e-3, 9.0, 9.0), (2e-3, 0.0, -10.0), (1e-3, -10.0, 3.0), (1e-4, 0.2, 0.2)],
    "conditioning": [(0.5, 40.0, 40.0), (0.5, -36.0, -36.0), (0.1, 0.0, 0.0)],
    "at the limit": [(2.0, 55.0, 55.0), (1.0, -40.0, -40.0)],
    "slow": [(500.0, 20.0, 20.0), (500.0, 0.0, 0.0)],
}


@pytest.mark.parametrize("name", list(CYCLES))
def test_identical_periods_equal_one_by_one(name: str) -> None:
    count = 200
    together, single = (AabTransistor(felt=-1.0, deep=0.3, _x=0.2) for _ in range(2))
    passage = together.run(CYCLES[name], count)
    states = []
    for _ in range(count):
        states.append((single.felt, single.x, single.deep))
        for piece in CYCLES[name]:
            single.ramp(*piece)
    inside = np.concatenate(passage.states(np.arange(count), np.array([0.0])), axis=1)
    assert inside == pytest.approx(np.array(states), abs=2e-5)
    assert (together.felt, together.x, together.deep) == pytest.approx((single.felt, single.x, single.deep), abs=2e-5)
    assert together.oxide == pytest.approx(single.oxide)


def test_states_inside_a_period_equal_a_run_that_stops_there() -> None:
    cycle = CYCLES["both signs"]
    offsets = [0.0, 0.4e-3, 1.0e-3, 2.2e-3, 3.4e-3, 4.0e-3, 4.1e-3]
    passage = AabTransistor(deep=0.1).run(cycle, 5)
    inside = np.concatenate(passage.states(np.array([3]), np.array(offsets))).T
    for offset, (felt, x, deep) in zip(offsets, inside, strict=True):
        device = AabTransistor(deep=0.1)
        for piece in 3 * cycle:
            device.ramp(*piece)
        left = offset
        for duration, start, end in cycle:
            part = min(left, duration)
            device.ramp(part, start, start + (end - start) * part / duration)
            left -= part
        assert (felt, x, deep) == pytest.approx((device.felt, device.x, device.deep), abs=1e-9)


def test_a_million_pulses_stand_still_long_before_their_end() -> None:
    device = AabTransistor()
    passage = device.run(TRIANGLE, 10**6)
    assert passage.felt.size < 30_000
    again = AabTransistor(felt=device.felt)
    again.run(TRIANGLE, 1)
    assert again.felt == pytest.approx(device.felt, abs=1e-10)


def test_a_90_s_bias_is_one_step() -> None:
    assert len(AabTransistor().run([(90.0, 40.0, 40.0)]).steps) == 1


def test_zero_durations_take_no_step_and_no_time() -> None:
    assert split_at_zero(0.0, 1.0, 5.0) == ()
    with pytest.raises(ValueError, match="takes time"):
        AabTransistor().run([(0.0, 1.0, 2.0)])


def test_oxide_breaks_down_at_its_dose() -> None:
    device = AabTransistor()
    device.hold(90.0, 40.0)
    assert device.oxide == pytest.approx(90 * exp(-20), rel=1e-12)
    assert device.gate_current(10.0) == pytest.approx(2e-12)
    device.hold(0.5, 80.0)
    assert not device.broken
    device.hold(0.5, 80.0)
    assert device.broken
    assert device.gate_current(10.0) == pytest.approx(10.0 / P.r_broken)


def test_gate_current_has_leakage_and_displacement() -> None:
    assert AabTransistor().gate_current(40.0) == pytest.approx(8e-12)
    assert AabTransistor().gate_current(0.0, 2e8) == pytest.approx(7e-12 * 2e8)


def test_omega_against_scipy() -> None:
    y = np.linspace(-50, 500, 20_001)
    assert omega(y) == pytest.approx(wrightomega(y).real, rel=1e-14)
    assert np.isfinite(omega(np.array([-1e4, 1e6]))).all()


@settings(max_examples=200, deadline=None)
@given(u=st.floats(-45, 45), vds=st.floats(-5, 5))
def test_static_current_solves_its_loop(u: float, vds: float) -> None:
    """Vds = R I + junction voltage, I the junction's own current."""
    r = float(resistance(P, u))
    series = float(branch_current(P, u, vds)) - P.g_shunt * vds
    junction = P.n_vt * log(max(series / P.i_s + 1.0, 1e-300)) if series > -P.i_s * (1 - 1e-9) else None
    if junction is not None:
        assert r * series + junction == pytest.approx(vds, abs=1e-6)
    else:
        assert vds < 0


def test_current_rises_with_the_supply() -> None:
    currents = [float(branch_current(P, -5.0, v)) for v in np.linspace(-5, 5, 101)]
    assert (np.diff(currents) > 0).all()


def stochastic(device: int = 0) -> AabTransistor:
    return AabTransistor(make_parameters({"domains": 1000}), Draws(3), device)


def test_domains_give_five_percent_per_pulse() -> None:
    """400 specimens: sd of the sd is 3.5 %, bounds at 4 sd; mean at 4 sd. Fixed seed."""
    filled = []
    for k in range(400):
        device = stochastic(k)
        device.hold(10e-3, 10.0)
        filled.append(device.x)
    expected = 1 - exp(-0.293)
    sd = (expected * (1 - expected) / 1000) ** 0.5
    assert np.mean(filled) == pytest.approx(expected, abs=4 * sd / 20)
    assert np.std(filled) == pytest.approx(sd, rel=0.14)
    assert sd / expected == pytest.approx(0.05, abs=0.005)


def test_domains_do_not_care_how_the_waveform_is_cut() -> None:
    whole, cut, trains, single = (stochastic() for _ in range(4))
    whole.hold(30e-3, 10.0)
    for _ in range(30):
        cut.hold(1e-3, 10.0)
    assert whole.x == cut.x
    passage = trains.run(CYCLES["both signs"], 100)
    values = []
    for _ in range(100):
        values.append(single.x)
        for piece in CYCLES["both signs"]:
            single.ramp(*piece)
    assert passage.fast.at(np.arange(100), 0) == pytest.approx(values, abs=1e-12)
    assert trains.x == single.x
    assert 0 < trains.x < 1


def test_domains_need_draws_and_survive_saving() -> None:
    with pytest.raises(ValueError, match="random draws"):
        AabTransistor(make_parameters({"domains": 10}))
    device, other = stochastic(), stochastic()
    device.hold(5e-3, 10.0)
    other.restore(device.state())
    device.hold(5e-3, 10.0)
    other.hold(5e-3, 10.0)
    assert other.state() == device.state()


def test_state_survives_saving() -> None:
    device, other = AabTransistor(draws=Draws(1)), AabTransistor(draws=Draws(1))
    device.hold(3.0, 12.0)
    device.flicker()
    other.restore(device.state())
    assert (other.felt, other.x, other.deep, other.oxide) == (device.felt, device.x, device.deep, device.oxide)
    assert other.flicker() == device.flicker()


def test_flicker_is_half_a_percent() -> None:
    """2000 draws: sd of the sd 1.6 %, bound at 4 sd, fixed seed."""
    device = AabTransistor(draws=Draws(5))
    assert np.std([device.flicker() for _ in range(2000)]) == pytest.approx(5e-3, rel=0.065)
    assert AabTransistor().flicker() == 0.0


@pytest.mark.parametrize("settings_", [{"preset": "slow"}, {"kind": "mosfet"}, {"tau": 1.0}])
def test_unknown_settings_are_refused(settings_: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="AAB device"):
        make_parameters(settings_)


def test_presets_combine_and_overrides_win() -> None:
    p = make_parameters({"preset": ["fast", "global gate"], "tau_charge": 2e-6, "kind": "mos2"})
    assert (p.tau_charge, p.tau_relax_negative, p.c_gd, p.dvt) == (2e-6, 50e-6, 3.45e-12, 1.5)
    assert ceil(p.tau_relax_positive * 1e7) == 30
