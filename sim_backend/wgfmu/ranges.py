"""Ranges of the fast unit: levels, settling, noise (reference b1530a sec. 1.1, 1.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from sim_backend.wgfmu import codes
from sim_backend.wgfmu.codes import Failure, number
from sim_backend.wgfmu.options import WgfmuOptions

_SETTLING_TAUS = 5.1  # the settling times are those to 0.6 %
_LARGEST_NOISE = 2e-3  # of full scale, for the shortest window
_SAMPLE = 5e-9
RANGE_CHANGE = 150e-6  # s until a range change has settled
PG_RESISTANCE = 50.0


@dataclass(frozen=True)
class Force:
    """Levels (V) of an output range and its name in texts."""

    low: float
    high: float
    name: str


FORCE: dict[int, Force] = {
    codes.FORCE_3V: Force(-3.0, 3.0, "3 V"),
    codes.FORCE_5V: Force(-5.0, 5.0, "5 V"),
    codes.FORCE_10V_NEGATIVE: Force(-10.0, 0.0, "-10 V"),
    codes.FORCE_10V_POSITIVE: Force(0.0, 10.0, "+10 V"),
}
_PG = (codes.FORCE_3V, codes.FORCE_5V)


@dataclass(frozen=True)
class Meter:
    """A measurement range: full scale, settling to 0.6 %, rms noise of a window of that length, resolution."""

    full_scale: float
    settling: float
    noise: float
    window: float
    step: float
    quantity: str

    @property
    def tau(self) -> float:
        """Time constant of the one-pole filter (s)."""
        return self.settling / _SETTLING_TAUS

    def sigma(self, length: float) -> float:
        """Rms noise of a mean over ``length`` (s): white, bounded for the shortest windows."""
        largest = 4e-3 if self.quantity == "voltage" else _LARGEST_NOISE * self.full_scale
        return min(largest, self.noise * sqrt(self.window / max(length, _SAMPLE)))


def _current(full_scale: float, settling: float, noise: float, window: float) -> Meter:
    return Meter(full_scale, settling, noise, window, 1.4e-4 * full_scale, "current")


METERS: dict[int, Meter] = {
    codes.CURRENT_1UA: _current(1e-6, 37e-6, 425e-12, 1.64e-6),
    codes.CURRENT_10UA: _current(10e-6, 5.8e-6, 2.5e-9, 1e-6),
    codes.CURRENT_100UA: _current(100e-6, 820e-9, 47e-9, 130e-9),
    codes.CURRENT_1MA: _current(1e-3, 200e-9, 280e-9, 40e-9),
    codes.CURRENT_10MA: _current(10e-3, 125e-9, 1.9e-6, 20e-9),
    codes.VOLTAGE_5V: Meter(5.0, 85e-9, 1.4e-3, 20e-9, 680e-6, "voltage"),
    codes.VOLTAGE_10V: Meter(10.0, 110e-9, 1.4e-3, 20e-9, 1.4e-3, "voltage"),
}


def force_tau(options: WgfmuOptions, mode: int, code: int) -> float:
    """Time constant (s) of the output's one-pole bandwidth."""
    if mode == codes.MODE_PG:
        return options.force_tau_pg
    return (
        options.force_tau_10v if code in (codes.FORCE_10V_NEGATIVE, codes.FORCE_10V_POSITIVE) else options.force_tau_5v
    )


def choose_force(code: int, mode: int, volts: Iterable[float]) -> int:
    """The range in which ``volts`` go out: the one set, or with AUTO the smallest that holds all.

    Raises:
        Failure: -1, a level lies outside it; names the level and the limit.
    """
    levels = list(volts)
    low, high = min(levels), max(levels)
    candidates = _PG if mode == codes.MODE_PG else tuple(FORCE)
    if code == codes.FORCE_AUTO:
        for candidate in candidates:
            if FORCE[candidate].low <= low and high <= FORCE[candidate].high:
                return candidate
        raise Failure(
            codes.PARAMETER_OUT_OF_RANGE,
            f"voltage from {number(low)} [V] to {number(high)} [V] does not fit into any force voltage range "
            f"of this mode ({', '.join(FORCE[c].name for c in candidates)}).",
        )
    if code not in candidates:
        raise Failure(codes.CONTEXT, "Invalid Force Voltage Range on PG mode.")
    chosen = FORCE[code]
    if high > chosen.high:
        raise Failure(
            codes.PARAMETER_OUT_OF_RANGE,
            f"voltage = {number(high)} [V] is greater than the upper limit = {number(chosen.high)} [V] "
            f"of the {chosen.name} range.",
        )
    if low < chosen.low:
        raise Failure(
            codes.PARAMETER_OUT_OF_RANGE,
            f"voltage = {number(low)} [V] is lower than the lower limit = {number(chosen.low)} [V] "
            f"of the {chosen.name} range.",
        )
    return code
