"""Rows 1 to 7, 12 and 15 of anchor table 2b.3 (reference devices_and_protocols): quasi-DC curves by SMUs.

From protocol file to result, HRSMU noise and 0.5 % flicker on, seed 1. Tolerances are those below the table; where it
names none, a bound of at least four standard deviations of the noise.
"""

from __future__ import annotations

import numpy as np
import pytest
from aab_runs import Measure, agree, measure_fixture

from sim_backend.devices.aab import AabTransistor

PEAK = 0.15  # V
DELTA = 0.02  # nA, with noise
NANO = 1e-9

__all__ = ["measure_fixture"]


def test_rows_1_to_3_transfer_curves_at_both_signs(measure_aab: Measure) -> None:
    """SMUs straight on the probes: an RSU leaks more than the device that is off (F25)."""
    done = measure_aab("transfer_curves", "aab_w2")
    assert done.result("peak_voltage").value == pytest.approx(-4.81, abs=PEAK)
    peak = done.result("peak_current")
    assert peak.value / NANO == pytest.approx(1.03, abs=DELTA)
    assert done.result("peak_fwhm").value == pytest.approx(6.07, abs=PEAK)
    rectification = done.result("rectification")
    assert rectification.low < 860 < rectification.high
    _, forward = done.curve("forward")
    _, reverse = done.curve("reverse")
    assert abs(reverse).max() == pytest.approx(1.2e-3, abs=0.1e-3)
    assert forward[-4:].mean() == pytest.approx(0.3e-3, abs=0.25e-3)  # 10 nA range: 0.1 pA per reading
    assert forward[0] == pytest.approx(31e-3, abs=1.5e-3)


@pytest.mark.parametrize("seed", [1, 2])
def test_row_2_through_an_rsu_that_leaks_and_drifts(measure_aab: Measure, seed: int) -> None:
    """Up to 60 pA beside the 1.2 pA of the device (F25): followed by readings without supply, and subtracted."""
    done = measure_aab("transfer_curves", seed=seed)
    assert abs(done.currents("zero")).max() > 10e-3
    rectification = done.result("rectification")
    assert rectification.value > 500
    assert rectification.low < 860 < rectification.high
    assert done.result("peak_current").low / NANO < 1.033 < done.result("peak_current").high / NANO


def test_row_4_output_curves_are_steepest_at_minus_5_v(measure_aab: Measure) -> None:
    """20 ms per point: reading at +2.5 V fills traps, 0.014 at x = 0 and 0.018 at 10 ms per point."""
    done = measure_aab("output_curves")
    slopes = {-15.0: 0.018, -10.0: 0.164, -7.5: 0.423, -5.0: 0.696, -2.5: 0.408, 0.0: 0.089, 2.5: 0.016}
    agree({vg: done.result("output_slope", at=vg).value / NANO for vg in slopes}, slopes, 0.012)
    assert done.result("steepest_at").value == -5.0


def test_row_4_a_slow_reading_fills_traps(measure_aab: Measure) -> None:
    """At the 0.111 s per point of the 10 nA range 6 % are full at 4 V: the slope is that of the model so treated."""
    done = measure_aab("output_curves", gates="[2.5 V]", range="10 nA", nplc="1", dwell="0.111 s")
    model = AabTransistor()
    current = {}
    for volts in np.arange(-5.0, 5.01, 0.25):
        model.hold(0.111, 2.5)
        current[float(volts)] = model.channel_current(float(volts)) / NANO
    expected = (current[4.5] - current[3.5]) / 1.0
    assert expected == pytest.approx(0.054, abs=0.004)  # four times that of a device at x = 0
    assert done.result("output_slope", at=2.5).value / NANO == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize(
    ("kind", "device", "low", "high"), [("mos2", "MoS2", 0.018, 11.3), ("wse2", "WSe2", 10.9, 4e-6)]
)
def test_row_5_controls_are_unipolar(measure_aab: Measure, kind: str, device: str, low: float, high: float) -> None:
    done = measure_aab("control_devices", "aab_w2", parameters={"kind": kind}, device=device)
    _, current = done.curve("transfer")
    assert current[0] == pytest.approx(low, rel=0.03, abs=4e-3)  # 100 nA range: 1 pA per reading
    assert current[-1] == pytest.approx(high, rel=0.03, abs=4e-3)
    blocks = current[:120].reshape(12, 10).mean(axis=1)
    rising = np.diff(blocks if high > low else blocks[::-1])
    assert (rising > -2e-3).all()
    assert rising.sum() > 8.0


def test_rows_6_and_7_cyclic_curve_of_a_pristine_device(measure_aab: Measure) -> None:
    done = measure_aab("cyclic_transfer", "aab_w2")
    peaks = {b: done.result("peak_voltage", f"pristine, {b}").value for b in ("forward", "backward")}
    agree(peaks, {"forward": -4.81, "backward": 0.49}, PEAK)
    crossings = {q: done.result(q).value / NANO for q in ("crossing_forward", "crossing_backward", "dI0")}
    agree(crossings, {"crossing_forward": 0.145, "crossing_backward": 1.01, "dI0": 0.867}, DELTA)


@pytest.mark.parametrize(("span", "dwell"), [("10 V", "0.1 s"), ("15 V", "0.5 s")])
def test_row_6_holds_for_other_spans_and_rates(measure_aab: Measure, span: str, dwell: str) -> None:
    done = measure_aab("cyclic_transfer", "aab_w2", **{"from": f"-{span}", "to": span, "dwell": dwell})
    peaks = {b: done.result("peak_voltage", f"pristine, {b}").value for b in ("forward", "backward")}
    agree(peaks, {"forward": -4.81, "backward": 0.49}, PEAK)


def test_row_12_cyclic_curve_after_90_s_of_conditioning(measure_aab: Measure) -> None:
    """W1 with the operator's step to W2; dI0 does not know the leakage of the drain's RSU."""
    done = measure_aab("conditioning")
    peaks = {b: done.result("peak_voltage", f"conditioned, {b}").value for b in ("forward", "backward")}
    agree(peaks, {"forward": -1.28, "backward": 4.02}, PEAK)
    shift = peaks["forward"] - done.result("peak_voltage", "pristine, forward").value
    assert shift == pytest.approx(3.53, abs=PEAK)
    assert done.result("dI0", "conditioned").value / NANO == pytest.approx(-0.477, abs=DELTA)
    bias = done.run.tables["bias"].iloc[0]
    assert bias["stop"] - bias["start"] == pytest.approx(90.0, abs=0.05)  # F21
    assert bias["max_current"] == pytest.approx(8e-12, abs=1e-12)


def test_row_15_conditioning_of_30_s_is_not_plastic(measure_aab: Measure) -> None:
    done = measure_aab("conditioned_pulse", duration="30 s")
    assert done.result("dI0").value / NANO == pytest.approx(-0.004, abs=DELTA)
    assert done.result("delta_base_current").value / NANO == pytest.approx(-0.001, abs=DELTA)


def test_row_15_null_time_found_by_the_bounded_search(measure_aab: Measure) -> None:
    done = measure_aab("non_plastic_state")
    null = done.result("null_time")
    assert null.value == pytest.approx(29.7, abs=1.0)
    assert null.low < 29.7 < null.high
    assert done.result("delta_base_current").value / NANO == pytest.approx(0.0, abs=DELTA)


def test_conditioning_map(measure_aab: Measure) -> None:
    """Four cells, the device brought back before each; all sixty in benchmarks/aab_bench.py."""
    done = measure_aab("conditioning_map", levels="[35 V, 42 V]", times="[10 s, 60 s]")
    expected = {(35.0, 10.0): 0.763, (35.0, 60.0): 0.385, (42.0, 10.0): 0.181, (42.0, 60.0): -0.571}
    found = {}
    for cell, (cgb, seconds) in enumerate(expected):
        levels, current = done.curve("transfer", cell)
        at_zero = current[np.flatnonzero(levels == 0.0)]
        found[cgb, seconds] = at_zero[1] - at_zero[0]
    agree(found, expected, 0.03)  # 0.02 of noise, 0.02 V of deep charge that the way back leaves
