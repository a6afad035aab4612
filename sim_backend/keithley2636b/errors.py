"""Error codes, their texts, and the error queue (reference keithley2636b sec. 6)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

EMPTY = "Queue Is Empty"
RECOVERABLE = 20
_SERIOUS = frozenset({1122, 5041, 5046, 5062})
_FATAL = frozenset({702, 900, 1110, 5001})

TEXTS: dict[int, str] = {
    -430: "Query DEADLOCKED",
    -420: "Query UNTERMINATED",
    -410: "Query INTERRUPTED",
    -363: "Input buffer overrun",
    -350: "Queue overflow",
    -292: "Referenced name does not exist",
    -286: "TSP Runtime error",
    -285: "Program syntax",
    -282: "Illegal program name",
    -281: "Cannot create program",
    -225: "Out of memory or TSP Memory allocation error",
    -224: "Illegal parameter value",
    -222: "Parameter data out of range",
    -221: "Settings conflict",
    -220: "Parameter error",
    -211: "Trigger ignored",
    -203: "Command protected",
    -154: "String too long",
    -151: "Invalid string data",
    -110: "Command header error",
    -109: "Missing parameter",
    -108: "Parameter not allowed",
    -105: "Trigger not allowed",
    -104: "Data type error",
    601: "Reading buffer data lost",
    802: "OUTPUT blocked by interlock",
    1101: "Parameter too big",
    1102: "Parameter too small",
    1400: "Expected at least {} parameters",
    1401: "Parameter {} is invalid",
    1404: "Invalid byte order",
    1405: "Invalid ASCII precision",
    1406: "Invalid data format",
    1800: "Invalid digital trigger mode",
    1801: "Invalid digital I/O line",
    2203: "Cannot open file",
    2205: "File not found",
    2500: "Average delay must be at least {} seconds",
    4900: "Reading buffer index {} is invalid",
    4903: "Reading buffer expired",
    5005: "Value too big for range",
    5007: "Operation would exceed safe operating area of the instrument",
    5008: "Operation not permitted while OUTPUT is on",
    5011: "Operation not permitted while cal is locked",
    5025: "Cannot set filter.count > 1 when measure.count > 1",
    5028: "Cannot perform requested operation while source autorange is enabled",
    5032: "Cannot change this setting unless buffer is cleared",
    5033: "Reading buffer not found within device",
    5038: "Index exceeds maximum reading",
    5041: "Output Enable not asserted",
    5042: "Cannot perform requested action while an overlapped operation is in progress",
    5043: "Cannot perform requested operation while voltage measure autorange is enabled",
    5044: "Cannot perform requested operation while current measure autorange is enabled",
    5045: "Cannot perform requested operation while filter is enabled",
    5047: "Minimum timestamp resolution is 1us",
    5048: "Contact check not valid with HIGH-Z OUTPUT off",
    5049: "Contact check not valid while an active current source",
    5050: "I limit too low for contact check",
    5059: "trigger.source.action enabled without configuration",
    5060: "trigger.measure.action enabled without configuration",
    5061: "Operation not permitted while OUTPUT is off",
    5063: "Cannot perform requested operation while measure autozero is on",
    5064: "Cannot use reading buffer that collects source values",
    5065: "I range too low for contact check",
    5066: "source.offlimiti too low for contact check",
    5069: "Autorange locked for HighC mode",
}


class TspError(Exception):
    """An entry for the error queue; the script that caused it goes on (sec. 4 rule 4)."""

    def __init__(self, code: int, *details: object, text: str = "") -> None:
        super().__init__(code, *details)
        self.code = code
        self.label = ""  # channel that it happened on
        self._details = details
        self._text = text

    @property
    def text(self) -> str:
        """What the error queue shows; errors of a channel's hardware begin with its name."""
        text = self._text or TEXTS[self.code].format(*self._details)
        return f"{self.label}: {text}" if self.label and (self.code >= 5000 or self.code == 802) else text


class LuaFault(Exception):
    """A run-time error in Lua's sense: the chunk stops there, unless it called through pcall."""


def severity(code: int) -> int:
    """10 informational, 20 recoverable, 30 serious, 40 fatal."""
    if code in _FATAL:
        return 40
    return 30 if code in _SERIOUS else RECOVERABLE


class ErrorQueue:
    """First in, first out; ``on_change`` hears whether it holds anything (status byte, EAV)."""

    def __init__(self, size: int, node: int, on_change: Callable[[bool], None]) -> None:
        self._entries: deque[tuple[int, str, int]] = deque()
        self._size = size
        self._node = node
        self._on_change = on_change

    def put(self, code: int, text: str) -> None:
        """Queue an error; when the queue is full its last entry becomes -350."""
        if len(self._entries) >= self._size:
            self._entries[-1] = (-350, TEXTS[-350], RECOVERABLE)
            return
        self._entries.append((code, text, severity(code)))
        self._on_change(True)

    def next(self) -> tuple[int, str, int, int]:
        """Oldest entry, taken out: code, text, severity, node."""
        if not self._entries:
            return 0, EMPTY, 0, self._node
        code, text, level = self._entries.popleft()
        if not self._entries:
            self._on_change(False)
        return code, text, level, self._node

    def clear(self) -> None:
        self._entries.clear()
        self._on_change(False)

    @property
    def count(self) -> int:
        return len(self._entries)
