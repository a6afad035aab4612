"""Identity, reset, self-test, errors, status, internal memory, digital port (reference b1500a sec. 2-5, 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim_backend.b1500a.commands.table import command, one_of, within
from sim_backend.b1500a.errors import TEXTS, FlexError
from sim_backend.b1500a.learn import learn
from sim_backend.b1500a.smu import INTERLOCK_VOLTS
from sim_backend.tasks import Steps

if TYPE_CHECKING:
    from sim_backend.b1500a.instrument import SimulatedB1500A

_SLOTS = range(1, 11)
_MAINFRAME = 11
_PROGRAMS = range(1, 2001)


@command("*IDN?")
def identity(b: SimulatedB1500A) -> str:
    return b.identity


@command("UNT?", "", "i")
def units(b: SimulatedB1500A, form: int = 0) -> str:
    one_of(form, (0, 1))
    o = b.options
    pairs = [f"{o.slots[n]},{o.revisions.get(n, 0)}" if n in o.slots else "0,0" for n in _SLOTS]
    return ";".join(pairs + ([f"B1500A,{o.mainframe_revision}"] if form else []))


@command("LOP?")
def operation(b: SimulatedB1500A) -> str:
    codes = [b.smus[n].status_code() if n in b.smus else 0 for n in _SLOTS]
    return "LOP" + ",".join(f"{code:02d}" for code in codes)


@command("*LRN?", "i")
def learned(b: SimulatedB1500A, number: int) -> str:
    return learn(b, number)


@command("ACH", "", "ii")
def logical_channel(b: SimulatedB1500A, actual: int | None = None, program: int | None = None) -> None:
    """Call module ``actual`` channel ``program`` from now on; without ``program`` by its own number again."""
    if actual is None:
        b.logical.clear()
    else:
        slot = b.slot_of(actual)
        for known in [p for p, a in b.logical.items() if a == slot]:
            del b.logical[known]
        if program is not None:
            b.logical[b.slot_of(program)] = slot
    b.name_channels()


@command("*RST")
def reset(b: SimulatedB1500A) -> None:
    b.reset()


@command("*OPC?")
def complete(b: SimulatedB1500A) -> str:
    """Commands are taken in turn: what came before is finished."""
    return "1"


def _require_calm(b: SimulatedB1500A) -> None:
    """No output or voltage compliance above 42 V."""
    for smu in b.smus.values():
        volts = smu.output.level if smu.output.volts else smu.output.compliance
        if smu.on and abs(volts) > INTERLOCK_VOLTS:
            raise FlexError(213)


@command("*CAL?", "", "i")
def calibrate_query(b: SimulatedB1500A, slot: int = 0) -> Steps[None]:
    one_of(slot, range(_MAINFRAME + 1))
    yield from calibrate(b, slot)
    b.replies.put("0")


@command("CA", "", "i")
def calibrate(b: SimulatedB1500A, slot: int = 0) -> Steps[None]:
    """Self-calibration: all channels off."""
    one_of(slot, range(_MAINFRAME + 1))
    _require_calm(b)
    b.errors.flag = False
    for smu in b.smus.values():
        smu.disconnect()
    share = 1 if slot == 0 else len(b.options.slots) + 1
    yield b.options.calibration_time / share


@command("*TST?", "", "ii")
def self_test(b: SimulatedB1500A, slot: int = 0, option: int = 1) -> Steps[None]:
    one_of(slot, range(_MAINFRAME + 1))
    one_of(option, (0, 1))
    b.errors.flag = False
    if option == 1:
        _require_calm(b)
        for smu in b.smus.values():
            smu.disconnect()
        yield b.options.self_test_time
    b.replies.put("0")


@command("CM", "i")
def auto_calibration(b: SimulatedB1500A, state: int) -> None:
    b.setup.auto_calibration = one_of(state, (0, 1))


@command("RCV", "", "i")
def recover(b: SimulatedB1500A, slot: int = 0) -> None:
    """No module ever fails here."""
    one_of(slot, range(_MAINFRAME + 1))


@command("DIAG?", "i")
def diagnostics(b: SimulatedB1500A, item: int) -> str:
    b.errors.flag = False
    return "0"


# -- errors and status ---------------------------------------------------------------------------------------------


@command("ERRX?", "", "i")
def next_error(b: SimulatedB1500A, form: int = 0) -> str:
    one_of(form, (0, 1))
    code, text = b.errors.next()
    return f"{code:+d}" if form else f'{code:+d},"{text}"'


@command("ERR?", "", "i")
def error_codes(b: SimulatedB1500A, form: int = 0) -> str:
    return ",".join(map(str, b.errors.drain(1 if one_of(form, (0, 1)) else 4)))


@command("EMG?", "i")
def error_text(b: SimulatedB1500A, code: int) -> str:
    return TEXTS.get(code, "No Error." if code == 0 else "Undefined error code.")


@command("*STB?")
def status(b: SimulatedB1500A) -> str:
    return str(b.own_status())


@command("*SRE", "i")
def request_mask(b: SimulatedB1500A, mask: int) -> None:
    b.request_mask = int(within(mask, 0, 255))


@command("*SRE?")
def request_mask_query(b: SimulatedB1500A) -> str:
    return str(b.request_mask)


# -- internal memory -----------------------------------------------------------------------------------------------


@command("ST", "i")
def start_program(b: SimulatedB1500A, number: int) -> None:
    b.start_program(one_of(number, _PROGRAMS))


@command("END")
def end_program(b: SimulatedB1500A) -> None:
    """Without ST there is nothing to end."""


@command("DO", "i", rest="i")
def run_programs(b: SimulatedB1500A, *numbers: int) -> Steps[None]:
    return b.run_programs([one_of(number, _PROGRAMS) for number in numbers])


@command("VAR", "iin")
def variable(b: SimulatedB1500A, kind: int, number: int, value: float) -> None:
    one_of(kind, (0, 1))
    one_of(number, range(100))
    b.variables[kind, number] = float(int(value)) if kind == 0 else value


@command("VAR?", "ii")
def variable_query(b: SimulatedB1500A, kind: int, number: int) -> str:
    value = b.variables.get((one_of(kind, (0, 1)), one_of(number, range(100))), 0.0)
    return str(int(value)) if kind == 0 else f"{value:+.5E}"


# -- digital port --------------------------------------------------------------------------------------------------


@command("ERMOD", "i")
def port_mode(b: SimulatedB1500A, mode: int) -> None:
    b.setup.io_mode = one_of(mode, (0, 1, 2, 4, 8, 16, 32))


@command("ERMOD?")
def port_mode_query(b: SimulatedB1500A) -> str:
    return str(b.setup.io_mode)


@command("ERC", "ii")
def set_port(b: SimulatedB1500A, mode: int, value: int) -> None:
    """Set the lines of the port (mode 2), or drive a selector that is not there."""
    one_of(mode, (1, 2))
    b.setup.port = int(within(value, 0, 65535))


@command("ERS?")
def port_query(b: SimulatedB1500A) -> str:
    return str(b.setup.port)


@command("ERSSP", "ii")
def selector_port(b: SimulatedB1500A, port: int, state: int) -> None:
    """Ports of a selector: there is none."""
    one_of(port, (0, 1))
    one_of(state, (0, 1, 2, 3))
    if "B1525A" not in b.options.slots.values():
        raise FlexError(151)
