"""Probability curves of a run: points with score intervals, logistic fits, thresholds, shifts between groups.

No order of states or of voltages is assumed: states are compared in the order in which they were measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.dependence import runs, trend
from labctl.analysis.estimate import Estimate
from labctl.analysis.goodness import Goodness, goodness
from labctl.analysis.intervals import wilson
from labctl.analysis.psychometric import PsychometricFit, fit_psychometric, merge_counts
from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError, Remembered, Run, column, device_name, run_name, unit_of_variable
from labctl.analysis.shift import METHOD as METHOD_DIFFERENCE
from labctl.analysis.shift import difference, shifted
from labctl.analysis.trials import Group, groups, trials

Floats = NDArray[np.float64]

#: below this chance the data contradict any rising curve and no threshold is given
DISORDER = 1e-3


@dataclass(frozen=True, slots=True)
class Curve:
    """Counts of one group by abscissa (ascending), and the trials behind them."""

    group: Group
    at: Floats
    trials: Floats
    spikes: Floats
    unit: str

    @property
    def label(self) -> str:
        return self.group.label

    def fit(self, level: float, confidence: float) -> PsychometricFit:
        """The fit; several requests ask for the same, so it is kept."""
        return _fit(self._counts(), level, confidence)

    def checks(self) -> Goodness:
        """Tests of the logistic curve, kept likewise."""
        return _checks(self._counts())

    def _counts(self) -> tuple[bytes, bytes, bytes]:
        return self.at.tobytes(), self.trials.tobytes(), self.spikes.tobytes()


@lru_cache(maxsize=256)
def _fit(counts: tuple[bytes, bytes, bytes], level: float, confidence: float) -> PsychometricFit:
    return fit_psychometric(*map(np.frombuffer, counts), levels=(level,), confidence=confidence)


@lru_cache(maxsize=256)
def _checks(counts: tuple[bytes, bytes, bytes]) -> Goodness:
    return goodness(_fit(counts, 0.1, 0.95))


def forget() -> None:
    """Drop what is kept of earlier curves."""
    _fit.cache_clear()
    _checks.cache_clear()


def curves(run: Run, request: Mapping[str, Any]) -> list[Curve]:
    """Curves that a request asks for (``of``, ``over``, ``per``); groups without any usable trial included."""
    asked = request.get("of") or "spike", request.get("over"), tuple(request.get("per") or ())
    if isinstance(run, Remembered):
        found: list[Curve] = run.once(("curves", *asked), lambda: _counted(run, *asked))
        return found
    return _counted(run, *asked)


def _counted(run: Run, of: str, over: str | None, per: tuple[str, ...]) -> list[Curve]:
    rows = trials(run, of, over)
    found = []
    for group in groups(rows, per):
        used = group.used[np.isfinite(group.used["at"])]
        counts = merge_counts(used["at"], np.ones(len(used)), used["y"])
        found.append(Curve(group, *counts, unit=str(rows["at_unit"].iloc[0])))
    return found


class Maker:
    """Makes results of one run and one curve, so that their common fields are said once."""

    def __init__(self, run: Run, group: Group, n: int, note: str = "") -> None:
        self._common: dict[str, Any] = {
            "run": run_name(run),
            "device": device_name(run),
            "state": group.label,
            "n": n,
            "left_out": group.left_out,
        }
        self._note = "; ".join(filter(None, (note, group.note)))

    def __call__(
        self, quantity: str, estimate: Estimate, unit: str, method: str, note: str = "", **more: Any
    ) -> Result:
        """One result; ``more`` overrides or adds fields."""
        fields = self._common | {"value": estimate.value, "low": estimate.low, "high": estimate.high} | more
        notes = "; ".join(filter(None, (note, self._note)))
        return Result(quantity=quantity, unit=unit, method=method, note=notes, **fields)


def probability(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Share of spikes at each abscissa with its score interval."""
    results = []
    for curve in curves(run, request):
        make = Maker(run, curve.group, 0)
        interval = wilson(curve.spikes, curve.trials, request["confidence"])
        for i, at in enumerate(curve.at):
            share = curve.spikes[i] / curve.trials[i]
            results.append(
                make(
                    "probability",
                    Estimate(float(share), float(interval.low[i]), float(interval.high[i])),
                    "",
                    "share of spikes, Wilson score interval",
                    at=float(at),
                    at_unit=curve.unit,
                    n=int(curve.trials[i]),
                    confidence=request["confidence"],
                )
            )
        if not curve.at.size:
            results.append(make("probability", _NOTHING, "", "refused", "no usable trial"))
    return results


_NOTHING = Estimate(math.nan, math.nan, math.nan)


def sigmoid(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """V50 and slope of each curve, with tests of the curve and of the independence of its events."""
    results = []
    for curve in curves(run, request):
        fit = curve.fit(0.1, request["confidence"])
        checks = curve.checks()
        make = Maker(run, curve.group, fit.n, _care(fit, checks, curve))
        results += [
            make(
                "V50", _kept(fit.v50, checks), curve.unit, fit.method, _place(fit, fit.v50), confidence=fit.confidence
            ),
            make("slope", _kept(fit.slope, checks), curve.unit, fit.method, confidence=fit.confidence),
            *_tests(make, checks, curve),
        ]
    return results


def threshold(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Voltage of a given probability for each curve."""
    level, results = request["level"], []
    for curve in curves(run, request):
        fit = curve.fit(level, request["confidence"])
        checks = curve.checks()
        make = Maker(run, curve.group, fit.n, _care(fit, checks, curve))
        found = fit.thresholds[level]
        method = f"voltage of P = {level:.3g}, {fit.method}"
        note = "; ".join(filter(None, (_as_field(run, request, curve, found), _place(fit, found), _dose(curve))))
        results.append(make("threshold", _kept(found, checks), curve.unit, method, note, confidence=fit.confidence))
    return results


def shift(run: Run, request: Mapping[str, Any]) -> list[Result]:
    """Differences between groups: the two named by ``between``, or each later one against the first."""
    found = curves(run, request)
    results = []
    for first, second in _pairs(found, request.get("between")):
        both = Group((("state", f"{first.label} -> {second.label}"),), second.group.rows)
        make = Maker(run, both, 0, first.group.note)
        quantity = request["quantity"]
        for at, one, other, why in _compared(first, second, request):
            change = difference(one, other)
            verdict = "shifted" if shifted(change) else "no shift established"
            results.append(
                make(
                    f"{quantity}_shift",
                    change,
                    "" if quantity == "probability" else first.unit,
                    METHOD_DIFFERENCE,
                    "; ".join(filter(None, (verdict, why))),
                    at=at,
                    at_unit=first.unit if math.isfinite(at) else "",
                    n=_events(first, at) + _events(second, at),
                    confidence=request["confidence"],
                )
            )
    return results


def _events(curve: Curve, at: float) -> int:
    """Trials at one abscissa, or all."""
    return int(curve.trials.sum(where=np.isclose(curve.at, at)) if math.isfinite(at) else curve.trials.sum())


def _pairs(found: list[Curve], between: list[str] | None) -> list[tuple[Curve, Curve]]:
    if between is None:
        return [(found[0], later) for later in found[1:]]
    named = {curve.label: curve for curve in found}
    missing = [name for name in between if name not in named]
    if missing:
        raise AnalysisError(f"the run has no group {missing[0]!r} to compare", f"groups in it: {', '.join(named)}")
    return [(named[between[0]], named[between[1]])]


def _compared(first: Curve, second: Curve, request: Mapping[str, Any]) -> list[tuple[float, Estimate, Estimate, str]]:
    """(abscissa, estimate of the first, of the second, why something is missing)."""
    confidence = request["confidence"]
    if request["quantity"] == "probability":
        common = [(i, j) for i, a in enumerate(first.at) for j, b in enumerate(second.at) if np.isclose(a, b)]
        ends = [wilson(curve.spikes, curve.trials, confidence) for curve in (first, second)]
        return [
            (
                float(first.at[i]),
                Estimate(first.spikes[i] / first.trials[i], float(ends[0].low[i]), float(ends[0].high[i])),
                Estimate(second.spikes[j] / second.trials[j], float(ends[1].low[j]), float(ends[1].high[j])),
                "",
            )
            for i, j in common
        ]
    level = 0.5 if request["quantity"] == "V50" else request["level"]
    fits = [curve.fit(level, confidence) for curve in (first, second)]
    one, other = (
        _kept(fit.thresholds[level], curve.checks()) for fit, curve in zip(fits, (first, second), strict=True)
    )
    why = [f"{curve.label}: {fit.reason}" for fit, curve in zip(fits, (first, second), strict=True) if fit.reason]
    return [(math.nan, one, other, "; ".join(why))]


def _kept(estimate: Estimate, checks: Goodness) -> Estimate:
    """The estimate, unless no rising curve describes the data."""
    return Estimate(math.nan, -math.inf, math.inf) if checks.disorder_p < DISORDER else estimate


def _care(fit: PsychometricFit, checks: Goodness, curve: Curve) -> str:
    """What to know before using the fit."""
    return "; ".join(
        filter(
            None,
            (
                fit.reason,
                "refused: the data contradict any rising curve" if checks.disorder_p < DISORDER else "",
                f"the logistic curve fits badly (p = {checks.deviance_p:.2g})" if checks.deviance_p < 0.01 else "",
            ),
        )
    )


def _place(fit: PsychometricFit, estimate: Estimate) -> str:
    if not fit.extrapolated(estimate):
        return ""
    return f"extrapolated: tested from {fit.voltages.min():.4g} to {fit.voltages.max():.4g}"


def _as_field(run: Run, request: Mapping[str, Any], curve: Curve, estimate: Estimate) -> str:
    """The threshold as a field, where fields were asked for: that is how papers quote it."""
    over = request.get("over")
    if over is None or not math.isfinite(estimate.value) or unit_of_variable(run, over) != "V/m":
        return ""
    rows = curve.group.rows
    length = float(np.nanmedian(rows["at"] / rows[column(rows, over)]))
    return f"{estimate.value / length * 1e-6:.4f} V/um"


def _dose(curve: Curve) -> str:
    """How much the device had been driven: thresholds drift with endurance (reference sec. 2a.1)."""
    dose = curve.group.used["dose"]
    return f"from stimulus pulses {dose.min():.0f} to {dose.max():.0f} of the run" if len(dose) else ""


def _tests(make: Maker, checks: Goodness, curve: Curve) -> list[Result]:
    """Goodness of fit and independence as results; what an independent run shows in 1 % of cases is noted."""
    used = curve.group.used
    outcome, place, order = used["y"], used["at"], used["event"]

    later, together = trend(outcome, place, order), runs(outcome, place, order)
    found = (
        ("goodness_of_fit_p", checks.deviance_p, "chance of a larger deviance, simulated", math.nan),
        ("dispersion", checks.dispersion, "Pearson chi-square per degree of freedom", checks.dispersion_p),
        ("trend_z", later.z, "change of spiking with time at equal voltage, permutation test", later.p),
        ("runs_z", together.z, "runs of equal outcomes at one voltage, Wald-Wolfowitz test", together.p),
    )
    return [
        make(
            quantity,
            Estimate(value, math.nan, math.nan),
            "",
            f"{method}, p = {p:.2g}" if math.isfinite(p) else method,
            f"{quantity}: events are not independent (p = {p:.2g})" if p < 0.01 else "",
        )
        for quantity, value, method, p in found
    ]
