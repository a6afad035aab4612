"""What happens to a value beyond its limits (reference afg31000 sec. 15)."""

from __future__ import annotations

from collections.abc import Callable

from sim_backend.scpi import ScpiError


def _slack(limit: float) -> float:
    """Tolerance, so that a limit can be set through its own reply."""
    return 1e-9 * abs(limit) + 1e-15


class Arbiter:
    """Admits values into ranges: beyond, -222 is queued and the value ignored, or clamped as the option says."""

    def __init__(self, clamps: bool, report: Callable[[int, str], None]) -> None:
        self._clamps = clamps
        self._report = report

    def admit(self, value: float, low: float, high: float, what: str = "") -> float:
        """``value`` if it lies in ``low``..``high``; else the nearer limit, or ScpiError -222."""
        if low - _slack(low) <= value <= high + _slack(high):
            return min(max(value, low), max(high, low))
        if not self._clamps or value != value or low > high:
            raise ScpiError(-222, what)
        self._report(-222, what)
        return min(max(value, low), high)
