"""Common commands, self-test, trigger system, setup memories (reference afg31000 sec. 5, 10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sim_backend.afg31000.commands.build import SECOND, Maker, event, none_else, only, query
from sim_backend.afg31000.models import TRIGGER_PERIOD
from sim_backend.scpi import Command, Suffixes, Tokens
from sim_backend.scpi.values import boolean, integer

if TYPE_CHECKING:
    from sim_backend.afg31000.instrument import SimulatedAFG31000

_BYTE = 255


def common_commands(afg: SimulatedAFG31000, make: Maker) -> Iterator[Command]:
    """IEEE 488.2."""
    status = afg.status
    identity = f"TEKTRONIX,{afg.model.name},{afg.serial},SCPI:99.0 FV:{afg.options.firmware}"

    def enable_events(mask: int) -> None:
        status.standard_enable = mask

    def enable_service(mask: int) -> None:
        status.service_enable = mask

    def clear_at_power_on(_: int, on: bool) -> None:
        afg.power_on_clear = on

    def completed(_suffixes: Suffixes, tokens: Tokens) -> str:
        none_else(tokens)
        afg.wait()
        return "1"

    def complete(_suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens)
        afg.report_complete()

    yield event("*CLS", run=lambda _: status.clear())
    yield make.register("*ESE", get=lambda: status.standard_enable, put=enable_events, largest=_BYTE)
    yield query("*ESR", get=lambda _: str(status.take_standard_event()))
    yield make.register("*SRE", get=lambda: status.service_enable, put=enable_service, largest=_BYTE)
    yield query("*STB", get=lambda _: str(afg.status_byte()))
    yield query("*IDN", get=lambda _: identity)
    yield query("*OPT", get=lambda _: afg.options.installed)
    yield Command(("*OPC",), complete, completed)
    yield event("*WAI", run=lambda _: afg.wait())
    yield make.boolean("*PSC", get=lambda _: afg.power_on_clear, put=clear_at_power_on)
    yield event("*RST", run=lambda _: afg.reset())


def self_test_commands(afg: SimulatedAFG31000) -> Iterator[Command]:
    """Self-test and calibration: both pass, and take their time."""

    def test(_: int) -> str:
        afg.busy(afg.options.self_test_time)
        return "0"

    def start(_suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens)
        afg.busy(afg.options.self_test_time)

    yield query("*TST", "*CAL", get=test)
    for pattern in ("DIAGnostic[:ALL]", "CALibration[:ALL]"):
        yield Command((pattern,), start, query(pattern, get=test).query)


def trigger_commands(afg: SimulatedAFG31000, make: Maker) -> Iterator[Command]:
    """The instrument-wide trigger system and reference oscillator."""

    def alter(**fields: Any) -> None:
        afg.apply(replace(afg.settings, **fields))

    yield event("*TRG", "TRIGger[:SEQuence][:IMMediate]", run=lambda _: afg.fire())
    yield event("ABORt", run=lambda _: afg.abort())
    yield make.choice(
        "TRIGger[:SEQuence]:SOURce",
        choice=make.choices("TIMer", "EXTernal"),
        get=lambda _: afg.settings.trigger_source,
        put=lambda _, source: alter(trigger_source=source),
    )
    yield make.choice(
        "TRIGger[:SEQuence]:SLOPe",
        choice=make.choices("POSitive", "NEGative"),
        get=lambda _: afg.settings.trigger_slope,
        put=lambda _, slope: alter(trigger_slope=slope),
    )
    yield make.number(
        "TRIGger[:SEQuence]:TIMer",
        get=lambda _: afg.settings.trigger_period,
        put=lambda _, period: alter(trigger_period=period),
        bounds=lambda _: TRIGGER_PERIOD,
        units=SECOND,
        admits=True,
    )
    yield make.choice(
        "OUTPut:TRIGger:MODE",
        choice=make.choices("TRIGger", "SYNC"),
        get=lambda _: afg.settings.trigger_output,
        put=lambda _, mode: alter(trigger_output=mode),
    )
    yield make.choice(
        f"[SOURce<{afg.model.channels}>:]ROSCillator:SOURce",
        choice=make.choices("INTernal", "EXTernal"),
        get=lambda _: afg.settings.reference,
        put=lambda _, source: alter(reference=source),
    )


def setup_commands(afg: SimulatedAFG31000, make: Maker) -> Iterator[Command]:
    """Setup memories."""
    setups = afg.setups

    def save(_suffixes: Suffixes, tokens: Tokens) -> None:
        setups.save(integer(only(tokens)), afg.settings)

    def recall(_suffixes: Suffixes, tokens: Tokens) -> None:
        afg.recall(integer(only(tokens)))

    def valid(_suffixes: Suffixes, tokens: Tokens) -> str:
        return str(int(setups.valid(integer(only(tokens)))))

    def delete(_suffixes: Suffixes, tokens: Tokens) -> None:
        setups.delete(integer(only(tokens)))

    def lock(_suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens, 2)
        setups.lock(integer(tokens[0]), boolean(tokens[1]))

    def locked(_suffixes: Suffixes, tokens: Tokens) -> str:
        return str(int(setups.locked(integer(only(tokens)))))

    def recall_last(_: int, on: bool) -> None:
        setups.recall_last = on

    yield Command(("*SAV",), save)
    yield Command(("*RCL",), recall)
    yield Command(("MEMory:STATe:VALid",), None, valid)
    yield Command(("MEMory:STATe:DELete",), delete)
    yield Command(("MEMory:STATe:LOCK",), lock, locked)
    yield make.boolean("MEMory:STATe:RECall:AUTo", get=lambda _: setups.recall_last, put=recall_last)
