"""Which figures a run has, and saving them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labctl.analysis.readings import reliable
from labctl.analysis.requests import DEFAULTS
from labctl.analysis.results import Result
from labctl.analysis.runs import Run, requests_of, run_name
from labctl.report import device_figures, panels, transistor_figures
from labctl.report.sources import Family, families
from labctl.report.style import save, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 4  #: levels up to which probabilities are compared state by state instead of drawn as curves


def figures_for(run: Run, results: Sequence[Result] = ()) -> dict[str, Figure]:
    """Figures by name, chosen by what the run contains; empty for a run without readings.

    ``results`` are not needed: every figure comes from the run's tables by the functions that made the results.
    """
    found: dict[str, Figure | None] = {}
    with styled():
        for family in families(run):
            suffix = "" if family.of in ("spike", "") else f"_{family.of}"
            found |= {f"{name}{suffix}": figure for name, figure in _of_family(run, family)}
        found["endurance"] = device_figures.endurance(run)
        found["current_voltage"] = device_figures.current_voltage(run)
        found["readings"] = device_figures.readings_along(run)
        found |= dict(transistor_figures.figures_of(run))
    return {name: figure for name, figure in found.items() if figure is not None}


def _of_family(run: Run, family: Family) -> Iterable[tuple[str, Figure | None]]:
    if family.rising:
        found = [reliable(run, {**DEFAULTS, **r})[0] for r in requests_of(run) if r.get("request") == "reliable"]
        yield "reset_calibration", panels.success_of_reset(run, family, found[0] if found else None)
        return
    rows = family.curves[0].group.rows
    if np.unique(rows["y"]).size > 1 or len(family.curves) > 1:
        yield "2A_stochastic_spiking", panels.stochastic_spiking(run, family)
    by_state = list(family.request.get("per") or ["state"]) == ["state"]
    if by_state:
        yield "2C_self_sensitization", panels.self_sensitization(run, family)
    if family.levels <= FEW:
        if len(family.curves) > 1 and by_state:
            yield "2D_sensitized_states", panels.sensitized_states(run, family)
        return
    yield "2B_probability", panels.probability(run, family)
    if len(family.curves) > 1:
        yield "2E_probability_per_state", panels.probability_per_state(run, family)
        yield "2F_thresholds", panels.thresholds(run, family)
    for request in requests_of(run):
        if request.get("request") == "per_decade":
            yield "width_dependence", device_figures.width_dependence(run, family, str(request["variable"]))


def save_figures(
    run: Run, results: Sequence[Result], folder: str | Path, formats: Sequence[str] = ("png", "pdf")
) -> list[Path]:
    """Write the figures of a run to ``folder`` as ``<run>_<figure>.<format>``; returns the paths. StorageError."""
    target = Path(folder)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(run_name(run)).stem) or "run"
    written = []
    with styled():
        for name, figure in figures_for(run, results).items():
            for suffix in formats:
                path = target / f"{stem}_{name}.{suffix}"
                save(figure, path)
                written.append(path)
    return written
