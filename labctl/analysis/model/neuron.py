"""The activation of a neuron: its spiking probability in one state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from labctl.analysis.model.parts import Floats, ModelError, number


@dataclass(frozen=True, slots=True)
class Activation:
    """Spiking probability of one device in one state: P = 1 / (1 + exp(-(V - V50) / s)).

    ``data`` is the entry of the file, with intervals, counts and what is missing. ``volts_per_field`` (m) is the
    channel length, None if unknown; ``sign`` is -1 for a curve that rises with -V.
    """

    device: str
    state: str
    v50: float
    slope: float
    sign: int
    volts_per_field: float | None
    data: Mapping[str, Any]

    def probability(self, voltage: ArrayLike | None = None, *, field: ArrayLike | None = None) -> Floats:
        """P at pulse levels in V, or at fields in V/m; any shape. ``ModelError`` where no curve was measured."""
        if (voltage is None) == (field is None):
            raise ModelError("give either a voltage or a field")
        if not np.isfinite(self.v50 * self.slope):
            raise ModelError(f"{self.device}, {self.state}: no curve: {self.data.get('note')}")
        if field is not None:
            if self.volts_per_field is None:
                raise ModelError(f"{self.device}: its channel length is not known", "ask with a voltage")
            voltage = np.asarray(field, np.float64) * self.volts_per_field
        logit = self.sign * (np.asarray(voltage, np.float64) - self.v50) / self.slope
        return np.asarray(0.5 * (1 + np.tanh(logit / 2)))

    def threshold(self, level: float = 0.1) -> float:
        """Voltage of P = ``level``."""
        return float(self.v50 + self.sign * self.slope * np.log(level / (1 - level)))

    def draw(self, size: int, rng: np.random.Generator) -> Floats:
        """V50 and slope as uncertain as they were measured, shape (size, 2).

        Normal in V50 and in the logarithm of the slope, with the fit's covariance carried over by the delta method.
        """
        if self.data.get("covariance") is None:
            raise ModelError(f"{self.device}, {self.state}: no covariance: {self.data.get('note')}")
        a, b = float(self.data["intercept"]), float(self.data["steepness"])
        to_both = np.array([[-self.sign / b, self.sign * a / b**2], [0.0, -1 / b]])
        covariance = to_both @ np.asarray(self.data["covariance"], np.float64) @ to_both.T
        found = rng.multivariate_normal((self.v50, np.log(self.slope)), covariance, size=size)
        return np.column_stack([found[:, 0], np.exp(found[:, 1])])


def activation_of(entry: Mapping[str, Any]) -> Activation:
    """From an entry of the file."""
    return Activation(
        device=entry["device"],
        state=entry["state"],
        v50=number(entry["V50"]["value"]),
        slope=number(entry["s"]["value"]),
        sign=int(entry["sign"]),
        volts_per_field=entry["volts_per_field"],
        data=entry,
    )
