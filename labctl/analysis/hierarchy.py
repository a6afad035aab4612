"""Spread of thresholds over devices and repeats: one hierarchical fit of the counts of many runs.

Each curve j of device i has its own threshold m_ij = mu + d_i + r_ij, with d_i ~ N(0, sd between devices) and
r_ij ~ N(0, sd between repeats); its spikes are binomial with a logistic curve. Counting noise is thus neither mistaken
for spread nor needs a standard error: a curve that is separated, or silent throughout, brings the likelihood it has.
The slope of each curve is averaged out over a range that is flat in its logarithm. Both deviations maximise the
restricted likelihood (mu averaged out, by Laplace's formula), which for normal readings is REML: H. D. Patterson and
R. Thompson, Biometrika 58, 545 (1971). Their intervals are by ratio of that likelihood, the mean's is Student's with
the number of devices (or of repeats, of one device) less one degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.curves import curves
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import chi2_quantile, student_quantile
from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError, Run, device_name, requests_of, run_name, table

Floats = NDArray[np.float64]

METHOD = "hierarchical logistic model of all counts, restricted likelihood"
_PLACES = 301  #: grid of thresholds
_MEANS = 61  #: grid of the mean
_SPREADS = 25  #: grid of each standard deviation
_SLOPES = 24  #: grid of slopes
_FINE = 401  #: points on which the interpolated likelihood is searched
_DEPTH = 5.0  #: log likelihood below the top that intervals may reach into


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of one curve: device, population (state and loop variables), run and repeat it belongs to."""

    device: str
    population: str
    repeat: str
    at: tuple[float, ...]
    trials: tuple[float, ...]
    spikes: tuple[float, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Mean, and standard deviations between devices and between repeats on one device; what they rest on."""

    mean: Estimate
    between_devices: Estimate
    between_repeats: Estimate
    devices: int
    curves: int
    notes: tuple[str, str, str]


def counts_of(run: Run) -> list[Counts]:
    """Curves of a run that its protocol asks probabilities of; groups by a repeat are repeats, others populations."""
    asked = [r for r in requests_of(run) if r.get("request") == "probability" and r.get("over")]
    loops = {name.removesuffix("_index") for name in table(run, "spike").columns if name.endswith("_index")}
    found = []
    for request in asked:
        per = ["state", *(name for name in request.get("per") or () if name != "state")]
        for curve in curves(run, {**request, "per": per}):
            repeat, rest = [], []
            for key, value in curve.group.keys:
                if key == "state" or key.removeprefix("loop_") in loops:
                    rest.append(str(value) if key == "state" else f"{key}={value:g}")
                elif value == value:
                    repeat.append(f"{key}={value:g}")
            name = str(request.get("of") or "spike")
            if curve.at.size > 1:
                found.append(
                    Counts(
                        device=device_name(run) or "without a name",
                        population=", ".join(filter(None, [name if name != "spike" else "", *rest])),
                        repeat=", ".join([run_name(run), *repeat]),
                        at=tuple(map(float, curve.at)),
                        trials=tuple(map(float, curve.trials)),
                        spikes=tuple(map(float, curve.spikes)),
                        unit=curve.unit,
                    )
                )
    return found


def spread_over_runs(
    curves: Iterable[Counts], quantity: str = "threshold", level: float = 0.1, confidence: float = 0.95
) -> list[Result]:
    """``<quantity>_mean``, ``_sd_devices`` and ``_sd_repeats`` of each population. ``quantity``: threshold or V50."""
    if quantity not in ("threshold", "V50"):
        raise AnalysisError(f"no spread of {quantity!r}", "choose threshold or V50")
    populations: dict[str, list[Counts]] = {}
    for curve in curves:
        populations.setdefault(curve.population, []).append(curve)
    if not populations:
        raise AnalysisError("no run has a probability curve", "give runs whose protocol asks for probabilities")
    results = []
    for name, members in populations.items():
        found = fit_hierarchy(members, 0.5 if quantity == "V50" else level, confidence)
        parts = (
            ("mean", found.mean, "Student interval"),
            ("sd_devices", found.between_devices, "likelihood-ratio interval"),
            ("sd_repeats", found.between_repeats, "likelihood-ratio interval"),
        )
        many = len({curve.device for curve in members}) > 1
        for (suffix, part, kind), note in zip(parts, found.notes, strict=True):
            results.append(
                Result(
                    run=f"{len({c.repeat.partition(', ')[0] for c in members})} runs",
                    device=f"{found.devices} devices" if many else members[0].device,
                    quantity=f"{quantity}_{suffix}",
                    state=name,
                    value=part.value,
                    low=part.low,
                    high=part.high,
                    confidence=confidence,
                    unit=members[0].unit,
                    method=f"{METHOD}, {kind}",
                    n=found.curves,
                    note=note,
                )
            )
    return results


def fit_hierarchy(curves: Sequence[Counts], level: float = 0.5, confidence: float = 0.95) -> Hierarchy:
    """Fit the thresholds at P = ``level`` of several curves; of a single one there is nothing to tell."""
    unknown = Estimate(math.nan, 0.0, math.inf)
    if len(curves) < 2:
        why = "refused: one curve has no spread"
        return Hierarchy(Estimate(math.nan, math.nan, math.nan), unknown, unknown, 1, 1, (why, why, why))
    devices: dict[str, list[int]] = {}
    for number, curve in enumerate(curves):
        devices.setdefault(curve.device, []).append(number)
    groups = list(devices.values())
    places, likelihoods = _grid(curves, level)
    guess = (likelihoods @ places) / likelihoods.sum(axis=1)
    own = np.sqrt(np.maximum((likelihoods @ places**2) / likelihoods.sum(axis=1) - guess**2, 0))
    largest = 8 * max(float(np.std(guess)), float(np.median(own)), float(places[1] - places[0]))
    several, repeated = len(groups) > 1, any(len(g) > 1 for g in groups)
    search = _Search(places, likelihoods, groups, float(np.mean(guess)), float(np.std(guess) + np.median(own)))
    axes, surface = _closing_in(search, largest, (several, repeated))
    axes, height, best = _interpolated(axes, surface)
    drop = chi2_quantile(confidence) / 2
    found = [
        _bounds(axes[k], height.max(axis=1 - k), drop, largest) if known else None
        for k, known in enumerate((several, repeated))
    ]
    mean, error = search.mean(float(axes[0][best[0]]), float(axes[1][best[1]]))
    half = error * float(student_quantile(0.5 + confidence / 2, (len(groups) if several else len(curves)) - 1))
    return Hierarchy(
        Estimate(mean, mean - half, mean + half),
        found[0] or unknown,
        found[1] or unknown,
        len(groups),
        len(curves),
        (
            "" if several else "one device: the mean is its own, not that of a batch",
            "" if several else "one device: nothing is known of others",
            "" if repeated else "no device was measured twice: its repeats' spread is part of that between devices",
        ),
    )


def _grid(curves: Sequence[Counts], level: float) -> tuple[Floats, Floats]:
    """Grid of thresholds around all that is likely, and each curve's likelihood on it, shape (curves, places)."""
    low, high = min(min(c.at) for c in curves), max(max(c.at) for c in curves)
    for _ in range(2):  # half as much on either side: first of what was tested, then of what is likely
        places = np.linspace(low - (high - low) / 2, high + (high - low) / 2, _PLACES)
        likelihoods = np.stack([_likelihood(places, curve, level) for curve in curves])
        likely = places[(likelihoods > 1e-6).any(axis=0)]
        low, high = float(likely[0]), float(likely[-1])
    return places, likelihoods


def _likelihood(places: Floats, curve: Counts, level: float) -> Floats:
    """Likelihood of each threshold, its maximum 1, the slope averaged out. Shape (places,)."""
    x, n, k = (np.array(part) for part in (curve.at, curve.trials, curve.spikes))
    span = float(x.max() - x.min())
    slopes = np.geomspace(span / 200, span / 2, _SLOPES)
    sign = -1.0 if x.max() < 0 else 1.0  # at negative voltages the curve rises with -V
    logit = sign * (x - places[:, None, None]) / slopes[:, None] + math.log(level / (1 - level))
    value = logit @ k - np.logaddexp(0, logit) @ n
    likelihood = np.exp(value - value.max()).mean(axis=1)
    return np.asarray(likelihood / likelihood.max())


class _Search:
    """The restricted likelihood of both deviations."""

    def __init__(
        self, places: Floats, likelihoods: Floats, groups: list[list[int]], centre: float, scatter: float
    ) -> None:
        self._places, self._likelihoods, self._groups = places, likelihoods, groups
        self._centre, self._scatter = centre, scatter
        self._kernels: dict[float, tuple[Floats, Floats]] = {}

    def surface(self, between_devices: Floats, between_repeats: Floats) -> Floats:
        """Restricted log likelihood, shape (between_devices, between_repeats)."""
        found = np.empty((between_devices.size, between_repeats.size))
        for j, repeats in enumerate(between_repeats):
            devices = self._of_devices(float(repeats))
            for i, sd in enumerate(between_devices):
                top, curvature, _ = self._top(devices, float(sd))
                found[i, j] = top - 0.5 * math.log(curvature)
        return found

    def mean(self, between_devices: float, between_repeats: float) -> tuple[float, float]:
        """The mean and its standard error at given deviations."""
        _, curvature, place = self._top(self._of_devices(between_repeats), between_devices)
        return place, curvature**-0.5

    def _to_means(self, sd: float) -> tuple[Floats, Floats]:
        """Grid of means around the centre, and the kernel from places to it; kept, as each serves many times."""
        if sd not in self._kernels:
            reach = 3 * math.hypot(sd, self._scatter)
            means = self._centre + np.linspace(-reach, reach, _MEANS)
            self._kernels[sd] = means, _kernel(self._places, means, sd)
        return self._kernels[sd]

    def _of_devices(self, repeats: float) -> Floats:
        """Log likelihood of each device's own threshold, shape (devices, places)."""
        blurred = np.log(np.maximum(self._likelihoods @ _kernel(self._places, self._places, repeats), 1e-300))
        return np.stack([blurred[members].sum(axis=0) for members in self._groups])

    def _top(self, devices: Floats, sd: float) -> tuple[float, float, float]:
        """(maximum, minus second derivative, place) of the log likelihood of the mean."""
        means, kernel = self._to_means(sd)
        tops = devices.max(axis=1, keepdims=True)
        blurred = np.exp(devices - tops) @ kernel
        value = (np.log(np.maximum(blurred, 1e-300)) + tops).sum(axis=0)
        best = int(np.clip(np.argmax(value), 1, _MEANS - 2))
        step = means[1] - means[0]
        left, middle, right = value[best - 1 : best + 2]
        curvature = max((2 * middle - left - right) / step**2, (means[-1] - means[0]) ** -2)
        shift = float(np.clip((right - left) / (2 * step * curvature), -step, step))
        return float(middle + 0.5 * curvature * shift**2), float(curvature), float(means[best] + shift)


def _kernel(places: Floats, means: Floats, sd: float) -> Floats:
    """Chance of each place given the mean, normal; shape (places, means).

    Deviations below 0.7 of the grid's step, far below the error of a curve, count as that: the sum stays smooth.
    """
    step = places[1] - places[0]
    width = max(sd / step, 0.7)
    apart = (places[:, None] - means) / step
    return np.asarray(np.exp(-0.5 * (apart / width) ** 2) / (width * math.sqrt(2 * math.pi)))


def _closing_in(search: _Search, largest: float, known: tuple[bool, bool]) -> tuple[list[Floats], Floats]:
    """Grids of both deviations (a single 0 for one that is not known) around all that is likely, and the surface."""
    box = [(0.0, 1.0 if k else 0.0) for k in known]  # of the square root of the deviation over the largest
    while True:
        roots = [np.linspace(low, high, _SPREADS if high > low else 1) for low, high in box]
        axes = [largest * root**2 for root in roots]
        surface = search.surface(*axes)
        likely = surface >= surface.max() - 4 * _DEPTH
        closer = []
        for k, root in enumerate(roots):
            inside = np.flatnonzero(likely.any(axis=1 - k))
            closer.append((float(root[max(inside[0] - 1, 0)]), float(root[min(inside[-1] + 1, root.size - 1)])))
        if all(new[1] - new[0] >= 0.6 * (old[1] - old[0]) for new, old in zip(closer, box, strict=True)):
            return axes, surface
        box = closer


def _interpolated(axes: list[Floats], surface: Floats) -> tuple[list[Floats], Floats, tuple[int, int]]:
    """Finer grids, the surface on them (cubic in the square root of the deviations), and where its top is."""
    from scipy.interpolate import CubicSpline

    height = np.maximum(surface, surface.max() - 8 * _DEPTH)  # depths that matter no more would bend the cubic
    fine = []
    for k, axis in enumerate(axes):
        root = np.sqrt(axis)
        fine.append(np.linspace(root[0], root[-1], _FINE if axis.size > 1 else 1))
        if axis.size > 1:
            height = CubicSpline(root, height, axis=k)(fine[k])
    best: Any = np.unravel_index(int(np.argmax(height)), height.shape)
    return [root**2 for root in fine], height, (int(best[0]), int(best[1]))


def _bounds(axis: Floats, profile: Floats, drop: float, largest: float) -> Estimate:
    """Top of a profile and where it has fallen by ``drop``; 0 or infinite where it does not fall so far."""
    best = int(np.argmax(profile))
    inside = axis[profile >= profile[best] - drop]
    return Estimate(float(axis[best]), float(inside[0]), math.inf if inside[-1] >= largest else float(inside[-1]))
