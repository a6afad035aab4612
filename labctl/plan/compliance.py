"""Sweeps that must run into their compliance, whatever the device does within what the bench file expects of it.

Two facts of the bench file tell: the largest resistance of a two-terminal device, and the smallest current of a
terminal while all terminals are inside given levels (``expected``). Only what is certain is refused here: levels that
a search picks are left to the run, which ends such a sweep at its first point in compliance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from labctl.bench.description import Device
from labctl.plan import operations as o
from labctl.plan.plan import Limit, Node, Violation

#: loop variable -> the values it takes; none for the variable of a search
Taken = Mapping[str, tuple[float, ...]]

_ACCEPT = "raise it, or accept it with 'on_compliance: flag'"


def refused(ops: tuple[o.Op, ...], device: Device, nodes: Sequence[Node]) -> tuple[Violation, ...]:
    """One violation for every terminal of every sweep that cannot but reach its compliance."""
    found = []
    for sweep, taken in _sweeps(ops, {}):
        if sweep.on_compliance != "stop":
            continue
        for station in sweep.stations:
            current, why = _least(sweep, station, device, taken)
            if current > station.compliance:
                name = f"compliance of {station.terminal}; {why}; {_ACCEPT}"
                limit = Limit("current", "sweep", name, station.compliance)
                node = nodes[sweep.node]
                found.append(Violation(sweep.node, node.text, node.where, limit, current))
    return tuple(dict.fromkeys(found))


def _sweeps(ops: tuple[o.Op, ...], taken: Taken) -> Iterator[tuple[o.Sweep, Taken]]:
    """Every sweep that is carried out for certain, with the values of the loops around it."""
    for op in ops:
        if isinstance(op, o.Sweep):
            yield op, taken
        elif isinstance(op, o.ForEach):
            yield from _sweeps(op.body, {**taken, op.axis.name: op.axis.values})
        elif isinstance(op, o.Until):
            yield from _sweeps(op.body, {**taken, op.search.name: ()} if op.search else taken)
        elif isinstance(op, o.Allowed | o.EnterState) or (
            isinstance(op, o.Repeat) and not op.count.name and op.count.constant >= 1
        ):
            yield from _sweeps(o.bodies(op), taken)


def _least(sweep: o.Sweep, station: o.Station, device: Device, taken: Taken) -> tuple[float, str]:
    """Smallest current (A) that the device is expected to draw at the worst levels of a sweep, and why."""
    least, why = 0.0, ""
    swept = sweep.stations[0]
    if device.resistance is not None and station is swept and station.terminal != device.gate:
        level = max((abs(v) for level in sweep.levels for v in _values(level, taken)), default=0.0)
        least = level / device.resistance[1]
        why = f"at {level:g} V through the largest resistance expected, {device.resistance[1]:g} ohm"
    for expected in device.expected:
        reached = any(_meets(sweep, level, expected.levels, taken) for level in dict.fromkeys(sweep.levels))
        if expected.terminal == station.terminal and expected.current[0] > least and reached:
            at = ", ".join(f"{terminal} {low:g} to {high:g} V" for terminal, (low, high) in expected.levels.items())
            least, why = expected.current[0], f"the bench file expects at least this with {at}"
    return least, why


def _meets(sweep: o.Sweep, level: o.Value, wanted: Mapping[str, tuple[float, float]], taken: Taken) -> bool:
    """Whether some pass of the loops has every terminal inside its wanted levels while ``level`` is swept through."""
    at = {s.terminal: level if s.level is None else s.level for s in sweep.stations}
    left: dict[str, set[float]] = {}
    for terminal, (low, high) in wanted.items():
        value = at.get(terminal)
        if value is None:
            if not low <= 0.0 <= high:  # not driven: at common
                return False
        elif not value.name:
            if not low <= value.constant <= high:
                return False
        else:
            inside = {v for v in taken.get(value.name, ()) if low <= v * value.scale <= high}
            left[value.name] = inside & left.get(value.name, inside)
    return all(left.values())


def _values(level: o.Value, taken: Taken) -> tuple[float, ...]:
    return tuple(v * level.scale for v in taken.get(level.name, ())) if level.name else (level.constant,)
