"""Levels, their limits, the assumed load, the output (reference afg31000 sec. 8, 9)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sim_backend.afg31000.commands.build import OHM, VOLT, Bounds, Maker, first, only
from sim_backend.afg31000.commands.source import concurrent
from sim_backend.afg31000.models import AMPLITUDE_MIN, LOAD
from sim_backend.afg31000.settings import ChannelSettings
from sim_backend.scpi import Command, ScpiError, Suffixes, Tokens
from sim_backend.scpi.values import keyword, quantity

if TYPE_CHECKING:
    from sim_backend.afg31000.instrument import SimulatedAFG31000

_AMPLITUDE_UNITS = ("V", "VPP", "VRMS", "DBM")
_LEVELS = ("high", "low", "limit_high", "limit_low")


def voltage_commands(afg: SimulatedAFG31000, make: Maker, source: str) -> Iterator[Command]:
    """VOLTage."""
    levels = afg.levels
    header = f"{source}VOLTage[:LEVel][:IMMediate]"

    def level(
        pattern: str,
        get: Callable[[ChannelSettings], float],
        set_: Callable[[ChannelSettings, float], ChannelSettings],
        bounds: Callable[[ChannelSettings], Bounds],
    ) -> Command:
        def put(n: int, volts: float) -> None:
            afg.change(n, lambda channel: set_(channel, volts), afg.settings.voltage_concurrent)

        return make.number(
            pattern,
            get=lambda n: get(afg.channel(n)) * afg.channel(n).shown,
            put=put,
            bounds=lambda n: bounds(afg.channel(n)),
            units=VOLT,
        )

    def upper_bounds(channel: ChannelSettings) -> Bounds:
        return (channel.limit_low + AMPLITUDE_MIN) * channel.shown, afg.model.window * channel.shown

    def lower_bounds(channel: ChannelSettings) -> Bounds:
        return -afg.model.window * channel.shown, (channel.limit_high - AMPLITUDE_MIN) * channel.shown

    yield _amplitude(afg, make, f"{header}[:AMPLitude]")
    yield level(f"{header}:OFFSet", lambda c: c.offset, levels.set_offset, levels.offset_bounds)
    yield level(f"{header}:HIGH", lambda c: c.high, levels.set_high, levels.high_bounds)
    yield level(f"{header}:LOW", lambda c: c.low, levels.set_low, levels.low_bounds)
    limit = f"{source}VOLTage:LIMit"
    yield level(f"{limit}:HIGH", lambda c: c.limit_high, lambda c, v: levels.set_limit(c, v, True), upper_bounds)
    yield level(f"{limit}:LOW", lambda c: c.limit_low, lambda c, v: levels.set_limit(c, v, False), lower_bounds)
    yield _unit(afg, make, f"{source}VOLTage:UNIT")
    yield concurrent(afg, make, f"{source}VOLTage", "voltage_concurrent", _LEVELS)


def _amplitude(afg: SimulatedAFG31000, make: Maker, pattern: str) -> Command:
    """Amplitude, in the unit that is written or that VOLTage:UNIT names."""
    levels = afg.levels

    def put(suffixes: Suffixes, tokens: Tokens) -> None:
        n, word = first(suffixes), keyword(only(tokens))
        if word is None:
            value, unit = quantity(tokens[0], _AMPLITUDE_UNITS)
            unit = "VPP" if unit == "V" else unit or afg.channel(n).unit
        elif word in ("MIN", "MAX"):
            value, unit = levels.amplitude_bounds(afg.channel(n))[word == "MAX"], "VPP"
        else:
            raise ScpiError(afg.options.illegal_mnemonic, word)
        linked = afg.settings.voltage_concurrent
        afg.change(n, lambda channel: levels.set_amplitude(channel, value, unit), linked)

    def get(n: int) -> float:
        channel = afg.channel(n)
        return levels.amplitude_shown(channel, channel.amplitude * channel.shown)

    def bounds(n: int) -> Bounds:
        channel = afg.channel(n)
        smallest, largest = levels.amplitude_bounds(channel)
        return levels.amplitude_shown(channel, smallest), levels.amplitude_shown(channel, largest)

    asked = make.number(pattern, get=get, put=lambda n, volts: None, bounds=bounds)
    return Command((pattern,), put, asked.query)


def _unit(afg: SimulatedAFG31000, make: Maker, pattern: str) -> Command:
    def put(n: int, unit: str) -> None:
        afg.levels.check_unit(afg.channel(n), unit)
        afg.alter(n, unit=unit)

    return make.choice(pattern, choice=make.choices("VPP", "VRMS", "DBM"), get=lambda n: afg.channel(n).unit, put=put)


def output_commands(afg: SimulatedAFG31000, make: Maker) -> Iterator[Command]:
    """OUTPut."""
    output = f"OUTPut<{afg.model.channels}>"

    def set_load(n: int, ohms: float) -> None:
        if not math.isinf(ohms):
            ohms = float(f"{afg.arbiter.admit(ohms, *LOAD, 'load'):.3g}")
        afg.change(n, lambda channel: afg.levels.set_load(channel, ohms))

    yield make.boolean(
        f"{output}[:STATe]",
        get=lambda n: afg.channel(n).output,
        put=lambda n, on: afg.alter(n, output=on),
    )
    yield make.number(
        f"{output}:IMPedance",
        get=lambda n: afg.channel(n).load,
        put=set_load,
        bounds=lambda _: LOAD,
        units=OHM,
        infinity=True,
    )
    yield make.choice(
        f"{output}:POLarity",
        choice=make.choices("NORMal", "INVerted"),
        get=lambda n: afg.channel(n).polarity,
        put=lambda n, polarity: afg.alter(n, polarity=polarity),
    )
