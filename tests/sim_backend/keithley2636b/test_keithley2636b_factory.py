"""KISweep and KIPulse run as TSP on the instrument (reference keithley2636b sec. 12)."""

from __future__ import annotations

import itertools

import pytest

_PULSE = (
    "smua.source.rangev = 20 smua.source.rangei = 0.1 smua.measure.rangev = 20 smua.measure.rangei = 0.1 "
    "smua.measure.nplc = 0.01 smua.measure.autozero = smua.AUTOZERO_ONCE smua.nvbuffer1.clear() "
    "smua.nvbuffer1.appendmode = 1 smua.nvbuffer1.collecttimestamps = 1 smua.source.output = 1 "
)


def _sweep(wire, call):
    wire.write("smua.source.limiti = 0.05 smua.measure.rangei = 0.1 smua.measure.nplc = 0.1", call, "print('done')")
    start = wire.clock.now
    assert wire.read(100.0) == "done"
    return wire.clock.now - start


def test_linear_voltage_sweep_blocks_for_the_sweep_and_two_seconds(wire):
    took = _sweep(wire, "SweepVLinMeasureI(smua, -1, 1, 0.01, 11)")
    assert took == pytest.approx(11 * (0.01 + 0.002) + 2, rel=0.02)
    levels = [-1 + 0.2 * k for k in range(11)]
    assert wire.values("printbuffer(1, 11, smua.nvbuffer1)") == pytest.approx([v / 1e3 for v in levels], abs=2e-7)
    assert wire.values("printbuffer(1, 11, smua.nvbuffer1.sourcevalues)") == pytest.approx(levels)
    times = wire.values("printbuffer(1, 11, smua.nvbuffer1.timestamps)")
    assert times[10] == pytest.approx(10 * 0.0121, rel=0.02)


def test_settings_are_as_before_and_the_output_is_off(wire):
    wire.write("smua.source.levelv = 0.7 smua.source.func = smua.OUTPUT_DCAMPS trigger.timer[1].delay = 0.25")
    _sweep(wire, "SweepVLinMeasureI(smua, 0, 5, 0.001, 5)")
    assert wire.values(
        "print(smua.source.output, smua.source.func, smua.source.levelv, smua.source.autorangev, smua.measure.autozero,"
        " trigger.timer[1].delay, smua.trigger.count)"
    ) == [0, 0, 0.7, 1, 2, 0.25, 1]
    assert wire.errors() == []


def test_no_settling_time_measures_at_once(wire):
    took = _sweep(wire, "SweepVLinMeasureI(smua, 0, 1, 0, 5)")
    assert took == pytest.approx(2 + 5 * 0.0022, abs=0.01)


def test_log_and_list_sweeps(wire):
    _sweep(wire, "SweepVLogMeasureI(smua, 0.1, 10, 0.001, 3)")
    assert wire.values("printbuffer(1, 3, smua.nvbuffer1)") == pytest.approx([1e-4, 1e-3, 1e-2], rel=2e-3)
    _sweep(wire, "SweepVListMeasureI(smua, {3, 1, 2}, 0.001, 3)")
    assert wire.values("printbuffer(1, 3, smua.nvbuffer1)") == pytest.approx([3e-3, 1e-3, 2e-3], rel=1e-3)


def test_current_sweeps(wire):
    _sweep(wire, "SweepILinMeasureV(smua, 1e-3, 5e-3, 0.001, 3)")
    assert wire.values("printbuffer(1, 3, smua.nvbuffer1)") == pytest.approx([1, 3, 5], rel=1e-5)
    _sweep(wire, "SweepILogMeasureV(smua, 1e-4, 1e-2, 0.001, 3)")
    assert wire.values("printbuffer(1, 3, smua.nvbuffer1)") == pytest.approx([0.1, 1, 10], rel=1e-5)
    _sweep(wire, "SweepIListMeasureV(smua, {5e-3, 1e-3}, 0.001, 2)")
    assert wire.values("printbuffer(1, 2, smua.nvbuffer1)") == pytest.approx([5, 1], rel=1e-5)


def test_missing_arguments_hang_at_the_front_panel(wire):
    wire.write("SweepVLinMeasureI(smua, 0, 1)", "print('done')")
    assert wire.read(1000.0) is None
    wire.write("abort")
    assert wire.read() == "done"


def test_pulse_train(wire):
    wire.write(_PULSE)
    assert wire.ask("print(ConfigPulseVMeasureI(smua, 0.5, 5, 0.05, 2e-3, 8e-3, 4, smua.nvbuffer1, 1))") == (
        "true\tPulse 1 configured."
    )
    start = wire.clock.now
    assert wire.ask("print(InitiatePulseTest(1))").split("\t")[0] == "true"
    assert wire.clock.now - start == pytest.approx(4 * 10e-3, rel=0.02)
    assert wire.values("printbuffer(1, 4, smua.nvbuffer1)") == pytest.approx([5e-3] * 4, rel=1e-3)
    assert wire.values("printbuffer(1, 4, smua.nvbuffer1.timestamps)") == pytest.approx([0, 0.01, 0.02, 0.03], abs=1e-5)
    assert wire.values("print(smua.source.output, smua.source.levelv)") == [1, 0]
    assert wire.errors() == []


def test_pulse_is_as_wide_as_asked(wire):
    wire.write(_PULSE, "ConfigPulseVMeasureI(smua, 0.5, 5, 0.05, 2e-3, 8e-3, 2, nil, 3) InitiatePulseTest(3)")
    start, edges, last = wire.clock.now, [], None
    while wire.clock.now < start + 0.03:
        wire.clock.sleep(1e-5)
        now = round(wire.circuit.true_voltage("pd"), 3)
        if now != last:
            edges.append((wire.clock.now, now))
            last = now
    high = [(b[0] - a[0]) for a, b in itertools.pairwise(edges) if a[1] == 5]
    assert high == pytest.approx([2e-3, 2e-3], abs=3e-5)
    assert {v for _, v in edges} == {0, 0.5, 5}


def test_sweeps_of_pulses(wire):
    wire.write(_PULSE, "ConfigPulseVMeasureISweepLin(smua, 0, 1, 5, 0.05, 1e-3, 1e-3, 5, smua.nvbuffer1, 1)")
    wire.write("f, m = InitiatePulseTest(1)")
    assert wire.values("printbuffer(1, 5, smua.nvbuffer1)") == pytest.approx([1e-3, 2e-3, 3e-3, 4e-3, 5e-3], rel=2e-3)
    wire.write(
        "smua.nvbuffer1.clear() ConfigPulseVMeasureISweepLog(smua, 0, 0.1, 10, 0.05, 1e-3, 1e-3, 3, smua.nvbuffer1, 2)",
        "f, m = InitiatePulseTest(2)",
    )
    assert wire.values("printbuffer(1, 3, smua.nvbuffer1)") == pytest.approx([1e-4, 1e-3, 1e-2], rel=0.02)


def test_current_pulses_into_two_buffers_with_times_of_their_own(wire):
    wire.write(
        _PULSE,
        "smua.source.output = 0 smua.source.func = 0 smua.source.rangei = 0.01 smua.measure.rangev = 20",
        "smua.source.output = 1 smua.nvbuffer2.clear() smua.nvbuffer2.appendmode = 1",
        "config = {ConfigPulseIMeasureV(smua, 0, 2e-3, 10, 1e-3, {1e-3, 5e-3, 1e-3}, 3, {i = smua.nvbuffer1, v "
        "= smua.nvbuffer2}, 4)}",
        "run = {InitiatePulseTest(4)}",
    )
    assert wire.ask("print(config[1], config[2], run[1])") == "true\tPulse 4 configured.\ttrue"
    assert wire.values("printbuffer(1, 3, smua.nvbuffer2)") == pytest.approx([2] * 3, rel=1e-4)
    assert wire.values("printbuffer(1, 3, smua.nvbuffer1.timestamps)") == pytest.approx([0, 2e-3, 8e-3], abs=1e-5)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("smua.nvbuffer1.appendmode = 0", "Buffer must have appendmode activated to measure multiple pulses"),
        ("smua.source.autorangev = 1", "autorange"),
        ("smua.measure.autorangei = 1", "autorange"),
        ("smua.measure.autozero = 2", "utozero"),
        ("smua.measure.nplc = 1", "perture"),
    ],
)
def test_preconditions_come_back_as_values(wire, spoil, message):
    wire.write(_PULSE, spoil)
    verdict, text = wire.ask("print(ConfigPulseVMeasureI(smua, 0, 5, 0.05, 2e-3, 8e-3, 4, smua.nvbuffer1, 1))").split(
        "\t"
    )
    assert verdict == "false"
    assert message in text
    assert wire.errors() == []


def test_output_must_be_on_and_the_tag_known(wire):
    wire.write(_PULSE, "smua.source.output = 0 ConfigPulseVMeasureI(smua, 0, 5, 0.05, 2e-3, 8e-3, 1, nil, 1)")
    assert wire.ask("print(InitiatePulseTest(1))").startswith("false\t")
    assert wire.ask("print(InitiatePulseTest(99))").startswith("false\t")
    assert wire.ask("print(QueryPulseConfig(1).level, QueryPulseConfig(1).ton, QueryPulseConfig(99))") == (
        "5.00000e+00\t2.00000e-03\tnil"
    )
    assert wire.ask("print(QueryPulseConfig(1).tostring())").startswith("tag = 1")


def test_shifted_arguments_are_refused_as_values(wire):
    wire.write(_PULSE)
    assert wire.ask("print(ConfigPulseVMeasureI(smua, 0, 5, 0.05, 2e-3, 8e-3, smua.nvbuffer1, 1))").startswith(
        "false\t"
    )


def test_dual_pulse(wire):
    wire.write(_PULSE, _PULSE.replace("smua", "smub"))
    wire.write(
        "ConfigPulseVMeasureI(smua, 0, 5, 0.05, 2e-3, 8e-3, 3, smua.nvbuffer1, 1)",
        "ConfigPulseVMeasureI(smub, 0, 2, 0.05, 1.9e-3, 8e-3, 3, smub.nvbuffer1, 2)",
    )
    assert wire.ask("print(InitiatePulseTestDual(2, 1))").startswith("false\t")
    assert wire.ask("print(InitiatePulseTestDual(1, 2))").startswith("true\t")
    assert wire.values("print(smua.nvbuffer1.n, smub.nvbuffer1.n)") == [3, 3]
    assert wire.errors() == []


def test_synchronised_pulses(wire):
    heard = []
    wire.lines.listen("smu.digio.6", lambda level: heard.append(level))
    wire.write(
        _PULSE,
        "digio.trigger[5].mode = digio.TRIG_RISING digio.trigger[6].mode = digio.TRIG_RISINGM",
        "ConfigPulseVMeasureI(smua, 0, 5, 0.05, 2e-3, 8e-3, 2, nil, 1, 5, 6, 20, true)",
        "print(InitiatePulseTest(1))",
    )
    assert wire.read(15.0) is None
    wire.lines.pulse("smu.digio.5")
    assert wire.read(1.0).startswith("true\t")
    assert heard == [True, False] * 2
    wire.write("print(InitiatePulseTest(1))")
    assert wire.read(30.0).startswith("false\t")


def test_one_shot(wire):
    wire.write("smua.source.limiti = 0.05")
    assert wire.ask("print(PulseVMeasureI(smua, 0, 5, 2e-3, 8e-3, 3))").startswith("true\t")
    assert wire.values("printbuffer(1, 3, smua.nvbuffer1)") == pytest.approx([5e-3] * 3, rel=1e-3)
    assert wire.value("smua.source.output") == 0
