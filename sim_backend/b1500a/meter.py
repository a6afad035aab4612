"""Readings of one SMU: ranging, integration, settling, noise, status (reference b1500a sec. 7, 8, 13)."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

from sim_backend.b1500a import formats, ranges, settings
from sim_backend.b1500a.ammeter import Ammeter
from sim_backend.b1500a.formats import Datum
from sim_backend.b1500a.options import Options
from sim_backend.b1500a.settings import Setup
from sim_backend.b1500a.smu import Smu
from sim_backend.clock import Clock
from sim_backend.draws import Draws
from sim_backend.tasks import Steps

_SETTLED = 6.9  # time constants in a settling time (0.1 %)
_OVER_FIXED = 1.0 + 1e-9


class Meter:
    """Ammeter and voltmeter of one SMU.

    Args:
        setup: hands out the mainframe's settings in force.
        last_change: hands out when any output changed last (s).
        others_limited: whether another channel is in compliance.
    """

    def __init__(
        self,
        smu: Smu,
        clock: Clock,
        draws: Draws,
        stream: str,
        options: Options,
        noise: bool,
        line_frequency: float,
        setup: Callable[[], Setup],
        last_change: Callable[[], float],
        others_limited: Callable[[], bool],
    ) -> None:
        self._smu = smu
        self._clock = clock
        self._draws = draws
        self._streams = {"V": f"{stream}.noise.v", "I": f"{stream}.noise.i"}
        self._options = options
        self._noise = options.noise if noise else 0.0
        self._floor = options.noise_floor if noise else 0.0
        self._line = line_frequency
        self._setup = setup
        self._last_change = last_change
        self._others_limited = others_limited
        self._ammeter = Ammeter()
        self._range = smu.module.amps[-1]  # A, measuring range left by the last reading
        self._readings = 0
        smu.stepped = self._stepped

    # -- time --------------------------------------------------------------------------------------------------------

    def integration(self, scale: float) -> float:
        """Integration time (s) of a current reading on ``scale`` (A), without the zero measurement."""
        o, adc = self._options, self._smu.measuring.adc
        mode, n = self._setup().integration[adc]
        if mode == settings.PLC:
            return n / self._line
        if adc != settings.HIGH_RESOLUTION:
            if mode == settings.TIME:
                return n
            factor = o.high_speed_reference * o.auto_factors.get(scale, 1.0) if mode == settings.AUTO else 1.0
            return n * factor * o.sample_time
        if mode == settings.AUTO:
            return n * o.high_resolution_reference * o.auto_factors.get(scale, 1.0) / self._line
        return n * 80e-6

    def _duration(self, scale: float) -> float:
        """Seconds that the integration takes."""
        doubled = self._smu.measuring.adc == settings.HIGH_RESOLUTION and self._setup().auto_zero
        return self.integration(scale) * (2.0 if doubled else 1.0)

    def _settling(self, scale: float) -> float:
        return self._options.settling[scale]

    def _wait(self, scale: float) -> float:
        """Seconds from the last change of an output to a reading: WAT (ignored where a delay is longer)."""
        factor, offset = self._setup().waits[2]
        wait = factor * self._options.built_in_wait * self._settling(scale) + offset
        if self._smu.measuring.filter:
            wait += self._options.filter_time
        return max(0.0, self._last_change() + wait - self._clock.now)

    # -- readings ----------------------------------------------------------------------------------------------------

    def read(
        self, kind: str, code: int, letter: str, wait: bool = True, overhead: float | None = None
    ) -> Steps[tuple[Datum, float]]:
        """Measure "I" or "V" with range code ``code``; the datum, and when (s) its time stamp is.

        ``wait``: the built-in wait applies; ``overhead``: seconds beside the integration.
        """
        spent = self._options.spot_time if overhead is None else overhead
        if kind == "I":
            scale, fixed = yield from self._current_range(code, wait)
        else:
            scale, fixed = self._voltage_range(code), code < 0
        while True:
            # the voltmeter settles with the output, the ammeter with its range
            pause = self._wait(scale) if wait and kind == "I" else 0.0
            aperture = self._duration(scale if kind == "I" else 1.0)
            begin = self._clock.now + pause + spent
            yield pause + spent + aperture
            stamp = begin if self._options.time_stamp == "start" else self._clock.now
            datum = self._datum(kind, scale, fixed, letter, aperture)
            grown = kind == "I" and not fixed and datum.status & formats.OVERFLOW
            above = ranges.neighbour(self._smu.module.amps, scale, 1) if grown else None
            if above is None or above > self._bounds(code)[1]:
                return datum, stamp
            # the current has grown since the range was found: one range up, and again
            scale = yield from self._go_to(above, wait)

    def read_now(self, kind: str, code: int, letter: str, aperture: float) -> Datum:
        """A reading whose integration (``aperture``, s) ends now, on the range that fits: for pulses."""
        if kind == "I":
            lowest, top, fixed = self._bounds(code)
            scale = top if fixed else max(lowest, ranges.covering(self._smu.module.amps, self._smu.port.current()))
            self._range = min(scale, top)
        scale = self._range if kind == "I" else self._voltage_range(code)
        return self._datum(kind, scale, code < 0, letter, aperture)

    def _datum(self, kind: str, scale: float, fixed: bool, letter: str, aperture: float) -> Datum:
        smu = self._smu
        limited = smu.limited()
        value = smu.port.voltage() if kind == "V" else self._current(scale, aperture)
        forced_volts = smu.output.volts != limited
        if (kind == "I") == forced_volts:  # what is forced does not fluctuate
            value *= 1.0 + smu.port.flicker()
        status = formats.COMPLIANCE if limited else 0
        if self._others_limited():
            status |= formats.OTHER_COMPLIANCE
        if abs(value) > scale * (_OVER_FIXED if fixed else ranges.OVER_AUTO):
            self._readings += 1
            return Datum(formats.DUMMY, letter, kind, scale, status | formats.OVERFLOW)
        return Datum(self._digitised(kind, value, scale, aperture), letter, kind, scale, status)

    def _current(self, scale: float, aperture: float) -> float:
        tau = self._settling(scale) / _SETTLED
        return self._ammeter.read(self._smu.port.current(), self._clock.now, aperture, tau)

    def _digitised(self, kind: str, value: float, scale: float, aperture: float) -> float:
        """Noise (F13) and counts."""
        cycles = max(aperture * self._line, 1e-9)
        if self._smu.measuring.adc == settings.HIGH_RESOLUTION and self._setup().auto_zero:
            cycles /= 2.0
        sigma = scale * self._noise / sqrt(cycles)
        if kind == "I":
            sigma = max(sigma, self._floor / sqrt(cycles))
        if sigma:
            value += sigma * self._draws.normal(self._streams[kind], self._smu.slot, self._readings)
        self._readings += 1
        if not self._options.quantise:
            return value
        fine = self._smu.measuring.adc == settings.HIGH_RESOLUTION
        step = ranges.step_of(scale, fine, kind == "I")
        return round(value / step) * step

    def _stepped(self, volts: float) -> None:
        """The own source is about to step: its cable's charge goes through the ammeter."""
        tau = self._settling(self._range) / _SETTLED
        self._ammeter.charge(self._options.capacitance * volts, self._clock.now, tau)

    # -- ranges ------------------------------------------------------------------------------------------------------

    def _voltage_range(self, code: int) -> float:
        """Range of a voltage reading (V): that of the output where voltage is forced."""
        smu = self._smu
        if smu.output.volts:
            return smu.output.scale
        asked = smu.module.voltage_range(code) or 0.0
        if code < 0:
            return asked
        top = smu.output.compliance_scale
        return min(top, max(asked, ranges.covering(smu.module.volts, smu.port.voltage())))

    def _bounds(self, code: int) -> tuple[float, float, bool]:
        """Lowest and highest current range (A) that a range code allows, and whether it is fixed."""
        smu = self._smu
        asked = smu.module.current_range(code) or smu.module.amps[0]
        if not smu.output.volts:
            return smu.output.scale, smu.output.scale, True
        if code < 0:
            return asked, asked, True
        top = smu.output.compliance_scale
        return min(asked, top), top, False

    def _current_range(self, code: int, wait: bool) -> Steps[tuple[float, bool]]:
        """Go to the range of a current reading (A), range by range; True with it if it is fixed."""
        lowest, top, fixed = self._bounds(code)
        risen = False
        while True:
            target = self._step(lowest, top)
            if target is None or (risen and target < self._range):
                break
            risen = target > self._range
            last = self._step(lowest, top, target) is None
            yield from self._go_to(target, wait and last)  # the last change is waited for
        return self._range, fixed

    def _go_to(self, scale: float, wait: bool) -> Steps[float]:
        """Change the current range (A), which takes its time."""
        self._range = scale
        pause = self._options.range_time
        if wait:
            pause += self._settling(scale) * self._setup().waits[2][0] * self._options.built_in_wait
        yield pause
        self._ammeter.settle(self._smu.port.current(), self._clock.now)
        return scale

    def _step(self, lowest: float, top: float, at: float | None = None) -> float | None:
        """The range to change to next from the one it is ``at`` (A; None: the present one), None where that fits."""
        smu, present = self._smu, self._range if at is None else at
        if present < lowest:
            return lowest
        if present > top:
            return top
        if lowest == top:
            return None
        current = abs(smu.port.current())
        mode, rate = smu.measuring.range_mode
        up = ranges.OVER_AUTO if mode == 1 else rate / 100.0
        down = rate / 1000.0 if mode == 3 else ranges.DOWN_AUTO
        if present < top and (current > present * up if mode == 1 else current >= present * up):
            return ranges.neighbour(smu.module.amps, present, 1)
        if present > lowest and current <= present * down:
            return ranges.neighbour(smu.module.amps, present, -1)
        return None
