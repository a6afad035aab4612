"""Trigger model, timers, blenders, digital lines (reference keithley2636b sec. 11)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.keithley2636b.publish_channel import linear_levels, log_levels

_QUICK = (
    "smua.measure.rangei = 1e-2 smua.source.rangev = 20 smua.measure.nplc = 0.01 smua.measure.autozero = 0 "
    "smua.measure.delay = 0 smua.nvbuffer1.collecttimestamps = 1 smua.nvbuffer1.collectsourcevalues = 1 "
)
_NPLC = 0.01 / 50 + 33e-6  # s of one such measurement
_SOURCE = 38e-6  # s of a source action


def _times(wire, n):
    return wire.values(f"format.asciiprecision = 10 printbuffer(1, {n}, smua.nvbuffer1.timestamps)")


def test_linear_sweep_runs_while_the_line_returns(wire):
    wire.write(
        _QUICK,
        "smua.trigger.source.linearv(1, 5, 5) smua.trigger.source.action = smua.ENABLE",
        "smua.trigger.measure.iv(smua.nvbuffer1, smua.nvbuffer2) smua.trigger.measure.action = smua.ENABLE",
        "smua.trigger.count = 5 smua.trigger.endsweep.action = smua.SOURCE_IDLE smua.source.output = 1",
        "smua.trigger.initiate() print('returned')",
    )
    assert wire.read(0.00051) == "returned"
    assert wire.value("status.operation.sweeping.condition") == 2
    wire.write("waitcomplete()")
    assert wire.values("printbuffer(1, 5, smua.nvbuffer1)") == pytest.approx([1e-3, 2e-3, 3e-3, 4e-3, 5e-3], rel=0.01)
    assert wire.values("printbuffer(1, 5, smua.nvbuffer2)") == pytest.approx([1, 2, 3, 4, 5], rel=1e-5)
    assert wire.values("printbuffer(1, 5, smua.nvbuffer1.sourcevalues)") == [1, 2, 3, 4, 5]
    assert wire.value("status.operation.sweeping.condition") == 0
    assert wire.circuit.true_voltage("pd") == 0
    step = _NPLC + _SOURCE
    assert _times(wire, 5) == pytest.approx([k * step for k in range(5)], abs=2e-6)
    assert wire.errors() == []


def test_hold_at_the_end_keeps_the_last_level(wire):
    wire.write(
        "smua.source.rangev = 20 smua.trigger.source.listv({1, 4}) smua.trigger.source.action = 1 "
        "smua.trigger.count = 2",
        "smua.trigger.endsweep.action = smua.SOURCE_HOLD smua.source.output = 1 smua.trigger.initiate() waitcomplete()",
    )
    wire.finish(1)
    assert wire.circuit.true_voltage("pd") == pytest.approx(4)
    wire.write("smua.source.levelv = 2")
    assert wire.circuit.true_voltage("pd") == pytest.approx(2)


def test_list_restarts_when_the_count_is_longer(wire):
    wire.write(
        _QUICK,
        "smua.trigger.source.listv({1, 2}) smua.trigger.source.action = 1 smua.trigger.count = 5",
        "smua.trigger.measure.v(smua.nvbuffer1) smua.trigger.measure.action = 1 smua.source.output = 1",
        "smua.trigger.initiate() waitcomplete()",
    )
    assert wire.values("printbuffer(1, 5, smua.nvbuffer1)") == pytest.approx([1, 2, 1, 2, 1], rel=1e-5)


def test_arm_count_repeats_the_sweep(wire):
    wire.write(
        _QUICK,
        "smua.trigger.source.listv({1, 2}) smua.trigger.source.action = 1 smua.trigger.count = 2",
        "smua.trigger.arm.count = 3 smua.trigger.measure.v(smua.nvbuffer1) smua.trigger.measure.action = 1",
        "smua.source.output = 1 smua.trigger.initiate() waitcomplete()",
    )
    assert wire.values("printbuffer(1, 6, smua.nvbuffer1)") == pytest.approx([1, 2] * 3, rel=1e-5)


def test_current_sweep(wire):
    wire.write(
        "smua.source.func = smua.OUTPUT_DCAMPS smua.source.rangei = 1e-2 smua.measure.nplc = 0.01",
        "smua.measure.autozero = 0 smua.trigger.source.logi(1e-4, 1e-2, 3, 0) smua.trigger.source.action = 1",
        "smua.trigger.measure.v(smua.nvbuffer1) smua.trigger.measure.action = 1 smua.trigger.count = 3",
        "smua.source.output = 1 smua.trigger.initiate() waitcomplete()",
    )
    assert wire.values("printbuffer(1, 3, smua.nvbuffer1)") == pytest.approx([0.1, 1, 10], rel=1e-4)


@pytest.mark.parametrize(
    ("setup", "code"),
    [
        ("smua.trigger.source.action = 1", 5059),
        ("smua.trigger.source.listi({1e-3}) smua.trigger.source.action = 1", 5059),
        ("smua.trigger.measure.action = 1", 5060),
        ("smua.trigger.measure.i(smua.nvbuffer1) smua.trigger.measure.action = 2", 5044),
        ("smua.trigger.measure.i(smua.nvbuffer1) smua.trigger.measure.action = 2 smua.measure.rangei = 1", 5063),
        (
            "smua.trigger.measure.i(smua.nvbuffer1) smua.trigger.measure.action = 2 smua.measure.rangei = 1 "
            "smua.measure.autozero = 0 smua.nvbuffer1.collectsourcevalues = 1",
            5064,
        ),
        ("smua.source.rangev = 2 smua.trigger.source.listv({1, 5}) smua.trigger.source.action = 1", 5005),
        ("smua.trigger.source.logv(-1, 1, 5, 0)", -221),
        ("smua.trigger.source.linearv(1, 2)", 1400),
        ("smua.trigger.source.listv({})", 1401),
        ("smua.trigger.source.listv({500})", -222),
        ("smua.trigger.source.listv(5)", -104),
        ("smua.trigger.measure.iv(smua.nvbuffer1)", 1400),
    ],
)
def test_refused_sweeps(wire, setup, code):
    wire.write(setup)
    if not wire.smu.errors.count:
        wire.write("smua.trigger.initiate()")
    assert wire.errors() == [code]
    assert wire.value("status.operation.sweeping.condition") == 0


def test_abort_leaves_the_level_and_brings_the_limit_back(wire):
    wire.write(
        "smua.source.rangev = 20 smua.source.limiti = 5e-4 smua.trigger.source.limiti = 0.1 smua.source.output = 1",
        "smua.trigger.source.listv({2}) smua.trigger.source.action = 1",
        "smua.trigger.endpulse.stimulus = trigger.EVENT_ID",
        "smua.trigger.initiate()",
    )
    wire.finish(0.1)
    assert wire.circuit.true_voltage("pd") == pytest.approx(2)
    wire.write("smua.abort()")
    wire.finish(0.1)
    assert wire.circuit.true_voltage("pd") == pytest.approx(0.5, rel=1e-3)
    wire.write("smua.source.limiti = 0.1")
    assert wire.circuit.true_voltage("pd") == pytest.approx(2)


def test_second_initiate_is_refused_while_the_first_runs(wire):
    wire.write("smua.trigger.arm.stimulus = trigger.EVENT_ID smua.trigger.initiate()", "smua.trigger.initiate()")
    wire.write("smua.measure.nplc = 0.1", "smua.measure.v()", "smua.trigger.count = 3", "smua.source.output = 0")
    assert wire.errors() == [5042] * 3
    wire.write("smua.abort() smua.measure.nplc = 0.1")
    assert wire.errors() == []


def test_blended_sweep_of_two_channels_as_peers_do_it(wire):
    wire.write(
        _QUICK,
        "smua.trigger.source.listv({1, 2, 3}) smua.trigger.source.action = 1 smua.trigger.count = 3",
        "smua.trigger.measure.iv(smua.nvbuffer1, smua.nvbuffer2) smua.trigger.measure.action = smua.ENABLE",
        "smua.trigger.measure.stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID",
        "smua.trigger.arm.stimulus = trigger.EVENT_ID",
        "trigger.blender[1].orenable = true trigger.blender[1].stimulus[1] = smua.trigger.ARMED_EVENT_ID",
        "trigger.blender[1].stimulus[2] = smua.trigger.PULSE_COMPLETE_EVENT_ID",
        "smua.trigger.source.stimulus = trigger.blender[1].EVENT_ID",
        "trigger.blender[2].orenable = false trigger.blender[2].stimulus[1] = smua.trigger.MEASURE_COMPLETE_EVENT_ID",
        "trigger.blender[2].stimulus[2] = smub.trigger.MEASURE_COMPLETE_EVENT_ID",
        "smua.trigger.endpulse.stimulus = trigger.blender[2].EVENT_ID",
        "smub.measure.rangei = 1e-2 smub.measure.nplc = 1 smub.measure.autozero = 0 smub.measure.delay = 0",
        "smub.trigger.measure.i(smub.nvbuffer1) smub.trigger.measure.action = 1 smub.trigger.count = 3",
        "smub.trigger.measure.stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID smub.trigger.arm.stimulus = "
        "trigger.EVENT_ID",
        "smua.source.output = 1 smua.trigger.initiate() smub.trigger.initiate()",
    )
    assert wire.value("status.operation.sweeping.condition") == 6
    wire.finish(1)
    assert wire.value("smua.nvbuffer1.n") == 0
    wire.write("*trg")
    assert wire.ask("waitcomplete() print('done')") == "done"
    assert wire.values("printbuffer(1, 3, smua.nvbuffer2)") == pytest.approx([1, 2, 3], rel=1e-4)
    assert _times(wire, 3)[2] == pytest.approx(2 * (0.02 + 33e-6 + _SOURCE), abs=1e-4)  # the slower channel paces it
    assert wire.values("print(smub.nvbuffer1.n, status.operation.sweeping.condition)") == [3, 0]
    assert wire.errors() == []


def test_event_numbers_seen_on_a_real_unit(wire):
    assert wire.values(
        "print(trigger.EVENT_ID, smua.trigger.MEASURE_COMPLETE_EVENT_ID, smua.trigger.SOURCE_COMPLETE_EVENT_ID,"
        " smua.trigger.PULSE_COMPLETE_EVENT_ID, smua.trigger.ARMED_EVENT_ID, smub.trigger.MEASURE_COMPLETE_EVENT_ID,"
        " trigger.blender[1].EVENT_ID, trigger.blender[2].EVENT_ID, digio.trigger[5].EVENT_ID)"
    ) == [29, 45, 46, 47, 48, 51, 57, 58, 5]


def test_all_event_numbers_differ(wire):
    names = ["SWEEPING", "SWEEP_COMPLETE", "MEASURE_COMPLETE", "SOURCE_COMPLETE", "PULSE_COMPLETE", "ARMED", "IDLE"]
    expressions = [f"{c}.trigger.{n}_EVENT_ID" for c in ("smua", "smub") for n in names]
    expressions += [f"trigger.timer[{k}].EVENT_ID" for k in range(1, 9)]
    expressions += [f"trigger.blender[{k}].EVENT_ID" for k in range(1, 7)]
    expressions += [f"trigger.generator[{k}].EVENT_ID" for k in (1, 2)]
    expressions += [f"digio.trigger[{k}].EVENT_ID" for k in range(1, 15)]
    expressions += [f"tsplink.trigger[{k}].EVENT_ID" for k in (1, 2, 3)]
    expressions += [f"lan.trigger[{k}].EVENT_ID" for k in range(1, 9)] + [
        "display.trigger.EVENT_ID",
        "trigger.EVENT_ID",
    ]
    ids = [wire.value(e) for e in expressions]
    assert len(set(ids)) == len(ids)


def _watch_pulses(wire, seconds, step=5e-6):
    """Times at which the terminal steps, with the voltage after each step."""
    steps, last, start = [], wire.circuit.true_voltage("pd"), wire.clock.now
    while wire.clock.now < start + seconds:
        wire.clock.sleep(step)
        now = round(wire.circuit.true_voltage("pd"), 6)
        if now != last:
            steps.append((wire.clock.now - start, now))
            last = now
    return steps


_TRAIN = (
    "smua.source.func = smua.OUTPUT_DCVOLTS smua.source.rangev = 20 smua.source.levelv = 0.5 smua.source.limiti = 0.1 "
    "smua.measure.rangei = 0.1 "
    "trigger.timer[1].delay = 2e-3 trigger.timer[1].count = 3 trigger.timer[1].passthrough = true "
    "trigger.timer[1].stimulus = smua.trigger.ARMED_EVENT_ID "
    "trigger.timer[2].delay = 5e-4 trigger.timer[2].count = 1 trigger.timer[2].passthrough = false "
    "trigger.timer[2].stimulus = trigger.timer[1].EVENT_ID "
    "smua.trigger.source.listv({4}) smua.trigger.source.action = smua.ENABLE smua.trigger.source.limiti = 0.1 "
    "smua.trigger.source.stimulus = trigger.timer[1].EVENT_ID smua.trigger.endpulse.action = smua.SOURCE_IDLE "
    "smua.trigger.endpulse.stimulus = trigger.timer[2].EVENT_ID smua.trigger.count = 4 smua.source.output = 1 "
)


def test_pulse_train_of_two_timers(wire):
    wire.write(_TRAIN)
    wire.finish(0.01)
    wire.write("smua.trigger.initiate()")
    steps = _watch_pulses(wire, 8.5e-3)
    ups = [t for t, v in steps if v == pytest.approx(4, rel=1e-3)]
    downs = [t for t, v in steps if v == pytest.approx(0.5, rel=1e-3)]
    assert len(ups) in (3, 4)  # the first rises before the first look
    assert [b - a for a, b in itertools.pairwise(ups)] == pytest.approx([2e-3] * (len(ups) - 1), abs=1e-5)
    assert [down % 2e-3 for down in downs] == pytest.approx([5e-4] * 4, abs=1e-5)
    assert wire.ask("waitcomplete() print(status.operation.sweeping.condition)") == "0.00000e+00"


def test_measurement_within_the_pulse(wire):
    wire.write(
        _TRAIN,
        _QUICK,
        "trigger.timer[3].delay = 2e-4 trigger.timer[3].stimulus = trigger.timer[1].EVENT_ID",
        "smua.trigger.measure.v(smua.nvbuffer1) smua.trigger.measure.action = 1",
        "smua.trigger.measure.stimulus = trigger.timer[3].EVENT_ID smua.trigger.initiate() waitcomplete()",
    )
    assert wire.values("printbuffer(1, 4, smua.nvbuffer1)") == pytest.approx([4] * 4, rel=1e-4)
    assert _times(wire, 4) == pytest.approx([0, 2e-3, 4e-3, 6e-3], abs=2e-6)


def test_asynchronous_measurements_digitise_the_pulse(wire):
    wire.write(
        _TRAIN,
        "smua.measure.nplc = 0.001 smua.measure.autozero = 0 smua.measure.delay = 0",
        "smua.trigger.count = 1 trigger.timer[1].count = 1 trigger.timer[1].delay = 3e-4",
        "trigger.timer[1].passthrough = false",
        "smua.measure.count = 20 smua.trigger.measure.v(smua.nvbuffer1) smua.trigger.measure.action = smua.ASYNC",
        "smua.trigger.initiate() waitcomplete()",
    )
    trace = wire.values("printbuffer(1, 20, smua.nvbuffer1)")
    high = [k for k, v in enumerate(trace) if v > 2]
    assert trace[0] == pytest.approx(0.5, rel=1e-3)
    assert trace[-1] == pytest.approx(0.5, rel=1e-3)
    assert len(high) == pytest.approx(5e-4 / (0.001 / 50 + 33e-6), abs=1)
    assert high == list(range(high[0], high[-1] + 1))
    assert wire.errors() == []


def test_pulses_beyond_the_dc_area_are_cut_and_spaced(make_wire):
    wire = make_wire(resistance=1.0)
    wire.write(
        "smua.source.rangev = 20 smua.source.limiti = 1 smua.measure.rangei = 1 smua.trigger.source.limiti = 5",
        "smua.trigger.source.listv({4}) smua.trigger.source.action = 1 smua.trigger.count = 2",
        "smua.trigger.endpulse.action = smua.SOURCE_IDLE trigger.timer[1].delay = 50e-3",
        "trigger.timer[1].stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID",
        "smua.trigger.endpulse.stimulus = trigger.timer[1].EVENT_ID smua.source.output = 1",
    )
    wire.finish(0.1)
    wire.write("smua.trigger.initiate()")
    steps = _watch_pulses(wire, 0.12, 1e-4)
    downs = [t for t, v in steps if v == 0]
    ups = [t for t, v in steps if v == pytest.approx(4, rel=1e-3)]
    assert downs == pytest.approx([1e-3, 51e-3], abs=3e-4)  # at most 1 ms at 4 A, and the endpulse event later on
    assert ups[-1] == pytest.approx(50e-3, abs=3e-4)
    assert wire.errors() == []


def test_duty_cycle_stretches_the_period(make_wire):
    wire = make_wire(resistance=1.0)
    wire.write(
        "smua.source.rangev = 20 smua.source.limiti = 1 smua.trigger.source.limiti = 5 smua.measure.rangei = 1",
        "smua.trigger.source.listv({4}) smua.trigger.source.action = 1 smua.trigger.count = 2 smua.source.delay = 5e-4",
        "smua.trigger.endpulse.action = smua.SOURCE_IDLE smua.source.output = 1",
    )
    wire.finish(0.1)
    start = wire.clock.now
    assert wire.ask("smua.trigger.initiate() waitcomplete() print('done')") == "done"
    width = 5e-4 + _SOURCE
    assert wire.clock.now - start == pytest.approx(width / 0.022 + width, abs=1e-3)


def test_timer_counts_and_waits(wire):
    wire.write("trigger.timer[4].delay = 0.1 trigger.timer[4].count = 2 trigger.timer[4].stimulus = trigger.EVENT_ID")
    start = wire.clock.now
    wire.write(
        "*TRG", "print(trigger.timer[4].wait(1)) print(trigger.timer[4].wait(1)) print(trigger.timer[4].wait(1))"
    )
    assert [wire.read(), wire.read()] == ["true", "true"]
    assert wire.clock.now - start == pytest.approx(0.2, abs=1e-3)
    assert wire.read() == "false"


def test_timer_delay_list_and_overrun(wire):
    wire.write("t = trigger.timer[1] t.delaylist = {0.1, 0.3} t.count = 3 t.stimulus = trigger.generator[1].EVENT_ID")
    wire.write("g = trigger.generator[1]['assert'] g() g()")
    assert wire.ask("print(t.overrun)") == "true"
    start = wire.clock.now
    wire.write("for k = 1, 3 do t.wait(1) print(k) end")
    times = []
    for _ in range(3):
        wire.read()
        times.append(wire.clock.now - start)
    assert times == pytest.approx([0.1, 0.4, 0.5], abs=2e-3)
    wire.write("t.reset()")
    assert wire.ask("print(t.overrun, t.delay, t.count)") == "false\t1.00000e-05\t1.00000e+00"


def test_blender_waits_for_all_or_any(wire):
    wire.write(
        "b = trigger.blender[3] b.stimulus[1] = trigger.generator[1].EVENT_ID b.stimulus[4] = "
        "trigger.generator[2].EVENT_ID",
        "one = trigger.generator[1]['assert'] two = trigger.generator[2]['assert']",
    )
    wire.write("one() print(b.wait(0))", "two() print(b.wait(0))", "b.orenable = true two() print(b.wait(0))")
    assert [wire.read() for _ in range(3)] == ["false", "true", "true"]


def test_a_ring_of_blenders_does_not_hang(wire):
    wire.write(
        "for k = 1, 2 do trigger.blender[k].orenable = true trigger.blender[k].stimulus[2] = trigger.EVENT_ID end",
        "trigger.blender[1].stimulus[1] = trigger.blender[2].EVENT_ID",
        "trigger.blender[2].stimulus[1] = trigger.blender[1].EVENT_ID",
        "*TRG",
    )
    assert wire.ask("print(1)") == "1.00000e+00"


def test_detectors_set_by_hand(wire):
    wire.write(
        _QUICK,
        "smua.trigger.source.listv({1, 2}) smua.trigger.source.action = 1 smua.trigger.count = 2 "
        "smua.source.output = 1",
        "smua.trigger.source.stimulus = trigger.generator[1].EVENT_ID smua.trigger.initiate()",
    )
    wire.finish(0.1)
    assert wire.circuit.true_voltage("pd") == 0
    wire.write("smua.trigger.source.set()")
    wire.finish(0.1)
    assert wire.circuit.true_voltage("pd") == pytest.approx(1)
    wire.write("trigger.generator[1]['assert']()")
    assert wire.ask("waitcomplete() print('done')") == "done"


# -- digital lines ---------------------------------------------------------------------------------------------------


def test_bits_reach_the_bench(wire):
    heard = []
    wire.lines.listen("smu.digio.1", heard.append)
    wire.write("digio.writebit(1, 1)", "digio.writebit(1, 0)")
    assert heard == [True, False]
    wire.write("digio.writeport(5)")
    assert [wire.lines.level(f"smu.digio.{n}") for n in (1, 2, 3)] == [True, False, True]
    assert wire.values("print(digio.readport(), digio.readbit(3))") == [5, 1]
    wire.write("digio.writeprotect = 4 digio.writeport(0)")
    assert wire.value("digio.readport()") == 4


def test_written_bits_do_nothing_in_trigger_modes(wire):
    wire.write("digio.trigger[1].mode = digio.TRIG_RISINGM digio.writebit(1, 1)")
    assert not wire.lines.level("smu.digio.1")


def test_assert_pulses_the_line(wire):
    heard = []
    wire.lines.listen("smu.digio.2", heard.append)
    wire.write("digio.trigger[2].mode = digio.TRIG_RISINGM digio.trigger[2]['assert']()")
    assert heard == [True, False]
    wire.write("digio.trigger[2].pulsewidth = 0 digio.trigger[2]['assert']()")
    assert heard[2:] == [True]
    wire.write("digio.trigger[2].release()")
    assert heard[3:] == [False]


def test_sweep_drives_a_line(wire):
    heard = []
    wire.lines.listen("smu.digio.2", lambda level: heard.append(wire.clock.now) if level else None)
    wire.write(
        "digio.trigger[2].mode = digio.TRIG_RISINGM digio.trigger[2].stimulus = smua.trigger.SOURCE_COMPLETE_EVENT_ID",
        "smua.trigger.source.linearv(0, 1, 3) smua.trigger.source.action = 1 smua.trigger.count = 3",
        "smua.source.delay = 0.1 smua.source.rangev = 2 smua.source.output = 1 smua.trigger.initiate()",
    )
    wire.finish(1)
    assert [b - a for a, b in itertools.pairwise(heard)] == pytest.approx([0.1, 0.1], abs=1e-4)


def test_edges_from_outside_trigger(wire):
    wire.write("digio.trigger[4].mode = digio.TRIG_FALLING print(digio.trigger[4].wait(10))")
    wire.finish(0.1)
    wire.lines.set("smu.digio.4", True)
    assert not wire.smu.pending()
    wire.lines.set("smu.digio.4", False)
    assert wire.read(0.01) == "true"
    wire.write("digio.trigger[4].mode = digio.TRIG_EITHER")
    wire.lines.pulse("smu.digio.4")
    assert wire.ask("print(digio.trigger[4].overrun, digio.trigger[4].wait(0), digio.trigger[4].wait(0))") == (
        "true\ttrue\tfalse"
    )


def test_level_of_unwritten_lines_is_an_option(make_wire):
    assert make_wire(digio_power_on=1).value("digio.readport()") == 2**14 - 1
    assert make_wire().value("digio.readport()") == 0


# -- levels ----------------------------------------------------------------------------------------------------------


@given(start=st.floats(-10, 10), stop=st.floats(-10, 10), points=st.integers(2, 200))
def test_linear_levels(start, stop, points):
    levels = linear_levels(start, stop, points)
    assert len(levels) == points
    assert (levels[0], levels[-1]) == (start, stop)
    assert all(b - a == pytest.approx((stop - start) / (points - 1), abs=1e-9) for a, b in itertools.pairwise(levels))


@given(start=st.floats(1e-6, 1), factor=st.floats(1.1, 1e4), points=st.integers(2, 50))
def test_log_levels(start, factor, points):
    levels = log_levels(start, start * factor, points, 0.0)
    ratios = [b / a for a, b in itertools.pairwise(levels)]
    assert len(levels) == points
    assert ratios == pytest.approx([factor ** (1 / (points - 1))] * (points - 1), rel=1e-9)


def test_log_levels_approach_the_asymptote():
    assert log_levels(1.0, 4.0, 3, -2.0) == pytest.approx([1, -2 + 3 * 2**0.5, 4])
