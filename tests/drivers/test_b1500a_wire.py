"""B1500A driver: exactly what goes over the wire, what is refused before it, what a reply may be (reference b1500a)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import pyvisa
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.test import expected_protocol

from drivers import b1500a_data as data
from drivers import b1500a_ranges as ranges
from drivers.b1500a import B1500A
from drivers.b1500a_sweeps import Staircase
from drivers.errors import IdentityError, InstrumentError, ReadBackError, ReplyError, SafeStateError, SettingError

Pair = tuple[Any, Any]
CLEAN: Pair = ("ERRX?", '+0,"No Error."')
UNITS = "B1530A,0;0,0;B1517A,0;B1511B,1;0,0;0,0;0,0;0,0;0,0;0,0"
GREETING: list[Pair] = [
    ("AB", None),
    ("BC", None),
    CLEAN,
    ("*IDN?", "Agilent Technologies,B1500A,JP1,A.06.02.2023.0401"),
    ("UNT?", UNITS),
    ("*LRN? 0", "CL"),
]
AT_ZERO = "DV3,200,+00.0000E+00,+100.000E-06,0,16"


class StoppedClock:
    """A clock that only sleeps move."""

    now = 0.0

    def sleep(self, duration: float) -> None:
        self.now += duration


Connect = Callable[..., AbstractContextManager[B1500A]]


@pytest.fixture
def wire() -> Connect:
    """``with wire(pairs) as b``: the pairs are all that may pass after connecting."""

    @contextmanager
    def connect(pairs: Sequence[Pair], greeting: Sequence[Pair] = GREETING, **options: Any) -> Iterator[B1500A]:
        silence = pyvisa.VisaIOError(pyvisa.constants.StatusCode.error_timeout)
        attributes = {"timeout": 5000, "read_raw": Mock(side_effect=silence)}
        with expected_protocol(
            B1500A,
            [*greeting, *pairs],
            connection_attributes=attributes,
            name="b1500",
            clock=StoppedClock(),
            **options,
        ) as b:
            yield b

    return connect


def test_connecting_finds_modules_and_changes_no_output(wire: Connect) -> None:
    with wire([]) as b:
        assert b.identity == {
            "manufacturer": "Agilent Technologies",
            "model": "B1500A",
            "serial": "JP1",
            "firmware": "A.06.02.2023.0401",
        }
        assert b.modules == {1: "WGFMU", 3: "HRSMU", 4: "MPSMU"}
        assert list(b.channels) == ["3", "4"]
        assert b.smu1 is b.channel("3")


def test_stale_errors_are_kept_and_no_reason_to_fail(wire: Connect) -> None:
    greeting = [*GREETING[:2], ("ERRX?", '+100,"Undefined GPIB command."'), *GREETING[2:]]
    with wire([], greeting) as b:
        assert [entry.code for entry in b.stale_errors] == [100]


@pytest.mark.parametrize(
    ("k", "reply", "message"),
    [(3, "KEITHLEY,2636B,1,2", "not the identity"), (4, "B9999A,0;" + "0,0;" * 8 + "0,0", "B9999A")],
)
def test_strangers_are_not_driven(wire: Connect, k: int, reply: str, message: str) -> None:
    greeting = [*GREETING[:k], (GREETING[k][0], reply)]
    with pytest.raises(IdentityError, match=message), wire([], greeting):
        pass


def test_source_sends_full_precision_and_reads_back(wire: Connect) -> None:
    pairs = [
        ("CN 3", None),
        CLEAN,
        ("DV 3,20,1.2345,1.5e-09", None),
        CLEAN,
        ("*LRN? 3", "DV3,20,+1.23450E+00,+1.50000E-09,0,12"),
    ]
    with wire(pairs) as b:
        state = b.channel("3").source(1.2345, 1.5e-9)
        assert (state.level, state.limit) == (1.2345, 1.5e-9)
        assert b.channel("3").relay_operations == 1


def test_what_the_instrument_holds_otherwise_is_an_error(wire: Connect) -> None:
    pairs = [("CN 3", None), CLEAN, ("DV 3,20,1,1e-06", None), CLEAN, ("*LRN? 3", AT_ZERO)]
    with wire(pairs) as b, pytest.raises(ReadBackError, match="voltage was set to 1"):
        b.channel("3").source(1.0, 1e-6)


def test_configure_read_sends_only_what_changes(wire: Connect) -> None:
    pairs = [
        ("AIT 1,2,1;AAD 3,1;RI 3,-12;RV 3,0", None),
        CLEAN,
        ("RI 3,11", None),
        CLEAN,
        ("AIT 0,3,0.001000;AAD 3,0;RI 3,0", None),
        CLEAN,
    ]
    with wire(pairs) as b:
        channel = b.channel("3")
        channel.configure_read(1e-6, range_=1e-8)
        channel.configure_read(1e-7, range_=1e-8)
        channel.configure_read(1e-7, least=1e-9)
        channel.configure_read(1e-7, nplc=0.05)


def test_a_plain_command_makes_the_driver_forget(wire: Connect) -> None:
    pairs = [("RI 3,-12", None), ("AIT 1,2,1;AAD 3,1;RI 3,0;RV 3,0", None), CLEAN]
    with wire(pairs) as b:
        b.channel("3").write("RI {ch},-12")
        b.channel("3").configure_read(1e-6)


def test_measure_reads_current_and_voltage_together(wire: Connect) -> None:
    pairs = [
        ("AIT 1,2,1;AAD 3,1;RI 3,0;RV 3,0", None),
        CLEAN,
        ("FMT 21,0", None),
        CLEAN,
        ("TIV 3,0,0", "  8CI+1.000000E-06,  0CV+1.500000E+00"),
        ("TIV 3,0,0", "  1CI+199.9990E+99,  0CV+1.500000E+00"),
    ]
    with wire(pairs) as b:
        b.channel("3").configure_read(1e-6)
        found = b.channel("3").measure()
        assert (found.amps, found.volts, found.compliance, found.overflow) == (1e-6, 1.5, True, False)
        assert b.channel("3").measure().overflow


def test_a_staircase_is_one_execution(wire: Connect) -> None:
    record = "  0CT+000.0100E+00,  0CI+1.000000E-09,  WCv+0.000000E+00"
    last = "  0CT+000.1100E+00,128CI+2.000000E-09,  ECv+1.000000E+00\r\n"
    pairs = [
        ("CN 4", None),
        CLEAN,
        ("DV 4,20,2,1e-06", None),
        CLEAN,
        ("*LRN? 4", "DV4,20,+2.00000E+00,+1.00000E-06,0,14"),
        ("CN 3", None),
        CLEAN,
        ("FMT 21,1;AIT 1,2,1;AAD 3,1;RI 3,-12;RV 3,0;CMM 3,0", None),
        CLEAN,
        ("TSC 1;WT 0.5,0.078,0.022,0,0;WM 1,2;WV 3,1,20,0,1,2,1e-06;MM 2,3", None),
        CLEAN,
        ("BC", None),
        ("TSR;XE", f"{record},{last}"),
        CLEAN,
        ("DV 3,5,0,1e-06", None),
        CLEAN,
    ]
    with wire(pairs) as b:
        curve = b.sweep(
            "3", start=0, stop=1, points=2, bias={"4": 2.0}, compliance=1e-6, range_={"3": 1e-8}, hold=0.5, dwell=0.1
        )
    assert curve.set.tolist() == [0.0, 1.0]
    assert curve.amps["3"].tolist() == [1e-9, 2e-9]
    assert curve.time.tolist() == [0.01, 0.11]
    assert curve.complete


def test_lines_are_cut_to_what_the_instrument_takes(wire: Connect) -> None:
    commands = [f"DV 3,200,{k / 7:.9f},1e-06" for k in range(40)]
    with wire([]) as b:
        lines = list(b.lines(commands))
    assert ";".join(lines) == ";".join(commands)
    assert max(map(len, lines)) <= 254
    assert len(lines) > 1


def test_errors_carry_code_text_and_command(wire: Connect) -> None:
    pairs = [
        ("CN 3", None),
        ("ERRX?", '+203,"Cannot enable channel.; CHANNEL3"'),
        ("ERRX?", '+102,"Incorrect numeric data syntax."'),
        CLEAN,
    ]
    with wire(pairs) as b, pytest.raises(InstrumentError) as refusal:
        b.channel("3").output(True)
    assert refusal.value.code == 203
    assert refusal.value.text == "Cannot enable channel.; CHANNEL3"
    assert refusal.value.command == "CN 3"
    assert [entry.code for entry in refusal.value.entries] == [203, 102]


def test_a_reply_out_of_turn_is_no_error_code(wire: Connect) -> None:
    with wire([("ERRX?", "NCI+1.00000E-06")]) as b, pytest.raises(ReplyError):
        b.check_errors()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: b.channel("3").source(101.0, 1e-6), "outside -100"),
        (lambda b: b.channel("3").source(30.0, 0.06), "compliance may be 0.05 A"),
        (lambda b: b.channel("3").source(1.0, 0.0), "compliance 0 A"),
        (lambda b: b.channel("3").source(1.0), "configure_read"),
        (lambda b: b.channel("4").source(25.1, 1e-6), "RSU"),
        (lambda b: b.channel("7"), "no SMU '7'; it has 3, 4"),
        (lambda b: b.channel("4").configure_read(1e-6, range_=1e-11), "no current range of a MPSMU"),
        (lambda b: b.channel("3").configure_read(1e-6, range_=2e-9), "no current range of a HRSMU"),
        (lambda b: b.channel("3").configure_read(1e-6, nplc=1.5), "whole power line cycles"),
        (lambda b: b.channel("3").configure_read(1e-6, nplc=0), "NPLC"),
        (lambda b: b.sweep("3", start=0, stop=1, points=5), "configure_read"),
        (lambda b: b.sweep("3", compliance=1e-6), "levels, or start, stop and points"),
        (lambda b: b.sweep("3", [1.0], compliance=1e-6, after="on"), "after 'on'"),
        (lambda b: b.sweep("3", [1.0], compliance=1e-6, mode="double"), "mode 'double'"),
        (lambda b: b.sweep("3", start=-1, stop=1, points=5, spacing="log", compliance=1e-6), "pass 0 V"),
        (lambda b: b.sweep("3", start=0, stop=1, points=1002, compliance=1e-6), "number of points"),
        (lambda b: b.sweep("3", [0.0, 1.0], compliance=1e-6, delay=70), "delay"),
        (lambda b: b.sweep("3", [0.0, 1.0], compliance=1e-6, bias={"3": 1.0}), "either swept"),
        (lambda b: b.sample(["3"], 5, 1e-5, compliance=1e-6), "interval"),
        (lambda b: b.sample(["3"], 200_000, 0.1, compliance=1e-6), "number of samples"),
        (lambda b: b.fetch_sample(), "no samples were started"),
        (lambda b: b.sweep("3", [0.0, 1.0], compliance=1e-6, bias={"4": 26.0}), "RSU"),
        (lambda b: b.sweep("3", [0.0, 1.0], compliance=1e-6, measured=["4"], range_={"4": 1e-11}), "no current range"),
        (lambda b: b.sample(["3"], 5, 0.1, compliance=1e-6, bias={"3": 1.0, "4": 26.0}), "RSU"),
        (lambda b: b.bias("3", 10.0, 1.0, grounded=["9"]), "no SMU '9'"),
        (lambda b: b.bias("4", 40.0, 90.0), "RSU"),
        (lambda b: b.bias("3", 40.0, 90.0, grounded=["3"]), "biased and grounded"),
        (lambda b: b.channel("3").limit(5, -5), "limit"),
    ],
)
def test_what_is_refused_before_anything_is_sent(wire: Connect, call: Callable[[B1500A], Any], message: str) -> None:
    with wire([], rsu=["4"]) as b, pytest.raises(SettingError, match=message):
        call(b)


def test_own_limits_hold_for_every_way_of_forcing(wire: Connect) -> None:
    with wire([]) as b:
        channel = b.channel("3")
        channel.limit(-10, 10)
        for call in (
            lambda: channel.source(11.0, 1e-6),
            lambda: b.sweep("3", [0.0, -11.0], compliance=1e-6),
            lambda: b.bias("3", 12.0, 1.0),
        ):
            with pytest.raises(SettingError, match=r"outside -10 \.\. 10 V"):
                call()


def test_above_42_volts_the_interlock_is_asked_for(wire: Connect) -> None:
    with wire([("*STB?", "24")]) as b, pytest.raises(SettingError, match="interlock closed"):
        b.channel("3").source(45.0, 1e-6)


def test_line_frequency_is_50_or_60(wire: Connect) -> None:
    with pytest.raises(SettingError, match="line frequency"), wire([], GREETING[:0], line_frequency=55):
        pass


def test_safe_switches_off_and_reads_back(wire: Connect) -> None:
    with wire([("AB", None), ("BC", None), ("CL", None), ("*LRN? 0", "CL")]) as b:
        b.safe()
        assert b.channel("3").is_on is False


def test_safe_names_what_failed(wire: Connect) -> None:
    with (
        wire([("AB", None), ("BC", None), ("CL", None), ("*LRN? 0", "CN3")]) as b,
        pytest.raises(SafeStateError) as end,
    ):
        b.safe()
    assert [step for step, _ in end.value.failures] == ["output switches read back"]


def test_settings_snapshot(wire: Connect) -> None:
    pairs = [
        ("*LRN? 31", "TM1;AV1,0;CM1;FMT21,0"),
        ("*LRN? 32", "RI3,-12;RV3,0;RI4,0;RV4,0"),
        ("*LRN? 3", "DV3,200,+10.0000E+00,+1.00000E-06,0,14"),
        ("*LRN? 4", "CL4"),
    ]
    with wire(pairs) as b:
        found = b.settings()
    assert (found["3.level"], found["3.compliance"], found["3.on"], found["4.on"]) == (10.0, 1e-6, True, False)
    assert found["FMT"] == "21,0"


def test_capabilities_need_no_instrument() -> None:
    able = B1500A.capabilities("B1500A", "3")
    assert able["sweep"]["window"] == (-100.0, 100.0)
    assert able["sweep"]["rsu_window"] == (-25.0, 25.0)
    assert able["bias"]["interlock"] == 42.0
    with pytest.raises(IdentityError):
        B1500A.capabilities("2636B")
    with pytest.raises(SettingError):
        B1500A.capabilities("B1500A", "11")


# -- data ------------------------------------------------------------------------------------------------------------

NUMBERS = st.floats(-0.1, 0.1).filter(lambda v: v == 0 or abs(v) > 1e-15)


def element(status: int, channel: str, kind: str, value: float) -> str:
    mantissa, exponent = f"{value:+.6E}".split("E")
    return f"{status:3d}{channel}{kind}{mantissa}E{int(exponent):+03d}"


@given(st.lists(st.tuples(NUMBERS, st.integers(0, 255), NUMBERS), min_size=1, max_size=20))
def test_records_come_apart_as_they_were_put_together(points: list[tuple[float, int, float]]) -> None:
    words = []
    for amps, status, volts in points:
        words += [element(status, "C", "I", amps), element(0, "D", "V", volts)]
    found = data.parse("b", ",".join(words) + "\r\n", 2)
    amps, status = found.readings("I", 3)
    for k, (value, bits, volts) in enumerate(points):
        assert bool(status[k] & data.COMPLIANCE) == bool(bits & 8)
        assert bool(status[k] & data.OVERFLOW) == bool(bits & 65)
        assert bool(status[k] & data.OTHER_COMPLIANCE) == bool(bits & 4)
        assert np.isnan(amps[k]) if bits & 65 else amps[k] == pytest.approx(value, rel=1e-6, abs=1e-18)
        assert found.values[k, found.column("V", 4)] == pytest.approx(volts, rel=1e-6, abs=1e-18)


@given(st.text(alphabet="0123456789+-.EICV, \r\n", max_size=60))
def test_what_is_no_record_is_a_reply_error(text: str) -> None:
    try:
        data.parse("b", text, 2)
    except ReplyError:
        return
    assert all(len(word) == data.ELEMENT for word in text.strip("\r\n,").split(","))


@given(st.floats(-100, 100), st.floats(-100, 100), st.integers(1, 500))
def test_equal_steps_are_a_staircase_of_the_instrument(first: float, last: float, points: int) -> None:
    stairs = Staircase.of(np.linspace(first, last, points), cyclic=False)
    assert stairs is not None
    assert (stairs.mode, stairs.points) == (1, points)


def test_other_levels_are_none() -> None:
    assert Staircase.of(np.array([0.0, 1.0, 5.0]), False) is None
    logarithmic = Staircase.of(np.geomspace(0.01, 10, 7), True)
    assert logarithmic is not None
    assert (logarithmic.mode, logarithmic.count) == (4, 14)


@given(st.floats(1e-12, 0.1))
def test_ranges_hold_what_they_are_chosen_for(value: float) -> None:
    scale = ranges.current_range(value)
    assert value <= scale * (1 + 1e-6)
    assert value > scale / 10 * (1 - 1e-6) or scale == 1e-11
    assert ranges.CURRENT_CODES[scale] == ranges.current_code(scale)


@given(st.floats(2e-4, 0.999), st.sampled_from([50.0, 60.0]))
def test_short_integrations_are_times_of_the_high_speed_converter(nplc: float, frequency: float) -> None:
    converter, command = ranges.integration(nplc, frequency)
    assert converter == 0
    seconds = float(command.split(",")[2])
    assert abs(seconds - nplc / frequency) <= 1.0001e-6
    assert round(seconds / 2e-6) == pytest.approx(seconds / 2e-6, abs=1e-6)


@given(st.floats(0, 100))
def test_voltage_ranges_hold_their_level(level: float) -> None:
    code = ranges.voltage_code(-level)
    scale = next(s for s, c in ranges.VOLTAGE_CODES.items() if c == code)
    assert level <= scale * (1 + 1e-6)
