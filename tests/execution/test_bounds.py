"""The plan bounds what the circuit solves: the one graph of the bench file, read by both (design, section 2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl import prepare
from labctl.store import Run

STEPS = """
protocol: 1
title: bounds
measures: [H2]
bench: hnno
parameters:
  level: {value: 1 V}
  base: {value: 0 V}
  window: {value: 0.1 V}
steps:
  - read: {resistance: pd, as: before, window: $window}
  - pulse: {at: pd, level: $level, base: $base, width: 100 us}
  - train: {at: pd, level: $level, width: 10 us, gap: 20 us, count: 3}
  - read: {resistance: pd, as: after, window: $window}
"""


@pytest.mark.parametrize("bench", ["hnno", "hnno_t1", "hnno_t2"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(level=st.integers(-550, 550).filter(lambda n: abs(n) > 20), base=st.integers(-5, 5))
def test_no_node_leaves_the_envelope_of_its_plan(
    run_protocol: Callable[..., Run], tmp_path: Path, bench: str, level: int, base: int
) -> None:
    """Levels of 10 mV steps: every extreme that the circuit saw is inside the plan's envelope, to a millivolt."""
    path = tmp_path / "bounds.yaml"
    path.write_text(STEPS, encoding="utf-8")
    overrides = {"level": f"{level / 100} V", "base": f"{base / 100} V"}
    extent = prepare(path, bench, overrides=overrides).plan.envelope["pd"]
    run = run_protocol(path, bench, set=overrides)
    seen = run.tables["pulse"]["true_extreme"]
    assert len(seen) == 2
    assert seen.min() >= extent.low - 1e-3
    assert seen.max() <= extent.high + 1e-3
    assert abs(seen.to_numpy()).max() >= abs(level) / 100 - 0.01, "and the bound is no looser than the 50 ohm make it"
