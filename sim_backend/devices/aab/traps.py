"""Trapped fraction x, deep charge D and oxide dose B: exact updates for ramps (reference part 2b.2).

What a ramp does to them depends on its voltages alone, not on the state, so it is boiled down to a few numbers
(``Doses``). A repeated cycle is then closed form too: on x a period acts as an affine map, on E = exp(D/c) as a
Moebius map (up: E + s, down: E/(1 + s E)), and powers of both are known. Scalars and arrays alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from sim_backend.devices.aab.carriers import Ramp
from sim_backend.devices.aab.parameters import AabParameters

Floats = NDArray[np.float64]
Real = Floats | np.float64 | float

_LONG = 1e-5  # of tau_D: longest stretch of periods in which growth and retention are taken apart
_STANDS_STILL = 1e-12  # V per period


@dataclass(frozen=True)
class Doses:
    """What a ramp does, or (arrays) what its beginnings of several lengths do. Probabilities are 1 - exp(-dose)."""

    duration: Real  # s
    capture: Real  # dose that fills free domains
    release: Real  # dose that empties trapped domains, retention included
    log_up: Real  # logarithm of the growth of exp(D/c), -inf for none
    log_down: Real  # logarithm of the growth of exp(-D/c)
    oxide: Real  # s at the breakdown voltage


def _mean_sinh(low: Real, high: Real, scale: float) -> Real:
    """Mean of sinh(v/scale) for v evenly spread over low .. high."""
    return np.sinh((low + high) / (2.0 * scale)) * _sinhc((high - low) / (2.0 * scale))


def _sinhc(h: Real) -> Real:
    small = np.abs(h) < 1e-6
    safe = np.where(small, 1.0, h)
    return np.where(small, 1.0 + np.square(h) / 6.0, np.sinh(safe) / safe)


def doses(p: AabParameters, ramp: Ramp, into: Real | None = None) -> Doses:
    """Doses of a ramp of one sign, or of its beginnings that last ``into`` (s)."""
    if into is None and ramp.start == ramp.end:
        return _held(p, ramp.duration, ramp.start)
    t: Real = ramp.duration if into is None else into
    start = abs(ramp.start)
    end = start + (abs(ramp.end) - start) * (t / ramp.duration)
    low, high = np.minimum(start, end), np.maximum(start, end)
    positive, negative = ramp.start + ramp.end > 0.0, ramp.start + ramp.end < 0.0
    part = np.clip((p.rest_window - low) / np.maximum(high - low, 1e-300), 0.0, 1.0)
    release = t * np.where(high <= p.rest_window, 1.0, part) / p.tau_x
    capture: Real = 0.0
    if positive:
        capture = p.capture_rate / np.sinh(10.0 / p.capture_scale) * t * _mean_sinh(low, high, p.capture_scale)
    elif negative:
        full = np.sinh(10.0 / p.emission_scale)
        release = release + p.emission_rate / full * t * _mean_sinh(low, high, p.emission_scale)
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    with np.errstate(divide="ignore"):
        growth = np.log(t / p.t_deep * _sinhc(half / p.v_scale_deep)) + (middle - p.v_ref_deep) / p.v_scale_deep
    oxide = t * np.exp((middle - p.v_breakdown) / p.breakdown_scale) * _sinhc(half / p.breakdown_scale)
    nothing = np.full_like(growth, -np.inf)
    return Doses(t, capture, release, growth if positive else nothing, growth if negative else nothing, oxide)


def _held(p: AabParameters, t: float, level: float) -> Doses:
    """Doses of a constant voltage (V) for ``t`` (s): what ``doses`` gives for a ramp that does not rise."""
    v = abs(level)
    capture, release = 0.0, t / p.tau_x if v <= p.rest_window else 0.0
    if level > 0.0:
        capture = p.capture_rate / np.sinh(10.0 / p.capture_scale) * t * np.sinh(v / p.capture_scale)
    elif level < 0.0:
        full = np.sinh(10.0 / p.emission_scale)
        release = release + p.emission_rate / full * t * np.sinh(v / p.emission_scale)
    growth = np.log(t / p.t_deep) + (v - p.v_ref_deep) / p.v_scale_deep
    oxide = t * np.exp((v - p.v_breakdown) / p.breakdown_scale)
    return Doses(t, capture, release, growth if level > 0.0 else -inf, growth if level < 0.0 else -inf, oxide)


def after_fast(d: Doses, x: Real) -> Real:
    """Trapped fraction after one ramp."""
    return (1.0 - (1.0 - x) * np.exp(-d.capture)) * np.exp(-d.release)


def after_deep(p: AabParameters, d: Doses, deep: Real) -> Real:
    """Deep charge (V) after one ramp: half of the retention, growth, limits, the other half."""
    c, half = p.c_deep, np.exp(-0.5 * d.duration / p.tau_deep)
    grown = c * np.logaddexp(deep * half / c, d.log_up)
    grown = -c * np.logaddexp(-grown / c, d.log_down)
    return np.minimum(np.maximum(grown, p.deep_min), p.deep_max) * half


class FastCycle:
    """x in a repeated cycle from a given start: after n periods ``fixed + (start - fixed) ratio**n``."""

    def __init__(self, cycle: tuple[Doses, ...], start: float) -> None:
        self._start = start
        self._log_ratio = -float(sum(d.capture + d.release for d in cycle))
        # after the first k ramps of a period x is gain[k] x + offset[k]
        self._gain, self._offset = [1.0], [0.0]
        for d in cycle:
            self._gain.append(self._gain[-1] * float(np.exp(-d.capture - d.release)))
            self._offset.append(float(after_fast(d, self._offset[-1])))
        self._fixed = self._offset[-1] / -float(np.expm1(self._log_ratio)) if self._log_ratio else 0.0

    def at(self, periods: Floats | NDArray[np.int64], ramp: int, partial: Doses | None = None) -> Floats:
        """Trapped fraction ``periods`` + the first ``ramp`` ramps (+ part of the next) after the start."""
        x = self._fixed + (self._start - self._fixed) * np.exp(np.asarray(periods) * self._log_ratio)
        x = self._gain[ramp] * x + self._offset[ramp]
        return np.asarray(after_fast(partial, x) if partial else x)


class DeepCycle:
    """D after n periods of one cycle from a given start: powers of the Moebius map, retention in between.

    Where a limit of D is met, or one period is long, periods are run one by one until D stands still.
    """

    def __init__(self, p: AabParameters, cycle: tuple[Doses, ...], start: float, count: int) -> None:
        self._p, self._cycle = p, cycle
        self._decay = float(sum(d.duration for d in cycle)) / p.tau_deep
        self._chunk = max(1, min(count, int(_LONG / self._decay)))
        self._increment = _moebius_increment(cycle)  # the map less the identity: keeps small doses exact
        self._theta = 2.0 * float(np.arcsinh(0.5 * np.sqrt(np.trace(self._increment))))
        starts = [start]
        for _ in range((count - 1) // self._chunk):
            starts.append(float(self._chunk_end(starts[-1])))
        self._starts = np.array(starts)
        explicit = self._decay > _LONG or self._meets_limit()
        self._steps = self._one_by_one(start, count) if explicit else None

    def after(self, periods: NDArray[np.int64] | int) -> Floats:
        """D (V) after each number of periods (0 .. count)."""
        n = np.asarray(periods)
        if self._steps is not None:
            return np.asarray(self._steps[np.minimum(n, len(self._steps) - 1)])
        chunk = np.minimum(n // self._chunk, len(self._starts) - 1)
        return self._within(self._starts[chunk], n - chunk * self._chunk)

    def _chunk_end(self, start: float) -> Floats:
        return self._within(np.float64(start), np.int64(self._chunk))

    def _within(self, start: Floats | np.float64, n: NDArray[np.int64] | np.int64) -> Floats:
        """Half of the retention, all of the growth, the other half: second order in the stretch."""
        half = np.exp(-0.5 * n * self._decay)
        a, theta = self._increment, self._theta
        if not a.any():
            return np.asarray(start * half * half)
        e = np.exp(start * half / self._p.c_deep)
        m = np.maximum(n, 1)
        q = (
            1.0 / m
            if theta == 0.0
            else (-np.expm1(-theta) * (1.0 + np.exp(-(2.0 * m - 1.0) * theta)) / -np.expm1(-2.0 * m * theta))
        )
        grown = ((a[0, 0] + q) * e + a[0, 1]) / (a[1, 0] * e + a[1, 1] + q)
        return np.asarray(self._p.c_deep * np.log(np.where(n > 0, grown, e)) * half)

    def _meets_limit(self) -> bool:
        """D moves one way over the periods, so the first and the last period hold its extremes."""
        p = self._p
        free = replace(p, deep_min=-np.inf, deep_max=np.inf)
        for deep in (float(self._starts[0]), float(self._within(self._starts[-1], np.int64(self._chunk)))):
            for d in self._cycle:
                if not p.deep_min <= deep <= p.deep_max:
                    return True
                deep = float(after_deep(free, d, deep))
            if not p.deep_min <= deep <= p.deep_max:
                return True
        return False

    def _one_by_one(self, start: float, count: int) -> Floats:
        path = [start]
        for _ in range(count):
            deep = path[-1]
            for d in self._cycle:
                deep = float(after_deep(self._p, d, deep))
            path.append(deep)
            if abs(deep - path[-2]) < _STANDS_STILL:
                break
        return np.array(path)


def _moebius_increment(cycle: tuple[Doses, ...]) -> Floats:
    total = np.zeros((2, 2))
    for d in cycle:
        for step in (
            np.array([[0.0, np.exp(d.log_up)], [0.0, 0.0]]),
            np.array([[0.0, 0.0], [np.exp(d.log_down), 0.0]]),
        ):
            total = total + step + step @ total
    return total
