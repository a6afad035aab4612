"""Sweeps that run into compliance: what the protocol wants then, and what a stopped run says.

In compliance the terminal is not at the level that the protocol asks for, so the rest of the curve is of something
else. The instrument ends such a sweep by itself at the first point; what it measured is kept, with its flags.
"""

from __future__ import annotations

from collections.abc import Mapping

from labctl.execution.meters import Points
from labctl.plan import operations as o
from labctl.protocol import units


def end_of_sweep(op: o.Sweep, curves: Mapping[str, Points]) -> str:
    """Why a sweep that accepts no compliance was ended, and what to do; '' if it came to its end or accepts it."""
    if op.on_compliance != "stop":
        return ""
    swept = op.stations[0].terminal
    limits = {s.terminal: s.compliance for s in op.stations}
    limited = [terminal for terminal, points in curves.items() if points.compliance.any()]
    held = [terminal for terminal in limits if terminal not in curves]
    if not limited and any(points.other.any() for points in curves.values()):
        limited = held
    accept = "or accept it with 'on_compliance: flag'"
    if limited:
        told = " or ".join(f"{units.text(limits[terminal], 'A')} of {terminal}" for terminal in limited)
        advice = f"raise it if the device bears that, give 'hold' if a cable charges at the first level, {accept}"
        return f"sweep '{op.name}' ran into the compliance {told} at {_last(curves, limited)} on {swept}; {advice}"
    if all(len(points.set) == op.length for points in curves.values()):
        return ""
    beyond = [terminal for terminal, points in curves.items() if points.overflow.any()] or list(curves)
    advice = f"take a larger 'range' or 'auto', {accept}"
    return (
        f"sweep '{op.name}' was ended by the instrument: the current of {' or '.join(beyond)} passed its range at "
        f"{_last(curves, beyond)} on {swept}; {advice}"
    )


def _last(curves: Mapping[str, Points], terminals: list[str]) -> str:
    """Level of the first bad point of the terminals: the last one, unless the instrument does not end sweeps itself."""
    points = curves[terminals[0]] if terminals[0] in curves else next(iter(curves.values()))
    bad = (points.compliance | points.other | points.overflow).nonzero()[0]
    return units.text(float(points.set[bad[0] if len(bad) else -1]), "V")
