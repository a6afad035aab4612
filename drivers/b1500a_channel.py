"""One SMU of a B1500A: source and measure by its slot, within the limits of SMU, RSU and interlock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pymeasure.instruments.agilent.agilentB1500 import SMU

from drivers import b1500a_ranges as ranges
from drivers.b1500a_data import COMPLIANCE, OVERFLOW, Bias, Curve, Measurement, ReadSetup, Samples, SourceState, parse
from drivers.errors import ReadBackError, SettingError
from drivers.wire import number, within


class B1500AChannel(SMU):
    """PyMeasure's SMU of the AgilentB1500, and what the other drivers' channels offer besides.

    Attributes:
        rsu: the cable goes through a B1531A, which passes 25 V and 100 mA at most.
        is_on: state of the output switch as last known, None if unknown.
        relay_operations: how often the output switch was moved.
        setup: what ``configure_read`` set.
    """

    def __init__(self, parent: Any, index: int, smu_type: str, name: str, slot: int, **kwargs: Any) -> None:
        super().__init__(parent, index, smu_type, name, slot, **kwargs)
        self.slot = slot
        self.rsu = False
        self.is_on: bool | None = None
        self.relay_operations = 0
        self.setup: ReadSetup | None = None
        self._limits = (-ranges.MAX_VOLTAGE, ranges.MAX_VOLTAGE)

    # -- limits -----------------------------------------------------------------------------------------------------

    def limit(self, low: float, high: float) -> None:
        """Refuse source levels outside ``low`` .. ``high`` V from now on (a limit of this driver).

        Raises:
            SettingError
        """
        within("limit", low, -ranges.MAX_VOLTAGE, high, "V")
        within("limit", high, low, ranges.MAX_VOLTAGE, "V")
        self._limits = (low, high)

    def check(self, level: float, compliance: float) -> None:
        """Refuse a level (V) or compliance (A) before anything is sent; asks for the interlock where it is needed.

        Raises:
            SettingError: names the rule.
        """
        if self.rsu and abs(level) > ranges.RSU_VOLTAGE:
            raise SettingError(
                f"{self._title}: {level:g} V cannot pass the RSU, whose SMU path takes {ranges.RSU_VOLTAGE:g} V at "
                "most; lay an SMU straight on the terminal"
            )
        if self.rsu:
            within(f"{self._title}: compliance through the RSU", compliance, 0.0, ranges.RSU_CURRENT, "A")
        ranges.check_output(self._title, level, compliance)
        within(f"{self._title}: voltage", level, *self._limits, "V")
        if abs(level) > ranges.INTERLOCK and not self.parent.interlock_closed:
            raise SettingError(
                f"{self._title}: {level:g} V needs the interlock closed; it is open, so {ranges.INTERLOCK:g} V at most"
            )

    # -- how to read ------------------------------------------------------------------------------------------------

    def configure_read(
        self,
        limit: float,
        range_: float | None = None,
        nplc: float = 1.0,
        delay: float | None = None,
        least: float | None = None,
    ) -> ReadSetup:
        """Set how this channel sources and reads; only what changes is sent, the output stays as it is.

        Args:
            limit: compliance, A. range_: fixed current range by its full scale, A; None for autorange.
            nplc: power line cycles: 2e-4 to 1, or whole ones. One value holds for the whole instrument at a time.
            delay: s before each reading of ``measure``. least: lowest range that autorange may take, A.

        Raises:
            SettingError: before anything is sent. InstrumentError.
        """
        within(f"{self._title}: compliance", limit, ranges.MIN_COMPLIANCE, ranges.MAX_CURRENT, "A")
        within("delay", delay or 0.0, 0.0, ranges.MAX_DELAY, "s")
        wanted = ReadSetup(limit, range_, nplc, delay or 0.0, least)
        self.parent.send_changed(self.reading_commands(wanted))
        self.setup = wanted
        return wanted

    def reading_commands(self, setup: ReadSetup) -> dict[str, str]:
        """Commands for converter, integration and ranging, by the name of the setting.

        Raises:
            SettingError
        """
        converter, integration = ranges.integration(setup.nplc, self.parent.line_frequency)
        return {
            f"AIT{converter}": integration,
            f"AAD{self.slot}": f"AAD {self.slot},{converter}",
            f"RI{self.slot}": f"RI {self.slot},{self.range_code(setup)}",
            f"RV{self.slot}": f"RV {self.slot},0",
        }

    def range_code(self, setup: ReadSetup) -> int:
        """Argument of RI and TI: negative for a fixed range, 0 for autorange, positive for its lowest.

        Raises:
            SettingError: the module has no such range.
        """
        if setup.range_ is not None:
            return -ranges.current_code(setup.range_, self.type)
        return 0 if setup.least is None else ranges.current_code(setup.least, self.type)

    # -- source and measure -----------------------------------------------------------------------------------------

    def output(self, on: bool) -> None:
        """Switch the output on, as a 0 V source, or off (0 V first, then the relay opens)."""
        if self.is_on is None:  # CN might start a channel anew that is on
            self.parent.refresh_outputs()
        if on != self.is_on:
            self.parent.send([f"{'CN' if on else 'CL'} {self.slot}"])
            self.relay_operations += 1
        self.is_on = on

    def isolate(self) -> None:
        """Take the channel off the device: 0 V, relay open."""
        self.output(False)

    high_impedance = isolate

    def source(self, level: float, limit: float | None = None) -> SourceState:
        """Force ``level`` (V) with compliance ``limit`` (A), switching the output on at 0 V if it is off.

        Returns:
            What the instrument reports.

        Raises:
            SettingError: before anything is sent. InstrumentError, ReadBackError.
        """
        limit = self._compliance(limit)
        self.check(level, limit)
        self.output(True)
        self.parent.send([self.force_command(level, limit)])
        state = self.reported()
        step = max(2e-4 * abs(level), 5e-3)  # coarsest step of a range that holds the level
        if abs(state.level - level) > step:
            raise ReadBackError(self._title, "voltage", level, state.level)
        if abs(abs(state.limit) - limit) > 1e-3 * limit:
            raise ReadBackError(self._title, "compliance", limit, state.limit)
        return state

    def hold(self, level: float, compliance: float | None = None) -> SourceState:
        """Force a level that stays until the channel is isolated."""
        return self.source(level, compliance)

    def measure(self) -> Measurement:
        """One reading of current and voltage at the present level.

        Raises:
            SettingError: ``configure_read`` was not called.
        """
        setup = self._ready
        self.parent.send_changed({"FMT": "FMT 21,0", **self.reading_commands(setup)})
        if setup.delay:
            self.parent.clock.sleep(setup.delay)
        with self.parent.patience(self.parent.reading_time(setup)):
            (reply,) = self.parent.ask_all(f"TIV {self.slot},{self.range_code(setup)},0", 1)
        found = parse(self.parent.name, reply, 2)
        amps, current_status = found.readings("I", self.slot)
        volts, voltage_status = found.readings("V", self.slot)
        status = int(current_status[0] | voltage_status[0])
        return Measurement(float(amps[0]), float(volts[0]), bool(status & COMPLIANCE), bool(status & OVERFLOW))

    def reported(self) -> SourceState:
        """Level and compliance as the instrument reports them.

        Raises:
            SettingError: the output is off, or forces current.
        """
        found = self.parent.query_learn(self.slot)
        words = found.get(f"DV{self.slot}")
        if words is None:
            raise SettingError(f"{self._title}: no voltage is forced ({found or 'off'})")
        return SourceState(float(words[1]), float(words[2]))

    def force_command(self, level: float, compliance: float) -> str:
        """DV for a level, on the smallest range that holds it, and the compliance in full."""
        return f"DV {self.slot},{ranges.voltage_code(level)},{number(level)},{number(compliance)}"

    # -- measurements inside the instrument -------------------------------------------------------------------------

    def sweep(self, levels: Any = None, **options: Any) -> Curve:
        """``B1500A.sweep`` with this channel swept."""
        curve: Curve = self.parent.sweep(str(self.slot), levels, **options)
        return curve

    def bias(self, level: float, duration: float, **options: Any) -> Bias:
        """``B1500A.bias`` on this channel."""
        done: Bias = self.parent.bias(str(self.slot), level, duration, **options)
        return done

    def sample(self, points: int, interval: float) -> Samples:
        """``points`` readings at the present level, ``interval`` (s) apart."""
        self.start_sample(points, interval)
        return self.fetch_sample()

    def start_sample(self, points: int, interval: float) -> None:
        """Start readings that go on while other instruments act; ``fetch_sample`` brings them."""
        setup = self._ready
        self.parent.start_sample([str(self.slot)], points, interval, range_=setup.range_, nplc=setup.nplc)

    def fetch_sample(self) -> Samples:
        """Wait for the readings of ``start_sample``."""
        taken: Samples = self.parent.fetch_sample()
        return taken

    # -- details ----------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Forget what is set."""
        self.setup = self.is_on = None

    def merged(self, **changes: Any) -> ReadSetup:
        """The setup in force with changes, None meaning: as it is.

        Raises:
            SettingError: nothing gives a compliance.
        """
        present = self.setup or ReadSetup(self._compliance(changes.get("limit")), None, 1.0, 0.0)
        return replace(present, **{name: value for name, value in changes.items() if value is not None})

    def _compliance(self, limit: float | None) -> float:
        if limit is not None:
            return float(limit)
        return self._ready.limit

    @property
    def _ready(self) -> ReadSetup:
        if self.setup is None:
            raise SettingError(f"{self._title}: compliance and ranges come first, call configure_read")
        return self.setup

    @property
    def _title(self) -> str:
        return f"{self.parent.name} SMU {self.slot}"
