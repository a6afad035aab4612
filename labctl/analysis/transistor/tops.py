"""Peak of each branch of a transfer curve, its width, on/off ratio, and the rectification between two curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.curves import Maker
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import mean_and_deviation, student_quantile
from labctl.analysis.results import Result
from labctl.analysis.runs import Run
from labctl.analysis.shift import ratio
from labctl.analysis.transistor.offsets import NO_OFFSET, Offset, offset_of, widened
from labctl.analysis.transistor.repeats import METHOD_REPEATS, combined
from labctl.analysis.transistor.sweeps import Branch, Sweep, SweepGroup, sweep_groups
from labctl.analysis.trials import Group
from labctl.numerics import Vertex, find_peak, find_vertex, noise_near, noise_of
from labctl.numerics.vertex import ABOVE

Floats = NDArray[np.float64]

RSU_LEAKAGE = 100e-12  #: A, what the switch before a fast unit may leak (reference sec. 3.1)
END_SAMPLES = 4  #: samples averaged at an end of a curve
_NOTHING = Estimate(math.nan, math.nan, math.nan)
_METHODS = {
    "quartic": f"vertex of a quartic through the samples above {ABOVE:.0%} of the global maximum, least squares; "
    "from its residuals the places where the slope may be zero (Fieller) and Student's interval of the height",
    "parabola": "parabola through the top three samples; bounds: the samples beside the largest one",
    "edge": "largest sample: a bound",
}


@dataclass(frozen=True, slots=True)
class Top:
    """Peak of one branch: voltage (V), current (A), full width at half of it (V), on/off ratio."""

    voltage: Estimate
    current: Estimate
    width: Estimate
    on_off: Estimate
    points: int
    method: str
    note: str

    @property
    def statistical(self) -> bool:
        """Whether the ends are an interval of a confidence, not bounds."""
        return self.method == "quartic"


def find_top(branch: Branch, confidence: float, offset: Offset = NO_OFFSET) -> Top:
    """Peak of one branch from its usable points; no value where an unusable point may hide the maximum.

    ``offset``: what was subtracted from the currents, for its error.
    """
    if branch.x.size < 3:
        return _no_top(branch, "fewer than three usable points")
    try:
        vertex = find_vertex(branch.x, branch.y)
    except ValueError as error:
        return _no_top(branch, str(error))
    if _hidden(branch, vertex.y):
        least = Estimate(math.nan, float(branch.y.max()), math.inf)
        return Top(_NOTHING, least, _NOTHING, _NOTHING, branch.x.size, "edge", "the top was not measured")
    if vertex.method == "edge":
        first = vertex.x <= branch.x.min()
        voltage = Estimate(math.nan, -math.inf, vertex.x) if first else Estimate(math.nan, vertex.x, math.inf)
        current = Estimate(math.nan, vertex.y, math.inf)
        return Top(voltage, current, _NOTHING, _NOTHING, 1, "edge", f"no peak: largest at {vertex.x:.4g} V, the end")
    current = Estimate(vertex.y, math.nan, math.nan)
    voltage = Estimate(vertex.x, vertex.left, vertex.right)
    if vertex.method == "quartic":
        t = float(student_quantile(0.5 + confidence / 2, vertex.freedom))
        voltage, current = Estimate(vertex.x, *vertex.x_ends(t)), _about(vertex.y, t * vertex.y_stderr)
    current, off = widened(current, offset), widened(off_current(branch, confidence), offset)
    return Top(
        voltage,
        current,
        _half_width(branch, vertex, confidence),
        ratio(off, current),
        vertex.points,
        vertex.method,
        f"the end of the curve is at {off.value:.2g} A: an offset of the meter?" if off.high < 0 else "",
    )


def _no_top(branch: Branch, why: str) -> Top:
    return Top(_NOTHING, _NOTHING, _NOTHING, _NOTHING, branch.x.size, "edge", why)


def _about(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half)


def _hidden(branch: Branch, height: float) -> bool:
    """Whether a usable point near the top has an unusable one beside it."""
    if not branch.lost.size:
        return False
    x = np.concatenate([branch.x, branch.lost])
    y = np.concatenate([branch.y, np.full(branch.lost.size, np.nan)])[np.argsort(x, kind="stable")]
    beside = np.isnan(y) & (np.append(y[1:], 0.0) >= ABOVE * height)
    beside |= np.isnan(y) & (np.append(0.0, y[:-1]) >= ABOVE * height)
    return bool(beside.any())


def _half_width(branch: Branch, vertex: Vertex, confidence: float) -> Estimate:
    """Distance of the nearest points at half of the peak on both sides, interpolated; errors of samples and of peak."""
    order = np.argsort(branch.x, kind="stable")
    x, y = branch.x[order], branch.y[order]
    half = vertex.y / 2
    ends, variance, tilt, freedom = [], 0.0, 0.0, 0
    for side in (-1, 1):
        beyond = np.flatnonzero((y < half) & (side * (x - vertex.x) > 0))
        if not beyond.size:
            return _NOTHING
        outer = int(beyond[-1] if side < 0 else beyond[0])
        inner = outer - side
        slope = (y[inner] - y[outer]) / (x[inner] - x[outer])
        share = (half - y[outer]) / (y[inner] - y[outer])
        ends.append(float(x[outer] + share * (x[inner] - x[outer])))
        noise, known = noise_near(x, y, ends[-1])
        variance += (share**2 + (1 - share) ** 2) * (noise / slope) ** 2
        tilt, freedom = tilt + abs(1 / slope), freedom + known
    variance += (tilt * vertex.y_stderr / 2) ** 2
    return _about(ends[1] - ends[0], float(student_quantile(0.5 + confidence / 2, freedom)) * math.sqrt(variance))


def off_current(branch: Branch, confidence: float) -> Estimate:
    """Mean of the last samples at the end of the sweep where the device is more off."""
    order = np.argsort(branch.x, kind="stable")
    ends = [branch.y[order[:END_SAMPLES]], branch.y[order[-END_SAMPLES:]]]
    return min((mean_and_deviation(end, confidence)[0] for end in ends), key=lambda e: e.value)


def peak(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Peak voltage, current, width and on/off ratio of each branch in each group."""
    confidence, results = request["confidence"], []
    offset = offset_of(run, request.get("offset"), confidence)
    for found in sweep_groups(run, request.get("of") or "sweep", request.get("per") or (), offset=offset):
        for name in found.names:
            tops = [find_top(branch, confidence, offset) for branch in found.branches(name)]
            parabolas = _parabolas(found.branches(name))
            results += _peak_results(run, named(found, name), tops, confidence, parabolas, offset.words)
        if not found.sweeps:
            results.append(Maker(run, found.group, 0)("peak_voltage", _NOTHING, "V", "refused", "no usable sweep"))
    return results


def named(found: SweepGroup, branch: str) -> Group:
    """The group with the branch in its label."""
    label = ", ".join(filter(None, (found.group.label, branch)))
    return Group((("state", label),), found.group.rows)


def _parabolas(branches: Sequence[Branch]) -> str:
    """What the parabola through the top three samples gives, which conditions of a protocol go by."""
    places = [find_peak(b.x, b.y) for b in branches if np.unique(b.x).size == b.x.size > 0]
    return ", ".join(f"{p.x:.4g} V" for p in places if not p.at_edge)


def _peak_results(
    run: Run, group: Group, tops: list[Top], confidence: float, parabolas: str, subtracted: str
) -> list[Result]:
    single = len(tops) == 1
    notes = [*(top.note for top in tops), subtracted]
    make = Maker(run, group, tops[0].points if single else len(tops), "; ".join(dict.fromkeys(filter(None, notes))))
    method = _METHODS[tops[0].method] if single else METHOD_REPEATS
    certain = confidence if not single or tops[0].statistical else math.nan
    three = f"parabola through the top three samples: {parabolas}" if parabolas else ""
    quantities = (
        ("peak_voltage", [t.voltage for t in tops], "V", method, certain, three),
        ("peak_current", [t.current for t in tops], "A", method, certain, ""),
        ("peak_fwhm", [t.width for t in tops], "V", "full width at half of the peak, interpolated", confidence, ""),
        (
            "on_off_ratio",
            [t.on_off for t in tops],
            "",
            f"peak over the mean of the last {END_SAMPLES} samples at the end that is more off (MOVER on logarithms)",
            confidence,
            "",
        ),
    )
    return [
        make(quantity, combined(estimates, confidence), unit, how, note, confidence=share)
        for quantity, estimates, unit, how, share, note in quantities
    ]


def largest(sweeps: Iterable[Sweep], confidence: float) -> Estimate:
    """Largest magnitude of the current of a curve, bounded at all its samples at once for the noise on them.

    The noise is that of the whole curve, or that next to the largest sample where it is far larger: flicker grows
    with the current.
    """
    found = []
    for sweep in sweeps:
        branches = [branch for branch in sweep.branches if branch.y.size]
        if not branches:
            continue
        heights = [float(np.abs(branch.y).max()) for branch in branches]
        top, highest = max(heights), branches[int(np.argmax(heights))]
        place = float(highest.x[np.argmax(np.abs(highest.y))])
        whole, near = noise_of(highest.x, highest.y), noise_near(highest.x, highest.y, place)
        noise, freedom = near if near[0] > 2 * whole[0] else whole
        tail, samples = (1 - confidence) / 2, sum(branch.y.size for branch in branches)
        below = noise * float(student_quantile(1 - tail / samples, freedom))  # which sample is largest, noise decides
        above = noise * float(student_quantile(1 - tail, freedom))
        found.append(Estimate(top, max(top - below, 0.0), top + above))
    return combined(found, confidence) if found else _NOTHING


def rectification(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Largest current of one curve over the largest magnitude of another, by state."""
    confidence = request["confidence"]
    per, offset = request.get("per") or (), offset_of(run, request.get("offset"), confidence)
    conducting, blocking = (sweep_groups(run, request[key], per, offset=offset) for key in ("of", "to"))
    below = {found.group.label: found for found in blocking}
    results = []
    for found in conducting:
        other = below.get(found.group.label)
        if other is None:
            continue
        one, two = (widened(largest(group.sweeps, confidence), offset) for group in (other, found))
        leaky = not offset.name and one.value < RSU_LEAKAGE
        lost = any(b.lost.size for group in (found, other) for s in group.sweeps for b in s.branches)
        words = (
            found.note,
            other.note,
            "lost points may hide a maximum" if lost else "",
            offset.words or "no offset of the meter was subtracted",
            "an RSU may leak as much as is blocked, and drift (F25)" if leaky else "",
        )
        note = "; ".join(dict.fromkeys(filter(None, words)))
        points = sum(b.y.size for group in (found, other) for s in group.sweeps for b in s.branches)
        method = "ratio of the largest magnitudes; interval for the noise of all samples at once (MOVER on logarithms)"
        make = Maker(run, found.group, points, other.group.note)
        results.append(make("rectification", ratio(one, two), "", method, note, confidence=confidence))
    return results
