"""AFG31000 driver on the simulated instrument, at every value of what the documentation leaves open."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import pyvisa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import InstrumentError, ReadBackError, SettingError
from sim_backend.afg31000.options import AfgOptions

Build = Callable[..., Any]
#: the divider of 50 ohm and the 1 Mohm on the bench
LOADED = 1e6 / (1e6 + 50)
#: what the idle level may be off its base while the polarity changes, V
COLLAPSED = 5e-3


def undocumented() -> list[Any]:
    """Each option of the simulated instrument at each value it may have (numbers: another one than the default)."""
    numbers = {
        "amplitude_resolution": [0.0, 1e-3],
        "minimum_edge": [2.5e-9, 8e-9],
        "edge_span": [1.0],
        "external_latency": [1e-6],
        "command_time": [2e-3],
        "output_on_time": [0.5],
        "reset_time": [1.0],
        "burst_frequency_factor": [1.0],
    }
    cases = []
    for name, kind in get_type_hints(AfgOptions).items():
        values: Any = numbers.get(name, ())
        if get_origin(kind) is Literal:
            values = get_args(kind)
        elif kind is bool:
            values = (False, True)
        cases += [pytest.param({name: value}, id=f"{name}={value}") for value in values]
    return cases


@pytest.mark.parametrize("options", undocumented())
def test_pulses_arrive_and_idle_at_their_base(driver_bench: Build, options: dict[str, Any]) -> None:
    bench = driver_bench("afg31000", options=options)
    afg, channel = bench.driver, bench.driver.channel("1")
    channel.limit(-5, 5)
    channel.prepare_pulse(4.2, period=1e-3)
    channel.output(True)
    assert abs(bench.extreme()) < 1e-9
    for level, base, width in [(4.2, 0, 1e-4), (-3.0, 0, 1e-4), (4.25, 0, 2e-4), (1.0, 0.5, 1e-4), (-1.0, 0.5, 1e-4)]:
        bench.extreme()
        done = channel.prepare_pulse(level, base, width, period=1e-3)
        assert abs(bench.extreme()) <= max(abs(done.base), 0.5) + COLLAPSED
        assert math.isclose(bench.volts, base * LOADED, abs_tol=1e-9)
        afg.trigger()
        bench.clock.sleep(channel.burst_duration)
        assert math.isclose(bench.extreme(), level * LOADED, abs_tol=1e-3)
        assert math.isclose(bench.volts, base * LOADED, abs_tol=1e-9)
    afg.safe()
    assert channel.is_on is False
    assert bench.volts == 0
    assert afg.check_errors() == []


@pytest.mark.parametrize("options", undocumented())
def test_waveforms_arrive(driver_bench: Build, options: dict[str, Any]) -> None:
    bench = driver_bench("afg31000", options=options)
    afg, channel = bench.driver, bench.driver.channel("1")
    channel.limit(-5, 5)
    times = [0, 1e-4, 1e-4, 2e-4, 2e-4, 5e-4, 5e-4, 6e-4, 6e-4, 1e-3]
    done = channel.prepare_waveform(times, [0, 0, 4, 4, 0, 0, -3, -3, 0, 0], 1e-3, count=2)
    assert done.time_error == 0
    channel.output(True)
    bench.extreme()
    afg.trigger()
    # the middles of set, gap, reset and rest
    for wait, volts in [(1.5e-4, 4), (2e-4, done.base), (2e-4, -3), (2.5e-4, done.base), (3.5e-4, 4), (4e-4, -3)]:
        bench.clock.sleep(wait)
        assert math.isclose(bench.volts, volts * LOADED, abs_tol=1e-3)
    bench.clock.sleep(1.0)
    assert math.isclose(bench.volts, done.base * LOADED, abs_tol=1e-4)
    assert abs(done.base) < 1e-3


@pytest.mark.parametrize("toggle", [False, True])
def test_external_trigger_starts_the_burst(driver_bench: Build, toggle: bool) -> None:
    bench = driver_bench("afg31000", options={"external_needs_toggle": toggle})
    channel = bench.driver.channel("1")
    channel.prepare_pulse(2.0, period=1e-3, count=3)
    channel.output(True)
    bench.extreme()
    bench.library.bench.lines.pulse("dut.trigger")
    bench.clock.sleep(1e-4 / 2)
    assert math.isclose(bench.volts, 2.0 * LOADED, abs_tol=1e-6)
    bench.clock.sleep(1e-3)
    assert math.isclose(bench.volts, 2.0 * LOADED, abs_tol=1e-6)
    bench.clock.sleep(2e-3)
    assert abs(bench.volts) < 1e-9
    assert bench.driver.trigger_slope == "positive"


def test_waveforms_that_follow_each_other_isolated_are_those_prepared_anew(driver_bench: Build) -> None:
    times = [0, 1e-4, 1e-4, 2e-4, 2e-4, 9e-4, 9e-4, 1e-3]
    bench = driver_bench("afg31000", model="AFG31052")
    channel = bench.driver.channel("1")
    for level in (4.0, 4.5, 3.0, 4.5):
        volts = [0, 0, level, level, 0, 0, -4.2, -4.2]
        before = bench.clock.now
        channel.prepare_waveform([*times, 1e-3], [*volts, 0], 1.2e-3, isolated=True)
        taken = bench.clock.now - before
        channel.output(True)
        bench.extreme()
        bench.driver.trigger()
        bench.clock.sleep(5e-4)
        assert bench.extreme() == pytest.approx(level, abs=2e-3)
        bench.clock.sleep(channel.burst_duration)
        assert bench.extreme() == pytest.approx(-4.2, abs=2e-3)
    assert taken == pytest.approx(0.2)


def test_the_wrong_load_doubles_the_voltage_and_the_driver_sees_it(driver_bench: Build) -> None:
    """F1: another program sets the load to 50 ohm after the driver had set it."""
    bench = driver_bench("afg31000")
    channel = bench.driver.channel("1")
    channel.prepare_pulse(4.2, period=1e-3)
    raw = bench.raw()
    raw.write("OUTP1:IMP 50")
    with pytest.raises(ReadBackError, match="load"):
        channel.prepare_pulse(4.2, period=1e-3)
    channel.prepare_pulse(4.2, period=1e-3)  # configured anew
    assert channel.programmed.reported_high == 4.2


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("SOUR1:VOLT:HIGH 1", "high level"),
        ("SOUR1:FUNC SIN", "function"),
        ("OUTP1:POL INV", "polarity"),
        ("SOUR1:PULS:WIDT 2e-4", "pulse width"),
        ("SOUR1:BURS:STAT OFF", "burst"),
    ],
)
def test_changes_made_at_the_panel_are_found(driver_bench: Build, command: str, said: str) -> None:
    bench = driver_bench("afg31000")
    channel = bench.driver.channel("1")
    channel.prepare_pulse(4.2, period=1e-3)
    bench.raw().write(command)
    with pytest.raises(ReadBackError, match=said):
        channel.prepare_pulse(4.2, period=1e-3)


def test_hardware_limit_holds_against_other_programs(driver_bench: Build) -> None:
    bench = driver_bench("afg31000")
    bench.driver.channel("1").limit(-1, 4.5)
    raw = bench.raw()
    raw.write("SOUR1:VOLT:HIGH 4.6")
    assert raw.query("SYST:ERR?").startswith("-222")
    assert float(raw.query("SOUR1:VOLT:HIGH?")) <= 4.5


@pytest.mark.parametrize("out_of_range", ["ignore", "clamp"])
@pytest.mark.parametrize(
    "limits",
    [[(-1, 4.5), (3, 5), (-5, -3), (-10, 10)], [(0, 5), (0, 4.5), (-0.1, 0.1)], [(-10, -9.9), (9.9, 10)]],
)
def test_limits_move_anywhere(driver_bench: Build, limits: list[tuple[float, float]], out_of_range: str) -> None:
    bench = driver_bench("afg31000", options={"out_of_range": out_of_range})
    channel = bench.driver.channel("1")
    for low, high in limits:
        channel.limit(low, high)
        snapshot = bench.driver.settings()
        assert low - 1e-6 <= snapshot["1.low"] < snapshot["1.high"] <= high + 1e-6
        assert (snapshot["1.limit_low"], snapshot["1.limit_high"]) == (low, high)


def test_error_of_the_instrument_is_raised_with_its_message(driver_bench: Build) -> None:
    bench = driver_bench("afg31000")
    with pytest.raises(InstrumentError, match="-113") as caught:
        bench.driver.exchange(["SOUR1:NONSENSE 1"])
    assert "NONSENSE" in caught.value.command
    with pytest.raises(InstrumentError, match="-222"):
        bench.driver.exchange(["SOUR1:VOLT:HIGH 99"])
    assert bench.driver.check_errors() == []


def test_trigger_during_a_burst_is_reported(driver_bench: Build) -> None:
    bench = driver_bench("afg31000")
    channel = bench.driver.channel("1")
    channel.prepare_pulse(1.0, period=1e-3, count=100)
    channel.output(True)
    bench.driver.trigger()
    with pytest.raises(InstrumentError, match="-211"):
        bench.driver.trigger()


@pytest.mark.parametrize(
    "address", [None, "TCPIP0::192.168.1.30::INSTR", "TCPIP0::192.168.1.30::5025::SOCKET", "GPIB0::11::INSTR"]
)
@pytest.mark.parametrize("unread", ["discard", "keep"])
def test_replies_left_by_another_program_do_not_shift_ours(
    driver_bench: Build, address: str | None, unread: str
) -> None:
    bench = driver_bench("afg31000", address=address, options={"unread_reply": unread})
    bench.driver.write("SOUR1:FREQ?")
    bench.driver.write("NONSENSE")
    again = type(bench.driver)(bench.driver.adapter, name="again", clock=bench.clock)
    assert again.identity["model"] == "AFG31052"
    assert again.check_errors() == []


def test_safe_in_the_middle_of_a_long_burst(driver_bench: Build) -> None:
    bench = driver_bench("afg31000")
    channel = bench.driver.channel("1")
    channel.prepare_pulse(2.0, width=0.5e-3, period=1e-3, count=1_000_000)
    channel.output(True)
    bench.driver.trigger()
    bench.clock.sleep(10.0002)
    assert math.isclose(bench.volts, 2 * LOADED, abs_tol=1e-6)
    bench.driver.write("SOUR1:FREQ?")  # interrupted: nobody reads this reply
    bench.driver.safe()
    bench.driver.safe()
    assert bench.volts == 0
    bench.extreme()
    bench.clock.sleep(1)
    assert bench.extreme() == 0


def test_a_million_pulses_are_one_burst(driver_bench: Build) -> None:
    bench = driver_bench("afg31000")
    channel = bench.driver.channel("1")
    channel.prepare_pulse(2.0, period=1e-3, count=1_000_000)
    channel.output(True)
    bench.driver.trigger()
    bench.clock.sleep(channel.burst_duration - 0.5e-3)
    assert abs(bench.volts) < 1e-9
    assert channel.programmed.duration == 1000


@pytest.mark.parametrize("model", ["AFG31021", "AFG31052", "AFG31101", "AFG31152", "AFG31252"])
def test_models_at_their_own_limits(driver_bench: Build, model: str) -> None:
    bench = driver_bench("afg31000", model=model)
    channel = bench.driver.channel("1")
    able = type(bench.driver).capabilities(model, "1")
    window = able["pulse"]["window"][1]
    channel.limit(-window, window)
    width = able["pulse"]["min_width"]
    assert channel.prepare_pulse(window, base=-window, width=width, period=1e-6).reported_high == window
    with pytest.raises(SettingError, match="pulse width"):
        channel.prepare_pulse(1.0, width=width * 0.99)
    with pytest.raises(SettingError, match="level"):
        channel.prepare_pulse(window + 0.01)


def test_two_channels_fire_together(driver_bench: Build) -> None:
    bench = driver_bench("afg31000")
    one, two = bench.driver.channel("1"), bench.driver.channel("2")
    one.prepare_pulse(2.0, width=1e-3, period=5e-3)
    two.prepare_pulse(1.0, width=1e-3, period=5e-3)
    one.output(True)
    two.output(True)
    with pytest.raises(SettingError, match="switch output 1 off first"):
        two.prepare_pulse(1.0, width=1e-3, period=6e-3)
    assert abs(bench.extreme()) < 1e-6
    bench.driver.trigger()
    bench.clock.sleep(0.5e-3)
    assert math.isclose(bench.volts, 2 * LOADED, abs_tol=1e-6)


def test_advanced_mode_left_on_is_left_first(driver_bench: Build) -> None:
    bench = driver_bench("afg31000")
    bench.raw().write("SEQC:STAT 1")
    assert bench.driver.channel("1").prepare_pulse(1.0).reported_high == 1.0
    assert bench.driver.numbers([], ["SEQC:STAT?"]) == [0]


def test_reset_is_waited_for(driver_bench: Build) -> None:
    bench = driver_bench("afg31000")
    bench.driver.channel("1").prepare_pulse(1.0)
    bench.driver.reset()
    assert bench.driver.settings()["1.load"] == 50
    assert bench.driver.channel("1").prepare_pulse(1.0).reported_high == 1.0


def test_settings_are_numbers_and_words(driver_bench: Build) -> None:
    bench = driver_bench("afg31000")
    snapshot = bench.driver.settings()
    assert snapshot["1.output"] == 0
    assert snapshot["2.function"] == "SIN"
    assert snapshot["trigger_source"] == "TIM"


levels = st.floats(-4.9, 4.9).map(lambda v: round(v, 3))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(levels, st.sampled_from([0.0, 0.25, -0.5]), st.floats(1e-6, 5e-4), st.sampled_from([None, 2e-7])),
        min_size=2,
        max_size=6,
    )
)
def test_any_row_of_pulses_idles_at_its_bases(driver_bench: Build, pulses: list[tuple[Any, ...]]) -> None:
    """With the output on, the node never leaves the bases while pulses are prepared."""
    bench = driver_bench("afg31000")
    channel = bench.driver.channel("1")
    channel.limit(-5, 5)
    channel.prepare_pulse(1.0, period=1e-3)
    channel.output(True)
    before = 0.0
    for level, base, width, edge in pulses:
        if abs(level - base) < 0.01:
            continue
        bench.extreme()
        channel.prepare_pulse(level, base, width, edge, 1e-3)
        assert abs(bench.extreme()) <= max(abs(before), abs(base)) + COLLAPSED
        assert math.isclose(bench.volts, base * LOADED, abs_tol=1e-9)
        bench.driver.trigger()
        bench.clock.sleep(channel.burst_duration)
        low, high = sorted([level, base])
        assert low - 1e-3 <= bench.extreme() <= high + 1e-3
        before = base


def test_lost_instrument_is_a_visa_error(driver_bench: Build) -> None:
    bench = driver_bench("afg31000")
    bench.driver.adapter.connection.close()
    with pytest.raises(pyvisa.Error):
        bench.driver.trigger()
    with pytest.raises(pyvisa.Error, match="output 1 off"):
        bench.driver.safe()


def test_ramp_is_sampled_finely(driver_bench: Build) -> None:
    bench = driver_bench("afg31000")
    channel = bench.driver.channel("1")
    channel.prepare_waveform([0, 1e-3, 2e-3], [0, 2, 0], 2e-3)
    channel.output(True)
    bench.driver.trigger()
    seen = []
    for _ in range(19):
        bench.clock.sleep(1e-4)
        seen.append(bench.volts)
    expected = 2 - abs(np.arange(1, 20) * 1e-4 - 1e-3) / 1e-3 * 2
    assert np.allclose(seen, expected * LOADED, atol=1e-3)
