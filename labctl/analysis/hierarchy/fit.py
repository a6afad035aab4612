"""One hierarchical fit of the counts of many curves.

Each curve j of device i has its own threshold m_ij = mu + d_i + r_ij, with d_i ~ N(0, sd between devices) and
r_ij ~ N(0, sd between repeats); its spikes are binomial with a logistic curve, whose slope is the device's own and
log-normal over devices. Counting noise is thus neither mistaken for spread nor needs a standard error: a curve that is
separated, or silent throughout, brings the likelihood it has. Both deviations maximise the restricted likelihood
(``surface``). Their intervals are by ratio of that likelihood with the Bartlett factor of a sample variance,
1 + 1/(3 nu) (M. S. Bartlett, Proc. R. Soc. A 160, 268, 1937); the mean's is Student's. Both with the number of devices,
or of repeats on devices, less one each, as degrees of freedom nu.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labctl.analysis.estimate import Estimate
from labctl.analysis.hierarchy.counts import Counts
from labctl.analysis.hierarchy.likelihoods import survey
from labctl.analysis.hierarchy.surface import Search, interval, likely_deviations
from labctl.analysis.intervals import chi2_quantile, student_quantile

METHOD = "hierarchical logistic model of all counts, restricted likelihood"


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Mean, and standard deviations between devices and between repeats on one device; what they rest on."""

    mean: Estimate
    between_devices: Estimate
    between_repeats: Estimate
    devices: int
    curves: int
    notes: tuple[str, str, str]


def fit_hierarchy(curves: Sequence[Counts], level: float = 0.5, confidence: float = 0.95) -> Hierarchy:
    """Fit the thresholds at P = ``level`` of several curves; of a single one there is nothing to tell."""
    unknown = Estimate(math.nan, 0.0, math.inf)
    if refusal := _refusal(curves):
        devices = len({curve.device for curve in curves})
        nothing = Estimate(math.nan, math.nan, math.nan)
        return Hierarchy(nothing, unknown, unknown, devices, len(curves), (refusal, refusal, refusal))
    ordered = sorted(curves, key=lambda curve: curve.device)
    names = np.array([curve.device for curve in ordered])
    starts = np.flatnonzero(np.concatenate([[True], names[1:] != names[:-1]]))
    several, repeated = starts.size > 1, starts.size < names.size
    likelihoods, grid, slopes = survey(ordered, level, starts)
    search = Search(grid, *likelihoods.by_slope(grid.places, slopes), starts)
    axes, height = likely_deviations(search, grid.scatter, (several, repeated))
    freedom = starts.size - 1, names.size - starts.size
    found = [
        interval(axes[k], height.max(axis=1 - k), _drop(confidence, freedom[k]), grid.scatter) if known else unknown
        for k, known in enumerate((several, repeated))
    ]
    best: Any = np.unravel_index(int(np.argmax(height)), height.shape)
    deviations = float(axes[0][best[0]]), float(axes[1][best[1]])
    mean, error = search.mean(*deviations)
    shifted = [replace(slopes, centre=slopes.centre + side * slopes.error) for side in (-1, 1)]
    around = [Search(grid, *likelihoods.by_slope(grid.places, other), starts).mean(*deviations)[0] for other in shifted]
    error = math.hypot(error, (around[1] - around[0]) / 2)  # and that of the slopes, which all curves share
    half = error * float(student_quantile(0.5 + confidence / 2, freedom[0] if several else freedom[1]))
    return Hierarchy(
        Estimate(mean, mean - half, mean + half),
        found[0],
        found[1],
        starts.size,
        names.size,
        (
            "" if several else "one device: the mean is its own, not that of a batch",
            "" if several else "one device: nothing is known of others",
            "" if repeated else "no device was measured twice: its repeats' spread is part of that between devices",
        ),
    )


def _refusal(curves: Sequence[Counts]) -> str:
    """Why there is nothing to tell; empty if there is."""
    if len(curves) < 2:
        return "refused: one curve has no spread"
    told = sum(0 < sum(curve.spikes) < sum(curve.trials) for curve in curves)
    return "" if told > 1 else f"refused: {told or 'none'} of {len(curves)} curves has both spikes and silent events"


def _drop(confidence: float, freedom: int) -> float:
    """How far the log likelihood falls to the end of a deviation's interval."""
    return 0.5 * chi2_quantile(confidence) * (1 + 1 / (3 * max(freedom, 1)))
