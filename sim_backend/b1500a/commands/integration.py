"""How channels measure: ADC, integration, ranges, waits, formats, time stamps (reference b1500a sec. 7, 8, 10, 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim_backend.b1500a import formats, settings
from sim_backend.b1500a.commands.table import command, one_of, within
from sim_backend.b1500a.errors import FlexError

if TYPE_CHECKING:
    from sim_backend.b1500a.instrument import SimulatedB1500A

#: (ADC, mode) -> smallest, largest and default N
_INTEGRATION: dict[tuple[int, int], tuple[float, float, float]] = {
    (settings.HIGH_SPEED, settings.AUTO): (1, 1023, 1),
    (settings.HIGH_SPEED, settings.MANUAL): (1, 1023, 1),
    (settings.HIGH_SPEED, settings.PLC): (1, 100, 1),
    (settings.HIGH_SPEED, settings.TIME): (2e-6, 20e-3, 2e-6),
    (settings.HIGH_RESOLUTION, settings.AUTO): (1, 127, 6),
    (settings.HIGH_RESOLUTION, settings.MANUAL): (1, 127, 3),
    (settings.HIGH_RESOLUTION, settings.PLC): (1, 100, 1),
    (settings.HIGH_SPEED_PULSE, settings.PLC): (1, 100, 1),
    (settings.HIGH_SPEED_PULSE, settings.TIME): (2e-6, 20e-3, 2e-6),
}
_STEP = 2e-6  # s, time mode
_MOST_AV, _MOST_AV_PLC = 1023, 100


@command("AAD", "ci")
def converter(b: SimulatedB1500A, channel: int, adc: int) -> None:
    b.smu(channel).measuring.adc = one_of(adc, (0, 1, 2))


@command("AIT", "ii", "n")
def integration(b: SimulatedB1500A, adc: int, mode: int, n: float | None = None) -> None:
    limits = _INTEGRATION.get((adc, mode))
    if limits is None:
        raise FlexError(120)
    low, high, default = limits
    n = within(default if n is None else n, low, high)
    if mode == settings.TIME:
        n = round(n / _STEP) * _STEP
    elif n != int(n):
        if mode == settings.PLC:  # the instrument keeps its old setting without a word
            return
        n = int(n)
    b.setup.integration[adc] = mode, n


@command("AV", "i", "i")
def averaging(b: SimulatedB1500A, n: int, mode: int = 0) -> None:
    if n < 0:
        within(n, -_MOST_AV_PLC, -1)
        b.setup.integration[settings.HIGH_SPEED] = settings.PLC, -n
        return
    within(n, 1, _MOST_AV)
    b.setup.integration[settings.HIGH_SPEED] = (settings.AUTO, settings.MANUAL)[one_of(mode, (0, 1))], n


@command("AZ", "i")
def auto_zero(b: SimulatedB1500A, state: int) -> None:
    b.setup.auto_zero = one_of(state, (0, 1))


@command("AITM", "i")
def integration_mode(b: SimulatedB1500A, mode: int) -> None:
    b.setup.integration_mode = one_of(mode, (0, 1))


@command("AITM?")
def integration_mode_query(b: SimulatedB1500A) -> str:
    return str(b.setup.integration_mode)


@command("CMM", "ci")
def measured_side(b: SimulatedB1500A, channel: int, mode: int) -> None:
    b.smu(channel).measuring.side = one_of(mode, (0, 1, 2, 3, 4))


@command("RI", "ci")
def current_range(b: SimulatedB1500A, channel: int, code: int) -> None:
    b.check_range(channel, code, volts=False)
    b.smu(channel).measuring.current_code = code


@command("RV", "ci")
def voltage_range(b: SimulatedB1500A, channel: int, code: int) -> None:
    b.check_range(channel, code, volts=True)
    b.smu(channel).measuring.voltage_code = code


@command("RM", "ci", "i")
def range_mode(b: SimulatedB1500A, channel: int, mode: int, rate: int = 50) -> None:
    b.smu(channel).measuring.range_mode = one_of(mode, (1, 2, 3)), int(within(rate, 11, 100))


@command("PAD", "i")
def parallel(b: SimulatedB1500A, state: int) -> None:
    b.setup.parallel = one_of(state, (0, 1))


@command("WAT", "in", "n")
def waits(b: SimulatedB1500A, kind: int, factor: float, offset: float = 0.0) -> None:
    one_of(kind, (1, 2, 3))
    b.setup.waits[kind] = within(factor, 0.0, 10.0), within(offset, 0.0, 1.0)


@command("FMT", "i", "i")
def data_format(b: SimulatedB1500A, fmt: int, mode: int = 0) -> None:
    one_of(fmt, formats.KNOWN)
    one_of(mode, range(11))
    b.setup.fmt, b.setup.fmt_mode = fmt, mode
    b.data.clear()
    b.data.format = fmt


@command("TSC", "i")
def time_stamps(b: SimulatedB1500A, state: int) -> None:
    b.setup.time_stamps = one_of(state, (0, 1))


@command("TSR", "", "c")
def clear_timer(b: SimulatedB1500A, channel: int | None = None) -> None:
    """Zero the timer now, or at the next DV or DI of a channel."""
    if channel is None:
        b.measurements.timer = b.clock.now
    else:
        b.smu(channel).require_on()
        b.timer_starts_with = channel


@command("BC")
def clear_data(b: SimulatedB1500A) -> None:
    b.data.clear()


@command("NUB?")
def unread(b: SimulatedB1500A) -> str:
    return str(b.data.unread())
