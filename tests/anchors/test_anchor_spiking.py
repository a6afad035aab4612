"""Anchors 1, 2, 3, 6 and 14: stochastic spiking, P(V), the initial threshold, the ratio of the two states.

Counts are compared with the 99 % binomial interval of the formula: each comparison fails for one seed in a hundred by
chance; thresholds with three standard errors (reference 2a.5): one in 370. Seeds are fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp

import anchor_model as model
import numpy as np
import pytest
from anchor_bench import Measured

Measure = Callable[..., Measured]


def test_three_levels_of_the_initial_state(measure: Measure) -> None:
    """Anchors 1 to 3 and 14: P(3.8), P(4.2), P(4.6) = 0.031, 0.49, 0.966; no failed reset; ratio 5."""
    done = measure("hnno/stochastic_spiking", seed=1, field="[3.8 V, 4.2 V, 4.6 V]", cycles="150")
    for level in (3.8, 4.2, 4.6):
        assert model.inside(*done.spikes("initial", level), model.probability(level)), level
    assert done.failed_resets == 0
    after = done.run.tables["spike"]
    spiking = after["resistance"][after["value"] == 1].to_numpy()
    silent = after["resistance"][after["value"] == 0].to_numpy()
    for values, nominal, jump in ((spiking, model.R_S, 0.08), (silent, model.R_NS, 0.04)):
        assert nominal * exp(-4 * jump) < values.min() < values.max() < nominal * exp(4 * jump)  # 4 sd of the jumps
    assert done.result("ratio").value == pytest.approx(5.0, rel=0.03)
    assert done.device["spikes"] == sum(done.spikes("initial", level)[0] for level in (3.8, 4.2, 4.6))


def test_probability_curve(measure: Measure) -> None:
    """Anchors 2 and 6, as H3 is shipped (17 voltages x 30): V50 4.203, s 0.116, V10 3.947 +- 0.09 V."""
    done = measure("hnno/spiking_probability", seed=1)
    assert done.result("threshold").value == pytest.approx(model.threshold(), abs=0.09)
    assert done.result("V50").value == pytest.approx(4.203, abs=0.06)
    assert done.result("slope").value == pytest.approx(0.116, rel=0.35)
    assert done.result("threshold").low < done.result("threshold").value < done.result("threshold").high
    levels = [r.at for r in done.all("probability")]
    assert levels == pytest.approx(list(np.linspace(3.4, 5.0, 17)))
    assert all(r.n == 30 for r in done.all("probability"))
