"""The protocol language: files to checked, immutable data (design, section 5).

Names are imported when they are first used, so that units and the catalogue do not wait for the models.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labctl.protocol.errors import ProtocolError, Where
    from labctl.protocol.explain import describe, describe_step
    from labctl.protocol.loading import load_protocol, loads_protocol
    from labctl.protocol.model import Protocol
    from labctl.protocol.parameters import Parameter
    from labctl.protocol.values import Quantity, Ref

__all__ = [
    "Parameter",
    "Protocol",
    "ProtocolError",
    "Quantity",
    "Ref",
    "Where",
    "describe",
    "describe_step",
    "load_protocol",
    "loads_protocol",
]

_HOMES = {
    "Parameter": "parameters",
    "Protocol": "model",
    "ProtocolError": "errors",
    "Quantity": "values",
    "Ref": "values",
    "Where": "errors",
    "describe": "explain",
    "describe_step": "explain",
    "load_protocol": "loading",
    "loads_protocol": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'labctl.protocol' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"labctl.protocol.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
