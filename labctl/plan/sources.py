"""Which source can do what on which terminal: capabilities of the drivers matched with the wiring graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labctl.bench.description import BenchDescription, Connection
from labctl.bench.opening import driver_class
from labctl.plan.errors import PlanError


@dataclass(frozen=True)
class Source:
    """An instrument channel as the bench wires it, and what its driver says it can do."""

    name: str
    connection: Connection
    capabilities: dict[str, Any]

    def can(self, *abilities: str) -> bool:
        return all(ability in self.capabilities for ability in abilities)


class Sources:
    """All sources of a bench, asked for by terminal and ability."""

    def __init__(self, bench: BenchDescription) -> None:
        self._bench = bench
        self.all: list[Source] = []
        for connection in bench.wiring.connections:
            if connection.source == "common":
                continue
            instrument, _, channel = connection.source.partition(".")
            entry = bench.instruments[instrument]
            capabilities = driver_class(entry.driver).capabilities(entry.model, channel)
            self.all.append(Source(connection.source, connection, dict(capabilities)))

    def on(self, terminal: str) -> list[Source]:
        return [s for s in self.all if s.connection.terminal == terminal]

    def find(self, terminal: str, *abilities: str, where: str = "") -> Source:
        """The source of ``terminal`` with all abilities; failing that, one in series at the other end of the device.

        Raises:
            PlanError: the terminal does not exist, or no source of it can do this.
        """
        if terminal not in {c.terminal for c in self._bench.wiring.connections}:
            known = sorted({c.terminal for c in self._bench.wiring.connections})
            raise PlanError(
                f"bench {self._bench.name!r} has no terminal {terminal!r}",
                where,
                f"terminals: {', '.join(known)}",
            )
        for source in self.on(terminal):
            if source.can(*abilities):
                return source
        for source in self.all:
            if source.connection.isolation == "series" and source.can(*abilities):
                return source
        raise PlanError(
            f"no source on {terminal!r} of bench {self._bench.name!r} can do: {', '.join(abilities)}",
            where,
            "sources there: " + (", ".join(s.name for s in self.on(terminal)) or "none"),
        )

    def rivals(self, source: Source) -> list[Source]:
        """The other sources that could drive the terminal of ``source``."""
        return [s for s in self.on(source.connection.terminal) if s.name != source.name]

    def named(self, name: str) -> Source:
        """The source called ``name``, such as 'afg.1'."""
        return next(s for s in self.all if s.name == name)
