"""What the calls of a 2636B's driver take, without an instrument: for planning (reference keithley2636b sec. 13).

``Keithley2636BTimes`` has the names of the driver's calls; each returns seconds and remembers what the driver and the
instrument would: outputs, settings already sent, the range where autorange was left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from drivers.keithley2636b_settings import SETTLING

#: s from a query to its answer: 1900 single readings per second at 0.001 NPLC
ANSWER = 0.5e-3
#: s of a reading beside its conversion: 20,000 readings per second at 0.001 NPLC, 60 Hz
READING = 33e-6
#: s of a change of the measuring range, and of the source's
RANGE_CHANGE, SOURCE_RANGE_CHANGE = 150e-6, 2.5e-3
#: conversions (reference and zero) that renewing autozero takes
AUTOZERO = 2
#: the measuring range (A) after a reset
INITIAL_RANGE = 0.1
#: autorange goes down below this fraction of the next lower range (up at the full scale of the present one)
RANGE_DOWN = 0.9
#: what the source needs no change of range for after a reset, V
_LOWEST_VOLTS = 0.2
_VOLTAGE_RANGES = (0.2, 2.0, 20.0, 200.0)
_RANGES = tuple(sorted(SETTLING))
#: compliance, range, NPLC, delay, lowest range
Setup = tuple[float, float | None, float, float | None, float | None]


@dataclass
class _Channel:
    """``closed``: the output relay, which is closed while an output is off until high impedance is asked for."""

    on: bool = False
    closed: bool = True
    setup: Setup | None = None
    range: float = INITIAL_RANGE


class Keithley2636BTimes:
    """Times of one 2636B.

    Args:
        line_frequency: Hz; 50 where the driver would ask the instrument. relay_time: s that the driver gives a relay.
    """

    def __init__(self, line_frequency: float | None = None, relay_time: float = 5e-3) -> None:
        self.line_frequency = line_frequency or 50.0
        self.relay_time = relay_time
        self._channels = {"a": _Channel(), "b": _Channel()}
        self._script_loaded = False

    @property
    def state(self) -> Hashable:
        """What the times of further calls depend on."""
        return self._script_loaded, tuple((c.on, c.closed, c.setup, c.range) for c in self._channels.values())

    def line(self) -> float:
        """A digital line set and read back."""
        return ANSWER

    def isolate(self, channel: str) -> float:
        """``high_impedance``: a relay that moves is waited for by the instrument, and by the driver in any case."""
        at = self._channels[channel]
        moves, at.on, at.closed = at.closed, False, False
        return ANSWER + self.relay_time * (2 if moves else 1)

    def hold(self, channel: str, level: float, compliance: float) -> float:
        """A steady level."""
        taken = self._configure(channel, (compliance, None, 1.0, None, None)) + ANSWER
        if not self._channels[channel].on:
            taken += ANSWER + self._switch_on(channel)
        return taken

    def read(
        self,
        channel: str,
        levels: tuple[float, ...],
        resistance: float,
        *,
        compliance: float,
        range_: float | None,
        nplc: float,
        delay: float | None,
        least: float | None = None,
        dwell: float = 0.0,
    ) -> float:
        """``configure_read`` and ``sweep`` through ``levels`` (V) on a device of ``resistance`` (ohm)."""
        taken = self._configure(channel, (compliance, range_, nplc, delay, least))
        if not self._script_loaded:
            taken += 2 * ANSWER  # asked for, sent, asked for again
            self._script_loaded = True
        at = self._channels[channel]
        if not at.on:
            taken += self._switch_on(channel)
        conversion = nplc / self.line_frequency
        lowest, highest = (least or _RANGES[0], compliance) if range_ is None else (range_, range_)
        points, at.range = _points(
            levels, resistance, compliance, at.range, _holding(lowest), _holding(highest), conversion, delay, dwell
        )
        return taken + _source_ranges(levels) + AUTOZERO * conversion + points + ANSWER

    def _configure(self, channel: str, setup: Setup) -> float:
        """Only what changes is sent. At first an output that is off goes to high impedance, and autozero is set."""
        at = self._channels[channel]
        taken = ANSWER if at.setup != setup else 0.0
        if at.setup is None:
            taken += AUTOZERO * setup[2] / self.line_frequency
        if at.closed and not at.on:
            taken += self.relay_time
            at.closed = False
        at.setup = setup
        return taken

    def _switch_on(self, channel: str) -> float:
        """The instrument waits for the relay, then the driver does."""
        self._channels[channel].on = self._channels[channel].closed = True
        return 2 * self.relay_time


def _source_ranges(levels: tuple[float, ...]) -> float:
    """From the lowest source range over that of the first level to that of the largest, and back."""
    largest = max(map(abs, levels))
    way = [_LOWEST_VOLTS, *(_volts(level) for level in (levels[0], largest)), _LOWEST_VOLTS]
    return SOURCE_RANGE_CHANGE * sum(a != b for a, b in pairwise(way))


def _volts(level: float) -> float:
    return _VOLTAGE_RANGES[min(bisect_left(_VOLTAGE_RANGES, abs(level) * (1 - 1e-9)), len(_VOLTAGE_RANGES) - 1)]


def _holding(amps: float) -> int:
    """Index of the smallest range that holds ``amps``."""
    return min(bisect_left(_RANGES, abs(amps) * (1 - 1e-9)), len(_RANGES) - 1)


@lru_cache(maxsize=4096)
def _points(
    levels: tuple[float, ...],
    resistance: float,
    compliance: float,
    start: float,
    lowest: int,
    highest: int,
    conversion: float,
    delay: float | None,
    dwell: float,
) -> tuple[float, float]:
    """Seconds of the readings at ``levels``, and the range (A) that the last one leaves.

    Autorange changes by one range at a time; after each change the delay passes and the reading is made again.
    """
    at = _RANGES.index(start)
    if lowest == highest:
        at = lowest
    taken = 0.0
    for level in levels:
        amps = min(abs(level) / resistance, compliance) if resistance else compliance
        taken += dwell + _settling(at, delay) + conversion + READING
        while True:
            if amps > _RANGES[at] and at < highest:
                at += 1
            elif at > lowest and amps < RANGE_DOWN * _RANGES[at - 1]:
                at -= 1
            else:
                break
            taken += RANGE_CHANGE + _settling(at, delay) + conversion
    return taken, _RANGES[at]


def _settling(at: int, delay: float | None) -> float:
    return SETTLING[_RANGES[at]] if delay is None else delay
