"""Circuit of the gated device: merged scores, nodes, limits, RSU, recordings and the fast meter's filter."""

from __future__ import annotations

from math import exp, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim_backend.circuit import Waveform
from sim_backend.clock import Clock
from sim_backend.devices.aab import AabTransistor, make_parameters
from sim_backend.draws import Draws
from sim_backend.gated import Cursor, GatedCircuit, RecordedBlock, Score, blocks
from sim_backend.wgfmu.bandwidth import through_output
from sim_backend.wgfmu.meter import readings
from sim_backend.wgfmu.standalone import StandaloneBench

TICK = 1e-8

# -- scores --------------------------------------------------------------------------------------------------------


def level_at(score: Score, time: float) -> float:
    """EMF of a score by looking through its parts."""
    for waveform, count in score.parts:
        if time < waveform.period * count:
            within = time % waveform.period
            for end, duration, a, b in zip(
                waveform.boundaries, waveform.durations, waveform.starts, waveform.ends, strict=True
            ):
                if within < end:
                    return a + (b - a) * (within - (end - duration)) / duration
        time -= waveform.period * count
    return score.after


shapes = st.lists(st.tuples(st.integers(1, 30), st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=4)
scores = st.lists(st.tuples(shapes, st.integers(1, 40)), min_size=1, max_size=3).map(
    lambda parts: Score(
        tuple(
            (Waveform(*map(tuple, zip(*((t * TICK, float(a), float(b)) for t, a, b in shape), strict=True)), 7.0), n)
            for shape, n in parts
        )
    )
)


@settings(max_examples=150, deadline=None)
@given(first=scores, second=scores, ahead=st.sampled_from([0.0, 5e-8, 1.23e-6]), cut=st.floats(0.05, 1.3))
def test_blocks_replay_all_scores(first: Score, second: Score, ahead: float, cut: float) -> None:
    """Merged blocks, laid end to end, are what each source plays, however they are cut into calls."""
    cursors = {"a": Cursor(first, 0.0, 0.0), "b": Cursor(second, ahead, -9.0)}
    total = max(first.duration, second.duration + ahead) * 1.1
    merged = [*blocks(cursors, total * min(cut, 1.0)), *blocks(cursors, total * (1.0 - min(cut, 1.0)))]
    assert sum(b.duration for b in merged) == pytest.approx(total, rel=1e-9)
    start = 0.0
    for block in merged:
        period = sum(block.durations)
        for loop in {0, block.count // 2, block.count - 1}:
            t = start + loop * period
            for k, duration in enumerate(block.durations):
                if duration > 1e-12:
                    for share in (0.25, 0.75):
                        now = t + share * duration
                        for name, score, wait, before in (("a", first, 0.0, 0.0), ("b", second, ahead, -9.0)):
                            starts, ends = block.levels[name]
                            got = starts[k] + (ends[k] - starts[k]) * share
                            expected = before if now < wait else level_at(score, now - wait)
                            assert got == pytest.approx(expected, abs=1e-4)
                t += duration
        start += block.duration


def test_sources_in_step_stay_one_block() -> None:
    gate = Waveform((5e-8, 5e-8, 1e-7), (0.0, -10.0, 0.0), (-10.0, 0.0, 0.0))
    drain = Waveform((2e-7,), (2.0,), (2.0,), 2.0)
    other = Waveform((1e-7, 1e-7), (0.0, 1.0), (1.0, 0.0))
    count = 10**9
    cursors = {"g": Cursor(Score(((gate, count),)), 0.0, 0.0), "d": Cursor(Score(((drain, count),)), 0.0, 0.0)}
    assert [b.count for b in blocks(cursors, 2e-7 * count)] == [count]
    cursors = {"g": Cursor(Score(((gate, count),)), 0.0, 0.0), "o": Cursor(Score(((other, count),)), 0.0, 0.0)}
    (block,) = blocks(cursors, 2e-7 * count)
    assert (block.count, len(block.durations)) == (count, 3)


def test_a_common_period_is_found() -> None:
    two = Waveform((1e-7, 1e-7), (0.0, 1.0), (1.0, 0.0))
    three = Waveform((1e-7, 2e-7), (0.0, 1.0), (1.0, 0.0))
    cursors = {"a": Cursor(Score(((two, 3000),)), 0.0, 0.0), "b": Cursor(Score(((three, 2000),)), 0.0, 0.0)}
    (block,) = blocks(cursors, 6e-4)
    assert block.count == 1000
    assert sum(block.durations) == pytest.approx(6e-7)


# -- nodes ---------------------------------------------------------------------------------------------------------


class Bench:
    def __init__(self, gate_cable: float = 0.0, drain_cable: float = 0.0, **device: object) -> None:
        self.clock = Clock()
        self.device = AabTransistor(make_parameters({"c_gd": 0.0, **device}), Draws(1))
        self.circuit = GatedCircuit(self.clock, self.device)
        self.gate, self.drain = self.circuit.port("gate"), self.circuit.port("drain")
        self.circuit.connect(self.gate, "gate", gate_cable)
        self.circuit.connect(self.drain, "drain", drain_cable)
        self.circuit.ground("source")


def test_static_currents_are_the_devices() -> None:
    b = Bench()
    b.gate.drive(-5.0, 0.0)
    b.drain.drive(2.0, 0.0)
    b.clock.sleep(0.1)
    twin = AabTransistor(b.device.parameters)
    twin.hold(0.1, -5.0)
    assert b.drain.current() == pytest.approx(twin.channel_current(2.0), rel=1e-12)
    assert b.gate.current() == pytest.approx(-1e-12)
    assert b.circuit.true_voltage("drain") == 2.0


def test_one_bias_is_one_step_and_no_more_than_the_device_takes() -> None:
    b = Bench()
    b.gate.drive(40.0, 0.0)
    b.clock.sleep(90.0)
    b.circuit.settle()
    assert b.device.deep == pytest.approx(3.53, abs=0.01)


def test_a_low_gate_limit_slews() -> None:
    """F20: 307 pF and 1 nA take 12 s to 40 V; 1 uA takes 12 ms."""
    for limit, seconds in ((1e-9, 12.28), (1e-6, 12.28e-3)):
        b = Bench(gate_cable=300e-12)
        b.gate.drive(40.0, 0.0, limit)
        b.clock.sleep(0.5 * seconds)
        assert b.gate.voltage() == pytest.approx(20.0, rel=0.01)
        assert b.gate.compliance()
        assert b.gate.current() == pytest.approx(limit)
        b.clock.sleep(0.52 * seconds)
        assert b.gate.voltage() == 40.0
        assert not b.gate.compliance()


def test_slewing_gate_fills_traps_only_while_it_is_up() -> None:
    slow, fast = Bench(gate_cable=300e-12), Bench(gate_cable=300e-12)
    slow.gate.drive(40.0, 0.0, 1e-9)
    fast.gate.drive(40.0, 0.0, 1e-3)
    for b in (slow, fast):
        b.clock.sleep(30.0)
        b.circuit.settle()
    twin = AabTransistor(slow.device.parameters)
    seconds = 40.0 * 307e-12 / 1e-9
    twin.ramp(seconds, 0.0, 40.0)
    twin.hold(30.0 - seconds, 40.0)
    assert slow.device.deep == pytest.approx(twin.deep, rel=1e-2)
    assert slow.device.deep < fast.device.deep


def test_drain_at_its_limit_sinks_to_where_the_channel_takes_the_current() -> None:
    b = Bench(drain_cable=20e-12)
    b.gate.drive(-5.0, 0.0)
    b.drain.drive(2.0, 0.0, 0.2e-9)
    b.clock.sleep(20.0)
    assert b.drain.compliance()
    assert b.drain.current() == pytest.approx(0.2e-9)
    assert b.device.channel_current(b.drain.voltage()) == pytest.approx(0.2e-9, rel=1e-4)


def test_unheld_drain_discharges_through_the_channel() -> None:
    """F30: R C of channel and cable; 20 pF take tens of ms, 300 pF fifteen times as long."""
    times = []
    for cable in (20e-12, 300e-12):
        b = Bench(drain_cable=cable)
        b.gate.drive(-5.0, 0.0)
        b.drain.drive(2.0, 0.0)
        b.clock.sleep(0.1)
        b.drain.open()
        start = b.clock.now
        while b.circuit.true_voltage("drain") > 2.0 / np.e:
            b.clock.sleep(cable * 1e8)
        times.append(b.clock.now - start)
    assert 0.01 < times[0] < 0.1
    assert times[1] / times[0] == pytest.approx(15.0, rel=0.1)


def test_floating_gate_keeps_its_charge_for_r_c() -> None:
    b = Bench()
    b.gate.drive(-5.0, 0.0)
    b.clock.sleep(0.1)
    b.gate.open()
    b.clock.sleep(35.0)  # 5 Tohm x 7 pF
    assert b.circuit.true_voltage("gate") == pytest.approx(-5.0 / np.e, rel=1e-3)


def test_extremes_see_what_a_waveform_reached() -> None:
    b = Bench()
    b.gate.drive(0.0, 0.0)
    b.gate.play(Waveform((1e-6, 1e-6), (0.0, -8.0), (-8.0, 3.0), 0.0), 10, b.clock.now)
    b.clock.sleep(1.0)
    assert b.circuit.take_extremes() == {"gate": -8.0, "drain": 0.0, "source": 0.0}
    assert b.circuit.take_extremes()["gate"] == 0.0
    assert b.circuit.extremes["gate"].highest == 3.0


def test_a_port_is_laid_on_one_terminal_only() -> None:
    b = Bench()
    with pytest.raises(ValueError, match="already"):
        b.circuit.connect(b.gate, "drain")


# -- RSU -----------------------------------------------------------------------------------------------------------


def test_smu_behind_an_rsu_sees_the_device_until_it_switches() -> None:
    bench = StandaloneBench(options={"smu_path_leakage": 0.0, "smu_path_drift": 0.0})
    gate, drain = bench.smus["smu1"], bench.smus["smu2"]
    rsu = bench.mainframe.rsu_of(drain)
    assert rsu is not None
    gate.drive(-5.0, 0.0)
    drain.drive(2.0, 0.0)
    bench.clock.sleep(0.1)
    assert drain.current() > 0.9e-9
    rsu.select("wgfmu")
    assert drain.current() == 0.0  # an open cable, and no error
    assert drain.voltage() == 2.0
    rsu.select("smu")
    assert drain.current() > 0.9e-9
    assert rsu.operations == 2


def test_40_v_do_not_pass_the_smu_path() -> None:
    """F18: the RSU passes +-25 V, so the bias hardly charges anything."""
    bench = StandaloneBench()
    bench.smus["smu1"].drive(40.0, 0.0)
    bench.clock.sleep(90.0)
    assert bench.circuit.true_voltage("gate") == 25.0
    assert bench.device.deep < 0.2


def test_smu_path_leaks_less_than_100_pa_and_drifts() -> None:
    """F25."""
    currents = []
    for seed in range(20):
        bench = StandaloneBench(seed=seed)
        drain = bench.smus["smu2"]
        drain.drive(0.0, 0.0)
        currents.append(drain.current())
        bench.clock.sleep(600.0)
        assert drain.current() != currents[-1]
        assert abs(drain.current()) < 100e-12
    assert max(currents) > 10e-12 > -10e-12 > min(currents)


# -- bandwidth and meter -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tau", "extreme"), [(5e-9, -9.3), (10e-9, -8.6), (20e-9, -7.4)])
def test_bandwidth_of_the_output_rounds_a_fast_triangle(tau: float, extreme: float) -> None:
    """F28."""
    triangle = Waveform((50e-9, 50e-9, 100e-9), (0.0, -10.0, 0.0), (-10.0, 0.0, 0.0))
    score = through_output(((triangle, 1000),), tau, 0.0)
    assert min(w.extremes[0] for w, _ in score.parts) == pytest.approx(extreme, abs=0.06)
    assert max(count for _, count in score.parts) > 980  # periodic after a few loops
    assert score.after == 0.0


def test_bandwidth_leaves_slow_edges_alone() -> None:
    slow = Waveform((1e-3, 1e-3), (0.0, 5.0), (5.0, 0.0))
    assert through_output(((slow, 5),), 10e-9, 0.0).parts == ((slow, 5),)


def exact_readings(
    samples: NDArray[np.float64], dt: float, starts: NDArray[np.float64], length: float, tau: float
) -> NDArray[np.float64]:
    """Brute force: filter samples one by one, then average."""
    y = np.empty_like(samples)
    level, decay = 1.452e-10, exp(-dt / tau)  # the device at rest
    for k, i in enumerate(samples):
        level = i + (level - i) * decay
        y[k] = level
    return np.array([y[round(s / dt) : round((s + length) / dt)].mean() for s in starts])


BEFORE = 1e-6  # s at rest


def recorded(gate: list[tuple[Waveform, float]], seconds: float, **device: object) -> list[RecordedBlock]:
    b = Bench(**{"c_gd": 20e-15, **device})
    b.drain.drive(2.0, 0.0)
    b.gate.drive(0.0, 0.0)
    recording = b.circuit.record()
    b.clock.sleep(BEFORE)
    b.gate.perform(Score(tuple(gate)), BEFORE)
    b.clock.sleep(seconds)
    b.circuit.settle()
    return recording.blocks


@pytest.mark.parametrize("tau", [24.5e-9, 161e-9, 1.14e-6, 7.25e-6])
@pytest.mark.parametrize("edge", [50e-9, 2e-6])
def test_readings_equal_brute_force(tau: float, edge: float) -> None:
    """Displacement and channel current of pulses through the filter, windows on and off the edges."""
    pulse = Waveform((edge, 3 * edge, edge, 5 * edge), (0.0, -8.0, -8.0, 0.0), (-8.0, -8.0, 0.0, 0.0))
    loops = 6
    seconds = pulse.period * loops
    found = recorded([(pulse, loops)], seconds, preset="fast")
    dt = edge / 400
    middles = (np.arange(round(seconds / dt)) + 0.5) * dt
    twin = AabTransistor(make_parameters({"preset": "fast"}))
    current = np.empty(middles.size)
    passage = twin.run(list(zip(pulse.durations, pulse.starts, pulse.ends, strict=True)), loops)
    within, which = np.fmod(middles, pulse.period), np.floor(middles / pulse.period).astype(int)
    slopes = (np.array(pulse.ends) - np.array(pulse.starts)) / np.array(pulse.durations)
    for loop in range(loops):
        here = which == loop
        channel = passage.channel_current(np.array([loop]), within[here], 2.0)[0]
        segment = np.searchsorted(pulse.boundaries, within[here], side="right")
        current[here] = channel + 20e-15 * slopes[np.minimum(segment, 3)]
    starts = np.array([0.0, 1.3, 4.4, 7.2, 12.1, 14.8, 31.0, 47.7]) * edge
    for length in (0.7 * edge, 5.3 * edge):
        got = readings(found, "drain", "current", BEFORE + starts, np.full(starts.size, length), tau, inf)
        expected = exact_readings(current, dt, starts, length, tau)
        scale = np.abs(expected).max()
        assert got == pytest.approx(expected, abs=6e-3 * scale)  # the sum itself is good to dt


def test_displacement_cancels_over_whole_periods() -> None:
    """F26: 0.69 mA peaks of a global gate leave nothing in a window of whole periods, once the filter is periodic."""
    triangle = Waveform((50e-9, 50e-9, 100e-9), (0.0, -10.0, 0.0), (-10.0, 0.0, 0.0))
    starts, lengths = np.array([BEFORE + 100e-6]), np.array([10e-6])
    tau = 200e-9 / 5.1
    alone = readings(recorded([(triangle, 1000)], 200e-6, c_gd=0.0), "drain", "current", starts, lengths, tau, inf)
    both = readings(recorded([(triangle, 1000)], 200e-6, c_gd=3.45e-12), "drain", "current", starts, lengths, tau, inf)
    assert both == pytest.approx(alone, rel=1e-4)


@pytest.mark.parametrize(
    ("c_gd", "settling", "full_scale", "overloads"),
    [
        (3.45e-12, 37e-6, 1e-6, True),
        (3.45e-12, 5.8e-6, 10e-6, True),
        (3.45e-12, 820e-9, 100e-6, True),
        (3.45e-12, 200e-9, 1e-3, False),
        (20e-15, 37e-6, 1e-6, False),
        (20e-15, 5.8e-6, 10e-6, False),
        (20e-15, 820e-9, 100e-6, False),
    ],
)
def test_overload_by_displacement(c_gd: float, settling: float, full_scale: float, overloads: bool) -> None:
    """F27: C dV/dt (1 - exp(-50 ns / tau)) against the range; clipping changes the mean of a window."""
    triangle = Waveform((50e-9, 50e-9, 100e-9), (0.0, -10.0, 0.0), (-10.0, 0.0, 0.0))
    found = recorded([(triangle, 500)], 100e-6, c_gd=c_gd)
    tau = settling / 5.1
    peak = c_gd * 2e8 * (1 - exp(-50e-9 / tau))
    assert (peak > full_scale) == overloads
    sample = readings(found, "drain", "current", np.array([BEFORE + 50e-9]), np.zeros(1), tau, full_scale)
    assert sample[0] == pytest.approx(-min(peak, full_scale), rel=0.02, abs=2e-9)
    start, length = np.array([BEFORE]), np.array([60e-9])
    clipped = readings(found, "drain", "current", start, length, tau, full_scale)
    free = readings(found, "drain", "current", start, length, tau, inf)
    assert (abs(clipped[0] - free[0]) > 1e-3 * abs(free[0])) == overloads


def test_a_million_windows_equal_the_same_ones_asked_alone() -> None:
    triangle = Waveform((50e-9, 50e-9, 100e-9), (0.0, -10.0, 0.0), (-10.0, 0.0, 0.0))
    loops = 50_000
    found = recorded([(triangle, loops)], loops * 200e-9, c_gd=0.0)
    starts = BEFORE + np.arange(loops) * 200e-9 + 110e-9
    together = readings(found, "drain", "current", starts, np.full(loops, 80e-9), 24.5e-9, inf)
    few = np.array([0, 17, 4999, 30_000, loops - 1])
    alone = readings(found, "drain", "current", starts[few], np.full(few.size, 80e-9), 24.5e-9, inf)
    assert together[few] == pytest.approx(alone, rel=1e-4)  # interpolated between periods
    assert together[573] == pytest.approx(1.03e-9, rel=0.01)


def test_voltage_is_measured_through_its_own_filter() -> None:
    step = Waveform((1e-6, 1e-8, 1e-6), (0.0, 0.0, -4.0), (0.0, -4.0, -4.0), -4.0)
    found = recorded([(step, 1)], 3e-6)
    got = readings(found, "gate", "voltage", BEFORE + np.array([0.5e-6, 1.01e-6, 2.0e-6]), np.zeros(3), 21e-9, 10.0)
    assert got[0] == pytest.approx(0.0, abs=1e-9)
    assert -1.0 < got[1] < -0.5
    assert got[2] == pytest.approx(-4.0, rel=1e-6)
