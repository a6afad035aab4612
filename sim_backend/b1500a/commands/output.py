"""Output switches and forcing (reference b1500a sec. 6), filter, series resistor, interlock threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim_backend.b1500a.commands.table import command, one_of, within
from sim_backend.b1500a.errors import FlexError
from sim_backend.b1500a.formats import learned
from sim_backend.b1500a.smu import INTERLOCK_VOLTS, Smu
from sim_backend.tasks import Steps

if TYPE_CHECKING:
    from sim_backend.b1500a.instrument import SimulatedB1500A

_MOST_CHANNELS = 15
_NEAR_ZERO = 2.0  # V, WZ?


def _chosen(b: SimulatedB1500A, channels: tuple[int, ...], on: bool = False) -> list[Smu]:
    """The SMUs of a list of channels; none means all (``on``: all that are on)."""
    if len(channels) > _MOST_CHANNELS:
        raise FlexError(122)
    if channels:
        return [b.smu(channel) for channel in channels]
    return [smu for smu in b.smus.values() if smu.on or not on]


@command("CN", rest="c")
def connect(b: SimulatedB1500A, *channels: int) -> Steps[None]:
    chosen = _chosen(b, channels)
    yield b.options.relay_time
    for smu in chosen:
        smu.connect()


@command("CNX", rest="c")
def connect_exclusively(b: SimulatedB1500A, *channels: int) -> Steps[None]:
    """As CN; the channels of an SMU and a CMU behind one selector do not arise here."""
    return connect(b, *channels)


@command("CL", rest="c")
def disconnect(b: SimulatedB1500A, *channels: int) -> Steps[None]:
    """0 V at once, the switches open when the outputs have had time for it."""
    chosen = _chosen(b, channels)
    for smu in chosen:
        smu.release()
    yield b.options.relay_time
    for smu in chosen:
        smu.disconnect()


@command("DZ", rest="c")
def zero(b: SimulatedB1500A, *channels: int) -> None:
    for smu in _chosen(b, channels, on=True):
        smu.zero()


@command("RZ", rest="c")
def restore(b: SimulatedB1500A, *channels: int) -> None:
    for smu in _chosen(b, channels, on=True):
        smu.restore()


@command("IN", rest="c")
def initialise(b: SimulatedB1500A, *channels: int) -> None:
    for smu in _chosen(b, channels, on=True):
        smu.initialise()


def _forcing(header: str, volts: bool, stamped: bool) -> None:
    """DV and DI; TDV and TDI return the time stamp of the output besides."""

    @command(header, "cin", "nii")
    def force(
        b: SimulatedB1500A,
        channel: int,
        code: int,
        level: float,
        compliance: float | None = None,
        polarity: int = 0,
        compliance_code: int = 0,
    ) -> None:
        smu = b.smu(channel)
        smu.require_on()
        one_of(polarity, (0, 1))
        smu.force(smu.plan(volts, code, level, compliance, polarity, compliance_code))
        b.output_started(channel)
        if stamped:
            b.put_time(channel)


for _header, _volts, _stamped in (("DV", True, False), ("DI", False, False), ("TDV", True, True), ("TDI", False, True)):
    _forcing(_header, _volts, _stamped)


@command("WZ?", "", "n")
def near_zero(b: SimulatedB1500A, timeout: float = 0.0) -> str:
    return str(int(any(smu.on and abs(smu.port.voltage()) > _NEAR_ZERO for smu in b.smus.values())))


@command("FL", "i", rest="c")
def output_filter(b: SimulatedB1500A, state: int, *channels: int) -> None:
    one_of(state, (0, 1))
    for smu in _chosen(b, channels):
        smu.measuring.filter = state


@command("SSR", "ci")
def series_resistor(b: SimulatedB1500A, channel: int, state: int) -> None:
    smu = b.smu(channel)
    smu.measuring.series_resistor = one_of(state, (0, 1))
    smu.apply()


@command("INTLKVTH", "n")
def interlock_threshold(b: SimulatedB1500A, volts: float) -> None:
    """Voltage above which the interlock must be closed: 0 to 42 V."""
    b.interlock.threshold = within(volts, 0.0, INTERLOCK_VOLTS)
    b.set_interlock(b.interlock.closed)


@command("INTLKVTH?")
def interlock_threshold_query(b: SimulatedB1500A) -> str:
    return learned(b.interlock.threshold, 100.0)
