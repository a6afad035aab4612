"""Repeat a simulated run from its file alone, and compare it bit for bit."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labctl.api import Prepared
    from labctl.execution.events import Event
    from labctl.store import Run
    from labctl.store.compare import Difference


@dataclass(frozen=True)
class Repetition:
    """A run against its repetition: what was compared and what differs.

    whole: the run ended by itself, so that its end is compared too; otherwise its events up to the interruption are.
    """

    run: Path
    events: int
    traces: int
    messages: int
    whole: bool
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        return not self.differences


def rerun(path: str | Path) -> Repetition:
    """Run again what the file at ``path`` says, on the simulated bench that it describes, and compare.

    Protocol, protocols that it uses, overrides, bench, seed and the device's state at the start come from the file;
    labctl is the one that is installed. The repetition is not kept.

    Raises:
        RunFileError: damaged, no simulated run, or without what a repetition needs.
    """
    from labctl.api import run_on
    from labctl.store import load_run
    from labctl.store.compare import compare_ends, compare_origins, compare_records
    from labctl.store.continuation import was_interrupted

    run = load_run(path)
    _check(run)
    recorded = len(run.events)
    interrupted = was_interrupted(run.meta)
    limit = _Limit(recorded if interrupted else None)
    with tempfile.TemporaryDirectory(prefix="labctl-rerun-") as folder:
        ready, specification = _prepare(run, Path(folder))
        about = {name: run.meta[name] for name in ("operator", "device", "note")}
        outcome = run_on(specification, ready, Path(folder) / "again.h5", about, lambda step, what: None, limit)
        again = load_run(outcome.path)
        differences = [
            *compare_origins(run.meta, again.meta),
            *(() if interrupted else compare_ends(run, again)),
            *compare_records(run, again, recorded if interrupted else None),
        ]
        messages = len(run.wire)
    return Repetition(run.path, recorded, len(run.traces), messages, not interrupted, tuple(differences))


class _Limit:
    """Ends the repetition of an interrupted run after its last event."""

    def __init__(self, events: int | None) -> None:
        self._left = events

    def __call__(self, event: Event) -> None:
        from labctl.execution.events import StopRun

        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            raise StopRun("the run that is repeated was interrupted here")


def _check(run: Run) -> None:
    from labctl.store import RunFileError

    if not run.meta["simulated"]:
        raise RunFileError(
            f"{run.path}: not a simulated run: what happened on the device cannot be repeated",
            "compare two runs of the same protocol: labctl diff RUN RUN",
        )
    if "resumed" in run.meta["extra"]:
        raise RunFileError(
            f"{run.path}: this run continues {run.meta['extra']['resumed']['from']}: not one run from start to end",
            "repeat a run of the same protocol that was not interrupted",
        )
    if "protocol_file" not in run.meta["extra"]:
        raise RunFileError(
            f"{run.path}: written before run files kept the protocols that a protocol uses",
            "run the protocol again and compare: labctl diff RUN RUN",
        )


def _prepare(run: Run, folder: Path) -> tuple[Prepared, str]:
    """The plan from the file's texts, and the VISA library of its simulated bench, whose files go to ``folder``."""
    from labctl.api import Prepared
    from labctl.bench.opening import simulated_apart
    from labctl.plan.origin import Origin
    from labctl.store import RunFileError

    meta = run.meta
    origin = Origin.of_run(meta)
    bench_file = folder / "bench.yaml"
    bench_file.write_text(origin.bench, encoding="utf-8", newline="")
    bench = origin.parse_bench(f"bench of {run.path}")
    if bench.simulation.clock == "wall":
        raise RunFileError(
            f"{run.path}: simulated in real time, which no repetition follows to the bit",
            "run it with 'clock: virtual' in the bench file",
        )
    state = meta["extra"]["device_state"]
    bench, specification = simulated_apart(bench, bench_file, origin.seed, state, folder)
    protocol = origin.load_protocol()
    ready = Prepared(protocol, bench, bench_file, origin.plan(protocol, bench), True)
    return ready, specification
