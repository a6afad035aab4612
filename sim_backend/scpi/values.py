"""Program data: numbers with units, booleans, mnemonics, strings, blocks; and how replies spell numbers.

A token is what stands between two commas: ``str`` as sent (blanks stripped), or ``bytes``, a block's content.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from sim_backend.scpi.errors import ScpiError
from sim_backend.scpi.headers import short_form

Token = str | bytes
Keyword = Literal["MIN", "MAX", "DEF", "INF", "NAN"]

INFINITY: Final = 9.9e37
"""How SCPI writes infinity."""

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:\s*[eE]\s*([+-]?\d+))?\s*([A-Za-z/%]*)$")
_RADIX = re.compile(r"#(?:[hH]([0-9A-Fa-f]+)|[qQ]([0-7]+)|[bB]([01]+))$")
_PREFIX: Final = {
    "EX": 18, "PE": 15, "T": 12, "G": 9, "MA": 6, "K": 3, "": 0,
    "M": -3, "U": -6, "N": -9, "P": -12, "F": -15, "A": -18,
}  # fmt: skip
_MEGA_UNITS: Final = ("HZ", "OHM")
"""Units before which M means mega (SCPI-99 vol. 1, 7.7)."""
_KEYWORDS: Final[dict[str, Keyword]] = {
    "MIN": "MIN", "MINIMUM": "MIN", "MAX": "MAX", "MAXIMUM": "MAX", "DEF": "DEF", "DEFAULT": "DEF",
    "INF": "INF", "INFINITY": "INF", "NAN": "NAN",
}  # fmt: skip


def _text(token: Token) -> str:
    if isinstance(token, bytes):
        raise ScpiError(-168)
    return token


def _is_string(token: str) -> bool:
    return token[:1] in ('"', "'")


def keyword(token: Token) -> Keyword | None:
    """MIN, MAX, DEF, INF or NAN if the token is one of them in its short or long form."""
    return _KEYWORDS.get(token.upper()) if isinstance(token, str) else None


def quantity(token: Token, units: tuple[str, ...] = ()) -> tuple[float, str]:
    """Number and unit (upper case, without prefix; "" when none was sent) of a numeric token.

    ``units``: those allowed, upper case. Errors: -120, -141, -158 (no number), -131 (other unit), -138 (none
    is allowed).
    The prefix shifts the decimal exponent, so that ``100 us`` is exactly the float 1e-4.
    """
    text = _text(token)
    found = _NUMBER.match(text)
    if found is None:
        radix = _RADIX.match(text)
        if radix is None:
            raise _not_a_number(text)
        hexadecimal, octal, binary = radix.groups()
        return float(int(hexadecimal or octal or binary, 16 if hexadecimal else 8 if octal else 2)), ""
    mantissa, exponent, suffix = found.groups()
    if not suffix:
        return float(f"{mantissa}e{exponent or 0}"), ""
    if not units:
        raise ScpiError(-138, suffix)
    shift, unit = _unit(suffix.upper(), units)
    return float(f"{mantissa}e{int(exponent or 0) + shift}"), unit


def _not_a_number(text: str) -> ScpiError:
    if _is_string(text):
        return ScpiError(-158)
    return ScpiError(-141 if text[:1].isalpha() else -120, text)


def _unit(suffix: str, units: Iterable[str]) -> tuple[int, str]:
    for unit in sorted(units, key=len, reverse=True):
        if suffix.endswith(unit):
            prefix = suffix[: len(suffix) - len(unit)]
            if prefix == "M" and unit in _MEGA_UNITS:
                return 6, unit
            if prefix in _PREFIX:
                return _PREFIX[prefix], unit
    raise ScpiError(-131, suffix)


def number(token: Token, units: tuple[str, ...] = ()) -> float:
    """Numeric token as a float; its unit only scales."""
    return quantity(token, units)[0]


def integer(token: Token) -> int:
    """Numeric token rounded to an integer, as IEEE 488.2 asks of NR1 receivers."""
    value = number(token)
    if not math.isfinite(value):
        raise ScpiError(-222)
    return round(value)


def boolean(token: Token) -> bool:
    """``ON``, ``OFF`` or a number (rounded; not zero means on)."""
    text = _text(token).upper()
    if text in ("ON", "OFF"):
        return text == "ON"
    return integer(token) != 0


def string(token: Token) -> str:
    """Content of a quoted string; a doubled quote stands for one."""
    text = _text(token)
    if not _is_string(text):
        raise ScpiError(-104, text)
    quote = text[0]
    if len(text) < 2 or not text.endswith(quote):
        raise ScpiError(-151)
    return text[1:-1].replace(quote * 2, quote)


def block(token: Token) -> bytes:
    """Content of an arbitrary block."""
    if isinstance(token, str):
        raise ScpiError(-104, token)
    return token


class Choice:
    """A set of mnemonics, such as ``SINusoid``; ``EMEMory[1]`` may be sent with or without its digit."""

    def __init__(self, *mnemonics: str, aliases: Mapping[str, str] | None = None, error: int = -224) -> None:
        """``aliases``: other spellings of a reply: ``{"FIXed": "CW"}``; ``error``: what others raise."""
        self._error = error
        self._replies: dict[str, str] = {}
        for mnemonic, reply in [*((m, None) for m in mnemonics), *(aliases or {}).items()]:
            word, _, digit = mnemonic.partition("[")
            digits = re.search(r"\d*$", word)
            tail = digits.group() if digits else ""
            short = short_form(word) + tail
            for spelling in (word.upper(), short):
                self._replies[spelling] = reply or short
                if digit:
                    self._replies[spelling + digit.rstrip("]")] = reply or short

    def __call__(self, token: Token) -> str:
        """The short form of what was sent."""
        text = _text(token)
        if _is_string(text):
            raise ScpiError(-158)
        if not text[:1].isalpha():
            raise ScpiError(-104, text)
        reply = self._replies.get(text.upper())
        if reply is None:
            raise ScpiError(self._error, text)
        return reply


def arbitrary_block(content: bytes) -> bytes:
    """Definite-length block: ``#`` + digits of the length + length + content."""
    length = str(len(content)).encode()
    return b"#" + str(len(length)).encode() + length + content


def quoted(text: str) -> str:
    """String response data."""
    return '"' + text.replace('"', '""') + '"'


def scientific(value: float, digits: int = 12) -> str:
    """NR3 as ``1.000E-3``: three decimals or more, at most ``digits`` significant, exponent not padded."""
    if math.isinf(value):
        return "9.9E+37" if value > 0 else "-9.9E+37"
    mantissa, exponent = f"{value:.{digits - 1}E}".split("E")
    head, tail = mantissa.split(".")
    return f"{head}.{tail.rstrip('0').ljust(3, '0')}E{int(exponent)}"
