"""What a 2636B's channel is asked and what it answers: read setups, measurements, sweeps (pure data)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from drivers import keithley2636b_settings as ranges
from drivers.errors import SettingError
from drivers.wire import number, within

#: bits of the status of a reading
COMPLIANCE = 1
OVERFLOW = 2
#: numbers per point in a script's answer
COLUMNS = 6
#: code of a runtime error, which the instrument would have queued had the script not caught it
RUNTIME_ERROR = -286
#: bit of a buffer's status that says that the source was limited
_BUFFER_COMPLIANCE = 64
#: readings from here up are the overflow marker, 9.91e37
_OVERFLOW_READING = 9.9e37


#: what another program may have left, and would change readings unseen
_PLAIN = {
    "count": "measure.count=1",
    "filter": "measure.filter.enable=0",
    "relative current": "measure.rel.enablei=0",
    "relative voltage": "measure.rel.enablev=0",
    "source delay": "source.delay=0",
}


class SweepData(NamedTuple):
    """Readings of one sweep, arrays of one length.

    Attributes:
        set: programmed level, V (A for a current source). volts, amps: measured; an overflow reads 9.91e37.
        time: s since the first reading, by the instrument. ranges: current range of each reading, A.
        status: bit 1 the source was limited, bit 2 the reading overflowed.
        complete: whether all points were taken (not so if the sweep was aborted at ``abort_above``).
    """

    set: npt.NDArray[np.float64]
    volts: npt.NDArray[np.float64]
    amps: npt.NDArray[np.float64]
    time: npt.NDArray[np.float64]
    ranges: npt.NDArray[np.float64]
    status: npt.NDArray[np.int64]
    complete: bool = True

    @property
    def compliance(self) -> npt.NDArray[np.bool_]:
        """Per point: the source was limited."""
        return np.asarray((self.status & COMPLIANCE) != 0)

    @property
    def overflow(self) -> npt.NDArray[np.bool_]:
        """Per point: a reading was beyond its range."""
        return np.asarray((self.status & OVERFLOW) != 0)

    @property
    def range_(self) -> float:
        """Largest current range used, A."""
        return float(np.maximum.reduce(self.ranges))


class ReadSetup(NamedTuple):
    """How a channel sources and reads: A (V for a current source), s, power line cycles.

    ``range_`` None is autorange, down to ``least`` (None: the lowest range that the instrument has); ``delay`` None is
    the instrument's own delay, which depends on the range.
    """

    limit: float
    range_: float | None
    nplc: float
    delay: float | None
    offmode: str
    sense: str
    autozero: str
    function: str
    least: float | None = None

    @property
    def limit_name(self) -> str:
        return "limiti" if self.function == "voltage" else "limitv"

    @property
    def range_name(self) -> str:
        return "rangei" if self.function == "voltage" else "rangev"

    @property
    def level_name(self) -> str:
        return "levelv" if self.function == "voltage" else "leveli"

    def check(self) -> None:
        """Refuse what the instrument does not know or cannot do.

        Raises:
            SettingError
        """
        choices = {
            "function": ranges.FUNCTIONS,
            "offmode": ranges.OFF_MODES,
            "sense": ranges.SENSE,
            "autozero": ranges.AUTOZERO,
        }
        for name, table in choices.items():
            if getattr(self, name) not in table:
                raise SettingError(f"{name} {getattr(self, name)!r} is none of {', '.join(table)}")
        if self.function == "voltage":
            within("compliance", self.limit, ranges.MIN_CURRENT_LIMIT, ranges.MAX_CURRENT, "A")
        else:
            within("compliance", self.limit, ranges.MIN_VOLTAGE_LIMIT, ranges.MAX_VOLTAGE, "V")
        largest = ranges.MAX_CURRENT if self.function == "voltage" else ranges.MAX_VOLTAGE
        for name, value in (("measuring range", self.range_), ("least range", self.least)):
            if value is not None:
                within(name, value, 1e-12, largest)
        within("NPLC", self.nplc, *ranges.NPLC)
        if self.delay is not None:
            within("delay", self.delay, 0.0, ranges.MAX_DELAY, "s")

    def check_levels(self, levels: Sequence[float], low: float, high: float) -> None:
        """Refuse source levels outside ``low`` .. ``high`` V, or beyond the instrument's power.

        Raises:
            SettingError
        """
        for level in levels:
            if self.function == "voltage":
                within("source voltage", level, low, high, "V")
                volts, amps = abs(level), self.limit
            else:
                within("source current", level, -ranges.MAX_CURRENT, ranges.MAX_CURRENT, "A")
                volts, amps = self.limit, abs(level)
            if volts > ranges.LOW_VOLTAGE and amps > ranges.LOW_CURRENT:
                raise SettingError(f"{volts:g} V and {amps:g} A together are outside the instrument's power limits")

    def statements(self) -> dict[str, str]:
        """What to send, by the name of the setting, each without the channel before it."""
        measuring = f"measure.auto{self.range_name}=1"
        if self.range_ is not None:
            measuring = f"measure.{self.range_name}={number(self.range_)}"
        return {
            "high capacitance": "source.highc=0",  # first: it lifts ranges and limits that are set while it is on
            "function": f"source.func={ranges.FUNCTIONS[self.function]}",
            "sense": f"sense={ranges.SENSE[self.sense]}",
            "off mode": f"source.offmode={ranges.OFF_MODES[self.offmode]}",
            "limit": f"source.{self.limit_name}={number(self.limit)}",
            "least range": f"measure.low{self.range_name}={number(self._lowest)}",
            "range": measuring,
            "nplc": f"measure.nplc={number(self.nplc)}",
            "delay": f"measure.delay={-1 if self.delay is None else number(self.delay)}",
            "autozero": f"measure.autozero={ranges.AUTOZERO[self.autozero]}",
            **_PLAIN,
        }

    @property
    def _lowest(self) -> float:
        """Where autorange ends; the instrument takes the range that holds it."""
        lowest = min(ranges.SETTLING) if self.function == "voltage" else ranges.VOLTAGE_RANGES[0]
        return lowest if self.least is None else max(self.least, lowest)


@lru_cache(maxsize=64)
def checked_statements(setup: ReadSetup) -> dict[str, str]:
    """What to send for a setup, checked: a program asks for the same few again and again.

    Raises:
        SettingError
    """
    setup.check()
    return setup.statements()


@lru_cache(maxsize=64)
def reading_time(setup: ReadSetup, line_frequency: float) -> float:
    """Upper estimate of the time of one reading, s; autorange may walk through all ranges."""
    delays = [t for scale, t in ranges.SETTLING.items() if setup.least is None or scale >= setup.least * (1 - 1e-6)]
    if setup.range_ is not None:
        delays = [t for scale, t in ranges.SETTLING.items() if scale >= setup.range_ * (1 - 1e-6)][:1]
    walk = len(delays)
    delay = sum(delays) if setup.delay is None else setup.delay * walk
    return delay + 3 * walk * setup.nplc / line_frequency + 0.01  # autozero may add two conversions to each


@dataclass(frozen=True)
class SourceState:
    """Level and limit in force, V and A (A and V for a current source)."""

    level: float
    limit: float


@dataclass(frozen=True)
class Measurement:
    """One simultaneous reading."""

    amps: float
    volts: float
    compliance: bool

    @property
    def overflow(self) -> bool:
        """A reading was beyond its range."""
        return max(abs(self.amps), abs(self.volts)) >= _OVERFLOW_READING


def sweep_data(columns: npt.NDArray[np.float64], points: int) -> SweepData:
    """Columns of the script's answer, (n, 6), as readings; ``points`` were asked for."""
    level, volts, amps, time, status, full_scale = columns.T
    limited = (status.astype(np.int64) & _BUFFER_COMPLIANCE) // _BUFFER_COMPLIANCE
    overflow = np.maximum(abs(volts), abs(amps)) >= _OVERFLOW_READING
    return SweepData(
        set=level,
        volts=volts,
        amps=amps,
        time=time,
        ranges=full_scale,
        status=COMPLIANCE * limited + OVERFLOW * overflow,
        complete=len(columns) == points,
    )
