"""What each terminal will see, drawn from a plan: loops folded and bracketed, limits as lines, reads marked.

Time is not to scale (a wait of a second beside a pulse of 100 us): every operation has one slot, with its true
duration written under it. Where a level depends on a loop, the band between its smallest and largest value is filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.plan import operations as o
from labctl.plan.plan import Plan
from labctl.plan.text import quantity
from labctl.report.style import save

if TYPE_CHECKING:
    from labctl.bench.description import BenchDescription

PULSE, READ, LIMIT = "#0072B2", "#E69F00", "#D55E00"  # colour-blind safe


@dataclass
class Slots:
    """Drawn operations so far: (kind, low, high, label) per slot; loops as (first, last, depth, label)."""

    drawn: list[tuple[str, tuple[float, float], str]] = field(default_factory=list)
    loops: list[tuple[int, int, int, str]] = field(default_factory=list)
    depth: int = 0

    def visit(self, ops: Sequence[o.Op], terminal: str, ranges: o.Ranges) -> None:
        for op in ops:
            match op:
                case o.Pulses() if op.terminal == terminal:
                    for part in op.parts:
                        width = quantity(part.width.bounds(ranges)[1], "s")
                        times = f" x{op.count.bounds(ranges)[1]:g}" if op.count != o.Value(1.0) else ""
                        self.drawn.append(("pulse", part.level.bounds(ranges), width + times))
                case o.ReadResistance() if op.terminal == terminal:
                    window = op.window.bounds(ranges)[1]
                    self.drawn.append(("read", (-window, window), op.name))
                case o.ReadCurrent() | o.Sweep() | o.Record():
                    for station in op.stations:
                        if station.terminal == terminal:
                            swept = op.levels if isinstance(op, o.Sweep) else ()
                            levels = swept if station.level is None else (station.level,)
                            ends = [end for level in levels for end in level.bounds(ranges)]
                            kind = "sweep" if station.level is None else "read"
                            self.drawn.append((kind, (min(ends), max(ends)), op.name))
                    self.visit(o.bodies(op), terminal, ranges)
                case o.Bias() if op.terminal == terminal:
                    low, high = op.level.bounds(ranges)
                    self.drawn.append(("pulse", (low, high), quantity(op.duration.bounds(ranges)[1], "s")))
                case o.EnterState() | o.Program():
                    self.visit(o.bodies(op), terminal, ranges)
                case o.Repeat() | o.ForEach() | o.Until() | o.Allowed():
                    inner = ranges | op.ranges() if isinstance(op, o.ForEach | o.Until) else ranges
                    first = len(self.drawn)
                    self.depth += 1
                    self.visit(op.body, terminal, inner)
                    self.depth -= 1
                    if len(self.drawn) > first and not isinstance(op, o.Allowed):
                        self.loops.append((first, len(self.drawn) - 1, self.depth, loop_words(op, ranges)))
                case _:
                    pass


def loop_words(op: o.Repeat | o.ForEach | o.Until, ranges: o.Ranges) -> str:
    match op:
        case o.Repeat():
            return f"x {op.count.bounds(ranges)[1]:g} ({op.name})"
        case o.ForEach():
            ends = (quantity(v, op.axis.unit) for v in (min(op.axis.values), max(op.axis.values)))
            return f"{op.axis.name}: {len(op.axis.values)} values {' .. '.join(ends)}, {op.order}"
        case o.Until():
            return f"until, at most {op.at_most}"


def plan_figure(plan: Plan, bench: BenchDescription) -> Any:
    """A matplotlib figure with one panel per terminal of the plan's envelope."""
    from matplotlib.figure import Figure

    terminals = list(plan.envelope) or ["(no terminal is driven)"]
    found = {terminal: Slots() for terminal in terminals}
    for terminal, slots in found.items():
        slots.visit(plan.ops, terminal, {})
    longest = max(len(slots.drawn) for slots in found.values())
    figure = Figure(figsize=(min(16, 4 + 0.55 * longest), 3.4 * len(terminals) + 0.8), layout="constrained")
    axes = figure.subplots(len(terminals), 1, squeeze=False)[:, 0]
    for axis, (terminal, slots) in zip(axes, found.items(), strict=True):
        draw_terminal(axis, slots, terminal, bench)
    mark = "  -  SIMULATED" if bench.simulated else ""
    figure.suptitle(f"{plan.title}\nplan {plan.hash[:12]} on bench {plan.bench}{mark}", fontsize=10)
    return figure


def draw_terminal(axis: Any, slots: Slots, terminal: str, bench: BenchDescription) -> None:
    for slot, (kind, (low, high), label) in enumerate(slots.drawn):
        colour = PULSE if kind == "pulse" else READ
        if kind == "read" or kind == "sweep":
            axis.plot([slot + 0.2, slot + 0.8], [low, high], color=colour, lw=1.5, marker="|" if kind == "read" else "")
        else:
            x = [slot, slot + 0.35, slot + 0.35, slot + 0.65, slot + 0.65, slot + 1]
            for level in {low, high}:
                axis.plot(x, [0, 0, level, level, 0, 0], color=colour, lw=1.2)
            axis.fill_between([slot + 0.35, slot + 0.65], low, high, color=colour, alpha=0.25)
        axis.annotate(
            label, (slot + 0.5, 0), (0, -4), textcoords="offset points", rotation=90, ha="center", va="top", fontsize=6
        )
    top = max((abs(end) for _, ends, _ in slots.drawn for end in ends), default=1.0)
    limit = bench.device.limits.voltage.get(terminal)
    if limit is not None:
        for sign in (1, -1):
            axis.axhline(sign * limit, color=LIMIT, ls="--", lw=1)
        axis.annotate(
            f"device limit {limit:g} V", (0, limit), (2, 2), textcoords="offset points", fontsize=7, color=LIMIT
        )
        top = max(top, limit)
    deepest = max((depth for _, _, depth, _ in slots.loops), default=0)
    for first, last, depth, words in slots.loops:
        y = top * (1.15 + 0.16 * (deepest - depth))
        axis.plot(
            [first + 0.05, first + 0.05, last + 0.95, last + 0.95], [y - 0.05 * top, y, y, y - 0.05 * top], "k", lw=0.8
        )
        axis.annotate(words, ((first + last + 1) / 2, y), (0, 1), textcoords="offset points", ha="center", fontsize=7)
    axis.set_ylim(-1.15 * top, top * (1.3 + 0.16 * (deepest + 1)))
    axis.set_xlim(0, max(1, len(slots.drawn)))
    axis.set_xticks([])
    axis.set_xlabel("operations in order (time not to scale)")
    axis.set_ylabel(f"voltage at {terminal} (V)")


def save_plan_figure(plan: Plan, bench: BenchDescription, path: Path) -> None:
    """Write the figure; the ending of ``path`` says the format. StorageError, ExportError."""
    save(plan_figure(plan, bench), path, dpi=150)
