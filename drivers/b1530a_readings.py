"""What a run of the B1530A has measured, with the address of every value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers import b1530a_limits as limits
from drivers.b1530a_patterns import Program, Quantity

Floats = NDArray[np.float64]

#: a reading this near to the end of its range is taken as clipped; the library has no mark for it
_CLIPPED = 0.999


@dataclass(frozen=True)
class Readings:
    """What one channel measured; arrays of one length n.

    Attributes:
        channel: channel id.
        quantity: "current" or "voltage".
        time: middle of each reading's window, s from the start of the output.
        value: A or V.
        sequence: index of the sequence that the reading belongs to.
        loop: loop of that sequence, from 0 (float64: counts go up to 2^40).
        window: index into ``windows``.
        windows: (pattern, window) names.
        clipped: at the end of the range.
        range: full scale, A or V.
        flags: "fast_edges", "unsettled", "incomplete".
    """

    channel: int
    quantity: Quantity
    time: Floats
    value: Floats
    sequence: NDArray[np.int32]
    loop: Floats
    window: NDArray[np.int32]
    windows: tuple[tuple[str, str], ...]
    clipped: NDArray[np.bool_]
    range: float
    flags: frozenset[str]

    @classmethod
    def of(cls, channel: int, program: Program, time: Floats, value: Floats, flags: frozenset[str]) -> Readings:
        """The first values of a program that measures, in the order in which the library returns them."""
        if program.measure is None:
            raise ValueError("a program that does not measure has no readings")
        full_scale = limits.measure_range(program.measure, program.range).full_scale
        sequence, loop, window, names = addresses(program)
        n = value.size
        clipped = np.abs(value) >= _CLIPPED * full_scale
        return cls(
            channel, program.measure, time, value, sequence[:n], loop[:n], window[:n], names, clipped, full_scale, flags
        )


def addresses(
    program: Program,
) -> tuple[NDArray[np.int32], Floats, NDArray[np.int32], tuple[tuple[str, str], ...]]:
    """Sequence, loop and window of every value, in the order in which the library returns them."""
    names = tuple((p.name, w.name) for p in program.patterns for w in p.windows)
    index = {name: k for k, name in enumerate(names)}
    sequences, loops, windows = [], [], []
    for number, (pattern, count) in enumerate(program.sequence):
        one = np.repeat(
            np.array([index[pattern.name, w.name] for w in pattern.windows], dtype=np.int32),
            [w.size for w in pattern.windows],
        )
        if not one.size:
            continue
        windows.append(np.tile(one, int(count)))
        loops.append(np.repeat(np.arange(int(count), dtype=np.float64), one.size))
        sequences.append(np.full(one.size * int(count), number, dtype=np.int32))
    if not windows:
        return np.empty(0, np.int32), np.empty(0), np.empty(0, np.int32), names
    return np.concatenate(sequences), np.concatenate(loops), np.concatenate(windows), names
