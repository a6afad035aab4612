"""What it costs to add up a device's runs: CPU time of ``read_ledger`` over many run files.

    python benchmarks/ledger.py [--files 300]

One run of 346 events (a spiking probability with two trials per field) stands in the folder so many times, each with
an id of its own; as many files of another device beside them are only looked at. A process reads a file once.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import h5py

from labctl import api
from labctl.ledger import read_ledger


def copies(run: Path, number: int) -> None:
    """Copies of a run file beside it with other ids; their checksums no longer hold, which a ledger does not ask."""
    for index in range(number - 1):
        target = shutil.copy(run, run.with_name(f"{run.stem}_{index}.h5"))
        with h5py.File(target, "r+") as file:
            identity = file["entry/entry_identifier"]
            identity[...] = f"{index:0{identity.dtype.itemsize}d}".encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=300)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for device in ("mine", "another"):
            ready = api.prepare("hnno/spiking_probability", overrides={"trials": "2"})
            copies(api.run(ready, out=Path(folder), device=device).path, arguments.files)
        for device, what in (("nobody", "all looked at"), ("mine", "counted"), ("mine", "by the same process again")):
            start = time.process_time()
            ledger = read_ledger(folder, device)
            spent = time.process_time() - start
            print(f"{len(ledger.entries)} of {2 * arguments.files} runs: {spent:.2f} s of CPU, {what}")


if __name__ == "__main__":
    main()
