"""Bad input of the AAB bench through the command line: what is wrong and the rule, what to do, nothing driven.

``labctl``'s own entry point in this process, so that the simulated bench can be asked what it has seen.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from drivers.wgfmu_library import LibraryMissing, WgfmuError, load_functions
from labctl import api, load_run
from labctl.bench.loading import find_bench
from labctl.cli import main
from labctl.store.flags import Flags
from labctl.testing import bench_file


@dataclass(frozen=True)
class Said:
    """Exit code of a command and its lines on stderr but for the mark of a simulated bench; the run file, if any."""

    code: int
    lines: list[str]
    run: Any

    @property
    def trace(self) -> dict[str, Any]:
        """Points of the run's only sweep."""
        (index,) = self.run.tables["sweep"]["trace"]
        return dict(self.run.traces[int(index)])


Labctl = Callable[..., Said]


@pytest.fixture(name="labctl_run")
def labctl_run_fixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], worlds: list[Any]
) -> Labctl:
    """``labctl_run(step_or_protocol, *options)``: ``labctl run`` of one step, on a file, or of a shipped protocol."""
    out = tmp_path / "out"

    def run(protocol: str, *options: str | Path, bench: str = "aab") -> Said:
        if not protocol.startswith("aab/"):
            file = tmp_path / "bad.yaml"
            file.write_text(f"protocol: 1\ntitle: t\nbench: {bench}\nsteps:\n  - {protocol}\n", encoding="utf-8")
            protocol = str(file)
        arguments = ["labctl", "run", protocol, *map(str, options), "--out", str(out)]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as end:
            main()
        lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("SIMULATED")]
        files = list(out.glob("*.h5")) if out.exists() else []
        for world in worlds:
            assert not any(port.connected for port in world.circuit.ports.values())
        return Said(int(end.value.code or 0), lines, load_run(files[0]) if files else None)

    return run


def refused(said: Said, code: int, *words: str) -> None:
    """Two lines, the words in the first, and no run file."""
    assert said.code == code, said.lines
    assert len(said.lines) == 2, said.lines
    assert said.lines[0].startswith("labctl: ")
    assert said.lines[1].startswith("        ")
    for word in words:
        assert word in said.lines[0], said.lines
    assert said.run is None


# -- refused by the plan: exit code 3, or 2 where no value would help; nothing opened ---------------------------------


@pytest.mark.parametrize(
    ("step", "rule"),
    [
        ("pulse: {at: gate, level: 10 V, base: -1 V, width: 1 ms}", "levels of one sign beyond 5 V"),
        ("pulse: {at: gate, level: 11 V, width: 1 ms}", "highest open-circuit voltage"),
        ("pulse: {at: gate, level: 45 V, width: 1 ms}", "gate against common"),
        ("bias: {at: gate, level: 45 V, for: 1 s}", "gate against common"),
        ("train: {at: gate, level: -10 V, width: 100 ns, gap: 100 ns, count: 9, shape: triangle}", "allow: fast_edges"),
        (
            "train: {at: gate, pulses: [" + ", ".join(["{level: 1 V, width: 1 us}"] * 513) + "], gap: 1 us, count: 3}",
            "vectors 2052 is beyond the limit 2048",
        ),
    ],
)
def test_bad_levels_and_patterns(labctl_run: Labctl, worlds: list[Any], step: str, rule: str) -> None:
    refused(labctl_run(step), 3, rule, "bad.yaml:5:5")
    assert worlds == []


PULSE = "pulse: {at: gate, level: 5 V, width: 1 ms}"


def only_behind_rsu(folder: Path) -> Path:
    """The bench without the connections that the operator makes."""
    text = find_bench("aab").read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if "manual: true" not in line)
    file = folder / "w1.yaml"
    file.write_text(kept, encoding="utf-8")
    return file


def test_f18_without_a_way_round_the_rsu_40_v_are_refused(
    labctl_run: Labctl, worlds: list[Any], tmp_path: Path
) -> None:
    said = labctl_run("aab/conditioning", "--bench", only_behind_rsu(tmp_path))
    refused(said, 3, "40 V is beyond the limit 25 V of the wiring (path of b1500.3)")
    assert worlds == []


def test_a_fast_channel_without_its_rsu(labctl_run: Labctl, worlds: list[Any], tmp_path: Path) -> None:
    """Where the bench file tells; where it does not, only driving the channel does (reference b1530a sec. 1)."""
    text = only_behind_rsu(tmp_path).read_text(encoding="utf-8")
    bare = "\n".join(
        line.replace("isolation: rsu, ", "") if "from: wgfmu.101" in line else line
        for line in text.splitlines()
        if "from: b1500.3" not in line
    )
    file = tmp_path / "bare.yaml"
    file.write_text(bare, encoding="utf-8")
    said = labctl_run(PULSE, "--bench", file)
    refused(said, 2, "bad.yaml:5:5: wgfmu.101 drives through its RSU only, and the wiring of bench 'aab' has none")
    assert "isolation: rsu" in said.lines[1]
    assert worlds == []


def drain_curve(more: str) -> str:
    """An output curve at the peak, where the drain draws 1 nA at 2 V."""
    return f"sweep: {{at: drain, from: 0 V, to: 5 V, points: 11, bias: {{gate: -5 V}}, as: x, {more}}}"


def test_a_sweep_that_must_reach_its_compliance(labctl_run: Labctl, worlds: list[Any]) -> None:
    said = labctl_run(drain_curve("range: 10 nA, compliance: 10 pA"))
    refused(said, 3, "bad.yaml:5:5: current 20 pA is beyond the limit 10 pA of the sweep (compliance of drain;")
    assert "by 10 pA" in said.lines[0]
    assert worlds == []


# -- refused when the bench is opened: exit code 4, nothing driven -----------------------------------------------------


def high_gate(folder: Path, voltage: str) -> Path:
    """A bench whose device and cables bear a gate beyond 42 V, with the interlock open."""
    return bench_file(
        folder,
        "aab",
        device={"limits": {"voltage": {"gate": voltage}}},
        wiring={"limits": {"gate": voltage}},
        simulation={"faults": {"interlock_open": ["b1500"]}},
    )


def test_an_open_interlock_is_found_before_anything_is_driven(
    labctl_run: Labctl, worlds: list[Any], tmp_path: Path
) -> None:
    """The bias is the plan's third step; the operator is asked nothing, the first curve is not taken."""
    said = labctl_run("aab/conditioning", "--bench", high_gate(tmp_path, "50 V"), "--set", "level=45 V")
    rule = "safety interlock of 'b1500' (GPIB0::17::INSTR) is open: beyond 42 V it must be closed"
    refused(said, 4, "gate is to reach 45 V", rule)
    assert (worlds[-1].circuit.extremes["gate"].highest, worlds[-1].circuit.extremes["gate"].lowest) == (0.0, 0.0)


def test_an_open_interlock_is_no_matter_up_to_42_v(tmp_path: Path) -> None:
    done = api.run(
        "aab/conditioning",
        high_gate(tmp_path, "42 V"),
        overrides={"duration": "1 s", "level": "42 V"},
        out=tmp_path,
        ask_operator=lambda *step: None,
    )
    assert done.status == "complete"


REAL = """bench: 1
name: real
title: t
visa: '@py'
instruments: {wgfmu: {driver: b1530a, address: 'GPIB0::17::INSTR'}}
device: {id: d, kind: aab, limits: {voltage: {gate: 42 V}, current: 100 uA}}
wiring: {connections: [{from: wgfmu.101, to: gate, isolation: rsu}, {from: common, to: source}]}
"""


@pytest.mark.parametrize(
    ("windows", "rule"),
    [(True, "wgfmu.dll cannot be loaded"), (False, "WGFMU instrument library exists for Windows only")],
)
def test_a_missing_library(
    labctl_run: Labctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: bool, rule: str
) -> None:
    file = tmp_path / "real.yaml"
    file.write_text(REAL, encoding="utf-8")
    if windows:

        def windll(name: str) -> None:
            raise OSError(f"Could not find module '{name}'")

        monkeypatch.setattr("drivers.wgfmu_library.sys", SimpleNamespace(platform="win32"))
        monkeypatch.setattr("ctypes.WinDLL", windll, raising=False)
    said = labctl_run(PULSE, "--bench", file)
    refused(said, 4, "wgfmu", rule)
    assert "--simulate" in said.lines[1]


def test_the_loader_names_the_way_out() -> None:
    with pytest.raises(LibraryMissing, match="--simulate"):
        load_functions()


# -- found in the run: outputs off, what was measured is kept ----------------------------------------------------------


def test_another_channel_of_the_module_has_no_rsu(simulated_bench: Callable[..., Any]) -> None:
    channel = simulated_bench("aab").instruments["wgfmu"].channel("202")
    channel.prepare_pulse(5.0, width=1e-3)
    with pytest.raises(WgfmuError, match="RSU is not connected"):
        channel.output(True)


def stopped(said: Said, flags: Flags, *words: str) -> None:
    """Exit code 3; a warning of the flagged row, then what is wrong and where the file is."""
    lines = [line for line in said.lines if not re.match("labctl: warning: .*bad.yaml:", line)]  # of the plan
    assert (said.code, said.run.meta["status"], said.run.meta["reason"]) == (3, "stopped", lines[1][8:])
    assert len(lines) == 3
    for word in words:
        assert word in lines[1], lines
    assert "what was measured is in" in lines[2]
    assert said.run.tables["sweep"]["flags"].tolist() == [int(flags)]


def test_a_sweep_into_compliance_is_stopped_and_kept(labctl_run: Labctl, worlds: list[Any]) -> None:
    said = labctl_run(drain_curve("range: 10 nA, compliance: 1 nA"))
    rule = "bad.yaml:5:5: sweep 'x' ran into the compliance 1 nA of drain at 2 V on drain"
    stopped(said, Flags.COMPLIANCE, rule, "on_compliance: flag")
    assert said.trace["set"].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert (np.asarray(said.trace["status"]) & 1).tolist() == [0, 0, 0, 0, 1]
    assert worlds[-1].circuit.extremes["drain"].highest <= 2.0


def test_compliance_of_a_terminal_that_is_only_held_stops_too(labctl_run: Labctl) -> None:
    step = (
        "sweep: {at: gate, from: -6 V, to: 5 V, points: 12, bias: {drain: 2 V}, hold: 1 s, dwell: 0.5 s, range: 10 nA,"
        " compliance: {gate: 1 uA, drain: 100 pA}, as: x}"
    )
    stopped(labctl_run(step), Flags.COMPLIANCE, "ran into the compliance 100 pA of drain at -6 V on gate")


def test_an_overflow_ends_such_a_sweep_and_says_so(labctl_run: Labctl) -> None:
    """The instrument's automatic abort knows no difference; the message does."""
    said = labctl_run(drain_curve("range: 1 nA, compliance: 10 nA"))
    stopped(said, Flags.OVERFLOW, "the current of drain passed its range at 2 V on drain", "take a larger 'range'")


def test_a_sweep_of_a_2636b_stops_at_compliance_too(labctl_run: Labctl) -> None:
    step = "sweep: {at: pd, from: 0 V, to: 3 V, points: 11, mode: cyclic, compliance: 4 uA, as: x}"
    said = labctl_run(step, bench="hnno")
    trace = said.trace
    stopped(said, Flags.COMPLIANCE, f"ran into the compliance 4 uA of pd at {trace['set'][-1]:g} V on pd")
    assert (np.abs(trace["current"][:-1]) < 4e-6 * 0.999).all()
    assert trace["current"][-1] == pytest.approx(4e-6, rel=1e-3)
    assert 1.0 < trace["set"][-1] < 3.0


def test_a_sweep_into_compliance_goes_on_if_that_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "flagged.yaml"
    step = drain_curve("range: 10 nA, compliance: 1 nA, on_compliance: flag")
    file.write_text(f"protocol: 1\ntitle: t\nbench: aab\nsteps:\n  - {step}\n", encoding="utf-8")
    done = api.run(file, out=tmp_path)
    assert (done.status, done.flagged, done.flags) == ("complete", 1, int(Flags.COMPLIANCE))
    run = load_run(done.path)
    trace = run.traces[int(run.tables["sweep"]["trace"].iloc[0])]
    assert len(trace["current"]) == 11  # kept, each with its status
    limited = (np.asarray(trace["status"]) & 1).astype(bool)
    assert 0 < limited.sum() < 11
    assert np.asarray(trace["current"])[limited] == pytest.approx(1e-9, rel=0.05)
