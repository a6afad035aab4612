"""Peak of a sampled curve: parabola through the top three samples of the global maximum.

Reference devices_and_protocols sec. 1.6; the global maximum, because a backward sweep shows a small second
hump (sec. 2b.3, known artefact).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Peak:
    """Vertex of a peak and d2y/dx2 there (NaN at an edge or on a plateau).

    ``at_edge``: the largest sample is the first or last; (x, y) is that sample and only a bound.
    """

    x: float
    y: float
    index: int
    at_edge: bool
    curvature: float


def find_peak(x: ArrayLike, y: ArrayLike) -> Peak:
    """Global maximum of ``y`` (shape (n,)) over distinct abscissae ``x`` in any order and spacing.

    Samples that are not finite are skipped. Raises ``ValueError`` when none is left or the shapes differ.
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if xs.ndim != 1 or xs.shape != ys.shape:
        raise ValueError(f"a curve needs equally long x and y, got {xs.shape} and {ys.shape}")
    original = np.flatnonzero(np.isfinite(xs) & np.isfinite(ys))
    if original.size == 0:
        raise ValueError("no finite sample in the curve")
    original = original[np.argsort(xs[original], kind="stable")]
    xs, ys = xs[original], ys[original]
    top = int(np.argmax(ys))
    if top in (0, xs.size - 1):
        return Peak(float(xs[top]), float(ys[top]), int(original[top]), True, float("nan"))
    left, right = xs[top] - xs[top - 1], xs[top + 1] - xs[top]
    if left <= 0 or right <= 0:
        raise ValueError("two samples share one abscissa: give one branch of a cyclic sweep at a time")
    rise, fall = (ys[top] - ys[top - 1]) / left, (ys[top + 1] - ys[top]) / right
    bend = (fall - rise) / (left + right)  # half of y''
    if bend == 0:
        return Peak(float(xs[top]), float(ys[top]), int(original[top]), False, float("nan"))
    slope = rise + bend * left  # y' of the parabola at the top sample
    shift = -slope / (2 * bend)
    height = ys[top] + slope * shift / 2
    return Peak(float(xs[top] + shift), float(height), int(original[top]), False, float(2 * bend))
