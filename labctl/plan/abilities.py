"""What a plan asks of the instruments against what their drivers say they can do (F4, F28)."""

from __future__ import annotations

from math import inf
from typing import Any

from labctl.plan import operations as o
from labctl.plan.findings import Findings
from labctl.plan.sources import Sources

#: straight pieces of one pulse in a pattern, its pause included, by shape
_VECTORS = {"rectangular": 4, "triangle": 3, "ramp": 3}


class Abilities:
    """Checks of one operation at a time; what a driver does not state is not checked."""

    def __init__(self, sources: Sources, findings: Findings) -> None:
        self._sources = sources
        self._findings = findings

    # --- pulses ---------------------------------------------------------------

    def pulses(self, op: o.Pulses, ranges: o.Ranges, ends: list[float]) -> None:
        """Levels, widths, edges, period and count; ``ends``: all levels that may occur, base included."""
        self.window(op, op.source, (min(ends), max(ends)))
        able = self._able(op.source, "pulse")
        widths = [part.width.bounds(ranges) for part in op.parts]
        shortest, longest = min(w[0] for w in widths), max(w[1] for w in widths)
        at_least, at_most = self._findings.at_least, self._findings.at_most
        at_least(op, "width", op.source, "minimum pulse width of the model", able["min_width"], shortest)
        at_most(op, "width", op.source, "maximum pulse width", able["max_width"], longest)
        if op.edge is not None:
            share = able.get("edges", {}).get("max_of_width", 1.0)
            at_most(op, "edge", op.source, f"edge within {share:.0%} of the pulse width", share * shortest, op.edge)
            at_least(op, "edge", op.source, "shortest edge", able.get("edges", {}).get("min", 0.0), op.edge)
        name, smallest = "smallest amplitude", able.get("min_amplitude", 0.0)
        for level in (part.level for part in op.parts if not part.level.name and not op.base.name):
            at_least(op, "amplitude", op.source, name, smallest, abs(level.constant - op.base.constant))
        count = op.count.bounds(ranges)[1]
        most = self._able(op.source, "burst").get("max_count", inf)
        at_most(op, "pulses", op.source, "cycles of one burst; repeat a shorter one", most, count)
        self._period(op, ranges, widths, count)
        self._fast_unit(op, able, ends, shortest)

    def _period(self, op: o.Pulses, ranges: o.Ranges, widths: list[tuple[float, float]], count: float) -> None:
        """A cycle that is repeated: long enough for its pulses, and for the instrument."""
        if op.period is None or count <= 1:
            return
        needed = sum(w[1] + (op.edge or 0.0) for w in widths) + op.gap.bounds(ranges)[1] * (len(widths) - 1)
        shortest, longest = op.period.bounds(ranges)
        able = self._able(op.source, "pulse" if len(widths) == 1 and op.shape == "rectangular" else "arbitrary")
        self._findings.at_least(op, "period", op.source, "period that holds its pulses", needed, shortest)
        self._findings.at_least(op, "period", op.source, "shortest period", able.get("min_period", 0.0), shortest)
        self._findings.at_most(op, "period", op.source, "longest period", able.get("max_period", inf), longest)

    def _fast_unit(self, op: o.Pulses, able: dict[str, Any], ends: list[float], shortest: float) -> None:
        """Limits that only some pulse sources have: recommended edges, ranges of one sign."""
        worst = max(map(abs, ends))
        recommended = able.get("edges", {}).get("recommended", {})
        edge = able.get("default_edge", 0.0) if op.edge is None else op.edge
        if op.shape != "rectangular":
            edge = shortest / 2 if op.shape == "triangle" else shortest
        slowest = recommended.get("+10 V" if worst > able.get("one_sign_above", worst) else "5 V", 0.0)
        if not op.fast_edges:
            name = "recommended edge; a block 'allow: fast_edges' accepts faster ones"
            self._findings.at_least(op, "edge", op.source, name, slowest, edge)
        most = self._able(op.source, "arbitrary").get("vectors", inf)
        name = "vectors of a pattern; repeat a shorter one, or split it"
        self._findings.at_most(op, "vectors", op.source, name, most, len(op.parts) * _VECTORS[op.shape])
        one_sign = able.get("one_sign_above")
        if one_sign is not None and worst > one_sign and min(ends) < 0 < max(ends):
            other = min(max(ends), -min(ends))
            self._findings.violate(op, "voltage", op.source, f"levels of one sign beyond {one_sign:g} V", 0.0, other)

    # --- measurements and biases ----------------------------------------------

    def station(self, op: o.ReadCurrent | o.Record | o.Sweep, station: o.Station, ends: tuple[float, float]) -> None:
        """One terminal of a measurement, whether swept, held or measured."""
        self._range(op, station)
        if isinstance(op, o.Record):
            self._record(op, station)
        if not self._sources.named(station.source).can("sweep"):
            self.window(op, station.source, ends)
            return
        nplc = op.nplc if isinstance(op, o.Sweep | o.ReadCurrent) else None
        if isinstance(op, o.Sweep):
            self.meter(op, station.source, "sweep", station.compliance, ends, nplc, len(op.levels))
        else:
            points = op.samples if isinstance(op, o.ReadCurrent) else None
            self.meter(op, station.source, "sample", station.compliance, ends, nplc, points)

    def _range(self, op: o.Op, station: o.Station) -> None:
        """A fixed current range that the meter has."""
        ranges = self._able(station.source, "sample").get("current_ranges", ())
        if station.measured and station.range is not None and ranges:
            self._findings.at_most(op, "range", station.source, "largest current range", max(ranges), station.range)

    def _record(self, op: o.Record, station: o.Station) -> None:
        """What is recorded while another channel plays."""
        name = "averaging within the interval of the points"
        self._findings.at_most(op, "window", station.source, name, op.interval, op.window)
        if any(isinstance(inner, o.Pulses) and inner.source == station.source for inner in op.body):
            name = "one channel cannot play pulses and hold a level for a measurement"
            self._findings.violate(op, "sources", station.source, name, 1.0, 2.0)

    def meter(
        self,
        op: o.Op,
        source: str,
        ability: str,
        compliance: float,
        ends: tuple[float, float],
        nplc: float | None = None,
        points: int | None = None,
    ) -> None:
        """Level, compliance, integration time and number of points of an SMU."""
        able, volts = self._able(source, ability), max(map(abs, ends))
        self.window(op, source, ends)
        most = min(
            [
                able.get("max_current", inf),
                *[amps for reach, amps in able.get("envelope", ()) if volts <= reach * (1 + 1e-9)][:1],
            ]
        )
        self._findings.at_most(op, "compliance", source, f"largest compliance at {volts:g} V", most, compliance)
        least = able.get("min_compliance", 0.0)
        self._findings.at_least(op, "compliance", source, "smallest compliance", least, compliance)
        shortest, longest = able.get("nplc", (0.0, inf))
        if nplc is not None:
            self._findings.at_least(op, "nplc", source, "shortest integration", shortest, nplc)
            self._findings.at_most(op, "nplc", source, "longest integration", longest, nplc)
        if points is not None:
            self._findings.at_most(
                op, "points", source, "points of one measurement", able.get("max_points", inf), points
            )

    def window(self, op: o.Op, source: str, ends: tuple[float, float]) -> None:
        """Levels inside what the source can give at all."""
        ability = "sweep" if self._sources.named(source).can("sweep") else "pulse"
        able = self._able(source, ability)
        through_rsu = self._sources.named(source).connection.rsu is not None
        low, high = able.get("rsu_window", able["window"]) if through_rsu else able["window"]
        if ends[0] < low:
            self._findings.violate(op, "voltage", source, "lowest open-circuit voltage", abs(low), ends[0])
        if ends[1] > high:
            self._findings.violate(op, "voltage", source, "highest open-circuit voltage", high, ends[1])

    def _able(self, source: str, ability: str) -> dict[str, Any]:
        capability: dict[str, Any] = self._sources.named(source).capabilities.get(ability, {})
        return capability
