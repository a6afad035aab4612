"""A simulated B1500A behind PyVISA, for wire-level tests: on a resistor, or on the AAB transistor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvisa

ADDRESS = "GPIB0::17::INSTR"
RESISTOR = """
bench: 1
name: resistor
visa: "@labctl"
instruments:
  b1500: {{driver: b1500a, address: "{address}", serial: "123"}}
device: {{id: r, kind: resistor, limits: {{voltage: {{pd: 200 V, au: 200 V}}}}}}
wiring:
  connections: {connections}
simulation: {{model: resistor, parameters: {{resistance: {resistance}}}, noise: {noise}, options: {{b1500: {options}}}}}
"""
LOW_SIDE_ON_COMMON = [{"from": "b1500.3", "to": "pd"}, {"from": "common", "to": "au"}]
TWO_SMUS = [{"from": "b1500.3", "to": "pd"}, {"from": "b1500.4", "to": "au"}]


class Wire:
    """A program at the instrument: what it sends and reads, and what the bench knows."""

    def __init__(self, manager: pyvisa.ResourceManager) -> None:
        self.manager = manager
        self.library: Any = manager.visalib
        self.clock = self.library.clock
        self.resource: Any = manager.open_resource(ADDRESS, read_termination="\r\n", write_termination="\r\n")
        self.resource.timeout = 10_000_000

    def send(self, *lines: str) -> None:
        """Write lines and see that none is refused."""
        for line in lines:
            self.resource.write(line)
        assert self.errors() == [], lines

    def refused(self, line: str) -> int:
        """Code of the one error that a line leaves."""
        self.resource.write(line)
        (code,) = self.errors()
        return code

    def errors(self) -> list[int]:
        """Codes waiting in the error queue."""
        codes = []
        while (reply := self.ask("ERRX?")) != '+0,"No Error."':
            codes.append(int(reply.split(",")[0]))
        return codes

    def ask(self, line: str) -> str:
        return str(self.resource.query(line))

    def data(self, line: str = "XE") -> list[str]:
        """Elements that a line returns."""
        return self.ask(line).split(",")

    def values(self, line: str) -> list[float]:
        """Numbers of the elements in format 1."""
        return [float(element[3:]) for element in self.data(line)]

    def seconds(self, line: str) -> float:
        """Virtual time until the reply to a line is there."""
        before = self.clock.now
        self.ask(line)
        return float(self.clock.now - before)

    def volts(self, terminal: str = "pd") -> float:
        """Node voltage now, to a nanovolt."""
        return round(float(self.library.true_voltages()[terminal]), 9)


Build = Callable[..., Wire]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """``build(resistance=1e6, noise=False, connections=..., **options)``: a B1500A on a resistor, SMU 3 on top."""
    managers = []

    def make(
        resistance: float = 1e6, noise: bool = False, connections: Any = LOW_SIDE_ON_COMMON, **options: Any
    ) -> Wire:
        text = RESISTOR.format(
            address=ADDRESS,
            resistance=resistance,
            noise=json.dumps(noise),
            connections=json.dumps(connections),
            options=json.dumps(options),
        )
        file = tmp_path / f"bench{len(managers)}.yaml"
        file.write_text(text, encoding="utf-8")
        managers.append(pyvisa.ResourceManager(f"{file}@labctl"))
        return Wire(managers[-1])

    yield make
    for manager in managers:
        manager.close()


@pytest.fixture
def b1500(build: Build) -> Wire:
    """SMU 3 on a resistor of 1 megohm, no noise."""
    return build()


@pytest.fixture
def bench() -> Iterator[Callable[..., Wire]]:
    """``bench("aab", "noise=false")``: a shipped bench."""
    managers = []

    def make(name: str, settings: str = "noise=false") -> Wire:
        managers.append(pyvisa.ResourceManager(f"{name}?{settings}@labctl"))
        return Wire(managers[-1])

    yield make
    for manager in managers:
        manager.close()
