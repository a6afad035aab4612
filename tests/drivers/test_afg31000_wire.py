"""AFG31000 driver against the wire: every message, and what comes of every kind of answer."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
import pyvisa

from drivers.errors import IdentityError, InstrumentError, ReadBackError, ReplyError, SafeStateError, SettingError

Connect = Callable[..., Any]
OK = '0;0,"No error"'
TAIL = ";*ESR?;:SYST:ERR?"
STATE_QUERIES = ":SOUR1:FUNC?;:OUTP1:POL?;:SOUR1:VOLT:LOW?;:SOUR1:VOLT:HIGH?;:OUTP1:IMP?;:SOUR1:BURS:STAT?;:OUTP1:STAT?"
PULSE_QUERIES = f"{STATE_QUERIES};:SOUR1:PULS:WIDT?;:SOUR1:PULS:PER?;:SOUR1:PULS:TRAN:LEAD?;:SOUR1:PULS:TRAN:TRA?{TAIL}"


def no_error(message: str, *replies: str) -> tuple[str, str]:
    """An exchange that the instrument carries out without complaint."""
    return f"{message}{TAIL}", ";".join([*replies, OK])


def pulse_state(
    low: str,
    high: str,
    polarity: str = "NORM",
    on: str = "0",
    width: str = "1.000E-4",
    period: str = "1.000E-3",
    load: str = "9.9E+37",
    edge: str = "8.000E-9",
    burst: str = "1",
) -> str:
    return ";".join(["PULS", polarity, low, high, load, burst, on, width, period, edge, edge, OK])


QUIET = [
    no_error(":OUTP1:STAT OFF;:OUTP1:STAT?", "0"),
    no_error(":SOUR1:BURS:STAT OFF;:SEQC:STAT?", "0"),
    no_error(":OUTP1:IMP INF;:OUTP1:IMP?", "9.9E+37"),
]
ARM = [
    no_error(":SOUR2:BURS:STAT?;:OUTP2:STAT?", "0", "0"),
    no_error(
        ":TRIG:SOUR EXT;:SOUR1:BURS:MODE TRIG;:SOUR1:BURS:NCYC 1;:SOUR1:BURS:TDEL 0;:SOUR1:BURS:IDLE START;"
        ":SOUR1:BURS:STAT ON;:TRIG:SOUR TIM;:TRIG:SOUR EXT;:SOUR1:BURS:NCYC 1;"
        ":TRIG:SOUR?;:SOUR1:BURS:MODE?;:SOUR1:BURS:IDLE?;:SOUR1:BURS:NCYC?",
        "EXT",
        "TRIG",
        "START",
        "1.000E0",
    ),
]
FIRST_PULSE = [
    *QUIET,
    no_error(
        ":SOUR1:FUNC PULS;:SOUR1:PULS:DEL 0;:SOUR1:PULS:TRAN:LEAD MIN;:SOUR1:PULS:TRAN:TRA MIN;"
        ":SOUR1:PULS:HOLD DUTY;:SOUR1:PULS:DCYC 50;:SOUR1:PULS:PER 0.001;:SOUR1:PULS:HOLD WIDT;"
        ":SOUR1:PULS:WIDT 0.0001;:SOUR1:PULS:TRAN:LEAD MIN;:SOUR1:PULS:TRAN:TRA MIN"
    ),
    no_error(":OUTP1:POL NORM;:SOUR1:VOLT:LOW?;:SOUR1:VOLT:HIGH?", "-0.5", "0.5"),
    no_error(":SOUR1:VOLT:LOW 0;:SOUR1:VOLT:HIGH 4.2"),
    *ARM,
    (PULSE_QUERIES, pulse_state("0.000E0", "4.200E0")),
]


def test_connects_and_knows_itself(afg_on_wire: Connect) -> None:
    with afg_on_wire([]) as afg:
        assert afg.identity == {
            "manufacturer": "TEKTRONIX",
            "model": "AFG31052",
            "serial": "C013019",
            "firmware": "1.5.2",
        }
        assert list(afg.channels) == ["1", "2"]
        assert afg.channel(1) is afg.channel("1")


def test_one_channel_model_has_one_channel(afg_on_wire: Connect) -> None:
    with afg_on_wire([], model="AFG31051") as afg, pytest.raises(SettingError, match="no channel 2"):
        afg.channel("2")


def test_another_instrument_is_refused(afg_on_wire: Connect) -> None:
    with pytest.raises(IdentityError, match="AFG3252"), afg_on_wire([], model="AFG3252"):
        pass


def test_first_pulse_sets_everything_and_reads_it_back(afg_on_wire: Connect, clock: Any) -> None:
    with afg_on_wire(FIRST_PULSE) as afg:
        done = afg.channel("1").prepare_pulse(4.2, period=1e-3)
        assert (done.set_low, done.set_high, done.reported_low, done.reported_high) == (0, 4.2, 0, 4.2)
        assert (done.base, done.width, done.edge, done.inverted) == (0, 1e-4, 8e-9, False)
        assert 1e-3 < afg.channel("1").burst_duration < 1.1e-3
    assert clock.sleeps == [afg.release, 1e-3]


def test_next_level_is_one_message(afg_on_wire: Connect) -> None:
    change = (f":SOUR1:VOLT:HIGH 4.3;{PULSE_QUERIES}", pulse_state("0.000E0", "4.300E0", on="1"))
    with afg_on_wire([*FIRST_PULSE, change]) as afg:
        channel = afg.channel("1")
        channel.prepare_pulse(4.2, period=1e-3)
        assert channel.prepare_pulse(4.3, period=1e-3).reported_high == 4.3
        assert channel.is_on


def test_same_pulse_again_is_only_read_back(afg_on_wire: Connect) -> None:
    with afg_on_wire([*FIRST_PULSE, (PULSE_QUERIES, pulse_state("0.000E0", "4.200E0"))]) as afg:
        afg.channel("1").prepare_pulse(4.2, period=1e-3)
        afg.channel("1").prepare_pulse(4.2, period=1e-3)


def test_reverse_pulse_inverts_polarity_with_the_amplitude_collapsed(afg_on_wire: Connect) -> None:
    """One message; the idle level passes 4 mV from the base: high and low change places while they are close."""
    down = (
        f":SOUR1:VOLT:HIGH 0.004;:OUTP1:POL INV;:SOUR1:VOLT:LOW -4.2;:SOUR1:VOLT:HIGH 0;{PULSE_QUERIES}",
        pulse_state("-4.200E0", "0.000E0", "INV", on="1"),
    )
    up = (
        f":SOUR1:VOLT:LOW -0.004;:OUTP1:POL NORM;:SOUR1:VOLT:HIGH 4.2;:SOUR1:VOLT:LOW 0;{PULSE_QUERIES}",
        pulse_state("0.000E0", "4.200E0", on="1"),
    )
    with afg_on_wire([*FIRST_PULSE, down, up]) as afg:
        channel = afg.channel("1")
        channel.prepare_pulse(4.2, period=1e-3)
        reverse = channel.prepare_pulse(-4.2, period=1e-3)
        assert (reverse.inverted, reverse.base, reverse.set_high, reverse.set_low) == (True, 0, 0, -4.2)
        assert not channel.prepare_pulse(4.2, period=1e-3).inverted


def test_width_and_edges_change_in_one_message_in_the_order_that_fits(afg_on_wire: Connect) -> None:
    wider = (
        f":SOUR1:PULS:WIDT 0.0002;:SOUR1:PULS:TRAN:LEAD 1e-06;:SOUR1:PULS:TRAN:TRA 1e-06;{PULSE_QUERIES}",
        pulse_state("0.000E0", "4.200E0", width="2.000E-4", edge="1.000E-6"),
    )
    back = (
        f":SOUR1:PULS:TRAN:LEAD MIN;:SOUR1:PULS:TRAN:TRA MIN;:SOUR1:PULS:WIDT 0.0001;{PULSE_QUERIES}",
        pulse_state("0.000E0", "4.200E0"),
    )
    with afg_on_wire([*FIRST_PULSE, wider, back]) as afg:
        channel = afg.channel("1")
        channel.prepare_pulse(4.2, period=1e-3)
        assert channel.prepare_pulse(4.2, width=200e-6, edge=1e-6).edge == 1e-6  # the period in force is kept
        channel.prepare_pulse(4.2)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (pulse_state("0.000E0", "8.400E0"), "high level was set to 4.2"),
        (pulse_state("-2.100E0", "4.200E0"), "low level was set to 0"),
        (pulse_state("0.000E0", "4.200E0", polarity="INV"), "polarity was set to NORM"),
        (pulse_state("0.000E0", "4.200E0", width="5.000E-4"), "pulse width was set to"),
        (pulse_state("0.000E0", "4.200E0", period="2.000E-3"), "pulse period was set to"),
        (pulse_state("0.000E0", "4.200E0", load="5.000E1"), "load was set to inf"),
        (pulse_state("0.000E0", "4.200E0", burst="0"), "burst was set to 1"),
        (pulse_state("0.000E0", "4.200E0").replace("PULS", "SIN"), "function was set to PULS"),
    ],
)
def test_what_does_not_read_back_is_an_error_and_output_stays_forbidden(
    afg_on_wire: Connect, state: str, said: str
) -> None:
    with afg_on_wire([*FIRST_PULSE[:-1], (PULSE_QUERIES, state)]) as afg:
        channel = afg.channel("1")
        with pytest.raises(ReadBackError, match=said):
            channel.prepare_pulse(4.2, period=1e-3)
        with pytest.raises(SettingError, match="nothing is prepared"):
            channel.output(True)


def test_output_settles_on_the_clock_and_is_not_switched_twice(afg_on_wire: Connect, clock: Any) -> None:
    on = no_error(":OUTP1:STAT ON;:OUTP1:STAT?", "1")
    off = no_error(":OUTP1:STAT OFF;:OUTP1:STAT?", "0")
    with afg_on_wire([*FIRST_PULSE, on, off], settling=0.7, release=0.02) as afg:
        channel = afg.channel("1")
        channel.prepare_pulse(4.2, period=1e-3)
        clock.sleeps.clear()
        channel.output(True)
        channel.output(True)
        channel.isolate()
    assert clock.sleeps == [0.7, 0.02]


def test_output_that_does_not_go_on_is_an_error(afg_on_wire: Connect) -> None:
    with afg_on_wire([*FIRST_PULSE, no_error(":OUTP1:STAT ON;:OUTP1:STAT?", "0")]) as afg:
        afg.channel("1").prepare_pulse(4.2, period=1e-3)
        with pytest.raises(ReadBackError, match="output"):
            afg.channel("1").output(True)
        assert afg.channel("1").is_on is None


def test_trigger_is_one_message(afg_on_wire: Connect) -> None:
    with afg_on_wire([(f"*TRG{TAIL}", OK)]) as afg:
        afg.trigger()


def test_trigger_ignored_is_an_error(afg_on_wire: Connect) -> None:
    pairs = [(f"*TRG{TAIL}", '16;-211,"Trigger ignored"'), (":SYST:ERR?", '0,"No error"')]
    with afg_on_wire(pairs) as afg, pytest.raises(InstrumentError, match="Trigger ignored") as caught:
        afg.trigger()
    assert (caught.value.code, caught.value.command) == (-211, f"*TRG{TAIL}")


def test_limits_are_widened_then_narrowed_and_read_back(afg_on_wire: Connect) -> None:
    """Levels after reset, +-0.5 V, lie inside: they are left."""
    pairs = [
        no_error(":OUTP1:IMP INF;:OUTP1:IMP?", "9.9E+37"),
        no_error(
            ":SOUR1:VOLT:LOW?;:SOUR1:VOLT:HIGH?;:SOUR1:VOLT:LIM:LOW?;:SOUR1:VOLT:LIM:HIGH?", "-1", "1", "-10", "10"
        ),
        no_error(
            ":SOUR1:VOLT:LIM:HIGH 10;:SOUR1:VOLT:LIM:LOW -10;:SOUR1:VOLT:LIM:LOW -4.5;:SOUR1:VOLT:LIM:HIGH 4.5;"
            ":SOUR1:VOLT:LIM:LOW?;:SOUR1:VOLT:LIM:HIGH?",
            "-4.500E0",
            "4.500E0",
        ),
    ]
    with afg_on_wire(pairs) as afg:
        channel = afg.channel("1")
        channel.limit(-4.5, 4.5)
        with pytest.raises(SettingError, match="outside -4"):
            channel.prepare_pulse(4.6)


def test_levels_outside_new_limits_are_parked_with_the_output_off(afg_on_wire: Connect) -> None:
    pairs = [
        no_error(":OUTP1:IMP INF;:OUTP1:IMP?", "9.9E+37"),
        no_error(":SOUR1:VOLT:LOW?;:SOUR1:VOLT:HIGH?;:SOUR1:VOLT:LIM:LOW?;:SOUR1:VOLT:LIM:HIGH?", "-1", "1", "-2", "2"),
        no_error(":OUTP1:STAT OFF;:OUTP1:STAT?", "0"),
        no_error(
            ":SOUR1:VOLT:LIM:HIGH 5;:SOUR1:VOLT:LIM:LOW -2;:SOUR1:VOLT:HIGH 3.002;:SOUR1:VOLT:LOW 3;"
            ":SOUR1:VOLT:LIM:LOW 3;:SOUR1:VOLT:LIM:HIGH 5;:SOUR1:VOLT:LIM:LOW?;:SOUR1:VOLT:LIM:HIGH?",
            "3",
            "5",
        ),
    ]
    with afg_on_wire(pairs) as afg:
        afg.channel("1").limit(3, 5)


@pytest.mark.parametrize(("low", "high"), [(-11, 1), (0, 10.5), (1, 0), (0, 1e-3), (math.nan, 1)])
def test_limits_outside_the_window_are_refused_before_anything_is_sent(
    afg_on_wire: Connect, low: float, high: float
) -> None:
    with afg_on_wire([]) as afg, pytest.raises(SettingError):
        afg.channel("1").limit(low, high)


@pytest.mark.parametrize(
    "arguments",
    [
        {"level": 10.5},
        {"level": 1.0, "width": 5e-9},
        {"level": 1.0, "count": 0},
        {"level": 1.0, "count": 2_000_000},
        {"level": 1.0, "width": 2e-3, "period": 1e-3},
        {"level": math.inf},
    ],
)
def test_pulses_out_of_limits_are_refused_before_anything_is_sent(
    afg_on_wire: Connect, arguments: dict[str, float]
) -> None:
    with afg_on_wire([]) as afg, pytest.raises(SettingError):
        afg.channel("1").prepare_pulse(**arguments)


def waveform_pairs(stored: bytes) -> list[tuple[Any, Any]]:
    sent = struct.pack(">10H", 8191, 16382, 8191, 8191, 8191, 8191, 0, 8191, 8191, 8191)
    upload = b":DATA:DATA EMEM1,#220" + sent + b"\n"
    levels = ":OUTP1:POL NORM;:SOUR1:VOLT:LOW?;:SOUR1:VOLT:HIGH?"
    return [
        *QUIET,
        no_error(":SOUR1:FUNC EMEM1"),
        (upload, None),
        (f"*OPC?{TAIL}", f"1;{OK}"),
        (f":DATA:DATA? EMEM1{TAIL}", b"#220" + stored + f";{OK}\n".encode()),
        no_error(":SOUR1:FREQ 25000000"),
        no_error(levels, "-0.5", "0.5"),
        no_error(":SOUR1:VOLT:LOW -2;:SOUR1:VOLT:HIGH 2"),
    ]


SENT = struct.pack(">10H", 8191, 16382, 8191, 8191, 8191, 8191, 0, 8191, 8191, 8191)
TIMES = [0, 4e-9, 4e-9, 8e-9, 8e-9, 24e-9, 24e-9, 28e-9, 28e-9, 40e-9]
VOLTS = [0, 0, 2, 2, 0, 0, -2, -2, 0, 0]


def test_waveform_goes_up_as_big_endian_block_and_is_read_back(afg_on_wire: Connect, clock: Any) -> None:
    """25 MHz is the model's largest repetition rate; at 250 MS/s ten samples."""
    state = ";".join(["EMEM", "NORM", "-2", "2", "9.9E+37", "1", "0", "2.500E7", OK])
    pairs = [*waveform_pairs(SENT), *ARM, (f"{STATE_QUERIES};:SOUR1:FREQ?{TAIL}", state)]
    with afg_on_wire(pairs) as afg:
        afg.channel("1")._model = Mock(wraps=afg.limits)
        afg.channel("1")._model.configure_mock(
            window=10.0, arbitrary_rate=25e6, max_period=1000.0, min_amplitude=2e-3, points=lambda period: 10
        )
        done = afg.channel("1").prepare_waveform(TIMES, VOLTS, 40e-9)
    assert (done.function, done.base, done.time_error) == ("waveform", 0, 0)
    assert 0.2 in clock.sleeps


def test_isolated_waveform_changes_in_one_message_and_its_answer(afg_on_wire: Connect, clock: Any) -> None:
    """Levels and record of the same length go out together; memory and state come back together, errors last."""
    other = struct.pack(">10H", 0, 16382, 0, 0, 0, 0, 8191, 0, 0, 0)
    state = ";".join(["EMEM", "NORM", "{}", "{}", "9.9E+37", "1", "{}", "2.500E7", OK])
    queries = f"{STATE_QUERIES};:SOUR1:FREQ?{TAIL}"
    pairs = [
        *waveform_pairs(SENT),
        *ARM,
        (queries, state.format("-2", "2", "0")),
        no_error(":OUTP1:STAT ON;:OUTP1:STAT?", "1"),
        (b":SOUR1:VOLT:LOW 0;:SOUR1:VOLT:HIGH 3;:DATA:DATA EMEM1,#220" + other + b"\n", None),
        (f":DATA:DATA? EMEM1;{queries}", b"#220" + other + f";{state.format('0', '3', '1')}\n".encode()),
    ]
    with afg_on_wire(pairs) as afg:
        channel = afg.channel("1")
        channel._model = Mock(wraps=afg.limits)
        channel._model.configure_mock(
            window=10.0, arbitrary_rate=25e6, max_period=1000.0, min_amplitude=2e-3, points=lambda period: 10
        )
        channel.prepare_waveform(TIMES, VOLTS, 40e-9)
        channel.output(True)
        done = channel.prepare_waveform(TIMES, [0, 0, 3, 3, 0, 0, 1.5, 1.5, 0, 0], 40e-9, isolated=True)
        assert channel.is_on
    assert (done.set_low, done.reported_low, done.set_high, done.reported_high) == (0, 0, 3, 3)
    assert clock.sleeps[-1] == 0.2  # an upload can be played only then


def test_record_that_reads_back_otherwise_is_an_error(afg_on_wire: Connect) -> None:
    broken = SENT[:-2] + b"\x00\x00"
    with afg_on_wire(waveform_pairs(broken)[:7]) as afg:
        afg.channel("1")._model = Mock(wraps=afg.limits)
        afg.channel("1")._model.configure_mock(
            window=10.0, arbitrary_rate=25e6, max_period=1000.0, min_amplitude=2e-3, points=lambda period: 10
        )
        with pytest.raises(ReadBackError, match="EMEM1"):
            afg.channel("1").prepare_waveform(TIMES, VOLTS, 40e-9)


def test_errors_come_with_code_text_and_the_offending_message(afg_on_wire: Connect) -> None:
    pairs = [
        (f":OUTP1:STAT OFF;:OUTP1:STAT?{TAIL}", '0;16;-222,"Data out of range; 11 V"'),
        (":SYST:ERR?", '-113,"Undefined header"'),
        (":SYST:ERR?", '0,"No error"'),
    ]
    with afg_on_wire(pairs) as afg, pytest.raises(InstrumentError) as caught:
        afg.channel("1").output(False)
    assert [entry.code for entry in caught.value.entries] == [-222, -113]
    assert caught.value.text == "Data out of range; 11 V"
    assert caught.value.command.startswith(":OUTP1:STAT OFF")
    assert isinstance(caught.value, pyvisa.Error)


def test_an_error_that_only_the_event_register_knows_is_raised(afg_on_wire: Connect) -> None:
    with afg_on_wire([(f"*TRG{TAIL}", '48;0,"No error"')]) as afg, pytest.raises(InstrumentError) as caught:
        afg.trigger()
    assert [entry.code for entry in caught.value.entries] == [-100, -200]


def test_message_dropped_by_the_instrument_is_explained_by_its_queue(afg_on_wire: Connect) -> None:
    """An instrument may drop the rest of a faulty message, the queries with it: a timeout, then -113 in the queue."""
    timeout = pyvisa.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
    with afg_on_wire([]) as afg:
        afg.ask = Mock(side_effect=[timeout, '-113,"Undefined header"', '0,"No error"'])
        with pytest.raises(InstrumentError, match="-113, Undefined header after"):
            afg.trigger()
        assert afg.adapter.connection.clear.call_count == 2  # at connect, and before the queue was asked


def test_lost_link_passes_as_it_is(afg_on_wire: Connect) -> None:
    lost = pyvisa.VisaIOError(pyvisa.constants.StatusCode.error_connection_lost)
    with afg_on_wire([]) as afg:
        afg.ask = Mock(side_effect=lost)
        with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_CONN_LOST"):
            afg.trigger()


@pytest.mark.parametrize("reply", ["", "nonsense", '1;2;3;0;0,"No error"', "x;0", '0;x,"No error"'])
def test_answer_that_is_none_is_an_error(afg_on_wire: Connect, reply: str) -> None:
    with afg_on_wire([(f"*TRG{TAIL}", reply)]) as afg, pytest.raises(ReplyError):
        afg.trigger()


def test_plain_properties_look_into_the_error_queue_and_forget_what_was_prepared(afg_on_wire: Connect) -> None:
    pairs = [
        *FIRST_PULSE,
        ("SOUR1:VOLT:HIGH 2.5", None),
        (":SYST:ERR?", '0,"No error"'),
        ("SOUR1:VOLT:HIGH?", "2.500E0"),
        ("OUTP1:IMP INF", None),
        (":SYST:ERR?", '0,"No error"'),
        ("OUTP1:POL?", "INV"),
        ("SOUR1:FUNC?", "EMEM2"),
        ("SOUR1:BURS:STAT 1", None),
        (":SYST:ERR?", '0,"No error"'),
    ]
    with afg_on_wire(pairs) as afg:
        channel = afg.channel("1")
        channel.prepare_pulse(4.2, period=1e-3)
        channel.high = 2.5
        assert channel.programmed is None
        assert channel.high == 2.5
        channel.load = math.inf
        assert channel.polarity == "inverted"
        assert channel.function == "memory 2"
        channel.burst_enabled = True
        for name, value in (("high", 10.5), ("load", 0), ("pulse_width", 1e-9), ("burst_count", 0), ("phase", 181)):
            with pytest.raises(ValueError, match="not in range"):
                setattr(channel, name, value)


def test_safe_switches_outputs_off_first_and_reads_them_back(afg_on_wire: Connect) -> None:
    pairs = [
        (":OUTP1:STAT OFF", None),
        (":OUTP2:STAT OFF", None),
        (":ABOR", None),
        (":OUTP1:STAT?", "0"),
        (":OUTP2:STAT?", "0"),
    ]
    with afg_on_wire(pairs * 2) as afg:
        afg.safe()
        afg.safe()
        assert afg.channel("1").is_on is False


def test_safe_goes_on_after_a_failing_step_and_names_it(afg_on_wire: Connect) -> None:
    timeout = pyvisa.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
    sent: list[str] = []

    def write(command: str) -> None:
        sent.append(command)
        if command == ":OUTP1:STAT OFF":
            raise timeout

    with afg_on_wire([]) as afg:
        afg.write = write
        afg.ask = Mock(side_effect=["1", "0"])
        with pytest.raises(SafeStateError, match=r"output 1 off: VI_ERROR_TMO.*output 1 read back") as caught:
            afg.safe()
    assert sent == [":OUTP1:STAT OFF", ":OUTP2:STAT OFF", ":ABOR"]
    assert [step for step, _ in caught.value.failures] == ["output 1 off", "output 1 read back"]


def test_settings_snapshot(afg_on_wire: Connect) -> None:
    with afg_on_wire([], model="AFG31051") as afg:
        count = len(afg.channel("1").snapshot_queries)
        afg.ask = Mock(side_effect=[f"EXT;POS;INT;{OK}", ";".join(["PULS", *["1.000E0"] * (count - 1)]) + f";{OK}"])
        settings = afg.settings()
    assert settings["trigger_source"] == "EXT"
    assert settings["1.function"] == "PULS"
    assert settings["1.high"] == 1.0
