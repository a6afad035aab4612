"""A short run with something of everything, and what a reader must find of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.store import Column, Header, Recorder

TABLES = {
    "pulse": {"time": Column("f8", "s"), "level": Column("f8", "V"), "role": Column("str")},
    "resistance": {
        "time": Column("f8", "s"),
        "value": Column("f8", "ohm"),
        "name": Column("str"),
        "ok": Column("bool"),
    },
}


@dataclass
class ShortRun:
    """Acknowledged events with their traces, and the journal's size at each acknowledgement."""

    recorder: Recorder
    events: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def append(self, kind: str, row: dict[str, Any], trace: dict[str, Any] | None = None) -> None:
        number = self.recorder.append(kind, row, trace)
        assert number == len(self.events)
        self.events.append((kind, row, trace))
        self.sizes.append(self.recorder.journal.stat().st_size)

    def fill(self, trials: int, start: int = 0) -> None:
        for i in range(start, start + trials):
            self.recorder.wire(i + 0.1, "afg", "write", b"*TRG\n")
            self.append("pulse", {"time": float(i), "level": 0.5 * i, "role": "set"})
            points = {"voltage": np.linspace(0, 0.1, 3), "status": np.full(3, i, np.int32)}
            self.append("resistance", {"time": i + 0.5, "value": 1e5 + i, "name": f"after_{i} µ", "ok": True}, points)

    def check(self, run: Any, count: int) -> None:
        """``run`` has exactly the first ``count`` events, unchanged."""
        assert run.events["event"].tolist() == list(range(count))
        for number, (kind, row, trace) in enumerate(self.events[:count]):
            table = run.tables[kind]
            found = table[table["event"] == number].iloc[0]
            assert {name: found[name] for name in row} == row
            if trace is None:
                assert found["trace"] == -1
            else:
                arrays = run.traces[found["trace"]]
                assert list(arrays) == list(trace)
                assert all(np.array_equal(arrays[name], trace[name]) for name in trace)


@pytest.fixture
def short_run(tmp_path: Path) -> Callable[..., ShortRun]:
    """Factory: a run of ``trials`` pulses and readings, not yet finished."""

    def make(trials: int = 4, name: str = "run.h5", **header: Any) -> ShortRun:
        values = {"protocol": "protocol: 1\n", "title": "Short", "started": "2025-01-31T10:00:00+00:00", **header}
        run = ShortRun(Recorder.create(tmp_path / name, Header(**values), TABLES))
        run.fill(trials)
        return run

    return make
