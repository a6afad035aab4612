"""Limits of the AFG31000 models, and pulse shapes checked against them (reference afg31000 sec. 1, 7, 8).

Nothing here talks to an instrument. Voltages are open-circuit (load set to infinity), times in s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from drivers.errors import IdentityError, SettingError
from drivers.wire import within

#: points of a record in edit memory
RECORD_POINTS = (2, 131_072)
#: full scale code of the edit memory (14 bit; 16383 is one count too many)
FULL_SCALE = 16_382
#: cycles of a finite burst
BURST_CYCLES = (1, 1_000_000)
#: records of fewer points than this play at the model's full sample rate
_FAST_RECORD = 16_384
_SLOW_RATE = 250e6
_MAX_WIDTH = 999.99
_MIN_FREQUENCY = 1e-3
SOURCE_RESISTANCE = 50.0
#: amplitude and levels are rounded by the instrument to 0.1 mV, or to so many digits (the reference leaves it open)
LEVEL_GRID, LEVEL_DIGITS = 1e-4, 4


@dataclass(frozen=True)
class Model:
    """Limits of one model with its load set to infinity.

    Attributes:
        name: model number as ``*IDN?`` reports it.
        channels: number of outputs.
        pulse_rate: largest pulse frequency, Hz.
        arbitrary_rate: largest repetition rate of the edit memory, Hz.
        sample_rate: of a record below 16 K points, S/s.
        sequence_rate: ceiling in Advanced mode, S/s.
        min_width: smallest pulse width, s.
        window: largest |level|, V.
    """

    name: str
    channels: int
    pulse_rate: float
    arbitrary_rate: float
    sample_rate: float
    sequence_rate: float
    min_width: float
    window: float

    @property
    def min_amplitude(self) -> float:
        """Smallest difference of high and low, V."""
        return 2e-3

    @property
    def max_period(self) -> float:
        """Longest period of pulses and records, s."""
        return 1 / _MIN_FREQUENCY

    @property
    def rates(self) -> tuple[tuple[int, float], ...]:
        """(points, S/s): the sample rate of records up to so many points."""
        return (_FAST_RECORD - 1, self.sample_rate), (RECORD_POINTS[1], _SLOW_RATE)

    def points(self, period: float) -> int:
        """Most points of a record of ``period`` s that the sample rate allows."""
        return max(min(points, math.floor(period * rate * (1 + 1e-12))) for points, rate in self.rates)


# per first four digits: pulse rate, arbitrary rate, sample rate, sequence rate, minimum width, window.
# Pulse rate of the 3102x: 20 or 25 MHz are told, the smaller is taken.
_FAMILIES = {
    "AFG3102": (20e6, 12.5e6, 250e6, 250e6, 16e-9, 10.0),
    "AFG3105": (40e6, 25e6, 1e9, 500e6, 10e-9, 10.0),
    "AFG3110": (50e6, 50e6, 1e9, 1e9, 6e-9, 10.0),
    "AFG3115": (100e6, 75e6, 2e9, 2e9, 5e-9, 5.0),
    "AFG3125": (120e6, 125e6, 2e9, 2e9, 4e-9, 5.0),
}
MODELS = {
    f"{family}{channels}": Model(f"{family}{channels}", channels, *limits)
    for family, limits in _FAMILIES.items()
    for channels in (1, 2)
}


def model(name: str) -> Model:
    """Limits of the model ``name``.

    Raises:
        IdentityError: it is none of the series.
    """
    if name not in MODELS:
        raise IdentityError(f"{name!r} is not an AFG31000 model; known: {', '.join(MODELS)}")
    return MODELS[name]


@dataclass(frozen=True)
class PulseShape:
    """A pulse from ``base`` to ``level`` (V), ``width`` s at half height, ``count`` times per trigger.

    ``edge`` is the time of both edges in s, None for the instrument's shortest.
    """

    level: float
    base: float
    width: float
    edge: float | None
    period: float
    count: int

    @property
    def high(self) -> float:
        return max(self.level, self.base)

    @property
    def low(self) -> float:
        return min(self.level, self.base)

    @property
    def inverted(self) -> bool:
        """The pulse goes down: made with inverted polarity, so that the idle level is the high one."""
        return self.level < self.base

    def check(self, limits: Model, low: float, high: float) -> None:
        """Refuse what the model or the level limits ``low`` .. ``high`` (V) do not allow.

        Raises:
            SettingError: names the quantity and what is allowed.
        """
        check_levels(limits, self.low, self.high, low, high)
        edges = 2 * (self.edge or 0.0)
        if self.edge is not None:
            within("edge", self.edge, 1e-12, _MAX_WIDTH, "s")
        within("pulse width", self.width, max(limits.min_width, 0.625 * edges), _MAX_WIDTH, "s")
        within("period", self.period, 1 / limits.pulse_rate, limits.max_period, "s")
        if self.width > self.period - 0.8 * edges or self.width >= self.period:
            raise SettingError(
                f"pulse width {self.width:g} s with edges of {edges / 2:g} s "
                f"does not fit into the period {self.period:g} s"
            )
        within("duty cycle", 100 * self.width / self.period, 0.001, 99.999, "%")
        check_count(self.count)


def checked_pulse(
    limits: Model,
    low: float,
    high: float,
    level: float,
    base: float,
    width: float,
    edge: float | None,
    period: float,
    count: int,
) -> PulseShape:
    """A pulse that the model and the level limits ``low`` .. ``high`` (V) allow.

    Raises:
        SettingError
    """
    shape = PulseShape(level, base, width, edge, period, count)
    shape.check(limits, low, high)
    return shape


def check_levels(limits: Model, low: float, high: float, floor: float, ceiling: float) -> None:
    """Refuse levels ``low`` < ``high`` outside ``floor`` .. ``ceiling``, all in V.

    Raises:
        SettingError
    """
    within("level", low, floor, ceiling, "V")
    within("level", high, floor, ceiling, "V")
    if high - low < limits.min_amplitude * (1 - 1e-9):
        raise SettingError(f"amplitude {high - low:g} V is below the smallest, {limits.min_amplitude:g} V")


def check_count(count: int) -> None:
    """Refuse bursts that are empty, endless or too long.

    Raises:
        SettingError
    """
    if count != int(count):
        raise SettingError(f"burst count {count!r} is not a whole number")
    within("burst count", count, *BURST_CYCLES)


def level_order(
    present: tuple[float, float], wanted: tuple[float, float], min_amplitude: float
) -> list[tuple[str, float]]:
    """In which order to set ("LOW" | "HIGH", V) so that high stays above low at every step.

    Args:
        present: (low, high) in force. wanted: (low, high) to come.

    Levels that do not change are left out.
    """
    (low, high), (new_low, new_high) = present, wanted
    steps = [("LOW", new_low), ("HIGH", new_high)]
    if new_low > high - min_amplitude:
        steps.reverse()
    unchanged = {"LOW": low, "HIGH": high}
    return [(name, level) for name, level in steps if level != unchanged[name]]
