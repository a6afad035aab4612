"""Work that takes instrument time: generators that say what they wait for, driven by the clock.

A task yields a number (seconds to wait), a ``Signal``, or ``Until(signal, timeout)``; it is sent back True, or
False when the timeout passed first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from sim_backend.clock import Clock, Event


class Signal:
    """Something that tasks wait for; ``fire`` wakes all that wait now."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Task] = []

    def fire(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for task in waiting:
                task.wake()

    def join(self, task: Task) -> None:
        self._waiting.append(task)

    def leave(self, task: Task) -> None:
        if task in self._waiting:
            self._waiting.remove(task)


@dataclass(frozen=True, slots=True)
class Until:
    """Wait for ``signal``, but not longer than ``timeout`` seconds."""

    signal: Signal
    timeout: float


Wait: TypeAlias = float | Signal | Until
T = TypeVar("T")
Steps = Generator[Wait, bool, T]


class Task:
    """Runs steps at their times; ``finished`` hears when they have ended by themselves."""

    __slots__ = ("_advancing", "_clock", "_event", "_finished", "_signal", "_steps", "done")

    def __init__(self, clock: Clock, steps: Steps[None], finished: Callable[[], None]) -> None:
        self._clock = clock
        self._steps = steps
        self._finished = finished
        self._event: Event | None = None
        self._signal: Signal | None = None
        self._advancing = False
        self.done = False

    def start(self) -> None:
        """Run up to the first wait, now."""
        self._advance(None)

    def wake(self) -> None:
        """The signal came: go on as soon as the clock moves, so that who fired it is done first."""
        self._drop()
        self._event = self._clock.call_at(self._clock.now, self._elapsed)

    def cancel(self) -> None:
        """Stop for good wherever the task stands."""
        if not self.done:
            self.done = True
            self._drop()
            if not self._advancing:
                self._steps.close()

    def _drop(self) -> None:
        if self._event is not None:
            self._clock.cancel(self._event)
            self._event = None
        if self._signal is not None:
            self._signal.leave(self)
            self._signal = None

    def _elapsed(self) -> None:
        self._advance(True)

    def _timed_out(self) -> None:
        self._advance(False)

    def _advance(self, answer: bool | None) -> None:
        self._event = None
        if self._signal is not None:
            self._signal.leave(self)
            self._signal = None
        self._advancing = True
        try:
            wait = next(self._steps) if answer is None else self._steps.send(answer)
        except StopIteration:
            self.done = True
            self._finished()
            return
        except BaseException:  # Ctrl+C, or a bug: the task has ended, though not by itself
            self.done = True
            raise
        finally:
            self._advancing = False
        if self.done:  # cancelled from inside
            self._steps.close()
            return
        if isinstance(wait, Signal):
            self._signal = wait
            wait.join(self)
        elif isinstance(wait, Until):
            self._signal = wait.signal
            wait.signal.join(self)
            self._event = self._clock.call_at(self._clock.now + wait.timeout, self._timed_out)
        else:
            self._event = self._clock.call_at(self._clock.now + wait, self._elapsed)
