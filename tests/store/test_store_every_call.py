"""A run killed at the calls that touch a file, from its first to its last: nothing acknowledged is lost.

Every call while the run goes on, every ninth of the many that make the HDF5 file. The machinery is the benchmark's,
which leaves none out, and cuts whole runs of shipped protocols.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.store import Column, Header, Recorder, load_run

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="forks"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
TABLES = {"reading": {"value": Column("f8"), "name": Column("str")}}


@pytest.fixture(scope="module")
def durability() -> Any:
    file = Path(__file__).parents[2] / "benchmarks" / "durability.py"
    spec = importlib.util.spec_from_file_location("durability", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["durability"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def short_run(folder: Path) -> Callable[[Callable[[int], None]], None]:
    def work(tell: Callable[[int], None]) -> None:
        header = Header(protocol="protocol: 1", started="2025-01-31T10:00:00+00:00")
        folder.mkdir(exist_ok=True)
        with Recorder.create(folder / "run.h5", header, TABLES, sync_interval=None) as recorder:
            for number in range(4):
                recorder.wire(float(number), "smu", ">", b"*TRG\n")
                trace = {"current": np.arange(3.0) * number} if number % 2 else None
                recorder.append("reading", {"value": float(number), "name": f"text {number}"}, trace)
                tell(number + 1)
            recorder.finish("complete")

    return work


@pytest.mark.parametrize("half", [False, True], ids=["before", "halfway"])
def test_killed_at_the_calls_that_touch_a_file(durability: Any, tmp_path: Path, half: bool) -> None:
    short_run(tmp_path / "whole")(lambda number: None)
    reference = load_run(tmp_path / "whole" / "run.h5")
    tally = durability.Tally()
    told, was_killed, call = durability.Told(), True, 1
    while was_killed:
        place = tmp_path / f"cut{call}"
        told, was_killed = durability.killed(durability.cut_at(call, half, short_run(place)), 60.0)
        if was_killed:
            tally.kills += 1
            durability.judge(place, told, reference, tally)
        call += 1 if call < 20 else 9
    assert told.events == 4
    assert not tally.wrong
    assert (tally.lost, tally.unreadable) == (0, 0)
    assert tally.journals > 20
