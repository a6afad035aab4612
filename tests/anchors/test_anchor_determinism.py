"""Two runs with one seed agree in every event, every trace and every byte on the wires; another seed differs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from labctl.store import Run

SMALL = {
    "hnno/spiking_probability": {"fields": "[3.8 V, 4.2 V, 4.6 V]", "trials": "4", "order": "interleaved"},
    "hnno/endurance": {"bursts": "[1, 9, 9990]", "trials": "2"},
}


@pytest.mark.parametrize("protocol", SMALL)
def test_one_seed_one_run(run_protocol: Callable[..., Run], protocol: str) -> None:
    first, again, other = (run_protocol(protocol, set=SMALL[protocol], seed=seed) for seed in (3, 3, 4))
    assert first.path != again.path
    assert first.events.equals(again.events)
    assert first.wire.equals(again.wire)
    assert len(first.traces) == len(again.traces) > 10
    for number in range(len(first.traces)):
        one, same = first.traces[number], again.traces[number]
        assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not first.events.equals(other.events)
    assert not first.wire.equals(other.wire)
    assert list(first.events["kind"])[:4] == list(other.events["kind"])[:4], "the plan is the same"
