"""What the functions of the library share: its data, the session, and how they report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sim_backend.wgfmu import codes
from sim_backend.wgfmu.codes import Failure
from sim_backend.wgfmu.diary import Diary
from sim_backend.wgfmu.mainframe import FastChannel, Mainframe
from sim_backend.wgfmu.options import WgfmuOptions
from sim_backend.wgfmu.pattern import Pattern
from sim_backend.wgfmu.program import Program
from sim_backend.wgfmu.run import Run

DEFAULT_TIMEOUT = 100.0


class WarningIsError(Exception):
    """A warning at or above the level of ``treatWarningsAsErrors``."""


@dataclass
class Setup:
    """Settings of one channel as the set functions left them."""

    mode: int = codes.MODE_SMU
    force_range: int = codes.FORCE_AUTO
    measure_mode: int = codes.MEASURE_VOLTAGE
    voltage_range: int = codes.VOLTAGE_10V
    current_range: int = codes.CURRENT_10MA
    force_delay: float = 0.0
    measure_delay: float = 0.0
    enabled: int = codes.MEASURE_ENABLE
    trigger_mode: int = codes.TRIGGER_DISABLE
    trigger_polarity: int = codes.TRIGGER_POSITIVE
    connected: bool = False

    @property
    def plays(self) -> bool:
        """Whether the channel is in a mode that outputs waveforms."""
        return self.mode in (codes.MODE_FASTIV, codes.MODE_PG)

    @property
    def meter(self) -> int:
        """Code of the range that measures."""
        return self.current_range if self.measure_mode == codes.MEASURE_CURRENT else self.voltage_range


@dataclass
class State:
    """The library's data: patterns and sequences survive sessions, everything else belongs to one."""

    mainframes: Mapping[str, Mainframe]
    options: WgfmuOptions
    diary: Diary
    patterns: dict[str, Pattern] = field(default_factory=dict)
    sequences: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    setups: dict[int, Setup] = field(default_factory=dict)
    session: Mainframe | None = None
    timeout: float = DEFAULT_TIMEOUT
    revision: int = 0  # counts changes that make measured data out of date
    runs: dict[int, Run] = field(default_factory=dict)
    call: str = ""
    _draws: dict[int, int] = field(default_factory=dict)

    def take_draws(self, channel: int, count: int) -> int:
        """Number of the first of ``count`` noise draws of a channel; each is given out once."""
        first = self._draws.get(channel, 0)
        self._draws[channel] = first + count
        return first

    def begin(self, call: str) -> None:
        """A function is called: real time, where the clock follows it, is caught up."""
        self.call = call
        for mainframe in self.mainframes.values():
            mainframe.clock.sync()

    def warn(self, level: int, message: str) -> None:
        """A warning of the present call.

        Raises:
            WarningIsError: it counts as an error.
        """
        if self.diary.warning(self.call, level, message):
            raise WarningIsError(message)

    def mainframe(self) -> Mainframe:
        """The mainframe of the open session."""
        if self.session is None:
            raise Failure(codes.CONTEXT, "No session has been opened by WGFMU_openSession.")
        return self.session

    def channel(self, number: int) -> FastChannel:
        """A channel of the open session."""
        channels = self.mainframe().channels
        if number not in channels:
            raise no_channel(number)
        return channels[number]

    def setup(self, number: int) -> Setup:
        """Settings of a channel of the open session."""
        self.channel(number)
        return self.setups.setdefault(number, Setup())

    def pattern(self, name: str) -> Pattern:
        """A pattern by its name."""
        if name not in self.patterns:
            raise Failure(codes.PATTERN_NOT_FOUND, f'Pattern "{name}" is not found.')
        return self.patterns[name]

    def program(self, number: int) -> Program:
        """The sequences of a channel, compiled from the patterns as they are now."""
        check_channel_number(number)
        sequences = self.sequences.get(number, [])
        if not sequences:
            raise Failure(codes.CONTEXT, f"There is no sequence on channel {number}.")
        return Program([(self.pattern(name).copy(name), loops) for name, loops in sequences])


def check_channel_number(number: int) -> None:
    """Channel ids go from 101, 102 to 1001, 1002."""
    slot, channel = divmod(number, 100)
    if not (1 <= slot <= 10 and channel in (1, 2)):
        raise no_channel(number)


def no_channel(number: int) -> Failure:
    """The failure for an unknown channel."""
    return Failure(codes.CHANNEL_NOT_FOUND, f"Channel {number} does not exist or is not a WGFMU channel.")


def one_of(name: str, value: int, allowed: tuple[int, ...]) -> int:
    """``value`` if it is one of the constants of its group."""
    if value not in allowed:
        choices = ", ".join(map(str, allowed))
        raise Failure(codes.PARAMETER_OUT_OF_RANGE, f"{name} = {value} is invalid. The value must be one of {choices}.")
    return value
