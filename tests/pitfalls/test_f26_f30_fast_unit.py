"""F26 to F28 and F30 on the AAB bench: displacement, overload, bandwidth, cables."""

from __future__ import annotations

import numpy as np
import pytest
from transistor_rig import OpenTransistor, open_transistor

from drivers.errors import SettingError

__all__ = ["open_transistor"]

PAD, LOCAL = 3.45e-12, 20e-15  # F, gate to drain: 100 x 100 um pad over a global gate; local gate
RANGES = (1e-6, 10e-6, 100e-6)


def triangle(edge: float, level: float = -10.0) -> tuple[list[float], list[float]]:
    return [0.0, edge, 2 * edge, 4 * edge], [0.0, level, 0.0, 0.0]


def test_f26_displacement_drowns_the_signal_and_sums_to_zero(transistor: OpenTransistor) -> None:
    """C dV/dt with the pad's capacitance: 10 V in 5 us give 6.9 uA against 1 nA; nothing over whole triangles."""
    rig = transistor(parameters={"c_gd": PAD})
    edge = 5e-6
    times, volts = triangle(edge)
    amps = rig.record(times, volts, {"interval": edge, "window": 100e-9, "start": edge - 100e-9}, 10e-6)
    expected = PAD * 10.0 / edge
    assert abs(amps[0]) == pytest.approx(expected, rel=0.02)
    assert abs(amps[1]) == pytest.approx(expected, rel=0.03)
    assert np.sign(amps[0]) == -np.sign(amps[1])
    mean = rig.record(times, volts, {"interval": 400e-6, "window": 400e-6, "start": 400e-6}, 10e-6, count=40)
    assert abs(mean).max() < 2e-3 * expected


@pytest.mark.parametrize("capacitance", [PAD, LOCAL])
def test_f27_the_peak_overloads_the_range(transistor: OpenTransistor, capacitance: float) -> None:
    """Triangles of 100 ns: 3.45 pF overload 1, 10 and 100 uA, 20 fF none: C dV/dt (1 - exp(-50 ns/tau))."""
    for full_scale, settling in zip(RANGES, (37e-6, 5.8e-6, 820e-9), strict=True):
        rig = transistor(parameters={"c_gd": capacitance})
        times, volts = triangle(50e-9)
        amps = rig.record(times, volts, {"interval": 50e-9, "window": 10e-9}, full_scale, count=4)
        peak = capacitance * 2e8 * (1 - np.exp(-50e-9 * 5.1 / settling))
        clipped = rig.unit.read(102).clipped
        assert bool(clipped.any()) == (peak > full_scale) == (capacitance == PAD)
        if capacitance == LOCAL:
            assert abs(amps).max() < full_scale


@pytest.mark.parametrize(("tau", "extreme"), [(5e-9, -9.3), (10e-9, -8.6), (20e-9, -7.4)])
def test_f28_a_fast_triangle_does_not_reach_its_level(transistor: OpenTransistor, tau: float, extreme: float) -> None:
    """Edges of 50 ns are refused but for the exception, and even then the node never sees -10 V."""
    rig = transistor(options={"wgfmu": {"force_tau_10v": tau}})
    gate = rig.unit.channel("101")
    times, volts = triangle(50e-9)
    with pytest.raises(SettingError, match="70 ns or more"):
        gate.prepare_waveform(times, volts, times[-1], 100)
    gate.allow_fast_edges = True
    gate.prepare_waveform(times, volts, times[-1], 100)
    gate.output(True)
    rig.unit.trigger()
    rig.clock.sleep(gate.burst_duration)
    assert rig.circuit.extremes["gate"].lowest == pytest.approx(extreme, abs=0.1)


def test_f30_a_drain_that_is_not_held_lags_by_its_cable(transistor: OpenTransistor) -> None:
    """Gigaohms times the cable: tens of ms at 20 pF, half a second at 300 pF; a guard cuts it, a held node has none."""
    seconds = {}
    for capacitance in (3e-12, 20e-12, 300e-12):
        cables = [("b1500.3", "gate", 300e-12), ("b1500.4", "drain", capacitance), ("common", "source", 0.0)]
        wiring = [{"from": a, "to": b, **({"capacitance": f"{c / 1e-12:g} pF"} if c else {})} for a, b, c in cables]
        rig = transistor("aab_w2", connections=wiring)
        for name, level in (("3", -4.81), ("4", 2.0)):
            rig.b1500.channel(name).source(level, 1e-6)
        rig.clock.sleep(1.0)
        rig.b1500.send(["DI 4,0,0,5"])  # 0 A forced: an ammeter of infinite resistance
        begun = rig.clock.now
        while rig.volts("drain") > 2.0 / np.e:
            rig.clock.sleep(capacitance * 1e7)
        seconds[capacitance] = rig.clock.now - begun
    assert 0.02 < seconds[20e-12] < 0.1
    assert seconds[300e-12] / seconds[20e-12] == pytest.approx(15.0, rel=0.1)
    assert seconds[20e-12] / seconds[3e-12] > 5.0
    rig.b1500.channel("4").source(1.0, 1e-6)
    rig.clock.sleep(5e-3)
    assert rig.volts("drain") == pytest.approx(1.0, abs=1e-3)
