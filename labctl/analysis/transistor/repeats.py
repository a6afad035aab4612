"""One estimate of a group from one or several repetitions."""

from __future__ import annotations

from collections.abc import Iterable

from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import mean_and_deviation

METHOD_REPEATS = "mean over repeated curves, Student interval"


def combined(estimates: Iterable[Estimate], confidence: float) -> Estimate:
    """One estimate as it is; of several, the mean of their values with Student's interval."""
    every = list(estimates)
    if len(every) == 1:
        return every[0]
    return mean_and_deviation([e.value for e in every], confidence)[0]
