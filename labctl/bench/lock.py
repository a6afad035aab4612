"""One bench, one controller: a lock file that says who holds it.

The key is the set of addresses, so that two bench files for the same instruments exclude each other. A simulated
bench lives inside its own process and needs no lock, unless it keeps its device in a file.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from labctl.bench.description import BenchDescription
from labctl.bench.errors import BenchBusy


def lock_path(bench: BenchDescription) -> Path | None:
    """Path of the lock file, or None where nothing is shared between processes."""
    if bench.simulated and bench.simulation.state is None:
        return None
    shared = [bench.simulation.state] if bench.simulated else sorted(i.address for i in bench.instruments.values())
    digest = hashlib.sha256("\n".join(map(str, shared)).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"labctl-bench-{digest}.lock"  # one place for all users of the machine


@contextmanager
def hold(bench: BenchDescription, purpose: str) -> Iterator[None]:
    """Hold the bench while the block runs.

    Raises:
        BenchBusy: another process holds it; the message says who, since when and for what.
    """
    path = lock_path(bench)
    if path is None:
        yield
        return
    import filelock

    holder = path.with_suffix(".holder")
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        try:
            who = json.loads(holder.read_text(encoding="utf-8"))
            said = f"{who['user']} on {who['host']}, process {who['pid']}, since {who['since']}: {who['purpose']}"
        except (OSError, ValueError, KeyError):
            said = "a process that left no name"
        raise BenchBusy(
            f"bench {bench.name!r} is in use by {said}", "wait for it to end, or stop it; then try again"
        ) from None
    try:
        holder.write_text(
            json.dumps(
                {
                    "user": getpass.getuser(),
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                    "since": datetime.now(UTC).isoformat(timespec="seconds"),
                    "purpose": purpose,
                }
            ),
            encoding="utf-8",
        )
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()
