"""What the instruments' grids make of what a plan asks: levels, times, smallest currents, each with its error.

A loop's values are looked at together and the worst one is told; the values of a search are bounded by half a step.
Voltages are compared with the largest level of their operation, times with themselves. What the host times is told
apart: its delays are as long as the host makes them (F31).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from labctl.bench.description import BenchDescription
from labctl.plan import grids
from labctl.plan import operations as o
from labctl.plan.plan import HostTimed, Limit, Node, Rounding, Violation
from labctl.plan.programs import distinct, layout
from labctl.plan.shapes import staircase
from labctl.plan.sources import Sources
from labctl.protocol import units

Floats = NDArray[np.float64]

#: s, least and most that a command takes longer than expected on its way from the host (reference F31, assumed there)
HOST_JITTER = (2e-3, 20e-3)
#: relative error of a value that is on its grid but for the arithmetic
_EXACT = 1e-9


@dataclass(frozen=True)
class _Asked:
    """Values that an operation asks for; ``search``: the ends of a span, of which any value may be asked."""

    values: Floats
    search: bool = False

    @property
    def largest(self) -> float:
        return float(np.max(np.abs(self.values), initial=0.0))


Taken = Mapping[str, _Asked]


def roundings(ops: Sequence[o.Op], sources: Sources, bench: BenchDescription) -> tuple[Rounding, ...]:
    """One entry per step, quantity and source, each with the worst of the values asked; exact ones too."""
    walk = _Walk(sources, bench)
    walk.visit(ops, {})
    return tuple(walk.found.values())


def host_timed(ops: Sequence[o.Op]) -> tuple[HostTimed, ...]:
    """Steps whose waits the host times, with the times asked; those inside a record or program are the instrument's."""
    found: dict[int, HostTimed] = {}
    for op, ranges in _waits(ops, {}):
        low, high = op.duration.bounds(ranges)
        before = found.get(op.node, HostTimed(op.node, low, high, *HOST_JITTER))
        found[op.node] = HostTimed(op.node, min(low, before.shortest), max(high, before.longest), *HOST_JITTER)
    return tuple(found.values())


def beyond(found: Sequence[Rounding], tolerance: float, nodes: Sequence[Node]) -> tuple[Violation, ...]:
    """A violation for every value that its grid misses by more than the ``tolerance`` of the protocol."""
    broken = []
    for rounding in found:
        if rounding.error > tolerance:
            asked, delivered = (units.text(v, rounding.unit) for v in (rounding.asked, rounding.delivered))
            name = f"tolerance of the protocol; {rounding.quantity} {asked} asked, {delivered} delivered"
            limit = Limit("rounding", rounding.source, name, tolerance)
            node = nodes[rounding.node]
            broken.append(Violation(rounding.node, node.text, node.where, limit, rounding.error))
    return tuple(broken)


def _waits(ops: Sequence[o.Op], ranges: o.Ranges) -> Iterator[tuple[o.Wait, o.Ranges]]:
    for op in ops:
        if isinstance(op, o.Wait):
            yield op, ranges
        elif not isinstance(op, o.Record | o.Program):
            inner = ranges | op.ranges() if isinstance(op, o.ForEach | o.Until) else ranges
            yield from _waits(o.bodies(op), inner)


class _Walk:
    """One walk over the operations; ``found`` by step, quantity and source."""

    def __init__(self, sources: Sources, bench: BenchDescription) -> None:
        self._sources = sources
        self._largest_resistance = bench.device.resistance[1] if bench.device.resistance else None
        self.found: dict[tuple[int, str, str], Rounding] = {}

    def visit(self, ops: Sequence[o.Op], taken: Taken) -> None:
        for op in ops:
            inner = taken
            match op:
                case o.ForEach():
                    inner = {**taken, op.axis.name: _Asked(np.array(op.axis.values))}
                case o.Until(search=o.Search() as search):
                    inner = {**taken, search.name: _Asked(np.array([search.start, search.stop]), search=True)}
                case o.Program():
                    self._program(op, taken)
                case o.Pulses():
                    self._pulses(op, taken)
                case o.ReadResistance():
                    self._resistance(op, taken)
                case o.ReadCurrent() | o.Sweep() | o.Record():
                    self._stations(op, taken)
                case o.Bias() | o.Hold():
                    self._levels(op, "level", op.source, [op.level], taken)
                case _:
                    pass
            self.visit(o.bodies(op), inner)

    # --- operations -----------------------------------------------------------

    def _pulses(self, op: o.Pulses, taken: Taken) -> None:
        levels = [part.level for part in op.parts]
        if op.grid:
            for name, value in (("gap", op.gap), ("period", op.period)):
                if value is not None:
                    self._times(op, name, op.source, value, taken, grids.Grid(op.grid))
            if op.edge is not None:
                self._times(op, "edge", op.source, o.Value(op.edge), taken, grids.Grid(op.grid))
        elif not op.plain:
            self._record(op, taken)
        grid = grids.Grid(op.grid) if op.grid else grids.time_grid(self._sources.named(op.source), "width")
        for part in op.parts if op.grid or op.plain else ():
            self._times(op, "width", op.source, part.width, taken, grid)
        self._levels(op, "level", op.source, levels, taken)
        self._levels(op, "base", op.source, [op.base], taken, self._all(levels, taken).largest)

    def _program(self, op: o.Program, taken: Taken) -> None:
        """Different pulses of a trial are played as one waveform: widths fall on its samples, levels on its codes."""
        pulses = distinct(op.loop.body)
        if len(pulses) < 2:
            return
        able = self._sources.named(pulses[0].source).capabilities["arbitrary"]
        ends = [(float(np.min(a.values)), float(np.max(a.values))) for a in taken.values()]
        for values in product(*ends):
            variables = dict(zip(taken, values, strict=True))
            played = layout(op.loop.body, variables, able["points"][1])
            levels = np.array([played.base, *(slot.level for slot in played.slots)])
            codes = grids.Grid(float(np.ptp(levels)) / able["full_scale"])
            delivered = codes.delivered(levels - levels.min()) + levels.min()
            for index, (slot, pulse) in enumerate(zip(played.slots, pulses, strict=True), 1):
                width = pulse.parts[0].width.at(variables)
                self._keep(pulse, "width", pulse.source, "s", width, slot.width, abs(slot.width / width - 1))
                one = slice(index, index + 1)
                scale = float(np.max(np.abs(levels)))
                self._worst(pulse, "sample level", pulse.source, "V", levels[one], delivered[one], scale)
            if pulses[0].edge:
                error = abs(played.edge / pulses[0].edge - 1)
                self._keep(pulses[0], "edge", pulses[0].source, "s", pulses[0].edge, played.edge, error)

    def _record(self, op: o.Pulses, taken: Taken) -> None:
        """Pulses played from a record of samples: corners fall on samples, levels between the ends on codes."""
        source = self._sources.named(op.source)
        firsts = {name: float(asked.values[0]) for name, asked in taken.items()}
        widths = [self._asked(part.width, taken).values for part in op.parts]
        times = np.cumsum([v for part in op.parts for v in (part.width.at(firsts), op.gap.at(firsts))]).tolist()
        shift, full_scale = grids.record_error(source, times, op.cycle_time(firsts))
        varies = any(value.name for part in op.parts for value in (part.width,)) or bool(op.gap.name)
        if varies:  # of a loop only the first cycle was looked at: the others may miss the samples by half of one
            shift = max(shift, op.cycle_time(firsts) / source.capabilities["arbitrary"]["points"][1] / 2)
        shortest = float(min(np.min(w) for w in widths))
        self._keep(op, "width", op.source, "s", shortest, shortest + shift, shift / shortest)
        spans = self._all([op.base, *(part.level for part in op.parts)], taken)
        step = float(np.ptp(spans.values)) / full_scale
        codes = grids.Grid(step)
        for asked in (self._asked(part.level, taken) for part in op.parts):
            inside = asked.values - float(np.min(spans.values))
            delivered = codes.delivered(inside) + float(np.min(spans.values))
            self._worst(op, "sample level", op.source, "V", asked.values, delivered, spans.largest)

    def _resistance(self, op: o.ReadResistance, taken: Taken) -> None:
        source = self._sources.named(op.source)
        windows = np.unique(np.abs(self._asked(op.window, taken).values))
        for window in windows.tolist():
            grid = grids.level_grid(source, window)
            if grid is not None:
                asked = staircase(op.side, op.direction, op.points, window)
                self._worst(op, "level", op.source, "V", asked, grid.delivered(asked), window)
        if self._largest_resistance is not None:
            smallest = float(windows[0]) / self._largest_resistance
            self._current(op, op.source, op.meter.range or smallest, op.meter.nplc, smallest)

    def _stations(self, op: o.ReadCurrent | o.Sweep | o.Record, taken: Taken) -> None:
        for station in op.stations:
            swept = op.levels if isinstance(op, o.Sweep) else ()
            levels = list(swept) if station.level is None else [station.level]
            self._levels(op, f"{station.terminal} level", station.source, levels, taken)
        first = op.stations[0].source
        source = self._sources.named(first)
        match op:
            case o.Sweep():
                for name, time in (("hold", op.hold), ("delay", op.delay)):
                    self._times(op, name, first, o.Value(time or 0.0), taken, grids.time_grid(source, name))
            case o.ReadCurrent() if op.interval is not None:
                grid = grids.time_grid(source, "interval", op.interval)
                self._times(op, "interval", first, o.Value(op.interval), taken, grid)
            case o.Record():
                grid = grids.Grid(op.grid) if op.grid else grids.time_grid(source, "interval", op.interval)
                self._times(op, "interval", first, o.Value(op.interval), taken, grid)
                if op.grid:
                    self._times(op, "window", first, o.Value(op.window), taken, grid)
            case _:
                pass

    # --- values ---------------------------------------------------------------

    def _asked(self, value: o.Value, taken: Taken) -> _Asked:
        if not value.name:
            return _Asked(np.array([value.constant]))
        found = taken[value.name]
        return _Asked(found.values * value.scale, found.search)

    def _all(self, values: Sequence[o.Value], taken: Taken) -> _Asked:
        asked = [self._asked(value, taken) for value in values]
        return _Asked(np.concatenate([a.values for a in asked]), any(a.search for a in asked))

    def _levels(
        self, op: o.Op, name: str, source: str, levels: Sequence[o.Value], taken: Taken, largest: float = 0.0
    ) -> None:
        asked = self._all(levels, taken)
        scale = max(asked.largest, largest)
        grid = grids.level_grid(self._sources.named(source), scale)
        if grid is not None:
            self._worst(op, name, source, "V", asked.values, self._set(asked, grid), scale)

    def _times(self, op: o.Op, name: str, source: str, value: o.Value, taken: Taken, grid: grids.Grid | None) -> None:
        asked = self._asked(value, taken)
        if grid is not None:
            self._worst(op, name, source, "s", asked.values, self._set(asked, grid), None)

    def _current(self, op: o.Op, source: str, full_scale: float, nplc: float, smallest: float) -> None:
        """The smallest current expected at the edge of a reading, and the nearest that its range resolves."""
        resolution = grids.current_resolution(self._sources.named(source), full_scale, nplc)
        if resolution is not None and smallest:
            asked = np.array([smallest])
            self._worst(op, "current read", source, "A", asked, grids.Grid(resolution).delivered(asked), None)

    def _set(self, asked: _Asked, grid: grids.Grid) -> Floats:
        """What the values become; of a search, a value that lies between two steps is assumed."""
        if asked.search:
            return asked.values + grid.steps(asked.values) * (1.0 if grid.up else 0.5)
        return grid.delivered(asked.values)

    def _worst(
        self, op: o.Op, name: str, source: str, unit: str, asked: Floats, delivered: Floats, scale: float | None
    ) -> None:
        """Keep the value with the largest error, as a fraction of ``scale`` or of the value itself."""
        against = np.abs(asked) if scale is None else np.full(asked.shape, scale)
        errors = np.divide(np.abs(delivered - asked), against, out=np.zeros(asked.shape), where=against > 0)
        worst = int(np.argmax(errors))
        self._keep(op, name, source, unit, float(asked[worst]), float(delivered[worst]), float(errors[worst]))

    def _keep(self, op: o.Op, name: str, source: str, unit: str, asked: float, delivered: float, error: float) -> None:
        """Digits beyond what is told would differ between platforms, and the plan's hash with them."""
        error = float(f"{error:.6g}") if error > _EXACT else 0.0
        key = op.node, name, source
        if key not in self.found or error > self.found[key].error:
            told = float(f"{asked:.9g}"), float(f"{delivered:.9g}")
            self.found[key] = Rounding(op.node, source, name, unit, *told, error)
