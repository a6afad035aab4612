"""A B1500A with fast units on an AAB device without any VISA (wiring W1): for scripts and tests of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim_backend.clock import Clock
from sim_backend.devices.aab import AabTransistor, make_parameters
from sim_backend.draws import Draws
from sim_backend.gated import GatedCircuit
from sim_backend.wgfmu import Mainframe, SimulatedLibrary, make_options


class StandaloneBench:
    """Channel 101 on the gate, 102 on the drain, each through an RSU with an SMU behind it; source on common.

    Channel 201 has no RSU. The object serves as ``visa_library`` of the B1530A driver.

    Args:
        device: settings of the device model, as in a bench file.
        options: undocumented details of the fast unit.
        noise: noise of meters and device.
        seed: of all random draws.
    """

    address = "GPIB0::17::INSTR"

    def __init__(
        self,
        device: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        noise: bool = False,
        seed: int = 1,
    ) -> None:
        self.clock = Clock()
        draws = Draws(seed)
        self.device = AabTransistor(make_parameters(device), draws)
        self.circuit = GatedCircuit(self.clock, self.device)
        self.circuit.ground("source")
        self.mainframe = Mainframe(
            self.address,
            self.clock,
            self.circuit,
            draws,
            noise=noise,
            options=make_options(options or {}),
            slots={1: "B1530A", 2: "B1530A", 3: "B1517A", 4: "B1517A"},
        )
        self.smus = {name: self.circuit.port(f"b1500.{name}") for name in ("smu1", "smu2")}
        self.mainframe.add_channel(101, "gate", self.smus["smu1"])
        self.mainframe.add_channel(102, "drain", self.smus["smu2"])
        self.mainframe.add_channel(201)
        self.library = SimulatedLibrary({self.address: self.mainframe})

    def wgfmu_functions(self, address: str) -> dict[str, int]:
        """C addresses of the library's functions."""
        return self.library.functions
