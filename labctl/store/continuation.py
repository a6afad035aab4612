"""A run that goes on in another file: what the first one recorded is copied, what it may still have sent is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl.store import content as c
from labctl.store.errors import RunFileError, StorageError
from labctl.store.reading import Run
from labctl.store.recorder import Recorder
from labctl.store.verify import whole


def was_interrupted(meta: Mapping[str, Any]) -> bool:
    """Whether something from outside ended the run: a signal, an operator, a full disk, a kill; not the protocol."""
    reason = str(meta["reason"])
    return meta["status"] == "failed" or reason.startswith(("stopped by ", "operator step "))


@dataclass(frozen=True)
class Pending:
    """An intent of which not all events were stored: the operation of node ``step`` may have reached the device.

    event: the number that the operation's (first) event would have got; time: s, of the run; sent: messages logged
    since, up to where the plan was left. A message or a call of a C library is logged before it is made, the first one
    in the journal then, with the intent: 0 means that nothing was sent, 1 that further ones may have been.
    """

    event: int
    time: float
    step: int
    what: str
    sent: int


def pending(run: Run) -> Pending | None:
    """What the run was about to do when it ended; None if everything that was announced was stored, or nothing was."""
    if not len(run.intents):
        return None
    last = run.intents.iloc[-1]
    if _stored(run) >= last["event"] + last["rows"]:
        return None
    after = run.wire.iloc[int(last["wire"]) + 1 :]
    left = ((after["instrument"] == c.BROKEN_OFF[0]) & (after["direction"] == c.BROKEN_OFF[1])).to_numpy()
    sent = int(np.argmax(left)) if left.any() else len(after)
    return Pending(int(last["event"]), float(last["time"]), int(last["step"]), str(last["what"]), sent)


def _stored(run: Run) -> int:
    """Events of a run."""
    return max((int(table["event"].iloc[-1]) + 1 for table in run.tables.values() if len(table)), default=0)


def has_begun(run: Run) -> bool:
    """False for a run that was cut off before it held all of the one that it continues: it has sent nothing yet."""
    first = run.meta["extra"].get("resumed")
    return first is None or (_stored(run) >= first["events"] and len(run.wire) >= first["messages"])


def origin(run: Run) -> dict[str, Any]:
    """What ``Header.extra["resumed"]`` says of the run that is continued; ``before``: of the one that it continued."""
    return {
        "from": run.path.name,
        "run_id": run.meta["run_id"],
        "events": len(run.events),
        "messages": len(run.wire),
        "time": float(run.events["time"].iloc[-1]) if len(run.events) else 0.0,
        "started": run.meta["started"],
        "status": run.meta["status"],
        "reason": run.meta["reason"],
        "before": run.meta["extra"].get("resumed"),
    }


def copy_records(run: Run, recorder: Recorder) -> None:
    """Begin ``recorder`` with all events, traces and messages of ``run``: same numbers, same bytes.

    The history of the new run then says where it goes on. Nothing of the new run stays if this fails: RunFileError if
    the run is damaged (its chain of hashes is checked), StorageError if it still goes on, or from the disk.
    """
    try:
        if run.meta["running"]:
            raise StorageError(f"{run.path}: the run goes on, another process is writing it", "Wait for its end.")
        with run.content() as content:
            for finding in whole(content):
                raise RunFileError(
                    f"{run.path}: damaged: {finding.place}: {finding.problem}",
                    f"See what is affected: labctl verify {run.path}",
                )
            recorder.copy(content, f"resumed after {content.counts.events} events of {run.path.name}")
    except BaseException:
        recorder.discard()
        raise
