"""A bench of simple instruments on every kind of bus, reached through PyVISA."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pyvisa

from sim_backend.bench import INSTRUMENTS
from sim_backend.context import InstrumentContext

BENCH = """\
bench: 1
name: echoes
visa: "@labctl"
instruments:
  gpib: {driver: echo, address: "GPIB0::5::INSTR"}
  usb: {driver: echo, address: "USB0::0x0699::0x0358::C013019::INSTR"}
  lan: {driver: echo, address: "TCPIP0::192.168.1.27::inst0::INSTR"}
  sock: {driver: echo, address: "TCPIP0::192.168.1.26::5025::SOCKET"}
device: {id: dummy, kind: resistor, limits: {voltage: {pd: 5.5 V}}}
wiring:
  connections:
    - {from: gpib.1, to: pd}
    - {from: common, to: au}
simulation: {model: resistor, parameters: {resistance: 1000.0}}
"""


class Echo:
    """Answers every message with itself, but for: SLEEP s (busy), LATER s (answers then), SILENT, DRIVE v."""

    def __init__(self, context: InstrumentContext) -> None:
        self.context = context
        self.input = b""
        self.output: deque[bytes] = deque()
        self.triggers = 0

    def write(self, data: bytes, end: bool) -> None:
        self.input += data
        if end or self.input.endswith(b"\n"):
            message, self.input = self.input, b""
            self._obey(message.removesuffix(b"\n").removesuffix(b"\r"))

    def _obey(self, message: bytes) -> None:
        command, _, value = message.partition(b" ")
        clock = self.context.clock
        if command == b"SLEEP":
            clock.sleep(float(value))
        elif command == b"LATER":
            clock.call_at(clock.now + float(value), lambda: self.output.append(b"late\n"))
        elif command == b"DRIVE":
            self.context.ports["1"].drive(float(value), 50.0)
        elif command == b"*STB?":
            self.output.append(b"%d\n" % self.status_byte())
        elif command != b"SILENT":
            self.output.append(message + b"\n")

    def read(self, count: int) -> tuple[bytes, bool]:
        if not self.output:
            return b"", False
        message = self.output.popleft()
        if len(message) > count:
            self.output.appendleft(message[count:])
        return message[:count], len(message) <= count

    def pending(self) -> bool:
        return bool(self.output)

    def status_byte(self) -> int:
        return 0x50 if self.output else 0

    def clear(self) -> None:
        self.input = b""
        self.output.clear()

    def trigger(self) -> None:
        self.triggers += 1
        self.output.append(b"triggered\n")


@pytest.fixture
def echo_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bench file with an echo on every bus."""
    monkeypatch.setitem(INSTRUMENTS, "echo", Echo)
    file = tmp_path / "echoes.yaml"
    file.write_text(BENCH, encoding="utf-8")
    return file


@pytest.fixture
def open_manager(echo_bench: Path) -> Iterator[Callable[..., pyvisa.ResourceManager]]:
    """``open_manager(query="")`` opens a resource manager on the echo bench; all are closed at the end."""
    opened: list[pyvisa.ResourceManager] = []

    def manager(query: str = "") -> pyvisa.ResourceManager:
        opened.append(pyvisa.ResourceManager(f"{echo_bench}{query}@labctl"))
        return opened[-1]

    yield manager
    for one in opened:
        one.close()


@pytest.fixture
def rm(open_manager: Callable[..., pyvisa.ResourceManager]) -> pyvisa.ResourceManager:
    return open_manager()
