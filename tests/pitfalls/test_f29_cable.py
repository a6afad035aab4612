"""F29: the cable on the generator's path, 50 ohm times 150 pF."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import Any

import numpy as np
import pytest
from expected import Count, U, behind, cycle_spikes

OpenRig = Callable[..., Any]

TAU = 50.0 * 150e-12
STEP = 0.25e-9


def with_cable(open_rig: OpenRig, capacitance: str) -> Any:
    connections = [
        {"from": "afg.1", "to": "pd", "isolation": "output", "capacitance": capacitance},
        {"from": "smu.a", "to": "pd", "isolation": "output"},
        {"from": "common", "to": "au"},
    ]
    rig = open_rig("hnno_t1", wiring={"connections": connections})
    rig.meter.high_impedance()
    return rig


def node(rig: Any, seconds: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """True voltage of Pd every ``STEP`` from the trigger on."""
    rig.afg.trigger()
    begun = rig.clock.now
    seen = []
    for k in range(round(seconds / STEP)):
        rig.clock.advance_to(begun + k * STEP)
        seen.append(rig.library.true_voltages()["pd"])
    return np.array(seen)


def test_f29_a_pulse_of_100_ns_is_rounded(open_rig: OpenRig) -> None:
    """The node follows the generator through one pole of 7.5 ns; over 25 ns of the top are lost."""
    traces = {}
    for capacitance in ("0 pF", "150 pF"):
        rig = with_cable(open_rig, capacitance)
        rig.channel.prepare_pulse(4.2, width=100e-9, period=1e-6)
        rig.channel.output(True)
        traces[capacitance] = node(rig, 200e-9)
    bare, cabled = traces["0 pF"], traces["150 pF"]
    filtered, decay = [], exp(-STEP / TAU)
    y = 0.0
    for x in bare:
        filtered.append(y)
        y = x + (y - x) * decay
    assert np.abs(cabled - np.array(filtered)).max() < 0.015 * 4.2
    assert np.abs(cabled - bare).max() > 0.4 * 4.2
    assert np.trapezoid(cabled) == pytest.approx(np.trapezoid(bare), rel=1e-2)
    near = (bare > 0.99 * 4.2).sum() - (cabled > 0.99 * 4.2).sum()
    assert near * STEP > 25e-9  # time lost at the top


def test_f29_a_pulse_of_100_us_does_not_notice(open_rig: OpenRig) -> None:
    """The same thousand trials: the same spikes, the same extremes, sensitization within 1e-3."""
    found = {}
    for capacitance in ("0 pF", "150 pF"):
        rig = with_cable(open_rig, capacitance)
        hits = rig.cycles(4.2, -4.2, 1000)
        found[capacitance] = (hits, rig.circuit.extremes["pd"].highest, rig.records()["sensitization"])
    assert found["150 pF"][0] == found["0 pF"][0]
    assert found["150 pF"][1:] == pytest.approx(found["0 pF"][1:], rel=1e-3)


@pytest.mark.parametrize("capacitance", ["0 pF", "150 pF"])
def test_f29_short_pulses_spike_less_than_their_width_says(open_rig: OpenRig, capacitance: str) -> None:
    """100 ns of 5.1 V: 0.49 without the cable, 0.38 with it. 3000 trials, exact binomial test at 1e-3."""
    rig = with_cable(open_rig, capacitance)
    level, width, half, period, count = 5.1, 100e-9, 150e-6, 300e-6, 3000
    times = [0, 0, width, width, half, half, half + 100e-6, half + 100e-6]
    rig.channel.prepare_waveform(times, [0, level, level, 0, 0, -4.2, -4.2, 0], period, count)
    rig.channel.output(True)
    rig.fire()
    top = behind(level, 50.0)
    effective = width
    if capacitance != "0 pF":
        t = np.linspace(0.0, width, 20001)
        rising = np.exp((top * -np.expm1(-t / TAU) - top) / U)
        falling = np.exp((top * -np.expm1(-width / TAU) * np.exp(-t / TAU) - top) / U)
        effective = float(np.trapezoid(rising, t) + np.trapezoid(falling, t))
        assert effective < 0.75 * width
    expected = cycle_spikes([(top, effective)], [(4.2, 100e-6)], count)
    assert Count(round(rig.records()["spikes"]), count).agrees(expected)
