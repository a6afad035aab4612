"""F5 to F8: generator and SMU on one node (wiring T1), and what keeping them apart costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from expected import R_NS, Count, behind, cycle_spikes, prototype_agrees

from labctl.numerics import fit_resistance

OpenRig = Callable[..., Any]
Slope = Callable[[Any], float]

WIDTH = 100e-6
LIMIT_DELAY = 30e-6  # s until the SMU's limit loop acts
CYCLES = 3000
PROTOTYPE = 1000  # events behind the figures of the reference
STRONG = 4.8  # V of reset: what reaches the device still cancels each push, so that all trials begin alike


# -- F5 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spiking", [False, True])
def test_f05_a_generator_left_on_shunts_the_reading(open_rig: OpenRig, spiking: bool, programmed_slope: Slope) -> None:
    """50.0 ohm from measured voltage in both states, 700 ohm from programmed; 20 of 21 points in compliance."""
    rig = open_rig("hnno_t1")
    rig.meter.configure_read(100e-6)
    rig.meter.high_impedance()
    rig.pulse(5.4 if spiking else 1.0)
    assert rig.spiking is spiking
    data = rig.sweep()
    assert data.compliance.sum() == 20
    assert 1 / np.polyfit(data.volts, data.amps, 1)[0] == pytest.approx(50.0, abs=0.05)
    assert programmed_slope(data) == pytest.approx(700.0, rel=1e-3)
    fit = fit_resistance(data.volts, data.amps, data.status)
    assert (fit.compliance, fit.flags) == (20, 1)  # labctl's own reading: flagged, and no number made up
    assert np.isnan(fit.resistance)
    assert rig.circuit.contention["pd"] > 0


def test_f05_the_idle_voltage_of_the_generator_shows_as_an_offset(open_rig: OpenRig) -> None:
    """I = V/R + (V - V_i)/50 ohm."""
    rig = open_rig("hnno_t1", simulation={"noise": False})
    rig.meter.configure_read(100e-6, range_=100e-6)
    rig.meter.high_impedance()
    rig.pulse(1.0, base=1e-3)
    fit = rig.resistance(window=2e-3)
    assert fit.resistance == pytest.approx(1 / (1 / 50 + 1 / R_NS), rel=1e-4)
    assert fit.offset == pytest.approx(-1e-3 / 50, rel=1e-4)
    assert fit.flags == 0


def test_f05_the_output_switched_off_gives_the_device_back(open_rig: OpenRig) -> None:
    rig = open_rig("hnno_t1")
    rig.meter.configure_read(100e-6)
    rig.meter.high_impedance()
    rig.pulse(1.0)
    rig.channel.isolate()
    assert rig.resistance().resistance == pytest.approx(R_NS, rel=2e-3)


# -- F6, F7 -----------------------------------------------------------------------------------------------------------


def expected_spikes(sunk: float, cycles: int = CYCLES) -> float:
    """Share of spikes at 4.2 V while an SMU at 0 V sinks ``sunk`` A from LIMIT_DELAY on (0: it is not there)."""
    seconds = WIDTH - LIMIT_DELAY if sunk else WIDTH
    forward, reverse = (behind(level - 50.0 * sunk, 50.0) for level in (4.2, STRONG))
    return cycle_spikes([(forward, seconds)], [(reverse, seconds)], cycles)


#: off mode and limit (A) while off -> figure of the reference
F6 = {
    "high_z": ("high_z", None, 0.489),
    "normal 1 mA": ("normal", 1e-3, 0.296),
    "normal 10 mA": ("normal", 10e-3, 0.011),
    "normal 100 mA": ("normal", 100e-3, 0.0),
}


@pytest.mark.parametrize("setting", F6)
def test_f06_an_smu_that_is_off_in_normal_mode_takes_the_pulse(open_rig: OpenRig, setting: str) -> None:
    """P(4.2 V) by off mode, 3000 cycles with reset; exact binomial test at 1e-3 against the closed form."""
    mode, limit, quoted = F6[setting]
    rig = open_rig("hnno_t1")
    rig.meter.configure_read(100e-6, offmode=mode)
    if limit is not None:
        rig.smu.exchange([f"smua.source.offlimiti={limit}"])
    rig.meter.output(False)
    hits = rig.cycles(4.2, -STRONG, CYCLES)
    highest = rig.circuit.extremes["pd"].highest
    if limit == 100e-3:  # more than the generator can give: the limit never acts
        assert hits == 0
        assert highest == pytest.approx(4.2 / 51, rel=1e-3)
        assert rig.records()["events"] == 0
        return
    assert highest == pytest.approx(behind(4.2 - 50 * (limit or 0.0), 50.0), abs=5e-3)
    expected = expected_spikes(limit or 0.0)
    assert Count(hits, CYCLES).agrees(expected)
    assert prototype_agrees(quoted, expected_spikes(limit or 0.0, PROTOTYPE), PROTOTYPE)


@pytest.mark.parametrize(("limit", "quoted"), [(100e-6, 0.381), (100e-3, 0.0)])
def test_f07_an_smu_left_on_at_zero_takes_the_pulse(open_rig: OpenRig, limit: float, quoted: float) -> None:
    """On at 0 V: 0.381 with a limit of 100 uA; with 100 mA the pulse never arrives."""
    rig = open_rig("hnno_t1")
    rig.meter.configure_read(limit)
    rig.meter.output(True)
    hits = rig.cycles(4.2, -STRONG, CYCLES)
    assert rig.circuit.contention["pd"] > 0
    if quoted == 0.0:
        assert hits == 0
        assert rig.circuit.extremes["pd"].highest < 1e-3
        return
    assert Count(hits, CYCLES).agrees(expected_spikes(limit))
    assert prototype_agrees(quoted, expected_spikes(limit, PROTOTYPE), PROTOTYPE)


def test_f06_the_reset_pulse_is_weakened_too(open_rig: OpenRig) -> None:
    """10 mA, resets of -4.2 V: 3.7 V arrive, what they leave adds up, and P rises unseen."""
    rig = open_rig("hnno_t1")
    rig.meter.configure_read(100e-6, offmode="normal")
    rig.smu.exchange(["smua.source.offlimiti=10e-3"])
    rig.meter.output(False)
    first, *_, last = rig.rounds(4.2, -4.2, 1000, 4)
    level = behind(4.2 - 0.5, 50.0)
    seconds = WIDTH - LIMIT_DELAY
    expected = cycle_spikes([(level, seconds)], [(level, seconds)], 1000)
    assert Count(first, 1000).agrees(expected)
    assert last > 5 * first
    assert rig.records()["sensitization"] > 0.2


# -- F8 ---------------------------------------------------------------------------------------------------------------


def test_f08_every_pulse_and_read_cost_two_operations_of_the_output_relay(open_rig: OpenRig) -> None:
    rig = open_rig("hnno_t1")
    source = rig.world.instruments["smu"].channels["a"].source
    rig.meter.configure_read(100e-6)
    rig.meter.high_impedance()
    before, counted = source.relay_operations, rig.meter.relay_operations
    for _ in range(10):
        rig.pulse(3.0, period=1e-3)
        rig.channel.isolate()
        begun = rig.clock.now
        rig.sweep(points=3, after="off")
        assert rig.clock.now - begun > 2 * 5e-3  # both movements are waited for
    assert source.relay_operations - before == 20
    assert rig.meter.relay_operations - counted == 20  # and the driver keeps count
    assert rig.circuit.contention["pd"] == 0


def test_f08_a_selector_relay_costs_two_operations_too(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.meter.configure_read(100e-6)
    relay = rig.world.relays["k1"]
    for _ in range(10):
        rig.route("afg")
        rig.pulse(3.0, period=1e-3)
        rig.route("smu")
        rig.sweep(points=3)
    assert relay.operations == 20


def test_f08_a_pulse_while_the_relay_moves_is_lost(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.channel.prepare_pulse(5.0, period=1e-3)
    rig.channel.output(True)
    rig.smu.line(1, 1)
    assert rig.fire() == 0.0
    rig.clock.sleep(5e-3)
    assert rig.fire() == pytest.approx(5.0, abs=0.01)
    assert rig.records()["events"] == 1
