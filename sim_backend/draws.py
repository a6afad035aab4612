"""Keyed random draws: every number has an address (seed, stream, channel, event, word), so nothing shifts another.

Philox 4x64 (Salmon et al. 2011) as numpy ships it, whose bit stream is frozen: the key is a hash of seed, stream
and channel, the counter is the event. Scalar and array calls give the same numbers.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import overload

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Events = NDArray[np.int64]

_BLOCK = 256  # events made at once for scalar calls: a matter of cost, not a part of the address
SPECIMEN = frozenset({"hnno.spread", "hnno.fate", "aab.spread"})  # streams of what a device is, not of what it does
_LANES = 4  # 64-bit words of one Philox block


class Draws:
    """Random numbers of one bench, from one seed.

    ``part`` counts the times that a run was resumed: what happens is drawn anew, what a specimen is stays.
    """

    def __init__(self, seed: int, part: int = 0) -> None:
        self.seed = seed
        self._part = part
        self._block = lru_cache(maxsize=256)(self._make_block)

    @overload
    def uniform(self, stream: str, channel: int, event: int) -> float: ...
    @overload
    def uniform(self, stream: str, channel: int, event: int, words: int) -> Floats: ...
    @overload
    def uniform(self, stream: str, channel: int, event: Events, words: int = ...) -> Floats: ...
    def uniform(self, stream: str, channel: int, event: int | Events, words: int = 1) -> float | Floats:
        """Uniform in the open interval (0, 1).

        One event gives a float, or shape (words,) if ``words`` > 1; an array of n events (n,) or (n, words).
        """
        return self._draw(False, stream, channel, event, words)

    @overload
    def normal(self, stream: str, channel: int, event: int) -> float: ...
    @overload
    def normal(self, stream: str, channel: int, event: int, words: int) -> Floats: ...
    @overload
    def normal(self, stream: str, channel: int, event: Events, words: int = ...) -> Floats: ...
    def normal(self, stream: str, channel: int, event: int | Events, words: int = 1) -> float | Floats:
        """Standard normal: the quantile of the uniform draw of the same address; shapes as ``uniform``."""
        return self._draw(True, stream, channel, event, words)

    def uniforms(self, stream: str, channel: int, first: int, count: int, words: int = 1) -> Floats:
        """Uniform draws of ``count`` consecutive events, shape (count, words)."""
        blocks = -(-words // _LANES)
        part = f"|{self._part}" if self._part and stream not in SPECIMEN else ""
        address = f"{self.seed}|{stream}|{channel}{part}".encode()
        key = int.from_bytes(blake2b(address, digest_size=16).digest(), "little")
        columns = []
        for block in range(blocks):
            # numpy counts up before it generates, hence - 1; the top word tells the blocks of one event apart
            counter = ((block << 192) + first - 1) % 2**256
            raw = np.random.Philox(key=key, counter=counter).random_raw(count * _LANES).reshape(count, _LANES)
            columns.append(raw[:, : words - block * _LANES] if block == blocks - 1 else raw)
        raw = columns[0] if blocks == 1 else np.concatenate(columns, axis=1)
        return np.asarray(((raw >> np.uint64(12)) + 0.5) * 2.0**-52, dtype=np.float64)

    def _make_block(self, normal: bool, stream: str, channel: int, block: int, words: int) -> Floats:
        values = self.uniforms(stream, channel, block * _BLOCK, _BLOCK, words)
        return normal_quantile(values) if normal else values

    def _draw(self, normal: bool, stream: str, channel: int, event: int | Events, words: int) -> float | Floats:
        if isinstance(event, np.ndarray):
            values = self._array(normal, stream, channel, event, words)
            return values[:, 0] if words == 1 else values
        block, place = divmod(event, _BLOCK)
        row = self._block(normal, stream, channel, block, words)[place]
        return float(row[0]) if words == 1 else row

    def _array(self, normal: bool, stream: str, channel: int, event: Events, words: int) -> Floats:
        if event.size and event[-1] - event[0] == event.size - 1 and np.all(np.diff(event) == 1):
            values = self.uniforms(stream, channel, int(event[0]), event.size, words)
            return normal_quantile(values) if normal else values
        values = np.empty((event.size, words))
        blocks = event // _BLOCK
        for block in np.unique(blocks):
            here = blocks == block
            values[here] = self._block(normal, stream, channel, int(block), words)[event[here] - block * _BLOCK]
        return values


def normal_quantile(p: Floats) -> Floats:
    """Inverse of the standard normal distribution, relative error about 1e-15 (Wichura 1988, AS 241 PPND16)."""
    q = p - 0.5
    z = q * _ratio(_A, _B, 0.180625 - q * q)
    outer = np.abs(q) > 0.425
    tail = np.minimum(p[outer], 1.0 - p[outer])
    r = np.sqrt(-np.log(tail))
    far = np.where(r <= 5.0, _ratio(_C, _D, r - 1.6), _ratio(_E, _F, r - 5.0))
    z[outer] = np.copysign(far, q[outer])
    return z


def _ratio(numerator: tuple[float, ...], denominator: tuple[float, ...], r: Floats) -> Floats:
    return np.asarray(np.polyval(numerator, r) / np.polyval(denominator, r))


# coefficients of AS 241, highest power first
_A = (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
      13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608)  # fmt: skip
_B = (5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
      5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0)  # fmt: skip
_C = (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
      3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734)  # fmt: skip
_D = (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
      0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0)  # fmt: skip
_E = (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
      0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772)  # fmt: skip
_F = (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
      0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0)  # fmt: skip
