"""Orders in which loops run; random ones come from the seed."""

from __future__ import annotations

import numpy as np

from labctl.plan.operations import ForEach


def order(op: ForEach, seed: int, passed: int) -> list[tuple[int, int]]:
    """(index of the value, trial) in the order of execution; random ones are keyed by seed, step and pass."""
    trials = range(op.inner[1]) if op.inner else range(1)
    pairs = [(index, trial) for index in range(len(op.axis.values)) for trial in trials]
    if op.order == "reversed":
        return pairs[::-1]
    if op.order in ("shuffled", "interleaved"):
        generator = np.random.default_rng([seed, op.node, passed])
        return [pairs[i] for i in generator.permutation(len(pairs))]
    return pairs
