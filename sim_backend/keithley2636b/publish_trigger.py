"""``trigger``, ``digio``, ``tsplink`` and the triggers of display and LAN as scripts see them (sec. 11, 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim_backend.clock import Clock
from sim_backend.keithley2636b import events
from sim_backend.keithley2636b.bindings import Bindings
from sim_backend.keithley2636b.digio import LINES, DigitalLine, DigitalPort
from sim_backend.keithley2636b.errors import TspError
from sim_backend.keithley2636b.events import Blender, CommandInterface, Detector, EventBus, Timer
from sim_backend.keithley2636b.options import Options
from sim_backend.keithley2636b.values import boolean, number, numbers, whole, within

_MODES = {
    "TRIG_BYPASS": 0, "TRIG_FALLING": 1, "TRIG_RISING": 2, "TRIG_EITHER": 3, "TRIG_SYNCHRONOUSA": 4,
    "TRIG_SYNCHRONOUS": 5, "TRIG_SYNCHRONOUSM": 6, "TRIG_RISINGA": 7, "TRIG_RISINGM": 8,
}  # fmt: skip


class PlainTrigger:
    """A trigger object without a wire behind it (TSP-Link, LAN, front panel): settings and a latch."""

    def __init__(self, bus: EventBus, event: int) -> None:
        self.event = event
        self.latch = Detector(bus, event)
        self.stimulus = Detector(bus, on_event=lambda: bus.fire(event))
        self.assert_ = lambda: bus.fire(event)
        self.reset()

    def reset(self) -> None:
        self.mode = 0
        self.pulsewidth = 10e-6
        self.stimulus.listen_to(0)
        self.latch.clear()


class TriggerSystem:
    """All trigger objects of the instrument beside those of the channels."""

    def __init__(self, bind: Bindings, bus: EventBus, clock: Clock, port: DigitalPort, options: Options) -> None:
        self._bind = bind
        self._options = options
        self._resets: list[Callable[[], None]] = [line.reset for line in port.lines]
        self.command = CommandInterface(bus)
        self.trigger = bind.object("trigger")
        bind.member(self.trigger, "EVENT_ID", events.COMMAND)
        bind.slow_function(self.trigger, "wait", self.command.wait)
        bind.function(self.trigger, "clear", self.command.clear)
        self._array(self.trigger, "timer", [self._timer(Timer(bus, clock, e)) for e in events.TIMER])
        self._array(self.trigger, "blender", [self._blender(bus, e) for e in events.BLENDER])
        self._array(self.trigger, "generator", [self._generator(bus, e) for e in events.GENERATOR])
        self.digio = self._digio(port)
        self.tsplink = bind.object("tsplink")
        self._array(self.tsplink, "trigger", [self._plain(PlainTrigger(bus, e)) for e in events.TSPLINK])
        self.lan_triggers = [self._plain(PlainTrigger(bus, e)) for e in events.LAN]
        self.display_trigger = self._plain(PlainTrigger(bus, events.DISPLAY))

    def reset(self) -> None:
        """The part of reset(): timers, blenders, trigger lines."""
        for reset in self._resets:
            reset()

    def _array(self, parent: Any, name: str, elements: list[Any]) -> None:
        array = self._bind.object(name)
        for k, element in enumerate(elements, 1):
            self._bind.member(array, k, element)
        self._bind.member(parent, name, array)

    def _stimulus(self, target: Any, detector: Detector) -> None:
        event = whole(0, 1000, self._options.range_error)
        self._bind.attribute(
            target, "stimulus", lambda: detector.stimulus, lambda value: detector.listen_to(event(value))
        )

    def _timer(self, timer: Timer) -> Any:
        bind = self._bind
        target = bind.object("timer")
        count = whole(0, Timer.MOST, self._options.range_error)

        def delay_list() -> Any:
            return bind.table(list(timer.delays))

        bind.attribute(target, "delay", lambda: timer.delays[0], lambda value: timer.set_delays([number(value)]))
        bind.attribute(target, "delaylist", delay_list, lambda value: timer.set_delays(numbers(value)))
        bind.attribute(target, "count", lambda: timer.count, lambda value: setattr(timer, "count", count(value)))
        bind.attribute(
            target,
            "passthrough",
            lambda: timer.passthrough,
            lambda value: setattr(timer, "passthrough", boolean(value)),
        )
        bind.attribute(target, "overrun", lambda: timer.overrun)
        self._stimulus(target, timer.stimulus)
        self._common(target, timer.event, timer.clear, timer.reset, timer.waiting)
        return target

    def _blender(self, bus: EventBus, event: int) -> Any:
        bind = self._bind
        target = bind.object("blender")
        table = bind.table([0, 0, 0, 0])  # a plain table, as on the instrument
        blender = Blender(bus, event, _watched(bind, table))

        def reset() -> None:
            blender.reset()
            for k in range(1, 5):
                table[k] = 0

        bind.member(target, "stimulus", table)
        bind.attribute(
            target, "orenable", lambda: blender.orenable, lambda value: setattr(blender, "orenable", boolean(value))
        )
        bind.attribute(target, "overrun", lambda: blender.overrun)
        self._common(target, event, blender.clear, reset, blender.waiting)
        return target

    def _generator(self, bus: EventBus, event: int) -> Any:
        target = self._bind.object("generator")
        self._bind.member(target, "EVENT_ID", event)
        self._bind.function(target, "assert", lambda: bus.fire(event))
        return target

    def _common(
        self, target: Any, event: int, clear: Callable[[], None], reset: Callable[[], None], latch: Detector
    ) -> None:
        self._bind.member(target, "EVENT_ID", event)
        self._bind.function(target, "clear", clear)
        self._bind.function(target, "reset", reset)
        self._bind.slow_function(target, "wait", latch.wait)
        self._resets.append(reset)

    def _plain(self, trigger: PlainTrigger) -> Any:
        target = self._bind.object("trigger")
        self._line_members(target, trigger)
        self._bind.attribute(target, "overrun", lambda: trigger.latch.overrun)
        self._common(target, trigger.event, trigger.latch.clear, trigger.reset, trigger.latch)
        return target

    def _line_members(self, target: Any, line: DigitalLine | PlainTrigger) -> None:
        def set_mode(value: Any) -> None:
            if number(value) not in range(9):
                raise TspError(1800)
            line.mode = int(value)

        width = within(0.0, 100_000.0, self._options.range_error)
        self._bind.attribute(target, "mode", lambda: line.mode, set_mode)
        self._bind.attribute(
            target, "pulsewidth", lambda: line.pulsewidth, lambda value: setattr(line, "pulsewidth", width(value))
        )
        self._stimulus(target, line.stimulus)
        self._bind.function(target, "assert", line.assert_)

    def _digio(self, port: DigitalPort) -> Any:
        bind = self._bind
        digio = bind.object("digio")
        for name, value in _MODES.items():
            bind.member(digio, name, value)

        def argument(position: int, *given: Any) -> float:
            return events.number_argument(position, given[position - 1] if len(given) >= position else None)

        protect = whole(0, (1 << LINES) - 1, self._options.range_error)
        bind.function(digio, "readbit", lambda *a: port.line(argument(1, *a)).read())
        bind.function(digio, "readport", port.read_port)
        bind.function(digio, "writebit", lambda *a: port.write_bit(argument(1, *a), argument(2, *a)))
        bind.function(digio, "writeport", lambda *a: port.write_port(argument(1, *a)))
        bind.attribute(
            digio,
            "writeprotect",
            lambda: port.writeprotect,
            lambda value: setattr(port, "writeprotect", protect(value)),
        )
        triggers = []
        for line in port.lines:
            target = bind.object("trigger")
            self._line_members(target, line)
            bind.attribute(target, "overrun", lambda line=line: line.detector.overrun)
            bind.function(target, "release", line.release)
            bind.member(target, "EVENT_ID", line.number)
            bind.function(target, "clear", line.detector.clear)
            bind.function(target, "reset", line.reset)
            bind.slow_function(target, "wait", line.detector.wait)
            triggers.append(target)
        self._array(digio, "trigger", triggers)
        return digio


def _watched(bind: Bindings, table: Any) -> Callable[[], tuple[int, ...]]:
    """Stimuli in a script's table, read again only after scripts have run."""
    seen = -1
    stimuli: tuple[int, ...] = ()

    def read() -> tuple[int, ...]:
        nonlocal seen, stimuli
        if bind.handoff.slices != seen or bind.handoff.running:
            seen = bind.handoff.slices
            found = (table[k] for k in range(1, 5))
            stimuli = tuple(int(v) for v in found if isinstance(v, int | float) and not isinstance(v, bool) and v)
        return stimuli

    return read
