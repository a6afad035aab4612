"""Closed forms of the H-NNO device (reference devices_and_protocols, part 2a) in numpy, apart from the simulator's own.

Probabilities are averaged over the cycle noise of the threshold by Gauss-Hermite quadrature. Volts, seconds, ohms.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, log10, sinh

import numpy as np
from scipy import stats

#: false-alarm rate of one statistical comparison, for a seed other than the one in the test
ALPHA = 1e-3

W0, V50, S, U, SD_V50 = 100e-6, 4.20, 0.115, 0.130, 0.03
VR50, SR, UR = 3.00, 0.10, 0.13
TAU_A, V_FLOOR, W_FLOOR = 280e-6, 3.10, 0.020
V_BD, U_BD = 8.0, 0.20
R_NS, R_S, V_NL, R_BROKEN = 400e3, 80e3, 2.5, 300.0

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

#: one stretch of constant voltage: (V, s)
Stretch = tuple[float, float]


def current(v: float, resistance: float) -> float:
    """I(V) of the device in A."""
    return V_NL / resistance * sinh(v / V_NL)


def behind(emf: float, series: float, resistance: float = R_NS) -> float:
    """Voltage of the device behind ``series`` ohm; the drop is small, so a few rounds settle it."""
    v = emf
    for _ in range(5):
        v = emf - series * current(v, resistance)
    return v


def forward_dose(stretches: list[Stretch]) -> float:
    """Dose against threshold 0 V."""
    return sum(t / W0 * exp(v / U) for v, t in stretches)


def spikes(stretches: list[Stretch], sensitization: float = 0.0, decades: float = 0.0) -> float:
    """Probability that one forward event of constant stretches makes a non-spiking device spike."""
    thresholds = V50 + 0.02 * decades - sensitization + SD_V50 * _NODES
    logit = (U * log(forward_dose(stretches)) - thresholds) / S
    return float(_WEIGHTS @ (1.0 / (1.0 + np.exp(-logit))))


def reset_dose(stretches: list[Stretch]) -> float:
    return sum(t / W0 * exp((v - VR50) / UR) for v, t in stretches)


def resets(stretches: list[Stretch]) -> float:
    """Probability that one reverse event (magnitudes) resets a spiking device."""
    dose = reset_dose(stretches) ** (UR / SR)
    return dose / (1.0 + dose)


def saturation(v: float) -> float:
    return min(max(0.55 + 0.85 * (3.80 - v), 0.0), 0.95)


def growth(v: float, seconds: float) -> float:
    """Share of the missing sensitization that ``seconds`` at ``v`` add."""
    return 1.0 - exp(-seconds / TAU_A / (1.0 + exp((V_FLOOR - v) / W_FLOOR)))


def cycle_spikes(forward: list[Stretch], reverse: list[Stretch], count: int) -> float:
    """Expected share of spikes in ``count`` cycles of a forward and a reverse event from a fresh device.

    Counts what a reset leaves of the labile sensitization, and the drift with the number of spikes.
    """
    left = 1.0 / (1.0 + reset_dose(reverse) ** (UR / SR))
    level = total = 0.0
    for _ in range(count):
        total += spikes(forward, level, log10(1.0 + total / 1e3))
        pushed = level
        for v, t in forward:
            pushed += max(0.0, saturation(v) - pushed) * growth(v, t)
        level += (pushed - level) * left
    return total / count


def breakdown_dose(v: float, seconds: float) -> float:
    """Damage in units of the dose of 100 us at 8 V."""
    return seconds / W0 * exp((v - V_BD) / U_BD)


@dataclass(frozen=True)
class Count:
    """``hits`` in ``trials``, to be compared with a probability."""

    hits: int
    trials: int

    def agrees(self, probability: float) -> bool:
        """Exact binomial test, two-sided, at ``ALPHA``."""
        return bool(stats.binomtest(self.hits, self.trials, probability).pvalue > ALPHA)


def chi_square_limits(sigma: float, n: int) -> tuple[float, float]:
    """Limits of the standard deviation of ``n`` normal values of true deviation ``sigma``, at ``ALPHA``."""
    quantiles = stats.chi2.ppf([ALPHA / 2, 1 - ALPHA / 2], n - 1)
    return tuple(float(q) for q in sigma * np.sqrt(quantiles / (n - 1)))


def prototype_agrees(quoted: float, probability: float, trials: int) -> bool:
    """Whether a figure quoted from ``trials`` simulated events (two or three digits) fits ``probability`` (99 %)."""
    half = stats.norm.ppf(0.995) * np.sqrt(probability * (1 - probability) / trials) + 0.5e-2
    return bool(abs(quoted - probability) <= half)
