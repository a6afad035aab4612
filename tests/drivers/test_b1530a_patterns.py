"""What the B1530A driver refuses before anything is sent, and what it says would be accepted."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drivers.b1530a_limits import FORCE_RANGES, capabilities, measure_range
from drivers.b1530a_patterns import Pattern, Program, Window, check, force_range
from drivers.errors import SettingError
from drivers.wgfmu_library import WgfmuError, WgfmuLibrary, functions_at
from sim_backend.wgfmu.standalone import StandaloneBench

FLAT = Pattern.constant("flat", 1.0, 1e-3)


def program(pattern: Pattern, count: int = 1, **settings_: object) -> Program:
    return Program(((pattern, count),), **settings_)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (Pattern("p", (0.0, 72e-9), (0.0, 0.0)), r"72 ns is not on the 10 ns grid; 70 ns or 80 ns would be"),
        (Pattern("p", (0.0, 1e-6, 1e-6), (0.0, 0.0, 0.0)), "10 ns is the shortest accepted"),
        (Pattern("p", (0.0, 11000.0), (0.0, 0.0)), "outside"),
        (Pattern("p", (0.0,), (0.0,)), "at least two"),
        (Pattern("p", (1e-6, 2e-6), (0.0, 0.0)), "beginning at 0 s"),
        (Pattern("µ", (0.0, 1e-6), (0.0, 0.0)), "ASCII"),
        (Pattern("p", tuple(k * 1e-8 for k in range(2050)), (0.0,) * 2050), "2049 vectors, at most 2048 are accepted"),
        (Pattern("p", (0.0, 1e-6), (0.0, 10.5)), r"level 10\.5 V is outside -10 \.\. 10 V"),
        (Pattern("p", (0.0, 1e-6), (-6.0, 1.0)), "above 5 V a channel has one sign only"),
    ],
)
def test_patterns_that_are_refused(pattern: Pattern, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        check(program(pattern), allow_fast_edges=True)


@pytest.mark.parametrize(
    ("level", "edge", "recommended"), [(-10.0, 60e-9, "70 ns"), (4.0, 20e-9, "30 ns"), (2.0, 20e-9, "30 ns")]
)
def test_fast_edges_are_refused_unless_allowed(level: float, edge: float, recommended: str) -> None:
    pulse = Pattern.pulse("p", level, 1e-6, edge, 1e-6)
    with pytest.raises(SettingError, match=f"{recommended} or more is accepted, less with fast edges allowed"):
        check(program(pulse))
    assert check(program(pulse), allow_fast_edges=True) == {"fast_edges"}
    slow = Pattern.pulse("p", level, 1e-6, 70e-9, 1e-6)
    assert check(program(slow)) == frozenset()


def test_the_papers_own_triangle_needs_the_exception() -> None:
    triangle = Pattern.triangle("a4", -10.0, 100e-9, 100e-9)
    assert triangle.times == pytest.approx((0.0, 50e-9, 100e-9, 200e-9))
    with pytest.raises(SettingError, match="an edge of 50 ns is under the 70 ns"):
        check(program(triangle, 4000))
    assert "fast_edges" in check(program(triangle, 4000), allow_fast_edges=True)


@pytest.mark.parametrize("count", [0, 2**40 + 1, 1.5])
def test_counts(count: float) -> None:
    with pytest.raises(SettingError, match="not a whole number from 1 to 1099511627776"):
        check(Program(((FLAT, count),)))  # type: ignore[arg-type]
    check(program(FLAT, 2**40))


def test_too_many_sequences() -> None:
    check(Program(((FLAT, 1),) * 512))
    with pytest.raises(SettingError, match="513 sequences: at most 512"):
        check(Program(((FLAT, 1),) * 513))
    with pytest.raises(SettingError, match="at least one pattern"):
        check(Program(()))


def test_too_many_values() -> None:
    measured = FLAT.measured(Window("w", 0.0, 100, 1e-6, 1e-6, raw=True))
    assert measured.size == 100 * 201
    with pytest.raises(SettingError, match="memory holds about 4000000"):
        check(program(measured, 200, measure="current"))
    check(program(measured, 200))  # not measured


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (Window("w", 0.0, 0), "at least 1"),
        (Window("w", 5e-9), "not on the 10 ns grid"),
        (Window("w", 0.0, 2, 1e-6, 2e-6), "the interval must be as long at least"),
        (Window("w", 0.0, 2, 1.4, 0.0), "interval 1.4 s is outside"),
        (Window("w", 0.0, 1, 0.03, 0.03), "averaging 0.03 s is outside"),
        (Window("w", 1e-3), r"lengthen the pattern to 0\.00100001 s or more"),
        (Window("w", 0.5e-3, 10, 1e-4, 1e-4), "lengthen the pattern to 0.0015 s"),
    ],
)
def test_windows_that_are_refused(window: Window, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        check(program(FLAT.measured(window), measure="current", range=1e-6))


def test_windows_too_close() -> None:
    def pair(gap: float, averaging: float) -> Program:
        return program(
            FLAT.measured(Window("a", 0.0, 1, 1e-6, 1e-6), Window("b", 1e-6 + gap, 1, 1e-6, averaging)),
            measure="current",
        )

    check(pair(0.0, 1e-6))
    with pytest.raises(SettingError, match="-100 ns apart; 0 ns or more"):
        check(pair(-1e-7, 1e-6))
    with pytest.raises(SettingError, match="90 ns apart; 100 ns or more"):
        check(pair(9e-8, 2e-7))
    check(pair(1e-7, 2e-7))


def test_ranges_are_named() -> None:
    assert measure_range("current", 1e-6).settling == 37e-6
    with pytest.raises(SettingError, match="no current range of 2e-06 A; it has 1e-06 A, 1e-05 A"):
        measure_range("current", 2e-6)
    with pytest.raises(SettingError, match="voltage range"):
        check(program(FLAT.measured(Window("w", 0.0)), measure="voltage", range=3.0))


def test_pg_mode() -> None:
    with pytest.raises(SettingError, match=r"PG mode reaches -5 \.\. 5 V"):
        check(program(Pattern.constant("p", 6.0, 1e-3), mode="pg"))
    with pytest.raises(SettingError, match="PG mode measures voltage only"):
        check(program(FLAT, mode="pg", measure="current", range=1e-3))
    assert force_range(program(Pattern.constant("p", 4.0, 1e-3), mode="pg")) is FORCE_RANGES["5 V"]
    with pytest.raises(SettingError, match="has auto, 3 V, 5 V"):
        check(program(FLAT, mode="pg", force_range="+10 V"))


def test_a_window_before_settling_is_flagged() -> None:
    pulse = Pattern.pulse("p", 2.0, 100e-6, 1e-6, 100e-6)
    early = pulse.measured(Window("w", 20e-6, 1, 1e-6, 1e-6))
    late = pulse.measured(Window("w", 60e-6, 1, 1e-6, 1e-6))
    assert check(program(early, measure="current", range=1e-6)) == {"unsettled"}
    assert check(program(late, measure="current", range=1e-6)) == frozenset()
    assert check(program(early, measure="current", range=1e-5)) == frozenset()


def test_pulse_widths_count_at_half_height() -> None:
    pulse = Pattern.pulse("p", 2.0, 1e-6, 100e-9, 500e-9, base=-1.0, lead=200e-9)
    assert pulse.times == pytest.approx((0.0, 200e-9, 300e-9, 1200e-9, 1300e-9, 1800e-9))
    assert pulse.levels == (-1.0, -1.0, 2.0, 2.0, -1.0, -1.0)
    with pytest.raises(SettingError, match="do not fit"):
        Pattern.pulse("p", 2.0, 50e-9, 100e-9, 0.0)


def test_capabilities_are_those_of_the_limits() -> None:
    c = capabilities()
    assert c["burst"]["max_count"] == 2**40
    assert c["compliance"] is None
    assert c["sample"]["current_ranges"][1e-6]["noise"] == 425e-12


ticks = st.integers(1, 10**6)
volts = st.floats(-11, 11).map(lambda v: round(v, 2))


@settings(max_examples=150, deadline=None)
@given(
    vectors=st.lists(st.tuples(ticks, volts), min_size=1, max_size=6),
    initial=volts,
    offset=st.sampled_from([0.0, 0.0, 3e-9]),
    window=st.tuples(st.integers(0, 10**6), st.integers(1, 50), st.integers(1, 2000), st.integers(0, 2000)),
    force=st.sampled_from(["auto", "auto", *FORCE_RANGES]),
)
def test_what_the_driver_accepts_the_library_accepts(
    vectors: list[tuple[int, float]],
    initial: float,
    offset: float,
    window: tuple[int, int, int, int],
    force: str,
) -> None:
    """Neither rounding nor an error: the driver's checks are at least as strict, and not stricter than the rules."""
    times = [0.0]
    for t, _ in vectors:
        times.append(times[-1] + t * 1e-8)
    times[-1] += offset
    pattern = Pattern("p", tuple(times), (initial, *(v for _, v in vectors)))
    start, points, interval, averaging = window
    pattern = pattern.measured(Window("w", start * 1e-8, points, interval * 1e-8, averaging * 1e-8))
    wanted = program(pattern, 3, measure="current", range=1e-3, force_range=force)
    bench = StandaloneBench()
    library = WgfmuLibrary(functions_at(bench.wgfmu_functions("")))
    try:
        check(wanted, allow_fast_edges=True)
        accepted = True
    except SettingError:
        accepted = False
    library.call("openSession", bench.address)
    library.call("treatWarningsAsErrors", 1003)
    codes = {"auto": 3000, "3 V": 3001, "5 V": 3002, "-10 V": 3003, "+10 V": 3004}

    def send() -> None:
        library.call("createPattern", "p", pattern.levels[0])
        for (a, b), v in zip(pairwise(pattern.times), pattern.levels[1:], strict=True):
            library.call("addVector", "p", b - a, v)
        w = pattern.windows[0]
        library.call("setMeasureEvent", "p", "w", w.start, w.points, w.interval, w.averaging, 12000)
        library.call("addSequence", 101, "p", 3.0)
        library.call("setOperationMode", 101, 2001)
        library.call("setForceVoltageRange", 101, codes[force])
        library.call("setMeasureMode", 101, 4001)
        library.call("connect", 101)
        library.call("update")

    if accepted:
        send()
    else:
        assume(vectors[-1][0] < 10**6)  # beyond that 3 ns drown in the noise of the decimal
        with pytest.raises(WgfmuError):
            send()
    assert bench.library.crashes == []
