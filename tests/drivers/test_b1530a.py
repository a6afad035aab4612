"""The B1530A driver on the simulated fast unit: sessions, runs, readings, safety, and the variants of A4."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drivers.b1530a import B1530A, ExecutionError
from drivers.b1530a_patterns import Pattern, Program, Window
from drivers.errors import SafeStateError, SettingError
from drivers.wgfmu_header import Status
from drivers.wgfmu_library import WgfmuError
from sim_backend.wgfmu.standalone import StandaloneBench

GATE, DRAIN = 101, 102
TRIANGLE = Pattern.triangle("triangle", -10.0, 100e-9, 100e-9)


class Bench(StandaloneBench):
    """Bench and driver; the library must never have crashed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.unit = B1530A(self.address, "wgfmu", clock=self.clock, visa_library=self)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def drain_read(name: str, before: float, start: float, points: int = 1, averaging: float = 10e-6) -> Program:
    """2 V on the drain for ``before`` s, then windows from ``start`` s on."""
    window = Window("w", start, points, averaging, averaging)
    reading = Pattern.constant(name, 2.0, window.end + 10e-6).measured(window)
    lead = ((Pattern.constant("on", 2.0, before), 1),) if before else ()
    return Program((*lead, (reading, 1)), "current", 1e-6)


# -- session -------------------------------------------------------------------------------------------------------


def test_opening_changes_no_output(bench: Bench) -> None:
    assert bench.unit.channels == (101, 102, 201)
    assert bench.unit.identity["model"] == "B1530A"
    assert {c.rsu.path for c in bench.mainframe.channels.values() if c.rsu} == {"smu"}
    assert bench.circuit.true_voltages() == {"gate": 0.0, "drain": 0.0, "source": 0.0}


def test_a_session_left_open_is_closed_first(bench: Bench) -> None:
    """Gotcha 3: a second run in a live interpreter."""
    again = B1530A(bench.address, clock=bench.clock, visa_library=bench)
    again.run({GATE: Program(((TRIANGLE, 3),))}, allow_fast_edges=True)
    again.close()
    again.close()


def test_stale_errors_are_read_off_and_kept() -> None:
    bench = StandaloneBench()
    bench.mainframe.errors.append((100, "Undefined GPIB command."))
    unit = B1530A(bench.address, clock=bench.clock, visa_library=bench)
    assert "Undefined GPIB command." in unit.stale_errors
    assert unit.channels


def test_no_mainframe_at_the_address() -> None:
    bench = StandaloneBench()
    with pytest.raises(WgfmuError, match="GPIB0::5::INSTR"):
        B1530A("GPIB0::5::INSTR", clock=bench.clock, visa_library=bench)


def test_a_channel_without_rsu_is_named_and_nothing_plays(bench: Bench) -> None:
    with pytest.raises(WgfmuError, match="RSU is not connected; CHANNEL201"):
        bench.unit.run({201: Program(((TRIANGLE, 3),))}, allow_fast_edges=True)
    assert bench.circuit.take_extremes()["gate"] == 0.0


def test_an_unknown_channel_is_refused_before_the_library(bench: Bench) -> None:
    heard: list[bytes] = []
    bench.unit.library.on_call = lambda direction, text: heard.append(text)
    with pytest.raises(SettingError, match="no channel 301; it has 101, 102, 201"):
        bench.unit.load({301: Program(((TRIANGLE, 1),))}, allow_fast_edges=True)
    with pytest.raises(SettingError, match="70 ns or more"):
        bench.unit.load({GATE: Program(((TRIANGLE, 1),))})
    assert heard == []


# -- runs ----------------------------------------------------------------------------------------------------------


def test_readings_know_where_they_belong(bench: Bench) -> None:
    long = Pattern.constant("long", 2.0, 1e-3).measured(
        Window("late", 0.8e-3, 1, 1e-6, 1e-6), Window("early", 0.1e-3, 2, 50e-6, 10e-6)
    )
    short = Pattern.constant("short", 2.0, 0.2e-3).measured(Window("raw", 0.1e-3, 1, 1e-7, 1e-7, raw=True))
    program = Program(((long, 3), (short, 2), (long, 1)), "current", 1e-6)
    r = bench.unit.run({DRAIN: program})[DRAIN]
    assert r.windows == (("long", "early"), ("long", "late"), ("short", "raw"))
    assert r.window.tolist() == [0, 0, 1] * 3 + [2] * 21 * 2 + [0, 0, 1]
    assert r.loop.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, *[0] * 21, *[1] * 21, 0, 0, 0]
    assert r.sequence.tolist() == [0] * 9 + [1] * 42 + [2] * 3
    assert r.time[:3] == pytest.approx([0.105e-3, 0.155e-3, 0.8005e-3])
    assert r.time[9] == pytest.approx(3.1e-3 + 50e-9)
    assert r.time[-1] == pytest.approx(3.4e-3 + 100e-9 + 0.8005e-3)
    assert r.value == pytest.approx(0.145e-9, abs=0.07e-9)  # steps of 0.14 nA
    assert not r.clipped.any()
    assert r.flags == frozenset()


def test_progress_and_waiting_go_through_the_clock(bench: Bench) -> None:
    heard: list[tuple[float, float]] = []
    bench.unit.load({GATE: Program(((Pattern.constant("hold", 1.0, 10.0), 36),))})
    bench.unit.execute(lambda elapsed, total: heard.append((elapsed, total)))
    assert bench.clock.now == pytest.approx(360.0, rel=0.01)
    assert 50 < len(heard) < 200
    assert [e for e, _ in heard] == sorted(e for e, _ in heard)
    assert heard[-1] == (pytest.approx(360.0), pytest.approx(360.0))


def test_fast_edges_mark_the_data_of_every_channel(bench: Bench) -> None:
    """The drain's own waveform is slow, but its device felt the gate's edges."""
    programs = {GATE: Program(((TRIANGLE, 100),)), DRAIN: drain_read("read", 20e-6, 100e-6)}
    assert "fast_edges" in bench.unit.run(programs, allow_fast_edges=True)[DRAIN].flags


def test_counts_of_2_to_the_40_are_loaded_and_aborted(bench: Bench) -> None:
    measured = TRIANGLE.measured(Window("w", 150e-9))
    bench.unit.load({GATE: Program(((TRIANGLE, 2**40),))}, allow_fast_edges=True)
    bench.unit.start()
    bench.clock.sleep(3600.0)
    status, elapsed, total = bench.unit.library.status()
    assert (status, elapsed) == (Status.RUNNING, pytest.approx(3600.0))
    assert total == pytest.approx(2**40 * 200e-9)
    bench.unit.abort()
    bench.clock.sleep(1.0)
    with pytest.raises(ExecutionError, match="ABORT_COMPLETED after 3600"):
        bench.unit.finished()
    with pytest.raises(SettingError, match="memory"):
        bench.unit.load({GATE: Program(((measured, 2**40),), "voltage", 10.0)}, allow_fast_edges=True)


def test_an_aborted_run_gives_what_it_has(bench: Bench) -> None:
    bench.unit.load({DRAIN: drain_read("read", 0.0, 0.0, points=100, averaging=20e-3)})
    bench.unit.start()
    bench.clock.sleep(0.5)
    bench.unit.abort()
    r = bench.unit.read(DRAIN)
    assert r.value.size == 24
    assert r.flags == {"incomplete", "unsettled"} or r.flags == {"incomplete"}


def test_two_patterns_of_one_name_are_refused(bench: Bench) -> None:
    other = Pattern.constant("triangle", 1.0, 1e-3)
    with pytest.raises(SettingError, match="two different patterns are named 'triangle'"):
        bench.unit.load({GATE: Program(((TRIANGLE, 1),)), DRAIN: Program(((other, 1),))}, allow_fast_edges=True)


def test_reading_what_was_not_measured(bench: Bench) -> None:
    with pytest.raises(SettingError, match="nothing is loaded"):
        bench.unit.start()
    bench.unit.run({GATE: Program(((TRIANGLE, 1),))}, allow_fast_edges=True)
    with pytest.raises(SettingError, match="not set to measure"):
        bench.unit.read(GATE)


def test_clipped_readings_are_marked() -> None:
    bench = Bench(options={"baseline_resistance": 440e3})
    held = Pattern.constant("p", -1.0, 1e-3).measured(Window("w", 500e-6, 3, 100e-6, 10e-6))
    coarse = bench.unit.run({DRAIN: Program(((held, 1),), "current", 1e-3)})[DRAIN]
    fine = bench.unit.run({DRAIN: Program(((held, 1),), "current", 1e-6)})[DRAIN]
    assert coarse.value == pytest.approx(-1.0 / 440e3, rel=0.05)
    assert not coarse.clipped.any()
    assert fine.clipped.all()


def test_voltage_is_measured_in_pg_mode(bench: Bench) -> None:
    pulse = Pattern.pulse("p", 4.0, 1e-6, 50e-9, 1e-6).measured(Window("top", 500e-9, 5, 50e-9, 50e-9))
    r = bench.unit.run({GATE: Program(((pulse, 1),), "voltage", 5.0, mode="pg")})[GATE]
    assert r.value == pytest.approx(4.0, abs=1e-3)


def test_direct_voltage(bench: Bench) -> None:
    bench.unit.hold(DRAIN, 2.0)
    assert bench.unit.measure(DRAIN) == pytest.approx(0.14e-9, abs=0.07e-9)
    assert bench.unit.measure(DRAIN, 1000, 1e-6) == pytest.approx(0.14e-9, abs=0.07e-9)
    with pytest.raises(SettingError, match="65535 times 5 ns"):
        bench.unit.measure(DRAIN, 10, 7e-9)
    with pytest.raises(SettingError, match="outside"):
        bench.unit.hold(DRAIN, 11.0)


def test_settings_and_self_test(bench: Bench) -> None:
    bench.unit.load({DRAIN: drain_read("read", 0.0, 100e-6)})
    assert bench.unit.settings()["102.mode"] == 2001
    assert bench.unit.settings()["102.current_range"] == 6001
    assert bench.unit.self_test() == ""


# -- safety --------------------------------------------------------------------------------------------------------


def test_safe_stops_and_gives_the_paths_back(bench: Bench) -> None:
    bench.unit.load({GATE: Program(((Pattern.constant("p", 5.0, 100.0), 1),))})
    bench.unit.start()
    bench.clock.sleep(1.0)
    assert bench.circuit.true_voltage("gate") == 5.0
    bench.unit.safe()
    bench.unit.safe()
    assert bench.mainframe.channels[GATE].rsu.path == "smu"  # type: ignore[union-attr]
    assert not bench.mainframe.channels[GATE].port.connected
    assert bench.unit.programs == {}
    bench.unit.close()
    bench.unit.safe()  # nothing is left to reach


def test_safe_names_what_failed(bench: Bench) -> None:
    bench.library.state.session = None  # the link is lost
    with pytest.raises(SafeStateError, match=r"stop sequences: .*reset and disconnect channels: "):
        bench.unit.safe()


# -- as a source of pulses -----------------------------------------------------------------------------------------


def test_a_channel_pulses_like_a_generator(bench: Bench) -> None:
    gate = bench.unit.channel("101")
    gate.limit(-5.0, 10.0)
    programmed = gate.prepare_pulse(10.0, base=0.0, width=10e-3, edge=1e-6, period=20e-3, count=3)
    assert (programmed.set_high, programmed.reported_high, programmed.reported_low) == (10.0, 10.0, 0.0)
    assert gate.burst_duration == pytest.approx(61e-3)
    assert bench.mainframe.channels[GATE].rsu.path == "smu"  # type: ignore[union-attr]
    gate.output(True)
    bench.circuit.take_extremes()
    bench.unit.trigger()
    bench.clock.sleep(gate.burst_duration)
    assert bench.circuit.take_extremes()["gate"] == 10.0
    assert bench.circuit.true_voltage("gate") == 0.0
    assert bench.device.x == pytest.approx(1 - np.exp(-3 * 0.293), rel=1e-3)
    gate.isolate()
    assert bench.mainframe.channels[GATE].rsu.path == "smu"  # type: ignore[union-attr]


def test_a_channel_holds_while_the_other_pulses(bench: Bench) -> None:
    gate, drain = bench.unit.channel("101"), bench.unit.channel("102")
    drain.hold(2.0, 1e-3)
    gate.prepare_waveform((0.0, 1e-3, 2e-3), (0.0, -8.0, 0.0), 3e-3, 5)
    gate.output(True)
    bench.unit.trigger()
    bench.clock.sleep(gate.burst_duration)
    assert bench.circuit.take_extremes() == {"gate": -8.0, "drain": 2.0, "source": 0.0}


def test_both_channels_prepared_start_together(bench: Bench) -> None:
    gate, drain = bench.unit.channel(101), bench.unit.channel(102)
    gate.prepare_pulse(-10.0, width=1e-3, count=2)
    drain.prepare_pulse(2.0, width=2e-3)
    for channel in (gate, drain):
        channel.output(True)
    bench.unit.trigger()
    bench.clock.sleep(0.5e-3)
    assert bench.circuit.true_voltages() == pytest.approx({"gate": -10.0, "drain": 2.0, "source": 0.0}, abs=1e-6)


def test_a_channels_own_refusals(bench: Bench) -> None:
    gate = bench.unit.channel("101")
    with pytest.raises(SettingError, match="nothing is prepared"):
        gate.output(True)
    gate.limit(-5.0, 5.0)
    with pytest.raises(SettingError, match="level -10"):
        gate.prepare_pulse(-10.0)
    with pytest.raises(SettingError, match="shorter than the pulse"):
        gate.prepare_pulse(1.0, width=1e-3, period=1e-3)
    with pytest.raises(SettingError, match="recommended"):
        gate.prepare_pulse(1.0, width=1e-6, edge=20e-9)
    gate.allow_fast_edges = True
    gate.prepare_pulse(1.0, width=1e-6, edge=20e-9)
    with pytest.raises(SettingError, match="has no channel 7"):
        bench.unit.channel(7)


# -- A4 (part 3.3 of the devices' reference) -----------------------------------------------------------------------


SHARP = {"quantise": False, "force_tau_10v": 1e-12}


def burst_then_sample(count: int, **settings: Any) -> float:
    """Base current 100 us after ``count`` triangles, on a fresh device (A)."""
    bench = Bench(**{"options": SHARP, **settings})
    length = count * 200e-9
    programs = {DRAIN: drain_read("read", length, 100e-6)}
    if count:
        programs[GATE] = Program(((TRIANGLE, count), (Pattern.constant("rest", 0.0, 200e-6), 1)))
    return float(bench.unit.run(programs, allow_fast_edges=True)[DRAIN].value[0])


@pytest.mark.parametrize(
    ("count", "nanoamperes"),
    [
        (0, 0.145),
        (50, 0.233),
        (100, 0.340),
        (200, 0.578),
        (400, 0.926),
        (600, 1.030),
        (800, 1.015),
        (1200, 0.914),
        (2000, 0.768),
        (4000, 0.657),
    ],
)
def test_burst_then_sample(count: int, nanoamperes: float) -> None:
    """The reference's figures, for an output without bandwidth; the meter's lag of 7 us leaves about 1 %."""
    assert burst_then_sample(count) * 1e9 == pytest.approx(nanoamperes, rel=0.012)


def test_finite_bandwidth_weakens_the_pulses() -> None:
    """F28: the extreme of -10 V is not reached, so the train falls back less; it is non-monotonic all the same."""
    currents = [burst_then_sample(n, options={"quantise": False}) for n in (600, 4000)]
    assert currents[1] > 1.02 * burst_then_sample(4000)
    assert currents[1] / currents[0] < 0.7


def test_burst_then_sample_is_immune_to_displacement() -> None:
    with_pad = burst_then_sample(600, device={"preset": "global gate"})
    assert with_pad == pytest.approx(burst_then_sample(600, device={"preset": "ideal gate"}), rel=1e-3)


def envelope(count: int, **settings: Any) -> tuple[Any, Any]:
    """Means over 50 whole periods during ``count`` triangles: times (s) and currents (A)."""
    bench = Bench(**settings)
    fifty = Pattern.through("fifty", 0.0, 50 * [(50e-9, -10.0), (50e-9, 0.0), (100e-9, 0.0)])
    settle = Pattern.constant("settle", 0.0, 100e-6)
    window = Pattern.constant("window", 2.0, 10e-6).measured(Window("w", 0.0, 1, 10e-6, 10e-6))
    programs = {
        GATE: Program(((settle, 1), (fifty, count // 50))),
        DRAIN: Program(((Pattern.constant("on", 2.0, 100e-6), 1), (window, count // 50)), "current", 1e-6),
    }
    r = bench.unit.run(programs, allow_fast_edges=True)[DRAIN]
    return r.time - 100e-6 - 50e-9, r.value


def test_envelope_finds_the_peak_without_noise() -> None:
    times, values = envelope(4000, options={"quantise": False}, device={"preset": "ideal gate"})
    # the range needs 37 us to settle: that is how far the peak comes late at most
    assert 105e-6 < times[values.argmax()] < 145e-6
    assert values.max() == pytest.approx(1.0e-9, rel=0.05)
    assert values[-1] / values.max() < 0.75


def test_envelope_of_sixteen_trains_with_noise() -> None:
    """160 pA per window, averaged over 16 trains: 40 pA."""
    trains = np.array([envelope(4000, noise=True, seed=s, device={"preset": "ideal gate"})[1] for s in range(16)])
    quiet = envelope(4000, options={"quantise": False}, device={"preset": "ideal gate"})[1]
    residual = trains.mean(axis=0) - quiet
    assert np.std(residual) == pytest.approx(41e-12, rel=0.25)
    assert abs(residual.mean()) < 4 * 41e-12 / residual.size**0.5


def test_envelope_overloads_over_a_global_gate() -> None:
    """F27: 3.45 pF saturate the 1 uA range, and every window is wrong."""
    _, values = envelope(500, options={"quantise": False}, device={"preset": "global gate"})
    _, right = envelope(500, options={"quantise": False}, device={"preset": "ideal gate"})
    assert np.abs(values - right).max() > 5e-9


def test_one_pulse_cannot_be_resolved() -> None:
    """A nanoampere inside one 100 ns pulse drowns in the noise of the range that is fast enough."""
    bench = Bench(noise=True)
    top = Pattern.triangle("t", -10.0, 100e-9, 100e-9)
    read = Pattern.constant("d", 2.0, 200e-9).measured(Window("w", 40e-9, 1, 20e-9, 20e-9))
    programs = {GATE: Program(((top, 100),)), DRAIN: Program(((read, 100),), "current", 10e-3)}
    values = bench.unit.run(programs, allow_fast_edges=True)[DRAIN].value
    assert np.std(values) > 1e-6
