"""Many run files at once: on this machine's cores or on a Dask cluster, with the same results either way.

Each file is analysed by ``analyze_file``, alone: no result depends on other files or on where it was computed. A file
that cannot be analysed is kept with its reason and does not stop the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.analysis.results import Result, to_frame
from labctl.analysis.runs import AnalysisError
from labctl.analysis.second_look import SecondLook, Seen, analyze_seen, save_look

if TYPE_CHECKING:
    import pandas as pd

    from labctl.analysis.hierarchy import Counts

Progress = Callable[[int], None]

_BATCH = 16  #: files per task: the cost of handing over is small beside them, and progress still shows
_IN_PROCESS = 8  #: files up to which starting workers (1 s each) does not pay


class ClusterError(Exception):
    """The Dask cluster cannot be reached, or lost its workers (exit code 4)."""

    exit_code = 4

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Analysed:
    """What one file gave. ``problem`` is empty, or why there are no results; ``exit_code`` belongs to it."""

    path: str
    results: tuple[Result, ...] = ()
    curves: tuple[Counts, ...] = ()
    simulated: bool = False
    problem: str = ""
    hint: str = ""
    exit_code: int = 0
    kept: str = ""  #: where the second look was stored


@dataclass(frozen=True, slots=True)
class Task:
    """What to do with each file: the look to take, and whether the counts of its curves are wanted."""

    look: SecondLook = field(default_factory=SecondLook)
    curves: bool = False


def analyze_file(path: str, task: Task) -> Analysed:
    """Results of one file, or why there are none; nothing is kept for the next one."""
    from labctl.analysis.curves import forget
    from labctl.analysis.hierarchy import counts_of
    from labctl.store import load_run
    from labctl.store.errors import StoreError

    try:
        run = load_run(path)
        results = tuple(analyze_seen(run, task.look))
        seen: Any = Seen(run, task.look) if task.look else run
        curves = tuple(counts_of(seen)) if task.curves else ()
        kept = str(save_look(run, task.look, results)) if task.look else ""
        return Analysed(path, results, curves, bool(run.meta["simulated"]), kept=kept)
    except (StoreError, AnalysisError) as error:
        return Analysed(path, problem=error.message, hint=error.hint, exit_code=error.exit_code)
    except OSError as error:
        return Analysed(path, problem=f"{path}: {error}", hint="check the file and the disk", exit_code=6)
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
        # one strange file of thousands must not cost the others; alone it would be a traceback
        what = f"{path}: the analysis failed: {type(error).__name__}: {error}"
        return Analysed(path, problem=what, hint="a mistake in labctl: please report it with the file", exit_code=1)
    finally:
        forget()


def analyze_many(
    paths: Sequence[str | Path],
    task: Task | None = None,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    progress: Progress = lambda files: None,
) -> list[Analysed]:
    """Analyse run files, in the order given.

    Args:
        paths: run files; workers of a cluster must see them under the same absolute paths.
        task: second look and curves; None: as each run's protocol asks.
        jobs: processes on this machine; None: one per core, and none besides this one for a few files.
        scheduler: address of a Dask scheduler (``tcp://...``), which then does the work instead.
        progress: called with the number of files that were finished since the last call.

    Raises ``ClusterError`` if the cluster does not answer, ``AnalysisError`` if a worker process dies.
    """
    names = [str(Path(path).absolute()) if scheduler else str(path) for path in paths]
    chosen = task or Task()
    if scheduler:
        done = _on_cluster(names, chosen, scheduler)
    else:
        workers = jobs or (1 if len(names) <= _IN_PROCESS else _cores())
        done = _here(names, chosen) if workers == 1 else _in_processes(names, chosen, workers)
    found: list[Analysed | None] = [None] * len(names)
    for start, part in done:
        found[start : start + len(part)] = part
        progress(len(part))
    return [one for one in found if one is not None]


def table_of(analysed: Sequence[Analysed]) -> pd.DataFrame:
    """One tidy table: a row per result in the order of the files, with ``simulated`` as its last column."""
    frame = to_frame(result for one in analysed for result in one.results)
    return frame.assign(simulated=[one.simulated for one in analysed for _ in one.results])


def save_table(frame: pd.DataFrame, path: str | Path) -> Path:
    """Write a table as ``.parquet`` or ``.csv``. Raises ``ExportError`` or ``StorageError``."""
    from importlib.util import find_spec

    from labctl.store.errors import ExportError, storage_error

    target = Path(path)
    if target.suffix not in (".csv", ".parquet"):
        raise ExportError(f"{target}: neither .csv nor .parquet", "choose one of these endings for --out")
    if target.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise ExportError("Parquet needs the package pyarrow, which is not installed", "pip install 'labctl[parquet]'")
    try:
        if target.suffix == ".csv":
            frame.to_csv(target, index=False)
        else:
            frame.to_parquet(target, index=False)
    except OSError as error:
        raise storage_error(error, target, "writing the table") from error
    return target


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _batches(names: Sequence[str]) -> list[tuple[int, list[str]]]:
    return [(start, list(names[start : start + _BATCH])) for start in range(0, len(names), _BATCH)]


def analyze_batch(names: Sequence[str], task: Task) -> list[Analysed]:
    """What a worker does at a time."""
    return [analyze_file(name, task) for name in names]


def _here(names: Sequence[str], task: Task) -> Iterator[tuple[int, list[Analysed]]]:
    for start, name in enumerate(names):
        yield start, [analyze_file(name, task)]


def _in_processes(names: Sequence[str], task: Task, workers: int) -> Iterator[tuple[int, list[Analysed]]]:
    # spawned, on every operating system alike: a fork would copy whatever threads and libraries hold just then
    pool: Executor
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        places = {pool.submit(analyze_batch, batch, task): start for start, batch in _batches(names)}
        try:
            for future in as_completed(places):
                yield places[future], future.result()
        except BrokenProcessPool as error:
            raise AnalysisError("a worker process died", "too little memory? try fewer with --jobs") from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _on_cluster(names: Sequence[str], task: Task, scheduler: str) -> Iterator[tuple[int, list[Analysed]]]:
    try:
        distributed: Any = import_module("distributed")  # untyped, and an extra
    except ImportError as error:
        raise AnalysisError(
            "--scheduler needs the package distributed, which is not installed", "pip install 'labctl[cluster]'"
        ) from error
    try:
        client = distributed.Client(scheduler, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(f"no Dask scheduler answers at {scheduler}", "start one: dask scheduler") from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise ClusterError(f"the scheduler at {scheduler} has no workers", f"start some: dask worker {scheduler}")
        # not pure: the same file may have changed since an earlier call
        places = {client.submit(analyze_batch, batch, task, pure=False): start for start, batch in _batches(names)}
        try:
            for future in distributed.as_completed(places, loop=client.loop):
                yield places[future], future.result()
        except distributed.scheduler.KilledWorker as error:
            raise ClusterError(
                f"workers of {scheduler} died", "give them more memory, or look at their logs"
            ) from error
