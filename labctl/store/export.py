"""A run's tables and traces as CSV or Parquet, for tools that read no HDF5."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.store.errors import ExportError, storage_error
from labctl.store.reading import Run, load_run

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "parquet")


def export(path: str | Path, folder: str | Path, to: str = "csv") -> list[Path]:
    """Write a run's tables and return their paths. Earlier exports of the run are replaced.

    One file per table with rows, one per kind of trace (one row per point), the wire log, and what is known about the
    run as JSON, units among it. RunFileError; StorageError; ExportError: unknown format, or no pyarrow for Parquet.
    """
    if to not in FORMATS:
        raise ExportError(f"cannot export to {to!r}", f"Choose {' or '.join(FORMATS)}.")
    if to == "parquet" and find_spec("pyarrow") is None:
        raise ExportError("Parquet needs the package pyarrow, which is not installed", "pip install 'labctl[parquet]'")
    run = load_run(path)
    folder = Path(folder)
    stem = run.path.name.removesuffix(".journal").removesuffix(".h5")
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in _tables(run):
            target = folder / f"{stem}.{name}.{to}"
            if to == "csv":
                table.to_csv(target, index=False)
            else:
                table.to_parquet(target, index=False)
            written.append(target)
        about = folder / f"{stem}.meta.json"
        about.write_text(json.dumps(run.meta, indent=1, ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise storage_error(error, folder, "exporting") from error
    return [*written, about]


def _tables(run: Run) -> Iterator[tuple[str, pd.DataFrame]]:
    for kind, table in run.tables.items():
        if len(table):
            yield kind, table
    for kind in run.tables:
        traces = _traces(run, kind)
        if traces is not None:
            yield f"{kind}.traces", traces
    if len(run.wire):
        yield "wire", run.wire.assign(data=[message.decode("latin-1") for message in run.wire["data"]])


def _traces(run: Run, kind: str) -> pd.DataFrame | None:
    """All traces behind a kind of event, one row per point; None without any."""
    import numpy as np
    import pandas as pd

    numbers = run.tables[kind]["trace"]
    numbers = numbers[numbers >= 0]
    parts = [pd.DataFrame(run.traces[int(i)]) for i in numbers]
    if not parts:
        return None
    points = pd.concat(parts, ignore_index=True)
    points.insert(0, "trace", np.repeat(numbers.to_numpy(), [len(part) for part in parts]))
    return points
