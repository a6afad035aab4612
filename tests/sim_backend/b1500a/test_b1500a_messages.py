"""Lines, parameters, buffers, errors and status of the simulated B1500A (reference b1500a sec. 1-5)."""

from __future__ import annotations

from typing import Any

import pytest
import pyvisa
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.b1500a.errors import ErrorQueue, FlexError
from sim_backend.b1500a.syntax import Command, commands_of, integer, number


@pytest.mark.parametrize(
    "line",
    ["DV 3,0,1.5,1E-3", "dv3, 0, 1.5, 1e-3", "DV  3 ,0 , +1.5,.001", " DV3,0,15.0E-1,1.E-03 ", "Dv 3.0,0,1.50,1e-3"],
)
def test_blanks_case_and_number_forms_do_not_matter(b1500: Any, line: str) -> None:
    b1500.send("CN 3", line)
    assert b1500.volts() == 1.5


def test_several_queries_in_a_line_reply_one_by_one(b1500: Any) -> None:
    b1500.send("CN 3;DV 3,0,1,1E-3")
    b1500.resource.write("TI 3;TV 3")
    assert b1500.resource.read() == "NCI+0.00100E-03"  # range omitted: that of the compliance
    assert b1500.resource.read() == "NCV+1.00000E+00"


@pytest.mark.parametrize("termination", ["\r\n", "\n", ""])
def test_command_terminators(b1500: Any, termination: str) -> None:
    b1500.resource.write_raw(f"*OPC?{termination}".encode())
    assert b1500.resource.read_raw() == b"1\r\n"


def test_a_line_may_come_in_pieces(b1500: Any) -> None:
    b1500.resource.send_end = False
    b1500.resource.write_raw(b"*ID")
    b1500.resource.write_raw(b"N?\n")
    assert b1500.resource.read().startswith("Agilent Technologies,B1500A,123,")


@given(st.text(max_size=40))
def test_any_line_is_commands_or_errors(text: str) -> None:
    for entry in commands_of(text):
        assert isinstance(entry, Command) or entry.code == 100


@given(st.from_regex(r"[+-]?([0-9]{1,12}\.?[0-9]{0,12}|\.[0-9]{1,12})([eE][+-]?[0-9]{1,2})?", fullmatch=True))
def test_numbers_are_read_as_they_stand(text: str) -> None:
    assert number(text) == float(text)
    assert integer(text) == int(float(text))


@given(st.text(alphabet="0123456789+-.eE ", max_size=12))
def test_what_is_no_number_is_refused(text: str) -> None:
    try:
        expected = float(text)
    except ValueError:
        with pytest.raises(FlexError) as refusal:
            number(text)
        assert refusal.value.code == 102
    else:
        if text == text.strip() and abs(expected) < float("inf"):
            assert number(text) == expected


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("*CLS", 100),
        ("SYST:ERR?", 100),
        ("FOO 1", 100),
        ("DV 3,0,one", 102),
        ("DV 3", 103),
        ("TSC 1,2", 103),
        ("TSC 2", 120),
        ("FMT 7", 120),
        ("MM 2,7", 121),
        ("DV 7,0,1", 121),
        ("DV 0,0,1", 121),
        ("DV 1,0,1", 151),
        ("DV 102,0,1", 151),
        ("MM 3,3,4", 122),
        ("MM 2", 122),
        ("RI 3,20", 124),
        ("RV 3,2000", 124),
        ("DV 3,0,1", 200),
        ("TI 3", 200),
        ("IN 3", 200),
        ("DZ 3", 200),
        ("*CAL? 12", 120),
        ("BC;BC", 103),
        ("ACH 11", 121),
    ],
)
def test_errors_of_single_commands(b1500: Any, line: str, code: int) -> None:
    b1500.resource.write(line)
    codes = b1500.errors()
    assert set(codes) == {code}


def test_an_error_does_not_stop_the_line(b1500: Any) -> None:
    b1500.resource.write("CN 3;FOO;DV 3,0,2,1E-3")
    assert b1500.volts() == 0.0  # not yet carried out
    assert b1500.errors() == [100]
    assert b1500.volts() == 2.0


def test_a_line_may_have_256_characters(b1500: Any) -> None:
    start = "DV 3,0,1,1E-3;"
    b1500.send("CN 3", start + " " * (254 - len(start)))
    assert b1500.refused(start + " " * 400) == 150


def test_error_queue_is_first_in_first_out_and_holds_thirty(b1500: Any) -> None:
    b1500.resource.write("DV 3")
    for _ in range(40):
        b1500.resource.write("FOO")
    assert b1500.errors() == [103] + [100] * 29


def test_err_clears_the_queue_and_errx_takes_one(b1500: Any) -> None:
    for line in ("FOO", "DV 3", "FOO"):
        b1500.resource.write(line)
    assert b1500.ask("ERRX? 1") == "+100"
    assert b1500.ask("ERR?") == "103,100,0,0"
    assert b1500.ask("ERR? 1") == "0"
    assert b1500.ask("ERRX? 0") == '+0,"No Error."'


def test_reset_keeps_the_error_queue(b1500: Any) -> None:
    b1500.resource.write("FOO;*RST")
    assert b1500.ask("ERRX?") == '+100,"Undefined GPIB command."'


def test_error_texts_by_code(b1500: Any) -> None:
    assert b1500.ask("EMG? 100") == "Undefined GPIB command."
    assert b1500.ask("EMG? 0") == "No Error."


def test_errors_name_their_channel(b1500: Any) -> None:
    b1500.resource.write("DV 3,0,1")
    assert b1500.ask("ERRX?") == '+200,"Channel output switch must be ON.; CHANNEL3"'


def test_drained_queue_is_padded_with_zeros() -> None:
    queue = ErrorQueue(30)
    for code in (100, 102, 103, 120, 121):
        queue.put(FlexError(code))
    assert queue.drain(4) == [100, 102, 103, 120]
    assert queue.next() == (0, "No Error.")


def test_identity_and_modules(b1500: Any) -> None:
    assert b1500.ask("*IDN?") == "Agilent Technologies,B1500A,123,A.06.02.2023.0401"
    assert b1500.ask("UNT?") == "B1530A,0;B1530A,0;B1517A,0;B1517A,0;B1517A,0;B1517A,0;0,0;0,0;0,0;0,0"
    assert b1500.ask("UNT? 1").endswith(";B1500A,0")


def test_a_rack_of_ones_own(build: Any) -> None:
    wire = build(slots={"3": "B1511B", "4": "B1520A"}, revisions={"3": 1})
    assert wire.ask("UNT? 0").split(";")[2:4] == ["B1511B,1", "B1520A,0"]
    assert wire.refused("RI 3,9") == 124  # 10 pA is for HRSMUs
    wire.send("WTDCV 0.0,0.0,0.0,0.0,0.0", "WDCV 4,1,0.0,0.0,1", "ACT 2,1", "IMP 101", "LMN 0")
    assert wire.ask("*LRN? 73") == "ACT2,1;IMP101"


def test_commands_of_modules_that_are_not_there(b1500: Any) -> None:
    assert b1500.refused("IMP 101") == 151
    assert b1500.refused("ERSSP 0,1") == 151
    assert b1500.refused("MM 18,3") == 120


# -- status byte -----------------------------------------------------------------------------------------------------


def test_idle_status(b1500: Any) -> None:
    assert b1500.resource.read_stb() == 16
    assert b1500.ask("*STB?") == "16"


def test_set_ready_is_zero_while_a_sweep_runs(b1500: Any) -> None:
    b1500.send("CN 3", "RI 3,14", "WT 0,0.1", "WV 3,1,0,0,1,5,1E-3", "MM 2,3")
    b1500.resource.write("XE")
    assert b1500.resource.read_stb() & 16 == 0
    b1500.clock.sleep(0.25)
    assert b1500.resource.read_stb() & 17 == 1  # data are there, it still runs
    b1500.clock.sleep(1.0)
    assert b1500.resource.read_stb() & 17 == 17
    b1500.resource.read()
    assert b1500.resource.read_stb() == 16


def test_error_bit_is_cleared_by_polling_and_the_queue_stays(b1500: Any) -> None:
    b1500.resource.write("FOO")
    b1500.clock.sleep(0.01)
    assert b1500.ask("*STB?") == "48"
    assert b1500.resource.read_stb() == 48
    assert b1500.resource.read_stb() == 16
    assert b1500.errors() == [100]


def test_service_request_at_the_end_of_a_measurement(b1500: Any) -> None:
    b1500.send("CN 3", "RI 3,14", "MM 1,3", "*SRE 16")
    assert b1500.ask("*SRE?") == "16"
    b1500.resource.enable_event(pyvisa.constants.EventType.service_request, pyvisa.constants.EventMechanism.queue)
    b1500.resource.read_stb()  # *SRE itself ended with the instrument ready, which requested service
    b1500.resource.discard_events(pyvisa.constants.EventType.service_request, pyvisa.constants.EventMechanism.queue)
    b1500.resource.write("XE")
    b1500.resource.wait_on_event(pyvisa.constants.EventType.service_request, 5000)
    assert b1500.resource.read_stb() & 64
    assert not b1500.resource.read_stb() & 64


def test_wait_bit_during_a_pause(b1500: Any) -> None:
    b1500.resource.write("PA 1")
    b1500.clock.sleep(0.5)
    assert b1500.resource.read_stb() == 2
    b1500.clock.sleep(1.0)
    assert b1500.resource.read_stb() == 16


def test_pause_takes_its_time_and_without_one_waits_for_a_trigger(b1500: Any) -> None:
    assert b1500.seconds("PA 2;*OPC?") == pytest.approx(2.0, abs=1e-2)
    b1500.resource.write("PA;*OPC?")
    b1500.clock.sleep(5.0)
    assert b1500.resource.read_stb() == 2
    b1500.resource.assert_trigger()
    assert b1500.resource.read() == "1"


# -- buffers ---------------------------------------------------------------------------------------------------------


def test_query_replies_are_read_before_data(b1500: Any) -> None:
    b1500.send("CN 3", "MM 1,3")
    b1500.resource.write("XE;*OPC?")
    b1500.clock.sleep(1.0)
    assert b1500.resource.read() == "1"
    assert b1500.resource.read().startswith("NCI")


@pytest.mark.parametrize("line", ["BC", "FMT 1", "*RST"])
def test_what_empties_the_data_buffer(b1500: Any, line: str) -> None:
    b1500.send("CN 3", "MM 1,3", "XE")
    assert b1500.ask("NUB?") == "1"
    b1500.send(line)
    assert b1500.ask("NUB?") == "0"


def test_device_clear_initialises_and_stops_what_runs(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,5,1E-3", "WT 0,1", "WV 3,1,0,0,1,50,1E-3", "MM 2,3")
    b1500.resource.write("XE")
    b1500.clock.sleep(3.0)
    b1500.resource.clear()
    assert b1500.ask("*LRN? 0") == "CL"
    assert b1500.ask("*LRN? 31") == "TM1;AV1,0;CM1;FMT1,0"
    assert b1500.ask("NUB?") == "0"


def test_commands_wait_behind_a_measurement(b1500: Any) -> None:
    b1500.send("CN 3", "RI 3,14", "WT 0,0.1", "WV 3,1,0,0,1,11,1E-3", "MM 2,3")
    b1500.resource.write("XE")
    b1500.resource.write("DV 3,0,7,1E-3")
    b1500.clock.sleep(0.6)
    assert b1500.volts() == pytest.approx(0.5)
    b1500.clock.sleep(2.0)
    assert b1500.volts() == 7.0


@pytest.mark.parametrize("discards", [True, False])
def test_abort_cuts_the_record_and_perhaps_what_waits(build: Any, discards: bool) -> None:
    wire = build(abort_discards_queue=discards)
    wire.send("CN 3", "RI 3,14", "WT 0,0.1", "WV 3,1,0,0,1,11,1E-3", "MM 2,3", "FMT 1,1")
    wire.resource.write("XE")
    wire.resource.write("DV 3,0,7,1E-3")
    wire.clock.sleep(0.45)
    wire.resource.write("AB;FOO")
    wire.clock.sleep(0.1)
    assert wire.volts() == (pytest.approx(0.4) if discards else 7.0)
    assert wire.resource.read().count("WCV") == 4
    assert wire.errors() == []


def test_no_answer_while_easyexpert_runs(build: Any) -> None:
    wire = build(easyexpert=True)
    wire.resource.timeout = 1000
    with pytest.raises(pyvisa.VisaIOError):
        wire.ask("*IDN?")


# -- system ----------------------------------------------------------------------------------------------------------


def test_calibration_takes_half_a_minute_and_switches_off(b1500: Any) -> None:
    b1500.send("CN 3")
    assert b1500.seconds("*CAL?") == pytest.approx(30.0, abs=0.1)
    assert b1500.ask("*LRN? 0") == "CL"
    assert b1500.ask("*TST? 1,0") == "0"
    b1500.send("CA", "CM 0", "RCV")
    assert b1500.ask("DIAG? 1") == "0"


def test_no_calibration_under_high_voltage(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,50,1E-3")
    b1500.resource.write("*CAL?")
    assert b1500.errors() == [213]


def test_internal_memory_programs(b1500: Any) -> None:
    b1500.send("ST 1;CN 3;DV 3,0,2,1E-3;END", "VAR 0,1,7", "VAR 1,2,0.5")
    assert b1500.ask("*LRN? 0") == "CL"
    b1500.send("DO 1")
    assert b1500.volts() == 2.0
    assert b1500.ask("VAR? 0,1") == "7"
    assert float(b1500.ask("VAR? 1,2")) == 0.5


def test_digital_port(b1500: Any) -> None:
    b1500.send("ERMOD 1", "ERC 2,255")
    assert b1500.ask("ERMOD?") == "1"
    assert b1500.ask("ERS?") == "255"


def test_logical_channels(b1500: Any) -> None:
    b1500.send("ACH 3,5", "CN 5", "DV 5,0,1,1E-3")
    assert b1500.volts() == 1.0
    assert b1500.ask("TI 5").startswith("NEI")  # headers carry the program channel
    assert b1500.ask("*LRN? 40") == "ACH3,5"
    b1500.send("ACH")
    assert b1500.ask("TI 3").startswith("NCI")


def test_unknown_options_are_refused_with_the_nearest_name(build: Any) -> None:
    with pytest.raises(pyvisa.errors.LibraryError, match="did you mean 'firmware'"):
        build(firmwre="x")
