"""Trigger events: the bus they travel on, detectors that latch them, and the objects that make new ones of them.

Reference keithley2636b sec. 11. Event numbers that a real unit showed are kept; the others are free.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from sim_backend.clock import Clock, Event
from sim_backend.keithley2636b.errors import TspError
from sim_backend.tasks import Signal, Steps, Until

DIGIO = tuple(range(1, 15))
TSPLINK = (15, 16, 17)
LAN = tuple(range(18, 26))
DISPLAY = 26
GENERATOR = (27, 28)
COMMAND = 29
TIMER = tuple(range(30, 38))
_SMU_EVENTS = ("SWEEPING", "SWEEP_COMPLETE", "MEASURE_COMPLETE", "SOURCE_COMPLETE", "PULSE_COMPLETE", "ARMED", "IDLE")
SMU: dict[str, dict[str, int]] = {
    "a": dict(zip(_SMU_EVENTS, (43, 44, 45, 46, 47, 48, 63), strict=True)),
    "b": dict(zip(_SMU_EVENTS, (49, 50, 51, 52, 53, 54, 64), strict=True)),
}
BLENDER = tuple(range(57, 63))

_DEEPEST = 64  # events caused by one event at the same instant; more is a ring of blenders


class EventBus:
    """Who hears of which event."""

    def __init__(self) -> None:
        self._listeners: defaultdict[int, list[Callable[[], None]]] = defaultdict(list)
        self._watchers: list[Callable[[int], None]] = []
        self._depth = 0

    def listen(self, event: int, listener: Callable[[], None]) -> None:
        self._listeners[event].append(listener)

    def forget(self, event: int, listener: Callable[[], None]) -> None:
        self._listeners[event].remove(listener)

    def watch(self, watcher: Callable[[int], None]) -> None:
        """Hear of every event (blenders, whose stimuli are plain Lua tables)."""
        self._watchers.append(watcher)

    def fire(self, event: int) -> None:
        if self._depth >= _DEEPEST:
            return
        self._depth += 1
        try:
            for listener in tuple(self._listeners[event]):
                listener()
            for watcher in self._watchers:
                watcher(event)
        finally:
            self._depth -= 1


class Detector:
    """Latches its stimulus until it is passed, waited for or cleared."""

    def __init__(self, bus: EventBus, stimulus: int = 0, on_event: Callable[[], None] | None = None) -> None:
        self._bus = bus
        self._on_event = on_event
        self._signal = Signal()
        self.latched = False
        self.overrun = False
        self.stimulus = 0
        self.listen_to(stimulus)

    def listen_to(self, event: int) -> None:
        """Take another stimulus; 0 = none."""
        if self.stimulus:
            self._bus.forget(self.stimulus, self.latch)
        self.stimulus = event
        if event:
            self._bus.listen(event, self.latch)

    def latch(self) -> None:
        """The stimulus came, or somebody set the detector by hand."""
        if self._on_event is not None:
            self._on_event()
            return
        self.overrun = self.overrun or self.latched
        self.latched = True
        self._signal.fire()

    def clear(self) -> None:
        self.latched = self.overrun = False

    def passed(self) -> Steps[None]:
        """Wait for the event and take it; no stimulus lets pass at once."""
        if self.stimulus:
            while not self.latched:
                yield self._signal
            self.latched = False

    def wait(self, timeout: object) -> Steps[bool]:
        """wait(timeout): whether the event was there, or came in time."""
        seconds = number_argument(1, timeout)
        if not self.latched and seconds > 0:
            yield Until(self._signal, seconds)
        caught, self.latched = self.latched, False
        return caught


class CommandInterface:
    """``trigger.wait``: *TRG, GET and their like, of which 50 can be pending."""

    MOST = 50

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._signal = Signal()
        self._pending = 0

    def trigger(self) -> None:
        self._pending = min(self.MOST, self._pending + 1)
        self._signal.fire()
        self._bus.fire(COMMAND)

    def clear(self) -> None:
        self._pending = 0

    def wait(self, timeout: object) -> Steps[bool]:
        seconds = number_argument(1, timeout)
        if not self._pending and seconds > 0:
            yield Until(self._signal, seconds)
        if not self._pending:
            return False
        self._pending -= 1
        return True


class Timer:
    """``trigger.timer[N]``: after each stimulus, ``count`` delays with an event at the end of each."""

    LONGEST = 100_000.0
    MOST = 1_048_575

    def __init__(self, bus: EventBus, clock: Clock, event: int) -> None:
        self._bus = bus
        self._clock = clock
        self.event = event
        self.stimulus = Detector(bus, on_event=self._stimulated)
        self.waiting = Detector(bus, event)
        self._next: Event | None = None
        self._done = 0
        self.reset()

    def reset(self) -> None:
        self.stop()
        self.delays: tuple[float, ...] = (10e-6,)
        self.count = 1
        self.passthrough = False
        self.overrun = False
        self.stimulus.listen_to(0)
        self.waiting.clear()

    def stop(self) -> None:
        """Cancel what is still to come."""
        if self._next is not None:
            self._clock.cancel(self._next)
            self._next = None

    def clear(self) -> None:
        self.waiting.clear()
        self.overrun = False

    def set_delays(self, delays: Sequence[float]) -> None:
        """One delay, or a list of them used in turn; 0.5 us to 100,000 s, the mean of a list at least 50 us."""
        if not delays or not all(0.5e-6 <= d <= self.LONGEST for d in delays):
            raise TspError(-222)
        if len(delays) > 1 and sum(delays) / len(delays) < 50e-6:
            raise TspError(2500, "50e-6")
        self.delays = tuple(delays)

    def _stimulated(self) -> None:
        if self._next is not None:
            self.overrun = True
            return
        self._done = 0
        self._schedule()
        if self.passthrough:
            self._bus.fire(self.event)

    def _schedule(self) -> None:
        delay = self.delays[self._done % len(self.delays)]
        self._next = self._clock.call_at(self._clock.now + delay, self._elapsed)

    def _elapsed(self) -> None:
        self._done += 1
        self._next = None
        if self.count == 0 or self._done < self.count:
            self._schedule()
        self._bus.fire(self.event)


class Blender:
    """``trigger.blender[N]``: an event when any (or) or all (and) of up to four stimuli have come.

    ``stimuli`` reads the script's own table, for that is a plain one.
    """

    def __init__(self, bus: EventBus, event: int, stimuli: Callable[[], tuple[int, ...]]) -> None:
        self._bus = bus
        self._stimuli = stimuli
        self.event = event
        self.waiting = Detector(bus, event)
        self._seen: set[int] = set()
        bus.watch(self._event)
        self.reset()

    def reset(self) -> None:
        self.orenable = False
        self.overrun = False
        self._seen.clear()
        self.waiting.clear()

    def clear(self) -> None:
        self._seen.clear()
        self.overrun = False
        self.waiting.clear()

    def _event(self, event: int) -> None:
        stimuli = self._stimuli()
        if event not in stimuli or event == self.event:
            return
        if not self.orenable:
            self.overrun = self.overrun or event in self._seen
            self._seen.add(event)
            if not self._seen.issuperset(stimuli):
                return
            self._seen.clear()
        self._bus.fire(self.event)


def number_argument(position: int, value: object) -> float:
    """The number given as argument ``position`` of a function; errors 1400 and 1401."""
    if value is None:
        raise TspError(1400, position)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TspError(1401, position)
    return float(value)
