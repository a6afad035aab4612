"""How the 2636B writes numbers and blocks (reference keithley2636b sec. 3)."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

ASCII, REAL32, REAL64 = 1, 2, 3
NORMAL, SWAPPED = 0, 1
_REAL32_MAX = 3.4028234663852886e38


def ascii_list(values: Sequence[float | str], precision: int) -> str:
    """Items of printnumber and printbuffer: ``%.(p-1)e`` with p digits (1-16), joined by comma and space."""
    style = f"%.{precision - 1}e"
    return ", ".join(v if isinstance(v, str) else style % v for v in values)


def block(values: Sequence[float], data: int, byteorder: int) -> bytes:
    """``#0`` and the packed values; 4n+2 bytes (REAL32) or 8n+2 bytes (REAL64), without the final LF."""
    order = "<" if byteorder == SWAPPED else ">"
    if data == REAL64:
        return b"#0" + struct.pack(f"{order}{len(values)}d", *values)
    return b"#0" + struct.pack(f"{order}{len(values)}f", *(_real32(v) for v in values))


def _real32(value: float) -> float:
    """Beyond the largest single-precision number comes infinity, as in any float conversion."""
    if math.isfinite(value) and abs(value) > _REAL32_MAX:
        return math.copysign(math.inf, value)
    return value
