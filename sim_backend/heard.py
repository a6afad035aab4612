"""What the simulated instruments hear, as a text file: their own record of a run, beside the one that labctl keeps.

A line per message: time (s), a tab, who hears it, a tab, the bytes with ``\\n`` and the like escaped as in Python.
Calls of the WGFMU library are heard by ``wgfmu_library``: function and arguments, ``&`` for what the library fills.
"""

from __future__ import annotations

from pathlib import Path

from sim_backend.clock import Clock

LIBRARY = "wgfmu_library"


class Heard:
    """The open file, made anew; ``close`` completes it."""

    def __init__(self, path: str | Path, clock: Clock) -> None:
        self._file = Path(path).open("w", encoding="ascii", newline="\n")  # noqa: SIM115 - closed by close
        self._clock = clock

    def message(self, name: str, data: bytes) -> None:
        """``name`` has been handed ``data``."""
        text = data.decode("latin-1").encode("unicode_escape").decode("ascii")
        self._file.write(f"{self._clock.now!r}\t{name}\t{text}\n")

    def close(self) -> None:
        self._file.close()
