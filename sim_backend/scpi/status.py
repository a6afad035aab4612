"""Status registers and the error/event queue (IEEE 488.2, SCPI-99 vol. 2 chapter 20)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sim_backend.scpi.errors import TEXTS, standard_event_bit

_OVERFLOW = -350


class ErrorQueue:
    """First in, first out; when it is full the last entry becomes -350 and what comes after is lost."""

    def __init__(self, size: int, details: bool) -> None:
        self._entries: deque[tuple[int, str]] = deque()
        self._size = size
        self._details = details

    def __len__(self) -> int:
        return len(self._entries)

    def push(self, code: int, detail: str = "") -> None:
        if len(self._entries) >= self._size:
            self._entries[-1] = (_OVERFLOW, "")
        else:
            self._entries.append((code, detail))

    def pop(self) -> str:
        """Oldest entry as ``code,"text"``; exactly ``0,"No error"`` when there is none."""
        if not self._entries:
            return '0,"No error"'
        code, detail = self._entries.popleft()
        text = f"{TEXTS[code]}; {detail}" if detail and self._details else TEXTS[code]
        return f'{code},"{text}"'

    def clear(self) -> None:
        self._entries.clear()


@dataclass
class Register:
    """Condition, latched event and enable mask of one SCPI status group; events latch on the rise."""

    condition: int = 0
    event: int = 0
    enable: int = 0

    def update(self, condition: int) -> None:
        """Take a new condition."""
        self.event |= condition & ~self.condition
        self.condition = condition

    def take_event(self) -> int:
        """Read and clear the event register."""
        event, self.event = self.event, 0
        return event

    @property
    def summary(self) -> bool:
        return bool(self.event & self.enable)


@dataclass
class Status:
    """All status of one instrument."""

    queue: ErrorQueue
    standard_event: int = 0
    standard_enable: int = 0
    service_enable: int = 0
    operation: Register = field(default_factory=Register)
    questionable: Register = field(default_factory=Register)

    def report(self, code: int, detail: str = "") -> None:
        """Queue an error or event and set its bit of the standard event register."""
        self.standard_event |= standard_event_bit(code)
        self.queue.push(code, detail)

    def take_standard_event(self) -> int:
        """``*ESR?``: read and clear; the error queue stays."""
        event, self.standard_event = self.standard_event, 0
        return event

    def clear(self) -> None:
        """``*CLS``: event registers and queue; enable masks stay."""
        self.standard_event = 0
        self.operation.event = 0
        self.questionable.event = 0
        self.queue.clear()

    def preset(self) -> None:
        """``STATus:PRESet``: the enable masks of the SCPI groups."""
        self.operation.enable = 0
        self.questionable.enable = 0

    def byte(self, message_available: bool) -> int:
        """Bits: 7 operation, 6 master summary, 5 standard event, 4 message, 3 questionable, 2 error queue."""
        value = (
            (bool(len(self.queue)) << 2)
            | (self.questionable.summary << 3)
            | (message_available << 4)
            | (bool(self.standard_event & self.standard_enable) << 5)
            | (self.operation.summary << 7)
        )
        return value | (bool(value & self.service_enable) << 6)
