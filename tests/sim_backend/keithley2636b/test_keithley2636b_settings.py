"""Attributes of a channel: defaults, limits, ranges, resets (reference keithley2636b sec. 8, 9, 13)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_backend.keithley2636b import Options, ranges

_DEFAULTS = {
    "sense": 0, "source.func": 1, "source.levelv": 0, "source.leveli": 0, "source.limitv": 20, "source.limiti": 0.1,
    "source.limitp": 0, "source.rangev": 0.2, "source.rangei": 1e-9, "source.autorangev": 1, "source.autorangei": 1,
    "source.lowrangev": 0.2, "source.lowrangei": 1e-9, "source.output": 0, "source.offmode": 0, "source.offfunc": 1,
    "source.offlimiti": 1e-3, "source.offlimitv": 40, "source.highc": 0, "source.settling": 0, "source.delay": 0,
    "source.sink": 0, "source.outputenableaction": 0, "measure.nplc": 1, "measure.autorangev": 1,
    "measure.autorangei": 1, "measure.rangev": 0.2, "measure.rangei": 0.1, "measure.lowrangev": 0.2,
    "measure.lowrangei": 1e-10, "measure.autozero": 2, "measure.count": 1, "measure.interval": 0, "measure.delay": -1,
    "measure.delayfactor": 1, "measure.highcrangedelayfactor": 10, "measure.filter.count": 1,
    "measure.filter.enable": 0, "measure.filter.type": 1, "measure.analogfilter": 1, "measure.rel.enablei": 0,
    "measure.rel.levelr": 0, "contact.speed": 0, "contact.threshold": 50, "trigger.count": 1, "trigger.arm.count": 1,
    "trigger.arm.stimulus": 0, "trigger.source.stimulus": 0, "trigger.measure.stimulus": 0,
    "trigger.endpulse.stimulus": 0, "trigger.autoclear": 0, "trigger.source.action": 0, "trigger.source.limiti": 0,
    "trigger.measure.action": 0, "trigger.endpulse.action": 1, "trigger.endsweep.action": 0,
}  # fmt: skip


@pytest.mark.parametrize("channel", ["smua", "smub"])
def test_defaults(wire, channel):
    found = {path: wire.value(f"{channel}.{path}") for path in _DEFAULTS}
    assert found == pytest.approx(_DEFAULTS)


def test_channel_reset_brings_every_default_back_and_leaves_the_rest(wire):
    changes = {
        "sense": 1, "source.func": 0, "source.levelv": 1, "source.leveli": 1e-3, "source.limitv": 5,
        "source.limiti": 1e-3, "source.rangev": 20, "source.rangei": 1e-2, "source.offmode": 1, "source.offfunc": 0,
        "source.offlimiti": 1e-4, "source.offlimitv": 2, "source.delay": 1e-3, "measure.nplc": 0.1,
        "measure.rangei": 1e-6, "measure.autozero": 0, "measure.count": 5, "measure.delay": 0, "trigger.count": 7,
        "trigger.source.stimulus": 30, "contact.speed": 2,
    }  # fmt: skip
    for path, value in changes.items():
        wire.write(f"smua.{path} = {value} smub.{path} = {value}")
    wire.write(
        "smua.source.output = 1 format.asciiprecision = 9 trigger.timer[1].delay = 1 digio.writebit(3, 1) mine = 5",
        "smua.reset()",
    )
    found = {path: wire.value(f"smua.{path}") for path in _DEFAULTS}
    assert found == pytest.approx(_DEFAULTS)
    assert wire.value("smub.measure.nplc") == 0.1
    assert wire.values("print(format.asciiprecision, trigger.timer[1].delay, mine)") == [9, 1, 5]
    wire.write("trigger.blender[1].orenable = true trigger.blender[1].stimulus[2] = 5 digio.trigger[2].mode = 3")
    wire.write("format.data = 3", "reset()")
    found = {path: wire.value(f"smub.{path}") for path in _DEFAULTS}
    assert found == pytest.approx(_DEFAULTS)
    assert wire.values("print(format.asciiprecision, format.data, trigger.timer[1].delay)") == pytest.approx(
        [6, 1, 10e-6]
    )
    assert wire.ask("print(trigger.blender[1].orenable, trigger.blender[1].stimulus[2], digio.trigger[2].mode)") == (
        "false\t0.00000e+00\t0.00000e+00"
    )
    assert wire.values("print(digio.readbit(3), mine)") == [1, 5]
    assert wire.errors() == []


def test_rst_is_reset(wire):
    wire.write("smua.measure.nplc = 0.1 smua.source.output = 1", "*RST")
    assert wire.values("print(smua.measure.nplc, smua.source.output)") == [1, 0]


def test_whether_reset_touches_buffers_is_an_option(make_wire):
    for option, left in ((False, 1), (True, 0)):
        wire = make_wire(reset_clears_buffers=option)
        wire.write("smua.nvbuffer1.appendmode = 1 smua.measure.v(smua.nvbuffer1) smua.reset()")
        assert wire.values("print(smua.nvbuffer1.n, smua.nvbuffer1.appendmode)") == [left, left]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("smua.measure.nplc = 100", -222),
        ("smua.measure.nplc = 0", -222),
        ("smua.source.levelv = 203", -222),
        ("smua.source.leveli = -2", -222),
        ("smua.source.limiti = 0", 1102),
        ("smua.source.limiti = -1", 1102),
        ("smua.source.limiti = 2", 1101),
        ("smua.source.limitv = 0.01", 1102),
        ("smua.source.limitv = 300", 1101),
        ("smua.source.func = 2", -224),
        ("smua.source.output = 5", -224),
        ("smua.measure.autozero = 3", -224),
        ("smua.source.levelv = 'x'", -104),
        ("smua.source.levelv = nil", -104),
        ("smua.source.levelv = true", -104),
        ("smua.source.levelv = {}", -104),
        ("smua.source.rangev = 300", -222),
        ("smua.measure.count = 0", -222),
        ("smua.measure.interval = 2", -222),
        ("smua.measure.delay = -2", -222),
        ("smua.sense = 3", 5011),
        ("trigger.timer[1].delay = 1e-7", -222),
        ("trigger.timer[1].delaylist = {1e-6, 2e-6}", 2500),
        ("digio.writebit(15, 1)", 1801),
        ("digio.writebit(1, 2)", 1401),
        ("digio.writebit(1)", 1400),
        ("digio.trigger[1].mode = 9", 1800),
        ("delay(-1)", -222),
        ("delay('x')", 1401),
        ("delay()", 1400),
        ("smua.measure.i(5)", 1401),
    ],
)
def test_refused_values(wire, line, code):
    wire.write(line)
    wire.finish(1)
    assert wire.errors() == [code]


def test_error_numbers_that_nobody_has_seen_are_options(make_wire):
    wire = make_wire(choice_error=1101, range_error=1102)
    wire.write("smua.source.func = 2", "smua.measure.nplc = 100")
    assert wire.errors() == [1101, 1102]


@pytest.mark.parametrize(
    ("asked", "range_"), [(0.1, 0.2), (0.2, 0.2), (0.21, 2), (-5, 20), (20, 20), (20.1, 200), (200, 200), (202, 200)]
)
def test_voltage_ranges_are_the_smallest_that_holds(wire, asked, range_):
    wire.write(f"smua.source.rangev = {asked}")
    assert wire.values("print(smua.source.rangev, smua.source.autorangev)") == [range_, 0]
    wire.write(f"smub.source.levelv = {asked}")
    assert wire.values("print(smub.source.rangev, smub.source.autorangev)") == [range_, 1]


@given(value=st.floats(1e-11, 1.5))
def test_current_range_holds_its_value_and_the_next_lower_does_not(value):
    picked = ranges.pick(ranges.CURRENT_MEASURE, value)
    lower = ranges.below(ranges.CURRENT_MEASURE, picked)
    assert picked >= value * (1 - 1e-9)
    assert lower is None or lower < value


@settings(max_examples=50)
@given(value=st.floats(-200, 200), full=st.sampled_from(ranges.VOLTAGE))
def test_counts(value, full):
    step = full * 2.5e-5
    assert ranges.on_grid(value, step) == pytest.approx(value, abs=0.5001 * step)
    assert ranges.on_grid(0.1, 5e-6) == 0.1


def test_level_may_exceed_a_fixed_range_until_the_output_is_on(wire):
    wire.write("smua.source.rangev = 2", "smua.source.levelv = 5")
    assert wire.errors() == []
    wire.write("smua.source.output = 1")
    assert wire.error() == (5005, "SMU A: Value too big for range")
    assert wire.value("smua.source.output") == 0
    wire.write("smua.source.levelv = 2.02 smua.source.output = 1", "smua.source.levelv = 2.1")
    assert wire.errors() == [5005]
    assert wire.value("smua.source.levelv") == 2.02
    wire.write("smua.source.rangev = 0.2")
    assert wire.errors() == [5005]


def test_level_picks_the_range_while_autorange_is_on(wire):
    wire.write("smua.source.output = 1 smua.source.levelv = 3")
    assert wire.value("smua.source.rangev") == 20
    wire.write("smua.source.lowrangev = 20 smua.source.levelv = 0.1")
    assert wire.value("smua.source.rangev") == 20
    wire.write("smua.source.autorangev = 0 smua.source.lowrangev = 0.2")
    assert wire.value("smua.source.rangev") == 20
    wire.write("smua.source.autorangev = 1")
    assert wire.value("smua.source.rangev") == 0.2


def test_measure_range_of_the_sourced_quantity_is_the_source_range(wire):
    wire.write("smua.measure.rangev = 200 smua.source.rangev = 2")
    assert wire.value("smua.measure.rangev") == 2
    wire.write("smua.source.func = 0")
    assert wire.value("smua.measure.rangev") == 200
    assert wire.value("smua.measure.rangei") == 1e-9


def test_measure_range_follows_the_limit(wire):
    wire.write("smua.measure.autorangei = smua.AUTORANGE_FOLLOW_LIMIT smua.source.limiti = 3e-4")
    assert wire.value("smua.measure.rangei") == 1e-3


def test_setting_a_measure_range_ends_its_autorange(wire):
    wire.write("smua.measure.rangei = 3e-7")
    assert wire.values("print(smua.measure.rangei, smua.measure.autorangei)") == pytest.approx([1e-6, 0])


def test_safe_area(wire):
    wire.write("smua.source.limiti = 1 smua.source.levelv = 50 smua.source.output = 1")
    assert wire.errors() == [5007]
    wire.write("smua.source.levelv = 10 smua.source.output = 1", "smua.source.levelv = 50")
    assert wire.errors() == [5007]
    wire.write("smua.source.limiti = 0.05 smua.source.levelv = 50", "smua.source.limiti = 0.5")
    assert wire.errors() == [5007]
    assert wire.values("print(smua.source.levelv, smua.source.limiti)") == [50, 0.05]
    wire.write("smub.source.func = 0 smub.source.leveli = 0.5 smub.source.limitv = 40 smub.source.output = 1")
    assert wire.errors() == [5007]


def test_ten_ampere_range_outside_pulses_is_an_option(make_wire):
    wire = make_wire(wide_range=True)
    wire.write("smua.source.rangei = 10")
    assert wire.value("smua.source.rangei") == 10
    wire = make_wire(wide_range=False)
    wire.write("smua.source.rangei = 10")
    assert wire.errors() == [-222]


def test_high_capacitance_mode(wire):
    wire.write("smua.source.limiti = 1e-8 smua.source.highc = 1")
    assert wire.values("print(smua.measure.autorangei, smua.source.limiti, smua.measure.lowrangei)") == pytest.approx(
        [2, 1e-6, 1e-6]
    )
    wire.write("smua.measure.autorangei = 1", "smua.measurevandstep(1)")
    wire.finish(1)
    assert wire.errors() == [5069, 5028]


def test_filter_count_and_measure_count_exclude_each_other(wire):
    wire.write("smua.measure.count = 5 smua.measure.filter.count = 3")
    assert wire.errors() == [5025]
    wire.write("smua.measure.count = 1 smua.measure.filter.count = 3 smua.measure.count = 2")
    assert wire.errors() == [5025]


def test_getters_and_setters_of_an_attribute(wire):
    wire.write("get = makegetter(smua.source, 'levelv') set = makesetter(smua.source, 'levelv') set(0.125)")
    assert wire.value("get()") == 0.125


def test_constants(wire):
    assert wire.values(
        "print(smua.OUTPUT_DCAMPS, smua.OUTPUT_DCVOLTS, smua.OUTPUT_HIGH_Z, smua.AUTORANGE_FOLLOW_LIMIT, "
        "smua.DELAY_AUTO,"
        " smua.SETTLE_FAST_ALL, smua.ASYNC, smua.SOURCE_HOLD, display.MEASURE_DCAMPS, display.SMUA_SMUB)"
    ) == [0, 1, 2, 2, -1, 128, 2, 1, 0, 2]


def test_localnode(wire):
    assert wire.ask("print(localnode.model, localnode.serialno, localnode.revision, localnode.version)") == (
        "2636B\t4308079\t3.2.2\tnil"
    )
    assert wire.values("print(localnode.linefreq, localnode.prompts, localnode.prompts4882)") == [50, 0, 1]
    assert wire.ask("print(localnode.autolinefreq)") == "true"
    wire.write("localnode.linefreq = 60", "localnode.linefreq = 55")
    assert wire.errors() == [-224]
    assert wire.ask("print(localnode.autolinefreq, localnode.linefreq)") == "false\t6.00000e+01"
    assert wire.value("node[1].smua.source.limiti") == 0.1


def test_objects_that_only_keep_what_they_are_given(wire):
    wire.write(
        "display.clear() display.settext('hello$Nworld') display.setcursor(1, 1) display.screen = display.SMUA_SMUB",
        "display.smua.measure.func = display.MEASURE_DCAMPS display.sendkey(75) beeper.enable = 0 "
        "userstring.add('a', 'b')",
        "dataqueue.add(5) settimezone('1') settime(1000)",
    )
    assert wire.ask("print(display.gettext(), display.smua.measure.func, userstring.get('a'), dataqueue.next())") == (
        "hello$Nworld\t0.00000e+00\tb\t5.00000e+00"
    )
    assert wire.values("print(os.time(), gettimezone(), eventlog.count, gpib.address)") == [1000, 1, 0, 26]
    assert wire.values("print(bit.bitand(12, 10), bit.bitor(12, 10), bit.bitxor(12, 10), bit.set(8, 1))") == [
        8,
        14,
        6,
        9,
    ]
    assert wire.errors() == []


def test_front_panel_prompts_hang(wire):
    wire.write("x = display.prompt('0.0', 'V', 'level', 0)", "print('after')")
    assert wire.read(1000.0) is None
    wire.write("abort")
    assert wire.read() == "after"


# -- options ---------------------------------------------------------------------------------------------------------


def test_options_are_checked():
    assert Options.from_mapping({"relay_time": 1, "firmware": "4.0.5"}) == Options(relay_time=1.0, firmware="4.0.5")
    with pytest.raises(ValueError, match="did you mean 'relay_time'"):
        Options.from_mapping({"relay_tme": 1})
    with pytest.raises(ValueError, match="is a bool"):
        Options.from_mapping({"interlock": "closed"})


def test_identity_follows_the_bench(make_wire):
    assert make_wire(firmware="4.0.5").ask("*IDN?").endswith(", 4.0.5")


def test_every_option_says_where_it_comes_from():
    table = Options.table()
    assert len(table) > 30
    assert all(section and about for _, _, section, about in table)
    assert Options.from_mapping({"contact": [1, 2]}).contact == (1.0, 2.0)
    with pytest.raises(ValueError, match="contact"):
        Options.from_mapping({"contact": [1, 2, 3]})
