"""B1500A driver on the simulated bench: what it reads and does to a device, and how it fails (pitfalls F18-F25)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import pyvisa

from drivers.b1500a import B1500A
from drivers.b1530a import B1530A
from drivers.b1530a_patterns import Pattern, Program
from drivers.errors import InstrumentError, SettingError
from drivers.wire import WireInstrument

ADDRESS = "GPIB0::17::INSTR"
GATE, DRAIN = "3", "4"


class Bench:
    """The driver on a shipped bench, the bench's clock, and the device."""

    def __init__(self, name: str, settings: str, **options: Any) -> None:
        self.manager = pyvisa.ResourceManager(f"{name}?{settings}@labctl")
        self.library: Any = self.manager.visalib
        self.clock = self.library.clock
        self.b = B1500A(ADDRESS, name="b1500", clock=self.clock, visa_library=self.library, **options)

    @property
    def device(self) -> Any:
        return self.library.bench.device

    def volts(self, terminal: str = "gate") -> float:
        return float(self.library.true_voltages()[terminal])


Make = Callable[..., Bench]


@pytest.fixture
def bench() -> Iterator[Make]:
    """``bench("noise=false", name="aab_w2")``."""
    made = []

    def make(settings: str = "noise=false", name: str = "aab_w2", **options: Any) -> Bench:
        made.append(Bench(name, settings, **options))
        return made[-1]

    yield make
    for each in made:
        each.manager.close()


def transfer(b: B1500A, **options: Any) -> Any:
    """Cyclic transfer curve -15 .. +15 V in 0.25 V, 0.1 s per point, Vds = 2 V."""
    given: dict[str, Any] = {
        "start": -15,
        "stop": 15,
        "points": 121,
        "mode": "cyclic",
        "measured": [DRAIN],
        "bias": {DRAIN: 2.0},
        "compliance": 1e-6,
        "range_": {DRAIN: 1e-7},
        "dwell": 0.1,
    }
    return b.sweep(GATE, **{**given, **options})


# -- sweeps ----------------------------------------------------------------------------------------------------------


def test_cyclic_transfer_has_the_anchors_of_the_model(bench: Make) -> None:
    """Rows 6 and 7 of the anchor table, through the whole path."""
    world = bench()
    curve = transfer(world.b)
    current, half = curve.amps[DRAIN], 121
    forward, backward = current[:half], current[half:]
    levels = np.linspace(-15, 15, 121)
    assert curve.set == pytest.approx(np.concatenate([levels, levels[::-1]]))
    assert levels[np.argmax(forward)] == pytest.approx(-4.81, abs=0.15)
    assert levels[::-1][np.argmax(backward)] == pytest.approx(0.49, abs=0.15)
    assert forward.max() == pytest.approx(1.03e-9, abs=0.01e-9)
    assert backward[60] - forward[60] == pytest.approx(0.867e-9, abs=0.01e-9)
    assert np.diff(curve.time)[1:] == pytest.approx(0.1, abs=2e-4)
    assert curve.complete
    assert not curve.compliance.any()
    assert not curve.overflow.any()
    world.clock.sleep(0.01)  # 307 pF and 1 uA
    assert world.volts("gate") == 0.0
    assert world.volts("drain") == 2.0


def test_time_of_a_point_is_its_dwell_or_what_its_range_needs(bench: Make) -> None:
    world = bench()
    steps = np.diff(transfer(world.b, range_={DRAIN: 1e-9}).time)
    assert np.median(steps) == pytest.approx(0.381, abs=2e-3)
    assert steps[120] < 0.11  # at the turn the level stays, and nothing has to settle


@pytest.mark.parametrize(("after", "gate", "on"), [("zero", 0.0, True), ("hold", 1.0, True), ("off", 0.0, False)])
def test_what_stays_after_a_sweep(bench: Make, after: str, gate: float, on: bool) -> None:
    world = bench()
    world.b.sweep(GATE, start=0, stop=1, points=3, bias={DRAIN: 0.5}, compliance=1e-6, range_=1e-6, after=after)
    world.clock.sleep(0.01)
    assert world.volts() == gate
    assert world.b.channel(GATE).is_on is on
    assert world.b.channel(DRAIN).is_on is on
    assert world.library.circuit.ports["b1500.3"].connected is on


def test_levels_of_any_order_go_point_by_point(bench: Make) -> None:
    world = bench()
    levels = [0.0, -4.8, -2.0, -9.0]
    curve = world.b.sweep(
        GATE, levels, measured=[DRAIN, GATE], bias={DRAIN: 2.0}, compliance=1e-6, range_=1e-8, delay=0.1, hold=0.2
    )
    assert curve.set.tolist() == levels
    device = world.device.__class__(world.device.parameters)
    expected = []
    for level in levels:
        device.hold(1.0, level)
        expected.append(device.channel_current(2.0))
    assert curve.amps[DRAIN] == pytest.approx(expected, rel=3e-3)
    assert np.diff(curve.time).min() > 0.12
    assert curve.volts[DRAIN].tolist() == [2.0] * 4


def test_logarithmic_and_synchronous_sweeps(bench: Make) -> None:
    world = bench()
    log = world.b.sweep(
        DRAIN, start=0.01, stop=1, points=5, spacing="log", compliance=1e-6, bias={GATE: -4.8}, range_=1e-8
    )
    assert log.set == pytest.approx(np.geomspace(0.01, 1, 5), rel=3e-3)
    together = world.b.sweep(
        DRAIN, start=0, stop=1, points=3, synchronous={GATE: (0.0, -1.0)}, measured=[GATE], compliance=1e-6, range_=1e-8
    )
    assert together.volts[GATE].tolist() == [0.0, -0.5, -1.0]
    with pytest.raises(SettingError, match="not equally spaced"):
        world.b.sweep(DRAIN, [0.0, 1.0, 5.0], synchronous={GATE: (0.0, 1.0)}, compliance=1e-6)


def test_voltages_are_measured_when_asked_for(bench: Make) -> None:
    world = bench()
    curve = world.b.sweep(
        DRAIN, start=0, stop=2, points=3, bias={GATE: -4.8}, compliance={DRAIN: 1e-10, GATE: 1e-6}, range_=1e-9,
        measure_voltage=True, delay=0.5,
    )  # fmt: skip
    # F9: in compliance the programmed level is not there
    assert curve.status[DRAIN].tolist() == [0, 1, 1]
    assert curve.volts[DRAIN][2] < 1.5
    assert curve.amps[DRAIN][2] == pytest.approx(1e-10, rel=2e-3)
    assert curve.compliance.tolist() == [False, True, True]


def test_overflow_is_flagged_and_reads_nan(bench: Make) -> None:
    """F10: the peak of 1.03 nA is above a fixed range of 1 nA."""
    world = bench()
    curve = world.b.sweep(
        GATE, start=-6, stop=-4, points=5, measured=[DRAIN], bias={DRAIN: 2.0}, compliance=1e-6, range_=1e-9
    )
    assert np.isnan(curve.amps[DRAIN]).any()
    assert (np.isnan(curve.amps[DRAIN]) == curve.overflow).all()
    assert not curve.overflow.all()


def test_abort_at_compliance_ends_the_sweep_and_says_so(bench: Make) -> None:
    world = bench()
    curve = world.b.sweep(
        DRAIN, start=0, stop=3, points=7, bias={GATE: -4.8}, compliance={DRAIN: 4e-10, GATE: 1e-6},
        range_={DRAIN: 1e-9}, abort=True, delay=0.5,
    )  # fmt: skip
    assert not curve.complete
    assert np.isfinite(curve.amps[DRAIN]).all()
    assert curve.compliance.tolist() == [False] * (len(curve.set) - 1) + [True]  # the last one is the cause
    assert curve.amps[DRAIN][-1] == pytest.approx(4e-10, rel=0.01)
    assert len(curve.time) == len(curve.set) < 7


def test_a_list_of_levels_ends_at_compliance_too(bench: Make) -> None:
    world = bench()
    curve = world.b.sweep(
        DRAIN, [0.0, 0.5, 1.5, 2.0, 3.0, 2.5], bias={GATE: -4.8}, compliance={DRAIN: 4e-10, GATE: 1e-6},
        range_={DRAIN: 1e-9}, abort=True, delay=0.5,
    )  # fmt: skip
    assert not curve.complete
    assert curve.compliance.tolist() == [False] * (len(curve.set) - 1) + [True]
    assert curve.set[-1] < 3.0


def test_autorange_follows_a_current_that_grows_while_the_range_settles(bench: Make) -> None:
    """Traps fill during the 3 s of the 10 pA range: the reading goes one range up instead of overflowing."""
    world = bench()
    curve = world.b.sweep(
        GATE, start=15, stop=0, points=5, measured=[DRAIN], bias={DRAIN: 2.0}, compliance=1e-6, abort=True
    )
    assert curve.complete
    assert not curve.overflow.any()
    assert curve.amps[DRAIN][1] < 11.5e-12 < curve.amps[DRAIN][2]  # read on 10 pA, found too large for it at the third
    assert curve.time[2] - curve.time[1] > 3.2


# -- spot and samples ------------------------------------------------------------------------------------------------


def test_spot(bench: Make) -> None:
    world = bench()
    gate, drain = world.b.channel(GATE), world.b.channel(DRAIN)
    gate.configure_read(1e-6)
    drain.configure_read(1e-6, least=1e-9, nplc=2)
    gate.hold(-4.8)
    assert drain.source(2.0).level == 2.0
    world.clock.sleep(0.1)
    found = drain.measure()
    assert found.amps == pytest.approx(world.device.channel_current(2.0), rel=3e-3)
    assert found.volts == pytest.approx(2.0, abs=1e-3)
    assert not found.compliance
    drain.isolate()
    assert drain.is_on is False
    assert drain.relay_operations == 2


def test_samples_at_fixed_levels(bench: Make) -> None:
    world = bench()
    taken = world.b.sample(
        [DRAIN, GATE], 10, 0.1, bias={DRAIN: 2.0, GATE: -4.8}, hold=0.5, compliance=1e-6, range_=1e-8
    )
    assert np.diff(taken.time)[1:] == pytest.approx(0.1, abs=2e-4)
    assert taken.time[0] == pytest.approx(0.5, abs=0.01)
    assert taken.amps[DRAIN] == pytest.approx(world.device.channel_current(2.0), rel=3e-3)
    assert taken.volts[GATE].tolist() == [-4.8] * 10
    assert taken.complete


def test_samples_go_on_while_something_else_happens(bench: Make) -> None:
    world = bench()
    drain = world.b.channel(DRAIN)
    drain.configure_read(1e-6, range_=1e-8)
    drain.hold(2.0)
    drain.start_sample(10, 0.1)
    world.clock.sleep(0.55)
    world.library.circuit.ports["b1500.3"].drive(-4.8, 0.0, 1e-6)
    taken = drain.fetch_sample()
    assert taken.amps[DRAIN][2] < 0.2e-9
    assert taken.amps[DRAIN][-1] > 1.0e-9


def test_samples_that_exceed_a_current_are_stopped(bench: Make) -> None:
    world = bench()
    taken = world.b.sample(
        [DRAIN], 100, 1.0, bias={DRAIN: 2.0, GATE: -4.8}, compliance=1e-6, range_=1e-8, abort_above=0.5e-9
    )
    assert not taken.complete
    assert 1 <= len(taken.time) < 5


# -- bias ------------------------------------------------------------------------------------------------------------


def test_forty_volts_for_ninety_seconds(bench: Make) -> None:
    """Row 12 of the anchor table; F21: timed inside the instrument."""
    world = bench()
    before = world.clock.now
    done = world.b.bias(GATE, 40.0, 90.0, ramp=0.4, compliance=1e-7, abort_above=1e-9, grounded=[DRAIN])
    assert done.complete
    assert done.stop - done.start == pytest.approx(90.0, abs=1e-3)
    assert world.clock.now - before == pytest.approx(90.8, abs=0.1)
    assert before + 0.4 < done.start < before + 0.6
    assert world.device.deep == pytest.approx(3.53, abs=0.01)
    assert done.amps == pytest.approx(8e-12, abs=1e-12)
    assert done.max_current == pytest.approx(8e-12, abs=1e-12)
    assert done.time[0] > done.start
    assert done.time[-1] < done.stop
    assert world.volts("gate") == 0.0
    assert world.volts("drain") == 0.0
    curve = transfer(world.b)
    assert curve.amps[DRAIN][181] - curve.amps[DRAIN][60] == pytest.approx(-0.477e-9, abs=0.015e-9)


@pytest.mark.parametrize("duration", [0.01, 0.1, 0.5, 3.0])
def test_short_biases_keep_their_time(bench: Make, duration: float) -> None:
    world = bench()
    done = world.b.bias(GATE, 5.0, duration)
    assert done.stop - done.start == pytest.approx(duration, abs=1e-3 if duration > 0.1 else 0.01)
    assert done.complete
    if duration > 0.05:
        assert len(done.amps) >= 1


@pytest.mark.parametrize("discards", [True, False])
def test_leaky_gate_ends_the_bias(bench: Make, discards: bool) -> None:
    """4 nA through 10 Gohm: the level is left at once, ramped, whatever AB does to waiting commands."""
    world = bench("noise=false&parameters.r_gate=1e10&options.b1500.abort_discards_queue=" + str(discards).lower())
    before = world.clock.now
    done = world.b.bias(GATE, 40.0, 90.0, ramp=0.4, abort_above=1e-9)
    assert not done.complete
    assert "more than 1e-09 A" in done.reason
    assert done.max_current == pytest.approx(4e-9, rel=0.05)
    assert world.clock.now - before < 5.0
    assert world.volts() == 0.0
    assert world.device.deep < 0.5


def test_a_gate_beyond_the_range_ends_the_bias(bench: Make) -> None:
    world = bench("noise=false&parameters.r_gate=1e8")
    done = world.b.bias(GATE, 40.0, 90.0, compliance=1e-6, abort_above=1e-9)
    assert not done.complete
    assert done.max_current == np.inf


def test_bias_ends_by_itself_when_the_host_dies(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = bench()

    def die(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(B1500A, "stream", die)
    with pytest.raises(KeyboardInterrupt):
        world.b.bias(GATE, 40.0, 30.0, ramp=0.4)
    world.clock.sleep(10.0)
    assert world.volts() == 40.0
    world.clock.sleep(30.0)
    assert world.volts() == 0.0


def test_limited_gate_slews(bench: Make) -> None:
    """F20: with 1 nA the gate is nowhere near 40 V when the bias is over, and the readings say so."""
    world = bench()
    done = world.b.bias(GATE, 40.0, 5.0, compliance=1e-9)
    assert world.library.true_extremes()["gate"] < 20.0
    assert (done.status & 1).all()


# -- limits of the bench ---------------------------------------------------------------------------------------------


def test_forty_volts_do_not_go_through_an_rsu(bench: Make) -> None:
    """F18: refused by the driver, with the rule; straight on the gate it goes."""
    world = bench(name="aab", rsu=[GATE, DRAIN])
    with pytest.raises(SettingError, match="cannot pass the RSU"):
        world.b.bias(GATE, 40.0, 90.0)
    with pytest.raises(SettingError, match="cannot pass the RSU"):
        world.b.sweep(GATE, start=0, stop=30, points=4, compliance=1e-6)
    world.library.bench.plug("b1500.5")
    assert world.b.bias("5", 40.0, 1.0, grounded=[DRAIN]).complete
    assert world.library.true_extremes()["gate"] == 40.0


def test_open_interlock_refuses_above_42_volts(bench: Make) -> None:
    """F19."""
    world = bench("noise=false&faults.interlock_open=[b1500]")
    assert not world.b.interlock_closed
    assert world.b.bias(GATE, 40.0, 1.0).complete
    with pytest.raises(SettingError, match="interlock closed"):
        world.b.bias(GATE, 45.0, 1.0)
    assert world.volts() == 0.0


def test_interlock_that_opens_during_a_bias_is_reported(bench: Make) -> None:
    world = bench()
    world.clock.call_at(5.0, lambda: world.library.bench.instruments["b1500"].set_interlock(False))
    with pytest.raises(InstrumentError) as alarm:
        world.b.bias(GATE, 45.0, 30.0)
    assert alarm.value.code == 290


# -- state -----------------------------------------------------------------------------------------------------------


def test_connecting_to_a_running_instrument_changes_no_output(bench: Make) -> None:
    world = bench()
    world.b.channel(GATE).source(3.0, 1e-6)
    world.b.channel(DRAIN).configure_read(1e-6, range_=1e-6)
    world.b.channel(DRAIN).start_sample(1000, 1.0)  # an interrupted program
    again = B1500A(ADDRESS, clock=world.clock, visa_library=world.library)
    assert world.volts() == 3.0
    assert again.channel(GATE).is_on
    assert not again.channel("5").is_on
    again.channel(GATE).configure_read(1e-6)
    assert again.channel(GATE).measure().volts == pytest.approx(3.0, abs=1e-3)


def test_safe_in_the_middle_of_a_sweep(bench: Make) -> None:
    world = bench()
    world.b.channel(DRAIN).source(2.0, 1e-6)
    world.b.channel(DRAIN).configure_read(1e-6, range_=1e-6)
    world.b.channel(DRAIN).start_sample(1000, 1.0)
    world.clock.sleep(3.0)
    for _ in range(2):
        world.b.safe()
        assert world.b.ask("*LRN? 0").strip() == "CL"
        assert not world.b.channel(DRAIN).is_on
    with pytest.raises(SettingError, match="no samples"):
        world.b.fetch_sample()


def test_reset_and_settings(bench: Make) -> None:
    world = bench()
    world.b.channel(GATE).source(3.0, 1e-6)
    found = world.b.settings()
    assert (found["3.on"], found["3.level"], found["3.function"]) == (True, 3.0, "voltage")
    assert found["3.module"] == "HRSMU"
    world.b.reset()
    assert world.b.settings()["3.on"] is False


def test_other_programs_settings_do_not_change_readings(bench: Make) -> None:
    world = bench()
    other: Any = world.manager.open_resource(ADDRESS, read_termination="\r\n", write_termination="\r\n")
    for line in (
        "FMT 13,1",
        "TSC 0",
        "CMM 4,3",
        "WT 5,5",
        "WM 2,2",
        "MM 1,3",
        "AIT 1,2,50",
        "CN 4",
        "MV 4,0,0,-1,1E-6",
    ):
        other.write(line)
    taken = world.b.sample([DRAIN], 3, 0.1, bias={DRAIN: 2.0, GATE: 0.0}, hold=0.2, compliance=1e-6, range_=1e-8)
    assert taken.amps[DRAIN] == pytest.approx(world.device.channel_current(2.0), rel=5e-3)
    assert np.diff(taken.time)[1:] == pytest.approx(0.1, abs=2e-4)


def test_lost_instrument_is_an_error_of_the_wire(bench: Make) -> None:
    world = bench("noise=false&faults.instrument_lost_after.b1500=1.0")
    with pytest.raises(world.b.exceptions):
        transfer(world.b)


def test_driver_is_a_wire_instrument_and_pymeasures(bench: Make) -> None:
    world = bench()
    assert isinstance(world.b, WireInstrument)
    assert world.b.smu1 is world.b.channel(GATE)
    assert world.b.smu1.meas_op_mode.name == "COMPLIANCE_SIDE"
    world.b.smu1.filter = True
    assert world.b.ask("*LRN? 30").strip() == "FL0,4,5,6;FL1,3"


# -- together with the fast unit -------------------------------------------------------------------------------------


def base(b: B1500A) -> float:
    """Base current: mean of ten readings at Vg = 0, Vds = 2 V, after 100 ms."""
    taken = b.sample([DRAIN], 10, 0.1, bias={DRAIN: 2.0, GATE: 0.0}, hold=0.1, compliance=1e-6, range_=1e-8, nplc=4)
    return float(taken.amps[DRAIN].mean())


def pulse(unit: B1530A) -> None:
    """+10 V for 10 ms on the gate by its fast unit, which then gives the terminal back."""
    unit.run({101: Program(((Pattern.pulse("set", 10.0, 10e-3, 1e-6, 1e-6, lead=1e-6), 1),))})
    unit.release(101)


@pytest.mark.parametrize(("seed", "noise"), [(1, False), (2, True), (3, True)])
def test_single_pulse_before_and_after_conditioning(bench: Make, seed: int, noise: bool) -> None:
    """Rows 8 and 13: +0.220 and -0.121 nA, SMUs and fast unit sharing the terminals through RSUs (F25 cancels)."""
    world = bench(f"seed={seed}&noise={str(noise).lower()}", name="aab", rsu=[GATE, DRAIN])
    unit = B1530A(ADDRESS, name="wgfmu", clock=world.clock, visa_library=world.library)
    tolerance = 0.02e-9 if noise else 0.01e-9
    before = base(world.b)
    pulse(unit)
    assert base(world.b) - before == pytest.approx(0.220e-9, abs=tolerance)
    world.b.channel(GATE).isolate()
    world.library.bench.plug("b1500.5")
    world.b.bias("5", 40.0, 90.0, ramp=0.4, abort_above=1e-9, grounded=[DRAIN])
    world.b.channel("5").isolate()
    world.library.bench.unplug("b1500.5")
    transfer(world.b)  # F23: straight after the bias all domains are filled
    before = base(world.b)
    pulse(unit)
    assert base(world.b) - before == pytest.approx(-0.121e-9, abs=tolerance)
    unit.safe()
    world.b.safe()
    assert world.volts("gate") == pytest.approx(0.0, abs=1e-6)
