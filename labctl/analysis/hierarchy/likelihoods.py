"""Likelihood of each curve's threshold at the slopes that its device may have.

The logarithms of the devices' slopes are taken as normal, with a mean and a deviation that all curves tell together.
What one curve says of its slope is too little for that: averaged over all conceivable slopes, thresholds of many curves
lean to one side by as much as their mean is uncertain. And a slope of its own for each curve of a device would let the
device's slope pass for a difference between devices (docs, validation).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.hierarchy.counts import Counts
from labctl.analysis.hierarchy.normal import TINY, kernels, product, tops

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_AT_A_TIME = 256  #: curves, so that thousands need no more memory
_FIRST = 61  #: places of the first, wide grid of thresholds
_CORE = (31, 401)  #: fewest and most places where curves are told apart
_PER_ERROR = 3  #: places per standard error of a curve's threshold
_OUTSIDE = 16  #: places on either side of it, for large spreads
_SLOPES = 32
_SLOPE_SPREAD = 0.5  #: largest relative deviation of slopes
_REACH, _APART = 2.5, 1.2  #: slopes that are averaged over, in deviations: how far, and how far apart at most
_FINEST = 0.06  #: step in the logarithm of the slope: below what one curve can tell


@dataclass(frozen=True, slots=True)
class Slopes:
    """Mean of the logarithm of the slopes with its standard error, and their deviation."""

    centre: float
    error: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Thresholds: evenly ``step`` apart where curves are told apart (``inside``), ever wider beyond.

    ``scatter`` is the deviation of the curves' own estimates.
    """

    places: Floats
    inside: slice
    step: float
    scatter: float


class CurveLikelihoods:
    """Likelihoods of curves for the place where P = ``level``."""

    def __init__(self, curves: Sequence[Counts], level: float) -> None:
        self._curves, self._logit = curves, math.log(level / (1 - level))

    def over(self, places: Floats, slopes: Floats) -> tuple[Floats, Floats]:
        """Each curve's likelihood of the places, all slopes alike, and of the slopes, all places alike; maxima 1."""
        of_places, of_slopes = (np.empty((len(self._curves), grid.size)) for grid in (places, slopes))
        for rows, likelihood in self._blocks(places, slopes):
            of_places[rows], of_slopes[rows] = likelihood.sum(axis=2), likelihood.sum(axis=1)
        return _scaled(of_places), _scaled(of_slopes)

    def by_slope(self, places: Floats, slopes: Slopes) -> tuple[Floats, Floats]:
        """Likelihoods of the places at some slopes (slopes, curves, places), each curve's maximum 1, and the chances
        of these slopes."""
        count = math.ceil(2 * _REACH * max(slopes.deviation / _FINEST, 1 / _APART)) if slopes.deviation else 1
        nodes = np.linspace(-_REACH, _REACH, count) if count > 1 else np.zeros(1)
        sizes, chances = np.exp(slopes.centre + slopes.deviation * nodes), np.exp(-0.5 * nodes**2)
        found = np.empty((count, len(self._curves), places.size))
        for rows, likelihood in self._blocks(places, sizes):
            found[:, rows] = likelihood.transpose(2, 0, 1)
        return found / np.maximum(found.max(axis=(0, 2), keepdims=True), TINY), chances / chances.sum()

    def _blocks(self, places: Floats, slopes: Floats) -> Iterator[tuple[list[int], Floats]]:
        """(curves, their likelihoods (curves, places, slopes)), those with one set of voltages together."""
        designs: dict[tuple[float, ...], list[int]] = {}
        for number, curve in enumerate(self._curves):
            designs.setdefault(curve.at, []).append(number)
        for at, members in designs.items():
            x = np.array(at)
            sign = -1.0 if x.max() < 0 else 1.0  # at negative voltages the curve rises with -V
            logit = (sign * (x[:, None, None] - places[:, None]) / slopes + self._logit).reshape(x.size, -1)
            cost = np.logaddexp(0, logit)
            for start in range(0, len(members), _AT_A_TIME):
                rows = members[start : start + _AT_A_TIME]
                n, k = (np.array([getattr(self._curves[i], name) for i in rows]) for name in ("trials", "spikes"))
                value = product(k, logit) - product(n, cost)
                value -= value.max(axis=1, keepdims=True)
                yield rows, np.exp(value).reshape(len(rows), places.size, slopes.size)


def _scaled(likelihoods: Floats) -> Floats:
    """Maximum of each row 1."""
    return np.asarray(likelihoods / np.maximum(likelihoods.max(axis=1, keepdims=True), TINY))


def common_slopes(likelihoods: CurveLikelihoods, grid: Grid, slopes: Floats, starts: Ints) -> Slopes:
    """Mean and deviation of the devices' slopes by restricted likelihood, from ``slopes``, evenly apart in their
    logarithm. ``starts``: the first curve of each device."""
    logs = np.log(slopes)
    step = float(logs[1] - logs[0])
    deviations = _SLOPE_SPREAD * np.linspace(0, 1, 21) ** 2
    _, of_slopes = likelihoods.over(grid.places[grid.inside], slopes)
    told = np.add.reduceat(np.log(np.maximum(of_slopes, TINY)), starts, axis=0)
    of_devices = np.exp(told - told.max(axis=1, keepdims=True))
    blurred = np.einsum("cs,dms->dcm", of_devices, kernels(logs, deviations))
    top, curvature, place = tops(np.log(np.maximum(blurred, TINY)).sum(axis=1), slice(None), step)
    best = int(np.argmax(top - 0.5 * np.log(curvature)))
    return Slopes(float(logs[0] + step * place[best]), float(curvature[best] ** -0.5), float(deviations[best]))


def survey(curves: Sequence[Counts], level: float, starts: Ints) -> tuple[CurveLikelihoods, Grid, Slopes]:
    """Likelihoods of the curves, a grid around all thresholds that are likely, and the slopes.

    Curves are ordered by device; ``starts``: the first curve of each.
    """
    likelihoods = CurveLikelihoods(curves, level)
    low, high = min(min(c.at) for c in curves), max(max(c.at) for c in curves)
    span = high - low
    places = np.linspace(low - span / 2, high + span / 2, _FIRST)
    slopes = np.geomspace(span / 200, span / 2, _SLOPES)
    of_places, of_slopes = likelihoods.over(places, slopes)
    likely = np.flatnonzero((of_slopes > 1e-4).any(axis=0))
    slopes = np.geomspace(slopes[max(likely[0] - 1, 0)], slopes[min(likely[-1] + 1, _SLOPES - 1)], _SLOPES)
    places = _narrowed(places, of_places)
    of_places, _ = likelihoods.over(places, slopes)  # again: the first grid may be coarser than what a curve tells
    core = _narrowed(places, of_places)
    step = float(core[1] - core[0])
    scatter = max(float(np.std(_moments(places, of_places)[0])), step)
    beyond = np.geomspace(step, 80 * scatter, _OUTSIDE + 1)[1:]
    grid = Grid(
        np.concatenate([core[0] - beyond[::-1], core, core[-1] + beyond]),
        slice(_OUTSIDE, _OUTSIDE + core.size),
        step,
        scatter,
    )
    return likelihoods, grid, common_slopes(likelihoods, grid, slopes, starts)


def _narrowed(places: Floats, likelihoods: Floats) -> Floats:
    """Places, evenly apart, where a curve's threshold is likely, so close that its likelihood is smooth on them."""
    step = float(places[1] - places[0])
    likely = places[(likelihoods > 1e-6).any(axis=0)]
    low, high = float(likely[0]) - step, float(likely[-1]) + step
    error = max(float(np.median(_moments(places, likelihoods)[1])), step / 2)
    return np.linspace(low, high, int(np.clip(math.ceil(_PER_ERROR * (high - low) / error), *_CORE)))


def _moments(places: Floats, likelihoods: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation of each likelihood."""
    weights = likelihoods / likelihoods.sum(axis=1, keepdims=True)
    mean = weights @ places
    return mean, np.sqrt(np.maximum(weights @ places**2 - mean**2, 0))
