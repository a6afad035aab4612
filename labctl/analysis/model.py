"""Measured device models for simulations: what ``labctl export-model`` wrote, evaluated with numpy alone.

The file is JSON, documented in docs/models.md. ``load_model("model.json")`` gives a ``Model``::

    model = load_model("model.json")
    p = model.activation("neuron-01", "initial").probability(field=0.2e6)
    spikes = rng.random(p.shape) < p
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

FORMAT = "labctl-model"
VERSION = 1


class ModelError(ValueError):
    """A file that is no model, or a question that it cannot answer (exit code 2)."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


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


@dataclass(frozen=True, slots=True)
class Model:
    """A family of activations, and the rule by which inputs change the state. ``data`` is the whole file."""

    activations: tuple[Activation, ...]
    data: Mapping[str, Any]

    @property
    def simulated(self) -> bool:
        return bool(self.data["simulated"])

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(a.device for a in self.activations))

    def states(self, device: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(a.state for a in self.activations if a.device == device))

    def activation(self, device: str | None = None, state: str | None = None) -> Activation:
        """The latest one of a device and state; None takes the only device, and its first state."""
        if device is None:
            if len(self.devices) != 1:
                raise ModelError("the model has several devices", f"name one of {', '.join(self.devices)}")
            device = self.devices[0]
        wanted = state if state is not None else next(iter(self.states(device)), None)
        found = [a for a in self.activations if (a.device, a.state) == (device, wanted)]
        if not found:
            raise ModelError(f"no activation of {device!r} in state {wanted!r}", f"states: {self.states(device)}")
        return found[-1]

    def next_state(self, device: str, state: str, field: float) -> str:
        """State after the measured conditioning at the input field nearest to ``field`` (V/m), from ``state``.

        Only what was measured is a rule: an input outside the measured ones by more than 1 % of their size raises
        ``ModelError``.
        """
        rules = [r for r in self.data["state_update"]["rules"] if (r["device"], r["from"]) == (device, state)]
        near = [r for r in rules if abs(r["field"] - field) <= 0.01 * abs(r["field"])]
        if not near:
            fields = ", ".join(f"{r['field']:.4g}" for r in rules) or "none"
            raise ModelError(f"{device}, {state}: nothing was measured at {field:.4g} V/m", f"measured: {fields} V/m")
        return str(min(near, key=lambda r: abs(r["field"] - field))["to"])


def load_model(path: str | Path) -> Model:
    """Read a model file. ``ModelError`` for anything else, and for a format this version does not know."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}", "give a file of labctl export-model") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ModelError(f"{path}: no model of labctl", "give a file of labctl export-model")
    if data.get("version") != VERSION:
        raise ModelError(f"{path}: format {data.get('version')} is not known, only {VERSION}", "update labctl")
    return Model(tuple(map(_activation, data["activations"])), data)


def _activation(entry: Mapping[str, Any]) -> Activation:
    v50, slope = (entry[name]["value"] for name in ("V50", "s"))
    return Activation(
        device=entry["device"],
        state=entry["state"],
        v50=np.nan if v50 is None else float(v50),
        slope=np.nan if slope is None else float(slope),
        sign=int(entry["sign"]),
        volts_per_field=entry["volts_per_field"],
        data=entry,
    )
