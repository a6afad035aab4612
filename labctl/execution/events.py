"""Events: the rows that execution yields, one per executed reading or step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Trace = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the table ``kind``, and the raw points behind it (SI units, equally long arrays)."""

    kind: str
    row: dict[str, Any]
    trace: Trace | None = None


class StopRun(RuntimeError):
    """The protocol itself asks to stop (failed reset, state not reached); the run file says why."""
