"""What a program takes: its trials inside the instrument, the pulses prepared before each block."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from labctl.plan import operations as o
from labctl.plan.cost.tally import Tally, often
from labctl.plan.programs import MARGIN, block_size, distinct, layout, played

if TYPE_CHECKING:
    from labctl.plan.cost.walk import Walk


def program(walk: Walk, op: o.Program, tally: Tally) -> None:
    """All blocks of a loop: the first trial, which may find other ranges, and the others alike.

    A retry is made by the host, and the pulses are prepared anew after it; none is expected.
    """
    trials = round(op.loop.count.at(walk.variables))
    if trials == 0:
        return
    meter = walk.times(op.controller)
    blocks = ceil(trials / block_size(op, walk.variables, walk.able(op.controller, "program")["points"]))
    _prepare(walk, op, tally)
    pauses = _pauses(walk, op)
    first = _trial(walk, op, pauses)
    tally.merge(first)
    if trials > 1:
        tally.merge(_trial(walk, op, pauses), often(trials - 1))
    tally.spend("switch", blocks * meter.isolate(_channel(op.controller)))
    _retries(walk, op, trials, tally)


def _trial(walk: Walk, op: o.Program, pauses: dict[object, tuple[float, float]]) -> Tally:
    tally = Tally()
    body = op.loop.body
    for inner, after in zip(body, (*body[1:], None), strict=True):
        match inner:
            case o.Connect():
                early = pauses[played(after)][0] if isinstance(after, o.Pulses) else 0.0
                tally.spend("switch", inner.time + max(0.0, early - inner.time))
                tally.row("route")
            case o.Pulses():
                tally.spend("pulse", pauses[played(inner)][1])
                tally.row("pulse")
                tally.pulse(round(inner.count.at(walk.variables)) * len(inner.parts))
            case o.Confirm():
                tally.row("confirm")
            case _:
                tally.merge(walk.block((inner,)))
    return tally


def _pauses(walk: Walk, op: o.Program) -> dict[object, tuple[float, float]]:
    """By what is played: s from its trigger until the relay is there, if it has to wait; s until its pulse is over."""
    pulses = distinct(op.loop.body)
    if not pulses:
        return {}
    times, channel = walk.times(pulses[0].source), _channel(pulses[0].source)
    if len(pulses) == 1:
        return {played(pulses[0]): (0.0, times.burst(channel))}
    plan = layout(op.loop.body, walk.variables, walk.able(pulses[0].source, "arbitrary")["points"][1])
    return {
        played(pulse): (slot.start - MARGIN, MARGIN + slot.end(plan.edge) - slot.start)
        if index
        else (0.0, slot.end(plan.edge))
        for index, (pulse, slot) in enumerate(zip(pulses, plan.slots, strict=True))
    }


def _prepare(walk: Walk, op: o.Program, tally: Tally) -> None:
    """The generator ready for all pulses of a trial, its output on."""
    pulses = distinct(op.loop.body)
    if not pulses:
        return
    times, channel, variables = walk.times(pulses[0].source), _channel(pulses[0].source), walk.variables
    if len(pulses) > 1:
        plan = layout(op.loop.body, variables, walk.able(pulses[0].source, "arbitrary")["points"][1])
        tally.spend("pulse", times.ready_waveform(channel, plan, plan.period, 1, isolated=True))
        return
    (pulse,) = pulses
    count, period = round(pulse.count.at(variables)), pulse.cycle_time(variables)
    if pulse.plain:
        width = pulse.parts[0].width.at(variables)
        seconds = times.ready_pulses(channel, width, pulse.edge, period if count > 1 else None, count)
    else:
        parts = tuple((part.level.at(variables), part.width.at(variables)) for part in pulse.parts)
        shape = (pulse.shape, parts, pulse.base.at(variables), pulse.edge, pulse.gap.at(variables))
        seconds = times.ready_waveform(channel, shape, period, count)
    tally.spend("pulse", seconds)


def _retries(walk: Walk, op: o.Program, trials: int, tally: Tally) -> None:
    """At most: every trial's retries, and the pulses prepared anew after each."""
    for inner in op.loop.body:
        if not isinstance(inner, o.Confirm) or not inner.again:
            continue
        retry = walk.block(inner.again)
        retry.row("confirm")
        _prepare(walk, op, retry)  # leaves the generator as it was, too
        tally.merge(retry, (0.0, 0.0, trials * inner.retry))


def _channel(source: str) -> Any:
    return source.partition(".")[2]
