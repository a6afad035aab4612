"""What acts on instruments: one operation of a plan carried out, and the rows that it leaves.

Nothing here knows of loops, states or earlier readings; that is the executor's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from labctl.bench.opening import OpenBench
from labctl.execution import meters
from labctl.execution.compliance import end_of_sweep
from labctl.execution.events import StopRun, Trace
from labctl.execution.shapes import Asked, asked
from labctl.numerics import fit_resistance
from labctl.plan import operations as o
from labctl.plan.findings import ROUNDING
from labctl.plan.shapes import staircase
from labctl.protocol import units
from labctl.store.flags import Flags

Variables = dict[str, float]

#: pulses that are kept as they were worked out
_MOST_KNOWN = 1000


class Found(NamedTuple):
    """What one row of the table ``kind`` will hold beside time, state and loops; ``node``: the step it belongs to."""

    kind: str
    node: int
    flags: int
    measured: dict[str, Any]
    trace: Trace | None = None


class Aborted(StopRun):
    """An operation ended before its time, by a limit that the protocol gave it; ``rows`` holds what it left."""

    def __init__(self, why: str, rows: list[Found]) -> None:
        super().__init__(why)
        self.rows = rows


class Acting:
    """The acting operations of a plan on one opened bench; times in rows count from ``start`` (s, bench clock)."""

    def __init__(self, bench: OpenBench, start: float) -> None:
        self._bench = bench
        self._clock = bench.clock
        self._start = start
        self._known: dict[tuple[Any, ...], Asked] = {}
        self._actions: dict[type[o.Op], Callable[[Any, Variables], list[Found]]] = {
            o.Pulses: self._pulses,
            o.ReadResistance: self._read,
            o.ReadCurrent: self._current,
            o.Sweep: self._sweep,
            o.Record: self._record,
            o.Bias: self._bias,
        }

    def carry_out(self, op: o.Op, variables: Variables) -> list[Found]:
        """Do it and return its rows, as many as ``rows_of`` says.

        Raises:
            Aborted: it ended early, and left rows all the same; errors of the instruments pass through.
        """
        return self._actions[type(op)](op, variables)

    # --- stimuli --------------------------------------------------------------

    def _pulses(self, op: o.Pulses, variables: Variables) -> list[Found]:
        channel = self._bench.channel(op.source)
        programmed = self.prepare(op, variables)
        channel.output(True)
        self._bench.true_extremes()
        for _ in range(round(op.count.at(variables)) if op.each else 1):
            self._bench.instruments[op.source.partition(".")[0]].trigger()
            self._clock.sleep(channel.burst_duration)
        return [self.pulse_row(op, variables, programmed, self._extreme(op.terminal))]

    def prepare(self, op: o.Pulses, variables: Variables) -> Any:
        """Program the pulses; nothing is driven yet."""
        channel = self._bench.channel(op.source)
        if op.fast_edges:
            channel.allow_fast_edges = True
        program = channel.prepare_pulse if op.plain else channel.prepare_waveform
        return program(*self._asked(op, variables).arguments)

    def pulse_row(self, op: o.Pulses, variables: Variables, programmed: Any, extreme: float) -> Found:
        """Row of pulses that were played; ``extreme``: voltage that the device saw, if that is known."""
        wanted = self._asked(op, variables)
        measured = {
            **wanted.columns,
            "set_high": programmed.set_high,
            "set_low": programmed.set_low,
            "reported_high": programmed.reported_high,
            "reported_low": programmed.reported_low,
            "true_extreme": extreme,
        }
        return Found("pulse", op.node, wanted.flags, measured)

    def _asked(self, op: o.Pulses, variables: Variables) -> Asked:
        """Worked out once for each value of the loop variables, for trials repeat them."""
        key = (id(op), *variables.items())  # what is kept holds its operation, so that the id stays its own
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            limit = self._bench.description.device.limits.voltage.get(op.terminal, np.inf)
            self._known[key] = asked(op, variables, limit * (1 + ROUNDING))
        return self._known[key]

    def _extreme(self, terminal: str) -> float:
        """Voltage of the largest magnitude on a terminal since extremes were asked for last."""
        return self._bench.true_extremes().get(terminal, np.nan)

    def _bias(self, op: o.Bias, variables: Variables) -> list[Found]:
        level = op.level.at(variables)
        self._bench.true_extremes()
        done = self._bench.channel(op.source).bias(
            level,
            op.duration.at(variables),
            ramp=abs(level) / op.ramp.at(variables) if op.ramp else 0.0,
            compliance=op.compliance,
            abort_above=op.abort_above,
            grounded=[source.partition(".")[2] for source in op.grounded],
        )
        measured = {
            "terminal": op.terminal,
            "level": level,
            "start": done.start - self._start,
            "stop": done.stop - self._start,
            "max_current": done.max_current,
            "true_extreme": self._extreme(op.terminal),
        }
        trace = {"time": done.time, "current": done.amps, "status": np.asarray(done.status, np.int64)}
        rows = [Found("bias", op.node, 0 if done.complete else int(Flags.EXCLUDED), measured, trace)]
        if not done.complete:
            raise Aborted(f"the bias was aborted: {done.reason}", rows)
        return rows

    # --- readings -------------------------------------------------------------

    def _read(self, op: o.ReadResistance, variables: Variables) -> list[Found]:
        self._bench.true_extremes()
        levels = staircase(op.side, op.direction, op.points, op.window.at(variables))
        points = meters.resistance_points(self._bench, op, levels)
        return [self.resistance_row(op, points, self._extreme(op.terminal))]

    def resistance_row(self, op: o.ReadResistance, points: meters.Points, extreme: float) -> Found:
        """Row of a small I-V that was measured; ``extreme``: voltage that the device saw, if that is known."""
        fit = fit_resistance(points.volts, points.amps, points.status)
        measured = {
            "name": op.name,
            "terminal": op.terminal,
            "value": fit.resistance,
            "stderr": fit.stderr,
            "offset": fit.offset,
            "residual": fit.residual,
            "points": fit.points,
            "v_max": float(np.maximum.reduce(np.abs(points.volts))),
            "true_extreme": extreme,
            "range": points.range,
        }
        return Found("resistance", op.node, points.flags, measured, points.trace)

    def _current(self, op: o.ReadCurrent, variables: Variables) -> list[Found]:
        found = meters.samples(self._bench, op, op.samples, op.interval, op.nplc, op.delay, variables)
        true_voltages = self._bench.true_voltages()
        return [
            Found(
                "current",
                op.node,
                points.flags,
                {
                    "name": op.name,
                    "terminal": terminal,
                    "value": float(np.mean(points.amps)),
                    "std": float(np.std(points.amps, ddof=1)) if op.samples > 1 else np.nan,
                    "samples": op.samples,
                    "voltage": float(np.mean(points.volts)),
                    "true_voltage": true_voltages.get(terminal, np.nan),
                },
                points.trace,
            )
            for terminal, points in found.items()
        ]

    def _sweep(self, op: o.Sweep, variables: Variables) -> list[Found]:
        swept = op.stations[0].terminal
        held = {s.terminal: s.level.at(variables) for s in op.stations if s.level is not None}
        self._bench.true_extremes()
        found = meters.sweep(self._bench, op, variables)
        extreme = self._bench.true_extremes().get(swept, np.nan)
        bias = ", ".join(f"{name}={units.text(level, 'V')}" for name, level in held.items())
        rows = [
            Found(
                "sweep",
                op.node,
                points.flags,
                {
                    "name": op.name,
                    "terminal": swept,
                    "measured": terminal,
                    "points": len(points.set),
                    "true_extreme": extreme,
                    "bias": bias,
                },
                points.trace,
            )
            # figures are of the response: the current of the swept terminal itself comes last
            for terminal, points in sorted(found.items(), key=lambda curve: curve[0] == swept)
        ]
        if why := end_of_sweep(op, found):
            raise Aborted(why, rows)
        return rows

    def _record(self, op: o.Record, variables: Variables) -> list[Found]:
        rows = []
        if op.duration is not None:
            count = max(2, round(op.duration.at(variables) / op.interval))
            nplc = min(1.0, op.interval * self._bench.line_frequency / 2)
            found = meters.samples(self._bench, op, count, op.interval, nplc, 0.0, variables)
        else:
            pulses = next(inner for inner in op.body if isinstance(inner, o.Pulses))
            programmed = self.prepare(pulses, variables)
            self._bench.channel(pulses.source).output(True)
            self._bench.true_extremes()
            waits = sum(w.duration.at(variables) for w in op.body if isinstance(w, o.Wait))
            found = meters.record_during(self._bench, op, programmed.duration + waits, variables)
            rows.append(self.pulse_row(pulses, variables, programmed, self._extreme(pulses.terminal)))
        for terminal, points in found.items():
            measured = {
                "name": op.name,
                "terminal": terminal,
                "points": len(points.set),
                "interval": o.on_grid(op.interval, op.grid),
                "window": o.on_grid(op.window, op.grid),
                "range": points.range,
            }
            trace = {"time": points.time, "current": points.amps, "status": points.status}
            rows.append(Found("sample", op.node, points.flags, measured, trace))
        return rows


def rows_of(op: o.Op, variables: Variables) -> int:
    """Rows that an acting operation leaves: 0 for pulses whose count is 0, which are left out."""
    match op:
        case o.Pulses():
            return int(round(op.count.at(variables)) > 0)
        case o.ReadCurrent() | o.Sweep() | o.Record():
            measured = sum(station.measured for station in op.stations)
            return measured + (isinstance(op, o.Record) and op.duration is None)
        case _:
            return 1


def disturbs(op: o.Op) -> bool:
    """Whether the operation may change the device, and must not be repeated in silence; small readings do not."""
    if isinstance(op, o.Program):
        return any(disturbs(inner) for inner in o.walk(op.loop.body))
    return isinstance(op, o.Pulses | o.Bias | o.Sweep | o.Record | o.Program)
