"""A loaded protocol: parameters bound, steps checked, nothing known of a bench."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl.protocol.base import Step
from labctl.protocol.parameters import Parameter
from labctl.protocol.requests import Request
from labctl.protocol.sources import Source

VERSION = 1
TOLERANCE = 0.01  # of a protocol that says nothing

#: what ``on_resume`` may say: prepare the state again and begin the pass again; leave out the rest of the pass; ask
ON_RESUME = ("ask", "reprepare", "skip")


@dataclass(frozen=True)
class Protocol:
    """What a protocol file says. In its steps ``$parameter`` is replaced; only loop variables are ``Ref``."""

    version: int
    name: str  #: as it was asked for: name in the catalogue, or path
    title: str
    about: str
    measures: tuple[str, ...]  #: ids of the catalogue of measurements
    bench: str | None  #: simulated bench that is used when none is named
    on_resume: str  #: what a resumed run does about an operation that may have reached the device, see ON_RESUME
    parameters: Mapping[str, Parameter]
    steps: tuple[Step, ...]
    analyze: tuple[Request, ...]
    source_text: str = field(repr=False)
    file: str
    tolerance: float = TOLERANCE  #: error of a value on the instruments' grids from which the plan is refused
    overrides: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict, repr=False)  #: label -> text of every file read

    def walk(self) -> Iterator[Step]:
        """Every step in the order of the text, those inside others and of used protocols included."""
        for step in self.steps:
            yield from step.walk()

    def resolved(self) -> dict[str, Any]:
        """Everything in force as plain data for JSON: SI numbers with their dimension, used protocols unfolded."""
        return {
            "protocol": self.version,
            "name": self.name,
            "title": self.title,
            "about": self.about,
            "measures": list(self.measures),
            "bench": self.bench,
            "on_resume": self.on_resume,
            "tolerance": self.tolerance,
            "parameters": {name: _plain(p.value) for name, p in self.parameters.items()},
            "overrides": dict(self.overrides),
            "steps": [step.model_dump(mode="json") for step in self.steps],
            "analyze": [request.model_dump(mode="json") for request in self.analyze],
        }

    def resolved_json(self) -> str:
        return json.dumps(self.resolved())


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str) else {"value": value.value, "unit": value.unit}
