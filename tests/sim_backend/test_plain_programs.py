"""Plain PyVISA programs on the shipped benches, without any of labctl's drivers: what a foreign program would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import pyvisa

AFG = "USB0::0x0699::0x0358::C013019::INSTR"
SMU = "TCPIP0::192.168.1.26::5025::SOCKET"

PULSE = (
    "*RST",
    "OUTP1:IMP INF",
    "SOUR1:FUNC PULS",
    "SOUR1:FREQ 1000",
    "SOUR1:PULS:WIDT 100e-6",
    "SOUR1:VOLT:LOW 0",
    "SOUR1:VOLT:HIGH 4.2",
    "SOUR1:BURS:STAT ON",
    "SOUR1:BURS:NCYC 1",
    "TRIG:SOUR EXT",
    "OUTP1 ON",
)


class Program:
    """A short script's worth of PyVISA."""

    def __init__(self, specification: str) -> None:
        self.rm = pyvisa.ResourceManager(f"{specification}@labctl")
        self.library: Any = self.rm.visalib
        self.afg: Any = self.rm.open_resource(AFG)
        self.smu: Any = self.rm.open_resource(SMU, read_termination="\n", write_termination="\n", timeout=20_000)

    def setup(self, lines: tuple[str, ...] = PULSE) -> None:
        for line in lines:
            self.afg.write(line)
        assert self.afg.query("SYST:ERR?").startswith("0")
        self.library.clock.sleep(1.0)  # its output relay is slow

    def fire(self, high: float, low: float = 0.0) -> float:
        """One pulse; the worst voltage that the device saw."""
        self.afg.write(f"SOUR1:VOLT:HIGH {high};LOW {low}" if high > low else f"SOUR1:VOLT:LOW {high};HIGH {low}")
        self.library.true_extremes()
        self.afg.write("*TRG")
        self.library.clock.sleep(2e-3)
        return float(self.library.true_extremes()["pd"])

    def tsp(self, *lines: str) -> None:
        for line in lines:
            self.smu.write(line)
        self.smu.query("print(0)")  # the lines run while the program goes on; this waits for them

    def resistance(self) -> float:
        """Two-point resistance between -0.1 and 0.1 V, in a state that the program has set up."""
        points = []
        for level in (-0.1, 0.1):
            self.tsp(f"smua.source.levelv = {level}", "delay(0.05)")
            points.append([float(x) for x in self.smu.query("print(smua.measure.iv())").split()])
        (i1, v1), (i2, v2) = points
        return (v2 - v1) / (i2 - i1)


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator[Program]:
    running = Program(getattr(request, "param", "hnno"))
    yield running
    running.rm.close()


def test_t3_set_and_read(program: Program) -> None:
    """Relay to the generator, pulse, relay to the SMU, read: both states turn up and differ by five."""
    program.setup()
    program.tsp("smua.source.func = smua.OUTPUT_DCVOLTS", "smua.source.limiti = 1e-4", "smua.source.output = 1")
    seen = []
    for _ in range(8):
        program.tsp("digio.writebit(1, 1)", "delay(0.01)")
        assert program.fire(4.25) == pytest.approx(4.25, abs=5e-3)
        program.tsp("digio.writebit(1, 0)", "delay(0.01)")
        seen.append(program.resistance())
    assert seen[0] == pytest.approx(400e3, rel=0.2) or seen[0] == pytest.approx(80e3, rel=0.4)
    assert min(seen) < 110e3
    assert program.library.bench.relays["k1"].operations == 16


def test_t3_with_the_relay_on_the_smu_no_pulse_arrives(program: Program) -> None:
    program.setup()
    assert program.fire(4.2) == 0.0


def test_f1_load_left_at_50_ohm_doubles_the_pulse_and_destroys_the_device(program: Program) -> None:
    program.setup(tuple(line for line in PULSE if "IMP" not in line))
    program.tsp("digio.writebit(1, 1)", "delay(0.01)")
    assert program.fire(4.2) == pytest.approx(8.399, abs=0.03)
    assert program.library.bench.device.dose()["dead"] == 1.0


@pytest.mark.parametrize("program", ["hnno_t1"], indirect=True)
def test_t1_an_smu_that_is_off_but_not_open_swallows_the_start_of_each_pulse(program: Program) -> None:
    """F6: normal off is 0 V with 1 mA; high impedance lets the pulse through."""
    program.setup()
    program.tsp("smua.source.output = 0", "smua.source.offmode = smua.OUTPUT_NORMAL")
    assert program.fire(4.2) == pytest.approx(4.15, abs=5e-3)
    program.tsp("smua.source.offmode = smua.OUTPUT_HIGH_Z", "delay(0.1)")
    assert program.fire(4.2) == pytest.approx(4.2, abs=5e-3)


@pytest.mark.parametrize("program", ["hnno_t1"], indirect=True)
def test_t1_a_generator_left_on_reads_as_50_ohm(program: Program) -> None:
    """F5, and with the generator off the device."""
    program.setup()
    program.tsp("smua.source.func = smua.OUTPUT_DCVOLTS", "smua.source.limiti = 1e-4", "smua.source.output = 1")
    assert program.resistance() == pytest.approx(50.0, rel=0.02)
    program.afg.write("OUTP1 OFF")
    program.library.clock.sleep(0.1)
    assert program.resistance() == pytest.approx(400e3, rel=0.02)


@pytest.mark.parametrize("program", ["hnno_t2"], indirect=True)
@pytest.mark.parametrize(("limit", "arrives"), [(1e-3, True), (1e-6, False)])
def test_t2_the_limit_of_the_ammeter_decides_whether_the_pulse_arrives(
    program: Program, limit: float, arrives: bool
) -> None:
    program.setup()
    program.tsp("smua.source.func = smua.OUTPUT_DCVOLTS", f"smua.source.limiti = {limit}", "smua.source.output = 1")
    program.library.clock.sleep(0.1)
    for _ in range(10):
        program.library.true_extremes()
        program.afg.write("SOUR1:VOLT:HIGH 4.6")
        program.afg.write("*TRG")
        program.library.clock.sleep(5e-3)
        au = program.library.true_extremes()["au"]
        assert au == pytest.approx(0.0, abs=1e-2) if arrives else au == pytest.approx(4.2, abs=0.05)
    spikes = program.library.bench.device.dose()["spikes"]
    assert (spikes > 0) is arrives
