"""What the documentation of the 2636B leaves open, as typed options in one place (reference keithley2636b, [?])."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True)
class Options:
    """One value per undocumented or assumed detail; the defaults are the likeliest.

    A bench sets them under ``simulation: options: <instrument>:``.
    """

    # -- identity and power-on -------------------------------------------------------------------------------------
    firmware: str = "3.2.2"
    epoch: float = 1_700_000_000.0  # UTC seconds of the instrument's calendar at clock 0
    interlock: bool = True  # safety interlock closed
    digio_power_on: int = 0  # level the lines are driven to until written

    # -- messages and errors ---------------------------------------------------------------------------------------
    line_limit: int = 0  # longest message line in characters, 0 = no limit; longer gives -363
    error_queue_size: int = 100  # the last place then holds -350
    error_node: int = 1  # node field of error queue entries without TSP-Link
    choice_error: int = -224  # attribute given a number that is none of its choices
    range_error: int = -222  # attribute given a number outside its limits
    level_error: int = 5005  # level above the fixed source range while the output is on
    reply_time: float = 0.5e-3  # s from print to the reply (1,900 values/s over GPIB)
    loop_time: float = 20e-6  # s per turn of a while or repeat loop
    endless_loop: int = 100_000_000  # Lua instructions without any waiting after which a script is stopped
    memory: int = 24 * 1024 * 1024  # bytes for scripts and variables

    # -- what resets touch -----------------------------------------------------------------------------------------
    reset_clears_buffers: bool = False  # smuX.reset() clears nvbuffers and their flags

    # -- source ----------------------------------------------------------------------------------------------------
    relay_time: float = 5e-3  # s, output relay (F8)
    limit_delay: float = 30e-6  # s until the limit loop acts (F6)
    off_resistance: float = 1.0  # ohm, output off in NORMAL and ZERO mode (F6)
    on_resistance: float = 1e-6  # ohm, regulated at the terminals
    source_counts: float = 2.5e-5  # resolution of the voltage source, fraction of range
    current_counts: float = 2e-5  # resolution of the current source, fraction of range
    source_range_time: float = 2.5e-3  # s, source range change up to 100 mA
    source_range_time_high: float = 5.2e-3  # s, from 1 A on
    function_time: float = 1e-3  # s, change between voltage and current source
    wide_range: bool = True  # rangei accepts 10 A outside pulses

    # -- measurement -----------------------------------------------------------------------------------------------
    noise: float = 1e-5  # rms of a reading of 1 PLC, fraction of range (F13)
    voltage_digits: float = 0.5e-6  # count of the voltmeter, fraction of range
    current_digits: float = 1e-6  # count of the ammeter, fraction of range
    capacitance: float = 150e-12  # F that the ammeter charges at each step of the source (F11)
    measure_overhead: float = 33e-6  # s beside the conversion (20,000 readings/s of 0.001 PLC at 60 Hz)
    source_overhead: float = 38e-6  # s of a source action in a sweep (12,000 points/s of 0.001 PLC)
    range_time: float = 150e-6  # s, change of measure range
    range_glitch: float = 0.1  # disturbance of the ammeter at a range change, fraction of the new range (F12)
    range_down: float = 0.9  # autorange goes down below this fraction of the next lower range
    autozero_age: float = 10.0  # s after which reference readings are stale
    contact: tuple[float, float] = (0.5, 0.5)  # ohm, HI and LO contact resistance that contact check finds

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Options:
        """Options with ``values`` laid over the defaults; ValueError for an unknown name or a value of another type."""
        known = {f.name: f.default for f in fields(cls)}
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"the simulated 2636B has no option {name!r}{hint}")
            checked[name] = _as(type(known[name]), name, value)
        return cls(**checked)


def _as(kind: type, name: str, value: Any) -> Any:
    if kind is tuple:
        return tuple(float(v) for v in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"option {name!r} of the simulated 2636B is a {kind.__name__}, not {value!r}")
    return value
