"""The H-NNO device in closed form (reference devices_and_protocols, parts 2a.2 to 2a.5): what is expected.

Shares no code with the simulator. Volts, seconds, ohms.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log, log10, pi, sinh, sqrt

from scipy import stats

W0, V50, U = 100e-6, 4.20, 0.130
SLOPE = sqrt(0.115**2 + 3 * 0.03**2 / pi**2)  #: with the cycle noise of V50
VR50, SR, UR = 3.00, 0.10, 0.13
TAU_A, V_FLOOR, W_FLOOR = 280e-6, 3.10, 0.020
V_BD, U_BD, BREAKDOWN_SHAPE = 8.0, 0.20, 3.0
R_NS, R_S, V_NL, R_BROKEN = 400e3, 80e3, 2.5, 300.0


def midpoint(width: float = W0, shift: float = 0.0, spikes: float = 0.0) -> float:
    """V50 for pulses of ``width``, sensitized by ``shift`` (S + q), after so many spikes."""
    return V50 - shift + 0.02 * log10(1 + spikes / 1e3) - U * log(width / W0)


def probability(level: float, width: float = W0, shift: float = 0.0, spikes: float = 0.0) -> float:
    """Chance that one pulse makes a spike."""
    return 1 / (1 + exp(-(level - midpoint(width, shift, spikes)) / SLOPE))


def threshold(shift: float = 0.0, spikes: float = 0.0) -> float:
    """V10 at 100 us."""
    return midpoint(shift=shift, spikes=spikes) - SLOPE * log(9)


def reset_probability(level: float) -> float:
    """Chance that one reverse pulse of 100 us resets."""
    return 1 / (1 + exp(-(abs(level) - VR50) / SR))


def sensitization(levels: Iterable[float]) -> tuple[float, float]:
    """(S, q) after pulses of 100 us at these voltages without reset; a following reset leaves S."""
    kept = pushed = 0.0
    for level in levels:
        kept += pushed
        goal = min(max(0.55 + 0.85 * (3.80 - level), 0.0), 0.95)
        share = 1 - exp(-W0 / TAU_A / (1 + exp((V_FLOOR - level) / W_FLOOR)))
        pushed = max(0.0, goal - kept) * share
    return kept, pushed


def breakdown_dose(level: float, width: float = W0) -> float:
    """Damage of one pulse; the device dies at a dose of (-ln U)^(1/3)."""
    return width / W0 * exp((abs(level) - V_BD) / U_BD)


def pulses_to_breakdown(level: float) -> float:
    """Median over devices."""
    return log(2) ** (1 / BREAKDOWN_SHAPE) / breakdown_dose(level)


def inside(hits: int, trials: int, chance: float, confidence: float = 0.99) -> bool:
    """Whether a count lies in the equal-tailed binomial interval: outside in at most 1 % of seeds."""
    low, high = stats.binom.interval(confidence, trials, chance)
    return bool(low <= hits <= high)


def resistance(spiking: bool, spikes: float, jump: float = 1.0) -> float:
    """Small-signal resistance after so many spikes, with the factor drawn at the latest switching."""
    decades = log10(1 + spikes / 1e3)
    return (R_S * (1 + 0.03 * decades) if spiking else R_NS * (1 - 0.06 * decades)) * jump


def current(level: float, own: float) -> float:
    """Current at any voltage of a device whose small-signal resistance is ``own``."""
    return V_NL / own * sinh(level / V_NL)


def spread_of(deviation: float, count: int, confidence: float = 0.99) -> tuple[float, float]:
    """Where the standard deviation of ``count`` normal values lies (chi-square): outside in at most 1 % of seeds."""
    tail = (1 - confidence) / 2
    low, high = stats.chi2.ppf([tail, 1 - tail], count - 1)
    return deviation * sqrt(low / (count - 1)), deviation * sqrt(high / (count - 1))
