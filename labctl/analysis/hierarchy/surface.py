"""The restricted likelihood of both deviations, and what it says of each: H. D. Patterson and R. Thompson, Biometrika
58, 545 (1971), by Laplace's formula over the mean.

A threshold's likelihood, blurred by the spread between repeats, is that of its device's own threshold; those of all
repeats multiply at each slope that the device may have, and blurred by the spread between devices they are the
likelihood of the mean. All spreads of a grid are blurred at once.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.estimate import Estimate
from labctl.analysis.hierarchy.likelihoods import Grid
from labctl.analysis.hierarchy.normal import TINY, kernels, product, tops

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_COARSE, _CLOSE = 9, 19  #: grid of each deviation while it closes in, and at last
_FINE = 401  #: points on which the interpolated likelihood is searched
_DEPTH = 12.0  #: log likelihood below the top that is followed
_LARGEST = 20.0  #: largest deviation that is tried, in deviations of the curves' own estimates


class Search:
    """``likelihoods`` (slopes, curves, places) of curves ordered by device, the ``chances`` of these slopes, and where
    in the curves each device ``starts``."""

    def __init__(self, grid: Grid, likelihoods: Floats, chances: Floats, starts: Ints) -> None:
        if starts.size == likelihoods.shape[1]:  # a curve for each device: its slope can be averaged out beforehand
            likelihoods, chances = np.einsum("scp,s->cp", likelihoods, chances)[None], np.ones(1)
        self._grid, self._likelihoods, self._chances, self._starts = grid, likelihoods, chances, starts

    def surface(self, between_devices: Floats, between_repeats: Floats) -> Floats:
        """Restricted log likelihood, shape (between_devices, between_repeats)."""
        to_means = kernels(self._grid.places, between_devices)
        found = np.empty((between_devices.size, between_repeats.size))
        for column, repeats in zip(found.T, kernels(self._grid.places, between_repeats), strict=True):
            top, curvature, _ = self._means(self._devices(repeats), to_means)
            column[:] = top - 0.5 * np.log(curvature)
        return found

    def mean(self, between_devices: float, between_repeats: float) -> tuple[float, float]:
        """The mean and its standard error at given deviations."""
        ours, theirs = (kernels(self._grid.places, np.array([sd])) for sd in (between_devices, between_repeats))
        _, curvature, place = self._means(self._devices(theirs[0]), ours)
        inside = self._grid.inside.start
        first = float(self._grid.places[inside])
        return first + self._grid.step * (float(place[0]) - inside), float(curvature[0]) ** -0.5

    def _devices(self, repeats: Floats) -> Floats:
        """Log likelihood of each device's own threshold, its slope averaged out, shape (devices, places)."""
        shape = self._likelihoods.shape
        blurred = product(self._likelihoods.reshape(-1, shape[2]), repeats.T).reshape(shape)
        at_slopes = np.add.reduceat(np.log(np.maximum(blurred, TINY)), self._starts, axis=1)
        if self._chances.size == 1:
            return np.asarray(at_slopes[0])
        highest = at_slopes.max(axis=0)
        return np.asarray(np.log(np.einsum("sdp,s->dp", np.exp(at_slopes - highest), self._chances)) + highest)

    def _means(self, devices: Floats, to_means: Floats) -> tuple[Floats, Floats, Floats]:
        """``tops`` of the log likelihood of the mean, for each kernel."""
        highest = devices.max(axis=1, keepdims=True)
        scaled = np.exp(devices - highest)
        blurred = product(scaled, to_means.reshape(-1, to_means.shape[2]).T).reshape(len(devices), len(to_means), -1)
        value = np.log(np.maximum(blurred, TINY)).sum(axis=0) + highest.sum()
        return tops(value, self._grid.inside, self._grid.step)


def likely_deviations(search: Search, scatter: float, known: tuple[bool, bool]) -> tuple[list[Floats], Floats]:
    """Fine grids of both deviations around all that is likely, and the restricted log likelihood on them.

    A deviation that is not ``known`` is 0. Grids close in evenly in the square root of the deviations.
    """
    from scipy.interpolate import CubicSpline

    largest = _LARGEST * scatter
    box = [(0.0, 1.0 if k else 0.0) for k in known]
    closing = True
    while closing:
        roots, surface = _on_box(search, box, largest, _COARSE)
        likely = surface >= surface.max() - _DEPTH
        closer = []
        for k, root in enumerate(roots):
            inside = np.flatnonzero(likely.any(axis=1 - k))
            closer.append((float(root[max(inside[0] - 1, 0)]), float(root[min(inside[-1] + 1, root.size - 1)])))
        closing = any(new[1] - new[0] < 0.6 * (old[1] - old[0]) for new, old in zip(closer, box, strict=True))
        box = closer
    roots, surface = _on_box(search, box, largest, _CLOSE)
    height = np.maximum(surface, surface.max() - 2 * _DEPTH)  # depths that matter no more would bend the cubic
    fine = []
    for k, root in enumerate(roots):
        fine.append(np.linspace(root[0], root[-1], _FINE if root.size > 1 else 1))
        if root.size > 1:
            height = CubicSpline(root, height, axis=k)(fine[k])
    return [largest * root**2 for root in fine], height


def _on_box(search: Search, box: list[tuple[float, float]], largest: float, count: int) -> tuple[list[Floats], Floats]:
    roots = [np.linspace(low, high, count if high > low else 1) for low, high in box]
    return roots, search.surface(*(largest * root**2 for root in roots))


def interval(axis: Floats, height: Floats, drop: float, scatter: float) -> Estimate:
    """Top of a profile and where it has fallen by ``drop``; 0 or infinite where it does not fall so far."""
    best = int(np.argmax(height))
    floor = height[best] - drop
    inside = np.flatnonzero(height >= floor)
    low, high = int(inside[0]), int(inside[-1])
    return Estimate(
        float(axis[best]),
        _crossing(axis, height, floor, low - 1) if low > 0 else float(axis[0]),
        _crossing(axis, height, floor, high) if axis[high] < _LARGEST * scatter * (1 - 1e-9) else math.inf,
    )


def _crossing(axis: Floats, height: Floats, floor: float, left: int) -> float:
    """Where the profile passes the floor between two neighbours."""
    share = (floor - height[left]) / (height[left + 1] - height[left])
    return float(axis[left] + share * (axis[left + 1] - axis[left]))
