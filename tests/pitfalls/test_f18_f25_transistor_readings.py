"""F18 to F25 on the AAB bench: conditioning, what reads and sweeps leave behind, leakage."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from transistor_rig import NANO, TIGHT, OpenTransistor, open_transistor

from drivers.errors import InstrumentError, SettingError

__all__ = ["open_transistor"]


def deep(seconds: float, level: float = 40.0) -> float:
    """Deep charge (V) after a bias of a pristine device (reference part 2b.2)."""
    return 1.076 * log(1.0 + seconds / 3.5 * exp((level - 40.0) / 3.0))


# -- F18, F19 ---------------------------------------------------------------------------------------------------------


def test_f18_forty_volts_do_not_pass_the_rsu(transistor: OpenTransistor) -> None:
    """The driver refuses and names the way out; forced past it, 25 V arrive and the bias does nothing."""
    rig = transistor()
    gate = rig.b1500.channel("3")
    with pytest.raises(SettingError, match=r"40 V cannot pass the RSU.*straight on the terminal"):
        rig.b1500.bias("3", 40.0, 90.0)
    assert rig.volts() == 0.0
    gate.rsu = False  # what a driver that does not know its cabling does
    rig.b1500.bias("3", 40.0, 90.0)
    assert rig.circuit.extremes["gate"].highest == pytest.approx(25.0, abs=0.1)
    assert rig.device.deep == pytest.approx(deep(90.0, 25.0), abs=0.02)
    assert rig.device.deep < 0.2
    rig.condition(90.0)
    assert rig.device.deep > 3.5


def test_f18_the_fast_unit_reaches_10_volts(transistor: OpenTransistor) -> None:
    with pytest.raises(SettingError, match="10"):
        transistor().unit.channel("101").prepare_pulse(40.0, width=1e-3)


def test_f19_more_than_42_volts_need_the_interlock(transistor: OpenTransistor) -> None:
    """Open: 40 V pass, 45 V do not, by the driver and by the instrument (202), and nothing is driven."""
    rig = transistor("aab_w2", faults={"interlock_open": ["b1500"]})
    gate = rig.b1500.channel("3")
    with pytest.raises(SettingError, match="45 V needs the interlock closed"):
        gate.source(45.0, 1e-6)
    gate.output(True)
    with pytest.raises(InstrumentError) as refused:
        rig.b1500.send(["DV 3,0,45,1E-6"])
    assert refused.value.code == 202
    assert rig.volts() == 0.0
    gate.source(40.0, 1e-6)
    rig.clock.sleep(1.0)
    assert rig.volts() == 40.0


def test_f19_opening_it_in_a_bias_stops_the_charge(transistor: OpenTransistor) -> None:
    """45 V for 10 s, the lid opens after 4 s: the output drops, the driver tells, and the charge is that of 4 s."""
    rig = transistor("aab_w2")
    rig.clock.call_at(rig.clock.now + 4.0, lambda: rig.world.instruments["b1500"].set_interlock(False))
    begun = rig.clock.now
    with pytest.raises(InstrumentError, match="nterlock"):
        rig.b1500.bias("3", 45.0, 10.0, ramp=0.0)
    assert rig.clock.now - begun > 4.0
    assert rig.volts() == 0.0
    assert rig.device.deep == pytest.approx(deep(3.9, 45.0), abs=0.03)  # 0.1 s of preparation


# -- F20, F21 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("compliance", "seconds"), [(1e-9, 12.3), (1e-6, 12.3e-3)])
def test_f20_a_gate_slews_with_its_limit(transistor: OpenTransistor, compliance: float, seconds: float) -> None:
    """307 pF: 12 s to 40 V at 1 nA, 12 ms at 1 uA."""
    rig = transistor("aab_w2")
    rig.b1500.channel("3").source(40.0, compliance)
    begun = rig.clock.now
    while rig.volts() < 39.9:
        rig.clock.sleep(seconds / 200)
    assert rig.clock.now - begun == pytest.approx(seconds, rel=0.05)


def test_f21_one_second_more_is_14_pa(transistor: OpenTransistor) -> None:
    """The instrument keeps 30 s to 20 ms and says when; a host that is a second late moves dI0 by 14 pA."""
    measured = {}
    for seconds in (30.0, 31.0):
        rig = transistor(options=TIGHT)
        rig.cyclic()
        done = rig.condition(seconds)
        assert done.stop - done.start == pytest.approx(seconds, abs=0.02)
        assert rig.device.deep == pytest.approx(deep(seconds), abs=0.01)
        measured[seconds] = rig.di0()
    assert measured[31.0] - measured[30.0] == pytest.approx(-0.014, abs=0.003)


# -- F22, F23, F24 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "wrong"), [(-10.0, True), (10.0, False)])
def test_f22_the_channel_lags_1_ms_after_a_negative_pulse(
    transistor: OpenTransistor, level: float, wrong: bool
) -> None:
    """1 ms after -10 V the current is far off, after +10 V it is right; the same after 20 ms is right."""
    rig = transistor("aab", parameters={"c_gd": 0.0})
    times = [0.0, 100e-9, 1e-3, 1.0001e-3, 31e-3]
    volts = [0.0, level, level, 0.0, 0.0]
    amps = rig.record(times, volts, {"start": 2e-3, "interval": 100e-6, "window": 100e-6}, 1e-6) / NANO
    early, settled = amps[:2].mean(), amps[-50:].mean()
    if wrong:
        assert early - settled > 0.3
        assert amps[180:200].mean() == pytest.approx(settled, abs=0.05)
    else:
        assert early == pytest.approx(settled, abs=0.1)  # steps of 0.14 nA


def test_f23_conditioning_leaves_the_fast_traps_full(transistor: OpenTransistor) -> None:
    """A pulse straight after the bias changes nothing; after a cyclic curve -0.121 nA."""
    delta = []
    for swept in (False, True):
        rig = transistor()
        rig.cyclic()
        rig.condition(90.0)
        if swept:
            rig.cyclic()
        before = rig.base()
        rig.pulse()
        delta.append(rig.base() - before)
    assert delta[0] == pytest.approx(0.0, abs=0.002)
    assert delta[1] == pytest.approx(-0.121, abs=0.01)


def test_f24_a_sweep_is_a_write_operation(transistor: OpenTransistor) -> None:
    """+-10 V does not empty the traps: the second dI0 is 0.850 instead of 0.867; +-15 V does."""
    short, long = transistor("aab_w2"), transistor("aab_w2")
    assert short.di0(10.0) == pytest.approx(0.867, abs=0.006)
    assert short.device.x > 0.01
    assert short.di0(10.0) == pytest.approx(0.850, abs=0.006)
    assert [long.di0(), long.di0()] == pytest.approx([0.867, 0.867], abs=0.005)
    assert long.device.x < 1e-3


# -- F25 --------------------------------------------------------------------------------------------------------------


def test_f25_an_rsu_leaks_as_much_as_the_effect(transistor: OpenTransistor) -> None:
    """Up to 100 pA on the reading, drifting; the difference of two readings and W2 are free of it."""
    leaky = {"wgfmu": {"smu_path_leakage": 100e-12, "smu_path_drift": 10e-12}}
    straight = transistor("aab_w2").base()
    assert straight == pytest.approx(0.1453, abs=0.001)
    errors, deltas = [], []
    for seed in (1, 2, 3, 4):
        rig = transistor(seed=seed, options=leaky)
        before = rig.base()
        rig.pulse()
        deltas.append(rig.base() - before)
        errors.append(before - straight)
    assert 0.02 < max(map(abs, errors)) <= 0.11
    assert np.ptp(errors) > 0.01  # another channel, another leakage: nothing to calibrate once
    assert deltas == pytest.approx([0.220] * 4, abs=0.01)
