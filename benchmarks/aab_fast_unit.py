"""Speed of the AAB device and of the simulated fast unit; prints a Markdown table.

python benchmarks/aab_fast_unit.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from drivers.b1530a import B1530A
from drivers.b1530a_patterns import Pattern, Program, Window
from sim_backend.clock import Clock
from sim_backend.devices.aab import AabTransistor
from sim_backend.gated import GatedCircuit
from sim_backend.wgfmu.standalone import StandaloneBench

PULSES = 10**6
UP = np.arange(-15.0, 15.1, 0.25)
CYCLIC = [*UP, *UP[-2::-1]]
SECONDS, VOLTS = (1, 3, 10, 20, 30, 45, 60, 90, 120, 300), (20, 30, 35, 38, 40, 42)


def device_train() -> None:
    AabTransistor().run([(50e-9, 0.0, -10.0), (50e-9, -10.0, 0.0), (100e-9, 0.0, 0.0)], PULSES)


def device_bias() -> None:
    AabTransistor().hold(90.0, 40.0)


def driver_train(measured: bool) -> None:
    """A million 100 ns triangles through driver, C functions, circuit and device; a reading in each, or one behind."""
    bench = StandaloneBench(noise=True)
    unit = B1530A(bench.address, clock=bench.clock, visa_library=bench)
    triangle = Pattern.triangle("triangle", -10.0, 100e-9, 100e-9)
    if measured:
        drain = Pattern.constant("drain", 2.0, 200e-9).measured(Window("w", 150e-9, 1, 20e-9, 20e-9))
        programs = {101: Program(((triangle, PULSES),)), 102: Program(((drain, PULSES),), "current", 10e-3)}
    else:
        rest = Pattern.constant("rest", 0.0, 200e-6)
        read = Pattern.constant("read", 2.0, 200e-6).measured(Window("w", 100e-6, 1, 1e-5, 1e-5))
        on = Pattern.constant("on", 2.0, PULSES * 200e-9)
        programs = {
            101: Program(((triangle, PULSES), (rest, 1))),
            102: Program(((on, 1), (read, 1)), "current", 1e-6),
        }
    unit.run(programs, allow_fast_edges=True)


def conditioning_map() -> None:
    """60 points, each a fresh device: cyclic sweep, bias, 1 s, cyclic sweep; ports driven as an SMU does."""
    for volts in VOLTS:
        for seconds in SECONDS:
            clock = Clock()
            circuit = GatedCircuit(clock, AabTransistor())
            gate, drain = circuit.port("gate"), circuit.port("drain")
            circuit.ground("source")
            circuit.connect(gate, "gate", 300e-12)
            circuit.connect(drain, "drain", 20e-12)
            for stage in (CYCLIC, [volts], [0.0], CYCLIC):
                drain.drive(2.0 if stage is CYCLIC else 0.0, 0.0, 1e-3)
                for level in stage:
                    gate.drive(float(level), 0.0, 1e-3)
                    clock.sleep({1: 1.0}.get(len(stage), 0.1) if level != volts else float(seconds))
                    drain.current()


def measure(task: Callable[[], None]) -> float:
    """Seconds, best of three."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        task()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    tasks: list[tuple[str, Callable[[], None]]] = [
        ("1e6 triangles, device alone", device_train),
        ("90 s bias, device alone", device_bias),
        ("1e6 triangles, driver to device, one reading", lambda: driver_train(False)),
        ("1e6 triangles, driver to device, 1e6 readings", lambda: driver_train(True)),
        ("CGB map, 60 points of 2 cyclic sweeps, circuit and device", conditioning_map),
    ]
    print("| task | wall time |\n|---|---|")
    for name, task in tasks:
        print(f"| {name} | {measure(task):.3g} s |")


if __name__ == "__main__":
    main()
