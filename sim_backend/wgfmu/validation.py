"""Second level of validation: sequences against mode, ranges and memories (reference b1530a sec. 4.3)."""

from __future__ import annotations

from itertools import pairwise

from sim_backend.wgfmu import codes
from sim_backend.wgfmu.codes import Failure
from sim_backend.wgfmu.pattern import Pattern
from sim_backend.wgfmu.program import Program
from sim_backend.wgfmu.ranges import choose_force
from sim_backend.wgfmu.state import Setup, State

_MOST_SEQUENCES = 512
_EVENT_DISTANCE = 10  # ticks between events of different averaging
_RANGE_DISTANCE = 200  # ticks between range events, when there are three or more


def validate(state: State, channel: int) -> tuple[Program, int]:
    """The compiled program and the force range it goes out in.

    Raises:
        Failure: the first rule that is broken.
    """
    setup = state.setups.get(channel, Setup())
    program = state.program(channel)
    if len(program.lines) > _MOST_SEQUENCES:
        raise Failure(
            codes.PARAMETER_OUT_OF_RANGE,
            f"The number of sequences on channel {channel} is {len(program.lines)}. "
            f"It must be {_MOST_SEQUENCES} or less.",
        )
    for line in program.lines:
        if not line.pattern.length:
            raise Failure(codes.CONTEXT, f'Pattern "{line.pattern.name}" has no vector.')
    if program.vectors > state.options.total_vectors:
        raise Failure(
            codes.PARAMETER_OUT_OF_RANGE,
            f"The number of total vectors on channel {channel} is {program.vectors}. "
            f"It must be {state.options.total_vectors} or less.",
        )
    measuring = setup.enabled == codes.MEASURE_ENABLE
    if measuring and program.size > state.options.data_memory:
        raise Failure(
            codes.PARAMETER_OUT_OF_RANGE,
            f"The number of measurement data on channel {channel} is {program.size}. "
            f"It must be {state.options.data_memory} or less.",
        )
    if setup.mode == codes.MODE_PG and setup.measure_mode == codes.MEASURE_CURRENT:
        raise Failure(codes.CONTEXT, "Current measurement is not allowed on PG mode.")
    volts = [v for line in program.lines for v in line.pattern.volts]
    code = choose_force(setup.force_range, setup.mode, volts)
    for pattern in {line.pattern.name: line.pattern for line in program.lines}.values():
        _check_events(pattern, setup, measuring)
    return program, code


def _check_events(pattern: Pattern, setup: Setup, measuring: bool) -> None:
    fast_current = setup.mode != codes.MODE_PG and setup.measure_mode == codes.MEASURE_CURRENT
    if not measuring:
        return
    if pattern.ranges and not fast_current and setup.plays:
        raise Failure(codes.CONTEXT, "A range event is available only for the current measurement in the Fast IV mode.")
    for change in pattern.ranges:
        for e in pattern.measures:
            into, points = change.time - e.time, e.points
            if 0 <= into < points * e.interval and into % e.interval < e.averaging:
                raise Failure(codes.CONTEXT, f'Range event "{change.name}" is inside the averaging time of "{e.name}".')
    for first, second in pairwise(pattern.measures):
        if first.averaging != second.averaging and second.time - first.end < _EVENT_DISTANCE:
            raise Failure(codes.FIRMWARE, "3051: FIFO overflow. Measurement events are too dense.")
    if len(pattern.ranges) >= 3:
        for one, other in pairwise(pattern.ranges):
            if other.time - one.time <= _RANGE_DISTANCE:
                raise Failure(codes.FIRMWARE, "3052: Range changes are too fast.")
