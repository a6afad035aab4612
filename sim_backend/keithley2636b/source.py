"""The source of one channel: what its settings put on the terminals (reference keithley2636b sec. 9, 13, 14; F6-F9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sim_backend.circuit import Port
from sim_backend.clock import Clock, Event
from sim_backend.keithley2636b import ranges
from sim_backend.keithley2636b.errors import TspError
from sim_backend.keithley2636b.options import Options
from sim_backend.keithley2636b.settings import AMPS, DELAY_AUTO, HIGH_Z, NORMAL, OFF, ON, VOLTS, Settings

_VOLT_SETTLING = dict(zip(ranges.VOLTAGE, (50e-6, 50e-6, 110e-6, 700e-6), strict=True))


class Pace:
    """How far the instrument is ahead of the clock because settings take time to act.

    A setting cannot wait; what it costs is waited for by the next function or line, and a further setting takes
    effect when its turn has come.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready = 0.0

    @property
    def ahead(self) -> float:
        """Seconds still to wait."""
        return max(0.0, self._ready - self._clock.now)

    def spend(self, seconds: float) -> None:
        if seconds > 0:
            self._ready = max(self._ready, self._clock.now) + seconds

    def do(self, action: Callable[[], None]) -> None:
        """Run ``action`` in its turn: now, or when what was set before has taken effect."""
        if self._ready > self._clock.now:
            self._clock.call_at(self._ready, action)
        else:
            action()


class Drive(NamedTuple):
    """State of the output stage: ``kind`` is open, voltage or current; level in V or A, limit of the other quantity."""

    kind: str
    level: float = 0.0
    limit: float = 0.0
    resistance: float = 0.0


_OPEN = Drive("open")


class Source:
    """Output stage of one channel on its port."""

    def __init__(
        self,
        port: Port,
        clock: Clock,
        pace: Pace,
        settings: Settings,
        options: Options,
        interlock: Callable[[], bool],
    ) -> None:
        self._port = port
        self._clock = clock
        self._pace = pace
        self._s = settings
        self._options = options
        self._interlock = interlock
        self._drive = _OPEN
        self._contact: Event | None = None  # relay on its way
        self.stepped: Callable[[float], None] = lambda volts: None  # hears of each step of the voltage before it acts
        self.high_impedance = False  # relay left open by OUTPUT_HIGH_Z
        self.swept: float | None = None  # level that the trigger model holds
        self.swept_limit: float | None = None
        self.relay_operations = 0
        self._drive = self._wanted()
        self._put()

    # -- what holds now ----------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Relay closed."""
        return self._drive.kind != "open" and self._contact is None

    @property
    def level(self) -> float:
        """Level of the present function, V or A."""
        if self.swept is not None:
            return self.swept
        return self._s.source_levelv if self._s.source_func == VOLTS else self._s.source_leveli

    @property
    def range(self) -> float:
        return self._s.source_rangev if self._s.source_func == VOLTS else self._s.source_rangei

    def limited(self) -> bool:
        """In compliance now."""
        return self._s.source_output == ON and self.connected and self._port.compliance()

    # -- settings ----------------------------------------------------------------------------------------------------

    def set_function(self, function: int) -> None:
        if function != self._s.source_func:
            self._s.source_func = function
            self._pace.spend(self._options.function_time if self._s.source_output == ON else 0.0)
        self.update()

    def set_level(self, function: int, level: float) -> None:
        """Level of either function; autorange follows it. Above a fixed range: an error once the output is on."""
        s = self._s
        active = function == s.source_func
        picked = self._picked(function, level)
        if active and s.source_output == ON:
            if abs(level) > picked * ranges.SOURCE_OVER:
                raise TspError(self._options.level_error)
            if picked != self.range:
                self._check_area(function, picked)
        if function == VOLTS:
            s.source_levelv = level
        else:
            s.source_leveli = level
        self._change_range(function, picked)
        if active:
            self.swept = None
            self.update()
            self._delay()

    def set_range(self, function: int, value: float) -> None:
        """Fix the range: the smallest that holds ``value``; autorange off."""
        name = "v" if function == VOLTS else "i"
        picked = ranges.pick(_ranges(function), value)
        if function == AMPS and self._s.source_highc:
            picked = max(picked, 1e-6)
        active = self._s.source_output == ON and function == self._s.source_func
        if active:
            if abs(self.level) > picked * ranges.SOURCE_OVER:
                raise TspError(self._options.level_error)
            self._check_area(function, picked)
        setattr(self._s, f"source_autorange{name}", 0)
        self._change_range(function, picked)
        if active:
            self.update()

    def set_autorange(self, function: int, on: int) -> None:
        setattr(self._s, "source_autorangev" if function == VOLTS else "source_autorangei", on)
        self._follow(function)

    def set_lowrange(self, function: int, value: float) -> None:
        name = "v" if function == VOLTS else "i"
        picked = ranges.pick(_ranges(function), value)
        if function == AMPS and self._s.source_highc:
            picked = max(picked, 1e-6)
        setattr(self._s, f"source_lowrange{name}", picked)
        self._follow(function)

    def set_limit(self, name: str, value: float) -> None:
        """limitv, limiti, limitp or one of the limits while off."""
        if name == "limiti" and self._s.source_highc:
            value = max(value, 1e-6)
        before = getattr(self._s, f"source_{name}")
        setattr(self._s, f"source_{name}", value)
        if self._s.source_output == ON:
            try:
                self._check_area(self._s.source_func, self.range)
            except TspError:
                setattr(self._s, f"source_{name}", before)
                raise
        self.update()

    def set_output(self, state: int) -> None:
        """OUTPUT_OFF, OUTPUT_ON or OUTPUT_HIGH_Z (which reads back as off)."""
        if state == ON:
            self.switch_on()
            return
        self._s.source_output = OFF
        self.high_impedance = state == HIGH_Z
        self.release()
        self.update()

    def switch_on(self) -> None:
        """Output on, if interlock, range and safe area allow it."""
        s = self._s
        if s.source_output == ON:
            return
        if self._needs_interlock() and not self._interlock():
            raise TspError(802)
        if abs(self.level) > self.range * ranges.SOURCE_OVER:
            raise TspError(self._options.level_error)
        self._check_area(s.source_func, self.range)
        s.source_output = ON
        self.high_impedance = False
        self.update()
        self._delay()

    def drop_without_interlock(self) -> bool:
        """Output off if it needs the interlock and that is open; whether it was on."""
        if self._s.source_output == OFF or self._interlock() or not self._needs_interlock():
            return False
        self.set_output(OFF)
        return True

    def _needs_interlock(self) -> bool:
        """200 V range, or a current source that may reach more than 20 V; any output if so configured (sec. 14)."""
        s = self._s
        volts = s.source_rangev if s.source_func == VOLTS else s.source_limitv
        return volts > ranges.HIGH_VOLTS or bool(s.source_outputenableaction)

    # -- sweeping ----------------------------------------------------------------------------------------------------

    def sweep_to(self, level: float) -> float:
        """Source action of the trigger model: take ``level`` now; seconds that the source needs for it."""
        self.swept = level
        before = self.range
        self._change_range(self._s.source_func, self._picked(self._s.source_func, level), spend=False)
        self._act(self._wanted())
        return self.delay() + (self._range_time() if self.range != before else 0.0)

    def release(self) -> None:
        """Back to the programmed level and limit."""
        self.swept = self.swept_limit = None

    def idle(self) -> None:
        """End of a pulse: the programmed level, within the sweep."""
        self.swept = None
        self._act(self._wanted())

    def check_levels(self, levels: Sequence[float]) -> None:
        """Whether a sweep fits a fixed range; error 5005 (option) otherwise."""
        largest = max(levels, key=abs)
        if abs(largest) > self._picked(self._s.source_func, largest) * ranges.SOURCE_OVER:
            raise TspError(self._options.level_error)

    def delay(self) -> float:
        """Source delay (s) after a change of the level."""
        if self._s.source_delay != DELAY_AUTO:
            return self._s.source_delay
        if self._s.source_func == VOLTS:
            return _VOLT_SETTLING[self._s.source_rangev]
        return ranges.settling_time(self._s.source_rangei, 0)

    # -- acting ------------------------------------------------------------------------------------------------------

    def update(self) -> None:
        """Bring the output stage to what the settings say, in its turn."""
        drive = self._wanted()
        if self._pace.ahead:
            self._pace.do(lambda: self._act(drive))
        else:
            self._act(drive)

    def _wanted(self) -> Drive:
        s, o = self._s, self._options
        if s.source_output == ON:
            if s.source_func == VOLTS:
                volts = ranges.on_grid(self.level, s.source_rangev * o.voltage_counts)
                return Drive("voltage", volts, self._current_limit(volts), o.on_resistance)
            amps = ranges.on_grid(self.level, s.source_rangei * o.current_counts)
            return Drive("current", amps, self._voltage_limit(amps))
        if s.source_offmode == HIGH_Z or self.high_impedance:
            return _OPEN
        if s.source_offmode == NORMAL:
            if s.source_offfunc == VOLTS:
                return Drive("voltage", 0.0, s.source_offlimiti, o.off_resistance)
            return Drive("current", 0.0, s.source_offlimitv)
        if s.source_func == VOLTS:
            return Drive("voltage", 0.0, s.source_limiti, o.off_resistance)
        return Drive("voltage", 0.0, max(abs(s.source_leveli), 0.1 * s.source_rangei), o.off_resistance)

    def _current_limit(self, volts: float) -> float:
        amps = self._s.source_limiti if self.swept_limit is None else self.swept_limit
        return min(amps, self._s.source_limitp / abs(volts)) if self._s.source_limitp and volts else amps

    def _voltage_limit(self, amps: float) -> float:
        volts = self._s.source_limitv if self.swept_limit is None else self.swept_limit
        return min(volts, self._s.source_limitp / abs(amps)) if self._s.source_limitp and amps else volts

    def _act(self, drive: Drive) -> None:
        if drive == self._drive:
            return
        before, self._drive = self._drive, drive
        if (drive.kind == "open") != (before.kind == "open"):
            self._move_relay()
        elif self._contact is None and drive.kind != "open":
            self.stepped(drive.level - before.level if drive.kind == before.kind == "voltage" else 0.0)
            self._put()

    def _move_relay(self) -> None:
        """The relay opens at once and closes after its time; either way the instrument waits for it."""
        self.relay_operations += 1
        if self._contact is not None:
            self._clock.cancel(self._contact)
            self._contact = None
        self._port.open()
        if self._drive.kind != "open":
            self._contact = self._clock.call_at(self._clock.now + self._options.relay_time, self._closed)
        self._pace.spend(self._options.relay_time)

    def _closed(self) -> None:
        self._contact = None
        self.stepped(self._drive.level if self._drive.kind == "voltage" else 0.0)
        self._put()

    def _put(self) -> None:
        drive = self._drive
        if drive.kind == "voltage":
            self._port.drive(drive.level, drive.resistance, drive.limit, self._options.limit_delay)
        else:
            self._port.source_current(drive.level, drive.limit)

    # -- ranges ------------------------------------------------------------------------------------------------------

    def _picked(self, function: int, level: float) -> float:
        """Range for a level: the present one while fixed, else the smallest that holds it."""
        s = self._s
        if function == VOLTS:
            if not s.source_autorangev:
                return s.source_rangev
            return max(ranges.pick(ranges.VOLTAGE, level), s.source_lowrangev)
        if not s.source_autorangei:
            return s.source_rangei
        return max(ranges.pick(ranges.CURRENT_SOURCE, level), s.source_lowrangei)

    def _follow(self, function: int) -> None:
        """Autorange of the source after one of its settings has changed."""
        level = self._s.source_levelv if function == VOLTS else self._s.source_leveli
        self._change_range(function, self._picked(function, level))
        self.update()

    def _change_range(self, function: int, picked: float, spend: bool = True) -> None:
        s = self._s
        if picked == (s.source_rangev if function == VOLTS else s.source_rangei):
            return
        if function == VOLTS:
            s.source_rangev = picked
        else:
            s.source_rangei = picked
        if spend and s.source_output == ON and function == s.source_func:
            self._pace.spend(self._range_time())

    def _range_time(self) -> float:
        high = self._s.source_func == AMPS and self._s.source_rangei >= 1.0
        return self._options.source_range_time_high if high else self._options.source_range_time

    def _delay(self) -> None:
        if self._s.source_output == ON and self._s.source_delay:
            self._pace.spend(self.delay())

    def _check_area(self, function: int, source_range: float) -> None:
        """Safe area: more than 100 mA only up to 20 V (error 5007)."""
        s = self._s
        if function == VOLTS:
            outside = source_range > ranges.HIGH_VOLTS and s.source_limiti > ranges.HIGH_VOLTS_AMPS * 1.01
        else:
            outside = source_range > ranges.HIGH_VOLTS_AMPS and s.source_limitv > ranges.HIGH_VOLTS
        if outside:
            raise TspError(5007)


def _ranges(function: int) -> tuple[float, ...]:
    return ranges.VOLTAGE if function == VOLTS else ranges.CURRENT_SOURCE
