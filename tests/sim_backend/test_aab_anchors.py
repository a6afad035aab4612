"""Anchor table 2b.3 of reference devices_and_protocols, at device level, nominal device without noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sim_backend.devices.aab import AabTransistor, make_device, make_parameters
from sim_backend.draws import Draws

VDS = 2.0
UP = np.arange(-15.0, 15.001, 0.25)
CYCLIC = np.concatenate([UP, UP[-2::-1]])
TRIANGLE = 50e-9
NANO = 1e-9


def sweep(
    device: AabTransistor, levels: NDArray[np.float64] = CYCLIC, vds: float = VDS, dwell: float = 0.1
) -> NDArray[np.float64]:
    currents = []
    for level in levels:
        device.hold(dwell, float(level))
        currents.append(device.channel_current(vds))
    return np.array(currents)


def branches(device: AabTransistor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    currents = sweep(device)
    return currents[: UP.size], currents[UP.size - 1 :][::-1]


def peak(currents: NDArray[np.float64], levels: NDArray[np.float64] = UP) -> float:
    k = int(currents.argmax())
    left, top, right = currents[k - 1 : k + 2]
    return float(levels[k] + (levels[1] - levels[0]) * 0.5 * (left - right) / (left - 2 * top + right))


def crossing(device: AabTransistor) -> float:
    """dI0 = backward less forward current at Vg = 0."""
    forward, backward = branches(device)
    at_zero = int(np.flatnonzero(UP == 0.0)[0])
    return float(backward[at_zero] - forward[at_zero])


def base(device: AabTransistor) -> float:
    device.hold(0.1, 0.0)
    return device.channel_current(VDS)


def pulse_delta(device: AabTransistor, level: float = 10.0, width: float = 10e-3, vds: float = VDS) -> float:
    device.hold(0.1, 0.0)
    before = device.channel_current(vds)
    device.hold(width, level)
    device.hold(0.1, 0.0)
    return device.channel_current(vds) - before


def millisecond_train(device: AabTransistor, count: int = 60) -> list[float]:
    """Currents before the first pulse and at the end of each interval."""
    currents = [base(device)]
    for _ in range(count):
        device.hold(1e-3, 10.0)
        device.hold(1e-3, 0.0)
        currents.append(device.channel_current(VDS))
    return currents


def conditioned(seconds: float, level: float = 40.0) -> AabTransistor:
    device = AabTransistor()
    sweep(device)
    device.hold(seconds, level)
    device.hold(1.0, 0.0)
    return device


def triangle_train(level: float, count: int = 4000, preset: str = "nominal") -> NDArray[np.float64]:
    """Current at the end of each interval."""
    device = AabTransistor(make_parameters({"preset": preset}))
    passage = device.run([(TRIANGLE, 0.0, level), (TRIANGLE, level, 0.0), (2 * TRIANGLE, 0.0, 0.0)], count)
    return passage.channel_current(np.arange(count), np.array([4 * TRIANGLE]), VDS)[:, 0]


def test_row_1_peak_of_the_transfer_curve() -> None:
    forward, _ = branches(AabTransistor())
    assert peak(forward) == pytest.approx(-4.81, abs=0.15)
    assert forward.max() == pytest.approx(1.03e-9, abs=0.01e-9)
    above = UP[forward > forward.max() / 2]
    assert above[-1] - above[0] == pytest.approx(5.75)


def test_row_2_negative_supply_is_off_everywhere() -> None:
    currents = sweep(AabTransistor(), vds=-VDS)
    assert np.abs(currents).max() == pytest.approx(1.2e-12, rel=0.02)
    assert branches(AabTransistor())[0].max() / np.abs(currents).max() == pytest.approx(860, rel=0.02)


def test_row_3_off_at_large_positive_gate() -> None:
    forward, _ = branches(AabTransistor())
    assert forward[-1] == pytest.approx(0.3e-12, rel=0.35)
    assert forward[0] == pytest.approx(31e-12, rel=0.02)


@pytest.mark.parametrize(
    ("vg", "slope"),
    [(-15, 0.018), (-10, 0.164), (-7.5, 0.423), (-5, 0.696), (-2.5, 0.408), (0, 0.089), (2.5, 0.014)],
)
def test_row_4_output_slope(vg: float, slope: float) -> None:
    device = AabTransistor(felt=float(vg))
    measured = (device.channel_current(4.25) - device.channel_current(3.75)) / 0.5 / NANO
    assert measured == pytest.approx(slope, abs=0.002)


@pytest.mark.parametrize(("kind", "low", "high", "sign"), [("mos2", 0.018, 11.3, 1), ("wse2", 10.9, 4e-6, -1)])
def test_row_5_controls_are_unipolar(kind: str, low: float, high: float, sign: int) -> None:
    device = AabTransistor(make_parameters({"kind": kind}))
    currents = sweep(device, UP) / NANO
    assert currents[0] == pytest.approx(low, rel=0.05)
    assert currents[-1] == pytest.approx(high, rel=0.125)  # one digit is given
    assert (sign * np.diff(currents) > 0).all()


def test_rows_6_and_7_cyclic_transfer() -> None:
    device = AabTransistor()
    forward, backward = branches(device)
    assert peak(forward) == pytest.approx(-4.81, abs=0.15)
    assert peak(backward) == pytest.approx(0.49, abs=0.15)
    at_zero = UP == 0.0
    assert forward[at_zero] / NANO == pytest.approx(0.145, abs=0.01)
    assert backward[at_zero] / NANO == pytest.approx(1.01, abs=0.01)
    assert (backward - forward)[at_zero] / NANO == pytest.approx(0.867, abs=0.01)


@pytest.mark.parametrize("dwell", [0.02, 0.5])
@pytest.mark.parametrize("span", [10.0, 30.0])
def test_row_6_holds_for_other_rates_and_ranges(dwell: float, span: float) -> None:
    levels = np.arange(-span, span + 0.1, 0.25)
    currents = sweep(AabTransistor(), np.concatenate([levels, levels[-2::-1]]), dwell=dwell)
    assert peak(currents[: levels.size], levels) == pytest.approx(-4.81, abs=0.15)
    assert peak(currents[levels.size - 1 :][::-1], levels) == pytest.approx(0.49, abs=0.15)


def test_row_8_single_pulse_pristine_and_its_retention() -> None:
    device = AabTransistor()
    before = base(device)
    device.hold(10e-3, 10.0)
    assert (base(device) - before) / NANO == pytest.approx(0.220, abs=0.001)
    device.hold(100.0, 0.0)
    assert (device.channel_current(VDS) - before) / NANO == pytest.approx(0.220, abs=0.001)


def test_row_9_train_pristine() -> None:
    currents = np.array(millisecond_train(AabTransistor())) / NANO
    expected = {0: 0.145, 1: 0.170, 2: 0.195, 10: 0.365, 40: 0.744, 60: 0.863}
    assert currents[list(expected)] == pytest.approx(list(expected.values()), abs=0.001)
    assert (np.diff(currents) > 0).all()


def test_row_10_triangle_train_rises_and_falls() -> None:
    currents = triangle_train(-10.0) / NANO
    assert currents[0] == pytest.approx(0.147, abs=0.001)
    assert currents.argmax() + 1 == 574
    assert currents.max() == pytest.approx(1.033, abs=0.001)
    assert currents[-1] == pytest.approx(0.571, abs=0.001)
    assert currents[-1] / currents.max() < 0.7
    assert triangle_train(-10.0, preset="fast").argmax() + 1 == 17


@pytest.mark.parametrize(
    ("level", "end", "of_peak"),
    [
        (-2, 0.39, 1.0),
        (-4, 0.79, 1.0),
        (-5, 0.96, 1.0),
        (-6, None, 1.0),
        (-7, None, 0.96),
        (-8, None, 0.85),
        (-9, None, 0.70),
    ],
)
def test_row_11_other_intensities(level: float, end: float | None, of_peak: float) -> None:
    currents = triangle_train(level) / NANO
    assert currents[-1] / currents.max() == pytest.approx(of_peak, abs=0.005)
    if end is not None:
        assert currents[-1] == pytest.approx(end, abs=0.01)


def bandlimited(level: float, edge: float, tau: float, pieces: int = 100) -> list[tuple[float, float, float]]:
    """One period of a triangle and as long a pause behind a one-pole output, in its steady state."""
    times = np.arange(2 * pieces + 1) * 4 * edge / pieces
    source = np.interp(times % (4 * edge), [0.0, edge, 2 * edge, 4 * edge], [0.0, level, 0.0, 0.0])
    step, node = times[1], np.zeros(times.size)
    for k in range(2 * pieces):
        lag = (source[k + 1] - source[k]) / step * tau
        node[k + 1] = source[k + 1] - lag + (node[k] - source[k] + lag) * np.exp(-step / tau)
    period = node[pieces:]
    return [(step, float(period[k]), float(period[k + 1])) for k in range(pieces)]


@pytest.mark.parametrize(
    ("level", "edge", "at", "of_peak"),
    [
        (-10, 50e-9, 118e-6, 0.587),
        (-9, 50e-9, 148e-6, 0.733),
        (-10, 250e-9, 115e-6, 0.559),
        (-9, 250e-9, 145e-6, 0.706),
    ],
)
def test_rows_10_and_11_behind_the_bandwidth_of_the_output(
    level: float, edge: float, at: float, of_peak: float
) -> None:
    """F28, 5 ns: what an ideal triangle does (0.553 and 0.701 of the peak) comes back with slower edges."""
    pieces = bandlimited(level, edge, 5e-9)
    count = round(800e-6 / (4 * edge))
    current = AabTransistor().run(pieces, count).channel_current(np.arange(count), np.array([4 * edge]), VDS)[:, 0]
    assert (current.argmax() + 1) * 4 * edge == pytest.approx(at, abs=2e-6)
    assert current[-1] / current.max() == pytest.approx(of_peak, abs=0.004)


def test_row_12_cyclic_after_90_s_conditioning() -> None:
    device = conditioned(90.0)
    assert device.deep == pytest.approx(3.53, abs=0.01)
    forward, backward = branches(device)
    assert peak(forward) == pytest.approx(-1.28, abs=0.15)
    assert peak(backward) == pytest.approx(4.02, abs=0.15)
    assert crossing(conditioned(90.0)) / NANO == pytest.approx(-0.477, abs=0.001)


def test_row_13_single_pulse_after_conditioning() -> None:
    device = conditioned(90.0)
    sweep(device)
    assert pulse_delta(device) / NANO == pytest.approx(-0.121, abs=0.001)


def test_row_14_train_after_conditioning() -> None:
    device = conditioned(90.0)
    sweep(device)
    currents = np.array(millisecond_train(device)) / NANO
    expected = {0: 0.886, 1: 0.872, 2: 0.858, 10: 0.765, 60: 0.491}
    assert currents[list(expected)] == pytest.approx(list(expected.values()), abs=0.001)
    assert (np.diff(currents) < 0).all()


def test_row_15_about_30_s_is_not_plastic() -> None:
    assert crossing(conditioned(30.0)) / NANO == pytest.approx(-0.004, abs=0.001)
    device = conditioned(30.0)
    sweep(device)
    assert pulse_delta(device) / NANO == pytest.approx(-0.001, abs=0.001)
    device = conditioned(30.0)
    sweep(device)
    currents = np.array(millisecond_train(device)) / NANO
    assert currents[[0, -1]] == pytest.approx([0.601, 0.598], abs=0.002)


def test_row_15_null_time() -> None:
    assert crossing(conditioned(28.7)) > 0 > crossing(conditioned(30.7))


def test_row_16_negative_pulses_act_the_other_way() -> None:
    def depress(device: AabTransistor) -> float:
        device.run([(1e-3, -10.0, -10.0), (1e-3, 0.0, 0.0)], 200)
        return base(device) / NANO

    device = AabTransistor()
    potentiated = millisecond_train(device)[-1] / NANO
    assert potentiated == pytest.approx(0.863, abs=0.001)
    assert depress(device) == pytest.approx(0.468, abs=0.002)
    device = conditioned(90.0)
    sweep(device)
    millisecond_train(device)
    assert depress(device) == pytest.approx(0.708, abs=0.002)
    fresh = AabTransistor()
    before = base(fresh) / NANO
    assert depress(fresh) == pytest.approx(before, abs=1e-4)


def test_row_17_spread_of_forty_devices() -> None:
    """sd of 40 draws is known to 11 %: bounds at 3 sd of that, false alarm below 1 % (fixed seed)."""
    devices = [make_device({"specimen": k}, Draws(1), False) for k in range(1, 41)]
    peaks = [peak(sweep(d, UP)) for d in devices]
    deltas = [pulse_delta(AabTransistor(d.parameters)) / NANO for d in devices]
    assert np.std(peaks) == pytest.approx(0.26, rel=0.34)
    assert np.mean(deltas) == pytest.approx(0.21, abs=3 * 0.05 / 40**0.5)
    assert np.std(deltas) == pytest.approx(0.05, rel=0.34)


def cycle(device: AabTransistor) -> list[float]:
    """A cyclic sweep; currents where it crosses Vg = 0."""
    at_zero = []
    for vg in CYCLIC:
        device.hold(0.1, float(vg))
        if vg == 0.0:
            at_zero.append(device.channel_current(VDS))
    return at_zero


def test_row_17_spread_after_conditioning() -> None:
    """Null times: 16 % of devices below 23 s, 16 % above 40 s (of 40: 6.4 +- 2.3, accepted within 3 sd)."""
    early = late = 0
    deltas = []
    for k in range(1, 41):
        differences = []
        for seconds in (23.0, 40.0, 90.0):
            device = make_device({"specimen": k}, Draws(1), False)
            cycle(device)
            device.hold(seconds, 40.0)
            device.hold(1.0, 0.0)
            forward, backward = cycle(device)
            differences.append(backward - forward)
        early += differences[0] < 0.0
        late += differences[1] > 0.0
        deltas.append(pulse_delta(device) / NANO)
    assert 0 < early < 14
    assert 0 < late < 14
    assert np.mean(deltas) == pytest.approx(-0.12, abs=3 * 0.03 / 40**0.5)
    assert np.std(deltas) == pytest.approx(0.03, rel=0.4)


CGB_MAP = {
    20: (0.867, 0.867, 0.866, 0.866, 0.865, 0.864, 0.863, 0.861, 0.859, 0.846),
    30: (0.865, 0.861, 0.847, 0.827, 0.808, 0.779, 0.750, 0.696, 0.645, 0.405),
    35: (0.857, 0.836, 0.763, 0.669, 0.585, 0.477, 0.385, 0.236, 0.118, -0.287),
    38: (0.839, 0.782, 0.608, 0.418, 0.274, 0.110, -0.015, -0.197, -0.323, -0.654),
    40: (0.812, 0.706, 0.427, 0.170, -0.004, -0.185, -0.312, -0.477, -0.579, -0.781),
    42: (0.760, 0.578, 0.181, -0.120, -0.300, -0.467, -0.571, -0.687, -0.746, -0.805),
}
CGB_SECONDS = (1, 3, 10, 20, 30, 45, 60, 90, 120, 300)


@pytest.mark.parametrize("level", list(CGB_MAP))
def test_map_of_conditioning_bias(level: int) -> None:
    measured = []
    for seconds in CGB_SECONDS:
        device = conditioned(float(seconds), float(level))
        forward, backward = cycle(device)
        measured.append((backward - forward) / NANO)
    assert measured == pytest.approx(list(CGB_MAP[level]), abs=0.001)


@pytest.mark.parametrize(("vds", "delta"), [(0.5, 0.018), (1.0, 0.078), (2.0, 0.220), (3.0, 0.368), (5.0, 0.670)])
def test_delta_scales_with_the_supply(vds: float, delta: float) -> None:
    assert pulse_delta(AabTransistor(), vds=vds) / NANO == pytest.approx(delta, abs=0.001)


@pytest.mark.parametrize(
    ("level", "width", "delta"),
    [(5.0, 10e-3, 0.002), (8.0, 10e-3, 0.034), (9.0, 10e-3, 0.089), (10.0, 1e-3, 0.025), (10.0, 0.1, 0.82)],
)
def test_delta_of_other_pulses(level: float, width: float, delta: float) -> None:
    assert pulse_delta(AabTransistor(), level, width) / NANO == pytest.approx(
        delta, abs=0.001 if delta < 0.5 else 0.005
    )


def test_hump_of_the_backward_sweep() -> None:
    _, backward = branches(AabTransistor())
    hump = backward[(UP > -12) & (UP < -7)]
    assert hump.max() / NANO == pytest.approx(0.23, abs=0.03)


def test_order_effect_single_pulse_straight_after_conditioning() -> None:
    """F23: the bias leaves all traps full."""
    assert pulse_delta(conditioned(90.0)) / NANO == pytest.approx(0.0, abs=1e-3)


def test_short_sweep_leaves_traps_filled() -> None:
    """F24: a sweep of +-10 V does not empty the traps, so its second cycle differs."""
    levels = np.arange(-10.0, 10.1, 0.25)
    device = AabTransistor()
    for _ in range(2):
        currents = sweep(device, np.concatenate([levels, levels[-2::-1]]))
    at_zero = int(np.flatnonzero(levels == 0.0)[0])
    second = currents[levels.size - 1 :][::-1][at_zero] - currents[: levels.size][at_zero]
    assert second / NANO == pytest.approx(0.850, abs=0.002)


def test_base_read_too_soon_after_a_negative_pulse_is_wrong() -> None:
    """F22."""
    device = AabTransistor()
    settled = base(device)
    device.hold(10e-3, -10.0)
    device.hold(1e-3, 0.0)
    assert abs(device.channel_current(VDS) - settled) > 0.3e-9
    device.hold(20e-3, 0.0)
    assert device.channel_current(VDS) == pytest.approx(settled, rel=0.01)
