"""Sessions, settings, execution, status, data and DC of the simulated WGFMU library, through C (reference b1530a)."""

from __future__ import annotations

from ctypes import byref, c_double, c_int
from typing import Any

import numpy as np
import pytest

from drivers.wgfmu_header import Status
from drivers.wgfmu_library import WgfmuError, WgfmuLibrary, functions_at
from sim_backend.devices.aab import AabTransistor
from sim_backend.wgfmu.options import make_options
from sim_backend.wgfmu.standalone import StandaloneBench

FASTIV, PG, DC, SMU = 2001, 2002, 2000, 2003
CURRENT = 4001
AVERAGED, RAW = 12000, 12001
IDEAL = {"quantise": False, "smu_path_leakage": 0.0}


class Online(WgfmuLibrary):
    """An open session with short-hands for tests."""

    def __init__(self, noise: bool = False, device: dict[str, object] | None = None, **options: object) -> None:
        self.bench = StandaloneBench(device=device, options={**IDEAL, **options}, noise=noise)
        super().__init__(functions_at(self.bench.wgfmu_functions("")))
        self.call("openSession", self.bench.address)

    def make(self, name: str, initial: float, *vectors: tuple[float, float]) -> None:
        self.call("createPattern", name, initial)
        for duration, level in vectors:
            self.call("addVector", name, duration, level)

    def ready(self, channel: int, mode: int = FASTIV, current_range: int | None = None) -> None:
        self.call("setOperationMode", channel, mode)
        if current_range:
            self.call("setMeasureMode", channel, CURRENT)
            self.call("setMeasureCurrentRange", channel, current_range)
        self.call("connect", channel)

    def code(self, function: str, *arguments: Any) -> int:
        with pytest.raises(WgfmuError) as raised:
            self.call(function, *arguments)
        assert self.bench.library.crashes == []
        return raised.value.code

    def gate(self) -> float:
        return self.bench.circuit.true_voltage("gate")

    def read(self, channel: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        size = self.integers("getMeasureValueSize", 2, channel)[0]
        times, values = self.values(channel, 0, size)
        assert self.bench.library.crashes == []
        return np.array(times), np.array(values)


@pytest.fixture
def lib() -> Online:
    return Online()


# -- session -------------------------------------------------------------------------------------------------------


def test_one_session_only(lib: Online) -> None:
    with pytest.raises(WgfmuError, match="A session has already been opened by WGFMU_openSession"):
        lib.call("openSession", lib.bench.address)
    lib.call("closeSession")
    assert lib.code("closeSession") == -3
    lib.call("openSession", lib.bench.address.lower())


def test_without_a_session() -> None:
    lib = WgfmuLibrary(functions_at(StandaloneBench().wgfmu_functions("")))
    for function, arguments in (("initialize", ()), ("connect", (101,)), ("execute", ()), ("setTimeout", (5.0,))):
        with pytest.raises(WgfmuError, match="No session has been opened") as raised:
            lib.call(function, *arguments)
        assert raised.value.code == -3
    with pytest.raises(WgfmuError) as raised:
        lib.call("openSession", "GPIB0::99::INSTR")
    assert raised.value.code == -5


def test_a_filled_error_queue_refuses_the_session_once() -> None:
    """Gotcha 2: a stale *CLS of another program."""
    bench = StandaloneBench()
    bench.mainframe.errors.append((100, "Undefined GPIB command."))
    lib = WgfmuLibrary(functions_at(bench.wgfmu_functions("")))
    with pytest.raises(WgfmuError, match=r"The following error messages were in the error queue.*Undefined") as raised:
        lib.call("openSession", bench.address)
    assert raised.value.code == -6
    lib.call("openSession", bench.address)


def test_a_filled_error_queue_by_option_warns_only() -> None:
    bench = StandaloneBench(options={"stale_queue": "warning"})
    bench.mainframe.errors.append((100, "Undefined GPIB command."))
    lib = WgfmuLibrary(functions_at(bench.wgfmu_functions("")))
    lib.call("openSession", bench.address)
    assert "Undefined GPIB command." in lib.warnings()


def test_patterns_survive_the_session(lib: Online) -> None:
    lib.make("p", 0.0, (1e-6, 1.0))
    lib.call("closeSession")
    lib.call("openSession", lib.bench.address)
    assert lib.code("createPattern", "p", 0.0) == -12
    lib.call("clear")
    lib.call("createPattern", "p", 0.0)


@pytest.mark.parametrize("timeout", [0.999, 0.0, -1.0, float("nan")])
def test_timeouts_below_a_second_are_refused(lib: Online, timeout: float) -> None:
    assert lib.code("setTimeout", timeout) == -1


def test_channels(lib: Online) -> None:
    assert lib.channel_ids() == [101, 102, 201]
    size, ids = c_int(2), (c_int * 2)()
    lib.call("getChannelIds", ids, byref(size))
    assert (size.value, list(ids)) == (2, [101, 102])
    assert "differs from the number of channels" in lib.warnings()


# -- settings ------------------------------------------------------------------------------------------------------


def test_defaults(lib: Online) -> None:
    assert lib.integer("getOperationMode", 101) == SMU
    assert lib.integer("getForceVoltageRange", 101) == 3000
    assert lib.integer("getMeasureMode", 101) == 4000
    assert lib.integer("getMeasureVoltageRange", 101) == 5002
    assert lib.integer("getMeasureCurrentRange", 101) == 6005
    assert lib.integer("isMeasureEnabled", 101) == 7001
    assert lib.integers("getTriggerOutMode", 2, 101) == [8000, 8100]
    assert lib.integer("getWarningLevel") == 1002


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("setOperationMode", 1),
        ("setForceVoltageRange", 3005),
        ("setMeasureMode", 0),
        ("setMeasureVoltageRange", 5000),
        ("setMeasureCurrentRange", 5),
        ("setMeasureEnabled", 1),
    ],
)
def test_plain_numbers_are_no_constants(lib: Online, function: str, value: int) -> None:
    """Gotcha 1."""
    assert lib.code(function, 101, value) == -1


def test_current_mode_puts_the_voltage_range_to_5_v(lib: Online) -> None:
    lib.call("setMeasureMode", 101, CURRENT)
    assert lib.integer("getMeasureVoltageRange", 101) == 5001
    lib.call("setMeasureCurrentRange", 101, 6002)
    lib.call("setMeasureMode", 101, 4000)
    assert lib.integer("getMeasureCurrentRange", 101) == 6002


def test_delays_have_a_grid_of_625_ps(lib: Online) -> None:
    lib.call("setForceDelay", 101, -50e-9)
    assert lib.real("getForceDelay", 101) == -50e-9
    lib.call("setForceDelay", 101, 1.5e-9)
    assert lib.real("getForceDelay", 101) == pytest.approx(1.25e-9)
    assert lib.code("setForceDelay", 101, 51e-9) == -1


def test_initialize_resets_channels_and_keeps_patterns(lib: Online) -> None:
    lib.make("p", 0.0, (1e-6, 1.0))
    lib.ready(101)
    assert lib.bench.mainframe.channels[101].rsu.path == "wgfmu"  # type: ignore[union-attr]
    lib.call("initialize")
    assert lib.integer("getOperationMode", 101) == SMU
    assert lib.bench.mainframe.channels[101].rsu.path == "smu"  # type: ignore[union-attr]
    assert lib.integer("getPatternForceValueSize", "p") == 2


@pytest.mark.parametrize("where", ["connect", "setOperationMode", "execute"])
def test_a_channel_without_rsu_fails_when_it_is_used(where: str) -> None:
    """Gotcha 4; where it is noticed is an option."""
    lib = Online(missing_rsu_at=where)
    lib.make("p", 0.0, (1e-6, 1.0))
    lib.call("addSequence", 201, "p", 1.0)
    calls: list[tuple[str, Any]] = [("setOperationMode", (201, FASTIV)), ("connect", (201,)), ("execute", ())]
    for function, arguments in calls:
        if function != where:
            lib.call(function, *arguments)
            continue
        with pytest.raises(WgfmuError, match="RSU is not connected; CHANNEL201") as raised:
            lib.call(function, *arguments)
        assert raised.value.code == -6
        break


def test_connect_before_the_mode_is_an_option() -> None:
    """Gotcha 11."""
    lib = Online()
    lib.call("connect", 101)
    assert lib.bench.mainframe.channels[101].rsu.path == "smu"  # type: ignore[union-attr]
    lib.call("setOperationMode", 101, FASTIV)
    lib.make("p", 1.0, (1e-6, 1.0))
    lib.call("addSequence", 101, "p", 1.0)
    lib.call("execute")
    assert lib.bench.mainframe.channels[101].rsu.path == "wgfmu"  # type: ignore[union-attr]
    assert Online(connect_in_smu_mode="refuse").code("connect", 101) == -4


# -- second level of validation ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("force_range", "levels", "accepted"),
    [
        (3000, (-5.0, 5.0), True),
        (3000, (-10.0, 0.0), True),
        (3000, (0.0, 10.0), True),
        (3000, (-10.0, 0.1), False),
        (3000, (-0.1, 5.1), False),
        (3001, (-3.0, 3.0), True),
        (3001, (-3.1, 0.0), False),
        (3002, (5.1, 0.0), False),
        (3003, (-10.0, 0.0), True),
        (3003, (-10.0, 0.5), False),
        (3004, (10.0, 0.0), True),
        (3004, (-0.5, 5.0), False),
    ],
)
def test_levels_against_ranges(lib: Online, force_range: int, levels: tuple[float, float], accepted: bool) -> None:
    lib.make("p", levels[0], (1e-6, levels[1]))
    lib.call("addSequence", 101, "p", 1.0)
    lib.call("setForceVoltageRange", 101, force_range)
    lib.ready(101)
    if accepted:
        lib.call("update")
        assert lib.gate() == levels[0]
    else:
        with pytest.raises(WgfmuError, match=r"\[V\]") as raised:
            lib.call("update")
        assert raised.value.code == -1
        assert lib.gate() == 0.0


def test_pg_mode_measures_no_current_and_has_no_10_v(lib: Online) -> None:
    lib.make("p", 0.0, (1e-6, 6.0))
    lib.call("addSequence", 101, "p", 1.0)
    lib.ready(101, PG)
    assert lib.code("execute") == -1
    lib.call("setForceVoltageRange", 101, 3004)
    with pytest.raises(WgfmuError, match="Invalid Force Voltage Range on PG mode"):
        lib.call("execute")
    lib.call("setVector", "p", 1e-6, 5.0)
    lib.call("setForceVoltageRange", 101, 3002)
    lib.call("setMeasureMode", 101, CURRENT)
    assert lib.code("execute") == -3
    lib.call("setMeasureMode", 101, 4000)
    lib.call("execute")


def test_totals(lib: Online) -> None:
    lib.make("p", 0.0, (1e-6, 1.0))
    for _ in range(513):
        lib.call("addSequence", 101, "p", 1.0)
    lib.ready(101)
    with pytest.raises(WgfmuError, match="512 or less"):
        lib.call("execute")
    small = Online(total_vectors=10)
    small.make("p", 0.0, *((1e-6, 1.0),) * 11)
    small.call("addSequence", 101, "p", 1.0)
    small.ready(101)
    with pytest.raises(WgfmuError, match="The number of total vectors"):
        small.call("execute")


def test_a_pattern_without_vectors_does_not_play(lib: Online) -> None:
    lib.call("createPattern", "p", 1.0)
    lib.call("addSequence", 101, "p", 1.0)
    lib.ready(101)
    assert lib.code("execute") == -3


# -- execution -----------------------------------------------------------------------------------------------------


def test_execution_takes_its_time_and_the_last_voltage_stays(lib: Online) -> None:
    lib.make("p", 0.0, (1e-3, 2.0), (1e-3, 3.0))
    lib.call("addSequence", 101, "p", 100.0)
    lib.ready(101)
    start = lib.bench.clock.now
    lib.call("execute")
    assert lib.bench.clock.now == start  # asynchronous
    assert lib.status() == (Status.RUNNING, 0.0, pytest.approx(0.2))
    lib.bench.clock.sleep(0.0505 + 1e-6)
    assert lib.status() == (Status.RUNNING, pytest.approx(0.0505), pytest.approx(0.2))
    assert lib.gate() == pytest.approx(1.0, abs=1e-6)
    lib.bench.clock.sleep(0.1495 + 1e-9)
    assert lib.status()[0] is Status.DONE
    lib.call("waitUntilCompleted")
    assert lib.status() == (Status.COMPLETED, pytest.approx(0.2), pytest.approx(0.2))
    assert lib.gate() == 3.0
    lib.call("disconnect", 101)
    assert lib.bench.mainframe.channels[101].rsu.path == "smu"  # type: ignore[union-attr]


def test_status_is_the_maximum_over_channels(lib: Online) -> None:
    for channel, length in ((101, 1e-3), (102, 5e-3)):
        lib.make(f"p{channel}", 0.0, (length, 1.0))
        lib.call("addSequence", channel, f"p{channel}", 1.0)
        lib.ready(channel)
    assert lib.status()[0] is Status.IDLE
    lib.call("execute")
    lib.bench.clock.sleep(3e-3)
    assert lib.status() == (Status.RUNNING, pytest.approx(3e-3, rel=1e-3), pytest.approx(5e-3))
    one = c_int()
    lib.call("getChannelStatus", 101, byref(one), byref(c_double()), byref(c_double()))
    assert one.value == Status.COMPLETED


def test_wait_times_out_in_virtual_time(lib: Online) -> None:
    lib.make("p", 0.0, (1000.0, 1.0))
    lib.call("addSequence", 101, "p", 1.0)
    lib.ready(101)
    assert lib.code("waitUntilCompleted") == -13
    lib.call("setTimeout", 2.0)
    lib.call("execute")
    start = lib.bench.clock.now
    with pytest.raises(WgfmuError, match="Timeout occurs") as raised:
        lib.call("waitUntilCompleted")
    assert raised.value.code == -5
    assert lib.bench.clock.now - start == pytest.approx(2.0)


def test_abort_holds_the_present_voltage(lib: Online) -> None:
    lib.make("p", 0.0, (1.0, 4.0))
    lib.call("setMeasureEvent", "p", "m", 0.0, 10, 0.1, 1e-3, AVERAGED)
    lib.call("addSequence", 101, "p", 1.0)
    lib.ready(101)
    lib.call("execute")
    lib.bench.clock.sleep(0.25)
    lib.call("abort")
    assert lib.gate() == pytest.approx(1.0, abs=1e-4)
    assert lib.status()[0] is Status.ABORTED
    lib.bench.clock.sleep(1.0)
    assert lib.status() == (Status.ABORT_COMPLETED, pytest.approx(0.25, abs=1e-5), pytest.approx(1.0))
    assert lib.gate() == pytest.approx(1.0, abs=1e-4)
    assert lib.integers("getMeasureValueSize", 2, 101) == [3, 10]
    assert lib.read(101)[1] == pytest.approx([2e-3, 0.402, 0.802], abs=1e-4)
    lib.call("abort")
    assert "Nothing was done" in lib.warnings()


def test_execute_again_restarts(lib: Online) -> None:
    lib.make("p", 0.0, (1.0, 4.0))
    lib.call("addSequence", 101, "p", 1.0)
    lib.ready(101)
    lib.call("execute")
    lib.bench.clock.sleep(0.5)
    lib.call("execute")
    lib.bench.clock.sleep(0.25)
    assert lib.status()[1] == pytest.approx(0.25, abs=1e-5)
    assert lib.gate() == pytest.approx(1.0, abs=1e-4)


def test_nothing_to_execute(lib: Online) -> None:
    lib.call("execute")
    assert "At least, one channel must be in the FastIV mode or PG mode." in lib.warnings()
    lib.ready(101)
    with pytest.raises(WgfmuError, match="There is no sequence on channel 101"):
        lib.call("execute")
    lib.call("updateChannel", 102)
    assert "Channel 102 is not in the FastIV mode or PG mode." in lib.warnings()


def test_levels_of_warnings(lib: Online) -> None:
    lib.call("treatWarningsAsErrors", 1002)
    assert lib.code("execute") == -8
    lib.call("setWarningLevel", 1001)
    lib.call("treatWarningsAsErrors", 1000)
    lib.call("clear")
    assert lib.integer("getWarningLevel") == 1002


# -- data ----------------------------------------------------------------------------------------------------------


def test_data_become_available_as_time_passes(lib: Online) -> None:
    lib.make("p", 1.0, (1e-3, 1.0))
    lib.call("setMeasureEvent", "p", "m", 0.1e-3, 2, 0.4e-3, 0.1e-3, AVERAGED)
    lib.call("addSequence", 101, "p", 10.0)
    lib.ready(101)
    times, values = (c_double * 20)(), (c_double * 20)()
    size = c_int(20)
    assert lib.code("getMeasureValues", 101, 0, byref(size), times, values) == -3
    lib.call("execute")
    assert lib.code("getMeasureValues", 101, 0, byref(size), times, values) == -14
    lib.bench.clock.sleep(3.3e-3 + 1e-6)
    assert lib.integers("getMeasureValueSize", 2, 101) == [7, 20]
    assert lib.integers("getCompletedMeasureEventSize", 2, 101) == [3, 10]
    size.value = 20
    lib.call("getMeasureValues", 101, 0, byref(size), times, values)
    assert size.value == 7
    first = list(values[:7])
    assert list(times[:3]) == pytest.approx([0.15e-3, 0.55e-3, 1.15e-3])
    assert first == pytest.approx([1.0] * 7)
    lib.call("waitUntilCompleted")
    size.value = 20
    lib.call("getMeasureValues", 101, 0, byref(size), times, values)
    assert list(values[:7]) == first
    size.value = 3
    lib.call("getMeasureValues", 101, 18, byref(size), times, values)
    assert (size.value, times[1]) == (2, pytest.approx(9.55e-3))
    assert lib.code("getMeasureValue", 101, 20, byref(c_double()), byref(c_double())) == -1
    lib.call("setMeasureEnabled", 101, 7000)
    assert lib.code("getMeasureValues", 101, 0, byref(size), times, values) == -15
    lib.call("execute")
    assert lib.integers("getMeasureValueSize", 2, 101) == [0, 0]


def test_chunks_equal_the_whole_and_runs_differ() -> None:
    """Noise has an address per reading: how readings are fetched does not matter."""
    lib = Online(noise=True)
    lib.make("p", 2.0, (1e-3, 2.0))
    lib.call("setMeasureEvent", "p", "m", 0.0, 50, 2e-5, 1e-5, AVERAGED)
    lib.call("addSequence", 102, "p", 4.0)
    lib.ready(102, current_range=6001)
    lib.call("execute")
    lib.call("waitUntilCompleted")
    parts = [v for k in range(0, 200, 40) for v in lib.values(102, k, 40)[1]]
    assert parts == pytest.approx(lib.read(102)[1], rel=1e-12)
    other = Online(noise=True)
    other.make("p", 2.0, (1e-3, 2.0))
    other.call("setMeasureEvent", "p", "m", 0.0, 50, 2e-5, 1e-5, AVERAGED)
    other.call("addSequence", 102, "p", 4.0)
    other.ready(102, current_range=6001)
    other.call("execute")
    other.call("waitUntilCompleted")
    assert other.read(102)[1] == pytest.approx(parts, rel=1e-12)
    other.call("execute")
    other.call("waitUntilCompleted")
    assert other.read(102)[1] != pytest.approx(parts, rel=1e-3)


@pytest.mark.parametrize(
    ("code", "full_scale", "window", "sigma"),
    [
        (6001, 1e-6, 1.64e-6, 425e-12),
        (6001, 1e-6, 10e-6, 160e-12),
        (6002, 10e-6, 1e-6, 2.5e-9),
        (6003, 100e-6, 130e-9, 47e-9),
        (6004, 1e-3, 40e-9, 280e-9),
        (6005, 10e-3, 20e-9, 1.9e-6),
    ],
)
def test_noise_and_resolution_of_the_ranges(code: int, full_scale: float, window: float, sigma: float) -> None:
    """2000 readings: sd known to 1.6 %; the table of the reference is not quite white, hence 10 %."""
    lib = Online(noise=True, quantise=True)
    lib.make("p", 0.0, (0.1, 0.0))
    lib.call("setMeasureEvent", "p", "m", 1e-3, 2000, 4e-5, round(window / 1e-8) * 1e-8, AVERAGED)
    lib.call("addSequence", 102, "p", 1.0)
    lib.ready(102, current_range=code)
    lib.call("execute")
    lib.call("waitUntilCompleted")
    _, values = lib.read(102)
    step = 1.4e-4 * full_scale
    assert np.std(values) == pytest.approx(np.hypot(sigma, step / 12**0.5), rel=0.1)
    assert np.round(values / step) * step == pytest.approx(values, abs=1e-9 * full_scale)


def test_readings_are_the_devices_current(lib: Online) -> None:
    """Gate pulse of 10 V, 10 ms with the drain at 2 V: base current before and after, against the bare device."""
    lib.make("gate", 0.0, (0.1, 0.0), (1e-6, 10.0), (10e-3, 10.0), (1e-6, 0.0), (0.2, 0.0))
    lib.make("drain", 2.0, (0.310002, 2.0))
    lib.call("setMeasureEvent", "drain", "before", 0.05, 1, 1e-3, 1e-3, AVERAGED)
    lib.call("setMeasureEvent", "drain", "after", 0.3, 1, 1e-3, 1e-3, AVERAGED)
    lib.call("addSequence", 101, "gate", 1.0)
    lib.call("addSequence", 102, "drain", 1.0)
    lib.ready(101)
    lib.ready(102, current_range=6001)
    lib.call("execute")
    lib.call("waitUntilCompleted")
    _, (before, after) = lib.read(102)
    twin = AabTransistor()
    twin.hold(0.1, 0.0)
    assert before == pytest.approx(twin.channel_current(2.0), rel=1e-4)
    twin.ramp(1e-6, 0.0, 10.0)
    twin.hold(10e-3, 10.0)
    twin.ramp(1e-6, 10.0, 0.0)
    twin.hold(0.2, 0.0)
    assert after == pytest.approx(twin.channel_current(2.0), rel=1e-4)
    assert after - before == pytest.approx(0.22e-9, abs=0.002e-9)


def test_raw_data_average_to_the_averaged_ones() -> None:
    results = []
    for kind in (AVERAGED, RAW):
        lib = Online()
        lib.make("p", 0.0, (1e-5, 3.0))
        lib.call("setMeasureEvent", "p", "m", 2e-6, 1, 1e-6, 1e-6, kind)
        lib.call("addSequence", 102, "p", 1.0)
        lib.ready(102, current_range=6003)
        lib.call("execute")
        lib.call("waitUntilCompleted")
        times, values = lib.read(102)
        results.append(values)
        assert times[0] == pytest.approx(2.5e-6 if kind == AVERAGED else 2e-6)
    assert results[1].size == 201
    assert np.trapezoid(results[1], dx=5e-9) / 1e-6 == pytest.approx(results[0][0], rel=1e-4)


def test_range_events_change_the_range_and_settle() -> None:
    lib = Online()
    lib.make("p", 2.0, (1e-2, 2.0))
    lib.call("setRangeEvent", "p", "fine", 2e-3, 6001)
    lib.call("setMeasureEvent", "p", "m", 1e-3, 4, 1.005e-3, 1e-6, AVERAGED)
    lib.call("addSequence", 102, "p", 2.0)
    lib.ready(102, current_range=6005)
    lib.call("execute")
    lib.call("waitUntilCompleted")
    _, values = lib.read(102)
    settled = values[3]
    assert settled == pytest.approx(0.145e-9, rel=0.01)
    assert values[1] < 0.3 * settled  # 5 us after the change
    assert values[4:] == pytest.approx(settled, rel=0.01)  # the second loop begins in the range of the first's end
    assert values[2] == pytest.approx(settled, rel=0.01)


def test_range_events_need_current_in_fast_iv(lib: Online) -> None:
    lib.make("p", 0.0, (1e-2, 2.0))
    lib.call("setRangeEvent", "p", "r", 1e-3, 6001)
    lib.call("addSequence", 102, "p", 1.0)
    lib.ready(102)
    assert lib.code("execute") == -3
    lib.call("setMeasureMode", 102, CURRENT)
    lib.call("execute")
    lib.call("setMeasureEvent", "p", "m", 0.9e-3, 1, 1e-3, 1e-3, AVERAGED)
    assert lib.code("execute") == -3
    for k in range(3):
        lib.call("setRangeEvent", "p", f"r{k}", 5e-3 + k * 2e-6, 6001 + k)
    lib.call("setMeasureEvent", "p", "m", 4e-3, 1, 1e-7, 0.0, AVERAGED)
    assert lib.code("execute") in (-3, -6)


def test_over_range_clips_at_full_scale() -> None:
    """An own edge of 100 V/us charges 150 pF with 15 mA."""
    lib = Online(device={"c_gd": 150e-12})
    lib.make("p", 0.0, (1e-5, 0.0), (1e-7, 10.0), (1e-5, 10.0))
    lib.call("setMeasureEvent", "p", "m", 1.005e-5, 1, 1e-7, 0.0, AVERAGED)
    lib.call("addSequence", 102, "p", 1.0)
    lib.ready(102, current_range=6004)
    lib.call("execute")
    lib.call("waitUntilCompleted")
    assert lib.read(102)[1][0] == 1e-3


def test_open_probe_baseline_saturates_the_smallest_range() -> None:
    """Gotchas 5 and 7: 440 kohm of leakage, 1.14 uA at -0.5 V."""
    lib = Online(baseline_resistance=440e3)
    lib.make("p", -0.5, (1e-2, -0.5))
    lib.call("setMeasureEvent", "p", "m", 5e-3, 1, 1e-3, 1e-3, AVERAGED)
    lib.call("addSequence", 102, "p", 1.0)
    for code, expected in ((6004, -0.5 / 440e3), (6001, -1e-6)):
        lib.ready(102, current_range=code)
        lib.call("execute")
        lib.call("waitUntilCompleted")
        assert lib.read(102)[1][0] == pytest.approx(expected, rel=1e-3)


# -- DC ------------------------------------------------------------------------------------------------------------


def test_dc_forces_at_once_and_measures(lib: Online) -> None:
    with pytest.raises(WgfmuError, match="Operation mode must be in the DC mode"):
        lib.call("dcforceVoltage", 102, 1.0)
    lib.ready(102, DC, current_range=6001)
    lib.call("dcforceVoltage", 102, 2.0)
    assert lib.bench.circuit.true_voltage("drain") == 2.0
    start = lib.bench.clock.now
    assert lib.real("dcmeasureValue", 102) == pytest.approx(0.145e-9, rel=0.01)
    assert lib.real("dcmeasureAveragedValue", 102, 65535, 65535) == pytest.approx(0.145e-9, rel=0.01)
    assert lib.bench.clock.now - start == pytest.approx(65535 * 65535 * 5e-9, rel=0.01)
    for count, interval in ((0, 1), (65536, 1), (1, 0), (1, 65536)):
        assert lib.code("dcmeasureAveragedValue", 102, count, interval, byref(c_double())) == -1
    assert lib.code("dcforceVoltage", 102, 10.5) == -1
    assert lib.code("setMeasureEnabled", 102, 7001) == -4


def test_dc_measures_voltage_too(lib: Online) -> None:
    lib.ready(101, DC)
    lib.call("dcforceVoltage", 101, -7.5)
    assert lib.real("dcmeasureValue", 101) == pytest.approx(-7.5)
    assert lib.real("dcmeasureAveragedValue", 101, 1000, 20) == pytest.approx(-7.5)


# -- whole ---------------------------------------------------------------------------------------------------------


def test_a_million_pulses_then_a_base_reading() -> None:
    """The waveform is never expanded: the base current 100 us after a train, against the bare device."""
    count = 10**6
    lib = Online(device={"c_gd": 0.0}, force_tau_10v=1e-12)
    lib.make("triangle", 0.0, (50e-9, -10.0), (50e-9, 0.0), (100e-9, 0.0))
    lib.make("rest", 0.0, (200e-6, 0.0))
    lib.make("on", 2.0, (count * 200e-9, 2.0))
    lib.make("read", 2.0, (200e-6, 2.0))
    lib.call("setMeasureEvent", "read", "m", 100e-6, 1, 1e-5, 1e-5, AVERAGED)
    for channel, names in ((101, ("triangle", "rest")), (102, ("on", "read"))):
        for name in names:
            lib.call("addSequence", channel, name, float(count) if name == "triangle" else 1.0)
    lib.ready(101)
    lib.ready(102, current_range=6001)
    lib.call("execute")
    lib.call("waitUntilCompleted")
    _, values = lib.read(102)
    twin = AabTransistor()
    twin.run([(50e-9, 0.0, -10.0), (50e-9, -10.0, 0.0), (100e-9, 0.0, 0.0)], count)
    twin.hold(105e-6 + 50e-9 - 37e-6 / 5.1, 0.0)  # the meter lags by its time constant
    assert values[0] == pytest.approx(twin.channel_current(2.0), rel=1e-3)


@pytest.mark.parametrize("wrong", [{"quantize": True}, {"data_memory": "4M"}, {"stale_queue_opens": 1}])
def test_unknown_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="WGFMU"):
        make_options(wrong)


def test_a_crash_inside_is_a_library_error_and_kept(lib: Online, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(lib.bench.library.state, "channel", broken)
    with pytest.raises(WgfmuError, match="RuntimeError: a bug") as raised:
        lib.call("connect", 101)
    assert raised.value.code == -7
    assert [str(c) for c in lib.bench.library.crashes] == ["a bug"]


@pytest.mark.parametrize("step", [0.9e-3, 17.3e-6, 3.1e-6])
def test_looking_changes_nothing(step: float) -> None:
    """Status and voltages asked for at odd times cut the waveform into other pieces, with the same readings."""
    readings = []
    for looks in (False, True):
        lib = Online()
        lib.make("gate", 0.0, (200e-9, -8.0), (300e-9, -8.0), (200e-9, 0.0), (300e-9, 0.0))
        lib.make("drain", 2.0, (5e-6, 2.0))
        lib.call("setMeasureEvent", "drain", "m", 1e-6, 2, 2e-6, 1e-6, AVERAGED)
        lib.call("addSequence", 101, "gate", 1000.0)
        lib.call("addSequence", 102, "drain", 200.0)
        lib.ready(101)
        lib.ready(102, current_range=6003)
        lib.call("execute")
        while looks and lib.status()[0] is Status.RUNNING:
            lib.bench.clock.sleep(step)
            lib.gate()
        lib.call("waitUntilCompleted")
        readings.append(lib.read(102)[1])
    assert readings[1] == pytest.approx(readings[0], rel=1e-5, abs=1e-14)


def test_a_reading_late_in_a_long_session_is_the_same() -> None:
    """Absolute times lose digits; a day into a session a 100 ns window still lies where it should."""
    values = []
    for idle in (0.0, 1e5):
        lib = Online()
        lib.bench.clock.sleep(idle)
        lib.make("gate", 0.0, (200e-9, -8.0), (300e-9, -8.0), (200e-9, 0.0), (300e-9, 0.0))
        lib.make("drain", 2.0, (1e-6, 2.0))
        lib.call("setMeasureEvent", "drain", "m", 0.4e-6, 1, 1e-7, 1e-7, AVERAGED)
        for channel, name in ((101, "gate"), (102, "drain")):
            lib.call("addSequence", channel, name, 500.0)
        lib.ready(101)
        lib.ready(102, current_range=6005)
        lib.call("execute")
        lib.call("waitUntilCompleted")
        values.append(lib.read(102)[1])
    assert values[1] == pytest.approx(values[0], rel=1e-3)


def test_ctrl_c_inside_a_function_reaches_the_program(lib: Online, monkeypatch: pytest.MonkeyPatch) -> None:
    """C cannot pass an exception on: the call fails, and the interrupt comes once it has returned."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lib.bench.clock, "sleep", interrupted)
    lib.make("p", 0.0, (1.0, 4.0))
    lib.call("addSequence", 101, "p", 1.0)
    lib.ready(101)
    lib.call("execute")
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the interrupt comes at some point after the call
        assert lib._functions["waitUntilCompleted"]() == -7
        while True:
            pass
