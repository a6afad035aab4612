"""What the manuals of the B1500A leave open ([?] in reference b1500a), and its rack, as typed options in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin, get_type_hints

RACK: Mapping[int, str] = {1: "B1530A", 2: "B1530A", 3: "B1517A", 4: "B1517A", 5: "B1517A", 6: "B1517A"}

#: s, settling of the ammeter to 0.1 % by range (A): that of the 2636B, assumed alike; the two lowest grow to 30 s
_SETTLING: Mapping[float, float] = {
    1e-12: 30.0,
    1e-11: 3.0,
    1e-10: 360e-3,
    1e-9: 360e-3,
    1e-8: 90e-3,
    1e-7: 15e-3,
    1e-6: 2.5e-3,
    1e-5: 500e-6,
    1e-4: 150e-6,
    1e-3: 100e-6,
    1e-2: 80e-6,
    1e-1: 80e-6,
    1.0: 120e-6,
}

#: automatic integration grows by this factor on the lowest ranges (A), as on the predecessor of the instrument
_AUTO_FACTORS: Mapping[float, float] = {1e-12: 50.0, 1e-11: 50.0, 1e-10: 10.0, 1e-9: 5.0}


@dataclass(frozen=True)
class Options:
    """One value per undocumented or assumed detail; the defaults are the likeliest. SI units.

    A bench sets them under ``simulation: options: <instrument>:``.
    """

    # -- rack and identity -----------------------------------------------------------------------------------------
    slots: Mapping[int, str] = field(default_factory=lambda: dict(RACK))  # slot -> module
    revisions: Mapping[int, int] = field(default_factory=dict)  # slot -> second field of UNT?
    firmware: str = "A.06.02.2023.0401"
    mainframe_revision: str = "0"
    easyexpert: bool = False  # EasyEXPERT is running: no remote command is heard
    interlock: bool = True  # safety interlock closed

    # -- messages and errors ---------------------------------------------------------------------------------------
    line_limit: int = 256  # characters with terminator; a longer line is refused with 150
    error_queue_size: int = 30
    input_buffer: int = 10_000  # commands that may wait behind a running one; more are refused with 150
    status_fill: Literal[" ", "0"] = " "  # FMT 21: filler left of the status number
    abort_discards_queue: bool = True  # AB throws away the commands that wait behind what it stops
    initial_auto_calibration: int = 1  # CM after *RST
    initial_sampling_post: int = 2  # post of MSC after *RST
    learned_range: Literal["chosen", "asked"] = "chosen"  # *LRN? n with automatic range
    sampling_index: bool = True  # MM 10 puts an X element before each point when FMT mode is not 0
    interlock_drop: Literal["zero", "open"] = "zero"  # what high outputs do when the interlock opens
    connect_again: Literal["keep", "reset"] = "keep"  # CN on a channel that is on

    # -- time ------------------------------------------------------------------------------------------------------
    command_time: float = 0.2e-3  # s, each command
    relay_time: float = 5e-3  # output switch
    spot_time: float = 1e-3  # each reading beside its integration
    sampling_time: float = 20e-6  # each reading of MM 10 beside its integration
    range_time: float = 5e-3  # each change of measuring range
    filter_time: float = 0.5e-3  # output settles with the filter on
    calibration_time: float = 30.0
    self_test_time: float = 10.0
    sample_time: float = 2e-6  # high-speed ADC, one sample
    high_speed_reference: float = 8.0  # samples per unit of automatic averaging
    high_resolution_reference: float = 1.0 / 6.0  # power line cycles per unit of automatic integration
    auto_factors: Mapping[float, float] = field(default_factory=lambda: dict(_AUTO_FACTORS))
    settling: Mapping[float, float] = field(default_factory=lambda: dict(_SETTLING))
    built_in_wait: float = 1.0  # WAT: initial wait before a reading, in settling times of its range
    pulse_gap: float = 5e-3  # automatic pulse period: width and this
    time_stamp: Literal["start", "end"] = "start"  # moment of a reading that its time stamp names

    # -- source and meter ------------------------------------------------------------------------------------------
    output_resistance: float = 0.0  # ohm, as seen by the device (Kelvin connection)
    series_resistor: float = 1e6  # ohm, SSR
    noise: float = 1e-5  # rms of a reading of 1 PLC, fraction of range (F13)
    noise_floor: float = 5e-15  # A, smallest rms of a current reading of 1 PLC (F13)
    capacitance: float = 10e-12  # F that the ammeter charges at each step of its own source (F11), guarded cable
    limit_delay: float = 30e-6  # s until the compliance loop acts against another source
    quantise: bool = True

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Options:
        """Options with ``values`` laid over the defaults; ValueError for an unknown name or a value of another type."""
        kinds = get_type_hints(cls)
        known = {f.name for f in fields(cls)}
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                near = get_close_matches(name, sorted(known), 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"the simulated B1500A has no option {name!r}{hint}")
            checked[name] = _as(kinds[name], name, value)
        return cls(**checked)


def _as(kind: Any, name: str, value: Any) -> Any:
    wrong = ValueError(f"option {name!r} of the simulated B1500A cannot be {value!r}")
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{wrong.args[0]}: it is one of {', '.join(map(repr, get_args(kind)))}")
        return value
    if get_origin(kind) is not None:  # Mapping[key, value]
        if not isinstance(value, Mapping):
            raise wrong
        key, item = get_args(kind)
        try:
            return {key(k): item(v) for k, v in value.items()}
        except (TypeError, ValueError):
            raise wrong from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise wrong
    return value
