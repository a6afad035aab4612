"""Constants of the H-NNO neuron (reference devices_and_protocols, part 2a.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import exp, log10
from typing import Any

from sim_backend.draws import Draws


@dataclass(frozen=True)
class HnnoParameters:
    """One device; SI units, voltages of Pd against Au. Standard deviations are of the cycle, not of the device."""

    # conduction: I = (v_nl/R) sinh(V/v_nl), R of the non-spiking and of the spiking state
    r_ns: float = 400e3
    r_s: float = 80e3
    v_nl: float = 2.5
    jump_ns: float = 0.04  # sd of ln R drawn anew at each switching
    jump_s: float = 0.08
    flicker: float = 5e-4  # relative rms of one reading at 1 PLC
    # spiking: P = 1/2 at v50 and w0, slope s; u ln 10 volts per decade of width
    w0: float = 100e-6
    v50: float = 4.20
    s: float = 0.115
    u: float = 0.130
    sd_v50: float = 0.03
    # reset by reverse pulses
    vr50: float = 3.00
    sr: float = 0.10
    ur: float = 0.13
    # sensitization: time constant, noise floor, saturation clip(s_sat0 + k_s (s_ref - V), 0, s_max) s_factor
    tau_a: float = 280e-6
    v_floor: float = 3.10
    w_floor: float = 0.020
    s_sat0: float = 0.55
    s_ref: float = 3.80
    k_s: float = 0.85
    s_max: float = 0.95
    s_factor: float = 1.0
    tau_retention: float = 1e6
    v_erase: float = 6.2
    u_erase: float = 0.12
    # endurance, per decade log10(1 + n/n_e): shift of v50, of both resistances; wear-out at n_f
    n_e: float = 1e3
    drift_v50: float = 0.02
    drift_r_ns: float = -0.06
    drift_r_s: float = 0.03
    n_f: float = 2e8
    wear_shape: float = 1.5
    # breakdown: unit dose is w0 at v_bd
    v_bd: float = 8.0
    u_bd: float = 0.20
    breakdown_shape: float = 3.0
    r_broken: float = 300.0
    v_event: float = 0.5  # below this magnitude nothing happens

    def decades(self, spikes: float) -> float:
        """Decades of endurance after ``spikes`` switchings."""
        return log10(1.0 + spikes / self.n_e)

    def saturation(self, v: float) -> float:
        """Sensitization (V) that a long pulse of ``v`` (V) leads to."""
        return min(max(self.s_sat0 + self.k_s * (self.s_ref - v), 0.0), self.s_max) * self.s_factor


def make_parameters(settings: Mapping[str, Any]) -> HnnoParameters:
    """Nominal parameters with overrides from the bench file. Raises ``ValueError`` for an unknown name."""
    known = {field.name for field in fields(HnnoParameters)}
    unknown = sorted(set(settings) - known)
    if unknown:
        raise ValueError(
            f"H-NNO device: unknown parameter {', '.join(unknown)}; known are specimen, {', '.join(sorted(known))}"
        )
    return replace(HnnoParameters(), **{name: float(value) for name, value in settings.items()})


def spread(nominal: HnnoParameters, draws: Draws, specimen: int) -> HnnoParameters:
    """The ``specimen``-th device: device-to-device spread of the reference (2a.1) around ``nominal``."""
    v50, s, resistance, saturation = draws.normal("hnno.spread", specimen, 0, words=4)
    factor = exp(0.20 * resistance)
    return replace(
        nominal,
        v50=nominal.v50 + 0.06 * float(v50),
        s=nominal.s * (1.0 + 0.06 * float(s)),
        r_ns=nominal.r_ns * factor,
        r_s=nominal.r_s * factor,
        s_factor=nominal.s_factor * (1.0 + 0.06 * float(saturation)),
    )
