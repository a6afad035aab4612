"""What recording costs: ways to have an event on disk, journal to run file, run file to tables.

    python benchmarks/store.py [rows]

The figures in docs/run_file.md come from here. Files go to the folder of temporary files: TMPDIR chooses the disk.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from labctl.store import Header, Recorder, event_tables, load_run
from labctl.store.verify import verify

ROW = {
    "time": 1e-3, "step": 3, "state": "initial", "field": 1.9e5, "field_index": 3, "trial": 17, "terminal": "pd",
    "role": "set", "level": 1.9, "width": 1e-4, "base": 0.0, "count": 1, "period": 1e-3, "set_high": 1.9,
    "set_low": 0.0, "reported_high": 1.9, "reported_low": 0.0, "true_extreme": 1.9, "flags": 0,
}  # fmt: skip
TABLES = event_tables({"field": "V/m"})
RECORD = np.dtype([(n, "S8" if c.dtype == "str" else c.stored) for n, c in TABLES["pulse"].items()])


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def journal(folder: Path, n: int, sync_interval: float | None = 5.0) -> float:
    with Recorder.create(folder / "journal.h5", Header(protocol=""), TABLES, sync_interval=sync_interval) as recorder:
        return seconds(lambda: [recorder.append("pulse", ROW) for _ in range(n)])


def journal_traces(folder: Path, n: int) -> float:
    points = {name: np.linspace(0, 1, 21) for name in ("set", "voltage", "current", "time")}
    with Recorder.create(folder / "traces.h5", Header(protocol=""), TABLES) as recorder:
        return seconds(lambda: [recorder.append("pulse", ROW, points) for _ in range(n)])


def wire(folder: Path, n: int) -> float:
    with Recorder.create(folder / "wire.h5", Header(protocol=""), TABLES) as recorder:
        return seconds(lambda: [recorder.wire(1.0, "smu", "write", b"smua.source.levelv = 1.9\n") for _ in range(n)])


def journal_fsync(folder: Path, n: int) -> float:
    with Recorder.create(folder / "fsync.h5", Header(protocol=""), TABLES, sync_interval=0.0) as recorder:
        return seconds(lambda: [recorder.append("pulse", ROW) for _ in range(n)])


def packed_row() -> np.ndarray:
    row = np.zeros(1, RECORD)
    for name, value in ROW.items():
        row[name] = value
    return row


def h5py_low_level(folder: Path, n: int, swmr: bool) -> float:
    """One compound dataset, the type kept, extended and flushed at each row."""
    row = packed_row()
    with h5py.File(folder / f"low{swmr}.h5", "w", libver="latest") as file:
        data = file.create_dataset("rows", (0,), RECORD, maxshape=(None,), chunks=(1024,)).id
        kind, one = h5py.h5t.py_create(RECORD), h5py.h5s.create_simple((1,))
        if swmr:
            file.swmr_mode = True

        def append() -> None:
            for i in range(n):
                data.set_extent((i + 1,))
                space = data.get_space()
                space.select_hyperslab((i,), (1,))
                data.write(one, space, row, kind)
                data.flush()

        return seconds(append)


def h5py_plain(folder: Path, n: int) -> float:
    """As most programs do it: resize, assign, flush."""
    row = packed_row()
    with h5py.File(folder / "plain.h5", "w") as file:
        data = file.create_dataset("rows", (0,), RECORD, maxshape=(None,), chunks=(1024,))

        def append() -> None:
            for i in range(n):
                data.resize((i + 1,))
                data[i] = row[0]
                file.flush()

        return seconds(append)


def csv(folder: Path, n: int) -> float:
    line = ",".join(map(str, ROW.values()))
    with (folder / "rows.csv").open("w") as file:

        def append() -> None:
            for _ in range(n):
                file.write(line + "\n")
                file.flush()

        return seconds(append)


def ways(folder: Path) -> None:
    print(f"\n{'one event on disk (kill -9 safe where flushed)':58}{'us/event':>9}")
    table: list[tuple[str, Callable[[Path, int], float], int]] = [
        ("journal, one os.write (labctl)", journal, 50_000),
        ("journal, with a trace of 4 x 21 points", journal_traces, 20_000),
        ("journal, fdatasync at each event (power cut safe)", journal_fsync, 300),
        ("journal, a message of the wire log", wire, 50_000),
        ("h5py low level, SWMR, flush per row", lambda f, n: h5py_low_level(f, n, True), 3_000),
        ("h5py low level, no SWMR, flush per row", lambda f, n: h5py_low_level(f, n, False), 3_000),
        ("h5py plain, flush per row", h5py_plain, 1_000),
        ("CSV line, formatted before, flush per row", csv, 50_000),
    ]
    for name, way, n in table:
        print(f"{name:58}{way(folder, n) / n * 1e6:9.1f}")


def blocks(folder: Path, n: int) -> None:
    """``n`` rows of 23 columns: written as blocks and one by one, to a run file, and read again."""
    title = f"{n} rows of {len(TABLES['pulse']) + 3} columns"
    print(f"\n{title:58}{'rows/s':>12}")
    rng = np.random.default_rng(1)
    columns = {name: value if isinstance(value, str | int) else rng.random(n) for name, value in ROW.items()}
    recorder = Recorder.create(folder / "blocks.h5", Header(protocol=""), TABLES)
    rates = {"in blocks (extend) to the journal": seconds(lambda: recorder.extend("pulse", columns))}
    rates["in blocks: journal to run file"] = seconds(lambda: recorder.finish("complete"))
    single = Recorder.create(folder / "single.h5", Header(protocol=""), TABLES)
    rates["one by one (append) to the journal"] = seconds(lambda: [single.append("pulse", ROW) for _ in range(n)])
    rates["one by one: journal to run file"] = seconds(lambda: single.finish("complete"))
    path = folder / "blocks.h5"
    import pandas  # noqa: F401  its import is not part of reading

    rates["verify"] = seconds(lambda: verify(path))
    rates["load_run(...).events"] = seconds(lambda: load_run(path).events)
    for name, took in rates.items():
        print(f"{name:58}{n / took:12.0f}")
    raw = sum(np.dtype(column.stored).itemsize for column in TABLES["pulse"].values()) + 24
    print(f"{f'bytes per row in the run file ({raw} as packed values)':58}{os.path.getsize(path) / n:12.1f}")


def reading(folder: Path) -> None:
    recorder = Recorder.create(folder / "hundred.h5", Header(protocol=""), TABLES)
    for i in range(33_334):
        recorder.append("pulse", ROW)
        recorder.append("resistance", {"time": float(i), "value": 1e5, "name": "after_pulse", "terminal": "pd"})
        recorder.append("spike", {"value": i % 2, "name": "after_pulse"})
    path = recorder.finish("complete")
    small = Recorder.create(folder / "small.h5", Header(protocol=""), TABLES)
    for i in range(500):
        small.append("pulse", ROW)
        small.append("resistance", {"value": float(i)}, {"voltage": np.zeros(21), "current": np.zeros(21)})
    finish = seconds(lambda: small.finish("complete"))
    many = seconds(lambda: load_run(path).events)
    few = seconds(lambda: load_run(small.path).events)
    print(f"\n{'100,002 events of 3 kinds: load_run(...).events':58}{many * 1e3:9.0f} ms")
    print(f"{'1,000 events with 500 traces: finish':58}{finish * 1e3:9.0f} ms")
    print(f"{'1,000 events with 500 traces: load_run(...).events':58}{few * 1e3:9.0f} ms")
    print(f"{'1,000 events with 500 traces: run file':58}{os.path.getsize(small.path) / 1e3:9.0f} kB")


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    with tempfile.TemporaryDirectory() as folder:
        ways(Path(folder))
        blocks(Path(folder), rows)
        reading(Path(folder))


if __name__ == "__main__":
    main()
