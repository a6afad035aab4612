"""The ledger of a device: its runs in a folder, finished or cut off, and what they applied together.

Simulated and real runs are never added up. Records that stand in two files are counted once: a run beside its repaired
copy, and what a resumed run took over from the one that it continues.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import add
from pathlib import Path
from typing import Any

from labctl.ledger.applied import applied
from labctl.plan.dose import Dose
from labctl.store import Run, RunFileError, load_run
from labctl.store.continuation import pending
from labctl.store.h5_reader import H5Reader

_KEPT = 10_000  # files that a process remembers, so that a script of many runs reads each of them once


@dataclass(frozen=True)
class Entry:
    """One run of the device. ``note``: what may have reached it besides, or why the run was not counted whole."""

    run: Path
    run_id: str
    started: str
    status: str
    simulated: bool
    dose: Dose
    switchings: dict[str, int]
    biased: dict[str, float]
    note: str = ""


@dataclass(frozen=True)
class Total:
    """Several runs together: seconds under bias and switchings are by terminal."""

    entries: tuple[Entry, ...]

    @property
    def dose(self) -> Dose:
        return reduce(add, (entry.dose for entry in self.entries), Dose())

    @property
    def switchings(self) -> dict[str, int]:
        return dict(sum((Counter(entry.switchings) for entry in self.entries), Counter()))

    @property
    def biased(self) -> dict[str, float]:
        names = dict.fromkeys(name for entry in self.entries for name in entry.biased)
        return {name: sum(entry.biased.get(name, 0.0) for entry in self.entries) for name in names}


@dataclass(frozen=True)
class Ledger:
    """The runs of one device in the order in which they began, and files of the folder that could not be read."""

    device: str
    folder: Path
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]
    others: tuple[str, ...]  #: other devices that have runs there

    def total(self, simulated: bool, without: Collection[str] = ()) -> Total:
        """All simulated runs, or all real ones, but those whose ids are in ``without``."""
        kept = (entry for entry in self.entries if entry.run_id not in without)
        return Total(tuple(entry for entry in kept if entry.simulated == simulated))


def read_ledger(folder: str | Path, device: str) -> Ledger:
    """The ledger of ``device`` from the run files and journals in ``folder``; a folder that is not there is empty.

    Files are opened without comparing all their checksums: damage inside what is read is found and told, other damage
    is not (``labctl verify``).
    """
    found: dict[str, _Seen] = {}
    problems, others = [], set()
    for path in _run_files(Path(folder)):
        try:
            name = _device(path, _stamp(path))
            if name != device:
                others.add(name)
                continue
            seen = _seen(path, _stamp(path))
            run_id = seen.whole.run_id
            if run_id not in found or seen.events > found[run_id].events:
                found[run_id] = seen
        except (RunFileError, OSError) as error:
            problems.append(error.message if isinstance(error, RunFileError) else f"{path}: {error.strerror}")
    entries = [seen.entry(_taken_over(seen, found)) for seen in found.values()]
    entries.sort(key=lambda entry: (entry.started, entry.run))
    return Ledger(device, Path(folder), tuple(entries), tuple(problems), tuple(sorted(others)))


def _run_files(folder: Path) -> list[Path]:
    """Run files, and journals of runs that have none."""
    finished = sorted(folder.glob("*.h5"))
    return [*finished, *(path for path in sorted(folder.glob("*.h5.journal")) if path.with_suffix("") not in finished)]


def _stamp(path: Path) -> tuple[int, int]:
    """Changes when the file does; of a journal at every call, since whether its run goes on does not show in it."""
    status = path.stat()
    return status.st_size, time.monotonic_ns() if path.suffix == ".journal" else status.st_mtime_ns


@lru_cache(maxsize=_KEPT)
def _device(path: Path, stamp: tuple[int, int]) -> str:
    """Whose run it is; of a run file, without reading more: most files of a folder are other devices'."""
    if path.suffix == ".journal":
        return str(load_run(path, check=False).meta["device"])
    with H5Reader(path) as reader:
        return reader.device


@dataclass(frozen=True)
class _Seen:
    """A run as its file has it: how many events it has, which run it continues, and what it applied."""

    events: int
    resumed: dict[str, Any] | None
    whole: Entry

    def entry(self, since: int) -> Entry:
        """The entry of the events from number ``since`` on."""
        return _entry(load_run(self.whole.run, check=False), since) if since else self.whole


@lru_cache(maxsize=_KEPT)
def _seen(path: Path, stamp: tuple[int, int]) -> _Seen:
    run = load_run(path, check=False)
    meta = run.meta
    return _Seen(int(meta["history"][-1]["events"]), meta["extra"].get("resumed"), _entry(run, 0))


def _taken_over(seen: _Seen, found: dict[str, _Seen]) -> int:
    """How many of the run's events stand in the file of a run that it continues and that is there too."""
    before = seen.resumed
    while before is not None:
        if before["run_id"] in found:
            return int(before["events"])
        before = before.get("before")
    return 0


def _entry(run: Run, since: int) -> Entry:
    meta = run.meta
    counted = applied(run, since)
    notes = []
    if meta["status"] == "failed" and not meta["running"]:
        last = pending(run)
        if last is not None and last.sent:
            notes.append(f"may also have carried out: {last.what}")
    if meta["torn"]:
        notes.append(f"cut short: {meta['torn']}")
    return Entry(
        run.path,
        str(meta["run_id"]),
        meta["started"],
        "running" if meta["running"] else meta["status"],
        bool(meta["simulated"]),
        counted.dose,
        dict(counted.switchings),
        dict(counted.biased),
        "; ".join(notes),
    )
