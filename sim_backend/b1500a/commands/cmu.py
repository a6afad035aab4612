"""Settings of a capacitance unit, kept and told but not acted on: enough for programs that set up every module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim_backend.b1500a.commands.table import command
from sim_backend.b1500a.errors import FlexError

if TYPE_CHECKING:
    from sim_backend.b1500a.instrument import SimulatedB1500A

#: header -> required and optional parameters, and the number of *LRN? that tells it
STORED = {
    "WTDCV": ("nn", "nnn", 72),
    "WDCV": ("innni", "n", 72),
    "ACT": ("i", "i", 73),
    "IMP": ("i", "", 73),
    "LMN": ("i", "", 70),
}


def _store(header: str, required: str, optional: str) -> None:
    @command(header, required.replace("i", "n"), optional.replace("i", "n"))
    def store(b: SimulatedB1500A, *values: float) -> None:
        if not b.has_cmu:
            raise FlexError(151)
        b.setup.stored[header] = tuple(f"{value:g}" for value in values)


for _header, (_required, _optional, _) in STORED.items():
    _store(_header, _required, _optional)
