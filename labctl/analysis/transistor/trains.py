"""Response to a train of pulses: rising, falling or turning, where its maximum is, and how far it comes back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.curves import Maker
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import normal_quantile, student_quantile
from labctl.analysis.results import Result
from labctl.analysis.runs import Run
from labctl.analysis.shift import ratio
from labctl.analysis.transistor.reversals import Blocks, Reversals, in_blocks, reversals, span_of_fall, span_of_rise
from labctl.analysis.transistor.series import NOISE, Series, need, series_of
from labctl.numerics import find_vertex

Floats = NDArray[np.float64]

RISES, FALLS, TURNS, STAYS = "rises", "falls", "turns", "no change established"
METHOD_TEST = (
    "largest rise and largest fall between an earlier and a later block of values, against those of a constant in the "
    "same noise (simulated): 1 rises only, -1 falls only, 0 neither"
)


@dataclass(frozen=True, slots=True)
class Response:
    """One series judged: ``shape`` is one of the words above; maximum (A) at ``place``; end over maximum."""

    series: Series
    blocks: Blocks
    found: Reversals
    shape: str
    change: Estimate
    place: Estimate
    maximum: Estimate
    end_over_maximum: Estimate

    @property
    def words(self) -> str:
        """The verdict in words."""
        if self.shape != TURNS:
            return {RISES: "rises, no fall established", FALLS: "falls, no rise established"}.get(
                self.shape, self.shape
            )
        (bottom, top), (high, low) = span_of_rise(self.blocks.y), span_of_fall(self.blocks.y)
        if top == high:
            return "rises to a maximum, then falls"
        return "falls to a minimum, then rises" if low == bottom else "rises and falls"


def respond(series: Series, confidence: float) -> Response:
    """Judge one series; a verdict is wrong in at most 1 - confidence of cases in each direction."""
    blocks = in_blocks(series.y, series.sigma)
    found = reversals(blocks, series.freedom)
    up, down = (chance < 1 - confidence for chance in (found.rise_p, found.fall_p))
    shape = TURNS if up and down else RISES if up else FALLS if down else STAYS
    z = normal_quantile(0.5 + confidence / 2)
    gap = z * math.hypot(float(blocks.sigma[0]), float(blocks.sigma[-1]))
    change = _about(float(blocks.y[-1] - blocks.y[0]), gap)
    level, error = _course(blocks, shape)
    place, maximum = _maximum(series, blocks, level, error, shape, confidence)
    share = ratio(maximum, _about(float(level[-1]), z * float(error[-1])))
    back = Estimate(*(min(end, 1.0) for end in (share.value, share.low, share.high)))
    return Response(series, blocks, found, shape, change, place, maximum, back)


def _about(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half)


def _course(blocks: Blocks, shape: str) -> tuple[Floats, Floats]:
    """Levels of the blocks and their errors; of a monotonic response those of its isotonic regression.

    The largest of many noisy values is too large by the noise that made it the largest; pooled ones hardly are.
    """
    from scipy.optimize import isotonic_regression

    if shape not in (RISES, FALLS):
        return blocks.y, blocks.sigma
    fit = isotonic_regression(blocks.y, weights=blocks.sigma**-2.0, increasing=shape == RISES)
    starts = np.asarray(fit.blocks)[:-1]
    pooled = np.add.reduceat(blocks.sigma**-2.0, starts) ** -0.5
    return np.asarray(fit.x), np.repeat(pooled, np.diff(fit.blocks))


def _maximum(
    series: Series, blocks: Blocks, level: Floats, error: Floats, shape: str, confidence: float
) -> tuple[Estimate, Estimate]:
    """Place and height of the maximum.

    Of a turning response: vertex of a quartic in the logarithm of the abscissa, if enough values are near the top.
    Else the largest level; its place ends at the neighbours of the blocks that may be the largest.
    """
    positive = series.x > 0
    if shape == TURNS and positive.sum() > 2:
        top = find_vertex(np.log(series.x[positive]), series.y[positive])
        if top.method == "quartic":
            t = float(student_quantile(0.5 + confidence / 2, top.freedom))
            ends = (math.exp(end) for end in top.x_ends(t))
            return Estimate(math.exp(top.x), *ends), _about(top.y, t * top.y_stderr)
    best = level.size - 1 if shape == RISES else int(np.argmax(level))
    reach = normal_quantile(1 - (1 - confidence) / level.size) * np.hypot(blocks.sigma, error[best])
    possible = np.flatnonzero(blocks.y >= level[best] - reach)
    first, last = min(best, int(possible[0])), max(best, int(possible[-1]))
    starts = series.x[blocks.first]
    ends_of = np.append(series.x[blocks.first[1:] - 1], series.x[-1])
    middle = float((starts[best] + ends_of[best]) / 2)
    low = float(starts[first - 1]) if first else float(starts[0])
    high = float(ends_of[last + 1]) if last + 1 < level.size else math.inf
    half = normal_quantile(0.5 + confidence / 2) * float(error[best])
    return Estimate(middle, low, high), _about(float(level[best]), half)


def train_response(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Verdict, change, maximum and end over maximum of each series."""
    confidence, results = request["confidence"], []
    asked = request.get("per") or (), request.get("over"), request.get("settling") or "left_out"
    found = need(series_of(run, request["of"], *asked), request["of"])
    for series in found:
        r = respond(series, confidence)
        make = Maker(run, series.group, series.y.size, f"mean of {series.repeats} series" if series.repeats > 1 else "")
        noise = "; ".join(filter(None, (NOISE[series.noise], series.left_out)))
        chances = f"chance of the rise in noise {r.found.rise_p:.2g}, of the fall {r.found.fall_p:.2g}"
        verdict = {RISES: 1.0, FALLS: -1.0}.get(r.shape, 0.0)
        ends = f"mean of {r.blocks.size} values" if r.blocks.size > 1 else "value"
        turning = (
            f"if it turns, vertex of a quartic in the logarithm; else largest level (isotonic regression); {noise}"
        )
        results += [
            make("train_monotonic", Estimate(verdict, math.nan, math.nan), "", METHOD_TEST, f"{r.words}; {chances}"),
            make("train_change", r.change, "A", f"last minus first {ends}; {noise}", confidence=confidence),
            make("train_maximum", r.maximum, "A", turning, confidence=confidence),
            make("train_maximum_at", r.place, series.unit, turning, confidence=confidence),
            make(
                "train_end_over_maximum",
                r.end_over_maximum,
                "",
                f"last over largest level; {noise}",
                confidence=confidence,
            ),
        ]
    return results
