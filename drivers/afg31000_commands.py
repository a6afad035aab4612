"""Commands of the AFG31000 that take one output from one pulse to another. Pure functions: shapes in, text out.

The order matters in each of them, and is said where it does. ``n`` is the number of the output.
"""

from __future__ import annotations

from drivers.afg31000_models import PulseShape, level_order
from drivers.wire import number

Levels = tuple[float, float]  # (low, high), V


def polarity(shape: PulseShape) -> str:
    """Inverted for a pulse downwards: mirrored about the offset, the output rests at the high level."""
    return "INV" if shape.inverted else "NORM"


def timing(n: str, shape: PulseShape) -> list[str]:
    """Pulse function and times, whatever they were.

    The period precedes the width, for with HOLD DUTY (the default) it rescales the width. The edges are the
    shortest meanwhile and the duty cycle 50 %, so that no step on the way conflicts.
    """
    pulse = f"SOUR{n}:PULS"
    return [
        f"SOUR{n}:FUNC PULS",
        f"{pulse}:DEL 0",
        f"{pulse}:TRAN:LEAD MIN",
        f"{pulse}:TRAN:TRA MIN",
        f"{pulse}:HOLD DUTY",
        f"{pulse}:DCYC 50",
        f"{pulse}:PER {number(shape.period)}",
        f"{pulse}:HOLD WIDT",
        f"{pulse}:WIDT {number(shape.width)}",
        *_edges(n, shape),
    ]


def timing_changes(n: str, known: PulseShape, shape: PulseShape) -> list[str]:
    """Width and edges that differ: edges first if they shrink, last if they grow, so that both always fit."""
    width = [f"SOUR{n}:PULS:WIDT {number(shape.width)}"] if shape.width != known.width else []
    edges = _edges(n, shape) if shape.edge != known.edge else []
    return edges + width if (shape.edge or 0.0) < (known.edge or 0.0) else width + edges


def levels(n: str, present: Levels, wanted: Levels, min_amplitude: float) -> list[str]:
    """From the levels ``present`` to those ``wanted``, high above low at every step."""
    order = level_order(present, wanted, min_amplitude)
    return [f"SOUR{n}:VOLT:{name} {number(level)}" for name, level in order]


def level_changes(n: str, known: PulseShape, shape: PulseShape, min_amplitude: float) -> list[str]:
    """From one pulse's levels to another's, the output resting at a base all the way.

    Before the polarity changes, the far level is brought next to the idle one: the polarity exchanges the two, and
    the output moves by twice the smallest amplitude at most.
    """
    present = (known.low, known.high)
    wanted = (shape.low, shape.high)
    if known.inverted == shape.inverted:
        return levels(n, present, wanted, min_amplitude)
    near = min(2 * min_amplitude, known.high - known.low)
    collapsed = (known.high - near, known.high) if known.inverted else (known.low, known.low + near)
    return [
        *levels(n, present, collapsed, min_amplitude),
        f"OUTP{n}:POL {polarity(shape)}",
        *levels(n, collapsed, wanted, min_amplitude),
    ]


def arming(n: str, count: int) -> list[str]:
    """Burst of ``count`` cycles on *TRG or the external input, idle at the waveform's first point.

    The source is external before the burst is enabled, which would run free otherwise. Then it is toggled, without
    which some units do not trigger; the single cycle that this may start leaves with the output off.
    """
    burst = f"SOUR{n}:BURS"
    return [
        "TRIG:SOUR EXT",
        f"{burst}:MODE TRIG",
        f"{burst}:NCYC 1",
        f"{burst}:TDEL 0",
        f"{burst}:IDLE START",
        f"{burst}:STAT ON",
        "TRIG:SOUR TIM",
        "TRIG:SOUR EXT",
        f"{burst}:NCYC {count}",
    ]


def _edges(n: str, shape: PulseShape) -> list[str]:
    edge = "MIN" if shape.edge is None else number(shape.edge)
    return [f"SOUR{n}:PULS:TRAN:LEAD {edge}", f"SOUR{n}:PULS:TRAN:TRA {edge}"]
