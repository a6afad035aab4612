"""What is played: shapes, edges, phase, pulse times (reference sec. 6, 7)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sim_backend.afg31000 import shapes
from sim_backend.afg31000.shapes import Shape
from sim_backend.circuit import Waveform

Rig = Any
MakeRig = Callable[..., Rig]


def played(rig: Rig, *messages: str) -> Waveform:
    """The periodic waveform on channel 1, 0..2 V of EMF."""
    rig.send("OUTP:IMP INF;:VOLT:LOW 0;HIGH 2", *messages, "OUTP ON")
    assert rig.errors() == []
    waveform, count, start = rig.scopes["1"].played[-1]
    assert count == math.inf
    assert start == rig.clock.now
    return waveform


def at(waveform: Waveform, share: float) -> float:
    """EMF at a share of the period."""
    x = np.repeat([0.0, *waveform.boundaries], 2)[1:-1]
    y = np.column_stack((waveform.starts, waveform.ends)).ravel()
    return float(np.interp(share * waveform.period, x, y))


def test_sine(rig: Rig) -> None:
    wave = played(rig, "FREQ 1E3")
    assert len(wave.durations) == 96
    assert wave.period == pytest.approx(1e-3, rel=1e-12)
    for share in np.linspace(0, 1, 1000):
        assert at(wave, share) == pytest.approx(1 + math.sin(2 * math.pi * share), abs=6e-4)
    assert wave.extremes == (0.0, 2.0)


@pytest.mark.parametrize(
    ("shape", "points"),
    [
        ("SQU", {0.25: 2.0, 0.75: 0.0}),
        ("RAMP", {0.0: 0.0, 0.25: 1.0, 0.5: 2.0, 0.75: 1.0}),
        ("SINC", {0.5: 2.0, 0.0: 0.357}),
        ("GAUS", {0.5: 2.0, 0.0: 0.0, 0.4: 2 * math.exp(-0.5)}),
        ("LOR", {0.5: 2.0, 0.0: 0.0, 0.55: 0.99}),
        ("ERIS", {0.0: 0.0, 1.0: 2.0, 0.5: 2 * (1 - math.exp(-2.5)) / (1 - math.exp(-5))}),
        ("EDEC", {0.0: 2.0, 1.0: 0.0}),
        ("HAV", {0.0: 0.0, 0.5: 2.0, 0.25: 1.0}),
    ],
)
def test_other_shapes(rig: Rig, shape: str, points: dict[float, float]) -> None:
    wave = played(rig, "FREQ 1E3", f"FUNC {shape}")
    assert wave.extremes == pytest.approx((0.0, 2.0), abs=1e-9)
    for share, volts in points.items():
        assert at(wave, share) == pytest.approx(volts, abs=5e-3), share


def test_bell_curves_can_stand_on_the_offset(make_rig: MakeRig) -> None:
    wave = played(make_rig(bell_span="upper"), "FREQ 1E3", "FUNC HAV")
    assert wave.extremes == pytest.approx((1.0, 2.0))


def test_the_number_of_pieces_is_an_option(make_rig: MakeRig) -> None:
    rig = make_rig(sine_pieces=12, curve_pieces=20, noise_points=64)
    assert [len(played(rig, "FREQ 1E3", f"FUNC {s}").durations) for s in ("SIN", "GAUS", "PRN")] == [12, 20, 64]


def test_ramp_symmetry(rig: Rig) -> None:
    assert at(played(rig, "FREQ 1E3;:FUNC RAMP;:FUNC:RAMP:SYMM 100"), 0.5) == 1.0
    wave = played(rig, "FUNC:RAMP:SYMM 0")
    assert (wave.starts, wave.ends) == ((2.0,), (0.0,))


def test_dc_is_the_offset(rig: Rig) -> None:
    rig.send("OUTP:IMP INF;:FUNC DC;:VOLT:OFFS -3.5;:OUTP ON")
    assert rig.emf() == -3.5
    assert rig.scopes["1"].playing is None


def test_noise_is_seeded_and_fills_the_span(make_rig: MakeRig) -> None:
    first, second = (played(make_rig(), "FUNC PRN") for _ in range(2))
    assert first == second
    assert len(first.durations) == 4096
    values = np.array(first.starts)
    # 4096 draws: mean within 4 sigma of the mean, sigma = span / 6 within 4 sigma of a standard deviation
    assert abs(values.mean() - 1.0) < 4 * (2 / 6) / math.sqrt(4096)
    assert abs(values.std() / (2 / 6) - 1) < 4 / math.sqrt(2 * 4096) + 0.02


def test_pulse_as_programmed(rig: Rig) -> None:
    wave = played(rig, "FUNC PULS;:PULS:PER 1 ms;WIDT 100 us;TRAN:LEAD 8 us;TRA 16 us")
    assert wave.durations == pytest.approx((10e-6, 85e-6, 20e-6, 885e-6))  # edges are 10-90 % times
    assert wave.starts == (0.0, 2.0, 2.0, 0.0)
    assert wave.ends == (2.0, 2.0, 0.0, 0.0)


def test_edge_times_can_span_the_whole_swing(make_rig: MakeRig) -> None:
    wave = played(make_rig(edge_span=1.0), "FUNC PULS;:PULS:PER 1 ms;WIDT 100 us;TRAN:LEAD 8 us;TRA 16 us")
    assert wave.durations[0] == pytest.approx(8e-6)


@settings(max_examples=80, deadline=None)
@given(
    period=st.floats(1e-6, 10.0),
    duty=st.floats(0.01, 0.99),
    edges=st.tuples(st.floats(7e-9, 1e-3), st.floats(7e-9, 1e-3)),
    delay=st.floats(0.0, 0.999),
)
def test_every_pulse_that_is_accepted_has_its_width_and_period(
    make_rig: MakeRig, period: float, duty: float, edges: tuple[float, float], delay: float
) -> None:
    width = duty * period
    total = sum(edges)
    assume(width >= max(10e-9, 0.625 * total) * 1.001 and width <= (period - 0.8 * total) * 0.999)
    rig = make_rig(amplitude_resolution=0.0)
    wave = played(
        rig,
        f"FUNC PULS;:PULS:PER {period!r}",
        f"PULS:WIDT {width!r};DEL {delay * period!r}",
        f"PULS:TRAN {edges[0]!r};TRAN:TRA {edges[1]!r}",
    )
    assert wave.period == pytest.approx(period, rel=1e-9)
    x = np.concatenate(([0.0], np.cumsum(wave.durations)))
    y = np.append(wave.starts, wave.ends[-1])
    assert wave.ends[:-1] == pytest.approx(wave.starts[1:], abs=1e-9)  # a pulse is continuous
    twice_x = np.concatenate((x, x[1:] + period))
    twice_y = np.concatenate((y, y[1:]))
    above = twice_y - 1.0
    crossings = [
        a + (b - a) * -u / (v - u)
        for a, b, u, v in zip(twice_x, twice_x[1:], above, above[1:], strict=False)
        if u * v < 0
    ]
    gaps = np.diff(crossings)
    assert any(abs(gap - width) < 1e-9 * period + 1e-12 for gap in gaps)
    mean = np.trapezoid(y, x) / period
    assert mean == pytest.approx(2 * width / period, rel=1e-6, abs=1e-9)


def test_delay_moves_the_pulse_and_wraps_in_continuous_mode(rig: Rig) -> None:
    wave = played(rig, "FUNC PULS;:PULS:PER 1 ms;WIDT 100 us;DEL 0.4 ms")
    assert [at(wave, s) for s in (0.2, 0.45, 0.6)] == [0.0, 2.0, 0.0]
    wave = played(rig, "PULS:DEL 0.95 ms")
    assert [at(wave, s) for s in (0.02, 0.2, 0.97)] == [2.0, 0.0, 2.0]


def test_duty_and_width_follow_each_other_and_hold_decides_on_period(rig: Rig) -> None:
    rig.send("FUNC PULS;:PULS:PER 1 ms;WIDT 100 us")
    assert rig.number("PULS:DCYC?") == pytest.approx(10.0)
    rig.send("PULS:DCYC 25")
    assert rig.number("PULS:WIDT?") == pytest.approx(250e-6)
    rig.send("PULS:PER 2 ms")  # HOLD DUTY by default
    assert rig.numbers("PULS:WIDT?;DCYC?;:FREQ?") == pytest.approx([500e-6, 25.0, 500.0])
    rig.send("PULS:HOLD WIDT;PER 4 ms")
    assert rig.numbers("PULS:WIDT?;DCYC?") == pytest.approx([500e-6, 12.5])
    rig.send("PULS:PER 0.4 ms")  # the width does not fit
    assert rig.errors() == [-221]
    assert rig.number("PULS:PER?") == pytest.approx(4e-3)


def test_conflicts_can_give_way_instead(make_rig: MakeRig) -> None:
    rig = make_rig(pulse_conflict="adjust")
    rig.send("FUNC PULS;:PULS:PER 1 ms;HOLD WIDT;WIDT 500 us;PER 0.4 ms")
    assert rig.errors() == []
    assert rig.number("PULS:WIDT?") == pytest.approx(0.4e-3, rel=1e-3)
    rig.send("PULS:WIDT 1 us;TRAN 100 us;TRAN:TRA 100 us")
    assert rig.number("PULS:WIDT?") == pytest.approx(125e-6)
    rig.send("PULS:TRAN 300 us;TRAN:TRA 300 us")
    low, high = rig.number("PULS:WIDT?"), rig.number("PULS:TRAN?")
    assert low >= 0.625 * 2 * high or high == pytest.approx(7e-9)
    assert rig.errors() == []


def test_another_shape_brings_the_frequency_into_its_range(rig: Rig) -> None:
    rig.send("FREQ 30E6;:FUNC RAMP")
    assert rig.number("FREQ?") == 800e3
    rig.send("FUNC SIN;:FREQ 1E-5;:FUNC PULS")
    assert rig.number("FREQ?") == 1e-3
    assert rig.errors() == []


def test_phase_shifts_the_first_point(rig: Rig) -> None:
    wave = played(rig, "FREQ 1E3;:PHAS 90 DEG")
    assert wave.starts[0] == pytest.approx(2.0)
    wave = played(rig, "PHAS -90DEG")
    assert wave.starts[0] == pytest.approx(0.0)
    assert rig.number("PHAS?") == pytest.approx(-math.pi / 2)
    for shape in ("PULS", "PRN", "DC"):
        rig.send(f"FUNC {shape};:PHAS 1")
        assert rig.errors() == [-221]


@given(
    parts=st.lists(st.tuples(st.floats(1e-3, 1.0), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6),
    fraction=st.floats(0, 1, exclude_max=True),
    share=st.floats(0, 1, exclude_max=True),
)
def test_rotation_is_a_shift_in_time(parts: list[tuple[float, float, float]], fraction: float, share: float) -> None:
    durations, starts, ends = (tuple(column) for column in zip(*parts, strict=True))
    shape = Shape(durations, starts, ends)
    period = sum(durations)
    original, turned = (shapes.waveform(s, period, 0.0, 1.0, False, 0.0) for s in (shape, shape.rotated(fraction)))
    assert sum(turned.durations) == pytest.approx(period, rel=1e-9)
    there = (share + fraction) % 1.0
    corners = np.array([0.0, *original.boundaries]) / period
    assume(np.min(np.abs(corners - there)) > 1e-6)  # at a jump either side is right
    assert at(turned, share) == pytest.approx(at(original, there), abs=1e-6)


def test_rotation_to_a_corner_leaves_no_sliver() -> None:
    pulse = shapes.trapezoid(0.5, 0.25, 8.75e-9, 8.75e-9)  # the top ends half way
    turned = pulse.rotated(0.5)
    assert len(turned.durations) == 4
    assert min(turned.durations) > 1e-9
    assert Shape((1.0, 1.0), (0.0, 1.0), (0.0, 1.0)).rotated(0.5) == Shape((1.0, 1.0), (1.0, 0.0), (1.0, 0.0))


def test_continuous_mode_begins_when_the_relay_closes_and_goes_on_through_level_changes(make_rig: MakeRig) -> None:
    rig = make_rig(output_on_time=0.02)
    rig.send("OUTP:IMP INF;:FUNC RAMP;:FREQ 1;:FUNC:RAMP:SYMM 100;:VOLT:LOW 0;HIGH 1;:OUTP ON")
    assert rig.ask("OUTP?;*OPC?") == "1;1"
    assert rig.emf_at(0.019) is None
    assert rig.emf_at(0.52) == pytest.approx(0.5)
    rig.send("VOLT:HIGH 2")
    assert rig.emf() == pytest.approx(1.0)
    assert rig.emf_at(0.77) == pytest.approx(1.5)
    rig.send("OUTP OFF")
    assert rig.emf() is None


def test_setting_what_is_set_already_does_not_disturb_the_output(rig: Rig) -> None:
    rig.send("FREQ 1E3;:OUTP ON")
    before = len(rig.scopes["1"].played)
    rig.send("FREQ 1E3;:VOLT 1;:OUTP ON;:PULS:HOLD WIDT;:SOUR2:FREQ 5E3")
    assert len(rig.scopes["1"].played) == before


def test_a_sweep_passes_through_its_frequencies(rig: Rig) -> None:
    rig.send("FREQ:STAR 1E3;STOP 1E4;:SWE:TIME 0.1;RTIM 0.01;:FREQ:MODE SWE;:OUTP ON")
    assert rig.ask("RMOD?;:FREQ:MODE?") == "SWE;SWE"
    rig.send("FREQ 5E3")
    assert rig.errors() == [-221]
    rig.clock.sleep(0.05)
    halfway = 1 / rig.scopes["1"].played[-1][0].period
    assert halfway == pytest.approx(5500, rel=0.05)
    rig.clock.sleep(0.3)
    frequencies = [1 / wave.period for wave, _, _ in rig.scopes["1"].played]
    assert min(frequencies) == pytest.approx(1e3)
    assert max(frequencies) == pytest.approx(1e4)
    assert frequencies.count(pytest.approx(1e4)) > 2  # it repeats
    rig.send("FREQ:MODE CW")
    assert rig.ask("RMOD?") == "CONT"
    rig.send("FUNC PULS;:FREQ:MODE SWE")
    assert rig.errors() == [-221]


def test_a_manual_sweep_waits_for_its_trigger(rig: Rig) -> None:
    rig.send("TRIG:SOUR EXT;:FREQ:STAR 1E3;STOP 1E4;:SWE:MODE MAN;TIME 0.1;SPAC LOG;:FREQ:MODE SWE;:OUTP ON")
    rig.clock.sleep(1.0)
    assert [1 / w.period for w, _, _ in rig.scopes["1"].played] == pytest.approx([1e3])
    rig.send("*TRG")
    rig.clock.sleep(0.05)
    assert 1 / rig.scopes["1"].played[-1][0].period == pytest.approx(math.sqrt(1e7), rel=0.1)
    rig.clock.sleep(1.0)
    assert 1 / rig.scopes["1"].played[-1][0].period == pytest.approx(1e3)
