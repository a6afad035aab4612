"""Static current of the channel, closed form (reference part 2b.2). Scalars and arrays alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim_backend.devices.aab.parameters import AabParameters

Floats = NDArray[np.float64]

_G_FLOOR = 1e-16  # S, keeps 1/G finite where a channel is off
_NEWTON_STEPS = 6  # reaches 5e-15 relative over -50..500


def omega(y: Floats | float) -> Floats:
    """Solution of w + ln w = y (Wright omega on the real line), by Newton's method from an asymptote."""
    y = np.asarray(y, dtype=np.float64)
    small = np.exp(np.minimum(y, 1.0))
    large = np.maximum(y, 1.0)
    w = np.where(y > 1.0, large - np.log(large), small / (1.0 + small) ** 0.6)
    w = np.maximum(w, np.finfo(np.float64).tiny)
    for _ in range(_NEWTON_STEPS):
        stepped = w - w * (w + np.log(w) - y) / (1.0 + w)
        w = np.where(stepped > 0.0, stepped, 0.1 * w)
    return w


def resistance(p: AabParameters, u: Floats | float) -> Floats:
    """Channel resistance (ohm) at effective gate voltage ``u`` (V), junction apart."""
    g_n = np.maximum(p.g_n * np.logaddexp(0.0, (np.asarray(u) - p.v_n) / p.m_n), _G_FLOOR)
    g_p = np.maximum(p.g_p * np.logaddexp(0.0, (p.v_p - np.asarray(u)) / p.m_p), _G_FLOOR)
    if p.kind == "mos2":
        total = 2.0 / g_n + p.r_contact
    elif p.kind == "wse2":
        total = 2.0 / g_p + p.r_contact
    else:
        total = 1.0 / g_n + 1.0 / g_p + p.r_contact
    return np.asarray(total, dtype=np.float64)


def branch_current(p: AabParameters, u: Floats | float, vds: Floats | float) -> Floats:
    """Drain current (A) of domains that feel ``u`` (V) at ``vds`` (V): junction and channel in series."""
    r = resistance(p, u)
    if p.kind != "heterojunction":
        return np.asarray(vds / r, dtype=np.float64)
    y = np.log(p.i_s * r / p.n_vt) + (vds + p.i_s * r) / p.n_vt
    return np.asarray(p.n_vt / r * omega(y) - p.i_s + p.g_shunt * vds, dtype=np.float64)


def channel_current(
    p: AabParameters, felt: Floats | float, deep: Floats | float, x: Floats | float, vds: Floats | float
) -> Floats:
    """Drain current (A): free domains and trapped ones (shifted by ``dvt``) side by side.

    ``felt`` (V) is the gate voltage that the carriers feel, ``deep`` (V) the deep charge, ``x`` the trapped fraction.
    """
    u = np.asarray(felt, dtype=np.float64) - deep
    free, trapped = branch_current(p, np.stack(np.broadcast_arrays(u, u - p.dvt)), vds)
    return np.asarray((1.0 - x) * free + x * trapped, dtype=np.float64)
