"""Which source can do what on which terminal: capabilities of the drivers matched with the wiring graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labctl.bench.description import BenchDescription, Connection
from labctl.bench.opening import capabilities
from labctl.plan.errors import PlanError


@dataclass(frozen=True)
class Source:
    """An instrument channel as the bench wires it, and what its driver says it can do."""

    name: str
    connection: Connection
    capabilities: dict[str, Any]

    def can(self, *abilities: str) -> bool:
        return all(ability in self.capabilities for ability in abilities)

    def passes(self, ability: str, reach: float) -> bool:
        """Can it put ``reach`` volts of either sign on the terminal, through its own window and the path's limit?"""
        low, high = self.capabilities[ability].get("window", (-float("inf"), float("inf")))
        path = self.connection.limit
        return min(-low, high) >= reach and (path is None or path >= reach)


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
            able = capabilities(entry.driver, entry.model, channel)
            self.all.append(Source(connection.source, connection, able))

    def on(self, terminal: str) -> list[Source]:
        return [s for s in self.all if s.connection.terminal == terminal]

    def is_common(self, terminal: str) -> bool:
        """Is the terminal wired to common for good?"""
        return any(c.terminal == terminal and c.source == "common" for c in self._bench.wiring.connections)

    def find(
        self,
        terminal: str,
        *abilities: str,
        where: str = "",
        reach: float = 0.0,
        prefer: str | None = None,
        instrument: str | None = None,
    ) -> Source:
        """The source of ``terminal`` with all abilities; failing that, one in series at the other end of the device.

        Args:
            terminal: of the device.
            abilities: keys of the driver's capabilities.
            where: place in the protocol, for errors.
            reach: largest |V| it must give; a source whose path does not pass it is taken only if there is no
                other (and then the proof refuses it).
            prefer: the source that is connected now, taken if it fits, so that nothing is switched without need.
            instrument: only its channels.

        Raises:
            PlanError: the terminal does not exist, no source of it can do this, or one lacks what it drives through.
        """
        known = {c.terminal for c in self._bench.wiring.connections}
        if terminal not in known:
            raise PlanError(
                f"bench {self._bench.name!r} has no terminal {terminal!r}",
                where,
                f"terminals: {', '.join(sorted(known))}",
            )
        series = [s for s in self.all if s.connection.isolation == "series" and s.connection.terminal != terminal]
        able = [
            s
            for s in [*self.on(terminal), *series]
            if s.can(*abilities) and instrument in (None, s.name.partition(".")[0])
        ]
        if not able:
            there = ", ".join(s.name for s in self.on(terminal)) or "none"
            raise PlanError(
                f"no source on {terminal!r} of bench {self._bench.name!r} can do: {', '.join(abilities)}",
                where,
                f"sources there: {there}",
            )
        fitting = [s for s in able if s.passes(abilities[-1], reach)] or able
        chosen = next((s for s in fitting if s.name == prefer), fitting[0])
        through = chosen.capabilities.get("through", chosen.connection.isolation)
        if through != chosen.connection.isolation:
            raise PlanError(
                f"{chosen.name} drives through its {str(through).upper()} only, and the wiring of bench "
                f"{self._bench.name!r} has none between it and {terminal!r}",
                where,
                f"put it in, and write 'isolation: {through}' at this connection",
            )
        return chosen

    def rivals(self, source: Source) -> list[Source]:
        """The other sources that could drive the terminal of ``source``."""
        return [s for s in self.on(source.connection.terminal) if s.name != source.name]

    def named(self, name: str) -> Source:
        """The source called ``name``, such as 'afg.1'."""
        return next(s for s in self.all if s.name == name)
