"""A run that goes on is held against the device's budgets: other runs count, what it has applied itself counts once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl import api, load_run
from labctl.bench.loading import load_bench
from labctl.execution.acting import disturbs
from labctl.plan import operations as o
from labctl.plan.errors import RefusedByLimits
from labctl.plan.proof import Prover
from labctl.plan.resuming import Repreparation, once_more
from labctl.plan.sources import Sources
from labctl.protocol.catalogue import catalogue
from labctl.resume import resume
from labctl.store import Recorder, Run
from labctl.testing import bench_file

#: a pulse to prepare, then two at each of two levels: five
TRIALS = """\
protocol: 1
title: t
bench: hnno
steps:
  - state: {name: ready, prepare: [pulse: {at: pd, level: -1 V, width: 10 us, role: reset}]}
  - for: {v: [1 V, 2 V]}
    do:
      - repeat: 2
        do:
          - pulse: {at: pd, level: $v, width: 10 us, role: probe}
          - read: {resistance: pd, as: after, points: 5}
"""
THREE = (
    "protocol: 1\ntitle: t\nbench: hnno\nsteps:\n  - repeat: 3\n    do: [pulse: {at: pd, level: 1 V, width: 1 us}]\n"
)


class Lab:
    """A folder with the two protocols, a resistor on the bench that is kept from run to run, and its runs."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = patch
        (folder / "trials.yaml").write_text(TRIALS, encoding="utf-8")
        (folder / "three.yaml").write_text(THREE, encoding="utf-8")

    def bench(self, pulses: int) -> Path:
        kept = {"model": "resistor", "noise": False, "state": str(self.folder / "device.json")}
        device = {"kind": "resistor", "limits": {"pulses": pulses}}
        return bench_file(self.folder, "hnno", device=device, simulation=kept)

    def run(self, protocol: str, bench: Path, **options: Any) -> Run:
        done = api.run(self.folder / protocol, bench, out=self.folder / "runs", timing="host", **options)
        return load_run(done.path)

    def cut_in_pulse(self, pulse: int, go: Callable[[], Any]) -> Path:
        """Ctrl+C when the pulse of this number (from 0) was sent, and is not stored."""
        append, seen = Recorder.append, [0]

        def interrupted(recorder: Recorder, kind: str, *row: Any) -> int:
            if kind == "pulse":
                seen[0] += 1
                if seen[0] > pulse:
                    raise KeyboardInterrupt
            return append(recorder, kind, *row)

        with self._patch.context() as patch:
            patch.setattr(Recorder, "append", interrupted)
            path: Path = go().path
        return path


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path, monkeypatch)


def test_what_the_run_has_applied_counts_once(lab: Lab) -> None:
    """Four of five pulses are stored when it is cut; five are the budget."""
    bench = lab.bench(5)
    first = lab.cut_in_pulse(4, lambda: lab.run("trials.yaml", bench))
    assert len(load_run(first).tables["pulse"]) == 4
    assert resume(first, on_resume="skip").status == "complete"


@pytest.mark.parametrize("pulses", [7, 8])
def test_other_runs_count_those_since_too(lab: Lab, pulses: int, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = lab.bench(pulses)
    first = lab.cut_in_pulse(3, lambda: lab.run("trials.yaml", bench))
    lab.run("three.yaml", bench)
    lab.run("three.yaml", bench, device="N7")  # another device
    if pulses == 8:
        assert resume(first, on_resume="skip").status == "complete"
        return
    monkeypatch.setattr("labctl.bench.opening.open_bench", None)  # nothing is opened
    with pytest.raises(RefusedByLimits, match=r"pulses 8 is beyond the limit 7 .*on pd, 3 of it in earlier runs") as no:
        resume(first, on_resume="skip")
    assert no.value.exit_code == 3


@pytest.mark.parametrize("pulses", [6, 7])
def test_what_is_done_once_more_counts(lab: Lab, pulses: int) -> None:
    """The preparation and the trial that was cut, whose pulse may have reached the device: two more."""
    bench = lab.bench(pulses)
    first = lab.cut_in_pulse(3, lambda: lab.run("trials.yaml", bench))
    if pulses == 7:
        assert resume(first, on_resume="reprepare").status == "complete"
        assert len(load_run(next(first.parent.glob("*_resumed.h5"))).tables["pulse"]) == 6
    else:
        with pytest.raises(RefusedByLimits, match="pulses 7 is beyond the limit 6"):
            resume(first, on_resume="reprepare")


def test_what_was_done_once_more_before_counts(lab: Lab) -> None:
    """Prepared again twice, and cut twice: 5 and 2 and 2."""
    bench = lab.bench(8)
    first = lab.cut_in_pulse(2, lambda: lab.run("trials.yaml", bench))
    second = lab.cut_in_pulse(2, lambda: resume(first, on_resume="reprepare"))
    with pytest.raises(RefusedByLimits, match="pulses 9 is beyond the limit 8"):
        resume(second, on_resume="reprepare")
    assert resume(second, on_resume="skip").status == "complete"


def test_a_run_that_was_resumed_already_counts_in_full(lab: Lab) -> None:
    """What the first resumption added is not what the second one shall do: 5, and 2 of the other file."""
    bench = lab.bench(6)
    first = lab.cut_in_pulse(3, lambda: lab.run("trials.yaml", bench))
    assert len(load_run(resume(first, on_resume="skip").path).tables["pulse"]) == 3 + 1
    again = load_run(resume(first, on_resume="skip").path)  # 5, and 1 of the other file
    assert again.meta["status"] == "complete"
    with pytest.raises(RefusedByLimits, match="pulses 7 is beyond the limit 6"):
        resume(first, on_resume="skip")


def test_from_the_command_line(lab: Lab) -> None:
    bench = lab.bench(7)
    first = lab.cut_in_pulse(3, lambda: lab.run("trials.yaml", bench))
    lab.run("three.yaml", bench)
    (first.parent / "bad.h5").write_bytes(b"")
    command = [sys.executable, "-m", "labctl", "resume", str(first), "--on-resume", "skip"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 3
    said = refused.stderr.splitlines()
    assert len(said) == 2
    assert "trials.yaml:10:13: pulses 8 is beyond the limit 7 of the device (on pd, 3 of it in earlier runs)" in said[0]
    assert not list(first.parent.glob("*_resumed*"))


@pytest.mark.parametrize("name", [entry.name for entry in catalogue() if entry.name.startswith("hnno/")])
def test_a_pass_once_more_is_no_more_than_the_plan(name: str) -> None:
    """Whatever step is in doubt."""
    allow = ["erase"] if name == "hnno/return_to_initial" else []
    plan = api.prepare(name, allow=allow).plan
    bench = load_bench(plan.bench)
    states = [op.node for op in o.walk(plan.ops) if isinstance(op, o.EnterState)]
    for step in dict.fromkeys(op.node for op in o.walk(plan.ops) if disturbs(op)):
        prover = Prover(bench, Sources(bench), plan.nodes, plan.allowed)
        prover.count(once_more(plan.ops, Repreparation(step, states[0] if states else None)))
        once = prover.dose.of("pd")
        whole = plan.dose.of("pd")
        assert 0 < once.charge <= whole.charge
        assert once.count() <= whole.count()
        assert all(once.above(level) <= whole.above(level) * (1 + 1e-9) for level, _ in once.held)
