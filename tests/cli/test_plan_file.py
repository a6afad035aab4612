"""A plan kept in a file: run on the bench that it was proved on, refused when it or the bench was edited."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl import api, load_run
from labctl.plan.errors import EditedPlan, ForeignPlan, PlanError, RefusedByLimits
from labctl.plan.plan_file import is_plan_file
from labctl.store import StorageError
from labctl.testing import bench_file

PROTOCOL = """
protocol: 1
title: Plan me
bench: hnno
parameters:
  level: {value: 4.2 V}
steps:
  - use: parts/pulse.yaml
    set: {level: $level}
  - read: {resistance: pd, as: after_pulse}
"""
PART = """
protocol: 1
title: A pulse
parameters:
  level: {value: 4 V}
steps:
  - repeat: 2
    do:
      - pulse: {at: pd, level: $level, width: 100 us}
"""


def labctl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labctl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    return bench_file(tmp_path)


@pytest.fixture
def saved(tmp_path: Path, bench: Path) -> Path:
    """A plan file whose protocol files are gone."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "main.yaml").write_text(PROTOCOL, encoding="utf-8")
    (tmp_path / "parts" / "pulse.yaml").write_text(PART, encoding="utf-8")
    ready = api.prepare(tmp_path / "main.yaml", bench, overrides={"level": "4.1 V"}, seed=7)
    api.save_plan(ready, tmp_path / "PLAN.json")
    (tmp_path / "main.yaml").unlink()
    (tmp_path / "parts" / "pulse.yaml").unlink()
    return tmp_path / "PLAN.json"


def edit(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(file.read_text(encoding="utf-8"))
    change(data)
    file.write_text(json.dumps(data), encoding="utf-8")


def test_from_the_command_line(saved: Path, bench: Path, tmp_path: Path) -> None:
    """Checked, run, and refused after somebody moved a level in it: exit code 3, two lines, no traceback."""
    assert "inside all limits" in labctl("check", saved).stdout
    done = labctl("run", saved, "--out", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    meta = load_run(done.stdout.splitlines()[-1]).meta
    assert meta["plan_hash"] == json.loads(saved.read_text(encoding="utf-8"))["hash"]
    assert (meta["seed"], meta["resolved"]["overrides"]) == (7, {"level": "4.1 V"})

    edit(saved, lambda data: data["plan"]["ops"][1]["body"][1]["parts"][0]["level"].update(constant=5.2))
    done = labctl("run", saved, "--out", tmp_path / "runs")
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        f"labctl: {saved}: not the plan that its own protocol and bench give: "
        "ops[1].body[1].parts[0].level.constant: 5.2 in the file, 4.1 as planned",
        "        change the protocol, not its plan, and plan again: labctl plan PROTOCOL --save PLAN.json",
    ]
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_labctl_plan_saves(tmp_path: Path) -> None:
    done = labctl("plan", "hnno/resistance_read", "--json", "--save", tmp_path / "p.json")
    assert done.returncode == 0, done.stderr
    said, kept = json.loads(done.stdout), json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert said["hash"] == kept["hash"]
    assert said["fingerprint"] == kept["bench"]["fingerprint"]
    assert kept["bench"]["file"] == "hnno"  # a shipped bench by its name, wherever it is installed
    assert api.prepare(tmp_path / "p.json").plan.hash == kept["hash"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda d: d.update(hash="00"), "hash: 00 in the file"),
        (lambda d: d.update(seed=8), "seed: 7 in the file, 8 as planned"),
        (lambda d: d["bench"].update(fingerprint="00"), "bench.fingerprint: 00 in the file"),
        (lambda d: d["protocol"]["overrides"].update(level="4.3 V"), "(level = 4.1 V) in the file"),
        (lambda d: d["bench"].update(text=d["bench"]["text"].replace("5.5 V", "5 V")), "pd: 5.5 V in the file, 5 V"),
        (lambda d: d["plan"]["proved_on"]["device"].update(id="x"), "proved_on.device.id: x in the file"),
        (lambda d: d["plan"]["ops"].pop(), "ops[3]: (none) in the file"),
        (lambda d: d["plan"]["cost"].update(pulses=1), "cost.pulses: 1 in the file, 2.0 as planned"),
        (lambda d: d["plan"].update(warnings=["all is well"]), "warnings[0]: all is well in the file, (none) as"),
    ],
)
def test_any_edit_is_refused_with_its_place(saved: Path, change: Callable[[dict[str, Any]], None], place: str) -> None:
    edit(saved, change)
    with pytest.raises(EditedPlan) as refusal:
        api.prepare(saved)
    assert place in refusal.value.message, refusal.value.message
    assert refusal.value.exit_code == 3


def test_an_older_labctl_is_named_as_the_reason(saved: Path) -> None:
    edit(saved, lambda data: data.update(labctl="0.0.1", hash="00"))
    with pytest.raises(EditedPlan) as refusal:
        api.prepare(saved)
    assert "made by labctl 0.0.1" in refusal.value.hint


def test_an_edited_bench_is_refused(saved: Path, bench: Path) -> None:
    bench.write_text(bench.read_text(encoding="utf-8").replace("5.5 V", "6 V"), encoding="utf-8")
    with pytest.raises(ForeignPlan, match=r"device\.limits\.voltage\.pd: 5\.5 V then, 6 V now") as refusal:
        api.prepare(saved)
    assert refusal.value.exit_code == 3


def test_another_bench_is_refused_and_a_moved_one_taken(saved: Path, bench: Path, tmp_path: Path) -> None:
    with pytest.raises(ForeignPlan, match="not on this 'hnno_t1'"):
        api.prepare(saved, "hnno_t1")
    moved = bench.rename(tmp_path / "moved.yaml")
    with pytest.raises(PlanError, match="neither a file nor a shipped bench") as error:
        api.prepare(saved)
    assert "--bench" in error.value.hint
    assert api.prepare(saved, moved).bench_file == moved


@pytest.mark.parametrize("options", [{"overrides": {"level": "4 V"}}, {"seed": 3}, {"allow": ("erase",)}])
def test_a_plan_file_takes_no_parameters(saved: Path, options: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="its own parameters"):
        api.prepare(saved, **options)


def test_a_refused_plan_is_not_saved(tmp_path: Path) -> None:
    file = bench_file(tmp_path, device={"limits": {"voltage": {"pd": "50 mV"}}})
    with pytest.raises(RefusedByLimits):
        api.save_plan(api.prepare("hnno/resistance_read", file), tmp_path / "p.json")
    assert not (tmp_path / "p.json").exists()


def test_no_folder_to_save_in(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        api.save_plan(api.prepare("hnno/resistance_read"), tmp_path / "none" / "p.json")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read as a plan file"),
        (b'{"labctl_plan": 1, ', "cannot be read as a plan file"),
        (b"\xff\xfe{}", "cannot be read as a plan file"),
        (b"[" * 100_000, "cannot be read as a plan file"),
        (b"{}", "no plan file of labctl"),
        (b"[1]", "no plan file of labctl"),
        (b'{"labctl_plan": 2}', "not a whole plan file: labctl_plan"),
        (b'{"labctl_plan": 1}', "not a whole plan file: labctl: Field required"),
    ],
)
def test_what_is_no_plan_file_is_a_wrong_file(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "p.json"
    file.write_bytes(content)
    with pytest.raises(PlanError, match=words) as error:
        api.prepare(file)
    assert error.value.exit_code == 2


def test_plan_files_are_told_by_suffix_and_content(tmp_path: Path, saved: Path) -> None:
    assert is_plan_file(saved)
    assert is_plan_file(saved.rename(tmp_path / "night.plan"))
    (tmp_path / "p.yaml").write_text(PROTOCOL, encoding="utf-8")
    for other in (tmp_path / "p.yaml", tmp_path, "hnno/demo", "none.json", "x\0y", "x" * 5000):
        assert not is_plan_file(other)
