"""Bench work without a volt: who answers, how it is wired, everything off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labctl.bench.description import BenchDescription
from labctl.bench.loading import find_bench, load_bench
from labctl.bench.opening import open_bench, visa_specification


@dataclass(frozen=True)
class Findings:
    """Identities by instrument name, wiring in words."""

    identities: dict[str, dict[str, str]]
    wiring: list[str]
    simulated: bool


def check_bench(bench: str | Path, simulate: bool) -> Findings:
    """Open every instrument, compare its identity with the file, say the wiring; sends nothing that drives."""
    file = find_bench(bench)
    described = load_bench(file)
    specification = visa_specification(described, file, simulate, described.simulation.seed)
    with open_bench(described, specification, "labctl bench check") as opened:
        return Findings(opened.identities, wiring_in_words(described), simulate or described.simulated)


def make_safe(bench: str | Path, simulate: bool) -> list[str]:
    """Every output off, every relay at rest; returns what could not be reached."""
    file = find_bench(bench)
    described = load_bench(file)
    specification = visa_specification(described, file, simulate, described.simulation.seed)
    with open_bench(described, specification, "labctl safe") as opened:
        return opened.safe()


def wiring_in_words(bench: BenchDescription) -> list[str]:
    """One line per connection, relay and trigger line."""
    lines = []
    for c in bench.wiring.connections:
        how = f"relay {c.relay} in position {c.position}" if c.isolation == "relay" else c.isolation
        lines.append(f"{c.source} -> {c.terminal}: {how}")
    for name, relay in bench.wiring.relays.items():
        lines.append(f"relay {name}: driven by {relay.line}, rests at {relay.rest}, {relay.time * 1e3:g} ms")
    for trigger in bench.wiring.triggers:
        lines.append(f"trigger {trigger.source} -> {trigger.target}")
    return lines
