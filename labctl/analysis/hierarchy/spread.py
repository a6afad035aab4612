"""``labctl analyze --spread``: mean and deviations of thresholds over runs as results."""

from __future__ import annotations

from collections.abc import Iterable

from labctl.analysis.hierarchy.counts import Counts
from labctl.analysis.hierarchy.fit import METHOD, fit_hierarchy
from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError


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
