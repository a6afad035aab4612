"""Go on with an interrupted run at its next event, in a file that begins with all that the first one recorded."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labctl.api import Prepared
    from labctl.execution.carry_out import Outcome
    from labctl.execution.events import Event
    from labctl.execution.past import Choice, Past
    from labctl.ledger import Ledger
    from labctl.plan.origin import Origin
    from labctl.store import Run

#: asks what to do about an operation that may have reached the device (what is in doubt -> the choice)
Choose = Callable[[str], "Choice"]


_DONE: dict[Choice, str] = {
    "go on": "taken as done",
    "reprepare": "the state is prepared and the pass begun again",
    "skip": "the rest of the pass is left out",
}


class ResumeError(ValueError):
    """This run cannot be resumed, or not without being told how (exit code 2)."""

    exit_code = 2

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Resumption:
    """An interrupted run, ready to go on: the same plan, and its past."""

    run: Run
    ready: Prepared
    past: Past

    def go_on(
        self,
        operator: str = "",
        note: str = "",
        ask_operator: Callable[[str, str], None] | None = None,
        progress: Callable[[Event], None] = lambda event: None,
    ) -> Outcome:
        """Continue on the run's bench and return how it ended; the first file is left as it is.

        Raises:
            StorageError, InstrumentUnavailable, BenchBusy: as for a run; nothing was driven.
        """
        from labctl.api import run_on
        from labctl.bench.opening import visa_specification

        ready, meta = self.ready, self.run.meta
        # of a simulated device that is not simulated again: the same specimen, but not the same chances once more
        part = 0 if self.past.catching_up else len(_chain(meta))
        specification = visa_specification(ready.bench, ready.bench_file, ready.simulated, ready.plan.seed, part)
        about = {
            "operator": operator or meta["operator"],
            "device": meta["device"],
            "note": note or meta["note"],
        }
        path = _name(self.run.path)
        return run_on(specification, ready, path, about, ask_operator, progress, resumed=(self.run, self.past))


@contextmanager
def resumption(
    path: str | Path,
    bench: str | Path | None = None,
    *,
    on_resume: str | None = None,
    choose: Choose | None = None,
) -> Iterator[Resumption]:
    """The run at ``path``, ready to go on at its next event; nothing is opened yet.

    An operation that may have reached the device without being stored is never silently repeated: ``on_resume``
    ('reprepare', 'skip' or 'ask'), or else the protocol's key of that name, says what to do; 'ask' asks ``choose``.
    A simulated device that kept no memory is brought to where it was by simulating the run again, up to its end; with
    'reprepare' it is a new one.

    Budgets of a device that lasts count the other runs in the folder, and this one once, from its beginning to its end.

    Args:
        path: run file or journal.
        bench: bench file, if not the text that the run file keeps; its plan must be the same.

    Raises:
        ResumeError: the run ended by itself or still goes on; nobody is there to choose; the plan would be another.
        RefusedByLimits: a budget does not last to its end. RunFileError: the file is damaged, or no run file.
    """
    from labctl.execution.past import AGAIN, Past, SimulatedPast
    from labctl.plan.origin import Origin
    from labctl.plan.proved import check_proved
    from labctl.store import load_run

    run = load_run(path)
    _check(run)
    with tempfile.TemporaryDirectory(prefix="labctl-resume-") as folder:
        ready = _prepare(run, Origin.of_run(run.meta), Path(folder), bench)
        check_proved(ready.plan, ready.bench)
        events = _events(run)
        resumptions = _earlier(run)
        if ready.simulated and _forgotten(run, ready) and on_resume != "reprepare":
            past: Past = SimulatedPast(events, _notes(run, [AGAIN]))
        else:
            choice, why = _settled(run, ready, on_resume or ready.protocol.on_resume, choose)
            past = Past(events, choice, why, resumptions)
            resumptions.append((len(events), choice))
        ledger = _check_budgets(run, ready, resumptions)
        yield Resumption(run, replace(ready, ledger=ledger), past)


def resume(path: str | Path, bench: str | Path | None = None, on_resume: str | None = None) -> Outcome:
    """Continue an interrupted run to its end; see ``resumption``."""
    with resumption(path, bench, on_resume=on_resume) as found:
        return found.go_on()


def _check(run: Run) -> None:
    from labctl.store.continuation import has_begun, was_interrupted

    meta = run.meta
    if meta["running"]:
        raise ResumeError(f"{run.path}: this run still goes on", "wait for its end, or stop it with Ctrl+C")
    if not was_interrupted(meta):
        raise ResumeError(
            f"{run.path}: this run was not interrupted: {': '.join(filter(None, (meta['status'], meta['reason'])))}",
            "run the protocol again: labctl run",
        )
    if not has_begun(run):
        first = meta["extra"]["resumed"]["from"]
        raise ResumeError(
            f"{run.path}: cut off before it held all of {first}, which it continues; nothing was sent",
            f"remove it and resume {first}",
        )
    if "protocol_file" not in meta["extra"]:
        raise ResumeError(
            f"{run.path}: written before run files kept the protocols that a protocol uses",
            "run the protocol again: labctl run",
        )


def _prepare(run: Run, origin: Origin, folder: Path, bench: str | Path | None) -> Prepared:
    """The same plan again, on the bench of the run."""
    from labctl.api import Prepared
    from labctl.bench.loading import find_bench, load_bench
    from labctl.plan.compare import changes

    if bench is None:
        file = folder / "bench.yaml"
        file.write_text(origin.bench, encoding="utf-8", newline="")
        described = origin.parse_bench(f"bench of {run.path}")
    else:
        file = find_bench(bench)
        described = load_bench(file)
    protocol = origin.load_protocol()
    plan = origin.plan(protocol, described)
    different = next(changes(run.meta["plan"], json.loads(plan.text)), None)
    if different is not None:
        raise ResumeError(
            f"{run.path}: its protocol gives another plan now: {different.said('then', 'now')}",
            f"use the bench and the labctl of the run ({run.meta['versions'].get('labctl', 'unknown')})",
        )
    return Prepared(protocol, described, file, plan, bool(run.meta["simulated"]))


def _settled(run: Run, ready: Prepared, on_resume: str, choose: Choose | None) -> tuple[Choice, str]:
    """What is done where the events end, and why. Nothing is in doubt if nothing was sent that is not stored."""
    from labctl.execution.acting import disturbs
    from labctl.plan.operations import walk
    from labctl.store.continuation import pending

    if ready.simulated and _forgotten(run, ready):
        return "reprepare", "the simulated device is a new one; its state is prepared and the pass begun again"
    found = pending(run)
    if found is None or not found.sent:
        return "go on", "nothing was sent that is not stored"
    doubt = f"'{found.what}' may have reached the device without being stored"
    if not any(disturbs(op) for op in walk(ready.plan.ops) if op.node == found.step):
        return "go on", f"{doubt}; a reading, it is repeated"
    choice = _chosen(doubt, on_resume, choose)
    return choice, f"{doubt}; {_DONE[choice]}"


def _forgotten(run: Run, ready: Prepared) -> bool:
    """Whether a simulated device has lost what was done to it: it is kept only by a bench that was closed."""
    from labctl.store.reading import CUT_OFF

    return ready.bench.simulation.state is None or run.meta["reason"] == CUT_OFF


def _events(run: Run) -> list[Event]:
    """Every stored event in order; traces only of sweeps, which later steps may ask figures of."""
    from labctl.execution.events import Event

    found: dict[int, Event] = {}
    for kind, table in run.tables.items():
        for row in table.to_dict("records"):
            trace = run.traces[row["trace"]] if kind == "sweep" and row["trace"] >= 0 else None
            found[row["event"]] = Event(kind, {str(name): value for name, value in row.items()}, trace)
    return [found[number] for number in sorted(found)]


def _earlier(run: Run) -> list[tuple[int, Choice]]:
    """Where the run was resumed before and what was chosen."""
    from labctl.execution.past import CHOICES

    by_word: dict[str, Choice] = {choice: choice for choice in CHOICES}
    return [(number, by_word[word]) for number, word in _notes(run, CHOICES).items()]


def _notes(run: Run, words: Sequence[str]) -> dict[int, str]:
    """Events of the notes that say where the run was resumed, and their word if it is one of ``words``."""
    notes = run.tables.get("note")
    texts = [] if notes is None else notes["text"].tolist()
    matches = (re.match(rf"resumed at event (\d+), ({'|'.join(words)}): ", text) for text in texts)
    return {int(match[1]): match[2] for match in matches if match}


def _chain(meta: Any) -> list[str]:
    """Ids of the run and of those that it continued, one after the other."""
    ids, before = [str(meta["run_id"])], meta["extra"].get("resumed")
    while before:
        ids, before = [*ids, str(before["run_id"])], before["before"]
    return ids


def _check_budgets(run: Run, ready: Prepared, resumptions: Sequence[tuple[int, Choice]]) -> Ledger | None:
    """Refuse what would exhaust a budget of the device, by its ledger, which is returned if there is one.

    ``resumptions``: where the run was resumed before, and is now, and how.
    """
    from labctl.api import other_runs
    from labctl.plan.dose import Dose
    from labctl.plan.resuming import Repreparation, check_budgets

    meta = run.meta
    if ready.simulated and ready.bench.simulation.state is None:
        return None  # a new device in every run
    ledger, others = other_runs(ready.bench, meta["device"], run.path.parent, ready.simulated, _chain(meta))
    begun_again = []
    states = run.tables.get("state")
    for number, choice in resumptions:
        intents = run.intents[run.intents["event"] <= number]
        if choice == "reprepare" and len(intents):
            before = None if states is None else states[states["event"] < number]
            state = int(before["step"].iloc[-1]) if before is not None and len(before) else None
            begun_again.append(Repreparation(int(intents["step"].iloc[-1]), state))
    check_budgets(ready.plan, ready.bench, others or Dose(), begun_again)
    return ledger


def _chosen(doubt: str, on_resume: str, choose: Choose | None) -> Choice:
    """What answers when an operation is in doubt."""
    from labctl.execution.past import CHOICES

    for choice in CHOICES:
        if choice == on_resume:
            return choice
    if choose is None:
        raise ResumeError(doubt, "say what to do with --on-resume reprepare, or --on-resume skip")
    return choose(doubt)


def _name(path: Path) -> Path:
    """``RUN_resumed.h5`` beside the run."""
    stem = re.sub(r"_resumed(_\d+)?$", "", path.name.removesuffix(".journal").removesuffix(".h5"))
    return path.with_name(f"{stem}_resumed.h5")
