"""Digital lines of the bench: trigger cables and relay coils."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

Listener = Callable[[bool], None]


class Lines:
    """Named two-level lines, such as ``smu.digio.1`` or ``afg.trigger``; all low at the start.

    ``join`` lays a cable: what is set on the source appears on the target at once.
    """

    def __init__(self) -> None:
        self._level: dict[str, bool] = defaultdict(bool)
        self._listeners: dict[str, list[Listener]] = defaultdict(list)

    def level(self, name: str) -> bool:
        """Level of a line now."""
        return self._level[name]

    def set(self, name: str, level: bool | int) -> None:
        """Drive a line; listeners hear of changes only."""
        level = bool(level)
        if self._level[name] == level:
            return
        self._level[name] = level
        for listener in tuple(self._listeners[name]):
            listener(level)

    def pulse(self, name: str) -> None:
        """One short pulse: away from the present level and back, at the same instant."""
        level = self._level[name]
        self.set(name, not level)
        self.set(name, level)

    def listen(self, name: str, listener: Listener) -> None:
        """Call ``listener(level)`` at every change of the line."""
        self._listeners[name].append(listener)

    def join(self, source: str, target: str) -> None:
        """Lay a cable from ``source`` to ``target``."""
        self.set(target, self._level[source])
        self.listen(source, lambda level: self.set(target, level))
