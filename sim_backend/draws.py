"""Keyed random draws: every number has an address (seed, stream, channel, event, word), so nothing shifts anything else.

Philox 4x64 (Salmon et al. 2011) as numpy ships it, whose bit stream is frozen: the key is a hash of seed, stream and
channel, the counter is the event. Scalar and array calls give the same numbers.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import overload

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 256  # events generated at once for scalar calls; a cost, not a part of the address
_LANES = 4  # 64-bit words per Philox block


class Draws:
    """Random numbers of one bench, from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._cached_uniform = lru_cache(maxsize=64)(self._uniform_range)
        self._cached_normal = lru_cache(maxsize=64)(self._normal_range)

    @overload
    def uniform(self, stream: str, channel: int, event: int) -> float: ...
    @overload
    def uniform(self, stream: str, channel: int, event: int | NDArray[np.int64], words: int = ...) -> Floats: ...
    def uniform(
        self, stream: str, channel: int, event: int | NDArray[np.int64], words: int = 1
    ) -> float | Floats:
        """Uniform in the open interval (0, 1).

        One event: a float (``words`` = 1) or shape (words,). Array of n events: shape (n,) or (n, words).
        """
        if isinstance(event, np.ndarray):
            return self._array(self._uniform_range, stream, channel, event, words)
        first = event - event % _BLOCK
        row = self._cached_uniform(stream, channel, first, _BLOCK, words)[event - first]
        return float(row[0]) if words == 1 else row

    @overload
    def normal(self, stream: str, channel: int, event: int) -> float: ...
    @overload
    def normal(self, stream: str, channel: int, event: int | NDArray[np.int64], words: int = ...) -> Floats: ...
    def normal(
        self, stream: str, channel: int, event: int | NDArray[np.int64], words: int = 1
    ) -> float | Floats:
        """Standard normal; shapes as ``uniform``. The quantile of the uniform draw of the same address."""
        if isinstance(event, np.ndarray):
            return self._array(self._normal_range, stream, channel, event, words)
        first = event - event % _BLOCK
        row = self._cached_normal(stream, channel, first, _BLOCK, words)[event - first]
        return float(row[0]) if words == 1 else row

    def _array(self, make, stream, channel, event, words):  # type: ignore[no-untyped-def]
        raise NotImplementedError
