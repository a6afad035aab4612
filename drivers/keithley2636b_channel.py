"""One channel of a 2636B: source and measure, and whole sweeps that run inside the instrument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyvisa

from drivers import keithley2636b_settings as ranges
from drivers.errors import ErrorEntry, InstrumentError, ReadBackError, SettingError
from drivers.keithley2636b_data import (
    COLUMNS,
    RUNTIME_ERROR,
    Measurement,
    ReadSetup,
    SourceState,
    SweepData,
    checked_statements,
    reading_time,
    sweep_data,
)
from drivers.keithley2636b_levels import lines_and_expression, lua_lists
from drivers.keithley2636b_settings import Keithley2636BSettings
from drivers.keithley2636b_trials import TrialProgram
from drivers.wire import number, within

_AFTER = {"zero": 0, "hold": 1, "off": 2}


class Keithley2636BChannel(Keithley2636BSettings):
    """One channel.

    What was set once is not sent again; a plain property makes the channel forget what it knows.

    Attributes:
        is_on: state of the output as last known, None if unknown.
        relay_operations: how often the output relay was moved (it wears).
    """

    def __init__(self, parent: Any, id: str) -> None:
        super().__init__(parent, id)
        self.smu = f"smu{id}"
        self.is_on: bool | None = None
        self.relay_operations = 0
        self._known: dict[str, str] = {}
        self._setup: ReadSetup | None = None
        self._loaded: Sequence[str] = ()
        self._limits = (-ranges.MAX_VOLTAGE, ranges.MAX_VOLTAGE)

    def write(self, command: str, **kwargs: Any) -> None:
        """Send a single statement; what was set is then no longer known to hold."""
        if not command.startswith("print("):
            self.forget()
        super().write(command, **kwargs)

    def forget(self) -> None:
        """Forget what is set: the next calls set everything."""
        self._known.clear()
        self._setup = self.is_on = None
        self._loaded = ()

    def limit(self, low: float, high: float) -> None:
        """Refuse source levels outside ``low`` .. ``high`` V from now on (a limit of this driver).

        Raises:
            SettingError
        """
        within("limit", low, -ranges.MAX_VOLTAGE, high, "V")
        within("limit", high, low, ranges.MAX_VOLTAGE, "V")
        self._limits = (low, high)

    def _numbers(self, statements: Sequence[str], expressions: Sequence[str]) -> list[float]:
        """Statements and values; after a failure nothing is known to be set."""
        try:
            values: list[float] = self.parent.numbers(statements, expressions)
        except pyvisa.Error:
            self.forget()
            raise
        return values

    # how to read

    def configure_read(
        self,
        limit: float,
        range_: float | None = None,
        nplc: float = 1.0,
        delay: float | None = None,
        offmode: str = "high_z",
        sense: str = "local",
        autozero: str = "once",
        function: str = "voltage",
        least: float | None = None,
    ) -> ReadSetup:
        """Set how this channel sources and reads; only what changes is sent. The output stays as it is.

        Args:
            limit: compliance, A (V for a current source). range_: fixed current range, A; None for autorange.
            nplc: integration time in power line cycles.
            delay: s before each reading; None for the instrument's own, which depends on the range.
            offmode: what off means, 'high_z', 'normal' (0 V behind 1 mA) or 'zero'.
            autozero: 'once' renews the references at the start of each sweep, 'auto' whenever they are stale.
            least: lowest range that autorange may take, A: around zero the lowest ones cost a second per point.

        Returns:
            The setup as read back; a fixed range as its full scale.

        Raises:
            SettingError: before anything is sent. ReadBackError, InstrumentError.
        """
        wanted = ReadSetup(limit, range_, nplc, delay, offmode, sense, autozero, function, least)
        statements = checked_statements(wanted)
        if self._setup is not None and statements.items() <= self._known.items():
            return self._setup
        self._setup = None
        smu = self.smu
        names = [f"source.{wanted.limit_name}", f"measure.{wanted.range_name}", "measure.nplc"]
        func, mode, set_limit, full_scale, set_nplc = self._numbers(
            self._changed(statements), [f"{smu}.{name}" for name in ("source.func", "source.offmode", *names)]
        )
        self._agree("source function", ranges.FUNCTIONS[function], func)
        self._agree("compliance", limit, set_limit)
        self._agree("NPLC", nplc, set_nplc)
        self._agree("off mode", ranges.OFF_MODES[offmode], mode)
        if range_ is not None and full_scale < range_ * (1 - 1e-6):
            raise ReadBackError(self.title, "measuring range", range_, full_scale)
        self._setup = wanted._replace(limit=set_limit, nplc=set_nplc, range_=None if range_ is None else full_scale)
        return self._setup

    def _changed(self, wanted: dict[str, str]) -> list[str]:
        """Statements that are not known to hold; they count as known from now on, until an error says otherwise."""
        changed = {name: text for name, text in wanted.items() if self._known.get(name) != text}
        self._known.update(changed)
        return [f"{self.smu}.{text}" for text in changed.values()]

    # source and measure

    @property
    def setup(self) -> ReadSetup:
        """How the channel reads now.

        Raises:
            SettingError: nothing is configured.
        """
        if self._setup is None:
            raise SettingError(f"{self.title}: compliance and ranges come first, call configure_read")
        return self._setup

    def source(self, level: float, limit: float | None = None) -> SourceState:
        """Set the source level in V (A for a current source) and, before it, the compliance.

        The output is not switched.

        Raises:
            SettingError: before anything is sent. ReadBackError, InstrumentError.
        """
        setup = self.setup
        if limit is not None:
            setup = setup._replace(limit=limit)
            setup.check()
        setup.check_levels([level], *self._limits)
        statements = self._changed({"limit": setup.statements()["limit"]})
        statements.append(f"{self.smu}.source.{setup.level_name}={number(level)}")
        set_level, set_limit = self._numbers(
            statements, [f"{self.smu}.source.{setup.level_name}", f"{self.smu}.source.{setup.limit_name}"]
        )
        self._agree("source level", level, set_level)
        self._agree("compliance", setup.limit, set_limit)
        self._setup = setup
        return SourceState(set_level, set_limit)

    def hold(self, level: float, compliance: float) -> None:
        """Drive a steady level within a compliance (A), such as an ammeter at 0 V in series with another source."""
        self.configure_read(compliance)
        self.source(level)
        if not self.is_on:
            self.output(True)

    def measure(self) -> Measurement:
        """Current and voltage now, measured at the same time."""
        with self.parent.patience(self.reading_time):
            amps, volts, compliance = self._numbers(
                [f"local i,v={self.smu}.measure.iv()"], ["i", "v", f"{self.smu}.source.compliance"]
            )
        return Measurement(amps, volts, bool(compliance))

    def output(self, on: bool) -> None:
        """Switch the output; off is what ``configure_read`` said. The relay's time passes inside the instrument.

        Raises:
            SettingError: no compliance was set. ReadBackError, InstrumentError: such as 802, blocked by interlock.
        """
        setup = self.setup if on else self._setup
        before = self.is_on
        self.is_on = None
        statements = [f"{self.smu}.source.output={int(on)}", self._relay_delay()]
        (state,) = self._numbers(statements, [f"{self.smu}.source.output"])
        self._agree("output", int(on), state)
        self.is_on = on
        self.relay_operations += before is not on and setup is not None and setup.offmode == "high_z"

    def high_impedance(self) -> None:
        """Level to 0, then the output relay open, whatever the off mode was."""
        before = self.is_on
        self.is_on = None
        self._known["off mode"] = "source.offmode=2"
        (state,) = self._numbers([*self.release_statements(), self._relay_delay()], [f"{self.smu}.source.output"])
        self._agree("output", 0, state)
        self.is_on = False
        self.relay_operations += before is not False

    #: what execution calls before another source drives the same terminal
    isolate = high_impedance

    def release_statements(self) -> list[str]:
        """Statements that take the channel off the device: level 0 first, that no current is cut by the relay."""
        source = f"{self.smu}.source"
        return [f"{source}.levelv=0", f"{source}.leveli=0", f"{source}.offmode=2", f"{source}.output=2"]

    def _relay_delay(self) -> str:
        return f"delay({number(self.parent.relay_time)})"

    # sweeps inside the instrument

    def sweep(
        self,
        levels: npt.ArrayLike | None = None,
        *,
        start: float | None = None,
        stop: float | None = None,
        points: int | None = None,
        both: bool = False,
        dwell: float = 0.0,
        after: str = "zero",
        abort_above: float | None = None,
        abort: bool = False,
        timeout: float | None = None,
    ) -> SweepData:
        """Step through levels and measure at each, inside the instrument: one call line, one answer.

        The output is switched on, at level 0, if it is off.

        Args:
            levels: V (A for a current source); or instead
            start, stop, points: equal steps; both: and back again.
            dwell: s at each level, before the delay of ``configure_read``.
            after: 'zero' stay on at level 0, 'hold' stay at the last level, 'off' level 0 and output off.
            abort_above: A; end after a reading beyond it. abort: end after the first one in compliance.
            timeout: s to wait beyond the link's own; estimated if None.

        Raises:
            SettingError: before anything is sent. InstrumentError: the level is 0 then.
        """
        setup = self.setup
        if after not in _AFTER:
            raise SettingError(f"after {after!r} is none of {', '.join(_AFTER)}")
        within("dwell", dwell, 0.0, ranges.MAX_DELAY, "s")
        options = [
            number(dwell),
            str(_AFTER[after]),
            number(0.0 if abort_above is None else within("abort_above", abort_above, 1e-15, ranges.MAX_CURRENT, "A")),
            str(int(abort)),
            str(int(setup.autozero == "once")),
            number(self.parent.relay_time),
        ]
        if levels is not None:
            values = np.array(levels, dtype=np.float64, ndmin=1)
            count = len(values)
        elif start is None or stop is None or points is None:
            raise SettingError("a sweep needs levels, or start, stop and points")
        else:
            values = np.array([start, stop], dtype=np.float64)
            count = 2 * points - 1 if both else points
        within("number of points", count, 1, ranges.MAX_POINTS)
        lists = self.lua_lists(values)
        script = self.parent.load_script("sweep")
        if levels is None:
            ends = [*map(number, values), str(points), str(int(both))]
            call = f"{script}.linear({self.smu},{','.join([*ends, *options])})"
        else:
            *ahead, expression = lines_and_expression(script, lists)
            for line in ahead:
                self.parent.write(line)
            call = f"{script}.sweep({self.smu},{expression},{','.join(options)})"
        before, self.is_on = self.is_on, None
        patience = timeout if timeout is not None else count * (dwell + self.reading_time)
        data = self._run(call, count, patience + 2 * self.parent.relay_time)
        self.is_on = after != "off"
        if setup.offmode == "high_z":
            self.relay_operations += (before is not True) + (after == "off")
        return data

    def sample(self, points: int, interval: float, timeout: float | None = None) -> SweepData:
        """Take ``points`` readings at the present level, ``interval`` s apart (0: as fast as they come)."""
        call = f"{self._sampler(points, interval)}.sample({self.smu},{points},{number(interval)})"
        patience = timeout if timeout is not None else points * (interval + self.reading_time)
        return self._run(call, points, patience)

    def start_sample(self, points: int, interval: float) -> None:
        """Start readings that go on while other instruments act; ``fetch_sample`` brings them.

        This channel must be left alone until then.
        """
        script = self._sampler(points, interval)
        self.parent.exchange([f"{script}.start({self.smu},{points},{number(interval)})"])
        self._sampling = points, interval

    def fetch_sample(self, timeout: float | None = None) -> SweepData:
        """Wait for the readings of ``start_sample``.

        Raises:
            SettingError: none were started.
        """
        if self._sampling is None:
            raise SettingError(f"{self.title}: no samples were started")
        points, interval = self._sampling
        self._sampling = None
        patience = timeout if timeout is not None else points * (interval + self.reading_time)
        return self._run(f"{self.parent.load_script('sweep')}.fetch({self.smu})", points, patience)

    _sampling: tuple[int, float] | None = None

    def _sampler(self, points: int, interval: float) -> str:
        self.setup  # noqa: B018 - refuses if nothing is configured
        within("number of points", points, 1, ranges.MAX_POINTS)
        within("interval", interval, 0.0, ranges.MAX_INTERVAL, "s")
        script: str = self.parent.load_script("sweep")
        return script

    def lua_lists(self, levels: npt.NDArray[np.float64]) -> list[str]:
        """Levels, shape (n,), as text, in lists that are short enough for a line each.

        Raises:
            SettingError: levels outside the limits of this driver or the instrument's power.
        """
        return lua_lists(levels, self.setup, *self._limits)

    # programs

    def program(self) -> TrialProgram:
        """An empty program of trials for the present settings of ``configure_read``."""
        return TrialProgram(self)

    def load(self, lines: Sequence[str]) -> None:
        """Send the lines of a program, unless they are what was sent last."""
        if lines == self._loaded:
            return
        self._loaded = ()
        for line in lines:
            self.parent.write(line)
        self._loaded = lines

    def _run(self, call: str, points: int, patience: float) -> SweepData:
        """Send one call of the script; its answer is (succeeded, errors, n), then n points."""
        with self.parent.patience(patience):
            self.parent.write(call)
            try:
                succeeded, errors, count = self.parent.read_block(3).tolist()
                columns = self.parent.read_block(COLUMNS * int(count)) if count else np.empty(0)
                failure = None if succeeded else self.parent.read().strip()
            except pyvisa.VisaIOError as error:
                self.forget()
                self.parent.explain(error, call)
                raise
        if failure is not None:
            self.forget()
            raise InstrumentError(self.parent.name, [ErrorEntry(RUNTIME_ERROR, failure)], call)
        if errors:
            self.forget()
            self.parent.check_errors(call)
        return sweep_data(columns.reshape(-1, COLUMNS), points)

    @property
    def reading_time(self) -> float:
        """Upper estimate of the time of one reading, s."""
        return reading_time(self.setup, self.parent.line_frequency)

    @property
    def title(self) -> str:
        return f"{self.parent.name} channel {self.id}"

    def _agree(self, setting: str, asked: float, reported: float) -> None:
        if not math.isclose(asked, reported, rel_tol=1e-4, abs_tol=1e-15):
            self.forget()
            raise ReadBackError(self.title, setting, asked, reported)
