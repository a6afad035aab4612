"""Which source is on which terminal while the plan is built, and the switching that must be inserted (rule 3)."""

from __future__ import annotations

from labctl.bench.description import BenchDescription
from labctl.plan import operations as o
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

    def connect(self, source: Source, node: int, operator: str = "", label: str = "") -> list[o.Op]:
        """Operations that put ``source`` on its terminal: none if it is there already.

        ``operator`` and ``label``: what the protocol has an operator do for it, and the step's name for --confirm.
        """
        connection = source.connection
        if self.now.get(connection.terminal) == source.name:
            return []
        self.now[connection.terminal] = source.name
        rivals = self._sources.rivals(source)
        quiet = tuple(r.name for r in rivals if r.connection.isolation in ("output", "rsu"))
        if connection.isolation != "relay":
            asked = operator or f"lay {source.name} straight on {connection.terminal}, past every other source"
            return [
                o.Connect(
                    node,
                    connection.terminal,
                    source.name,
                    connection.isolation,
                    quiet,
                    manual=connection.manual,
                    operator=asked if connection.manual else "",
                    label=label or f"{source.name}_to_{connection.terminal}" if connection.manual else "",
                )
            ]
        assert connection.relay is not None
        assert connection.position is not None
        relay = self._bench.wiring.relays[connection.relay]
        return [
            o.Connect(
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

    def close_loop(self, source: Source, node: int) -> list[o.Op]:
        """In a series loop (T2) the partner holds its end at 0 V, with a limit above any current of a pulse."""
        if source.connection.isolation != "series":
            return []
        limits, resistance = self._bench.device.limits, self._bench.device.resistance
        expected = 2 * max(limits.voltage.values()) / resistance[0] if resistance else 1e-3
        ops: list[o.Op] = []
        for partner in self._sources.all:
            if partner.connection.isolation == "series" and partner.name != source.name:
                ops += [*self.connect(partner, node), o.Hold(node, partner.name, o.Value(0.0), expected)]
        return ops

    def release(self, terminal: str, node: int) -> o.Release:
        """Nothing drives the terminal from here on."""
        self.now.pop(terminal, None)
        return o.Release(node, terminal, tuple(source.name for source in self._sources.on(terminal)))
