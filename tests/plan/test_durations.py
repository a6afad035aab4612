"""Predicted durations beside virtual ones: every protocol of the catalogue, with few trials, on its simulated bench."""

from __future__ import annotations

import pytest

from labctl import api
from labctl.bench.opening import open_bench, visa_specification
from labctl.execution.events import Event
from labctl.execution.executor import Executor
from labctl.plan import operations as o
from labctl.plan.plan import Timing
from labctl.protocol.catalogue import catalogue
from labctl.store.flags import Flags

TOLERANCE = 0.05
#: where nearly all is reading at 0.1 V: what the resistances that a reading may meet leave open
READING = 0.01
MOSTLY_READING = {"hnno/spiking_probability", "hnno/state_hold", "hnno/statistics", "hnno/width_dependence"}
#: what is set so that a protocol runs in a fraction of a second of CPU
FEWER: dict[str, dict[str, str]] = {
    "aab/conditioned_pulse": {"duration": "5 s"},
    "aab/conditioned_train": {"duration": "5 s"},
    "aab/conditioning": {"duration": "5 s"},
    "aab/conditioning_map": {"levels": "[40 V]", "times": "[3 s]"},
    "aab/gaussian_synapse": {"times": "[3 s]"},
    "aab/integration_bursts": {"counts": "[1, 200]", "repeats": "2"},
    "aab/integration_envelope": {"trains": "2", "pulses": "500"},
    "aab/integration_high_current": {"pulses": "500"},
    "aab/non_plastic_state": {"rounds": "2"},
    "aab/paper_sequence": {"count": "3"},
    "aab/pulse_train": {"count": "5"},
    "aab/negative_pulses": {"count": "20", "positive": "10", "duration": "5 s"},
    "hnno/demo": {"trials": "1"},
    "hnno/endurance": {"bursts": "[1000, 10000]", "trials": "1", "fields": "[0.2 V/um]"},
    "hnno/noise_filtering": {"trials": "1", "fields": "[0.2 V/um]", "pulses": "31"},
    "hnno/repeatability": {"rounds": "2", "trials": "1"},
    "hnno/reset_calibration": {"trials": "1"},
    "hnno/return_to_initial": {"trials": "1", "fields": "[0.2 V/um]"},
    "hnno/self_sensitization": {"trials": "3"},
    "hnno/sensitized_states": {"trials": "1", "pulses": "2"},
    "hnno/spike_energy": {"trials": "3"},
    "hnno/spiking_probability": {"trials": "2"},
    "hnno/state_hold": {"trials": "1", "repeats": "3", "fields": "[0.2 V/um]"},
    "hnno/state_probability": {"trials": "1", "pulses": "2", "fields": "[0.2 V/um]"},
    "hnno/state_thresholds": {"trials": "1", "pulses": "2", "fields": "[0.2 V/um]"},
    "hnno/statistics": {"blocks": "2", "cycles": "3", "trials": "1", "fields": "[0.2 V/um]"},
    "hnno/stochastic_spiking": {"cycles": "6"},
    "hnno/width_dependence": {"trials": "1", "fields": "[0.2 V/um]"},
}
#: protocol, bench (None: its own), timing
OTHERWISE: list[tuple[str, str | None, Timing]] = [
    ("hnno/stochastic_spiking", "hnno_t1", "auto"),
    ("hnno/stochastic_spiking", "hnno_t2", "auto"),
    ("aab/transfer_curves", "aab_w2", "auto"),
    ("aab/negative_pulses", None, "host"),
    ("hnno/endurance", None, "host"),
    ("hnno/self_sensitization", None, "host"),
    ("hnno/spiking_probability", None, "host"),
    ("hnno/width_dependence", None, "host"),
]


@pytest.mark.parametrize(
    ("name", "bench", "timing"), [*((entry.name, None, "auto") for entry in catalogue()), *OTHERWISE]
)
def test_the_predicted_duration_is_the_virtual_one(name: str, bench: str | None, timing: Timing) -> None:
    """Within 5 % where nothing adapts; where something did (a search, a retry), inside the bounds of the plan."""
    allow = ["erase"] if name == "hnno/return_to_initial" else []
    ready = api.prepare(name, bench, overrides=FEWER.get(name, {}), allow=allow, timing=timing)
    specification = visa_specification(ready.bench, ready.bench_file, True, ready.plan.seed)
    adapts = any(isinstance(op, o.Until) for op in o.walk(ready.plan.ops))
    rows: dict[str, int] = {}
    with open_bench(ready.bench, specification, "a test") as opened:
        start = opened.clock.now
        for event in Executor(ready.plan, opened, lambda step, what: None).steps():
            if isinstance(event, Event):
                rows[event.kind] = rows.get(event.kind, 0) + 1
                adapts = adapts or bool(event.row["flags"] & Flags.RETRY)
        taken = opened.clock.now - start
    cost = ready.plan.cost
    assert cost.shortest <= taken * (1 + 1e-3)
    assert taken <= cost.longest * (1 + 1e-3)
    for table, count in rows.items():
        assert cost.fewest[table] <= count <= cost.most[table]
    if not adapts:
        near = READING if name in MOSTLY_READING and bench is None else TOLERANCE
        assert taken == pytest.approx(cost.duration, rel=near)
        assert rows == {table: count for table, count in cost.rows.items() if count}
