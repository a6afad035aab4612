"""What an output of an AFG31000 reports before a trigger lets it out, held against what it was prepared for.

Pure functions: queries, and what their replies say. ``n`` is the number of the output, ``title`` names it in errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from drivers import afg31000_commands as commands
from drivers.afg31000_models import FULL_SCALE, LEVEL_GRID, PulseShape
from drivers.arbitrary import Record
from drivers.errors import ReadBackError, ReplyError
from drivers.scpi import parse_float

#: what the instrument may round away: levels to 0.1 mV or 4 digits, times to 4 digits
LEVEL = {"rel_tol": 1e-3, "abs_tol": 2 * LEVEL_GRID}
TIME = {"rel_tol": 1e-3, "abs_tol": 1e-10}
EXACT = {"rel_tol": 0.0, "abs_tol": 0.0}


@dataclass(frozen=True)
class Programmed:
    """What a channel is prepared for; volts open-circuit, times in s.

    ``set_*`` was sent, ``reported_*`` and the times of a pulse are as read back. ``time_error``: largest distance
    of a waveform's corner from the sample grid.
    """

    function: str
    set_high: float
    set_low: float
    reported_high: float
    reported_low: float
    base: float
    width: float
    edge: float
    period: float
    count: int
    inverted: bool
    time_error: float = 0.0

    @property
    def duration(self) -> float:
        """From trigger to the end of the burst, s."""
        return self.count * self.period


def state_queries(n: str) -> tuple[str, ...]:
    """All but times that a trigger would let out, and whether the output is on."""
    source, output = f"SOUR{n}", f"OUTP{n}"
    return (
        f"{source}:FUNC?",
        f"{output}:POL?",
        f"{source}:VOLT:LOW?",
        f"{source}:VOLT:HIGH?",
        f"{output}:IMP?",
        f"{source}:BURS:STAT?",
        f"{output}:STAT?",
    )


def pulse_queries(n: str) -> tuple[str, ...]:
    """What ``pulse`` wants to know."""
    node = f"SOUR{n}:PULS"
    return *state_queries(n), f"{node}:WIDT?", f"{node}:PER?", f"{node}:TRAN:LEAD?", f"{node}:TRAN:TRA?"


def waveform_queries(n: str) -> tuple[str, ...]:
    """What ``waveform`` wants to know."""
    return *state_queries(n), f"SOUR{n}:FREQ?"


def pulse(title: str, shape: PulseShape, replies: Sequence[str]) -> tuple[Programmed, bool]:
    """What is prepared, by the replies to ``pulse_queries``, and whether the output is on.

    Raises:
        ReadBackError: it is not ``shape``. ReplyError.
    """
    low, high, on = _state(title, "PULS", commands.polarity(shape), shape.low, shape.high, replies)
    width, period, leading, trailing = floats(title, replies[-4:])
    agree(title, "pulse width", shape.width, width, TIME)
    agree(title, "pulse period", shape.period, period, TIME)
    if shape.edge is not None:
        agree(title, "leading edge", shape.edge, leading, TIME)
        agree(title, "trailing edge", shape.edge, trailing, TIME)
    programmed = Programmed(
        function="pulse",
        set_high=shape.high,
        set_low=shape.low,
        reported_high=high,
        reported_low=low,
        base=shape.base,
        width=width,
        edge=leading,
        period=shape.period,
        count=shape.count,
        inverted=shape.inverted,
    )
    return programmed, on


def waveform(title: str, samples: Record, period: float, count: int, replies: Sequence[str]) -> tuple[Programmed, bool]:
    """What is prepared, by the replies to ``waveform_queries``, and whether the output is on.

    Raises:
        ReadBackError: it is not ``samples`` with this period, s. ReplyError.
    """
    low, high, on = _state(title, "EMEM", "NORM", samples.low, samples.high, replies)
    agree(title, "period", period, 1 / floats(title, replies[-1:])[0], TIME)
    programmed = Programmed(
        function="waveform",
        set_high=samples.high,
        set_low=samples.low,
        reported_high=high,
        reported_low=low,
        base=samples.low + float(samples.codes[0]) / FULL_SCALE * (samples.high - samples.low),
        width=period,
        edge=period / samples.codes.size,
        period=period,
        count=count,
        inverted=False,
        time_error=samples.time_error,
    )
    return programmed, on


def _state(
    title: str, function: str, polarity: str, low: float, high: float, replies: Sequence[str]
) -> tuple[float, float, bool]:
    """(low, high, on) as reported; all must be as prepared but the output."""
    same(title, "function", function, replies[0])
    same(title, "polarity", polarity, replies[1])
    reported_low, reported_high, load, burst, on = floats(title, replies[2:7])
    agree(title, "load", math.inf, load, EXACT)
    agree(title, "burst", 1.0, burst, EXACT)
    agree(title, "low level", low, reported_low, LEVEL)
    agree(title, "high level", high, reported_high, LEVEL)
    return reported_low, reported_high, bool(on)


def floats(title: str, replies: Sequence[str]) -> list[float]:
    """Replies as numbers.

    Raises:
        ReplyError: one is none.
    """
    try:
        return [parse_float(reply) for reply in replies]
    except ValueError:
        raise ReplyError(title, "read back", ";".join(replies)) from None


def same(title: str, setting: str, asked: str, reported: str) -> None:
    """Refuse a choice that is not the one asked for.

    Raises:
        ReadBackError
    """
    if not reported.upper().startswith(asked):
        raise ReadBackError(title, setting, asked, reported)


def agree(title: str, setting: str, asked: float, reported: float, tolerance: dict[str, float]) -> None:
    """Refuse a number that is not the one asked for, as far as the instrument may round.

    Raises:
        ReadBackError
    """
    if not math.isclose(asked, reported, **tolerance):
        raise ReadBackError(title, setting, asked, reported)
