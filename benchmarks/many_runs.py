"""Analysis of many run files: wall time on this machine's cores and through a local Dask cluster, results compared.

One run of hnno/spiking_probability on the simulated bench (17 fields x ``--trials``) is the template; every other file
repeats it row by row through the recorder, with outcomes and resistances drawn from a threshold of its own, traces and
wire log as they are, so that no file is smaller than a real one. After ``--distinct`` files these are copied: making
files takes longer than analysing them. Nothing is kept from one file for another, so copies cost as much.

    python benchmarks/many_runs.py --files 2000 --trials 10 --folder /tmp/many
"""

from __future__ import annotations

import argparse
import shutil
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import labctl
from labctl.analysis.many import analyze_many, table_of
from labctl.store import Header, Recorder, event_tables

AUTOMATIC = ("event", "wire", "trace", "kind")


def template(folder: Path, trials: int) -> Any:
    done = labctl.run("hnno/spiking_probability", overrides={"trials": str(trials)}, seed=1, out=folder / "template")
    return labctl.load_run(done.path)


def header_of(run: Any, device: str) -> Header:
    import json

    kept = {f.name: run.meta[f.name] for f in fields(Header)}
    return Header(
        **kept | {"resolved": json.dumps(kept["resolved"]), "plan": json.dumps(kept["plan"]), "device": device}
    )


def vary(run: Any, path: Path, seed: int) -> None:
    """A run with the template's steps, and outcomes of a device of its own."""
    draws = np.random.default_rng(seed)
    v50, s = 4.2 + 0.06 * draws.normal(), 0.116 * np.exp(0.1 * draws.normal())
    tables = event_tables(loops={"field": "V/m"}, repeats=("trial",))
    parts = []
    for kind, table in run.tables.items():
        for trace, row in zip(
            table["trace"], table.drop(columns=list(AUTOMATIC), errors="ignore").to_dict("records"), strict=True
        ):
            parts.append((kind, row, run.traces[int(trace)] if trace >= 0 else None))
    order = np.concatenate([table["event"].to_numpy() for table in run.tables.values()])
    with Recorder.create(path, header_of(run, f"neuron-{seed % 100:02d}"), tables, sync_interval=None) as recorder:
        for message in run.wire.itertuples():
            recorder.wire(message.time, message.instrument, message.direction, message.data)
        for place in np.argsort(order, kind="stable"):
            kind, row, trace = parts[place]
            if kind == "spike":
                spiked = draws.random() < 1 / (1 + np.exp(-(row["field"] * 20e-6 - v50) / s))
                after = (80e3 if spiked else 400e3) * np.exp(0.05 * draws.normal())
                row |= {"value": int(spiked), "resistance": after, "ratio": after / row["reference"]}
            recorder.append(kind, row, trace)
        recorder.finish("complete")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--distinct", type=int, default=300)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--folder", type=Path, required=True)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    base = template(asked.folder, asked.trials)
    paths = [asked.folder / f"run_{number:05d}.h5" for number in range(asked.files)]
    for number, path in enumerate(paths):
        if path.exists():
            continue
        if number < asked.distinct:
            vary(base, path, number)
        else:
            shutil.copyfile(paths[number % asked.distinct], path)
    size = sum(path.stat().st_size for path in paths) / 1e6
    print(f"{len(paths)} files, {size:.0f} MB, {len(base.events)} events each", flush=True)

    sample = paths[:50]
    analyze_many(sample[:1], jobs=1)  # loads what it needs
    spent = time.process_time()
    analyze_many(sample, jobs=1)
    print(f"processor time per file: {(time.process_time() - spent) / len(sample) * 1e3:.0f} ms", flush=True)

    start = time.perf_counter()
    here = table_of(analyze_many(paths, jobs=2))
    print(f"2 processes: {time.perf_counter() - start:.1f} s, {len(here)} results", flush=True)

    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        start = time.perf_counter()
        there = table_of(analyze_many(paths, scheduler=cluster.scheduler_address))
        print(f"Dask, 2 workers: {time.perf_counter() - start:.1f} s, {len(there)} results", flush=True)
    pd.testing.assert_frame_equal(here.drop(columns="run"), there.drop(columns="run"), check_exact=True)
    print("identical")


if __name__ == "__main__":
    main()
