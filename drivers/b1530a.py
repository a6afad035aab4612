"""Keysight B1530A waveform generator and fast measurement unit, through its instrument library (reference b1530a).

Pulses are patterns with measurement windows (``drivers.b1530a_patterns``), repeated up to 2^40 times. The unit has **no
compliance**: what protects a device is its force range, its level, and resistance in the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from drivers import b1530a_limits as limits
from drivers.b1530a_channel import B1530AChannel
from drivers.b1530a_patterns import Pattern, Program, Quantity, check, force_range
from drivers.b1530a_readings import Readings
from drivers.clock import Clock, SystemClock
from drivers.errors import DriverError, SettingError
from drivers.wgfmu_header import (
    ErrorCode,
    EventData,
    ForceVoltageRange,
    MeasureEnabled,
    MeasureMode,
    OperationMode,
    Status,
    WarningLevel,
)
from drivers.wgfmu_library import OnCall, WgfmuError, WgfmuLibrary, functions_at, load_functions, reals
from drivers.wire import attempt, within

#: values fetched at once; the library fills arrays of any size
_CHUNK = 100_000
_SHORTEST_POLL, _POLLS = 1e-3, 100

Progress = Callable[[float, float], None]


class ExecutionError(DriverError):
    """The unit stopped before its sequences were over."""


class B1530A:
    """All WGFMU channels of one B1500A.

    Args:
        adapter: VISA resource name of the mainframe; the library opens its own session there.
        name: name in messages.
        clock: what waits are made on.
        visa_library: a simulated bench's VISA library hands out its WGFMU functions; else wgfmu.dll is loaded.
        library: path of wgfmu.dll, when it is not where Windows looks.
        timeout: s that the library waits for the instrument.
        on_call: told of every call of the library (``WgfmuLibrary``), for a wire log.

    Connecting opens the session and changes no output. An error queue that an earlier program left filled is
    emptied by that; what was in it is in ``stale_errors``.

    Raises:
        LibraryMissing: no wgfmu.dll here. WgfmuError: the mainframe does not answer.
    """

    safe_priority = 10
    #: what passes the link are calls of a library, of which ``on_call`` is told
    calls_library = True
    exceptions: ClassVar[tuple[type[Exception], ...]] = (DriverError, OSError)

    def __init__(
        self,
        adapter: str,
        name: str = "Keysight B1530A",
        clock: Clock | None = None,
        visa_library: Any = "",
        library: str | Path | None = None,
        timeout: float = 100.0,
        on_call: OnCall | None = None,
    ) -> None:
        simulated = getattr(visa_library, "wgfmu_functions", None)
        functions = functions_at(simulated(adapter)) if simulated else load_functions(library)
        self.name = name
        self.address = adapter
        self.clock: Clock = clock or SystemClock()
        self.library = WgfmuLibrary(functions, name, on_call)
        self.stale_errors = ""
        self.programs: dict[int, Program] = {}
        self._flags: dict[int, frozenset[str]] = {}
        self._sources: dict[int, B1530AChannel] = {}
        self._open = False
        self._open_session()
        self.library.call("setTimeout", within("timeout", timeout, 1.0, 1e6, "s"))
        self.channels: tuple[int, ...] = tuple(self.library.channel_ids())

    @property
    def identity(self) -> dict[str, str]:
        """The library tells no serial number or firmware."""
        return {"manufacturer": "Keysight Technologies", "model": "B1530A", "serial": "", "firmware": ""}

    @classmethod
    def capabilities(cls, model_name: str = "B1530A", channel: str = "101") -> dict[str, Any]:
        """What a channel can do, for planning without an instrument; SI units."""
        return limits.capabilities()

    # -- pulses ----------------------------------------------------------------------------------------------------

    def load(self, programs: Mapping[int, Program], allow_fast_edges: bool = False) -> None:
        """Check ``programs`` (by channel id), send them, connect their channels; no waveform starts.

        The outputs go to the first level of their first pattern. Everything that was loaded before is replaced.

        Raises:
            SettingError: before anything is sent, with what would be accepted.
            WgfmuError: such as -6, no RSU on a channel.
        """
        self._send(programs, allow_fast_edges)
        for channel in programs:
            self.connect(channel)
        self.library.call("update")

    def _send(self, programs: Mapping[int, Program], allow_fast_edges: bool) -> None:
        """Everything of ``load`` but the connection."""
        for channel in programs:
            self._known(channel)
        flags = {channel: check(program, allow_fast_edges) for channel, program in programs.items()}
        if any("fast_edges" in found for found in flags.values()):  # one device feels the edges of all channels
            flags = {channel: found | {"fast_edges"} for channel, found in flags.items()}
        self._check_names(programs)
        self.programs, self._flags = {}, {}
        self.library.call("clear")
        self.library.call("treatWarningsAsErrors", WarningLevel.SEVERE)
        for pattern in {p.name: p for program in programs.values() for p in program.patterns}.values():
            self._create(pattern)
        for channel, program in programs.items():
            self._set_up(channel, program)
            for pattern, count in program.sequence:
                self.library.call("addSequence", channel, pattern.name, float(count))
        self.programs, self._flags = dict(programs), flags

    def execute(self, progress: Progress | None = None) -> None:
        """Run what is loaded and wait for its end on the clock.

        Args:
            progress: told ``(elapsed, total)`` in s at each poll.

        Raises:
            ExecutionError: it was stopped. WgfmuError: the library refused.
        """
        self.start()
        while not self.finished(progress):
            _, elapsed, total = self.library.status()
            self.clock.sleep(max(_SHORTEST_POLL, min(total - elapsed, total / _POLLS)))

    def start(self) -> None:
        """Start what is loaded; returns at once."""
        if not self.programs:
            raise SettingError(f"{self.name}: nothing is loaded")
        self.library.call("execute")

    def finished(self, progress: Progress | None = None) -> bool:
        """Whether all data are ready.

        Raises:
            ExecutionError: the run was stopped.
        """
        status, elapsed, total = self.library.status()
        if progress is not None:
            progress(elapsed, total)
        if status not in (Status.COMPLETED, Status.DONE, Status.RUNNING):
            raise ExecutionError(f"{self.name}: the run ended as {status.name} after {elapsed:g} of {total:g} s")
        return status is Status.COMPLETED

    def abort(self) -> None:
        """Stop all sequences; the present levels stay on the outputs."""
        self.library.call("abort")

    def read(self, channel: int) -> Readings:
        """All values that ``channel`` has measured in the last run; after an abort those that exist."""
        program = self.programs.get(channel)
        if program is None or program.measure is None:
            raise SettingError(f"{self.name}: channel {channel} was not set to measure")
        available, total = self.library.integers("getMeasureValueSize", 2, channel)
        times, values = np.empty(available), np.empty(available)
        done = 0
        while done < available:
            t, v = self.library.values(channel, done, min(_CHUNK, available - done))
            times[done : done + len(t)], values[done : done + len(v)] = t, v
            done += len(t)
        incomplete = {"incomplete"} if available < total else set[str]()
        return Readings.of(channel, program, times, values, self._flags[channel] | incomplete)

    def run(
        self, programs: Mapping[int, Program], allow_fast_edges: bool = False, progress: Progress | None = None
    ) -> dict[int, Readings]:
        """Load, execute and read all channels that measure; the last levels stay on the outputs."""
        self.load(programs, allow_fast_edges)
        self.execute(progress)
        return {channel: self.read(channel) for channel, program in programs.items() if program.measure}

    # -- source of pulses, as the AFG31000 is one ----------------------------------------------------------------------

    def channel(self, name: str | int) -> B1530AChannel:
        """Channel ``name`` ("101") as a source of pulses.

        Raises:
            SettingError: the unit has no such channel.
        """
        number = int(name)
        self._known(number)
        return self._sources.setdefault(number, B1530AChannel(self, number))

    def prepare(self, channel: int, program: Program, allow_fast_edges: bool) -> list[tuple[float, float]]:
        """Send one channel's program beside those that other channels have prepared; no output changes its state.

        Returns the points (s, V) of its pattern as the library holds them.
        """
        others = {n: p for n, p in self.programs.items() if n != channel and p.measure is None}
        self._send({**others, channel: program}, allow_fast_edges or self._fast(others))
        return self.library.pattern_points(program.patterns[0].name)

    def _fast(self, channels: Mapping[int, Program]) -> bool:
        return any("fast_edges" in self._flags[n] for n in channels)

    def connect(self, channel: int) -> None:
        """Lay the channel on its output through its RSU, at the first level of what is loaded."""
        self._known(channel)
        self.library.call("connect", channel)
        if channel in self.programs:
            self.library.call("updateChannel", channel)

    def trigger(self) -> None:
        """Start what all connected channels have prepared; returns while it runs (see ``burst_duration``)."""
        self.start()

    # -- direct voltage ----------------------------------------------------------------------------------------------

    def hold(self, channel: int, level: float, measure: Quantity = "current", full_scale: float = 1e-6) -> None:
        """Constant ``level`` (V) on ``channel`` from now on, measuring ``measure`` in that range."""
        self._known(channel)
        constant = Pattern.constant("hold", level, limits.TIME_GRID)
        program = Program(((constant, 1),), measure, full_scale)
        check(program)
        self.library.call("setOperationMode", channel, OperationMode.DC)
        self._set_ranges(channel, program)
        self.library.call("connect", channel)
        self.library.call("dcforceVoltage", channel, float(level))

    def measure(self, channel: int, samples: int = 1, interval: float = limits.SAMPLE) -> float:
        """Mean of ``samples`` readings ``interval`` (s) apart at constant voltage, A or V.

        Raises:
            SettingError: more than 65535 samples, or an interval that is not 1 .. 65535 times 5 ns.
        """
        if samples == 1:
            return self.library.real("dcmeasureValue", channel)
        steps = interval / limits.SAMPLE
        within("samples", samples, 1, 65535)
        if abs(steps - round(steps)) > 1e-3 or not 1 <= round(steps) <= 65535:
            raise SettingError(f"interval {interval:g} s is not 1 .. 65535 times 5 ns")
        return self.library.real("dcmeasureAveragedValue", channel, int(samples), round(steps))

    # -- state -----------------------------------------------------------------------------------------------------

    def release(self, channel: int) -> None:
        """Take the channel off its output: the RSU goes back to its SMU path."""
        self._known(channel)
        self.library.call("disconnect", channel)

    def check_errors(self) -> None:
        """Nothing to drain: every call of the library has reported its own errors as exceptions."""

    def settings(self) -> dict[str, float | str | bool]:
        """Set-up of each channel by names such as ``101.mode``; codes of the library."""
        wanted = {
            "mode": "getOperationMode",
            "force_range": "getForceVoltageRange",
            "measure": "getMeasureMode",
            "voltage_range": "getMeasureVoltageRange",
            "current_range": "getMeasureCurrentRange",
        }
        return {
            f"{channel}.{name}": float(self.library.integer(function, channel))
            for channel in self.channels
            for name, function in wanted.items()
        }

    def self_test(self) -> str:
        """Test the whole mainframe; "" if it passed, else the library's detail."""
        result, detail = self.library.self_test("doSelfTest")
        return detail or f"failed, result {result}" if result else ""

    def safe(self) -> None:
        """Sequences stopped, all channels reset and disconnected (RSU on its SMU path); nothing without a session.

        Raises:
            SafeStateError: names the steps that failed, after all were tried.
        """
        self.programs, self._flags = {}, {}
        if self._open:
            attempt(
                self.name,
                [
                    ("stop sequences", partial(self.library.call, "abort")),
                    ("reset and disconnect channels", partial(self.library.call, "initialize")),
                ],
            )

    def close(self) -> None:
        """Close the session; what the outputs do is not documented, so call ``safe`` first."""
        if self._open:
            self._open = False
            self.library.call("closeSession")

    # -- details -----------------------------------------------------------------------------------------------------

    def _open_session(self) -> None:
        """Open, closing a session that was left open (-3), and again when stale errors refused it once (-6)."""
        try:
            self.library.call("openSession", self.address)
        except WgfmuError as error:
            if error.code == ErrorCode.FW_ERROR:
                self.stale_errors = error.text
            elif error.code != ErrorCode.CONTEXT_ERROR:
                raise
            self._close_leftover()
            self.library.call("openSession", self.address)
        self._open = True

    def _close_leftover(self) -> None:
        try:
            self.library.call("closeSession")
        except WgfmuError as error:
            if error.code != ErrorCode.CONTEXT_ERROR:  # -3: the refused session is not open, as it should be
                raise

    def _known(self, channel: int) -> None:
        if channel not in self.channels:
            raise SettingError(
                f"{self.name} has no channel {channel}; it has {', '.join(map(str, self.channels)) or 'none'}"
            )

    def _check_names(self, programs: Mapping[int, Program]) -> None:
        known: dict[str, Pattern] = {}
        for pattern in (p for program in programs.values() for p in program.patterns):
            if known.setdefault(pattern.name, pattern) != pattern:
                raise SettingError(f"two different patterns are named {pattern.name!r}")

    def _create(self, pattern: Pattern) -> None:
        self.library.call("createPattern", pattern.name, float(pattern.levels[0]))
        times, levels = reals(pattern.times[1:]), reals(pattern.levels[1:])
        self.library.call("setVectors", pattern.name, times, levels, len(pattern.times) - 1)
        for window in pattern.windows:
            data = EventData.RAW if window.raw else EventData.AVERAGED
            self.library.call(
                "setMeasureEvent",
                pattern.name,
                window.name,
                float(window.start),
                window.points,
                float(window.interval),
                float(window.averaging),
                data,
            )

    def _set_up(self, channel: int, program: Program) -> None:
        mode = OperationMode.PG if program.mode == "pg" else OperationMode.FASTIV
        self.library.call("setOperationMode", channel, mode)
        self._set_ranges(channel, program)
        enabled = MeasureEnabled.ENABLE if program.measure else MeasureEnabled.DISABLE
        self.library.call("setMeasureEnabled", channel, enabled)

    def _set_ranges(self, channel: int, program: Program) -> None:
        code: ForceVoltageRange = force_range(program).code
        self.library.call("setForceVoltageRange", channel, code)
        if program.measure is None:
            return
        chosen = limits.measure_range(program.measure, program.range)
        if program.measure == "current":
            self.library.call("setMeasureMode", channel, MeasureMode.CURRENT)
            self.library.call("setMeasureCurrentRange", channel, chosen.code)
        else:
            self.library.call("setMeasureMode", channel, MeasureMode.VOLTAGE)
            self.library.call("setMeasureVoltageRange", channel, chosen.code)
