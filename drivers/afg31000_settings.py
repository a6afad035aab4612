"""Settings of one output of an AFG31000, one by one (reference afg31000 sec. 6 to 10)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pymeasure.instruments import Channel
from pymeasure.instruments.validators import strict_discrete_set, strict_range

from drivers.scpi import parse_float
from drivers.wire import WireChannel, number


def _number_setting(header: str, doc: str, values: tuple[float, float]) -> Any:
    return Channel.control(
        f"{header}?",
        f"{header} %.12g",
        doc,
        validator=strict_range,
        values=values,
        check_set_errors=True,
        dynamic=True,
        cast=parse_float,
    )


def _choice_setting(header: str, doc: str, values: dict[Any, str]) -> Any:
    return Channel.control(
        f"{header}?",
        f"{header} %s",
        doc,
        validator=strict_discrete_set,
        values=values,
        map_values=True,
        check_set_errors=True,
        cast=str,
    )


class AFG31000Settings(WireChannel):
    """PyMeasure properties of one output; each setting is followed by a look into the error queue."""

    function: str = _choice_setting(
        "SOUR{ch}:FUNC",
        """Control the shape of the output.""",
        {
            "sine": "SIN",
            "square": "SQU",
            "pulse": "PULS",
            "ramp": "RAMP",
            "noise": "PRN",
            "dc": "DC",
            "sinc": "SINC",
            "gauss": "GAUS",
            "lorentz": "LOR",
            "rise": "ERIS",
            "decay": "EDEC",
            "haversine": "HAV",
            "memory 1": "EMEM",
            "memory 2": "EMEM2",
            "file": "EFIL",
        },
    )
    frequency: float = _number_setting("SOUR{ch}:FREQ", """Control the frequency in Hz.""", (1e-6, 250e6))
    period: float = _number_setting("SOUR{ch}:PULS:PER", """Control the pulse period in s.""", (4e-9, 1000.0))
    high: float = _number_setting("SOUR{ch}:VOLT:HIGH", """Control the high level in V.""", (-10.0, 10.0))
    low: float = _number_setting("SOUR{ch}:VOLT:LOW", """Control the low level in V.""", (-10.0, 10.0))
    offset: float = _number_setting("SOUR{ch}:VOLT:OFFS", """Control the offset in V.""", (-10.0, 10.0))
    phase: float = Channel.control(
        "SOUR{ch}:PHAS?",
        "SOUR{ch}:PHAS %.12g DEG",
        """Control the start phase in degrees (the instrument itself answers in radians).""",
        validator=strict_range,
        values=(-180.0, 180.0),
        get_process=math.degrees,
        check_set_errors=True,
    )
    pulse_width: float = _number_setting(
        "SOUR{ch}:PULS:WIDT", """Control the pulse width at half height in s.""", (4e-9, 999.99)
    )
    pulse_hold: str = _choice_setting(
        "SOUR{ch}:PULS:HOLD",
        """Control what a change of the period keeps, ``width`` or ``duty``.""",
        {"width": "WIDT", "duty": "DUTY"},
    )
    leading_edge: float = _number_setting(
        "SOUR{ch}:PULS:TRAN:LEAD", """Control the time of the leading edge in s.""", (1e-12, 625.0)
    )
    trailing_edge: float = _number_setting(
        "SOUR{ch}:PULS:TRAN:TRA", """Control the time of the trailing edge in s.""", (1e-12, 625.0)
    )
    load: float = Channel.control(
        "OUTP{ch}:IMP?",
        "OUTP{ch}:IMP %s",
        """Control the load in ohm that voltages are stated for (1 to 10000, or infinity).""",
        validator=lambda value, values: value if value == math.inf else strict_range(value, values),
        values=(1, 10_000),
        set_process=lambda value: "INF" if value == math.inf else number(value),
        check_set_errors=True,
        cast=parse_float,
    )
    polarity: str = _choice_setting(
        "OUTP{ch}:POL",
        """Control the polarity; ``inverted`` mirrors the waveform about its offset.""",
        {"normal": "NORM", "inverted": "INV"},
    )
    burst_enabled: bool = _choice_setting(
        "SOUR{ch}:BURS:STAT", """Control burst mode (bool).""", {True: "1", False: "0"}
    )
    burst_count: float = Channel.control(
        "SOUR{ch}:BURS:NCYC?",
        "SOUR{ch}:BURS:NCYC %d",
        """Control the cycles per burst (read: infinity if endless).""",
        validator=strict_range,
        values=(1, 1_000_000),
        check_set_errors=True,
        cast=parse_float,
    )

    #: name in the settings' snapshot -> query, without channel number
    _snapshot: ClassVar[dict[str, str]] = {
        "function": "SOUR{ch}:FUNC?",
        "frequency": "SOUR{ch}:FREQ?",
        "high": "SOUR{ch}:VOLT:HIGH?",
        "low": "SOUR{ch}:VOLT:LOW?",
        "limit_high": "SOUR{ch}:VOLT:LIM:HIGH?",
        "limit_low": "SOUR{ch}:VOLT:LIM:LOW?",
        "pulse_width": "SOUR{ch}:PULS:WIDT?",
        "pulse_hold": "SOUR{ch}:PULS:HOLD?",
        "leading_edge": "SOUR{ch}:PULS:TRAN:LEAD?",
        "trailing_edge": "SOUR{ch}:PULS:TRAN:TRA?",
        "burst": "SOUR{ch}:BURS:STAT?",
        "burst_count": "SOUR{ch}:BURS:NCYC?",
        "burst_idle": "SOUR{ch}:BURS:IDLE?",
        "output": "OUTP{ch}:STAT?",
        "load": "OUTP{ch}:IMP?",
        "polarity": "OUTP{ch}:POL?",
    }

    @property
    def snapshot_queries(self) -> dict[str, str]:
        return {name: self.insert_id(query) for name, query in self._snapshot.items()}
