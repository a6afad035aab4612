"""A protocol explained in lines of text."""

from __future__ import annotations

from labctl.protocol.model import Protocol


def describe(protocol: Protocol) -> list[str]:
    return [protocol.title]
