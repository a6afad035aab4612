"""What a current reading of the nominal neuron must be: the model's closed form, and how it may scatter.

Reference devices_and_protocols, part 2a.2 (current), F13 (noise of a range), keithley2636b sec. 3 (digits).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, log10, sinh

import numpy as np
from scipy import stats

AFG = "USB0::0x0699::0x0358::C013019::INSTR"
SMU = "TCPIP0::192.168.1.26::5025::SOCKET"

NON_SPIKING, SPIKING = 400e3, 80e3  # ohm
V_NL = 2.5
FLICKER = 5e-4  # of the current, rms
NOISE, COUNT = 1e-5, 1e-6  # of the range: rms at 1 PLC, last digit
SIGMAS = 5.0  # one reading in 1.7 million lies further off
ALPHA = 1e-4  # false-alarm rate of one comparison of scatter


def current(volts: float, resistance: float, spikes: int = 0) -> float:
    """A, of a device that was at ``resistance`` when new and has spiked ``spikes`` times."""
    drift = -0.06 if resistance == NON_SPIKING else 0.03
    return V_NL / (resistance * (1 + drift * log10(1 + spikes / 1e3))) * sinh(volts / V_NL)


def assert_currents(
    volts: Sequence[float],
    amps: Sequence[float],
    resistance: float,
    *,
    range_: float,
    nplc: float,
    spikes: int = 0,
    digits: float = 5e-6,
    grid: float = 5e-6,
) -> None:
    """Readings agree with the model to rounding and noise, one by one, in their mean and in their scatter.

    Args:
        range_: A, of the measurement. digits: relative rounding of the reply. grid: resolution of the source, V.
    """
    assert len(volts) == len(amps) > 0
    away, rounded = [], []  # in standard deviations
    for v, i in zip(volts, amps, strict=True):
        true = current(v, resistance, spikes)
        sigma = hypot(range_ * NOISE / nplc**0.5, FLICKER * true)
        moved = abs(current(abs(v) + grid / 2, resistance, spikes)) - abs(true)
        away.append((i - true) / sigma)
        rounded.append((range_ * COUNT / 2 + digits * abs(true) + moved) / sigma)
        assert abs(away[-1]) < SIGMAS + rounded[-1], f"{i} A at {v} V instead of {true}"
    n, slack = len(away), max(rounded)
    assert abs(np.mean(away)) < SIGMAS / n**0.5 + slack
    if n >= 10:
        low, high = np.sqrt(stats.chi2.ppf([ALPHA / 2, 1 - ALPHA / 2], n) / n)
        assert low < np.sqrt(np.mean(np.square(away))) < high + slack
