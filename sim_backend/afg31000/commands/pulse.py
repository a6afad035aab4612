"""PULSe and BURSt (reference afg31000 sec. 7, 10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sim_backend.afg31000.commands.build import PERCENT, SECOND, Bounds, Maker, event
from sim_backend.afg31000.models import BURST_CYCLES, BURST_DELAY_MAX, DUTY
from sim_backend.afg31000.settings import ChannelSettings
from sim_backend.scpi import Command

if TYPE_CHECKING:
    from sim_backend.afg31000.instrument import SimulatedAFG31000

_DELAY_DIGITS = 10
"""BURSt:TDELay goes in steps of 100 ps."""


def pulse_commands(afg: SimulatedAFG31000, make: Maker, source: str) -> Iterator[Command]:
    """Times of a pulse; they can be set while another shape is selected."""
    timing = afg.timing
    pulse = f"{source}PULSe"

    def time(
        pattern: str,
        get: Callable[[ChannelSettings], float],
        set_: Callable[[ChannelSettings, float], ChannelSettings],
        bounds: Callable[[ChannelSettings], Bounds],
        units: Mapping[str, float] = SECOND,
        linked: bool = False,
    ) -> Command:
        def put(n: int, value: float) -> None:
            both = linked and afg.settings.frequency_concurrent
            afg.change(n, lambda channel: set_(channel, value), both)

        return make.number(
            pattern,
            get=lambda n: get(afg.channel(n)),
            put=put,
            bounds=lambda n: bounds(afg.channel(n)),
            units=units,
        )

    def period_bounds(channel: ChannelSettings) -> Bounds:
        low, high = timing.frequency_bounds(channel)
        return 1 / high, 1 / low

    def leading(channel: ChannelSettings, seconds: float) -> ChannelSettings:
        return timing.set_edges(channel, leading=seconds)

    def trailing(channel: ChannelSettings, seconds: float) -> ChannelSettings:
        return timing.set_edges(channel, trailing=seconds)

    def edge_bounds(_: ChannelSettings) -> Bounds:
        return timing.edge_bounds()

    yield time(f"{pulse}:PERiod", lambda c: c.period, timing.set_period, period_bounds, linked=True)
    yield time(f"{pulse}:WIDTh", lambda c: c.width, timing.set_width, lambda c: timing.width_bounds())
    yield time(f"{pulse}:DCYCle", lambda c: c.duty, timing.set_duty, lambda c: DUTY, PERCENT)
    yield time(f"{pulse}:DELay", lambda c: c.delay, timing.set_delay, lambda c: (0.0, c.period))
    yield time(f"{pulse}:TRANsition[:LEADing]", lambda c: c.leading, leading, edge_bounds)
    # The short form of TRAiling is TRA (sec. 7).
    yield time(f"{pulse}:TRANsition:TRAiling", lambda c: c.trailing, trailing, edge_bounds)
    yield make.choice(
        f"{pulse}:HOLD",
        choice=make.choices("WIDTh", "DUTY"),
        get=lambda n: afg.channel(n).hold,
        put=lambda n, hold: afg.alter(n, hold=hold),
    )


def burst_commands(afg: SimulatedAFG31000, make: Maker, source: str) -> Iterator[Command]:
    """Burst of a channel."""
    burst = f"{source}BURSt"

    def idle(n: int) -> str:
        name = afg.channel(n).idle
        return afg.options.idle_reply if name == "START" else name

    yield make.boolean(
        f"{burst}[:STATe]",
        get=lambda n: afg.channel(n).burst,
        put=lambda n, on: afg.change(n, lambda channel: afg.timing.set_burst(channel, on)),
    )
    yield make.choice(
        f"{burst}:MODE",
        choice=make.choices("TRIGgered", "GATed"),
        get=lambda n: afg.channel(n).burst_mode,
        put=lambda n, mode: afg.alter(n, burst_mode=mode),
    )
    yield make.number(
        f"{burst}:NCYCles",
        get=lambda n: afg.channel(n).cycles,
        put=lambda n, cycles: afg.alter(n, cycles=cycles),
        bounds=lambda _: BURST_CYCLES,
        admits=True,
        count=True,
        infinity=True,
    )
    yield make.number(
        f"{burst}:TDELay",
        get=lambda n: afg.channel(n).burst_delay,
        put=lambda n, delay: afg.alter(n, burst_delay=round(delay, _DELAY_DIGITS)),
        bounds=lambda _: (0.0, BURST_DELAY_MAX),
        units=SECOND,
        admits=True,
    )
    yield make.choice(
        f"{burst}:IDLE",
        choice=make.choices("START", "END", "DC", "OFF", STARt="START"),
        get=idle,
        put=lambda n, level: afg.change(n, lambda channel: replace(channel, idle=level)),
    )
    yield event(f"{burst}:INFInite:REARm", run=afg.rearm)
