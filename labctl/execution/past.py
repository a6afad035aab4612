"""The past of a run that is resumed: its stored events, and what to do where they end in doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from labctl.execution.events import Event, StopRun

#: what is done where stored events end: the next event; the state and the pass again; the rest of the pass left out
Choice = Literal["go on", "reprepare", "skip"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


_SAID: dict[Choice, str] = {
    "go on": "taken as done",
    "reprepare": "the state is prepared and the pass begun again",
    "skip": "the rest of the pass is left out",
}


class Again(Exception):
    """The pass that was cut begins again, after its state was prepared again."""


class Past:
    """Stored events in order, asked for by the executor as it walks the plan again.

    Args:
        events: what is stored.
        earlier: (event, choice) of each time this run was resumed before.
        doubt: what may have reached the device without being stored; empty if nothing may.
        fresh: the device is a new one (simulated, without memory): its state is prepared again whatever the doubt.
        choose: asked once, if there is a doubt.
    """

    def __init__(
        self,
        events: Sequence[Event],
        choose: Callable[[str], Choice],
        earlier: Sequence[tuple[int, Choice]] = (),
        doubt: str = "",
        fresh: bool = False,
    ) -> None:
        self._events = events
        self._choose = choose
        self._earlier = list(earlier)
        self._doubt = doubt
        self._fresh = fresh
        #: whether rows are still taken from here
        self.replaying = True

    def __len__(self) -> int:
        return len(self._events)

    @property
    def time(self) -> float:
        """Time (s) of the last event; the run goes on from there, the pause is not counted."""
        return float(self._events[-1].row["time"]) if self._events else 0.0

    @property
    def end(self) -> int:
        """Number of the event at which the rows were interrupted next."""
        return self._earlier[0][0] if self._earlier else len(self._events)

    def rows(self, first: int, count: int) -> Sequence[Event]:
        return self._events[first : first + count]

    def compare(self, number: int, event: Event) -> None:
        """Hold what the walk makes of the past against what is stored.

        Raises:
            StopRun: it is another event: the plan is not the one that was run.
        """
        stored = self._events[number]
        there, here = ((e.kind, e.row["step"]) for e in (stored, event))
        if there != here:
            raise StopRun(
                f"event {number} of the run is a {there[0]} of step {there[1]}, by the plan a {here[0]} of {here[1]}"
            )

    def decide(self, harmless: bool) -> tuple[Choice, str]:
        """What is done where the rows end, and why. ``harmless``: what comes next may be repeated without a word."""
        if self._earlier:
            return self._earlier.pop(0)[1], ""
        self.replaying = False
        if self._fresh:
            return "reprepare", "the simulated device is a new one; its state is prepared and the pass begun again"
        if not self._doubt:
            return "go on", "nothing was sent that is not stored"
        if harmless:
            return "go on", f"{self._doubt}: a reading, it is repeated"
        choice = self._choose(self._doubt)
        return choice, f"{self._doubt}: {_SAID[choice]}"


class NoPast(Past):
    """Of a run that begins."""

    def __init__(self) -> None:
        super().__init__((), lambda doubt: "go on")
        self.replaying = False
