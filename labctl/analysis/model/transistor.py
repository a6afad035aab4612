"""What a transistor's model file holds: activations (transfer bells, responses to trains) and plasticity.

Curves are what was measured, interpolated; outside the measured abscissae they are NaN. Currents in A, SI throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from labctl.analysis.model.parts import Floats, ModelError, Value, number, numbers, value_of


@dataclass(frozen=True, slots=True)
class Conditioning:
    """The latest bias of the gate before: level (V) and time (s); both 0 if there was none in the run."""

    level: float
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What all entries share. ``conditions``: loop variables of the protocol; ``data``: the entry of the file."""

    device: str
    state: str
    conditioning: Conditioning
    conditions: Mapping[str, float]
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Curve:
    """Currents at ascending abscissae ``x``, with the ends of their intervals (NaN: not known)."""

    x: Floats
    current: Floats
    low: Floats
    high: Floats

    def at(self, x: ArrayLike) -> Floats:
        return np.interp(np.asarray(x, np.float64), self.x, self.current, left=np.nan, right=np.nan)

    def interval(self, x: ArrayLike) -> tuple[Floats, Floats]:
        places = np.asarray(x, np.float64)
        low, high = (np.interp(places, self.x, end, left=np.nan, right=np.nan) for end in (self.low, self.high))
        return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Measured):
    """Drain current against gate voltage: the bell of an anti-ambipolar transistor, one branch in one state.

    ``off``: current at the end of the curve where the device is more off. ``bell``: centre, sigma, height, floor of a
    fitted Gaussian, NaN where the curve is none.
    """

    branch: str
    drain_voltage: float
    curve: Curve
    peak_voltage: Value
    peak_current: Value
    off: Value
    bell: Mapping[str, Value]

    def current(self, voltage: ArrayLike) -> Floats:
        """Measured curve, any shape."""
        return self.curve.at(voltage)

    def interval(self, voltage: ArrayLike) -> tuple[Floats, Floats]:
        """Ends of the interval of ``current``."""
        return self.curve.interval(voltage)

    def normalised(self, voltage: ArrayLike) -> Floats:
        """The measured curve from 0 (off) to 1 (peak)."""
        return (self.current(voltage) - self.off.value) / (self.peak_current.value - self.off.value)

    def gaussian(self, voltage: ArrayLike) -> Floats:
        """The fitted bell from 0 to 1, at any voltage: exp(-(V - centre)^2 / 2 sigma^2)."""
        centre, sigma = self.bell["centre"].value, self.bell["sigma"].value
        if not np.isfinite(centre * sigma):
            raise ModelError(f"{self.device}, {self.state}: no bell was found in this curve")
        z = (np.asarray(voltage, np.float64) - centre) / sigma
        return np.asarray(np.exp(-0.5 * z**2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Measured):
    """Drain current against the number of pulses (or time) in a train; ``shape`` says how it runs.

    ``pulse``: level, width and period of the pulses, NaN where they were not all alike. ``unit``: of the abscissa, "s"
    or "" for a number of pulses.
    """

    pulse: Mapping[str, float]
    unit: str
    curve: Curve
    shape: str
    maximum: Value
    maximum_at: Value
    end_over_maximum: Value

    def current(self, *, pulses: ArrayLike | None = None, time: ArrayLike | None = None) -> Floats:
        """Current after so many pulses, or at a time (s) in the train; the period of the pulses links both."""
        if (pulses is None) == (time is None):
            raise ModelError("give either pulses or a time")
        asked, unit = (pulses, "") if time is None else (time, "s")
        x = np.asarray(asked, np.float64)
        if unit != self.unit:
            period = self.pulse["period"]
            if not np.isfinite(period):
                raise ModelError(f"{self.device}: the period of the pulses is not known")
            x = x * period if self.unit == "s" else x / period
        return self.curve.at(x)

    def normalised(self, *, pulses: ArrayLike | None = None, time: ArrayLike | None = None) -> Floats:
        """``current`` over its maximum."""
        return self.current(pulses=pulses, time=time) / self.maximum.value


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseChange(Measured):
    """Change of the base current (A) by gate pulses of a level (V), width (s) and count."""

    level: float
    width: float
    count: float
    change: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioned(Measured):
    """A cyclic curve after a conditioning: currents of both branches at zero gate voltage and dI0 (A)."""

    forward: Value
    backward: Value
    change: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention(Measured):
    """How a base current, or its change, decays: ``rate`` (1/s; its interval may hold 0) over the ``span`` watched."""

    rate: Value
    start: float
    span: float

    def left(self, time: ArrayLike) -> Floats:
        """Share left after ``time`` (s) and both ends of its interval, shape (3, ...); extrapolated after ``span``."""
        t = np.asarray(time, np.float64)
        return np.stack([np.exp(-k * t) for k in (self.rate.value, self.rate.high, self.rate.low)])


def dI0_at(table: Sequence[Conditioned], level: float, time: float) -> Value:  # noqa: N802
    """dI0 after a bias of ``level`` for ``time``, interpolated in the level and in the logarithm of the time.

    Each level of the table needs times on both sides; nothing is extrapolated. Ends of the interval likewise.
    """
    levels = sorted({entry.conditioning.level for entry in table})
    near = [one for one in levels if one <= level][-1:] + [one for one in levels if one >= level][:1]
    if len(near) < 2:
        raise ModelError(f"nothing was measured around {level:g} V", f"levels: {', '.join(f'{v:g} V' for v in levels)}")
    sides = []
    for one in near:
        row = sorted((e for e in table if e.conditioning.level == one), key=lambda e: e.conditioning.time)
        times = np.log([e.conditioning.time for e in row])
        if not times[0] - 1e-9 <= np.log(time) <= times[-1] + 1e-9:
            raise ModelError(f"at {one:g} V nothing was measured around {time:g} s")
        sides.append([np.interp(np.log(time), times, [e.change[i] for e in row]) for i in range(3)])
    share = 0.0 if near[1] == near[0] else (level - near[0]) / (near[1] - near[0])
    return Value(*((1 - share) * a + share * b for a, b in zip(*sides, strict=True)))


def _conditioning(entry: Mapping[str, Any]) -> Conditioning:
    bias = entry["conditioning"]
    return Conditioning(0.0, 0.0) if bias is None else Conditioning(float(bias["level"]), float(bias["time"]))


def _place(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What all entries of a state share."""
    return {
        "device": entry["device"],
        "state": entry["state"],
        "conditioning": _conditioning(entry),
        "conditions": entry["conditions"],
        "data": entry,
    }


def _curve(entry: Mapping[str, Any], x: str) -> Curve:
    return Curve(*(numbers(entry[name]) for name in (x, "current", "low", "high")))


def transfer_of(entry: Mapping[str, Any]) -> Transfer:
    """From an entry of the file."""
    return Transfer(
        **_place(entry),
        branch=entry["branch"],
        drain_voltage=number(entry["drain_voltage"]),
        curve=_curve(entry, "voltage"),
        peak_voltage=value_of(entry["peak_voltage"]),
        peak_current=value_of(entry["peak_current"]),
        off=value_of(entry["off_current"]),
        bell={name: value_of(entry["bell"][name]) for name in ("centre", "sigma", "height", "floor")},
    )


def response_of(entry: Mapping[str, Any]) -> Response:
    """From an entry of the file."""
    return Response(
        **_place(entry),
        pulse={name: number(value) for name, value in entry["pulse"].items()},
        unit=entry["unit"],
        curve=_curve(entry, "x"),
        shape=entry["shape"],
        maximum=value_of(entry["maximum"]),
        maximum_at=value_of(entry["maximum_at"]),
        end_over_maximum=value_of(entry["end_over_maximum"]),
    )


def pulse_change_of(entry: Mapping[str, Any]) -> PulseChange:
    """From an entry of the file."""
    pulse = entry["pulse"]
    return PulseChange(
        **_place(entry),
        level=number(pulse["level"]),
        width=number(pulse["width"]),
        count=number(pulse["count"]),
        change=value_of(entry["change"]),
    )


def conditioned_of(entry: Mapping[str, Any]) -> Conditioned:
    """From an entry of the file."""
    return Conditioned(
        **_place(entry),
        forward=value_of(entry["forward"]),
        backward=value_of(entry["backward"]),
        change=value_of(entry["dI0"]),
    )


def retention_of(entry: Mapping[str, Any]) -> Retention:
    """From an entry of the file."""
    return Retention(
        **_place(entry), rate=value_of(entry["rate"]), start=number(entry["start"]), span=number(entry["span"])
    )
