"""Waveforms in time: what plays when, however often it is looked at, and what a cable makes of it."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.circuit import Waveform, pulse
from sim_backend.circuit.cable import low_pass, visible
from sim_backend.circuit.player import Player

MakeBench = Callable[..., Any]

SEGMENTS = st.lists(
    st.tuples(st.sampled_from([0.0, 1e-8, 1e-6, 3e-4, 0.1]), st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=6
).filter(lambda segments: sum(s[0] for s in segments) > 0)


def waveform(segments: list[tuple[float, float, float]], after: float = 0.0) -> Waveform:
    durations, starts, ends = zip(*segments, strict=True)
    return Waveform(durations, starts, ends, after)


@pytest.mark.parametrize("durations", [(), (-1.0,), (0.0,)])
def test_a_waveform_without_a_positive_length_is_refused(durations: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="waveform"):
        Waveform(durations, (1.0,) * len(durations), (1.0,) * len(durations))


def test_pulse_has_its_width_at_half_height() -> None:
    wave = pulse(4.2, 0.2, 100e-6, 10e-6, 1e-3)
    assert wave.durations == pytest.approx((10e-6, 90e-6, 10e-6, 1e-3))
    assert wave.extremes == (0.2, 4.2)
    assert wave.after == 0.2
    with pytest.raises(ValueError, match="edges"):
        pulse(1.0, 0.0, 1e-6, 2e-6)


@given(segments=SEGMENTS, count=st.integers(1, 5), looks=st.lists(st.floats(0, 1), max_size=6))
def test_looking_does_not_change_what_was_applied(
    segments: list[tuple[float, float, float]], count: int, looks: list[float], make_bench: MakeBench
) -> None:
    wave = waveform(segments)
    total = wave.period * count
    area = count * sum(t * (a + b) / 2 for t, a, b in segments)
    results = []
    for moments in ([], sorted(looks)):
        bench = make_bench()
        bench.circuit.connect(bench.afg, "pd")
        bench.afg.drive(0.0, 0.0)
        bench.afg.play(wave, count, 0.0)
        for moment in moments:
            bench.clock.advance_to(moment * total)
            bench.afg.voltage()
        bench.clock.advance_to(total * 1.5)
        bench.circuit.settle()
        assert bench.device.seconds() == pytest.approx(total * 1.5, rel=1e-12)
        assert bench.device.volt_seconds() == pytest.approx(area, rel=1e-9, abs=1e-9 * total)
        results.append(bench.device.volt_seconds())
    assert results[0] == pytest.approx(results[1], rel=1e-9, abs=1e-9 * total)


@given(segments=SEGMENTS, where=st.floats(0, 1), cycle=st.integers(0, 10**6))
def test_the_cursor_finds_its_place_in_any_cycle(
    segments: list[tuple[float, float, float]], where: float, cycle: int
) -> None:
    wave = waveform(segments)
    player = Player(wave, inf, 0.0, 0.0)
    player.seek((cycle + where) * wave.period)
    at = player.start + player.cycle * wave.period + sum(wave.durations[: player.segment]) + player.offset
    assert at == pytest.approx((cycle + where) * wave.period, rel=1e-12, abs=1e-12)
    assert wave.durations[player.segment] > 0


def test_before_between_and_after(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.circuit.connect(bench.afg, "pd")
    bench.afg.drive(0.3, 0.0)
    bench.afg.play(Waveform((1e-3, 1e-3), (1.0, 2.0), (1.0, 2.0), after=-0.5), 2, start=1e-3)
    seen = []
    for _ in range(6):
        seen.append(bench.afg.voltage())
        bench.wait(1e-3)
    assert seen == pytest.approx([0.3, 1.0, 2.0, 1.0, 2.0, -0.5])


def test_a_new_waveform_replaces_the_old_one_and_drive_ends_it(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.circuit.connect(bench.afg, "pd")
    bench.afg.drive(0.0, 0.0)
    bench.afg.play(Waveform((1.0,), (1.0,), (1.0,)), inf, 0.0)
    bench.wait(0.25)
    bench.afg.play(Waveform((1.0,), (2.0,), (2.0,)), inf, bench.clock.now)
    bench.wait(0.25)
    bench.afg.drive(3.0, 0.0)
    bench.wait(0.5)
    assert bench.device.volt_seconds() == pytest.approx(0.25 * 1 + 0.25 * 2 + 0.5 * 3)


def test_a_waveform_goes_on_behind_an_open_relay(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.circuit.connect(bench.afg, "pd")
    bench.afg.drive(0.0, 0.0)
    bench.afg.play(Waveform((1.0, 1.0), (1.0, 2.0), (1.0, 2.0)), inf, 0.0)
    bench.circuit.disconnect(bench.afg)
    bench.wait(1.5)
    assert bench.device.extreme() == 0.0
    assert bench.afg.voltage() == 2.0
    bench.circuit.connect(bench.afg, "pd")
    bench.wait(1.0)
    assert bench.device.volt_seconds() == pytest.approx(0.5 * 2 + 0.5 * 1)


def test_two_waveforms_at_once(make_bench: MakeBench) -> None:
    bench = make_bench(grounded=False)
    bench.circuit.connect(bench.afg, "pd")
    bench.circuit.connect(bench.smu, "au")
    for port in (bench.afg, bench.smu):
        port.drive(0.0, 0.0)
    bench.afg.play(Waveform((2.0,), (1.0,), (1.0,)), 1, 0.0)
    bench.smu.play(Waveform((1.0, 2.0), (0.0, 0.5), (0.0, 0.5)), 1, 0.0)
    bench.wait(4.0)
    assert bench.device.volt_seconds() == pytest.approx(2 * 1.0 - 2 * 0.5)


# -- cables (F29) ------------------------------------------------------------------------------------------------------


def brute_force(wave: Waveform, tau: float, periods: int, steps: int = 20000) -> np.ndarray[Any, np.dtype[np.float64]]:
    """End-of-step output of the low-pass over the last of several periods, by tiny exact steps of the input."""
    dt = wave.period / steps
    corners = np.cumsum((0.0, *wave.durations))
    t = (np.arange(steps) + 0.5) * dt
    segment = np.minimum(np.searchsorted(corners, t, side="right") - 1, len(wave.durations) - 1)
    within = (t - corners[segment]) / np.array(wave.durations)[segment]
    x = np.array(wave.starts)[segment] * (1 - within) + np.array(wave.ends)[segment] * within
    y, decay, out = x[0], exp(-dt / tau), np.empty(steps)
    for _ in range(periods):
        for k in range(steps):
            y = x[k] + (y - x[k]) * decay
            out[k] = y
    return out


@pytest.mark.parametrize("width", [20e-9, 100e-9, 400e-9])
def test_the_low_pass_follows_its_differential_equation(width: float) -> None:
    tau = 7.5e-9
    wave = pulse(4.2, 0.0, width, 5e-9, 100e-9)
    filtered = low_pass(wave, tau, count=inf, before=0.0)
    assert filtered.period == pytest.approx(wave.period)
    corners = np.cumsum((0.0, *filtered.durations))
    t = (np.arange(20000) + 1) * wave.period / 20000
    ours = np.interp(t, corners, (*filtered.starts, filtered.ends[-1]))
    assert np.abs(ours - brute_force(wave, tau, periods=3)).max() < 0.01 * 4.2


def test_a_single_pulse_keeps_its_tail() -> None:
    filtered = low_pass(pulse(4.2, 0.0, 100e-9, 5e-9), 7.5e-9, count=1, before=0.0)
    assert filtered.starts[0] == 0.0
    assert filtered.ends[-1] == pytest.approx(0.0, abs=1e-3)
    area = sum(t * (a + b) / 2 for t, a, b in zip(filtered.durations, filtered.starts, filtered.ends, strict=True))
    assert area == pytest.approx(4.2 * 100e-9, rel=1e-3)  # a low-pass of gain 1 keeps the area


def test_150_pf_on_50_ohm_shows_at_100_ns_and_not_at_100_us(make_bench: MakeBench) -> None:
    assert visible(pulse(4.2, 0.0, 100e-9, 5e-9, 100e-9), 7.5e-9)
    assert not visible(pulse(4.2, 0.0, 100e-6, 5e-9, 900e-6), 7.5e-9)
    peaks = {}
    for width in (10e-9, 100e-6):
        bench = make_bench()
        bench.circuit.connect(bench.afg, "pd", 150e-12)
        bench.afg.drive(0.0, 50.0)
        bench.afg.play(pulse(4.2, 0.0, width, 1e-9, 10 * width), 1, 0.0)
        bench.wait(1e-2)
        peaks[width] = bench.device.extreme()
    assert peaks[100e-6] == pytest.approx(4.2, rel=1e-3)
    assert peaks[10e-9] == pytest.approx(4.2 * (1 - exp(-9.5 / 7.5)), rel=2e-3)  # 9.5 ns after mid-rise


def test_a_low_impedance_on_the_node_makes_the_cable_faster(make_bench: MakeBench) -> None:
    """T1: with the SMU's 1 ohm on the node the time constant is 0.15 ns, invisible at 100 ns."""
    bench = make_bench()
    bench.circuit.connect(bench.afg, "pd", 150e-12)
    bench.circuit.connect(bench.smu, "pd")
    bench.smu.drive(0.0, 1.0)
    bench.afg.drive(0.0, 50.0)
    bench.afg.play(pulse(4.2, 0.0, 100e-6, 1e-6, 0.0), 1, 0.0)
    assert bench.afg.player is not None
    assert len(bench.afg.player.waveform.durations) == 3
