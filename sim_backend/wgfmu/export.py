"""Text of ``exportAscii`` (reference b1530a sec. 7): patterns, events and sequences as CSV."""

from __future__ import annotations

from sim_backend.wgfmu import codes
from sim_backend.wgfmu.pattern import TICK, Pattern
from sim_backend.wgfmu.state import State


def export_text(state: State) -> str:
    """The whole set-up; times with 9 decimals, voltages with 6."""
    lines: list[str] = []
    for pattern in state.patterns.values():
        lines += _pattern(pattern)
    lines.append("#Channel,#Id,#Pattern,#Loop")
    for channel in sorted(state.sequences):
        lines += [f",{channel},{name},{loops}" for name, loops in state.sequences[channel]]
    return "\n".join(lines) + "\n"


def _pattern(p: Pattern) -> list[str]:
    lines = ["#Pattern,#Event,#Name,#Time,#Voltage"]
    lines += [f",,{p.name},{t * TICK:.9f},{v:.6f}" for t, v in zip(p.ticks, p.volts, strict=True)]
    if p.measures:
        lines.append("#Pattern,#Measure,#Name,#Time,#Points,#Interval,#Averaging,#Rawdata")
        lines += [
            f",,{e.name},{e.time * TICK:.9f},{e.points},{e.interval * TICK:.9f},{e.averaging * TICK:.9f},"
            f"{codes.DATA_RAW if e.raw else codes.DATA_AVERAGED}"
            for e in p.measures
        ]
    if p.ranges:
        lines.append("#Pattern,#Range,#Name,#Time,#Index")
        lines += [f",,{e.name},{e.time * TICK:.9f},{e.code}" for e in p.ranges]
    if p.triggers:
        lines.append("#Pattern,#TriggerOut,#Name,#Time,#Duration")
        lines += [f",,{e.name},{e.time * TICK:.9f},{e.duration * TICK:.9f}" for e in p.triggers]
    return lines
