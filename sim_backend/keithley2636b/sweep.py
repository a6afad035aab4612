"""The trigger model of one channel (reference keithley2636b sec. 11)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count as endless
from typing import TYPE_CHECKING

from sim_backend.clock import Clock, Event
from sim_backend.keithley2636b import ranges
from sim_backend.keithley2636b.buffers import ReadingBuffer
from sim_backend.keithley2636b.errors import TspError
from sim_backend.keithley2636b.events import Detector, EventBus
from sim_backend.keithley2636b.options import Options
from sim_backend.keithley2636b.settings import AUTORANGE_ON, AUTOZERO_AUTO, VOLTS
from sim_backend.tasks import Signal, Steps, Task

if TYPE_CHECKING:
    from sim_backend.keithley2636b.channel import Channel

_ASYNC = 2
_HOLD = 1


class TriggerModel:
    """Arm layer, trigger layer, and what they do to source and meter."""

    def __init__(self, channel: Channel, bus: EventBus, events: dict[str, int], clock: Clock, options: Options) -> None:
        self._channel = channel
        self._bus = bus
        self._events = events
        self._clock = clock
        self._options = options
        self.detectors = {name: Detector(bus) for name in ("arm", "source", "measure", "endpulse")}
        self._parallel: Task | None = None
        self._cut: Event | None = None  # end of a pulse that the instrument enforces
        self._pulse: tuple[float, float] | None = None  # start and duty of the pulse that is on
        self._rested = 0.0  # time from which the duty cycle allows the next pulse
        self.reset()

    def reset(self) -> None:
        """As after smuX.reset()."""
        self._levels: tuple[float, ...] = ()
        self._sweeps = VOLTS
        self._kinds = ""
        self._buffers: tuple[ReadingBuffer, ...] = ()
        for detector in self.detectors.values():
            detector.listen_to(0)
            detector.clear()

    # -- configuration -----------------------------------------------------------------------------------------------

    def configure_source(self, function: int, levels: Sequence[float]) -> None:
        """Levels (V or A) that the source action takes in turn."""
        most = ranges.MOST_VOLTS * ranges.SOURCE_OVER if function == VOLTS else ranges.MOST_PULSE_AMPS
        if not levels:
            raise TspError(1401, 1)
        if any(not abs(level) <= most for level in levels):
            raise TspError(self._options.range_error)
        self._levels, self._sweeps = tuple(levels), function

    def configure_measure(self, kinds: str, buffers: Sequence[ReadingBuffer]) -> None:
        """What the measure action measures, and into which buffers."""
        if len(buffers) != len(kinds):
            raise TspError(1400, len(kinds))
        self._kinds, self._buffers = kinds, tuple(buffers)

    # -- running -----------------------------------------------------------------------------------------------------

    def initiate(self) -> None:
        """Leave IDLE; the sweep runs while the script goes on."""
        self._channel.require_idle()
        self._check()
        s = self._channel.settings
        limit = s.trigger_source_limiti if s.source_func == VOLTS else s.trigger_source_limitv
        self._channel.source.swept_limit = limit or None
        for detector in self.detectors.values():
            detector.clear()
        measuring = bool(s.trigger_measure_action)
        for buffer in self._buffers if measuring else ():
            buffer.prepare()
        self._channel.overlap(self._run(), self._buffers if measuring else (), sweeping=True)

    def stop(self) -> None:
        """The sweep was aborted: the level stays, the limit is the programmed one again."""
        self._channel.source.swept_limit = None
        self._channel.source.update()
        if self._parallel is not None:
            self._parallel.cancel()
            self._parallel = None
        self._end_pulse()
        self._fire("IDLE")

    def _check(self) -> None:
        s = self._channel.settings
        if s.trigger_source_action:
            if not self._levels or self._sweeps != s.source_func:
                raise TspError(5059)
            self._channel.source.check_levels(self._levels)
        if not s.trigger_measure_action:
            return
        if not self._kinds:
            raise TspError(5060)
        if s.trigger_measure_action == _ASYNC:
            if s.source_func != VOLTS and "v" in self._kinds and s.measure_autorangev == AUTORANGE_ON:
                raise TspError(5043)
            if s.source_func == VOLTS and "i" in self._kinds and s.measure_autorangei == AUTORANGE_ON:
                raise TspError(5044)
            if s.measure_autozero == AUTOZERO_AUTO:
                raise TspError(5063)
            if any(buffer.collectsourcevalues for buffer in self._buffers):
                raise TspError(5064)

    def _fire(self, name: str) -> None:
        self._bus.fire(self._events[name])

    def _run(self) -> Steps[None]:
        s = self._channel.settings
        self._fire("SWEEPING")
        for _ in range(s.trigger_arm_count):
            yield from self.detectors["arm"].passed()
            if s.trigger_autoclear:
                for name in ("source", "measure", "endpulse"):
                    self.detectors[name].clear()
            self._fire("ARMED")
            if s.trigger_measure_action == _ASYNC:
                yield from self._both_loops()
            else:
                for k in self._turns():
                    yield from self._source_stage(k)
                    yield from self._measure_stage()
                    yield from self._endpulse_stage()
            if s.trigger_endsweep_action != _HOLD:
                self._idle_level()
            self._fire("SWEEP_COMPLETE")
        self._channel.source.swept_limit = None
        self._channel.source.update()
        self._fire("IDLE")

    def _turns(self) -> Sequence[int] | endless[int]:
        turns = self._channel.settings.trigger_count
        return range(turns) if turns else endless()

    def _both_loops(self) -> Steps[None]:
        """ASYNC: the measure loop beside the source loop."""
        done = Signal()
        self._parallel = Task(self._clock, self._measure_loop(), done.fire)
        self._parallel.start()
        for k in self._turns():
            yield from self._source_stage(k)
            yield from self._endpulse_stage()
        while not self._parallel.done:
            yield done
        self._parallel = None

    def _measure_loop(self) -> Steps[None]:
        for _ in self._turns():
            yield from self._measure_stage()

    def _source_stage(self, k: int) -> Steps[None]:
        yield from self.detectors["source"].passed()
        if self._channel.settings.trigger_source_action:
            self._end_pulse()
            if self._rested > self._clock.now:
                yield self._rested - self._clock.now
            level = self._levels[k % len(self._levels)]
            spent = self._channel.source.sweep_to(level)
            self._protect(level)
            yield spent + self._options.source_overhead
        else:
            yield self._options.source_overhead
        self._fire("SOURCE_COMPLETE")

    def _measure_stage(self) -> Steps[None]:
        yield from self.detectors["measure"].passed()
        if self._channel.settings.trigger_measure_action:
            yield from self._channel.take(self._kinds, self._buffers)
        self._fire("MEASURE_COMPLETE")

    def _endpulse_stage(self) -> Steps[None]:
        yield from self.detectors["endpulse"].passed()
        if self._channel.settings.trigger_endpulse_action != _HOLD:
            self._idle_level()
        self._fire("PULSE_COMPLETE")

    def _idle_level(self) -> None:
        self._channel.source.idle()
        self._end_pulse()

    # -- pulses outside the DC area: cut and spaced by the instrument itself -------------------------------------------

    def _protect(self, level: float) -> None:
        s = self._channel.settings
        if s.source_func == VOLTS:
            area = ranges.pulse_area(abs(level), s.trigger_source_limiti or s.source_limiti)
        else:
            area = ranges.pulse_area(s.trigger_source_limitv or s.source_limitv, abs(level))
        if area is not None:
            width, duty = area
            self._pulse = (self._clock.now, duty)
            self._cut = self._clock.call_at(self._clock.now + width, self._idle_level)

    def _end_pulse(self) -> None:
        if self._cut is not None:
            self._clock.cancel(self._cut)
            self._cut = None
        if self._pulse is not None:
            start, duty = self._pulse
            self._pulse = None
            self._rested = start + (self._clock.now - start) / duty
