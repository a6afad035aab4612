"""The gate voltage that channel carriers feel: dA/dt = (V - A)/tau, exact on ramps (reference part 2b.2, row A).

Three regimes with their own time constant: charging (abs(V) > abs(A), same sign), relaxing from the side of V, relaxing
from the other side. On a ramp of one sign A passes from regime to regime at most twice: it crosses 0, then meets V.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, log1p

import numpy as np
from numpy.typing import NDArray

from sim_backend.devices.aab.parameters import AabParameters

Floats = NDArray[np.float64]

_ROOT_STEPS = 100  # halvings: down to neighbouring floats
_FLAT = 1e-15  # V, a rise that is none
_CONVERGED = 1e-11  # V, change of A per period below which a train stands still


@dataclass(frozen=True)
class Ramp:
    """Straight piece of gate voltage that does not change its sign: ``start`` to ``end`` (V) in ``duration`` (s)."""

    duration: float
    start: float
    end: float


@dataclass(frozen=True)
class Lag:
    """A ramp seen from its own side (voltages times ``sign``, so v >= 0), with its three time constants (s)."""

    duration: float
    sign: float
    start: float
    slope: float
    charge: float
    relax_same: float
    relax_opposite: float


def split_at_zero(duration: float, start: float, end: float) -> tuple[Ramp, ...]:
    """The piece as one or two ramps of one sign each; nothing for a duration of 0."""
    if min(start, end) < 0.0 < max(start, end):
        first = duration * (start / (start - end))
        parts: tuple[Ramp, ...] = (Ramp(first, start, 0.0), Ramp(duration - first, 0.0, end))
    else:
        parts = (Ramp(duration, start, end),)
    return tuple(ramp for ramp in parts if ramp.duration > 0.0)


def lag_of(p: AabParameters, ramp: Ramp) -> Lag:
    """Constants of one ramp for ``follow`` and ``follow_many``."""
    sign = -1.0 if ramp.start + ramp.end < 0.0 else 1.0
    same, opposite = p.tau_relax_positive, p.tau_relax_negative
    if sign < 0.0:
        same, opposite = opposite, same
    rise = sign * (ramp.end - ramp.start)
    slope = rise / ramp.duration if abs(rise) > _FLAT else 0.0
    return Lag(ramp.duration, sign, sign * ramp.start, slope, p.tau_charge, same, opposite)


def _travel(a: float, v: float, k: float, tau: float, t: float) -> float:
    """A after ``t`` in one regime: exact solution for V = v + k t."""
    return a + k * t + (a - v + k * tau) * expm1(-t / tau)


def _crossing(a: float, v: float, k: float, tau: float, limit: float) -> float:
    """Time at which A, rising from a < 0 towards V >= 0, passes 0; more than ``limit`` if later."""
    if k == 0.0:
        return tau * log1p(-a / v) if v > 0.0 else float("inf")
    if _travel(a, v, k, tau, limit) < 0.0:
        return float("inf")
    low, high = 0.0, limit
    for _ in range(_ROOT_STEPS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if _travel(a, v, k, tau, middle) < 0.0:
            low = middle
        else:
            high = middle
    return high


def follow(lag: Lag, felt: float) -> float:
    """A (V) at the end of the ramp when it was ``felt`` at its start."""
    left, _, v, k = lag.duration, lag.sign, lag.start, lag.slope
    a = lag.sign * felt
    if a < 0.0:
        tau = lag.relax_opposite
        crossing = _crossing(a, v, k, tau, left)
        if crossing >= left:
            return lag.sign * _travel(a, v, k, tau, left)
        a = 0.0
        v += k * crossing
        left -= crossing
    if a > v:
        tau = lag.relax_same
        if k > 0.0:
            meeting = tau * log1p((a - v) / (k * tau))
            if meeting < left:
                v += k * meeting
                left -= meeting
                a = v
                tau = lag.charge
    elif a < v:
        tau = lag.charge
        if k < 0.0:
            meeting = tau * log1p((a - v) / (k * tau))
            if meeting < left:
                v += k * meeting
                left -= meeting
                a = v
                tau = lag.relax_same
    else:
        tau = lag.charge if k > 0.0 else lag.relax_same
    return lag.sign * (a + k * left + (a - v + k * tau) * expm1(-left / tau))


def follow_many(lag: Lag, felt: Floats, duration: Floats | float | None = None) -> Floats:
    """``follow`` for arrays of starting values and of durations (s) that end earlier on the same ramp (broadcast)."""
    felt, left = np.broadcast_arrays(felt, lag.duration if duration is None else duration)
    k = lag.slope
    a = lag.sign * felt
    v = np.full_like(a, lag.start)

    def travel(tau: Floats | float, t: Floats) -> Floats:
        return np.asarray(a + k * t + (a - v + k * tau) * np.expm1(-t / tau))

    behind = a < 0.0
    if behind.any():
        tau = lag.relax_opposite
        crosses = behind & (travel(tau, left) >= 0.0) & (lag.start + max(k, 0.0) * lag.duration > 0.0)
        stays = behind & ~crosses
        low, high = np.zeros_like(left), left.copy()
        if crosses.any():
            for _ in range(_ROOT_STEPS):
                middle = 0.5 * (low + high)
                before = travel(tau, middle) < 0.0
                low, high = np.where(before, middle, low), np.where(before, high, middle)
        a = np.where(stays, travel(tau, left), np.where(crosses, 0.0, a))
        v = np.where(crosses, v + k * high, v)
        left = np.where(stays, 0.0, np.where(crosses, left - high, left))
    above = (a > v) | ((a == v) & (k <= 0.0))
    tau_now = np.where(above, lag.relax_same, lag.charge)
    meets = (above & (a != v)) if k > 0.0 else ~above
    if k != 0.0 and meets.any():
        gap = np.where(meets, (a - v) / (k * tau_now), 0.0)
        meeting = np.where(meets, tau_now * np.log1p(gap), np.inf)
        met = meeting < left
        v = np.where(met, v + k * meeting, v)
        a = np.where(met, v, a)
        left = np.where(met, left - meeting, left)
        tau_now = np.where(met, lag.charge if k > 0.0 else lag.relax_same, tau_now)
    return np.asarray(lag.sign * travel(tau_now, left))


def train(cycle: tuple[Lag, ...], felt: float, count: int) -> Floats:
    """A at the start of each period of a repeated cycle and after the last, shape (m + 1,) with m <= ``count``.

    The map of one period contracts, so the train stands still after a while: entries beyond m equal the last one.
    """
    path = [felt]
    push = path.append
    for _ in range(count):
        after = felt
        for lag in cycle:
            after = follow(lag, after)
        push(after)
        if abs(after - felt) < _CONVERGED:
            break
        felt = after
    return np.array(path)
