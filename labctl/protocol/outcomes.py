"""Steps that judge what was read: state, spike, confirm; and conditions."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import model_validator

from labctl.protocol.base import Name, Names, Otherwise, Part, Step, Steps, Template, given, needed
from labctl.protocol.values import Bound, Current, Drop, Fraction, Points, Resistance, Retries, Window


class Condition(Part):
    """What an earlier reading must fulfil."""

    reading: Name = needed("name ('as') of an earlier reading or sweep; its latest value counts")
    quantity: Literal["value", "dI0", "peak_voltage", "peak_current"] = given(
        "value", "what of it: of a sweep one of its figures, dI0 = backward - forward current at 0 V"
    )
    against: Names | None = given(None, "compare the ratio to this reading: the latest of these")
    above: Bound | None = given(None, "it must be more than this")
    below: Bound | None = given(None, "it must be less than this")
    near: Bound | None = given(None, "it must be this, but for 'within'")
    within: Bound | None = given(None, "allowed distance from 'near', or from the reference, as part of it")

    @model_validator(mode="after")
    def _some_bound(self) -> Condition:
        if self.above is None and self.below is None and self.within is None:
            raise ValueError("give 'above', 'below', or 'near' and 'within'")
        if (self.near is not None and self.within is None) or (
            self.within is not None and self.near is None and self.against is None
        ):
            raise ValueError("'near' and 'within' belong together")
        return self


class ResistanceCheck(Part):
    """A resistance read and compared."""

    at: Name = needed("terminal that is read")
    above: Resistance | None = given(None, "lowest resistance that passes")
    below: Resistance | None = given(None, "highest resistance that passes")
    window: Window = given("0.1 V", "largest |V| of the I-V")
    points: Points = given(21, "points of the I-V")
    compliance: Current = given("100 uA", "current limit")

    @model_validator(mode="after")
    def _some_bound(self) -> ResistanceCheck:
        if self.above is None and self.below is None:
            raise ValueError("give 'above', 'below' or both")
        return self


class Verify(Part):
    """The certificate of a state: a resistance read now, or a condition on an earlier reading."""

    resistance: ResistanceCheck | None = given(None, "read the resistance and compare it")
    reading: Condition | None = given(None, "compare an earlier reading")

    @model_validator(mode="after")
    def _one(self) -> Verify:
        if (self.resistance is None) == (self.reading is None):
            raise ValueError("give 'resistance' or 'reading'")
        return self


class State(Step):
    """A named condition of the device: how it is prepared, and what proves it."""

    verb: ClassVar[str] = "state"
    main: ClassVar[str | None] = "name"

    name: Template = needed("label in the column 'state' of all that follows; may hold '$variable'")
    prepare: Steps = given((), "steps that bring the device there")
    verify: Verify | None = given(None, "the certificate; without it the state is only a label")
    otherwise: Otherwise = given("stop", "if the certificate fails", alias="else")


class Spike(Step):
    """Did the resistance drop? Compares a reading with the latest of earlier ones."""

    verb: ClassVar[str] = "spike"

    source: Name = needed("the reading after the pulse", alias="from")
    against: Names = needed("readings to compare with: the latest of these before the pulse")
    below: Drop | None = given(None, "a spike: ratio below this (0.5 if left out), or resistance below this")
    above: Drop | None = given(None, "count a rise above this instead, as for the success of a reset")
    label: Name = given("spike", "name of the outcome in the data", alias="as")

    @model_validator(mode="before")
    @classmethod
    def _half(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("below") is None and data.get("above") is None:
            return {**data, "below": 0.5}
        return data

    @model_validator(mode="after")
    def _one_way(self) -> Spike:
        if self.above is not None and self.below is not None:
            raise ValueError("give 'below' or 'above', not both")
        return self


class Confirm(Step):
    """Is the device reset? If not, the reset is repeated, then the run stops or goes on flagged."""

    verb: ClassVar[str] = "confirm"

    reset: Name = needed("the reading after the reset pulse")
    against: Names = needed("reading of the reset device: the latest of these")
    within: Fraction = needed("allowed relative distance from it")
    retry: Retries = given(1, "how often the reset is repeated")
    again: Steps = given((), "steps of a repetition; if left out, those since the latest reset pulse")
    otherwise: Otherwise = given("stop", "if the device still is not reset", alias="else")
