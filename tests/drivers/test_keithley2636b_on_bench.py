"""2636B driver on the simulated instrument, at the values of what its documentation leaves open."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pyvisa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import InstrumentError, SettingError

Build = Callable[..., Any]
OHMS = 4e5
WINDOW = np.linspace(-0.1, 0.1, 21)

UNDOCUMENTED = [
    {},
    {"firmware": "3.2.1"},
    {"line_limit": 1000},
    {"error_queue_size": 2},
    {"error_node": 0},
    {"reply_time": 0.0},
    {"reply_time": 5e-3},
    {"loop_time": 0.0},
    {"digio_power_on": 1},
    {"reset_clears_buffers": True},
    {"relay_time": 1e-3},
    {"limit_delay": 0.0},
    {"off_resistance": 50.0},
    {"wide_range": False},
    {"capacitance": 0.0},
    {"range_glitch": 0.0},
    {"autozero_age": 0.05},
    {"interlock": False},
]


def build(driver_bench: Build, **options: Any) -> Any:
    return driver_bench("keithley2636b", **{"resistance": OHMS, **options})


def ohms(data: Any) -> float:
    """Slope of voltage over current."""
    return float(np.polyfit(data.amps, data.volts, 1)[0])


@pytest.mark.parametrize("options", UNDOCUMENTED, ids=str)
@pytest.mark.parametrize("range_", [None, 1e-6])
def test_resistance_by_a_sweep(driver_bench: Build, options: dict[str, Any], range_: float | None) -> None:
    bench = build(driver_bench, options=options)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, range_=range_)
    for after in ("zero", "off", "hold"):
        data = channel.sweep(WINDOW, after=after)
        assert math.isclose(ohms(data), OHMS, rel_tol=2e-3)
        assert data.complete
        assert not data.status.any()
        assert np.allclose(data.set, WINDOW, atol=1e-12)
        assert math.isclose(bench.volts, 0.1 if after == "hold" else 0.0, abs_tol=1e-4)
    assert (np.diff(data.time) > 0.02).all()
    assert data.range_ == 1e-6
    bench.driver.safe()
    assert bench.driver.check_errors() == []


@pytest.mark.parametrize(
    "address",
    [
        "TCPIP0::192.168.1.26::5025::SOCKET",
        "TCPIP0::192.168.1.26::INSTR",
        "GPIB0::26::INSTR",
        "USB0::0x05E6::0x2636::4308079::INSTR",
    ],
)
def test_every_link_carries_binary_answers(driver_bench: Build, address: str) -> None:
    bench = build(driver_bench, address=address)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-3, nplc=0.01, delay=0)
    data = channel.sweep(start=-1, stop=1, points=301)
    assert np.allclose(data.set, np.linspace(-1, 1, 301), atol=1e-12)
    assert math.isclose(ohms(data), OHMS, rel_tol=1e-2)


@pytest.mark.parametrize(
    "address", ["TCPIP0::192.168.1.26::5025::SOCKET", "TCPIP0::192.168.1.26::INSTR", "GPIB0::26::INSTR"]
)
def test_replies_left_by_another_program_do_not_shift_ours(driver_bench: Build, address: str) -> None:
    bench = build(driver_bench, address=address)
    for line in ("print(1)", "print(2) print(3)", "nonsense(", "localnode.prompts=1", "delay(0.2) print(4)"):
        bench.driver.write(line)
    again = type(bench.driver)(bench.driver.adapter, name="again", clock=bench.clock)
    assert again.identity["serial"] == "4308079"
    assert again.numbers([], ["5"]) == [5]
    assert again.check_errors() == []


def test_compliance_is_flagged_and_the_measured_voltage_stays_right(driver_bench: Build) -> None:
    """F9: limit 0.1 uA; resistance from programmed voltage would be wrong."""
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1.1e-7, range_=1e-6)
    data = channel.sweep(WINDOW)
    assert data.compliance.tolist() == (abs(WINDOW) / OHMS > 1.1e-7).tolist()
    assert math.isclose(ohms(data), OHMS, rel_tol=5e-3)
    assert channel.source(0.1).limit == 1.1e-7
    assert channel.measure().compliance


def test_overflow_is_flagged(driver_bench: Build) -> None:
    """F10: 2.5 uA on the 1 uA range."""
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-4, range_=1e-6)
    data = channel.sweep([0.1, 1.0])
    assert data.overflow.tolist() == [False, True]
    assert data.amps[1] >= 9.9e37


def test_ends_of_a_sweep(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-3, nplc=0.01, delay=0)
    up_and_down = channel.sweep(start=0, stop=0.2, points=5, both=True, after="hold")
    assert np.allclose(up_and_down.set, [0, 0.05, 0.1, 0.15, 0.2, 0.15, 0.1, 0.05, 0])
    channel.sweep([0.1, 0.3], after="hold")
    assert math.isclose(bench.volts, 0.3, abs_tol=1e-3)
    channel.sweep([0.05])  # from a level above the sweep's range
    assert math.isclose(bench.volts, 0, abs_tol=1e-3)
    assert channel.is_on
    channel.sweep([0.05], after="off")
    assert channel.is_on is False
    assert channel.relay_operations == 2
    assert bench.driver.numbers([], ["smua.source.output"]) == [0]
    assert bench.driver.numbers([], ["smua.source.autorangev"]) == [1]


def test_long_lists_arrive_whole_within_short_lines(driver_bench: Build) -> None:
    bench = build(driver_bench, options={"line_limit": 1000})
    channel = bench.driver.channel("a")
    channel.configure_read(1e-3, nplc=0.01, delay=0)
    levels = np.sin(np.linspace(0, 7, 333)) / 3
    assert np.allclose(channel.sweep(levels).set, levels, atol=1e-11)


def test_sweep_ends_at_the_current_that_must_not_be_passed(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-3, nplc=0.1)
    data = channel.sweep(start=0, stop=1, points=101, abort_above=1e-6)
    assert not data.complete
    assert math.isclose(data.set[-1], 0.41, abs_tol=1e-9)
    assert math.isclose(bench.volts, 0, abs_tol=1e-4)


def test_a_bias_is_held_for_its_time_by_the_instrument(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-3, range_=1e-6, nplc=0.1)
    before = bench.clock.now
    data = channel.sweep([0.1] * 100, dwell=0.5)
    assert 50 < bench.clock.now - before < 53
    assert np.allclose(data.amps, 0.1 / OHMS, rtol=2e-3)


def test_settings_left_by_another_program_do_not_change_readings(driver_bench: Build) -> None:
    bench = build(driver_bench)
    raw = "smua.measure.count=7 smua.measure.rel.leveli=1e-7 smua.measure.rel.enablei=1 smua.source.delay=0.3"
    bench.driver.exchange([raw])
    bench.driver.exchange(["smua.measure.count=1 smua.measure.filter.count=9 smua.measure.filter.enable=1"])
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, range_=1e-6)
    before = bench.clock.now
    data = channel.sweep(WINDOW)
    assert math.isclose(ohms(data), OHMS, rel_tol=2e-3)
    assert len(data.set) == 21
    assert bench.clock.now - before < 1


def test_ranges_lifted_by_another_program_come_down_again(driver_bench: Build) -> None:
    """High capacitance lifts ranges to 1 uA and locks autorange; lowrangei stays lifted when it is switched off."""
    bench = build(driver_bench, resistance=1e8)
    bench.driver.exchange(["smua.source.highc=1"])
    bench.driver.exchange(["smua.measure.lowrangei=1e-3"])
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5)
    assert math.isclose(ohms(channel.sweep(WINDOW)), 1e8, rel_tol=2e-3)


def test_autorange_ends_at_the_least_range(driver_bench: Build) -> None:
    """Around zero the lowest ranges cost a second per point; the resistance is as good without them."""
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    times, found = [], []
    for least in (None, 1e-7, 2e-8):
        channel.configure_read(1e-5, least=least)
        before = bench.clock.now
        data = channel.sweep(WINDOW)
        times.append(bench.clock.now - before)
        found.append(data.ranges.min())
        assert math.isclose(ohms(data), OHMS, rel_tol=2e-3)
    assert found == [1e-10, 1e-7, 1e-7], "the range that holds it"
    assert times[0] > 2.0
    assert max(times[1:]) < 0.7


def test_current_source(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(2.0, function="current", nplc=1)
    data = channel.sweep([1e-7, 2e-7, 4e-7])
    assert np.allclose(data.volts, np.array([1e-7, 2e-7, 4e-7]) * OHMS, rtol=5e-3)
    assert np.allclose(data.set, [1e-7, 2e-7, 4e-7], rtol=1e-6)


def test_samples_at_a_level(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-3, range_=1e-6, nplc=0.1, delay=0)
    channel.source(0.1)
    channel.output(True)
    data = channel.sample(20, 0.01)
    assert np.allclose(data.amps[1:], 2.5e-7, rtol=2e-3)
    assert np.allclose(np.diff(data.time), 0.01, atol=1e-4)
    channel.start_sample(20, 0.1)
    bench.clock.sleep(1)
    data = channel.fetch_sample()
    assert np.allclose(np.diff(data.time), 0.1, atol=1e-3)
    assert channel.sweep([0.1]).complete  # count and interval are as before


def test_source_measure_and_outputs(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, range_=1e-6)
    assert channel.source(0.1).level == 0.1
    assert math.isclose(bench.volts, 0, abs_tol=1e-9)
    channel.output(True)
    assert math.isclose(bench.volts, 0.1, abs_tol=1e-4)
    reading = channel.measure()
    assert math.isclose(reading.volts / reading.amps, OHMS, rel_tol=5e-3)
    assert not reading.compliance
    channel.high_impedance()
    assert bench.driver.numbers([], ["smua.source.output", "smua.source.levelv", "smua.source.offmode"]) == [0, 0, 2]
    channel.configure_read(1e-5, range_=1e-6, offmode="normal")
    assert bench.driver.numbers([], ["smua.source.offmode"]) == [0]


def test_interlock_blocks_the_high_range_and_is_reported(driver_bench: Build) -> None:
    bench = build(driver_bench, options={"interlock": False})
    channel = bench.driver.channel("a")
    channel.configure_read(1e-3)
    channel.source(50)
    with pytest.raises(InstrumentError, match="802"):
        channel.output(True)
    assert math.isclose(bench.volts, 0, abs_tol=1e-9)


@pytest.mark.parametrize("code", [-222, -224])
def test_errors_come_with_code_text_severity_and_line(driver_bench: Build, code: int) -> None:
    bench = build(driver_bench, options={"range_error": code})
    with pytest.raises(InstrumentError) as caught:
        bench.driver.exchange(["smua.measure.nplc=100"])
    assert (caught.value.code, caught.value.severity) == (code, 20)
    assert caught.value.command.startswith("smua.measure.nplc=100")
    with pytest.raises(InstrumentError, match=r"-286, .*read only"):
        bench.driver.exchange(["smua.source.levelx=1"])
    with pytest.raises(InstrumentError, match="-285"):
        bench.driver.exchange(["x = = 1"])
    assert bench.driver.numbers([], ["1"]) == [1]


def test_script_that_fails_midway_leaves_level_0_and_says_why(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-3)
    channel.sweep([0.1])
    bench.driver.exchange(["math.abs=nil"])
    with pytest.raises(InstrumentError, match=r"-286, .*abs"):
        channel.sweep([0.1, 0.2], after="hold")
    assert math.isclose(bench.volts, 0, abs_tol=1e-4)
    assert bench.driver.check_errors() == []


def test_script_is_sent_once_and_found_again_by_the_next_session(driver_bench: Build) -> None:
    bench = build(driver_bench)
    bench.driver.load_script("sweep")
    sent: list[str] = []
    again = type(bench.driver)(bench.driver.adapter, name="again", clock=bench.clock)
    write = again.adapter.write
    again.adapter.write = lambda command, **kw: (sent.append(command), write(command, **kw))[1]
    channel = again.channel("a")
    channel.configure_read(1e-5, range_=1e-6)
    channel.sweep(WINDOW)
    channel.sweep(WINDOW)
    assert not any("loadandrunscript" in line for line in sent)
    assert sum("~= nil" in line for line in sent) == 1
    assert len(sent) == 4  # setup, question for the script, two sweeps


def test_script_of_another_version_is_not_run(driver_bench: Build) -> None:
    bench = build(driver_bench)
    name = bench.driver.load_script("sweep")
    bench.driver.exchange([f"{name[:-1]}x={name}", f"{name}=nil"])
    bench.driver._scripts.clear()
    assert bench.driver.load_script("sweep") == name
    assert bench.driver.exchange([], [f"{name} ~= nil"]) == ["true"]


def test_instrument_switched_off_and_on_gets_its_script_again(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, range_=1e-6)
    name = bench.driver.load_script("sweep")
    bench.driver.exchange([f"{name}=nil"])  # what a power cycle does to it
    with pytest.raises(InstrumentError, match="-286"):
        channel.sweep(WINDOW)
    channel.configure_read(1e-5, range_=1e-6)
    assert channel.sweep(WINDOW).complete


def test_formats_are_left_to_other_programs_as_ascii(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, range_=1e-6)
    channel.sweep([0.1, 0.2])
    bench.driver.write("printbuffer(1, 2, smua.nvbuffer1.sourcevalues)")
    assert [float(v) for v in bench.driver.read().split(",")] == [0.1, 0.2]


def test_long_sweeps_do_not_run_into_the_links_timeout(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-6, range_=1e-9, nplc=25)  # 0.45 s of settling and 0.5 s of integration a point
    assert len(channel.sweep(np.zeros(60)).set) == 60
    channel.configure_read(1e-6, nplc=25, autozero="auto")
    assert len(channel.sweep([0.1, 0.0, 1e-5, 0.1, 1e-6]).set) == 5
    assert bench.driver.adapter.connection.timeout == 5000


def test_reset_restores_what_the_driver_needs(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, range_=1e-6)
    channel.sweep([0.1])
    bench.driver.reset()
    assert bench.driver.exchange([], ["format.asciiprecision"]) == ["1.600000000000000e+01"]
    with pytest.raises(SettingError, match="configure_read"):
        channel.sweep([0.1])
    channel.configure_read(1e-5, range_=1e-6)
    assert channel.sweep([0.1]).complete


@pytest.mark.parametrize("power_on", [0, 1])
def test_digital_lines_reach_the_bench(driver_bench: Build, power_on: int) -> None:
    bench = build(driver_bench, options={"digio_power_on": power_on})
    lines = bench.library.bench.lines
    seen: list[bool] = []
    lines.listen("dut.digio.2", seen.append)
    bench.driver.line(1, 1)
    assert lines.level("dut.digio.1") == 1
    assert bench.driver.read_line(1) == 1
    bench.driver.line(1, 0)
    assert lines.level("dut.digio.1") == 0
    bench.driver.pulse_line(2)
    bench.clock.sleep(1e-3)
    rises = sum(1 for level in seen if level)
    assert rises >= 1
    bench.driver.pulse_line(2)
    bench.clock.sleep(1e-3)
    assert sum(1 for level in seen if level) == rises + 1


def test_safe_in_the_middle_of_everything(driver_bench: Build) -> None:
    bench = build(driver_bench)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-3, offmode="normal")
    channel.source(0.2)
    channel.output(True)
    channel.start_sample(100, 0.5)
    bench.driver.write("print(smub.measure.v())")  # interrupted: nobody reads this reply
    bench.driver.write("delay(1000)")
    bench.driver.safe()
    bench.driver.safe()
    assert bench.driver.numbers([], ["smua.source.output", "smub.source.output", "smua.source.levelv"]) == [0, 0, 0]
    assert bench.volts == pytest.approx(0, abs=1e-9)
    assert channel.is_on is False


def test_safe_does_not_hide_errors(driver_bench: Build) -> None:
    bench = build(driver_bench)
    bench.driver.write("smua.measure.nplc=100")
    bench.driver.safe()
    with pytest.raises(InstrumentError, match="-222"):
        bench.driver.check_errors()


def test_settings_are_numbers(driver_bench: Build) -> None:
    bench = build(driver_bench)
    snapshot = bench.driver.settings()
    assert snapshot["a.source.limiti"] == 0.1
    assert snapshot["b.source.output"] == 0
    assert snapshot["line_frequency"] == 50


def test_line_frequency_can_be_set(driver_bench: Build) -> None:
    assert build(driver_bench, line_frequency=60).driver.line_frequency == 60


def test_lost_instrument_is_a_visa_error(driver_bench: Build) -> None:
    bench = build(driver_bench)
    bench.driver.channel("a").configure_read(1e-3)
    bench.driver.adapter.connection.close()
    with pytest.raises(pyvisa.Error):
        bench.driver.channel("a").sweep([0.1])
    with pytest.raises(pyvisa.Error, match=r"channel a at high impedance.*channel b at high impedance"):
        bench.driver.safe()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.floats(1e3, 1e9), st.sampled_from([0.1, 1.0]), st.booleans())
def test_any_resistance_is_read_by_autorange(driver_bench: Build, resistance: float, nplc: float, both: bool) -> None:
    bench = build(driver_bench, resistance=resistance)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-3, nplc=nplc)
    data = channel.sweep(start=-0.1, stop=0.1, points=5, both=both)
    assert math.isclose(ohms(data), resistance, rel_tol=0.02)
    assert not data.overflow.any()
