"""Replies: print, printnumber, printbuffer (reference keithley2636b sec. 3)."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.keithley2636b import formats

numbers = st.floats(-1e307, 1e307, allow_subnormal=False)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("print(1)", "1.00000e+00"),
        ("print(5, -2.5e-11)", "5.00000e+00\t-2.50000e-11"),
        ("print(tostring(5))", "5"),
        ('print("a" .. 5)', "a5"),
        ("print(true, false, nil)", "true\tfalse\tnil"),
        ('print("text", 1)', "text\t1.00000e+00"),
        ("print()", ""),
        ("print((function() end)())", ""),
        ("print(smua.nvbuffer1.clear())", ""),
        ("print(1/0, -1/0)", "inf\t-inf"),
        ("print(0/0)", "nan"),
        ("print(1e100)", "1.00000e+100"),
    ],
)
def test_print(wire, line, reply):
    assert wire.ask(line) == reply


def test_one_message_per_print_in_order(wire):
    wire.write("print(1) print() print('x', nil)")
    assert [wire.read() for _ in range(3)] == ["1.00000e+00", "", "x\tnil"]


def test_tables_and_functions_print_the_same_in_every_run(make_wire):
    line = "print(smua, print, {}, smua)"
    first, second = make_wire().ask(line), make_wire().ask(line)
    kinds = [field.split(": ") for field in first.split("\t")]
    assert [kind for kind, _ in kinds] == ["table", "function", "table", "table"]
    assert all(int(label, 16) and len(label) == 8 for _, label in kinds)
    assert kinds[0] == kinds[3]
    assert kinds[0] != kinds[2]
    assert first == second


def test_ascii_precision_rules_print_and_printnumber(wire):
    wire.write("format.asciiprecision = 10")
    assert wire.ask("print(1/3)") == "3.333333333e-01"
    assert wire.ask("printnumber(1/3, 2)") == "3.333333333e-01, 2.000000000e+00"
    wire.write("format.asciiprecision = 1")
    assert wire.ask("print(2.6)") == "3e+00"


def test_print_stays_ascii_in_binary_formats(wire):
    wire.write("format.data = format.REAL32")
    assert wire.ask("print(1)") == "1.00000e+00"


@pytest.mark.parametrize(
    ("data", "order", "code"),
    [
        ("REAL32", "LITTLEENDIAN", "<f"),
        ("SREAL", "NORMAL", ">f"),
        ("REAL64", "SWAPPED", "<d"),
        ("DREAL", "NETWORK", ">d"),
    ],
)
def test_printnumber_blocks(wire, data, order, code):
    wire.write(f"format.data = format.{data} format.byteorder = format.{order}", "printnumber(1, 2.5, -3)")
    reply = wire.read_raw()
    size = struct.calcsize(code)
    assert len(reply) == 3 * size + 3
    assert reply == b"#0" + struct.pack(f"{code[0]}3{code[1]}", 1, 2.5, -3) + b"\n"


def test_format_errors(wire):
    wire.write("format.data = 4", "format.byteorder = 2", "format.asciiprecision = 17", "format.asciiprecision = 0")
    assert wire.errors() == [1406, 1404, 1405, 1405]
    assert wire.ask("print(format.data, format.byteorder, format.asciiprecision)") == "\t".join(
        ["1.00000e+00", "1.00000e+00", "6.00000e+00"]
    )


def test_printbuffer_of_plain_tables(wire):
    assert wire.ask("printbuffer(2, 3, {10, 20, 30, 40})") == "2.00000e+01, 3.00000e+01"
    assert wire.ask("printbuffer(1, 9, {1, 2, 3}, {4, 5, 6})") == ", ".join(f"{v:.5e}" for v in (1, 4, 2, 5, 3, 6))
    assert wire.ask("printbuffer(-4, 1, {7, 8})") == "7.00000e+00"


def test_printbuffer_refuses_what_is_no_buffer(wire):
    wire.write("printbuffer(1, 2)", "printbuffer(1, 2, 5)", "printbuffer(1, 1, smua.nvbuffer1)")
    assert wire.errors() == [1400, 1401, 4900]
    assert wire.read(1.0) is None


@given(value=numbers, precision=st.integers(1, 16))
def test_ascii_numbers_read_back_within_their_digits(value, precision):
    text = formats.ascii_list([value], precision)
    mantissa, exponent = text.split("e")
    assert len(mantissa.lstrip("-").replace(".", "")) == precision
    assert exponent[0] in "+-"
    assert len(exponent) >= 3
    assert float(text) == pytest.approx(value, rel=0.51 * 10 ** (1 - precision), abs=1e-320)


def test_ascii_of_what_is_no_number():
    assert formats.ascii_list([math.nan, -math.inf, "On"], 6) == "nan, -inf, On"


@given(values=st.lists(numbers, max_size=50), order=st.sampled_from([formats.NORMAL, formats.SWAPPED]))
def test_real64_blocks_round_trip(values, order):
    packed = formats.block(values, formats.REAL64, order)
    assert packed[:2] == b"#0"
    code = f"{'<' if order == formats.SWAPPED else '>'}{len(values)}d"
    assert list(struct.unpack(code, packed[2:])) == values


@given(values=st.lists(numbers, max_size=50), order=st.sampled_from([formats.NORMAL, formats.SWAPPED]))
def test_real32_blocks_are_the_nearest_singles(values, order):
    packed = formats.block(values, formats.REAL32, order)
    code = f"{'<' if order == formats.SWAPPED else '>'}{len(values)}f"
    for value, back in zip(values, struct.unpack(code, packed[2:]), strict=True):
        if abs(value) < 3.4e38:
            assert back == pytest.approx(value, rel=2**-23, abs=1e-44)
        else:
            assert abs(back) >= 3.4e38


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20), precision=st.integers(6, 16))
def test_printbuffer_ascii_round_trip(values, precision):
    text = formats.ascii_list(values, precision)
    assert [float(v) for v in text.split(", ")] == pytest.approx(values, rel=10 ** (1 - precision), abs=1e-300)
