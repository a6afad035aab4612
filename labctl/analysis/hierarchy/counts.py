"""What a run gives to a hierarchical fit: the counts of its curves, and the device and repeat each belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.analysis.curves import curves
from labctl.analysis.runs import Run, device_name, requests_of, run_name, table


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
