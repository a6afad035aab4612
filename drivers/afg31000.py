"""Tektronix AFG31000 series arbitrary function generators (reference afg31000).

The instrument as a pulse source: its load is taken as infinite, so that all voltages are open-circuit ones,
and between pulses its outputs rest at the pulse's base, whatever the pulse's sign.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from pymeasure.instruments import Instrument
from pymeasure.instruments.validators import strict_discrete_set

from drivers.afg31000_channel import AFG31000Channel
from drivers.afg31000_models import (
    BURST_CYCLES,
    FULL_SCALE,
    LEVEL_DIGITS,
    LEVEL_GRID,
    RECORD_POINTS,
    SOURCE_RESISTANCE,
    model,
)
from drivers.afg31000_times import RELEASE, SETTLING, AFG31000Times
from drivers.clock import Clock
from drivers.errors import IdentityError, ReadBackError, SettingError
from drivers.scpi import ScpiInstrument
from drivers.wire import attempt

#: settling after *RST (reference afg31000 sec. 16, no. 8)
_RESET_SETTLING = 0.5


class AFG31000(ScpiInstrument):
    """Tektronix AFG31000 series.

    Args:
        adapter: PyMeasure adapter or VISA resource name.
        name: name in messages.
        clock: what waits are made on.
        visa_library: handed to PyVISA.
        settling: s that an output needs after it is switched on, for *OPC? answers before its relay settles.
        release: s after an output is switched off until its relay is surely open.
        **kwargs: further PyVISA settings.

    Connecting clears stale replies and errors, asks for the identity and changes no output.
    """

    safe_priority = 10

    def __init__(
        self,
        adapter: Any,
        name: str = "Tektronix AFG31000",
        clock: Clock | None = None,
        visa_library: Any = "",
        settling: float = SETTLING,
        release: float = RELEASE,
        **kwargs: Any,
    ) -> None:
        super().__init__(adapter, name, clock, visa_library, **kwargs)
        self.settling = settling
        self.release = release
        self.channels: dict[str, AFG31000Channel] = {}
        self.clear_link()
        self.identity = self._identify(self.ask("*CLS;*IDN?"))
        self.limits = model(self.identity["model"])
        for number in range(1, self.limits.channels + 1):
            self.add_child(AFG31000Channel, str(number))

    trigger_slope: str = Instrument.control(
        "TRIG:SLOP?",
        "TRIG:SLOP %s",
        """Control the edge of the external trigger that starts a burst, ``positive`` or ``negative``.""",
        validator=strict_discrete_set,
        values={"positive": "POS", "negative": "NEG"},
        map_values=True,
        cast=str,
        check_set_errors=True,
    )

    reference_clock: str = Instrument.control(
        "ROSC:SOUR?",
        "ROSC:SOUR %s",
        """Control the time base, ``internal`` or ``external`` (10 MHz).""",
        validator=strict_discrete_set,
        values={"internal": "INT", "external": "EXT"},
        map_values=True,
        cast=str,
        check_set_errors=True,
    )

    def channel(self, name: str | int) -> AFG31000Channel:
        """Output ``name`` ("1", "2").

        Raises:
            SettingError: this model has no such output.
        """
        if str(name) not in self.channels:
            raise SettingError(f"{self.name} has no channel {name}; it has {', '.join(self.channels)}")
        return self.channels[str(name)]

    def trigger(self) -> None:
        """Start the prepared bursts of all channels; returns while they run (see ``burst_duration``).

        Raises:
            InstrumentError: such as -211, trigger ignored.
        """
        self.exchange(["*TRG"])

    def leave_advanced_mode(self) -> None:
        """Back to Basic mode, with all outputs off before, for it lets signals out on the way."""
        for channel in self.channels.values():
            channel.output(False)
        self.exchange(["SEQC:STAT 0"])
        self.clock.sleep(self.settling)

    def reset(self) -> None:
        """Default settings, outputs off; waits until they are in force."""
        for channel in self.channels.values():
            channel.forget()
        self.exchange(["*RST"], ["*OPC?"])
        self.clock.sleep(_RESET_SETTLING)

    def safe(self) -> None:
        """All outputs off, then bursts stopped; the outputs are read back.

        Outputs go first: stopping a running mode may let other levels out (reference afg31000 sec. 16, 12).
        The error queue is left as it is.

        Raises:
            SafeStateError: names the steps that failed, after all were tried.
        """
        for channel in self.channels.values():
            channel.forget()
        names = list(self.channels)
        attempt(
            self.name,
            [
                *[(f"output {n} off", partial(self.write, f":OUTP{n}:STAT OFF")) for n in names],
                ("discard unread replies", self.clear_link),
                ("stop bursts", partial(self.write, ":ABOR")),
                *[(f"output {n} read back", partial(self._check_off, n)) for n in names],
            ],
        )

    def shutdown(self) -> None:
        """Make the instrument safe, as PyMeasure's context manager asks at its end."""
        self.safe()
        super().shutdown()

    def _check_off(self, name: str) -> None:
        state = self.ask(f":OUTP{name}:STAT?").strip()
        if state != "0":
            raise ReadBackError(self.name, f"output {name}", "0", state)
        self.channels[name].is_on = False

    def settings(self) -> dict[str, float | str | bool]:
        """What the instrument is set to, by names such as ``1.high``; SI units, load and phase included."""
        snapshot = _typed(
            self.exchange([], ["TRIG:SOUR?", "TRIG:SLOP?", "ROSC:SOUR?"]),
            ["trigger_source", "trigger_slope", "reference_clock"],
        )
        for channel in self.channels.values():
            names = {f"{channel.id}.{name}": query for name, query in channel.snapshot_queries.items()}
            snapshot |= _typed(self.exchange([], list(names.values())), list(names))
        return snapshot

    @classmethod
    def capabilities(cls, model_name: str, channel: str = "1") -> dict[str, Any]:
        """What a model can do, for planning without an instrument; SI units, open-circuit voltages.

        Raises:
            IdentityError: unknown model. SettingError: it has no such channel.
        """
        limits = model(model_name)
        if channel not in [str(n + 1) for n in range(limits.channels)]:
            raise SettingError(f"{model_name} has no channel {channel}")
        window = (-limits.window, limits.window)
        return {
            "pulse": {
                "min_width": limits.min_width,
                "max_width": 999.99,
                "width_grid": 1e-10,
                "level_grid": LEVEL_GRID,
                "level_digits": LEVEL_DIGITS,
                "window": window,
                "min_amplitude": limits.min_amplitude,
                "min_period": 1 / limits.pulse_rate,
                "max_period": limits.max_period,
                "edges": {"max_of_width": 0.8, "symmetric": True},
            },
            "burst": {
                "min_count": BURST_CYCLES[0],
                "max_count": BURST_CYCLES[1],
                "triggers": ("software", "external"),
            },
            "arbitrary": {
                "points": RECORD_POINTS,
                "sample_rate": limits.sample_rate,
                "rates": limits.rates,
                "full_scale": FULL_SCALE,
                "min_period": 1 / limits.arbitrary_rate,
                "max_period": limits.max_period,
                "window": window,
            },
            "timing": {"output_time": SETTLING, "times": partial(AFG31000Times, limits.pulse_rate)},
            "source_resistance": SOURCE_RESISTANCE,
            "lines": 0,
        }

    def _identify(self, reply: str) -> dict[str, str]:
        fields = [field.strip() for field in reply.strip().split(",")]
        if len(fields) != 4 or fields[0].upper() != "TEKTRONIX":
            raise IdentityError(f"{self.name}: {reply!r} is not the identity of an AFG31000")
        firmware = fields[3].rpartition("FV:")[2]
        return {"manufacturer": fields[0], "model": fields[1], "serial": fields[2], "firmware": firmware}


def _typed(replies: list[str], names: list[str]) -> dict[str, float | str | bool]:
    """Replies by name, numbers as numbers."""
    result: dict[str, float | str | bool] = {}
    for name, reply in zip(names, replies, strict=True):
        try:
            result[name] = float(reply)
        except ValueError:
            result[name] = reply
    return result
