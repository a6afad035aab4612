"""Mainframes with their fast channels and RSUs, as a bench file wires them (wirings W1 and W2)."""

from __future__ import annotations

from labctl.bench.description import BenchDescription, Connection
from sim_backend.clock import Clock
from sim_backend.draws import Draws
from sim_backend.gated import GatedCircuit
from sim_backend.wgfmu.mainframe import Mainframe
from sim_backend.wgfmu.options import make_options

DRIVER = "b1530a"


def build_mainframes(
    description: BenchDescription, clock: Clock, circuit: GatedCircuit, draws: Draws
) -> dict[str, Mainframe]:
    """One mainframe per address that a B1530A is reached at.

    A connection ``{from: <wgfmu>.<channel>, to: <terminal>, isolation: rsu}`` is an RSU's output; the SMU whose cable
    goes into that RSU says so by ``rsu: <wgfmu>.<channel>``. Both kinds are laid by the RSU from now on, so the bench
    must not lay them itself (``through_rsu``). The other channel of a module that is wired at all has no RSU.

    Raises:
        ValueError: a channel number that no B1530A has, or an SMU behind an RSU that is not wired.
    """
    mainframes = {}
    for name, entry in description.instruments.items():
        if entry.driver != DRIVER:
            continue
        outputs = {c.source: c for c in description.wiring.connections if c.source.startswith(f"{name}.")}
        numbers = {source: _number(source) for source in outputs}
        slots = {number // 100 for number in numbers.values()} or {1}
        mainframe = Mainframe(
            entry.address,
            clock,
            circuit,
            draws,
            name=name,
            noise=description.simulation.noise,
            options=make_options(description.simulation.options.get(name, {})),
            slots=dict.fromkeys(sorted(slots), "B1530A"),
        )
        smus = _smus_by_rsu(description)
        for number in sorted(100 * slot + channel for slot in slots for channel in (1, 2)):
            connection = outputs.get(f"{name}.{number}")
            if connection is None:
                mainframe.add_channel(number)
                continue
            smu = smus.pop(connection.source, None)
            port = circuit.port(smu.source) if smu else None
            mainframe.add_channel(number, connection.terminal, port, connection.capacitance)
        mine = [rsu for rsu in smus if rsu.startswith(f"{name}.")]
        if mine:
            raise ValueError(f"wiring: {smus[mine[0]].source} goes into the RSU of {mine[0]}, which is on no terminal")
        mainframes[entry.address] = mainframe
    return mainframes


def through_rsu(connection: Connection) -> bool:
    """Whether an RSU lays this connection, not the bench."""
    return connection.isolation == "rsu"


def _smus_by_rsu(description: BenchDescription) -> dict[str, Connection]:
    return {c.rsu: c for c in description.wiring.connections if c.rsu is not None}


def _number(source: str) -> int:
    channel = source.partition(".")[2]
    if not channel.isdigit() or int(channel) % 100 not in (1, 2) or not 1 <= int(channel) // 100 <= 10:
        raise ValueError(f"wiring: {source!r} is no WGFMU channel; they are numbered 101, 102, 201 .. 1002")
    return int(channel)
