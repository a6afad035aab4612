"""Staircase and pulsed sweeps, pulses (reference b1500a sec. 9.2, 9.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim_backend.b1500a.commands.table import command, one_of, within
from sim_backend.b1500a.errors import FlexError
from sim_backend.b1500a.settings import SweepSource, TwoLevelSource

if TYPE_CHECKING:
    from sim_backend.b1500a.instrument import SimulatedB1500A

_MOST_STEPS = 10001
_MOST_HOLD, _MOST_DELAY, _MOST_STEP_DELAY = 655.35, 65.535, 1.0


def _check(b: SimulatedB1500A, source: SweepSource, modes: tuple[int, ...] = (1, 2, 3, 4)) -> None:
    """Refuse at the command what the sweep could not do."""
    smu = b.smu(source.channel)
    one_of(source.mode, modes)
    one_of(source.steps, range(1, _MOST_STEPS + 1))
    if source.mode in (2, 4) and source.start * source.stop <= 0.0:
        raise FlexError(130)
    if source.power is not None:
        within(source.power, 0.001, smu.module.power)
    smu.require_on()
    for level in {source.start, source.stop, source.base or 0.0}:
        smu.plan(source.volts, source.code, level, source.compliance)


def _primary(header: str) -> None:
    @command(header, "ciinni", "nn")
    def primary(
        b: SimulatedB1500A,
        channel: int,
        mode: int,
        code: int,
        start: float,
        stop: float,
        steps: int,
        compliance: float | None = None,
        power: float | None = None,
    ) -> None:
        source = SweepSource(header, channel, mode, code, start, stop, steps, compliance, power)
        _check(b, source)
        s = b.setup
        # another primary source of the other quantity ends what belonged to the earlier one
        if s.sweep is not None and s.sweep.header != header:
            s.synchronous.clear()
        s.synchronous = {n: other for n, other in s.synchronous.items() if other.channel != channel}
        s.sweep = source


for _header in ("WV", "WI"):
    _primary(_header)


def _synchronous(header: str) -> None:
    @command(header, "cinn", "nn")
    def synchronous(
        b: SimulatedB1500A,
        channel: int,
        code: int,
        start: float,
        stop: float,
        compliance: float | None = None,
        power: float | None = None,
    ) -> None:
        sweep = b.setup.sweep
        if sweep is None or sweep.header[-1] != header[-1]:
            raise FlexError(220)
        if sweep.channel == channel:
            raise FlexError(121)
        source = SweepSource(header, channel, sweep.mode, code, start, stop, sweep.steps, compliance, power)
        _check(b, source)
        b.setup.synchronous[2] = source


for _header in ("WSV", "WSI"):
    _synchronous(_header)


@command("WNX", "iciinn", "nn")
def further(
    b: SimulatedB1500A,
    number: int,
    channel: int,
    kind: int,
    code: int,
    start: float,
    stop: float,
    compliance: float | None = None,
    power: float | None = None,
) -> None:
    """Synchronous source ``number`` of the multi-channel sweep; ``kind`` 1 voltage, 2 current."""
    one_of(number, range(2, 11))
    sweep = b.setup.sweep
    if sweep is None:
        raise FlexError(220)
    header = {1: "WNXV", 2: "WNXI"}[one_of(kind, (1, 2))]
    source = SweepSource(header, channel, sweep.mode, code, start, stop, sweep.steps, compliance, power)
    _check(b, source)
    b.setup.synchronous[number] = source


@command("WNCC")
def forget(b: SimulatedB1500A) -> None:
    b.setup.sweep = None
    b.setup.synchronous.clear()


@command("WT", "nn", "nnn")
def timing(
    b: SimulatedB1500A, hold: float, delay: float, step: float = 0.0, trigger: float = 0.0, measure: float = 0.0
) -> None:
    b.setup.timing = (
        within(hold, 0.0, _MOST_HOLD),
        within(delay, 0.0, _MOST_DELAY),
        within(step, 0.0, _MOST_STEP_DELAY),
        within(trigger, 0.0, delay),
        within(measure, 0.0, _MOST_DELAY),
    )


@command("WM", "i", "i")
def abort_and_post(b: SimulatedB1500A, abort: int, post: int | None = None) -> None:
    b.setup.abort = one_of(abort, (1, 2))
    b.setup.post = b.setup.post if post is None else one_of(post, (1, 2))


@command("PT", "nn", "nn")
def pulse_timing(b: SimulatedB1500A, hold: float, width: float, period: float = 0.0, delay: float = 0.0) -> None:
    within(hold, 0.0, _MOST_HOLD)
    within(width, 0.5e-3, 2.0)
    if period != 0.0:
        within(period, width, 5.0)
    b.setup.pulse_timing = hold, width, period, within(delay, 0.0, width)


def _pulse(header: str) -> None:
    @command(header, "cinn", "n")
    def pulse(
        b: SimulatedB1500A, channel: int, code: int, base: float, level: float, compliance: float | None = None
    ) -> None:
        b.setup.pulse = _two(b, header, channel, code, base, level, compliance)


for _header in ("PV", "PI"):
    _pulse(_header)


def _pulse_sweep(header: str) -> None:
    @command(header, "ciinnni", "nn")
    def pulse_sweep(
        b: SimulatedB1500A,
        channel: int,
        mode: int,
        code: int,
        base: float,
        start: float,
        stop: float,
        steps: int,
        compliance: float | None = None,
        power: float | None = None,
    ) -> None:
        source = SweepSource(header, channel, mode, code, start, stop, steps, compliance, power, base)
        _check(b, source, modes=(1, 3))
        for level in (start, stop):
            _same_sign(header, base, level)
        b.setup.pulse_sweep = source


for _header in ("PWV", "PWI"):
    _pulse_sweep(_header)


def _two(
    b: SimulatedB1500A, header: str, channel: int, code: int, base: float, level: float, compliance: float | None
) -> TwoLevelSource:
    smu = b.smu(channel)
    smu.require_on()
    source = TwoLevelSource(header, channel, code, base, level, compliance)
    for value in (base, level):
        smu.plan(source.volts, code, value, compliance)
    _same_sign(header, base, level)
    return source


def _same_sign(header: str, base: float, level: float) -> None:
    """Base and peak of a current pulse lie on one side of zero."""
    if header.endswith("I") and base * level < 0.0:
        raise FlexError(126)
