"""Settling of a current meter: it follows the true current with one pole (pitfall F11)."""

from __future__ import annotations

from math import exp, expm1

_NEGLIGIBLE = 40.0  # time constants after which nothing is left


class Ammeter:
    """What the meter shows (A) while the true current changes in steps."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._at = 0.0  # time (s) at which it showed that
        self._true = 0.0  # last true current known

    def settle(self, current: float, now: float) -> None:
        """Show ``current`` exactly: after a change of range that was waited for."""
        self._shown, self._at, self._true = current, now, current

    def charge(self, coulombs: float, now: float, tau: float) -> None:
        """A charge goes through the meter at once."""
        self._relax(self._true, now, tau)
        self._shown += coulombs / tau

    def read(self, current: float, now: float, aperture: float, tau: float) -> float:
        """Mean over the last ``aperture`` (s), the true current having been ``current`` since the last call."""
        away = self._shown - current
        begin = now - aperture - self._at
        self._true = current
        if away == 0.0 or begin > _NEGLIGIBLE * tau:
            self._shown, self._at = current, now
            return current
        shown = current
        if begin >= 0.0 and aperture > 0.0:
            shown += away * tau / aperture * exp(-begin / tau) * -expm1(-aperture / tau)
        else:
            shown += away * exp(-max(now - self._at, 0.0) / tau)
        self._relax(current, now, tau)
        return shown

    def _relax(self, current: float, now: float, tau: float) -> None:
        turns = (now - self._at) / tau
        self._shown = current + (self._shown - current) * exp(-turns) if turns < _NEGLIGIBLE else current
        self._at = now
