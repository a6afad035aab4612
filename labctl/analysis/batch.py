"""Psychometric fits of many data sets at once: estimates, likelihood-ratio intervals, and what data do not allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labctl.analysis.intervals import chi2_quantile, clopper_pearson
from labctl.analysis.likelihood import flat_best, flat_value, level_bounds, steepness_bounds
from labctl.analysis.logistic import FIRTH, Maximum, Problem, maximise
from labctl.analysis.separation import separated_bounds, separation

Floats = NDArray[np.float64]
Ints = NDArray[np.int8]
Rows = NDArray[np.intp]

_CHUNK = 2048  # data sets at a time: their intermediate arrays stay in the processor's cache
UNSHARED = 2**18  #: multiplications up to which BLAS shares no product among threads; waiting for them costs more


class Status(IntEnum):
    """What the data of one set allow."""

    FITTED = 0  #: the curve rises beyond doubt: estimates and intervals
    SEPARATED = 1  #: a step explains the data: the threshold has an interval, the slope an upper bound only
    FLAT = 2  #: a flat curve is not rejected: intervals are open on some side
    FALLING = 3  #: spiking falls with voltage beyond doubt: no threshold
    ALL_SILENT = 4  #: no spike at all: lower bounds only
    ALL_SPIKES = 5  #: nothing but spikes: upper bounds only
    ONE_VOLTAGE = 6  #: a bound on one side at most
    NO_EVENTS = 7


_NO_VALUE = (Status.FALLING, Status.ALL_SILENT, Status.ALL_SPIKES)


@dataclass(frozen=True, slots=True)
class Estimates:
    """Values with intervals; shape (sets,). NaN value: not estimable; infinite end: no bound on that side."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Batch:
    """Fits of many sets: P(V) = 1 / (1 + exp(-(intercept + steepness V))), raw and penalised even where refused.

    ``thresholds`` by level (P = level; V50 is level 0.5) and the slope s = 1/steepness in volts. ``value`` is the
    penalised log likelihood at the maximum, ``covariance`` (sets, 2, 2) that of (intercept, steepness).
    """

    status: Ints
    intercept: Floats
    steepness: Floats
    covariance: Floats
    value: Floats
    thresholds: dict[float, Estimates]
    slope: Estimates | None


def fit_many(
    voltages: ArrayLike,
    trials: ArrayLike,
    spikes: ArrayLike,
    *,
    levels: Sequence[float] = (0.1,),
    slope: bool = False,
    confidence: float = 0.95,
    kappa: float = FIRTH,
) -> Batch:
    """Fit a rising logistic curve to each data set by (penalised) maximum likelihood.

    Args:
        voltages: (m,) or (sets, m), any order; sets may share them.
        trials: events per voltage, (m,) or (sets, m); 0 leaves the voltage out.
        spikes: spikes per voltage, (sets, m).
        levels: probabilities whose voltages are wanted; each costs two bounds per set.
        slope: whether the slope's interval is wanted.
        confidence: of the likelihood-ratio intervals.
        kappa: 1/2 is Firth's penalty, 0 plain maximum likelihood (no estimate for separated sets).

    Raises ``ValueError`` on shapes that do not fit, counts that are no counts, levels outside (0, 1).
    """
    x, n, k = _checked(voltages, trials, spikes, levels)
    ask = _Ask(tuple(levels), slope, confidence, kappa)
    lowest, highest = _span(x, n)
    spread = np.broadcast_to(highest > lowest, len(k))
    result = _empty(len(k), ask)
    few = np.flatnonzero(~spread)
    if few.size:
        place = np.broadcast_to(lowest, len(k))[few]
        _put(result, few, _refused(place, np.broadcast_to(n, k.shape)[few], k[few], ask))
    many = np.flatnonzero(spread)
    chunk = max(min(_CHUNK, UNSHARED // (5 * max(k.shape[1], 1))), 1)
    for start in range(0, many.size, chunk):
        rows = many[start : start + chunk]
        _put(result, rows, _fit(_rows(x, rows), _rows(n, rows), k[rows], ask))
    return result


@dataclass(frozen=True, slots=True)
class _Ask:
    """What is wanted."""

    levels: tuple[float, ...]
    slope: bool
    confidence: float
    kappa: float


def _rows(values: Floats, rows: Rows) -> Floats:
    return values if values.ndim == 1 else values[rows]


def _span(x: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Lowest and highest voltage with events, of shape () or (sets,)."""
    used = np.broadcast_to(n > 0, np.broadcast_shapes(x.shape, n.shape))
    full = np.broadcast_to(x, used.shape)
    low: Floats = np.min(full, axis=-1, where=used, initial=np.inf)
    high: Floats = np.max(full, axis=-1, where=used, initial=-np.inf)
    return low, high


def _checked(
    voltages: ArrayLike, trials: ArrayLike, spikes: ArrayLike, levels: Sequence[float]
) -> tuple[Floats, Floats, Floats]:
    x, n, k = (np.asarray(v, np.float64) for v in (voltages, trials, spikes))
    if k.ndim != 2 or any(v.shape not in (k.shape, k.shape[1:]) for v in (x, n)):
        raise ValueError(
            "spikes must be (sets, voltages), voltages and trials either that or (voltages,): "
            f"got {k.shape}, {x.shape} and {n.shape}"
        )
    if not (np.all(n == np.floor(n)) and np.all(k == np.floor(k)) and np.all((k >= 0) & (k <= n))):
        raise ValueError("counts must be whole numbers with 0 <= spikes <= trials")
    if not np.all(np.isfinite(x) | (n == 0)):
        raise ValueError("a voltage with events must be a number")
    if any(not 0 < level < 1 for level in levels):
        raise ValueError(f"a level is a probability between 0 and 1, got {list(levels)}")
    return x, n, k


def _fit(x: Floats, n: Floats, k: Floats, ask: _Ask) -> Batch:
    """Sets with two different voltages at least."""
    problem = Problem.of(x, n, k, ask.kappa)
    best = maximise(problem)
    q = chi2_quantile(ask.confidence)
    flat = flat_value(problem, flat_best(problem))
    apart = separation(problem, n, k)
    events = problem.totals()[0]
    status = np.zeros(len(k), np.int8)
    status[2 * (best.terms.value - flat) <= q] = Status.FLAT
    status[apart.separated] = Status.SEPARATED
    # one-sided test of a falling curve at the same level as each side of an interval
    status[(best.b < 0) & (2 * (best.terms.value - flat) > q)] = Status.FALLING
    status[problem.k0 == 0] = Status.ALL_SILENT
    status[problem.k0 == events] = Status.ALL_SPIKES
    thresholds = {}
    for level in ask.levels:
        logit = float(np.log(level / (1 - level)))
        low, high = level_bounds(problem, best, logit, q / 2)
        rows = np.flatnonzero(apart.separated & (status != Status.FALLING))
        if rows.size:
            wide = separated_bounds(problem.take(rows), apart.take(rows), logit, 1 - ask.confidence)
            only = (status[rows] != Status.SEPARATED) | (ask.kappa == 0)  # no estimate to be held
            low[rows] = np.where(only, wide[0], np.minimum(low[rows], wide[0]))
            high[rows] = np.where(only, wide[1], np.maximum(high[rows], wide[1]))
        with np.errstate(divide="ignore", invalid="ignore"):
            value = (logit - best.a) / best.b
        thresholds[level] = _judged(problem, status, np.where(best.b > 0, value, np.nan), low, high)
    slope = _slope(problem, best, status, q) if ask.slope else None
    return _in_volts(problem, best, status, thresholds, slope)


def _judged(problem: Problem, status: Ints, value: Floats, low: Floats, high: Floats) -> Estimates:
    """Estimates in volts, without what the data do not allow: no value from extrapolation along an open side."""
    refused = np.isin(status, _NO_VALUE)
    if problem.kappa == 0:
        refused |= status == Status.SEPARATED
    unsure = (np.isinf(low) | np.isinf(high)) & ~(np.abs(value) <= 1)
    value = np.where(refused | unsure, np.nan, value)
    falling = status == Status.FALLING
    low, high = np.where(falling, -np.inf, low), np.where(falling, np.inf, high)
    # a one-sided bound says no more than that the threshold lies beyond the voltages tested
    low, high = np.where(np.isinf(high), np.minimum(low, 1), low), np.where(np.isinf(low), np.maximum(high, -1), high)
    return Estimates(*(problem.centre + problem.scale * v for v in (value, low, high)))


def _slope(problem: Problem, best: Maximum, status: Ints, q: float) -> Estimates:
    low, high = steepness_bounds(problem, best, q / 2)
    with np.errstate(divide="ignore"):
        value, narrow, wide = 1 / best.b, 1 / high, 1 / low
    refused = np.isin(status, _NO_VALUE)
    step = refused | (status == Status.SEPARATED)
    return Estimates(
        problem.scale * np.where(step | np.isinf(wide) | (best.b <= 0), np.nan, value),
        problem.scale * np.where(step, 0.0, narrow),
        problem.scale * np.where(refused, np.inf, wide),
    )


def _in_volts(
    problem: Problem, best: Maximum, status: Ints, thresholds: dict[float, Estimates], slope: Estimates | None
) -> Batch:
    t = best.terms
    with np.errstate(divide="ignore", invalid="ignore"):
        det = t.haa * t.hbb - t.hab * t.hab
        caa, cab, cbb = -t.hbb / det, t.hab / det, -t.haa / det  # inverse of the negative Hessian
    shift, scale = problem.centre / problem.scale, problem.scale
    covariance = np.stack(
        [caa - 2 * shift * cab + shift**2 * cbb, (cab - shift * cbb) / scale, cbb / scale**2], axis=-1
    )
    return Batch(
        status=status,
        intercept=best.a - best.b * shift,
        steepness=best.b / scale,
        covariance=covariance[:, [[0, 1], [1, 2]]],
        value=t.value,
        thresholds=thresholds,
        slope=slope,
    )


def _refused(place: Floats, n: Floats, k: Floats, ask: _Ask) -> Batch:
    """Sets at one voltage, or without events: the exact interval of P there may bound the threshold."""
    events = n.sum(axis=1)
    exact = clopper_pearson(k.sum(axis=1), events, ask.confidence)
    batch = _empty(len(k), ask)
    batch.status[:] = np.where(events == 0, Status.NO_EVENTS, Status.ONE_VOLTAGE)
    for level, estimates in batch.thresholds.items():
        estimates.low[:] = np.where(exact.high < level, place, -np.inf)
        estimates.high[:] = np.where(exact.low > level, place, np.inf)
    if batch.slope is not None:
        batch.slope.low[:], batch.slope.high[:] = 0.0, np.inf
    return batch


def _empty(sets: int, ask: _Ask) -> Batch:
    def nothing(*shape: int) -> Floats:
        return np.full((sets, *shape), np.nan)

    def estimates() -> Estimates:
        return Estimates(nothing(), nothing(), nothing())

    return Batch(
        status=np.zeros(sets, np.int8),
        intercept=nothing(),
        steepness=nothing(),
        covariance=nothing(2, 2),
        value=nothing(),
        thresholds={level: estimates() for level in ask.levels},
        slope=estimates() if ask.slope else None,
    )


def _put(whole: Batch, rows: Rows, part: Batch) -> None:
    """Write the sets of ``part`` into ``whole``."""
    pairs = [(whole.thresholds[level], part.thresholds[level]) for level in whole.thresholds]
    if whole.slope is not None and part.slope is not None:
        pairs.append((whole.slope, part.slope))
    for to, estimates in pairs:
        to.value[rows], to.low[rows], to.high[rows] = estimates.value, estimates.low, estimates.high
    for name in ("status", "intercept", "steepness", "covariance", "value"):
        getattr(whole, name)[rows] = getattr(part, name)
