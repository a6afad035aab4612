"""PyMeasure's AgilentB1500, unmodified, on the simulated mainframe: calls of its own examples (reference sec. 15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import pyvisa
from pymeasure.instruments.agilent.agilentB1500 import AgilentB1500

ADDRESS = "GPIB0::17::INSTR"
POINTS = 13
LEVELS = np.linspace(-9.0, 0.0, POINTS)  # no trap is filled there, so that the curve does not depend on the pace
DRAIN = 2.0


class Peer:
    """The driver, and the bench it does not know of."""

    def __init__(self, noise: bool) -> None:
        self.manager = pyvisa.ResourceManager(f"aab_w2?noise={str(noise).lower()}@labctl")
        self.library: Any = self.manager.visalib
        self.driver: Any = AgilentB1500(ADDRESS, visa_library=self.library, timeout=1_000_000)

    def sweep(self, fmt: int, double: bool = True) -> list[tuple[Any, ...]]:
        """Transfer curve: smu1 on the gate is swept, smu2 on the drain measures; rows of drain, gate, source data."""
        b = self.driver
        b.initialize_all_smus()
        b.data_format(fmt, mode=1)
        b.meas_mode("STAIRCASE_SWEEP", b.smu2, b.smu1)
        for smu in b.smu_references:
            smu.enable()
            smu.adc_type = "HRADC"
            smu.meas_range_current = "1 nA"
            smu.meas_op_mode = "COMPLIANCE_SIDE"
        b.smu2.force("Voltage", "Auto Ranging", DRAIN, 1e-6)
        b.adc_setup("HRADC", "PLC", 4)
        b.sweep_timing(0, 0.4)
        b.sweep_auto_abort(False, post="STOP")
        mode = "LINEAR_DOUBLE" if double else "LINEAR_SINGLE"
        b.smu1.staircase_sweep_source("VOLTAGE", mode, "Auto Ranging", LEVELS[0], LEVELS[-1], POINTS, 1e-6)
        b.check_errors()
        b.clear_buffer()
        b.clear_timer()
        b.send_trigger()
        return [b.read_channels(3) for _ in range(POINTS * (2 if double else 1))]


@pytest.fixture
def peer() -> Iterator[Callable[[bool], Peer]]:
    opened = []

    def make(noise: bool) -> Peer:
        opened.append(Peer(noise))
        return opened[-1]

    yield make
    for each in opened:
        each.manager.close()


def model(library: Any) -> list[float]:
    """Drain current of an untouched device at the levels, there and back."""
    device = library.bench.device.__class__(library.bench.device.parameters)
    found = []
    for level in [*LEVELS, *LEVELS[::-1]]:
        device.hold(1.0, level)
        found.append(device.channel_current(DRAIN))
    return found


@pytest.mark.parametrize("fmt", [1, 11, 21])
def test_staircase_sweep_reads_the_model(peer: Callable[[bool], Peer], fmt: int) -> None:
    bench = peer(False)
    rows = bench.sweep(fmt)
    drain = np.array([row[0][3] for row in rows])
    assert [row[2][3] for row in rows] == pytest.approx([*LEVELS, *LEVELS[::-1]])
    # last digit of format 1 on the 1 nA range, and 0.1 % of settling after each step
    assert drain == pytest.approx(np.array(model(bench.library)), rel=3e-3, abs=3e-13)
    assert {row[0][1] for row in rows} == {"SMU2"}
    assert rows[0][0][2].startswith("Current")
    bench.driver.clear_buffer()
    bench.driver.check_errors()


def test_staircase_sweep_with_noise(peer: Callable[[bool], Peer]) -> None:
    """Flicker 0.5 % and 10 fA of range noise: five deviations at each of 26 points (false alarms: 1.5e-5)."""
    bench = peer(True)
    drain = np.array([row[0][3] for row in bench.sweep(11)])
    expected = np.array(model(bench.library))
    assert np.all(np.abs(drain - expected) < 5 * (5e-3 * expected + 1e-14) + 3e-3 * expected + 3e-13)


def test_end_of_data_is_marked(peer: Callable[[bool], Peer]) -> None:
    rows = peer(False).sweep(21, double=False)
    assert rows[-1][1][0] == "128"
    assert [row[2][0] for row in rows] == ["  W"] * (POINTS - 1) + ["  E"]


def test_sampling(peer: Callable[[bool], Peer]) -> None:
    bench = peer(False)
    b = bench.driver
    b.initialize_all_smus()
    b.data_format(1)
    for smu in (b.smu1, b.smu2):
        smu.enable()
        smu.meas_range_current = "1 nA"
    b.smu1.force("Voltage", "Auto Ranging", -4.8, 1e-6)
    b.meas_mode("SAMPLING", b.smu2)
    b.sampling_mode = "LINEAR"
    b.sampling_timing(0.5, 0.1, 5)
    b.smu2.sampling_source("VOLTAGE", "Auto Ranging", 0, DRAIN, 1e-6)
    b.sampling_auto_abort(False, post="Bias")
    b.check_errors()
    b.clear_buffer()
    b.clear_timer()
    b.send_trigger()
    values = [b.read_channels(1)[0][3] for _ in range(5)]
    expected = bench.library.bench.device.channel_current(DRAIN)
    assert values == pytest.approx([expected] * 5, rel=3e-3)
    assert bench.library.true_voltages()["drain"] == DRAIN


def test_synchronous_source_and_settings_read_back(peer: Callable[[bool], Peer]) -> None:
    bench = peer(False)
    b = bench.driver
    b.initialize_all_smus()
    b.data_format(21, mode=2)
    b.smu1.enable()
    b.smu2.enable()
    b.smu1.staircase_sweep_source("VOLTAGE", "LINEAR_SINGLE", "Auto Ranging", 0, 1, 3, 1e-6)
    b.smu2.synchronous_sweep_source("VOLTAGE", "Auto Ranging", 2, 1, 1e-6)
    b.meas_mode("STAIRCASE_SWEEP", b.smu1)
    b.smu1.meas_range_current = "1 uA limited auto ranging"
    b.check_errors()
    b.clear_buffer()
    b.send_trigger()
    rows = [b.read_channels(3) for _ in range(3)]
    assert [row[1][3] for row in rows] == [0.0, 0.5, 1.0]
    assert [row[2][3] for row in rows] == [2.0, 1.5, 1.0]
    b.clear_buffer()
    assert b.check_idle() == "1"
    assert b.query_meas_settings()["Measurement Channels"] == "SMU1"
    sweep = b.query_staircase_sweep_settings()
    assert sweep["SMU2"]["Source Type"] == "Synchronous Voltage Sweep Source"
    assert b.smu1.status["SMU1"]["Source Type"] == "Constant Voltage"
    assert b.query_adc_setup()["HRADC Mode"] == "Auto"
    assert (b.smu1.filter, b.smu1.series_resistor, b.auto_calibration, b.time_stamp) == (False, False, True, False)
    assert b.query_modules() == {1: "WGFMU", 2: "WGFMU", 3: "HRSMU", 4: "HRSMU", 5: "HRSMU", 6: "HRSMU"}


def test_ramp_ground_and_restore(peer: Callable[[bool], Peer]) -> None:
    bench = peer(False)
    b = bench.driver
    b.initialize_all_smus()
    b.smu1.enable()
    b.smu1.ramp_source("VOLTAGE", "Auto Ranging", 1.0, comp=1e-6, stepsize=0.1, pause=0)
    b.check_errors()
    assert bench.library.true_voltages()["gate"] == 1.0
    b.force_gnd()
    b.check_errors()
    assert bench.library.true_voltages()["gate"] == 0.0
    b.restore_settings()
    b.pause(1)
    b.abort()
    b.check_errors()
    assert bench.library.true_voltages()["gate"] == 1.0
    b.smu1.disable()
    b.check_errors()


def test_errors_reach_the_program(peer: Callable[[bool], Peer]) -> None:
    b = peer(False).driver
    b.initialize_all_smus()
    with pytest.raises(OSError, match="200: Channel output switch must be ON"):
        b.smu1.force("Voltage", "Auto Ranging", 1.0, 1e-6)
