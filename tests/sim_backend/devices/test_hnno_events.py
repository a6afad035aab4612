"""The event path of the H-NNO neuron: one pulse at a time (reference, part 2a.2)."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import Any

import numpy as np
import pytest

from sim_backend.circuit import Waveform, pulse
from sim_backend.devices.hnno import HnnoNeuron, HnnoParameters
from sim_backend.draws import Draws

MakeNeuron = Callable[..., Any]


def test_the_read_law_is_linear_at_small_and_steeper_at_large_voltage() -> None:
    device = HnnoNeuron(HnnoParameters(), Draws(1))
    assert device.current(0.1) == pytest.approx(0.1 / 400e3, rel=3e-4)
    assert device.current(4.2) / (4.2 / 400e3) == pytest.approx(1.54, abs=0.005)
    for v in (-4.2, 0.1, 8.0):
        assert device.voltage(device.current(v)) == pytest.approx(v)
    assert device.current(4.2) == pytest.approx(16e-6, rel=0.02)
    device.memory.spiking = True
    device.refresh()
    assert device.current(4.2) == pytest.approx(81e-6, rel=0.01)


@pytest.mark.parametrize("resistance", [0.0, 50.0, 1e4, 1e7])
@pytest.mark.parametrize("emf", [-10.0, -0.1, 0.0, 1e-9, 4.2, 40.0, 200.0])
def test_the_loop_voltage_fulfils_the_loop(emf: float, resistance: float) -> None:
    device = HnnoNeuron(HnnoParameters(), Draws(1))
    v = device.loop(emf, resistance)
    assert v + resistance * device.current(v) == pytest.approx(emf, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("edge", [1e-6, 30e-6])
def test_latency_of_a_spike_against_brute_force(make_neuron: MakeNeuron, edge: float) -> None:
    """A trapezoid without series resistance, in steps of a nanosecond."""
    neuron = make_neuron(seed=5, resistance=0.0)
    p = neuron.device.parameters
    u, _ = Draws(5).uniform("hnno.event", 0, 0, words=2)
    z = Draws(5).normal("hnno.event", 0, 0, words=2)[1]
    threshold, goal = p.v50 + p.sd_v50 * z, (u / (1 - u)) ** (p.s / p.u)
    width, level, dt = 100e-6, 4.5, 1e-9
    t = np.arange(0, width + edge, dt) + dt / 2
    v = level * np.clip(np.minimum(t, width + edge - t) / edge, 0, 1)
    reached = np.cumsum(np.where(v > p.v_event, np.exp((v - threshold) / p.u), 0.0)) * dt / p.w0
    assert reached[-1] > goal
    expected = t[np.argmax(reached >= goal)]
    neuron.port.play(pulse(level, 0.0, width, edge, 1e-3), 1, 0.0)
    neuron.clock.advance_to(expected - 3e-9)
    neuron.circuit.settle()
    assert not neuron.memory.spiking
    neuron.clock.advance_to(expected + 3e-9)
    neuron.circuit.settle()
    assert neuron.memory.spiking
    assert neuron.memory.spikes == 1


def test_the_event_rule_gives_the_logistic_probability(make_neuron: MakeNeuron) -> None:
    """Per event, not on average: the same U and z decide by the formula of part 2a.2."""
    for seed in range(300):
        neuron = make_neuron(seed, resistance=0.0)
        p = neuron.device.parameters
        u = Draws(seed).uniform("hnno.event", 0, 0, words=2)[0]
        z = Draws(seed).normal("hnno.event", 0, 0, words=2)[1]
        width = 30e-6
        probability = 1 / (1 + exp(-(4.3 - (p.v50 + p.sd_v50 * z) + p.u * log(width / p.w0)) / p.s))
        neuron.port.play(Waveform((width, 1e-3), (4.3, 0.0), (4.3, 0.0)), 1, 0.0)
        neuron.clock.sleep(1.0)
        neuron.circuit.settle()
        assert neuron.memory.spiking == (u < probability)


def test_sensitization_is_booked_as_labile_and_consolidated_by_the_next_push(make_neuron: MakeNeuron) -> None:
    neuron = make_neuron()
    neuron.pulse(3.4)
    first = neuron.memory.labile
    assert neuron.memory.consolidated == 0.0
    assert first == pytest.approx(0.89 * (1 - exp(-100 / 280)), rel=1e-3)
    neuron.pulse(3.4)
    assert neuron.memory.consolidated == pytest.approx(first)


def test_a_reset_cancels_the_labile_part_only(make_neuron: MakeNeuron) -> None:
    neuron = make_neuron()
    neuron.memory.consolidated, neuron.memory.labile = 0.4, 0.1
    neuron.pulse(-4.2)
    assert neuron.memory.consolidated == pytest.approx(0.4, rel=1e-6)
    assert neuron.memory.labile < 1e-6


def test_strong_reverse_pulses_erase(make_neuron: MakeNeuron) -> None:
    """-6.2 V x 6 returns a sensitized device to its initial state."""
    neuron = make_neuron(resistance=0.0)
    neuron.memory.consolidated = 0.55
    for _ in range(6):
        neuron.pulse(-6.2)
    assert neuron.memory.consolidated == pytest.approx(0.55 * exp(-6), rel=2e-3)
    assert not neuron.memory.dead


def test_both_sensitizations_fade_at_rest(make_neuron: MakeNeuron) -> None:
    neuron = make_neuron()
    neuron.memory.consolidated, neuron.memory.labile = 0.5, 0.2
    neuron.clock.sleep(86400.0)
    neuron.circuit.settle()
    assert neuron.sensitization == pytest.approx(0.7 * exp(-0.0864))


def test_reads_disturb_nothing(make_neuron: MakeNeuron) -> None:
    """1000 sweeps within +-0.1 V: b, S, q unchanged (but for retention), no event drawn."""
    for spiking in (False, True):
        neuron = make_neuron()
        neuron.memory.spiking, neuron.memory.consolidated = spiking, 0.5
        neuron.device.refresh()
        for _ in range(1000):
            for level in np.linspace(-0.1, 0.1, 21):
                neuron.port.drive(level, 0.0)
                neuron.clock.sleep(1e-4)
        neuron.circuit.settle()
        assert neuron.memory.spiking is spiking
        assert neuron.memory.consolidated == pytest.approx(0.5 * exp(-neuron.clock.now / 1e6), rel=1e-12)
        assert neuron.memory.events == 0


def test_a_ramp_through_zero_is_two_events(make_neuron: MakeNeuron) -> None:
    neuron = make_neuron()
    neuron.port.play(Waveform((1e-3, 1e-3), (-2.0, 2.0), (2.0, 0.0)), 1, 0.0)
    neuron.clock.sleep(1.0)
    neuron.circuit.settle()
    assert neuron.memory.events == 2


def test_swapping_the_leads_turns_sets_into_resets(make_neuron: MakeNeuron) -> None:
    """F14: no spike from "forward" pulses; "resets" set the bit."""
    from sim_backend.circuit import Circuit
    from sim_backend.clock import Clock

    clock, device = Clock(), HnnoNeuron(HnnoParameters(), Draws(1))
    circuit = Circuit(clock, device, swapped=True)
    circuit.ground("au")
    port = circuit.port("afg.1")
    circuit.connect(port, "pd")
    port.drive(0.0, 50.0)
    for level, spiking in ((4.6, False), (-4.8, True), (4.2, False)):
        port.play(pulse(level, 0.0, 100e-6, 1e-6, 1e-3), 1, clock.now)
        clock.sleep(2e-3)
        circuit.settle()
        assert device.memory.spiking is spiking


def test_twice_the_voltage_destroys_the_device_in_the_first_pulse(make_neuron: MakeNeuron) -> None:
    """F1: 8.4 V, 50 of 50 devices; R = 300 ohm for good."""
    for seed in range(50):
        neuron = make_neuron(seed)
        neuron.pulse(8.4)
        assert neuron.memory.dead
        assert neuron.device.resistance == 300.0
        assert neuron.circuit.extremes["pd"].highest == pytest.approx(8.4, abs=0.03)
        neuron.pulse(4.2)
        assert neuron.device.current(0.1) == pytest.approx(0.1 / 300)


def test_dc_of_6_5_volt_kills_within_a_second(make_neuron: MakeNeuron) -> None:
    neuron = make_neuron()
    neuron.port.drive(6.5, 50.0)
    neuron.clock.sleep(1.0)
    neuron.circuit.settle()
    assert neuron.memory.dead


def test_idling_at_minus_2_1_volt_resets_slowly(make_neuron: MakeNeuron) -> None:
    """F3: 5 % after 10 ms, 54 % after 0.1 s, 93 % after 1 s; bounds are 99.9 % of the binomial with 300 devices."""
    n = 300
    for seconds, share in ((10e-3, 0.05), (0.1, 0.54), (1.0, 0.93)):
        lost = 0
        for seed in range(n):
            neuron = make_neuron(seed)
            neuron.memory.spiking = True
            neuron.device.refresh()
            neuron.port.drive(-2.1, 50.0)
            neuron.clock.sleep(seconds)
            neuron.circuit.settle()
            lost += not neuron.memory.spiking
        expected = 1 / (1 + exp(-(2.1 - 3.0 + 0.13 * log(seconds / 100e-6)) / 0.1))
        assert expected == pytest.approx(share, abs=0.06)  # the reference counted devices too
        assert abs(lost / n - expected) < 3.3 * (expected * (1 - expected) / n) ** 0.5


def test_resistance_jumps_at_each_switching_and_only_then(make_neuron: MakeNeuron) -> None:
    neuron = make_neuron()
    seen = []
    for _ in range(200):
        neuron.pulse(5.0)
        low = neuron.device.resistance
        neuron.pulse(-4.2)
        seen.append((low, neuron.device.resistance))
        neuron.clock.sleep(1.0)
        assert neuron.device.resistance == seen[-1][1]
    spiking, quiet = np.log(np.array(seen)).T
    # sd of 200 draws: 5 % relative standard error, accepted within 3.3 of them (false alarms 1e-3)
    assert spiking.std() == pytest.approx(0.08, rel=0.17)
    assert quiet.std() == pytest.approx(0.04, rel=0.17)


def test_one_device_one_history_whatever_else_is_drawn(make_neuron: MakeNeuron) -> None:
    """Flicker readings and extra rests shift no event."""
    quiet, busy = make_neuron(), make_neuron()
    for k in range(40):
        quiet.pulse(4.2)
        for _ in range(k % 7):
            busy.port.flicker()
            busy.clock.sleep(1e-3)
        busy.pulse(4.2)
        assert quiet.memory.spiking == busy.memory.spiking
        quiet.pulse(-4.2)
        busy.pulse(-4.2)
    assert quiet.memory.jump_s == busy.memory.jump_s


def test_flicker_has_its_size_and_can_be_switched_off() -> None:
    """500 draws: sd within 10 % (3.2 standard errors)."""
    device = HnnoNeuron(HnnoParameters(), Draws(1))
    values = [device.flicker() for _ in range(500)]
    assert np.std(values) == pytest.approx(5e-4, rel=0.1)
    assert HnnoNeuron(HnnoParameters(), Draws(1), noise=False).flicker() == 0.0


def test_state_is_saved_and_restored_in_the_middle_of_things(make_neuron: MakeNeuron) -> None:
    import json

    one, two = make_neuron(), make_neuron()
    for k in range(30):
        one.pulse(4.2)
        one.pulse(-4.2)
        if k == 15:
            two.device.restore(json.loads(json.dumps(one.device.state())))
            two.memory = two.device.memory
        if k > 15:
            two.pulse(4.2)
            two.pulse(-4.2)
    assert one.device.state() == two.device.state()
    with pytest.raises(ValueError, match="not the state"):
        two.device.restore({"colour": "red"})
