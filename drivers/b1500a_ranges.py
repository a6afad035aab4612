"""Ranges, limits and times of a B1500A's SMUs (reference b1500a sec. 6-9; devices_and_protocols 3.1)."""

from __future__ import annotations

import math
from typing import Any

from drivers.errors import IdentityError, SettingError
from drivers.wire import within

MODEL = "B1500A"
#: output or compliance voltage (V) -> largest current (A); HRSMU and MPSMU
ENVELOPE = ((20.0, 0.1), (40.0, 0.05), (100.0, 0.02))
MAX_VOLTAGE, MAX_CURRENT = 100.0, 0.1
MIN_COMPLIANCE = 1e-12
#: beyond this (V) the interlock must be closed
INTERLOCK = 42.0
#: what the SMU path of an RSU passes (V, A)
RSU_VOLTAGE, RSU_CURRENT = 25.0, 0.1
#: full scale (V) -> code
VOLTAGE_CODES = {0.5: 5, 2.0: 20, 5.0: 50, 20.0: 200, 40.0: 400, 100.0: 1000}
#: full scale (A) -> code; the two lowest on HRSMUs only
CURRENT_CODES = {float(f"1e{code - 20}"): code for code in range(9, 20)}
HRSMU_ONLY = (1e-11, 1e-10)
#: current range (A) -> s that a reading on it needs to settle to 0.1 %: that of a 2636B, assumed alike
SETTLING = {
    1e-11: 3.0, 1e-10: 0.36, 1e-9: 0.36, 1e-8: 0.09, 1e-7: 15e-3, 1e-6: 2.5e-3, 1e-5: 0.5e-3, 1e-4: 150e-6,
    1e-3: 100e-6, 1e-2: 80e-6, 1e-1: 80e-6,
}  # fmt: skip
#: steps of a voltage range, and the smallest current told, as a fraction of its range, by the least NPLC (converters)
FORCE_STEPS, CURRENT_RESOLUTION = 20_000, ((0.0, 1 / 20_000), (1.0, 1e-6))
#: s, of hold times; of delays; of sampling intervals, by the least interval
HOLD_GRID, DELAY_GRID, INTERVAL_GRID = 1e-2, 1e-4, ((0.0, 1e-5), (2e-3, 1e-3))
#: power line cycles: below 1 by the high-speed converter, from 1 whole cycles by the high-resolution one
NPLC = (2e-4, 100.0)
#: s beside the integration of each reading, and for a change of range
READING_OVERHEAD, RANGE_CHANGE = 2e-3, 5e-3
MAX_POINTS, MAX_SAMPLES = 1001, 100_001
MAX_HOLD, MAX_DELAY, MAX_STEP_DELAY = 655.35, 65.535, 1.0
MIN_INTERVAL, MAX_INTERVAL, FINE_INTERVAL = 1e-4, 65.535, 2e-3
MAX_PAUSE = 99.9999
#: s per step of a ramp, and the most steps
_RAMP_STEP, _MOST_RAMP_STEPS = 20e-3, 200
_ROUNDING = 1e-9


def voltage_code(level: float) -> int:
    """Code of the smallest range that holds ``level`` (V)."""
    return next(code for scale, code in VOLTAGE_CODES.items() if abs(level) <= scale * (1 + _ROUNDING))


def current_range(value: float, model: str = "HRSMU") -> float:
    """Full scale (A) of the smallest range that holds ``value``.

    Raises:
        SettingError: none does.
    """
    for scale in CURRENT_CODES:
        if abs(value) <= scale * (1 + _ROUNDING) and not (model != "HRSMU" and scale in HRSMU_ONLY):
            return scale
    raise SettingError(f"no current range holds {value:g} A; the largest is {MAX_CURRENT:g} A")


def current_code(scale: float, model: str = "HRSMU") -> int:
    """Code of a range given by its full scale (A).

    Raises:
        SettingError: there is none; names those that there are.
    """
    for known, code in CURRENT_CODES.items():
        if math.isclose(known, scale, rel_tol=1e-6) and not (model != "HRSMU" and known in HRSMU_ONLY):
            return code
    names = ", ".join(f"{known:g}" for known in CURRENT_CODES if model == "HRSMU" or known not in HRSMU_ONLY)
    raise SettingError(f"{scale:g} A is no current range of a {model}: {names} A")


def check_output(what: str, level: float, compliance: float) -> None:
    """Refuse a voltage (V) with a compliance (A) outside the SMU's envelope.

    Raises:
        SettingError
    """
    within(f"{what}: voltage", level, -MAX_VOLTAGE, MAX_VOLTAGE, "V")
    within(f"{what}: compliance", compliance, MIN_COMPLIANCE, MAX_CURRENT, "A")
    most = next(amps for volts, amps in ENVELOPE if abs(level) <= volts * (1 + _ROUNDING))
    if compliance > most * (1 + _ROUNDING):
        raise SettingError(f"{what}: at {level:g} V the compliance may be {most:g} A at most, not {compliance:g} A")


def integration(nplc: float, line_frequency: float) -> tuple[int, str]:
    """Converter (0 high-speed, 1 high-resolution) and the AIT command for ``nplc`` power line cycles.

    Raises:
        SettingError: the instrument would keep its old setting without a word.
    """
    within("NPLC", nplc, *NPLC)
    if nplc < 1:
        steps = max(1, round(nplc / line_frequency / 2e-6))
        return 0, f"AIT 0,3,{steps * 2e-6:.6f}"
    if nplc != int(nplc):
        raise SettingError(f"NPLC {nplc:g}: from 1 on the B1500A integrates over whole power line cycles")
    return 1, f"AIT 1,2,{int(nplc)}"


def on_grid(seconds: float, grid: float) -> float:
    """``seconds`` rounded up to a grid of the instrument, never below what was asked."""
    return math.ceil(seconds / grid - 1e-6) * grid


def sampling_grid(interval: float) -> float:
    """Grid (s) of sampling intervals."""
    return next(step for least, step in reversed(INTERVAL_GRID) if interval >= least - _ROUNDING)


def ramp_steps(ramp: float) -> int:
    """Steps of a ramp that takes ``ramp`` s."""
    return max(1, min(_MOST_RAMP_STEPS, math.ceil(ramp / _RAMP_STEP)))


def capabilities(model_name: str | None = MODEL, channel: str = "1") -> dict[str, Any]:
    """What an SMU can do, for planning without an instrument; SI units.

    Raises:
        IdentityError: unknown model. SettingError: no such slot.
    """
    if model_name not in (None, MODEL):
        raise IdentityError(f"{model_name!r} is not a {MODEL}")
    if not channel.isdecimal() or not 1 <= int(channel) <= 10:
        raise SettingError(f"a {MODEL} has the slots 1 to 10, not {channel!r}")
    from drivers.b1500a_times import B1500ATimes  # which needs this module

    levels = {
        "window": (-MAX_VOLTAGE, MAX_VOLTAGE),
        "interlock": INTERLOCK,
        "rsu_window": (-RSU_VOLTAGE, RSU_VOLTAGE),
        "max_current": MAX_CURRENT,
        "envelope": ENVELOPE,
        "min_compliance": MIN_COMPLIANCE,
        "voltage_ranges": tuple(VOLTAGE_CODES),
        "level_grid": {scale: scale / FORCE_STEPS for scale in VOLTAGE_CODES},
        "current_resolution": CURRENT_RESOLUTION,
        "hold_grid": HOLD_GRID,
        "current_ranges": tuple(CURRENT_CODES),
        "nplc": NPLC,
    }
    return {
        "sweep": {
            **levels,
            "max_points": MAX_POINTS,
            "modes": ("single", "cyclic"),
            "max_hold": MAX_HOLD,
            "max_delay": MAX_DELAY,
            "delay_grid": DELAY_GRID,
        },
        "bias": levels,
        "sample": {
            **levels,
            "max_points": MAX_SAMPLES,
            "min_interval": MIN_INTERVAL,
            "max_interval": MAX_INTERVAL,
            "interval_grid": INTERVAL_GRID,
        },
        "timing": {
            "output_time": 5e-3,
            "auto_delay": SETTLING[1e-8],
            "auto_delays": dict(SETTLING),
            "line_frequency": 50.0,
            "point_overhead": READING_OVERHEAD,
            "times": B1500ATimes,
        },
        "lines": 0,
        "source_resistance": 0.0,
    }
