"""Carry out a plan from the first output to the safe state, and keep it: every event in the run file as it happens.

However a run ends - done, stopped by the protocol, Ctrl+C, SIGTERM, a lost instrument, a full disk - every output that
can be reached is made safe, and the run file says how it ended (rule 4 of design section 10).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from labctl.bench.opening import OpenBench
from labctl.execution.events import Event, Intent, StopRun
from labctl.execution.executor import Executor
from labctl.execution.past import Past
from labctl.execution.switching import AskOperator
from labctl.plan.plan import Plan
from labctl.plan.proved import check_proved
from labctl.store import Recorder, StorageError
from labctl.store.flags import Flags

_DOUBTFUL = int(Flags.COMPLIANCE | Flags.OVERFLOW)  # a plain number: every row is asked


class Terminated(BaseException):
    """SIGTERM: like Ctrl+C, not an ``Exception``."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: status 'complete', 'stopped' or 'failed', why, and what could not be made safe.

    ``flagged`` counts the rows with compliance or overflow, ``flags`` says which of the two.
    """

    path: Path
    status: str
    reason: str
    events: int
    unsafe: tuple[str, ...]
    exit_code: int = 0
    flagged: int = 0
    flags: int = 0


def carry_out(
    plan: Plan,
    bench: OpenBench,
    recorder: Recorder,
    ask_operator: AskOperator,
    progress: Callable[[Event], None] = lambda event: None,
    past: Past | None = None,
) -> Outcome:
    """Execute ``plan``, record its events, leave the bench safe, finish the run file.

    Raised before anything is sent: ``RefusedByLimits``, ``ForeignPlan`` (the plan is not proved, or not on this bench).
    Raised after the bench is safe: ``StorageError`` when the file cannot be finished, and bugs. Any other end is in the
    outcome.
    """
    check_proved(plan, bench.description)
    executor = Executor(plan, bench, ask_operator, past)
    bug: BaseException | None = None
    status, reason, code = "complete", "", 0
    flagged = flags = 0

    def log_what_is_new(*message: Any) -> None:
        if executor.recording:
            recorder.wire(*message)

    log = recorder.wire if executor.recording else log_what_is_new
    with bench.wire.log(log), _sigterm_raises():
        try:
            for step in executor.steps():
                if isinstance(step, Intent):
                    recorder.intent(float(bench.clock.now), step.step, step.what, step.rows)
                    continue
                recorder.append(step.kind, step.row, step.trace)
                doubtful = int(step.row["flags"]) & _DOUBTFUL
                flagged, flags = flagged + (doubtful != 0), flags | doubtful
                progress(step)
        except StopRun as stop:
            status, reason, code = "stopped", str(stop), 3
        except KeyboardInterrupt:
            status, reason, code = "stopped", "stopped by Ctrl+C", 130
        except Terminated:
            status, reason, code = "stopped", "stopped by SIGTERM", 143
        except StorageError as failure:
            status, reason, code = "failed", failure.message, failure.exit_code
        except bench.exceptions as failure:
            status, reason, code = "failed", str(failure), 4
        except BaseException as failure:  # noqa: BLE001 - a bug must not leave an output on; it is raised again below
            status, reason, bug = "failed", f"{type(failure).__name__}: {failure}", failure
        elapsed = executor.elapsed
        with _uninterrupted():
            if status != "complete":
                recorder.broken_off(float(bench.clock.now), reason)
            unsafe = tuple(bench.safe())
            if unsafe:
                reason = f"{reason}; could not be made safe: {'; '.join(unsafe)}".lstrip("; ")
            after = _after(bench, reachable=not unsafe and status != "failed")
            path = recorder.finish(status, reason, after, elapsed)
    if bug is not None:
        raise bug
    return Outcome(path, status, reason, recorder.events, unsafe, 4 if unsafe and not code else code, flagged, flags)


def _after(bench: OpenBench, reachable: bool) -> dict[str, dict[str, object]]:
    """Settings after the run; a bench with a lost instrument is not asked again."""
    return {name: {"settings": values} for name, values in bench.settings().items()} if reachable else {}


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into ``Terminated`` while the block runs (main thread only: others get no signals)."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise Terminated

    with _handled({signal.SIGTERM: handler}):
        yield


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """No second Ctrl+C while outputs are switched off and the file is closed; both take seconds at most."""
    with _handled({signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_IGN}):
        yield


@contextmanager
def _handled(handlers: Mapping[signal.Signals, Any]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
