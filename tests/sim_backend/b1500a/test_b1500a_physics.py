"""What SMUs of the simulated B1500A do to a device and read of it: noise, settling, RSU, wirings (pitfalls F11-F30)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sim_backend.b1500a.ammeter import Ammeter

READINGS = 400


def _readings(wire: Any, line: str, count: int = READINGS) -> np.ndarray:
    return np.array([wire.values(line)[0] for _ in range(count)])


@pytest.mark.parametrize(
    ("setup", "code", "sigma"),
    [
        (("AAD 3,1", "AIT 1,2,1"), -14, 1e-11),
        (("AAD 3,1", "AIT 1,2,4"), -14, 0.5e-11),
        (("AIT 0,3,0.0002",), -14, 1e-10),
        (("AAD 3,1", "AIT 1,2,1"), -16, 1e-9),
    ],
)
def test_noise_is_a_fraction_of_range_over_root_cycles(
    build: Any, setup: tuple[str, ...], code: int, sigma: float
) -> None:
    """F13. The sample deviation of 400 readings lies within 15 % of the true one (false alarms: 1e-5)."""
    wire = build(noise=True)
    wire.send("CN 3", "DV 3,0,0.5,1E-3", "FMT 11", *setup)
    found = _readings(wire, f"TI 3,{code}")
    assert found.std(ddof=1) == pytest.approx(sigma, rel=0.15)
    assert found.mean() == pytest.approx(0.5e-6, abs=5 * sigma / math.sqrt(READINGS) + 0.1e-9)


def test_noise_has_a_floor_on_the_lowest_range(bench: Any) -> None:
    """F13: 5 fA at 1 PLC."""
    wire = bench("aab_w2", "noise=true")
    wire.send("CN 5", "AAD 5,1", "AIT 1,2,1", "FMT 11")
    found = _readings(wire, "TI 5,-9", 200)
    assert found.std(ddof=1) == pytest.approx(5e-15, rel=0.2)


def test_same_seed_same_readings_another_seed_others(bench: Any) -> None:
    def readings(settings: str) -> list[str]:
        wire = bench("aab_w2", settings)
        wire.send("CN 3,4", "DV 4,0,2,1E-6", "AAD 4,1", "AIT 1,2,1")
        found = [wire.ask("TI 4,-12") for _ in range(5)]
        wire.manager.close()  # PyVISA gives one manager per specification, as long as it is open
        return found

    assert readings("seed=5") == readings("seed=5")
    assert readings("seed=5") != readings("seed=6")


@pytest.mark.parametrize(
    ("adc", "code", "step"), [(0, -14, 50e-12), (0, -12, 500e-15), (1, -14, 1e-12), (1, -12, 1e-14), (1, -11, 1e-14)]
)
def test_readings_are_whole_counts(bench: Any, adc: int, code: int, step: float) -> None:
    wire = bench("aab_w2", "noise=true")
    wire.send("CN 3,4", "DV 4,0,1,1E-6", f"AAD 4,{adc}", "FMT 11")
    for value in _readings(wire, f"TI 4,{code}", 10):
        assert abs(value / step - round(value / step)) < 1e-3


# -- settling --------------------------------------------------------------------------------------------------------


def test_ammeter_follows_with_one_pole() -> None:
    meter = Ammeter()
    meter.settle(0.0, 0.0)
    assert meter.read(1.0, 1.0, 0.0, 1.0) == pytest.approx(1 - math.exp(-1))
    assert meter.read(1.0, 100.0, 0.0, 1.0) == 1.0


def test_ammeter_averages_over_its_aperture() -> None:
    meter = Ammeter()
    meter.settle(0.0, 0.0)
    mean = 1 - (math.exp(-1) - math.exp(-3)) / 2
    assert meter.read(1.0, 3.0, 2.0, 1.0) == pytest.approx(mean)


def test_charge_of_a_step_decays(build: Any) -> None:
    """F11: without the built-in wait a step of the own source shows as C dV / tau."""
    tau = 90e-3 / 6.9
    wire = build(resistance=1e12, capacitance=1e-12)
    wire.send("CN 3", "WAT 2,0")
    wire.ask("TI 3,-12")
    wire.resource.write("DV 3,0,1,1E-6;TI 3,-12")
    shown = float(wire.resource.read()[3:])
    # sampled 1.2 ms after the step
    assert shown == pytest.approx(1e-12 / tau * math.exp(-1.2e-3 / tau), rel=0.05)
    wire.send("WAT 2,1")
    assert wire.values("TI 3,-12")[0] <= 1e-12


def test_settling_can_be_hurried_and_is_wrong_then(b1500: Any) -> None:
    """F11 and F12: the 10 nA range needs 90 ms."""
    b1500.send("CN 3", "DV 3,0,0,1E-3", "WAT 2,0")
    b1500.ask("TI 3,-12")
    b1500.send("DV 3,0,0.005,1E-3")
    hurried = b1500.values("TI 3,-12")[0]
    assert hurried < 0.5 * 5e-9
    b1500.clock.sleep(0.09)
    assert b1500.values("TI 3,-12")[0] == pytest.approx(5e-9, rel=2e-3)


# -- the transistor --------------------------------------------------------------------------------------------------


def test_currents_are_the_devices(bench: Any) -> None:
    wire = bench("aab_w2")
    wire.send("CN 3,4", "DV 3,0,-4.8,1E-6", "DV 4,0,2,1E-6", "AAD 4,1", "AAD 3,1")
    device = wire.library.bench.device
    drain = wire.values("TI 4,-12")[0]
    assert drain == pytest.approx(device.channel_current(2.0), abs=2e-14 + 1.5e-3 * drain)
    wire.send("DV 3,0,10,1E-6")
    assert wire.values("TI 3,-11")[0] == pytest.approx(2e-12, abs=0.2e-12)


def test_forty_volts_for_ninety_seconds_charge_the_deep_traps(bench: Any) -> None:
    wire = bench("aab_w2")
    wire.send("CN 3,4", "DV 3,0,40,1E-7")
    wire.resource.write("PA 90;DV 3,0,0,1E-7;*OPC?")
    wire.resource.read()
    assert wire.library.bench.device.deep == pytest.approx(3.53, abs=0.01)


def test_smu_path_of_an_rsu_passes_25_volts(bench: Any) -> None:
    """F18: the SMU is told 40 V and knows nothing of the RSU."""
    wire = bench("aab")
    wire.send("CN 3,4", "DV 3,0,40,1E-6")
    wire.clock.sleep(1.0)
    assert wire.volts("gate") == 25.0


def test_smu_sees_an_open_cable_while_the_rsu_is_on_the_fast_unit(bench: Any) -> None:
    wire = bench("aab")
    wire.send("CN 3,4", "DV 3,0,-4.8,1E-6", "DV 4,0,2,1E-6", "AAD 4,1")
    assert wire.values("TI 4,-12")[0] > 0.9e-9
    rsu = wire.library.bench.fast_units.rsus("drain")[0]
    rsu.select("wgfmu")
    wire.clock.sleep(1.0)
    assert wire.values("TI 4,-12")[0] == 0.0
    assert wire.errors() == []
    rsu.select("smu")
    wire.clock.sleep(1.0)
    assert wire.values("TI 4,-12")[0] > 0.9e-9


def test_rsu_leaks_and_drifts(bench: Any) -> None:
    """F25: below 100 pA, the same size as the effect of a conditioning bias; none on the straight cable."""
    wire = bench("aab", "options.wgfmu.smu_path_leakage=100e-12")
    straight = bench("aab_w2")
    for each in (wire, straight):
        each.send("CN 3,4", "DV 4,0,0,1E-6", "AAD 4,1")
        each.clock.sleep(1.0)
    leak = wire.values("TI 4,-11")[0]
    assert 1e-13 < abs(leak) < 110e-12
    assert abs(straight.values("TI 4,-11")[0]) < 2e-14
    wire.clock.sleep(600.0)
    assert wire.values("TI 4,-11")[0] != leak


def test_operator_lays_an_smu_straight_on_the_gate_and_back(bench: Any) -> None:
    wire = bench("aab")
    wire.send("CN 3,4,5", "DV 3,0,1,1E-6", "DV 5,0,40,1E-6")
    assert wire.volts("gate") == 1.0
    wire.library.bench.plug("b1500.5")
    wire.clock.sleep(1.0)
    assert wire.volts("gate") == 40.0
    wire.send("DV 5,0,0,1E-6")
    wire.library.bench.unplug("b1500.5")
    wire.clock.sleep(1.0)
    assert wire.volts("gate") == 1.0


def test_fast_unit_shares_the_error_queue(bench: Any) -> None:
    wire = bench("aab")
    frame = next(iter(wire.library.bench.fast_units.mainframes.values()))
    wire.resource.write("*CLS")
    wire.clock.sleep(0.1)
    assert frame.errors == [(100, "Undefined GPIB command.")]
    assert wire.errors() == [100]
    assert frame.errors == []
    assert frame.identity == wire.ask("*IDN?")
    assert sorted(frame.channels) == [101, 102, 201, 202]


def test_a_probe_that_does_not_touch(bench: Any) -> None:
    for name in ("aab", "aab_w2"):
        wire = bench(name, "noise=false&faults.contact_open=true")
        wire.send("CN 3,4", "DV 3,0,-4.8,1E-6", "DV 4,0,2,1E-6", "AAD 4,1")
        wire.clock.sleep(1.0)
        assert wire.values("TI 4,-12")[0] == 0.0


def test_unguarded_drain_that_is_not_held_is_slow(bench: Any) -> None:
    """F30: gigaohms and picofarads; a virtual ground has no such lag."""
    wire = bench("aab_w2")
    wire.send("CN 3,4", "DV 3,0,-4.8,1E-6", "DV 4,0,2,1E-6")
    wire.clock.sleep(1.0)
    wire.library.circuit.ports["b1500.4"].open()
    wire.clock.sleep(1e-3)
    floating = wire.volts("drain")
    assert 1.0 < floating < 2.0
    wire.clock.sleep(10e-3)
    assert wire.volts("drain") < 0.8 * floating
