"""Functions that run sequences and hand out data (reference b1530a sec. 4.8)."""

from __future__ import annotations

from sim_backend.wgfmu import codes, hardware
from sim_backend.wgfmu.bandwidth import through_output
from sim_backend.wgfmu.codes import Failure
from sim_backend.wgfmu.offline import fit
from sim_backend.wgfmu.program import Program
from sim_backend.wgfmu.ranges import force_tau
from sim_backend.wgfmu.run import Run
from sim_backend.wgfmu.state import State
from sim_backend.wgfmu.validation import validate

_NO_PLAYER = "At least, one channel must be in the FastIV mode or PG mode."


class Execution:
    """Methods are named as the C functions, in snake case; they return what the function writes."""

    def __init__(self, state: State) -> None:
        self._s = state

    # -- running -----------------------------------------------------------------------------------------------------

    def update(self) -> None:
        for channel in self._players():
            self._update(channel)

    def update_channel(self, channel_id: int) -> None:
        if self._plays(channel_id):
            self._update(channel_id)

    def execute(self) -> None:
        s = self._s
        players = [n for n in self._players() if s.sequences.get(n)]
        if not players:
            if hardware.players(s):
                raise Failure(codes.CONTEXT, f"There is no sequence on channel {hardware.players(s)[0]}.")
            return
        checked = {n: validate(s, n) for n in players}
        for channel in players:
            hardware.require_rsu(s, s.channel(channel))
        for channel in list(s.runs):
            hardware.end_run(s, channel)
        s.runs.clear()
        for channel in players:
            hardware.route(s.channel(channel), s.setup(channel))
        mainframe = s.mainframe()
        recording = mainframe.circuit.record()
        start = mainframe.clock.now + s.options.start_latency
        end = start
        for channel, (program, force) in checked.items():
            self._start(channel, program, force, start)
            setup = s.setup(channel)
            meter = setup.meter if setup.enabled == codes.MEASURE_ENABLE else None
            first_draw = s.take_draws(channel, program.size)
            s.runs[channel] = Run(
                mainframe,
                s.channel(channel),
                program,
                start,
                meter,
                setup.measure_delay,
                s.revision,
                first_draw,
                recording,
            )
            end = max(end, start + program.duration + max(0.0, setup.measure_delay))
        mainframe.clock.call_at(end, lambda: mainframe.circuit.stop(recording))

    def abort(self) -> None:
        running = [n for n, run in self._s.runs.items() if run.mainframe.clock.now < run.end]
        if self._players() and not running:
            self._s.warn(codes.WARNING_NORMAL, "No channel is running. Nothing was done.")
        for channel in running:
            self._abort(channel)

    def abort_channel(self, channel_id: int) -> None:
        if not self._plays(channel_id):
            return
        run = self._s.runs.get(channel_id)
        if run is None or run.mainframe.clock.now >= run.end:
            self._s.warn(
                codes.WARNING_NORMAL,
                "The channel has already been aborted. No more measurement is performed on HW.",
            )
        else:
            self._abort(channel_id)

    def wait_until_completed(self) -> None:
        s = self._s
        clock = s.mainframe().clock
        if not hardware.players(s):
            raise Failure(codes.CONTEXT, _NO_PLAYER)
        if not s.runs:
            raise Failure(s.options.wait_when_idle, "The sequencer is not running.")
        remaining = max(run.ready for run in s.runs.values()) - clock.now
        if remaining > s.timeout:
            clock.sleep(s.timeout)
            raise Failure(codes.COMMUNICATION, "Timeout occurs.")
        clock.sleep(max(0.0, remaining))

    def get_status(self) -> tuple[int, float, float]:
        states = [self._s.runs[n].status() for n in self._players() if n in self._s.runs]
        if not states:
            return codes.IDLE, 0.0, 0.0
        return max(s[0] for s in states), max(s[1] for s in states), max(s[2] for s in states)

    def get_channel_status(self, channel_id: int) -> tuple[int, float, float]:
        if not self._plays(channel_id) or channel_id not in self._s.runs:
            return codes.IDLE, 0.0, 0.0
        return self._s.runs[channel_id].status()

    # -- data --------------------------------------------------------------------------------------------------------

    def get_measure_value_size(self, channel_id: int) -> tuple[int, int]:
        run = self._run(channel_id)
        return (run.available(), run.size) if run else (0, 0)

    def get_measure_values(self, channel_id: int, offset: int, size: int) -> tuple[list[float], list[float]]:
        run = self._data(channel_id)
        size = fit(self._s, offset, size, run.size)
        available = run.available()
        if offset >= available:
            raise Failure(codes.RESULT_NOT_READY, "The required result is not ready. Measurement is in progress.")
        if offset + size > available:
            self._s.warn(codes.WARNING_NORMAL, f"Only {available - offset} of the required results are ready.")
        times, values = run.values(offset, min(size, available - offset))
        return times.tolist(), values.tolist()

    def get_measure_value(self, channel_id: int, index: int) -> tuple[float, float]:
        run = self._data(channel_id)
        if not 0 <= index < run.size:
            last = run.size - 1
            raise Failure(
                codes.PARAMETER_OUT_OF_RANGE, f"index = {index} is invalid. The value must be 0 <= index <= {last}."
            )
        if index >= run.available():
            raise Failure(codes.RESULT_NOT_READY, "The required result is not ready. Measurement is in progress.")
        times, values = run.values(index, 1)
        return float(times[0]), float(values[0])

    def get_completed_measure_event_size(self, channel_id: int) -> tuple[int, int]:
        run = self._run(channel_id)
        if run is None or run.meter is None:
            return 0, 0
        available, total = run.available(), run.program.event_count
        low, high = 0, total
        while low < high:  # events end in order
            middle = (low + high) // 2
            address = run.program.event(middle)
            if address.offset + address.size <= available:
                low = middle + 1
            else:
                high = middle
        return low, total

    def is_measure_event_completed(
        self, channel_id: int, pattern: str, event: str, cycle: int, loop: float, count: int
    ) -> tuple[int, int, int, int]:
        run = self._run(channel_id)
        program = run.program if run else self._s.program(channel_id)
        index, address = program.find(pattern, event, cycle, loop, count)
        done = run is not None and address.offset + address.size <= run.available()
        return codes.EVENT_COMPLETED if done else codes.EVENT_NOT_COMPLETED, index, address.offset, address.size

    # -- details -----------------------------------------------------------------------------------------------------

    def _players(self) -> list[int]:
        players = hardware.players(self._s)
        if not players:
            self._s.warn(codes.WARNING_NORMAL, _NO_PLAYER)
        return players

    def _plays(self, channel: int) -> bool:
        """Whether a channel outputs waveforms; if not, a SEVERE warning."""
        if self._s.setup(channel).plays:
            return True
        self._s.warn(codes.WARNING_SEVERE, f"Channel {channel} is not in the FastIV mode or PG mode.")
        return False

    def _update(self, number: int) -> None:
        """Settings applied, output at the initial voltage of the first pattern."""
        s = self._s
        channel, setup = s.channel(number), s.setup(number)
        program = validate(s, number)[0] if s.sequences.get(number) else None
        hardware.require_rsu(s, channel)
        hardware.end_run(s, number)
        hardware.route(channel, setup)
        if program is not None:
            hardware.drive(channel, setup, program.lines[0].pattern.volts[0])

    def _start(self, number: int, program: Program, force: int, start: float) -> None:
        channel, setup = self._s.channel(number), self._s.setup(number)
        before = channel.port.emf
        hardware.drive(channel, setup, before)
        tau = force_tau(self._s.options, setup.mode, force)
        channel.port.perform(through_output(program.parts(), tau, before), start + setup.force_delay)

    def _abort(self, number: int) -> None:
        self._s.channel(number).port.freeze()
        hardware.end_run(self._s, number)

    def _run(self, channel: int) -> Run | None:
        """The last run of a channel; a SEVERE warning for one in the wrong mode."""
        self._plays(channel)
        return self._s.runs.get(channel)

    def _data(self, channel: int) -> Run:
        run = self._run(channel)
        if run is None or run.size == 0:
            raise Failure(codes.CONTEXT, f"There is no measurement result on channel {channel}.")
        if run.revision != self._s.revision:
            raise Failure(codes.RESULT_OUT_OF_DATE, "Result out of date.")
        return run
