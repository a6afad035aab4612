"""Branches of a cyclic sweep and their values at one abscissa (devices_and_protocols sec. 1.6, dI0)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Branches:
    """Values of the first (forward) and second (backward) branch at one abscissa.

    ``difference`` is backward minus forward.
    """

    forward: float
    backward: float

    @property
    def difference(self) -> float:
        return self.backward - self.forward


def value_at(x: ArrayLike, y: ArrayLike, at: float = 0.0) -> float:
    """One branch at ``x = at``, interpolated linearly; NaN outside it or beside a NaN sample."""
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if xs.ndim != 1 or xs.shape != ys.shape:
        raise ValueError(f"a branch needs equally long x and y, got {xs.shape} and {ys.shape}")
    order = np.argsort(xs, kind="stable")
    return float(np.interp(at, xs[order], ys[order], left=np.nan, right=np.nan)) if xs.size else float("nan")


def split_branches(x: ArrayLike) -> tuple[slice, slice]:
    """Slices of the two branches of a cyclic sweep.

    A turning point that was measured twice belongs once to each branch, one that was measured once to both.
    Raises ``ValueError`` when ``x`` does not turn exactly once.
    """
    xs = np.asarray(x, np.float64)
    steps = np.sign(np.diff(xs))
    moving = np.flatnonzero(steps)
    turns = moving[1:][np.diff(steps[moving]) != 0]
    if turns.size != 1:
        raise ValueError(f"a cyclic sweep turns once, this one {turns.size} times")
    turn = int(turns[0])
    last = int(moving[moving < turn][-1]) + 1  # where the top was reached; it was left at ``turn``
    return slice(0, last + 1), slice(turn, xs.size)


def branch_values(x: ArrayLike, y: ArrayLike, at: float = 0.0) -> Branches:
    """Both branches of a cyclic sweep interpolated at ``x = at``."""
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    first, second = split_branches(xs)
    return Branches(value_at(xs[first], ys[first], at), value_at(xs[second], ys[second], at))
