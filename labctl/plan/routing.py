"""Which source is on which terminal while the plan is built, and the switching that must be inserted (rule 3)."""

from __future__ import annotations

from labctl.bench.description import BenchDescription
from labctl.plan import model as m
from labctl.plan.sources import Source, Sources


class Routes:
    """The source on each terminal at this point of the plan; an absent terminal is not known.

    At the start of a loop's second pass the route may differ from the first; ``build`` lowers the body again with
    what is left unknown, so that switching is inserted wherever it may be needed and nowhere else.
    """

    def __init__(self, bench: BenchDescription, sources: Sources) -> None:
        self._bench = bench
        self._sources = sources
        self.now: dict[str, str] = {}

    def connect(self, source: Source, node: int) -> list[m.Op]:
        """Operations that put ``source`` on its terminal: none if it is there already."""
        connection = source.connection
        if self.now.get(connection.terminal) == source.name:
            return []
        self.now[connection.terminal] = source.name
        quiet = tuple(r.name for r in self._sources.rivals(source) if r.connection.isolation == "output")
        if connection.isolation != "relay":
            return [m.Connect(node, connection.terminal, source.name, connection.isolation, quiet)]
        assert connection.relay is not None
        assert connection.position is not None
        relay = self._bench.wiring.relays[connection.relay]
        return [
            m.Connect(
                node,
                connection.terminal,
                source.name,
                "relay",
                quiet,
                line=relay.line,
                level=relay.positions[connection.position],
                time=relay.time,
                position=connection.position,
            )
        ]

    def release(self, terminal: str, node: int) -> m.Release:
        """Nothing drives the terminal from here on."""
        self.now.pop(terminal, None)
        return m.Release(node, terminal, tuple(source.name for source in self._sources.on(terminal)))

    def series_partners(self, source: Source) -> list[Source]:
        """Sources that close the loop of ``source`` from the other end of the device (wiring T2)."""
        if source.connection.isolation != "series":
            return []
        return [s for s in self._sources.all if s.connection.isolation == "series" and s.name != source.name]
