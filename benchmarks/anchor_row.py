"""One line of the anchor table, and how numbers are written in it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "anchors"))  # the closed forms and the laboratory

from anchor_bench import Measured

from labctl.analysis import Result
from labctl.analysis.intervals import wilson

SEED = 1
LIGHT = {"parameters": {"r_ns": 4e6, "r_s": 8e5}}  #: draws so little that the node is at the set level


@dataclass(frozen=True)
class Row:
    """One line of the table; ``accepted`` says whether ``measured`` lies within ``tolerance``."""

    number: str
    anchor: str
    paper: str
    predicted: str
    measured: str
    tolerance: str
    accepted: bool
    command: str


def share(hits: int, trials: int) -> str:
    ends = wilson(hits, trials)
    return f"{hits / trials:.3f} ({float(ends.low):.3f} to {float(ends.high):.3f}), {hits}/{trials}"


def volts(result: Result) -> str:
    return f"{result.value:.3f} ({result.low:.3f} to {result.high:.3f}) V"


def command(done: Measured, bench: str = "") -> str:
    text = done.command.replace("run ", "run tests/anchors/", 1) if ".yaml" in done.command else done.command
    return f"`{text}`" + (f"; {bench}" if bench else "")
