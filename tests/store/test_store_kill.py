"""kill -9 at random moments: every event that the recorder acknowledged is there, in a file that opens or repairs."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from labctl.store import load_run
from labctl.store.files import journal_of
from labctl.store.repair import repair
from labctl.store.verify import verify

# The child makes one run after the other and prints "run event" after each acknowledgement, "run done" after each end.
CHILD = """
    import sys
    import h5py, numpy as np
    from labctl.store import Header, Recorder, event_tables
    for run in range(10000):
        recorder = Recorder.create(f"{sys.argv[1]}/{run}.h5", Header(protocol=""), event_tables())
        print(run, "started", flush=True)
        for i in range(40):
            recorder.wire(float(i), "smu", "write", b"*TRG")
            trace = {"voltage": np.full(21, float(i))} if i % 2 else None
            event = recorder.append("resistance", {"value": float(i), "name": f"text {i}"}, trace)
            print(run, event, flush=True)
        recorder.finish("complete")
        print(run, "done", flush=True)
"""
KILLS = 25


@pytest.mark.parametrize("seed", range(KILLS))
def test_kill_at_a_random_moment(tmp_path: Path, seed: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    first = child.stdout.readline()  # it is under way
    threading.Timer(random.Random(seed).uniform(0, 0.12), child.kill).start()
    lines = [first, *child.stdout]
    child.wait()
    acknowledged: dict[int, int] = {}
    done = set()
    for line in lines:
        if not line.endswith("\n"):
            continue
        run, what = line.split()
        acknowledged.setdefault(int(run), 0)
        if what == "done":
            done.add(int(run))
        elif what != "started":
            acknowledged[int(run)] = int(what) + 1
    assert acknowledged
    for run, count in acknowledged.items():
        path = tmp_path / f"{run}.h5"
        if run in done:
            assert not journal_of(path).exists()
        elif not path.exists() or journal_of(path).exists():
            assert len(load_run(path).events) >= count
            repair(path)
        found = load_run(path)
        table = found.tables["resistance"]
        assert count <= len(table) <= 40
        assert table["value"].tolist() == [float(i) for i in range(len(table))]
        assert table["name"].tolist() == [f"text {i}" for i in range(len(table))]
        assert all(found.traces[n]["voltage"].tolist() == [2.0 * n + 1] * 21 for n in range(len(table) // 2))
        assert verify(path).ok
