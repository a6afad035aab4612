"""What the figures draw, taken from a run: probability curves, channel length, sequences of readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.analysis.curves import Curve, curves
from labctl.analysis.runs import AnalysisError, Run, column, requests_of, table, unit_of_variable
from labctl.analysis.trials import level_scale

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Family:
    """The curves of one outcome: what was asked for, and whether its abscissa is a voltage."""

    request: Mapping[str, Any]
    curves: tuple[Curve, ...]
    length: float | None  #: channel length in m where the loop variable is a field

    @property
    def of(self) -> str:
        return str(self.request.get("of") or "spike")

    @property
    def voltage(self) -> bool:
        return self.curves[0].unit == "V"

    @property
    def levels(self) -> int:
        """Most abscissae of one curve."""
        return max(curve.at.size for curve in self.curves)

    @property
    def rising(self) -> bool:
        """Whether the outcome is a rise of resistance: the success of a reset, no spike."""
        rows = self.curves[0].group.rows
        return bool(((rows["y"] == 1) & (rows["ratio"] > 1)).any())


def families(run: Run) -> list[Family]:
    """Probability curves that the protocol asks for; without its requests, those over the first loop variable."""
    asked = [r for r in requests_of(run) if r.get("request") == "probability"]
    found = []
    for request in asked or _guessed(run):
        try:
            drawn = tuple(c for c in curves(run, {"per": ["state"]} | dict(request)) if c.at.size)
        except AnalysisError:
            continue
        if drawn:
            found.append(Family(request, drawn, channel_length(run, request.get("over"))))
    return found


def _guessed(run: Run) -> list[dict[str, Any]]:
    rows = table(run, "spike")
    loops = [c.removesuffix("_index") for c in rows.columns if c.endswith("_index")]
    return [{"of": name, "over": loops[0] if loops else None} for name in rows["name"].unique()]


def channel_length(run: Run, over: str | None) -> float | None:
    """Volts per V/m of the loop variable ``over``, where it is a field that sets the level of pulses."""
    if over is None or unit_of_variable(run, over) not in (None, "V/m"):
        return None
    pulses = table(run, "pulse")
    if pulses.empty:
        return None
    try:
        rows = pulses[np.isfinite(pulses[column(pulses, over)])]
    except AnalysisError:
        return None
    reverse = rows["role"].fillna("").isin(("reset", "erase"))
    for some in (rows[~reverse], rows[reverse]):
        scale = level_scale(some, over)
        if scale is not None and 0 < scale < 1e-2:
            return scale
    return None


def sequence(run: Run, names: tuple[str, ...]) -> pd.DataFrame:
    """Resistance readings of these names in order of execution."""
    rows = table(run, "resistance")
    return rows[rows["name"].isin(names)]
