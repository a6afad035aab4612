"""``labctl rerun`` and ``labctl diff``: the same run is the same to the bit, and what is not is named."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest

from labctl import api, load_run
from labctl.rerun import rerun
from labctl.resume import resume
from labctl.store import RunFileError
from labctl.store.compare import Difference, compare_runs
from labctl.testing import bench_file
from tests.cli.conftest import Labctl

TRIALS = """
protocol: 1
title: Trials
parameters:
  level: {value: 4.2 V}
steps:
  - for: {height: [$level, 3 V]}
    order: shuffled
    do:
      - repeat: 2
        do:
          - pulse: {at: pd, level: $height, width: 100 us}
          - read: {resistance: pd, as: after_pulse}
          - pulse: {at: pd, level: -4.2 V, width: 100 us, role: reset}
          - read: {resistance: pd, as: after_reset}
"""
MAIN = """
protocol: 1
title: Main
bench: hnno
steps:
  - use: parts/trials.yaml
    set: {level: 4 V}
"""


def make(folder: Path, **options: Any) -> Path:
    """A run of a protocol that uses another; both files, and the bench's if it is ours, are gone afterwards."""
    (folder / "parts").mkdir(exist_ok=True)
    (folder / "parts" / "trials.yaml").write_text(options.pop("trials", TRIALS), encoding="utf-8")
    (folder / "main.yaml").write_text(MAIN, encoding="utf-8")
    path = api.run(folder / "main.yaml", out=folder / "runs", **options).path
    (folder / "main.yaml").unlink()
    (folder / "parts" / "trials.yaml").unlink()
    return path


def sections(differences: list[Difference] | tuple[Difference, ...]) -> set[str]:
    return {difference.section for difference in differences}


def test_a_run_is_repeated_from_its_file_alone(tmp_path: Path) -> None:
    found = rerun(make(tmp_path, seed=7))
    assert found.same, found.differences
    assert found.whole
    assert (found.events, found.traces) == (32, 8)
    assert found.messages > 50


def test_the_kept_device_state_and_a_bench_of_real_addresses_are_repeated_without_touching_them(tmp_path: Path) -> None:
    state = tmp_path / "device.json"
    bench = bench_file(tmp_path, simulation={"state": str(state)})
    make(tmp_path, bench=bench)
    second = make(tmp_path, bench=bench)
    kept = state.read_bytes()
    bench.unlink()
    assert rerun(second).same
    assert state.read_bytes() == kept
    real = bench_file(tmp_path, visa="@py")
    third = make(tmp_path, bench=real, simulate=True)
    real.unlink()
    assert rerun(third).same


def test_a_file_that_says_something_else_than_happened_is_found_out(tmp_path: Path) -> None:
    path = make(tmp_path)
    with h5py.File(path, "r+") as file:
        file["entry/events/resistance/value"][2] += 1e-6
    (difference,) = rerun(path).differences
    assert difference.what.startswith("resistance.value, 1 of 8, first event ")


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_an_interrupted_run_is_compared_as_far_as_it_went(tmp_path: Path, end: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "labctl", "run", "hnno/spiking_probability", "--out", str(tmp_path), "--progress=json"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("{"):
            child.send_signal(signal.Signals[end])
            break
    child.communicate()
    (path,) = tmp_path.glob("*.h5*")
    assert load_run(path).meta["status"] == {"SIGTERM": "stopped", "SIGKILL": "failed"}[end]
    found = rerun(path)
    assert found.same, found.differences
    assert not found.whole


def interrupt_after(events: int) -> Any:
    """An observer that stops the run as Ctrl+C does."""
    seen = iter(range(events))

    def progress(event: object) -> None:
        if next(seen, None) is None:
            raise KeyboardInterrupt

    return progress


def agree(step: str, what: str) -> None:
    """The operator carries out every step."""


@pytest.mark.parametrize("events", [3, None])
def test_the_transistor_s_bench_is_repeated_and_compared_as_well(tmp_path: Path, events: int | None) -> None:
    """C calls of the WGFMU library, FLEX messages, operator steps."""
    progress = {} if events is None else {"progress": interrupt_after(events)}
    run = load_run(api.run("aab/conditioned_pulse", out=tmp_path, seed=3, ask_operator=agree, **progress).path)
    assert run.meta["status"] == ("complete" if events is None else "stopped")
    assert {"wgfmu", "b1500", "labctl"} <= set(run.wire["instrument"]) or events
    found = rerun(run.path)
    assert found.same, found.differences
    assert (found.events, found.messages, found.whole) == (len(run.events), len(run.wire), events is None)
    if events is None:
        other = compare_runs(run, load_run(api.run("aab/conditioned_pulse", out=tmp_path, ask_operator=agree).path))
        assert Difference("run", "seed", "3", "1") in other
        assert {"events", "traces", "wire"} <= sections(other)
        assert not sections(other) & {"protocol", "bench", "parameters", "versions", "instruments"}


def test_a_run_that_continues_another_one_is_not_repeated(tmp_path: Path) -> None:
    path = api.run("hnno/resistance_read", out=tmp_path, progress=interrupt_after(3)).path
    with pytest.raises(RunFileError, match=f"this run continues {path.name}"):
        rerun(resume(path).path)


def test_a_hardware_run_cannot_be_repeated(tmp_path: Path, labctl: Labctl, capsys: pytest.CaptureFixture[str]) -> None:
    from labctl.store import Header, Recorder, event_tables

    with Recorder.create(tmp_path / "real.h5", Header(protocol="protocol: 1"), event_tables()) as recorder:
        path = recorder.finish("complete")
    assert labctl("rerun", path) == 5
    lines = capsys.readouterr().err.splitlines()
    assert ("not a simulated run" in lines[0], len(lines)) == (True, 2)


def test_diff_names_what_differs(tmp_path: Path) -> None:
    first = load_run(make(tmp_path, seed=1))
    assert not compare_runs(first, first)
    assert not compare_runs(first, load_run(make(tmp_path, seed=1, operator="someone else", note="again")))

    seed = compare_runs(first, load_run(make(tmp_path, seed=2)))
    assert {"run", "plan", "events", "traces"} <= sections(seed)
    assert not sections(seed) & {"protocol", "bench", "parameters", "versions"}
    assert Difference("run", "seed", "1", "2") in seed

    text = compare_runs(first, load_run(make(tmp_path, seed=1, trials=TRIALS.replace("3 V", "3.1 V"))))
    assert any(d.section == "protocol" and "trials.yaml line 7" in d.what for d in text)

    bench = bench_file(tmp_path, device={"id": "other"})
    other = compare_runs(first, load_run(make(tmp_path, seed=1, bench=bench)))
    assert {"bench", "run"} <= sections(other)


def test_diff_and_rerun_on_the_command_line(tmp_path: Path, labctl: Labctl, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = make(tmp_path, seed=1), make(tmp_path, seed=2)
    assert labctl("diff", first, first, "--json") == 0
    assert json.loads(capsys.readouterr().out)["same"] is True
    assert labctl("diff", first, second, "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert said["same"] is False
    assert {"section", "what", "first", "second"} == set(said["differences"][0])
    assert labctl("diff", first, second) == 1
    assert "run: seed: 1 -> 2" in capsys.readouterr().out
    assert labctl("rerun", first, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["same"], said["whole"], said["differences"]) == (True, True, [])
    assert said["events"] == 32


def test_a_repetition_that_differs_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run made with another labctl, whose readings came out otherwise."""
    from labctl.numerics import fit_resistance

    def nearly(volts: Any, amps: Any, status: Any) -> Any:
        return fit_resistance(volts * (1 + 1e-15), amps, status)

    monkeypatch.setattr("labctl.execution.acting.fit_resistance", nearly)
    path = make(tmp_path)
    monkeypatch.undo()
    found = rerun(path)
    assert not found.same
    assert sections(found.differences) == {"events"}
    assert any(d.what.startswith("resistance.value") for d in found.differences)
