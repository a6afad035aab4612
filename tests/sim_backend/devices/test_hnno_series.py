"""The vectorised path of the H-NNO neuron against its event path: same seed, same spikes, state within 1e-5 V."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_backend.circuit import Waveform

MakeNeuron = Callable[..., Any]
MakeCycle = Callable[..., Any]

COUNTED = ("spiking", "spikes", "events", "dead")


def compare(
    make_neuron: MakeNeuron,
    wave: Any,
    count: int,
    steps: int = 6,
    start: dict[str, Any] | None = None,
    tolerance: float = 1e-5,
    **options: Any,
) -> Any:
    """Both paths side by side, looked at ``steps`` times; returns the neuron of the vectorised path."""
    pair = [make_neuron(slow=slow, **options) for slow in (False, True)]
    for neuron in pair:
        for name, value in (start or {}).items():
            setattr(neuron.memory, name, value)
        neuron.device.refresh()
    for _ in range(steps):
        for neuron in pair:
            neuron.repeat(wave, count // steps)
        fast, slow = (neuron.memory for neuron in pair)
        for name in COUNTED:
            assert getattr(fast, name) == getattr(slow, name), name
        assert fast.consolidated == pytest.approx(slow.consolidated, abs=tolerance)
        assert fast.labile == pytest.approx(slow.labile, abs=tolerance)
        assert fast.breakdown == pytest.approx(slow.breakdown, rel=1e-3, abs=1e-9)
        assert fast.jump_ns == pytest.approx(slow.jump_ns, rel=1e-12)
        assert fast.jump_s == pytest.approx(slow.jump_s, rel=1e-12)
    fast_seen, slow_seen = (neuron.circuit.extremes["pd"] for neuron in pair)
    if not pair[0].memory.dead:
        assert fast_seen.highest == pytest.approx(slow_seen.highest, abs=1e-4)
        assert fast_seen.lowest == pytest.approx(slow_seen.lowest, abs=1e-4)
    return pair[0]


@pytest.mark.parametrize("level", [3.8, 4.2, 4.6])
def test_set_and_reset(make_neuron: MakeNeuron, make_cycle: MakeCycle, level: float) -> None:
    compare(make_neuron, make_cycle(level, -4.2), 3000)


@pytest.mark.parametrize("reset", [-6.0, -6.6, -7.2, -7.8])
def test_a_reset_that_takes_more_than_was_given(make_neuron: MakeNeuron, make_cycle: MakeCycle, reset: float) -> None:
    """Each reset erases so much that S overshoots where it settles."""
    compare(make_neuron, make_cycle(4.2, reset), 600)


def test_reset_first(make_neuron: MakeNeuron, make_cycle: MakeCycle) -> None:
    compare(make_neuron, make_cycle(-4.2, 4.2), 1800)


def test_a_reset_that_fails_now_and_then(make_neuron: MakeNeuron, make_cycle: MakeCycle) -> None:
    """-3.78 V: 0.04 % of resets fail, two with this seed; the device then goes into the next pulse spiking."""
    compare(make_neuron, make_cycle(4.4, -3.78), 1800, seed=4)


def test_a_sensitized_device(make_neuron: MakeNeuron, make_cycle: MakeCycle) -> None:
    compare(make_neuron, make_cycle(3.8, -4.2), 1800, start={"consolidated": 0.53, "labile": 0.01})


def test_a_worn_device(make_neuron: MakeNeuron, make_cycle: MakeCycle) -> None:
    compare(make_neuron, make_cycle(4.2, -4.2), 1800, start={"spikes": 10**6})


def test_another_specimen(make_neuron: MakeNeuron, make_cycle: MakeCycle) -> None:
    compare(make_neuron, make_cycle(4.2, -4.2), 1200, specimen=7)


def test_slow_edges_and_short_pulses(make_neuron: MakeNeuron, make_cycle: MakeCycle) -> None:
    compare(make_neuron, make_cycle(4.2, -4.2, edge=20e-6), 600)
    compare(make_neuron, make_cycle(4.6, -4.4, width=2e-6, edge=10e-9), 300)


@pytest.mark.parametrize("level", [2.8, 3.0, 3.2, 3.8, 4.2])
def test_accumulation(make_neuron: MakeNeuron, make_cycle: MakeCycle, level: float) -> None:
    neuron = compare(make_neuron, make_cycle(level), 600)
    if level == 2.8:
        assert neuron.sensitization < 1e-3


def test_accumulation_when_stronger_pulses_sensitize_more(make_neuron: MakeNeuron, make_cycle: MakeCycle) -> None:
    compare(make_neuron, make_cycle(3.4), 600, k_s=-0.85)


@pytest.mark.parametrize("level", [-2.6, -3.0, -6.2])
def test_reverse_only(make_neuron: MakeNeuron, make_cycle: MakeCycle, level: float) -> None:
    compare(make_neuron, make_cycle(level), 300, start={"spiking": True, "consolidated": 0.4, "labile": 0.2})


def test_nothing_but_reads(make_neuron: MakeNeuron, make_cycle: MakeCycle) -> None:
    neuron = compare(make_neuron, make_cycle(0.1, -0.1), 600, start={"consolidated": 0.4})
    assert neuron.memory.events == 0


def test_death_comes_in_the_same_period(make_neuron: MakeNeuron, make_cycle: MakeCycle) -> None:
    """Strong cycles: breakdown after some thousand periods; and wear-out at a given number of spikes."""
    neuron = compare(make_neuron, make_cycle(6.4, -4.2), 6000)
    assert neuron.memory.dead
    neuron = compare(make_neuron, make_cycle(4.6, -4.2), 600, n_f=200.0)
    assert neuron.memory.dead


@pytest.mark.parametrize("level", [2.1, 3.0, 3.4])
def test_no_reset_is_needed_where_spikes_are_rare(make_neuron: MakeNeuron, make_cycle: MakeCycle, level: float) -> None:
    """A symmetrical signal that idles on the device (F3); at 3.4 V sensitization builds up until it spikes."""
    compare(make_neuron, make_cycle(level, -level), 600)


def test_a_sine_left_on_costs_little(make_neuron: MakeNeuron) -> None:
    """1 MHz, 1 V, for 100 ms: nothing happens to the device, and it is not gone through event by event."""
    phase = np.linspace(0, 2 * np.pi, 65)
    volts = tuple(np.sin(phase))
    wave = Waveform((1e-6 / 64,) * 64, volts[:-1], volts[1:])
    neuron = make_neuron()
    neuron.repeat(wave, 100_000)
    assert neuron.memory.events == 200_000
    assert neuron.sensitization == 0.0


@pytest.mark.parametrize("reset", [-3.0, -3.3])
def test_weak_resets_and_mixed_lists_go_event_by_event(
    make_neuron: MakeNeuron, make_cycle: MakeCycle, reset: float
) -> None:
    compare(make_neuron, make_cycle(4.2, reset), 120, tolerance=1e-12)
    compare(make_neuron, make_cycle(3.8, 4.2, -4.2), 120, tolerance=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    level=st.floats(2.5, 5.0),
    reset=st.floats(-7.8, -3.6),
    consolidated=st.floats(0, 0.9),
    spiking=st.booleans(),
)
def test_any_cycle(
    make_neuron: MakeNeuron,
    make_cycle: MakeCycle,
    seed: int,
    level: float,
    reset: float,
    consolidated: float,
    spiking: bool,
) -> None:
    start = {"consolidated": consolidated, "spiking": spiking}
    compare(make_neuron, make_cycle(level, reset), 120, steps=3, start=start, seed=seed)


def test_the_waveform_may_be_taken_up_in_the_middle(make_neuron: MakeNeuron, make_cycle: MakeCycle) -> None:
    """Someone looks in the middle of a pulse: the rest of the period goes event by event, then many at once."""
    wave = make_cycle(4.2, -4.2)
    straight, looked = make_neuron(), make_neuron()
    straight.repeat(wave, 1000)
    looked.port.play(wave, 1000, looked.clock.now)
    for moment in (0.10003, 0.3004, 0.70077):
        looked.clock.advance_to(moment)
        looked.port.current()
    looked.clock.advance_to(1.001)
    looked.circuit.settle()
    assert looked.memory.spikes == straight.memory.spikes
    assert looked.memory.consolidated == pytest.approx(straight.memory.consolidated, abs=1e-6)
