"""One execution of the sequences of one channel: when it is where, and what it has measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import numpy as np
from numpy.typing import NDArray

from sim_backend.gated import Recording
from sim_backend.wgfmu import codes
from sim_backend.wgfmu.mainframe import FastChannel, Mainframe
from sim_backend.wgfmu.meter import readings
from sim_backend.wgfmu.options import WgfmuOptions
from sim_backend.wgfmu.pattern import TICK
from sim_backend.wgfmu.program import Program, Windows
from sim_backend.wgfmu.ranges import METERS, RANGE_CHANGE, Meter

Floats = NDArray[np.float64]

_SETTLING_TAUS = 5.1


@dataclass
class Run:
    """A channel between ``execute`` and the next one.

    Attributes:
        start: absolute time (s) of the first vector.
        meter: code of the measurement range, None when measurement is disabled.
        revision: state of the library's set-up when it was started.
        first_draw: number of the first noise draw; draws are numbered through all runs of a channel.
    """

    mainframe: Mainframe
    channel: FastChannel
    program: Program
    start: float
    meter: int | None
    measure_delay: float
    revision: int
    first_draw: int
    recording: Recording
    aborted: float = inf
    _values: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def _options(self) -> WgfmuOptions:
        return self.mainframe.options

    @property
    def end(self) -> float:
        """Absolute time (s) at which the output stops."""
        return min(self.start + self.program.duration, self.aborted)

    @property
    def ready(self) -> float:
        """Absolute time (s) from which all data can be read."""
        return self.end + (self._options.abort_time if self.aborted < inf else self._options.readout_time)

    @property
    def size(self) -> int:
        """Values of the whole program."""
        return 0 if self.meter is None else self.program.size

    def status(self) -> tuple[int, float, float]:
        """Status code, elapsed and total time (s)."""
        now = self.mainframe.clock.now
        elapsed = min(max(0.0, now - self.start), self.end - self.start)
        if now < self.end:
            status = codes.RUNNING
        elif self.aborted < inf:
            status = codes.ABORT_COMPLETED if now >= self.ready else codes.ABORTED
        else:
            status = codes.COMPLETED if now >= self.ready else codes.DONE
        return status, elapsed, self.program.duration

    def available(self) -> int:
        """Values that can be read now."""
        if self.meter is None:
            return 0
        elapsed = min(self.mainframe.clock.now, self.end) - self.start
        return self.program.finished_values(elapsed + 0.5 * TICK)  # absolute times have lost the last digits

    def abort(self) -> None:
        """Stop now."""
        self.aborted = min(self.aborted, self.mainframe.clock.now)

    def values(self, offset: int, size: int) -> tuple[Floats, Floats]:
        """Time stamps (s from the start) and values; those asked for must be available."""
        done = self._values.size
        if offset + size > done:
            self._values = np.concatenate([self._values, self._measure(done, offset + size - done)])
        return self.program.windows(offset, size).stamps, self._values[offset : offset + size]

    def _measure(self, offset: int, size: int) -> Floats:
        assert self.meter is not None
        windows = self.program.windows(offset, size)
        quantity = METERS[self.meter].quantity
        if quantity == "current":
            ranges, since = self.program.current_ranges(windows, self.meter)
        else:
            ranges, since = np.full(size, self.meter), np.full(size, np.inf)
        self.mainframe.circuit.settle()
        result = np.empty(size)
        for code in np.unique(ranges):
            here = ranges == code
            meter = METERS[int(code)]
            values = self._ideal(windows, here, meter)
            # a meter that has just changed its range has not reached its value yet
            values *= -np.expm1(-_SETTLING_TAUS * (since[here] + windows.lengths[here]) / RANGE_CHANGE)
            result[here] = self._read_off(values, windows.lengths[here], meter, self.first_draw + offset, here)
        return result

    def _ideal(self, windows: Windows, here: NDArray[np.bool_], meter: Meter) -> Floats:
        rsu = self.channel.rsu
        starts = self.start + self.measure_delay + windows.starts[here]
        blocks = self.recording.blocks
        if rsu is None or not blocks:
            return np.zeros(starts.size)
        order = np.argsort(starts, kind="stable")
        ordered, lengths = starts[order], windows.lengths[here][order]
        values = np.empty(starts.size)
        values[order] = readings(blocks, rsu.terminal, meter.quantity, ordered, lengths, meter.tau, meter.full_scale)
        if meter.quantity == "current" and self._options.baseline_resistance < inf:
            voltage = readings(blocks, rsu.terminal, "voltage", ordered, lengths, meter.tau, inf)
            values[order] += voltage / self._options.baseline_resistance
        return values

    def _read_off(self, values: Floats, lengths: Floats, meter: Meter, first: int, here: NDArray[np.bool_]) -> Floats:
        """Errors, noise, resolution and range of the meter (reference b1530a sec. 1.2)."""
        o, number, name = self._options, self.channel.number, self.mainframe.name
        draws = self.mainframe.draws
        if meter.quantity == "current":
            gain = 1.0 + o.gain_error * (2.0 * draws.uniform(f"{name}.wgfmu.gain", number, 0) - 1.0)
            offset = o.offset_error * meter.full_scale * (2.0 * draws.uniform(f"{name}.wgfmu.offset", number, 0) - 1.0)
            values = values * gain + offset
        if self.mainframe.noise:
            events = first + np.flatnonzero(here)
            if meter.quantity == "current":
                values = values * (1.0 + self.mainframe.circuit.flickers(values.size))
            sigma = np.array([meter.sigma(length) for length in np.unique(lengths)])
            sigma = sigma[np.searchsorted(np.unique(lengths), lengths)]
            values = values + sigma * draws.normal(f"{name}.wgfmu.noise", number, events)
        if o.quantise:
            values = np.round(values / meter.step) * meter.step
        return np.clip(values, -meter.full_scale, meter.full_scale)
