"""The .tfwx waveform file (reference afg31000 sec. 11)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim_backend.afg31000.shapes import FULL_SCALE

HEADER: Final = 512
_MAGIC: Final = b"TEKAFG30K".ljust(16, b"\0")
_VERSION: Final = 20050114
_PEAK: Final = 32764
_THUMBNAIL_PAIRS: Final = 206
_LEVELS_AT: Final = 440


@dataclass(frozen=True, eq=False)
class WaveformFile:
    """Samples -1..1 with the amplitude (Vpp) and offset (V) that they were made for."""

    samples: NDArray[np.float64]
    amplitude: float
    offset: float

    @property
    def codes(self) -> NDArray[np.uint16]:
        """As edit memory holds them."""
        codes: NDArray[np.uint16] = np.rint((np.clip(self.samples, -1, 1) + 1) / 2 * FULL_SCALE).astype(np.uint16)
        return codes


def encode(codes: NDArray[np.uint16], amplitude: float, offset: float) -> bytes:
    """File of edit-memory codes."""
    samples = np.rint((codes / FULL_SCALE * 2 - 1) * _PEAK).clip(-32767, 32767).astype("<i2")
    thumbs = np.array_split(samples, min(_THUMBNAIL_PAIRS, len(samples)))
    pairs = bytes(value for part in thumbs for value in (int(part.min()) + 32768 >> 8, int(part.max()) + 32768 >> 8))
    head = (_MAGIC + struct.pack("<IIi", _VERSION, len(codes), 1) + pairs).ljust(_LEVELS_AT, b"\0")
    head += struct.pack("<dd", amplitude, offset)
    return head.ljust(HEADER, b"\0") + samples.tobytes()


def decode(data: bytes) -> WaveformFile:
    """Raises ValueError when the file is not one."""
    if len(data) < HEADER or not data.startswith(_MAGIC.rstrip(b"\0")):
        raise ValueError("no tfwx header")
    (points,) = struct.unpack_from("<I", data, 20)
    amplitude, offset = struct.unpack_from("<dd", data, _LEVELS_AT)
    samples = np.frombuffer(data, "<i2", offset=HEADER)
    if points < 2 or len(samples) != points:
        raise ValueError("a tfwx file with another number of points than its header says")
    return WaveformFile(samples / _PEAK, amplitude, offset)
