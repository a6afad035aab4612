"""STATus and SYSTem (reference afg31000 sec. 13)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim_backend.afg31000.commands.build import Maker, event, none_else, only, query
from sim_backend.scpi import Command, ScpiError, Suffixes, Tokens
from sim_backend.scpi.status import Register
from sim_backend.scpi.values import quoted, string

if TYPE_CHECKING:
    from sim_backend.afg31000.instrument import SimulatedAFG31000

_MASK = 0x7FFF
_LANGUAGES = ("ENGLish", "FRENch", "GERMan", "JAPanese", "KORean", "SCHinese", "TCHinese", "RUSSian")


def status_commands(afg: SimulatedAFG31000, make: Maker) -> Iterator[Command]:
    """SCPI status groups."""

    def group(name: str, register: Register) -> Iterator[Command]:
        def enable(mask: int) -> None:
            register.enable = mask

        yield query(f"STATus:{name}[:EVENt]", get=lambda _: str(register.take_event()))
        yield query(f"STATus:{name}:CONDition", get=lambda _: str(register.condition))
        yield make.register(f"STATus:{name}:ENABle", get=lambda: register.enable, put=enable, largest=_MASK)

    yield from group("OPERation", afg.status.operation)
    yield from group("QUEStionable", afg.status.questionable)
    yield event("STATus:PRESet", run=lambda _: afg.status.preset())


def system_commands(afg: SimulatedAFG31000, make: Maker) -> Iterator[Command]:
    """SYSTem; beeper, clicks, key lock and language are kept and answered, and change nothing else."""
    panel = {"beep": True, "lock": False, "click": True}
    language = ["ENGL"]

    def keep(key: str) -> Command:
        header = {"beep": "BEEPer:STATe", "lock": "KLOCk[:STATe]", "click": "KCLick[:STATe]"}[key]

        def put(_: int, on: bool) -> None:
            panel[key] = on

        return make.boolean(f"SYSTem:{header}", get=lambda _: panel[key], put=put)

    def speak(_: int, name: str) -> None:
        language[0] = name

    yield query("SYSTem:ERRor[:NEXT]", get=lambda _: afg.status.queue.pop())
    yield event("SYSTem:BEEPer[:IMMediate]", run=lambda _: None)
    yield from (keep(key) for key in panel)
    yield query("SYSTem:VERSion", get=lambda _: "1999.0")
    yield query("SYSTem:MACADDress", get=lambda _: quoted(afg.options.mac_address))
    yield make.choice("SYSTem:ULANguage", choice=make.choices(*_LANGUAGES), get=lambda _: language[0], put=speak)
    yield event("SYSTem:SECurity:IMMediate", run=lambda _: afg.erase())
    yield event("SYSTem:RESTart", run=lambda _: afg.restart())
    yield query("LICense:LIST", get=lambda _: ",".join(map(quoted, afg.options.licences)) or '""')
    yield from _password_commands(afg)


def _password_commands(afg: SimulatedAFG31000) -> Iterator[Command]:
    """SYSTem:PASSword: protection of the SECurity and CALibration commands."""
    word = [""]

    def given(tokens: Tokens) -> None:
        if string(only(tokens)) != word[0]:
            raise ScpiError(-221, "wrong password")

    def enable(_suffixes: Suffixes, tokens: Tokens) -> None:
        given(tokens)
        afg.protected = False

    def disable(_suffixes: Suffixes, tokens: Tokens) -> None:
        given(tokens)
        afg.protected = True

    def renew(_suffixes: Suffixes, tokens: Tokens) -> None:
        none_else(tokens, 2)
        given(tokens[:1])
        word[0] = string(tokens[1])

    yield Command(("SYSTem:PASSword[:CENable]",), enable)
    yield Command(("SYSTem:PASSword:CDISable",), disable)
    yield query("SYSTem:PASSword[:CENable]:STATe", get=lambda _: str(int(not afg.protected)))
    yield Command(("SYSTem:PASSword:NEW",), renew)
