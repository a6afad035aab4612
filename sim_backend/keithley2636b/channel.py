"""One channel: settings, source, meter, buffers and the operation that may be running on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sim_backend.circuit import Port
from sim_backend.context import InstrumentContext
from sim_backend.keithley2636b import ranges
from sim_backend.keithley2636b.buffers import NV_BASIC, STATUS_COMPLIANCE, Reading, ReadingBuffer
from sim_backend.keithley2636b.errors import TspError
from sim_backend.keithley2636b.events import SMU, EventBus
from sim_backend.keithley2636b.meter import Meter
from sim_backend.keithley2636b.options import Options
from sim_backend.keithley2636b.settings import (
    AMPS,
    AUTORANGE_ON,
    HIGH_Z,
    NORMAL,
    ON,
    VOLTS,
    ZERO,
    Settings,
)
from sim_backend.keithley2636b.source import Pace, Source
from sim_backend.keithley2636b.status import StatusModel
from sim_backend.keithley2636b.sweep import TriggerModel
from sim_backend.tasks import Signal, Steps, Task

_CONTACT_TIMES = (1e-3, 4e-3, 36e-3)  # s: fast, medium, slow
_CONTACT_AMPS = 1e-3
_VLMT, _ILMT, _ROF = 1, 2, 128


class Channel:
    """``smua`` or ``smub``. ``name`` is "a" or "b"."""

    def __init__(
        self,
        name: str,
        port: Port,
        context: InstrumentContext,
        options: Options,
        pace: Pace,
        bus: EventBus,
        status: StatusModel,
        interlock: Callable[[], bool],
        line_frequency: Callable[[], float],
    ) -> None:
        self.name = name
        self.label = f"SMU {name.upper()}"
        self.idle = Signal()  # fires when the running operation has ended
        self.settings = Settings()
        self._options = options
        self._clock = context.clock
        self._bit = 2 if name == "a" else 4
        self._status = status
        self._limits = status[f"measurement.instrument.smu{name}"]
        self._measuring = status["operation.measuring"]
        self._sweeping = status["operation.sweeping"]
        self.source = Source(port, context.clock, pace, self.settings, options, interlock)
        self.meter = Meter(
            port,
            context.clock,
            context.draws,
            context.name,
            "ab".index(name),
            self.settings,
            self.source,
            options,
            context.noise,
            line_frequency,
        )
        self.buffers = [ReadingBuffer(NV_BASIC, True, options.epoch) for _ in range(2)]
        self.sweep = TriggerModel(self, bus, SMU[name], context.clock, options)
        self._operation: Task | None = None
        self._filled: tuple[ReadingBuffer, ...] = ()

    # -- operations --------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """An overlapped operation is running."""
        return self._operation is not None

    def require_idle(self) -> None:
        if self._operation is not None:
            raise TspError(5042)

    def overlap(self, steps: Steps[None], buffers: Sequence[ReadingBuffer], sweeping: bool = False) -> None:
        """Start an operation that runs while the script goes on."""
        self._filled = tuple(buffers)
        for buffer in self._filled:
            buffer.filling = True
        if sweeping:
            self._sweeping.set(self._bit, True)
        task = Task(self._clock, steps, self._ended)
        self._operation = task
        task.start()

    def _ended(self) -> None:
        self._operation = None
        for buffer in self._filled:
            buffer.filling = False
            buffer.grown.fire()
        self._filled = ()
        self._sweeping.set(self._bit, False)
        self.idle.fire()

    def abort(self) -> None:
        """End a sweep or overlapped measurement where it stands; output and settings stay."""
        if self._operation is not None:
            self._operation.cancel()
            self.sweep.stop()
            self._ended()

    def completed(self) -> Steps[None]:
        """Wait for the running operation."""
        while self._operation is not None:
            yield self.idle

    def reset(self) -> None:
        """smuX.reset(): defaults, output off."""
        self.abort()
        self.settings.reset()
        self.sweep.reset()
        self.source.high_impedance = False
        self.source.release()
        self.source.update()
        self.meter.reset_filter()
        self.meter.forget_references()
        if self._options.reset_clears_buffers:
            for buffer in self.buffers:
                buffer.reset()

    # -- measuring ---------------------------------------------------------------------------------------------------

    def measure(self, kinds: str, buffers: Sequence[ReadingBuffer]) -> Steps[tuple[float, ...]]:
        """A measure function called by a script; values in the order of ``kinds``."""
        self.require_idle()
        for buffer in buffers:
            buffer.prepare()
        readings = yield from self.take(kinds, buffers)
        return tuple(r.value for r in readings)

    def measure_overlapped(self, kinds: str, buffers: Sequence[ReadingBuffer]) -> None:
        self.require_idle()
        if len(buffers) != len(kinds):
            raise TspError(1400, len(kinds))
        for buffer in buffers:
            buffer.prepare()
        self.overlap(self._take_only(kinds, buffers), buffers)

    def _take_only(self, kinds: str, buffers: Sequence[ReadingBuffer]) -> Steps[None]:
        yield from self.take(kinds, buffers)

    def measure_and_step(self, kinds: str, level: object) -> Steps[tuple[float, ...]]:
        """measureYandstep: measure, then take the next source level; no autorange."""
        s = self.settings
        self.require_idle()
        if isinstance(level, bool) or not isinstance(level, int | float):
            raise TspError(1401, 1)
        if s.source_autorangev if s.source_func == VOLTS else s.source_autorangei:
            raise TspError(5028)
        if kinds != "i" and s.source_func != VOLTS and s.measure_autorangev == AUTORANGE_ON:
            raise TspError(5043)
        if kinds != "v" and s.source_func == VOLTS and s.measure_autorangei == AUTORANGE_ON:
            raise TspError(5044)
        if s.source_highc:
            raise TspError(5069)
        values = yield from self.measure(kinds, ())
        self.source.set_level(s.source_func, float(level))
        return values

    def take(self, kinds: str, buffers: Sequence[ReadingBuffer]) -> Steps[tuple[Reading, ...]]:
        """measure.count readings of each kind into the buffers (one without any); the last ones."""
        s = self.settings
        count = s.measure_count if buffers else 1
        begun = self._clock.now
        self._measuring.set(self._bit, True)
        try:
            for k in range(count):
                late = begun + k * s.measure_interval - self._clock.now
                if k and late > 0:
                    yield late
                readings = yield from self.meter.measure(kinds, k == 0)
                for buffer, reading in zip(buffers, readings, strict=False):
                    buffer.add(reading)
        finally:
            self._measuring.set(self._bit, False)
        self._note(readings)
        return readings

    def _note(self, readings: Sequence[Reading]) -> None:
        """Status bits that a measurement refreshes."""
        bits = self._limit_bit() if readings[0].status & STATUS_COMPLIANCE else 0
        for reading in readings:
            if reading.value == ranges.OVERFLOW:
                bits |= _ROF
        self._limits.put(_ROF | _ILMT | _VLMT, bits)

    def _limit_bit(self) -> int:
        return _ILMT if self.settings.source_func == VOLTS else _VLMT

    def compliance(self) -> bool:
        limited = self.source.limited()
        self._limits.put(_ILMT | _VLMT, self._limit_bit() if limited else 0)
        return limited

    # -- contact check -----------------------------------------------------------------------------------------------

    def contact(self) -> Steps[tuple[float, float]]:
        """Contact resistances HI, LO (ohm), if the source can drive the test current (sec. 14)."""
        s = self.settings
        self.require_idle()
        if s.source_output == ON:
            if s.source_func == AMPS and s.source_leveli:
                raise TspError(5049)
            if s.source_func == VOLTS and s.source_limiti < _CONTACT_AMPS:
                raise TspError(5050)
            if s.source_func == AMPS and s.source_rangei < _CONTACT_AMPS:
                raise TspError(5065)
        elif s.source_offmode == HIGH_Z or self.source.high_impedance:
            raise TspError(5048)
        elif s.source_offmode == NORMAL and s.source_offlimiti < _CONTACT_AMPS:
            raise TspError(5066)
        elif s.source_offmode == ZERO and s.source_limiti < _CONTACT_AMPS:
            raise TspError(5050)
        yield _CONTACT_TIMES[s.contact_speed]
        return self._options.contact

    def contact_check(self) -> Steps[bool]:
        high, low = yield from self.contact()
        return max(high, low) < self.settings.contact_threshold
