"""What a plan's proof depends on in a bench file, as plain data, and its fingerprint.

Instruments (driver, model, options), wiring, device and limits: all that decides which voltage may reach what. Where
the instruments are (``visa``, addresses), which specimen of a model it is (serial number, calibration) and how a bench
is simulated change nothing in a proof, and nothing here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from labctl.bench.description import BenchDescription

_ELSEWHERE: dict[str, Any] = {
    "bench": True,
    "name": True,
    "title": True,
    "visa": True,
    "simulation": True,
    "instruments": {"__all__": {"address", "serial", "calibrated"}},
}


def proof_facts(bench: BenchDescription) -> dict[str, Any]:
    """The facts as JSON would give them back, by the keys of the bench file; quantities as exact text with units.

    What a bench file leaves at its default is left out, so that a key of a later labctl changes no fingerprint.
    """
    return bench.model_dump(mode="json", by_alias=True, exclude=_ELSEWHERE, exclude_defaults=True)


def fingerprint(facts: Mapping[str, Any]) -> str:
    """SHA-256 of the facts in one spelling, hexadecimal."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
