"""The simulated WGFMU library and the fast channels of a simulated B1500A (reference b1530a)."""

from __future__ import annotations

from collections.abc import Mapping

from sim_backend.heard import Heard
from sim_backend.wgfmu.diary import Diary
from sim_backend.wgfmu.execution import Execution
from sim_backend.wgfmu.mainframe import FastChannel, Mainframe, Rsu
from sim_backend.wgfmu.native import Native
from sim_backend.wgfmu.offline import Offline
from sim_backend.wgfmu.online import Online
from sim_backend.wgfmu.options import WgfmuOptions, make_options
from sim_backend.wgfmu.state import State

__all__ = ["FastChannel", "Mainframe", "Rsu", "SimulatedLibrary", "WgfmuOptions", "make_options"]


class SimulatedLibrary:
    """One process's WGFMU library, reaching the given mainframes by their VISA addresses.

    ``functions`` maps full names to C addresses (``visalib.wgfmu_functions``); they live as long as this object.
    """

    def __init__(
        self, mainframes: Mapping[str, Mainframe], options: WgfmuOptions | None = None, heard: Heard | None = None
    ) -> None:
        chosen = options or next((m.options for m in mainframes.values()), WgfmuOptions())

        def stamp() -> str:
            now = next((m.clock.now for m in mainframes.values()), 0.0)
            days, seconds = divmod(int(now), 86400)
            hours, rest = divmod(seconds, 3600)
            return f"2000/01/{1 + days:02d} {hours:02d}:{rest // 60:02d}:{rest % 60:02d}"

        self.state = State(mainframes, chosen, Diary(stamp, chosen.pop_shortens_summary))
        self._native = Native(self.state, [Offline(self.state), Online(self.state), Execution(self.state)], heard)

    @property
    def functions(self) -> dict[str, int]:
        """Full name -> address of the C function."""
        return dict(self._native.addresses)

    @property
    def crashes(self) -> list[BaseException]:
        """Exceptions inside functions that were no failures of the library's own: always empty, or a bug."""
        return self._native.crashes
