"""Modules, range codes, resolutions and limits of the SMUs (reference b1500a sec. 2, 7)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from math import copysign, floor

#: code -> full scale in V, A; several codes mean one range
VOLTAGE_CODES: Mapping[int, float] = {
    5: 0.5, 11: 2.0, 20: 2.0, 50: 5.0, 12: 20.0, 200: 20.0, 13: 40.0, 400: 40.0, 14: 100.0, 1000: 100.0, 15: 200.0,
    2000: 200.0,
}  # fmt: skip
CURRENT_CODES: Mapping[int, float] = {code: float(f"1e{code - 20}") for code in range(8, 21)}
_VOLTAGE_NAMES = {0.5: 5, 2.0: 20, 5.0: 50, 20.0: 200, 40.0: 400, 100.0: 1000, 200.0: 2000}
_CURRENT_NAMES = {scale: code for code, scale in CURRENT_CODES.items()}

OVER_AUTO = 1.15  # of range: autorange goes up
DOWN_AUTO = 0.10  # of range: it goes down
FORCE_COUNTS = 20_000  # of a range, source and high-speed ADC
#: high-resolution ADC: step in A of the lowest ranges; elsewhere range / 10^6
_FINE_STEPS = {1e-12: 1e-15, 1e-11: 1e-15, 1e-10: 2e-15, 1e-9: 1e-14, 1e-8: 1e-14}
_FINE_COUNTS = 1_000_000
_ROUNDING = 1e-6  # of a count: what decimal numbers miss by being binary


@dataclass(frozen=True)
class Module:
    """An SMU module.

    ``envelope`` pairs a voltage (V) with the largest current (A) up to it; ``power`` is the largest power compliance.
    """

    kind: str
    volts: tuple[float, ...]
    amps: tuple[float, ...]
    envelope: tuple[tuple[float, float], ...]
    power: float

    def most_current(self, volts: float) -> float | None:
        """Largest current (A) at an output or compliance of ``volts``; None: the module does not reach that."""
        for limit, amps in self.envelope:
            if abs(volts) <= limit * (1 + 1e-9):
                return amps
        return None

    def voltage_range(self, code: int) -> float | None:
        """Full scale (V) of a range code's magnitude; None for automatic ranging.

        Raises:
            KeyError: no such range on this module.
        """
        return _scale(code, VOLTAGE_CODES, self.volts)

    def current_range(self, code: int) -> float | None:
        """As ``voltage_range``, A."""
        return _scale(code, CURRENT_CODES, self.amps)


def _scale(code: int, codes: Mapping[int, float], present: tuple[float, ...]) -> float | None:
    if code == 0:
        return None
    scale = codes[abs(code)]
    if scale not in present:
        raise KeyError(code)
    return scale


_VOLTS = (0.5, 2.0, 5.0, 20.0, 40.0, 100.0)
_AMPS = tuple(CURRENT_CODES[code] for code in range(11, 20))
_MEDIUM = ((20.0, 0.1), (40.0, 0.05), (100.0, 0.02))
_MPSMU = Module("MPSMU", _VOLTS, _AMPS, _MEDIUM, 2.0)

#: module model -> what it is; everything else in the rack is no SMU
SMUS: Mapping[str, Module] = {
    "B1517A": Module("HRSMU", _VOLTS, (1e-11, 1e-10, *_AMPS), _MEDIUM, 2.0),
    "B1511A": _MPSMU,
    "B1511B": _MPSMU,
    "B1510A": Module(
        "HPSMU",
        (2.0, 20.0, 40.0, 100.0, 200.0),
        (*_AMPS, 1.0),
        ((20.0, 1.0), (40.0, 0.5), (100.0, 0.125), (200.0, 0.05)),
        20.0,
    ),
}


def voltage_code(scale: float) -> int:
    """Code by which the instrument reports a voltage range."""
    return _VOLTAGE_NAMES[scale]


def current_code(scale: float) -> int:
    """Code of a current range."""
    return _CURRENT_NAMES[scale]


def covering(scales: tuple[float, ...], value: float) -> float:
    """Smallest range that holds abs(value); the largest one when none does."""
    return scales[min(bisect_left(scales, abs(value) * (1 - 1e-9)), len(scales) - 1)]


def neighbour(scales: tuple[float, ...], scale: float, step: int) -> float | None:
    """The next range up (1) or down (-1), None at the end."""
    index = scales.index(scale) + step
    return scales[index] if 0 <= index < len(scales) else None


def truncated(value: float, scale: float) -> float:
    """``value`` cut to the steps of a source on range ``scale``."""
    step = scale / FORCE_COUNTS
    whole = floor(abs(value) / step + _ROUNDING)
    # counts per unit are whole or their inverse is: dividing gives the nearest decimal number
    return copysign(whole / (FORCE_COUNTS / scale), value) if whole else 0.0


def step_of(scale: float, fine: bool, current: bool) -> float:
    """Resolution of a reading: high-resolution ADC (``fine``) or high-speed ADC."""
    if not fine:
        return scale / FORCE_COUNTS
    return (_FINE_STEPS.get(scale) if current else None) or scale / _FINE_COUNTS
