"""F9 to F13: readings that are wrong because of limit, range, settling, autorange or noise of the SMU."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import exp, expm1, hypot, sqrt
from typing import Any

import numpy as np
import pytest
from expected import R_NS, R_S, chi_square_limits, current

from drivers.keithley2636b_settings import SETTLING
from labctl.numerics import fit_resistance

OpenRig = Callable[..., Any]
Slope = Callable[[Any], float]

PLC = 1 / 50
CABLE = 150e-12  # F that the ammeter charges at each step
OVERHEAD = 33e-6  # s of a reading beside its conversion
RANGE_TIME = 150e-6  # s of a change of range
NOMINAL = {"jump_s": 0.0, "jump_ns": 0.0}  # both states at their nominal resistance


def prepare(rig: Any, spiking: bool) -> None:
    """A device in one of its states, the generator off it."""
    rig.meter.configure_read(100e-6)
    rig.meter.high_impedance()
    rig.pulse(5.4 if spiking else 1.0)
    rig.channel.isolate()
    assert rig.spiking is spiking


# -- F9 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spiking", "limit", "wrong"), [(True, 0.5e-6, 146.7e3), (False, 0.1e-6, 733e3)], ids=["80 kohm", "400 kohm"]
)
def test_f09_compliance_clips_the_curve(
    open_rig: OpenRig, spiking: bool, limit: float, wrong: float, programmed_slope: Slope
) -> None:
    """147 kohm (733 kohm) from programmed voltage, 80.0 kohm (400 kohm) from measured; flagged."""
    rig = open_rig("hnno_t1", simulation={"parameters": NOMINAL})
    prepare(rig, spiking)
    rig.meter.configure_read(limit)
    data = rig.sweep()
    true = R_S if spiking else R_NS
    assert programmed_slope(data) == pytest.approx(wrong, rel=2e-3)
    assert 1 / np.polyfit(data.volts, data.amps, 1)[0] == pytest.approx(true, rel=2e-3)
    clipped = [abs(current(v, true)) > limit for v in data.set]
    assert data.compliance.tolist() == clipped
    assert fit_resistance(data.volts, data.amps, data.status).flags == 1


# -- F10 --------------------------------------------------------------------------------------------------------------


def test_f10_a_fixed_range_overflows_when_the_device_spikes(open_rig: OpenRig) -> None:
    """1 uA is fine for 400 kohm; at 80 kohm whatever passes 1.02 uA reads 9.91e37."""
    rig = open_rig("hnno_t1", simulation={"parameters": NOMINAL})
    prepare(rig, spiking=False)
    rig.meter.configure_read(100e-6, range_=1e-6)
    quiet = rig.sweep()
    assert not quiet.status.any()
    assert fit_resistance(quiet.volts, quiet.amps).resistance == pytest.approx(R_NS, rel=2e-3)
    prepare(rig, spiking=True)
    rig.meter.configure_read(100e-6, range_=1e-6)
    data = rig.sweep()
    beyond = [abs(current(v, R_S)) > 1.02e-6 for v in data.set]
    assert data.overflow.tolist() == beyond
    assert data.overflow.sum() == 4
    assert (data.amps[data.overflow] == 9.91e37).all()
    assert np.polyfit(data.volts, data.amps, 1)[1] > 1e30  # offset of a naive fit, A: a spike looks like a fault
    fit = fit_resistance(data.volts, data.amps, data.status)
    assert (fit.overflow, fit.flags) == (4, 2)
    assert fit.resistance == pytest.approx(R_S, rel=5e-3)


# -- F11 --------------------------------------------------------------------------------------------------------------


def settled_error(range_: float, window: float, step: float, aperture: float) -> float:
    """Relative error of R, 21 points from rest at 0 V: the ammeter follows with the time constant of its range.

    Each step adds the charge of the cable; a reading is the mean over the last ``aperture`` s of its step.
    """
    tau = SETTLING[range_] / 6.9
    volts = np.linspace(-window, window, 21)
    shown, read, before = 0.0, [], 0.0
    for v in volts:
        true = current(v, R_NS)
        away = shown + CABLE * (v - before) / tau - true
        begin = step - aperture
        read.append(true + away * tau / aperture * exp(-begin / tau) * -expm1(-aperture / tau))
        shown, before = true + away * exp(-step / tau), v
    return float(1 / np.polyfit(volts, read, 1)[0] / R_NS - 1)


@pytest.mark.parametrize(
    ("range_", "window", "step", "quoted"),
    [(1e-6, 0.1, 0.1e-3, 0.50), (1e-6, 0.1, 1e-3, 0.008), (1e-6, 0.1, 10e-3, 0.0), (100e-9, 0.04, 1e-3, 0.30)],
    ids=["1 uA, 0.1 ms", "1 uA, 1 ms", "1 uA, 10 ms", "100 nA, 1 ms"],
)
def test_f11_points_taken_before_the_ammeter_has_settled(
    open_rig: OpenRig, range_: float, window: float, step: float, quoted: float
) -> None:
    """R +50, +0.8, 0, +30 %. On 100 nA the window is 0.04 V, for 0.1 V would overflow; R's error has no scale."""
    rig = open_rig("hnno_t1", simulation={"noise": False})
    aperture = 0.001 * PLC
    rig.meter.configure_read(100e-6, range_=range_, nplc=0.001, delay=0.0)
    data = rig.sweep(window, dwell=step - aperture - OVERHEAD)
    assert np.diff(data.time) == pytest.approx(np.full(20, step), abs=1e-6)
    error = fit_resistance(data.volts, data.amps, data.status).resistance / R_NS - 1
    assert error == pytest.approx(settled_error(range_, window, step, aperture), abs=5e-4)
    assert error == pytest.approx(quoted, rel=0.1, abs=5e-4)


def test_f11_the_instruments_own_delay_settles(open_rig: OpenRig) -> None:
    """What labctl's reads use: the automatic delay of the range."""
    rig = open_rig("hnno_t1", simulation={"noise": False})
    rig.meter.configure_read(100e-6, range_=1e-6)
    assert rig.resistance().resistance == pytest.approx(R_NS, rel=1e-3)


# -- F12 --------------------------------------------------------------------------------------------------------------

RANGES = list(SETTLING)


def autoranged_time(ranges: list[float]) -> list[float]:
    """Seconds of each reading after the first: one at the range found, one more for each range walked through."""
    found = []
    for before, after in pairwise(RANGES.index(r) for r in ranges):
        walked = range(before, after, 1 if after > before else -1)
        steps = [RANGES[k + (1 if after > before else -1)] for k in walked]
        reading = SETTLING[RANGES[before]] + PLC + OVERHEAD
        found.append(reading + sum(RANGE_TIME + SETTLING[r] + PLC for r in steps))
    return found


def test_f12_autorange_multiplies_the_time_of_a_sweep(open_rig: OpenRig) -> None:
    """Around 0 V it walks down to 100 pA and back, settling on each range: 2.8 s instead of 0.5 s."""
    rig = open_rig("hnno_t1", simulation={"noise": False})
    seconds = {}
    for range_ in (1e-6, None):
        rig.meter.configure_read(100e-6, range_=range_)
        rig.sweep()
        data = rig.sweep()
        assert np.diff(data.time) == pytest.approx(autoranged_time(data.ranges.tolist()), abs=1e-5)
        seconds[range_] = data.time[-1]
    assert min(data.ranges) == 100e-12
    assert seconds[1e-6] == pytest.approx(20 * (SETTLING[1e-6] + PLC + OVERHEAD), rel=1e-3)
    assert seconds[None] > 5 * seconds[1e-6]


def test_f12_a_change_of_range_leaves_a_glitch(open_rig: OpenRig) -> None:
    """A tenth of the new range, seen by the reading that changes it; the fixed range reads true."""
    rig = open_rig("hnno_t1", simulation={"noise": False})
    aperture, tau = 0.1 * PLC, SETTLING[1e-6] / 6.9
    away = {}
    for range_ in (1e-6, None):
        rig.meter.configure_read(100e-6, range_=range_, nplc=0.1, delay=0.0)
        data = rig.meter.sweep([0.01, 0.1, 0.1], dwell=50e-3)
        away[range_] = data.amps - [current(v, R_NS) for v in data.set]
    assert data.ranges.tolist() == [100e-9, 1e-6, 1e-6]
    left = exp(-RANGE_TIME / tau) * -expm1(-aperture / tau) * tau / aperture
    assert away[None][1] == pytest.approx(0.1 * 1e-6 * left, rel=1e-3)  # 12 nA in 250 nA
    assert away[1e-6] == pytest.approx(np.zeros(3), abs=1e-12)
    assert away[None][2] == pytest.approx(0.0, abs=1e-12)


# -- F13 --------------------------------------------------------------------------------------------------------------

READINGS = 150


@pytest.mark.parametrize(
    ("range_", "nplc", "quoted"),
    [(100e-6, 1.0, 1.4e-3), (100e-6, 25.0, 0.29e-3), (1e-6, 0.01, None)],
    ids=["1 nA", "25 PLC", "1 uA range, 0.01 PLC"],
)
def test_f13_noise_of_the_range_limits_the_resistance(
    open_rig: OpenRig, range_: float, nplc: float, quoted: float | None
) -> None:
    """1 nA rms (100 uA range, 1 PLC): 0.14 % at 400 kohm. Chi-square limits at 1e-3 of 150 readings."""
    rig = open_rig("hnno_t1", simulation={"parameters": {"flicker": 0.0}})
    rig.meter.configure_read(100e-6, range_=range_, nplc=nplc, delay=10e-3)
    spread = np.std([rig.resistance().resistance for _ in range(READINGS)], ddof=1) / R_NS
    volts = np.linspace(-0.1, 0.1, 21)
    rms = sqrt((volts**2).mean())
    assert rms == pytest.approx(60e-3, rel=0.02)
    ammeter, voltmeter = range_ * 1e-5 / sqrt(nplc), 0.2 * 1e-5 / sqrt(nplc)
    formula = ammeter * R_NS / (sqrt(21) * rms)
    assert quoted is None or formula == pytest.approx(quoted, rel=0.04)
    low, high = chi_square_limits(hypot(ammeter, voltmeter / R_NS) * R_NS / (sqrt(21) * rms), READINGS)
    assert low < spread < high
