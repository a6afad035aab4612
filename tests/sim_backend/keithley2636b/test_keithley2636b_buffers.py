"""Reading buffers (reference keithley2636b sec. 10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.keithley2636b.buffers import Reading, ReadingBuffer

_FIXED = "smua.measure.rangei = 1e-2 smua.measure.nplc = 0.1 smua.measure.autozero = 0 smua.measure.delay = 0 "


def test_companions_of_a_reading(wire):
    wire.write(
        _FIXED,
        "b = smua.nvbuffer1 b.appendmode = 1 b.collecttimestamps = 1 b.collectsourcevalues = 1",
        "smua.source.output = 1 for k = 1, 3 do smua.source.levelv = k smua.measure.i(b) end",
    )
    assert wire.values("printbuffer(1, b.n, b)") == pytest.approx([1e-3, 2e-3, 3e-3], rel=1e-3)
    assert wire.values("printbuffer(1, 3, b.sourcevalues)") == [1, 2, 3]
    times = wire.values("format.asciiprecision = 12 printbuffer(1, 3, b.timestamps)")
    assert times[0] == 0
    assert 2e-3 < times[1] == pytest.approx(times[2] - times[1], abs=3e-3)
    assert wire.values("printbuffer(1, 3, b.readings, b.sourcevalues)") == pytest.approx(
        [1e-3, 1, 2e-3, 2, 3e-3, 3], rel=1e-3
    )
    assert wire.ask("printbuffer(1, 1, b.measurefunctions, b.sourcefunctions, b.sourceoutputstates)") == (
        "Current, Voltage, On"
    )
    assert wire.values("printbuffer(1, 3, b.measureranges)") == [1e-2] * 3
    assert wire.values("printbuffer(1, 3, b.sourceranges)") == [2, 2, 20]
    assert wire.values("printbuffer(1, 3, b.statuses)") == [8, 8, 8]
    assert wire.values("print(b[2], b.readings[2], b.readings.getreading(2), b.n, b.next)") == pytest.approx(
        [2e-3, 2e-3, 2e-3, 3, 4], rel=1e-3
    )
    assert wire.value("b.basetimestamp") == pytest.approx(1.7e9)


def test_measurement_clears_unless_appending(wire):
    wire.write(_FIXED, "smua.measure.count = 4 smua.measure.v(smua.nvbuffer1) smua.measure.v(smua.nvbuffer1)")
    assert wire.value("smua.nvbuffer1.n") == 4
    wire.write("smua.nvbuffer1.clear() smua.nvbuffer1.appendmode = 1")
    wire.write("smua.measure.v(smua.nvbuffer1) smua.measure.v(smua.nvbuffer1)")
    assert wire.value("smua.nvbuffer1.n") == 8
    wire.write("smua.measure.iv(smua.nvbuffer2, smua.nvbuffer1)")
    assert wire.values("print(smua.nvbuffer1.n, smua.nvbuffer2.n)") == [12, 4]


def test_without_a_buffer_there_is_one_measurement(wire):
    wire.write(_FIXED, "smua.measure.count = 100 x = smua.measure.v()")
    start = wire.clock.now
    wire.write("x = smua.measure.v()")
    wire.ask("print(x)")
    assert wire.clock.now - start < 0.01


def test_count_and_interval(wire):
    wire.write(_FIXED, "b = smua.nvbuffer1 b.collecttimestamps = 1 smua.measure.count = 5 smua.measure.interval = 0.02")
    wire.write("smua.measure.v(b)")
    assert wire.values("printbuffer(1, 5, b.timestamps)") == pytest.approx([0, 0.02, 0.04, 0.06, 0.08], abs=1e-5)


def test_flags_only_while_empty(wire):
    wire.write("smua.measure.v(smua.nvbuffer1)")
    for name in ("appendmode", "collecttimestamps", "collectsourcevalues"):
        wire.write(f"smua.nvbuffer1.{name} = 1")
    wire.write("smua.nvbuffer1.timestampresolution = 1e-3", "smua.nvbuffer1.fillcount = 10")
    wire.finish(10)
    assert wire.errors() == [5032] * 4
    wire.write("smua.nvbuffer1.clear() smua.nvbuffer1.appendmode = 1")
    assert wire.errors() == []


def test_timestamp_resolution(wire):
    wire.write("smua.nvbuffer1.timestampresolution = 3e-6")
    assert wire.value("smua.nvbuffer1.timestampresolution") == 4e-6
    wire.write("smua.nvbuffer1.timestampresolution = 1e-7")
    assert wire.errors() == [5047]


def test_capacity(wire):
    assert wire.value("smua.nvbuffer1.capacity") == 149789
    wire.write("smua.nvbuffer1.collecttimestamps = 1 smua.nvbuffer1.collectsourcevalues = 1")
    assert wire.value("smua.nvbuffer1.capacity") == 60000
    assert wire.value("smua.makebuffer(100).capacity") == 100


def test_full_buffer_discards_or_wraps(wire):
    wire.write(
        _FIXED,
        "once = smua.makebuffer(3) window = smua.makebuffer(3) window.fillmode = smua.FILL_WINDOW",
        "smua.source.output = 1",
        "for _, b in {once, window} do b.appendmode = 1 for k = 1, 5 do smua.source.levelv = k "
        "smua.measure.v(b) end end",
    )
    assert wire.values("printbuffer(1, 9, once)") == [1, 2, 3]
    assert wire.values("printbuffer(1, 9, window)") == [4, 5, 3]
    assert wire.value("window.next") == 3


def test_dynamic_buffers_are_freed(make_wire):
    wire = make_wire(memory=4 * 1024 * 1024)
    wire.write("b = smua.makebuffer(200000)", "c = smua.makebuffer(200000)")
    assert wire.errors() == [-225]
    wire.write("b = nil", "c = smua.makebuffer(200000)")
    assert wire.errors() == []
    assert wire.value("c.capacity") == 200000


def test_elements_outside(wire):
    wire.write("smua.measure.v(smua.nvbuffer1)")
    assert wire.ask("print(smua.nvbuffer1[2])") == "nil"
    assert wire.error() == (4900, "Reading buffer index 2 is invalid")
    wire.write("smua.nvbuffer1[1] = 5")
    assert wire.errors() == [-286]


def test_printbuffer_clamps(wire):
    wire.write(_FIXED, "smua.measure.count = 3 smua.measure.v(smua.nvbuffer1)")
    assert len(wire.values("printbuffer(-5, 100, smua.nvbuffer1)")) == 3
    assert len(wire.values("printbuffer(2, 2, smua.nvbuffer1)")) == 1


def test_overlapped_measurement_and_printbuffer_that_waits_for_it(wire):
    wire.write("smua.measure.nplc = 25 smua.measure.rangei = 1e-2 smua.measure.count = 3 smua.measure.autozero = 0")
    wire.write("smua.measure.overlappediv(smua.nvbuffer1, smua.nvbuffer2) print('back')")
    assert wire.read(0.01) == "back"
    wire.write("smua.source.levelv = 1", "smua.measure.v()", "print(smub.source.levelv)")
    assert wire.read(0.01) is not None
    assert wire.errors() == [5042, 5042]
    start = wire.clock.now
    assert len(wire.values("printbuffer(1, 3, smua.nvbuffer1)")) == 3
    assert wire.clock.now - start == pytest.approx(1.5, abs=0.02)
    wire.write("smua.source.levelv = 1")
    assert wire.errors() == []


def test_statistics(wire):
    wire.write(_FIXED, "smua.source.output = 1 smua.nvbuffer1.appendmode = 1")
    wire.write("for k = 1, 5 do smua.source.levelv = k smua.measure.v(smua.nvbuffer1) end")
    wire.write("s = smua.buffer.getstats(smua.nvbuffer1)")
    assert wire.values("print(s.n, s.mean, s.stddev, s.min.reading, s.max.reading)") == pytest.approx(
        [5, 3, 1.58114, 1, 5], rel=1e-5
    )


def _reading(value: float) -> Reading:
    return Reading(value, "v", value, 0.0, 0, 2.0, 2.0, "v", True)


@given(values=st.lists(st.integers(0, 1000), min_size=1, max_size=30), limit=st.integers(1, 10))
def test_window_keeps_the_latest(values, limit):
    buffer = ReadingBuffer(limit, False, 0.0)
    buffer.fillmode = 1
    for value in values:
        buffer.add(_reading(value))
    assert sorted(buffer.column("readings", 1, limit)) == sorted(values[-limit:])
    assert values[-1] == buffer.column("readings", 1, limit)[buffer.next - 2]
