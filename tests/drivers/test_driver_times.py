"""What drivers say that their calls take, beside the clock of simulated instruments: random calls in random order."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pyvisa

from drivers.b1500a import B1500A

SEEDS = range(3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_generator(driver_bench: Callable[..., Any], seed: int) -> None:
    draw = random.Random(seed)
    world = driver_bench("afg31000", model="AFG31052")
    afg, output = world.driver, world.driver.channel("1")
    times = afg.capabilities("AFG31052", "1")["timing"]["times"]()
    for _ in range(25):
        begun = world.clock.now
        match draw.choice(["pulse", "train", "waveform", "off", "hold"]):
            case "pulse":
                width, edge = draw.choice([10e-6, 100e-6, 1e-3]), draw.choice([None, 1e-6])
                output.prepare_pulse(draw.choice([-2.0, 3.0]), 0.0, width, edge, None, 1)
                predicted = times.pulses("1", width, edge, None, 1)
                play(world, afg, output)
            case "train":
                width, count = draw.choice([10e-6, 100e-6]), draw.choice([2, 50])
                output.prepare_pulse(3.0, 0.0, width, None, 1e-3, count)
                predicted = times.pulses("1", width, None, 1e-3, count)
                play(world, afg, output)
            case "waveform":
                top, count = draw.choice([1.0, 2.0]), draw.choice([1, 7])
                output.prepare_waveform([0, 1e-3, 2e-3], [0, top, 0], 4e-3, count)
                predicted = times.waveform("1", top, 4e-3, count)
                play(world, afg, output)
            case "off":
                output.isolate()
                predicted = times.isolate("1")
            case "hold":
                output.hold(0.0, 1e-3)
                predicted = times.hold("1", 0.0, 1e-3)
        assert predicted == pytest.approx(world.clock.now - begun, rel=1e-6, abs=1e-9)


def play(world: Any, afg: Any, output: Any) -> None:
    output.output(True)
    afg.trigger()
    world.clock.sleep(output.burst_duration)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("resistance", [3e3, 80e3, 2e7])
def test_a_source_measure_unit(driver_bench: Callable[..., Any], seed: int, resistance: float) -> None:
    """Autorange included: which ranges it takes follows from the resistance."""
    draw = random.Random(seed)
    world = driver_bench("keithley2636b", resistance=resistance)
    smu, channel = world.driver, world.driver.channel("a")
    times = smu.capabilities()["timing"]["times"]()
    for _ in range(8):
        begun = world.clock.now
        match draw.choice(["read", "read", "read", "line", "isolate", "hold"]):
            case "read":
                window, points = draw.choice([0.05, 0.1, 0.15, 1.0]), draw.choice([1, 11, 21])
                levels = [window * (2 * k / max(points - 1, 1) - 1) for k in range(points)]
                setup = {
                    "range_": draw.choice([None, None, 1e-3]),
                    "nplc": draw.choice([0.1, 1.0]),
                    "delay": draw.choice([None, 1e-3]),
                    "least": draw.choice([1e-7, 1e-6]),
                }
                dwell = draw.choice([0.0, 10e-3])
                channel.configure_read(1e-3, **setup)
                channel.sweep(levels, dwell=dwell)
                predicted = times.read("a", tuple(levels), resistance, compliance=1e-3, dwell=dwell, **setup)
            case "line":
                smu.line(3, draw.choice([0, 1]))
                predicted = times.line()
            case "isolate":
                channel.isolate()
                predicted = times.isolate("a")
            case "hold":
                level = draw.choice([0.0, 0.1])
                channel.hold(level, 1e-3)
                predicted = times.hold("a", level, 1e-3)
        # a range may be tried once more while the cable's charge leaves the meter (F11)
        assert predicted == pytest.approx(world.clock.now - begun, rel=0.05, abs=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_analyzer(seed: int) -> None:
    """On fixed ranges: what the device draws does not matter."""
    draw = random.Random(seed)
    manager = pyvisa.ResourceManager("aab_w2@labctl")
    clock = manager.visalib.clock
    b = B1500A("GPIB0::17::INSTR", name="b1500", clock=clock, visa_library=manager.visalib)
    times = b.capabilities()["timing"]["times"](50.0)
    for _ in range(10):
        begun = clock.now
        range_, nplc = dict.fromkeys(["3", "4"], draw.choice([1e-8, 1e-7, 1e-6])), draw.choice([0.1, 1.0, 2.0])
        common: dict[str, Any] = {"bias": {"4": 2.0}, "compliance": {"3": 1e-6, "4": 1e-6}, "range_": range_}
        match draw.choice(["sweep", "sample", "bias", "isolate", "hold"]):
            case "sweep":
                levels = draw.choice([[0.0, 0.25], [0.25 * k for k in range(9)], [1.0, -2.0, 0.0, 3.0]])
                timing = {"hold": draw.choice([0.0, 0.2]), "delay": draw.choice([0.0, 5e-3])}
                timing |= {"dwell": draw.choice([0.0, 0.1, 0.3]), "nplc": nplc}
                measured, cyclic = draw.choice([["3"], ["4", "3"]]), draw.choice([True, False])
                b.sweep("3", levels, mode="cyclic" if cyclic else "single", measured=measured, **common, **timing)
                predicted = times.sweep(
                    "3", levels, cyclic=cyclic, measured=measured, resistance=1e9, **common, **timing
                )
            case "sample":
                points, interval = draw.choice([1, 10]), draw.choice([20e-3, 0.1, 0.5])
                hold = draw.choice([0.0, 0.1])
                b.sample(["4"], points, interval, hold=hold, nplc=nplc, **common)
                predicted = times.sample(["4"], points, interval, resistance=1e9, hold=hold, nplc=nplc, **common)
            case "bias":
                level, duration, ramp = draw.choice([10.0, -40.0]), draw.choice([1.0, 30.0]), draw.choice([0.0, 0.2])
                asked: dict[str, Any] = {"ramp": ramp, "grounded": ["4"], "compliance": 1e-7, "abort_above": 1e-9}
                b.bias("3", level, duration, **asked)
                predicted = times.bias("3", level, duration, **asked)
            case "isolate":
                b.channel("4").isolate()
                predicted = times.isolate("4")
            case "hold":
                b.channel("4").hold(1.0, 1e-6)
                predicted = times.hold("4", 1.0, 1e-6)
        assert predicted == pytest.approx(clock.now - begun, rel=0.05, abs=1e-4)
    manager.close()


@pytest.mark.parametrize("seed", range(3))
def test_no_point_of_a_sweep_lasts_longer_than_its_bound(seed: int) -> None:
    """Fixed ranges and autorange, on both channels of a transistor that draws from nothing to its compliance."""
    draw = random.Random(seed)
    manager = pyvisa.ResourceManager("aab_w2@labctl")
    b = B1500A("GPIB0::17::INSTR", name="b1500", clock=manager.visalib.clock, visa_library=manager.visalib)
    times = b.capabilities()["timing"]["times"](50.0)
    for _ in range(6):
        levels = draw.choice([[0.5 * k - 6 for k in range(9)], [1.0, -2.0, 0.0, 3.0], [0.5, 1.0, 2.0, 4.0]])
        asked: dict[str, Any] = {
            "measured": draw.choice([["3"], ["4", "3"], ["3", "4"]]),
            "bias": {"4": draw.choice([0.0, 2.0])},
            "compliance": {"3": 1e-7, "4": draw.choice([1e-9, 1e-6])},
            "range_": {"3": draw.choice([None, 1e-8, 1e-7]), "4": draw.choice([None, 1e-9, 1e-7])},
            "nplc": draw.choice([0.1, 1.0]),
            "hold": draw.choice([0.0, 0.2]),
            "delay": draw.choice([0.0, 5e-3]),
            "dwell": draw.choice([0.0, 0.1]),
        }
        cyclic = draw.choice([True, False])
        curve = b.sweep("3", levels, mode="cyclic" if cyclic else "single", **asked)
        most = times.stays("3", levels, cyclic=cyclic, **asked)
        assert len(curve.time) == len(most)
        # a time stamp is told in steps of 0.1 ms
        assert (np.diff(curve.time, prepend=0.0) <= np.array(most) + 1e-4).all()
    manager.close()
