"""A 2636B on a bench of its own: one resistor, a generator beside it, no VISA in between."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from sim_backend.circuit import Circuit
from sim_backend.clock import Clock
from sim_backend.context import InstrumentContext
from sim_backend.devices.resistor import Resistor
from sim_backend.draws import Draws
from sim_backend.keithley2636b import Simulated2636B
from sim_backend.lines import Lines


class Wire:
    """Lines to and from a simulated 2636B whose channel a (or b) drives a resistor to common."""

    def __init__(
        self, resistance: float = 1e3, noise: bool = False, channel: str = "a", seed: int = 1, **options: Any
    ) -> None:
        self.clock = Clock()
        self.circuit = Circuit(self.clock, Resistor(resistance))
        self.lines = Lines()
        ports = {name: self.circuit.port(f"smu.{name}") for name in ("a", "b")}
        self.generator = self.circuit.port("generator")
        self.circuit.ground("au")
        self.circuit.connect(ports[channel], "pd")
        self.circuit.connect(self.generator, "pd")
        self.smu = Simulated2636B(
            InstrumentContext("smu", self.clock, ports, self.lines, Draws(seed), options, "2636B", "4308079", noise)
        )

    def write(self, *lines: str) -> None:
        for line in lines:
            self.smu.write(line.encode("latin-1") + b"\n", True)

    def read_raw(self, timeout: float = 10.0) -> bytes | None:
        """The next whole reply, or None when none has come within ``timeout`` (virtual s)."""
        if not self.clock.wait_for(self.smu.pending, timeout):
            return None
        reply = b""
        while True:
            part, end = self.smu.read(1 << 16)
            reply += part
            if end:
                return reply

    def read(self, timeout: float = 10.0) -> str | None:
        reply = self.read_raw(timeout)
        return None if reply is None else reply.decode("latin-1").removesuffix("\n")

    def ask(self, line: str, timeout: float = 10.0) -> str | None:
        self.write(line)
        return self.read(timeout)

    def value(self, expression: str, timeout: float = 10.0) -> float:
        reply = self.ask(f"print({expression})", timeout)
        assert reply is not None, f"no answer to {expression}; errors: {self.errors()}"
        return float(reply)

    def values(self, line: str, timeout: float = 10.0) -> list[float]:
        """Numbers of one ASCII reply."""
        reply = self.ask(line, timeout)
        assert reply is not None, f"no answer to {line}; errors: {self.errors()}"
        return [float(v) for v in reply.replace(",", " ").split()]

    def block(self, line: str, timeout: float = 1000.0) -> tuple[float, ...]:
        """Numbers of one REAL64 little-endian reply."""
        self.write(line)
        reply = self.read_raw(timeout)
        assert reply is not None, f"no answer to {line}; errors: {self.errors()}"
        assert reply[:2] == b"#0"
        return struct.unpack(f"<{(len(reply) - 3) // 8}d", reply[2:-1])

    def errors(self) -> list[int]:
        """Codes in the error queue, taken out, once settings have taken effect."""
        self.clock.sleep(0.01)
        codes = []
        while self.smu.errors.count:
            codes.append(self.smu.errors.next()[0])
        return codes

    def error(self) -> tuple[int, str]:
        """Oldest error: code and text."""
        self.clock.sleep(0.01)
        code, text, _, _ = self.smu.errors.next()
        return code, text

    def finish(self, seconds: float = 100.0) -> None:
        """Let time pass."""
        self.clock.sleep(seconds)


@pytest.fixture
def wire() -> Wire:
    """1 kohm on channel a, no noise."""
    return Wire()


@pytest.fixture
def make_wire() -> Callable[..., Wire]:
    """Wire(resistance, noise, channel, seed, **options)."""
    return Wire
