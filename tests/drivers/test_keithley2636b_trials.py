"""Trials inside a 2636B: the lines that build and run a program, and what it does on the simulated instrument."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from drivers.errors import InstrumentError, SettingError

Connect = Callable[..., Any]
Build = Callable[..., Any]
OHMS = 4e5
WINDOW = np.linspace(-0.1, 0.1, 5)


def script(stem: str) -> str:
    return f"{stem}_{sha256((files('drivers') / 'tsp' / f'{stem}.lua').read_bytes()).hexdigest()[:12]}"


TRIALS, SWEEP = script("trials"), script("sweep")
LOADED = [(f"print({name} ~= nil, errorqueue.count)", "true\t0.0") for name in (TRIALS, SWEEP)]
CONFIGURE = (
    "smua.source.highc=0 smua.source.func=1 smua.sense=0 smua.source.offmode=2 smua.source.limiti=1e-05"
    " smua.measure.lowrangei=1e-10 smua.measure.rangei=1e-06 smua.measure.nplc=1 smua.measure.delay=-1"
    " smua.measure.autozero=1 smua.measure.count=1"
    " smua.measure.filter.enable=0 smua.measure.rel.enablei=0 smua.measure.rel.enablev=0 smua.source.delay=0"
    " print(smua.source.func, smua.source.offmode, smua.source.limiti, smua.measure.rangei, smua.measure.nplc,"
    " errorqueue.count)",
    "1.0\t2.0\t1.000000000000000e-05\t1.0e-06\t1.0\t0.0",
)
BUILD = [
    f"{TRIALS}.begin({SWEEP},smua,1,0.005)",
    f"{TRIALS}.rest(1,0)",
    f"{TRIALS}.line(1,1,0.005)",
    "digio.trigger[2].mode=0 digio.writebit(2,0) digio.trigger[2].mode=8 digio.trigger[2].stimulus=0"
    " digio.trigger[2].pulsewidth=1e-05",
    f"{TRIALS}.fire(2,0.00011,0.001)",
    f"{TRIALS}.wait(0.01)",
    f"{TRIALS}.line(1,0,0.005)",
    f"{TRIALS}.read(0,{{-0.1,0.1}})",
    f"{TRIALS}.confirm(0,400000,0.2)",
]


def block(*values: float) -> bytes:
    return b"#0" + np.array(values, "<f8").tobytes() + b"\n"


def build(channel: Any, levels: Any = (-0.1, 0.1)) -> Any:
    program = channel.program()
    program.rest(1, 0)
    program.line(1, 1, 5e-3)
    program.fire(2, 110e-6, 1e-3)
    program.wait(10e-3)
    program.line(1, 0, 5e-3)
    reading = program.read(levels)
    program.confirm(reading, OHMS, 0.2)
    return program


ROWS = [-0.1, -0.1, -2.5e-7, 7.0, 0, 1e-6], [0.1, 0.1, 2.5e-7, 7.02, 64, 1e-6]
MARKS = [0.005, 0.006, 0.016, 0.021, 0.07, 0.07]


def answer(ended: int, errors: int, trials: int) -> bytes:
    rows, marks = [*ROWS] * trials, [mark + t for t in range(trials) for mark in MARKS]
    return block(ended, errors, len(rows), len(marks), 1.5) + block(*np.ravel(rows)) + block(*marks)


@pytest.mark.parametrize("stem", ["sweep", "trials"])
def test_scripts_keep_to_lua_5_0(stem: str) -> None:
    """No length operator, no modulo operator, no function that came later (reference keithley2636b sec. 2)."""
    source = (files("drivers") / "tsp" / f"{stem}.lua").read_text(encoding="utf-8")
    code = "\n".join(line.partition("--")[0] for line in source.splitlines())
    assert not re.search(r"[#%]|gmatch|string\.match|select\(|\.\.\.", code)


def test_a_program_is_sent_once_and_run_by_one_line(smu_on_wire: Connect) -> None:
    """What is built stays in the instrument: a second block is one line and its answer, one round trip."""
    pairs = [CONFIGURE, *LOADED, *((line, None) for line in BUILD)]
    pairs += [(f"{TRIALS}.run(2)", answer(1, 0, 2)), (f"{TRIALS}.run(1)", answer(2, 0, 1))]
    with smu_on_wire(pairs) as smu:
        channel = smu.channel("a")
        channel.configure_read(1e-5, range_=1e-6)
        done = build(channel).run(2)
        assert done.seconds == 1.5
        assert not done.unconfirmed
        assert done.failure is None
        assert done.marks == pytest.approx([*MARKS, *(m + 1 for m in MARKS)])
        for reading in done.readings:
            assert reading.time.tolist() == [0, pytest.approx(0.02)]  # each begins at 0, as a sweep does
            assert reading.status.tolist() == [0, 1]
        assert len(done.readings) == 2
        assert channel.is_on is False
        assert channel.relay_operations == 2
        assert build(channel).run(1).unconfirmed


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (block(0, 0, 0, 0, 0.1) + b"sweep.lua:3: attempt to index a nil value\n", "-286, .*attempt to index"),
        (block(1, 1, 0, 0, 0.1), "-224, Illegal"),
    ],
)
def test_a_failure_inside_is_in_the_result_with_its_text(smu_on_wire: Connect, reply: bytes, said: str) -> None:
    pairs = [CONFIGURE, *LOADED, *((line, None) for line in BUILD), (f"{TRIALS}.run(3)", reply)]
    if "224" in said:
        pairs += [
            ("print(errorqueue.next())", "-2.24e+02\tIllegal parameter value\t2.0e+01\t1.0e+00"),
            ("print(errorqueue.next())", "0.0\tQueue Is Empty\t0.0\t1.0"),
        ]
    with smu_on_wire(pairs) as smu:
        channel = smu.channel("a")
        channel.configure_read(1e-5, range_=1e-6)
        done = build(channel).run(3)
        assert isinstance(done.failure, InstrumentError)
        assert re.search(said, str(done.failure))
        with pytest.raises(SettingError, match="configure_read"):  # nothing is known to hold any more
            channel.program()


def test_what_cannot_be_is_refused_before_anything_is_sent(smu_on_wire: Connect) -> None:
    with smu_on_wire([CONFIGURE, *LOADED]) as smu:
        channel = smu.channel("a")
        channel.configure_read(1e-5, range_=1e-6)
        channel.limit(-0.2, 0.2)
        program = channel.program()
        for refused in (
            lambda: program.line(15, 1, 0.0),
            lambda: program.line(1, 2, 0.0),
            lambda: program.fire(2, -1.0, 0.0),
            lambda: program.wait(math.inf),
            lambda: program.read([0.3]),
            lambda: program.confirm(0, math.nan, 0.2),
        ):
            with pytest.raises(SettingError):
                refused()
        program.read(np.zeros(60))
        assert (program.points, program.most_trials) == (60, 1000)
        with pytest.raises(SettingError, match="trials"):
            program.run(1001)


# --- on the simulated instrument --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"line_limit": 1000}, {"digio_power_on": 1}, {"reply_time": 5e-3}], ids=str)
def test_readings_are_those_of_sweeps(driver_bench: Build, options: dict[str, Any]) -> None:
    bench = driver_bench("keithley2636b", resistance=OHMS, options=options)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, least=1e-7)
    levels = np.linspace(-0.1, 0.1, 81)  # more than go into one line
    swept = channel.sweep(levels)
    done = build(channel, levels).run(3)
    assert done.failure is None
    assert len(done.readings) == 3
    for reading in done.readings:
        assert np.array_equal(reading.set, swept.set)
        assert np.allclose(reading.amps, swept.amps, rtol=1e-3, atol=1e-10)
        assert np.allclose(np.diff(reading.time), np.diff(swept.time), atol=2e-6)
    assert bench.driver.numbers([], ["smua.source.output"]) == [0]
    assert not bench.library.bench.lines.level("dut.digio.1")
    assert np.allclose(channel.sweep(levels).amps, swept.amps, rtol=1e-3, atol=1e-10)


def test_every_trial_fires_once_and_never_into_what_still_runs(driver_bench: Build) -> None:
    bench = driver_bench("keithley2636b", resistance=OHMS, options={"digio_power_on": 1})
    edges: list[float] = []
    bench.library.bench.lines.listen("dut.digio.2", lambda level: edges.append(bench.clock.now) if level else None)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, range_=1e-6, nplc=0.01)
    program = channel.program()
    program.fire(2, 1e-3, 0.25)  # a quarter of a second, far longer than the trial
    program.read(WINDOW)
    program.run(4)
    assert len(edges) == 4
    assert (np.diff(edges) >= 0.25).all()
    assert bench.clock.now - edges[-1] >= 0.25


@pytest.mark.parametrize(("reference", "within", "marks"), [(OHMS, 0.01, 18), (OHMS * 1.02, 0.01, 6), (0.0, 0.5, 6)])
def test_a_confirmation_that_fails_ends_the_program(
    driver_bench: Build, reference: float, within: float, marks: int
) -> None:
    bench = driver_bench("keithley2636b", resistance=OHMS)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, range_=1e-6)
    program = channel.program()
    program.line(1, 1, 1e-3)
    program.line(1, 0, 1e-3)
    program.wait(1e-3)
    program.wait(1e-3)
    program.confirm(program.read(WINDOW), reference, within)
    done = program.run(3)
    assert (len(done.marks), done.unconfirmed) == (marks, marks == 6)
    assert len(done.readings) == marks // 6


def test_points_in_compliance_do_not_count_for_a_confirmation(driver_bench: Build) -> None:
    """All points limited: the straight line has none, so nothing is confirmed (F9)."""
    bench = driver_bench("keithley2636b", resistance=1e3)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-6, range_=1e-6)
    program = channel.program()
    program.confirm(program.read([-0.1, -0.05, 0.05, 0.1]), 1e3, 0.5)
    done = program.run(2)
    assert done.unconfirmed
    assert done.readings[0].compliance.all()


def test_a_line_that_something_holds_stops_it_with_a_word_and_everything_safe(driver_bench: Build) -> None:
    bench = driver_bench("keithley2636b", resistance=OHMS)
    lines = bench.library.bench.lines
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, range_=1e-6)
    program = build(channel, WINDOW)
    ended: list[float] = []

    def hold(level: bool) -> None:
        if level:
            ended.append(bench.clock.now)
        if len(ended) == 3 and level:
            lines.set("dut.digio.1", False)

    lines.listen("dut.digio.1", hold)
    done = program.run(10)
    assert len(done.readings) == 2  # what was read before is not lost
    assert "-286, digital line 1 does not follow" in str(done.failure)
    assert bench.driver.numbers([], ["smua.source.output"]) == [0]
    assert abs(bench.volts) < 1e-6
    assert bench.driver.check_errors() == []


def test_an_error_of_the_instrument_stops_it_at_that_step(driver_bench: Build) -> None:
    """Errors do not end a script by themselves (reference keithley2636b sec. 4): the program looks for them."""
    bench = driver_bench("keithley2636b", resistance=OHMS)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, range_=1e-6)
    program = build(channel, WINDOW)
    program._lines.append(f"table.insert({TRIALS}.extra, 1)")  # raises while the program is being sent
    done = program.run(2)
    assert len(done.marks) == 0
    assert "-286" in str(done.failure)


def test_a_program_that_nobody_waits_for_ends_by_itself_at_rest(driver_bench: Build) -> None:
    bench = driver_bench("keithley2636b", resistance=OHMS)
    channel = bench.driver.channel("a")
    channel.configure_read(1e-5, range_=1e-6)
    program = build(channel, WINDOW)
    program.run(1)
    bench.driver.write(f"{TRIALS}.run(5)")  # and the host is gone
    bench.clock.sleep(60)
    assert not bench.library.bench.lines.level("dut.digio.1")
    assert abs(bench.volts) < 1e-6
    again = type(bench.driver)(bench.address, name="dut", clock=bench.clock, visa_library=bench.library)
    assert again.numbers([], ["smua.source.output", "errorqueue.count"]) == [0, 0]
