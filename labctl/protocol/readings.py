"""Steps that measure: read, sweep, sample."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import model_validator

from labctl.protocol.base import Levels, Name, Names, Step, Steps, given, needed
from labctl.protocol.values import (
    Count,
    Current,
    Duration,
    Level,
    Periods,
    Points,
    Quantity,
    Range,
    Time,
    Window,
)


class Read(Step):
    """One reading: a resistance from a small I-V, or a current at fixed bias."""

    verb: ClassVar[str] = "read"

    resistance: Name | None = given(None, "terminal whose resistance to common is read")
    current: Names | None = given(None, "terminal or terminals whose current is read")
    window: Window = given("0.1 V", "resistance: largest |V| of the I-V")
    points: Points = given(21, "resistance: points of the I-V")
    side: Literal["both", "positive", "negative"] = given("both", "resistance: side of zero of the I-V")
    direction: Literal["up", "down", "both"] = given("up", "resistance: order of the points")
    bias: Levels = given({}, "current: terminal -> level held during the reading")
    samples: Count = given(1, "current: samples that are averaged")
    interval: Duration | None = given(None, "current: time between samples; as fast as they come if left out")
    nplc: Periods = given(1, "integration time in power-line periods")
    delay: Time | None = given(None, "settling time before each measurement; the instrument's own if left out")
    range: Range = given("auto", "current range")
    compliance: Current = given("100 uA", "current limit")
    label: Name = given("", "name of the reading: 'resistance' or 'current' if left out", alias="as")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        if isinstance(data, dict) and "as" not in data and "label" not in data:
            return {**data, "as": "resistance" if data.get("resistance") else "current"}
        return data

    @model_validator(mode="after")
    def _one_kind(self) -> Read:
        if (self.resistance is None) == (self.current is None):
            raise ValueError("give 'resistance' or 'current', the terminal to read")
        alien = {"bias", "samples", "interval"} if self.resistance else {"window", "points", "side", "direction"}
        if wrong := sorted(alien & self.model_fields_set):
            raise ValueError(f"'{wrong[0]}' does not belong to the reading of a {self.kind}")
        return self

    @property
    def kind(self) -> Literal["resistance", "current"]:
        return "resistance" if self.resistance else "current"


class Sweep(Step):
    """A staircase of levels on one terminal with a measurement at each: I-V, transfer or output curve."""

    verb: ClassVar[str] = "sweep"

    at: Name = needed("terminal that is swept")
    measure: Names | None = given(None, "terminals whose current is measured; the swept one if left out")
    start: Level | None = given(None, "first level", alias="from")
    stop: Level | None = given(None, "last level", alias="to")
    points: Points | None = given(None, "number of points of one branch")
    step: Level | None = given(None, "distance of the points, instead of their number")
    spacing: Literal["linear", "log"] = given("linear", "spacing of the points")
    values: tuple[Level, ...] = given((), "the levels themselves, instead of from, to and points")
    mode: Literal["single", "cyclic"] = given("single", "cyclic: there and back again")
    bias: Levels = given({}, "terminal -> level held during the sweep")
    hold: Time | None = given(None, "time at the first level before the first measurement")
    delay: Time | None = given(None, "time from each level to its measurement")
    dwell: Duration | None = given(None, "time spent on each level; as long as the measurement if left out")
    nplc: Periods = given(1, "integration time in power-line periods")
    range: Range = given("auto", "current range of the measured terminals")
    compliance: Current | dict[Name, Current] = given("100 uA", "current limit, one for all or by terminal")
    on_compliance: Literal["stop", "flag"] = given(
        "stop", "at the first point in compliance: stop the run, or go on and flag the row"
    )
    label: Name = given("sweep", "name of the curve in the data", alias="as")

    @model_validator(mode="after")
    def _levels_once(self) -> Sweep:
        line = self.start is not None and self.stop is not None
        if line == bool(self.values) or (self.values and (self.start or self.stop or self.points or self.step)):
            raise ValueError("give 'from' and 'to' with 'points' or 'step', or the list 'values', not both")
        if line and (self.points is None) == (self.step is None):
            raise ValueError("give 'points' or 'step'")
        if self.spacing == "log":
            ends = [end.value for end in (self.start, self.stop) if isinstance(end, Quantity)]
            if self.points is None or any(end == 0 or (end > 0) != (ends[0] > 0) for end in ends):
                raise ValueError("a log sweep needs 'points', and ends of one sign, neither of them 0")
        return self


class Sample(Step):
    """A current recorded against time, during other steps or for a time."""

    verb: ClassVar[str] = "sample"

    current: Names = needed("terminal or terminals whose current is recorded")
    interval: Duration = needed("time between samples")
    window: Duration | None = given(None, "averaging window of a sample; the interval if left out")
    bias: Levels = given({}, "terminal -> level held meanwhile")
    duration: Duration | None = given(None, "how long", alias="for")
    during: Steps = given((), "steps during which it records, instead of a time: a train, then a wait if need be")
    last: Duration | None = given(None, "record only so long, at the end of the steps")
    range: Range = given("auto", "current range")
    compliance: Current | None = given(None, "current limit")
    label: Name = given("sample", "name of the record in the data", alias="as")

    @model_validator(mode="after")
    def _for_or_during(self) -> Sample:
        if (self.duration is None) == (not self.during):
            raise ValueError("give 'for', a time, or 'during', a list of steps")
        if self.last is not None and not self.during:
            raise ValueError("'last' goes with 'during'")
        return self
