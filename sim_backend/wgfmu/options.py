"""What the manuals leave open about the B1530A and its library ([?] in reference b1530a), as typed options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal


@dataclass(frozen=True)
class WgfmuOptions:
    """Each default is the reading of the reference that this simulation takes. SI units."""

    connect_in_smu_mode: Literal["accept", "refuse"] = "accept"
    string_sizes_count_nul: bool = True
    stale_queue: Literal["error", "warning"] = "error"  # openSession with errors waiting in the instrument
    stale_queue_opens: bool = False  # whether the session is open after that error
    missing_rsu_at: Literal["connect", "setOperationMode", "execute"] = "connect"
    wait_when_idle: Literal[-13, -3] = -13
    pop_shortens_summary: bool = False  # whether getError takes its entry out of the summary too
    warning_as_error_code: int = -8
    total_vectors: int = 1_000_000
    data_memory: int = 4_000_000
    readout_time: float = 1e-3  # from the end of the waveform (DONE) until all data are there (COMPLETED)
    abort_time: float = 1e-3  # from ABORTED to ABORT_COMPLETED
    start_latency: float = 1e-6  # from execute to the first vector
    force_tau_10v: float = 5e-9  # one-pole bandwidth of the output (F28)
    force_tau_5v: float = 3e-9
    force_tau_pg: float = 2e-9
    quantise: bool = True
    gain_error: float = 0.0  # largest relative error of a channel's current meter; 1e-3 is the specified accuracy
    offset_error: float = 0.0  # the same of its offset, in full scales; 2e-3 is the specified accuracy
    baseline_resistance: float = float("inf")  # leakage of probe and cable, as seen with an open probe
    smu_path_leakage: float = 50e-12  # largest leakage of an RSU's SMU path
    smu_path_drift: float = 10e-12  # its slow drift


def make_options(given: Mapping[str, Any]) -> WgfmuOptions:
    """Options from the bench file. Raises ``ValueError`` for an unknown name or a value of the wrong kind."""
    known = {f.name: f for f in fields(WgfmuOptions)}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"WGFMU: unknown option {name!r}; known are {', '.join(known)}")
        default = getattr(WgfmuOptions(), name)
        expected = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, expected) or isinstance(value, bool) != isinstance(default, bool):
            raise ValueError(f"WGFMU: option {name!r} is {value!r}, expected something like {default!r}")
    return replace(WgfmuOptions(), **given)
