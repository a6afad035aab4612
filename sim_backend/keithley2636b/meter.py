"""The meter of one channel: how long a measurement takes and what it reads (reference keithley2636b sec. 9, F9-F13)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import exp, expm1, sqrt
from statistics import fmean, median

from sim_backend.circuit import Port
from sim_backend.clock import Clock
from sim_backend.draws import Draws
from sim_backend.keithley2636b import ranges
from sim_backend.keithley2636b.buffers import (
    STATUS_AUTORANGE_MEASURE,
    STATUS_AUTORANGE_SOURCE,
    STATUS_COMPLIANCE,
    STATUS_FILTERED,
    STATUS_RELATIVE,
    STATUS_SENSE,
    Reading,
)
from sim_backend.keithley2636b.options import Options
from sim_backend.keithley2636b.settings import (
    AUTORANGE_ON,
    AUTOZERO_AUTO,
    DELAY_AUTO,
    FILTER_MEDIAN,
    FILTER_REPEAT,
    FOLLOW_LIMIT,
    ON,
    VOLTS,
    Settings,
)
from sim_backend.keithley2636b.source import Source
from sim_backend.tasks import Steps

_REFERENCES = 10  # NPLC values whose reference readings are kept
_RELATIVE = {kind: f"measure_rel_enable{kind}" for kind in "virp"}
_NEGLIGIBLE = 40.0  # time constants after which nothing is left
_SURELY_SETTLED = _NEGLIGIBLE * 0.45 / ranges.SETTLED  # s, on the slowest range


class Meter:
    """Ammeter and voltmeter of a channel. The ammeter settles exponentially towards the true current (F11)."""

    def __init__(
        self,
        port: Port,
        clock: Clock,
        draws: Draws,
        stream: str,
        channel: int,
        settings: Settings,
        source: Source,
        options: Options,
        noise: bool,
        line_frequency: Callable[[], float],
    ) -> None:
        self._port = port
        self._clock = clock
        self._draws = draws
        self._streams = {"v": f"{stream}.noise.v", "i": f"{stream}.noise.i"}
        self._channel = channel
        self._s = settings
        self._source = source
        self._options = options
        self._sigma = options.noise if noise else 0.0
        self._line_frequency = line_frequency
        self._index = 0  # measurements so far: the address of their noise
        self._settled = 0.0  # A, what the ammeter stands at ...
        self._as_of = clock.now  # ... at this time
        self._known: float | None = None  # A, the true current that was read since the last step
        self._references: deque[tuple[float, float]] = deque(maxlen=_REFERENCES)  # (nplc, time)
        self._history: dict[str, deque[float]] = {}
        source.stepped = self.step

    # -- ranges ------------------------------------------------------------------------------------------------------

    @property
    def voltage_range(self) -> float:
        """Measure range in force: the source's where voltage is sourced."""
        s = self._s
        if s.source_func == VOLTS:
            return s.source_rangev
        if s.measure_autorangev == FOLLOW_LIMIT:
            return ranges.pick(ranges.VOLTAGE, s.source_limitv)
        return s.measure_rangev

    @property
    def current_range(self) -> float:
        s = self._s
        if s.source_func != VOLTS:
            return s.source_rangei
        if s.measure_autorangei == FOLLOW_LIMIT:
            return ranges.pick(ranges.CURRENT_MEASURE, s.source_limiti)
        return s.measure_rangei

    # -- settling of the ammeter -------------------------------------------------------------------------------------

    def _tau(self) -> float:
        return ranges.settling_time(self.current_range, self._s.measure_analogfilter) / ranges.SETTLED

    def step(self, volts: float) -> None:
        """The source is about to change, its voltage by ``volts``: the cable's charge goes through the ammeter."""
        if not volts:
            self._known = None
            return
        now, tau = self._clock.now, self._tau()
        before = self._port.current() if self._known is None else self._known
        self._relax(now, before, tau)
        self._settled += self._options.capacitance * volts / tau
        self._known = None

    def _relax(self, now: float, current: float, tau: float) -> None:
        turns = (now - self._as_of) / tau
        self._settled = current + (self._settled - current) * exp(-turns) if turns < _NEGLIGIBLE else current
        self._as_of = now

    def _shown(self, current: float, aperture: float) -> float:
        """Mean over the last ``aperture`` seconds of what the ammeter showed, the true current having been constant."""
        now = self._clock.now
        self._known = current
        away = self._settled - current
        begin = now - aperture - self._as_of
        if away == 0.0 or begin > _SURELY_SETTLED:
            self._settled, self._as_of = current, now
            return current
        tau = self._tau()
        shown = current
        if begin >= 0.0 and aperture > 0.0:
            shown += away * tau / aperture * exp(-begin / tau) * -expm1(-aperture / tau)
        else:
            shown += away * exp(-max(now - self._as_of, 0.0) / tau)
        self._relax(now, current, tau)
        return shown

    # -- time --------------------------------------------------------------------------------------------------------

    def delay(self, kinds: str) -> float:
        """Measure delay (s): as set, or for currents by range."""
        s = self._s
        if s.measure_delay != DELAY_AUTO:
            return s.measure_delay
        if kinds == "v":
            return 0.0
        return ranges.auto_delay(
            self.current_range,
            s.measure_analogfilter,
            s.source_highc,
            s.measure_delayfactor,
            s.measure_highcrangedelayfactor,
        )

    def zero(self) -> float:
        """Seconds for reference conversions due now; they count as taken."""
        s = self._s
        if s.measure_autozero != AUTOZERO_AUTO:
            return 0.0
        now = self._clock.now
        for nplc, taken in self._references:
            if nplc == s.measure_nplc and now - taken < self._options.autozero_age:
                return 0.0
        self._references = deque((r for r in self._references if r[0] != s.measure_nplc), maxlen=_REFERENCES)
        self._references.append((s.measure_nplc, now))
        return 2 * s.measure_nplc / self._line_frequency()

    def conversion(self) -> float:
        """Seconds of one conversion."""
        return self._s.measure_nplc / self._line_frequency()

    def forget_references(self) -> None:
        self._references.clear()

    # -- measuring ---------------------------------------------------------------------------------------------------

    def measure(self, kinds: str, first: bool = True) -> Steps[tuple[Reading, ...]]:
        """Measure "v", "i", "iv", "r" or "p"; one reading per letter. ``first``: the measure delay applies."""
        s = self._s
        needs_i, needs_v = kinds != "v", kinds != "i"
        repeats = s.measure_filter_count if s.measure_filter_enable and s.measure_filter_type == FILTER_REPEAT else 1
        aperture = s.measure_nplc * repeats / self._line_frequency()
        yield (self.delay(kinds) if first else 0.0) + self.zero() + aperture + self._options.measure_overhead
        while True:
            closed = self._source.connected
            volts = self._port.voltage() if closed and needs_v else 0.0
            shown = self._shown(self._port.current() if closed else 0.0, aperture) if needs_i else 0.0
            wait = self._autorange(shown, volts, needs_i, needs_v, kinds)
            if not wait:
                break
            yield wait + aperture
        return self._readings(kinds, shown, volts, self._clock.now - aperture, repeats)

    def _readings(self, kinds: str, amps: float, volts: float, time: float, repeats: int) -> tuple[Reading, ...]:
        s = self._s
        limited = self._source.limited()
        if self._source.connected:
            fluctuation = self._port.flicker()
            if (s.source_func == VOLTS) != limited:
                amps *= 1.0 + fluctuation
            else:
                volts *= 1.0 - fluctuation
        sigma = self._sigma / sqrt(s.measure_nplc * repeats)
        index, self._index = self._index, self._index + 1
        measured: list[tuple[str, float, float, int]] = []  # kind, value, range, autorange
        if kinds != "v":
            full = self.current_range
            amps = self._read("i", amps, full, sigma, index, self._options.current_digits)
            measured.append(("i", amps, full, s.measure_autorangei))
        if kinds != "i":
            full = self.voltage_range
            volts = self._read("v", volts, full, sigma, index, self._options.voltage_digits)
            measured.append(("v", volts, full, s.measure_autorangev))
        if kinds == "r":
            measured = [("r", _ratio(volts, amps), self.current_range, s.measure_autorangei)]
        elif kinds == "p":
            measured = [("p", _product(volts, amps), self.current_range, s.measure_autorangei)]
        sources_volts = s.source_func == VOLTS
        status = STATUS_COMPLIANCE if limited else 0
        if s.source_autorangev if sources_volts else s.source_autorangei:
            status |= STATUS_AUTORANGE_SOURCE
        if s.sense == 1:
            status |= STATUS_SENSE
        level, source_range = self._source.level, self._source.range
        readings = []
        for kind, value, full, autorange in measured:
            bits = status | STATUS_AUTORANGE_MEASURE if autorange == AUTORANGE_ON else status
            if s.measure_filter_enable or getattr(s, _RELATIVE[kind]):
                value, bits = self._processed(kind, value, bits)
            readings.append(
                Reading(
                    value,
                    kind,
                    time,
                    level,
                    bits,
                    full,
                    source_range,
                    "v" if sources_volts else "i",
                    s.source_output == ON,
                )
            )
        return tuple(readings)

    def _read(self, kind: str, value: float, full: float, sigma: float, index: int, count: float) -> float:
        """Noise, counts, overflow."""
        if sigma:
            value += full * sigma * self._draws.normal(self._streams[kind], self._channel, index)
        if abs(value) > full * ranges.MEASURE_OVER:
            return ranges.OVERFLOW
        return ranges.on_grid(value, full * count)

    def _processed(self, kind: str, value: float, status: int) -> tuple[float, int]:
        """Digital filter and relative offset."""
        s = self._s
        if s.measure_filter_enable:
            status |= STATUS_FILTERED
            if s.measure_filter_type != FILTER_REPEAT:
                value = self._filtered(kind, value)
        if getattr(s, _RELATIVE[kind]):
            status |= STATUS_RELATIVE
            if value != ranges.OVERFLOW:
                value -= getattr(s, f"measure_rel_level{kind}")
        return value, status

    def _filtered(self, kind: str, value: float) -> float:
        history = self._history.setdefault(kind, deque())
        history.append(value)
        while len(history) > self._s.measure_filter_count:
            history.popleft()
        return median(history) if self._s.measure_filter_type == FILTER_MEDIAN else fmean(history)

    def reset_filter(self) -> None:
        self._history.clear()

    # -- autorange ---------------------------------------------------------------------------------------------------

    def _autorange(self, amps: float, volts: float, needs_i: bool, needs_v: bool, kinds: str) -> float:
        """Seconds to wait before measuring again on another range; 0 when the ranges fit. One range at a time (F12)."""
        s = self._s
        if needs_i and s.source_func == VOLTS and s.measure_autorangei == AUTORANGE_ON and not s.source_highc:
            top = ranges.pick(ranges.CURRENT_MEASURE, s.source_limiti)
            target = self._step_range(ranges.CURRENT_MEASURE, s.measure_rangei, amps, s.measure_lowrangei, top)
            if target is not None:
                self._relax(self._clock.now, amps, self._tau())
                s.measure_rangei = target
                self._settled += self._options.range_glitch * target
                return self._options.range_time + self.delay(kinds)
        if needs_v and s.source_func != VOLTS and s.measure_autorangev == AUTORANGE_ON:
            top = ranges.pick(ranges.VOLTAGE, s.source_limitv)
            target = self._step_range(ranges.VOLTAGE, s.measure_rangev, volts, s.measure_lowrangev, top)
            if target is not None:
                s.measure_rangev = target
                return self._options.range_time + self.delay(kinds)
        return 0.0

    def _step_range(
        self, table: tuple[float, ...], present: float, value: float, lowest: float, highest: float
    ) -> float | None:
        if abs(value) > present and present < highest:
            return ranges.above(table, present)
        lower = ranges.below(table, present)
        if lower is not None and lower >= lowest and abs(value) < self._options.range_down * lower:
            return lower
        return None


def _ratio(volts: float, amps: float) -> float:
    if ranges.OVERFLOW in (volts, amps) or amps == 0.0:
        return ranges.OVERFLOW
    return volts / amps


def _product(volts: float, amps: float) -> float:
    return ranges.OVERFLOW if ranges.OVERFLOW in (volts, amps) else volts * amps
