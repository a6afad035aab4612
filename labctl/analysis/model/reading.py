"""A model file as a whole: reads it, and finds what was measured of which device in which state."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from labctl.analysis.model.neuron import Activation, activation_of
from labctl.analysis.model.parts import FORMAT, KNOWN, ModelError, Value
from labctl.analysis.model.transistor import (
    Conditioned,
    PulseChange,
    Response,
    Retention,
    Transfer,
    conditioned_of,
    dI0_at,
    pulse_change_of,
    response_of,
    retention_of,
    transfer_of,
)


class _OfState(Protocol):
    """What is told apart by device and state."""

    @property
    def device(self) -> str: ...

    @property
    def state(self) -> str: ...


Entry = TypeVar("Entry", bound=_OfState)


@dataclass(frozen=True, slots=True)
class Model:
    """Everything that was measured. ``data`` is the whole file.

    Of neurons: ``activations`` and the rule by which inputs change the state. Of transistors: ``transfers`` (bells),
    ``responses`` to trains, ``pulse_changes`` of the base current, ``conditioned`` cyclic curves and ``retentions``.
    """

    activations: tuple[Activation, ...]
    transfers: tuple[Transfer, ...]
    responses: tuple[Response, ...]
    pulse_changes: tuple[PulseChange, ...]
    conditioned: tuple[Conditioned, ...]
    retentions: tuple[Retention, ...]
    data: Mapping[str, Any]

    @property
    def simulated(self) -> bool:
        return bool(self.data["simulated"])

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of all devices, in the order of the file."""
        parts: tuple[Iterable[_OfState], ...] = (
            self.activations, self.transfers, self.responses, self.pulse_changes, self.retentions,
        )  # fmt: skip
        return tuple(dict.fromkeys(entry.device for part in parts for entry in part))

    def states(self, device: str) -> tuple[str, ...]:
        """States of a device with an activation, of either kind."""
        parts: tuple[Iterable[_OfState], ...] = (self.activations, self.transfers, self.responses)
        return tuple(dict.fromkeys(entry.state for part in parts for entry in part if entry.device == device))

    def activation(self, device: str | None = None, state: str | None = None) -> Activation:
        """A neuron's curve, the latest one; None takes the only device, and its first state."""
        return _latest(self.activations, "activation", device, state)

    def transfer(
        self,
        state: str | None = None,
        branch: str | None = None,
        *,
        device: str | None = None,
        conditioning: tuple[float, float] | None = None,
    ) -> Transfer:
        """A transfer curve, the latest one: of a branch ('forward', 'backward', '' of a single sweep), after a
        conditioning of (V, s), to 1 %."""
        found = [t for t in self.transfers if branch is None or t.branch == branch]
        if conditioning is not None:
            found = [t for t in found if np.allclose((t.conditioning.level, t.conditioning.time), conditioning, 0.01)]
        return _latest(found, "transfer curve", device, state)

    def response(self, state: str | None = None, *, device: str | None = None, **conditions: float) -> Response:
        """A response to a train, the latest one, at these values of the loop variables: ``amplitude=-10.0``."""
        found = [r for r in self.responses if all(r.conditions.get(k) == v for k, v in conditions.items())]
        return _latest(found, f"response with {conditions}" if conditions else "response", device, state)

    def dI0(self, level: float, time: float, device: str | None = None) -> Value:  # noqa: N802
        """dI0 (A) after a gate bias of ``level`` (V) for ``time`` (s), interpolated inside what was measured."""
        name = device or _only_device(self.conditioned, "conditioned curve")
        return dI0_at([e for e in self.conditioned if e.device == name and e.conditioning.time > 0], level, time)

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


def _only_device(entries: Iterable[_OfState], what: str) -> str:
    names = tuple(dict.fromkeys(entry.device for entry in entries))
    if not names:
        raise ModelError(f"the model has no {what}", "export runs that measured one")
    if len(names) > 1:
        raise ModelError("the model has several devices", f"name one of {', '.join(names)}")
    return names[0]


def _latest(entries: Sequence[Entry], what: str, device: str | None, state: str | None) -> Entry:
    """The last entry of a device and state; None takes the only device, and the first state."""
    name = device or _only_device(entries, what)
    states = tuple(dict.fromkeys(entry.state for entry in entries if entry.device == name))
    wanted = state if state is not None else next(iter(states), None)
    found = [entry for entry in entries if (entry.device, entry.state) == (name, wanted)]
    if not found:
        raise ModelError(f"no {what} of {name!r} in state {wanted!r}", f"states: {', '.join(states) or 'none'}")
    return found[-1]


def load_model(path: str | Path) -> Model:
    """Read a model file. ``ModelError`` for anything else, and for a format this version does not know."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}", "give a file of labctl export-model") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ModelError(f"{path}: no model of labctl", "give a file of labctl export-model")
    if data.get("version") not in KNOWN:
        raise ModelError(f"{path}: format {data.get('version')} is not known, only {KNOWN}", "update labctl")
    plasticity = data.get("plasticity", {})
    return Model(
        activations=tuple(map(activation_of, data["activations"])),
        transfers=tuple(map(transfer_of, data.get("transfers", ()))),
        responses=tuple(map(response_of, data.get("responses", ()))),
        pulse_changes=tuple(map(pulse_change_of, plasticity.get("pulses", ()))),
        conditioned=tuple(map(conditioned_of, plasticity.get("conditioning", ()))),
        retentions=tuple(map(retention_of, plasticity.get("retention", ()))),
        data=data,
    )
