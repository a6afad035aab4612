"""Steps that drive the device: pulse, train, bias."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from labctl.protocol.base import Name, Names, Part, Role, Step, Steps, given, needed
from labctl.protocol.values import CountOrNone, Current, Duration, Level, Quantity, Slew, Time


class Pulse(Step):
    """One rectangular pulse."""

    verb: ClassVar[str] = "pulse"

    at: Name = needed("device terminal that is driven")
    level: Level = needed("level of the pulse, a voltage or a field along the channel")
    width: Duration = needed("width at 50 %")
    base: Level = given("0 V", "level before and after")
    edge: Duration | None = given(None, "rise and fall time; the instrument's own if left out")
    role: Role | None = given(None, "what the pulse is for; 'reset' is what a confirm repeats")
    label: Name | None = given(None, "name of the pulse in the data", alias="as")


class Shot(Part):
    """One pulse of a train's cycle."""

    level: Level = needed("level of this pulse")
    width: Duration = needed("its width, as of the train's shape")
    role: Role | None = given(None, "what this pulse is for")


class Train(Step):
    """Many identical cycles of one or several pulses; a million cycles stay one step."""

    verb: ClassVar[str] = "train"

    at: Name = needed("device terminal that is driven")
    level: Level | None = given(None, "level of the pulse, if the cycle has only one")
    width: Duration | None = given(
        None, "width of the pulse: at 50 % if rectangular, foot to foot of a triangle or ramp"
    )
    pulses: tuple[Shot, ...] = given((), "the pulses of one cycle, instead of level and width")
    gap: Time | None = given(None, "pause after each pulse, foot to foot")
    period: Duration | None = given(None, "from cycle to cycle, instead of the gap after the last pulse")
    count: CountOrNone = needed("number of cycles")
    shape: Literal["rectangular", "triangle", "ramp"] = given("rectangular", "shape of every pulse")
    base: Level = given("0 V", "level between the pulses")
    edge: Duration | None = given(None, "rise and fall time of rectangular pulses")
    role: Role | None = given(None, "what the train is for")
    label: Name | None = given(None, "name of the train in the data", alias="as")

    @property
    def shots(self) -> tuple[Shot, ...]:
        """The pulses of one cycle."""
        if self.level is None or self.width is None:
            return self.pulses
        return (Shot(level=self.level, width=self.width, role=self.role),)

    @model_validator(mode="after")
    def _one_cycle(self) -> Train:
        alone = self.level is not None and self.width is not None
        if alone == bool(self.pulses) or (self.pulses and (self.level or self.width)):
            raise ValueError("give 'level' and 'width' of one pulse, or 'pulses', not both")
        if self.gap is None and (self.period is None or len(self.pulses) > 1):
            raise ValueError("give 'gap', the pause after each pulse" + ("" if self.pulses else ", or 'period'"))
        if self.gap is not None and self.period is not None and not self.pulses:
            raise ValueError("give 'gap' or 'period' of a single pulse, not both")
        if isinstance(self.period, Quantity):
            widths = [s.width.value for s in self.shots if isinstance(s.width, Quantity)]
            gaps = self.gap.value * (len(widths) - 1) if isinstance(self.gap, Quantity) else 0.0
            if sum(widths) + gaps > self.period.value * (1 + 1e-9):
                raise ValueError(f"the period {self.period} is shorter than the pulses of one cycle")
        return self


class Bias(Step):
    """A level held for a time, or while other steps run."""

    verb: ClassVar[str] = "bias"

    at: Name = needed("device terminal that is biased")
    level: Level = needed("level that is held")
    duration: Duration | None = given(None, "how long, at the full level", alias="for")
    during: Steps = given((), "steps during which it is held, instead of a time")
    ramp: Slew | None = given(None, "rate at which the level is approached and left; at once if left out")
    compliance: Current | None = given(None, "current limit")
    abort_above: Current | None = given(None, "end the bias and the run above this current")
    grounded: Names | None = given(None, "terminals held at 0 V meanwhile")
    label: Name | None = given(None, "name of the bias in the data", alias="as")

    @model_validator(mode="after")
    def _for_or_during(self) -> Bias:
        if (self.duration is None) == (not self.during):
            raise ValueError("give 'for', a time, or 'during', a list of steps")
        return self
