"""Events: the rows that execution yields, one per executed reading or step."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

Trace = dict[str, NDArray[Any]]


class Event(NamedTuple):
    """One row of the table ``kind``, and the raw points behind it (SI units, equally long arrays)."""

    kind: str
    row: dict[str, Any]
    trace: Trace | None = None


class Intent(NamedTuple):
    """Said before the first byte of an operation that acts on the device: what is about to be done.

    ``rows``: events that it will leave; while fewer are stored, it may have reached the device all the same.
    """

    step: int
    what: str
    rows: int


class StopRun(RuntimeError):
    """The protocol itself asks to stop (failed reset, state not reached); the run file says why."""
