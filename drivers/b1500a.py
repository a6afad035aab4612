"""Keysight B1500A semiconductor device analyzer and its SMUs, by FLEX commands (reference b1500a)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy.typing as npt

from drivers import b1500a_ranges as ranges
from drivers import b1500a_sampling as sampling
from drivers import b1500a_sweeps as sweeps
from drivers.b1500a_channel import B1500AChannel
from drivers.b1500a_data import Bias, Curve, ReadSetup, Samples
from drivers.b1500a_link import B1500ALink
from drivers.b1500a_sampling import Sampling
from drivers.b1500a_stations import PerChannel
from drivers.clock import Clock
from drivers.errors import ErrorEntry, IdentityError, ReadBackError, SettingError
from drivers.wire import WireInstrument, attempt

_SMUS = ("HRSMU", "MPSMU")
_INTERLOCK_OPEN = 8


class B1500A(B1500ALink):
    """A B1500A with HRSMUs or MPSMUs; channels are named by their slots, "3".

    Built on PyMeasure's AgilentB1500, whose methods stay: ``smu1`` and so on are the same channels in its order.
    Sweeps, samples and biases are timed inside the instrument.

    Args:
        adapter: PyMeasure adapter or VISA resource name.
        name: name in messages.
        clock: what waits are made on.
        visa_library: handed to PyVISA.
        line_frequency: Hz, what integration times rest on; the instrument does not tell.
        rsu: channels whose cables go through a B1531A.
        **kwargs: further PyVISA settings.

    Connecting stops a measurement that still runs, clears stale replies and errors (kept in ``stale_errors``), finds
    the modules, and changes no output.

    Raises:
        IdentityError: not a B1500A, or a module that PyMeasure does not know.
    """

    def __init__(
        self,
        adapter: Any,
        name: str = "Keysight B1500A",
        clock: Clock | None = None,
        visa_library: Any = "",
        line_frequency: float = 50.0,
        rsu: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(adapter, name, clock, visa_library, **kwargs)
        if line_frequency not in (50, 60):
            raise SettingError(f"line frequency {line_frequency} Hz is neither 50 nor 60")
        self.line_frequency = float(line_frequency)
        self.settle_link()
        self.stale_errors: list[ErrorEntry] = self.errors()
        self.identity = self._identify(self.ask("*IDN?"))
        self.channels: dict[str, B1500AChannel] = {}
        self.modules: dict[int, str] = {}
        self._job: Sampling | None = None
        self.discover()
        for channel in rsu:
            self.channel(str(channel)).rsu = True

    # -- modules ----------------------------------------------------------------------------------------------------

    def discover(self) -> None:
        """Find the modules and make a channel of every HRSMU and MPSMU.

        Raises:
            IdentityError: a module that PyMeasure does not know.
        """
        try:
            self.modules = self.query_modules()
        except NotImplementedError as error:
            raise IdentityError(f"{self.name}: {error}") from None
        found = [(slot, kind) for slot, kind in self.modules.items() if kind in _SMUS]
        for index, (slot, kind) in enumerate(found, 1):
            self.add_child(
                B1500AChannel, index, collection="smus", prefix="smu", smu_type=kind, name=f"SMU{index}", slot=slot
            )
            channel = self.smus[index]
            self._smu_references[slot], self._smu_names[slot] = channel, channel.name
            self.channels[str(slot)] = channel
        self.refresh_outputs()

    def refresh_outputs(self) -> None:
        """Ask which output switches are closed."""
        on = self.ask("*LRN? 0").strip()
        closed = set(on.removeprefix("CN").split(",")) if on.startswith("CN") else set()
        for name, channel in self.channels.items():
            channel.is_on = name in closed

    def initialize_all_smus(self) -> None:
        """PyMeasure's name for what connecting has done."""

    def channel(self, name: str) -> B1500AChannel:
        """SMU in slot ``name``, "3".

        Raises:
            SettingError: there is none; names those that there are.
        """
        if name not in self.channels:
            raise SettingError(f"{self.name} has no SMU {name!r}; it has {', '.join(self.channels) or 'none'}")
        return self.channels[name]

    @property
    def interlock_closed(self) -> bool:
        """Whether the safety interlock is closed: above 42 V it must be."""
        return not int(self.ask("*STB?")) & _INTERLOCK_OPEN

    capabilities = staticmethod(ranges.capabilities)

    # -- measurements -----------------------------------------------------------------------------------------------

    def sweep(
        self,
        channel: str,
        levels: npt.ArrayLike | None = None,
        *,
        start: float | None = None,
        stop: float | None = None,
        points: int | None = None,
        spacing: Literal["linear", "log"] = "linear",
        mode: Literal["single", "cyclic"] = "single",
        measured: Sequence[str] | None = None,
        bias: Mapping[str, float] | None = None,
        synchronous: Mapping[str, tuple[float, float]] | None = None,
        compliance: PerChannel = None,
        range_: PerChannel = None,
        nplc: float = 1.0,
        hold: float = 0.0,
        delay: float = 0.0,
        dwell: float = 0.0,
        abort: bool = False,
        after: Literal["zero", "hold", "off"] = "zero",
        measure_voltage: bool = False,
    ) -> Curve:
        """Step a channel through levels and measure currents at each, inside the instrument.

        Args:
            channel: what is swept. levels: V; or instead start, stop, points with their spacing. Levels that are
                neither equally nor logarithmically spaced go line by line, with the instrument's pauses.
            mode: 'cyclic' goes there and back, the turning point twice.
            measured: channels in the order of measurement; the swept one by default.
            bias: channel -> V held meanwhile and after. synchronous: channel -> (start, stop) swept along.
            compliance: A for all, or by channel; else as configured. range_: fixed current range (A), as compliance;
                None keeps autorange or what is configured.
            hold: s before the first delay. delay: s at each level before it is measured.
            dwell: least s at each level; it is measured at the end of it. abort: end at the first compliance.
            after: 'zero' the swept channel stays on at 0 V, 'hold' at its last level, 'off' all driven ones go off.
            measure_voltage: measure voltages too, which takes twice the time.

        Raises:
            SettingError: before anything is sent. InstrumentError, ReplyError.
        """
        found = sweeps.levels_of(levels, start, stop, points, spacing)
        if mode not in ("single", "cyclic"):
            raise SettingError(f"mode {mode!r} is neither 'single' nor 'cyclic'")
        request = sweeps.Request(
            channel,
            found,
            mode == "cyclic",
            tuple(measured or (channel,)),
            bias or {},
            synchronous or {},
            hold,
            delay,
            dwell,
            abort,
            after,
            measure_voltage,
        )
        return sweeps.sweep(self, request, compliance, range_, nplc)

    def sample(
        self,
        channels: Sequence[str],
        points: int,
        interval: float,
        *,
        bias: Mapping[str, float] | None = None,
        hold: float = 0.0,
        compliance: PerChannel = None,
        range_: PerChannel = None,
        nplc: float = 1.0,
        abort_above: float | None = None,
    ) -> Samples:
        """Take ``points`` readings of several channels at fixed levels, ``interval`` (s) apart.

        Args:
            bias: channel -> V, forced before and held after. hold: s until the first reading.
            abort_above: A; beyond it the measurement is stopped.

        Hold and interval are rounded up to the instrument's grid (10 ms; 1 ms, below 2 ms 10 us); readings that take
        longer than the interval come later, as their time stamps say.

        Raises:
            SettingError: before anything is sent. InstrumentError, ReplyError.
        """
        self.start_sample(
            channels, points, interval, bias=bias, hold=hold, compliance=compliance, range_=range_, nplc=nplc
        )
        return self.fetch_sample(abort_above)

    def start_sample(
        self,
        channels: Sequence[str],
        points: int,
        interval: float,
        *,
        bias: Mapping[str, float] | None = None,
        hold: float = 0.0,
        compliance: PerChannel = None,
        range_: PerChannel = None,
        nplc: float = 1.0,
    ) -> None:
        """Start what ``sample`` takes and return; ``fetch_sample`` brings it, nothing else may come between."""
        self._job = sampling.start_sampling(
            self, tuple(channels), points, interval, bias or {}, hold, compliance, range_, nplc
        )

    def fetch_sample(self, abort_above: float | None = None) -> Samples:
        """Wait for the readings of ``start_sample``.

        Raises:
            SettingError: none were started.
        """
        if self._job is None:
            raise SettingError(f"{self.name}: no samples were started")
        job, self._job = self._job, None
        return sampling.fetch_sampling(self, job, abort_above)

    def bias(
        self,
        channel: str,
        level: float,
        duration: float,
        *,
        ramp: float = 0.0,
        compliance: float = 100e-9,
        abort_above: float | None = None,
        grounded: Sequence[str] = (),
        nplc: float = 1.0,
        range_: float | None = None,
        interval: float | None = None,
    ) -> Bias:
        """Hold ``level`` (V) for ``duration`` (s) and go back to 0 V, timed inside the instrument.

        The way back waits in the instrument behind the measurement, so that it comes even if the host does not. The
        output stays on at 0 V.

        Args:
            ramp: s to the level, and the same back. compliance: A.
            abort_above: A; readings are watched while they come, and beyond it the level is left at once.
            grounded: other channels that are put to 0 V first and stay there.
            range_: current range (A); what holds twice ``abort_above``, or the compliance, by default.
            interval: s between readings; a hundredth of the duration within 0.1 and 1 s by default.

        Raises:
            SettingError: before anything is sent; names RSU, interlock or envelope. InstrumentError.
        """
        return sampling.bias(
            self, channel, level, duration, ramp, compliance, abort_above, grounded, nplc, range_, interval
        )

    # -- what measurements are made of ------------------------------------------------------------------------------

    def integration_time(self, nplc: float) -> float:
        """Seconds of one integration."""
        return nplc / self.line_frequency

    def reading_time(self, setup: ReadSetup, ranging: bool = True) -> float:
        """Upper estimate (s) of one reading; ``ranging``: it may walk through all ranges, and wait for its settling."""
        time = self.integration_time(setup.nplc) + ranges.READING_OVERHEAD
        if not ranging:
            return time
        lowest = setup.range_ or setup.least or min(ranges.SETTLING)
        settling = max(t for scale, t in ranges.SETTLING.items() if scale >= lowest * (1 - 1e-6))
        return 2 * time + settling + len(ranges.SETTLING) * (ranges.RANGE_CHANGE + settling * (setup.range_ is None))

    def begin(self, before: Sequence[str]) -> None:
        """Empty the data buffer and start the measurement that is set up; ``before`` goes just ahead of it."""
        WireInstrument.write(self, "BC")
        self.queue([*before, "XE"])

    def queue(self, commands: Sequence[str]) -> None:
        """Send commands without looking into the error queue, which would wait for what runs."""
        for line in self.lines(commands):
            WireInstrument.write(self, line)

    def limited(self, slot: int) -> bool:
        """Whether the SMU in a slot is in compliance now (LOP? tells by a tens digit)."""
        codes = self.ask("LOP?").strip().removeprefix("LOP").split(",")
        return int(codes[slot - 1]) >= 10

    def ask_all(self, line: str, count: int) -> list[str]:
        """Send a line with several queries; their replies."""
        WireInstrument.write(self, line)
        return [self.read() for _ in range(count)]

    def abort(self) -> None:
        """Stop what runs; outputs stay."""
        WireInstrument.write(self, "AB")

    # -- state ------------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Forget what is set, channels included."""
        super().forget()
        for channel in getattr(self, "channels", {}).values():
            channel.forget()

    def reset(self) -> None:
        """Initial settings everywhere, outputs off."""
        self.settle_link()
        self.send(["*RST"])
        self.forget()

    def settings(self) -> dict[str, float | str | bool]:
        """What the instrument is set to, by names such as ``3.level``; SI units."""
        found: dict[str, float | str | bool] = {"line_frequency": self.line_frequency}
        modes = self.query_learn(31)
        for name in ("FMT", "AV", "TM", "MM"):
            if name in modes:
                found[name] = ",".join(modes[name]) if isinstance(modes[name], list) else str(modes[name])
        ranging = self.query_learn(32)
        for name, channel in self.channels.items():
            found[f"{name}.module"] = channel.type
            found[f"{name}.rsu"] = channel.rsu
            found[f"{name}.current_range"] = float(ranging[f"RI{name}"])
            output = self.query_learn(name)
            forced = output.get(f"DV{name}") or output.get(f"DI{name}")
            found[f"{name}.on"] = forced is not None
            if forced is not None:
                found[f"{name}.function"] = "voltage" if f"DV{name}" in output else "current"
                found[f"{name}.level"], found[f"{name}.compliance"] = float(forced[1]), float(forced[2])
        return found

    def safe(self) -> None:
        """Every SMU off: what runs is stopped, 0 V, output relays open, read back.

        Raises:
            SafeStateError: names the steps that failed, after all were tried.
        """
        self._job = None
        attempt(
            self.name,
            [
                ("stop measurements and discard unread data", self.settle_link),
                ("all outputs off", partial(WireInstrument.write, self, "CL")),
                ("output switches read back", self._check_off),
            ],
        )

    def shutdown(self) -> None:
        """Make the instrument safe, as PyMeasure's context manager asks at its end."""
        self.safe()
        super().shutdown()

    def _check_off(self) -> None:
        self.forget()
        reply = self.ask("*LRN? 0").strip()
        if reply != "CL":
            raise ReadBackError(self.name, "output switches", "CL", reply)
        for channel in self.channels.values():
            channel.is_on = False

    def _identify(self, reply: str) -> dict[str, str]:
        fields = [field.strip() for field in reply.strip().split(",")]
        if len(fields) != 4 or fields[1] != ranges.MODEL:
            raise IdentityError(f"{self.name}: {reply!r} is not the identity of a {ranges.MODEL}")
        return {"manufacturer": fields[0], "model": fields[1], "serial": fields[2], "firmware": fields[3]}
