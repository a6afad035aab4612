"""Shapes that execution hands to the instruments, and what it makes of what comes back; pure functions."""

from __future__ import annotations

import numpy as np

from labctl.plan import operations as o
from labctl.store import loop_column


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
