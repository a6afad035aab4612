"""How a search moves its variable: planning bounds what execution does."""

from __future__ import annotations

import math

from labctl.plan.operations import Search


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
