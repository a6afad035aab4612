"""F14 to F17: leads, resets, overdrive, and what few events can tell."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log
from typing import Any

import numpy as np
import pytest
from expected import (
    ALPHA,
    R_BROKEN,
    R_NS,
    R_S,
    Count,
    behind,
    breakdown_dose,
    chi_square_limits,
    growth,
    resets,
    saturation,
    spikes,
)
from scipy import stats

from labctl.analysis import fit_psychometric

OpenRig = Callable[..., Any]
WIDTH = 100e-6
BETWEEN = (R_NS * R_S) ** 0.5  # ohm, the usual line between the states


def read(rig: Any) -> float:
    """Resistance through the selector relay."""
    rig.route("smu")
    rig.meter.configure_read(100e-6)
    resistance = rig.resistance().resistance
    rig.route("afg")
    return float(resistance)


# -- F14 --------------------------------------------------------------------------------------------------------------


def test_f14_with_swapped_leads_forward_pulses_never_spike_and_resets_set(open_rig: OpenRig) -> None:
    rig = open_rig(simulation={"faults": {"leads_swapped": True}})
    rig.route("afg")
    low_after_reset = 0
    for _ in range(20):
        assert rig.pulse(5.0, period=1e-3) > 4.9  # Pd as the instruments see it
        assert read(rig) > BETWEEN
        rig.pulse(-5.0, period=1e-3)
        low_after_reset += read(rig) < BETWEEN
    assert Count(low_after_reset, 20).agrees(spikes([(5.0, WIDTH)]))
    assert low_after_reset > 15


# -- F15 --------------------------------------------------------------------------------------------------------------


def test_f15_a_weak_reset_fails_half_of_the_time(open_rig: OpenRig) -> None:
    """-3.0 V: 49 % succeed. A device that spikes at each set pulse spikes once more than it was reset."""
    rig = open_rig("hnno_t1")
    rig.meter.high_impedance()
    count = 3000
    done = rig.cycles(5.4, -3.0, count) - 1
    expected = resets([(behind(3.0, 50.0, R_S), WIDTH)])
    assert expected == pytest.approx(0.49, abs=0.01)
    assert Count(done, count - 1).agrees(expected)


def test_f15_without_reset_one_spike_is_counted_many_times(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.route("afg")
    counted = 0
    for _ in range(12):
        rig.pulse(4.4, period=1e-3)
        counted += read(rig) < BETWEEN
    assert rig.records()["spikes"] == 1
    assert counted > 5


def test_f15_without_reset_the_threshold_shifts_unseen(open_rig: OpenRig) -> None:
    """Ten pulses of 3.8 V: sensitized by 0.535 V. With a reset after each: 0.0001 V after 100.

    Behind 50 ohm a spiking device sees 3 mV less than a quiet one, which raises the saturation: two closed forms.
    """
    bounds = [saturation(behind(3.8, 50.0, r)) * (1 - (1 - growth(3.8, WIDTH)) ** 10) for r in (R_NS, R_S)]
    assert bounds == pytest.approx([0.535, 0.537], abs=1e-3)
    rig = open_rig("hnno_t1", simulation={"parameters": {"jump_s": 0.0}})
    rig.meter.high_impedance()
    rig.pulse(3.8, period=1e-3, count=10)
    assert bounds[0] - 1e-4 < rig.records()["sensitization"] < bounds[1] + 1e-4
    fresh = open_rig("hnno_t1")
    fresh.meter.high_impedance()
    fresh.cycles(3.8, -4.2, 100)
    assert fresh.records()["sensitization"] == pytest.approx(1e-4, abs=5e-5)


# -- F16 --------------------------------------------------------------------------------------------------------------


def test_f16_pulses_of_7_6_volts_break_the_device_within_a_few(open_rig: OpenRig) -> None:
    """Each of 15 devices dies at the pulse that brings its dose to its target: the median one at about the sixth.

    6.5 pulses of 7.6 V, 7.1 behind 50 ohm; the sample's median has the limits of an order statistic at 1e-3.
    """
    deaths = []
    for seed in range(15):
        rig = open_rig("hnno_t1", seed=seed)
        rig.meter.high_impedance()
        pulses = 0
        while not rig.records()["dead"]:
            rig.pulse(7.6, period=1e-3)
            pulses += 1
        harm = breakdown_dose(behind(7.6, 50.0, R_S * rig.device.memory.jump_s), WIDTH)
        assert pulses == ceil(rig.device.breakdown_goal / harm)
        deaths.append(pulses)
        rig.channel.isolate()
        rig.meter.configure_read(1e-3)
        assert rig.resistance().resistance == pytest.approx(R_BROKEN, rel=2e-3)
    assert log(2) ** (1 / 3) / breakdown_dose(7.6, WIDTH) == pytest.approx(6.5, abs=0.1)
    harm = breakdown_dose(behind(7.6, 50.0, R_S), WIDTH)
    low, high = ((-log(1 - q)) ** (1 / 3) / harm for q in stats.beta.ppf([ALPHA / 2, 1 - ALPHA / 2], 8, 8))
    assert low < np.median(deaths) < high + 1


def test_f16_an_smu_sweep_to_6_5_volts_kills(open_rig: OpenRig) -> None:
    """One second at 6.5 V DC is a dose that no device outlives."""
    assert breakdown_dose(6.5, 1.0) > (53 * log(2)) ** (1 / 3)
    rig = open_rig("hnno_t1")
    rig.meter.configure_read(50e-3)
    data = rig.meter.sweep(start=0.0, stop=6.5, points=14, dwell=1.0)
    assert rig.records()["dead"]
    assert data.amps[-1] == pytest.approx(6.5 / R_BROKEN, rel=1e-3)
    assert rig.resistance().resistance == pytest.approx(R_BROKEN, rel=2e-3)


# -- F17 --------------------------------------------------------------------------------------------------------------

VOLTAGES = np.linspace(3.4, 5.0, 17)
EVENTS = 30
ROUNDS = 100
STRONG = -4.8  # V; after -4.2 V as much is left as shifts V10 by 0.02 V in all these 51,000 cycles


def standard_error(level: float = 0.1) -> tuple[float, float]:
    """V10 of the true curve and its standard error from ``EVENTS`` per voltage (Fisher information of a logistic)."""
    p = np.array([spikes([(v, WIDTH)]) for v in VOLTAGES])
    slope, intercept = np.polyfit(VOLTAGES, np.log(p / (1 - p)), 1, w=np.sqrt(p * (1 - p)))
    weight = EVENTS * p * (1 - p)
    information = np.array(
        [[weight.sum(), (weight * VOLTAGES).sum()], [(weight * VOLTAGES).sum(), (weight * VOLTAGES**2).sum()]]
    )
    place = (log(level / (1 - level)) - intercept) / slope
    gradient = np.array([1.0, place]) / slope
    return float(place), float(np.sqrt(gradient @ np.linalg.inv(information) @ gradient))


def test_f17_thirty_events_per_voltage_leave_0_03_volts(open_rig: OpenRig) -> None:
    """The same device 100 times (no endurance drift): V10 scatters by 0.03 V, chi-square limits at 1e-3.

    Of the 50 pairs of repeats hardly any differs by more than 0.085 V; a third does by more than 0.04 V.
    """
    true, error = standard_error()
    assert error == pytest.approx(0.03, abs=0.005)
    assert 2 * 2**0.5 * error == pytest.approx(0.085, abs=0.01)
    still = {"drift_v50": 0.0, "drift_r_ns": 0.0, "drift_r_s": 0.0}
    rig = open_rig("hnno_t1", simulation={"parameters": still})
    rig.meter.high_impedance()
    counts = np.array([rig.rounds(v, STRONG, EVENTS, ROUNDS) for v in VOLTAGES])
    fits = [fit_psychometric(VOLTAGES, np.full(VOLTAGES.shape, EVENTS), k) for k in counts.T]
    found = np.array([fit.thresholds[0.1].value for fit in fits])
    low, high = chi_square_limits(error, ROUNDS)
    assert low < found.std(ddof=1) < high
    assert found.mean() == pytest.approx(true, abs=4 * error / ROUNDS**0.5 + 0.005)
    covered = sum(fit.thresholds[0.1].low < true < fit.thresholds[0.1].high for fit in fits)
    assert Count(covered, ROUNDS).agrees(0.95)
    apart = np.abs(np.diff(found.reshape(-1, 2))[:, 0])
    for shift in (0.04, 0.085):
        by_chance = 2 * stats.norm.sf(shift / (2**0.5 * error))
        assert Count(int((apart > shift).sum()), ROUNDS // 2).agrees(by_chance)
    assert by_chance == pytest.approx(0.05, abs=0.01)  # 0.085 V: two standard deviations of a difference
