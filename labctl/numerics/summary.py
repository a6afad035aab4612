"""Small statistics that execution (checks, conditions) and analysis share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Summary:
    """Number of finite values, mean, sample standard deviation, standard error; NaN where undefined."""

    n: int
    mean: float
    std: float
    stderr: float


def summarise(values: ArrayLike) -> Summary:
    """Summary of the finite entries of ``values`` (any shape)."""
    v = np.asarray(values, np.float64).ravel()
    v = v[np.isfinite(v)]
    n = int(v.size)
    mean = float(v.mean()) if n else float("nan")
    std = float(v.std(ddof=1)) if n > 1 else float("nan")
    return Summary(n, mean, std, std / n**0.5 if n > 1 else float("nan"))


def within(value: float, reference: float, tolerance: float) -> bool:
    """Whether ``value`` is within ``tolerance`` (a fraction) of ``reference``; False if one is not finite."""
    close = abs(value - reference) <= tolerance * abs(reference)
    return bool(np.isfinite(value) and np.isfinite(reference) and close)
