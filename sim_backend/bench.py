"""The simulated bench: one world of clock, circuit, device and instruments, built from a bench file."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, cast

from labctl.bench.description import BenchDescription, Connection
from sim_backend.circuit import Circuit, Port
from sim_backend.clock import Clock, WallClock
from sim_backend.context import InstrumentContext, SimulatedInstrument
from sim_backend.devices.aab import AabTransistor
from sim_backend.devices.device import TwoTerminalDevice
from sim_backend.devices.resistor import Resistor
from sim_backend.draws import Draws
from sim_backend.fast_units import DRIVER as FAST_UNIT_DRIVER
from sim_backend.fast_units import FastUnits
from sim_backend.faults import Faults, read_faults
from sim_backend.gated import GatedCircuit
from sim_backend.heard import Heard
from sim_backend.lines import Lines
from sim_backend.relay import Branch, SelectorRelay
from sim_backend.wgfmu import Rsu

InstrumentFactory = Callable[[InstrumentContext], SimulatedInstrument]
DeviceFactory = Callable[[Mapping[str, Any], Draws, bool], TwoTerminalDevice | AabTransistor]

#: driver name -> simulated instrument, as "module:Class" (imported when a bench has one) or the class itself
INSTRUMENTS: dict[str, str | InstrumentFactory] = {
    "afg31000": "sim_backend.afg31000:SimulatedAFG31000",
    "keithley2636b": "sim_backend.keithley2636b:Simulated2636B",
    "b1500a": "sim_backend.b1500a:SimulatedB1500A",
}

#: ``simulation.model`` -> factory (parameters, draws, noise), as "module:function"
DEVICES: dict[str, str | DeviceFactory] = {
    "hnno": "sim_backend.devices.hnno:make_device",
    "resistor": "sim_backend.devices.resistor:make_device",
    "aab": "sim_backend.devices.aab:make_device",
}

_STATE_VERSION = 1
_NO_CONTACT = 1e15  # ohm between probes that do not touch


class Ports(Mapping[str, Port]):
    """Ports of one instrument by channel name; whatever channel it asks for exists, laid on something or not."""

    def __init__(self, circuit: Circuit, instrument: str) -> None:
        self._circuit = circuit
        self._prefix = f"{instrument}."

    def __getitem__(self, channel: str) -> Port:
        return self._circuit.port(self._prefix + channel)

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(self._prefix) for name in self._circuit.ports if name.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class SimulatedBench:
    """Everything on one simulated bench.

    Raises ``ValueError`` for an unknown driver, device model, fault or parameter, and for a state file that does not
    fit. ``simulation.state`` and ``simulation.heard`` are relative to the working directory.
    """

    def __init__(self, description: BenchDescription) -> None:
        settings = description.simulation
        self.description = description
        self.clock: Clock = WallClock(settings.speed) if settings.clock == "wall" else Clock()
        self.heard = Heard(settings.heard, self.clock) if settings.heard else None
        self.lines = Lines()
        self.draws = Draws(settings.seed, settings.part)
        self.faults: Faults = read_faults(settings.faults)
        make_device: DeviceFactory = _load(DEVICES, settings.model, "device model")
        self.device = make_device(settings.parameters, self.draws, settings.noise)
        self._state_file = Path(settings.state) if settings.state else None
        self._restore()
        self.circuit = self._make_circuit()
        self._check_terminals()
        self.instruments = {
            name: self._instrument(name)
            for name, entry in description.instruments.items()
            if entry.driver != FAST_UNIT_DRIVER
        }
        self.fast_units = self._make_fast_units()
        self.relays = self._wire()

    def plug(self, source: str) -> None:
        """The operator plugs a connection marked ``manual`` in; a direct one takes the place of what is there."""
        for connection in self._manual(source):
            if connection.isolation == "direct":
                for other in self._usual(connection.terminal):
                    self.circuit.disconnect(self.circuit.port(other.source))
                for rsu in self._rsus(connection.terminal):
                    rsu.detach()
            self._connect(connection)

    def unplug(self, source: str) -> None:
        """The operator takes the cable of ``source`` off the device; the usual ones come back."""
        self.circuit.disconnect(self.circuit.port(source))
        for connection in self._manual(source):
            if connection.isolation == "direct":
                for other in self._usual(connection.terminal):
                    self._connect(other)
                for rsu in self._rsus(connection.terminal):
                    rsu.attach()

    def lost(self, instrument: str) -> bool:
        """Whether the link to an instrument has died by now (fault ``instrument_lost_after``)."""
        return self.clock.now >= self.faults.instrument_lost_after.get(instrument, float("inf"))

    def latency(self, instrument: str) -> Callable[[], float]:
        """How long (s) the next message to an instrument is on its way (fault ``link_latency``)."""
        low, high = self.faults.link_latency.get(instrument, (0.0, 0.0))
        numbers = count()
        if high <= 0.0:
            return lambda: 0.0
        return lambda: low + (high - low) * self.draws.uniform(f"{instrument}.link", 0, next(numbers))

    def close(self) -> None:
        """Keep the device's state, if the bench file names a file for it; replaces that file atomically."""
        if self.heard is not None:
            self.heard.close()
        if self._state_file is None:
            return
        self.circuit.settle()
        kept = {
            "version": _STATE_VERSION,
            "model": self.description.simulation.model,
            "device": self.description.device.id,
            "state": self.device.state(),
        }
        draft = self._state_file.with_name(f"{self._state_file.name}.{os.getpid()}.tmp")
        draft.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        os.replace(draft, self._state_file)

    # -- the operator ----------------------------------------------------------------------------------------

    def _manual(self, source: str) -> list[Connection]:
        return [c for c in self.description.wiring.connections if c.manual and c.source == source]

    def _usual(self, terminal: str) -> list[Connection]:
        """Connections that hold a terminal by a cable alone."""
        return [
            c
            for c in self.description.wiring.on(terminal)
            if not c.manual and c.relay is None and c.isolation != "rsu" and c.source != "common"
        ]

    def _rsus(self, terminal: str) -> list[Rsu]:
        return self.fast_units.rsus(terminal) if self.fast_units else []

    # -- construction ----------------------------------------------------------------------------------------

    def _make_circuit(self) -> Circuit:
        if isinstance(self.device, AabTransistor):
            if self.faults.leads_swapped:
                raise ValueError("simulation.faults: leads_swapped is known for two-terminal devices only")
            # its face towards instruments is that of Circuit
            return cast("Circuit", GatedCircuit(self.clock, self.device))
        in_circuit = Resistor(_NO_CONTACT, self.device.terminals) if self.faults.contact_open else self.device
        return Circuit(self.clock, in_circuit, swapped=self.faults.leads_swapped)

    def _make_fast_units(self) -> FastUnits | None:
        entries = [name for name, entry in self.description.instruments.items() if entry.driver == FAST_UNIT_DRIVER]
        if not entries:
            return None
        gated: object = self.circuit
        if not isinstance(gated, GatedCircuit):
            raise ValueError(f"instrument {entries[0]!r}: fast units are simulated on a three-terminal device only")
        units = FastUnits(self.description, self.clock, gated, self.draws, self.instruments, self.heard)
        if self.faults.contact_open:
            for rsu in (rsu for terminal in gated.terminals for rsu in units.rsus(terminal)):
                rsu.detach()
        return units

    def _instrument(self, name: str) -> SimulatedInstrument:
        entry = self.description.instruments[name]
        options = dict(self.description.simulation.options.get(name, {}))
        if name in self.faults.interlock_open:
            options["interlock"] = False
        context = InstrumentContext(
            name=name,
            clock=self.clock,
            ports=Ports(self.circuit, name),
            lines=self.lines,
            draws=self.draws,
            options=options,
            model=entry.model,
            serial=self.faults.serial.get(name, entry.serial),
            noise=self.description.simulation.noise,
            line_frequency=float(entry.options.get("line_frequency", 50.0)),
        )
        factory: InstrumentFactory = _load(INSTRUMENTS, entry.driver, "simulated instrument for the driver")
        return factory(context)

    def _check_terminals(self) -> None:
        for connection in self.description.wiring.connections:
            if connection.terminal not in self.circuit.terminals:
                raise ValueError(
                    f"wiring: the {self.description.simulation.model} device has the terminals "
                    f"{' and '.join(self.circuit.terminals)}, not {connection.terminal!r}"
                )

    def _wire(self) -> dict[str, SelectorRelay]:
        wiring = self.description.wiring
        for trigger in wiring.triggers:
            self.lines.join(trigger.source, trigger.target)
        switched: dict[str, dict[int, list[Branch]]] = {name: defaultdict(list) for name in wiring.relays}
        for connection in wiring.connections:
            if connection.relay is not None and connection.position is not None:
                level = wiring.relays[connection.relay].positions[connection.position]
                switched[connection.relay][level].append(self._branch(connection))
            elif not connection.manual and connection.isolation != "rsu":
                self._connect(connection)
        return {
            name: SelectorRelay(self.clock, self.circuit, self.lines, relay.line, switched[name], relay.time)
            for name, relay in wiring.relays.items()
        }

    def _connect(self, connection: Connection) -> None:
        if connection.source == "common":
            self.circuit.ground(connection.terminal)
            return
        if self.faults.contact_open and isinstance(self.device, AabTransistor):
            return
        branch = self._branch(connection)
        self.circuit.connect(branch.port, branch.terminal, branch.capacitance)

    def _branch(self, connection: Connection) -> Branch:
        return Branch(self.circuit.port(connection.source), connection.terminal, connection.capacitance)

    def _restore(self) -> None:
        if self._state_file is None or not self._state_file.exists():
            return
        try:
            kept = json.loads(self._state_file.read_text(encoding="utf-8"))
            version, model, device = kept["version"], kept["model"], kept["device"]
            state = kept["state"]
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"simulation.state: {self._state_file} is not a device state: {error}") from error
        expected = (_STATE_VERSION, self.description.simulation.model, self.description.device.id)
        if (version, model, device) != expected:
            raise ValueError(
                f"simulation.state: {self._state_file} keeps device {device!r} (model {model}, version {version}); "
                f"this bench has {expected[2]!r} (model {expected[1]}, version {expected[0]})"
            )
        self.device.restore(state)


def _load(registry: Mapping[str, Any], name: str, what: str) -> Any:
    """Entry of a registry, imported if it is named by "module:attribute"."""
    if name not in registry:
        raise ValueError(f"no {what} {name!r}; known: {', '.join(sorted(registry))}")
    entry = registry[name]
    if not isinstance(entry, str):
        return entry
    module, _, attribute = entry.partition(":")
    return getattr(import_module(module), attribute)
