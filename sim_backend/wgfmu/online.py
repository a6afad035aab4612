"""Functions of an open session: session, channel set-up, DC (reference b1530a sec. 4.1, 4.2, 4.9)."""

from __future__ import annotations

from sim_backend.wgfmu import codes, hardware
from sim_backend.wgfmu.codes import Failure, number
from sim_backend.wgfmu.ranges import FORCE, METERS, choose_force
from sim_backend.wgfmu.run import Run
from sim_backend.wgfmu.sampling import dc_program
from sim_backend.wgfmu.state import Setup, State, one_of

_DELAY_STEP = 625e-12
_LONGEST_DELAY = 50e-9
_FORCE_RANGES = (codes.FORCE_AUTO, *FORCE)
_VOLTAGE_RANGES = (codes.VOLTAGE_5V, codes.VOLTAGE_10V)
_CURRENT_RANGES = tuple(code for code, meter in METERS.items() if meter.quantity == "current")
_MODES = (codes.MODE_DC, codes.MODE_FASTIV, codes.MODE_PG, codes.MODE_SMU)
_TRIGGER_MODES = (
    codes.TRIGGER_DISABLE,
    codes.TRIGGER_EXECUTION,
    codes.TRIGGER_SEQUENCE,
    codes.TRIGGER_PATTERN,
    codes.TRIGGER_EVENT,
)
_LEVELS = (codes.WARNING_OFF, codes.WARNING_SEVERE, codes.WARNING_NORMAL, codes.WARNING_INFORMATION)
_LEAST_TIMEOUT = 1.0
_MOST_DC = 65535


class Online:
    """Methods are named as the C functions, in snake case; they return what the function writes."""

    def __init__(self, state: State) -> None:
        self._s = state

    # -- session -----------------------------------------------------------------------------------------------------

    def open_session(self, address: str) -> None:
        s = self._s
        if s.session is not None:
            text = f'A session has already been opened by WGFMU_openSession("{s.session.address}").'
            raise Failure(codes.CONTEXT, text)
        known = {name.upper(): mainframe for name, mainframe in s.mainframes.items()}
        if address.upper() not in known:
            raise Failure(codes.COMMUNICATION, f"VI_ERROR_RSRC_NFOUND: no instrument answers at {address}.")
        mainframe = known[address.upper()]
        stale, mainframe.errors[:] = list(mainframe.errors), []
        refused = bool(stale) and s.options.stale_queue == "error"
        if not refused or s.options.stale_queue_opens:
            s.session = mainframe
            s.setups = {number: Setup() for number in mainframe.channels}
        if stale:
            text = "The following error messages were in the error queue of the instrument:"
            text += "".join(f'\n\t{code:+d},"{said}"' for code, said in stale)
            if refused:
                raise Failure(codes.FIRMWARE, text)
            s.warn(codes.WARNING_NORMAL, text)

    def close_session(self) -> None:
        mainframe = self._s.mainframe()
        for channel in mainframe.channels:
            hardware.end_run(self._s, channel)
        self._s.session = None
        self._s.runs.clear()
        if mainframe.errors:
            self._s.warn(codes.WARNING_NORMAL, "The error queue of the instrument is not empty.")

    def initialize(self) -> None:
        for channel in self._s.mainframe().channels:
            hardware.release(self._s, channel)
            self._s.setups[channel] = Setup()
        self._s.revision += 1

    def set_timeout(self, timeout: float) -> None:
        self._s.mainframe()
        if not timeout >= _LEAST_TIMEOUT:
            raise Failure(
                codes.PARAMETER_OUT_OF_RANGE, f"timeout = {number(timeout)} is invalid. The value must be 1 or more."
            )
        self._s.timeout = timeout

    def do_self_calibration(self, size: int) -> tuple[int, str]:
        return self._self_test()

    def do_self_test(self, size: int) -> tuple[int, str]:
        return self._self_test()

    def _self_test(self) -> tuple[int, str]:
        for channel in self._s.mainframe().channels:
            hardware.release(self._s, channel)
        return 0, ""

    def get_channel_id_size(self) -> tuple[int]:
        return (len(self._s.mainframe().channels),)

    def get_channel_ids(self, size: int) -> tuple[list[int]]:
        channels = sorted(self._s.mainframe().channels)
        if size < 1:
            raise Failure(codes.PARAMETER_OUT_OF_RANGE, f"size = {size} is invalid. The value must be 1 or more.")
        if size != len(channels):
            self._s.warn(codes.WARNING_NORMAL, f"size = {size} differs from the number of channels = {len(channels)}.")
        return (channels[:size],)

    # -- errors and warnings -----------------------------------------------------------------------------------------

    def get_error_size(self) -> tuple[int]:
        return (self._text_size(self._s.diary.next_error()),)

    def get_error(self, size: int) -> tuple[str]:
        return (self._s.diary.pop(),)

    def get_error_summary_size(self) -> tuple[int]:
        return (self._text_size(self._s.diary.error_summary()),)

    def get_error_summary(self, size: int) -> tuple[str]:
        return (self._s.diary.error_summary(),)

    def treat_warnings_as_errors(self, warning_level: int) -> None:
        self._s.diary.threshold = one_of("warningLevel", warning_level, _LEVELS)

    def set_warning_level(self, warning_level: int) -> None:
        self._s.diary.level = one_of("warningLevel", warning_level, _LEVELS)

    def get_warning_level(self) -> tuple[int]:
        return (self._s.diary.level,)

    def get_warning_summary_size(self) -> tuple[int]:
        return (self._text_size(self._s.diary.warning_summary()),)

    def get_warning_summary(self, size: int) -> tuple[str]:
        return (self._s.diary.warning_summary(),)

    def open_log_file(self, file_name: str) -> None:
        self._s.diary.open_log(file_name)

    def close_log_file(self) -> None:
        self._s.diary.close_log()

    def _text_size(self, text: str) -> int:
        return len(text) + self._s.options.string_sizes_count_nul

    # -- channel set-up ----------------------------------------------------------------------------------------------

    def set_operation_mode(self, channel_id: int, operation_mode: int) -> None:
        channel = self._s.channel(channel_id)
        one_of("operationMode", operation_mode, _MODES)
        if self._s.options.missing_rsu_at == "setOperationMode" and operation_mode != codes.MODE_SMU:
            hardware.require_rsu(self._s, channel)
        self._s.setup(channel_id).mode = operation_mode
        self._s.revision += 1

    def get_operation_mode(self, channel_id: int) -> tuple[int]:
        return (self._s.setup(channel_id).mode,)

    def set_force_voltage_range(self, channel_id: int, force_range: int) -> None:
        self._s.setup(channel_id).force_range = one_of("forceVoltageRange", force_range, _FORCE_RANGES)
        self._s.revision += 1

    def get_force_voltage_range(self, channel_id: int) -> tuple[int]:
        return (self._s.setup(channel_id).force_range,)

    def set_measure_mode(self, channel_id: int, mode: int) -> None:
        setup = self._s.setup(channel_id)
        setup.measure_mode = one_of("measureMode", mode, (codes.MEASURE_VOLTAGE, codes.MEASURE_CURRENT))
        if mode == codes.MEASURE_CURRENT:
            setup.voltage_range = codes.VOLTAGE_5V
        self._s.revision += 1

    def get_measure_mode(self, channel_id: int) -> tuple[int]:
        return (self._s.setup(channel_id).measure_mode,)

    def set_measure_voltage_range(self, channel_id: int, measure_range: int) -> None:
        self._s.setup(channel_id).voltage_range = one_of("measureVoltageRange", measure_range, _VOLTAGE_RANGES)
        self._s.revision += 1

    def get_measure_voltage_range(self, channel_id: int) -> tuple[int]:
        return (self._s.setup(channel_id).voltage_range,)

    def set_measure_current_range(self, channel_id: int, measure_range: int) -> None:
        self._s.setup(channel_id).current_range = one_of("measureCurrentRange", measure_range, _CURRENT_RANGES)
        self._s.revision += 1

    def get_measure_current_range(self, channel_id: int) -> tuple[int]:
        return (self._s.setup(channel_id).current_range,)

    def set_force_delay(self, channel_id: int, delay: float) -> None:
        self._s.setup(channel_id).force_delay = self._delay(delay)
        self._s.revision += 1

    def get_force_delay(self, channel_id: int) -> tuple[float]:
        return (self._s.setup(channel_id).force_delay,)

    def set_measure_delay(self, channel_id: int, delay: float) -> None:
        self._s.setup(channel_id).measure_delay = self._delay(delay)
        self._s.revision += 1

    def get_measure_delay(self, channel_id: int) -> tuple[float]:
        return (self._s.setup(channel_id).measure_delay,)

    def set_measure_enabled(self, channel_id: int, measure_enabled: int) -> None:
        setup = self._not_dc(channel_id)
        setup.enabled = one_of("measureEnabled", measure_enabled, (codes.MEASURE_DISABLE, codes.MEASURE_ENABLE))
        self._s.revision += 1

    def is_measure_enabled(self, channel_id: int) -> tuple[int]:
        return (self._not_dc(channel_id).enabled,)

    def set_trigger_out_mode(self, channel_id: int, mode: int, polarity: int) -> None:
        setup = self._s.setup(channel_id)
        one_of("triggerOutMode", mode, _TRIGGER_MODES)
        one_of("polarity", polarity, (codes.TRIGGER_POSITIVE, codes.TRIGGER_NEGATIVE))
        setup.trigger_mode, setup.trigger_polarity = mode, polarity

    def get_trigger_out_mode(self, channel_id: int) -> tuple[int, int]:
        setup = self._s.setup(channel_id)
        return setup.trigger_mode, setup.trigger_polarity

    def connect(self, channel_id: int) -> None:
        hardware.connect(self._s, channel_id)

    def disconnect(self, channel_id: int) -> None:
        hardware.release(self._s, channel_id)

    def _not_dc(self, number_: int) -> Setup:
        setup = self._s.setup(number_)
        if setup.mode == codes.MODE_DC:
            raise Failure(codes.NOT_SUPPORTED, f"The operation mode of channel {number_} is the DC mode.")
        return setup

    def _delay(self, delay: float) -> float:
        steps = round(delay / _DELAY_STEP)
        rounded = steps * _DELAY_STEP
        if abs(rounded) > _LONGEST_DELAY + 1e-15:
            raise Failure(
                codes.PARAMETER_OUT_OF_RANGE,
                f"delay = {number(delay)} is invalid. The value must be -5e-08 <= delay <= 5e-08.",
            )
        if abs(rounded - delay) > 1e-15:
            self._s.warn(codes.WARNING_INFORMATION, f"delay = {number(delay)} was rounded to {number(rounded)}.")
        return rounded

    # -- DC ----------------------------------------------------------------------------------------------------------

    def dcforce_voltage(self, channel_id: int, voltage: float) -> None:
        setup = self._dc(channel_id)
        choose_force(setup.force_range, setup.mode, [voltage])
        hardware.end_run(self._s, channel_id)
        hardware.drive(self._s.channel(channel_id), setup, voltage)

    def dcmeasure_value(self, channel_id: int) -> tuple[float]:
        return (self._dc_value(channel_id, 1, 1),)

    def dcmeasure_averaged_value(self, channel_id: int, count: int, interval: int) -> tuple[float]:
        for name, value in (("count", count), ("interval", interval)):
            if not 1 <= value <= _MOST_DC:
                raise Failure(
                    codes.PARAMETER_OUT_OF_RANGE,
                    f"{name} = {value} is invalid. The value must be 1 <= {name} <= 65535.",
                )
        return (self._dc_value(channel_id, count, interval),)

    def _dc(self, channel_id: int) -> Setup:
        """A channel in DC mode, its settings applied."""
        setup = self._s.setup(channel_id)
        if setup.mode != codes.MODE_DC:
            raise Failure(codes.CONTEXT, "Operation mode must be in the DC mode.")
        hardware.require_rsu(self._s, self._s.channel(channel_id))
        hardware.route(self._s.channel(channel_id), setup)
        return setup

    def _dc_value(self, channel_id: int, count: int, interval: int) -> float:
        """Mean of ``count`` samples ``interval`` * 5 ns apart; that time passes."""
        setup, channel, mainframe = self._dc(channel_id), self._s.channel(channel_id), self._s.mainframe()
        program, wait = dc_program(count, interval, METERS[setup.meter].tau)
        recording = mainframe.circuit.record()
        start = mainframe.clock.now + wait
        first_draw = self._s.take_draws(channel_id, program.size)
        run = Run(mainframe, channel, program, start, setup.meter, 0.0, self._s.revision, first_draw, recording)
        mainframe.clock.sleep(wait + program.duration)
        mainframe.circuit.stop(recording)
        _, values = run.values(0, program.size)
        return float(values.mean())
