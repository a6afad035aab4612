"""What a running protocol shows: a progress bar on a terminal, JSON lines for programs, prompts for operator steps."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from labctl.execution.events import Event, StopRun
from labctl.execution.past import Choice
from labctl.plan.plan import Cost, Plan

#: least seconds between two reports
INTERVAL = 0.2


class Watch:
    """Counts events and hands a report on now and then."""

    def __init__(self, report: Callable[[int, Event], None], stored: int) -> None:
        self._report = report
        self._start = time.monotonic()
        self._next = 0.0
        self.count = stored

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def __call__(self, event: Event) -> None:
        self.count += 1
        if self.seconds >= self._next:
            self._next = self.seconds + INTERVAL
            self._report(self.count, event)


@contextmanager
def observer(mode: str, plan: Plan, stored: int = 0) -> Iterator[Watch]:
    """A watch for ``mode`` 'auto' (bar on a terminal, else nothing), 'json' (lines on stderr) or 'none'.

    Progress is instrument time against the plan's: a bias of minutes is one row. A resumed run counts on from the
    events that are ``stored``.
    """
    if mode == "json":
        yield Watch(lambda count, event: print(_line(count, plan.cost, event), file=sys.stderr, flush=True), stored)
    elif mode == "auto" and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]} rows"), TimeRemainingColumn()
        )  # fmt: skip
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(plan.title, total=plan.cost.duration, rows=stored)
            watch = Watch(
                lambda count, event: bar.update(
                    task, completed=event.row["time"], rows=count, description=_words(event)
                ),
                stored,
            )
            yield watch
            bar.update(task, rows=watch.count)
    else:
        yield Watch(lambda count, event: None, stored)


def _words(event: Event) -> str:
    state = event.row.get("state", "")
    return f"{state + ': ' if state else ''}{event.kind}"


def _line(count: int, cost: Cost, event: Event) -> str:
    """``expected`` rows; ``remaining`` instrument time, s, as the plan has it."""
    row: dict[str, Any] = {"events": count, "expected": sum(cost.rows.values()), "kind": event.kind}
    row |= {key: event.row[key] for key in ("time", "step", "state")}
    row["remaining"] = max(0.0, cost.duration - event.row["time"])
    return json.dumps(row, default=float)


def operator_prompt(confirmed: list[str]) -> Callable[[str, str], None]:
    """How operator steps are asked for: already confirmed, on a terminal, or refused."""

    def ask(step: str, what: str) -> None:
        if step in confirmed or "all" in confirmed:
            return
        if not sys.stdin.isatty():
            raise StopRun(f"operator step not confirmed: {what} (run on a terminal, or pass --confirm {step})")
        answer = input(f"Operator: {what}\n  done? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise StopRun(f"operator step refused: {what}")

    return ask


def ask_about_doubt(doubt: str) -> Choice:
    """Ask on the terminal what to do about an operation that may have reached the device."""
    answers: dict[str, Choice] = {"r": "reprepare", "s": "skip", "g": "go on"}
    print(f"Operator: {doubt}.")
    print("  r  prepare the state again and begin this pass again")
    print("  s  leave out the rest of this pass")
    print("  g  take it as done and go on after it")
    while (answer := input("  [r/s/g] ").strip().lower()) not in answers:
        pass
    return answers[answer]
