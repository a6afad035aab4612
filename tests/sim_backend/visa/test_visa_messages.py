"""Messages through PyVISA: framing, termination, timeouts in virtual time."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest
import pyvisa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyvisa.constants import IOProtocol, ResourceAttribute, StatusCode

BUSES = ["GPIB0::5::INSTR", "USB0::0x0699::0x0358::C013019::INSTR", "TCPIP0::192.168.1.27::inst0::INSTR"]
SOCKET = "TCPIP0::192.168.1.26::5025::SOCKET"


def open_socket(rm: pyvisa.ResourceManager, **options: Any) -> Any:
    return rm.open_resource(SOCKET, read_termination="\n", write_termination="\n", **options)


@pytest.mark.parametrize("address", BUSES)
def test_query_on_a_bus_with_end(rm: pyvisa.ResourceManager, address: str) -> None:
    instrument: Any = rm.open_resource(address)
    assert instrument.query("hello") == "hello\n"
    instrument.read_termination = "\n"
    assert instrument.query("hello") == "hello"
    assert instrument.query_ascii_values("1,2.5") == [1.0, 2.5]


def test_query_on_a_raw_socket(rm: pyvisa.ResourceManager) -> None:
    assert open_socket(rm).query("hello") == "hello"


def test_a_raw_socket_without_termination_character_times_out(rm: pyvisa.ResourceManager) -> None:
    """No END on a TCP stream: viRead waits for more until the timeout."""
    instrument: Any = rm.open_resource(SOCKET, write_termination="\n", timeout=700)
    with pytest.raises(pyvisa.VisaIOError) as error:
        instrument.query("hello")
    assert error.value.error_code == StatusCode.error_timeout
    assert rm.visalib.clock.now == pytest.approx(0.7)
    instrument.set_visa_attribute(ResourceAttribute.suppress_end_enabled, False)
    assert instrument.query("hello") == "hello\n"


def test_a_raw_socket_needs_the_line_feed(rm: pyvisa.ResourceManager) -> None:
    instrument: Any = rm.open_resource(SOCKET, read_termination="\n", write_termination="")
    instrument.write("no end of line")
    with pytest.raises(pyvisa.VisaIOError):
        instrument.read()
    instrument.write_raw(b" here\n")
    assert instrument.read() == "no end of line here"


@given(
    message=st.binary(min_size=1, max_size=300).filter(lambda m: b"\n" not in m and b" " not in m and m != b"SILENT"),
    cuts=st.lists(st.integers(1, 299), max_size=5),
    chunk=st.integers(1, 64),
    address=st.sampled_from(BUSES),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_however_a_message_is_split_it_arrives_whole(
    rm: pyvisa.ResourceManager, message: bytes, cuts: list[int], chunk: int, address: str
) -> None:
    instrument: Any = rm.open_resource(address)
    edges = [0, *sorted({cut for cut in cuts if cut < len(message)}), len(message)]
    for start, stop in pairwise(edges):
        instrument.send_end = stop == len(message)
        instrument.write_raw(message[start:stop])
    assert instrument.read_raw(chunk) == message + b"\n"
    instrument.close()


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=200), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_binary_blocks_pass_whatever_their_bytes(rm: pyvisa.ResourceManager, values: list[int], big: bool) -> None:
    instrument: Any = rm.open_resource(BUSES[0])
    instrument.write_binary_values("", values, datatype="i", is_big_endian=big)
    assert instrument.read_binary_values(datatype="i", is_big_endian=big) == values
    instrument.close()


def test_a_termination_character_cuts_a_binary_block_as_it_does_on_any_visa(rm: pyvisa.ResourceManager) -> None:
    instrument: Any = rm.open_resource(BUSES[0], read_termination="\n")
    instrument.write_raw(b"ab\ncd")
    assert instrument.read_raw() == b"ab\n"
    assert instrument.last_status == StatusCode.success_termination_character_read
    assert instrument.read_raw() == b"cd\n"


def test_statuses_of_a_read(rm: pyvisa.ResourceManager) -> None:
    instrument = rm.open_resource(BUSES[0])
    session = instrument.session
    rm.visalib.write(session, b"abcdef")
    with instrument.ignore_warning(StatusCode.success_max_count_read):
        assert rm.visalib.read(session, 3) == (b"abc", StatusCode.success_max_count_read)
    assert rm.visalib.read(session, 100) == (b"def\n", StatusCode.success)
    rm.visalib.write(session, b"abc")
    assert rm.visalib.read(session, 4) == (b"abc\n", StatusCode.success)  # END counts more than a full buffer


def test_suppressed_end_reads_on_to_the_timeout(rm: pyvisa.ResourceManager) -> None:
    instrument: Any = rm.open_resource(BUSES[0], timeout=100)
    instrument.set_visa_attribute(ResourceAttribute.suppress_end_enabled, True)
    instrument.write("x")
    with pytest.raises(pyvisa.VisaIOError):
        instrument.read_raw()


def test_a_timeout_costs_virtual_time_only(rm: pyvisa.ResourceManager) -> None:
    instrument: Any = rm.open_resource(BUSES[1], timeout=3_600_000)
    began = time.monotonic()
    instrument.write("SILENT")
    with pytest.raises(pyvisa.VisaIOError) as error:
        instrument.read()
    assert error.value.error_code == StatusCode.error_timeout
    assert rm.visalib.clock.now == 3600.0
    assert time.monotonic() - began < 60


def test_an_answer_is_waited_for(rm: pyvisa.ResourceManager) -> None:
    instrument: Any = rm.open_resource(BUSES[0], timeout=2000)
    assert instrument.query("LATER 1.5") == "late\n"
    assert rm.visalib.clock.now == 1.5
    with pytest.raises(pyvisa.VisaIOError):
        instrument.query("LATER 2.5")
    assert instrument.read() == "late\n"
    assert rm.visalib.clock.now == 4.0
    instrument.timeout = None
    assert instrument.query("LATER 1000") == "late\n"


def test_without_timeout_nothing_to_come_is_an_error_not_a_hang(rm: pyvisa.ResourceManager) -> None:
    instrument: Any = rm.open_resource(BUSES[0], timeout=None)
    with pytest.raises(pyvisa.VisaIOError):
        instrument.read()


def test_work_longer_than_the_timeout_is_a_timeout(rm: pyvisa.ResourceManager) -> None:
    """The instrument is busy for 5 s; on a real bus viWrite returns at once and viRead waits."""
    instrument: Any = rm.open_resource(BUSES[0], timeout=2000)
    instrument.write("SLEEP 5")
    for _ in range(2):
        with pytest.raises(pyvisa.VisaIOError):
            instrument.query("done")
        instrument.clear()
        instrument.write("SLEEP 5")
    rm.visalib.clock.sleep(4.0)  # the program waits by itself
    instrument.write("done")
    assert instrument.read() == "done\n"


def test_several_reads_wait_the_work_off(rm: pyvisa.ResourceManager) -> None:
    instrument: Any = rm.open_resource(BUSES[0], timeout=2000)
    instrument.write("SLEEP 5")
    instrument.write("done")
    for _ in range(2):
        with pytest.raises(pyvisa.VisaIOError):
            instrument.read()
    assert instrument.read() == "done\n"


def test_long_answers_move_in_blocks(rm: pyvisa.ResourceManager) -> None:
    instrument: Any = rm.open_resource(BUSES[0])
    message = bytes(range(256)).replace(b"\n", b"") * 40000
    instrument.write_raw(message)
    assert instrument.read_raw() == message + b"\n"
    instrument.write_raw(message)
    assert instrument.read_bytes(len(message) + 1, chunk_size=2**20) == message + b"\n"


def test_clear_trigger_and_status_byte(rm: pyvisa.ResourceManager) -> None:
    instrument: Any = rm.open_resource(BUSES[0], timeout=10)
    instrument.write("unread")
    assert instrument.stb == 0x50
    instrument.clear()
    assert instrument.stb == 0
    instrument.assert_trigger()
    assert instrument.read() == "triggered\n"
    instrument.write("half read")
    instrument.read_bytes(4)
    instrument.clear()
    with pytest.raises(pyvisa.VisaIOError):
        instrument.read()


def test_flush_drops_what_was_received(rm: pyvisa.ResourceManager) -> None:
    instrument: Any = rm.open_resource(SOCKET, read_termination="\n", write_termination="\n", timeout=10)
    instrument.write("one")
    assert instrument.read_bytes(1) == b"o"
    instrument.flush(pyvisa.constants.BufferOperation.discard_read_buffer)
    assert instrument.query("two") in ("two", "ne")  # what the instrument still held is not lost


def test_a_raw_socket_has_no_bus_commands_unless_asked_for_strings(rm: pyvisa.ResourceManager) -> None:
    instrument = open_socket(rm)
    for operation in (instrument.clear, instrument.assert_trigger, instrument.read_stb):
        with pytest.raises(pyvisa.VisaIOError) as error:
            operation()
        assert error.value.error_code == StatusCode.error_nonsupported_operation
    instrument.set_visa_attribute(ResourceAttribute.io_prot, IOProtocol.protocol4882_strs)
    assert instrument.read_stb() == 0
    instrument.assert_trigger()
    assert instrument.read() == "*TRG"
