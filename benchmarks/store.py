"""What recording costs, beside others: events one by one and in blocks, journal to run file, run file to tables, bytes.

    python benchmarks/store.py [ways] [peers] [blocks] [size] [reading] [--rows 500000]

ways     one event on disk, by several mechanisms
peers    the same four numbers by labctl, PyMeasure, QCoDeS and h5py at their defaults, one by one and in blocks
blocks   labctl's own steps with rows of 22 columns
size     a run file beside the values that are in it: an H3 run, and a long run without messages
reading  opening and closing files

The figures in docs/run_file.md come from here. Files go to the folder of temporary files: TMPDIR chooses the disk.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
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
BLOCK = 10_000  # rows
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
    print(f"\n{'one event on disk (kill -9 safe where flushed)':58}{'us/event':>9}{'us of CPU':>12}")
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
        cpu = time.process_time()
        wall = way(folder, n)
        cpu = time.process_time() - cpu
        print(f"{name:58}{wall / n * 1e6:9.1f}{cpu / n * 1e6:12.1f}", flush=True)


def idle_cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process and its threads: waiting costs nothing."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peers(folder: Path, rows: int) -> None:
    """Opening and closing the file count; imports do not."""
    from peers import PEERS, nothing

    def quiet(work: Callable[[], object]) -> Callable[[], None]:
        def silent() -> None:
            with contextlib.redirect_stdout(None):
                work()

        return silent

    def place(name: str) -> Path:
        made = folder / f"peer {name}"
        made.mkdir()
        return made

    paced, loop = 5_000, idle_cpu(lambda: nothing(folder, 5_000, 1e-3, void))
    print(
        f"\n{'four numbers':20}{'us/event':>10}{'us of CPU/event':>17}{'the same at 1 kHz':>19}{'rows/s in blocks':>18}"
    )
    slow_ones = {"PyMeasure CSV": (5_000, 50_000), "QCoDeS SQLite": (5_000, 50_000), "h5py": (2_000, rows)}
    for name, peer in PEERS.items():
        single, many = slow_ones.get(name, (50_000, rows))
        quiet(partial(peer.rows, place(f"{name} warm"), 1, 0.0, void))()
        cpu = time.process_time()
        wall = seconds(quiet(partial(peer.rows, place(f"{name} single"), single, 0.0, void)))
        cpu = time.process_time() - cpu
        slow = idle_cpu(quiet(partial(peer.rows, place(f"{name} paced"), paced, 1e-3, void))) - loop
        block = seconds(quiet(partial(peer.blocks, place(f"{name} blocks"), many, BLOCK)))
        each = (wall / single, cpu / single, slow / paced)
        print(f"{name:20}{''.join(f'{took * 1e6:19.1f}' for took in each)}{many / block:19.0f}", flush=True)


def void(_: object) -> None:
    return None


def blocks(folder: Path, n: int) -> None:
    """``n`` rows of 22 columns: written in blocks and one by one, to a run file, and read again."""
    n -= n % BLOCK
    title = f"{n} rows of {len(TABLES['pulse']) + 3} columns"
    print(f"\n{title:58}{'rows/s':>12}{'per CPU second':>16}")
    rng = np.random.default_rng(1)
    columns = {name: value if isinstance(value, str | int) else rng.random(BLOCK) for name, value in ROW.items()}
    recorder = Recorder.create(folder / "blocks.h5", Header(protocol=""), TABLES)
    single = Recorder.create(folder / "single.h5", Header(protocol=""), TABLES)
    path = folder / "blocks.h5"
    import pandas  # noqa: F401  its import is not part of reading

    steps: dict[str, Callable[[], object]] = {
        f"in blocks of {BLOCK} (extend) to the journal: acknowledged": lambda: [
            recorder.extend("pulse", columns) for _ in range(n // BLOCK)
        ],
        "in blocks: journal to run file": lambda: recorder.finish("complete"),
        "one by one (append) to the journal": lambda: [single.append("pulse", ROW) for _ in range(n)],
        "one by one: journal to run file": lambda: single.finish("complete"),
        "verify": lambda: verify(path),
        "load_run(...).events": lambda: load_run(path).events,
    }
    for name, step in steps.items():
        cpu = time.process_time()
        took = seconds(step)
        cpu = time.process_time() - cpu
        print(f"{name:58}{n / took:12.0f}{n / cpu:16.0f}", flush=True)


def size(folder: Path, n: int) -> None:
    """Bytes of run files beside those of the values in them: rows as the tables have them, traces, messages."""
    from labctl import api

    n -= n % BLOCK
    rng = np.random.default_rng(1)
    columns = {name: value if isinstance(value, str | int) else rng.random(BLOCK) for name, value in ROW.items()}
    with Recorder.create(folder / "long.h5", Header(protocol=""), TABLES) as recorder:
        for _ in range(n // BLOCK):
            recorder.extend("pulse", columns)
        recorder.finish("complete")
    files = {f"{n} rows in blocks": folder / "long.h5"}
    for name in ("hnno/spiking_probability", "hnno/resistance_read", "aab/pulse_train"):
        files[name] = api.run(api.prepare(name), out=folder / "size").path
    heads = ("rows", "traces", "messages", "file", "no messages", "its ratio", "whole ratio")
    print(f"\n{'kB':28}{''.join(f'{head:>12}' for head in heads)}")
    for name, path in files.items():
        with load_run(path).content() as content, h5py.File(path, locking=False) as file:
            layouts = content.identity.layouts
            rows = sum(content.rows(k.index, 0, content.count(k.index)).nbytes for k in layouts)
            traces = sum(len(content.trace(i)) for i in range(content.counts.traces))
            messages = sum(len(content.wire(i)) for i in range(content.counts.wires))
            log = sum(item.id.get_storage_size() for item in file["entry/wire"].values())
        whole, without = os.path.getsize(path), os.path.getsize(path) - log
        kilobytes = (f"{part / 1e3:12.1f}" for part in (rows, traces, messages, whole, without))
        ratios = f"{without / (rows + traces):12.2f}{whole / (rows + traces + messages):12.2f}"
        print(f"{name:28}{''.join(kilobytes)}{ratios}", flush=True)


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["ways", "peers", "blocks", "size", "reading"])
    parser.add_argument("--rows", type=int, default=500_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "ways" in given.parts:
            ways(folder)
        if "peers" in given.parts:
            peers(folder, given.rows)
        if "blocks" in given.parts:
            blocks(folder, given.rows)
        if "size" in given.parts:
            size(folder, given.rows)
        if "reading" in given.parts:
            reading(folder)


if __name__ == "__main__":
    main()
