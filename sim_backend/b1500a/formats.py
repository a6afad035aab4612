"""Data elements and their formats FMT 1 to 25 (reference b1500a sec. 11)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import floor, log10

from sim_backend.b1500a import ranges

OVERFLOW, OSCILLATION, OTHER_COMPLIANCE, COMPLIANCE = 1, 2, 4, 8
NOT_FOUND, STOPPED, INVALID, LAST = 16, 32, 64, 128
DUMMY = 199.999e99

ASCII_HEADER = (1, 5, 11, 15)
ASCII_PLAIN = (2, 12, 22)
ASCII_STATUS = (21, 25)
BINARY_SHORT = (3, 4)
BINARY_LONG = (13, 14)
COMMA = (5, 15, 25)
KNOWN = (*ASCII_HEADER, *ASCII_PLAIN, *ASCII_STATUS, *BINARY_SHORT, *BINARY_LONG)

#: bits of the status number, highest priority first, and the letter of FMT 1
_LETTERS = (
    (OSCILLATION, "X"),
    (OVERFLOW | INVALID, "V"),
    (COMPLIANCE, "C"),
    (OTHER_COMPLIANCE, "T"),
    (STOPPED, "S"),
    (NOT_FOUND, "G"),
)
_MEASURED_COUNTS, _SOURCE_COUNTS, _LONG_COUNTS = 50_000, 20_000, 1_000_000
_SHORT_LIMIT = (1 << 16) - 1
#: binary formats: bit positions and these codes are recalled, not documented here
_BINARY_STATUS = "NTCVXFGS"
_BINARY_VOLTS = {0.5: 8, 5.0: 9, 2.0: 11, 20.0: 12, 40.0: 13, 100.0: 14, 200.0: 15}
_LONG_TYPES = {"V": 0, "I": 1, "F": 2, "T": 3, "X": 4}


@dataclass(frozen=True, slots=True)
class Datum:
    """One element: ``channel`` as its letter, ``kind`` V, I, T or X; ``scale`` is the range of the number.

    ``source`` is "" for a measured datum, "W" or "E" for the output value of a source.
    """

    value: float
    channel: str
    kind: str
    scale: float
    status: int = 0
    source: str = ""


def channel_letter(channel: int, sub: int = 1) -> str:
    """A to J for slots, a to j for their second sub-channels."""
    return chr((ord("A") if sub == 1 else ord("a")) + channel - 1)


def status_letter(status: int) -> str:
    """The status of FMT 1: the highest priority among the bits."""
    return next((letter for bits, letter in _LETTERS if status & bits), "N")


def number(value: float, scale: float, digits: int) -> str:
    """A number of ``digits`` characters (12 or 13) in the form that its range gives: one to three digits, E-09 etc.

    A value too large for that form takes the next one.
    """
    if abs(value) > 1e99:
        return f"{value / 1e99:+.3f}".ljust(digits - 4, "0") + "E+99"
    places = digits - 6  # digits and point stand between the sign and the exponent
    exponent = 3 * floor(floor(log10(scale) + 1e-9) / 3)
    whole = floor(log10(scale) + 1e-9) - exponent + 1
    while True:
        text = f"{value / 10.0**exponent + 0.0:+0{places + 2}.{places - whole}f}"
        if len(text) == places + 2:
            return f"{text}E{exponent:+03d}"
        whole += 1
        if whole > 3:
            whole, exponent = 1, exponent + 3


def learned(value: float, scale: float) -> str:
    """A number as *LRN? gives it."""
    return number(value, scale, 12)


def time_scale(seconds: float, digits: int) -> float:
    """Form of a time stamp: steps of 100 us up to 100 s (12 digits) or 1000 s (13 digits)."""
    steps = 10.0 if digits == 12 else 100.0
    return steps if seconds < 10.0 * steps else 10.0 ** floor(log10(seconds))


def encode(datum: Datum, fmt: int, fill: str) -> bytes:
    """One element in format ``fmt``, without separator."""
    if fmt in BINARY_SHORT:
        return _short(datum)
    if fmt in BINARY_LONG:
        return _long(datum)
    digits = 12 if fmt in (1, 2, 5) else 13
    scale = datum.scale
    if datum.kind == "T":
        scale = time_scale(datum.value, digits)
    elif datum.kind == "X":
        scale = max(1.0, datum.value)
    text = number(datum.value, scale, digits)
    if fmt in ASCII_PLAIN:
        return text.encode()
    if fmt in ASCII_STATUS:
        status = datum.source.rjust(3) if datum.source else str(datum.status).rjust(3, fill)
        kind = datum.kind.lower() if datum.source else datum.kind
        return f"{status}{datum.channel}{kind}{text}".encode()
    return f"{datum.source or status_letter(datum.status)}{datum.channel}{datum.kind}{text}".encode()


def _range_code(datum: Datum) -> int:
    if datum.kind == "V":
        return _BINARY_VOLTS.get(datum.scale, 0)
    return ranges.current_code(datum.scale) if datum.kind == "I" else 0


def _count(datum: Datum, counts: int, limit: int) -> int:
    if abs(datum.value) > 1e99:
        return limit
    scale = datum.scale if datum.kind in "VI" else 1.0
    return max(-limit, min(limit, round(datum.value / scale * counts)))


def _channel_number(datum: Datum) -> int:
    letters = "ABCDEFGHIJ"
    return letters.find(datum.channel.upper()) + 1 if datum.channel in letters + letters.lower() else 0


def _short(datum: Datum) -> bytes:
    """Type 1 bit (measured), parameter 1 (current), range 5, count 17, status 3, channel 5."""
    counts = _SOURCE_COUNTS if datum.source else _MEASURED_COUNTS
    status = ("", "W", "E").index(datum.source) or _BINARY_STATUS.index(status_letter(datum.status))
    word = int(not datum.source)
    for value, bits in (
        (int(datum.kind == "I"), 1),
        (_range_code(datum), 5),
        (_count(datum, counts, _SHORT_LIMIT), 17),
        (status, 3),
        (_channel_number(datum), 5),
    ):
        word = word << bits | value & (1 << bits) - 1
    return struct.pack(">I", word)


def _long(datum: Datum) -> bytes:
    """Type 1 bit, parameter 7; range 8; count 32; status 8; end of data 3 and channel 5."""
    kind = int(not datum.source) << 7 | _LONG_TYPES.get(datum.kind, 0)
    status = ("", "W", "E").index(datum.source) if datum.source else datum.status & 0x7F
    count = _count(datum, _LONG_COUNTS, (1 << 31) - 1)
    last = int(bool(datum.status & LAST)) << 5
    return struct.pack(">BBiBB", kind, _range_code(datum), count, status, last | _channel_number(datum))
