"""What one run applied to its device: pulses, charge and time at each level, from its rows and the points behind them.

Programmed levels count, not measured ones: where an output sagged, the device saw less. Charge is a bound for pulses
and biases (level over the smallest resistance expected, largest current) and an integral for what was measured.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.bench.errors import BenchFileError
from labctl.bench.loading import parse_bench
from labctl.plan.dose import DIGITS, Dose, TerminalDose, levels
from labctl.protocol import units
from labctl.store import Flags, Run, RunFileError, loop_column
from labctl.store.content import Content, Points

Floats = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]

#: no current of this bench; what instruments give for an overflow is larger (9.9e37)
_NO_CURRENT = 1e3
_READ_BY = {"resistance": "ReadResistance", "current": "ReadCurrent", "sweep": "Sweep", "sample": "Record"}


@dataclass
class Applied:
    """Sums over a run: the dose, switchings per terminal, and seconds under bias per terminal."""

    pulses: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    beyond: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    charge: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    held: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    switchings: Counter[str] = field(default_factory=Counter)
    biased: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def dose(self) -> Dose:
        """The sums as a dose."""
        names = sorted({*self.pulses, *self.charge, *self.held})
        return Dose(
            {
                name: TerminalDose(
                    dict(self.pulses[name]), self.beyond[name], self.charge[name], levels(self.held[name])
                )
                for name in names
            }
        )

    def hold(self, terminal: str, volts: Any, seconds: Any) -> None:
        """Add times at levels; 0 V is no dose."""
        found, place = np.unique(np.round(np.abs(np.nan_to_num(np.atleast_1d(volts))), DIGITS), return_inverse=True)
        summed = np.bincount(place, np.broadcast_to(seconds, place.shape), len(found))
        self.held[terminal] += [(v, s) for v, s in zip(found.tolist(), summed.tolist(), strict=True) if v and s > 0]


def applied(run: Run, since: int = 0) -> Applied:
    """What the run applied from event number ``since`` on. RunFileError."""
    total = Applied()
    steps = _Steps(run.path, run.meta["plan"])
    with run.content() as content:
        table = _Tables(content, since)
        _count_pulses(total, table, steps, smallest_resistance(run.meta))
        for kind in _READ_BY:
            _count_readings(total, table, kind, steps)
        _count_biases(total, table)
        routes = table.columns("route", ("terminal",)).get("terminal", np.empty(0, object))
        total.switchings.update(Counter(map(str, routes.tolist())))
    return total


class _Tables:
    """A run's rows from an event on, column by column, and the points behind them: only what is asked is read."""

    def __init__(self, content: Content, since: int) -> None:
        self._content = content
        self._since = since
        self._kinds = {layout.kind: layout.index for layout in content.identity.layouts}

    def columns(self, kind: str, names: Collection[str]) -> Columns:
        """Columns of a kind, event numbers always among them; empty without such rows."""
        if kind not in self._kinds:
            return {}
        found = self._content.columns(self._kinds[kind], {"event", *names})
        own = found["event"] >= self._since
        return {name: values[own] for name, values in found.items()} if own.any() else {}

    def points(self, kind: str, channels: Sequence[str]) -> Iterator[Points]:
        """Points of all traces of a kind."""
        return self._content.points(self._kinds[kind], channels)


class _Steps:
    """Operations of a stored plan by name and node, and their values in the rows that came of them."""

    def __init__(self, path: Path, plan: Mapping[str, Any]) -> None:
        self._path = path
        self._found = {(op["op"], op.get("node")): op for op in _operations(plan.get("ops", []))}
        self.columns = {loop_column(name) for name in _variables(plan.get("ops", []))}

    def find(self, name: str, node: int) -> Mapping[str, Any]:
        """The operation that left the rows of a node. RunFileError: the plan has none."""
        if (name, node) not in self._found:
            raise RunFileError(
                f"{self._path}: rows of step {node}, for which its plan has no {name}",
                "the file was not written by 'labctl run', or is damaged: labctl verify",
            )
        return self._found[name, node]


def _operations(plain: Any) -> Iterator[dict[str, Any]]:
    """Every operation of a plan's plain data, wherever it stands."""
    if isinstance(plain, dict):
        if "op" in plain:
            yield plain
        plain = list(plain.values())
    for inner in plain if isinstance(plain, list) else ():
        yield from _operations(inner)


def _variables(plain: Any) -> Iterator[str]:
    """Names of the loop variables that values of a plan's plain data take."""
    if isinstance(plain, dict):
        if plain.get("name") and "scale" in plain:
            yield plain["name"]
        plain = list(plain.values())
    for inner in plain if isinstance(plain, list) else ():
        yield from _variables(inner)


def _value(plain: Mapping[str, Any], rows: Columns) -> Floats:
    """A value of the plan in every row: a number, or a loop variable times its scale."""
    if plain["name"]:
        return np.asarray(rows[loop_column(plain["name"])], np.float64) * float(plain["scale"])
    return np.full(len(rows["event"]), float(plain["constant"]))


def _by_step(rows: Columns) -> Iterator[tuple[int, Columns]]:
    for step in np.unique(rows["step"]).tolist() if rows else ():
        own = rows["step"] == step
        yield step, {name: values[own] for name, values in rows.items()}


def _count_pulses(total: Applied, table: _Tables, steps: _Steps, resistance: float | None) -> None:
    rows = table.columns("pulse", {"step", "count", "period", "flags", *steps.columns})
    for step, own in _by_step(rows):
        op = steps.find("Pulses", step)
        terminal, counts = op["terminal"], own["count"].astype(float)
        for part in op["parts"]:
            total.pulses[terminal][part.get("role") or op["role"]] += float(counts.sum())
        over = (own["flags"] & int(Flags.BEYOND_ORDINARY_LIMIT)) != 0
        total.beyond[terminal] += float(counts[over].sum()) * len(op["parts"])
        rest = counts * own["period"]
        for part in op["parts"]:
            seconds = counts * (_value(part["width"], own) + (op["edge"] or 0.0))
            _act(total, terminal, _value(part["level"], own), seconds, resistance)
            rest = rest - seconds
        _act(total, terminal, _value(op["base"], own), np.maximum(np.nan_to_num(rest), 0.0), resistance)


def _act(total: Applied, terminal: str, volts: Floats, seconds: Floats, resistance: float | None) -> None:
    total.hold(terminal, volts, seconds)
    if resistance:
        total.charge[terminal] += float(np.sum(np.abs(volts) * seconds)) / resistance


def _count_readings(total: Applied, table: _Tables, kind: str, steps: _Steps) -> None:
    rows = table.columns(kind, {"step", "measured" if kind == "sweep" else "terminal", *steps.columns})
    if not rows:
        return
    points = _points(table, kind)
    for step, own in _by_step(rows):
        op = steps.find(_READ_BY[kind], step)
        measured = own["measured" if kind == "sweep" else "terminal"].astype(str)
        for terminal in np.unique(measured).tolist():
            total.charge[terminal] += float(points.charges(own["event"][measured == terminal]).sum())
        # What was held or swept acted once, however many terminals were measured.
        once = {name: values[measured == measured[0]] for name, values in own.items()}
        stations = op.get("stations", [{"terminal": op.get("terminal"), "level": None}])
        for station in stations:
            if station["level"] is not None:
                total.hold(station["terminal"], _value(station["level"], once), points.lasted(once["event"]))
            else:  # swept
                inside = np.isin(points.event, once["event"])
                total.hold(station["terminal"], points.set[inside], points.seconds[inside])


@dataclass(frozen=True)
class _Points:
    """The points of a kind of reading, each array (n,): event, level asked (V), time at it (s), abs(I) (A)."""

    event: NDArray[np.int64]
    set: Floats
    seconds: Floats
    amps: Floats

    def lasted(self, events: NDArray[np.int64]) -> Floats:
        """Duration of each event's points, s."""
        return self._sums(events, self.seconds)

    def charges(self, events: NDArray[np.int64]) -> Floats:
        """Charge of each event's points, C."""
        return self._sums(events, self.amps * self.seconds)

    def _sums(self, events: NDArray[np.int64], values: Floats) -> Floats:
        order = np.argsort(events)
        place = np.searchsorted(events, self.event, sorter=order)
        known = place < len(events)
        known[known] = events[order[place[known]]] == self.event[known]
        sums = np.zeros(len(events))
        np.add.at(sums, order[place[known]], values[known])
        return sums


def _points(table: _Tables, kind: str) -> _Points:
    pieces = [_Points(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0))]
    for event, channels in table.points(kind, ("set", "time", "current")):
        if len(event) and "time" in channels:
            nothing = np.zeros(len(event))
            current = np.abs(channels.get("current", nothing))
            amps = np.where(current < _NO_CURRENT, current, 0.0)
            pieces.append(_Points(event, channels.get("set", nothing), _intervals(event, channels["time"]), amps))
    return _Points(*(np.concatenate([getattr(p, f.name) for p in pieces]) for f in fields(_Points)))


def _intervals(event: NDArray[np.int64], time: Floats) -> Floats:
    """Time from the point before to each point of a trace, s.

    The first one lasts from time 0, the start of the measurement; where that is its own time, as long as the second.
    """
    steps = np.diff(time, prepend=time[0])
    first = np.flatnonzero(np.diff(event, prepend=event[0] - 1))
    second = np.minimum(first + 1, len(event) - 1)
    as_second = np.where(event[second] == event[first], steps[second], 0.0)
    steps[first] = np.where(time[first] > 0, time[first], as_second)
    return np.where(np.isfinite(steps) & (steps > 0), steps, 0.0)


def _count_biases(total: Applied, table: _Tables) -> None:
    rows = table.columns("bias", ("terminal", "level", "start", "stop", "max_current"))
    for index, terminal in enumerate(rows.get("terminal", ())):
        seconds = max(0.0, float(rows["stop"][index] - rows["start"][index]))
        total.hold(str(terminal), rows["level"][index], seconds)
        total.charge[str(terminal)] += abs(float(np.nan_to_num(rows["max_current"][index]))) * seconds
        total.biased[str(terminal)] += seconds


def smallest_resistance(meta: Mapping[str, Any]) -> float | None:
    """The smallest resistance of the device that the run's bench file expected, ohm; None where it says nothing."""
    proved_on = meta["plan"].get("proved_on")
    if proved_on is None:  # a run file from before plans kept what they were proved on
        return _resistance_of(meta["bench"])
    found = proved_on["device"].get("resistance")
    return None if found is None else units.to_si(found[0], "ohm")


@lru_cache(maxsize=64)
def _resistance_of(bench: str) -> float | None:
    try:
        found = parse_bench(bench, "bench file in a run").device.resistance
    except BenchFileError:
        return None
    return None if found is None else found[0]
