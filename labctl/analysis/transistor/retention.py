"""Decay of a base current, or of its change, with time: exponential fit, or the bound that it allows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.curves import Maker
from labctl.analysis.estimate import Estimate
from labctl.analysis.intervals import student_quantile
from labctl.analysis.results import Result
from labctl.analysis.runs import Run
from labctl.analysis.transistor.base_current import current_rows
from labctl.analysis.transistor.offsets import NO_OFFSET, Offset, offset_of
from labctl.analysis.transistor.series import Series, need, series_of

Floats = NDArray[np.float64]

METHOD = "d exp(-t/tau) by least squares, interval of the rate by profile of the residuals"
FEWEST = 4  #: values that a fit needs
FASTEST = 50.0  #: decays per record: what is faster is over before the record begins


@dataclass(frozen=True, slots=True)
class Decay:
    """d exp(-k t): ``start`` d (A), ``rate`` k (1/s) with its interval, the ``span`` (s) it was watched.

    ``alternation``: correlation of neighbouring residuals in standard errors; large if no exponential fits.
    """

    start: float
    rate: Estimate
    span: float
    alternation: float

    @property
    def time(self) -> Estimate:
        """Decay time (s); where no decay is established, only its lower bound."""
        slow, fast = self.rate.low, self.rate.high
        if not slow > 0:
            return Estimate(math.nan, 1 / fast if fast > 0 else math.nan, math.inf)
        return Estimate(1 / self.rate.value, 1 / fast, 1 / slow)

    @property
    def retained(self) -> Estimate:
        """Share that is left at the end of the record."""
        return Estimate(*(math.exp(-k * self.span) for k in (self.rate.value, self.rate.high, self.rate.low)))

    def at(self, t: Floats) -> Floats:
        """The fitted course (A)."""
        return np.asarray(self.start * np.exp(-self.rate.value * t))


def fit_decay(t: Floats, y: Floats, confidence: float) -> Decay | None:
    """Fit ``y`` (A) against ``t`` (s, ascending from 0), both of shape (n,); None for too few values or no signal."""
    from scipy.optimize import brentq, minimize_scalar  # 0.3 s

    span = float(t[-1] - t[0]) if t.size else 0.0
    if t.size < FEWEST or span <= 0 or not np.any(y):
        return None
    scale = float(np.abs(y).max())
    u, v = (t - t[0]) / span, y / scale

    def misfit(k: float) -> float:
        """Residual sum of squares with the best start for this rate."""
        g = np.exp(-k * u)
        return float(np.sum((v - g * (g @ v) / (g @ g)) ** 2))

    grid = np.concatenate([-np.geomspace(FASTEST, 1e-6, 60), [0.0], np.geomspace(1e-6, FASTEST, 60)])
    best = int(np.argmin([misfit(k) for k in grid]))
    around = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    rate = float(minimize_scalar(misfit, bounds=around, method="bounded", options={"xatol": 1e-10}).x)
    least = misfit(rate)
    freedom = t.size - 2
    limit = least * (1 + float(student_quantile(0.5 + confidence / 2, freedom)) ** 2 / freedom)
    ends = [
        float(brentq(lambda k: misfit(k) - limit, rate, end)) if misfit(end) > limit else side * math.inf
        for side, end in ((-1, -FASTEST), (1, FASTEST))
    ] if least > 0 else [rate, rate]  # fmt: skip
    g = np.exp(-rate * u)
    start = float(g @ v / (g @ g))
    rest = v - start * g
    power = float(rest @ rest)
    alternation = float(rest[1:] @ rest[:-1]) / power * math.sqrt(t.size) if power > 0 else 0.0
    low, high = (end / span for end in ends)
    return Decay(start * scale, Estimate(rate / span, low, high), span, alternation)


def decay_of(
    run: Run, series: Series, reference: str | None, confidence: float, offset: Offset = NO_OFFSET
) -> tuple[Floats, Floats, Decay | None]:
    """Times from the first value (s), currents less the reference (A), and the fit.

    ``offset`` is what was subtracted from the series already; the reference is treated alike.
    """
    level = 0.0
    if reference:
        rows = current_rows(run, reference)
        rows = rows[rows["why"] == ""]
        earlier = rows[rows["event"] < series.group.rows["event"].min()]
        level = float(earlier["value"].iloc[-1] - offset.at(earlier["time"].iloc[-1])) if len(earlier) else math.nan
    t, y = series.x - series.x[0], series.y - level
    return t, y, fit_decay(t, y, confidence) if math.isfinite(level) else None


def retention(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Decay time and share retained at the end of each record."""
    confidence, reference, results = request["confidence"], request.get("reference"), []
    offset = offset_of(run, request.get("offset"), confidence)
    for series in need(series_of(run, request["of"], request.get("per") or (), offset=offset), request["of"]):
        _, _, decay = decay_of(run, series, reference, confidence, offset)
        make = Maker(run, series.group, series.y.size, offset.words)
        if decay is None:
            nothing = Estimate(math.nan, math.nan, math.nan)
            why = f"too few values, or no usable {reference!r} before" if reference else "too few values"
            results.append(make("retention_time", nothing, "s", "refused", why))
            continue
        notes = [
            "no decay established" if not decay.rate.low > 0 else "",
            "grows" if decay.rate.high < 0 else "",
            "residuals are correlated: not one exponential, or drift" if abs(decay.alternation) > 3.3 else "",
        ]
        note = "; ".join(filter(None, notes))
        of_what = f"current less {reference!r}" if reference else "current"
        results += [
            make("retention_time", decay.time, "s", f"{of_what}: {METHOD}", note, confidence=confidence),
            make(
                "retained_fraction", decay.retained, "", f"{of_what}: {METHOD}", note,
                at=decay.span, at_unit="s", confidence=confidence,
            ),
        ]  # fmt: skip
    return results
