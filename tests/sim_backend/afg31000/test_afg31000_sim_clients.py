"""Other people's programs on the simulated AFG31000, through PyVISA (reference sec. 17).

PyMeasure's AFG3152C runs as shipped. The other traffic is written here from what those programs are known to send.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa
from pymeasure.instruments.tektronix.afg3152c import AFG3152C

USB = "USB0::0x0699::0x0358::C013019::INSTR"
SOCKET = "TCPIP0::192.168.1.20::5025::SOCKET"
VXI11 = "TCPIP0::192.168.1.20::inst0::INSTR"

BENCH = """
bench: 1
name: afg
visa: "@labctl"
instruments:
  afg: {{driver: afg31000, address: "{address}", model: AFG31052, serial: C013019}}
device:
  id: load
  kind: resistor
  limits: {{voltage: {{pd: 10 V}}}}
wiring:
  connections:
    - {{from: afg.1, to: pd}}
    - {{from: common, to: au}}
simulation:
  model: resistor
  parameters: {{resistance: 50.0}}
  options: {{afg: {options}}}
"""

Open = Callable[..., Any]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """``bench(address, **options)`` -> VISA library string of a bench with an AFG on 50 ohm."""

    def make(address: str = USB, **options: Any) -> str:
        path = tmp_path / "bench.yaml"
        flow = "{" + ", ".join(f"{key}: {value}" for key, value in options.items()) + "}"
        path.write_text(BENCH.format(address=address, options=flow), encoding="utf-8")
        return f"{path}@labctl"

    return make


@pytest.fixture
def connect(bench: Callable[..., str]) -> Iterator[Open]:
    """``connect(address, **options)`` -> an open PyVISA resource."""
    managers: list[pyvisa.ResourceManager] = []

    def open_(address: str = USB, **options: Any) -> Any:
        manager = pyvisa.ResourceManager(bench(address, **options))
        managers.append(manager)
        resource = manager.open_resource(address)
        resource.read_termination = resource.write_termination = "\n"
        return resource

    yield open_
    for manager in managers:
        manager.close()


def voltage(resource: Any) -> float:
    return float(resource.visalib.circuit.true_voltage("pd"))


def drain(resource: Any) -> list[str]:
    """As tm_devices does: in a loop until exactly the words of an empty queue."""
    entries = []
    while (entry := resource.query("SYSTEM:ERROR?")) != '0,"No error"':
        entries.append(entry)
    return entries


@pytest.mark.filterwarnings("ignore:It is not known whether:FutureWarning")
def test_pymeasure_afg3152c(bench: Callable[..., str]) -> None:
    afg = AFG3152C(USB, visa_library=bench())
    afg.reset()
    assert afg.opc() == 1
    afg.clear()
    afg.beep()
    for shape in afg.ch1.SHAPES:
        afg.ch1.shape = shape
        assert afg.ch1.shape == shape
    afg.ch1.shape = "sinusoidal"
    afg.ch1.unit = "VPP"
    afg.ch1.amp_vpp = 1.5
    assert (afg.ch1.unit, afg.ch1.amp_vpp) == ("VPP", 1.5)
    afg.ch1.unit = "VRMS"
    afg.ch1.amp_vrms = 0.5
    assert afg.ch1.amp_vrms == pytest.approx(0.5, abs=1e-4)
    afg.ch1.unit = "DBM"
    afg.ch1.amp_dbm = 3
    assert afg.ch1.amp_dbm == pytest.approx(3, abs=1e-3)
    afg.ch2.offset = 0.25
    afg.ch2.frequency = 1e3
    afg.ch2.duty = 12.5
    assert (afg.ch2.offset, afg.ch2.frequency, afg.ch2.duty) == (0.25, 1e3, 12.5)
    afg.ch1.waveform(shape="DC", frequency=1e3, units="VPP", amplitude=1, offset=1.25)
    afg.write("output1:state on")  # its enable() and disable() raise AttributeError in PyMeasure 0.16
    visa = afg.adapter.connection.visalib
    visa.clock.sleep(1.0)
    assert visa.circuit.true_voltage("pd") == pytest.approx(1.25)  # 50 ohm setting into 50 ohm
    afg.write("output1:state off")
    assert visa.circuit.true_voltage("pd") == 0.0
    assert afg.check_errors() == []
    afg.ch1.impedance = 50  # sent as source1:output:impedance
    assert [code for code, *_ in afg.check_errors()] == [-113]
    with pytest.raises(pyvisa.errors.VisaIOError):
        _ = afg.ch1.impedance  # nothing answers
    assert afg.ask("*IDN?").startswith("TEKTRONIX,AFG31052,C013019,")
    afg.adapter.close()


def test_tm_devices_traffic(connect: Open) -> None:
    afg = connect()
    assert afg.query("*IDN?").split(",")[:3] == ["TEKTRONIX", "AFG31052", "C013019"]
    assert afg.query("*OPT?") == "0"
    assert afg.query("*ESR?") == "0"
    settings = {
        "SOURCE1:FREQUENCY:FIXED": "10000.0",
        "SOURCE1:VOLTAGE:OFFSET": "0.5",
        "SOURCE1:VOLTAGE:AMPLITUDE": "2.5",
        "OUTPUT1:IMPEDANCE": "50.0",
        "SOURCE1:PULSE:DCYCLE": "25.0",
        "SOURCE1:FUNCTION:RAMP:SYMMETRY": "40.0",
        "SOURCE1:BURST:NCYCLES": "7",
    }
    for header, value in settings.items():
        afg.write(f"{header} {value}")
        assert float(afg.query(f"{header}?")) == float(value)
    afg.write("SOURCE1:BURST:STATE 1")
    afg.write("SOURCE1:BURST:MODE TRIG")
    afg.write("TRIGGER:SEQUENCE:SOURCE EXT")
    afg.write("SOURCE1:FUNCTION PULS")
    afg.write("OUTPUT1:STATE 1")
    afg.write("SOURCE1:PHASE:INITIATE")
    afg.write("*TRG")
    assert afg.query("*OPC?") == "1"
    assert drain(afg) == []
    assert afg.query("*ESR?") == "0"


@pytest.mark.parametrize("address", [SOCKET, USB])
def test_qmi_traffic(connect: Open, address: str) -> None:
    """*OPC? and SYST:ERR? after each set; int() on booleans; four words of identity."""
    afg = connect(address)

    def set_(*messages: str) -> None:
        for message in messages:
            afg.write(message)
        assert afg.query("*OPC?").strip() == "1"
        assert afg.query("SYST:ERR?").startswith("0,")

    afg.write("*CLS")
    set_("*CLS", "*RST")
    assert len(afg.query("*IDN?").split(",")) == 4
    assert afg.query("SOURCE:ROSCILLATOR:SOURCE?") == "INT"
    set_("SOURCE1:FUNCTION:SHAPE PULS")
    set_("SOURCE1:FREQUENCY:MODE CW", "SOURCE1:FREQUENCY:CW 1000.000000")
    set_("SOURCE1:VOLTAGE:LEVEL:LOW 2.0000", "SOURCE1:VOLTAGE:LEVEL:HIGH 3.0000")
    set_("SOURCE1:PULSE:HOLD DUTY", "SOURCE1:PULSE:DCYCLE 20.000000")
    set_("SOURCE1:PULSE:DELAY 0.00000500000")
    set_("SOURCE1:BURST:MODE TRIG")
    set_("SOURCE1:BURST:NCYCLES INF")
    set_("SOURCE1:BURST:TDELAY 0.00001000000")
    set_("SOURCE1:BURST:STATE 1")
    set_("OUTPUT1:IMPEDANCE INF")
    set_("OUTPUT1:POLARITY INV")
    set_("TRIGGER:SEQUENCE:SOURCE EXT", "TRIGGER:SEQUENCE:SLOPE NEG")
    set_("OUTPUT1:STATE 1")
    assert int(afg.query("OUTPUT1:STATE?")) == 1
    assert int(afg.query("SOURCE1:BURST:STATE?")) == 1
    assert float(afg.query("SOURCE1:BURST:NCYCLES?")) > 1e30
    assert float(afg.query("OUTPUT1:IMPEDANCE?")) > 1e30
    assert float(afg.query("SOURCE1:PULSE:DELAY?")) == 5e-6
    assert [float(afg.query(f"SOURCE1:VOLTAGE:LEVEL:{end}?")) for end in ("LOW", "HIGH")] == [4.0, 6.0]
    afg.write("SOURCE1:FREQUENCY:CW 99000000000.0")
    assert afg.query("*OPC?") == "1"
    assert not afg.query("SYST:ERR?").startswith("0,")


def test_tektronixsg_traffic(connect: Open) -> None:
    afg = connect()
    for channel, shape in (("1", "EMEM"), ("2", "EMEM2")):
        data = [0, 5000, 14000]
        afg.write_binary_values(f"DATA:DATA EMEM{channel},", data, datatype="h", is_big_endian=True)
        assert afg.query_binary_values(f"DATA:DATA? EMEM{channel}", datatype="h", is_big_endian=True) == data
        afg.write(f"SOUR{channel}:FUNC {shape}")
        assert afg.query(f"SOUR{channel}:FUNC?") == shape
        afg.write(f"SOUR{channel}:VOLT 4.0")
        afg.write(f"SOUR{channel}:VOLT:OFFS 1.0")
        assert int(afg.query(f"OUTP{channel}?")) == 0
        assert float(afg.query(f"SOUR{channel}:VOLT?")) == 4.0
    afg.write("SOUR1:PHAS 3.141592653589793")
    assert math.isclose(float(afg.query("SOUR1:PHAS?")), math.pi)
    assert int(float(afg.query("SOUR1:BURS:NCYC?"))) == 5
    afg.write("*WAI")
    assert afg.query("*ESR?") == "0"
    code, text = afg.query("SYSTem:ERRor?").split(",")
    assert (code, text) == ("0", '"No error"')


QCODES_PER_CHANNEL = [
    "OUTPut{0}:IMPedance?", "OUTPut{0}:POLarity?", "OUTPut{0}:STATe?", "SOURce{0}:AM:DEPTh?",
    "SOURce{0}:FM:DEViation?", "SOURce{0}:PM:DEViation?", "SOURce{0}:PWM:DEViation:DCYCle?",
    *(f"SOURce{{0}}:{kind}:{rest}" for kind in ("AM", "FM", "PM", "PWM") for rest in (
        "INTernal:FREQuency?", "INTernal:FUNCtion?", "INTernal:FUNCtion:EFILe?", "SOURce?", "STATe?")),
    "SOURce{0}:BURSt:MODE?", "SOURce{0}:BURSt:NCYCles?", "SOURce{0}:BURSt:STATe?", "SOURce{0}:BURSt:TDELay?",
    "SOURce{0}:COMBine:FEED?", "SOURce{0}:FREQuency:CENTer?", "SOURce{0}:FREQuency:CONCurrent?",
    "SOURce{0}:FREQuency:CW?", "SOURce{0}:FREQuency:MODE?", "SOURce{0}:FREQuency:SPAN?",
    "SOURce{0}:FREQuency:STARt?", "SOURce{0}:FREQuency:STOP?", "SOURce{0}:FSKey:FREQuency?",
    "SOURce{0}:FSKey:INTernal:RATE?", "SOURce{0}:FSKey:SOURce?", "SOURce{0}:FSKey:STATe?",
    "SOURce{0}:FUNCtion:EFILe?", "SOURce{0}:FUNCtion:RAMP:SYMMetry?", "SOURce{0}:FUNCtion:SHAPe?",
    "SOURce{0}:PHASe:ADJust?", "SOURce{0}:PULSe:DCYCle?", "SOURce{0}:PULSe:DELay?", "SOURce{0}:PULSe:HOLD?",
    "SOURce{0}:PULSe:PERiod?", "SOURce{0}:PULSe:TRANsition:LEADing?", "SOURce{0}:PULSe:TRANsition:TRAiling?",
    "SOURce{0}:PULSe:WIDTh?", "SOURce{0}:SWEep:HTIMe?", "SOURce{0}:SWEep:MODE?", "SOURce{0}:SWEep:RTIMe?",
    "SOURce{0}:SWEep:SPACing?", "SOURce{0}:SWEep:TIME?", "SOURce{0}:VOLTage:CONCurrent:STATe?",
    "SOURce{0}:VOLTage:LEVel:IMMediate:HIGH?", "SOURce{0}:VOLTage:LEVel:IMMediate:LOW?",
    "SOURce{0}:VOLTage:LEVel:IMMediate:OFFSet?", "SOURce{0}:VOLTage:UNIT?",
    "SOURce{0}:VOLTage:LEVel:IMMediate:AMPLitude?", "SOURce{0}:VOLTage:LIMit:HIGH?", "SOURce{0}:VOLTage:LIMit:LOW?",
]  # fmt: skip


def test_qcodes_contrib_traffic(connect: Open) -> None:
    """Everything that its AFG3000 driver asks at connect is answered; units are appended to what it sets."""
    afg = connect()
    for channel in (1, 2):
        for message in QCODES_PER_CHANNEL:
            assert afg.query(message.format(channel)) != "", message
    for message in (
        "SOURce3:POWer:LEVel:IMMediate:AMPLitude?", "SOURce4:POWer:LEVel:IMMediate:AMPLitude?",
        "SOURce:ROSCillator:SOURce?", "TRIGger:SEQuence:SLOPe?", "TRIGger:SEQuence:SOURce?",
        "TRIGger:SEQuence:TIMer?", "OUTPut:TRIGger:MODE?",
    ):  # fmt: skip
        assert afg.query(message) != ""
    assert drain(afg) == []
    for message in ("OUTPut1:IMPedance 50OHM", "SOURce1:PHASe:ADJust 90DEG", "SOURce1:PULSe:PERiod 1s",
                    "SOURce1:VOLTage:LEVel:IMMediate:AMPLitude 1.5V", "SOURce1:AM:DEPTh 80PCT",
                    "TRIGger:SEQuence:TIMer 0.1s", "SOURce1:BURSt:TDELay 2s"):  # fmt: skip
        afg.write(message)
    assert drain(afg) == []
    assert float(afg.query("SOURce1:PHASe:ADJust?")) == pytest.approx(math.pi / 2)
    for message in ("DATA:DEFINE EMEM,1000", "DATA:COPY USER1,EMEM", "*SAVE 1"):
        afg.write(message)
        assert [entry.split(",")[0] for entry in drain(afg)] == ["-113"]
    afg.write_binary_values("DATA:DATA EMEM,", [0, 16382] * 500, datatype="H", is_big_endian=True)
    assert drain(afg) == []


def test_tektronix_func_gen_traffic(connect: Open) -> None:
    afg = connect(legacy_data="true")
    afg.write("DATA:DEFine EMEMory,100")
    assert int(afg.query("DATA:POINts? EMEMory")) == 100
    afg.write_binary_values("DATA:DATA EMEMory,", [8191] * 250, datatype="H", is_big_endian=True)
    assert int(afg.query("DATA:POINts? EMEMory")) == 250
    afg.write("DATA:COPY USER2,EMEMory")
    assert "USER2" in afg.query("DATA:CATalog?")
    assert drain(afg) == []


@pytest.mark.parametrize("address", [USB, VXI11, SOCKET])
def test_a_whole_record_over_every_bus(connect: Open, address: str) -> None:
    """131072 points, 262 kB, in several writes, with LF among its bytes."""
    afg = connect(address)
    codes = (np.arange(131072) * 10 % 16383).astype(">u2")
    block = codes.tobytes()
    assert b"\n" in block
    message = f"DATA:DATA EMEM1, #6{len(block)}".encode() + block + b"\n"
    afg.send_end = False
    for begin in range(0, len(message), 65536):
        if begin + 65536 >= len(message):
            afg.send_end = True
        afg.write_raw(message[begin : begin + 65536])
    assert drain(afg) == []
    assert afg.query_binary_values("DATA? EMEM1", datatype="H", is_big_endian=True) == codes.tolist()


def test_raw_socket_scripts_keep_the_link(connect: Open) -> None:
    afg = connect(SOCKET)
    afg.write("HEADer OFF")
    afg.write("VERBose OFF")
    assert [entry.split(",")[0] for entry in drain(afg)] == ["-113", "-113"]
    assert afg.query("*IDN?").startswith("TEKTRONIX")


def test_bus_trigger_clear_and_serial_poll(connect: Open) -> None:
    afg = connect()
    for message in ("OUTP:IMP INF", "TRIG:SOUR EXT;:FUNC PULS;:PULS:PER 1 ms;WIDT 100 us;:VOLT:LOW 0;HIGH 2",
                    "BURS:STAT ON;NCYC 1;:OUTP ON"):  # fmt: skip
        afg.write(message)
    clock = afg.visalib.clock
    clock.sleep(1.0)
    afg.assert_trigger()
    clock.sleep(50e-6)
    assert voltage(afg) == pytest.approx(1.0)  # 2 V open circuit, halved by 50 ohm
    clock.sleep(1e-3)
    assert voltage(afg) == 0.0
    afg.write("*ESE 32;*SRE 32;FOO?")
    assert afg.read_stb() & 64
    afg.clear()
    assert drain(afg) != []
    with pytest.raises(pyvisa.errors.VisaIOError):
        afg.query("NOTHING?")
    assert afg.query("*OPC?") == "1"


def test_two_managers_are_two_worlds_with_the_same_bytes(bench: Callable[..., str]) -> None:
    logs = []
    for _ in range(2):
        manager = pyvisa.ResourceManager(bench())
        afg = manager.open_resource(USB)
        afg.write("FREQ 2E3;:VOLT:HIGH 3")
        logs.append([afg.query(m) for m in ("FREQ?", "VOLT?;:VOLT:OFFS?", "SYST:ERR?", "*STB?")])
        manager.close()
    assert logs[0] == logs[1]
