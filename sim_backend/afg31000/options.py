"""What the reference leaves open about the AFG31000: every [?] is one field here, and nothing else decides it.

A bench file sets them under ``simulation: options: <instrument>:``. Each field names the section of the reference
(afg31000) that says what is not known; drivers are tested at every value that they touch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter

Default = TypeVar("Default")


def _open(default: Default, section: str, about: str) -> Default:
    """A field with its section and meaning, which ``AfgOptions.table`` lists."""
    value: Default = field(default=default, metadata={"section": section, "about": about})
    return value


@dataclass(frozen=True)
class AfgOptions:
    """Undocumented behaviour of the simulated AFG31000; times in s, levels in V."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    # identity and power-on
    firmware: str = _open("1.6.5", "2", "FV in *IDN?; DATA:FILE needs 1.6.5 or later")
    installed: str = _open("0", "5", "reply to *OPT?")
    licences: tuple[str, ...] = _open((), "12", "names in LICense:LIST?, such as MEM")
    mac_address: str = _open("08:00:11:00:00:01", "13", "reply to SYSTem:MACADDress?")
    power_on_event: bool = _open(False, "18.10", "-500 in the queue and PON in *ESR? after power-on")
    complete_event: bool = _open(False, "14", "*OPC also queues the event -800")

    # the parser and its replies
    unread_reply: Literal["discard", "keep"] = _open(
        "discard", "13", "what the next message does to a reply nobody read: -410 (IEEE 488.2), or kept as on a socket"
    )
    error_detail: bool = _open(False, "18.2", "error texts carry '; <what>' after the standard text")
    missing_channel: Literal[-114, -241] = _open(-114, "14", "error for channel 2 on a one-channel model")
    illegal_mnemonic: Literal[-224, -141] = _open(-224, "15", "error for a mnemonic that does not exist")
    bounds_queries: bool = _open(True, "3", "<query>? MIN|MAX is answered; otherwise -108")
    float_reply: Literal["nr3", "wide", "plain"] = _open(
        "nr3", "3", "floats as 1.000E-3, as 1.0000000000E-03, or as 0.001"
    )
    count_reply: Literal["float", "integer"] = _open("float", "3", "BURSt:NCYCles? as 5.000E0 or as 5")
    idle_reply: Literal["START", "STAR"] = _open("START", "10", "spelling of BURSt:IDLE? at START")
    legacy_data: bool = _open(False, "11", "DATA:POINts, DEFine, COPY, CATalog, VALue of the AFG3000 exist")

    # values out of range and in conflict
    out_of_range: Literal["ignore", "clamp"] = _open(
        "ignore", "15", "a value beyond its limits queues -222 and is ignored, or is set to the limit"
    )
    low_above_high: Literal["push", "reject"] = _open(
        "push", "8", "LOW set above HIGH pushes HIGH to LOW + smallest amplitude (and the reverse), or -222"
    )
    limit_beyond_level: Literal["push", "reject"] = _open(
        "push", "8", "VOLTage:LIMit set inside the present levels moves those, or -221"
    )
    load_change_keeps: Literal["emf", "shown"] = _open(
        "emf", "8", "OUTPut:IMPedance keeps the EMF and rescales what is shown, or keeps the numbers"
    )
    pulse_conflict: Literal["reject", "adjust"] = _open(
        "reject", "7", "width, edges and period that do not fit: -221, or width and then edges give way"
    )
    dbm_into_open: Literal["reject", "50"] = _open("reject", "8", "dBm with load INF: -221, or as for 50 ohm")
    amplitude_resolution: float = _open(1e-4, "1", "grid of voltages as shown, V; 0: none")
    minimum_edge: float | None = _open(None, "1", "shortest edge of a pulse, s; None: the model's guess")
    burst_frequency_factor: float = _open(0.5, "10", "highest frequency in burst, as a fraction of the shape's")

    # waveforms
    edge_span: float = _open(
        0.8, "7", "part of the swing that an edge time covers; 10-90 % fits the constraint width >= 0.625 edges"
    )
    sine_pieces: int = _open(96, "6", "straight pieces per period of a sine; 96: within 5.4e-4 of the peak")
    curve_pieces: int = _open(192, "6", "straight pieces per period of the other curves")
    noise_points: int = _open(4096, "6", "length of the noise record, spaced 1/(2 x largest sine frequency)")
    bell_span: Literal["full", "upper"] = _open(
        "full", "6", "Gauss, Lorentz, exponentials, haversine run from LOW to HIGH, or from OFFSet to HIGH"
    )
    full_scale: Literal["extrapolate", "clip"] = _open(
        "extrapolate", "11", "sample 16383 lies one LSB above HIGH, or at HIGH"
    )

    # burst, trigger, completion
    burst_idle: Literal["START", "END", "DC", "OFF"] = _open("START", "4", "BURSt:IDLE after *RST")
    idle_off: Literal["start", "offset"] = _open("start", "10", "level between bursts at BURSt:IDLE OFF")
    trigger_during_burst: Literal["ignore", "restart"] = _open("ignore", "10", "a trigger while a burst runs")
    trigger_ignored_error: bool = _open(True, "14", "a trigger that starts nothing queues -211")
    opc_waits_for_burst: bool = _open(False, "10", "*OPC, *OPC? and *WAI wait for finite bursts")
    external_needs_toggle: bool = _open(
        False, "16.5", "the external input is deaf until TRIG:SOUR goes TIM, EXT with burst on"
    )
    external_latency: float = _open(0.0, "10", "trigger input or *TRG to start of the burst")
    operation_bits: Literal["scpi", "zero"] = _open("scpi", "13", "STATus:OPERation: 3 sweeping, 5 waiting; or 0")

    # how long things take
    command_time: float = _open(0.0, "16.8", "busy after each message")
    output_on_time: float = _open(0.02, "16.7", "OUTPut ON to contact closed; *OPC? does not wait for it")
    reset_time: float = _open(0.4, "4", "busy after *RST")
    self_test_time: float = _open(3.0, "5", "busy in *TST?, *CAL? and the like")
    restart_time: float = _open(30.0, "5", "busy in SYSTem:RESTart")
    sequence_load_time: float = _open(3.5, "16.14", "busy in SEQControl:RUN")

    # memory and the Advanced mode
    reset_clears_memory: bool = _open(False, "4", "*RST fills the edit memories with 1000 points of mid-scale")
    recall_output: bool = _open(True, "5", "*RCL restores the output state; otherwise outputs go off")
    overwrite_files: bool = _open(False, "15", "MMEMory:STORe:TRACe replaces a file that exists; otherwise -257")
    sequence_end: Literal["restart", "stop"] = _open("restart", "12", "after the last element")
    second_run: Literal["fine", "ch2_deaf"] = _open(
        "fine", "16.11", "channel 2 no longer hears triggers after a second RUN, until SEQControl:STATe is cycled"
    )
    amplitude_lock: bool = _open(
        False, "16.13", "a Basic-mode amplitude up to 500 mVpp becomes the Advanced-mode amplitude"
    )

    @classmethod
    def build(cls, options: Mapping[str, Any]) -> AfgOptions:
        """From a bench file's mapping; pydantic's ValidationError names unknown keys and wrong values."""
        return _adapter().validate_python(dict(options))

    @classmethod
    def table(cls) -> list[tuple[str, object, str, str]]:
        """(name, default, section of the reference, meaning) of every option, for documentation."""
        return [(f.name, f.default, f.metadata["section"], f.metadata["about"]) for f in fields(cls)]


@cache
def _adapter() -> TypeAdapter[AfgOptions]:
    return TypeAdapter(AfgOptions)
