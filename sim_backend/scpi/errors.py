"""SCPI-1999 error and event numbers, and the exception that carries one from a handler to the queue."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[int, str]] = {
    0: "No error",
    -101: "Invalid character",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -120: "Numeric data error",
    -131: "Invalid suffix",
    -138: "Suffix not allowed",
    -141: "Invalid character data",
    -151: "Invalid string data",
    -158: "String data not allowed",
    -161: "Invalid block data",
    -168: "Block data not allowed",
    -211: "Trigger ignored",
    -221: "Settings conflict",
    -222: "Data out of range",
    -223: "Too much data",
    -224: "Illegal parameter value",
    -241: "Hardware missing",
    -256: "File name not found",
    -257: "File name error",
    -258: "Media protected",
    -310: "System error",
    -330: "Self-test failed",
    -340: "Calibration failed",
    -350: "Queue overflow",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
    -430: "Query DEADLOCKED",
    -500: "Power on",
    -800: "Operation complete",
}


_EVENT_BITS: Final = {1: 32, 2: 16, 3: 8, 4: 4, 5: 128, 6: 64, 7: 2, 8: 1}
"""Hundreds of the number -> bit: command, execution, device, query; power on, user, control, complete."""


class ScpiError(Exception):
    """An error that the instrument queues instead of doing what it was told.

    ``detail`` is for the reader of the queue: it never holds a comma, because clients split replies on one.
    """

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(f'{code},"{TEXTS[code]}"' + (f" {detail}" if detail else ""))
        self.code = code
        self.detail = detail.replace(",", " ").replace('"', "'")


def standard_event_bit(code: int) -> int:
    """Bit of the standard event status register that an error or event sets (SCPI-99 vol. 2, 21.8)."""
    return _EVENT_BITS.get(-code // 100, 8 if code else 0)
