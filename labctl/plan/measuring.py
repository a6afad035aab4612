"""Lowering of what is read: resistances, currents, sweeps, records."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from labctl.plan import operations as o
from labctl.plan.errors import PlanError
from labctl.plan.routing import Routes
from labctl.plan.sources import Source, Sources
from labctl.plan.values import Values, reach
from labctl.protocol import steps as s

LEAKAGE_COMPLIANCE = 100e-9  # of a terminal that is only held, unless the protocol says more (reference 3.4)


class Measuring:
    """Meters found by what they can do; the switching before them."""

    def __init__(self, sources: Sources, routes: Routes, values: Values) -> None:
        self._sources = sources
        self._routes = routes
        self._values = values

    def resistance(self, step: s.Read, terminal: str, node: int, name: str) -> list[o.Op]:
        source = self._sources.find(terminal, "sweep", where=str(step.where), prefer=self._routes.now.get(terminal))
        read = o.ReadResistance(
            node,
            source.name,
            terminal,
            name,
            self._values.value(step.window),
            self._values.count(step.points, step, "points"),
            step.side,
            step.direction,
            self._meter(step),
        )
        return [*self._routes.connect(source, node), *self._routes.close_loop(source, node), read]

    def current(self, step: s.Read, node: int) -> list[o.Op]:
        assert step.current is not None
        compliance = self._values.number(step.compliance, step, "compliance")
        ops, stations = self._stations(step, node, step.current, step.bias, dict.fromkeys(step.current, compliance))
        read = o.ReadCurrent(
            node,
            step.label,
            stations,
            self._values.count(step.samples, step, "samples"),
            None if step.interval is None else self._values.number(step.interval, step, "interval"),
            self._values.number(step.nplc, step, "nplc"),
            self._values.seconds(step.delay, step, "delay"),
        )
        return [*ops, read]

    def sweep(self, step: s.Sweep, node: int) -> list[o.Op]:
        measured = tuple(step.measure or (step.at,))
        limits = step.compliance
        terminals = {step.at, *measured}
        compliance = (
            {t: self._values.number(v, step, "compliance") for t, v in limits.items()}
            if isinstance(limits, dict)
            else dict.fromkeys(terminals, self._values.number(limits, step, "compliance"))
        )
        ops, stations = self._stations(step, node, measured, step.bias, compliance, swept=step.at)
        sweep = o.Sweep(
            node,
            step.label,
            self._staircase(step),
            step.mode == "cyclic",
            stations,
            self._values.number(step.nplc, step, "nplc"),
            self._values.seconds(step.hold, step, "hold"),
            None if step.delay is None else self._values.number(step.delay, step, "delay"),
            self._values.seconds(step.dwell, step, "dwell"),
            step.on_compliance,
        )
        return [*ops, sweep]

    def record(self, step: s.Sample, node: int, body: tuple[o.Op, ...]) -> list[o.Op]:
        """During pulses by the fast unit that plays them; for a time by SMUs."""
        pulses = [op for op in body if isinstance(op, o.Pulses)]
        if step.during and len(pulses) != 1:
            raise PlanError("a record is taken during one pulse or train", str(step.where), "put each into its own")
        interval = self._values.number(step.interval, step, "interval")
        window = interval if step.window is None else self._values.number(step.window, step, "window")
        compliance = 1e-6 if step.compliance is None else self._values.number(step.compliance, step, "compliance")
        unit = pulses[0].source.partition(".")[0] if pulses else None
        ops, stations = self._stations(
            step, node, step.current, step.bias, dict.fromkeys(step.current, compliance), unit=unit
        )
        played = tuple(op for op in body if isinstance(op, o.Pulses | o.Wait))
        if pulses and played[0] is not pulses[0]:
            raise PlanError(
                "a record begins with its pulses", str(step.where), "wait before the record, or after the pulses"
            )
        duration, last = self._values.optional(step.duration), self._values.optional(step.last)
        grid = pulses[0].grid if pulses else 0.0
        record = o.Record(node, step.label, stations, interval, window, duration, played, last, grid)
        switching = [op for op in body if op not in played]
        return [*switching, *ops, record]

    # --- stations -------------------------------------------------------------

    def _stations(
        self,
        step: s.Read | s.Sweep | s.Sample,
        node: int,
        measured: tuple[str, ...],
        bias: Mapping[str, s.Quantity | s.Ref],
        compliance: Mapping[str, float],
        swept: str | None = None,
        unit: str | None = None,
    ) -> tuple[list[o.Op], tuple[o.Station, ...]]:
        """A source for every terminal that is swept, measured or held, and the switching to it.

        A terminal that is only held keeps a pulse source that is on it; ``unit`` is the instrument that must measure.
        """
        terminals = dict.fromkeys([*([swept] if swept else []), *measured, *bias])
        ops: list[o.Op] = []
        stations = []
        for terminal in terminals:
            if self._sources.is_common(terminal):
                if terminal == swept or terminal in measured:
                    raise PlanError(
                        f"{terminal!r} is wired to common: no source sweeps it or measures its current", str(step.where)
                    )
                self._at_zero(step, terminal, bias)
                continue
            source = self._source(step, terminal, terminal == swept or terminal in measured, bias.get(terminal), unit)
            ops += [*self._routes.connect(source, node), *self._routes.close_loop(source, node)]
            level = None if terminal == swept else self._values.value(bias.get(terminal, s.Quantity(0.0, "V")))
            range_ = None if step.range == "auto" else self._values.number(step.range, step, "range")
            is_measured = terminal in measured
            stations.append(
                o.Station(
                    terminal,
                    source.name,
                    level,
                    compliance.get(terminal, LEAKAGE_COMPLIANCE),
                    range_ if is_measured else None,
                    is_measured,
                )
            )
        return ops, tuple(stations)

    def _source(
        self, step: s.Step, terminal: str, measures: bool, level: s.Quantity | s.Ref | None, unit: str | None
    ) -> Source:
        present = self._routes.now.get(terminal)
        if not measures and present is not None and self._sources.named(present).can("pulse"):
            return self._sources.named(present)
        ends = (step.start, step.stop, *step.values) if isinstance(step, s.Sweep) and terminal == step.at else (level,)
        ability = "sample" if unit else "sweep"
        return self._sources.find(
            terminal, ability, where=str(step.where), reach=max(map(reach, ends)), prefer=present, instrument=unit
        )

    def _at_zero(self, step: s.Step, terminal: str, bias: Mapping[str, s.Quantity | s.Ref]) -> None:
        level = bias.get(terminal)
        if level is not None and not (isinstance(level, s.Quantity) and level.value == 0):
            raise PlanError(f"{terminal!r} is wired to common: it can only be at 0 V", str(step.where))

    def _meter(self, step: s.Read) -> o.Meter:
        return o.Meter(
            compliance=self._values.number(step.compliance, step, "compliance"),
            range=None if step.range == "auto" else self._values.number(step.range, step, "range"),
            nplc=self._values.number(step.nplc, step, "nplc"),
            delay=None if step.delay is None else self._values.number(step.delay, step, "delay"),
        )

    def _staircase(self, step: s.Sweep) -> tuple[o.Value, ...]:
        """Levels in order; a sweep from and to given ends may not depend on loop variables."""
        if step.values:
            levels = [self._values.value(level) for level in step.values]
        else:
            assert isinstance(step.start, s.Quantity | s.Ref)
            assert isinstance(step.stop, s.Quantity | s.Ref)
            start, stop = (self._values.value(end) for end in (step.start, step.stop))
            if start.name or stop.name:
                raise PlanError("the ends of a sweep cannot be variables of a loop", str(step.where), "use 'values'")
            if step.points is not None:
                count = self._values.count(step.points, step, "points")
            else:
                assert step.step is not None
                distance = abs(self._values.value(step.step).constant)
                count = round(abs(stop.constant - start.constant) / distance) + 1
            spaced = np.geomspace if step.spacing == "log" else np.linspace
            levels = [o.Value(float(v)) for v in spaced(start.constant, stop.constant, count)]
        return tuple(levels)
