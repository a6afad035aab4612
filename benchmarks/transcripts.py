"""Every shipped protocol: are the bytes that `labctl plan --transcript` predicts those that the instruments receive?

python benchmarks/transcripts.py [PROTOCOL ...]

For each protocol, with the parameters that it ships with, two processes on the same simulated bench and seed: the
transcript, then the run. The simulated instruments keep their own record of the run (`simulation: heard:` of the bench
file), at the instruments' side of VISA and of the WGFMU library's C functions. Prints Markdown; exit code 1 if a byte
or a time differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import zip_longest
from pathlib import Path

from labctl import api
from labctl.protocol.catalogue import catalogue
from labctl.testing import bench_file

#: exceptions of the limits that protocols ask for
ALLOW = {"hnno/return_to_initial": ["--allow", "erase"]}
LIBRARY = "wgfmu_library"  # what the record calls the C functions


def labctl(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "labctl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def predicted(file: Path) -> list[tuple[str, str, str]]:
    """Time, receiver and bytes of each message that the transcript sends."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            at, name, direction, data = line.split("\t")
            if direction == ">":
                found.append((at, LIBRARY if data.startswith("WGFMU_") else name, data))
    return found


def received(file: Path) -> list[tuple[str, str, str]]:
    """The same, as the simulated instruments recorded it."""
    lines = (line.split("\t") for line in file.read_text(encoding="ascii").splitlines())
    return [(f"{float(at):.9f}", name, data) for at, name, data in lines]


def compare(protocol: str, folder: Path) -> bool:
    """One row of the table."""
    heard, transcript = folder / "heard.txt", folder / "transcript.txt"
    base = api.prepare(protocol).bench_file.stem
    bench = bench_file(folder, base, simulation={"heard": str(heard)})
    options = [protocol, "--bench", str(bench), *ALLOW.get(protocol, [])]
    start = time.perf_counter()
    said = json.loads(labctl("plan", *options, "--transcript", transcript, "--json"))["transcript"]
    seconds = time.perf_counter() - start
    heard.unlink(missing_ok=True)
    labctl("run", *options, "--confirm", "all", "--out", folder / "runs", "--json")
    expected, found = predicted(transcript), received(heard)
    first = next((k for k, (a, b) in enumerate(zip_longest(expected, found)) if a != b), None)
    size = transcript.stat().st_size
    verdict = "identical" if first is None else f"**differ from message {first}**"
    print(
        f"| `{protocol}` | {len(found)} | {said['bytes_sent']} | {verdict} | {size / 1e6:.2f} MB | {seconds:.1f} s |",
        flush=True,
    )
    return first is None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocols", nargs="*", default=[entry.name for entry in catalogue()])
    arguments = parser.parse_args()
    print("| protocol | messages received | bytes predicted | the two | transcript | time to write it |")
    print("|---|---|---|---|---|---|")
    same = 0
    for protocol in arguments.protocols:
        with tempfile.TemporaryDirectory() as folder:
            same += compare(protocol, Path(folder))
    print(f"\n{same} of {len(arguments.protocols)} protocols: every byte and every time as predicted")
    sys.exit(same < len(arguments.protocols))


if __name__ == "__main__":
    main()
