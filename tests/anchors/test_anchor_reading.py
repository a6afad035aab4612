"""Anchors 12 and 13: the small I-V reads the resistance, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import anchor_model as model
import pytest
from anchor_bench import Measured

Measure = Callable[..., Measured]


@pytest.mark.parametrize(
    ("points", "errors"),
    [(21, (-0.018e-2, -0.44e-2, -1.7e-2, -6.7e-2)), (41, (-0.017e-2, -0.42e-2, -1.7e-2, -6.4e-2))],
)
def test_error_of_the_window(measure: Measure, points: int, errors: tuple[float, ...]) -> None:
    """Anchor 12, without noise: what curvature takes off R in windows of 0.1, 0.5, 1 and 2 V."""
    done = measure(
        "wide_window.yaml",
        seed=1,
        limits={"read_voltage": "2.2 V"},
        simulation={"noise": False},
        points=str(points),
    )
    found = [r.value / model.R_NS - 1 for r in done.all("resistance")]
    assert found == pytest.approx(errors, rel=0.04)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_resistance_of_both_states(measure: Measure, seed: int) -> None:
    """2a.5: 21 points, settled, noise on: within 0.2 % of the device's resistance (flicker: 0.02 %, ten sd)."""
    silent = measure("hnno/stochastic_spiking", seed=seed, cycles="10")
    spiking = measure("pushes.yaml", seed=seed, level="5.2 V", pulses="1")
    for done, state in ((silent, False), (spiking, True)):
        assert done.device["spiking"] is state
        jump = done.device["jump_s" if state else "jump_ns"]
        assert done.run.tables["resistance"]["value"].iloc[-1] == pytest.approx(
            model.resistance(state, done.device["spikes"], jump), rel=2e-3
        )


def test_a_thousand_reads_leave_the_device_as_it_is(measure: Measure) -> None:
    """Anchor 13: bit and sensitization after 1000 readings are those before, in both states."""
    for level, state in (("3.8 V", False), ("5.2 V", True)):
        before = measure("pushes.yaml", seed=2, level=level, pulses="1")
        after = measure("hnno/resistance_read", seed=2, on=before, readings="500")
        assert before.device["spiking"] is after.device["spiking"] is state
        assert after.device["spikes"] == before.device["spikes"]
        assert after.device["breakdown"] == before.device["breakdown"]
        assert after.sensitization == pytest.approx(before.sensitization, rel=3e-3)  # 1000 s of retention, tau 1e6 s
        values = after.run.tables["resistance"]["value"]
        assert values.std() / values.mean() < 1e-3
