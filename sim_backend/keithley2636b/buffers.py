"""Reading buffers (reference keithley2636b sec. 10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sim_backend.keithley2636b.errors import TspError
from sim_backend.tasks import Signal

NV_BASIC = 149_789  # readings of an nvbuffer
NV_FULL = 60_000  # with time stamps and source values
BYTES_PER_READING = 15
_FUNCTIONS = {"v": "Voltage", "i": "Current", "r": "Resistance", "p": "Power"}

STATUS_OVERTEMP, STATUS_AUTORANGE_MEASURE, STATUS_AUTORANGE_SOURCE = 2, 4, 8
STATUS_SENSE, STATUS_RELATIVE, STATUS_COMPLIANCE, STATUS_FILTERED = 16, 32, 64, 128


class Reading(NamedTuple):
    """One measured value with all that a buffer can keep of it. ``time`` is the clock's (s)."""

    value: float
    kind: str  # v, i, r, p
    time: float
    source: float
    status: int
    measure_range: float
    source_range: float
    source_kind: str  # v, i
    output: bool


#: sub-table -> what a reading gives for it
_COLUMNS: dict[str, Callable[[Reading], float | str]] = {
    "readings": lambda r: r.value,
    "sourcevalues": lambda r: r.source,
    "statuses": lambda r: float(r.status),
    "measurefunctions": lambda r: _FUNCTIONS[r.kind],
    "measureranges": lambda r: r.measure_range,
    "sourcefunctions": lambda r: _FUNCTIONS[r.source_kind],
    "sourceranges": lambda r: r.source_range,
    "sourceoutputstates": lambda r: "On" if r.output else "Off",
}


class ReadingBuffer:
    """Readings and their companions; ``grown`` fires at each reading while something overlapped fills the buffer."""

    def __init__(self, capacity: int, nonvolatile: bool, epoch: float) -> None:
        self._capacity = capacity
        self._epoch = epoch
        self.nonvolatile = nonvolatile
        self.grown = Signal()
        self.filling = False
        self.readings: list[Reading] = []
        self.base = 0.0
        self.reset()

    def reset(self) -> None:
        """Empty, with the flags of a new buffer."""
        self.clear()
        self.appendmode = 0
        self.cachemode = 1
        self.collecttimestamps = 0
        self.collectsourcevalues = 0
        self.fillmode = 0
        self.fillcount = 0
        self.timestampresolution = 1e-6

    def clear(self) -> None:
        self.readings = []
        self._next = 0
        self.base = 0.0

    @property
    def n(self) -> int:
        return len(self.readings)

    @property
    def capacity(self) -> int:
        if self.nonvolatile and self.collecttimestamps and self.collectsourcevalues:
            return NV_FULL
        return self._capacity

    @property
    def next(self) -> int:
        """Where the next reading goes, from 1."""
        return self._next + 1

    @property
    def basetimestamp(self) -> float:
        """UTC seconds of element 1."""
        return self._epoch + self.base if self.readings else 0.0

    def prepare(self) -> None:
        """A new measurement begins: clear unless appending."""
        if not self.appendmode:
            self.clear()

    def add(self, reading: Reading) -> None:
        """Append; when full, ONCE discards and WINDOW overwrites the oldest."""
        n = len(self.readings)
        if not n:
            self.base = reading.time
        limit = self.fillcount if self.fillmode and self.fillcount else self.capacity
        if n < limit:
            self.readings.append(reading)
            self._next = n + 1 if n + 1 < limit or not self.fillmode else 0
        elif self.fillmode:
            self.readings[self._next] = reading
            self._next = (self._next + 1) % limit
        if self.filling:
            self.grown.fire()

    def column(self, name: str, first: int, last: int) -> Sequence[float | str]:
        """Elements ``first``..``last`` (from 1, inclusive) of a sub-table."""
        part = self.readings[first - 1 : last]
        if name == "readings":
            return [r.value for r in part]
        if name == "timestamps":
            if not self.collecttimestamps:
                return [0.0] * len(part)
            step, base = self.timestampresolution, self.base
            return [round((r.time - base) / step) * step for r in part]
        if name == "sourcevalues" and not self.collectsourcevalues:
            return [0.0] * len(part)
        read = _COLUMNS[name]
        return [read(r) for r in part]

    def element(self, name: str, index: object) -> float | str | None:
        """One element; an index outside gives error 4900."""
        if isinstance(index, bool) or not isinstance(index, int | float):
            return None
        if not 1 <= index <= self.n:
            raise TspError(4900, int(index))
        return self.column(name, int(index), int(index))[0]

    # -- flags that can be changed only while the buffer is empty ----------------------------------------------------

    def set_while_empty(self, name: str, value: float) -> None:
        """Set a flag; error 5032 with data inside (the same value passes)."""
        if self.readings and value != getattr(self, name):
            raise TspError(5032)
        setattr(self, name, value)

    def set_resolution(self, seconds: float) -> None:
        """Time stamp resolution, rounded up to 1 us x 2^k; less is error 5047."""
        if seconds < 1e-6 * (1 - 1e-9):
            raise TspError(5047)
        step = 1e-6
        while step < seconds * (1 - 1e-9):
            step *= 2
        self.set_while_empty("timestampresolution", step)

    def statistics(self) -> dict[str, float]:
        """getstats: n, mean, standard deviation (n-1), minimum, maximum."""
        values = [r.value for r in self.readings]
        n = len(values)
        if not n:
            return {"n": 0.0}
        mean = sum(values) / n
        spread = (sum((v - mean) ** 2 for v in values) / (n - 1)) ** 0.5 if n > 1 else 0.0
        return {"n": float(n), "mean": mean, "stddev": spread, "min": min(values), "max": max(values)}
