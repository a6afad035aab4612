"""The fast units of a simulated bench: B1530A entries laid on their mainframes, RSUs wired as the bench file says."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.bench.description import BenchDescription
from sim_backend.b1500a import SimulatedB1500A
from sim_backend.b1500a.options import RACK
from sim_backend.clock import Clock
from sim_backend.context import SimulatedInstrument
from sim_backend.draws import Draws
from sim_backend.gated import GatedCircuit
from sim_backend.heard import Heard
from sim_backend.wgfmu import Mainframe, Rsu, SimulatedLibrary, make_options

#: driver of instruments that are reached through the WGFMU library, not by messages
DRIVER = "b1530a"


class FastUnits:
    """All WGFMU channels of a bench, and the one library of the process that reaches them.

    An entry with driver ``b1530a`` at the address of a ``b1500a`` is the same mainframe: slots, identity and error
    queue are that one's. Raises ``ValueError`` for a channel that the mainframe has no module for.
    """

    def __init__(
        self,
        description: BenchDescription,
        clock: Clock,
        circuit: GatedCircuit,
        draws: Draws,
        instruments: Mapping[str, SimulatedInstrument],
        heard: Heard | None = None,
    ) -> None:
        self._circuit = circuit
        self._description = description
        self.mainframes: dict[str, Mainframe] = {}
        flex = {
            description.instruments[name].address.upper(): instrument
            for name, instrument in instruments.items()
            if isinstance(instrument, SimulatedB1500A)
        }
        for name, entry in description.instruments.items():
            if entry.driver != DRIVER:
                continue
            shared = flex.get(entry.address.upper())
            mainframe = Mainframe(
                entry.address,
                clock,
                circuit,
                draws,
                name=name,
                noise=description.simulation.noise,
                options=make_options(description.simulation.options.get(name, {})),
                slots=shared.options.slots if shared else RACK,
            )
            if shared is not None:
                mainframe.identity, mainframe.errors = shared.identity, shared.errors.entries
            self._cable(mainframe)
            self.mainframes[entry.address] = mainframe
        self.library = SimulatedLibrary(self.mainframes, heard=heard)

    def rsus(self, terminal: str) -> list[Rsu]:
        """The RSUs whose output is cabled to a terminal."""
        return [
            channel.rsu
            for mainframe in self.mainframes.values()
            for channel in mainframe.channels.values()
            if channel.rsu is not None and channel.rsu.terminal == terminal
        ]

    def _cable(self, mainframe: Mainframe) -> None:
        """Every channel of the rack, those of the bench file through their RSUs."""
        connections = self._description.wiring.connections
        numbers = [
            slot * 100 + sub for slot, model in sorted(mainframe.slots.items()) if model == "B1530A" for sub in (1, 2)
        ]
        fast = {c.source: c for c in connections if c.source.startswith(f"{mainframe.name}.")}
        for source in fast:
            if source not in {f"{mainframe.name}.{number}" for number in numbers}:
                raise ValueError(f"wiring: the mainframe of {source!r} has no such fast channel")
        for number in numbers:
            source = f"{mainframe.name}.{number}"
            connection = fast.get(source)
            behind = next((c for c in connections if c.rsu == source), None)
            smu = self._circuit.port(behind.source) if behind else None
            if connection is None or connection.isolation != "rsu":
                mainframe.add_channel(number)
            else:
                mainframe.add_channel(number, connection.terminal, smu, connection.capacitance)
