"""From a run and what its protocol asks for under ``analyze`` to results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from labctl.analysis import comparison, curves, readings
from labctl.analysis.results import Result
from labctl.analysis.runs import AnalysisError, Remembered, Run, device_name, requests_of, run_name
from labctl.analysis.transistor import (
    base_current,
    bells,
    crossings,
    leakage,
    offsets,
    retention,
    slopes,
    tops,
    trains,
)

Handler = Callable[[Run, Mapping[str, Any]], list[Result]]

HANDLERS: dict[str, Handler] = {
    "resistance": readings.resistance,
    "probability": curves.probability,
    "sigmoid": curves.sigmoid,
    "threshold": curves.threshold,
    "shift": curves.shift,
    "spread": comparison.spread,
    "per_decade": comparison.per_decade,
    "reliable": readings.reliable,
    "ratio": readings.window,
    "contact": readings.contact,
    "polarity": readings.polarity,
    "energy": readings.energy,
    "peak": tops.peak,
    "rectification": tops.rectification,
    "output_slope": slopes.output_slope,
    "crossing": crossings.crossing,
    "delta_base_current": base_current.delta_base_current,
    "train_response": trains.train_response,
    "null_time": crossings.null_time,
    "map": crossings.cgb_map,
    "retention": retention.retention,
    "bell": bells.bell,
    "offset": offsets.offset,
    "leakage": leakage.leakage,
}


#: what a request leaves out
DEFAULTS: dict[str, Any] = {"confidence": 0.95, "level": 0.1, "quantity": "threshold", "per": ["state"]}


def analyze_run(run: Run, requests: Iterable[Mapping[str, Any]] | None = None) -> list[Result]:
    """Answer the requests of a run: those of its protocol, or others of the same form.

    A request is a mapping with ``request`` (its name) and its fields, quantities as SI numbers. A run that was
    stopped early is analysed as far as it got: a request of its own protocol for which it has no rows yet gives one
    result without a value, which says so.
    Raises ``AnalysisError`` for a request that is unknown, and for other requests that name what the run has not.
    """
    own = requests is None
    run = Remembered(run)
    results: list[Result] = []
    for request in requests_of(run) if requests is None else requests:
        name = str(request.get("request"))
        if name not in HANDLERS:
            raise AnalysisError(f"analysis knows no request {name!r}", f"known: {', '.join(HANDLERS)}")
        try:
            results += HANDLERS[name](run, {**DEFAULTS, **{k: v for k, v in request.items() if v is not None}})
        except AnalysisError as error:
            if not own:
                raise
            results.append(
                _missing(run, name, str(error) if any(map(len, run.tables.values())) else "the run has no events")
            )
    return results


def _missing(run: Run, quantity: str, why: str) -> Result:
    return Result(
        run=run_name(run),
        device=device_name(run),
        quantity=quantity,
        state="",
        value=float("nan"),
        method="refused",
        n=0,
        note=why,
    )
