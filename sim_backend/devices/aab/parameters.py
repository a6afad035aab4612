"""Constants of the AAB transistor and of its control devices (reference devices_and_protocols, part 2b.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import exp
from typing import Any, Literal, Protocol

Kind = Literal["heterojunction", "mos2", "wse2"]


class NormalDraws(Protocol):
    """What the device spread needs of the bench's random draws."""

    def normal(self, stream: str, channel: int, event: int) -> float:
        """Standard normal draw of one address."""
        ...


@dataclass(frozen=True)
class AabParameters:
    """One device; SI units. Gate voltages are against the source (MoS2 side)."""

    kind: Kind = "heterojunction"
    # channel: softplus turn-on of electrons (MoS2) and holes (WSe2), contacts
    g_n: float = 1.29e-9
    g_p: float = 1.29e-9
    v_n: float = -5.82
    m_n: float = 2.15
    v_p: float = -3.45
    m_p: float = 1.33
    r_contact: float = 5e6
    # junction in series with the channel
    i_s: float = 1e-12
    n_vt: float = 0.080
    g_shunt: float = 1e-13
    # fast traps: shift of the curve when all are filled; rates at +-10 V and their voltage scales
    dvt: float = 5.3
    capture_rate: float = 29.3
    capture_scale: float = 1.0
    emission_rate: float = 4.0
    emission_scale: float = 1.1
    tau_x: float = 1e6
    rest_window: float = 0.5
    domains: int = 0  # 0: x is continuous; else that many domains switch at random times
    # deep charge
    c_deep: float = 1.076
    t_deep: float = 3.5
    v_scale_deep: float = 3.0
    v_ref_deep: float = 40.0
    deep_min: float = -3.0
    deep_max: float = 8.0
    tau_deep: float = 3e6
    # carrier lag: charging, and relaxing from negative and from positive values
    tau_charge: float = 30e-6
    tau_relax_negative: float = 1.7e-3
    tau_relax_positive: float = 0.1e-3
    # gate: leakage, capacitance to the source, overlap with the drain, oxide
    r_gate: float = 5e12
    c_gate: float = 7e-12
    c_gd: float = 20e-15
    v_breakdown: float = 80.0
    breakdown_scale: float = 2.0
    breakdown_time: float = 1.0
    r_broken: float = 1e4  # gate to source after breakdown; the reference names no value
    flicker: float = 5e-3  # relative rms of one reading


CONTROL_DVT = 1.5

#: named sets of the reference, applied before single overrides
PRESETS: Mapping[str, Mapping[str, float]] = {
    "nominal": {},
    "fast": {"tau_charge": 0.9e-6, "tau_relax_negative": 50e-6, "tau_relax_positive": 3e-6},
    "ideal gate": {"c_gd": 0.0},
    "local gate": {"c_gd": 20e-15},
    "global gate": {"c_gd": 3.45e-12},
}


def make_parameters(settings: Mapping[str, Any] | None = None) -> AabParameters:
    """Parameters from the bench file's ``simulation.parameters``.

    ``preset`` takes one name or a list of names of ``PRESETS``; every other key overrides a field of
    ``AabParameters``. Raises ``ValueError`` for an unknown name.
    """
    given = dict(settings or {})
    named = given.pop("preset", "nominal")
    chosen: dict[str, Any] = {}
    if given.get("kind", "heterojunction") != "heterojunction":
        chosen["dvt"] = CONTROL_DVT
    for name in [named] if isinstance(named, str) else list(named):
        if name not in PRESETS:
            raise ValueError(f"AAB device: preset {name!r} is unknown; known are {', '.join(PRESETS)}")
        chosen |= PRESETS[name]
    known = {field.name for field in fields(AabParameters)}
    unknown = set(given) - known
    if unknown:
        raise ValueError(
            f"AAB device: unknown parameter {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}"
        )
    kind = given.get("kind", "heterojunction")
    if kind not in ("heterojunction", "mos2", "wse2"):
        raise ValueError(f"AAB device: kind {kind!r} is unknown; known are heterojunction, mos2, wse2")
    return replace(AabParameters(), **(chosen | given))


def spread(nominal: AabParameters, draws: NormalDraws, device: int) -> AabParameters:
    """The ``device``-th specimen: nominal values times the spread of the reference (sd of 2b.1, last rows)."""

    def z(word: int) -> float:
        return draws.normal("aab.spread", device, word)

    common, gain = 0.25 * z(0), exp(0.20 * z(3))
    return replace(
        nominal,
        v_n=nominal.v_n + common + 0.08 * z(1),
        v_p=nominal.v_p + common + 0.08 * z(2),
        g_n=nominal.g_n * gain,
        g_p=nominal.g_p * gain,
        dvt=nominal.dvt * (1 + 0.04 * z(4)),
        capture_rate=nominal.capture_rate * exp(0.10 * z(5)),
        emission_rate=nominal.emission_rate * exp(0.10 * z(6)),
        c_deep=nominal.c_deep * (1 + 0.04 * z(7)),
    )
