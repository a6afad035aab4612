"""WSe2/MoS2 anti-ambipolar transistor and its control devices, in closed form (reference part 2b)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sim_backend.devices.aab.device import AabTransistor, DeviceDraws, Passage
from sim_backend.devices.aab.parameters import AabParameters, make_parameters, spread

__all__ = ["AabParameters", "AabTransistor", "Passage", "make_device", "make_parameters", "spread"]


def make_device(parameters: Mapping[str, Any], draws: DeviceDraws, noise: bool) -> AabTransistor:
    """Device of the bench file: nominal, or with ``specimen: N`` (N >= 1) the N-th of a batch with its spread."""
    settings = dict(parameters)
    specimen = int(settings.pop("specimen", 0))
    chosen = make_parameters(settings)
    if specimen:
        chosen = spread(chosen, draws, specimen)
    if not noise:
        chosen = replace(chosen, flicker=0.0)
    return AabTransistor(chosen, draws, specimen)
