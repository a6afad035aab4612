"""TSP as users load it into the 2636B of the shipped bench: currents of the neuron against its closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import pyvisa
from neuron_model import AFG, NON_SPIKING, SMU, SPIKING, assert_currents

SETUP = """
reset()
smua.source.func = smua.OUTPUT_DCVOLTS
smua.source.limiti = 100e-6
smua.source.rangev = 2
smua.measure.rangei = 10e-6
smua.measure.nplc = 0.1
smua.measure.autozero = smua.AUTOZERO_ONCE
smua.source.output = smua.OUTPUT_ON
delay(0.01)
""".strip()
NPLC, RANGE, GRID = 0.1, 10e-6, 50e-6

SWEEP = """
function sweep(start, stop, points)
  smua.nvbuffer1.clear()
  smua.nvbuffer1.appendmode = 1
  smua.nvbuffer1.collectsourcevalues = 1
  smua.nvbuffer1.collecttimestamps = 1
  for k = 0, points - 1 do
    smua.source.levelv = start + (stop - start) * k / (points - 1)
    delay(1e-3)
    smua.measure.i(smua.nvbuffer1)
  end
  smua.source.levelv = 0
end
""".strip()


class Program:
    """A PyVISA session on the 2636B and what a user does with it."""

    def __init__(self, library: str) -> None:
        self.manager = pyvisa.ResourceManager(library)
        self.smu: Any = self.manager.open_resource(SMU, read_termination="\n", write_termination="\n", timeout=60_000)

    def write(self, text: str) -> None:
        for line in text.splitlines():
            self.smu.write(line)

    def numbers(self, line: str) -> list[float]:
        return [float(x) for x in self.smu.query(line).replace("\t", ",").split(",")]

    def errors(self) -> float:
        return self.numbers("print(errorqueue.count)")[0]

    def buffer(self, points: int, part: str = "", name: str = "smua.nvbuffer1") -> list[float]:
        found = self.numbers(f"printbuffer(1, {points}, {name}{part})")
        assert len(found) == points
        return found

    def agrees(self, points: int, spiking: bool = False, **other: Any) -> list[float]:
        """The buffer's readings agree with the model at its own source values; those."""
        volts = self.buffer(points, ".sourcevalues")
        expected = {"range_": RANGE, "nplc": NPLC, "grid": GRID, "spikes": int(spiking)} | other
        assert_currents(volts, self.buffer(points), SPIKING if spiking else NON_SPIKING, **expected)
        return volts

    def set_neuron(self) -> None:
        """One pulse of 5.2 V through the relay: the device spikes."""
        afg: Any = self.manager.open_resource(AFG)
        clock = self.smu.visalib.clock
        for line in (
            "*RST",
            "OUTP1:IMP INF",
            "SOUR1:FUNC PULS",
            "SOUR1:PULS:PER 1e-3;WIDT 100e-6",
            "TRIG:SOUR EXT",
            "SOUR1:BURS:STAT ON",
            "SOUR1:VOLT:LOW 0;HIGH 5.2",
            "OUTP1 ON",
        ):
            afg.write(line)
        self.write("digio.writebit(1, 1)")
        clock.sleep(1.0)
        afg.write("*TRG")
        clock.sleep(0.01)
        self.write("digio.writebit(1, 0)")
        clock.sleep(0.01)
        afg.write("OUTP1 OFF")
        assert afg.query("SYST:ERR?").startswith("0")


@pytest.fixture
def program(library: Callable[..., str]) -> Iterator[Program]:
    running = Program(library())
    running.write(SETUP)
    yield running
    assert running.errors() == 0
    running.manager.close()


# -- ways to load -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spiking", [False, True])
def test_loadandrunscript(program: Program, spiking: bool) -> None:
    if spiking:
        program.set_neuron()
    program.write(f"loadandrunscript\n{SWEEP}\nsweep(-0.1, 0.1, 21)\nendscript")
    volts = program.agrees(21, spiking)
    assert volts == pytest.approx(np.linspace(-0.1, 0.1, 21), abs=1e-9)


def test_loadscript_by_name(program: Program) -> None:
    program.write(f"loadscript neuron\n{SWEEP}\nsweep(0, 0.2, 11)\nendscript")
    assert program.numbers("print(smua.nvbuffer1.n)") == [0]  # loaded, not run
    program.write("neuron()")
    program.agrees(11)
    program.write("smua.nvbuffer1.clear() neuron.run()")
    program.agrees(11)
    assert "neuron" in program.smu.query("for name in script.user.catalog() do print(name) end")


def test_script_new(program: Program) -> None:
    body = SWEEP.replace("\n", " ")
    program.write(f"once = script.new([[{body} sweep(-1.0, 1.0, 9)]], 'once')")
    program.write("once()")
    volts = program.agrees(9)
    assert volts[-1] == pytest.approx(1.0)  # where sinh is 2.7 % above a resistor


# -- formats ----------------------------------------------------------------------------------------------------------


def test_printbuffer_in_ascii_and_binary(program: Program) -> None:
    program.write(f"loadandrunscript\n{SWEEP}\nsweep(-0.1, 0.1, 101)\nendscript")
    program.agrees(101)
    program.write("format.asciiprecision = 16")
    exact = program.buffer(101)
    for name, code, digits in (("REAL32", "f", 6e-8), ("REAL64", "d", 0.0)):
        program.write(f"format.data = format.{name} format.byteorder = format.LITTLEENDIAN")
        program.smu.write("printbuffer(1, 101, smua.nvbuffer1.readings)")
        size = np.dtype(code).itemsize
        block = program.smu.read_bytes(2 + 101 * size + 1)
        assert (block[:2], block[-1:]) == (b"#0", b"\n")
        assert np.frombuffer(block[2:-1], f"<{code}") == pytest.approx(exact, rel=digits, abs=0.0)
    assert program.smu.query("print(format.data)") == "3.000000000000000e+00"  # print itself stays ASCII


# -- trigger model, timers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "wanted"),
    [
        ("linearv(-0.2, 0.2, 11)", np.linspace(-0.2, 0.2, 11)),
        ("logv(0.01, 1, 11, 0)", np.geomspace(0.01, 1.0, 11)),
        ("listv({0.1, -0.1, 0.3, 0})", [0.1, -0.1, 0.3, 0.0]),
    ],
)
def test_trigger_model_sweep(program: Program, levels: str, wanted: Any) -> None:
    points = len(wanted)
    program.write(
        f"""smua.nvbuffer1.clear() smua.nvbuffer1.appendmode = 1 smua.nvbuffer1.collectsourcevalues = 1
smua.source.delay = 1e-3
smua.trigger.source.{levels}
smua.trigger.source.action = smua.ENABLE
smua.trigger.measure.i(smua.nvbuffer1)
smua.trigger.measure.action = smua.ENABLE
smua.trigger.endpulse.action = smua.SOURCE_HOLD
smua.trigger.endsweep.action = smua.SOURCE_IDLE
smua.trigger.count = {points}
smua.trigger.initiate()
waitcomplete()"""
    )
    assert program.agrees(points) == pytest.approx(wanted, rel=1e-5, abs=1e-9)


def test_timer_paces_the_measurements(program: Program) -> None:
    program.write(
        """smua.nvbuffer1.clear() smua.nvbuffer1.appendmode = 1 smua.nvbuffer1.collecttimestamps = 1
smua.nvbuffer1.collectsourcevalues = 1
trigger.timer[1].delay = 20e-3 trigger.timer[1].count = 9 trigger.timer[1].passthrough = true
trigger.timer[1].stimulus = smua.trigger.ARMED_EVENT_ID
smua.trigger.source.listv({0.1, 0.2})
smua.trigger.source.action = smua.ENABLE
smua.trigger.source.stimulus = trigger.timer[1].EVENT_ID
smua.trigger.measure.i(smua.nvbuffer1)
smua.trigger.measure.action = smua.ENABLE
smua.trigger.count = 10
smua.trigger.initiate()
waitcomplete()"""
    )
    assert program.agrees(10) == pytest.approx([0.1, 0.2] * 5)
    assert np.diff(program.buffer(10, ".timestamps")) == pytest.approx(np.full(9, 20e-3), abs=2e-6)


def test_stopwatch(program: Program) -> None:
    (seconds,) = program.numbers("timer.reset() delay(0.25) print(timer.measure.t())")
    assert seconds == pytest.approx(0.25, abs=1e-4)


# -- factory scripts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "points"),
    [
        ("SweepVLinMeasureI(smua, -0.1, 0.1, 5e-3, 21)", 21),
        ("SweepVLogMeasureI(smua, 0.05, 0.6, 5e-3, 6)", 6),
        ("SweepVListMeasureI(smua, {0.1, 0.05, -0.1}, 5e-3, 3)", 3),
    ],
)
@pytest.mark.parametrize("spiking", [False, True])
def test_kisweep(program: Program, call: str, points: int, spiking: bool) -> None:
    if spiking:
        program.set_neuron()
    (seconds,) = program.numbers(f"timer.reset() {call} print(timer.measure.t())")
    assert seconds > 2 + points * 5e-3  # it ends with two seconds of display
    program.agrees(points, spiking)
    assert program.numbers("print(smua.source.output)") == [0]


@pytest.mark.parametrize("spiking", [False, True])
def test_kipulse(program: Program, spiking: bool) -> None:
    """Five pulses of 0.5 V from 0 V, 5 ms long, every 20 ms, read at their end."""
    if spiking:
        program.set_neuron()
    program.write(
        """smua.source.rangev = 2 smua.measure.rangei = 10e-6 smua.measure.delay = 0
smua.nvbuffer1.clear() smua.nvbuffer1.appendmode = 1 smua.nvbuffer1.collecttimestamps = 1
smua.nvbuffer1.collectsourcevalues = 1
f, msg = ConfigPulseVMeasureI(smua, 0, 0.5, 100e-6, 5e-3, 15e-3, 5, smua.nvbuffer1, 1)"""
    )
    assert program.smu.query("print(f, msg)") == "true\tPulse 1 configured."
    assert program.smu.query("print(InitiatePulseTest(1))").startswith("true\t")
    assert program.agrees(5, spiking) == pytest.approx([0.5] * 5)
    assert np.diff(program.buffer(5, ".timestamps")) == pytest.approx(np.full(4, 20e-3), abs=1e-5)
    assert program.smu.visalib.circuit.true_voltage("pd") == pytest.approx(0.0, abs=1e-9)


def test_kipulse_sweep(program: Program) -> None:
    program.write(
        """smua.source.rangev = 2 smua.nvbuffer1.clear() smua.nvbuffer1.appendmode = 1
smua.nvbuffer1.collectsourcevalues = 1
f, msg = ConfigPulseVMeasureISweepLin(smua, 0, 0.1, 0.5, 100e-6, 5e-3, 5e-3, 5, smua.nvbuffer1, 2)
f, msg = InitiatePulseTest(2)"""
    )
    assert program.agrees(5) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
