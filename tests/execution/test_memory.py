"""What conditions ask of readings and sweeps."""

from __future__ import annotations

import numpy as np
import pytest

from labctl.execution.events import StopRun, Trace
from labctl.execution.memory import Memory, Reading
from labctl.plan import operations as o


def bell(cyclic: bool) -> Trace:
    """A bell at -5 V, and at +0.5 V on the way back."""
    up = np.linspace(-15, 15, 121)
    volts = np.concatenate([up, up[::-1]]) if cyclic else up
    centre = np.where(np.arange(volts.size) < up.size, -5.0, 0.5)
    amps = 1e-9 * np.exp(-(((volts - centre) / 3) ** 2))
    return {"set": volts, "current": amps}


@pytest.mark.parametrize("cyclic", [False, True])
def test_the_peak_of_a_sweep_is_that_of_its_forward_branch(cyclic: bool) -> None:
    memory = Memory()
    memory.keep_curve("transfer", 3, bell(cyclic))
    assert memory.figure(o.Condition("transfer", "peak_voltage"), "here") == pytest.approx(-5.0, abs=0.02)
    assert memory.figure(o.Condition("transfer", "peak_current"), "here") == pytest.approx(1e-9, rel=1e-3)


def test_di0_is_backward_minus_forward() -> None:
    memory = Memory()
    memory.keep_curve("transfer", 3, bell(True))
    expected = 1e-9 * (np.exp(-((0.5 / 3) ** 2)) - np.exp(-((5 / 3) ** 2)))
    assert memory.figure(o.Condition("transfer", "dI0"), "here") == pytest.approx(expected, rel=1e-6)


def test_a_reference_is_the_latest_before_the_reading() -> None:
    memory = Memory()
    for event, (name, value) in enumerate([("baseline", 4.0), ("after_reset", 5.0), ("after_pulse", 1.0)]):
        memory.keep(name, Reading(event, value, 0))
    memory.keep("after_reset", Reading(3, 7.0, 0))
    condition = o.Condition("after_pulse", against=("after_reset", "baseline"), below=o.Value(0.5))
    assert memory.figure(condition, "here") == pytest.approx(0.2)
    assert memory.holds(condition, {}, "here")


def test_no_reading_stops_and_nan_proves_nothing() -> None:
    memory = Memory()
    with pytest.raises(StopRun, match=r"p\.yaml:3:1: there is no earlier reading of r"):
        memory.latest(("r",), "p.yaml:3:1")
    memory.keep("r", Reading(0, float("nan"), 0))
    assert not memory.holds(o.Condition("r", below=o.Value(1e9)), {}, "here")
    assert not memory.holds(o.Condition("r", near=o.Value(1.0), within=o.Value(1.0)), {}, "here")
