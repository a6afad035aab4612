"""Two instruments and the four steps of a turn, over the drivers of labctl, PyMeasure and QCoDeS; for overhead.py.

A turn: relay to the generator, a pulse of 4.2 V for 100 us, relay to the meter, a resistance from five points between
-0.1 V and 0.1 V; a row of ``COLUMNS`` after each. The levels are set with every pulse, as if it were another trial's.

What labctl's drivers read back and check is theirs. The other two rigs are what a user of those packages writes:
settings that do not change are made once, ranges are fixed, the line is fitted by ``numpy.polyfit``. What their drivers
do not read back is not read back, and no error queue is asked within the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyvisa

from drivers.afg31000 import AFG31000
from drivers.keithley2636b import Keithley2636B
from labctl.numerics import fit_resistance

GENERATOR = "USB0::0x0699::0x0358::C013019::INSTR"
METER = "TCPIP0::192.168.1.26::5025::SOCKET"
LINES: dict[str, Any] = {"read_termination": "\n", "write_termination": "\n"}  # a raw socket has no end of message
COLUMNS = ("turn", "step", "level", "resistance", "stderr", "reported_high")
WINDOW = 0.1  # V
LEVELS = np.linspace(-WINDOW, WINDOW, 5)
HIGH, WIDTH, PERIOD = 4.2, 100e-6, 1e-3  # V, s
COMPLIANCE, NPLC, RANGE = 1e-4, 0.01, 1e-6  # A, power line cycles, A
RELAY, BURST = 5e-3, 1.1e-3  # waits, s
NAN = float("nan")

Row = tuple[float, ...]


class Rig(Protocol):
    """Opened instruments."""

    def rows(self, turn: int, raw: bool = False) -> Iterator[Row]:
        """Carry out the four steps of a turn, a row after each; ``raw``: and one for every point of the sweep."""

    def close(self) -> None:
        """Outputs off."""


@contextmanager
def opened(rig: Callable[[str], Rig], bench: Path) -> Iterator[Rig]:
    specification = f"{bench}?seed=1@labctl"
    manager = pyvisa.ResourceManager(specification)
    made = rig(specification)
    try:
        yield made
    finally:
        made.close()
        manager.close()


class LabctlRig:
    """labctl's drivers: everything that matters is read back, and the error queue with every message.

    Five messages a turn: line, pulse (its levels are known to hold), trigger, line, sweep.
    """

    def __init__(self, specification: str) -> None:
        library: Any = pyvisa.ResourceManager(specification).visalib
        self.clock = library.clock
        common: dict[str, Any] = {"clock": self.clock, "visa_library": library}
        self.generator = AFG31000(GENERATOR, **common)
        self.meter = Keithley2636B(METER, line_frequency=None, **common)
        self.pulser, self.reader = self.generator.channel("1"), self.meter.channel("a")
        self.pulser.limit(0.0, HIGH)

    def rows(self, turn: int, raw: bool = False) -> Iterator[Row]:
        self.meter.line(1, 1)
        self.clock.sleep(RELAY)
        yield turn, 0, NAN, NAN, NAN, NAN
        programmed = self.pulser.prepare_pulse(HIGH)
        self.pulser.output(True)
        self.generator.trigger()
        self.clock.sleep(self.pulser.burst_duration)
        yield turn, 1, HIGH, NAN, NAN, programmed.reported_high
        self.meter.line(1, 0)
        self.clock.sleep(RELAY)
        yield turn, 2, NAN, NAN, NAN, NAN
        self.reader.configure_read(COMPLIANCE, nplc=NPLC, least=1e-7)
        data = self.reader.sweep(LEVELS)
        if raw:
            for point in zip(data.set, data.volts, data.amps, data.time, strict=True):
                yield turn, 4, *map(float, point)
        fit = fit_resistance(data.volts, data.amps, data.status)
        yield turn, 3, WINDOW, fit.resistance, fit.stderr, NAN

    def close(self) -> None:
        self.generator.safe()
        self.meter.safe()


class PyMeasureRig:
    """PyMeasure's AFG3152C and Keithley2600; what they have no property for is written as text.

    16 messages a turn: line, amplitude, offset, trigger, line, level and current of five points, level 0. Only the five
    currents are read; voltages are those asked for.
    """

    def __init__(self, specification: str) -> None:
        from pymeasure.instruments.keithley import Keithley2600
        from pymeasure.instruments.tektronix.afg3152c import AFG3152C

        library: Any = pyvisa.ResourceManager(specification).visalib
        self.clock = library.clock
        self.generator = AFG3152C(GENERATOR, visa_library=library)
        self.generator.reset()
        self.generator.write("output1:impedance infinity")
        self.generator.ch1.shape = "pulse"
        self.generator.ch1.frequency = 1 / PERIOD
        self.generator.ch1.duty = 100 * WIDTH / PERIOD
        self.generator.ch1.amp_vpp = HIGH
        self.generator.ch1.offset = HIGH / 2
        _burst(self.generator.write, self.clock)
        self.meter = Keithley2600(METER, visa_library=library, **LINES)
        self.reader = self.meter.ChA
        self.reader.apply_voltage(voltage_range=0.2, compliance_current=COMPLIANCE)
        self.reader.source_output = "ON"
        self.reader.measure_current(nplc=NPLC, current=RANGE, auto_range=False)

    def rows(self, turn: int, raw: bool = False) -> Iterator[Row]:
        self.meter.write("digio.writebit(1, 1)")
        self.clock.sleep(RELAY)
        yield turn, 0, NAN, NAN, NAN, NAN
        self.generator.ch1.amp_vpp = HIGH
        self.generator.ch1.offset = HIGH / 2
        self.generator.write("*TRG")
        self.clock.sleep(BURST)
        yield turn, 1, HIGH, NAN, NAN, NAN
        self.meter.write("digio.writebit(1, 0)")
        self.clock.sleep(RELAY)
        yield turn, 2, NAN, NAN, NAN, NAN
        amps = []
        for level in LEVELS:
            self.reader.source_voltage = level
            amps.append(self.reader.current)
        self.reader.source_voltage = 0
        yield from _fitted(turn, amps, raw)

    def close(self) -> None:
        self.generator.write("output1:state off")
        self.reader.source_output = "OFF"


class QcodesRig:
    """QCoDeS' Keithley2636B with its fast sweep, and the generator, for which QCoDeS has no driver, as one's own.

    10 messages a turn: line, two levels, trigger, line, integration time (twice) and line frequency, which the driver
    asks for each sweep, the sweep's program, level 0. Only currents are read, as REAL32.
    """

    def __init__(self, specification: str) -> None:
        from qcodes.dataset import LinSweep
        from qcodes.instrument import VisaInstrument
        from qcodes.instrument_drivers.Keithley import Keithley2636B as QcodesKeithley
        from qcodes.validators import Numbers

        class Generator(VisaInstrument):
            """As one writes it for an instrument that has no driver: parameters and a method."""

            default_terminator = "\n"

            def __init__(self, name: str, address: str, **options: Any) -> None:
                super().__init__(name, address, **options)
                for level in ("high", "low"):
                    self.add_parameter(
                        level,
                        unit="V",
                        vals=Numbers(-10, 10),
                        set_cmd=f"SOUR1:VOLT:{level.upper()} {{}}",
                        get_cmd=f"SOUR1:VOLT:{level.upper()}?",
                        get_parser=float,
                    )

            def trigger(self) -> None:
                self.write("*TRG")

        library: Any = pyvisa.ResourceManager(specification).visalib
        self.clock = library.clock
        self.generator = Generator("generator", GENERATOR, visalib=specification)
        self.generator.write("*RST")
        self.generator.write("OUTP1:IMP INF")
        self.generator.write("SOUR1:FUNC PULS")
        self.generator.write(f"SOUR1:FREQ {1 / PERIOD}")
        self.generator.write(f"SOUR1:PULS:WIDT {WIDTH}")
        self.generator.parameters["high"](HIGH)
        self.generator.parameters["low"](0.0)
        _burst(self.generator.write, self.clock)
        self.meter = QcodesKeithley("meter", METER, visalib=specification, device_clear=False)  # none on a raw socket
        self.reader = self.meter.smua
        self.reader.mode("voltage")
        self.reader.limiti(COMPLIANCE)
        self.reader.sourcerange_v(0.2)
        self.reader.measurerange_i(RANGE)
        self.reader.nplc(NPLC)
        self.reader.volt(0.0)
        self.reader.output("on")
        self.reader.setup_fastsweep(LinSweep(self.reader.volt, -WINDOW, WINDOW, len(LEVELS)), mode="IV")

    def rows(self, turn: int, raw: bool = False) -> Iterator[Row]:
        self.meter.write("digio.writebit(1, 1)")
        self.clock.sleep(RELAY)
        yield turn, 0, NAN, NAN, NAN, NAN
        self.generator.parameters["high"](HIGH)
        self.generator.parameters["low"](0.0)
        self.generator.trigger()
        self.clock.sleep(BURST)
        yield turn, 1, HIGH, NAN, NAN, NAN
        self.meter.write("digio.writebit(1, 0)")
        self.clock.sleep(RELAY)
        yield turn, 2, NAN, NAN, NAN, NAN
        amps = self.reader.fastsweep()
        self.reader.volt(0.0)
        yield from _fitted(turn, amps, raw)

    def close(self) -> None:
        self.generator.write("OUTP1:STAT OFF")
        self.reader.output("off")
        self.meter.close()
        self.generator.close()


def _burst(write: Callable[[str], object], clock: Any) -> None:
    """One pulse for each ``*TRG``; the output on."""
    for command in (
        "trigger:source external",
        "source1:burst:mode triggered",
        "source1:burst:ncycles 1",
        "source1:burst:state on",
        "output1:state on",
    ):
        write(command)
    clock.sleep(1.0)


def _fitted(turn: int, amps: Sequence[float], raw: bool) -> Iterator[Row]:
    if raw:
        for level, current in zip(LEVELS, amps, strict=True):
            yield turn, 4, float(level), NAN, float(current), NAN
    (slope, _), covariance = np.polyfit(LEVELS, amps, 1, cov=True)
    yield turn, 3, WINDOW, float(1 / slope), float(np.sqrt(covariance[0, 0]) / slope**2), NAN
