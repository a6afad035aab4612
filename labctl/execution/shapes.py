"""Shapes that execution hands to the instruments, and what it makes of what comes back; pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl.plan import operations as o
from labctl.store import loop_column
from labctl.store.flags import Flags


def outside(op: o.Op) -> dict[str, float | int]:
    """Loop columns of an operation as they are outside it: NaN for a variable, -1 for an index or counter."""
    match op:
        case o.Repeat() | o.ForEach() | o.Until():
            return {name: np.nan if isinstance(value, float) else -1 for name, value in columns(op, 0, 0).items()}
        case _:
            return {}


def columns(op: o.Repeat | o.ForEach | o.Until, index: int, turn: int) -> dict[str, float | int]:
    """Loop columns of an operation in one of its passes: value ``index`` of the axis, ``turn`` of the counter."""
    if isinstance(op, o.Until) and op.search:
        return {loop_column(op.name): turn, loop_column(op.search.name): np.nan}
    if not isinstance(op, o.ForEach):
        return {loop_column(op.name): turn}
    counter = {loop_column(op.inner[0]): turn} if op.inner else {}
    return {loop_column(op.axis.name): float(op.axis.values[index]), f"{op.axis.name}_index": index, **counter}


@dataclass(frozen=True, slots=True)
class Asked:
    """Pulses with the values of the loop variables in place.

    Attributes:
        op: the pulses. arguments: of the driver's ``prepare_pulse`` or, unless they are plain, ``prepare_waveform``.
        columns: of their row; level and width are those of the part with the largest level. flags: of their row.
    """

    op: o.Pulses
    arguments: tuple[Any, ...]
    columns: dict[str, Any]
    flags: int


def asked(op: o.Pulses, variables: dict[str, float], limit: float) -> Asked:
    """What a driver is asked for, and what the row says of it; beyond ``limit`` (V) pulses are flagged."""
    base = op.base.at(variables)
    count = round(op.count.at(variables))
    levels = [part.level.at(variables) for part in op.parts]
    widths = op.widths(variables)
    edge = None if op.edge is None else o.on_grid(op.edge, op.grid)
    period = op.cycle_time(variables)
    cycles = 1 if op.each else count
    arguments: tuple[Any, ...]
    if op.plain:
        train = cycles > 1 or op.each
        arguments = levels[0], base, widths[0], edge, period if train else None, cycles
    else:
        arguments = *corners(levels, widths, base, edge or 0.0, op.pause(variables), op.shape), period, cycles
    level, width = max(zip(levels, widths, strict=True), key=lambda part: abs(part[0]))
    columns = {
        "terminal": op.terminal,
        "role": op.role,
        "name": op.name,
        "level": level,
        "width": width,
        "base": base,
        "count": count,
        "period": period,
    }
    beyond = Flags.BEYOND_ORDINARY_LIMIT if abs(level) > limit else 0
    return Asked(op, arguments, columns, int(beyond | (Flags.FAST_EDGES if op.fast_edges else 0)))


def corners(
    levels: list[float], widths: list[float], base: float, edge: float, gap: float, shape: str
) -> tuple[list[float], list[float]]:
    """Corner points (s, V) of one cycle: the pulses one after the other with ``gap`` between their feet.

    A rectangle's width is at half height; triangles and ramps take their width from foot to foot.
    """
    times, volts = [0.0], [base]

    def go(duration: float, volt: float) -> None:
        times.append(times[-1] + duration)
        volts.append(volt)

    for level, width in zip(levels, widths, strict=True):
        if shape == "rectangular":
            go(edge, level)
            go(width - edge, level)
            go(edge, base)
        elif shape == "triangle":
            go(width / 2, level)
            go(width / 2, base)
        else:
            go(width, level)
            go(0.0, base)
        go(gap, base)
    return times, volts
