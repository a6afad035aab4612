"""H-doped NdNiO3 neuron in closed form (reference devices_and_protocols, part 2a)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim_backend.devices.hnno.neuron import HnnoNeuron, HnnoState
from sim_backend.devices.hnno.parameters import HnnoParameters, make_parameters, spread
from sim_backend.draws import Draws

__all__ = ["HnnoNeuron", "HnnoParameters", "HnnoState", "make_device", "make_parameters", "spread"]


def make_device(parameters: Mapping[str, Any], draws: Draws, noise: bool) -> HnnoNeuron:
    """Device of the bench file: nominal, or with ``specimen: N`` (N >= 1) the N-th of a batch with its spread."""
    settings = dict(parameters)
    specimen = int(settings.pop("specimen", 0))
    nominal = make_parameters(settings)
    return HnnoNeuron(spread(nominal, draws, specimen) if specimen else nominal, draws, specimen, noise)
