"""What a protocol asks of the analysis: the entries under ``analyze``.

A request names readings and outcomes by their ``as``, and loops by their variable. ``of``, ``over`` and
``per`` that are left out are those of the latest 'probability' before; loading fills them in.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from labctl.protocol.base import Name, Names, Part, Text, given, needed
from labctl.protocol.errors import NOWHERE, Where
from labctl.protocol.values import Count, CountOrNone, Fraction, Level, Ratio, Resistance

Reads = dict[str, tuple[str, ...]]
Label = "a loop variable, the name of a repeat, or 'state'"
OFFSET = "readings where the device carries no current, such as without supply; subtracted, on straight lines between"


class Request(Part):
    """Base of the requests."""

    request: ClassVar[str] = ""
    #: field -> kinds of rows that it may name: resistance, current, sweep, sample, spike
    reads: ClassVar[Reads] = {}
    internal: ClassVar[frozenset[str]] = frozenset({"where"})
    inherits: ClassVar[bool] = False  #: takes 'of', 'over' and 'per' from the latest 'probability'

    where: Where = Field(default=NOWHERE, exclude=True, repr=False)
    confidence: Fraction = given("95 %", "of the intervals")

    @model_serializer(mode="wrap")
    def _with_request(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"request": self.request, **handler(self)}


class ResistanceRequest(Request):
    """Resistance by straight-line fit, mean and spread by group."""

    request: ClassVar[str] = "resistance"
    reads: ClassVar[Reads] = {"of": ("resistance",)}

    of: Names | None = given(None, "readings; all resistances if left out")
    per: Names = given(["state"], f"groups: {Label}")


class Probability(Request):
    """Share of spikes with its score interval."""

    request: ClassVar[str] = "probability"
    reads: ClassVar[Reads] = {"of": ("spike",)}

    of: Name = given("spike", "outcome that is counted")
    over: Name | None = given(None, "abscissa: a loop variable")
    per: Names = given(["state"], f"curves: {Label}")


class _OfProbability(Request):
    """Base of what is computed from a probability curve."""

    reads: ClassVar[Reads] = {"of": ("spike",)}
    internal: ClassVar[frozenset[str]] = frozenset({"where"})
    inherits: ClassVar[bool] = True

    of: Name | None = given(None, "outcome that is counted")
    over: Name | None = given(None, "abscissa: a loop variable")
    per: Names | None = given(None, f"curves: {Label}")


class Sigmoid(_OfProbability):
    """Logistic fit by maximum likelihood: V50 and slope."""

    request: ClassVar[str] = "sigmoid"


class Threshold(_OfProbability):
    """Level at which the probability reaches a value, from the logistic fit."""

    request: ClassVar[str] = "threshold"

    level: Fraction = given("10 %", "the probability")


class Shift(_OfProbability):
    """Difference of a quantity between groups, with its interval and the verdict 'no shift' (2 sigma)."""

    request: ClassVar[str] = "shift"

    quantity: Literal["threshold", "V50", "probability"] = given("threshold", "what is compared")
    level: Fraction = given("10 %", "the probability of the threshold")
    between: Annotated[tuple[Text, ...], Field(min_length=2, max_length=2)] | None = given(
        None, "the two states, earlier first; every later group against the first if left out"
    )


class Spread(_OfProbability):
    """Mean and standard deviation of a quantity across repeats, or across the runs analysed together."""

    request: ClassVar[str] = "spread"
    reads: ClassVar[Reads] = {"of": ("spike", "resistance")}

    quantity: Literal["threshold", "V50", "probability", "resistance"] = given("threshold", "what varies")
    level: Fraction = given("10 %", "the probability of the threshold")
    across: Name | None = given(None, "repeat or loop variable; across runs if left out")


class PerDecade(_OfProbability):
    """Change of V50 per decade of a loop variable, by straight-line fit."""

    request: ClassVar[str] = "per_decade"

    variable: Name = needed("loop variable on the logarithmic axis")


class Reliable(Request):
    """Smallest magnitude of a level at which an outcome never failed."""

    request: ClassVar[str] = "reliable"
    reads: ClassVar[Reads] = {"of": ("spike",)}

    of: Name = needed("outcome that must happen")
    over: Name = needed("loop variable: the level")
    failures: CountOrNone = given(0, "failures that are allowed")
    trials: Count = given(100, "trials that are needed for the claim")


class RatioRequest(Request):
    """Ratio of two resistances, such as non-spiking to spiking, or one polarity to the other."""

    request: ClassVar[str] = "ratio"
    reads: ClassVar[Reads] = {
        "of": ("resistance", "current"),
        "to": ("resistance", "current"),
    }

    of: Name = needed("reading above the line")
    to: Name = needed("reading below the line")
    over: Name | None = given(None, "abscissa: a loop variable")
    per: Names = given(["state"], f"groups: {Label}")
    split: Name | None = given(None, "outcome: the ratio of its 0 rows to its 1 rows instead")


class Contact(Request):
    """Open, short or contacted, by resistance."""

    request: ClassVar[str] = "contact"
    reads: ClassVar[Reads] = {"of": ("resistance",)}

    of: Names = needed("readings")
    open_above: Resistance = given("50 Mohm", "an open circuit")
    short_below: Resistance = given("1 kohm", "a short circuit")


class Polarity(Request):
    """Which polarity of pulse makes the device spike: are the leads the right way round?"""

    request: ClassVar[str] = "polarity"
    reads: ClassVar[Reads] = {"forward": ("spike",), "reverse": ("spike",)}

    forward: Name = needed("outcome after positive pulses")
    reverse: Name = needed("outcome after negative pulses")


class Energy(Request):
    """Bounds on energy and time of a spike, from voltage, width and the resistances before and after."""

    request: ClassVar[str] = "energy"
    reads: ClassVar[Reads] = {
        "of": ("spike",),
        "before": ("resistance",),
        "after": ("resistance",),
    }

    of: Name = given("spike", "outcome: only its spikes count")
    before: Name = needed("resistance before the pulse")
    after: Name = needed("resistance after the pulse")
    excess: Ratio = given(1, "conductance at the pulse level over that at the reading voltage, for the upper bound")
    over: Name | None = given(None, "abscissa: a loop variable")


class Peak(Request):
    """Position and height of the maximum of a curve, by branch."""

    request: ClassVar[str] = "peak"
    reads: ClassVar[Reads] = {"of": ("sweep",), "offset": ("current",)}

    of: Name = given("sweep", "curve")
    offset: Name | None = given(None, OFFSET)
    per: Names = given(["state"], f"groups: {Label}")


class Rectification(Request):
    """Largest current of one curve over that of another, as at the two signs of the supply."""

    request: ClassVar[str] = "rectification"
    reads: ClassVar[Reads] = {"of": ("sweep",), "to": ("sweep",), "offset": ("current",)}

    of: Name = needed("conducting curve")
    to: Name = needed("blocking curve")
    offset: Name | None = given(None, OFFSET)


class OutputSlope(Request):
    """Slope of an output curve at a level, against the loop variable of the curves."""

    request: ClassVar[str] = "output_slope"
    reads: ClassVar[Reads] = {"of": ("sweep",)}

    of: Name = given("sweep", "curve")
    at: Level = needed("level of the swept terminal")
    over: Name = needed("loop variable: the gate voltage")


class Crossing(Request):
    """Currents of both branches of a cyclic curve at a level, and dI0 = backward - forward."""

    request: ClassVar[str] = "crossing"
    reads: ClassVar[Reads] = {"of": ("sweep",), "offset": ("current",)}

    of: Name = given("sweep", "cyclic curve")
    at: Level = given("0 V", "level of the swept terminal")
    offset: Name | None = given(None, OFFSET)
    over: Name | None = given(None, "abscissa: a loop variable")
    per: Names = given(["state"], f"groups: {Label}")


class DeltaBaseCurrent(Request):
    """Change of the base current, after minus before."""

    request: ClassVar[str] = "delta_base_current"
    reads: ClassVar[Reads] = {"before": ("current",), "after": ("current",)}

    before: Name = needed("reading before")
    after: Name = needed("reading after")
    per: Names = given(["state"], f"groups: {Label}")


class TrainResponse(Request):
    """Current against pulse number: rising, falling or neither, and where its maximum is."""

    request: ClassVar[str] = "train_response"
    reads: ClassVar[Reads] = {"of": ("current", "sample")}

    of: Name = needed("reading or record")
    over: Name | None = given(None, "loop variable or repeat that counts pulses; time if left out")
    per: Names = given(["state"], f"curves: {Label}")
    settling: Literal["left_out", "kept"] = given(
        "left_out", "what a fast unit records while its filter settles (37 us on 1 uA)"
    )


class NullTime(Request):
    """Value of a loop variable at which dI0 passes zero."""

    request: ClassVar[str] = "null_time"
    reads: ClassVar[Reads] = {"of": ("sweep",)}

    of: Name = given("sweep", "cyclic curve")
    over: Name = needed("loop variable, such as the duration of a bias")
    per: Names | None = given(None, f"groups: {Label}")


class MapRequest(Request):
    """dI0 over two loop variables."""

    request: ClassVar[str] = "map"
    reads: ClassVar[Reads] = {"of": ("sweep",)}

    of: Name = given("sweep", "cyclic curve")
    x: Name = needed("loop variable")
    y: Name = needed("loop variable")


class Retention(Request):
    """Decay of a current with time."""

    request: ClassVar[str] = "retention"
    reads: ClassVar[Reads] = {"of": ("current", "sample"), "offset": ("current",)}

    of: Name = needed("reading or record")
    offset: Name | None = given(None, OFFSET)
    reference: Name | None = given(None, "reading before; the decay of the difference to it is reported")


class Bell(Request):
    """Gaussian fit of a curve: centre, width, height."""

    request: ClassVar[str] = "bell"
    reads: ClassVar[Reads] = {"of": ("sweep",)}

    of: Name = given("sweep", "curve")
    over: Name | None = given(None, "abscissa: a loop variable")
    per: Names = given(["state"], f"groups: {Label}")


class Offset(Request):
    """Current where the device is off, from a reading taken there or the far end of a curve."""

    request: ClassVar[str] = "offset"
    reads: ClassVar[Reads] = {"of": ("current", "sweep")}

    of: Name = needed("reading or curve")
    beyond: Level = given("12 V", "curve: its points from this level of the swept terminal on")
    per: Names = given(["state"], f"groups: {Label}")


class Leakage(Request):
    """Leakage of a terminal in sweeps that measured it, and during biases."""

    request: ClassVar[str] = "leakage"
    reads: ClassVar[Reads] = {"of": ("sweep",)}

    of: Names | None = given(None, "curves; every one that measured the terminal if left out")
    terminal: Name = given("gate", "terminal whose current it is")
    per: Names = given(["state"], f"groups: {Label}")


#: name in the file -> class
REQUESTS: dict[str, type[Request]] = {
    cls.request: cls
    for cls in (
        ResistanceRequest, Probability, Sigmoid, Threshold, Shift, Spread, PerDecade, Reliable, RatioRequest,
        Contact, Polarity, Energy, Peak, Rectification, OutputSlope, Crossing, DeltaBaseCurrent,
        TrainResponse, NullTime, MapRequest, Retention, Bell, Offset, Leakage,
    )
}  # fmt: skip
