"""Error queue and status model (reference keithley2636b sec. 6, 7)."""

from __future__ import annotations

import pytest


def test_empty_error_queue(wire):
    assert wire.ask("print(errorqueue.next())") == "0.00000e+00\tQueue Is Empty\t0.00000e+00\t1.00000e+00"
    assert wire.value("errorqueue.count") == 0


def test_errors_come_out_in_order(wire):
    wire.write("smua.measure.nplc = 100", "smua.source.limiti = 0", "nothing()")
    assert wire.value("errorqueue.count") == 3
    assert wire.ask("print(errorqueue.next())") == "-2.22000e+02\tParameter data out of range\t2.00000e+01\t1.00000e+00"
    assert wire.ask("local c, m = errorqueue.next() print(c, m)") == "1.10200e+03\tParameter too small"
    wire.write("errorqueue.clear()")
    assert wire.value("errorqueue.count") == 0


def test_error_queue_overflows(make_wire):
    wire = make_wire(error_queue_size=3)
    wire.write("for k = 1, 10 do smua.measure.nplc = 100 end")
    assert wire.errors() == [-222, -222, -350]


def test_channel_name_and_severity(wire):
    wire.write("smua.source.autorangev = 1 smua.measureivandstep(1)")
    wire.finish(1)
    code, text, severity, node = wire.smu.errors.next()
    assert (code, severity, node) == (5028, 20, 1)
    assert text == "SMU A: Cannot perform requested operation while source autorange is enabled"


def test_status_byte_summarises_errors_and_messages(wire):
    assert wire.smu.status_byte() == 0
    wire.write("nothing()")
    assert wire.smu.status_byte() == 4
    wire.write("print(1)")
    wire.finish(0.01)
    assert wire.smu.status_byte() == 4 + 16
    wire.write("status.request_enable = status.MAV")
    assert wire.smu.status_byte() == 4 + 16 + 64
    wire.read()
    assert wire.smu.status_byte() == 4


def test_end_of_sweep_requests_service(wire):
    wire.write(
        "status.operation.enable = status.operation.SWEEPING",
        "status.operation.sweeping.enable = status.operation.sweeping.SMUA",
        "status.operation.sweeping.ptr = 0",
        "status.operation.sweeping.ntr = status.operation.sweeping.SMUA",
        "status.request_enable = status.OSB",
        "smua.trigger.source.linearv(0, 1, 11) smua.trigger.source.action = 1 smua.trigger.count = 11",
        "smua.source.delay = 0.1 smua.source.output = 1 smua.trigger.initiate()",
    )
    wire.finish(0.5)
    assert not wire.smu.status_byte() & 64
    wire.finish(1.0)
    assert wire.smu.status_byte() & 64
    assert wire.value("status.request_event") == 128
    assert wire.value("status.operation.sweeping.event") == 2
    assert wire.value("status.operation.sweeping.event") == 0


def test_limit_bits_follow_measurements(wire):
    wire.write("smua.source.limiti = 1e-4 smua.source.levelv = 1 smua.source.output = 1")
    assert wire.value("status.measurement.instrument.smua.condition") == 0
    wire.write("smua.measure.v()")
    assert wire.value("status.measurement.instrument.smua.condition") == 2
    wire.write("smua.source.levelv = 0.01")
    assert wire.value("status.measurement.instrument.smua.condition") == 2
    assert wire.ask("print(smua.source.compliance)") == "false"
    assert wire.value("status.measurement.instrument.smua.condition") == 0
    assert wire.value("status.measurement.instrument.condition") == 0


def test_overflow_bit(wire):
    wire.write("smua.measure.rangei = 1e-6 smua.source.levelv = 1 smua.source.output = 1 smua.measure.i()")
    assert wire.value("status.measurement.instrument.smua.condition") == 128


@pytest.mark.parametrize(
    ("path", "ptr"),
    [
        ("standard", 253),
        ("operation", 31769),
        ("measurement", 10627),
        ("measurement.instrument.smub", 387),
        ("questionable", 13056),
    ],
)
def test_defined_bits(wire, path, ptr):
    assert wire.values(f"print(status.{path}.ptr, status.{path}.ntr, status.{path}.enable)") == [ptr, 0, 0]


def test_user_condition_can_be_written(wire):
    wire.write("status.operation.user.enable = 1 status.operation.enable = status.operation.USER")
    wire.write("status.operation.user.condition = 1")
    assert wire.value("status.condition") == 128
    wire.write("status.operation.sweeping.condition = 1")
    assert wire.errors() == [-286]


def test_status_reset_leaves_errors_and_settings(wire):
    wire.write("status.request_enable = 32 status.standard.enable = 4 smua.source.limiti = 1e-3 nothing()")
    wire.write("status.reset()")
    assert wire.values("print(status.request_enable, status.standard.enable, smua.source.limiti)") == [0, 0, 1e-3]
    assert wire.errors() == [-286]


def test_reset_leaves_status_enables(wire):
    wire.write("status.request_enable = 32", "reset()")
    assert wire.value("status.request_enable") == 32


def test_interlock_bits(make_wire):
    wire = make_wire(interlock=False)
    assert wire.values("print(status.measurement.condition, status.questionable.condition)") == [0, 1024]
    assert make_wire().values("print(status.measurement.condition, status.questionable.condition)") == [2048, 0]
