"""What the bench hands to a simulated instrument, and what it expects of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sim_backend.circuit import Port
from sim_backend.clock import Clock
from sim_backend.draws import Draws
from sim_backend.lines import Lines


@dataclass(frozen=True)
class InstrumentContext:
    """One instrument's place on the bench.

    ``ports`` maps the instrument's channel names ("1", "2", "a", "b") to ports. Lines of this instrument are named
    "<name>.digio.<n>", "<name>.trigger". Draws of this instrument use streams that begin with its name.
    ``options`` are the undocumented details that the bench file sets for this instrument.
    """

    name: str
    clock: Clock
    ports: Mapping[str, Port]
    lines: Lines
    draws: Draws
    options: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    serial: str | None = None
    noise: bool = True
    line_frequency: float = 50.0


class SimulatedInstrument(Protocol):
    """An instrument behind the VISA layer; built as ``Class(context)``."""

    def write(self, data: bytes, end: bool) -> None:
        """Bytes as the wire delivers them; a message may come in several writes, ``end`` marks END (EOI)."""

    def read(self, count: int) -> tuple[bytes, bool]:
        """Next bytes of the output queue, never past one message, and END; b"" when nothing is there now."""

    def pending(self) -> bool:
        """Whether something is there to be read now."""

    def status_byte(self) -> int:
        """Status byte as a serial poll gives it."""

    def clear(self) -> None:
        """Device clear."""

    def trigger(self) -> None:
        """Group execute trigger, USBTMC TRIGGER."""
