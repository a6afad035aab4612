"""Voltages: stored EMF, assumed load, window, limits, polarity (reference sec. 1, 8; pitfalls F1-F4)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_backend.afg31000 import SimulatedAFG31000
from sim_backend.circuit import Circuit
from sim_backend.clock import Clock
from sim_backend.context import InstrumentContext
from sim_backend.devices.resistor import Resistor
from sim_backend.draws import Draws
from sim_backend.lines import Lines

Rig = Any
MakeRig = Callable[..., Rig]


def on_resistor(ohms: float, *messages: str) -> tuple[Clock, Circuit]:
    """An AFG31052 channel on a resistor to common, told ``messages``."""
    clock = Clock()
    circuit = Circuit(clock, Resistor(ohms))
    context = InstrumentContext(
        name="afg",
        clock=clock,
        ports={"1": circuit.port("afg.1"), "2": circuit.port("afg.2")},
        lines=Lines(),
        draws=Draws(1),
        options={"output_on_time": 0.0},
        model="AFG31052",
    )
    circuit.connect(circuit.port("afg.1"), "pd")
    circuit.ground("au")
    afg = SimulatedAFG31000(context)
    for message in messages:
        afg.write(message.encode() + b"\n", True)
    return clock, circuit


PULSE_42 = (
    "TRIG:SOUR EXT;:FUNC PULS;:PULS:PER 1 ms;WIDT 100 us",
    "VOLT:LOW 0;HIGH 4.2",
    "BURS:STAT ON;NCYC 1;:OUTP ON",
    "*TRG",
)


@pytest.mark.parametrize(
    ("load", "ohms", "volts"),
    [
        ("50", 400e3, 8.399),  # F1: twice what was meant
        ("INF", 50.0, 2.1),  # F1: half of it
        ("INF", 80e3, 4.1974),  # F2
        ("INF", 1e3, 4.0),  # F2: shorted film
        ("50", 50.0, 4.2),
    ],
)
def test_f1_f2_the_load_setting_against_the_load(load: str, ohms: float, volts: float) -> None:
    clock, circuit = on_resistor(ohms, f"OUTP:IMP {load}", *PULSE_42)
    clock.sleep(50e-6)
    assert circuit.true_voltage("pd") == pytest.approx(volts, abs=6e-4)
    clock.sleep(1e-3)
    assert circuit.true_voltage("pd") == 0.0


def test_f3_amplitude_without_offset_idles_at_minus_half(rig: Rig) -> None:
    rig.send(
        "OUTP:IMP INF;:TRIG:SOUR EXT;:FUNC PULS;:PULS:PER 1 ms;WIDT 100 us;:BURS:STAT ON;NCYC 1", "VOLT 4.2;:OUTP ON"
    )
    assert rig.emf() == pytest.approx(-2.1)
    rig.send("*TRG")
    assert rig.emf_at(50e-6) == pytest.approx(2.1)
    assert rig.emf_at(0.9e-3) == pytest.approx(-2.1)
    assert rig.emf_at(1.0) == pytest.approx(-2.1)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("VOLT:HIGH 10.1", -222),
        ("VOLT:LOW -10.1", -222),
        ("VOLT 20.1", -222),
        ("VOLT:OFFS 9.9;:VOLT:OFFS?", -222),  # half of the amplitude would stand out of the window
        ("PULS:WIDT 9 ns", -222),
        ("PULS:WIDT 2 ms", -221),  # longer than the period
        ("PULS:TRAN:LEAD 200 us;:PULS:WIDT?", -221),  # 0.625 x edges > width
    ],
)
def test_f4_what_cannot_be_is_refused_and_queued(rig: Rig, message: str, code: int) -> None:
    rig.send("OUTP:IMP INF;:FUNC PULS;:PULS:PER 1 ms;WIDT 100 us")
    asked = "VOLT:HIGH?;LOW?;:PULS:WIDT?;TRAN?"
    before = rig.ask(asked)
    rig.ask(message)
    assert rig.ask("*ESR?") == "16"
    assert rig.errors() == [code]
    assert rig.ask(asked) == before


@pytest.mark.parametrize(
    ("model", "window"), [("AFG31022", 10.0), ("AFG31102", 10.0), ("AFG31152", 5.0), ("AFG31252", 5.0)]
)
def test_the_window_of_each_model_is_on_the_emf(make_rig: MakeRig, model: str, window: float) -> None:
    rig = make_rig(model)
    for load, shown in (("INF", window), ("50", window / 2), ("150", window * 0.75)):
        rig.send(f"OUTP:IMP {load}", "VOLT:LOW 0", f"VOLT:HIGH {shown}")
        assert rig.errors() == []
        assert rig.number("VOLT:HIGH?") == pytest.approx(shown)
        rig.send(f"VOLT:HIGH {shown * 1.01}")
        assert rig.errors() == [-222]
        rig.send(f"VOLT:LOW {-shown * 1.01}")
        assert rig.errors() == [-222]
    assert rig.numbers("OUTP:IMP INF;:VOLT:LIM:HIGH?;LOW?") == [window, -window]


def test_amplitude_is_derated_above_60_mhz(make_rig: MakeRig) -> None:
    rig = make_rig("AFG31102")
    for hertz, largest in (("60E6", 10.0), ("80E6", 8.0), ("100E6", 6.0)):
        rig.send("VOLT 1", f"FREQ {hertz}", f"VOLT {largest}")
        assert rig.errors() == []
        rig.send(f"VOLT {largest + 0.1}")
        assert rig.errors() == [-222]
    rig.send("FREQ 1E6;:VOLT 10;:FREQ 100E6")
    assert rig.errors() == [-221]
    assert rig.number("FREQ?") == 1e6


def test_changing_the_load_keeps_the_emf_and_rescales_what_is_shown(rig: Rig) -> None:
    rig.send("FUNC DC;:VOLT:OFFS 1;:OUTP ON")
    assert rig.emf() == 2.0
    rig.send("OUTP:IMP INF")
    assert rig.emf() == 2.0
    assert rig.numbers("VOLT:OFFS?;:VOLT:LIM:HIGH?") == [2.0, 10.0]
    rig.send("OUTP:IMP 50")
    assert rig.number("VOLT:OFFS?") == 1.0


def test_changing_the_load_can_keep_the_numbers_instead(make_rig: MakeRig) -> None:
    rig = make_rig(load_change_keeps="shown")
    rig.send("VOLT:LOW 0;HIGH 4", "OUTP:IMP INF")
    assert rig.numbers("VOLT:HIGH?;LOW?") == [4.0, 0.0]
    rig.send("VOLT:LIM:HIGH 10;:VOLT:HIGH 8;:OUTP:IMP 50")  # 16 V of EMF do not exist
    assert rig.number("VOLT:HIGH?") == pytest.approx(5.0)
    assert rig.number("VOLT:LOW?") >= 0.0


def test_keeping_the_numbers_for_a_tiny_load_stays_inside_the_window(make_rig: MakeRig) -> None:
    rig = make_rig(load_change_keeps="shown")
    rig.send("VOLT:HIGH 4;LOW 3;LIM:LOW 2;:OUTP ON;:OUTP:IMP 1")
    assert rig.errors() == []
    low, high, floor, ceiling = (51 * v for v in rig.numbers("VOLT:LOW?;HIGH?;LIM:LOW?;HIGH?"))
    assert -10.0 <= floor <= low < high <= ceiling <= 10.0 + 1e-9


def test_levels_set_while_dc_is_selected_stay_inside_the_window(make_rig: MakeRig) -> None:
    rig = make_rig(out_of_range="clamp")
    rig.send("OUTP:IMP INF;:FUNC DC;:VOLT:OFFS 10;:VOLT:LOW 11;:OUTP ON")
    assert rig.emf() == 10.0


def test_high_moves_with_low_fixed_and_amplitude_with_offset_fixed(rig: Rig) -> None:
    rig.send("VOLT:HIGH 3")
    assert rig.numbers("VOLT:LOW?;:VOLT?;:VOLT:OFFS?") == [-0.5, 3.5, 1.25]
    rig.send("VOLT 2")
    assert rig.numbers("VOLT:OFFS?;HIGH?;LOW?") == [1.25, 2.25, 0.25]
    rig.send("VOLT:OFFS -1")
    assert rig.numbers("VOLT?;:VOLT:HIGH?;LOW?") == [2.0, 0.0, -2.0]


def test_low_above_high_pushes_high_or_is_refused(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.send("VOLT:LOW 2")
    assert rig.errors() == []
    assert rig.numbers("VOLT:LOW?;HIGH?") == pytest.approx([2.0, 2.001])
    rig.send("VOLT:HIGH -1")
    assert rig.numbers("VOLT:LOW?;HIGH?") == pytest.approx([-1.001, -1.0])
    strict = make_rig(low_above_high="reject")
    strict.send("VOLT:LOW 2")
    assert strict.errors() == [-222]
    assert strict.numbers("VOLT:LOW?;HIGH?") == [-0.5, 0.5]


def test_clamping_instead_of_ignoring(make_rig: MakeRig) -> None:
    rig = make_rig(out_of_range="clamp")
    rig.send("OUTP:IMP INF;:VOLT:LOW 0;HIGH 12")
    assert rig.errors() == [-222]
    assert rig.number("VOLT:HIGH?") == 10.0
    rig.send("TRIG:TIM 1000;:BURS:NCYC 0;:FREQ 1E9")
    assert rig.errors() == [-222] * 3
    assert rig.numbers("TRIG:TIM?;:BURS:NCYC?;:FREQ?") == [500.0, 1.0, 50e6]


def test_software_limits_bound_every_way_to_a_level(rig: Rig) -> None:
    rig.send("OUTP:IMP INF;:VOLT 2;:VOLT:LIM:HIGH 5.5;LOW -5.5")
    for message in ("VOLT:HIGH 5.6", "VOLT:LOW -5.6", "VOLT 11.1", "VOLT:OFFS 4.6", "FUNC DC;:VOLT:OFFS 5.6"):
        rig.send(message)
        assert rig.errors() == [-222], message
    rig.send("FUNC DC;:VOLT:OFFS 5.5")
    assert rig.errors() == []


def test_a_limit_inside_the_levels_pushes_them_or_is_refused(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.send("OUTP:IMP INF;:VOLT:LOW -3;HIGH 3;LIM:HIGH 2")
    assert rig.errors() == []
    assert rig.numbers("VOLT:HIGH?;LOW?") == [2.0, -3.0]
    strict = make_rig(limit_beyond_level="reject")
    strict.send("OUTP:IMP INF;:VOLT:LOW -3;HIGH 3;LIM:HIGH 2")
    assert strict.errors() == [-221]
    assert strict.numbers("VOLT:LIM:HIGH?;:VOLT:HIGH?") == [10.0, 3.0]


@pytest.mark.parametrize(
    ("shape", "factor"), [("SIN", 2 * math.sqrt(2)), ("RAMP", 2 * math.sqrt(3)), ("SQU", 2.0), ("PULS", 2.0)]
)
def test_units_of_amplitude(rig: Rig, shape: str, factor: float) -> None:
    rig.send(f"FUNC {shape};:VOLT:UNIT VRMS;:VOLT 1")
    assert rig.number("VOLT?") == pytest.approx(1.0, abs=1e-4)
    rig.send("VOLT:UNIT VPP")
    assert rig.number("VOLT?") == pytest.approx(factor, abs=1e-4)
    rig.send("VOLT:UNIT DBM;:VOLT 10")  # 10 mW in 50 ohm
    assert rig.number("VOLT?") == pytest.approx(10.0, abs=1e-3)
    rig.send("VOLT:UNIT VPP")
    assert rig.number("VOLT?") == pytest.approx(math.sqrt(0.5) * factor, abs=1e-4)


def test_a_unit_that_is_written_does_not_change_the_unit_setting(rig: Rig) -> None:
    rig.send("VOLT 1 VRMS")
    assert rig.ask("VOLT:UNIT?") == "VPP"
    assert rig.number("VOLT?") == pytest.approx(2.8284, abs=1e-4)
    assert rig.numbers("VOLT:UNIT VRMS;:VOLT:HIGH?") == pytest.approx([1.4142], abs=1e-4)  # always volts


def test_dbm_needs_a_load_and_vrms_a_shape(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.send("OUTP:IMP INF;:VOLT 10 DBM;:VOLT:UNIT DBM")
    assert rig.errors() == [-221, -221]
    rig.send("FUNC GAUS;:VOLT:UNIT VRMS;:VOLT 1 VRMS")
    assert rig.errors() == [-221, -221]
    rig.send("FUNC SIN;:VOLT:UNIT VRMS;:FUNC EMEM")
    assert rig.ask("VOLT:UNIT?") == "VPP"
    lenient = make_rig(dbm_into_open="50")
    lenient.send("OUTP:IMP INF;:VOLT 10 DBM")
    assert lenient.errors() == []


def test_polarity_mirrors_about_the_offset(rig: Rig) -> None:
    rig.pulse_burst(low=-1.0, high=4.2)
    rig.send("OUTP1:POL INV")
    assert rig.emf() == 4.2  # idle: the first point, mirrored
    rig.send("*TRG")
    assert rig.emf_at(50e-6) == -1.0
    assert rig.emf_at(0.5e-3) == 4.2
    assert rig.numbers("VOLT:HIGH?;LOW?") == [4.2, -1.0]


def test_levels_go_on_a_grid_of_100_microvolt(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.send("OUTP:IMP INF;:VOLT:LOW 0;HIGH 1.23456")
    assert rig.number("VOLT:HIGH?") == pytest.approx(1.2346, abs=1e-9)
    fine = make_rig(amplitude_resolution=0.0)
    fine.send("OUTP:IMP INF;:VOLT:LOW 0;HIGH 1.23456")
    assert fine.number("VOLT:HIGH?") == pytest.approx(1.23456, abs=1e-9)


VOLTS = st.floats(-12, 12).map(lambda v: round(v, 3))


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["VOLT:HIGH", "VOLT:LOW", "VOLT", "VOLT:OFFS", "OUTP:IMP", "VOLT:LIM:HIGH"]), VOLTS),
        max_size=12,
    ),
    choices=st.fixed_dictionaries(
        {
            "low_above_high": st.sampled_from(["push", "reject"]),
            "limit_beyond_level": st.sampled_from(["push", "reject"]),
            "load_change_keeps": st.sampled_from(["emf", "shown"]),
            "out_of_range": st.sampled_from(["ignore", "clamp"]),
        }
    ),
)
def test_no_sequence_of_settings_leaves_the_window(
    make_rig: MakeRig, steps: list[tuple[str, float]], choices: dict[str, str]
) -> None:
    """Whatever is sent: LIMit LOW <= LOW < HIGH <= LIMit HIGH, and the EMF within 10 V, in the same numbers."""
    rig = make_rig(**choices)
    rig.send("FUNC SQU;:FREQ 1E3;:OUTP ON")
    for header, value in steps:
        rig.send(f"{header} {abs(value) * 40 + 1 if header == 'OUTP:IMP' else value}")
        low, high, floor, ceiling, load = rig.numbers("VOLT:LOW?;HIGH?;LIM:LOW?;HIGH?;:OUTP:IMP?")
        slack = 1e-9 * (1 + abs(high))
        assert floor - slack <= low < high <= ceiling + slack
        emf_per_shown = (load + 50) / load
        assert max(abs(low), abs(high)) * emf_per_shown <= 10 * (1 + 1e-9)
        waveform, _, _ = rig.scopes["1"].played[-1]
        assert waveform.extremes == pytest.approx((low * emf_per_shown, high * emf_per_shown), abs=1e-9)
