"""The protocol language: files to checked, immutable data (design, section 5)."""

from __future__ import annotations

from labctl.protocol.describe import describe
from labctl.protocol.errors import ProtocolError
from labctl.protocol.loading import load_protocol, loads_protocol
from labctl.protocol.model import Protocol
from labctl.protocol.parameters import Parameter
from labctl.protocol.values import Quantity, Ref, Where

__all__ = [
    "Parameter",
    "Protocol",
    "ProtocolError",
    "Quantity",
    "Ref",
    "Where",
    "describe",
    "load_protocol",
    "loads_protocol",
]
