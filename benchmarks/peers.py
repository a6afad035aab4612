"""The same rows recorded by labctl and by three others at their defaults; for durability.py and store.py."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: called with the number of rows recorded, when the call that records one has returned
Tell = Callable[[int], None]
COLUMNS = ("number", "time", "voltage", "resistance")


@dataclass(frozen=True)
class Peer:
    """rows: (folder, rows, pause after each, tell); blocks: (folder, rows, rows per block); found: rows on disk."""

    rows: Callable[[Path, int, float, Tell], None]
    blocks: Callable[[Path, int, int], None]
    found: Callable[[Path], int]


def row(number: int) -> dict[str, float]:
    return {"number": number, "time": number * 1e-3, "voltage": 0.1 + number * 1e-6, "resistance": 2.5e5 + number}


def block(start: int, size: int) -> dict[str, NDArray[np.float64]]:
    numbers = np.arange(start, start + size, dtype=float)
    return dict(zip(COLUMNS, (numbers, numbers * 1e-3, 0.1 + numbers * 1e-6, 2.5e5 + numbers), strict=True))


def one_by_one(rows: int, pause: float, tell: Tell, put: Callable[[int], object]) -> None:
    for number in range(rows):
        put(number)
        tell(number + 1)
        if pause:
            time.sleep(pause)


def nothing(folder: Path, rows: int, pause: float, tell: Tell) -> None:
    """What the loop itself costs."""
    one_by_one(rows, pause, tell, row)


# --- labctl -------------------------------------------------------------------


def labctl_rows(folder: Path, rows: int, pause: float, tell: Tell) -> None:
    from labctl.store import Column, Header, Recorder

    tables = {"reading": {name: Column("f8") for name in COLUMNS}}
    with Recorder.create(folder / "rows.h5", Header(protocol=""), tables) as recorder:
        one_by_one(rows, pause, tell, lambda number: recorder.append("reading", row(number)))
        recorder.finish("complete")


def labctl_blocks(folder: Path, rows: int, size: int) -> None:
    from labctl.store import Column, Header, Recorder

    tables = {"reading": {name: Column("f8") for name in COLUMNS}}
    with Recorder.create(folder / "rows.h5", Header(protocol=""), tables) as recorder:
        for start in range(0, rows, size):
            recorder.extend("reading", block(start, size))
        recorder.finish("complete")


def labctl_found(folder: Path) -> int:
    from labctl.store import load_run

    return len(load_run(folder / "rows.h5").events)


# --- PyMeasure ----------------------------------------------------------------


def pymeasure_worker(folder: Path, work: Callable[[Callable[..., None]], None]) -> None:
    from pymeasure.experiment import Procedure, Results
    from pymeasure.experiment.workers import Worker

    class Rows(Procedure):  # type: ignore[misc]
        DATA_COLUMNS = [*COLUMNS]  # noqa: RUF012 - PyMeasure's form

        def execute(self) -> None:
            work(self.emit)

    worker = Worker(Results(Rows(), str(folder / "rows.csv")))
    worker.start()
    worker.join(timeout=600)


def pymeasure_rows(folder: Path, rows: int, pause: float, tell: Tell) -> None:
    pymeasure_worker(folder, lambda emit: one_by_one(rows, pause, tell, lambda number: emit("results", row(number))))


def pymeasure_blocks(folder: Path, rows: int, size: int) -> None:
    def work(emit: Callable[..., None]) -> None:
        for start in range(0, rows, size):
            emit("batch results", block(start, size))

    pymeasure_worker(folder, work)


def pymeasure_found(folder: Path) -> int:
    lines = (folder / "rows.csv").read_text().splitlines()
    data = [line for line in lines if not line.startswith("#")][1:]
    return sum(line.count(",") == len(COLUMNS) - 1 for line in data)


# --- QCoDeS -------------------------------------------------------------------


@contextlib.contextmanager
def qcodes_saver(folder: Path):  # type: ignore[no-untyped-def]
    from qcodes.dataset import Measurement, initialise_or_create_database_at, load_or_create_experiment

    initialise_or_create_database_at(str(folder / "rows.db"))
    measurement = Measurement(exp=load_or_create_experiment("rows", "device"))
    for name in COLUMNS:
        measurement.register_custom_parameter(name)
    with measurement.run() as saver:
        yield saver


def qcodes_rows(folder: Path, rows: int, pause: float, tell: Tell) -> None:
    with qcodes_saver(folder) as saver:
        one_by_one(rows, pause, tell, lambda number: saver.add_result(*row(number).items()))


def qcodes_blocks(folder: Path, rows: int, size: int) -> None:
    with qcodes_saver(folder) as saver:
        for start in range(0, rows, size):
            saver.add_result(*block(start, size).items())


def qcodes_found(folder: Path) -> int:
    import sqlite3

    with contextlib.closing(sqlite3.connect(folder / "rows.db")) as database:
        tables = database.execute("SELECT result_table_name FROM runs").fetchall()
        return int(database.execute(f'SELECT COUNT(*) FROM "{tables[0][0]}"').fetchone()[0]) if tables else 0


# --- h5py ---------------------------------------------------------------------


def h5py_rows(folder: Path, rows: int, pause: float, tell: Tell) -> None:
    import h5py

    with h5py.File(folder / "rows.h5", "w") as file:
        data = [file.create_dataset(name, (0,), "f8", maxshape=(None,)) for name in COLUMNS]

        def put(number: int) -> None:
            for dataset, value in zip(data, row(number).values(), strict=True):
                dataset.resize((number + 1,))
                dataset[number] = value

        one_by_one(rows, pause, tell, put)


def h5py_blocks(folder: Path, rows: int, size: int) -> None:
    import h5py

    with h5py.File(folder / "rows.h5", "w") as file:
        data = {name: file.create_dataset(name, (0,), "f8", maxshape=(None,), chunks=(size,)) for name in COLUMNS}
        for start in range(0, rows, size):
            for name, values in block(start, size).items():
                data[name].resize((start + size,))
                data[name][start:] = values
            file.flush()


def h5py_found(folder: Path) -> int:
    import h5py

    with h5py.File(folder / "rows.h5", "r") as file:
        return min(len(file[name]) for name in COLUMNS)


PEERS = {
    "labctl": Peer(labctl_rows, labctl_blocks, labctl_found),
    "PyMeasure CSV": Peer(pymeasure_rows, pymeasure_blocks, pymeasure_found),
    "QCoDeS SQLite": Peer(qcodes_rows, qcodes_blocks, qcodes_found),
    "h5py": Peer(h5py_rows, h5py_blocks, h5py_found),
}
