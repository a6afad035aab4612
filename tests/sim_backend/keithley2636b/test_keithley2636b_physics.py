"""What the channels do to the circuit and what they read of it (reference part 3.2, F5-F13; keithley2636b "
"sec. 13, 14)."""

from __future__ import annotations

import math
from statistics import fmean, stdev

import pytest

_ON = "smua.source.levelv = 0 smua.source.output = 1 "
_FIXED = "smua.measure.autozero = 0 smua.measure.delay = 0 smua.measure.nplc = 0.01 smua.source.rangev = 0.2 "


def _read(wire, current_range, dwell, nplc=0.01, limit=1e-4, programmed=False):
    """R (ohm) by a straight line through 21 points of +-0.1 V, from measured or programmed voltage; the readings."""
    wire.write(
        f"smua.source.limiti = {limit} smua.measure.nplc = {nplc} smua.measure.rangei = {current_range}",
        "format.data = format.REAL64 smua.nvbuffer1.clear() smua.nvbuffer2.clear() smua.nvbuffer1.appendmode = 1",
        "smua.nvbuffer2.appendmode = 1 smua.nvbuffer1.collectsourcevalues = 1",
    )
    values = wire.block(
        f"for k = 0, 20 do smua.source.levelv = -0.1 + 0.01 * k delay({dwell}) "
        "smua.measure.iv(smua.nvbuffer1, smua.nvbuffer2) end "
        "printbuffer(1, 21, smua.nvbuffer1, smua.nvbuffer2, smua.nvbuffer1.sourcevalues, smua.nvbuffer1.statuses)"
    )
    amps, volts = values[0::4], values[2::4] if programmed else values[1::4]
    mean_v, mean_i = fmean(volts), fmean(amps)
    slope = sum((v - mean_v) * (i - mean_i) for v, i in zip(volts, amps, strict=True))
    slope /= sum((v - mean_v) ** 2 for v in volts)
    return 1 / slope, amps, [int(s) for s in values[3::4]]


def test_ohms_law(wire):
    wire.write("smua.source.levelv = 1 smua.source.output = 1 smua.measure.rangei = 1e-3")
    assert wire.values("print(smua.measure.iv())") == pytest.approx([1e-3, 1], rel=1e-6)
    assert wire.values("print(smua.measure.r(), smua.measure.p())") == pytest.approx([1e3, 1e-3], rel=1e-5)
    wire.write("smua.source.func = 0 smua.source.leveli = -2e-3")
    assert wire.values("print(smua.measure.v(), smua.measure.i())") == pytest.approx([-2, -2e-3], rel=1e-5)


def test_both_channels_are_separate(make_wire):
    wire = make_wire(channel="b")
    wire.write("smub.source.levelv = 1 smub.source.output = 1 smua.source.levelv = 5 smua.source.output = 1")
    assert wire.circuit.true_voltage("pd") == pytest.approx(1)
    assert wire.value("smub.measure.i()") == pytest.approx(1e-3, rel=1e-4)
    assert abs(wire.value("smua.measure.i()")) < 1e-12


# -- F5 to F8: what the other source sees ----------------------------------------------------------------------------


def test_f5_generator_left_on_at_its_idle_voltage(make_wire):
    wire = make_wire(resistance=400e3)
    wire.generator.drive(0.0, 50.0)
    wire.write(_FIXED, _ON)
    wire.finish(0.1)
    measured, _, statuses = _read(wire, 1e-4, 0.01)
    assert measured == pytest.approx(50, rel=0.01)
    assert sum(bool(s & 64) for s in statuses) == 20
    programmed, _, _ = _read(wire, 1e-4, 0.01, programmed=True)
    assert programmed == pytest.approx(700, rel=0.1)


@pytest.mark.parametrize(("limit", "held"), [(1e-3, 4.2 - 50 * 1e-3), (10e-3, 4.2 - 50 * 10e-3), (100e-3, 4.2 / 51)])
def test_f6_normal_off_loads_a_pulse(make_wire, limit, held):
    wire = make_wire(resistance=400e3)
    wire.write(f"smua.source.offlimiti = {limit}")
    wire.finish(1)
    wire.generator.drive(4.2, 50.0)
    wire.finish(29e-6)
    assert wire.circuit.true_voltage("pd") == pytest.approx(4.2 / 51, rel=1e-3)
    wire.finish(71e-6)
    assert wire.circuit.true_voltage("pd") == pytest.approx(held, rel=1e-3)


def test_f7_still_on_at_zero_volts(make_wire):
    wire = make_wire(resistance=400e3)
    wire.write("smua.source.limiti = 1e-4", _ON)
    wire.finish(1)
    wire.generator.drive(4.2, 50.0)
    wire.finish(100e-6)
    assert wire.circuit.true_voltage("pd") == pytest.approx(4.2 - 50 * 1e-4, rel=1e-3)
    assert wire.ask("print(smua.source.compliance)") == "true"
    wire.write("smua.source.limiti = 0.1")
    wire.finish(100e-6)
    assert wire.circuit.true_voltage("pd") == pytest.approx(0, abs=1e-6)


def test_high_impedance_lets_the_pulse_pass(make_wire):
    wire = make_wire(resistance=80e3)
    wire.write("smua.source.offmode = smua.OUTPUT_HIGH_Z")
    wire.finish(1)
    wire.generator.drive(4.2, 50.0)
    assert wire.circuit.true_voltage("pd") == pytest.approx(4.2 * 80e3 / (80e3 + 50), rel=1e-9)


def test_off_states(make_wire):
    wire = make_wire(resistance=1e6)
    wire.generator.drive(1.0, 1e3)
    wire.write("smua.source.offfunc = smua.OUTPUT_DCAMPS")
    assert wire.circuit.true_voltage("pd") == pytest.approx(1.0, rel=0.01)  # no current
    wire.write("smua.source.offmode = smua.OUTPUT_ZERO smua.source.limiti = 1e-4")
    wire.finish(1e-3)
    assert wire.circuit.true_voltage("pd") == pytest.approx(1.0 - 0.1, rel=0.01)


def test_f8_relay_takes_its_time_and_is_counted(wire):
    wire.write("smua.source.levelv = 1 smua.source.offmode = smua.OUTPUT_HIGH_Z")
    wire.finish(1)
    before = wire.smu.relay_operations["a"]
    wire.write("smua.source.output = 1")
    wire.finish(4.9e-3)
    assert wire.circuit.true_voltage("pd") == 0
    wire.finish(0.2e-3)
    assert wire.circuit.true_voltage("pd") == pytest.approx(1)
    wire.write("smua.source.output = 0")
    assert wire.smu.relay_operations["a"] - before == 2


def test_measurement_waits_for_the_relay(wire):
    wire.write("smua.source.offmode = 2 smua.source.levelv = 1 smua.measure.rangei = 1e-2 smua.measure.delay = 0")
    wire.finish(1)
    wire.write("smua.source.output = 1 smua.measure.autozero = 0 smua.measure.nplc = 0.001")
    assert wire.value("smua.measure.i()") == pytest.approx(1e-3, rel=0.1)


def test_functions_wait_for_what_was_set_before(wire):
    wire.write("smua.source.offmode = 2 smua.source.rangev = 20 smua.source.levelv = 1 smua.trigger.source.listv({5})")
    wire.write("smua.trigger.source.action = 1 smua.source.delay = 0.1")
    wire.finish(1)
    begun = wire.clock.now
    wire.write("smua.source.output = 1 digio.writebit(1, 1) smua.trigger.initiate() print('on')")
    assert not wire.lines.level("smu.digio.1")
    assert wire.read() == "on"
    assert wire.clock.now - begun == pytest.approx(5e-3 + 0.1 + 0.5e-3, abs=1e-6)
    assert wire.lines.level("smu.digio.1")
    assert wire.circuit.true_voltage("pd") == pytest.approx(5)


def test_output_high_z_opens_the_relay_and_reads_back_off(wire):
    wire.generator.drive(1.0, 1e3)
    wire.write("smua.source.output = smua.OUTPUT_HIGH_Z")
    wire.finish(0.1)
    assert wire.value("smua.source.output") == 0
    assert wire.circuit.true_voltage("pd") == pytest.approx(0.5)
    wire.write("smua.source.output = 1")
    wire.finish(0.1)
    assert wire.circuit.true_voltage("pd") == pytest.approx(0, abs=1e-4)


# -- F9, F10: compliance and overflow --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resistance", "limit", "programmed", "measured"), [(80e3, 0.5e-6, 147e3, 80e3), (400e3, 0.1e-6, 733e3, 400e3)]
)
def test_f9_clipping(make_wire, resistance, limit, programmed, measured):
    wire = make_wire(resistance=resistance)
    wire.write(_FIXED, _ON)
    wire.finish(0.1)
    found, _, statuses = _read(wire, 1e-5, 0.02, limit=limit)
    assert found == pytest.approx(measured, rel=2e-3)
    found, amps, _ = _read(wire, 1e-5, 0.02, limit=limit, programmed=True)
    assert found == pytest.approx(programmed, rel=0.02)
    assert max(amps) == pytest.approx(limit, rel=1e-2)
    assert any(s & 64 for s in statuses)
    assert not all(s & 64 for s in statuses)


def test_current_source_into_an_open_load_goes_to_the_limit(make_wire):
    wire = make_wire(resistance=1e9)
    wire.write("smua.source.func = 0 smua.source.leveli = 1e-3 smua.source.limitv = 5 smua.source.output = 1")
    assert wire.value("smua.measure.v()") == pytest.approx(5, rel=1e-6)
    assert wire.ask("print(smua.source.compliance)") == "true"
    assert wire.value("status.measurement.instrument.smua.condition") == 1


def test_power_limit(wire):
    wire.write("smua.source.levelv = 10 smua.source.limitp = 0.05 smua.source.output = 1")
    wire.finish(1e-3)
    assert wire.value("smua.measure.i()") == pytest.approx(0.005, rel=1e-3)


def test_f10_overflow_of_a_fixed_range(make_wire):
    for resistance, overflows in ((400e3, False), (80e3, True)):
        wire = make_wire(resistance=resistance)
        wire.write(_FIXED, "smua.measure.rangei = 1e-6 smua.source.levelv = 0.1 smua.source.output = 1")
        wire.finish(0.1)
        reading = wire.ask("print(smua.measure.i())")
        assert (reading == "9.91000e+37") is overflows
        assert (wire.ask("print(smua.measure.r())") == "9.91000e+37") is overflows


@pytest.mark.parametrize(("fraction", "overflows"), [(1.019, False), (1.021, True)])
def test_measurement_goes_to_102_percent(wire, fraction, overflows):
    wire.write(_FIXED, f"smua.source.rangev = 2 smua.measure.rangei = 1e-3 smua.source.levelv = {fraction}")
    wire.write("smua.source.output = 1")
    wire.finish(0.1)
    assert (wire.value("smua.measure.i()") > 1) is overflows


# -- F11 to F13: settling, autorange, noise --------------------------------------------------------------------------


@pytest.mark.parametrize(("dwell", "least", "most"), [(0.1e-3, 0.4, 0.7), (1e-3, 0.004, 0.012), (10e-3, -1e-5, 1e-5)])
def test_f11_reading_too_early_on_a_low_range(make_wire, dwell, least, most):
    wire = make_wire(resistance=400e3)
    wire.write(_FIXED, _ON)
    wire.finish(1)
    overhead = 0.001 / 50 + 33e-6  # the measurement itself: the dwell ends with it
    found, _, _ = _read(wire, 1e-6, dwell - overhead, nplc=0.001)
    assert least < found / 400e3 - 1 < most


def test_f11_charge_of_the_cable(make_wire):
    wire = make_wire(resistance=1e12)
    wire.write(_FIXED, _ON, "smua.measure.rangei = 1e-6 smua.measure.nplc = 0.001")
    wire.finish(1)
    tau = 2.5e-3 / 6.9
    wire.write("smua.source.levelv = 0.1 print(smua.measure.i())")
    expected = 150e-12 * 0.1 / tau * math.exp(-(33e-6 + 10e-6) / tau)
    assert float(wire.read()) == pytest.approx(expected, rel=0.01)


def test_default_delay_settles_every_range(make_wire):
    for current_range in (1e-9, 1e-7, 1e-5, 1e-3):
        wire = make_wire(resistance=0.1 / current_range)
        wire.write("smua.source.rangev = 0.2", _ON, f"smua.measure.rangei = {current_range} smua.measure.nplc = 0.01")
        wire.finish(10)
        wire.write("smua.source.levelv = 0.1")
        assert wire.value("smua.measure.i()") == pytest.approx(current_range, rel=1.5e-3)


def test_f12_autorange_takes_the_time_of_every_range_on_its_way(make_wire):
    wire = make_wire(resistance=400e3)
    wire.write("smua.source.levelv = 0.1 smua.source.output = 1 smua.measure.nplc = 0.1 smua.measure.autozero = 0")
    start = wire.clock.now
    assert wire.value("smua.measure.i()") == pytest.approx(0.25e-6, rel=1e-3)
    walk = wire.clock.now - start
    assert wire.value("smua.measure.rangei") == 1e-6
    delays = 80e-6 + 80e-6 + 100e-6 + 150e-6 + 500e-6 + 2.5e-3
    assert walk == pytest.approx(delays + 5 * 150e-6 + 6 * 0.1 / 50 + 33e-6 + 0.5e-3, rel=0.01)
    start = wire.clock.now
    wire.value("smua.measure.i()")
    assert wire.clock.now - start == pytest.approx(2.5e-3 + 0.1 / 50 + 33e-6 + 0.5e-3, rel=0.01)
    wire.write("smua.source.levelv = 1")
    assert wire.value("smua.measure.i()") == pytest.approx(2.5e-6, rel=1e-2)
    assert wire.value("smua.measure.rangei") == 1e-5


def test_autorange_stays_within_the_limit_and_the_lowest_range(make_wire):
    wire = make_wire(resistance=1e12)
    wire.write("smua.measure.lowrangei = 1e-7 smua.source.output = 1 smua.measure.i()")
    assert wire.value("smua.measure.rangei") == 1e-7
    wire = make_wire(resistance=1.0)
    wire.write(
        "smua.source.limiti = 5e-6 smua.measure.rangei = 1e-7 smua.measure.autorangei = 1 smua.source.levelv = 1"
    )
    wire.write("smua.source.output = 1")
    assert wire.value("smua.measure.i()") == pytest.approx(5e-6, rel=1e-3)
    assert wire.value("smua.measure.rangei") == 1e-5


def test_voltmeter_autorange(wire):
    wire.write("smua.source.func = 0 smua.source.leveli = 5e-3 smua.source.output = 1")
    assert wire.value("smua.measure.v()") == pytest.approx(5, rel=1e-4)
    assert wire.value("smua.measure.rangev") == 20


@pytest.mark.parametrize("nplc", [0.01, 1, 10])
def test_f13_noise_of_a_range(make_wire, nplc):
    wire = make_wire(resistance=1e5, noise=True)
    wire.write("smua.source.rangev = 0.2 smua.source.levelv = 0.1 smua.source.output = 1 smua.measure.delay = 0.01")
    wire.write(f"smua.measure.autozero = 0 smua.measure.rangei = 1e-6 smua.measure.nplc = {nplc} format.data = 3")
    n = 400
    values = wire.block(f"smua.measure.count = {n} smua.measure.i(smua.nvbuffer1) printbuffer(1, {n}, smua.nvbuffer1)")
    sigma = 1e-6 * 1e-5 / math.sqrt(nplc)
    # seeded; chi-square band of 400 normal draws with a false-alarm rate of 1e-4 on either side
    assert 0.866 * sigma < stdev(values) < 1.14 * sigma
    assert fmean(values) == pytest.approx(1e-6, abs=4 * sigma / math.sqrt(n))


def test_noise_depends_on_seed_and_measurement_only(make_wire):
    def readings(seed, extra=""):
        wire = make_wire(noise=True, seed=seed)
        wire.write(
            "smua.source.levelv = 1 smua.source.output = 1 smua.measure.rangei = 1e-3 format.asciiprecision = 12"
        )
        wire.write(extra)
        return [wire.value("smua.measure.i()") for _ in range(3)]

    assert readings(1) == readings(1)
    assert readings(1) == readings(1, "smub.measure.v() delay(1)")
    assert readings(1) != readings(2)


def test_readings_are_whole_counts(make_wire):
    wire = make_wire(noise=True)
    wire.write("smua.source.levelv = 0.15 smua.source.output = 1 smua.measure.rangei = 1e-3 format.data = 3")
    (amps,) = wire.block("printnumber(smua.measure.i())")
    assert amps / 1e-9 == pytest.approx(round(amps / 1e-9), abs=1e-6)
    (volts,) = wire.block("printnumber(smua.measure.v())")
    assert volts / 1e-7 == pytest.approx(round(volts / 1e-7), abs=1e-6)


def test_source_has_counts_too(wire):
    wire.write("smua.source.rangev = 0.2 smua.source.levelv = 0.0123456 smua.source.output = 1")
    assert wire.circuit.true_voltage("pd") == pytest.approx(0.012345, abs=1e-9)
    assert wire.value("smua.source.levelv") == pytest.approx(0.0123456)


# -- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setup", "seconds"),
    [
        ("smua.measure.nplc = 1", 0.02),
        ("smua.measure.nplc = 10", 0.2),
        ("smua.measure.nplc = 1 localnode.linefreq = 60", 1 / 60),
        ("smua.measure.nplc = 0.1 smua.measure.delay = 0.5", 0.502),
        ("smua.measure.nplc = 1 smua.measure.filter.count = 5 smua.measure.filter.enable = 1", 0.1),
    ],
)
def test_duration_of_a_reading(wire, setup, seconds):
    wire.write("smua.measure.autozero = 0 smua.measure.rangei = 1e-3 smua.measure.delay = 0 " + setup)
    start = wire.clock.now
    wire.value("smua.measure.i()")
    assert wire.clock.now - start == pytest.approx(seconds + 33e-6 + 0.5e-3, rel=1e-3)


def test_autozero_adds_two_conversions_when_its_references_are_old(wire):
    wire.write("smua.measure.rangei = 1e-3 smua.measure.delay = 0")

    def seconds():
        start = wire.clock.now
        wire.value("smua.measure.i()")
        return wire.clock.now - start

    first, second = seconds(), seconds()
    assert first - second == pytest.approx(0.04, abs=1e-4)
    wire.write("smua.measure.nplc = 2")
    assert seconds() == pytest.approx(3 * 0.04, abs=1e-3)
    wire.finish(20)
    assert seconds() == pytest.approx(3 * 0.04, abs=1e-3)


@pytest.mark.parametrize(
    ("range_", "seconds"), [(1e-9, 0.45), (1e-8, 0.09), (1e-6, 2.5e-3), (1e-4, 150e-6), (1.0, 120e-6)]
)
def test_automatic_delay_by_range(wire, range_, seconds):
    wire.write(f"smua.measure.autozero = 0 smua.measure.nplc = 0.001 smua.measure.rangei = {range_}")
    start = wire.clock.now
    wire.ask("print(smua.measure.i())")
    assert wire.clock.now - start == pytest.approx(seconds + 20e-6 + 33e-6 + 0.5e-3, abs=1e-7)
    wire.write("smua.measure.delayfactor = 2")
    start = wire.clock.now
    wire.ask("print(smua.measure.i())")
    factor = 1 if range_ == 1e-9 else 2
    assert wire.clock.now - start >= factor * seconds


def test_source_delay_comes_after_every_change(wire):
    wire.write("smua.source.rangev = 2 smua.source.delay = 0.1 smua.source.output = 1")
    wire.finish(1)
    wire.write("smua.source.levelv = 1 smua.source.levelv = 2 smua.source.levelv = 0.5")
    seen = []
    for _ in range(4):
        seen.append(round(wire.circuit.true_voltage("pd"), 3))
        wire.finish(0.0999)
    assert seen == [1, 1, 2, 0.5]


def test_digital_filters(make_wire):
    wire = make_wire(noise=False)
    wire.write(_FIXED, "smua.source.rangev = 2 smua.source.output = 1 smua.measure.filter.count = 3")
    for kind, expected in ((0, [1, 1, 1, 1.25]), (2, [1, 1, 1, 1])):
        wire.write(f"smua.measure.filter.type = {kind} smua.measure.filter.enable = 1 smua.source.levelv = 1")
        readings = [wire.value("smua.measure.v()") for _ in range(3)]
        wire.write("smua.source.levelv = 1.75")
        readings.append(wire.value("smua.measure.v()"))
        assert readings == pytest.approx(expected, abs=1e-5)


def test_relative_readings(wire):
    wire.write(
        "smua.source.levelv = 1 smua.source.output = 1 smua.measure.rel.levelv = 0.25 smua.measure.rel.enablev = 1"
    )
    assert wire.value("smua.measure.v()") == pytest.approx(0.75, abs=1e-5)


def test_measure_and_step(wire):
    wire.write("smua.source.rangev = 20 smua.measure.rangei = 0.1 smua.source.levelv = 1 smua.source.output = 1")
    assert wire.values("print(smua.measureivandstep(5))") == pytest.approx([1e-3, 1], rel=1e-3)
    assert wire.circuit.true_voltage("pd") == pytest.approx(5)
    wire.write("smua.source.autorangev = 1", "smua.measurevandstep(1)")
    wire.write("smua.source.rangev = 20 smua.measure.autorangei = 1", "smua.measureiandstep(1)")
    assert wire.errors() == [5028, 5044]


# -- interlock, contact check ----------------------------------------------------------------------------------------


def test_interlock_blocks_high_voltage_only(make_wire):
    wire = make_wire(resistance=1e6, interlock=False)
    wire.write("smua.source.levelv = 20 smua.source.output = 1 smua.source.output = 0")
    assert wire.errors() == []
    wire.write("smua.source.levelv = 21 smua.source.output = 1")
    assert wire.error() == (802, "SMU A: OUTPUT blocked by interlock")
    assert wire.value("smua.source.output") == 0
    wire.write("smua.source.levelv = 1 smua.source.outputenableaction = smua.OE_OUTPUT_OFF smua.source.output = 1")
    assert wire.errors() == [802]
    wire.write("smub.source.func = 0 smub.source.limitv = 30 smub.source.output = 1")
    assert wire.errors() == [802]


def test_opening_the_interlock_drops_the_output(make_wire):
    wire = make_wire(resistance=1e6)
    wire.write("smua.source.levelv = 100 smua.source.output = 1")
    wire.finish(0.1)
    assert wire.circuit.true_voltage("pd") == pytest.approx(100)
    wire.smu.set_interlock(False)
    wire.finish(0.1)
    assert wire.circuit.true_voltage("pd") == pytest.approx(0, abs=1e-3)
    assert wire.errors() == [802]


@pytest.mark.parametrize(
    ("setup", "code"),
    [
        ("smua.source.offmode = smua.OUTPUT_HIGH_Z", 5048),
        ("smua.source.offlimiti = 1e-4", 5066),
        ("smua.source.limiti = 1e-4 smua.source.output = 1", 5050),
        ("smua.source.func = 0 smua.source.leveli = 1e-3 smua.source.output = 1", 5049),
        ("smua.source.func = 0 smua.source.rangei = 1e-4 smua.source.output = 1", 5065),
    ],
)
def test_contact_check_that_cannot_be(wire, setup, code):
    wire.write(setup, "smua.contact.check()")
    assert wire.errors() == [code]


def test_contact_check(make_wire):
    wire = make_wire(contact=(0.5, 80.0))
    assert wire.values("print(smua.contact.r())") == [0.5, 80]
    assert wire.ask("print(smua.contact.check())") == "false"
    wire.write("smua.contact.threshold = 100")
    start = wire.clock.now
    assert wire.ask("smua.contact.speed = smua.CONTACT_SLOW print(smua.contact.check())") == "true"
    assert wire.clock.now - start == pytest.approx(0.036 + 0.5e-3, abs=1e-6)
