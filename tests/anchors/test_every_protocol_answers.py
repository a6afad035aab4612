"""Every shipped protocol answers what it is for: the quantities of its purpose, each with an interval or a verdict.

Few trials, one seed; what the numbers are worth is under test elsewhere (test_anchor_*.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from anchor_bench import Measured

from labctl.protocol.catalogue import catalogue

Measure = Callable[..., Measured]

FIELDS = {"fields": "{linspace: [3.6 V, 4.8 V, 5]}", "trials": "6"}
FIT = {"V50", "slope", "goodness_of_fit_p", "dispersion", "trend_z", "runs_z"}

#: protocol -> (settings, quantities that it must give)
ANSWERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "characterisation": ({}, {"resistance", "resistance_sd", "contact"}),
    "demo": ({"trials": "5"}, {"probability", *FIT, "threshold", "threshold_shift"}),
    "endurance": (
        {"bursts": "[1, 99]", "trials": "6"},
        {"probability", "threshold", "threshold_shift", "ratio"},
    ),
    "noise_filtering": (FIELDS, {"probability", "threshold", "threshold_shift"}),
    "polarity_check": ({"pairs": "4"}, {"contact", "ratio", "polarity"}),
    "prepare_state": ({}, {"resistance"}),
    "repeatability": (
        {**FIELDS, "rounds": "2"},
        {"probability", "threshold"}
        | {f"{what}_{which}" for what in ("threshold", "probability", "resistance") for which in ("mean", "sd")},
    ),
    "reset_calibration": (
        {"resets": "[-3.0 V, -3.8 V]", "trials": "8"},
        {"probability", "reliable_level"},
    ),
    "resistance_read": ({}, {"resistance", "resistance_sd"}),
    "return_to_initial": (FIELDS, {"probability", "threshold", "threshold_shift"}),
    "self_sensitization": ({"trials": "6"}, {"probability", "probability_shift"}),
    "sensitized_states": ({"trials": "6"}, {"probability", "probability_shift"}),
    "spike_energy": ({"trials": "6"}, {"probability", "energy", "switching_time"}),
    "spiking_probability": (FIELDS, {"probability", *FIT, "threshold"}),
    "state_hold": ({**FIELDS, "field": "3.7 V", "repeats": "8"}, {"probability", "probability_shift"}),
    "state_probability": ({**FIELDS, "accumulate": "3.8 V"}, {"probability", *FIT, "threshold"}),
    "state_thresholds": ({**FIELDS, "accumulate": "3.8 V"}, {"probability", "threshold", "threshold_shift"}),
    "statistics": (
        {**FIELDS, "field": "4.2 V", "blocks": "2", "cycles": "12"},
        {"resistance", "resistance_sd", "ratio", "probability", "threshold"}
        | {f"{what}_{which}" for what in ("probability", "resistance") for which in ("mean", "sd")},
    ),
    "stochastic_spiking": ({"cycles": "12"}, {"probability", "resistance", "resistance_sd", "ratio"}),
    "width_dependence": ({**FIELDS, "widths": "[100 us, 1 ms]"}, {"probability", *FIT, "V50_per_decade"}),
}


def test_no_protocol_is_forgotten() -> None:
    shipped = {entry.name.removeprefix("hnno/") for entry in catalogue() if entry.name.startswith("hnno/")}
    assert shipped == set(ANSWERS)


@pytest.mark.parametrize("name", ANSWERS)
def test_protocol_answers(measure: Measure, name: str) -> None:
    settings, quantities = ANSWERS[name]
    done = measure(f"hnno/{name}", seed=7, allow=("erase",) if name == "return_to_initial" else (), **settings)
    assert {r.quantity for r in done.results} == quantities
    assert not [r for r in done.results if r.method == "refused"]
    tests = {"goodness_of_fit_p", "dispersion", "trend_z", "runs_z", "reliable_level"}
    for result in done.results:
        told = math.isfinite(result.low) or math.isfinite(result.high)
        few = result.quantity.endswith(("_mean", "_sd")) and result.value == 0  # a deviation of 0 has no interval
        assert told or result.quantity in tests or few or result.note, result
        assert not math.isfinite(result.at) or result.at_unit or result.quantity == "ratio", result
    assert done.failed_resets == 0
