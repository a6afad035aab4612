"""Spread of probabilities and resistances over the repeats of one run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from fake_run import FakeRun, Neuron, trial

from labctl.analysis import Result, analyze_run

ROUNDS, TRIALS = 4, 25


@pytest.fixture(scope="module")
def run() -> FakeRun:
    """Four rounds at 3.0 (never), 4.2 (half) and 5.4 V (always), and a block of trials outside the rounds."""
    made, device = FakeRun(meta={"device": "d"}), Neuron(seed=5)
    for turn in [*range(ROUNDS), -1]:
        for index, level in enumerate((3.0, 4.2, 5.4)):
            for number in range(TRIALS):
                made.loops = {"v": level, "v_index": index, "round": turn, "trial": number}
                trial(made, device, level)
    return made


def ask(run: FakeRun, **request: Any) -> list[Result]:
    return analyze_run(run, [{"request": "spread", "across": "round", "per": ["round"], **request}])


def test_probability_at_each_level(run: FakeRun) -> None:
    found = {(r.quantity, r.at): r for r in ask(run, quantity="probability", over="v")}
    assert sorted({at for _, at in found}) == [3.0, 4.2, 5.4]
    spikes = run.tables["spike"].query("round >= 0 and v == 4.2")["value"]
    middle = found["probability_mean", 4.2]
    assert middle.value == pytest.approx(spikes.mean())
    assert middle.low < 0.5 < middle.high
    shares = spikes.to_numpy().reshape(ROUNDS, TRIALS).mean(axis=1)
    assert found["probability_sd", 4.2].value == pytest.approx(np.std(shares, ddof=1))
    assert all(r.n == ROUNDS for r in found.values()), "trials outside the rounds are none of them"


def test_certain_outcomes_keep_an_open_mind(run: FakeRun) -> None:
    """No spike in 100 trials is no proof that there never is one; a deviation of 0 has no interval."""
    found = {(r.quantity, r.at): r for r in ask(run, quantity="probability", over="v")}
    never, always = found["probability_mean", 3.0], found["probability_mean", 5.4]
    assert (never.value, never.low) == (0, 0)
    assert never.high == pytest.approx(0.037, abs=0.001)  # Wilson, 0 of 100
    assert always.low == pytest.approx(1 - 0.037, abs=0.001)
    assert found["probability_sd", 3.0].value == 0
    assert math.isnan(found["probability_sd", 3.0].high)


def test_resistances_of_both_states(run: FakeRun) -> None:
    found = {(r.quantity, r.state): r for r in ask(run, quantity="resistance", of="after_pulse")}
    assert set(found) == {(f"resistance_{q}", s) for q in ("mean", "sd") for s in ("spiking", "non-spiking")}
    assert found["resistance_mean", "spiking"].value == pytest.approx(80e3, rel=0.05)
    assert found["resistance_mean", "non-spiking"].value == pytest.approx(400e3, rel=0.03)
    assert found["resistance_mean", "spiking"].n == ROUNDS
