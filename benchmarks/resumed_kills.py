"""Kills, and kills of the resumption: does every run go on to its end, with all that was acknowledged?

    python benchmarks/resumed_kills.py [--kills 60] [--seed 1]

A whole run is killed at a random moment, resumed in another process that is killed as well, and resumed again until it
ends. Each file on the way must open or repair and hold what had been acknowledged; the last one must verify and begin
with the first one's events, traces and messages, bit for bit. POSIX only (fork).
"""

from __future__ import annotations

import argparse
import collections
import random
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from durability import PROTOCOLS, Tally, Tell, Told, agree, killed, missing, references, run_in, show, stored

from labctl import load_run
from labctl.resume import resumption
from labctl.store import Run
from labctl.store.compare import compare_records
from labctl.store.continuation import has_begun
from labctl.store.verify import verify


def go_on(path: Path, tell: Tell = lambda events: None) -> Path:
    """Resume to the end, telling the number of events acknowledged since."""
    count = 0

    def progress(event: object) -> None:
        nonlocal count
        count += 1
        tell(count)

    with resumption(path) as found:
        return found.go_on(ask_operator=agree, progress=progress).path


def resume_in(path: Path) -> Callable[[Tell], None]:
    return lambda tell: void(go_on(path, tell))


def void(_: object) -> None:
    return None


def newest(folder: Path) -> Path:
    """The run to go on with: the last one that holds all of the run before it."""
    left = sorted([*folder.glob("*.h5.journal"), *folder.glob("*.h5")], key=lambda path: path.stat().st_mtime_ns)
    return next(path for path in reversed(left) if has_begun(load_run(path)))


def resumed(bench: str, folder: Path, kills: int, generator: random.Random) -> Tally:
    tally = Tally()
    known = list(references(PROTOCOLS[bench], folder).values())
    ends: collections.Counter[str] = collections.Counter()
    number = 0
    while tally.kills < kills:
        ready, reference, seconds = known[number % len(known)]
        place = folder / f"kill{number}"
        number += 1
        delay = generator.uniform(0, 2 * seconds / stored(reference))
        told, was_killed = killed(run_in(place, ready), delay, generator.randint(1, stored(reference)))
        if not was_killed or not list(place.glob("*.journal")):
            continue
        tally.kills += 1
        first = look(newest(place), told, tally)
        told, was_killed = killed(resume_in(first.path), generator.uniform(0, 2 * seconds))
        tally.kills += was_killed
        path = newest(place)
        second = look(path, Told(told.events + stored(first) if path != first.path else stored(first)), tally)
        last = load_run(go_on(path)) if second.meta["status"] == "failed" else second
        ends[last.meta["status"]] += 1
        findings = [f"{finding.place}: {finding.problem}" for finding in verify(last.path).findings]
        findings += map(str, compare_records(first, last, stored(first)))
        if findings or last.meta["status"] != reference.meta["status"]:
            tally.wrong.append(
                f"{last.path.name}: {last.meta['status']}: {last.meta['reason']}; {'; '.join(findings[:3])}"
            )
    print(f"{bench}: the runs ended {dict(ends)}")
    return tally


def look(path: Path, told: Told, tally: Tally) -> Run:
    """A file on the way."""
    run = load_run(path)
    tally.journals += path.suffix == ".journal"
    tally.finished += path.suffix == ".h5"
    tally.events += told.events
    tally.intents += told.intents
    tally.lost += missing(run, told)
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60, help="over both benches")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # fork with threads, on purpose
    with tempfile.TemporaryDirectory() as name:
        for bench in PROTOCOLS:
            generator = random.Random(f"{bench} {given.seed}")
            show(f"{bench}, resumed", resumed(bench, Path(name) / bench, given.kills // len(PROTOCOLS), generator))


if __name__ == "__main__":
    main()
