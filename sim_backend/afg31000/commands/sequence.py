"""Advanced mode: SEQControl, SEQuence, WLISt (reference afg31000 sec. 12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim_backend.afg31000.advanced import ELEMENTS, LOOPS, SCALE, SKEW, TIMER
from sim_backend.afg31000.commands.build import PERCENT, SECOND, VOLT, Maker, event, none_else, only, query
from sim_backend.afg31000.commands.source import two_channels
from sim_backend.scpi import Command, ScpiError, Suffixes, Tokens
from sim_backend.scpi.values import integer, quoted, string

if TYPE_CHECKING:
    from sim_backend.afg31000.instrument import SimulatedAFG31000

_ELEMENT = f"SEQuence:ELEM<{ELEMENTS}>"
_EVENTS = ("EXTernal", "BUS", "MANual", "TIMer")
_LOWEST_RATE = 1e-3


def control_commands(afg: SimulatedAFG31000, make: Maker) -> Iterator[Command]:
    """SEQControl."""
    sequencer = afg.sequencer
    source = f"SEQControl:SOURce<{afg.model.channels}>"

    def run_mode(_: int, mode: str) -> None:
        sequencer.stop()
        sequencer.table.set_run_mode(mode)

    def run(_: int) -> None:
        if not sequencer.active:
            raise ScpiError(-221, "not in Advanced mode")
        sequencer.check()
        afg.load_sequence()

    def set_rate(_: int, rate: float) -> None:
        sequencer.table.rate = rate

    def set_scale(n: int, percent: float) -> None:
        sequencer.table.scale[n - 1] = percent

    def set_offset(n: int, volts: float) -> None:
        sequencer.table.offset[n - 1] = volts

    def set_skew(_: int, seconds: float) -> None:
        two_channels(afg)
        sequencer.table.skew = seconds

    def set_timer(_: int, seconds: float) -> None:
        sequencer.table.timer = seconds

    def window(n: int) -> tuple[float, float]:
        volts = afg.model.window * afg.channel(n).shown
        return -volts, volts

    yield make.boolean("SEQControl:STATe", get=lambda _: sequencer.active, put=lambda _, on: sequencer.switch(on))
    yield make.choice(
        "SEQControl:RMODe",
        choice=make.choices("CONTinuous", "TRIGgered", "GATed", "SEQuence"),
        get=lambda _: sequencer.table.run_mode,
        put=run_mode,
    )
    yield event("SEQControl:RUN[:IMMediate]", run=run)
    yield event("SEQControl:STOP[:IMMediate]", run=lambda _: sequencer.stop())
    yield event("SEQControl:RESet[:IMMediate]", run=lambda _: sequencer.reset())
    yield query("SEQControl:RSTATe", get=lambda _: str(int(sequencer.running)))
    yield make.number(
        "SEQControl:SRATe",
        get=lambda _: sequencer.table.rate,
        put=set_rate,
        bounds=lambda _: (_LOWEST_RATE, afg.model.sequence_rate),
        units={"S/S": 1.0, "HZ": 1.0},
        admits=True,
    )
    yield make.number(
        f"{source}:SCALe",
        get=lambda n: sequencer.table.scale[n - 1],
        put=set_scale,
        bounds=lambda _: SCALE,
        units=PERCENT,
        admits=True,
    )
    yield make.number(
        f"{source}:OFFSet",
        get=lambda n: sequencer.table.offset[n - 1],
        put=set_offset,
        bounds=window,
        units=VOLT,
        admits=True,
    )
    yield make.number(
        "SEQControl:DELay",
        get=lambda _: sequencer.table.skew,
        put=set_skew,
        bounds=lambda _: (-SKEW, SKEW),
        units=SECOND,
        admits=True,
    )
    yield make.number(
        "SEQControl:TIMer",
        get=lambda _: sequencer.table.timer,
        put=set_timer,
        bounds=lambda _: TIMER,
        units=SECOND,
        admits=True,
    )


def sequence_commands(afg: SimulatedAFG31000, make: Maker) -> Iterator[Command]:
    """SEQuence: the table."""
    table = afg.sequencer

    def set_length(_: int, length: float) -> None:
        table.stop()
        table.table.set_length(int(length))

    def new(_: int) -> None:
        table.stop()
        table.table.new()

    def place(suffixes: Suffixes) -> tuple[int, int]:
        return suffixes[0], suffixes[1]

    def set_waveform(suffixes: Suffixes, tokens: Tokens) -> None:
        number, channel = place(suffixes)
        table.table.put(number, channel, string(only(tokens)))

    def get_waveform(suffixes: Suffixes, tokens: Tokens) -> str:
        none_else(tokens)
        number, channel = place(suffixes)
        return quoted(table.table.element(number).waveforms[channel - 1])

    yield event("SEQuence:NEW", run=new)
    yield make.number(
        "SEQuence:LENGth",
        get=lambda _: len(table.table.elements),
        put=set_length,
        bounds=lambda _: (0, ELEMENTS),
        admits=True,
        count=True,
    )
    waveform = f"{_ELEMENT}:WAVeform<{afg.model.channels}>"
    yield Command((waveform,), set_waveform, get_waveform)
    yield _count(afg, make, "LOOP:COUNt", "loops", LOOPS)
    yield _count(afg, make, "GOTO:INDex", "goto_index", ELEMENTS)
    yield _count(afg, make, "JTARget:INDex", "jump_index", ELEMENTS)
    for header, field in (
        ("LOOP:INFinite", "infinite"),
        ("TWAit[:STATe]", "wait"),
        ("GOTO:STATe", "goto"),
        ("MARKer:STATe", "marker"),
    ):
        yield _flag(afg, make, header, field)
    yield _choice(afg, make, "TWAit:EVENt", "wait_event", *_EVENTS)
    yield _choice(afg, make, "TWAit:SLOPe", "wait_slope", "POSitive", "NEGative")
    yield _choice(afg, make, "JTARget:TYPE", "jump_type", "INDex", "NEXT", "OFF")
    yield _choice(afg, make, "JUMP:EVENt", "jump_event", *_EVENTS)
    yield _choice(afg, make, "JUMP:SLOPe", "jump_slope", "POSitive", "NEGative")


def _count(afg: SimulatedAFG31000, make: Maker, header: str, field: str, largest: int) -> Command:
    def put(number: int, value: float) -> None:
        afg.sequencer.table.change(number, **{field: int(value)})

    return make.number(
        f"{_ELEMENT}:{header}",
        get=lambda number: float(getattr(afg.sequencer.table.element(number), field)),
        put=put,
        bounds=lambda _: (1, largest),
        admits=True,
        count=True,
    )


def _flag(afg: SimulatedAFG31000, make: Maker, header: str, field: str) -> Command:
    return make.boolean(
        f"{_ELEMENT}:{header}",
        get=lambda number: bool(getattr(afg.sequencer.table.element(number), field)),
        put=lambda number, on: afg.sequencer.table.change(number, **{field: on}),
    )


def _choice(afg: SimulatedAFG31000, make: Maker, header: str, field: str, *mnemonics: str) -> Command:
    return make.choice(
        f"{_ELEMENT}:{header}",
        choice=make.choices(*mnemonics),
        get=lambda number: str(getattr(afg.sequencer.table.element(number), field)),
        put=lambda number, name: afg.sequencer.table.change(number, **{field: name}),
    )


def waveform_list_commands(afg: SimulatedAFG31000) -> Iterator[Command]:
    """WLISt, and the files of sequences."""
    sequencer, files = afg.sequencer, afg.memories.files

    def load(_suffixes: Suffixes, tokens: Tokens) -> None:
        sequencer.table.load(string(only(tokens)), afg.memories, "MEM" in afg.options.licences)

    def unload(_suffixes: Suffixes, tokens: Tokens) -> None:
        token = only(tokens)
        sequencer.stop()
        if isinstance(token, str) and token.upper() == "ALL":
            sequencer.table.waveforms.clear()
        else:
            sequencer.table.unload(string(token))

    def length(_suffixes: Suffixes, tokens: Tokens) -> str:
        return str(len(sequencer.table.find(string(only(tokens))).samples))

    def size(_suffixes: Suffixes, tokens: Tokens) -> str:
        none_else(tokens)
        return str(len(sequencer.table.waveforms))

    def name(_suffixes: Suffixes, tokens: Tokens) -> str:
        index, names = integer(only(tokens)), list(sequencer.table.waveforms)
        if not 1 <= index <= len(names):
            raise ScpiError(-222, f"waveform {index}")
        return quoted(names[index - 1])

    def open_(_suffixes: Suffixes, tokens: Tokens) -> None:
        sequencer.stop()
        sequencer.table.open(files.read(string(only(tokens))))

    def save(_suffixes: Suffixes, tokens: Tokens) -> None:
        files.write(string(only(tokens)), sequencer.table.save(), afg.options.overwrite_files)

    yield Command(("WLISt:WAVeform:IMPort",), load)
    yield Command(("WLISt:WAVeform:DELete",), unload)
    yield Command(("WLISt:WAVeform:LENGth",), None, length)
    yield Command(("WLISt:SIZE",), None, size)
    yield Command(("WLISt:NAME",), None, name)
    yield Command(("MMEMory:OPEN:SEQuence",), open_)
    yield Command(("MMEMory:SAVE:SEQuence",), save)
