"""Keithley 2636B two-channel source-measure unit (reference keithley2636b)."""

from __future__ import annotations

from functools import partial
from typing import Any

from drivers import keithley2636b_settings as ranges
from drivers.clock import Clock
from drivers.errors import IdentityError, ReadBackError, SettingError
from drivers.keithley2636b_channel import Keithley2636BChannel
from drivers.keithley2636b_times import Keithley2636BTimes
from drivers.tsp_instrument import TspInstrument
from drivers.wire import attempt, number, within

_LINES = 14
_MODEL = "2636B"
#: digio.trigger modes: direct control, and pulses upwards and downwards
_BYPASS, _PULSE_DOWN, _PULSE_UP = 0, 1, 8
_MIN_PULSE, _MAX_PULSE = 1e-6, 1.0
_PULSE_WIDTH = 10e-6


class Keithley2636B(TspInstrument):
    """Keithley 2636B.

    Args:
        adapter: PyMeasure adapter or VISA resource name.
        name: name in messages.
        clock: what waits are made on.
        visa_library: handed to PyVISA.
        line_frequency: 50 or 60 Hz to set; None to use what the instrument found.
        relay_time: s that an output relay needs, passed inside the instrument.
        **kwargs: further PyVISA settings.

    Connecting stops a script that may still run, clears stale replies and errors and changes no output.
    """

    def __init__(
        self,
        adapter: Any,
        name: str = "Keithley 2636B",
        clock: Clock | None = None,
        visa_library: Any = "",
        line_frequency: float | None = None,
        relay_time: float = 5e-3,
        **kwargs: Any,
    ) -> None:
        super().__init__(adapter, name, clock, visa_library, **kwargs)
        self.relay_time = relay_time
        self.channels: dict[str, Keithley2636BChannel] = {}
        for channel in ("a", "b"):
            self.add_child(Keithley2636BChannel, channel)
        self.synchronise()
        self.identity = self._identify(self.ask("*IDN?"))
        self.line_frequency = self._prepare(line_frequency)

    def channel(self, name: str) -> Keithley2636BChannel:
        """Channel "a" or "b".

        Raises:
            SettingError: there is no such channel.
        """
        if name not in self.channels:
            raise SettingError(f"{self.name} has no channel {name!r}; it has a and b")
        return self.channels[name]

    def _prepare(self, line_frequency: float | None) -> float:
        """Empty the error queue, print all digits, settle the line frequency that the integration time rests on."""
        statements = ["errorqueue.clear()", "format.data=1", "format.asciiprecision=16"]
        if line_frequency is not None:
            if line_frequency not in (50, 60):
                raise SettingError(f"line frequency {line_frequency} Hz is neither 50 nor 60")
            statements.append(f"localnode.linefreq={number(line_frequency)}")
        (reported,) = self.numbers(statements, ["localnode.linefreq"])
        if line_frequency is not None and reported != line_frequency:
            raise ReadBackError(self.name, "line frequency", line_frequency, reported)
        return reported

    def reset(self) -> None:
        """Default settings everywhere, outputs off; timers, lines' triggers and formats included.

        A channel's own reset would leave those as the last run had them.
        """
        self.exchange(["reset()"])
        for channel in self.channels.values():
            channel.forget()
        self.line_frequency = self._prepare(None)

    def line(self, n: int, level: int) -> None:
        """Set digital line ``n`` (1 to 14) to ``level`` (0 or 1) and read it back.

        Raises:
            SettingError: no such line or level. ReadBackError: something outside holds the line.
        """
        self.check_line(n)
        if level not in (0, 1):
            raise SettingError(f"level {level!r} of a digital line is neither 0 nor 1")
        (state,) = self.numbers(
            [f"digio.trigger[{n}].mode={_BYPASS}", f"digio.writebit({n},{int(level)})"], [f"digio.readbit({n})"]
        )
        if state != level:
            raise ReadBackError(self.name, f"digital line {n}", level, state)

    def read_line(self, n: int) -> int:
        """Level of digital line ``n``."""
        self.check_line(n)
        return int(self.numbers([], [f"digio.readbit({n})"])[0])

    def pulse_line(self, n: int, width: float = _PULSE_WIDTH, rising: bool = True) -> None:
        """Send one pulse of ``width`` s on digital line ``n``, upwards or downwards.

        Raises:
            SettingError, InstrumentError.
        """
        self.check_line(n)
        within("width of a line's pulse", width, _MIN_PULSE, _MAX_PULSE, "s")
        trigger = f"digio.trigger[{n}]"
        self.exchange(
            [
                f"{trigger}.mode={_PULSE_UP if rising else _PULSE_DOWN}",
                f"{trigger}.stimulus=0",
                f"{trigger}.pulsewidth={number(width)}",
                f"{trigger}.assert()",
            ]
        )

    def trigger_statements(self, n: int) -> str:
        """Statements after which line ``n`` rests low and sends upward pulses, with no edge upwards on the way."""
        self.check_line(n)
        trigger = f"digio.trigger[{n}]"
        return (
            f"{trigger}.mode={_BYPASS} digio.writebit({n},0) {trigger}.mode={_PULSE_UP} {trigger}.stimulus=0"
            f" {trigger}.pulsewidth={number(_PULSE_WIDTH)}"
        )

    def check_line(self, n: int) -> None:
        """Refuse a digital line that does not exist.

        Raises:
            SettingError
        """
        if n not in range(1, _LINES + 1):
            raise SettingError(f"{self.name} has digital lines 1 to {_LINES}, not {n}")

    def safe(self) -> None:
        """Both channels at high impedance: scripts and sweeps stopped, level 0, relay open, read back.

        Digital lines are left: what rests on them is the bench's to know. So is the error queue.

        Raises:
            SafeStateError: names the steps that failed, after all were tried.
        """
        attempt(
            self.name,
            [
                ("stop scripts and discard unread replies", self.synchronise),
                *[(f"channel {n} at high impedance", partial(self._release, n)) for n in self.channels],
            ],
        )

    def shutdown(self) -> None:
        """Make the instrument safe, as PyMeasure's context manager asks at its end."""
        self.safe()
        super().shutdown()

    def _release(self, name: str) -> None:
        channel = self.channels[name]
        channel.forget()
        statements = [f"{channel.smu}.abort()", *channel.release_statements()]
        line = " ".join([*statements, f"delay({number(self.relay_time)})", f"print({channel.smu}.source.output)"])
        reply = self.ask(line)
        if self.as_numbers([reply.strip()], line) != [0.0]:
            raise ReadBackError(self.name, f"output {name}", 0, reply)
        channel.is_on = False

    def settings(self) -> dict[str, float | str | bool]:
        """What the instrument is set to, by names such as ``a.source.limiti``; SI units."""
        snapshot: dict[str, float | str | bool] = {"line_frequency": self.line_frequency}
        for name, channel in self.channels.items():
            values = self.numbers([], [f"{channel.smu}.{attribute}" for attribute in channel.snapshot])
            snapshot |= {f"{name}.{attribute}": v for attribute, v in zip(channel.snapshot, values, strict=True)}
        snapshot["lines"] = self.numbers([], ["digio.readport()"])[0]
        return snapshot

    @classmethod
    def capabilities(cls, model_name: str | None = _MODEL, channel: str = "a") -> dict[str, Any]:
        """What the model can do, for planning without an instrument; SI units.

        Raises:
            IdentityError: unknown model. SettingError: it has no such channel.
        """
        if model_name not in (None, _MODEL):
            raise IdentityError(f"{model_name!r} is not a {_MODEL}")
        if channel not in ("a", "b"):
            raise SettingError(f"{_MODEL} has no channel {channel!r}")
        levels = {
            "window": (-ranges.MAX_VOLTAGE, ranges.MAX_VOLTAGE),
            "max_current": ranges.MAX_CURRENT,
            "min_compliance": ranges.MIN_CURRENT_LIMIT,
            "voltage_ranges": ranges.VOLTAGE_RANGES,
            "level_grid": {scale: scale * ranges.SOURCE_RESOLUTION for scale in ranges.VOLTAGE_RANGES},
            "current_resolution": ((0.0, ranges.MEASURE_RESOLUTION),),
            "current_ranges": tuple(ranges.SETTLING),
            "nplc": ranges.NPLC,
        }
        return {
            "sweep": {**levels, "max_points": ranges.MAX_POINTS},
            "sample": {**levels, "max_points": ranges.MAX_POINTS, "max_interval": ranges.MAX_INTERVAL},
            "timing": {
                "output_time": 5e-3,
                "auto_delay": ranges.SETTLING[1e-6],
                "auto_delays": dict(ranges.SETTLING),
                "line_frequency": 50.0,
                "point_overhead": 2e-4,
                "times": Keithley2636BTimes,
            },
            "program": {"points": ranges.MAX_POINTS},
            "lines": _LINES,
            "source_resistance": 0.0,
        }

    def _identify(self, reply: str) -> dict[str, str]:
        fields = [field.strip() for field in reply.strip().split(",")]
        model = fields[1].removeprefix("Model ").strip() if len(fields) == 4 else ""
        if model != _MODEL:
            raise IdentityError(f"{self.name}: {reply!r} is not the identity of a {_MODEL}")
        return {"manufacturer": fields[0], "model": model, "serial": fields[2], "firmware": fields[3]}
