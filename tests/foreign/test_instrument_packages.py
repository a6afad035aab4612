"""PyMeasure's and QCoDeS' own instrument classes on the shipped bench: they pulse and read the neuron."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from neuron_model import AFG, NON_SPIKING, SMU, SPIKING, assert_currents, current

pytestmark = pytest.mark.filterwarnings("ignore:It is not known whether:FutureWarning")

LINES = {"read_termination": "\n", "write_termination": "\n"}  # a raw socket has no end of message


@pytest.fixture
def pymeasure_bench(library: Callable[..., str]) -> Iterator[tuple[Any, Any, Any]]:
    """Generator, SMU and the VISA library below both, one bench."""
    import pyvisa
    from pymeasure.instruments.keithley import Keithley2600
    from pymeasure.instruments.tektronix.afg3152c import AFG3152C

    manager = pyvisa.ResourceManager(library())
    visa: Any = manager.visalib
    yield AFG3152C(AFG, visa_library=visa), Keithley2600(SMU, visa_library=visa, **LINES), visa
    manager.close()


def test_pymeasure_pulses_and_reads_the_neuron(pymeasure_bench: tuple[Any, Any, Any]) -> None:
    """AFG3152C for shape, amplitude, offset and frequency; Keithley2600 for the relay, the source and the readings."""
    afg, smu, visa = pymeasure_bench
    channel = smu.ChA
    channel.apply_voltage(voltage_range=2, compliance_current=1e-4)
    channel.source_output = "ON"
    channel.measure_current(nplc=1, current=1e-5, auto_range=False)

    def read(resistance: float, spikes: int) -> None:
        volts = [-0.1, 0.05, 0.1, 0.4]
        amps = []
        for level in volts:
            channel.source_voltage = level
            amps.append(channel.current)
        assert_currents(volts, amps, resistance, range_=1e-5, nplc=1, spikes=spikes, grid=50e-6)
        assert channel.voltage == pytest.approx(0.4, abs=1e-4)
        assert channel.resistance == pytest.approx(0.4 / current(0.4, resistance, spikes), rel=5e-3)
        channel.source_voltage = 0

    read(NON_SPIKING, 0)
    afg.reset()
    afg.ch1.shape = "pulse"
    afg.ch1.frequency = 1e3
    afg.ch1.duty = 10.0  # 100 us
    afg.ch1.amp_vpp = 2.6  # for 50 ohm, which is what this class leaves set: 5.2 V on the device
    afg.ch1.offset = 1.3
    assert (afg.ch1.amp_vpp, afg.ch1.offset, afg.ch1.duty) == (2.6, 1.3, 10.0)
    smu.write("digio.writebit(1, 1)")
    visa.clock.sleep(0.1)
    visa.true_extremes()
    afg.write("output1:state on")  # enable() raises AttributeError in PyMeasure 0.16
    visa.clock.sleep(0.1)
    afg.write("output1:state off")
    assert visa.true_extremes()["pd"] == pytest.approx(5.2, abs=0.01)
    assert afg.check_errors() == []
    smu.write("digio.writebit(1, 0)")
    visa.clock.sleep(0.1)
    read(SPIKING, 1)
    channel.source_output = "OFF"
    assert smu.next_error[0] == 0


def test_pymeasure_error_queue(pymeasure_bench: tuple[Any, Any, Any]) -> None:
    afg, smu, _ = pymeasure_bench
    smu.write("smua.source.levelv = 500")
    smu.write("this is no Lua")
    assert smu.next_error == (-222, "Parameter data out of range")
    assert smu.next_error[0] == -285
    assert smu.next_error[0] == 0
    afg.write("source1:voltage:amplitude 40")
    assert [code for code, *_ in afg.check_errors()] == [-222]
    assert afg.check_errors() == []


class _Sweep:
    """What QCoDeS' LinSweep offers, without its dataset machinery."""

    def __init__(self, param: Any, start: float, stop: float, points: int, delay: float) -> None:
        self.param, self.delay, self.num_points = param, delay, points
        self._points = np.linspace(start, stop, points)

    def get_setpoints(self) -> Any:
        return self._points


def test_qcodes_sweeps_the_neuron(library: Callable[..., str]) -> None:
    """Its fast sweep is one script whose readings come back as REAL32."""
    pytest.importorskip("qcodes")
    from qcodes.instrument_drivers.Keithley import Keithley2636B

    smu = Keithley2636B("neuron_smu", SMU, visalib=library(), device_clear=False)  # none on a raw socket
    try:
        channel = smu.smua
        channel.reset()
        channel.mode("voltage")
        channel.limiti(1e-4)
        channel.measurerange_i(1e-6)
        channel.nplc(1)
        channel.volt(0.1)
        channel.output("on")
        assert_currents([0.1], [channel.curr()], NON_SPIKING, range_=1e-6, nplc=1)
        channel.setup_fastsweep(_Sweep(channel.volt, -0.1, 0.1, 21, 0.01), mode="IV")
        volts, amps = np.linspace(-0.1, 0.1, 21), channel.fastsweep()
        assert_currents(volts.tolist(), amps.tolist(), NON_SPIKING, range_=1e-6, nplc=1, digits=6e-8)
        channel.output("off")
        assert smu.ask("errorqueue.next()").startswith("0.00000e+00\tQueue Is Empty")
    finally:
        smu.close()
