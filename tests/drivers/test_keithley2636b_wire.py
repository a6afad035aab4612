"""2636B driver against the wire: every line, and what comes of every kind of answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import pyvisa
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import IdentityError, InstrumentError, ReadBackError, ReplyError, SafeStateError, SettingError
from drivers.keithley2636b import Keithley2636B
from drivers.keithley2636b_data import ReadSetup, sweep_data

Connect = Callable[..., Any]
SOURCE = (files("drivers") / "tsp" / "sweep.lua").read_text(encoding="utf-8")
SCRIPT = f"sweep_{sha256(SOURCE.encode()).hexdigest()[:12]}"
HAS_SCRIPT = (f"print({SCRIPT} ~= nil, errorqueue.count)", "true\t0.0")
CONFIGURE = (
    "smua.source.highc=0 smua.source.func=1 smua.sense=0 smua.source.offmode=2 smua.source.limiti=1e-05"
    " smua.measure.lowrangei=1e-10 smua.measure.rangei=1e-06 smua.measure.nplc=1 smua.measure.delay=-1"
    " smua.measure.autozero=1 smua.measure.count=1"
    " smua.measure.filter.enable=0 smua.measure.rel.enablei=0 smua.measure.rel.enablev=0 smua.source.delay=0"
    " print(smua.source.func, smua.source.offmode, smua.source.limiti, smua.measure.rangei, smua.measure.nplc,"
    " errorqueue.count)",
    "1.0\t2.0\t1.000000000000000e-05\t1.0e-06\t1.0\t0.0",
)
POWER_FAILURE = pyvisa.VisaIOError(pyvisa.constants.StatusCode.error_connection_lost)


def block(*values: float) -> bytes:
    return b"#0" + np.array(values, "<f8").tobytes() + b"\n"


def points(*rows: tuple[float, ...]) -> bytes:
    """Header without error, then rows of set, volts, amps, seconds, status, range."""
    return block(1, 0, len(rows)) + block(*np.ravel(rows))


ROWS = points((-0.1, -0.1001, -2.5e-7, 0.0, 0, 1e-6), (0.1, 0.1001, 9.91e37, 0.02, 64, 1e-6))


def test_connects_and_knows_itself(smu_on_wire: Connect) -> None:
    with smu_on_wire([]) as smu:
        assert smu.identity == {
            "manufacturer": "Keithley Instruments Inc.",
            "model": "2636B",
            "serial": "4308079",
            "firmware": "3.2.2",
        }
        assert smu.line_frequency == 50
        with pytest.raises(SettingError, match="no channel"):
            smu.channel("c")


def test_another_instrument_is_refused(smu_on_wire: Connect) -> None:
    greeting = [
        ("abort", None),
        ("localnode.prompts=0 localnode.showerrors=0 print([[synchronised 1]])", "synchronised 1"),
        ("*IDN?", "Keithley Instruments Inc., Model 2400, 1, 2"),
    ]
    with pytest.raises(IdentityError, match="Model 2400"), smu_on_wire([], greeting=greeting):
        pass


def test_setup_is_one_line_and_only_changes_follow(smu_on_wire: Connect) -> None:
    change = (
        "smua.measure.autorangei=1 smua.measure.nplc=0.1 print(smua.source.func, smua.source.offmode,"
        " smua.source.limiti, smua.measure.rangei, smua.measure.nplc, errorqueue.count)",
        "1.0\t2.0\t1e-05\t1e-06\t0.1\t0.0",
    )
    with smu_on_wire([CONFIGURE, change]) as smu:
        channel = smu.channel("a")
        first = channel.configure_read(1e-5, range_=1e-6)
        assert first == ReadSetup(1e-5, 1e-6, 1.0, None, "high_z", "local", "once", "voltage")
        assert channel.configure_read(1e-5, range_=1e-6) is first
        assert channel.configure_read(1e-5, nplc=0.1).range_ is None


def test_current_source_takes_a_voltage_limit(smu_on_wire: Connect) -> None:
    line = (
        "smub.source.highc=0 smub.source.func=0 smub.sense=1 smub.source.offmode=0 smub.source.limitv=2"
        " smub.measure.lowrangev=0.2 smub.measure.autorangev=1"
        " smub.measure.nplc=10 smub.measure.delay=0.001 smub.measure.autozero=2 smub.measure.count=1"
        " smub.measure.filter.enable=0 smub.measure.rel.enablei=0 smub.measure.rel.enablev=0 smub.source.delay=0"
        " print(smub.source.func, smub.source.offmode, smub.source.limitv, smub.measure.rangev, smub.measure.nplc,"
        " errorqueue.count)",
        "0.0\t0.0\t2.0\t0.2\t10.0\t0.0",
    )
    source = (
        "smub.source.leveli=1e-09 print(smub.source.leveli, smub.source.limitv, errorqueue.count)",
        "1e-09\t2.0\t0.0",
    )
    with smu_on_wire([line, source]) as smu:
        channel = smu.channel("b")
        channel.configure_read(
            2, nplc=10, delay=1e-3, offmode="normal", sense="remote", autozero="auto", function="current"
        )
        assert channel.source(1e-9).level == 1e-9


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("0.0\t2.0\t1e-05\t1e-06\t1.0\t0.0", "source function"),
        ("1.0\t0.0\t1e-05\t1e-06\t1.0\t0.0", "off mode"),
        ("1.0\t2.0\t1e-03\t1e-06\t1.0\t0.0", "compliance"),
        ("1.0\t2.0\t1e-05\t1e-07\t1.0\t0.0", "measuring range"),
        ("1.0\t2.0\t1e-05\t1e-06\t5.0\t0.0", "NPLC"),
    ],
)
def test_setup_that_does_not_read_back_is_an_error(smu_on_wire: Connect, reply: str, said: str) -> None:
    with smu_on_wire([(CONFIGURE[0], reply)]) as smu:
        with pytest.raises(ReadBackError, match=said):
            smu.channel("a").configure_read(1e-5, range_=1e-6)
        with pytest.raises(SettingError, match="configure_read"):
            smu.channel("a").output(True)


@pytest.mark.parametrize(
    "arguments",
    [
        {"limit": 0},
        {"limit": 99e-12},
        {"limit": 2},
        {"limit": math.nan},
        {"limit": 1e-5, "range_": 2.0},
        {"limit": 1e-5, "range_": 0.0},
        {"limit": 1e-5, "nplc": 26},
        {"limit": 1e-5, "nplc": 0.0},
        {"limit": 1e-5, "delay": -1},
        {"limit": 1e-5, "offmode": "off"},
        {"limit": 1e-5, "sense": "2-wire"},
        {"limit": 1e-5, "autozero": "on"},
        {"limit": 1e-5, "function": "ohms"},
        {"limit": 1e-3, "function": "current"},
    ],
)
def test_setups_out_of_limits_are_refused_before_anything_is_sent(
    smu_on_wire: Connect, arguments: dict[str, Any]
) -> None:
    with smu_on_wire([]) as smu, pytest.raises(SettingError):
        smu.channel("a").configure_read(**arguments)


def test_compliance_goes_before_the_level(smu_on_wire: Connect) -> None:
    pair = (
        "smua.source.limiti=2e-05 smua.source.levelv=0.05"
        " print(smua.source.levelv, smua.source.limiti, errorqueue.count)",
        "0.05\t2e-05\t0.0",
    )
    with smu_on_wire([CONFIGURE, pair]) as smu:
        smu.channel("a").configure_read(1e-5, range_=1e-6)
        state = smu.channel("a").source(0.05, limit=2e-5)
        assert (state.level, state.limit) == (0.05, 2e-5)


@pytest.mark.parametrize(("level", "limit"), [(203, None), (0.3, None), (math.nan, None), (0.1, 0), (21, 0.2)])
def test_levels_out_of_limits_are_refused_before_anything_is_sent(
    smu_on_wire: Connect, level: float, limit: float | None
) -> None:
    with smu_on_wire([CONFIGURE]) as smu:
        channel = smu.channel("a")
        channel.configure_read(1e-5, range_=1e-6)
        if limit is None:
            channel.limit(-0.2, 0.2)
        with pytest.raises(SettingError):
            channel.source(level, limit)


def test_measure_gives_current_voltage_and_compliance_of_one_moment(smu_on_wire: Connect) -> None:
    pair = (
        "local i,v=smua.measure.iv() print(i, v, smua.source.compliance, errorqueue.count)",
        "1.234567890123456e-07\t-9.910000000000000e+37\ttrue\t0.0",
    )
    with smu_on_wire([CONFIGURE, pair]) as smu:
        smu.channel("a").configure_read(1e-5, range_=1e-6)
        reading = smu.channel("a").measure()
    assert reading.amps == 1.234567890123456e-07
    assert reading.compliance
    assert reading.overflow


def test_output_on_needs_a_compliance_and_counts_the_relay(smu_on_wire: Connect) -> None:
    pairs = [
        CONFIGURE,
        ("smua.source.output=1 delay(0.005) print(smua.source.output, errorqueue.count)", "1.0\t0.0"),
        (
            "smua.source.levelv=0 smua.source.leveli=0 smua.source.offmode=2 smua.source.output=2 delay(0.005)"
            " print(smua.source.output, errorqueue.count)",
            "0.0\t0.0",
        ),
    ]
    with smu_on_wire(pairs) as smu:
        channel = smu.channel("a")
        with pytest.raises(SettingError, match="compliance and ranges come first"):
            channel.output(True)
        channel.configure_read(1e-5, range_=1e-6)
        channel.output(True)
        assert channel.is_on
        channel.isolate()
        assert channel.is_on is False
        assert channel.relay_operations == 2


def test_21_points_are_one_line_and_one_answer(smu_on_wire: Connect) -> None:
    levels = np.linspace(-0.1, 0.1, 21)
    listed = ",".join(f"{v:.12g}" for v in levels)
    rows = points(*[(v, v, v / 4e5, 0.02 * k, 0, 1e-6) for k, v in enumerate(levels)])
    call = (f"{SCRIPT}.sweep(smua,{{{listed}}},0,0,0,0,1,0.005)", rows)
    with smu_on_wire([CONFIGURE, HAS_SCRIPT, call, call]) as smu:
        channel = smu.channel("a")
        channel.configure_read(1e-5, range_=1e-6)
        data = channel.sweep(levels)
        assert np.array_equal(data.set, levels)
        assert data.complete
        assert channel.is_on
        channel.sweep(levels)


def test_points_between_start_and_stop_are_made_by_the_instrument(smu_on_wire: Connect) -> None:
    call = (f"{SCRIPT}.linear(smua,-0.1,0.1,2,0,0.01,2,1e-06,0,1,0.005)", ROWS)
    with smu_on_wire([CONFIGURE, HAS_SCRIPT, call]) as smu:
        channel = smu.channel("a")
        channel.configure_read(1e-5, range_=1e-6)
        data = channel.sweep(start=-0.1, stop=0.1, points=2, dwell=0.01, after="off", abort_above=1e-6)
        assert channel.is_on is False
        assert channel.relay_operations == 2
    assert data.volts.tolist() == [-0.1001, 0.1001]
    assert data.amps.tolist() == [-2.5e-7, 9.91e37]
    assert data.time.tolist() == [0, 0.02]
    assert data.status.tolist() == [0, 3]
    assert data.compliance.tolist() == data.overflow.tolist() == [False, True]
    assert data.range_ == 1e-6


def test_sweep_that_ended_early_says_so(smu_on_wire: Connect) -> None:
    call = (f"{SCRIPT}.linear(smua,0,1,50,1,0,0,1e-06,0,1,0.005)", ROWS)
    with smu_on_wire([CONFIGURE, HAS_SCRIPT, call]) as smu:
        smu.channel("a").configure_read(1e-5, range_=1e-6)
        data = smu.channel("a").sweep(start=0, stop=1, points=50, both=True, abort_above=1e-6)
    assert not data.complete
    assert len(data.set) == 2


def test_long_lists_go_ahead_in_pieces(smu_on_wire: Connect) -> None:
    levels = [0.001 * k for k in range(50)]
    pieces = [",".join(f"{v:.12g}" for v in part) for part in (levels[:40], levels[40:])]
    pairs = [
        CONFIGURE,
        HAS_SCRIPT,
        (f"{SCRIPT}.levels={{}}", None),
        *[(f"for _,v in ipairs({{{p}}}) do table.insert({SCRIPT}.levels,v) end", None) for p in pieces],
        (f"{SCRIPT}.sweep(smua,{SCRIPT}.levels,0,1,0,0,1,0.005)", ROWS),
    ]
    with smu_on_wire(pairs) as smu:
        smu.channel("a").configure_read(1e-5, range_=1e-6)
        smu.channel("a").sweep(levels, after="hold")


def test_samples_with_and_without_waiting(smu_on_wire: Connect) -> None:
    pairs = [
        CONFIGURE,
        HAS_SCRIPT,
        (f"{SCRIPT}.sample(smua,2,0.001)", ROWS),
        (f"{SCRIPT}.start(smua,2,0) print(errorqueue.count)", "0.0"),
        (f"{SCRIPT}.fetch(smua)", ROWS),
    ]
    with smu_on_wire(pairs) as smu:
        channel = smu.channel("a")
        channel.configure_read(1e-5, range_=1e-6)
        assert len(channel.sample(2, 1e-3).amps) == 2
        channel.start_sample(2, 0)
        assert len(channel.fetch_sample().amps) == 2
        with pytest.raises(SettingError, match="no samples were started"):
            channel.fetch_sample()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"start": 0, "stop": 1},
        {"levels": []},
        {"levels": [0.1, math.nan]},
        {"levels": [300]},
        {"levels": [0], "after": "stay"},
        {"levels": [0], "dwell": -1},
        {"levels": [0], "abort_above": 0},
        {"start": 0, "stop": 1, "points": 0},
        {"start": 0, "stop": 1, "points": 60_001},
    ],
)
def test_sweeps_out_of_limits_are_refused_before_anything_is_sent(
    smu_on_wire: Connect, arguments: dict[str, Any]
) -> None:
    with smu_on_wire([CONFIGURE]) as smu:
        smu.channel("a").configure_read(1e-5, range_=1e-6)
        with pytest.raises(SettingError):
            smu.channel("a").sweep(**arguments)


def test_failed_script_answers_with_its_text(smu_on_wire: Connect) -> None:
    failure = block(0, 0, 0) + b"attempt to index field `x' (a nil value)\n"
    with smu_on_wire([CONFIGURE, HAS_SCRIPT, (f"{SCRIPT}.linear(smua,0,1,2,0,0,0,0,0,1,0.005)", failure)]) as smu:
        smu.channel("a").configure_read(1e-5, range_=1e-6)
        with pytest.raises(InstrumentError, match="-286, attempt to index"):
            smu.channel("a").sweep(start=0, stop=1, points=2)


def test_errors_counted_in_the_answer_are_fetched_and_raised(smu_on_wire: Connect) -> None:
    call = f"{SCRIPT}.linear(smua,0,1,1,0,0,0,0,0,1,0.005)"
    answer = block(1, 1, 1) + block(0, 0, 0, 0, 0, 0)
    pairs = [
        CONFIGURE,
        HAS_SCRIPT,
        (call, answer),
        ("print(errorqueue.next())", "5.007e+03\tOperation would exceed safe operating area\t2.0e+01\t1.0e+00"),
        ("print(errorqueue.next())", "0.0\tQueue Is Empty\t0.0\t1.0"),
    ]
    with smu_on_wire(pairs) as smu:
        smu.channel("a").configure_read(1e-5, range_=1e-6)
        with pytest.raises(InstrumentError) as caught:
            smu.channel("a").sweep(start=0, stop=1, points=1)
    assert (caught.value.code, caught.value.severity, caught.value.command) == (5007, 20, call)


@pytest.mark.parametrize("answer", [b"\x00" * 27, b"#0" + b"\x00" * 25])
def test_answer_that_is_no_block_is_an_error(smu_on_wire: Connect, answer: bytes) -> None:
    with smu_on_wire([CONFIGURE, HAS_SCRIPT, (f"{SCRIPT}.linear(smua,0,1,1,0,0,0,0,0,1,0.005)", answer)]) as smu:
        smu.channel("a").configure_read(1e-5, range_=1e-6)
        with pytest.raises(ReplyError):
            smu.channel("a").sweep(start=0, stop=1, points=1)


def test_script_is_sent_once_under_a_name_with_its_hash(smu_on_wire: Connect) -> None:
    sent = f"loadandrunscript\n{SOURCE.replace('MODULE', SCRIPT).rstrip()}\nendscript"
    absent = (HAS_SCRIPT[0], "false\t0.0")
    with smu_on_wire([absent, (sent, None), HAS_SCRIPT]) as smu:
        assert smu.load_script("sweep") == SCRIPT
        assert smu.load_script("sweep") == SCRIPT


def test_script_that_did_not_arrive_is_an_error(smu_on_wire: Connect) -> None:
    sent = f"loadandrunscript\n{SOURCE.replace('MODULE', SCRIPT).rstrip()}\nendscript"
    absent = (HAS_SCRIPT[0], "false\t0.0")
    with smu_on_wire([absent, (sent, None), absent]) as smu, pytest.raises(ReplyError, match="is nil"):
        smu.load_script("sweep")


def test_script_lines_are_plain_and_short() -> None:
    assert SOURCE.isascii()
    assert max(map(len, SOURCE.replace("MODULE", SCRIPT).splitlines())) < 200


def test_digital_lines(smu_on_wire: Connect) -> None:
    pairs = [
        ("digio.trigger[1].mode=0 digio.writebit(1,1) print(digio.readbit(1), errorqueue.count)", "1.0\t0.0"),
        ("print(digio.readbit(3), errorqueue.count)", "0.0\t0.0"),
        (
            "digio.trigger[2].mode=8 digio.trigger[2].stimulus=0 digio.trigger[2].pulsewidth=1e-05"
            " digio.trigger[2].assert() print(errorqueue.count)",
            "0.0",
        ),
        (
            "digio.trigger[2].mode=1 digio.trigger[2].stimulus=0 digio.trigger[2].pulsewidth=0.001"
            " digio.trigger[2].assert() print(errorqueue.count)",
            "0.0",
        ),
        ("digio.trigger[1].mode=0 digio.writebit(1,1) print(digio.readbit(1), errorqueue.count)", "0.0\t0.0"),
    ]
    with smu_on_wire(pairs) as smu:
        smu.line(1, 1)
        assert smu.read_line(3) == 0
        smu.pulse_line(2)
        smu.pulse_line(2, width=1e-3, rising=False)
        with pytest.raises(ReadBackError, match="digital line 1"):
            smu.line(1, 1)
        for n, level in ((0, 1), (15, 1), (1, 2)):
            with pytest.raises(SettingError):
                smu.line(n, level)
        with pytest.raises(SettingError):
            smu.pulse_line(1, width=0)


def test_plain_properties(smu_on_wire: Connect) -> None:
    empty = ("print(errorqueue.next())", "0.0\tQueue Is Empty\t0.0\t1.0")
    pairs = [
        CONFIGURE,
        ("smua.source.leveli=1e-09", None),
        empty,
        ("print(smua.source.leveli)", "1.000000000000000e-09"),
        ("smua.source.func=0", None),
        empty,
        ("print(smua.source.offmode)", "2.0"),
        ("print(smua.measure.i())", "3.494020000000000e-11"),
        ("print(smua.source.compliance)", "true"),
    ]
    with smu_on_wire(pairs) as smu:
        channel = smu.channel("a")
        channel.configure_read(1e-5, range_=1e-6)
        channel.source_current = 1e-9
        assert channel.source_current == 1e-9
        channel.source_function = "current"
        assert channel.off_mode == "high_z"
        assert channel.current == 3.49402e-11
        assert channel.in_compliance is True
        with pytest.raises(SettingError, match="configure_read"):
            channel.measure()
        for name, value in (("nplc", 100), ("compliance_current", 0), ("source_voltage", 203)):
            with pytest.raises(ValueError, match="not in range"):
                setattr(channel, name, value)


def test_safe_takes_both_channels_off_level_first(smu_on_wire: Connect) -> None:
    def released(smu: str) -> tuple[str, str]:
        return (
            f"{smu}.abort() {smu}.source.levelv=0 {smu}.source.leveli=0 {smu}.source.offmode=2 {smu}.source.output=2"
            f" delay(0.005) print({smu}.source.output)",
            "0.0",
        )

    pairs = [
        [
            ("abort", None),
            (f"localnode.prompts=0 localnode.showerrors=0 print([[synchronised {n}]])", f"synchronised {n}"),
            released("smua"),
            released("smub"),
        ]
        for n in (2, 3)
    ]
    with smu_on_wire(pairs[0] + pairs[1]) as smu:
        smu.safe()
        smu.safe()


def test_safe_goes_on_after_a_failing_step_and_names_it(smu_on_wire: Connect) -> None:
    with smu_on_wire([]) as smu:
        smu.synchronise = Mock(side_effect=POWER_FAILURE)
        smu.ask = Mock(side_effect=["1.0", "0.0"])
        with pytest.raises(SafeStateError, match=r"stop scripts.*channel a at high impedance") as caught:
            smu.safe()
        assert [step for step, _ in caught.value.failures][1:] == ["channel a at high impedance"]
        assert smu.channel("b").is_on is False


def test_settings_snapshot(smu_on_wire: Connect) -> None:
    with smu_on_wire([]) as smu:
        count = len(smu.channel("a").snapshot)
        row = "\t".join(["1.0"] * count + ["0.0"])
        smu.ask = Mock(side_effect=[row, row, "5.0\t0.0"])
        snapshot = smu.settings()
    assert snapshot["a.source.limiti"] == 1.0
    assert snapshot["line_frequency"] == 50
    assert snapshot["lines"] == 5


def test_capabilities_without_an_instrument() -> None:
    able = Keithley2636B.capabilities("2636B", "a")
    assert able["sweep"]["window"] == (-202.0, 202.0)
    assert able["lines"] == 14
    with pytest.raises(SettingError):
        Keithley2636B.capabilities("2636B", "c")
    with pytest.raises(IdentityError):
        Keithley2636B.capabilities("2400", "a")


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(*[st.floats(-1e3, 1e3, allow_nan=False)] * 4, st.sampled_from([0, 2, 64, 66, 128]), st.floats(0, 1)),
        min_size=1,
        max_size=30,
    )
)
def test_columns_come_back_as_they_went(rows: list[tuple[float, ...]]) -> None:
    data = sweep_data(np.array(rows, float), len(rows))
    assert data.set.tolist() == [r[0] for r in rows]
    assert data.volts.tolist() == [r[1] for r in rows]
    assert data.amps.tolist() == [r[2] for r in rows]
    assert data.compliance.tolist() == [bool(int(r[4]) & 64) for r in rows]
    assert not data.overflow.any()
