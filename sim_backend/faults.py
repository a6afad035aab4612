"""Faults that a bench file can put on the simulated bench (``simulation.faults``), each with its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from labctl.protocol.units import to_si


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else to_si(value, "s")


_Seconds = Annotated[float, BeforeValidator(_seconds)]


class Faults(BaseModel):
    """What is wrong with the bench; the defaults are a sound one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    leads_swapped: bool = Field(False, description="the device's electrodes are interchanged (F14)")
    contact_open: bool = Field(False, description="a probe does not touch: the device is not in the circuit")
    instrument_lost_after: dict[str, _Seconds] = Field(
        default_factory=dict,
        description="instrument -> bench time at which its link dies; its outputs stay as they are",
    )
    serial: dict[str, str] = Field(
        default_factory=dict, description="instrument -> serial number that it has instead of the bench file's"
    )
    link_latency: dict[str, tuple[_Seconds, _Seconds]] = Field(
        default_factory=dict,
        description="instrument -> least and most time that a message is on its way to it, each drawn anew (F31)",
    )
    interlock_open: tuple[str, ...] = Field((), description="instruments whose safety interlock is open")


def read_faults(settings: Mapping[str, Any]) -> Faults:
    """Faults from the bench file. Raises ``ValueError`` that names the known faults."""
    try:
        return Faults.model_validate(dict(settings))
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(key) for key in problem["loc"])
        known = ", ".join(Faults.model_fields)
        raise ValueError(f"simulation.faults: {name}: {problem['msg']}; known faults: {known}") from error
