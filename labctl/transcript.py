"""What a plan will send, byte by byte: a rehearsal on the simulated bench, written down message by message.

Replies decide what is sent next (a setting read back, a search that converges), so that the messages cannot be listed
from the plan alone. The plan is carried out with the real drivers on the simulated bench of the same bench file and
seed; no instrument is touched, and no file but the transcript is left.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from labctl.store.errors import StorageError

if TYPE_CHECKING:
    from labctl.api import Prepared
    from labctl.execution.carry_out import Outcome
    from labctl.execution.events import Event

_COLUMNS = "# time (s)\tinstrument\tdirection (> sent, < received, clear: device clear)\tbytes, escaped as in Python"


@dataclass(frozen=True)
class Rehearsal:
    """What was written where: messages and bytes sent (without received ones), and how the rehearsal ended."""

    file: Path
    messages: int
    sent: int
    outcome: Outcome


class Transcript:
    """The text file of a rehearsal; ``tap`` takes the messages.

    A disk that takes no more does not disturb the rehearsal; ``close`` raises then.
    """

    def __init__(self, path: Path, heading: str) -> None:
        """Raises StorageError."""
        self.path = path
        self.messages = 0
        self.sent = 0
        self._failure: OSError | None = None
        try:
            self._file = path.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise self._refused(error) from error
        for line in (*heading.splitlines(), _COLUMNS[2:]):
            self._write(f"# {line}")

    def tap(self, time: float, instrument: str, direction: str, data: bytes) -> None:
        """Write a message down."""
        self.messages += 1
        self.sent += len(data) if direction == ">" else 0
        self._write(f"{time:.9f}\t{instrument}\t{direction}\t{escaped(data)}")

    def close(self, ending: str) -> None:
        """Say how it ended, and close the file. Raises StorageError."""
        self._write(f"# {ending}")
        try:
            self._file.close()
        except OSError as error:
            self._failure = self._failure or error
        if self._failure is not None:
            raise self._refused(self._failure) from self._failure

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:
            self.close("ended before the plan did")

    def _write(self, line: str) -> None:
        if self._failure is None:
            try:
                self._file.write(f"{line}\n")
            except OSError as error:
                self._failure = error

    def _refused(self, error: OSError) -> StorageError:
        return StorageError(f"transcript {self.path} cannot be written: {error}", "choose another file or disk")


def escaped(data: bytes) -> str:
    r"""Bytes as ASCII text: ``\n``, ``\t``, ``\\`` and ``\x9f``, all else as it is; ``unescaped`` gives them back."""
    return data.decode("latin-1").encode("unicode_escape").decode("ascii")


def unescaped(text: str) -> bytes:
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


def rehearse(ready: Prepared, path: str | Path, progress: Callable[[Event], None] = lambda event: None) -> Rehearsal:
    """Carry out what is prepared on its simulated bench, operator steps taken as done, and write the messages down.

    The file is text: headings that start with '#', then a line per message: time on the bench's clock (s), instrument,
    direction, bytes (``escaped``), with tabs between. Calls of the WGFMU library stand as text, their return code and
    what they filled as received.

    Raises:
        RefusedByLimits, ForeignPlan: nothing is written. StorageError: the file cannot be written.
    """
    from labctl.api import device_state, run_on
    from labctl.bench.opening import simulated_apart
    from labctl.plan.proved import check_proved

    check_proved(ready.plan, ready.bench)
    plan = ready.plan
    heading = (
        f"labctl transcript 1: {plan.protocol} on bench {plan.bench}, seed {plan.seed}\n"
        f"SIMULATED: rehearsed with labctl's drivers on the simulated bench of {ready.bench_file.name}\n"
        f"plan {plan.hash}"
    )
    with (
        tempfile.TemporaryDirectory(prefix="labctl-rehearsal-") as folder,
        Transcript(Path(path), heading) as transcript,
    ):
        state = device_state(ready.bench)
        bench, specification = simulated_apart(ready.bench, ready.bench_file, plan.seed, state, Path(folder))
        alone = dataclasses.replace(ready, bench=bench, simulated=True)
        about = {"operator": "", "device": bench.device.id, "note": ""}
        run = Path(folder) / "rehearsal.h5"
        outcome = run_on(specification, alone, run, about, lambda step, what: None, progress, [transcript.tap])
        transcript.close(f"{outcome.status}{': ' if outcome.reason else ''}{outcome.reason}")
    return Rehearsal(transcript.path, transcript.messages, transcript.sent, outcome)
