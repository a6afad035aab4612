"""H3 and H11 timed by the host and by the instruments: virtual duration, overhead, host round trips; a Markdown table.

python benchmarks/timing_modes.py [--quick]

Overhead is what is neither pulse nor settling nor integration: messages on their way, uploads, output relays, the time
until the generator's output has settled. Settling is the waits of the protocol, the moving relay, and what the meter
waits before a conversion; integration is every conversion, those of autozero and after a change of range too (their
share is told apart). Messages take no time on the way, or 2 to 20 ms, drawn anew for each (F31).

H11 by the host, a million triggers, is run with 10 000 cycles; what a cycle took there is counted a million times, and
the rest of the run is taken as it was.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labctl import api, load_run
from labctl.store import Run
from labctl.testing import bench_file

#: conversions of autozero at the start of each reading; s of one conversion
AUTOZERO, CONVERSION = 2, 20e-3
#: s that the relay of wiring T3 moves; s that these protocols wait after each pulse
RELAY, WAIT = 5e-3, 10e-3
LINKS = {"no time": ["0 s", "0 s"], "2-20 ms": ["2 ms", "20 ms"]}
CYCLES = 1_000_000
BURSTS = [1, 9, 90, 900, 9000, 90_000, 900_000]
FEWER = BURSTS[:5]


@dataclass
class Spent:
    """Where the time of a run went, s, and host round trips."""

    total: float
    pulses: float
    settling: float
    conversions: float
    extra: float  # of the conversions: autozero, and after changes of range
    turns: dict[str, int]

    @property
    def overhead(self) -> float:
        return self.total - self.pulses - self.settling - self.conversions

    def with_cycles(self, each: float, period: float, count: int) -> Spent:
        """With so many more cycles of ``each`` s, one round trip each."""
        turns = self.turns | {"afg": self.turns["afg"] + count}
        return Spent(
            self.total + each * count, self.pulses + period * count, self.settling, self.conversions, self.extra, turns
        )


def spent(run: Run) -> Spent:
    """From the rows and traces of a run: nothing is taken from the plan but its waits."""
    pulses = run.tables["pulse"]
    playing = float((np.where(pulses["count"] > 1, pulses["period"], pulses["width"]) * pulses["count"]).sum())
    settling = RELAY * len(run.tables["route"]) + WAIT * len(pulses)
    conversions = extra = 0.0
    for index in run.tables["resistance"]["trace"]:
        times = run.traces[int(index)]["time"]
        steps = np.diff(times)
        delay = float(steps.min()) - CONVERSION  # the shortest step: the delay of the range, and no change of it
        whole = float(times[-1] - times[0]) + delay + CONVERSION * (1 + AUTOZERO)
        repeated = int((steps[steps > 2 * CONVERSION] // CONVERSION - 1).sum())  # again, on another range
        counted = CONVERSION * (len(times) + AUTOZERO + repeated)
        conversions, settling = conversions + counted, settling + whole - counted
        extra += CONVERSION * (AUTOZERO + repeated)
    wire = run.wire
    turns = {}
    for name in ("afg", "smu"):
        ways = wire["direction"][wire["instrument"] == name]
        turns[name] = int(((ways == "<") & (ways.shift() == ">")).sum())
    return Spent(float(run.meta["elapsed"]), playing, settling, conversions, extra, turns)


def run_it(folder: Path, protocol: str, timing: Any, link: list[str], settings: dict[str, str]) -> Run:
    late = {"faults": {"link_latency": {"afg": link, "smu": link}}}
    file = bench_file(folder, "hnno", simulation=late)
    outcome = api.run(protocol, file, timing=timing, overrides=settings, out=folder / "runs")
    assert outcome.status == "complete", outcome.reason
    return load_run(outcome.path)


def row(what: str, timing: str, link: str, found: Spent, note: str = "") -> str:
    share, extra = found.overhead / found.total, found.extra / found.total
    turns = sum(found.turns.values())
    return (
        f"| {what} | {timing} | {link} | {found.total:,.0f} s | {found.overhead:,.1f} s, {share:.1%} | {extra:.1%} "
        f"| {turns:,} ({found.turns['afg']:,} + {found.turns['smu']:,}) | {note} |"
    )


def h3(folder: Path, timing: str, link: str, quick: bool) -> str:
    settings = {"fields": "{linspace: [0.17, 0.25, 3], unit: V/um}"} if quick else {}
    run = run_it(folder, "hnno/spiking_probability", timing, LINKS[link], settings)
    found = spent(run)
    levels = run.tables["pulse"]["field"].nunique()
    wire = run.wire
    first, last = (run.tables["pulse"].query("trial == 0")["wire"].iloc[k] for k in (0, -1))
    ways = wire.loc[int(first) + 1 : int(last)]
    per = {
        name: int(((w := ways["direction"][ways["instrument"] == name]).eq("<") & w.shift().eq(">")).sum())
        / (levels - 1)
        for name in ("afg", "smu")
    }
    return row(f"H3, {levels} x 30", timing, link, found, f"per level {per['afg']:.3g} + {per['smu']:.3g}")


def h11(folder: Path, timing: str, link: str, quick: bool) -> str:
    full = timing == "auto" and not quick
    bursts = BURSTS if full else FEWER
    run = run_it(folder, "hnno/endurance", timing, LINKS[link], {"bursts": str(bursts)})
    found, note = spent(run), ""
    left = CYCLES - sum(bursts)
    if left:
        events, pulses = run.events, run.tables["pulse"]
        burst = pulses[pulses["name"] == "cycles"].iloc[-1]
        before = events[events["event"] < burst["event"]]["time"].iloc[-1]
        each = burst["period"] if timing == "auto" else (burst["time"] - before) / burst["count"]
        found, note = (
            found.with_cycles(each, burst["period"], left),
            f"{each * 1e3:.2f} ms a cycle over {burst['count']:g}",
        )
        if timing == "auto":
            found.turns["afg"] -= left
    return row("H11, 1e6 cycles", timing, link, found, note)


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    print("| run | timing | a message takes | duration | overhead | autozero, ranges | round trips (afg + smu) | |")
    print("|---|---|---|---|---|---|---|---|")
    for measure in (h3, h11):
        for link in LINKS:
            for timing in ("host", "auto"):
                with tempfile.TemporaryDirectory() as folder:
                    print(measure(Path(folder), timing, link, quick), flush=True)


if __name__ == "__main__":
    main()
