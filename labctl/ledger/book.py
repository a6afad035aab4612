"""The ledger of a device: its runs in a folder, finished or cut off, and what they applied together.

Simulated and real runs are never added up. Records that stand in two files are counted once: a run beside its repaired
copy, and what a resumed run took over from the one that it continues.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from labctl.ledger.applied import applied
from labctl.plan.dose import Dose
from labctl.store import Run, RunFileError, load_run
from labctl.store.continuation import pending
from labctl.store.h5_reader import H5Reader


@dataclass(frozen=True)
class Entry:
    """One run of the device. ``note``: what may have reached it besides, or why the run was not counted whole."""

    run: Path
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

    def total(self, simulated: bool) -> Total:
        """All simulated runs, or all real ones."""
        return Total(tuple(entry for entry in self.entries if entry.simulated == simulated))


def read_ledger(folder: str | Path, device: str) -> Ledger:
    """The ledger of ``device`` from the run files and journals in ``folder``; a folder that is not there is empty.

    Files are opened without comparing all their checksums: damage inside what is read is found and told, other damage
    is not (``labctl verify``).
    """
    found: dict[str, Run] = {}
    problems, others = [], set()
    for path in _run_files(Path(folder)):
        try:
            name = _device(path)
            if name != device:
                others.add(name)
                continue
            run = load_run(path, check=False)
            identity = str(run.meta["run_id"])
            if identity not in found or _events(run) > _events(found[identity]):
                found[identity] = run
        except RunFileError as error:
            problems.append(error.message)
    entries = []
    for run in found.values():
        try:
            entries.append(_entry(run, _taken_over(run, found)))
        except RunFileError as error:
            problems.append(error.message)
    entries.sort(key=lambda entry: (entry.started, entry.run))
    return Ledger(device, Path(folder), tuple(entries), tuple(problems), tuple(sorted(others)))


def _run_files(folder: Path) -> list[Path]:
    """Run files, and journals of runs that have none."""
    finished = sorted(folder.glob("*.h5"))
    return [*finished, *(path for path in sorted(folder.glob("*.h5.journal")) if path.with_suffix("") not in finished)]


def _device(path: Path) -> str:
    """Whose run it is; of a run file, without reading more: most files of a folder are other devices'."""
    if path.suffix == ".journal":
        return str(load_run(path, check=False).meta["device"])
    with H5Reader(path) as reader:
        return reader.device


def _events(run: Run) -> int:
    return int(run.meta["history"][-1]["events"])


def _taken_over(run: Run, found: dict[str, Run]) -> int:
    """How many of the run's events stand in the file of a run that it continues and that is there too."""
    before: dict[str, Any] | None = run.meta["extra"].get("resumed")
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
        meta["started"],
        "running" if meta["running"] else meta["status"],
        bool(meta["simulated"]),
        counted.dose,
        dict(counted.switchings),
        dict(counted.biased),
        "; ".join(notes),
    )
