"""Closed forms of the H-NNO model for one straight piece of voltage (reference, part 2a.3). Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import ceil, exp, expm1, log1p

from sim_backend.devices.hnno.parameters import HnnoParameters

#: duration (s), voltage at the start and at the end (V)
Stretch = tuple[float, float, float]

_LARGEST = 650.0  # exponent that still fits a float with room to add up
_PIECE = 0.05  # V; of a ramp, within which the sensitization rate counts as constant
_COARSE = 0.25  # V; the same for ramps so short (below tau_a/1000) that they hardly sensitize
_DARK = 12.0  # widths below the floor from which on the gate is shut (6e-6)


def dose(duration: float, a1: float, a2: float, u: float, w0: float) -> float:
    """Integral of dt/w0 exp(a/u) while ``a`` (V) goes straight from ``a1`` to ``a2`` in ``duration`` (s)."""
    d = (a2 - a1) / u
    shape = expm1(min(d, _LARGEST)) / d if abs(d) > 1e-9 else 1.0
    return duration / w0 * exp(min(a1 / u, _LARGEST)) * shape


def crossing(need: float, duration: float, a1: float, a2: float, u: float, w0: float) -> float:
    """Time (s) within the piece at which its dose reaches ``need``; at most ``duration``."""
    seconds = need * w0 * exp(min(-a1 / u, _LARGEST))  # at the starting rate
    rate = (a2 - a1) / duration / u
    if rate == 0.0:
        return min(duration, seconds)
    change = seconds * rate
    if change <= -1.0:  # rounding at the foot of a falling ramp
        return duration
    return min(duration, log1p(change) / rate)


def split(duration: float, v1: float, v2: float, v_event: float) -> list[Stretch]:
    """Cut a piece where it passes +-``v_event``, so that each part belongs to one event or to rest."""
    if v1 == v2:
        return [(duration, v1, v2)]
    low, high = (v1, v2) if v1 < v2 else (v2, v1)
    cuts = [level for level in (-v_event, v_event) if low < level < high]
    if not cuts:
        return [(duration, v1, v2)]
    if v1 > v2:
        cuts.reverse()
    corners = [v1, *cuts, v2]
    slope = duration / (v2 - v1)
    return [((b - a) * slope, a, b) for a, b in pairwise(corners)]


def growth_steps(p: HnnoParameters, stretches: Iterable[Stretch]) -> Iterator[tuple[float, float]]:
    """Sensitization of forward stretches as steps (target in V, fraction of the gap that is closed)."""
    dark = p.v_floor - _DARK * p.w_floor
    for duration, v1, v2 in stretches:
        if v1 <= dark and v2 <= dark:
            continue
        if v1 == v2:
            yield p.saturation(v1), -expm1(-duration * _gate(p, v1) / p.tau_a)
            continue
        if min(v1, v2) < dark:  # leave the ineffective foot of the ramp out
            duration *= (max(v1, v2) - dark) / abs(v2 - v1)
            v1, v2 = max(v1, dark), max(v2, dark)
        pieces = max(1, ceil(abs(v2 - v1) / (_PIECE if duration > p.tau_a / 1000 else _COARSE)))
        rate = duration / pieces / p.tau_a
        for k in range(pieces):
            v = v1 + (v2 - v1) * (k + 0.5) / pieces
            target = p.saturation(v)
            if target > 0.0:
                yield target, -expm1(-rate * _gate(p, v))


def grow(steps: Iterable[tuple[float, float]], level: float) -> float:
    """Sensitization (V) after the steps, from ``level``; it never falls."""
    for target, fraction in steps:
        if target > level:
            level += (target - level) * fraction
    return level


def growth_slope(steps: Iterable[tuple[float, float]], level: float) -> float:
    """Fraction by which the growth falls per volt of ``level``: growth is affine while no target is passed."""
    kept = 1.0
    for target, fraction in steps:
        if target > level:
            level += (target - level) * fraction
            kept *= 1.0 - fraction
    return 1.0 - kept


def _gate(p: HnnoParameters, v: float) -> float:
    return 1.0 / (1.0 + exp(min((p.v_floor - v) / p.w_floor, _LARGEST)))
