"""Every command of the AFG31000 (reference afg31000 sec. 5-13), one room per group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim_backend.afg31000.commands import (
    common,
    memory,
    modulation,
    pulse,
    sequence,
    source,
    system,
    voltage,
)
from sim_backend.afg31000.commands.build import Maker
from sim_backend.scpi import Command

if TYPE_CHECKING:
    from sim_backend.afg31000.instrument import SimulatedAFG31000


def command_table(afg: SimulatedAFG31000) -> Iterator[Command]:
    """Commands of one instrument."""
    make = Maker(afg.options, afg.replies, afg.arbiter)
    yield from common.common_commands(afg, make)
    yield from common.self_test_commands(afg)
    yield from common.trigger_commands(afg, make)
    yield from common.setup_commands(afg, make)
    node = f"[SOURce<{afg.model.channels}>:]"
    for group in (
        source.function_commands,
        source.frequency_commands,
        source.phase_commands,
        voltage.voltage_commands,
        pulse.pulse_commands,
        pulse.burst_commands,
        modulation.sweep_commands,
        modulation.modulation_commands,
        modulation.noise_commands,
    ):
        yield from group(afg, make, node)
    yield from voltage.output_commands(afg, make)
    yield from memory.data_commands(afg)
    yield from memory.file_commands(afg)
    yield from memory.legacy_commands(afg)
    yield from sequence.control_commands(afg, make)
    yield from sequence.sequence_commands(afg, make)
    yield from sequence.waveform_list_commands(afg)
    yield from system.status_commands(afg, make)
    yield from system.system_commands(afg, make)
