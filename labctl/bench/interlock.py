"""Interlocks, asked for before anything is driven: a plan beyond one's voltage does not begin while it is open."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.bench.errors import InterlockOpen
from labctl.bench.opening import OpenBench, capabilities


def check_interlocks(bench: OpenBench, reach: Mapping[str, float]) -> None:
    """Ask every instrument that may have to go beyond its interlock's voltage whether the interlock is closed.

    Args:
        bench: just opened, nothing driven yet.
        reach: terminal -> largest magnitude (V) that the plan applies there.

    Raises:
        InterlockOpen
    """
    described = bench.description
    for terminal, level in reach.items():
        for connection in described.wiring.on(terminal):
            name, _, channel = connection.source.partition(".")
            if name not in bench.instruments or (connection.limit is not None and level > connection.limit):
                continue  # common, or a path that the plan does not take for this level
            entry = described.instruments[name]
            threshold = capabilities(entry.driver, entry.model, channel).get("bias", {}).get("interlock")
            if threshold is not None and level > threshold and not bench.instruments[name].interlock_closed:
                raise InterlockOpen(
                    f"{terminal} is to reach {level:g} V, and the safety interlock of {name!r} ({entry.address}) is "
                    f"open: beyond {threshold:g} V it must be closed",
                    f"close the fixture and check the interlock cable, or keep the protocol within {threshold:g} V; "
                    "nothing was driven, no run file was made",
                )
