"""SOURce: function, frequency, phase (reference afg31000 sec. 6, 9)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sim_backend.afg31000.commands.build import ANGLE, HERTZ, PERCENT, Maker, event, query
from sim_backend.afg31000.settings import NO_PHASE, ChannelSettings
from sim_backend.scpi import Command, ScpiError

if TYPE_CHECKING:
    from sim_backend.afg31000.instrument import SimulatedAFG31000

_SHAPES = (
    "SINusoid", "SQUare", "PULSe", "RAMP", "PRNoise", "DC", "SINC", "GAUSsian", "LORentz", "ERISe", "EDECay",
    "HAVersine", "EMEMory[1]", "EMEMory2", "EFILe",
)  # fmt: skip


def concurrent(afg: SimulatedAFG31000, make: Maker, pattern: str, flag: str, fields: tuple[str, ...]) -> Command:
    """``...:CONCurrent[:STATe]``: copies ``fields`` of the named channel to the others, and keeps them alike."""

    def put(n: int, on: bool) -> None:
        two_channels(afg)
        changes: dict[str, Any] = {flag: on}
        if on:
            copied = {name: getattr(afg.channel(n), name) for name in fields}
            changes["channels"] = tuple(replace(c, **copied) for c in afg.settings.channels)
        afg.apply(replace(afg.settings, **changes))

    def get(_: int) -> bool:
        two_channels(afg)
        return bool(getattr(afg.settings, flag))

    return make.boolean(f"{pattern}:CONCurrent[:STATe]", get=get, put=put)


def two_channels(afg: SimulatedAFG31000) -> None:
    """-241 on a one-channel model."""
    if afg.model.channels < 2:
        raise ScpiError(-241, "one channel only")


def function_commands(afg: SimulatedAFG31000, make: Maker, source: str) -> Iterator[Command]:
    """Shape, file, ramp."""

    def select(n: int, shape: str) -> None:
        if shape in ("EMEM", "EMEM2") and (shape == "EMEM2") != (n == 2):
            raise ScpiError(-221, f"{shape} belongs to the other channel")
        if shape == "EFIL":
            afg.memories.waveform_file(afg.channel(n).file)
        afg.change(n, lambda channel: afg.reshape(channel, shape))

    def choose_file(n: int, path: str) -> None:
        afg.memories.waveform_file(path)
        afg.alter(n, file=path)

    yield make.choice(
        f"{source}FUNCtion[:SHAPe]",
        choice=make.choices(*_SHAPES),
        get=lambda n: afg.channel(n).shape,
        put=select,
    )
    yield make.text(f"{source}FUNCtion:EFILe", get=lambda n: afg.channel(n).file, put=choose_file)
    yield make.number(
        f"{source}FUNCtion:RAMP:SYMMetry",
        get=lambda n: afg.channel(n).symmetry,
        put=lambda n, percent: afg.alter(n, symmetry=percent),
        bounds=lambda _: (0.0, 100.0),
        units=PERCENT,
        admits=True,
    )


def frequency_commands(afg: SimulatedAFG31000, make: Maker, source: str) -> Iterator[Command]:
    """Frequency and run mode."""

    def set_frequency(n: int, hertz: float) -> None:
        linked = afg.settings.frequency_concurrent
        afg.change(n, lambda channel: afg.timing.set_frequency(channel, hertz), linked)

    yield make.number(
        f"{source}FREQuency[:CW]",
        f"{source}FREQuency:FIXed",
        get=lambda n: afg.channel(n).frequency,
        put=set_frequency,
        bounds=lambda n: afg.timing.frequency_bounds(afg.channel(n)),
        units=HERTZ,
    )
    yield make.choice(
        f"{source}FREQuency:MODE",
        choice=make.choices("CW", "SWEep", FIXed="CW"),
        get=lambda n: afg.channel(n).mode,
        put=lambda n, mode: afg.change(n, lambda channel: afg.timing.set_mode(channel, mode)),
    )
    yield query(f"{source}RMODe", get=lambda n: afg.channel(n).run_mode)
    fields = ("frequency", "period", "width", "duty")
    yield concurrent(afg, make, f"{source}FREQuency", "frequency_concurrent", fields)


def phase_commands(afg: SimulatedAFG31000, make: Maker, source: str) -> Iterator[Command]:
    """Phase, in radians unless DEG is written."""

    def turned(channel: ChannelSettings, radians: float) -> ChannelSettings:
        if channel.shape in NO_PHASE:
            raise ScpiError(-221, f"{channel.shape} has no phase")
        return replace(channel, phase=afg.arbiter.admit(radians, -math.pi, math.pi, "phase"))

    def set_phase(n: int, radians: float) -> None:
        afg.change(n, lambda channel: turned(channel, radians), afg.settings.phase_concurrent)

    def align(_: int) -> None:
        two_channels(afg)
        afg.align()

    yield make.number(
        f"{source}PHASe[:ADJust]",
        get=lambda n: afg.channel(n).phase,
        put=set_phase,
        bounds=lambda _: (-math.pi, math.pi),
        units=ANGLE,
    )
    yield event(f"{source}PHASe:INITiate", run=align)
    yield concurrent(afg, make, f"{source}PHASe", "phase_concurrent", ("phase",))
