"""What a kill costs: labctl's run files beside PyMeasure's CSV, QCoDeS's SQLite and plain h5py, all at their defaults.

    python benchmarks/durability.py [cuts] [kills] [peers] [--kills 600] [--seed 1]

cuts    a short run on each bench, killed at every call that writes, syncs, links or removes a file: before it, and
        halfway through.
kills   SIGKILL at random moments over whole runs of shipped protocols of both benches, from the first instruction to
        the last. Every file that is left is opened, repaired if need be, verified, and compared bit for bit with the
        same run left alone. An event counts as acknowledged when the run has told its observer (``progress``), an
        intent when the first message after it may be sent.
peers   the same kills for the three others, a row per millisecond, acknowledged when their call has returned.

What recording costs is in store.py, what a changed byte does in flips.py.

POSIX only (fork). The figures in docs/validation.md come from here.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import select
import shutil
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from labctl import api, load_run
from labctl.store import Recorder, Run, RunFileError
from labctl.store.compare import compare_records
from labctl.store.repair import repair
from labctl.store.sheet import GuardedFile
from labctl.store.verify import verify

Overrides = dict[str, str]
PROTOCOLS: dict[str, dict[str, Overrides]] = {
    "H-NNO": {
        "hnno/resistance_read": {},
        "hnno/characterisation": {},
        "hnno/prepare_state": {},
        "hnno/polarity_check": {},
        "hnno/spiking_probability": {"trials": "1"},
        "hnno/stochastic_spiking": {"cycles": "20"},
        "hnno/self_sensitization": {"trials": "2"},
    },
    "AAB": {
        "aab/transfer_curves": {},
        "aab/cyclic_transfer": {},
        "aab/single_pulse": {},
        "aab/pulse_train": {"count": "10"},
        "aab/integration_bursts": {"counts": "[50, 100]", "repeats": "3"},
        "aab/integration_envelope": {"trains": "2", "pulses": "200"},
        "aab/negative_pulses": {},
        "aab/conditioned_pulse": {},
    },
}
SHORT: dict[str, tuple[str, Overrides]] = {
    "H-NNO": ("hnno/resistance_read", {"readings": "3", "points": "5"}),
    "AAB": ("aab/cyclic_transfer", {}),
}


class Told(NamedTuple):
    """What a run had acknowledged."""

    events: int = 0
    intents: int = 0


Tell = Callable[..., None]  #: called with the numbers of a ``Told``
NUMBERS = struct.Struct("<qq")
LONG = 120.0  # s, longer than any run here


@dataclass
class Tally:
    """What was found after kills."""

    kills: int = 0
    before: int = 0  # killed before there was a file
    journals: int = 0
    finished: int = 0
    events: int = 0  # acknowledged
    intents: int = 0
    lost: int = 0  # of both
    unreadable: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills ({self.before} before the journal, {self.journals} left a journal, {self.finished} a "
            f"finished file); acknowledged events {self.events}, intents {self.intents}, lost {self.lost}; "
            f"files that neither open nor repair {self.unreadable}; contents not as recorded {len(self.wrong)}"
        )


def killed(work: Callable[[Tell], None], delay: float, after: int = 0) -> tuple[Told, bool]:
    """Do ``work`` in a forked process and kill it: what it told last, and whether it was killed.

    Killed ``delay`` s after it has told ``after`` events; counted from the start if that is 0.
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
            work(lambda events, intents=0: void(write(outward, NUMBERS.pack(events, intents))))
        leave(0)
    os.close(outward)
    told, deadline = b"", time.monotonic() + (LONG if after else delay)
    while (left := deadline - time.monotonic()) > 0:
        if select.select([inward], [], [], left)[0]:
            data = os.read(inward, 1 << 16)
            if not data:
                break
            told = last_of(told + data)
            if after and latest(told).events >= after:
                after, deadline = 0, time.monotonic() + delay
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    while data := os.read(inward, 1 << 16):
        told = last_of(told + data)
    os.close(inward)
    _, status = os.waitpid(child, 0)
    return latest(told), os.WIFSIGNALED(status)


def last_of(told: bytes) -> bytes:
    """The last whole entry and what came of the next one."""
    return told[-(len(told) % NUMBERS.size + NUMBERS.size) :]


def latest(told: bytes) -> Told:
    return Told(*NUMBERS.unpack_from(told)) if len(told) >= NUMBERS.size else Told()


def void(_: object) -> None:
    return None


def run_in(folder: Path, ready: api.Prepared) -> Callable[[Tell], None]:
    """A whole run, in a process of its own, that tells the numbers of acknowledged events and intents."""

    def work(tell: Tell) -> None:
        events = intents = 0
        announce, log, announced = Recorder.intent, Recorder.wire, False

        def progress(event: object) -> None:
            nonlocal events
            events += 1
            tell(events, intents)

        def intent(*arguments: Any) -> None:
            nonlocal announced
            announce(*arguments)
            announced = True

        def wire(*message: Any) -> None:
            nonlocal announced, intents
            log(*message)
            if announced:
                announced, intents = False, intents + 1
                tell(events, intents)

        setattr(Recorder, "intent", intent)  # noqa: B010
        setattr(Recorder, "wire", wire)  # noqa: B010
        api.run(ready, out=folder, progress=progress, ask_operator=agree)

    return work


def agree(step: str, what: str) -> None:
    """The operator carries out every step."""


def judge(folder: Path, told: Told, reference: Run, tally: Tally) -> None:
    """What a killed run left."""
    tally.events += told.events
    tally.intents += told.intents
    left = sorted(folder.glob("*.h5")) or sorted(folder.glob("*.h5.journal"))
    if not left:
        tally.before += 1
        tally.lost += sum(told)
        return
    path = left[0]
    try:
        if path.suffix == ".journal":
            tally.journals += 1
            tally.lost += missing(load_run(path), told)
            path = repair(path).path
        else:
            tally.finished += 1
        run = load_run(path)
        findings = [f"{f.place}: {f.problem}" for f in verify(path).findings]
    except (RunFileError, OSError) as error:
        tally.unreadable += 1
        tally.lost += sum(told)
        tally.wrong.append(str(error))
        return
    tally.lost += missing(run, told)
    findings += map(str, compare_records(run, reference, stored(run)))
    if findings:
        tally.wrong.append("; ".join(findings[:3]))


def stored(run: Run) -> int:
    """Events of a run."""
    return sum(len(table) for table in run.tables.values())


def missing(run: Run, told: Told) -> int:
    """Acknowledged events and intents that the run does not have."""
    return max(0, told.events - stored(run)) + max(0, told.intents - len(run.intents))


def references(protocols: dict[str, Overrides], folder: Path) -> dict[str, tuple[api.Prepared, Run, float]]:
    """Protocol -> prepared, the same run left alone, and how long that took (s)."""
    found = {}
    for name, overrides in protocols.items():
        ready = api.prepare(name, overrides=overrides)
        start = time.monotonic()
        outcome = api.run(ready, out=folder / "reference", ask_operator=agree)
        found[name] = ready, load_run(outcome.path), time.monotonic() - start
    return found


def random_kills(bench: str, folder: Path, kills: int, generator: random.Random) -> Tally:
    tally = Tally()
    known = list(references(PROTOCOLS[bench], folder).values())
    number = 0
    while tally.kills < kills:
        ready, reference, seconds = known[number % len(known)]
        place = folder / f"kill{number}"
        # A moment drawn by progress, which a busy machine does not shift: 1 in 20 while the bench is opened, 3 in 20
        # after the last event, when outputs go off and the run file is made, the others within two events of an event.
        part, events = generator.random(), stored(reference)
        after = 0 if part < 0.05 else events if part < 0.2 else generator.randint(1, events)
        delay = generator.uniform(0, 0.5 if part < 0.2 else 2 * seconds / events)
        told, was_killed = killed(run_in(place, ready), delay, after)
        number += 1
        if was_killed:
            tally.kills += 1
            judge(place, told, reference, tally)
            if tally.kills % 50 == 0:
                print(f"  {tally.kills}: lost {tally.lost}, unreadable {tally.unreadable}", file=sys.stderr, flush=True)
        shutil.rmtree(place, ignore_errors=True)
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


def every_call(bench: str, folder: Path) -> Tally:
    """A short run cut at every call, twice."""
    name, overrides = SHORT[bench]
    ((ready, reference, _),) = references({name: overrides}, folder).values()
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
            shutil.rmtree(place, ignore_errors=True)
            call += 1
    return tally


def peer_kills(folder: Path, kills: int, seed: int) -> None:
    from peers import PEERS

    print(f"\n{'killed at random, 1 row per ms':32}{'kills':>7}{'rows':>9}{'lost':>8}{'unreadable files':>18}")
    for name, peer in PEERS.items():
        warm = folder / f"warm {name}"
        warm.mkdir()
        with contextlib.redirect_stdout(None):
            peer.rows(warm, 1, 0.0, void)  # imports
        generator = random.Random(seed)
        done = acknowledged = lost = unreadable = 0
        while done < kills:
            place = folder / f"{name}{done}{generator.random()}"
            place.mkdir()
            told, _ = killed(lambda tell, p=place, w=peer.rows: w(p, 10**9, 1e-3, tell), generator.uniform(0.5, 3.0))  # type: ignore[misc]
            if not told.events:
                continue
            done, acknowledged = done + 1, acknowledged + told.events
            try:
                lost += max(0, told.events - peer.found(place))
            except Exception:  # noqa: BLE001 - whatever a reader raises, the file cannot be read
                unreadable, lost = unreadable + 1, lost + told.events
            shutil.rmtree(place)
        print(f"{name:32}{done:7}{acknowledged:9}{lost:8}{unreadable:18}", flush=True)


def show(what: str, tally: Tally) -> None:
    print("\n  ".join([f"{what}: {tally}", *tally.wrong[:10]]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["cuts", "kills", "peers"])
    parser.add_argument("--kills", type=int, default=600, help="over both benches")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # fork with threads, on purpose
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for bench in PROTOCOLS:
            if "cuts" in given.parts:
                tally = every_call(bench, folder / f"{bench} cuts")
                show(f"{SHORT[bench][0]}, cut at every call", tally)
            if "kills" in given.parts:
                generator = random.Random(f"{bench} {given.seed}")
                tally = random_kills(bench, folder / bench, given.kills // len(PROTOCOLS), generator)
                show(f"{bench}, killed at random", tally)
        if "peers" in given.parts:
            peer_kills(folder, min(given.kills, 30), given.seed)


if __name__ == "__main__":
    main()
