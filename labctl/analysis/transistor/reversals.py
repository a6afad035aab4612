"""Does a series rise, fall, or turn? The largest rise and fall from an earlier to a later value, against noise.

A monotonic response plus noise shows no larger reversal than a constant one plus the same noise (the reversal of a sum
is at most the sum of the reversals), so the chance under a constant, simulated, bounds the chance of a false alarm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCKS = 32  #: longer series are averaged to blocks of n // 32 values, to see slow changes in noise
DRAWS = 1999


@dataclass(frozen=True, slots=True)
class Blocks:
    """Means of successive values with their standard errors; ``first`` is the index of each block's first value."""

    y: Floats
    sigma: Floats
    first: NDArray[np.int64]
    size: int


@dataclass(frozen=True, slots=True)
class Reversals:
    """Largest rise and fall between an earlier and a later block, with their chances if nothing but noise changed."""

    rise: float
    rise_p: float
    fall: float
    fall_p: float


def in_blocks(y: Floats, sigma: Floats) -> Blocks:
    """At most 63 blocks of a series; errors are smoothed over three of them, as few samples tell each."""
    size = max(1, y.size // BLOCKS)
    first = np.arange(0, y.size - size + 1, size)
    count = np.diff(np.append(first, y.size))
    mean = np.add.reduceat(y, first) / count
    variance = np.add.reduceat(sigma**2, first) / count  # of one value
    padded = np.concatenate([variance[:1], variance, variance[-1:]])
    smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    return Blocks(mean, np.sqrt(smooth / count), first, size)


def reversals(blocks: Blocks, freedom: int, seed: int = 1) -> Reversals:
    """Largest rise and fall, and their simulated chances under a constant with the same errors.

    ``freedom``: degrees of freedom of the errors' common scale, which is drawn anew each time.
    """
    if blocks.y.size < 2:
        return Reversals(0.0, 1.0, 0.0, 1.0)
    rng = np.random.default_rng(seed)
    scale = np.sqrt(freedom / rng.chisquare(freedom, (DRAWS, 1))) if freedom > 0 else np.full((DRAWS, 1), math.nan)
    null = _largest_fall(rng.normal(size=(DRAWS, blocks.y.size)) * blocks.sigma * scale)
    rise, fall = (float(_largest_fall(sign * blocks.y[None])[0]) for sign in (-1, 1))
    chances = [float((1 + np.sum(~(null < size))) / (DRAWS + 1)) for size in (rise, fall)]
    return Reversals(rise, chances[0], fall, chances[1])


def span_of_fall(y: Floats) -> tuple[int, int]:
    """Where the largest drop from an earlier to a later value begins and ends."""
    end = int(np.argmax(np.maximum.accumulate(y) - y))
    return int(np.argmax(y[: end + 1])), end


def span_of_rise(y: Floats) -> tuple[int, int]:
    """Where the largest rise from an earlier to a later value begins and ends."""
    return span_of_fall(-y)


def _largest_fall(y: Floats) -> Floats:
    """Largest drop from an earlier to a later value along the last axis; 0 for rising series."""
    return np.asarray(np.max(np.maximum.accumulate(y, axis=-1) - y, axis=-1))
