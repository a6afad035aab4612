"""What a changed byte does: at random places of a run file and of a journal of each bench, one byte at a time.

    python benchmarks/flips.py [--flips 4000] [--seed 1]

Does ``verify`` name a place that holds the byte, and does ``load_run`` refuse the file? POSIX only (fork).
"""

from __future__ import annotations

import argparse
import collections
import random
import re
import tempfile
import warnings
from pathlib import Path

from durability import SHORT, killed, references, run_in, stored

from labctl import load_run
from labctl.store import RunFileError
from labctl.store.journal import HEAD, MAGIC
from labctl.store.pages import FOOTER
from labctl.store.verify import verify


def flips(bench: str, folder: Path, count: int, generator: random.Random) -> None:
    """One byte at a time, in a run file and in a journal."""
    name, overrides = SHORT[bench]
    ((ready, reference, _),) = references({name: overrides}, folder).values()
    killed(run_in(folder / "killed", ready), 0.0, stored(reference) - 1)
    (journal,) = (folder / "killed").glob("*.journal")
    for path in (reference.path, journal):
        data = bytearray(path.read_bytes())
        found = collections.Counter(flip(path, data, generator) for _ in range(count))
        path.write_bytes(data)
        say = ", ".join(f"{what} {number}" for what, number in sorted(found.items()))
        print(f"{name}, {path.suffix[1:]} of {len(data)} bytes, {count} bytes changed one at a time: {say}", flush=True)


def flip(path: Path, data: bytearray, generator: random.Random) -> str:
    """Change a byte in the file: what becomes of it."""
    at, change = generator.randrange(len(data)), generator.randrange(1, 256)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes([data[at] ^ change]))
    try:
        places = [finding.place for finding in verify(path).findings]
    except RunFileError as error:
        places = [error.message]
    try:
        load_run(path)
        opened = ", opens"
    except RunFileError:
        opened = ", refused"
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data[at : at + 1])
    return (
        "place named" if any(holds(place, at, data) for place in places) else "found" if places else "missed"
    ) + opened


def holds(place: str, at: int, data: bytearray) -> bool:
    """Whether the place that ``verify`` gives holds byte ``at``."""
    numbers = [int(number) for number in re.findall(r"\d+", place)]
    if "bytes" in place and "to" in place:
        return numbers[0] <= at <= numbers[1]
    if "from byte" in place:  # the last record
        return numbers[-1] <= at
    header = len(MAGIC) + HEAD.size + HEAD.unpack_from(data, len(MAGIC))[2] if data.startswith(MAGIC) else 0
    return at < header if "journal" in place else at >= len(data) - FOOTER.size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=4000, help="over both benches")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # fork with threads, on purpose
    with tempfile.TemporaryDirectory() as name:
        for bench in SHORT:
            generator = random.Random(f"{bench} {given.seed}")
            flips(bench, Path(name) / bench, given.flips // len(SHORT) // 2, generator)


if __name__ == "__main__":
    main()
