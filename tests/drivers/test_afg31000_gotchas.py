"""Every known gotcha of the AFG31000 that a driver must handle (reference afg31000 sec. 16), by its number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import pyvisa

from drivers.afg31000_commands import arming, timing
from drivers.afg31000_models import PulseShape, model
from drivers.errors import SettingError

Connect = Callable[..., Any]
OK = '0;0,"No error"'
TAIL = ";*ESR?;:SYST:ERR?"
SHAPE = PulseShape(4.2, 0.0, 1e-4, None, 1e-3, 3)


def test_1_load_is_set_infinite_and_read_back_before_any_voltage(afg_on_wire: Connect) -> None:
    """Set for 50 ohm, 4.2 V would be 8.4 V on a device of high resistance."""
    pairs = [
        (f":OUTP1:STAT OFF;:OUTP1:STAT?{TAIL}", f"0;{OK}"),
        (f":SOUR1:BURS:STAT OFF;:SEQC:STAT?{TAIL}", f"0;{OK}"),
        (f":OUTP1:IMP INF;:OUTP1:IMP?{TAIL}", f"5.000E1;{OK}"),
    ]
    with afg_on_wire(pairs) as afg, pytest.raises(pyvisa.Error, match=r"load was set to inf, .* reports 50"):
        afg.channel("1").prepare_pulse(4.2)


def test_2_phases_are_sent_in_degrees_and_read_in_radians(afg_on_wire: Connect) -> None:
    pairs = [("SOUR1:PHAS 90 DEG", None), (":SYST:ERR?", '0,"No error"'), ("SOUR1:PHAS?", "1.5707963")]
    with afg_on_wire(pairs) as afg:
        afg.channel("1").phase = 90
        assert math.isclose(afg.channel("1").phase, 90, rel_tol=1e-6)


def test_3_burst_is_switched_off_before_function_and_period_change(afg_on_wire: Connect) -> None:
    sent: list[str] = []

    def exchange(commands: list[str], queries: Any = ()) -> list[str]:
        sent.extend(commands)
        if any(c.startswith("SOUR1:FUNC") for c in commands):
            raise pyvisa.VisaIOError(pyvisa.constants.StatusCode.error_connection_lost)
        return ["inf" if "IMP" in q else "0" for q in queries]

    with afg_on_wire([]) as afg:
        afg.exchange = exchange
        with pytest.raises(pyvisa.VisaIOError):
            afg.channel("1").prepare_pulse(4.2)
    assert sent.index("OUTP1:STAT OFF") < sent.index("SOUR1:BURS:STAT OFF") < sent.index("SOUR1:FUNC PULS")


def test_4_trigger_source_is_external_before_the_burst_is_enabled() -> None:
    steps = arming("1", 5)
    assert steps.index("TRIG:SOUR EXT") < steps.index("SOUR1:BURS:STAT ON")


def test_5_trigger_source_is_toggled_after_the_burst_is_enabled_and_ends_external() -> None:
    steps = arming("1", 5)
    after = steps[steps.index("SOUR1:BURS:STAT ON") :]
    assert [s for s in after if s.startswith("TRIG")] == ["TRIG:SOUR TIM", "TRIG:SOUR EXT"]
    # what the toggle may start is one cycle, not the whole burst
    assert steps.index("SOUR1:BURS:NCYC 1") < steps.index("TRIG:SOUR TIM")
    assert steps[-1] == "SOUR1:BURS:NCYC 5"


def test_5_toggling_is_refused_while_it_would_fire_the_other_output(afg_on_wire: Connect) -> None:
    pairs = [(f":SOUR2:BURS:STAT?;:OUTP2:STAT?{TAIL}", f"1;1;{OK}")]
    with afg_on_wire(pairs) as afg, pytest.raises(SettingError, match="switch output 2 off first"):
        afg.channel("1")._arm(1, 1e-3)


def test_6_period_precedes_width() -> None:
    steps = timing("1", SHAPE)
    period, width = steps.index("SOUR1:PULS:PER 0.001"), steps.index("SOUR1:PULS:WIDT 0.0001")
    assert period < steps.index("SOUR1:PULS:HOLD WIDT") < width


def test_7_output_on_waits_on_the_clock_not_for_opc(afg_on_wire: Connect, clock: Any) -> None:
    with afg_on_wire([(f":OUTP1:STAT ON;:OUTP1:STAT?{TAIL}", f"1;{OK}")]) as afg:
        afg.channel("1").programmed = object()
        afg.channel("1").output(True)
    assert clock.sleeps == [1.0]


def test_8_every_group_of_commands_ends_with_an_answer_so_that_none_can_flood_the_input(
    afg_on_wire: Connect,
) -> None:
    with afg_on_wire([(f":A 1;:B 2{TAIL}", OK)]) as afg:
        assert afg.exchange(["A 1", "B 2"]) == []


def test_8_reset_waits_on_the_clock(afg_on_wire: Connect, clock: Any) -> None:
    with afg_on_wire([(f"*RST;*OPC?{TAIL}", f"1;{OK}")]) as afg:
        afg.reset()
    assert clock.sleeps == [0.5]


def test_9_events_in_the_error_queue_are_no_errors(afg_on_wire: Connect) -> None:
    pairs = [
        (f"*TRG{TAIL}", '128;-500,"Power on"'),
        (":SYST:ERR?", '-800,"Operation complete"'),
        (":SYST:ERR?", '0,"No error"'),
    ]
    with afg_on_wire(pairs) as afg:
        afg.trigger()


def test_9_error_behind_events_is_found(afg_on_wire: Connect) -> None:
    pairs = [
        (":SYST:ERR?", '-500,"Power on"'),
        (":SYST:ERR?", '-222,"Data out of range"'),
        (":SYST:ERR?", '0,"No error"'),
    ]
    with afg_on_wire(pairs) as afg, pytest.raises(pyvisa.Error, match="afg: -222, Data out of range after"):
        afg.check_errors()


@pytest.mark.parametrize(("reply", "value"), [("1.000E0", 1), ("5", 5), ("9.9E+37", math.inf), ("1.0E+06", 1e6)])
def test_10_counts_are_parsed_as_numbers_and_may_be_infinite(afg_on_wire: Connect, reply: str, value: float) -> None:
    with afg_on_wire([("SOUR1:BURS:NCYC?", reply)]) as afg:
        assert afg.channel("1").burst_count == value


def test_12_safe_opens_outputs_before_it_stops_anything(afg_on_wire: Connect) -> None:
    sent: list[str] = []
    with afg_on_wire([], model="AFG31051") as afg:
        afg.write = sent.append
        afg.ask = lambda query: "0"
        afg.safe()
    assert sent == [":OUTP1:STAT OFF", ":ABOR"]


def test_12_advanced_mode_is_left_with_all_outputs_off_and_waited_for(afg_on_wire: Connect, clock: Any) -> None:
    pairs = [
        (f":OUTP1:STAT OFF;:OUTP1:STAT?{TAIL}", f"0;{OK}"),
        (f":OUTP2:STAT OFF;:OUTP2:STAT?{TAIL}", f"0;{OK}"),
        (f":SEQC:STAT 0{TAIL}", OK),
    ]
    with afg_on_wire(pairs, release=0.01) as afg:
        afg.leave_advanced_mode()
    assert clock.sleeps == [0.01, 0.01, 1.0]


def test_17_each_channel_uses_its_own_edit_memory(afg_on_wire: Connect) -> None:
    pairs = [(f":SOUR2:FUNC EMEM2{TAIL}", OK), (b":DATA:DATA EMEM2,#14\x00\x00\x3f\xfe\n", None)]
    with afg_on_wire([*pairs, (f"*OPC?{TAIL}", f"1;{OK}")]) as afg:
        afg.channel("2")._upload(b"\x00\x00\x3f\xfe", verify=False)


def test_18_what_a_user_changed_at_the_panel_is_found_before_the_trigger(afg_on_wire: Connect) -> None:
    """The keys' lock does not lock the touch screen: the state is read with every pulse."""
    with afg_on_wire([]) as afg:
        channel = afg.channel("1")
        channel._shape = SHAPE
        replies = ["SIN", "NORM", "0", "4.2", "9.9E+37", "1", "1", "1e-4", "1e-3", "8e-9", "8e-9"]
        afg.exchange = lambda commands, queries=(): replies
        with pytest.raises(pyvisa.Error, match="function was set to PULS, the instrument reports SIN"):
            channel.prepare_pulse(4.2, width=1e-4, period=1e-3, count=3)


def test_idle_is_the_first_point_whatever_the_unknown_default_is() -> None:
    assert "SOUR1:BURS:IDLE START" in arming("1", 1)
    assert "SOUR1:PULS:DEL 0" in timing("1", SHAPE)  # the first point is the base only without lead delay


def test_windows_of_5_volt_models_are_respected() -> None:
    with pytest.raises(SettingError, match=r"level -6\.2 V is outside -5 \.\. 5 V"):
        PulseShape(-6.2, 0, 1e-4, None, 1e-3, 1).check(model("AFG31252"), -5, 5)


def test_links_that_cannot_be_cleared_are_used_as_they_are(afg_on_wire: Connect) -> None:
    """PyVISA-py has no device clear on USB."""
    unsupported = pyvisa.VisaIOError(pyvisa.constants.StatusCode.error_nonsupported_operation)
    with afg_on_wire([]) as afg:
        afg.adapter.connection.clear.side_effect = unsupported
        afg.clear_link()
        afg.adapter.connection.clear.side_effect = pyvisa.VisaIOError(pyvisa.constants.StatusCode.error_io)
        with pytest.raises(pyvisa.VisaIOError):
            afg.clear_link()


def test_stale_replies_are_drained_from_a_raw_socket_at_connect(afg_on_wire: Connect) -> None:
    timeout = pyvisa.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
    with afg_on_wire([]) as afg:
        connection = afg.adapter.connection
        connection.resource_class = "SOCKET"
        connection.read_raw.side_effect = [b"stale\n", b"more\n", timeout]
        afg.clear_link()
        assert connection.read_raw.call_count == 3
        assert connection.timeout == 5000
