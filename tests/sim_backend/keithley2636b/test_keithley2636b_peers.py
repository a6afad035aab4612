"""Other people's programs on the simulated 2636B through PyVISA, unmodified (reference keithley2636b sec. 16)."""

from __future__ import annotations

import re
import struct
import warnings

import pytest
import pyvisa

_BENCH = """
bench: 1
name: resistor
visa: "@labctl"
instruments:
  smu: {{driver: keithley2636b, address: "{address}", model: 2636B, serial: "4308079"}}
device: {{id: r1k, kind: resistor, limits: {{voltage: {{pd: 200 V}}}}}}
wiring:
  connections:
    - {{from: smu.a, to: pd}}
    - {{from: common, to: au}}
simulation: {{model: resistor, parameters: {{resistance: 1000.0}}, seed: 1, noise: false}}
"""
_SOCKET = "TCPIP0::10.0.0.2::5025::SOCKET"
_INSTR = "TCPIP0::10.0.0.2::INSTR"
_GPIB = "GPIB0::26::INSTR"


@pytest.fixture
def library(tmp_path):
    """Path of a VISA library with a 2636B on 1 kohm at the address given."""

    def at(address):
        path = tmp_path / "bench.yaml"
        path.write_text(_BENCH.format(address=address), encoding="ascii")
        return f"{path}@labctl"

    return at


@pytest.fixture
def open_visa(library):
    managers = []

    def open_(address, **settings):
        manager = pyvisa.ResourceManager(library(address))
        managers.append(manager)
        return manager.open_resource(address, **settings)

    yield open_
    for manager in managers:
        manager.close()


# -- plain PyVISA ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [_SOCKET, _INSTR, _GPIB, "USB0::0x05E6::0x2636::4308079::INSTR"])
def test_any_interface(open_visa, address):
    smu = open_visa(address, read_termination="\n", write_termination="\n")
    assert smu.query("*IDN?") == "Keithley Instruments Inc., Model 2636B, 4308079, 3.2.2"
    smu.write("smua.source.levelv = 1 smua.source.output = 1")
    assert float(smu.query("print(smua.measure.i())")) == pytest.approx(1e-3, rel=1e-4)


def test_query_that_takes_longer_than_the_timeout_fails_and_the_reply_comes_later(open_visa):
    smu = open_visa(_SOCKET, read_termination="\n", write_termination="\n", timeout=1000)
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.query("delay(1.5) print('late')")
    smu.timeout = 10_000
    assert smu.query("print('next')") == "late"
    assert smu.read() == "next"


def test_script_goes_on_while_the_host_does_something_else(open_visa):
    smu = open_visa(_SOCKET, read_termination="\n", write_termination="\n")
    clock = smu.visalib.clock
    smu.write("for k = 1, 100 do delay(1) x = k end")
    clock.sleep(10.5)
    smu.write("abort")
    assert float(smu.query("print(x)")) == 10


def test_serial_poll_and_service_request(open_visa):
    smu = open_visa(_GPIB, read_termination="\n", write_termination="\n")
    smu.write("*SRE 16")
    assert smu.read_stb() == 0
    smu.write("print(1)")
    smu.visalib.clock.sleep(0.01)
    assert smu.read_stb() & (16 + 64) == 16 + 64
    smu.clear()
    assert smu.read_stb() & 16 == 0
    smu.write("print(trigger.wait(10))")
    smu.assert_trigger()
    assert smu.read() == "true"


def test_binary_block_with_line_feeds_inside(open_visa):
    smu = open_visa(_SOCKET, read_termination="\n", write_termination="\n")
    value = struct.unpack("<f", b"\n\n\n\n")[0]
    smu.write(f"format.data = format.REAL32 printnumber({value!r}, 1)")
    assert smu.read_bytes(4 * 2 + 3) == b"#0" + struct.pack("<2f", value, 1) + b"\n"


def test_same_seed_same_bytes(library):
    def transcript():
        manager = pyvisa.ResourceManager(library(_SOCKET))
        smu = manager.open_resource(_SOCKET, read_termination="\n", write_termination="\n")
        smu.write("smua.source.output = 1")
        lines = ("print(smua, print)", "print(smua.measure.i())", "print(math.random())", "print(next(smua))")
        replies = [smu.query(line) for line in lines]
        manager.close()
        return replies

    assert transcript() == transcript()


# -- PyMeasure -------------------------------------------------------------------------------------------------------


@pytest.fixture
def pymeasure_smu(library):
    from pymeasure.instruments.keithley import Keithley2600

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        instrument = Keithley2600(_INSTR, visa_library=library(_INSTR))
        yield instrument
        instrument.adapter.close()


def test_pymeasure_applies_and_measures(pymeasure_smu):
    channel = pymeasure_smu.ChA
    assert pymeasure_smu.id == "Keithley Instruments Inc., Model 2636B, 4308079, 3.2.2"
    channel.apply_voltage(2, 0.01)
    channel.source_voltage = 1.5
    channel.source_output = "ON"
    channel.measure_current(1, 1e-2, False)
    assert channel.source_mode == "voltage"
    assert channel.source_output == "ON"
    assert channel.current == pytest.approx(1.5e-3, rel=1e-4)
    assert channel.voltage == pytest.approx(1.5, rel=1e-4)
    assert channel.resistance == pytest.approx(1e3, rel=1e-3)
    channel.wires_mode = "4"
    channel.compliance_current = 1e-3
    assert channel.current == pytest.approx(1e-3, rel=1e-4)
    channel.apply_current(1e-3, 10)
    channel.source_current = 5e-4
    assert channel.voltage == pytest.approx(0.5, rel=1e-3)
    channel.shutdown()
    assert channel.source_output == "OFF"
    assert pymeasure_smu.next_error[0] == 0


def test_pymeasure_sees_the_error_queue(pymeasure_smu):
    pymeasure_smu.write("smua.measure.nplc = 100")
    assert pymeasure_smu.next_error == (-222, "Parameter data out of range")
    assert pymeasure_smu.next_error[0] == 0


def test_pymeasure_six_decimals_lose_small_currents(pymeasure_smu):
    """The bug that the reference tells of: %f makes 1e-9 a limit of 0, which the instrument refuses."""
    pymeasure_smu.ChA.compliance_current = 1e-9
    assert pymeasure_smu.next_error[0] == 1102
    assert pymeasure_smu.ChA.compliance_current == pytest.approx(0.1)


# -- QCoDeS ----------------------------------------------------------------------------------------------------------


class _Sweep:
    """What QCoDeS' LinSweep offers, without importing its dataset machinery."""

    def __init__(self, param, start, stop, points, delay=0.0):
        self.param, self.delay, self.num_points = param, delay, points
        self._points = [start + (stop - start) * k / (points - 1) for k in range(points)]

    def get_setpoints(self):
        return self._points


@pytest.fixture
def qcodes_smu(library):
    pytest.importorskip("qcodes")
    from qcodes.instrument_drivers.Keithley import Keithley2636B

    instrument = Keithley2636B("keithley", _INSTR, visalib=library(_INSTR))
    yield instrument
    instrument.close()


def test_qcodes_gets_and_sets(qcodes_smu):
    assert qcodes_smu.get_idn()["serial"] == "4308079"
    channel = qcodes_smu.smua
    channel.reset()
    channel.mode("voltage")
    channel.volt(0.5)
    channel.output("on")
    assert channel.curr() == pytest.approx(5e-4, rel=1e-4)
    assert channel.volt() == pytest.approx(0.5, rel=1e-4)
    assert channel.res() == pytest.approx(1e3, rel=1e-3)
    assert channel.output()
    channel.limiti(1e-4)
    assert channel.curr() == pytest.approx(1e-4, rel=1e-3)
    assert "current" in str(channel.curr.measurement_status).lower()
    channel.nplc(0.1)
    assert (channel.nplc(), channel.linefreq()) == (0.1, 50)
    qcodes_smu.display_settext("hello")
    qcodes_smu.display_clear()
    qcodes_smu.display_normal()
    qcodes_smu.exit_key()


def test_qcodes_fast_sweeps_and_time_trace(qcodes_smu):
    channel = qcodes_smu.smua
    channel.reset()
    channel.nplc(0.1)
    channel.setup_fastsweep(_Sweep(channel.volt, 0, 1, 11, 0.001), mode="IV")
    assert list(channel.fastsweep()) == pytest.approx([k * 1e-4 for k in range(11)], abs=3e-7)
    channel.setup_fastsweep(_Sweep(channel.volt, 0, 1, 3), _Sweep(qcodes_smu.smub.volt, 0, 1, 2), mode="IV")
    assert channel.fastsweep().shape == (2, 3)
    channel.setup_fastsweep(_Sweep(channel.curr, 1e-4, 1e-3, 4), mode="VI")
    assert list(channel.fastsweep()) == pytest.approx([0.1, 0.4, 0.7, 1.0], rel=1e-3)
    channel.timetrace_npts(20)
    channel.timetrace_dt(0.01)
    channel.timetrace_mode("voltage")
    assert list(channel.timetrace()) == pytest.approx([1.0] * 20, rel=1e-3)
    assert qcodes_smu.ask("format.data") == "2.00000e+00"  # stays binary; print does not
    assert qcodes_smu.ask("errorqueue.next()").startswith("0.00000e+00\tQueue Is Empty")


# -- keithley2600: the walk through every table ----------------------------------------------------------------------


def _walk(smu, name, depth):
    """What OE-FET keithley2600 2.1 asks on first access of a table; returns its members by kind."""
    found = {}

    def pairs(table):
        key = "nil"
        while True:
            reply = smu.query(f"print(next({table}, {key}))")
            if reply == "nil":
                return
            key, value = reply.split("\t")
            key = str(int(float(key))) if re.fullmatch(r"[\d.]+e[+-]\d+", key) else repr(key)
            yield key, value

    found.update(pairs(name))
    smu.write(f"mt = getmetatable({name})")
    if smu.query("print(mt)") != "nil":
        if smu.query("print(mt.Getters)") != "nil":
            for key, value in pairs("mt.Getters"):
                assert value.startswith("function: ")
                settable = smu.query(f"print(mt.Setters[{key}])")
                found[key] = "property" if settable != "nil" else "constant"
        if smu.query("print(mt.Objects)") != "nil":
            found.update(pairs("mt.Objects"))
        assert smu.query("print(mt.luatype)") != ""
    if depth:
        for key, value in list(found.items()):
            if value.startswith("table: ") and key not in ("'_G'", "'mt'"):
                inner = f"{name}[{key}]"
                found[key] = _walk(smu, inner, depth - 1)
    return found


def test_walk_of_the_whole_instrument(open_visa):
    smu = open_visa(_SOCKET, read_termination="\n", write_termination="\r\n")
    tree = _walk(smu, "_G", 1)
    for name in [
        "beeper",
        "bit",
        "dataqueue",
        "delay",
        "digio",
        "display",
        "errorqueue",
        "eventlog",
        "exit",
        "format",
        "fs",
        "gettimezone",
        "gpib",
        "lan",
        "localnode",
        "makegetter",
        "makesetter",
        "meminfo",
        "node",
        "opc",
        "printbuffer",
        "printnumber",
        "reset",
        "script",
        "serial",
        "settime",
        "settimezone",
        "setup",
        "smua",
        "smub",
        "status",
        "timer",
        "trigger",
        "tsplink",
        "tspnet",
        "userstring",
        "waitcomplete",
    ]:
        assert repr(name) in tree, name
    assert tree["'smua'"]["'nvbuffer1'"].startswith("table: ")
    assert tree["'smua'"]["'reset'"].startswith("function: ")
    assert tree["'smua'"]["'OUTPUT_ON'"] == "1.00000e+00"
    assert tree["'smua'"]["'sense'"] == "property"
    assert tree["'localnode'"]["'model'"] == "constant"
    source = _walk(smu, "_G.smua.source", 0)
    assert source["'levelv'"] == "property"
    assert source["'compliance'"] == "constant"
    assert set(_walk(smu, "_G.trigger.timer", 0)) == {str(k) for k in range(1, 9)}
    assert _walk(smu, "_G.trigger.blender[1].stimulus", 0) == {str(k): "0.00000e+00" for k in range(1, 5)}
    smu.write("mt = getmetatable(_G.smua.nvbuffer1)")
    assert smu.query("print(mt.luatype)") == "reading_buffer"
    smu.write("mt = getmetatable(_G.smua.nvbuffer1.readings)")
    assert smu.query("print(mt.luatype)") == "synchronous_table"
    assert smu.query("print(errorqueue.count)") == "0.00000e+00"


def test_sweep_of_keithley2600(open_visa):
    smu = open_visa(_SOCKET, read_termination="\n", write_termination="\r\n")
    smu.write("python_driver_list = {}")
    for k in range(60):
        assert smu.query(f"print(_G.table.insert(_G.python_driver_list, {k / 100}))") == ""
    assert smu.query("print(_G.smua.trigger.source.listv(_G.python_driver_list))") == ""
    for line in (
        "_G.smua.trigger.source.action = 1.00000e+00",
        "_G.smua.measure.nplc = 0.5",
        "_G.smua.measure.delay = -1",
        "_G.smua.measure.autorangei = 1",
        "_G.smua.source.func = 1",
        "_G.display.smua.measure.func = 0",
        "_G.smua.trigger.count = 60",
        "_G.smua.trigger.measure.action = 1",
        "_G.smua.trigger.measure.stimulus = 46",
        "_G.smua.trigger.endpulse.action = 1",
        "_G.smua.trigger.endsweep.action = 1",
        "_G.smua.trigger.arm.stimulus = 29",
        "_G.trigger.blender[1].orenable = true",
        "_G.trigger.blender[1].stimulus[1] = 48",
        "_G.trigger.blender[1].stimulus[2] = 47",
        "_G.smua.trigger.source.stimulus = 57",
        "_G.trigger.blender[2].orenable = true",
        "_G.trigger.blender[2].stimulus[1] = 45",
        "_G.smua.trigger.endpulse.stimulus = 58",
        "_G.smua.source.output = 1.00000e+00",
    ):
        smu.write(line)
    for call in ("smua.nvbuffer1.clear()", "smua.nvbuffer1.clearcache()", "smua.trigger.measure.iv(_G.smua.nvbuffer1, "
                 "_G.smua.nvbuffer2)", "smua.trigger.initiate()"):  # fmt: skip
        assert smu.query(f"print(_G.{call})") == ""
    smu.write("*trg")
    polls = 0
    while float(smu.query("print(_G.status.operation.sweeping.condition)")) == 0:
        polls += 1
    while float(smu.query("print(_G.status.operation.sweeping.condition)")) > 0:
        polls += 1
    assert polls > 100
    assert smu.query("print(_G.smua.nvbuffer1.n)") == "6.00000e+01"
    readings = [float(smu.query(f"print(_G.smua.nvbuffer2.readings.getreading({k}))")) for k in (1, 30, 60)]
    assert readings == pytest.approx([0, 0.29, 0.59], abs=1e-5)
    assert smu.query("print(errorqueue.next())").startswith("0.00000e+00")


# -- tm_devices, qkit, terminal programs: their lines ----------------------------------------------------------------


def test_lines_of_tm_devices(open_visa):
    smu = open_visa(_SOCKET, read_termination="\n", write_termination="\n")
    identities = {smu.query("*IDN?") for _ in range(3)}
    assert len(identities) == 1
    assert identities.pop().count(",") == 3
    empty = (
        "if smua.nvbuffer1.n == 0 then print('smua.nvbuffer1 was found to be empty') "
        "else printbuffer(1, smua.nvbuffer1.n, smua.nvbuffer1) end"
    )
    assert smu.query(empty) == "smua.nvbuffer1 was found to be empty"
    assert len(smu.query("print(smua.measure.iv(smua.nvbuffer1, smua.nvbuffer2))").split("\t")) == 2
    assert float(smu.query(empty)) == pytest.approx(0, abs=1e-12)
    for line in (
        "if foo ~= nil then script.delete('foo') end",
        "loadscript foo",
        "bar = 5",
        "print(bar)",
        "endscript",
        "foo()",
    ):
        smu.write(line)
    assert float(smu.read()) == 5
    smu.write("foo.save()")
    smu.write("if foo ~= nil then script.delete('foo') end")
    assert int(float(smu.query("print(status.standard.event)"))) == 128
    assert float(smu.query("print(errorqueue.count)")) == 0
    assert smu.query("waitcomplete() print([[1]])") == "1"
    for line in ("errorqueue.clear()", "status.reset()", "reset()", "collectgarbage()"):
        smu.write(line)
    smu.write("smua.source.levelv = 1")
    assert float(smu.query("print(smua.source.levelv)")) == 1
    assert smu.query("print(errorqueue.next())").split("\t")[:2] == ["0.00000e+00", "Queue Is Empty"]


def test_lines_of_qkit_and_of_the_vendors_terminal(open_visa):
    smu = open_visa(_SOCKET, read_termination="\n", write_termination="\n")
    for line in ("smua.source.rangev = 2", "smua.source.levelv = 1", "smua.source.output = 1"):
        smu.write(line)
        assert smu.query("*OPC?") == "1"
        assert float(smu.query("print(errorqueue.count)")) == 0
    assert smu.query("print('unlocked')") == "unlocked"
    smu.write("_orig_prompts = localnode.prompts localnode.prompts = 0")
    smu.write("localnode.prompts = _orig_prompts _orig_prompts = nil")
    smu.write("password")
    smu.write("*RST")
    smu.write("abort")
    assert float(smu.query("print(smua.source.output)")) == 0


def test_lines_of_sweepme(open_visa):
    smu = open_visa(_SOCKET, read_termination="\n", write_termination="\n", timeout=10_000)
    for line in (
        "smua.source.rangev = 10", "smua.measure.rangei = 0.1", "smua.measure.nplc = 0.01",
        "smua.measure.autozero = smua.AUTOZERO_ONCE", "smua.nvbuffer1.clear()", "smua.nvbuffer1.appendmode = 1",
        "smua.source.output = smua.OUTPUT_ON",
    ):  # fmt: skip
        smu.write(line)
    call = "print(ConfigPulseVMeasureI(smua,0.0,5, 0.1, 0.002, 0.02, 5, smua.nvbuffer1, 1))"
    assert smu.query(call) == "true\tPulse 1 configured."
    assert smu.query("print(InitiatePulseTest(1))").startswith("true")
    assert [float(v) for v in smu.query("printbuffer(1, 5, smua.nvbuffer1.readings)").split(",")] == pytest.approx(
        [5e-3] * 5, rel=1e-3
    )
