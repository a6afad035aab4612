"""High-speed spot: TI, TV and their relatives, time stamp (reference b1500a sec. 9.1, 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim_backend.b1500a import ranges
from sim_backend.b1500a.commands.table import command
from sim_backend.tasks import Steps

if TYPE_CHECKING:
    from sim_backend.b1500a.instrument import SimulatedB1500A


def _spot(b: SimulatedB1500A, kinds: str, stamped: bool, channel: int, *codes: int) -> Steps[None]:
    """Measure ``kinds`` on a channel; range codes in their order, omitted: the range of output or compliance."""
    smu, meter, letter = b.smu(channel), b.meters[channel], b.letters[channel]
    smu.require_on()
    asked = dict(zip(kinds, codes, strict=False))
    for kind, code in asked.items():
        b.check_range(channel, code, volts=kind == "V")
    found = []
    for kind in kinds:
        own = kind == ("V" if smu.output.volts else "I")
        scale = smu.output.scale if own else smu.output.compliance_scale
        fixed = -(ranges.voltage_code(scale) if kind == "V" else ranges.current_code(scale))
        found.append((yield from meter.read(kind, asked.get(kind, fixed), letter)))
    b.data.begin()
    if stamped:
        b.data.put(b.measurements.time(found[0][1], letter))
    for datum, _ in found:
        b.data.put(datum)
    b.data.end()


@command("TI", "c", "i")
def current(b: SimulatedB1500A, channel: int, *codes: int) -> Steps[None]:
    return _spot(b, "I", False, channel, *codes)


@command("TV", "c", "i")
def voltage(b: SimulatedB1500A, channel: int, *codes: int) -> Steps[None]:
    return _spot(b, "V", False, channel, *codes)


@command("TIV", "c", "ii")
def both(b: SimulatedB1500A, channel: int, *codes: int) -> Steps[None]:
    return _spot(b, "IV", False, channel, *codes)


@command("TTI", "c", "i")
def current_stamped(b: SimulatedB1500A, channel: int, *codes: int) -> Steps[None]:
    return _spot(b, "I", True, channel, *codes)


@command("TTV", "c", "i")
def voltage_stamped(b: SimulatedB1500A, channel: int, *codes: int) -> Steps[None]:
    return _spot(b, "V", True, channel, *codes)


@command("TTIV", "c", "ii")
def both_stamped(b: SimulatedB1500A, channel: int, *codes: int) -> Steps[None]:
    return _spot(b, "IV", True, channel, *codes)


@command("TSQ")
def time_stamp(b: SimulatedB1500A) -> None:
    b.put_time(None)
