"""Resource names: one spelling per instrument, and what a session needs to know about its bus."""

from __future__ import annotations

from dataclasses import dataclass

from pyvisa import constants, rname


@dataclass(frozen=True)
class Address:
    """A parsed resource name."""

    name: str  # canonical spelling
    interface: constants.InterfaceType
    board: int
    resource_class: str
    parts: rname.ResourceName

    @property
    def key(self) -> str:
        """Equal for all spellings of one resource."""
        return "::".join(_normal(part) for part in self.name.split("::"))

    @property
    def is_socket(self) -> bool:
        return self.resource_class == "SOCKET"


def parse(name: str) -> Address:
    """Parse a resource name. Raises ``pyvisa.rname.InvalidResourceName``."""
    parts = rname.ResourceName.from_string(name)
    return Address(
        name=str(parts),
        interface=parts.interface_type_const,
        board=int(getattr(parts, "board", "0") or "0"),
        resource_class=parts.resource_class,
        parts=parts,
    )


def _normal(part: str) -> str:
    """Case does not count, nor whether a USB id is written in hexadecimal."""
    text = part.strip().upper()
    return str(int(text, 16)) if text.startswith("0X") else text
