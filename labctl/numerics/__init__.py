"""Pure array functions that execution and analysis share."""

from labctl.numerics.crossing import Branches, branch_values, split_branches, value_at
from labctl.numerics.local import Local, fit_local, nearest, noise_near, noise_of
from labctl.numerics.peak import Peak, find_peak
from labctl.numerics.resistance import (
    COMPLIANCE,
    OVERFLOW,
    OVERFLOW_MARKER,
    ResistanceFit,
    fit_resistance,
    fit_resistances,
)
from labctl.numerics.spike import geometric_criterion, is_spike, spike_ratio
from labctl.numerics.summary import Summary, summarise, within
from labctl.numerics.vertex import Vertex, find_vertex

__all__ = [
    "COMPLIANCE",
    "OVERFLOW",
    "OVERFLOW_MARKER",
    "Branches",
    "Local",
    "Peak",
    "ResistanceFit",
    "Summary",
    "Vertex",
    "branch_values",
    "find_peak",
    "find_vertex",
    "fit_local",
    "fit_resistance",
    "fit_resistances",
    "geometric_criterion",
    "is_spike",
    "nearest",
    "noise_near",
    "noise_of",
    "spike_ratio",
    "split_branches",
    "summarise",
    "value_at",
    "within",
]
