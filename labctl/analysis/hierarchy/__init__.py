"""Spread of thresholds over devices and repeats: one hierarchical fit of the counts of many runs."""

from labctl.analysis.hierarchy.counts import Counts, counts_of
from labctl.analysis.hierarchy.fit import Hierarchy, fit_hierarchy
from labctl.analysis.hierarchy.spread import spread_over_runs

__all__ = ["Counts", "Hierarchy", "counts_of", "fit_hierarchy", "spread_over_runs"]
