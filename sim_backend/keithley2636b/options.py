"""What the reference leaves open about the 2636B: every [?] is one field here, and nothing else decides it.

A bench file sets them under ``simulation: options: <instrument>:``. Each field names the section of the reference
(keithley2636b) or the pitfall that it belongs to; the default is the likeliest value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, TypeVar

Default = TypeVar("Default")


def _open(default: Default, section: str, about: str) -> Default:
    """A field with its section and meaning, which ``Options.table`` lists."""
    value: Default = field(default=default, metadata={"section": section, "about": about})
    return value


@dataclass(frozen=True)
class Options:
    """Undocumented or assumed behaviour of the simulated 2636B; SI units."""

    # identity and power-on
    firmware: str = _open("3.2.2", "5", "revision in *IDN? and localnode.revision")
    epoch: float = _open(1_700_000_000.0, "4", "UTC seconds of os.time() at clock 0")
    interlock: bool = _open(True, "14", "safety interlock closed at power-on")
    digio_power_on: int = _open(0, "11", "level of the digital lines until something is written")

    # messages and errors
    line_limit: int = _open(0, "1", "longest line in characters, longer gives -363; 0: no limit")
    error_queue_size: int = _open(100, "18", "entries of the error queue; the last place then holds -350")
    error_node: int = _open(1, "6", "node field of error queue entries without TSP-Link")
    choice_error: int = _open(-224, "9", "an attribute is given a number that is none of its choices")
    range_error: int = _open(-222, "9", "an attribute is given a number outside its limits")
    level_error: int = _open(5005, "9.1", "level above the fixed source range while the output is on")
    reply_time: float = _open(0.5e-3, "13", "print to reply; 1,900 values/s over GPIB")
    loop_time: float = _open(20e-6, "2", "one turn of a while or repeat loop")
    endless_loop: int = _open(100_000_000, "2", "Lua instructions without waiting after which a script is stopped")
    memory: int = _open(24 * 1024 * 1024, "4", "bytes for scripts and variables")

    # what resets touch
    reset_clears_buffers: bool = _open(False, "8", "smuX.reset() clears nvbuffers and their flags")

    # source
    relay_time: float = _open(5e-3, "F8", "output relay opening or closing")
    limit_delay: float = _open(30e-6, "F6", "until the limit loop acts")
    off_resistance: float = _open(1.0, "F6", "ohm, output off in NORMAL and ZERO mode")
    on_resistance: float = _open(1e-6, "13", "ohm, regulated at the terminals")
    voltage_counts: float = _open(2.5e-5, "13", "resolution of the voltage source, fraction of range")
    current_counts: float = _open(2e-5, "13", "resolution of the current source, fraction of range")
    source_range_time: float = _open(2.5e-3, "13", "source range change up to 100 mA")
    source_range_time_high: float = _open(5.2e-3, "13", "source range change from 1 A on")
    function_time: float = _open(1e-3, "13", "change between voltage and current source")
    wide_range: bool = _open(True, "18", "rangei accepts 10 A outside pulses")

    # measurement
    noise: float = _open(1e-5, "F13", "rms of a reading of 1 PLC, fraction of range")
    voltage_digits: float = _open(0.5e-6, "13", "count of the voltmeter, fraction of range")
    current_digits: float = _open(1e-6, "13", "count of the ammeter, fraction of range")
    capacitance: float = _open(150e-12, "F11", "F that the ammeter charges at each step of the source")
    measure_overhead: float = _open(33e-6, "13", "beside the conversion; 20,000 readings/s of 0.001 PLC at 60 Hz")
    source_overhead: float = _open(38e-6, "13", "source action in a sweep; 12,000 points/s of 0.001 PLC at 60 Hz")
    range_time: float = _open(150e-6, "13", "change of measure range")
    range_glitch: float = _open(0.1, "F12", "disturbance of the ammeter at a range change, fraction of the new range")
    range_down: float = _open(0.9, "13", "autorange goes down below this fraction of the next lower range")
    autozero_age: float = _open(10.0, "9.2", "after which reference readings are stale")
    contact: tuple[float, float] = _open((0.5, 0.5), "14", "ohm, HI and LO contact resistance that contact check finds")

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

    @classmethod
    def table(cls) -> list[tuple[str, object, str, str]]:
        """(name, default, section of the reference, meaning) of every option, for documentation."""
        return [(f.name, f.default, f.metadata["section"], f.metadata["about"]) for f in fields(cls)]


def _as(kind: type, name: str, value: Any) -> Any:
    if kind is tuple and isinstance(value, list | tuple) and len(value) == 2:
        return tuple(_as(float, name, v) for v in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"option {name!r} of the simulated 2636B is a {kind.__name__}, not {value!r}")
    return value
