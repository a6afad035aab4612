"""What a kill costs: labctl's run files beside PyMeasure's CSV, QCoDeS's SQLite and plain h5py, all at their defaults.

    python benchmarks/durability.py [cuts] [kills] [peers] [cost] [--kills 500] [--seed 1]

cuts    a short run, killed at every call that writes, syncs, links or removes a file: before it, and halfway through.
kills   SIGKILL at random moments over whole runs of shipped protocols, from the first instruction to the last.
        Every file that is left is opened, repaired if need be, verified, and compared bit for bit with the same run
        left alone. An event counts as acknowledged when the run has told its observer (``progress``).
peers   the same kills for the three others, a row per millisecond, acknowledged when their call has returned.
cost    microseconds per event appended.

POSIX only (fork). The figures in docs/validation.md come from here.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import select
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labctl import api, load_run
from labctl.store import Run, RunFileError
from labctl.store.compare import compare_records
from labctl.store.repair import repair
from labctl.store.sheet import GuardedFile
from labctl.store.verify import verify

Tell = Callable[[int], None]
PROTOCOLS: dict[str, dict[str, str]] = {
    "hnno/resistance_read": {},
    "hnno/characterisation": {},
    "hnno/prepare_state": {},
    "hnno/polarity_check": {},
    "hnno/spiking_probability": {"trials": "1"},
    "hnno/stochastic_spiking": {"cycles": "20"},
    "hnno/self_sensitization": {"trials": "2"},
}
SHORT = ("hnno/resistance_read", {"readings": "3", "points": "5"})
NUMBER = struct.Struct("<q")
LONG = 120.0  # s, longer than any run here


@dataclass
class Tally:
    """What was found after kills."""

    kills: int = 0
    before: int = 0  # killed before there was a file
    journals: int = 0
    finished: int = 0
    acknowledged: int = 0
    lost: int = 0
    unreadable: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills ({self.before} before the journal, {self.journals} left a journal, {self.finished} a "
            f"finished file); acknowledged events {self.acknowledged}, lost {self.lost}; "
            f"files that neither open nor repair {self.unreadable}; contents not as recorded {len(self.wrong)}"
        )


def killed(work: Callable[[Tell], None], delay: float, after: int = 0) -> tuple[int, bool]:
    """Do ``work`` in a forked process and kill it: the last number that it told, and whether it was killed.

    Killed ``delay`` s after it has told ``after``; counted from the start if that is 0.
    """
    inward, outward = os.pipe()
    write, leave = os.write, os._exit
    child = os.fork()
    if child == 0:
        os.close(inward)
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        with contextlib.suppress(BaseException):
            work(lambda number: void(write(outward, NUMBER.pack(number))))
        leave(0)
    os.close(outward)
    told, deadline = b"", time.monotonic() + (LONG if after else delay)
    while (left := deadline - time.monotonic()) > 0:
        if select.select([inward], [], [], left)[0]:
            data = os.read(inward, 1 << 16)
            if not data:
                break
            told = (told + data)[-(len(told + data) % NUMBER.size + NUMBER.size) :]
            if after and len(told) >= NUMBER.size and NUMBER.unpack_from(told)[0] >= after:
                after, deadline = 0, time.monotonic() + delay
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    while data := os.read(inward, 1 << 16):
        told = (told + data)[-(len(told + data) % NUMBER.size + NUMBER.size) :]
    os.close(inward)
    _, status = os.waitpid(child, 0)
    return (NUMBER.unpack_from(told)[0] if len(told) >= NUMBER.size else 0), os.WIFSIGNALED(status)


def void(_: object) -> None:
    return None


def run_in(folder: Path, ready: api.Prepared) -> Callable[[Tell], None]:
    """A whole run that tells the number of acknowledged events."""

    def work(tell: Tell) -> None:
        count = 0

        def progress(event: object) -> None:
            nonlocal count
            count += 1
            tell(count)

        api.run(ready, out=folder, progress=progress)

    return work


def judge(folder: Path, acknowledged: int, reference: Run, tally: Tally) -> None:
    """What a killed run left."""
    tally.acknowledged += acknowledged
    left = sorted(folder.glob("*.h5")) or sorted(folder.glob("*.h5.journal"))
    if not left:
        tally.before += 1
        tally.lost += acknowledged
        return
    path = left[0]
    try:
        if path.suffix == ".journal":
            tally.journals += 1
            as_journal = load_run(path)
            tally.lost += max(0, acknowledged - len(as_journal.events))
            path = repair(path).path
        else:
            tally.finished += 1
        run = load_run(path)
        findings = [f"{f.place}: {f.problem}" for f in verify(path).findings]
    except (RunFileError, OSError) as error:
        tally.unreadable += 1
        tally.lost += acknowledged
        tally.wrong.append(str(error))
        return
    tally.lost += max(0, acknowledged - len(run.events))
    findings += map(str, compare_records(run, reference, len(run.events)))
    if findings:
        tally.wrong.append("; ".join(findings[:3]))


def random_kills(folder: Path, kills: int, seed: int) -> Tally:
    generator = random.Random(seed)
    tally = Tally()
    references = {}
    for name, overrides in PROTOCOLS.items():
        ready = api.prepare(name, overrides=overrides)
        reference = load_run(api.run(ready, out=folder / "reference").path)
        references[name] = ready, reference
    number = 0
    while tally.kills < kills:
        ready, reference = references[list(references)[number % len(references)]]
        place = folder / f"kill{number}"
        # A moment drawn by progress, which a busy machine does not shift: 1 in 20 while the bench is opened, 3 in 20
        # after the last event, when outputs go off and the run file is made, the others up to 20 ms after an event.
        part, events = generator.random(), len(reference.events)
        after = 0 if part < 0.05 else events if part < 0.2 else generator.randint(1, events)
        delay = generator.uniform(0, 1.0) if part < 0.2 else generator.uniform(0, 0.02)
        told, was_killed = killed(run_in(place, ready), delay, after)
        number += 1
        if was_killed:
            tally.kills += 1
            judge(place, told, reference, tally)
            if tally.kills % 50 == 0:
                print(f"  {tally.kills}: lost {tally.lost}, unreadable {tally.unreadable}", file=sys.stderr, flush=True)
    return tally


def cut_at(call: int, half: bool, work: Callable[[Tell], None]) -> Callable[[Tell], None]:
    """``work``, dead at its ``call``-th call that changes a file: before it, or with half of the bytes written."""

    def cut(tell: Tell) -> None:
        count = 0
        write, write_file = os.write, GuardedFile.write

        def dying(function: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*arguments: Any) -> Any:
                nonlocal count
                count += 1
                if count == call:
                    if half and function in (write, write_file):
                        data = bytes(arguments[1])
                        function(arguments[0], data[: len(data) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments)

            return counted

        for name in ("write", "fsync", "fdatasync", "link", "unlink", "ftruncate"):
            setattr(os, name, dying(getattr(os, name)))
        setattr(GuardedFile, "write", dying(write_file))  # noqa: B010
        journal = sys.modules["labctl.store.journal"]
        setattr(journal, "_sync_data", dying(journal._sync_data))  # noqa: B010
        work(tell)

    return cut


def every_call(folder: Path) -> Tally:
    """A short run cut at every call, twice."""
    ready = api.prepare(SHORT[0], overrides=SHORT[1])
    reference = load_run(api.run(ready, out=folder / "short").path)
    tally = Tally()
    for half in (False, True):
        call = 1
        while True:
            place = folder / f"cut{call}{half}"
            told, was_killed = killed(cut_at(call, half, run_in(place, ready)), LONG)
            if not was_killed:
                break
            tally.kills += 1
            judge(place, told, reference, tally)
            call += 1
    return tally


# --- the others ---------------------------------------------------------------

COLUMNS = ("number", "time", "voltage", "resistance")
Peer = tuple[Callable[[Path, int, float, Tell], None], Callable[[Path], int]]


def row(number: int) -> dict[str, float]:
    return {"number": number, "time": number * 1e-3, "voltage": 0.1 + number * 1e-6, "resistance": 2.5e5 + number}


def labctl_rows(folder: Path, rows: int, pause: float, tell: Tell) -> None:
    from labctl.store import Column, Header, Recorder

    tables = {"reading": {name: Column("f8") for name in COLUMNS}}
    with Recorder.create(folder / "rows.h5", Header(protocol=""), tables) as recorder:
        for number in range(rows):
            recorder.append("reading", row(number))
            tell(number + 1)
            time.sleep(pause) if pause else None


def labctl_found(folder: Path) -> int:
    return len(load_run(folder / "rows.h5").events)


def pymeasure_rows(folder: Path, rows: int, pause: float, tell: Tell) -> None:
    from pymeasure.experiment import Procedure, Results
    from pymeasure.experiment.workers import Worker

    class Rows(Procedure):  # type: ignore[misc]
        DATA_COLUMNS = [*COLUMNS]  # noqa: RUF012 - PyMeasure's form

        def execute(self) -> None:
            for number in range(rows):
                self.emit("results", row(number))
                tell(number + 1)
                time.sleep(pause) if pause else None

    worker = Worker(Results(Rows(), str(folder / "rows.csv")))
    worker.start()
    worker.join(timeout=120)


def pymeasure_found(folder: Path) -> int:
    lines = (folder / "rows.csv").read_text().splitlines()
    data = [line for line in lines if not line.startswith("#")][1:]
    return sum(line.count(",") == len(COLUMNS) - 1 for line in data)


def qcodes_rows(folder: Path, rows: int, pause: float, tell: Tell) -> None:
    from qcodes.dataset import Measurement, initialise_or_create_database_at, load_or_create_experiment

    initialise_or_create_database_at(str(folder / "rows.db"))
    measurement = Measurement(exp=load_or_create_experiment("rows", "device"))
    for name in COLUMNS:
        measurement.register_custom_parameter(name)
    with measurement.run() as saver:
        for number in range(rows):
            saver.add_result(*row(number).items())
            tell(number + 1)
            time.sleep(pause) if pause else None


def qcodes_found(folder: Path) -> int:
    import sqlite3

    with contextlib.closing(sqlite3.connect(folder / "rows.db")) as database:
        tables = database.execute("SELECT result_table_name FROM runs").fetchall()
        return int(database.execute(f'SELECT COUNT(*) FROM "{tables[0][0]}"').fetchone()[0]) if tables else 0


def h5py_rows(folder: Path, rows: int, pause: float, tell: Tell) -> None:
    import h5py

    with h5py.File(folder / "rows.h5", "w") as file:
        data = [file.create_dataset(name, (0,), "f8", maxshape=(None,)) for name in COLUMNS]
        for number in range(rows):
            for dataset, value in zip(data, row(number).values(), strict=True):
                dataset.resize((number + 1,))
                dataset[number] = value
            tell(number + 1)
            time.sleep(pause) if pause else None


def h5py_found(folder: Path) -> int:
    import h5py

    with h5py.File(folder / "rows.h5", "r") as file:
        return min(len(file[name]) for name in COLUMNS)


PEERS: dict[str, Peer] = {
    "labctl": (labctl_rows, labctl_found),
    "PyMeasure CSV": (pymeasure_rows, pymeasure_found),
    "QCoDeS SQLite": (qcodes_rows, qcodes_found),
    "h5py": (h5py_rows, h5py_found),
}


def peer_kills(folder: Path, kills: int, seed: int) -> None:
    print(f"\n{'killed at random, 1 row per ms':32}{'kills':>7}{'rows':>9}{'lost':>8}{'unreadable files':>18}")
    for name, (write, found) in PEERS.items():
        warm = folder / f"warm {name}"
        warm.mkdir()
        with contextlib.redirect_stdout(None):
            write(warm, 1, 0.0, void)  # imports
        generator = random.Random(seed)
        done = acknowledged = lost = unreadable = 0
        while done < kills:
            place = folder / f"{name}{done}{generator.random()}"
            place.mkdir()
            told, _ = killed(lambda tell, w=write, p=place: w(p, 10**9, 1e-3, tell), generator.uniform(0.5, 3.0))  # type: ignore[misc]
            if not told:
                continue
            done, acknowledged = done + 1, acknowledged + told
            try:
                lost += max(0, told - found(place))
            except Exception:  # noqa: BLE001 - whatever a reader raises, the file cannot be read
                unreadable, lost = unreadable + 1, lost + told
        print(f"{name:32}{done:7}{acknowledged:9}{lost:8}{unreadable:18}", flush=True)


def costs(folder: Path) -> None:
    print(f"\n{'one event of 4 numbers':32}{'us/event':>9}")
    for name, rows in {"labctl": 50_000, "PyMeasure CSV": 5_000, "QCoDeS SQLite": 5_000, "h5py": 2_000}.items():
        place = folder / f"cost {name}"
        place.mkdir()
        start = [0.0]

        def tell(number: int, start: list[float] = start) -> None:
            if number == 1:
                start[0] = time.perf_counter()

        with contextlib.redirect_stdout(None):
            PEERS[name][0](place, rows, 0.0, tell)
        print(f"{name:32}{(time.perf_counter() - start[0]) / (rows - 1) * 1e6:9.1f}", flush=True)


def show(what: str, tally: Tally) -> None:
    print("\n  ".join([f"{what}: {tally}", *tally.wrong[:10]]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["cuts", "kills", "peers", "cost"])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # fork with threads, on purpose
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "cuts" in given.parts:
            show("cut at every call of a short run", every_call(folder))
        if "kills" in given.parts:
            show("killed at random", random_kills(folder, given.kills, given.seed))
        if "peers" in given.parts:
            peer_kills(folder, min(given.kills, 30), given.seed)
        if "cost" in given.parts:
            costs(folder)


if __name__ == "__main__":
    main()
