"""Wirings T1, T2, T3 and the pitfalls that follow from the circuit alone, against hand-solved cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim_backend.circuit import Circuit, Waveform, pulse
from sim_backend.clock import Clock
from sim_backend.devices.hnno import HnnoNeuron, HnnoParameters
from sim_backend.draws import Draws

MakeBench = Callable[..., Any]

T_LIMIT = 30e-6  # time in which the SMU's limit loop recovers from an overload (F6)
FLAT = Waveform((100e-6, 900e-6), (4.2, 0.0), (4.2, 0.0))


def test_t3_one_source_behind_50_ohm(make_bench: MakeBench) -> None:
    """F2: 4.1974 V into 80 kohm, 4.0 V into a shorted film of 1 kohm."""
    for resistance, node in ((80e3, 4.19738), (1e3, 4.0)):
        bench = make_bench(resistance)
        bench.circuit.connect(bench.afg, "pd")
        bench.afg.drive(4.2, 50.0)
        assert bench.afg.voltage() == pytest.approx(node, rel=1e-6)
        assert bench.afg.current() == pytest.approx(4.2 / (resistance + 50))
        assert bench.circuit.true_voltage("au") == pytest.approx(0.0, abs=1e-10)


def test_a_50_ohm_terminator_halves_the_pulse(make_bench: MakeBench) -> None:
    """F1: high-Z setting with a terminator in place: 2.1 V."""
    bench = make_bench(400e3)
    bench.circuit.connect(bench.afg, "pd")
    terminator = bench.circuit.port("terminator")
    bench.circuit.connect(terminator, "pd")
    terminator.drive(0.0, 50.0)
    bench.afg.drive(4.2, 50.0)
    assert bench.circuit.true_voltage("pd") == pytest.approx(2.1, rel=1e-4)


def test_t1_generator_and_smu_on_one_node(make_bench: MakeBench) -> None:
    """V = (Voc/50 + I_smu)/(1/50 + 1/Rdev), SMU as a current source."""
    bench = make_bench(10e3)
    for port in (bench.afg, bench.smu):
        bench.circuit.connect(port, "pd")
    bench.afg.drive(4.2, 50.0)
    bench.smu.source_current(1e-3, 20.0)
    assert bench.circuit.true_voltage("pd") == pytest.approx((4.2 / 50 + 1e-3) / (1 / 50 + 1e-4))
    assert bench.smu.current() == 1e-3
    assert not bench.smu.compliance()
    bench.afg.open()
    assert bench.circuit.true_voltage("pd") == pytest.approx(10.0)
    assert bench.afg.current() == 0.0


def test_current_source_stops_at_its_voltage_limit(make_bench: MakeBench) -> None:
    bench = make_bench(1e6)
    bench.circuit.connect(bench.smu, "pd")
    bench.smu.source_current(-1e-6, 0.5)
    assert bench.smu.voltage() == pytest.approx(-0.5)
    assert bench.smu.current() == pytest.approx(-0.5e-6)
    assert bench.smu.compliance()
    bench.circuit.disconnect(bench.smu)
    assert bench.smu.compliance()  # into nothing
    assert bench.smu.voltage() == pytest.approx(-0.5)


@pytest.mark.parametrize("resistance", [80e3, 400e3])
def test_f5_generator_left_on_shunts_the_reading(make_bench: MakeBench, resistance: float) -> None:
    """R reads 50 ohm in both states with measured V; the 100 uA limit acts in all points but the one at 0 V."""
    bench = make_bench(resistance)
    for port in (bench.afg, bench.smu):
        bench.circuit.connect(port, "pd")
    bench.afg.drive(0.0, 50.0)
    limited, amps, volts = 0, [], []
    for level in np.linspace(-0.1, 0.1, 21):
        bench.smu.drive(level, 0.0, 100e-6, T_LIMIT)
        bench.wait(1e-3)
        amps.append(bench.smu.current())
        volts.append(bench.smu.voltage())
        limited += bench.smu.compliance()
    assert 1 / np.polyfit(volts, amps, 1)[0] == pytest.approx(50.0, rel=2e-3)
    assert limited == 20


@pytest.mark.parametrize("limit", [1e-3, 10e-3, 100e-6])
def test_f6_smu_off_holds_the_node_until_its_limit_acts(make_bench: MakeBench, limit: float) -> None:
    """0 V source of 1 ohm: Vsrc/51 for 30 us, then Vsrc - 50 ohm I_off (less what the device takes)."""
    bench = make_bench(400e3)
    for port in (bench.afg, bench.smu):
        bench.circuit.connect(port, "pd")
    bench.smu.drive(0.0, 1.0, limit, T_LIMIT)
    bench.afg.drive(0.0, 50.0)
    bench.afg.play(FLAT, 3, start=0.0)
    bench.wait(3e-3)
    high = [(t, v1) for t, v1, _ in bench.device.stretches if v1 > 0]
    clamped = 4.2 / 51
    released = (4.2 - 50 * limit) / (1 + 50 / 400e3)
    assert np.array(high) == pytest.approx(np.array([(T_LIMIT, clamped), (70e-6, released)] * 3), rel=1e-4)


def test_f6_a_limit_above_the_short_circuit_current_never_acts(make_bench: MakeBench) -> None:
    """100 mA: the pulse never arrives."""
    bench = make_bench(400e3)
    for port in (bench.afg, bench.smu):
        bench.circuit.connect(port, "pd")
    bench.smu.drive(0.0, 1.0, 100e-3, T_LIMIT)
    bench.afg.drive(0.0, 50.0)
    bench.afg.play(FLAT, 2, start=0.0)
    bench.wait(2e-3)
    assert bench.device.extreme() == pytest.approx(4.2 / 51, rel=1e-4)


def test_f6_the_limit_is_met_within_an_edge(make_bench: MakeBench) -> None:
    """A triangle of 1 ms: the limit of 1 mA is exceeded once the EMF passes 51 mV, and acts 30 us later."""
    bench = make_bench(1e9)
    for port in (bench.afg, bench.smu):
        bench.circuit.connect(port, "pd")
    bench.smu.drive(0.0, 1.0, 1e-3, T_LIMIT)
    bench.afg.drive(0.0, 50.0)
    bench.afg.play(Waveform((1e-3, 1e-3), (0.0, 4.2), (4.2, 0.0)), 1, start=0.0)
    exceeded = 51e-3 / 4.2 * 1e-3
    bench.wait(exceeded + T_LIMIT - 1e-6)
    assert not bench.smu.compliance()
    assert bench.smu.voltage() == pytest.approx(4200 * bench.clock.now / 51, rel=1e-6)
    bench.wait(2e-6)
    assert bench.smu.compliance()
    assert bench.smu.voltage() == pytest.approx(4200 * bench.clock.now - 50e-3, rel=1e-6)
    bench.wait(2e-3 - bench.clock.now)
    assert not bench.smu.compliance()
    area = bench.device.volt_seconds()
    ramp, top, inside = 4200.0, 4.2, exceeded + T_LIMIT
    clamped = ramp / 51 * inside**2 / 2 + 0.051 / 51 * exceeded / 2
    free = top * 2e-3 / 2 - ramp * inside**2 / 2 - 0.051 * exceeded / 2 - 0.05 * (2e-3 - inside - exceeded)
    assert area == pytest.approx(clamped + free, rel=1e-6)


def test_t2_ammeter_at_0_volt(make_bench: MakeBench) -> None:
    """Vdev = Vafg - Vsmu while abs(I) < limit; beyond, Au floats so that I(Vdev) = limit: 0.4 V at 1 uA."""
    bench = make_bench(400e3, grounded=False)
    bench.circuit.connect(bench.afg, "pd")
    bench.circuit.connect(bench.smu, "au")
    bench.afg.drive(4.2, 50.0)
    bench.smu.drive(0.0, 0.0, 1e-3, T_LIMIT)
    assert bench.smu.current() == pytest.approx(-4.2 / 400050)
    assert bench.circuit.true_voltage("au") == pytest.approx(0.0, abs=1e-9)
    bench.smu.drive(0.0, 0.0, 1e-6, T_LIMIT)
    bench.wait(1e-4)
    assert bench.device.extreme() == pytest.approx(0.4)
    assert bench.smu.current() == -1e-6
    assert bench.smu.compliance()
    assert bench.circuit.true_voltage("au") == pytest.approx(3.8 - 50e-6)


def test_t2_pulses_through_a_low_limit_never_make_a_spike() -> None:
    clock = Clock()
    device = HnnoNeuron(HnnoParameters(), Draws(1))
    circuit = Circuit(clock, device)
    afg, smu = circuit.port("afg.1"), circuit.port("smu.a")
    circuit.connect(afg, "pd")
    circuit.connect(smu, "au")
    smu.drive(0.0, 1.0, 1e-6, T_LIMIT)
    afg.drive(0.0, 50.0)
    afg.play(pulse(4.6, 0.0, 100e-6, 1e-6, 900e-6), 100, 0.0)
    clock.sleep(0.2)
    circuit.settle()
    assert device.memory.spikes == 0
    assert circuit.extremes["au"].highest == pytest.approx(4.6 - 0.4, abs=0.01)


def test_f9_compliance_clips_and_measured_voltage_tells(make_bench: MakeBench) -> None:
    """0.5 uA into 80 kohm: 147 kohm from programmed V, 80.0 kohm from measured V; 0.1 uA: 400 -> 733 kohm."""
    for limit, resistance, wrong in ((0.5e-6, 80e3, 146.7e3), (0.1e-6, 400e3, 733e3)):
        bench = make_bench(resistance)
        bench.circuit.connect(bench.smu, "pd")
        levels = np.linspace(-0.1, 0.1, 21)
        amps, volts = [], []
        for level in levels:
            bench.smu.drive(level, 0.0, limit, T_LIMIT)
            bench.wait(1e-2)
            amps.append(bench.smu.current())
            volts.append(bench.smu.voltage())
        assert 1 / np.polyfit(levels, amps, 1)[0] == pytest.approx(wrong, rel=1e-3)
        assert 1 / np.polyfit(volts, amps, 1)[0] == pytest.approx(resistance, rel=1e-6)


def test_f14_swapped_leads_turn_the_sign(make_bench: MakeBench) -> None:
    bench = make_bench(1e3, swapped=True)
    bench.circuit.connect(bench.afg, "pd")
    bench.afg.drive(4.2, 50.0)
    bench.wait(1e-3)
    assert bench.circuit.true_voltage("pd") == pytest.approx(4.0)
    assert bench.device.extreme() == pytest.approx(-4.0)
    assert bench.afg.current() == pytest.approx(4e-3)


def test_the_worst_is_recorded_per_terminal_and_taken_once(make_bench: MakeBench) -> None:
    bench = make_bench(1e3)
    bench.circuit.connect(bench.afg, "pd")
    bench.afg.drive(0.0, 50.0)
    bench.afg.play(Waveform((1e-3, 1e-3), (2.1, -4.2), (2.1, -4.2)), 1, 0.0)
    bench.wait(1e-2)
    assert bench.circuit.take_extremes()["pd"] == pytest.approx(-4.0)
    bench.afg.play(Waveform((1e-3,), (2.1,), (2.1,)), 1, bench.clock.now)
    bench.wait(1e-2)
    assert bench.circuit.take_extremes()["pd"] == pytest.approx(2.0)
    worst = bench.circuit.extremes["pd"]
    assert (worst.lowest, worst.highest, worst.current) == pytest.approx((-4.0, 2.0, 4e-3))


def test_a_port_lies_on_one_terminal_at_a_time(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.circuit.connect(bench.afg, "pd")
    with pytest.raises(ValueError, match="already"):
        bench.circuit.connect(bench.afg, "au")


def test_the_node_is_solved_anew_when_the_device_switches_within_a_pulse() -> None:
    """4.6 V through 1 kohm: the node falls when the device spikes."""
    clock = Clock()
    device = HnnoNeuron(HnnoParameters(), Draws(3))
    circuit = Circuit(clock, device)
    circuit.ground("au")
    afg = circuit.port("afg.1")
    circuit.connect(afg, "pd")
    afg.drive(5.0, 1e3)
    quiet = afg.voltage()
    clock.sleep(100e-6)
    assert device.memory.spiking is False or afg.voltage() < quiet
    circuit.settle()
    assert device.memory.spiking
    assert afg.voltage() == pytest.approx(5.0 - 1e3 * device.current(afg.voltage()))
    assert quiet - afg.voltage() > 0.05
