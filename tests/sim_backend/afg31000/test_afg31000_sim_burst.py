"""Burst and trigger: what starts one, how long it lasts, what the output does meanwhile (reference sec. 10)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest

Rig = Any
MakeRig = Callable[..., Rig]


def waits(rig: Rig) -> bool:
    """Bit 5 of the operation condition."""
    return bool(int(rig.ask("STAT:OPER:COND?")) & 32)


def test_a_trigger_plays_its_cycles_and_the_output_idles_before_and_after(rig: Rig) -> None:
    rig.pulse_burst(cycles=3)
    assert rig.emf() == 0.0
    assert waits(rig)
    rig.clock.sleep(0.5)
    assert rig.emf() == 0.0
    rig.send("*TRG")
    assert not waits(rig)
    waveform, count, start = rig.scopes["1"].played[-1]
    assert (count, start, waveform.after) == (3.0, 0.5, 0.0)
    assert waveform.period == pytest.approx(1e-3, rel=1e-12)
    for cycle in range(3):
        assert rig.emf_at(0.5 + cycle * 1e-3 + 50e-6) == 4.2
        assert rig.emf_at(0.5 + cycle * 1e-3 + 500e-6) == 0.0
    assert rig.emf_at(0.5 + 3.05e-3) == 0.0
    assert waits(rig)
    assert rig.errors() == []


def test_a_million_cycles_are_one_waveform_and_few_events(rig: Rig) -> None:
    rig.pulse_burst(cycles=1_000_000)
    rig.send("*TRG")
    rig.clock.sleep(999.99905)
    assert not waits(rig)
    rig.clock.sleep(0.01)
    assert waits(rig)
    assert len(rig.scopes["1"].played) == 1
    assert rig.scopes["1"].played[0][1] == 1e6


@pytest.mark.parametrize("trigger", ["*TRG", "TRIG", "TRIG:SEQ:IMM", "TRIGGER:IMMEDIATE"])
def test_every_software_trigger(rig: Rig, trigger: str) -> None:
    rig.pulse_burst()
    rig.send(trigger)
    assert len(rig.scopes["1"].played) == 1
    assert rig.errors() == []


def test_the_bus_trigger(rig: Rig) -> None:
    rig.pulse_burst()
    rig.afg.trigger()
    assert len(rig.scopes["1"].played) == 1
    rig.afg.trigger()  # while the burst runs
    assert rig.errors() == [-211]


def test_one_trigger_fires_both_channels(rig: Rig) -> None:
    rig.pulse_burst()
    rig.send("OUTP2:IMP INF;:SOUR2:FUNC PULS;:SOUR2:PULS:PER 1 ms;:SOUR2:BURS ON;:OUTP2 ON")
    rig.send("SOUR2:BURS:NCYC 2", "*TRG")
    (_, one, t1), (_, two, t2) = (rig.scopes[c].played[-1] for c in "12")
    assert (one, two) == (1.0, 2.0)
    assert t1 == t2


def test_the_trigger_delay_holds_the_idle_level(rig: Rig) -> None:
    rig.pulse_burst()
    rig.send("SOUR1:BURS:TDEL 2 ms", "*TRG")
    assert rig.emf_at(1.99e-3) == 0.0
    assert rig.emf_at(2.05e-3) == 4.2
    assert not waits(rig)
    assert rig.emf_at(3.1e-3) == 0.0
    assert waits(rig)


@pytest.mark.parametrize(("slope", "edge"), [("POS", True), ("NEG", False)])
def test_the_external_input_triggers_on_its_slope(rig: Rig, slope: str, edge: bool) -> None:
    rig.pulse_burst()
    rig.lines.set("afg.trigger", not edge)
    rig.send(f"TRIG:SLOP {slope}")
    rig.clock.sleep(0.1)
    played = rig.scopes["1"].played
    assert len(played) == 0 or not edge  # the level alone is no edge of POS
    before = len(played)
    rig.lines.set("afg.trigger", edge)
    assert len(played) == before + 1
    rig.clock.sleep(0.1)
    rig.lines.set("afg.trigger", not edge)
    assert len(played) == before + 1


def test_a_line_pulse_triggers_once(rig: Rig) -> None:
    rig.pulse_burst()
    rig.lines.pulse("afg.trigger")
    assert len(rig.scopes["1"].played) == 1
    rig.clock.sleep(0.01)
    rig.send("TRIG:SOUR TIM;:SOUR1:BURS OFF;:OUTP1 OFF")
    before = len(rig.scopes["1"].played)
    rig.lines.pulse("afg.trigger")
    assert len(rig.scopes["1"].played) == before


def test_latency_of_the_trigger(make_rig: MakeRig) -> None:
    rig = make_rig(external_latency=1e-6)
    rig.pulse_burst()
    rig.lines.pulse("afg.trigger")
    assert rig.scopes["1"].played[-1][2] == pytest.approx(1e-6)


def test_a_trigger_during_a_burst_is_ignored_or_restarts(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.pulse_burst(cycles=3)
    rig.send("*TRG")
    rig.clock.sleep(1.5e-3)
    rig.send("*TRG")
    assert rig.errors() == [-211]
    assert len(rig.scopes["1"].played) == 1
    other = make_rig(trigger_during_burst="restart", trigger_ignored_error=False)
    other.pulse_burst(cycles=3)
    other.send("*TRG")
    other.clock.sleep(1.5e-3)
    other.send("*TRG")
    assert other.scopes["1"].played[-1][2] == pytest.approx(1.5e-3)
    assert other.emf_at(4.45e-3) == 0.0
    assert not waits(other)
    assert other.emf_at(4.6e-3) == 0.0
    assert waits(other)


def test_a_trigger_that_starts_nothing(make_rig: MakeRig) -> None:
    for options, codes in (({}, [-211]), ({"trigger_ignored_error": False}, [])):
        rig = make_rig(**options)
        rig.send("*TRG")  # continuous
        assert rig.errors() == codes
        rig.send("BURS ON", "*TRG")  # the source is the timer
        assert rig.errors() == codes


IDLE = {
    # record: levels 0, 1, 1, 0.5 of the span -1 .. 3 V
    "START": (-1.0, -1.0),
    "END": (-1.0, 1.0),
    "DC": (1.0, 1.0),
    "OFF": (-1.0, -1.0),
}


@pytest.mark.parametrize("idle", sorted(IDLE))
def test_idle_levels_before_and_after_the_first_burst(rig: Rig, idle: str) -> None:
    """END shows the last point only once a burst has run (sec. 10)."""
    codes = b"".join(code.to_bytes(2, "big") for code in (0, 16382, 16382, 8191))
    rig.send("OUTP:IMP INF;:TRIG:SOUR EXT;:FUNC EMEM", b"DATA EMEM1,#18" + codes, "VOLT:LOW -1;HIGH 3;:FREQ 1E3")
    rig.send(f"BURS:IDLE {idle};STAT ON;NCYC 2;:OUTP ON")
    assert rig.ask("BURS:IDLE?") == idle
    before, after = IDLE[idle]
    assert rig.emf() == before
    rig.send("*TRG")
    assert rig.emf_at(0.3e-3) == 3.0
    assert rig.emf_at(0.9e-3) == 1.0
    assert rig.emf_at(5e-3) == after
    rig.send("VOLT:OFFS 0")  # the idle level moves with the others
    assert rig.emf() == after - 1.0
    assert rig.errors() == []


def test_idle_off_can_be_the_offset(make_rig: MakeRig) -> None:
    rig = make_rig(idle_off="offset", burst_idle="OFF")
    rig.pulse_burst()
    assert rig.emf() == 2.1


def test_reset_default_of_idle_is_an_option(make_rig: MakeRig) -> None:
    assert make_rig(burst_idle="END").ask("BURS:IDLE?") == "END"


def test_end_is_reached_by_a_trigger_before_the_output_goes_on(rig: Rig) -> None:
    """The order that Tektronix's own example uses (sec. 10)."""
    codes = b"".join(code.to_bytes(2, "big") for code in (0, 16382))
    rig.send("OUTP:IMP INF;:TRIG:SOUR EXT;:FUNC EMEM", b"DATA EMEM1,#14" + codes, "VOLT:LOW 0;HIGH 2;:FREQ 1E3")
    rig.send("BURS:IDLE END;STAT ON;NCYC 1", "*TRG")
    rig.clock.sleep(0.1)
    rig.send("OUTP ON")
    assert rig.emf() == 2.0
    assert rig.errors() == []


def test_the_internal_trigger_free_runs_from_the_moment_burst_is_on(rig: Rig) -> None:
    """Gotcha 4: with reset defaults one burst per millisecond."""
    rig.send("OUTP:IMP INF;:FUNC PULS;:PULS:PER 100 us;WIDT 50 us;:VOLT:LOW 0;HIGH 1", "BURS:NCYC 2;STAT ON;:OUTP ON")
    tops = [rig.emf_at(k * 1e-3 + dt) for k in range(1, 6) for dt in (20e-6, 70e-6, 120e-6, 170e-6, 500e-6)]
    assert tops == pytest.approx([1.0, 0.0, 1.0, 0.0, 0.0] * 5)
    rig.send("TRIG:SOUR EXT")
    assert rig.emf_at(0.01002) == 0.0


def test_hours_of_free_running_bursts_cost_no_events(rig: Rig) -> None:
    rig.send("OUTP:IMP INF;:FUNC PULS;:PULS:PER 100 us;:BURS:NCYC 2;STAT ON;:OUTP ON")
    rig.clock.sleep(3600.0)
    assert len(rig.scopes["1"].played) == 1


def test_a_timer_shorter_than_the_burst_skips_ticks(rig: Rig) -> None:
    rig.send("OUTP:IMP INF;:FUNC PULS;:PULS:PER 1 ms;:VOLT:LOW 0;HIGH 1;:BURS:NCYC 3;STAT ON;:TRIG:TIM 2 ms;:OUTP ON")
    rig.clock.sleep(20.5e-3)
    starts = [start for _, _, start in rig.scopes["1"].played]
    assert [b - a for a, b in itertools.pairwise(starts)] == pytest.approx([4e-3] * (len(starts) - 1))
    assert len(starts) == 6


def test_timer_bursts_of_both_channels_coincide(rig: Rig) -> None:
    rig.send("TRIG:TIM 10 ms")
    rig.clock.sleep(3e-3)
    rig.send("SOUR1:BURS ON;:OUTP1 ON")
    rig.clock.sleep(4e-3)
    rig.send("SOUR2:BURS ON;:OUTP2 ON")
    (_, _, t1), (_, _, t2) = (rig.scopes[c].played[-1] for c in "12")
    assert t1 == t2 == pytest.approx(10e-3)


def test_gated_burst_runs_while_the_gate_is_open_and_completes_its_last_cycle(rig: Rig) -> None:
    rig.pulse_burst()
    rig.send("SOUR1:BURS:MODE GAT")
    assert rig.ask("SOUR1:BURS:MODE?") == "GAT"
    rig.send("*TRG")
    assert rig.errors() == [-211]
    rig.clock.advance_to(1e-3)
    rig.lines.set("afg.trigger", True)
    assert rig.emf_at(3.05e-3) == 4.2
    rig.clock.advance_to(3.2e-3)
    rig.lines.set("afg.trigger", False)
    assert rig.emf_at(3.9e-3) == 0.0
    assert rig.emf_at(4.05e-3) == 0.0  # the cycle from 3 to 4 ms was the last
    assert waits(rig)


def test_a_gate_reopened_before_the_cycle_ends_goes_on(rig: Rig) -> None:
    rig.pulse_burst()
    rig.send("SOUR1:BURS:MODE GAT")
    rig.lines.set("afg.trigger", True)
    rig.clock.advance_to(0.5e-3)
    rig.lines.set("afg.trigger", False)
    rig.clock.advance_to(0.6e-3)
    rig.lines.set("afg.trigger", True)
    assert rig.emf_at(5.05e-3) == 4.2
    assert len(rig.scopes["1"].played) == 1


def test_the_internal_gate_is_open_for_half_of_its_period(rig: Rig) -> None:
    rig.send("OUTP:IMP INF;:FUNC PULS;:PULS:PER 1 ms;WIDT 100 us;:VOLT:LOW 0;HIGH 1;:TRIG:TIM 10 ms")
    rig.send("BURS:MODE GAT;STAT ON;:OUTP ON")
    high = [rig.emf_at(20e-3 + k * 1e-3 + 50e-6) for k in range(20)]
    assert high == ([1.0] * 5 + [0.0] * 5) * 2


def test_an_infinite_burst_runs_until_it_is_stopped(rig: Rig) -> None:
    for stop in ("ABOR", "SOUR1:BURS:INFI:REAR"):
        rig.pulse_burst()
        rig.send("SOUR1:BURS:NCYC INF", "*TRG")
        rig.clock.sleep(1000.00005 - (rig.clock.now % 1e-3))
        assert not waits(rig)
        assert rig.scopes["1"].playing[1] == math.inf
        assert rig.ask("*OPC?") == "1"
        rig.send(stop)
        assert rig.emf() == 0.0
        assert waits(rig)
        rig.send("*TRG")
        assert not waits(rig)
        rig.send("*RST")


def test_the_burst_ends_when_the_output_is_switched_on_in_between(rig: Rig) -> None:
    rig.pulse_burst(cycles=3)
    rig.send("OUTP1 OFF", "*TRG")
    assert rig.emf_at(1.5e-3) is None
    rig.send("OUTP1 ON")
    assert rig.emf_at(2.05e-3) == 4.2
    assert rig.emf_at(3.05e-3) == 0.0


def test_levels_can_change_during_a_burst(rig: Rig) -> None:
    rig.pulse_burst(cycles=3)
    rig.send("*TRG")
    rig.clock.sleep(1.5e-3)
    rig.send("SOUR1:VOLT:HIGH 2")
    assert rig.emf_at(2.05e-3) == 2.0
    assert rig.emf_at(3.05e-3) == 0.0
    assert waits(rig)


def test_other_changes_abort_the_burst(rig: Rig) -> None:
    rig.pulse_burst(cycles=3)
    rig.send("*TRG")
    rig.clock.sleep(1.02e-3)
    rig.send("SOUR1:PULS:PER 2 ms")
    assert rig.emf() == 0.0
    assert waits(rig)


def test_burst_excludes_noise_and_dc_and_their_selection_ends_it(rig: Rig) -> None:
    for shape in ("PRN", "DC"):
        rig.send(f"FUNC {shape};:BURS ON")
        assert rig.errors() == [-221]
        rig.send("FUNC SIN;:BURS ON")
        assert rig.ask("RMOD?") == "BURS"
        rig.send(f"FUNC {shape}")
        assert rig.errors() == []
        assert rig.ask("BURS?;:RMOD?") == "0;CONT"


def test_frequency_in_burst_has_narrower_bounds(make_rig: MakeRig) -> None:
    """tm_devices PR 630: FREQ with burst left on raised out of range."""
    rig = make_rig()
    rig.send("BURS ON;:FREQ 30E6")
    assert rig.errors() == [-222]
    rig.send("BURS OFF;:FREQ 30E6")
    assert rig.errors() == []
    rig.send("BURS ON")
    assert rig.errors() == [-221]
    free = make_rig(burst_frequency_factor=1.0)
    free.send("BURS ON;:FREQ 30E6")
    assert free.errors() == []


def test_a_delayed_pulse_must_end_before_the_next_period_in_burst(rig: Rig) -> None:
    rig.pulse_burst()
    rig.send("SOUR1:PULS:DEL 0.95 ms")
    assert rig.errors() == [-221]
    rig.send("SOUR1:PULS:DEL 0.8 ms", "*TRG")
    assert rig.emf_at(0.85e-3) == 4.2
    assert rig.errors() == []
    rig.send("SOUR1:BURS OFF;:SOUR1:PULS:DEL 0.95 ms;:SOUR1:BURS ON")
    assert rig.errors() == [-221]


def test_completion_does_not_wait_for_a_burst_or_does(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.pulse_burst(cycles=3)
    rig.send("*TRG")
    assert rig.ask("*OPC?") == "1"
    rig.send("*OPC")
    assert rig.ask("*ESR?") == "1"
    patient = make_rig(opc_waits_for_burst=True)
    patient.pulse_burst(cycles=3)
    patient.send("*TRG", "*OPC")
    assert patient.ask("*ESR?") == "0"
    patient.send("*OPC?")
    assert not patient.afg.pending()
    patient.clock.sleep(2.9e-3)
    assert not patient.afg.pending()
    patient.clock.sleep(0.2e-3)
    assert patient.read() == b"1"
    assert patient.ask("*ESR?") == "1"
    patient.send("*TRG", "*WAI", "SOUR1:VOLT:HIGH 1")
    patient.clock.sleep(1e-3)
    assert patient.afg.channel(1).high == 4.2
    patient.clock.sleep(3e-3)
    assert patient.afg.channel(1).high == 1.0
    patient.send("SOUR1:BURS:NCYC INF", "*TRG")
    assert patient.ask("*OPC?") == "1"  # an endless burst is not waited for


def test_device_clear_ends_the_wait_for_a_burst(make_rig: MakeRig) -> None:
    rig = make_rig(opc_waits_for_burst=True)
    rig.pulse_burst(cycles=1000)
    rig.send("*TRG", "*OPC?", "SOUR1:VOLT:HIGH 1")
    rig.afg.clear()
    assert rig.ask("*IDN?").startswith("TEKTRONIX")
    assert rig.afg.channel(1).high == 4.2


def test_the_events_of_a_burst_latch_in_the_operation_register(rig: Rig) -> None:
    rig.pulse_burst()
    rig.ask("STAT:OPER?")
    rig.send("STAT:OPER:ENAB 32", "*TRG")
    assert rig.ask("*STB?") == "0"
    rig.clock.sleep(0.01)
    assert int(rig.ask("*STB?")) & 128
    assert rig.ask("STAT:OPER?") == "32"
    assert rig.ask("STAT:OPER?") == "0"


def test_operation_bits_can_stay_zero(make_rig: MakeRig) -> None:
    rig = make_rig(operation_bits="zero")
    rig.pulse_burst()
    assert rig.ask("STAT:OPER:COND?;EVEN?") == "0;0"


def test_phase_initiate_aligns_both_channels(rig: Rig) -> None:
    rig.send("SOUR1:FREQ 1E3;:SOUR2:FREQ 1E3;:OUTP1 ON")
    rig.clock.sleep(0.3e-3)
    rig.send("OUTP2 ON")
    assert rig.emf(1) != pytest.approx(rig.emf(2), abs=1e-3)
    rig.clock.sleep(0.1e-3)
    rig.send("SOUR2:PHAS:INIT")
    rig.clock.sleep(0.21e-3)
    assert rig.emf(1) == rig.emf(2)
