"""The generator of one channel in Basic mode: continuous, burst, gated, sweep (reference afg31000 sec. 10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, inf

from sim_backend.afg31000.options import AfgOptions
from sim_backend.afg31000.output import Output
from sim_backend.afg31000.program import Program
from sim_backend.afg31000.settings import Sweep
from sim_backend.afg31000.sweeper import sweep_steps
from sim_backend.circuit import Waveform
from sim_backend.clock import Clock, Event

UNROLLED = 20_000
"""Most segments of a free-running burst that are laid out as one periodic waveform."""


@dataclass(frozen=True)
class Timer:
    """The internal trigger: its period and the time of one of its ticks, s."""

    period: float
    epoch: float

    def next_tick(self, now: float) -> float:
        """First tick that is not past."""
        return self.epoch + max(0, ceil((now - self.epoch) / self.period - 1e-9)) * self.period


class Generator:
    """Runs a program on an output. ``notify`` is called whenever a burst or a sweep begins or ends."""

    def __init__(self, output: Output, clock: Clock, options: AfgOptions, notify: Callable[[], None]) -> None:
        self._output = output
        self._clock = clock
        self._options = options
        self._notify = notify
        self._program: Program | None = None
        self._sweep = Sweep()
        self._timer: Timer | None = None
        self._ran = False
        self._start = 0.0
        self._event: Event | None = None
        self._end: float | None = None  # of what runs now, s; inf: it does not end by itself
        self._enabled = True
        output.on_close = self._seen

    @property
    def waiting(self) -> bool:
        """Whether a trigger would start something."""
        return self._enabled and self._mode != "CONT" and self._end is None

    @property
    def sweeping(self) -> bool:
        return self._mode == "SWE" and self._end is not None

    @property
    def bursting(self) -> bool:
        """Whether a burst runs that will end by itself."""
        return self._mode == "BURS" and self._timer is None and self._end is not None and self._end < inf

    def load(self, program: Program, sweep: Sweep, timer: Timer | None) -> None:
        """Take new settings; what runs goes on if only levels have changed. ``timer`` None: external trigger."""
        old, self._program = self._program, program
        if old is None or (old.shape, old.idle, old.timing) != (program.shape, program.idle, program.timing):
            self._ran = False
        same = old is not None and old.timing == program.timing
        same = same and (self._sweep, self._timer) == (sweep, timer)
        self._sweep, self._timer = sweep, timer
        if not same:
            self.restart()
        elif old != program:
            self._relevel()

    def restart(self) -> None:
        """Begin anew: continuous from now, otherwise idle and waiting."""
        if self._program is None or not self._enabled:
            return
        self._stop()
        if self._program.run_mode == "CONT":
            self._start = self._clock.now
            self._output.play(self._program.waveform, inf, self._start)
        else:
            self._idle(self._program)
            self._run_on_timer(self._program)
        self._notify()

    def release(self) -> None:
        """Let go of the output (Advanced mode)."""
        self._stop()
        self._enabled = False

    def take(self) -> None:
        """Own the output again."""
        self._enabled = True
        self.restart()

    def trigger(self) -> bool:
        """A trigger event; False when it starts nothing."""
        program = self._program
        if program is None or not self._enabled or program.run_mode == "CONT" or program.gated:
            return False
        if self._end is not None and self._options.trigger_during_burst == "ignore":
            return False
        self._stop()
        if program.run_mode == "SWE":
            self._run_sweep(program, then=self._finish)
        else:
            start = self._clock.now + self._options.external_latency + program.delay
            self._burst(program, program.cycles, start, then=self._finish)
        return True

    def gate(self, opens: bool) -> None:
        """The external gate: it opens at once and closes after whole cycles."""
        program = self._program
        gated = program is not None and program.run_mode == "BURS" and program.gated and self._timer is None
        if program is None or not gated or not self._enabled:
            return
        if opens:
            self._cancel()
            if self._end is None:
                self._burst(program, inf, self._clock.now, then=self._finish)
        elif self._end is not None:
            cycles = max(1, ceil((self._clock.now - self._start) / program.period - 1e-9))
            self._at(self._start + cycles * program.period, self._finish)

    def abort(self) -> None:
        """ABORt, BURSt:INFInite:REARm: back to idle, and to the timer if that is the trigger."""
        if self._mode != "CONT":
            self.restart()

    # -- inside -----------------------------------------------------------------------------------------------------

    @property
    def _mode(self) -> str:
        return "CONT" if self._program is None else self._program.run_mode

    def _burst(self, program: Program, cycles: float, start: float, then: Callable[[], None]) -> None:
        self._start = start
        self._end = start + cycles * program.waveform.period
        self._output.play(program.waveform, cycles, start)
        if self._end < inf:
            self._at(self._end, then)
        self._notify()

    def _finish(self) -> None:
        """A burst or a triggered sweep is over."""
        self._end = None
        self._ran = True
        if self._program is not None:
            self._idle(self._program)
        self._notify()

    def _idle(self, program: Program) -> None:
        if program.run_mode == "SWE":
            self._output.play(program.waveform_of(1 / self._sweep.start), inf, self._clock.now)
        else:
            self._output.hold(program.idle_level(self._ran))

    def _relevel(self) -> None:
        """Go on at new levels; what runs by itself begins anew."""
        program = self._program
        if program is None or not self._enabled:
            return
        if program.run_mode == "CONT":
            self._output.play(program.waveform, inf, self._start)
        elif program.run_mode == "SWE" or self._timer is not None:
            self.restart()
        elif self._end is None:
            self._idle(program)
        else:
            self._output.play(program.waveform, inf if program.gated else program.cycles, self._start)

    def _seen(self) -> None:
        """The relay has closed: what runs by itself begins now."""
        if self._mode == "CONT" or self._timer is not None:
            self.restart()

    def _run_on_timer(self, program: Program) -> None:
        """With the internal trigger, bursts and sweeps run by themselves; behind an open relay they need not."""
        timer = self._timer
        if timer is None or not self._output.closed:
            return
        tick = timer.next_tick(self._clock.now)
        if program.run_mode == "SWE":
            if self._sweep.mode == "AUTO":
                self._run_sweep(program, then=self.restart)
            return
        # A gate from the timer is open for the first half of its period, and whole cycles are completed.
        cycles = max(1, ceil(timer.period / 2 / program.period)) if program.gated else program.cycles
        fits = program.delay + cycles * program.period <= timer.period
        if fits and cycles * len(program.shape.durations) <= UNROLLED:
            self._ran = True
            self._output.hold(program.idle_level(self._ran))
            self._output.play(_unroll(program, int(cycles), timer.period), inf, tick)
        else:
            self._at(tick, lambda: self._burst(program, cycles, tick + program.delay, then=self._next_timed))

    def _next_timed(self) -> None:
        self._finish()
        if self._program is not None:
            self._run_on_timer(self._program)

    def _run_sweep(self, program: Program, then: Callable[[], None]) -> None:
        steps = sweep_steps(self._sweep)
        self._end = self._clock.now + sum(step.duration for step in steps)
        self._notify()

        def step(k: int) -> None:
            if k == len(steps):
                then()
                return
            self._output.play(program.waveform_of(1 / steps[k].frequency), inf, self._clock.now)
            self._at(self._clock.now + steps[k].duration, lambda: step(k + 1))

        step(0)

    def _at(self, when: float, function: Callable[[], None]) -> None:
        self._cancel()

        def run() -> None:
            self._event = None
            function()

        self._event = self._clock.call_at(when, run)

    def _cancel(self) -> None:
        if self._event is not None:
            self._clock.cancel(self._event)
            self._event = None

    def _stop(self) -> None:
        self._cancel()
        self._end = None


def _unroll(program: Program, cycles: int, period: float) -> Waveform:
    """A free-running burst as one periodic waveform: delay, cycles, idle."""
    idle = program.idle_level(ran=True)
    rest = max(0.0, period - program.delay - cycles * program.waveform.period)
    return chain([*_flat(idle, program.delay), (program.waveform, cycles), *_flat(idle, rest)])


def _flat(level: float, lasts: float) -> list[tuple[Waveform, int]]:
    """A constant stretch, if there is any."""
    return [(Waveform((lasts,), (level,), (level,), level), 1)] if lasts > 0 else []


def chain(parts: Sequence[tuple[Waveform, int]]) -> Waveform:
    """Waveforms one after the other, each so many times, as one."""
    return Waveform(
        tuple(duration for part, times in parts for duration in part.durations * times),
        tuple(start for part, times in parts for start in part.starts * times),
        tuple(end for part, times in parts for end in part.ends * times),
        parts[-1][0].after,
    )
