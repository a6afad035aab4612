"""Output switches, forcing, ranges, limits, interlock, *LRN? (reference b1500a sec. 3, 6, 7, 12; pitfalls F19, F20)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.b1500a import ranges

AFTER_CN = "DV3,200,+00.0000E+00,+100.000E-06,0,16"


def test_a_channel_that_was_off_comes_up_as_zero_volts(b1500: Any) -> None:
    assert b1500.ask("*LRN? 3") == "CL3"
    b1500.send("CN 3")
    assert b1500.ask("*LRN? 3") == AFTER_CN
    assert b1500.ask("*LRN? 0") == "CN3"


def test_cn_and_cl_without_channels_mean_all(b1500: Any) -> None:
    b1500.send("CN")
    assert b1500.ask("*LRN? 0") == "CN3,4,5,6"
    b1500.send("CL 4,5")
    assert b1500.ask("*LRN? 0") == "CN3,6"
    b1500.send("CL")
    assert b1500.ask("*LRN? 0") == "CL"


@pytest.mark.parametrize(("again", "volts"), [("keep", 3.0), ("reset", 0.0)])
def test_cn_on_a_channel_that_is_on(build: Any, again: str, volts: float) -> None:
    wire = build(connect_again=again)
    wire.send("CN 3", "DV 3,0,3,1E-3", "CN 3")
    assert wire.volts() == volts


def test_long_channel_numbers_mean_the_same(b1500: Any) -> None:
    b1500.send("CN 301", "DV 301,0,2,1E-3")
    assert b1500.volts() == 2.0


@pytest.mark.parametrize(
    ("command", "learned"),
    [
        ("DV 3,0,0.3,1E-3", "DV3,5,+300.000E-03,+1.00000E-03,0,17"),
        ("DV 3,0,1.5,1E-6", "DV3,20,+1.50000E+00,+1.00000E-06,0,14"),
        ("DV 3,200,1.5,1E-6", "DV3,200,+01.5000E+00,+1.00000E-06,0,14"),
        ("DV 3,12,-1.5,1E-6", "DV3,200,-01.5000E+00,-1.00000E-06,0,14"),
        ("DV 3,20,15,1E-3", "DV3,200,+15.0000E+00,+1.00000E-03,0,17"),
        ("DV 3,0,30,0.02", "DV3,400,+30.0000E+00,+020.000E-03,0,19"),
        ("DV 3,0,1,1E-6,0,17", "DV3,20,+1.00000E+00,+0.00100E-03,0,17"),
        ("DV 3,0,-1,1E-6,1", "DV3,20,-1.00000E+00,+1.00000E-06,1,14"),
        ("DI 3,0,1E-6,5", "DI3,14,+1.00000E-06,+5.00000E+00,0,50"),
        ("DI 3,16,-1E-6,5", "DI3,16,-001.000E-06,-5.00000E+00,0,50"),
    ],
)
def test_forcing_as_learned(b1500: Any, command: str, learned: str) -> None:
    b1500.send("CN 3", command)
    assert b1500.ask("*LRN? 3") == learned


def test_learned_range_may_be_the_one_asked_for(build: Any) -> None:
    wire = build(learned_range="asked")
    wire.send("CN 3", "DV 3,20,15,1E-3")
    assert wire.ask("*LRN? 3").startswith("DV3,20,")


@given(st.sampled_from([0.5, 2.0, 5.0, 20.0, 40.0, 100.0, 1e-9, 1e-6, 1e-1]), st.floats(-1.0, 1.0))
def test_levels_are_cut_to_the_steps_of_their_range(scale: float, share: float) -> None:
    value = scale * share
    step = scale / 20_000
    cut = ranges.truncated(value, scale)
    assert abs(cut) <= abs(value) * (1 + 1e-9)
    assert abs(value) - abs(cut) <= step * (1 + 1e-6)
    assert abs(cut / step - round(cut / step)) < 1e-6


@given(st.integers(-2000, 2000))
def test_decimal_levels_come_out_as_typed(millivolts: int) -> None:
    assert ranges.truncated(millivolts * 1e-3, 2.0) == pytest.approx(millivolts * 1e-3, abs=1e-15)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("DV 3,0,101", 120),
        ("DV 3,2000,1", 124),
        ("DV 3,7,1", 124),
        ("DV 3,0,1,0", 123),
        ("DV 3,0,1,0.2", 123),
        ("DV 3,0,30,0.06", 123),
        ("DV 3,0,50,0.03", 123),
        ("DI 3,0,0.2,5", 120),
        ("DI 3,0,0.06,30", 120),
        ("DI 3,0,1E-6", 212),
        ("DV 3,0,1,1E-3,2", 120),
    ],
)
def test_what_dv_and_di_refuse(b1500: Any, line: str, code: int) -> None:
    b1500.send("CN 3")
    assert b1500.refused(line) == code
    assert b1500.ask("*LRN? 3") == AFTER_CN


def test_compliance_is_kept_when_left_out(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,1,2E-6", "DV 3,0,1.5")
    assert b1500.ask("*LRN? 3") == "DV3,20,+1.50000E+00,+02.0000E-06,0,15"


def test_current_compliance_limits_and_flags(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,5,1E-6")
    assert b1500.volts() == pytest.approx(1.0)
    assert b1500.ask("TI 3") == "CCI+1.00000E-06"
    assert b1500.ask("TV 3") == "CCV+1.00000E+00"
    assert b1500.ask("LOP?") == "LOP00,00,11,00,00,00,00,00,00,00"


def test_current_source_and_its_voltage_compliance(b1500: Any) -> None:
    b1500.send("CN 3", "DI 3,0,2E-6,5")
    assert b1500.volts() == pytest.approx(2.0)
    assert b1500.ask("LOP?").split(",")[2] == "02"
    b1500.send("DI 3,0,-8E-6,5")
    assert b1500.volts() == pytest.approx(-5.0)
    assert b1500.ask("LOP?").split(",")[2] == "13"


def test_another_channel_in_compliance_is_flagged_t(bench: Any) -> None:
    wire = bench("aab_w2")
    wire.send("CN 3,4", "DV 3,0,-4.8,1E-6", "DV 4,0,2,1E-11,0,9")
    assert wire.ask("TI 4").startswith("CDI")
    assert wire.ask("TI 3,-14").startswith("TCI")


def test_dz_and_rz(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,5,1E-3", "DZ 3")
    assert b1500.volts() == 0.0
    assert b1500.ask("*LRN? 0") == "CN3"
    b1500.send("RZ 3")
    assert b1500.volts() == 5.0
    assert b1500.refused("RZ 3") == 205
    b1500.send("DZ", "RZ")


def test_in_brings_a_channel_back_to_its_start(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,5,1E-3", "RI 3,-14", "IN 3")
    assert b1500.ask("*LRN? 3") == AFTER_CN
    assert b1500.ask("*LRN? 32").startswith("RI3,0;RV3,0;RI4,0")


def test_off_is_high_impedance(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,5,1E-3", "CL 3")
    assert b1500.volts() == 0.0
    assert not b1500.library.circuit.ports["b1500.3"].connected


def test_near_zero_query(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,2,1E-3")
    assert b1500.ask("WZ?") == "0"
    b1500.send("DV 3,0,2.1,1E-3")
    assert b1500.ask("WZ?") == "1"


def test_series_resistor(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,2,1E-3", "SSR 3,1")
    assert b1500.volts() == pytest.approx(1.0)
    assert b1500.ask("*LRN? 53").startswith("SSR3,1;SSR4,0")
    b1500.send("SSR 3,0")
    assert b1500.volts() == 2.0


# -- interlock, slew -------------------------------------------------------------------------------------------------


def test_forty_volts_need_no_interlock_more_do(build: Any) -> None:
    wire = build(interlock=False)
    wire.send("CN 3", "DV 3,0,42,1E-3")
    assert wire.volts() == 42.0
    for line in ("DV 3,0,42.1,1E-3", "DI 3,0,1E-6,45", "WV 3,1,0,0,45,5,1E-3", "MV 3,0,0,45,1E-3"):
        assert wire.refused(line) == 202
    assert wire.resource.read_stb() & 8
    assert wire.volts() == 42.0


def test_threshold_can_be_lowered(build: Any) -> None:
    wire = build(interlock=False)
    wire.send("INTLKVTH 0", "CN 3")
    assert float(wire.ask("INTLKVTH?")) == 0.0
    assert wire.refused("DV 3,0,1,1E-3") == 202
    assert wire.refused("INTLKVTH 50") == 120


@pytest.mark.parametrize("drop", ["zero", "open"])
def test_opening_the_interlock_drops_high_outputs_with_an_alarm(build: Any, drop: str) -> None:
    wire = build(interlock_drop=drop)
    wire.send("CN 3", "DV 3,0,60,1E-3")
    wire.library.bench.lines.set("b1500.interlock", True)
    wire.library.bench.lines.set("b1500.interlock", False)
    assert wire.volts() == 0.0
    assert wire.resource.read_stb() & 8
    assert wire.errors() == [290]
    assert wire.ask("*LRN? 0") == ("CN3" if drop == "zero" else "CL")


def test_opening_the_interlock_leaves_low_outputs(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,40,1E-3")
    b1500.library.bench.instruments["b1500"].set_interlock(False)
    assert b1500.volts() == 40.0
    assert b1500.errors() == []


def test_interlock_fault_of_the_bench_file(bench: Any) -> None:
    wire = bench("aab_w2", "faults.interlock_open=[b1500]")
    wire.send("CN 3")
    assert wire.refused("DV 3,0,45,1E-6") == 202


@pytest.mark.parametrize(("compliance", "seconds"), [("1E-9", 12.28), ("1E-6", 12.28e-3)])
def test_gate_slews_with_its_compliance(bench: Any, compliance: str, seconds: float) -> None:
    """F20: 307 pF on the gate."""
    wire = bench("aab_w2")
    wire.send("CN 3")
    wire.resource.write(f"DV 3,0,40,{compliance}")
    wire.clock.sleep(0.2e-3)  # until the command is carried out
    before = wire.clock.now
    wire.clock.sleep(seconds / 2)
    assert wire.volts("gate") == pytest.approx(20.0, rel=0.03)
    assert wire.ask("TI 3,-14").startswith("CCI") or compliance == "1E-6"
    wire.clock.sleep(before + seconds * 1.02 - wire.clock.now)
    assert wire.volts("gate") == pytest.approx(40.0, abs=0.1)


# -- *LRN? -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "reply"),
    [
        (0, "CL"),
        (3, "CL3"),
        (30, "FL0"),
        (31, "TM1;AV1,0;CM1;FMT1,0"),
        (32, "RI3,0;RV3,0;RI4,0;RV4,0;RI5,0;RV5,0;RI6,0;RV6,0"),
        (33, "WM1,1;WT0.00,0.0000,0.0000,0.0000,0.0000"),
        (34, ""),
        (37, ""),
        (38, "ERMOD0"),
        (40, ""),
        (46, "CMM3,0;CMM4,0;CMM5,0;CMM6,0"),
        (47, "ML1;MT0.00,0.002,1000,0.00;MSC1,2"),
        (53, "SSR3,0;SSR4,0;SSR5,0;SSR6,0"),
        (54, "RM3,1,50;RM4,1,50;RM5,1,50;RM6,1,50"),
        (55, "AAD3,0;AAD3,2;;AAD4,0;AAD4,2;;AAD5,0;AAD5,2;;AAD6,0;AAD6,2;"),
        (57, "WAT1,1.0,0.0000;WAT2,1.0,0.0000"),
        (59, ""),
        (60, "TSC0"),
        (110, "PAD0"),
    ],
)
def test_learned_after_reset(b1500: Any, number: int, reply: str) -> None:
    assert b1500.ask(f"*LRN? {number}") == reply


def test_learned_settings_after_commands(b1500: Any) -> None:
    b1500.send("CN 3,4", "FL 1,4", "TM 2", "AV -3", "CM 0", "FMT 21,2", "MM 16,3,4", "AZ 1", "AIT 1,2,7", "AAD 3,1")
    assert b1500.ask("*LRN? 30") == "FL0,3,5,6;FL1,4"
    assert b1500.ask("*LRN? 31") == "TM2;AV-3,0;CM0;FMT21,2;MM16,3,4"
    assert b1500.ask("*LRN? 56").startswith("AIT0,2,3;AIT1,2,7;")
    assert b1500.ask("*LRN? 56").endswith(";AZ1")
    assert b1500.ask("*LRN? 55").startswith("AAD3,1;AAD3,2;;")
    b1500.send("FL 1", "AV 5,1", "RM 3,2,80", "CMM 4,4", "WAT 2,0.5,0.1", "PAD 1", "AITM 1", "RI 3,-11", "RV 4,20")
    assert b1500.ask("*LRN? 30") == "FL1"
    assert b1500.ask("*LRN? 31").startswith("TM2;AV5,1;")
    assert b1500.ask("*LRN? 54").startswith("RM3,2,80;RM4,1,50")
    assert b1500.ask("*LRN? 46").startswith("CMM3,0;CMM4,4")
    assert b1500.ask("*LRN? 57") == "WAT1,1.0,0.0000;WAT2,0.5,0.1000"
    assert b1500.ask("*LRN? 32").startswith("RI3,-11;RV3,0;RI4,0;RV4,20")
    assert b1500.ask("AITM?") == "1"


def test_learned_sources(b1500: Any) -> None:
    b1500.send("CN 3,4", "WM 2", "WT 0.5,0.1,0.2", "WV 3,3,0,-1,1,5,1E-5,0.1", "WSV 4,0,0,1,1E-5")
    sweep = "WM2,1;WT0.50,0.1000,0.2000,0.0000,0.0000;"
    source = "WV3,3,0,-1.00000E+00,+1.00000E+00,5,+10.0000E-06,+0.10000E+00"
    assert b1500.ask("*LRN? 33") == sweep + source + ";WSV4,0,+0.00000E+00,+1.00000E+00,+10.0000E-06"
    b1500.send("PT 0.1,0.01,0.1", "PV 3,0,0,5,1E-3", "PWV 4,1,0,0,1,2,3,1E-3")
    assert b1500.ask("*LRN? 34").startswith("PT0.10,0.0100,0.1000,0.0000;PV3,0,+0.00000E+00,+5.00000E+00,")
    b1500.send("MT 0.1,0.01,7,0.2", "MV 3,0,0,1,1E-3", "MSC 2,1", "ML 2")
    assert b1500.ask("*LRN? 47") == ("ML2;MT0.10,0.010,7,0.20;MSC2,1;MV3,0,+0.00000E+00,+1.00000E+00,+1.00000E-03")
    b1500.send("CN 5", "WNX 3,5,1,0,0,1,1E-3")
    assert "WNX3,5,1,0,+0.00000E+00,+1.00000E+00" in b1500.ask("*LRN? 59")
    b1500.send("WNCC", "MCC")
    assert b1500.ask("*LRN? 33") == sweep.rstrip(";")


@pytest.mark.parametrize("number", [0, *range(1, 11), 30, 31, 32, 33, 46, 47, 53, 54, 55, 56, 57, 60, 110])
def test_learned_text_has_no_blank_and_upper_case_numbers(b1500: Any, number: int) -> None:
    if number > 6 and number <= 10:
        assert b1500.refused(f"*LRN? {number}") == 120
        return
    assert re.fullmatch(r"[A-Z0-9,;+\-.E]*", b1500.ask(f"*LRN? {number}"))
