"""Spot, sweeps, sampling and pulses of the simulated B1500A: data, order, times (reference b1500a sec. 9, 13)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.b1500a.settings import SweepSource

TWO_SMUS = [{"from": "b1500.3", "to": "pd"}, {"from": "b1500.4", "to": "au"}]
FIXED = "RI 3,-14"  # 1 uA
SWEEP = ("CN 3", FIXED, "WV 3,1,0,0,1,5,1E-3", "MM 2,3", "FMT 1,1")


# -- spot ------------------------------------------------------------------------------------------------------------


def test_high_speed_spot_in_all_its_forms(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,1,1E-5", "TSR")
    assert b1500.ask("TI 3,-14") == "NCI+1.00000E-06"
    assert b1500.ask("TI 3") == "NCI+01.0000E-06"
    assert b1500.ask("TV 3,0") == "NCV+1.00000E+00"
    assert b1500.data("TIV 3,-14,0") == ["NCI+1.00000E-06", "NCV+1.00000E+00"]
    assert [element[:3] for element in b1500.data("TTI 3")] == ["NCT", "NCI"]
    assert [element[:3] for element in b1500.data("TTV 3")] == ["NCT", "NCV"]
    assert [element[:3] for element in b1500.data("TTIV 3,0,0")] == ["NCT", "NCI", "NCV"]


def test_spot_by_trigger_uses_ranges_and_sides(build: Any) -> None:
    wire = build(connections=TWO_SMUS)
    wire.send("CN 3,4", "DV 3,0,1,1E-5", "DV 4,0,0,1E-5", "RI 3,-14", "RI 4,-15", "CMM 4,4", "MM 1,4,3")
    assert [e[:3] for e in wire.data()] == ["NDI", "NDV", "NCI"]
    wire.send("CMM 4,2", "CMM 3,3", "RV 3,0")
    assert [e[:3] for e in wire.data()] == ["NDV", "NCV"]
    wire.send("DI 4,0,1E-7,5", "CMM 4,0", "CMM 3,1")
    assert [e[:3] for e in wire.data()] == ["NDV", "NCI"]


def test_group_execute_trigger_starts_as_xe_does(b1500: Any) -> None:
    b1500.send("CN 3", FIXED, "MM 1,3")
    b1500.resource.assert_trigger()
    assert b1500.resource.read().startswith("NCI")
    b1500.send("TM 3")
    b1500.resource.assert_trigger()
    assert b1500.errors() == [211]


@pytest.mark.parametrize(("line", "code"), [("XE", 214), ("MM 2,3;XE", 220), ("MM 3,3;XE", 223), ("MM 9,3;XE", 220)])
def test_measurements_that_are_not_set_up(b1500: Any, line: str, code: int) -> None:
    b1500.send("CN 3")
    b1500.resource.write(line)
    assert b1500.errors() == [code]
    assert b1500.ask("NUB?") == "0"


def test_channel_off_at_the_trigger(b1500: Any) -> None:
    b1500.send(*SWEEP, "CL 3")
    b1500.resource.write("XE")
    assert b1500.errors() == [200]


# -- staircase -------------------------------------------------------------------------------------------------------


def test_measured_data_then_source_last_in_each_point(build: Any) -> None:
    wire = build(connections=TWO_SMUS)
    wire.send("CN 3,4", "DV 4,0,0,1E-5", FIXED, "RI 4,-14", "WV 3,1,0,0,1,3,1E-5", "MM 2,3,4", "FMT 1,1")
    assert [e[:3] for e in wire.data()] == ["NCI", "NDI", "WCV", "NCI", "NDI", "WCV", "NCI", "NDI", "ECV"]


def test_linear_double_sweep_has_its_turning_point_twice(b1500: Any) -> None:
    b1500.send("CN 3", FIXED, "WV 3,3,0,0,1,3,1E-3", "MM 2,3", "FMT 1,1")
    assert b1500.values("XE")[1::2] == [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]


@given(st.sampled_from([1, 3]), st.floats(-50, 50), st.floats(-50, 50), st.integers(1, 200))
def test_steps_of_a_staircase(mode: int, start: float, stop: float, steps: int) -> None:
    levels = SweepSource("WV", 3, mode, 0, start, stop, steps).levels()
    assert len(levels) == steps * (2 if mode == 3 else 1)
    assert levels[0] == start
    if steps > 1:
        assert levels[steps - 1] == stop
    if mode == 3:
        assert levels == levels[::-1]


def test_one_step_is_the_start(b1500: Any) -> None:
    b1500.send("CN 3", FIXED, "WV 3,1,0,0,0,1", "MM 2,3", "FMT 1,1")
    assert b1500.values("XE") == [0.0, 0.0]


def test_logarithmic_sweep(b1500: Any) -> None:
    b1500.send("CN 3", "RI 3,14", "WV 3,2,0,0.01,10,4,1E-3", "MM 2,3", "FMT 1,1")
    assert b1500.values("XE")[1::2] == pytest.approx([0.01, 0.1, 1.0, 10.0])
    assert b1500.refused("WV 3,2,0,-1,1,4,1E-3") == 130
    assert b1500.refused("WV 3,2,0,0,1,4,1E-3") == 130


def test_current_sweep(b1500: Any) -> None:
    b1500.send("CN 3", "WI 3,1,0,0,1E-6,3,5", "MM 2,3", "FMT 1,1")
    data = b1500.data()
    assert [e[:3] for e in data] == ["NCV", "WCI", "NCV", "WCI", "NCV", "ECI"]
    assert [float(e[3:]) for e in data[::2]] == pytest.approx([0.0, 0.5, 1.0])


def test_synchronous_source_follows_and_is_given_with_mode_2(build: Any) -> None:
    wire = build(connections=TWO_SMUS)
    wire.send("CN 3,4", FIXED, "WV 3,1,0,0,1,3,1E-5", "WSV 4,0,1,0,1E-5", "MM 2,3", "FMT 1,2")
    values = wire.values("XE")
    assert values[1::3] == [0.0, 0.5, 1.0]
    assert values[2::3] == [1.0, 0.5, 0.0]
    assert values[0::3] == pytest.approx([-1e-6, 0.0, 1e-6], abs=3e-9)
    assert wire.refused("WSI 4,0,0,1E-6,5") == 220
    assert wire.refused("WSV 3,0,0,1,1E-5") == 121
    wire.send("WI 3,1,0,0,1E-6,3,5")  # a primary source of the other kind ends it
    assert "WSV" not in wire.ask("*LRN? 33")


def test_multi_channel_sweep(build: Any) -> None:
    wire = build(connections=TWO_SMUS)
    wire.send("CN 3,4", FIXED, "WV 3,1,0,0,1,3,1E-5", "WNX 2,4,1,0,0,-1,1E-5", "MM 16,3", "FMT 1,2")
    assert wire.values("XE")[2::3] == [0.0, -0.5, -1.0]


def test_time_of_a_sweep(b1500: Any) -> None:
    """Hold, delay, step delay from the start of the measurement, integration by high-resolution converter."""
    b1500.send(*SWEEP, "AAD 3,1", "AIT 1,2,1", "WAT 2,0")
    b1500.data()  # on its range from now on
    b1500.send("WT 1,0.1")
    assert b1500.seconds("XE") == pytest.approx(1.0 + 5 * (0.1 + 0.021), abs=1e-3)
    b1500.send("WT 0,0.1,0.2")
    assert b1500.seconds("XE") == pytest.approx(4 * 0.3 + 0.121, abs=1e-3)
    b1500.send("WT 0,0.1,0.2,0,0.05", "AZ 1")
    assert b1500.seconds("XE") == pytest.approx(4 * 0.35 + 0.15 + 0.041, abs=1e-3)


def test_built_in_wait_is_hidden_by_a_longer_delay(b1500: Any) -> None:
    b1500.send("CN 3", "RI 3,-12", "WV 3,1,0,0,5E-3,5,1E-3", "MM 2,3", "FMT 1,1")
    b1500.data()
    short = b1500.seconds("XE")
    assert short == pytest.approx(5 * (90e-3 + 1e-3), abs=2e-3)  # 10 nA settles in 90 ms
    b1500.send("WT 0,0.09")
    assert b1500.seconds("XE") == pytest.approx(short, abs=1e-3)
    b1500.send("WAT 2,1,0.01")
    assert b1500.seconds("XE") == pytest.approx(short + 0.05, abs=1e-3)


@pytest.mark.parametrize(
    ("setup", "integration"),
    [
        (("AIT 0,1,100",), 200e-6),
        (("AIT 0,2,2",), 40e-3),
        (("AIT 0,3,0.01",), 10e-3),
        (("AV -5",), 100e-3),
        (("AV 500,1",), 1e-3),
        (("AAD 3,1", "AIT 1,2,3"), 60e-3),
        (("AAD 3,1", "AIT 1,1,100"), 8e-3),
        (("AAD 3,1", "AIT 1,2,1", "AZ 1"), 40e-3),
        (("AAD 3,1", "AIT 1,2,3", "AIT 1,2,2.5"), 60e-3),  # ignored without a word
    ],
)
def test_integration_times(b1500: Any, setup: tuple[str, ...], integration: float) -> None:
    b1500.send("CN 3", "DV 3,0,0,1E-6", *setup)
    b1500.ask("TI 3,-14")
    assert b1500.seconds("TI 3,-14") == pytest.approx(1.2e-3 + integration, abs=1e-5)


def test_automatic_integration_is_longer_on_low_ranges(bench: Any) -> None:
    wire = bench("aab_w2")
    wire.send("CN 4", "AAD 4,1")
    times = {}
    for code in (-14, -11, -10, -9):
        wire.ask(f"TI 4,{code}")
        times[code] = wire.seconds(f"TI 4,{code}") - 1.2e-3
    assert times[-14] == pytest.approx(20e-3, abs=1e-4)
    assert times[-11] == pytest.approx(100e-3, abs=1e-4)
    assert times[-10] == pytest.approx(200e-3, abs=1e-4)
    assert times[-9] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(("post", "volts"), [(1, 0.0), (2, 1.0)])
@pytest.mark.parametrize("mode", [1, 3])
def test_output_after_a_sweep(b1500: Any, post: int, volts: float, mode: int) -> None:
    b1500.send("CN 3", FIXED, f"WM 1,{post}", f"WV 3,{mode},0,0,1,5,1E-3", "MM 2,3")
    b1500.data()
    assert b1500.volts() == volts


def test_automatic_abort_fills_the_record_and_returns_to_the_start(b1500: Any) -> None:
    b1500.send("CN 3", "RI 3,14", "WM 2,2", "WV 3,1,0,-1,3,5,1.5E-6", "MM 2,3", "FMT 1,1")
    data = b1500.data()
    assert [e[:3] for e in data[::2]] == ["NCI", "NCI", "NCI", "CCI", "VCI"]
    assert data[8] == "VCI+199.999E+99"
    assert data[9] == "ECV+3.00000E+00"
    assert b1500.volts() == -1.0


def test_without_abort_a_sweep_goes_on_in_compliance(b1500: Any) -> None:
    b1500.send("CN 3", "RI 3,14", "WV 3,1,0,0,4,5,1.5E-6", "MM 2,3", "FMT 1,1")
    data = b1500.data()
    assert [e[0] for e in data[::2]] == ["N", "N", "C", "C", "C"]
    assert float(data[8][3:]) == pytest.approx(1.5e-6)


def test_power_compliance_lowers_the_limit(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,0,1E-3", "RI 3,14", "WV 3,1,0,10,100,2,1E-3,0.001", "MM 2,3", "FMT 1,1")
    data = b1500.data()
    assert float(data[0][3:]) == pytest.approx(10e-6, rel=1e-3)
    assert data[2].startswith("CCI")
    assert float(data[2][3:]) == pytest.approx(10e-6, rel=1e-3)
    assert b1500.refused("WV 3,1,0,0,1,2,1E-3,5") == 120


def test_fixed_range_overflows_beyond_full_scale(b1500: Any) -> None:
    b1500.send("CN 3", FIXED, "WV 3,1,0,0.9,1.1,3,1E-3", "MM 2,3", "FMT 21,0")
    data = b1500.data()
    assert [int(e[:3]) for e in data] == [0, 0, 129]
    assert data[2].endswith("+199.9990E+99")


def test_sources_beyond_limits_are_refused_at_the_command(b1500: Any) -> None:
    b1500.send("CN 3")
    assert b1500.refused("WV 3,5,0,0,1,5,1E-3") == 120
    assert b1500.refused("WV 3,1,0,0,1,10002,1E-3") == 120
    assert b1500.refused("WV 3,1,0,0,101,5,1E-3") == 120
    assert b1500.refused("WV 3,1,0,0,50,5,0.05") == 123
    assert b1500.refused("WV 4,1,0,0,1,5,1E-3") == 200
    assert b1500.refused("WT 700,0") == 120
    assert b1500.refused("WT 0,0.1,2") == 120
    assert b1500.refused("WT 0,0.1,0,0.2") == 120
    b1500.send("WV 3,1,0,0,1,10001,1E-3")


# -- ranging ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volts", "code", "form"),
    [(1.0, 0, "+1.00000E-06"), (1.14, 0, "+01.1400E-06"), (1.2, 0, "+01.2000E-06"), (1.0, 15, "+01.0000E-06"),
     (0.09, 0, "+090.000E-09"), (0.11, 0, "+0.11000E-06"), (1.0, -16, "+001.000E-06")],
)  # fmt: skip
def test_automatic_ranges(b1500: Any, volts: float, code: int, form: str) -> None:
    b1500.send("CN 3", f"DV 3,0,{volts},1E-3")
    assert b1500.ask(f"TI 3,{code}") == f"NCI{form}"


def test_automatic_range_goes_up_above_115_percent(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,1,1E-3")
    assert b1500.ask("TI 3,0") == "NCI+1.00000E-06"
    b1500.send("DV 3,0,1.14")
    assert b1500.ask("TI 3,0") == "NCI+1.14000E-06"
    b1500.send("DV 3,0,1.16")
    assert b1500.ask("TI 3,0") == "NCI+01.1600E-06"


def test_ranging_stops_at_the_compliance_range(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,1,2E-6")
    assert b1500.ask("TI 3,0") == "NCI+1.00000E-06"
    assert b1500.ask("TI 3,17") == "NCI+01.0000E-06"


def test_each_change_of_range_takes_its_time(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,0.01,1E-3")
    b1500.ask("TI 3,-17")
    b1500.clock.sleep(1.0)
    # 1 mA -> 10 nA: five changes, then 90 ms of settling
    assert b1500.seconds("TI 3,12") == pytest.approx(5 * 5e-3 + 90e-3 + 1.2e-3, abs=0.3e-3)


def test_ranging_mode_2_goes_up_early(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,0.9,1E-3", "RI 3,14", "MM 1,3", "RM 3,2,80")
    assert b1500.data()[0] == "NCI+00.9000E-06"
    b1500.send("RM 3,1")
    b1500.send("DV 3,0,0.9,1E-3")
    assert b1500.data()[0].endswith("E-06")


# -- sampling --------------------------------------------------------------------------------------------------------


def _sampling(wire: Any, *lines: str) -> tuple[list[float], list[float]]:
    """Times and values of a sampling measurement."""
    wire.send("CN 3", FIXED, "MM 10,3", "TSC 1", *lines, "TSR")
    values = wire.values("XE")
    return values[::2], values[1::2]


def test_linear_sampling_keeps_its_interval(b1500: Any) -> None:
    times, values = _sampling(b1500, "DV 3,0,1,1E-3", "MT 0.1,0.05,6")
    assert [later - earlier for earlier, later in pairwise(times[1:])] == pytest.approx([0.05] * 4, abs=2e-4)
    assert times[1] == pytest.approx(0.15, abs=1e-3)
    assert values == pytest.approx([1e-6] * 6, rel=1e-3)


def test_fast_sampling(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,1,1E-3")
    b1500.ask("TI 3,-14")
    times, _ = _sampling(b1500, "MT 0,0.0001,100")
    assert times[-1] - times[0] == pytest.approx(9.9e-3, abs=2e-4)


def test_readings_longer_than_the_interval_come_later(b1500: Any) -> None:
    times, _ = _sampling(b1500, "AAD 3,1", "AIT 1,2,1", "MT 0,0.01,5")
    assert [b - a for a, b in pairwise(times)] == pytest.approx([0.02] * 4, abs=3e-4)


def test_logarithmic_sampling(b1500: Any) -> None:
    times, _ = _sampling(b1500, "ML 2", "MT 0,0.01,21")
    assert len(times) == 21
    assert times[-1] - times[0] == pytest.approx(0.01 * 99, abs=0.01)


def test_sources_of_sampling_step_from_base_to_bias_and_back(b1500: Any) -> None:
    b1500.send("CN 3", FIXED, "MM 10,3", "MT 0.5,0.1,3,0.4", "MV 3,0,0.25,0.5,1E-3", "MSC 1,1")
    b1500.resource.write("XE")
    b1500.clock.sleep(0.3)
    assert b1500.volts() == 0.25
    b1500.clock.sleep(0.4)
    assert b1500.volts() == 0.5
    assert [float(e[3:]) for e in b1500.resource.read().split(",")] == pytest.approx([0.5e-6] * 3, rel=1e-3)
    assert b1500.volts() == 0.25
    b1500.send("MSC 1,2")
    b1500.data()
    assert b1500.volts() == 0.5
    b1500.send("MSP 3,0.1")
    b1500.data()
    assert b1500.volts() == pytest.approx(0.1)
    b1500.send("MCC", "DV 3,0,2,1E-3")
    b1500.data()
    assert b1500.volts() == 2.0


def test_negative_hold_samples_before_the_bias(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,0,1E-3")
    b1500.ask("TI 3,-14")
    _, values = _sampling(b1500, "MT -0.005,0.001,10", "MV 3,0,0,1,1E-3")
    assert sum(value < 1e-8 for value in values) == 5
    assert values[-1] > 0.5e-6


def test_sampling_index_comes_first_with_a_mode(build: Any) -> None:
    wire = build()
    wire.send("CN 3", FIXED, "MM 10,3", "MT 0,0.01,3", "FMT 1,1")
    assert [e[:3] for e in wire.data()] == ["NZX", "NCI"] * 3
    without = build(sampling_index=False)
    without.send("CN 3", FIXED, "MM 10,3", "MT 0,0.01,3", "FMT 1,1")
    assert [e[:3] for e in without.data()] == ["NCI"] * 3


def test_sampling_stops_in_compliance(b1500: Any) -> None:
    b1500.send("CN 3", "DV 3,0,5,1E-6", "RI 3,14", "MM 10,3", "MT 0,0.01,4", "MSC 2,2")
    assert [e[:3] for e in b1500.data()] == ["CCI", "VCI", "VCI", "VCI"]


@pytest.mark.parametrize(
    "line",
    ["MT 0,0.00009,10", "MT -0.1,0.001,10", "MT -0.01,0.01,10", "MT 0,70,10", "MT 0,0.01,100002", "MT 0,0.01,0",
     "ML 8", "MT 700,0.01,10"],
)  # fmt: skip
def test_what_sampling_refuses(b1500: Any, line: str) -> None:
    b1500.send("CN 3", "MM 10,3")
    assert b1500.refused(line) == 120


def test_two_channels_need_a_longer_interval(b1500: Any) -> None:
    b1500.send("CN 3,4", "MM 10,3,4")
    assert b1500.refused("MT 0,0.0001,10") == 120
    b1500.send("MT 0,0.00012,10")


# -- pulses ----------------------------------------------------------------------------------------------------------


def test_pulsed_spot_measures_the_peak_and_rests_at_the_base(b1500: Any) -> None:
    b1500.send("CN 3", FIXED, "PT 0.1,0.01,0.1", "PV 3,0,0.1,1,1E-3", "MM 3,3", "FMT 1,1")
    data = b1500.data()
    assert data[0] == "NCI+1.00000E-06"
    assert data[1] == "ECV+1.00000E+00"
    assert b1500.volts() == pytest.approx(0.1)


def test_pulsed_sweep(b1500: Any) -> None:
    b1500.send("CN 3", "RI 3,14", "PT 0,0.01,0.1", "PWV 3,1,0,0,1,2,3,1E-3", "MM 4,3", "FMT 1,1")
    before = b1500.clock.now
    values = b1500.values("XE")
    assert values[::2] == pytest.approx([1e-6, 1.5e-6, 2e-6], rel=2e-3)
    assert values[1::2] == [1.0, 1.5, 2.0]
    assert b1500.clock.now - before == pytest.approx(0.21, abs=1e-3)


def test_staircase_with_pulsed_bias(build: Any) -> None:
    wire = build(connections=TWO_SMUS)
    wire.send("CN 3,4", "RI 3,14", "PT 0,0.01,0.1", "WV 3,1,0,0,1,3,1E-3", "PV 4,0,0,-1,1E-3", "MM 5,3", "FMT 1,1")
    assert wire.values("XE")[::2] == pytest.approx([1e-6, 1.5e-6, 2e-6], rel=2e-3)


def test_what_pulses_need(b1500: Any) -> None:
    b1500.send("CN 3", "PV 3,0,0,1,1E-3", "MM 3,3")
    b1500.resource.write("XE")
    assert b1500.errors() == [217]
    assert b1500.refused("PT 0,1E-4") == 120
    assert b1500.refused("PI 3,0,-1E-6,1E-6,5") == 126
    b1500.send("PT 0,0.01", "MM 4,3")
    b1500.resource.write("XE")
    assert b1500.errors() == [224]
