"""Normal spread on a grid: the kernel that blurs a likelihood by it, and the top of a log likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.batch import UNSHARED

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

TINY = 1e-300  #: a likelihood below this counts as this


def product(left: Floats, right: Floats) -> Floats:
    """``left @ right``, in pieces that BLAS keeps to one thread.

    On cores that others use, waiting for its threads takes a hundred times as long as these small products.
    """
    found = np.empty((len(left), right.shape[1]))
    wide = max(min(right.shape[1], UNSHARED // (8 * len(right))), 1)
    tall = max(UNSHARED // (len(right) * wide), 1)
    for row in range(0, len(left), tall):
        for column in range(0, right.shape[1], wide):
            piece = slice(row, row + tall), slice(column, column + wide)
            found[piece] = left[piece[0]] @ right[:, piece[1]]
    return found


def kernels(places: Floats, deviations: Floats) -> Floats:
    """Chance of each place given a centre among the places: shape (deviations, centres, places), rows sum to 1.

    A deviation far below the distance of the places moves nothing.
    """
    weights = np.gradient(places)
    apart = (places[:, None] - places) ** 2
    found = np.empty((deviations.size, places.size, places.size))
    for kernel, sd in zip(found, deviations, strict=True):
        kernel[:] = np.exp(-0.5 * apart / max(sd, 0.1 * weights.min()) ** 2) * weights
        kernel /= kernel.sum(axis=1, keepdims=True)
    return found


def tops(values: Floats, inside: slice, step: float) -> tuple[Floats, Floats, Floats]:
    """(maximum, minus second derivative, place as a number of steps) of each row of log likelihoods.

    The maximum is looked for ``inside``, where places are ``step`` apart, on the parabola through the three best.
    """
    rows = np.arange(len(values))
    start, stop, _ = inside.indices(values.shape[1])
    best = np.clip(values[:, inside].argmax(axis=1) + start, start + 1, stop - 2)
    left, middle, right = (values[rows, best + k] for k in (-1, 0, 1))
    bend = np.maximum(2 * middle - left - right, 1e-9)
    shift = np.clip((right - left) / (2 * bend), -1, 1)
    return middle + 0.5 * bend * shift**2, bend / step**2, best + shift
