"""Both drivers on the shipped H-NNO bench (wiring T3): pulses through the relay, readings, the SMU as a trigger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import pyvisa

from drivers.afg31000 import AFG31000
from drivers.keithley2636b import Keithley2636B

RELAY, TRIGGER = 1, 2
RELAY_TIME = 6e-3


@dataclass
class Bench:
    library: Any
    afg: AFG31000
    smu: Keithley2636B

    def pulse(self, level: float, external: bool = False) -> float:
        """One pulse of 100 us through the relay; the largest voltage that the device saw."""
        channel = self.afg.channel("1")
        channel.prepare_pulse(level, period=1e-3)
        channel.output(True)
        self.smu.line(RELAY, 1)
        self.library.clock.sleep(RELAY_TIME)
        self.library.true_extremes()
        if external:
            self.smu.pulse_line(TRIGGER)
        else:
            self.afg.trigger()
        self.library.clock.sleep(channel.burst_duration)
        return float(self.library.true_extremes()["pd"])

    def resistance(self) -> float:
        """Slope of the I-V within +-0.1 V, through the relay."""
        self.smu.line(RELAY, 0)
        self.library.clock.sleep(RELAY_TIME)
        data = self.smu.channel("a").sweep(start=-0.1, stop=0.1, points=21)
        assert not data.status.any()
        return float(np.polyfit(data.amps, data.volts, 1)[0])


@pytest.fixture
def bench() -> Iterator[Bench]:
    manager = pyvisa.ResourceManager("hnno@labctl")
    library: Any = manager.visalib
    common = {"visa_library": library, "clock": library.clock}
    afg = AFG31000("USB0::0x0699::0x0358::C013019::INSTR", name="afg", **common)
    smu = Keithley2636B("TCPIP0::192.168.1.26::5025::SOCKET", name="smu", **common)
    afg.channel("1").limit(-5.5, 5.5)
    smu.channel("a").limit(-0.2, 0.2)
    smu.channel("a").configure_read(10e-6, range_=10e-6)
    yield Bench(library, afg, smu)
    manager.close()


@pytest.mark.parametrize("external", [False, True])
def test_pulses_set_and_reset_the_neuron(bench: Bench, external: bool) -> None:
    initial = bench.resistance()
    assert 2e5 < initial < 1e6
    assert bench.pulse(5.0, external) == pytest.approx(5.0, abs=0.01)
    assert bench.resistance() < initial / 2
    assert bench.pulse(-4.2, external) == pytest.approx(-4.2, abs=0.01)
    assert bench.resistance() == pytest.approx(initial, rel=0.2)
    bench.afg.safe()
    bench.smu.safe()


def test_messages_per_trial(bench: Bench) -> None:
    """A pulse is two exchanges, a 21-point reading one line and one answer; the relay is one exchange each way."""
    sent: dict[str, list[str]] = {"afg": [], "smu": []}
    bench.pulse(4.0)
    bench.resistance()
    for name, instrument in (("afg", bench.afg), ("smu", bench.smu)):
        write = instrument.adapter.write

        def tapped(command: str, name: str = name, write: Any = write, **kwargs: Any) -> None:
            sent[name].append(command)
            write(command, **kwargs)

        instrument.adapter.write = tapped
    bench.pulse(-4.0)
    bench.resistance()
    assert len(sent["afg"]) == 2
    assert [command.split("(")[0].split("_")[0] for command in sent["smu"]] == [
        "digio.trigger[1].mode=0 digio.writebit",
        "digio.trigger[1].mode=0 digio.writebit",
        "sweep",
    ]
