"""Mainframes from a bench file: RSUs on terminals, SMUs behind them, wiring W2 by the operator."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.b1530a import B1530A
from drivers.b1530a_patterns import Pattern, Program
from labctl.bench.description import BenchDescription
from sim_backend.clock import Clock, WallClock
from sim_backend.devices.aab import make_device
from sim_backend.draws import Draws
from sim_backend.gated import GatedCircuit
from sim_backend.wgfmu import SimulatedLibrary
from sim_backend.wgfmu.wiring import build_mainframes, through_rsu

ADDRESS = "GPIB0::17::INSTR"
CONNECTIONS: list[dict[str, Any]] = [
    {"from": "wgfmu.101", "to": "gate", "isolation": "rsu", "capacitance": "10 pF"},
    {"from": "b1500.smu1", "to": "gate", "isolation": "rsu", "rsu": "wgfmu.101"},
    {"from": "wgfmu.102", "to": "drain", "isolation": "rsu"},
    {"from": "b1500.smu2", "to": "drain", "isolation": "rsu", "rsu": "wgfmu.102"},
    {"from": "wgfmu.201", "to": "source", "isolation": "rsu"},
    {"from": "common", "to": "source"},
]


def describe(connections: list[dict[str, Any]], **simulation: Any) -> BenchDescription:
    return BenchDescription.model_validate(
        {
            "bench": 1,
            "name": "aab",
            "visa": "@labctl",
            "instruments": {
                "b1500": {"driver": "b1500a", "address": ADDRESS},
                "wgfmu": {"driver": "b1530a", "address": ADDRESS},
            },
            "device": {"id": "d", "kind": "aab", "limits": {"voltage": {"gate": "42 V", "drain": "5 V"}}},
            "wiring": {"connections": connections},
            "simulation": {"model": "aab", **simulation},
        }
    )


class Bench:
    def __init__(self, connections: list[dict[str, Any]], clock: Clock | None = None, **simulation: Any) -> None:
        description = describe(connections, **simulation)
        self.clock = clock or Clock()
        draws = Draws(description.simulation.seed)
        self.device = make_device(description.simulation.parameters, draws, description.simulation.noise)
        self.circuit = GatedCircuit(self.clock, self.device)
        self.mainframes = build_mainframes(description, self.clock, self.circuit, draws)
        for connection in description.wiring.connections:
            if not through_rsu(connection):
                self.circuit.ground(connection.terminal)
        self.library = SimulatedLibrary(self.mainframes)

    def wgfmu_functions(self, address: str) -> dict[str, int]:
        return self.library.functions


def test_channels_and_rsus_are_where_the_file_says() -> None:
    bench = Bench(CONNECTIONS[:4] + CONNECTIONS[5:])
    mainframe = bench.mainframes[ADDRESS]
    assert sorted(mainframe.channels) == [101, 102]
    assert mainframe.slots == {1: "B1530A"}
    rsu = mainframe.rsu_of(bench.circuit.port("b1500.smu1"))
    assert rsu is mainframe.channels[101].rsu
    assert rsu is not None
    assert rsu.terminal == "gate"
    assert mainframe.rsu_of(bench.circuit.port("b1500.smu3")) is None


def test_the_other_channel_of_a_module_has_no_rsu() -> None:
    bench = Bench(CONNECTIONS[:2] + CONNECTIONS[5:])
    channels = bench.mainframes[ADDRESS].channels
    assert channels[101].rsu is not None
    assert channels[102].rsu is None


def test_options_come_from_the_file() -> None:
    bench = Bench(CONNECTIONS, options={"wgfmu": {"data_memory": 77}})
    assert bench.mainframes[ADDRESS].options.data_memory == 77
    with pytest.raises(ValueError, match="unknown option"):
        Bench(CONNECTIONS, options={"wgfmu": {"memory": 77}})


@pytest.mark.parametrize(
    ("connections", "said"),
    [
        ([{"from": "wgfmu.103", "to": "gate", "isolation": "rsu"}], "no WGFMU channel"),
        ([{"from": "wgfmu.gate", "to": "gate", "isolation": "rsu"}], "no WGFMU channel"),
        ([{"from": "b1500.smu1", "to": "gate", "isolation": "rsu", "rsu": "wgfmu.101"}], "on no terminal"),
    ],
)
def test_wrong_wirings(connections: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build_mainframes(describe(connections), Clock(), GatedCircuit(Clock(), Bench(CONNECTIONS).device), Draws(1))


def test_the_operator_moves_the_gate_to_an_smu_of_its_own() -> None:
    """W2: off with the RSU, the SMU straight on the gate, and 40 V arrive; the fast channel reaches nothing."""
    bench = Bench(CONNECTIONS)
    gate = bench.circuit.port("b1500.smu1")
    rsu = bench.mainframes[ADDRESS].channels[101].rsu
    assert rsu is not None
    rsu.detach()
    bench.circuit.connect(gate, "gate")
    gate.drive(40.0, 0.0)
    bench.clock.sleep(90.0)
    assert bench.circuit.true_voltage("gate") == 40.0
    assert bench.device.deep == pytest.approx(3.53, abs=0.01)
    unit = B1530A(ADDRESS, clock=bench.clock, visa_library=bench)
    unit.run({101: Program(((Pattern.constant("p", -5.0, 1e-3), 1),))})
    assert bench.circuit.true_voltage("gate") == 40.0
    unit.safe()
    gate.drive(0.0, 0.0)
    bench.circuit.disconnect(gate)
    rsu.attach()
    unit.run({101: Program(((Pattern.constant("p", -5.0, 1e-3), 1),))})
    assert bench.circuit.true_voltage("gate") == -5.0


def test_specimens_and_noise_come_from_the_file() -> None:
    nominal, other = Bench(CONNECTIONS).device, Bench(CONNECTIONS, parameters={"specimen": 3}).device
    assert nominal.parameters.v_n == -5.82
    assert other.parameters.v_n != -5.82
    assert Bench(CONNECTIONS, parameters={"specimen": 3}).device.parameters == other.parameters
    assert Bench(CONNECTIONS, noise=False).device.flicker() == 0.0
    assert Bench(CONNECTIONS).device.flicker() != 0.0


def test_a_wall_clock_is_caught_up_at_each_call() -> None:
    bench = Bench(CONNECTIONS, clock=WallClock(speed=1e6))
    unit = B1530A(ADDRESS, clock=bench.clock, visa_library=bench)
    unit.load({101: Program(((Pattern.constant("p", 1.0, 1e3), 1),))})
    unit.start()
    first = unit.library.status()[1]
    while unit.library.status()[1] == first:  # real time passes between calls
        pass
    assert unit.library.status()[1] > first
