"""Functions that need no session: patterns, events, sequences, setup checks (reference b1530a sec. 4.4-4.7)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sim_backend.wgfmu import codes
from sim_backend.wgfmu.codes import Failure, number
from sim_backend.wgfmu.export import export_text
from sim_backend.wgfmu.pattern import (
    TICK,
    MeasureEvent,
    Pattern,
    RangeEvent,
    TriggerEvent,
    add_vectors,
    check_inside,
    check_measure,
    check_voltage,
    merged_in_time,
    merged_in_voltage,
    multiplied,
    placed,
    set_vectors,
    shifted,
    to_ticks,
)
from sim_backend.wgfmu.program import EventAddress, Program
from sim_backend.wgfmu.state import State, check_channel_number, one_of
from sim_backend.wgfmu.validation import validate

_MOST_LOOPS = 2**40
_LONGEST = 2**53  # ticks
_CURRENT_RANGES = (
    codes.CURRENT_1UA,
    codes.CURRENT_10UA,
    codes.CURRENT_100UA,
    codes.CURRENT_1MA,
    codes.CURRENT_10MA,
)

Values = tuple[list[float], list[float]]


class Offline:
    """Methods are named as the C functions, in snake case; they return what the function writes."""

    def __init__(self, state: State) -> None:
        self._s = state

    def clear(self) -> None:
        self._s.patterns.clear()
        self._s.sequences.clear()
        self._s.diary.clear()
        self._s.revision += 1

    # -- patterns ----------------------------------------------------------------------------------------------------

    def create_pattern(self, pattern: str, initial_voltage: float) -> None:
        self._new(pattern)
        self._s.patterns[pattern] = Pattern(pattern, [0], [check_voltage("initialVoltage", initial_voltage)])
        self._s.revision += 1

    def add_vector(self, pattern: str, delta_time: float, voltage: float) -> None:
        self.add_vectors(pattern, [delta_time], [voltage])

    def add_vectors(self, pattern: str, delta_times: Sequence[float], voltages: Sequence[float], size: int = 1) -> None:
        add_vectors(self._s.pattern(pattern), delta_times, voltages, self._s.warn)
        self._s.revision += 1

    def set_vector(self, pattern: str, time: float, voltage: float) -> None:
        self.set_vectors(pattern, [time], [voltage])

    def set_vectors(self, pattern: str, times: Sequence[float], voltages: Sequence[float], size: int = 1) -> None:
        set_vectors(self._s.pattern(pattern), times, voltages, self._s.warn)
        self._s.revision += 1

    def create_merged_pattern(self, pattern: str, pattern1: str, pattern2: str, axis: int) -> None:
        one_of("axis", axis, (codes.AXIS_TIME, codes.AXIS_VOLTAGE))
        first, second = self._s.pattern(pattern1), self._s.pattern(pattern2)
        merge = merged_in_time if axis == codes.AXIS_TIME else merged_in_voltage
        self._store(pattern, merge(pattern, first, second), pattern1, pattern2)

    def create_multiplied_pattern(self, pattern: str, pattern1: str, time_factor: float, voltage_factor: float) -> None:
        self._store(pattern, multiplied(pattern, self._s.pattern(pattern1), time_factor, voltage_factor), pattern1)

    def create_offset_pattern(self, pattern: str, pattern1: str, time_offset: float, voltage_offset: float) -> None:
        ticks = to_ticks("timeOffset", time_offset, -_LONGEST, _LONGEST, self._s.warn)
        self._store(pattern, shifted(pattern, self._s.pattern(pattern1), ticks, voltage_offset), pattern1)

    # -- events ------------------------------------------------------------------------------------------------------

    def set_measure_event(
        self, pattern: str, event: str, time: float, points: int, interval: float, averaging_time: float, raw_data: int
    ) -> None:
        target, warn = self._s.pattern(pattern), self._s.warn
        one_of("rdata", raw_data, (codes.DATA_AVERAGED, codes.DATA_RAW))
        new = MeasureEvent(
            event,
            to_ticks("time", time, 0, _LONGEST, warn),
            points,
            to_ticks("measurementInterval", interval, 1, 134217728, warn),
            to_ticks("averagingTime", averaging_time, 0, 2097151, warn),
            raw_data == codes.DATA_RAW,
        )
        check_measure(new)
        check_inside(target, event, new.time, new.end - new.time)
        kept, lost = placed(target.measures, new)
        self._replaced(pattern, event, [e.name for e in lost])
        target.measures = kept
        self._s.revision += 1

    def set_range_event(self, pattern: str, event: str, time: float, range_index: int) -> None:
        target = self._s.pattern(pattern)
        one_of("rangeIndex", range_index, _CURRENT_RANGES)
        new = RangeEvent(event, to_ticks("time", time, 0, _LONGEST, self._s.warn), range_index)
        check_inside(target, event, new.time, 1)
        kept, lost = placed(target.ranges, new)
        self._replaced(pattern, event, [e.name for e in lost])
        target.ranges = kept
        self._s.revision += 1

    def set_trigger_out_event(self, pattern: str, event: str, time: float, duration: float) -> None:
        target, warn = self._s.pattern(pattern), self._s.warn
        new = TriggerEvent(
            event, to_ticks("time", time, 0, _LONGEST, warn), to_ticks("duration", duration, 0, _LONGEST, warn)
        )
        if new.time and not new.duration:
            message = "When time is not equal to 0, duration must be greater than 0."
            raise Failure(codes.PARAMETER_OUT_OF_RANGE, message)
        check_inside(target, event, new.time, new.duration)
        kept, lost = placed(target.triggers, new)
        self._replaced(pattern, event, [e.name for e in lost])
        target.triggers = kept
        self._s.revision += 1

    # -- sequences ---------------------------------------------------------------------------------------------------

    def add_sequence(self, channel_id: int, pattern: str, loop_count: float) -> None:
        self.add_sequences(channel_id, [pattern], [loop_count])

    def add_sequences(
        self, channel_id: int, patterns: Sequence[str], loop_counts: Sequence[float], size: int = 1
    ) -> None:
        if self._s.session is not None:
            self._s.channel(channel_id)
        check_channel_number(channel_id)
        added = []
        for name, count in zip(patterns, loop_counts, strict=True):
            self._s.pattern(name)
            if not 1 <= count <= _MOST_LOOPS:
                raise Failure(
                    codes.PARAMETER_OUT_OF_RANGE,
                    f"loopCount = {number(count)} is invalid. The value must be 1 <= loopCount <= {_MOST_LOOPS}.",
                )
            if count != round(count):
                self._s.warn(codes.WARNING_INFORMATION, f"loopCount = {number(count)} was rounded to {round(count)}.")
            added.append((name, round(count)))
        self._s.sequences.setdefault(channel_id, []).extend(added)
        self._s.revision += 1

    # -- setup check: pattern ----------------------------------------------------------------------------------------

    def get_pattern_force_value_size(self, pattern: str) -> tuple[int]:
        return (len(self._s.pattern(pattern).ticks),)

    def get_pattern_force_values(self, pattern: str, offset: int, size: int) -> Values:
        p = self._s.pattern(pattern)
        size = self._fit(offset, size, len(p.ticks))
        chosen = slice(offset, offset + size)
        return [t * TICK for t in p.ticks[chosen]], p.volts[chosen]

    def get_pattern_force_value(self, pattern: str, index: int) -> tuple[float, float]:
        p = self._s.pattern(pattern)
        check_index(index, len(p.ticks))
        return p.ticks[index] * TICK, p.volts[index]

    def get_pattern_interpolated_force_value(self, pattern: str, time: float) -> tuple[float]:
        p = self._s.pattern(pattern)
        self._inside(time, p.length * TICK)
        return (p.voltage(time / TICK),)

    def get_pattern_measure_time_size(self, pattern: str) -> tuple[int]:
        return (sum(e.size for e in self._s.pattern(pattern).measures),)

    def get_pattern_measure_times(self, pattern: str, offset: int, size: int) -> tuple[list[float]]:
        program = Program([(self._s.pattern(pattern), 1)])
        size = self._fit(offset, size, program.size)
        return (program.windows(offset, size).stamps.tolist(),)

    def get_pattern_measure_time(self, pattern: str, index: int) -> tuple[float]:
        program = Program([(self._s.pattern(pattern), 1)])
        check_index(index, program.size)
        return (float(program.windows(index, 1).stamps[0]),)

    # -- setup check: sequence ---------------------------------------------------------------------------------------

    def get_force_value_size(self, channel_id: int) -> tuple[float]:
        return (float(self._s.program(channel_id).force_size),)

    def get_force_values(self, channel_id: int, offset: float, size: int) -> Values:
        program = self._s.program(channel_id)
        first = round(offset)
        size = self._fit(first, size, program.force_size)
        points = [program.force_value(first + k) for k in range(size)]
        return [t for t, _ in points], [v for _, v in points]

    def get_force_value(self, channel_id: int, index: float) -> tuple[float, float]:
        program = self._s.program(channel_id)
        check_index(round(index), program.force_size)
        return program.force_value(round(index))

    def get_interpolated_force_value(self, channel_id: int, time: float) -> tuple[float]:
        program = self._s.program(channel_id)
        self._inside(time, program.duration)
        return (program.interpolated(time),)

    def get_measure_time_size(self, channel_id: int) -> tuple[int]:
        return (self._s.program(channel_id).size,)

    def get_measure_times(self, channel_id: int, offset: int, size: int) -> tuple[list[float]]:
        program = self._s.program(channel_id)
        size = self._fit(offset, size, program.size)
        return (program.windows(offset, size).stamps.tolist(),)

    def get_measure_time(self, channel_id: int, index: int) -> tuple[float]:
        program = self._s.program(channel_id)
        check_index(index, program.size)
        return (float(program.windows(index, 1).stamps[0]),)

    # -- setup check: event ------------------------------------------------------------------------------------------

    def get_measure_event_size(self, channel_id: int) -> tuple[int]:
        return (self._s.program(channel_id).event_count,)

    def get_measure_events(
        self, channel_id: int, offset: int, size: int
    ) -> tuple[list[str] | list[int] | list[float], ...]:
        program = self._events(channel_id)
        size = self._fit(offset, size, program.event_count)
        rows = [_event_row(program, program.event(offset + k)) for k in range(size)]
        return tuple(list(column) for column in zip(*rows, strict=True))

    def get_measure_event(self, channel_id: int, index: int) -> tuple[str, str, int, float, int, int, int]:
        program = self._events(channel_id)
        check_index(index, program.event_count)
        return _event_row(program, program.event(index))

    def get_measure_event_attribute(self, channel_id: int, index: int) -> tuple[float, int, float, float, int]:
        program = self._events(channel_id)
        check_index(index, program.event_count)
        e = program.measure_event(program.event(index))
        return (
            e.time * TICK,
            e.points,
            e.interval * TICK,
            e.averaging * TICK,
            codes.DATA_RAW if e.raw else codes.DATA_AVERAGED,
        )

    # -- export ------------------------------------------------------------------------------------------------------

    def export_ascii(self, file_name: str) -> None:
        for channel in sorted(self._s.sequences):
            validate(self._s, channel)
        path = Path(file_name)
        if not path.suffix:
            path = path.with_suffix(".csv")
        try:
            path.write_text(export_text(self._s), encoding="ascii", newline="\r\n")
        except OSError as error:
            raise Failure(codes.UNIDENTIFIED, f"File {file_name} cannot be written: {error.strerror}.") from error

    # -- details -----------------------------------------------------------------------------------------------------

    def _new(self, name: str) -> None:
        if name in self._s.patterns:
            raise Failure(codes.PATTERN_ALREADY_EXISTS, f'Pattern "{name}" already exists.')

    def _store(self, name: str, result: Pattern, *sources: str) -> None:
        if name not in sources:
            self._new(name)
        self._s.patterns[name] = result
        self._s.revision += 1

    def _replaced(self, pattern: str, event: str, lost: list[str]) -> None:
        for name in lost:
            self._s.warn(codes.WARNING_SEVERE, f'Event "{name}" of pattern "{pattern}" was overwritten by "{event}".')

    def _events(self, channel: int) -> Program:
        program = self._s.program(channel)
        if not program.event_count:
            raise Failure(codes.CONTEXT, f"There is no measure event on channel {channel}.")
        return program

    def _fit(self, offset: int, size: int, total: int) -> int:
        return fit(self._s, offset, size, total)

    def _inside(self, time: float, length: float) -> None:
        if not -1e-12 <= time <= length * (1 + 1e-12):
            raise Failure(
                codes.PARAMETER_OUT_OF_RANGE,
                f"time = {number(time)} is invalid. The value must be 0 <= time <= {number(length)}.",
            )


def check_index(index: int, total: int) -> None:
    """An index into a list of ``total`` entries."""
    if not 0 <= index < total:
        text = f"index = {index} is invalid. The value must be 0 <= index <= {total - 1}."
        raise Failure(codes.PARAMETER_OUT_OF_RANGE, text)


def fit(state: State, offset: int, size: int, total: int) -> int:
    """How many entries a list getter returns; a request that goes beyond the end is a NORMAL warning."""
    if size < 1:
        raise Failure(codes.PARAMETER_OUT_OF_RANGE, f"size = {size} is invalid. The value must be 1 or more.")
    if not 0 <= offset < total:
        text = f"offset = {offset} is invalid. The value must be 0 <= offset <= {total - 1}."
        raise Failure(codes.PARAMETER_OUT_OF_RANGE, text)
    if offset + size > total:
        state.warn(codes.WARNING_NORMAL, f"offset + size = {offset + size} is greater than the total size = {total}.")
    return int(np.minimum(size, total - offset))


def _event_row(program: Program, address: EventAddress) -> tuple[str, str, int, float, int, int, int]:
    return (
        program.lines[address.sequence].pattern.name,
        program.measure_event(address).name,
        program.cycle(address.sequence),
        float(address.loop),
        program.count(address),
        address.offset,
        address.size,
    )
