"""Registers of sweep, modulation, noise and combining (defaults: reference afg31000 sec. 4).

The sweep plays. Modulation is kept and answered, because clients of the older family ask for all of it at connect,
but the simulated instrument does not modulate: turning it on is refused with -241, never ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sim_backend.afg31000.commands.build import ANGLE, HERTZ, PERCENT, SECOND, Bounds, Maker
from sim_backend.afg31000.settings import Modulation, Sweep
from sim_backend.scpi import Command, ScpiError

if TYPE_CHECKING:
    from sim_backend.afg31000.instrument import SimulatedAFG31000

_MODULATING = ("SINusoid", "SQUare", "TRIangle", "RAMP", "NRAMp", "PRNoise", "EMEMory", "EFILe")
_MODULATION_RATE = (2e-3, 50e3)
_SWEEP_TIME = (1e-3, 300.0)
_NOISE_SOURCES = (3, 4)
"""SOURce3 is the noise of channel 1, SOURce4 that of channel 2."""


def sweep_commands(afg: SimulatedAFG31000, make: Maker, source: str) -> Iterator[Command]:
    """SWEep and the frequencies that bound it."""

    def alter(n: int, **changes: Any) -> None:
        sweep = replace(afg.channel(n).sweep, **changes)
        afg.alter(n, sweep=sweep)

    def ends(n: int) -> Bounds:
        return afg.model.frequency_bounds(afg.channel(n).shape)

    def centres(n: int) -> Bounds:
        sweep, (low, high) = afg.channel(n).sweep, ends(n)
        half = abs(sweep.stop - sweep.start) / 2
        return low + half, high - half

    def spans(n: int) -> Bounds:
        sweep, (low, high) = afg.channel(n).sweep, ends(n)
        middle = (sweep.start + sweep.stop) / 2
        room = 2 * min(middle - low, high - middle)
        return -room, room

    def centre(n: int, hertz: float) -> None:
        half = (afg.channel(n).sweep.stop - afg.channel(n).sweep.start) / 2
        alter(n, start=hertz - half, stop=hertz + half)

    def span(n: int, hertz: float) -> None:
        middle = (afg.channel(n).sweep.stop + afg.channel(n).sweep.start) / 2
        alter(n, start=middle - hertz / 2, stop=middle + hertz / 2)

    def time(header: str, field: str, bounds: Bounds) -> Command:
        return make.number(
            f"{source}SWEep:{header}",
            get=lambda n: float(getattr(afg.channel(n).sweep, field)),
            put=lambda n, seconds: alter(n, **{field: seconds}),
            bounds=lambda _: bounds,
            units=SECOND,
            admits=True,
        )

    def frequency(
        header: str,
        get: Callable[[Sweep], float],
        put: Callable[[int, float], None],
        bounds: Callable[[int], Bounds],
    ) -> Command:
        return make.number(
            f"{source}FREQuency:{header}",
            get=lambda n: get(afg.channel(n).sweep),
            put=put,
            bounds=bounds,
            admits=True,
            units=HERTZ,
        )

    yield frequency("STARt", lambda s: s.start, lambda n, hertz: alter(n, start=hertz), ends)
    yield frequency("STOP", lambda s: s.stop, lambda n, hertz: alter(n, stop=hertz), ends)
    yield frequency("CENTer", lambda s: (s.start + s.stop) / 2, centre, centres)
    yield frequency("SPAN", lambda s: s.stop - s.start, span, spans)
    yield time("TIME", "time", _SWEEP_TIME)
    yield time("HTIMe", "hold", (0.0, _SWEEP_TIME[1]))
    yield time("RTIMe", "back", (0.0, _SWEEP_TIME[1]))
    yield make.choice(
        f"{source}SWEep:SPACing",
        choice=make.choices("LINear", "LOGarithmic"),
        get=lambda n: afg.channel(n).sweep.spacing,
        put=lambda n, spacing: alter(n, spacing=spacing),
    )
    yield make.choice(
        f"{source}SWEep:MODE",
        choice=make.choices("AUTO", "MANual"),
        get=lambda n: afg.channel(n).sweep.mode,
        put=lambda n, mode: alter(n, mode=mode),
    )


def modulation_commands(afg: SimulatedAFG31000, make: Maker, source: str) -> Iterator[Command]:
    """AM, FM, PM, PWM and FSK."""
    largest = afg.model.sine
    yield from _kind(afg, make, source, "AM", "AM[:DEPTh]", (0.0, 120.0), PERCENT)
    yield from _kind(afg, make, source, "FM", "FM[:DEViation]", (0.0, largest), HERTZ)
    yield from _kind(afg, make, source, "PM", "PM[:DEViation]", (0.0, math.pi), ANGLE)
    yield from _kind(afg, make, source, "PWM", "PWM[:DEViation][:DCYCle]", (0.0, 50.0), PERCENT)
    yield make.number(
        f"{source}FSKey[:FREQuency]",
        get=lambda n: afg.channel(n).fsk_frequency,
        put=lambda n, hertz: afg.alter(n, fsk_frequency=hertz),
        bounds=lambda n: afg.model.frequency_bounds(afg.channel(n).shape),
        units=HERTZ,
        admits=True,
    )
    yield make.number(
        f"{source}FSKey:INTernal:RATE",
        get=lambda n: afg.channel(n).fsk_rate,
        put=lambda n, hertz: afg.alter(n, fsk_rate=hertz),
        bounds=lambda _: _MODULATION_RATE,
        units=HERTZ,
        admits=True,
    )
    yield make.choice(
        f"{source}FSKey:SOURce",
        choice=make.choices("INTernal", "EXTernal"),
        get=lambda n: afg.channel(n).fsk_source,
        put=lambda n, origin: afg.alter(n, fsk_source=origin),
    )
    yield _state(make, f"{source}FSKey:STATe")


def _kind(
    afg: SimulatedAFG31000, make: Maker, source: str, name: str, amount: str, bounds: Bounds, units: Mapping[str, float]
) -> Iterator[Command]:
    """Commands of one kind of modulation; its registers are the channel's field of that name."""
    field = name.lower()

    def now(n: int) -> Modulation:
        registers: Modulation = getattr(afg.channel(n), field)
        return registers

    def alter(n: int, **changes: Any) -> None:
        afg.alter(n, **{field: replace(now(n), **changes)})

    def choose_file(n: int, path: str) -> None:
        afg.memories.waveform_file(path)
        alter(n, file=path)

    yield make.number(
        f"{source}{amount}",
        get=lambda n: now(n).amount,
        put=lambda n, value: alter(n, amount=value),
        bounds=lambda _: bounds,
        units=units,
        admits=True,
    )
    yield make.number(
        f"{source}{name}:INTernal:FREQuency",
        get=lambda n: now(n).frequency,
        put=lambda n, hertz: alter(n, frequency=hertz),
        bounds=lambda _: _MODULATION_RATE,
        units=HERTZ,
        admits=True,
    )
    yield make.choice(
        f"{source}{name}:INTernal:FUNCtion[:SHAPe]",
        choice=make.choices(*_MODULATING),
        get=lambda n: now(n).function,
        put=lambda n, shape: alter(n, function=shape),
    )
    yield make.text(f"{source}{name}:INTernal:FUNCtion:EFILe", get=lambda n: now(n).file, put=choose_file)
    yield make.choice(
        f"{source}{name}:SOURce",
        choice=make.choices("INTernal", "EXTernal"),
        get=lambda n: now(n).source,
        put=lambda n, origin: alter(n, source=origin),
    )
    yield _state(make, f"{source}{name}:STATe")


def _state(make: Maker, pattern: str) -> Command:
    """Modulation is always off."""

    def put(_: int, on: bool) -> None:
        if on:
            raise ScpiError(-241, "modulation is not simulated")

    return make.boolean(pattern, get=lambda _: False, put=put)


def noise_commands(afg: SimulatedAFG31000, make: Maker, source: str) -> Iterator[Command]:
    """Added noise and combined signals: registers; feeding a signal is refused."""

    def set_level(n: int, percent: float) -> None:
        levels = list(afg.settings.noise)
        levels[n - _NOISE_SOURCES[0]] = percent
        afg.apply(replace(afg.settings, noise=(levels[0], levels[1])))

    def feed(_: int, name: str) -> None:
        if name:
            raise ScpiError(-241, "combining is not simulated")

    last = _NOISE_SOURCES[0] + afg.model.channels - 1
    yield make.number(
        f"SOURce<{_NOISE_SOURCES[0]}-{last}>:POWer[:LEVel][:IMMediate][:AMPLitude]",
        get=lambda n: afg.settings.noise[n - _NOISE_SOURCES[0]],
        put=set_level,
        bounds=lambda _: (0.0, 50.0),
        units=PERCENT,
        admits=True,
    )
    yield make.text(f"{source}COMBine:FEED", get=lambda _: "", put=feed)
