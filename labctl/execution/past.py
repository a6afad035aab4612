"""The past of a run that is resumed: its stored events, and what to do where they end in doubt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, get_args

from labctl.execution.events import Event, StopRun

#: what is done where stored events end: the next event; the state and the pass again; the rest of the pass left out
Choice = Literal["go on", "reprepare", "skip"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


#: the word in a note for a run that was resumed by simulating it again
AGAIN = "simulated again"


class Again(Exception):
    """The pass that was cut begins again, after its state was prepared again."""


class Past:
    """Stored events in order, asked for by the executor as it walks the plan again.

    Args:
        events: what is stored.
        choice: what is done where they end, and ``why``.
        earlier: (event, choice) of each time this run was resumed before.
    """

    def __init__(
        self,
        events: Sequence[Event],
        choice: Choice,
        why: str,
        earlier: Sequence[tuple[int, Choice]] = (),
    ) -> None:
        self._events = events
        self._choice = choice
        self.why = why
        self._earlier = list(earlier)
        #: whether rows are still taken from here
        self.replaying = True
        #: whether what is done now is what was done and stored then
        self.catching_up = False

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

    def settle(self) -> tuple[Choice, str]:
        """Leave the rows at an ``end``: what is done there, and why; no rows are left after the last."""
        if self._earlier:
            return self._earlier.pop(0)[1], ""
        self.replaying = False
        return self._choice, self.why


class SimulatedPast(Past):
    """Of a simulated run whose device is gone: all of it is done again on the simulated bench, and comes out the same.

    ``notes``: numbers of the events that say where the run was resumed before; nothing was done for them.
    """

    def __init__(self, events: Sequence[Event], notes: Collection[int]) -> None:
        super().__init__(events, "go on", "the simulated device is brought there by simulating the run again")
        self.replaying = False
        self.catching_up = True
        self._notes = notes

    @property
    def time(self) -> float:
        """The bench's clock begins where it began."""
        return 0.0

    def after_notes(self, number: int) -> int:
        """The first event from ``number`` on that something was done for."""
        while number in self._notes:
            number += 1
        return number

    def compare(self, number: int, event: Event) -> None:
        """As for ``Past``, and every value of the row."""
        super().compare(number, event)
        stored = self._events[number].row
        for name, value in event.row.items():
            same = stored[name] == value or (value != value and stored[name] != stored[name])
            if not same:
                raise StopRun(
                    f"event {number} of the run has {name} {stored[name]}, simulated again {value}: it was another "
                    "simulation; --on-resume reprepare takes a new device"
                )


class NoPast(Past):
    """Of a run that begins."""

    def __init__(self) -> None:
        super().__init__((), "go on", "")
        self.replaying = False
