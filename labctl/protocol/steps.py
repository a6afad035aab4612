"""The vocabulary of protocols, all in one place: one class per kind of step (design, section 5).

A step is data; nothing here knows an instrument.
"""

from __future__ import annotations

from labctl.protocol.base import Part, Step
from labctl.protocol.errors import NOWHERE, Where
from labctl.protocol.flow import Allow, For, Note, Repeat, Route, Until, Use, Vary, Wait
from labctl.protocol.outcomes import Condition, Confirm, ResistanceCheck, Spike, State, Verify
from labctl.protocol.readings import Read, Sample, Sweep
from labctl.protocol.stimuli import Bias, Pulse, Shot, Train
from labctl.protocol.values import Quantity, Ref

__all__ = [
    "NOWHERE", "VERBS", "Allow", "Bias", "Condition", "Confirm", "For", "Note", "Part", "Pulse", "Quantity",
    "Read", "Ref", "Repeat", "ResistanceCheck", "Route", "Sample", "Shot", "Spike", "State", "Step", "Sweep",
    "Train", "Until", "Use", "Vary", "Verify", "Wait", "Where",
]  # fmt: skip

#: verb -> class, in the order in which the language is explained
VERBS: dict[str, type[Step]] = {
    cls.verb: cls
    for cls in (
        Pulse, Train, Bias, Read, Sweep, Sample, Wait, Repeat, For, Until,
        State, Spike, Confirm, Route, Use, Allow, Note,
    )
}  # fmt: skip
