"""Solution of the loop: sources on either terminal of a two-terminal device, at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from sim_backend.devices.device import TwoTerminalDevice

#: ohm; below this a source counts as stiff, so that two stiff sources on one node still have a solution
LEAST_RESISTANCE = 1e-9


class Source:
    """One source on a terminal: EMF (V) behind a resistance (ohm), able to give at most ``limit`` (A) either way."""

    __slots__ = ("emf", "limit", "resistance")

    def __init__(self, emf: float, resistance: float, limit: float = inf) -> None:
        self.emf = emf
        self.resistance = max(resistance, LEAST_RESISTANCE)
        self.limit = limit


@dataclass(slots=True)
class Solution:
    """Node voltages (V), device current (A, into the first terminal), and per source its current out (A).

    ``limited`` holds +1 or -1 for a source at its limit (sign of its current), else 0. Sources are ordered as given,
    first those of the first terminal.
    """

    first: float
    second: float
    current: float
    currents: list[float]
    limited: list[int]


@dataclass(slots=True)
class Node:
    """A terminal reduced to EMF behind resistance, or (``resistance`` = inf) to an injected current."""

    emf: float
    resistance: float
    injected: float


def reduce(sources: Sequence[Source], limited: Sequence[int] = ()) -> Node:
    """Sources of one terminal as one; those marked in ``limited`` give their limit whatever the voltage."""
    limited = limited or [0] * len(sources)
    if len(sources) == 1 and not limited[0]:
        return Node(sources[0].emf, sources[0].resistance, 0.0)
    conductance = injected = 0.0
    for source, side in zip(sources, limited, strict=True):
        if side:
            injected += side * source.limit
        else:
            conductance += 1.0 / source.resistance
            injected += source.emf / source.resistance
    if not conductance:
        return Node(0.0, inf, injected)
    return Node(injected / conductance, 1.0 / conductance, 0.0)


def _share(sources: Sequence[Source], limited: Sequence[int], node: float, total: float) -> list[float]:
    """Currents out of the sources of one node; the stiffest takes the rest, which keeps small currents exact."""
    currents = [
        side * s.limit if side else (s.emf - node) / s.resistance for s, side in zip(sources, limited, strict=True)
    ]
    free = [k for k, side in enumerate(limited) if not side]
    if free:
        stiffest = min(free, key=lambda k: sources[k].resistance)
        currents[stiffest] = total - sum(c for k, c in enumerate(currents) if k != stiffest)
    return currents


def solve(device: TwoTerminalDevice, first: Sequence[Source], second: Sequence[Source]) -> Solution:
    """Operating point of the device between the sources of its two terminals.

    Limits are an active set: one source enters or leaves per round, the one that is furthest beyond its limit first.
    All characteristics are monotone, so the point is unique.
    """
    if len(first) == 1 and len(second) == 1:
        solution = _simple_loop(device, first[0], second[0])
        if solution is not None:
            return solution
    split = len(first)
    sources = [*first, *second]
    limited = [0] * len(sources)
    for _ in range(4 * len(sources) + 1):
        v1, v2, i = _operate(device, reduce(first, limited[:split]), reduce(second, limited[split:]))
        currents = _share(first, limited[:split], v1, i) + _share(second, limited[split:], v2, -i)
        worst, change = 1.0 + 1e-12, -1
        for k, source in enumerate(sources):
            if limited[k]:
                node = v1 if k < split else v2
                if limited[k] * (source.emf - node) < source.limit * source.resistance * (1 - 1e-12):
                    change = k
                    break
            elif source.limit < inf:
                excess = abs(currents[k]) / source.limit if source.limit else inf * abs(currents[k])
                if excess > worst:
                    worst, change = excess, k
        if change < 0:
            break
        limited[change] = 0 if limited[change] else (1 if currents[change] > 0 else -1)
    return Solution(v1, v2, i, currents, limited)


def _simple_loop(device: TwoTerminalDevice, a: Source, b: Source) -> Solution | None:
    """The usual case at a tenth of the cost: one source on either terminal, none at its limit."""
    v = device.loop(a.emf - b.emf, a.resistance + b.resistance)
    i = device.current(v)
    if not -min(a.limit, b.limit) <= i <= min(a.limit, b.limit):
        return None
    low = b.emf + i * b.resistance
    return Solution(low + v, low, i, [i, -i], [0, 0])


def _operate(device: TwoTerminalDevice, a: Node, b: Node) -> tuple[float, float, float]:
    """Voltages of both nodes and the current from the first to the second through the device."""
    if a.resistance < inf and b.resistance < inf:
        v = device.loop(a.emf - b.emf, a.resistance + b.resistance)
        i = device.current(v)
        low = b.emf + i * b.resistance
        return low + v, low, i
    if b.resistance < inf:
        i = a.injected
        low = b.emf + i * b.resistance
        return low + device.voltage(i), low, i
    if a.resistance < inf:
        i = -b.injected
        high = a.emf - i * a.resistance
        return high, high - device.voltage(i), i
    return 0.0, 0.0, 0.0
