"""Loops of trials inside a 2636B: steps of one trial built in order, run many times, readings back in one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyvisa

from drivers import keithley2636b_settings as ranges
from drivers.errors import ErrorEntry, InstrumentError, SettingError
from drivers.keithley2636b_data import COLUMNS, RUNTIME_ERROR, SweepData, sweep_data
from drivers.keithley2636b_levels import lines_and_expression
from drivers.wire import number, within

if TYPE_CHECKING:
    from drivers.keithley2636b_channel import Keithley2636BChannel

_FAILED, _CONFIRMATION_FAILED = 0, 2


@dataclass(frozen=True)
class TrialData:
    """What a program of trials left.

    Attributes:
        marks: s since its start at which each step ended, trial after trial, shape (steps executed,).
        readings: of the ``read`` steps executed, in their order.
        seconds: from start to end, by the instrument.
        unconfirmed: it ended early because a confirmation failed; that is the last mark.
        failure: it ended early because of this error; what is here was done before.
    """

    marks: npt.NDArray[np.float64]
    readings: tuple[SweepData, ...]
    seconds: float
    unconfirmed: bool = False
    failure: InstrumentError | None = None


class TrialProgram:
    """Steps of one trial in their order; ``run`` carries them out inside the instrument, many times.

    However it ends, also when nobody listens any more, the output is off and the lines given to ``rest`` are there.
    What is sent stays in the instrument: another run of the same steps is one line and its answer.
    """

    def __init__(self, channel: Keithley2636BChannel) -> None:
        self._channel = channel
        self._setup = channel.setup
        self._script: str = channel.parent.load_script("trials")
        self._sweep: str = channel.parent.load_script("sweep")
        self._lines: list[str] = []
        self._lengths: list[int | None] = []  # per step: points of a reading, or None
        self._time = 0.0

    @property
    def points(self) -> int:
        """Elements of a buffer that one trial fills."""
        return sum(filter(None, self._lengths))

    @property
    def most_trials(self) -> int | None:
        """Trials whose readings the buffers hold; None: a trial without readings fills nothing."""
        return ranges.MAX_POINTS // self.points if self.points else None

    def rest(self, n: int, level: int) -> None:
        """Level of digital line ``n`` whenever the program ends."""
        self._channel.parent.check_line(n)
        self._lines.append(f"{self._script}.rest({n},{_bit(level)})")

    def line(self, n: int, level: int, time: float) -> None:
        """Drive digital line ``n``, read it back, then wait ``time`` s for what it switches."""
        self._channel.parent.check_line(n)
        self._step(f"line({n},{_bit(level)},{self._wait(time)})", time)

    def fire(self, n: int, time: float, length: float) -> None:
        """One trigger pulse on digital line ``n``, then wait ``time`` s.

        What it starts lasts ``length`` s: the next one is not sent before.
        """
        trigger = self._channel.parent.trigger_statements(n)
        if trigger not in self._lines:
            self._lines.append(trigger)
        self._step(f"fire({n},{self._wait(time)},{self._wait(length)})", max(time, length))

    def wait(self, time: float) -> None:
        self._step(f"wait({self._wait(time)})", time)

    def read(self, levels: npt.ArrayLike) -> int:
        """Sweep through ``levels`` (V), as ``sweep`` does, then level 0; number of this reading in the trial."""
        values = np.array(levels, dtype=np.float64, ndmin=1)
        within("number of points", len(values), 1, ranges.MAX_POINTS)
        reading = sum(length is not None for length in self._lengths)
        *ahead, expression = lines_and_expression(self._script, self._channel.lua_lists(values))
        self._lines += ahead
        self._step(f"read({reading},{expression})", len(values) * self._channel.reading_time, len(values))
        return reading

    def confirm(self, reading: int, reference: float, within_: float) -> None:
        """End the program unless the resistance of a reading of this trial is within a part of ``reference`` (ohm).

        The resistance is 1/slope of the straight line through its points, limited and overflown ones left out.
        """
        self._step(f"confirm({reading},{number(reference)},{number(within_)})", 0.0)

    def run(self, trials: int) -> TrialData:
        """Carry out so many trials; one answer at the end.

        Raises:
            SettingError: more than the buffers hold, or settings of the channel have changed; nothing was sent.
            pyvisa.Error: no answer, or a broken one. A failure inside the program is in the result.
        """
        within("trials", trials, 1, self.most_trials or 1_000_000)
        channel = self._channel
        if channel.setup != self._setup:
            raise SettingError(f"{channel.title}: the program was built for other settings of the channel")
        channel.load(self._preamble)
        call = f"{self._script}.run({trials})"
        before, channel.is_on = channel.is_on, None
        try:
            data = self._answer(call, trials * self._time + 4 * channel.parent.relay_time)
        except pyvisa.Error:
            channel.forget()
            raise
        if data.failure is not None:
            channel.forget()
        else:
            channel.is_on = False
            if self._setup.offmode == "high_z":
                channel.relay_operations += (before is not True) + 1
        return data

    def _answer(self, call: str, patience: float) -> TrialData:
        parent = self._channel.parent
        with parent.patience(patience):
            parent.write(call)
            try:
                ended, errors, count, marked, seconds = parent.read_block(5)
                points = parent.read_block(COLUMNS * int(count)) if count else np.empty(0)
                marks = parent.read_block(int(marked)) if marked else np.empty(0)
                text = parent.read().strip() if ended == _FAILED else ""
            except pyvisa.VisaIOError as error:
                parent.explain(error, call)
                raise
        failure = InstrumentError(parent.name, [ErrorEntry(RUNTIME_ERROR, text)], call) if ended == _FAILED else None
        if errors:
            try:
                parent.check_errors(call)
            except InstrumentError as queued:
                failure = queued
        readings = self._readings(points.reshape(-1, COLUMNS), len(marks))
        return TrialData(marks, readings, float(seconds), ended == _CONFIRMATION_FAILED, failure)

    def _readings(self, points: npt.NDArray[np.float64], steps: int) -> tuple[SweepData, ...]:
        """Points of each complete reading; the times of each begin at 0, as those of a sweep do."""
        found, first = [], 0
        for step in range(steps):
            length = self._lengths[step % len(self._lengths)]
            if length is None:
                continue
            columns = points[first : first + length].copy()
            columns[:, 3] -= columns[:1, 3]
            found.append(sweep_data(columns, length))
            first += length
        return tuple(found)

    @property
    def _preamble(self) -> Sequence[str]:
        """Lines that build the program."""
        zero, relay = int(self._setup.autozero == "once"), number(self._channel.parent.relay_time)
        return [f"{self._script}.begin({self._sweep},{self._channel.smu},{zero},{relay})", *self._lines]

    def _step(self, call: str, time: float, length: int | None = None) -> None:
        self._lines.append(f"{self._script}.{call}")
        self._lengths.append(length)
        self._time += time

    def _wait(self, time: float) -> str:
        return number(within("wait", time, 0.0, ranges.MAX_DELAY, "s"))


def _bit(level: int) -> int:
    if level not in (0, 1):
        raise SettingError(f"level {level!r} of a digital line is neither 0 nor 1")
    return int(level)
