"""Patterns, events and sequences of the simulated WGFMU library, through C (reference b1530a sec. 4, 5, 7, 11)."""

from __future__ import annotations

from ctypes import POINTER, byref, c_double, c_int, c_void_p, cast, create_string_buffer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.wgfmu_library import WgfmuError, WgfmuLibrary, functions_at, reals
from sim_backend.wgfmu.standalone import StandaloneBench

AVERAGED, RAW = 12000, 12001


class Offline(WgfmuLibrary):
    """The library with short-hands for tests."""

    def __init__(self, **options: object) -> None:
        self.bench = StandaloneBench(options=options)
        super().__init__(functions_at(self.bench.wgfmu_functions("")))

    def make(self, name: str, initial: float, *vectors: tuple[float, float]) -> None:
        self.call("createPattern", name, initial)
        for duration, level in vectors:
            self.call("addVector", name, duration, level)

    def points(self, name: str) -> list[tuple[float, float]]:
        size = c_int(self.integer("getPatternForceValueSize", name))
        times, values = (c_double * size.value)(), (c_double * size.value)()
        self.call("getPatternForceValues", name, 0, byref(size), times, values)
        return [(round(t, 12), v) for t, v in zip(times, values, strict=True)]

    def times(self, channel: int) -> list[float]:
        size = c_int(self.integer("getMeasureTimeSize", channel))
        times = (c_double * size.value)()
        self.call("getMeasureTimes", channel, 0, byref(size), times)
        return list(times)

    def code(self, function: str, *arguments: object) -> int:
        with pytest.raises(WgfmuError) as raised:
            self.call(function, *arguments)
        assert self.bench.library.crashes == []
        return raised.value.code


@pytest.fixture
def lib() -> Offline:
    return Offline()


def test_increments_accumulate(lib: Offline) -> None:
    lib.make("p", 0.0, (1e-3, 1.0), (2e-3, 1.0), (1e-3, 0.0))
    assert lib.points("p") == [(0, 0), (0.001, 1), (0.003, 1), (0.004, 0)]
    assert lib.integer("getPatternForceValueSize", "p") == 4


def test_a_new_pattern_has_one_point(lib: Offline) -> None:
    lib.make("p", 0.7)
    assert lib.points("p") == [(0.0, 0.7)]


def test_set_vector_inserts_replaces_and_changes_the_initial_voltage(lib: Offline) -> None:
    lib.make("p", 0.0, (1e-6, 1.0), (1e-6, 2.0))
    lib.call("setVector", "p", 1.5e-6, 5.0)
    lib.call("setVectors", "p", reals([0.0, 1e-6]), reals([-1.0, 3.0]), 2)
    assert lib.points("p") == [(0, -1), (1e-6, 3), (1.5e-6, 5), (2e-6, 2)]


@pytest.mark.parametrize(("given_", "stored"), [(72e-9, 70e-9), (76e-9, 80e-9), (14e-9, 10e-9), (3.00e-7, 3e-7)])
def test_times_are_rounded_to_10_ns_and_told(lib: Offline, given_: float, stored: float) -> None:
    lib.call("setWarningLevel", 1003)
    lib.make("p", 0.0, (given_, 1.0))
    assert lib.points("p")[1][0] == pytest.approx(stored, abs=1e-12)
    assert ("was rounded to" in lib.warnings()) == (abs(given_ - stored) > 1e-12)


def test_rounding_is_not_in_the_summary_by_default(lib: Offline) -> None:
    lib.make("p", 0.0, (72e-9, 1.0))
    assert lib.warnings() == ""
    lib.call("setWarningLevel", 1003)
    assert "deltaTime = 7.2e-08 was rounded to 7e-08." in lib.warnings()


def test_absolute_limits_refuse_and_store_nothing(lib: Offline) -> None:
    lib.make("p", 0.0, (1e-6, 1.0))
    before = lib.points("p")
    assert lib.code("addVector", "p", 4e-9, 1.0) == -1  # rounds to 0
    assert lib.code("addVector", "p", 10996.0, 1.0) == -1
    assert lib.code("addVector", "p", 1e-6, 10.01) == -1
    assert lib.code("addVectors", "p", reals([1e-6, 1e-6]), reals([1.0, -11.0]), 2) == -1
    assert lib.code("setVectors", "p", reals([5e-6, -1e-6]), reals([1.0, 1.0]), 2) == -1
    assert lib.code("createPattern", "q", 12.0) == -1
    assert lib.points("p") == before
    lib.call("addVector", "p", 10995.11627775, 10.0)
    assert lib.points("p")[-1] == (10995.11627875, 10.0)


def test_the_text_of_a_refusal(lib: Offline) -> None:
    lib.make("p", 0.0)
    with pytest.raises(WgfmuError, match=r"deltaTime = 20000 is invalid\. The value must be 1e-08 <= "):
        lib.call("addVector", "p", 20000.0, 1.0)


def test_names(lib: Offline) -> None:
    lib.make("p", 0.0)
    assert lib.code("createPattern", "p", 1.0) == -12
    assert lib.code("createPattern", "", 1.0) == -2
    assert lib._functions["createPattern"](None, 0.0) == -2
    assert lib._functions["createPattern"](b"\xff", 0.0) == -2
    assert lib.code("addVector", "P", 1e-6, 0.0) == -10  # case counts
    assert lib._functions["getPatternForceValueSize"](b"p", cast(c_void_p(), POINTER(c_int))) == -2


def test_2048_vectors_fit_and_no_more(lib: Offline) -> None:
    lib.make("p", 0.0)
    lib.call("addVectors", "p", reals([1e-8] * 2048), reals([1.0] * 2048), 2048)
    assert lib.code("addVector", "p", 1e-8, 0.0) == -1
    with pytest.raises(WgfmuError, match="2048 or less"):
        lib.call("setVector", "p", 1.0, 0.0)
    assert lib.integer("getPatternForceValueSize", "p") == 2049


def test_merge_in_time_drops_the_initial_voltage(lib: Offline) -> None:
    lib.make("a", 0.0, (1e-6, 1.0))
    lib.make("b", 5.0, (1e-6, 2.0))
    lib.call("setMeasureEvent", "b", "m", 0.5e-6, 1, 1e-7, 1e-7, AVERAGED)
    lib.call("createMergedPattern", "ab", "a", "b", 9000)
    assert lib.points("ab") == [(0, 0), (1e-6, 1), (2e-6, 2)]
    assert lib.real("getPatternMeasureTime", "ab", 0) == pytest.approx(1.55e-6)


def test_merge_in_voltage_adds_and_holds_the_shorter_one(lib: Offline) -> None:
    lib.make("a", 0.0, (1e-6, 1.0))
    lib.make("b", 1.0, (2e-6, 3.0))
    lib.call("createMergedPattern", "ab", "a", "b", 9001)
    assert lib.points("ab") == [(0, 1), (1e-6, 3), (2e-6, 4)]
    assert lib.code("createMergedPattern", "x", "a", "b", 2) == -1


def test_multiplied_patterns(lib: Offline) -> None:
    lib.make("a", 0.0, (1e-6, 1.0), (3e-6, 4.0))
    lib.call("setMeasureEvent", "a", "m", 1e-6, 3, 0.5e-6, 0.2e-6, AVERAGED)
    lib.call("createMultipliedPattern", "b", "a", 2.0, -0.5)
    assert lib.points("b") == [(0, 0), (2e-6, -0.5), (8e-6, -2)]
    size, times = c_int(3), (c_double * 3)()
    lib.call("getPatternMeasureTimes", "b", 0, byref(size), times)
    assert list(times) == pytest.approx([2.2e-6, 3.2e-6, 4.2e-6])
    lib.call("createMultipliedPattern", "c", "a", -1.0, 1.0)
    assert lib.points("c") == [(0, 4), (3e-6, 1), (4e-6, 0)]
    lib.call("getPatternMeasureTimes", "c", 0, byref(size), times)
    assert times[0] == pytest.approx(4e-6 - 1e-6 - 1e-6 - 0.2e-6 + 0.1e-6)
    assert lib.code("createMultipliedPattern", "d", "a", 0.0, 1.0) == -1
    assert lib.code("createMultipliedPattern", "d", "a", 1.0, 3.0) == -1


def test_offset_patterns(lib: Offline) -> None:
    lib.make("a", 1.0, (1e-6, 2.0), (1e-6, 0.0))
    lib.call("createOffsetPattern", "later", "a", 1e-6, 0.5)
    assert lib.points("later") == [(0, 1.5), (1e-6, 1.5), (2e-6, 2.5), (3e-6, 0.5)]
    lib.call("createOffsetPattern", "trimmed", "a", -0.5e-6, 0.0)
    assert lib.points("trimmed") == [(0, 1.5), (0.5e-6, 2), (1.5e-6, 0)]
    lib.call("createOffsetPattern", "a", "a", 0.0, 1.0)  # onto itself
    assert lib.points("a")[0] == (0, 2)
    assert lib.code("createOffsetPattern", "later", "a", 0.0, 0.0) == -12
    assert lib.code("createOffsetPattern", "nothing", "a", -5e-6, 0.0) == -1


def test_worked_example_of_time_stamps(lib: Offline) -> None:
    lib.make("p", 0.0, (1e-7, 1.0), (1e-6, 1.0), (1e-7, 0.0), (1e-6, 0.0))
    lib.call("setMeasureEvent", "p", "m", 600e-9, 4, 100e-9, 100e-9, AVERAGED)
    lib.call("addSequence", 101, "p", 3.0)
    one = np.array([0.65e-6, 0.75e-6, 0.85e-6, 0.95e-6])
    assert lib.times(101) == pytest.approx(np.concatenate([one, one + 2.2e-6, one + 4.4e-6]))
    lib.call("clear")
    lib.make("p", 0.0, (1e-7, 1.0), (1e-6, 1.0), (1e-7, 0.0), (1e-6, 0.0))
    lib.call("setMeasureEvent", "p", "m", 600e-9, 4, 100e-9, 100e-9, RAW)
    lib.call("addSequence", 101, "p", 3.0)
    assert lib.integer("getMeasureTimeSize", 101) == 3 * 84
    assert lib.times(101)[:3] == pytest.approx([600e-9, 605e-9, 610e-9])


def test_the_guides_sum_of_sequences(lib: Offline) -> None:
    """10 us x3, 50 us x1, 20 us x2 with 7, 6, 5 events of 5, 4, 3 points: 120.1 us, 37 events, 159 points."""
    for name, length, events, points in (("a", 10e-6, 7, 5), ("b", 50e-6, 6, 4), ("c", 20e-6, 5, 3)):
        lib.make(name, 0.0, (length, 1.0))
        for k in range(events):
            lib.call("setMeasureEvent", name, f"m{k}", k * 1e-6, points, 1e-7, 1e-7, AVERAGED)
    for name, count in (("a", 3.0), ("b", 1.0), ("c", 2.0)):
        lib.call("addSequence", 101, name, count)
    assert lib.integer("getMeasureEventSize", 101) == 37
    assert lib.integer("getMeasureTimeSize", 101) == 159
    size = lib.real("getForceValueSize", 101)
    time, value = c_double(), c_double()
    lib.call("getForceValue", 101, size - 1, byref(time), byref(value))
    assert time.value == pytest.approx(120.1e-6)
    # 50 ns between sequences: 10 ns at the last voltage, 40 ns to the next start voltage
    assert lib.real("getInterpolatedForceValue", 101, 30.01e-6) == pytest.approx(1.0)
    assert lib.real("getInterpolatedForceValue", 101, 30.03e-6) == pytest.approx(0.5)
    assert lib.real("getInterpolatedForceValue", 101, 30.05e-6) == pytest.approx(0.0, abs=1e-9)


def test_loops_up_to_2_to_the_40(lib: Offline) -> None:
    lib.make("p", 0.0, (1e-6, 1.0), (1e-6, 0.0))
    lib.call("addSequence", 101, "p", 2.0**40)
    assert lib.real("getForceValueSize", 101) == 3 * 2.0**40
    time, value = c_double(), c_double()
    lib.call("getForceValue", 101, 3 * 2.0**40 - 2, byref(time), byref(value))
    assert (time.value, value.value) == (pytest.approx(2e-6 * 2.0**40 - 1e-6), 1.0)
    assert lib.code("addSequence", 101, "p", 2.0**40 + 1) == -1
    assert lib.code("addSequence", 101, "p", 0.4) == -1
    lib.call("setWarningLevel", 1003)
    lib.call("addSequence", 101, "p", 2.6)
    assert "loopCount = 2.6 was rounded to 3." in lib.warnings()


def test_channel_numbers(lib: Offline) -> None:
    lib.make("p", 0.0, (1e-6, 1.0))
    for channel in (7, 103, 1101, -101, 0):
        assert lib.code("addSequence", channel, "p", 1.0) == -9
    with pytest.raises(WgfmuError, match="There is no sequence on channel 102"):
        lib.call("getForceValueSize", 102, byref(c_double()))


def test_events_stay_inside_their_pattern(lib: Offline) -> None:
    lib.make("p", 0.0, (1e-6, 1.0))
    with pytest.raises(WgfmuError, match=r'Event "m" cannot be set outside pattern "p"\. time \+ duration = 1\.01e-06'):
        lib.call("setMeasureEvent", "p", "m", 1e-6, 1, 1e-7, 0.0, AVERAGED)
    lib.call("setMeasureEvent", "p", "m", 0.99e-6, 1, 1e-7, 0.0, AVERAGED)
    assert lib.code("setMeasureEvent", "p", "n", 0.0, 11, 1e-7, 1e-7, AVERAGED) == -1
    assert lib.code("setMeasureEvent", "p", "n", 0.0, 0, 1e-7, 0.0, AVERAGED) == -1
    assert lib.code("setMeasureEvent", "p", "n", 0.0, 1, 1.4, 0.0, AVERAGED) == -1
    assert lib.code("setMeasureEvent", "p", "n", 0.0, 2, 1e-7, 2e-7, AVERAGED) == -1
    assert lib.code("setMeasureEvent", "p", "n", 0.0, 2, 1e-7, 1e-7, 1) == -1
    assert lib.code("setRangeEvent", "p", "r", 1e-6, 6001) == -1
    assert lib.code("setRangeEvent", "p", "r", 0.0, 1) == -1
    assert lib.code("setTriggerOutEvent", "p", "t", 0.5e-6, 0.0) == -1
    lib.call("setTriggerOutEvent", "p", "t", 0.0, 0.0)


def test_an_overlapping_event_replaces_the_earlier_one(lib: Offline) -> None:
    lib.make("p", 0.0, (1e-5, 1.0))
    lib.call("setMeasureEvent", "p", "old", 1e-6, 2, 1e-6, 1e-6, AVERAGED)
    lib.call("setMeasureEvent", "p", "new", 2e-6, 1, 1e-6, 1e-6, AVERAGED)
    assert lib.integer("getPatternMeasureTimeSize", "p") == 1
    assert 'Event "old" of pattern "p" was overwritten by "new".' in lib.warnings()
    lib.call("treatWarningsAsErrors", 1001)
    lib.call("setMeasureEvent", "p", "later", 5e-6, 1, 1e-6, 1e-6, AVERAGED)
    assert lib.code("setMeasureEvent", "p", "third", 2e-6, 1, 1e-6, 1e-6, AVERAGED) == -8
    assert lib.integer("getPatternMeasureTimeSize", "p") == 2


def test_list_getters_fill_what_exists(lib: Offline) -> None:
    lib.make("p", 0.0, (1e-6, 1.0), (1e-6, 0.0))
    size, times, values = c_int(10), (c_double * 10)(), (c_double * 10)()
    lib.call("getPatternForceValues", "p", 1, byref(size), times, values)
    assert (size.value, list(values[:2])) == (2, [1.0, 0.0])
    assert "is greater than the total size = 3" in lib.warnings()
    size.value = 0
    assert lib.code("getPatternForceValues", "p", 0, byref(size), times, values) == -1
    size.value = 1
    assert lib.code("getPatternForceValues", "p", 3, byref(size), times, values) == -1


def test_errors_queue_first_in_first_out_and_the_summary_keeps_them(lib: Offline) -> None:
    functions = lib._functions
    for name in (b"one", b"two"):
        functions["addVector"](name, 1e-6, 0.0)
    size = c_int()
    functions["getErrorSize"](byref(size))
    expected = b'-10: Error in WGFMU_addVector("one", 1e-06, 0);\n\tPattern "one" is not found.\n'
    assert size.value == len(expected) + 1
    buffer = create_string_buffer(size.value)
    functions["getError"](buffer, byref(size))
    assert (buffer.value, size.value) == (expected, len(expected) + 1)
    functions["getErrorSummarySize"](byref(size))
    assert size.value == 2 * len(expected) + 1
    lib.call("clear")
    functions["getErrorSummarySize"](byref(size))
    assert size.value == 1


def test_texts_never_overrun_their_buffer(lib: Offline) -> None:
    lib._functions["addVector"](b"x", 1e-6, 0.0)
    buffer = create_string_buffer(b"#" * 40, 41)
    size = c_int(10)
    lib._functions["getError"](buffer, byref(size))
    assert buffer.raw[:10] == b"-10: Erro\0"
    assert buffer.raw[10:40] == b"#" * 30
    assert "is less than the required size" in lib.warnings()


def test_string_sizes_without_nul_by_option() -> None:
    counting, bare = Offline(), Offline(string_sizes_count_nul=False)
    for lib in (counting, bare):
        lib._functions["addVector"](b"x", 1e-6, 0.0)
    assert counting.integer("getErrorSize") == bare.integer("getErrorSize") + 1


def test_export(lib: Offline, tmp_path: Path) -> None:
    lib.make("p", 0.0, (1e-6, 1.5))
    lib.call("setMeasureEvent", "p", "m", 1e-7, 2, 2e-7, 1e-7, RAW)
    lib.call("setRangeEvent", "p", "r", 0.0, 6003)
    lib.call("setTriggerOutEvent", "p", "t", 2e-7, 1e-7)
    lib.call("addSequence", 101, "p", 5.0)
    lib.call("exportAscii", str(tmp_path / "setup.txt"))
    lines = (tmp_path / "setup.txt").read_text(encoding="ascii").splitlines()
    assert lines == [
        "#Pattern,#Event,#Name,#Time,#Voltage",
        ",,p,0.000000000,0.000000",
        ",,p,0.000001000,1.500000",
        "#Pattern,#Measure,#Name,#Time,#Points,#Interval,#Averaging,#Rawdata",
        ",,m,0.000000100,2,0.000000200,0.000000100,12001",
        "#Pattern,#Range,#Name,#Time,#Index",
        ",,r,0.000000000,6003",
        "#Pattern,#TriggerOut,#Name,#Time,#Duration",
        ",,t,0.000000200,0.000000100",
        "#Channel,#Id,#Pattern,#Loop",
        ",101,p,5",
    ]


def test_export_is_an_offline_check(lib: Offline, tmp_path: Path) -> None:
    lib.make("p", -6.0, (1e-6, 6.0))
    lib.call("addSequence", 101, "p", 1.0)
    assert lib.code("exportAscii", str(tmp_path / "x.csv")) == -1
    assert not (tmp_path / "x.csv").exists()
    lib.call("setVector", "p", 0.0, 0.0)
    assert lib.code("exportAscii", str(tmp_path / "no" / "x.csv")) == -8


def test_data_memory_counts_raw_samples(tmp_path: Path) -> None:
    lib = Offline(data_memory=1000)
    lib.make("p", 0.0, (1e-3, 1.0))
    lib.call("setMeasureEvent", "p", "m", 0.0, 5, 1e-6, 1e-6, RAW)
    lib.call("addSequence", 101, "p", 1.0)
    assert lib.code("exportAscii", str(tmp_path / "x")) == -1
    lib.call("setMeasureEvent", "p", "m", 0.0, 4, 1e-6, 1e-6, RAW)
    lib.call("exportAscii", str(tmp_path / "x"))


@pytest.mark.parametrize(("distance", "code"), [(90e-9, -6), (100e-9, 0)])
def test_events_of_different_averaging_need_100_ns(lib: Offline, tmp_path: Path, distance: float, code: int) -> None:
    lib.make("p", 0.0, (1e-4, 1.0))
    lib.call("setMeasureEvent", "p", "a", 0.0, 1, 1e-6, 1e-6, AVERAGED)
    lib.call("setMeasureEvent", "p", "b", 1e-6 + distance, 1, 1e-6, 2e-7, AVERAGED)
    lib.call("addSequence", 101, "p", 1.0)
    if code:
        with pytest.raises(WgfmuError, match="3051"):
            lib.call("exportAscii", str(tmp_path / "x"))
    else:
        lib.call("exportAscii", str(tmp_path / "x"))


patterns = st.lists(st.tuples(st.integers(1, 500), st.floats(-5, 5).map(lambda v: round(v, 3))), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    shapes=st.lists(st.tuples(patterns, st.integers(1, 5)), min_size=1, max_size=4),
    event=st.tuples(st.integers(1, 4), st.integers(0, 3), st.booleans()),
    data=st.data(),
)
def test_sequences_equal_their_expansion(
    shapes: list[tuple[list[tuple[int, float]], int]], event: tuple[int, int, bool], data: st.DataObject
) -> None:
    """Everything that is found by division equals the same written out loop by loop."""
    lib = Offline()
    points, averaging, raw = event
    times: list[float] = []
    volts: list[float] = []
    stamps: list[float] = []
    knots: list[float] = []  # the waveform with its gaps, in ticks
    levels: list[float] = []
    begin = 0
    for k, (vectors, loops) in enumerate(shapes):
        name = f"p{k}"
        lib.make(name, 0.0, *((ticks * 1e-8, v) for ticks, v in vectors))
        length = sum(ticks for ticks, _ in vectors)
        interval = max(1, averaging)
        fits = interval * (points - 1) + (averaging or 1) <= length
        if fits:
            kind = RAW if raw else AVERAGED
            lib.call("setMeasureEvent", name, "m", 0.0, points, interval * 1e-8, averaging * 1e-8, kind)
        lib.call("addSequence", 101, name, float(loops))
        for _ in range(loops):
            ticks = np.cumsum([0, *(t for t, _ in vectors)])
            times += list((begin + ticks) * 1e-8)
            volts += [0.0, *(v for _, v in vectors)]
            knots += list(begin + ticks)
            levels += [0.0, *(v for _, v in vectors)]
            if fits:
                for p in range(points):
                    first = (begin + p * interval) * 1e-8
                    samples = 1 + 2 * averaging if raw else 1
                    stamps += [first + 5e-9 * s for s in range(samples)] if raw else [first + averaging * 5e-9]
            begin += length
        knots.append(begin + 1)
        levels.append(vectors[-1][1])
        begin += 5
    size = c_int(len(times))
    got_times, got_volts = (c_double * len(times))(), (c_double * len(times))()
    lib.call("getForceValues", 101, 0.0, byref(size), got_times, got_volts)
    assert lib.real("getForceValueSize", 101) == len(times)
    assert list(got_times) == pytest.approx(times, abs=1e-13)
    assert list(got_volts) == volts
    if stamps:
        assert lib.times(101) == pytest.approx(stamps, abs=1e-13)
        index = data.draw(st.integers(0, len(stamps) - 1))
        assert lib.real("getMeasureTime", 101, index) == pytest.approx(stamps[index], abs=1e-13)
    tick = data.draw(st.integers(0, begin - 6)) + 0.5
    assert lib.real("getInterpolatedForceValue", 101, tick * 1e-8) == pytest.approx(
        float(np.interp(tick, knots, levels)), abs=1e-9
    )
