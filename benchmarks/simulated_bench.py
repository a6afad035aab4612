"""Speed of the simulated bench's core: a query, a reading, a pulse, a million cycles; prints a Markdown table.

python benchmarks/simulated_bench.py
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pyvisa

from sim_backend.bench import INSTRUMENTS
from sim_backend.circuit import Circuit, Waveform, pulse
from sim_backend.clock import Clock
from sim_backend.context import InstrumentContext
from sim_backend.devices.hnno import HnnoNeuron, HnnoParameters
from sim_backend.draws import Draws

BENCH = """\
bench: 1
name: trivial
visa: "@labctl"
instruments: {echo: {driver: echo, address: "GPIB0::5::INSTR"}}
device: {id: none, kind: resistor, limits: {voltage: {pd: 5 V}}}
wiring: {connections: [{from: common, to: au}]}
simulation: {model: resistor}
"""
CYCLE = Waveform(
    (1e-8, 1e-4, 1e-8, 1e-4, 1e-8, 1e-4, 1e-8, 7e-4),
    (0.0, 4.6, 4.6, 0.0, 0.0, -4.2, -4.2, 0.0),
    (4.6, 4.6, 0.0, 0.0, -4.2, -4.2, 0.0, 0.0),
)


class Echo:
    """Says back what it is told, a message at a time."""

    def __init__(self, context: InstrumentContext) -> None:
        self.output: deque[bytes] = deque()

    def write(self, data: bytes, end: bool) -> None:
        self.output.append(data)

    def read(self, count: int) -> tuple[bytes, bool]:
        return self.output.popleft(), True

    def pending(self) -> bool:
        return bool(self.output)

    def status_byte(self) -> int:
        return 0

    def clear(self) -> None:
        self.output.clear()

    def trigger(self) -> None:
        """Nothing to trigger."""


def microseconds(call: Callable[[], object], count: int) -> str:
    """Best of three mean times of ``call``."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(count):
            call()
        best = min(best, (time.perf_counter() - start) / count)
    return f"{best * 1e6:.1f} us"


def query() -> str:
    INSTRUMENTS["echo"] = Echo
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trivial.yaml"
        file.write_text(BENCH, encoding="utf-8")
        manager = pyvisa.ResourceManager(f"{file}@labctl")
        echo = manager.open_resource("GPIB0::5::INSTR")
        result = microseconds(lambda: echo.query("x"), 5000)
        manager.close()
    return result


class World:
    """A neuron behind one port."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.device = HnnoNeuron(HnnoParameters(), Draws(1))
        self.circuit = Circuit(self.clock, self.device)
        self.circuit.ground("au")
        self.port = self.circuit.port("source")
        self.circuit.connect(self.port, "pd", 150e-12)
        self.port.drive(0.0, 50.0)

    def pulse(self, level: float) -> None:
        self.port.play(pulse(level, 0.0, 1e-4, 1e-8, 1e-3), 1, self.clock.now)
        self.clock.sleep(2e-3)
        self.circuit.settle()

    def reading(self) -> None:
        self.port.drive(0.1, 0.0, 1e-4, 30e-6)
        self.clock.sleep(1e-3)
        self.port.voltage()
        self.port.current()
        self.port.compliance()

    def cycles(self, count: int) -> str:
        start = time.perf_counter()
        self.port.play(CYCLE, count, self.clock.now)
        self.clock.sleep(CYCLE.period * count)
        self.circuit.settle()
        return f"{time.perf_counter() - start:.2f} s ({self.device.memory.spikes} spikes)"


def main() -> None:
    world = World()
    rows = [
        ("query through PyVISA, trivial instrument", query()),
        ("SMU point in the circuit (drive, wait, V, I, compliance)", microseconds(World().reading, 5000)),
        ("forward pulse, event path", microseconds(lambda: world.pulse(4.2), 1000)),
        ("reverse pulse, event path", microseconds(lambda: world.pulse(-4.2), 1000)),
        ("1e6 set+reset cycles, vectorised path", World().cycles(10**6)),
    ]
    print("| what | measured |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
