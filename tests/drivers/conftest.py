"""Instruments on a written-down wire, for the tests of the drivers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import pyvisa
from pymeasure.test import expected_protocol

from drivers.afg31000 import AFG31000
from drivers.keithley2636b import Keithley2636B

Pair = tuple[Any, Any]


class RecordingClock:
    """A clock that stands still but for the sleeps, which it keeps."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []

    @property
    def now(self) -> float:
        return sum(self.sleeps)

    def sleep(self, duration: float) -> None:
        self.sleeps.append(duration)


@pytest.fixture
def clock() -> RecordingClock:
    return RecordingClock()


@pytest.fixture
def afg_on_wire(clock: RecordingClock) -> Callable[..., AbstractContextManager[AFG31000]]:
    """``with afg_on_wire(pairs, model="AFG31052") as afg``: the pairs are all that may pass after connecting."""

    @contextmanager
    def connect(pairs: Sequence[Pair], model: str = "AFG31052", **options: Any) -> Iterator[AFG31000]:
        greeting = [("*CLS;*IDN?", f"TEKTRONIX,{model},C013019,SCPI:99.0 FV:1.5.2")]
        attributes = {"timeout": 5000, "resource_class": "INSTR"}
        with expected_protocol(
            AFG31000, greeting + list(pairs), connection_attributes=attributes, name="afg", clock=clock, **options
        ) as afg:
            yield afg

    return connect


SMU_GREETING: list[Pair] = [
    ("abort", None),
    ("localnode.prompts=0 localnode.showerrors=0 print([[synchronised 1]])", "synchronised 1"),
    ("*IDN?", "Keithley Instruments Inc., Model 2636B, 4308079, 3.2.2"),
    (
        "errorqueue.clear() format.data=1 format.asciiprecision=16 print(localnode.linefreq, errorqueue.count)",
        "5.000000000000000e+01\t0.000000000000000e+00",
    ),
]


@pytest.fixture
def smu_on_wire(clock: RecordingClock) -> Callable[..., AbstractContextManager[Keithley2636B]]:
    """``with smu_on_wire(pairs) as smu``: the pairs are all that may pass after connecting."""

    @contextmanager
    def connect(
        pairs: Sequence[Pair], greeting: Sequence[Pair] = SMU_GREETING, **options: Any
    ) -> Iterator[Keithley2636B]:
        attributes = {"timeout": 5000, "resource_class": "INSTR"} | options.pop("attributes", {})
        with expected_protocol(
            Keithley2636B,
            [*greeting, *pairs],
            connection_attributes=attributes,
            name="smu",
            clock=clock,
            **options,
        ) as smu:
            yield smu

    return connect


BENCH = """
bench: 1
name: drivers
visa: "@labctl"
instruments: {instruments}
device:
  id: r
  kind: resistor
  limits: {{voltage: {{pd: 210 V}}}}
wiring:
  connections:
    - {{from: {source}, to: pd, isolation: output}}
    - {{from: common, to: au}}
simulation:
  model: resistor
  parameters: {{resistance: {resistance}}}
  noise: {noise}
  options: {{dut: {options}}}
"""


class DriverBench:
    """One simulated instrument on a resistor: the driver, the bench's clock, and what the node really sees."""

    def __init__(self, manager: pyvisa.ResourceManager, driver: type, address: str, **options: Any) -> None:
        self.manager = manager
        self.library: Any = manager.visalib
        self.clock = self.library.clock
        self.address = address
        self.driver = driver(address, name="dut", clock=self.clock, visa_library=self.library, **options)

    @property
    def volts(self) -> float:
        """Voltage of the node now."""
        return float(self.library.true_voltages()["pd"])

    def extreme(self) -> float:
        """Largest-magnitude voltage of the node since the last call."""
        return float(self.library.true_extremes().get("pd", 0.0))

    def raw(self) -> Any:
        """A second session of another program on the same instrument."""
        return self.manager.open_resource(self.address, read_termination="\n", write_termination="\n")


@pytest.fixture
def driver_bench(tmp_path: Path) -> Iterator[Callable[..., DriverBench]]:
    """``driver_bench("afg31000", model="AFG31052", options={...})``: a fresh world with one instrument."""
    addresses = {
        "afg31000": ("USB0::0x0699::0x0358::C013019::INSTR", "1", AFG31000),
        "keithley2636b": ("TCPIP0::192.168.1.26::5025::SOCKET", "a", Keithley2636B),
    }
    managers = []

    def build(
        name: str,
        model: str | None = None,
        address: str | None = None,
        options: dict[str, Any] | None = None,
        resistance: float = 1e6,
        noise: bool = False,
        **arguments: Any,
    ) -> DriverBench:
        usual, channel, driver = addresses[name]
        entry = {"driver": name, "address": address or usual} | ({"model": model} if model else {})
        text = BENCH.format(
            instruments=json.dumps({"dut": entry}),
            source=f"dut.{channel}",
            resistance=resistance,
            noise=json.dumps(noise),
            options=json.dumps(options or {}),
        )
        file = tmp_path / f"bench{len(managers)}.yaml"
        file.write_text(text, encoding="utf-8")
        managers.append(pyvisa.ResourceManager(f"{file}@labctl"))
        return DriverBench(managers[-1], driver, address or usual, **arguments)

    yield build
    for manager in managers:
        manager.close()
