"""The mainframe that FLEX commands and the WGFMU library share: slots, error queue, fast channels, RSUs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import pi, sin
from typing import Literal

from sim_backend.clock import Clock
from sim_backend.draws import Draws
from sim_backend.gated import GatedCircuit, GatedPort
from sim_backend.wgfmu.options import WgfmuOptions

Path = Literal["smu", "wgfmu"]

SMU_PATH_VOLTS = 25.0
_DRIFT_PERIOD = 1800.0  # s


class Rsu:
    """A B1531A near the probe: lays either the fast channel or the SMU cable on a device terminal.

    The SMU path passes +-25 V and leaks (F18, F25). ``path`` is "smu" at power-on; only the library switches it.
    ``operations`` counts switchings. The operator may take the RSU's output off the terminal (wiring W2).
    """

    def __init__(
        self,
        circuit: GatedCircuit,
        terminal: str,
        fast: GatedPort,
        smu: GatedPort | None,
        capacitance: float = 0.0,
        leakage: Callable[[float], float] | None = None,
    ) -> None:
        self.path: Path = "smu"
        self.terminal = terminal
        self.fast = fast
        self.smu = smu
        self.operations = 0
        self.attached = True
        self._circuit = circuit
        self._capacitance = capacitance
        self._leakage = leakage
        self._join()

    def select(self, path: Path) -> None:
        """Switch to a path; the other one's port sees an open cable from now on."""
        if path == self.path:
            return
        self._part()
        self.path = path
        self.operations += 1
        self._join()

    def detach(self) -> None:
        """The operator takes the output off the device terminal: neither path reaches it any more."""
        self._part()
        self.attached = False

    def attach(self) -> None:
        """The operator puts the output back on the terminal; what else was plugged there must be off."""
        self.attached = True
        self._join()

    def _join(self) -> None:
        if not self.attached:
            return
        if self.path == "wgfmu":
            self._circuit.connect(self.fast, self.terminal, self._capacitance)
        elif self.smu is not None:
            self._circuit.connect(self.smu, self.terminal, self._capacitance, SMU_PATH_VOLTS, self._leakage)

    def _part(self) -> None:
        port = self.fast if self.path == "wgfmu" else self.smu
        if self.attached and port is not None:
            self._circuit.disconnect(port)


@dataclass(frozen=True)
class FastChannel:
    """One WGFMU channel; ``rsu`` is None where no B1531A is cabled to it."""

    number: int
    port: GatedPort
    rsu: Rsu | None


@dataclass
class Mainframe:
    """One B1500A.

    Attributes:
        address: VISA resource name.
        name: its name on the bench; streams of random draws begin with it.
        slots: slot number -> module model, such as {1: "B1530A", 2: "B1517A"}.
        errors: error queue (code, text), oldest first, shared with the FLEX interpreter.
    """

    address: str
    clock: Clock
    circuit: GatedCircuit
    draws: Draws
    name: str = "b1500"
    noise: bool = True
    options: WgfmuOptions = field(default_factory=WgfmuOptions)
    slots: Mapping[int, str] = field(default_factory=dict)
    identity: str = "Agilent Technologies,B1500A,0,A.06.01.2018.0322"
    errors: list[tuple[int, str]] = field(default_factory=list)
    channels: dict[int, FastChannel] = field(default_factory=dict)

    def add_channel(
        self, number: int, terminal: str | None = None, smu: GatedPort | None = None, capacitance: float = 0.0
    ) -> FastChannel:
        """A fast channel, with its RSU on ``terminal`` (None: no RSU cabled) and the SMU whose cable goes into that."""
        port = self.circuit.port(f"{self.name}.{number}")
        rsu = None
        if terminal is not None:
            rsu = Rsu(self.circuit, terminal, port, smu, capacitance, self._leakage(number))
        self.channels[number] = FastChannel(number, port, rsu)
        return self.channels[number]

    def rsu_of(self, smu: GatedPort) -> Rsu | None:
        """The RSU that an SMU's cable goes into, if any: its path decides whether the SMU sees the device."""
        for channel in self.channels.values():
            if channel.rsu is not None and channel.rsu.smu is smu:
                return channel.rsu
        return None

    def _leakage(self, number: int) -> Callable[[float], float]:
        """Leakage of an SMU path (A) over time: a constant and a slow drift, drawn once per channel."""
        stream = f"{self.name}.rsu"
        base = (2.0 * self.draws.uniform(stream, number, 0) - 1.0) * self.options.smu_path_leakage
        phase = 2.0 * pi * self.draws.uniform(stream, number, 1)
        drift = self.options.smu_path_drift
        return lambda now: base + drift * sin(2.0 * pi * now / _DRIFT_PERIOD + phase)
