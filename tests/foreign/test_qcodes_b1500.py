"""QCoDeS's KeysightB1500, unmodified, on the simulated mainframe: connect, spot, IV staircase, sampling (sec. 15)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qcodes")

from qcodes.instrument_drivers.Keysight.keysightb1500 import KeysightB1500, constants

ADDRESS = "GPIB0::17::INSTR"
DRAIN = 2.0


class Peer:
    """The driver, and the bench it does not know of."""

    def __init__(self, settings: str) -> None:
        self.driver: Any = KeysightB1500("spa", ADDRESS, visalib=f"{settings}@labctl")
        self.gate, self.drain = self.driver.smu1, self.driver.smu2

    @property
    def library(self) -> Any:
        return self.driver.visa_handle.visalib

    @property
    def expected(self) -> float:
        """Drain current of the model now."""
        return float(self.library.bench.device.channel_current(DRAIN))


@pytest.fixture(params=["aab_w2?noise=false", "aab_w2?seed=7"], ids=["exact", "noise"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    found = Peer(request.param)
    yield found
    library = found.library
    found.driver.close()
    library.resource_manager.close()


def noisy(peer: Peer) -> bool:
    return bool(peer.library.bench.description.simulation.noise)


def test_connect_finds_the_modules(peer: Peer) -> None:
    kinds = [type(module).__name__ for module in peer.driver.by_slot.values()]
    assert kinds == ["KeysightB1530A"] * 2 + ["KeysightB1517A"] * 4
    identity = peer.driver.get_idn()
    assert (identity["vendor"], identity["model"]) == ("Agilent Technologies", "B1500A")
    assert peer.driver.get_status() == 16


def test_spot(peer: Peer) -> None:
    peer.driver.enable_channels([3, 4])
    peer.gate.source_config(constants.VOutputRange.MIN_20V, 1e-6, None, constants.IMeasRange.MIN_1uA)
    peer.gate.voltage(-4.8)
    peer.drain.source_config(constants.VOutputRange.MIN_20V, 1e-6, None, constants.IMeasRange.MIN_1uA)
    peer.drain.voltage(DRAIN)
    peer.drain.use_high_resolution_adc()
    peer.driver.use_nplc_for_high_resolution_adc(4)
    peer.drain.i_measure_range_config(constants.IMeasRange.FIX_10nA)
    value = peer.drain.current()
    # 0.1 % of settling, last digit of the 10 nA range; with noise five deviations of 0.5 % flicker
    assert value == pytest.approx(peer.expected, rel=2e-3 + 0.025 * noisy(peer), abs=1e-13)
    assert peer.drain.current.measurement_status == constants.MeasurementStatus.N
    assert peer.drain.voltage() == pytest.approx(DRAIN, abs=2e-3)
    assert peer.gate.is_enabled()


def test_spot_in_compliance(peer: Peer) -> None:
    peer.driver.enable_channels([3, 4])
    peer.gate.source_config(constants.VOutputRange.AUTO, 1e-6)
    peer.gate.voltage(-4.8)
    peer.drain.source_config(constants.VOutputRange.AUTO, 1e-10)
    peer.drain.voltage(DRAIN)
    peer.drain.use_high_resolution_adc()
    peer.drain.i_measure_range_config(constants.IMeasRange.FIX_1nA)
    assert peer.drain.current() == pytest.approx(1e-10, rel=2e-2)
    assert peer.drain.current.measurement_status == constants.MeasurementStatus.C


def test_staircase_sweep(peer: Peer) -> None:
    peer.driver.enable_channels([3, 4])
    peer.drain.source_config(constants.VOutputRange.AUTO, 1e-6)
    peer.drain.voltage(DRAIN)
    peer.drain.use_high_resolution_adc()
    peer.driver.use_nplc_for_high_resolution_adc(1)
    peer.gate.setup_staircase_sweep(
        v_start=-9,
        v_end=0,
        n_steps=7,
        i_comp=1e-6,
        i_meas_range=constants.IMeasRange.FIX_1uA,
        abort_enabled=constants.Abort.DISABLED,
        delay=0.1,
        step_delay=0.1,
    )
    peer.drain.current_measurement_range(constants.IMeasRange.FIX_10nA)
    peer.driver.set_measurement_mode(constants.MM.Mode.STAIRCASE_SWEEP, (3, 4))
    gate, drain = peer.driver.run_iv_staircase_sweep()
    levels = np.linspace(-9, 0, 7)  # no trap is filled there
    device = peer.library.bench.device.__class__(peer.library.bench.device.parameters)
    expected = []
    for level in levels:
        device.hold(1.0, level)
        expected.append(device.channel_current(DRAIN))
    assert peer.driver.run_iv_staircase_sweep.setpoints[0][0] == pytest.approx(levels)
    assert drain == pytest.approx(expected, rel=5e-3 + 0.025 * noisy(peer), abs=1e-12)
    assert gate == pytest.approx([0.0] * 7, abs=1e-10)
    summary = peer.driver.run_iv_staircase_sweep.status_summary()
    assert set(summary.values()) == {constants.MeasurementStatus.N}
    assert peer.driver.get_measurement_mode()["channels"] == [3, 4]


def test_sampling(peer: Peer) -> None:
    peer.driver.enable_channels([3, 4])
    peer.gate.source_config(constants.VOutputRange.AUTO, 1e-6)
    peer.gate.voltage(-4.8)
    peer.drain.source_config(constants.VOutputRange.AUTO, 1e-6)
    peer.drain.voltage(DRAIN)
    peer.drain.use_high_resolution_adc()
    peer.driver.use_nplc_for_high_resolution_adc(1)
    peer.drain.current_measurement_range(constants.IMeasRange.FIX_10nA)
    peer.drain.timing_parameters(h_bias=0.2, interval=0.1, number=5)
    peer.drain.measurement_mode(constants.MM.Mode.SAMPLING)
    trace = peer.drain.sampling_measurement_trace()
    assert trace == pytest.approx([peer.expected] * 5, rel=2e-3 + 0.025 * noisy(peer), abs=1e-13)
    assert len(peer.drain.time_axis()) == 5


def test_calibration_reset_and_errors(peer: Peer) -> None:
    assert peer.driver.self_calibration() == 0
    assert peer.driver.error_message() == '+0,"No Error."'
    with pytest.raises(RuntimeError, match=r"\+200"):
        peer.drain.voltage(1.0)
    peer.driver.reset()
