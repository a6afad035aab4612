"""Orders in which loops run: random ones come from the seed, searches halve their range."""

from __future__ import annotations

import math

import numpy as np

from labctl.plan.operations import ForEach, Search


def order(op: ForEach, seed: int, passed: int) -> list[tuple[int, int]]:
    """(index of the value, trial) in the order of execution; random ones are keyed by seed, step and pass."""
    trials = range(op.inner[1]) if op.inner else range(1)
    pairs = [(index, trial) for index in range(len(op.axis.values)) for trial in trials]
    if op.order == "reversed":
        return pairs[::-1]
    if op.order in ("shuffled", "interleaved"):
        generator = np.random.default_rng([seed, op.node, passed])
        return [pairs[i] for i in generator.permutation(len(pairs))]
    return pairs


class Halving:
    """Bisection between the ends of a search, for a figure that falls from above its target to below it.

    ``search.start`` is the end where the figure is above its target, ``search.stop`` where it is below.
    """

    def __init__(self, search: Search) -> None:
        self.name = search.name
        self._log = search.spacing == "log"
        self._above, self._below = (math.log(e) if self._log else e for e in (search.start, search.stop))

    @property
    def value(self) -> float:
        """The middle of what remains, SI."""
        middle = (self._above + self._below) / 2
        return math.exp(middle) if self._log else middle

    def move(self, distance: float) -> None:
        """Keep the half in which the target lies, given figure minus target at the middle."""
        middle = (self._above + self._below) / 2
        if distance > 0:
            self._above = middle
        else:
            self._below = middle
