"""What a B1500A answers: data elements in format 21, and readings as pure data (reference b1500a sec. 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.errors import ReplyError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: bits of the status of a reading
COMPLIANCE, OVERFLOW, OTHER_COMPLIANCE = 1, 2, 4
#: length of an element in format 21: status 3, channel 1, type 1, number 13
ELEMENT = 18
_ADC_BIT, _OTHER_BIT, _OWN_BIT, _INVALID_BIT = 1, 4, 8, 64
_OVERFLOW_BITS = _ADC_BIT | _INVALID_BIT
_DUMMY = 1e99


@dataclass(frozen=True)
class ReadSetup:
    """How a channel sources and reads: A, s, power line cycles. ``range_`` None is autorange from ``least`` (A) up."""

    limit: float
    range_: float | None
    nplc: float
    delay: float
    least: float | None = None


@dataclass(frozen=True)
class SourceState:
    """Level (V) and compliance (A) in force, as the instrument reports them."""

    level: float
    limit: float


@dataclass(frozen=True)
class Measurement:
    """One reading; an overflow reads NaN."""

    amps: float
    volts: float
    compliance: bool
    overflow: bool


@dataclass(frozen=True)
class Curve:
    """A sweep of n points; ``volts``, ``amps`` and ``status`` by channel, each (n,).

    Attributes:
        set: programmed level of the swept channel, V.
        volts: measured where that was asked for, else programmed, V.
        time: s since the start of the sweep, when the first channel of the point was measured.
        status: bit 1 the channel was in compliance, 2 its reading overflowed (NaN), 4 another was in compliance.
        complete: whether all points were measured; after an automatic abort those that were, the last one its cause.
    """

    set: Floats
    volts: dict[str, Floats]
    amps: dict[str, Floats]
    time: Floats
    status: dict[str, Ints]
    complete: bool = True

    @property
    def compliance(self) -> npt.NDArray[np.bool_]:
        """Per point: a measured channel was in compliance."""
        return _any(self.status, COMPLIANCE, len(self.set))

    @property
    def overflow(self) -> npt.NDArray[np.bool_]:
        """Per point: a reading was beyond its range."""
        return _any(self.status, OVERFLOW, len(self.set))

    def until(self, count: int) -> Curve:
        """The first ``count`` points."""
        volts, amps = ({k: v[:count] for k, v in column.items()} for column in (self.volts, self.amps))
        status = {k: v[:count] for k, v in self.status.items()}
        return Curve(self.set[:count], volts, amps, self.time[:count], status, count == len(self.set))


@dataclass(frozen=True)
class Samples:
    """Readings at fixed levels, n points; ``time`` in s since the start, of the first channel of each point."""

    time: Floats
    volts: dict[str, Floats]
    amps: dict[str, Floats]
    status: dict[str, Ints]
    complete: bool = True

    @property
    def compliance(self) -> npt.NDArray[np.bool_]:
        """Per point: a measured channel was in compliance."""
        return _any(self.status, COMPLIANCE, len(self.time))

    @property
    def overflow(self) -> npt.NDArray[np.bool_]:
        """Per point: a reading was beyond its range."""
        return _any(self.status, OVERFLOW, len(self.time))


@dataclass(frozen=True)
class Bias:
    """A level held for a time.

    Attributes:
        level: V. start, stop: when the level was reached and left, s of the driver's clock.
        time: s of that clock; amps, status: current into the terminal meanwhile, as in ``Curve``.
        max_current: largest magnitude, A (NaN without readings).
        complete: whether the level was held to the end; ``reason`` says why not.
    """

    level: float
    start: float
    stop: float
    time: Floats
    amps: Floats
    status: Ints
    max_current: float
    complete: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Elements:
    """Data elements of n points, columns in the order of the data: (n, columns)."""

    values: Floats
    status: Ints
    kinds: tuple[str, ...]
    channels: tuple[str, ...]

    def column(self, kind: str, slot: int) -> int:
        """Index of the column with a quantity ("I", "V", "T", "v") of a slot.

        Raises:
            KeyError: there is none.
        """
        letter = chr(ord("A") + slot - 1)
        for k, (found, channel) in enumerate(zip(self.kinds, self.channels, strict=True)):
            if found == kind and channel == letter:
                return k
        raise KeyError(kind, slot)

    @property
    def aborts(self) -> bool:
        """Whether the automatic abort of a sweep would act: a channel in compliance, or an overflow."""
        return bool(np.any(self.status & (_ADC_BIT | _OTHER_BIT | _OWN_BIT)))

    def readings(self, kind: str, slot: int) -> tuple[Floats, Ints]:
        """Values of a quantity of a slot, NaN where it overflowed, and its status bits."""
        k = self.column(kind, slot)
        raw = self.status[:, k]
        status = (
            COMPLIANCE * ((raw & _OWN_BIT) != 0)
            + OVERFLOW * (((raw & _OVERFLOW_BITS) != 0) | (np.abs(self.values[:, k]) > _DUMMY))
            + OTHER_COMPLIANCE * ((raw & _OTHER_BIT) != 0)
        ).astype(np.int64)
        return np.where(status & OVERFLOW, np.nan, self.values[:, k]), status


def parse(instrument: str, text: str, columns: int) -> Elements:
    """Elements of a record in format 21, ``columns`` per point.

    Raises:
        ReplyError: not such a record.
    """
    words = text.strip("\r\n,").split(",")
    if len(words) % columns or any(len(word) != ELEMENT for word in words):
        raise ReplyError(instrument, "XE", text[:80])
    try:
        values = np.array([float(word[5:]) for word in words]).reshape(-1, columns)
        status = np.array([_status(word[:3]) for word in words], dtype=np.int64).reshape(-1, columns)
    except ValueError:
        raise ReplyError(instrument, "XE", text[:80]) from None
    first = words[:columns]
    return Elements(values, status, tuple(word[4] for word in first), tuple(word[3] for word in first))


def _status(word: str) -> int:
    """Status number; source data carry a letter instead."""
    word = word.strip()
    return 0 if word in ("W", "E") else int(word)


def measured_points(found: Elements) -> int:
    """How many points were measured before those that only fill up the record of an aborted sweep."""
    filled = [kind in "IV" for kind in found.kinds]
    real = np.any(found.status[:, filled] & _OVERFLOW_BITS != _INVALID_BIT, axis=1)
    return int(np.flatnonzero(real)[-1]) + 1 if real.any() else 0


def join(parts: Sequence[Elements]) -> Elements:
    """Points of several pieces of one record."""
    return Elements(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.status for part in parts]),
        parts[0].kinds,
        parts[0].channels,
    )


def _any(status: Mapping[str, Ints], bit: int, count: int) -> npt.NDArray[np.bool_]:
    found = np.zeros(count, dtype=bool)
    for values in status.values():
        found |= (values & bit) != 0
    return found
