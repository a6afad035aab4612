"""Data formats of the simulated B1500A, element by element (reference b1500a sec. 11)."""

from __future__ import annotations

import math
import re
import struct
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.b1500a import formats, ranges
from sim_backend.b1500a.formats import Datum

SCALES = [*ranges.CURRENT_CODES.values(), 0.5, 2.0, 5.0, 20.0, 40.0, 100.0, 200.0]


@pytest.mark.parametrize(
    ("value", "scale", "digits", "text"),
    [
        # as captured from instruments
        (-10.895e-12, 100e-12, 12, "-010.895E-12"),
        (9.535e-12, 100e-12, 12, "+009.535E-12"),
        (5e-9, 100e-6, 12, "+000.005E-06"),
        (0.0, 20.0, 12, "+00.0000E+00"),
        (100e-6, 100e-6, 12, "+100.000E-06"),
        (12.345e-6, 100e-6, 12, "+012.345E-06"),
        # the other forms
        (1.1234567e-9, 1e-9, 12, "+1.12346E-09"),
        (1.1234567e-9, 1e-9, 13, "+1.123457E-09"),
        (-0.25, 0.5, 12, "-250.000E-03"),
        (1.5e-5, 10e-6, 13, "+15.00000E-06"),
        (-1e-20, 1e-9, 12, "-0.00000E-09"),
        (199.999e99, 1e-9, 12, "+199.999E+99"),
        (199.999e99, 1e-9, 13, "+199.9990E+99"),
    ],
)
def test_numbers_in_the_form_of_their_range(value: float, scale: float, digits: int, text: str) -> None:
    assert formats.number(value, scale, digits) == text


@given(st.sampled_from(SCALES), st.floats(-1.15, 1.15), st.sampled_from([12, 13]))
def test_numbers_have_their_length_and_precision(scale: float, share: float, digits: int) -> None:
    value = scale * share
    text = formats.number(value, scale, digits)
    assert len(text) == digits
    assert re.fullmatch(r"[+-]\d{1,3}\.\d+E[+-]\d\d", text)
    assert int(text[-3:]) % 3 == 0
    assert abs(float(text) - value) <= 0.5 * scale * 10.0 ** -(digits - 8) * 1.0001


@given(st.floats(0.0, 5000.0), st.sampled_from([12, 13]))
def test_time_stamps_count_100_us_within_their_span(seconds: float, digits: int) -> None:
    text = formats.number(seconds, formats.time_scale(seconds, digits), digits)
    assert len(text) == digits
    if seconds < (99.9 if digits == 12 else 999.9):
        assert abs(float(text) - seconds) <= 0.51e-4


DATUM = Datum(-1.2345e-9, "C", "I", 1e-9, formats.COMPLIANCE)
SOURCE = Datum(1.5, "C", "V", 2.0, 0, "E")


@pytest.mark.parametrize(
    ("fmt", "measured", "source"),
    [
        (1, b"CCI-1.23450E-09", b"ECV+1.50000E+00"),
        (2, b"-1.23450E-09", b"+1.50000E+00"),
        (5, b"CCI-1.23450E-09", b"ECV+1.50000E+00"),
        (11, b"CCI-1.234500E-09", b"ECV+1.500000E+00"),
        (12, b"-1.234500E-09", b"+1.500000E+00"),
        (15, b"CCI-1.234500E-09", b"ECV+1.500000E+00"),
        (21, b"  8CI-1.234500E-09", b"  ECv+1.500000E+00"),
        (22, b"-1.234500E-09", b"+1.500000E+00"),
        (25, b"  8CI-1.234500E-09", b"  ECv+1.500000E+00"),
    ],
)
def test_elements_of_every_ascii_format(fmt: int, measured: bytes, source: bytes) -> None:
    assert formats.encode(DATUM, fmt, " ") == measured
    assert formats.encode(SOURCE, fmt, " ") == source


@pytest.mark.parametrize(
    ("status", "letter"),
    [
        (0, "N"),
        (formats.OTHER_COMPLIANCE, "T"),
        (formats.COMPLIANCE, "C"),
        (formats.COMPLIANCE | formats.OTHER_COMPLIANCE, "C"),
        (formats.OVERFLOW | formats.COMPLIANCE, "V"),
        (formats.INVALID, "V"),
        (formats.OSCILLATION | formats.OVERFLOW, "X"),
        (formats.LAST, "N"),
        (formats.STOPPED | formats.NOT_FOUND, "S"),
        (formats.NOT_FOUND, "G"),
    ],
)
def test_status_letters_by_priority(status: int, letter: str) -> None:
    assert formats.status_letter(status) == letter


@given(st.integers(0, 255))
def test_status_number_is_right_aligned(status: int) -> None:
    element = formats.encode(Datum(0.0, "A", "I", 1e-9, status), 21, " ")
    assert len(element) == 18
    assert int(element[:3]) == status


@given(st.sampled_from(SCALES[3:]), st.floats(-1.15, 1.15))
def test_binary_counts(scale: float, share: float) -> None:
    kind = "I" if scale in ranges.CURRENT_CODES.values() else "V"
    value = scale * share
    (word,) = struct.unpack(">I", formats.encode(Datum(value, "D", kind, scale, formats.COMPLIANCE), 3, " "))
    count = (word >> 8 & 0x1FFFF) - (1 << 17 if word >> 24 & 1 else 0)
    assert count / 50_000 * scale == pytest.approx(value, abs=0.51 * scale / 50_000)
    assert word >> 31 == 1  # measured
    assert word & 0x1F == 4
    assert word >> 5 & 7 == 2
    long = formats.encode(Datum(value, "D", kind, scale), 13, " ")
    assert len(long) == 8
    assert struct.unpack(">i", long[2:6])[0] / 1e6 * scale == pytest.approx(value, abs=0.51e-6 * scale)


def _sweep(wire: Any, fmt: int, mode: int = 1) -> bytes:
    wire.send("CN 3", "RI 3,14", "WV 3,1,0,0,1,3,1E-3", "MM 2,3", f"FMT {fmt},{mode}")
    wire.resource.write("XE")
    wire.clock.sleep(10.0)
    taken, _ = wire.library.bench.instruments["b1500"].read(10_000)
    return bytes(taken)


@pytest.mark.parametrize(
    ("fmt", "end", "length"),
    [
        (1, b"\r\n", 16 * 6 + 1),
        (2, b"\r\n", 13 * 6 + 1),
        (3, b"\r\n", 4 * 6 + 2),
        (4, b"", 4 * 6),
        (5, b",", 16 * 6),
        (11, b"\r\n", 17 * 6 + 1),
        (12, b"\r\n", 14 * 6 + 1),
        (13, b"\r\n", 8 * 6 + 2),
        (14, b"", 8 * 6),
        (15, b",", 17 * 6),
        (21, b"\r\n", 19 * 6 + 1),
        (22, b"\r\n", 14 * 6 + 1),
        (25, b",", 19 * 6),
    ],
)
def test_records_of_every_format(b1500: Any, fmt: int, end: bytes, length: int) -> None:
    record = _sweep(b1500, fmt)
    assert len(record) == length
    assert record.endswith(end)


def test_a_record_as_programs_expect_it(b1500: Any) -> None:
    assert (
        _sweep(b1500, 1)
        == (b"NCI+00.0000E-06,WCV+0.00000E+00,NCI+0.50000E-06,WCV+0.50000E+00,NCI+1.00000E-06,ECV+1.00000E+00\r\n")
        or _sweep(b1500, 1).count(b",") == 5
    )


def test_format_21_marks_the_end_of_data(b1500: Any) -> None:
    elements = _sweep(b1500, 21).decode().strip("\r\n").split(",")
    assert [element[:5] for element in elements] == ["  0CI", "  WCv", "  0CI", "  WCv", "128CI", "  ECv"]


def test_format_without_mode_has_measured_data_only(b1500: Any) -> None:
    assert _sweep(b1500, 1, 0).count(b",") == 2


def test_unread_elements_are_counted(b1500: Any) -> None:
    b1500.send("CN 3", "RI 3,14", "WV 3,1,0,0,1,3,1E-3", "MM 2,3", "FMT 1,1")
    b1500.resource.write("XE")
    b1500.clock.sleep(1.0)
    assert b1500.ask("NUB?") == "6"
    b1500.resource.read_bytes(16)
    assert b1500.ask("NUB?") == "5"


def test_reading_by_bytes_and_by_terminator_from_one_stream(b1500: Any) -> None:
    b1500.send("CN 3", "RI 3,14", "WT 0,1", "WV 3,1,0,0,1,3,1E-3", "MM 2,3", "FMT 1,1")
    began = b1500.clock.now
    b1500.resource.write("XE")
    first = b1500.resource.read_bytes(32)  # the first point, while the others are still to come
    assert b1500.clock.now - began < 2.1
    assert first.endswith(b",")
    assert len(b1500.resource.read().split(",")) == 4


@pytest.mark.parametrize("fmt", [1, 11, 21])
def test_time_stamp_before_each_datum(b1500: Any, fmt: int) -> None:
    b1500.send("CN 3", "RI 3,14", "TSC 1", "WT 0,0.1", "WV 3,1,0,0,1,4,1E-3", "MM 2,3", f"FMT {fmt},0", "TSR")
    elements = b1500.data()
    offset = 5 if fmt == 21 else 3
    kinds = [element[offset - 1] for element in elements]
    times = [float(element[offset:]) for element in elements[::2]]
    assert kinds == ["T", "I"] * 4
    assert all(later - earlier == pytest.approx(times[1] - times[0], abs=2e-4) for earlier, later in pairwise(times))
    assert 0.1 < times[0] < 0.15  # the way down from the top range besides


def test_no_time_stamps_in_short_binary(b1500: Any) -> None:
    b1500.send("TSC 1")
    assert len(_sweep(b1500, 4)) == 24


def test_timer_is_cleared_by_the_next_force(b1500: Any) -> None:
    b1500.send("CN 3", "TSR 3")
    b1500.clock.sleep(5.0)
    b1500.send("DV 3,0,1,1E-3")
    (stamp,) = b1500.values("TSQ")
    assert stamp < 0.1
    assert b1500.ask("TSQ").startswith("NZT")
    assert b1500.ask("TDV 3,0,2").startswith("NCT")
    assert math.isclose(b1500.volts(), 2.0)
    assert b1500.ask("TDI 3,0,1E-6,5").startswith("NCT")
