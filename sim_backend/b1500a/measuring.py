"""Measurements that XE starts: spot, sweeps, sampling, pulses (reference b1500a sec. 9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from sim_backend.b1500a import formats, ranges, settings
from sim_backend.b1500a.buffers import DataBuffer
from sim_backend.b1500a.errors import FlexError
from sim_backend.b1500a.formats import Datum
from sim_backend.b1500a.meter import Meter
from sim_backend.b1500a.options import Options
from sim_backend.b1500a.settings import Setup, SweepSource, TwoLevelSource
from sim_backend.b1500a.smu import Output, Smu
from sim_backend.clock import Clock
from sim_backend.tasks import Steps

_LOG_DENSITY = {2: 10, 3: 25, 4: 50, 5: 100, 6: 250, 7: 500}
_LATE = 1e-9  # s
_COMPLIANCE_SIDE, _CURRENT, _VOLTAGE, _FORCE_SIDE, _BOTH = 0, 1, 2, 3, 4


class Measurements:
    """All measurement modes over the channels of one mainframe.

    Attributes:
        timer: when (s) the time stamp counter was cleared.
    """

    def __init__(
        self,
        clock: Clock,
        options: Options,
        setup: Setup,
        smus: Mapping[int, Smu],
        meters: Mapping[int, Meter],
        letters: Mapping[int, str],
        data: DataBuffer,
    ) -> None:
        self._clock = clock
        self._options = options
        self.setup = setup
        self._smus = smus
        self._meters = meters
        self._letters = letters
        self._data = data
        self.timer = clock.now

    def run(self) -> Steps[None]:
        """The measurement that MM chose; its data stream into the buffer while it runs.

        Raises:
            FlexError: something is not set up, or a channel is off.
        """
        s = self.setup
        modes = {
            settings.SPOT: self._spot,
            settings.STAIRCASE: self._staircase,
            settings.MULTI_SWEEP: self._staircase,
            settings.SAMPLING: self._sampling,
            settings.PULSED_SPOT: self._pulsed_spot,
            settings.PULSED_SWEEP: self._pulsed_sweep,
            settings.STAIRCASE_PULSED: self._pulsed_sweep,
        }
        if s.mode is None:
            raise FlexError(214)
        if s.mode not in modes:
            raise FlexError(220)
        for channel in s.channels:
            self._smus[channel].require_on()
        yield from modes[s.mode]()

    # -- elements ----------------------------------------------------------------------------------------------------

    def _put(self, datum: Datum, stamp: float, last: bool) -> None:
        """A measured datum, after its time stamp if there are any; ``last`` marks the end of all data."""
        if self.setup.time_stamps and self._data.format not in formats.BINARY_SHORT:
            self._data.put(self.time(stamp, datum.channel))
        self._data.put(replace(datum, status=datum.status | formats.LAST) if last else datum)

    def time(self, at: float, letter: str) -> Datum:
        """Element of a time stamp."""
        return Datum(round((at - self.timer) / 1e-4) * 1e-4, letter, "T", 1.0)

    def _kinds(self, channel: int) -> str:
        """Quantities that a channel measures, in their order in the data."""
        smu = self._smus[channel]
        compliance_side, force_side = ("I", "V") if smu.output.volts else ("V", "I")
        return {
            _COMPLIANCE_SIDE: compliance_side,
            _CURRENT: "I",
            _VOLTAGE: "V",
            _FORCE_SIDE: force_side,
            _BOTH: compliance_side + force_side,
        }[smu.measuring.side]

    def _measure(self, channel: int, wait: bool, overhead: float | None = None) -> Steps[list[tuple[Datum, float]]]:
        """Readings of one channel as CMM, RI and RV say."""
        smu, found = self._smus[channel], []
        for kind in self._kinds(channel):
            code = smu.measuring.current_code if kind == "I" else smu.measuring.voltage_code
            found.append((yield from self._meters[channel].read(kind, code, self._letters[channel], wait, overhead)))
        return found

    def _point(
        self, channels: Iterable[int], last: bool, wait: bool = True, overhead: float | None = None
    ) -> Steps[int]:
        """Measure ``channels`` in order into the buffer; returns the sum of their status bits."""
        status, ordered = 0, tuple(channels)
        for channel in ordered:
            readings = yield from self._measure(channel, wait, overhead)
            for k, (datum, stamp) in enumerate(readings):
                status |= datum.status
                self._put(datum, stamp, last and channel == ordered[-1] and k == len(readings) - 1)
        return status

    def _sources(self, values: Iterable[tuple[int, Output]], last: bool) -> None:
        for channel, output in values:
            kind = "V" if output.volts else "I"
            self._data.put(Datum(output.level, self._letters[channel], kind, output.scale, 0, "E" if last else "W"))

    # -- spot --------------------------------------------------------------------------------------------------------

    def _spot(self) -> Steps[None]:
        yield from self._point(self.setup.channels, last=True)

    # -- staircase and multi-channel sweep ----------------------------------------------------------------------------

    def _stairs(self) -> list[list[tuple[Smu, Output]]]:
        """Outputs of all sources at every step, the primary one first."""
        s = self.setup
        if s.sweep is None:
            raise FlexError(220)
        sources = [s.sweep]
        for _, other in sorted(s.synchronous.items()):
            sources.append(replace(other, mode=s.sweep.mode, steps=s.sweep.steps))
        columns = [list(self._outputs(source)) for source in sources]
        return [list(step) for step in zip(*columns, strict=True)]

    def _outputs(self, source: SweepSource) -> Iterator[tuple[Smu, Output]]:
        smu = self._smus[source.channel]
        smu.require_on()
        span = max(abs(source.start), abs(source.stop))
        follows = source.mode in (2, 4) or source.power is not None
        for level in source.levels():
            yield (
                smu,
                smu.plan(
                    source.volts,
                    source.code,
                    level,
                    source.compliance,
                    span=None if follows else span,
                    power=source.power,
                ),
            )

    def _staircase(self) -> Steps[None]:
        s = self.setup
        steps = self._stairs()
        hold, delay, step_delay, _, measure_delay = s.timing
        shown = min(s.fmt_mode, len(steps[0]))
        offset = s.waits[1][1]
        aborted = False
        for k, outputs in enumerate(steps):
            last = k == len(steps) - 1
            if not aborted:
                if offset:
                    yield offset
                self._force(outputs)
                pause = (hold if k == 0 else 0.0) + delay + measure_delay
                if pause:
                    yield pause
                begun = self._clock.now
                status = yield from self._point(s.channels, last)
                aborted = s.abort == 2 and self._stops(status)
            else:
                self._dummies(last)
            self._sources(((smu.slot, output) for smu, output in outputs[:shown]), last)
            if aborted or last:
                continue
            left = begun + step_delay - self._clock.now
            if left > _LATE:
                yield left
        self._force(steps[0] if aborted or s.post == 1 else self._stops_of(steps))

    def _stops_of(self, steps: list[list[tuple[Smu, Output]]]) -> list[tuple[Smu, Output]]:
        """Outputs at the stop value: the turning point of a double sweep."""
        double = self.setup.sweep is not None and self.setup.sweep.mode in (3, 4)
        return steps[len(steps) // 2] if double else steps[-1]

    def _stops(self, status: int) -> bool:
        """Whether automatic abort acts: compliance anywhere, or overflow."""
        bad = formats.COMPLIANCE | formats.OTHER_COMPLIANCE | formats.OVERFLOW | formats.OSCILLATION
        return bool(status & bad) or any(smu.limited() for smu in self._smus.values())

    def _dummies(self, last: bool) -> None:
        """Elements of a point that was not measured."""
        for channel in self.setup.channels:
            kinds = self._kinds(channel)
            for k, kind in enumerate(kinds):
                scale = self._smus[channel].module.amps[-1] if kind == "I" else 20.0
                datum = Datum(formats.DUMMY, self._letters[channel], kind, scale, formats.INVALID)
                ends = last and channel == self.setup.channels[-1] and k == len(kinds) - 1
                self._put(datum, self._clock.now, ends)

    def _force(self, outputs: Iterable[tuple[Smu, Output]]) -> None:
        for smu, output in outputs:
            smu.force(output)

    # -- sampling ----------------------------------------------------------------------------------------------------

    def _sampling(self) -> Steps[None]:
        s = self.setup
        hold_bias, interval, count, hold_base = s.sampling
        sources = [s.sampling_sources[channel] for channel in sorted(s.sampling_sources)]
        bases = [self._two(source, source.base) for source in sources]
        biases = [self._two(source, source.level) for source in sources]
        self._force(bases)
        if hold_base:
            yield hold_base
        start = self._clock.now
        if hold_bias >= 0.0:
            self._force(biases)
            first, bias_at = start + hold_bias, None
        else:
            first, bias_at = start, start - hold_bias
        aborted = False
        for k in range(count):
            last = k == count - 1
            if aborted:
                self._index(k)
                self._dummies(last)
                continue
            due = first + self._sample_time(k, interval)
            if bias_at is not None and due >= bias_at:
                yield max(0.0, bias_at - self._clock.now)
                self._force(biases)
                bias_at = None
            if due - self._clock.now > _LATE:
                yield due - self._clock.now
            self._index(k)
            status = yield from self._point(s.channels, last, wait=False, overhead=self._options.sampling_time)
            aborted = s.sampling_abort == 2 and self._stops(status)
        self._force(bases if s.sampling_post == 1 else biases)
        for channel, (post, _) in s.sampling_ends.items():
            output = self._smus[channel].output
            self._smus[channel].force(self._smus[channel].plan(output.volts, output.code, post, output.compliance))

    def _index(self, k: int) -> None:
        if self.setup.fmt_mode and self._options.sampling_index:
            self._data.put(Datum(k + 1, "Z", "X", 1.0))

    def _sample_time(self, k: int, interval: float) -> float:
        """Seconds from the first possible sample to sample ``k``."""
        if self.setup.spacing == 1:
            return k * interval
        return float(interval * 10.0 ** (k / _LOG_DENSITY[self.setup.spacing])) - interval

    def _two(self, source: TwoLevelSource, level: float) -> tuple[Smu, Output]:
        smu = self._smus[source.channel]
        smu.require_on()
        span = max(abs(source.base), abs(source.level))
        return smu, smu.plan(source.volts, source.code, level, source.compliance, span=span)

    # -- pulses ------------------------------------------------------------------------------------------------------

    def _pulsed_spot(self) -> Steps[None]:
        source = self.setup.pulse
        if source is None:
            raise FlexError(223)
        base, peak = self._two(source, source.base), self._two(source, source.level)
        yield from self._pulses([(base, peak, [])])

    def _pulsed_sweep(self) -> Steps[None]:
        """MM 4: PWV or PWI; MM 5: staircase of WV or WI with a constant pulse of PV or PI."""
        s = self.setup
        if s.mode == settings.STAIRCASE_PULSED:
            if s.pulse is None:
                raise FlexError(223)
            base, peak = self._two(s.pulse, s.pulse.base), self._two(s.pulse, s.pulse.level)
            yield from self._pulses([(base, peak, outputs) for outputs in self._stairs()])
            return
        if s.pulse_sweep is None or s.pulse_sweep.base is None:
            raise FlexError(224)
        smu = self._smus[s.pulse_sweep.channel]
        resting = smu.plan(
            s.pulse_sweep.volts,
            s.pulse_sweep.code,
            s.pulse_sweep.base,
            s.pulse_sweep.compliance,
            span=max(abs(s.pulse_sweep.start), abs(s.pulse_sweep.stop)),
        )
        yield from self._pulses([((smu, resting), peak, []) for peak in self._outputs(s.pulse_sweep)])

    def _pulses(
        self, points: list[tuple[tuple[Smu, Output], tuple[Smu, Output], list[tuple[Smu, Output]]]]
    ) -> Steps[None]:
        """One pulse per point, measured at its end by the one measurement channel."""
        s = self.setup
        if s.pulse_timing is None:
            raise FlexError(217)
        hold, width, period, _ = s.pulse_timing
        (channel,) = s.channels
        meter, letter = self._meters[channel], self._letters[channel]
        (base, _, _) = points[0]
        self._force([base])
        if hold:
            yield hold
        for k, (resting, peak, stairs) in enumerate(points):
            last = k == len(points) - 1
            self._force(stairs)
            begun = self._clock.now
            self._force([peak])
            yield width
            stamp = self._clock.now
            for kind in self._kinds(channel):
                code = self._code(channel, kind)
                datum = meter.read_now(kind, code, letter, min(width, meter.integration(ranges.CURRENT_CODES[19])))
                self._put(datum, stamp, last)
            if s.fmt_mode:
                self._sources(((smu.slot, output) for smu, output in (stairs or [peak])), last)
            self._force([resting])
            left = begun + (period or width + self._options.pulse_gap) - self._clock.now
            if left > _LATE and not last:
                yield left

    def _code(self, channel: int, kind: str) -> int:
        measuring = self._smus[channel].measuring
        return measuring.current_code if kind == "I" else measuring.voltage_code
