"""What the bits of a row's ``flags`` mean."""

from __future__ import annotations

from enum import IntFlag


class Flags(IntFlag):
    """A flagged reading is kept and marked, never dropped or averaged in silently."""

    COMPLIANCE = 1
    OVERFLOW = 2
    RETRY = 4
    FAILED_RESET = 8
    EXCLUDED = 16
    FAST_EDGES = 32
    BEYOND_ORDINARY_LIMIT = 64
    CLIPPED_TIME_GRID = 128
    RESUMED = 256


_TEXT = {
    Flags.COMPLIANCE: "compliance",
    Flags.OVERFLOW: "overflow",
    Flags.RETRY: "retry",
    Flags.FAILED_RESET: "failed reset",
    Flags.EXCLUDED: "excluded or aborted",
    Flags.FAST_EDGES: "fast edges",
    Flags.BEYOND_ORDINARY_LIMIT: "beyond the device's ordinary limit",
    Flags.CLIPPED_TIME_GRID: "clipped time grid",
    Flags.RESUMED: "first pass of a resumed run",
}


def describe(flags: int) -> str:
    """Words for a row's flags, comma separated; empty for 0. Bits without a name are given by number.

    >>> describe(5)
    'compliance, retry'
    """
    words = [text for flag, text in _TEXT.items() if flags & flag]
    unknown = int(flags) & ~sum(int(flag) for flag in _TEXT)
    words += [f"bit {1 << i}" for i in range(unknown.bit_length()) if unknown >> i & 1]
    return ", ".join(words)
