"""Plans that must not be carried out, through the command line: place and reason, exit code, and no instrument opened.

Exit code 2 where the file itself is wrong, 3 where limits or another bench refuse it. The simulated bench keeps a
record of what its instruments hear: there must be none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.testing import bench_file

Labctl = Callable[..., int]
Refused = Callable[..., list[str]]

LOOP = """
protocol: 1
title: Pulses until the device switches
parameters:
  level: {value: 4 V}
  rounds: {value: 5, min: 1}
steps:
  - read: {resistance: pd, as: first}
  - until: {reading: after, below: 100 kohm}
    at_most: $rounds
    do:
      - pulse: {at: pd, level: $level, width: 100 us}
      - read: {resistance: pd, as: after}
"""


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    return tmp_path / "heard.txt"


@pytest.fixture
def bench(tmp_path: Path, heard: Path) -> Path:
    return bench_file(tmp_path, "hnno", simulation={"heard": str(heard)})


@pytest.fixture
def refused(labctl: Labctl, heard: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """``check``, ``plan --transcript`` and ``run`` all refuse it in the same two lines; returns these."""

    def call(code: int, protocol: Path | str, *options: Path | str) -> list[str]:
        runs, transcript = tmp_path / "runs", tmp_path / "transcript.txt"
        said = []
        for command in (["check"], ["plan", "--transcript", transcript], ["run", "--out", runs]):
            assert labctl(command[0], protocol, *options, *command[1:]) == code
            lines = capsys.readouterr().err.splitlines()
            said.append([line for line in lines if not line.startswith("SIMULATED")])
        assert said[0] == said[1] == said[2]
        assert len(said[0]) == 2
        assert said[0][0].startswith("labctl: ")
        assert not heard.exists()
        assert not transcript.exists()
        assert not list(runs.glob("*"))
        return said[0]

    return call


def written(folder: Path, text: str) -> Path:
    file = folder / "loop.yaml"
    file.write_text(text.lstrip(), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("    at_most: $rounds\n", "", "8:5", ("'at_most' is missing", "bound on the rounds")),
        ("at_most: $rounds", "at_most: $first", "9:14", ("nothing is called '$first'",)),
        ("at_most: $rounds", "at_most: first", "9:14", ("is no count", "a whole number")),
        ("at_most: $rounds", "at_most: .inf", "9:14", ("is no count", "a whole number")),
        ("at_most: $rounds", "at_most: 0", "9:14", ("at_most", "1")),
        (
            "  - until: {reading: after, below: 100 kohm}\n    at_most: $rounds\n",
            "  - repeat: $first\n",
            "8:13",
            ("nothing is called '$first'",),
        ),
    ],
    ids=["no-bound", "bound-from-a-reading", "bound-is-a-word", "infinite", "zero", "count-from-a-reading"],
)
def test_a_loop_without_a_bound_is_a_wrong_file(
    refused: Refused, bench: Path, tmp_path: Path, old: str, new: str, place: str, words: tuple[str, ...]
) -> None:
    assert old in LOOP
    file = written(tmp_path, LOOP.replace(old, new))
    lines = refused(2, file, "--bench", bench)
    assert f"loop.yaml:{place}: " in lines[0]
    for word in words:
        assert word in " ".join(lines)


def test_a_bounded_loop_passes(labctl: Labctl, bench: Path, tmp_path: Path) -> None:
    assert labctl("check", written(tmp_path, LOOP), "--bench", bench) == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("level=5.6 V", ("voltage 5.6 V", "5.5 V", "the device", "by 100 mV")),
        ("level=-12 V", ("voltage -12 V", "by ")),
        ("rounds=100000000", ("beyond the limit", "the device")),
    ],
)
def test_an_override_beyond_a_limit(
    refused: Refused, bench: Path, tmp_path: Path, setting: str, words: tuple[str, ...]
) -> None:
    lines = refused(3, written(tmp_path, LOOP), "--bench", bench, "--set", setting)
    assert "loop.yaml:11:9: " in lines[0]
    for word in words:
        assert word in lines[0]
    assert "use a device and bench whose limits hold it" in lines[1]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("level=5.6", ("--set level:1:1", "a plain number: expected a voltage")),
        ("level=5.6 A", ("--set level:1:1", "a current")),
        ("rounds=0", ("--set rounds:1:1", "1")),
        ("turns=3", ("--set turns:1:1", "no parameter is called 'turns'", "rounds")),
    ],
)
def test_an_override_that_is_wrong_in_itself(
    refused: Refused, bench: Path, tmp_path: Path, setting: str, words: tuple[str, ...]
) -> None:
    lines = refused(2, written(tmp_path, LOOP), "--bench", bench, "--set", setting)
    for word in words:
        assert word in " ".join(lines)


def saved_plan(labctl: Labctl, bench: Path, folder: Path) -> Path:
    file = folder / "PLAN.json"
    assert labctl("plan", written(folder, LOOP), "--bench", bench, "--save", file) == 0
    return file


def test_an_edited_plan(labctl: Labctl, refused: Refused, bench: Path, tmp_path: Path) -> None:
    file = saved_plan(labctl, bench, tmp_path)
    content = json.loads(file.read_text(encoding="utf-8"))
    text = json.dumps(content["plan"])
    assert "5.2" not in text
    content["plan"] = json.loads(text.replace('"constant": 4.0', '"constant": 5.2'))
    file.write_text(json.dumps(content), encoding="utf-8")
    lines = refused(3, file)
    assert "5.2 in the file, 4.0 as planned" in lines[0] or "5.2 in the file, 4 as planned" in lines[0]


def test_a_plan_of_another_bench(labctl: Labctl, refused: Refused, bench: Path, heard: Path, tmp_path: Path) -> None:
    file = saved_plan(labctl, bench, tmp_path)
    limits = {"limits": {"voltage": {"pd": "4.5 V"}}}
    other = bench_file(tmp_path, "hnno", device=limits, simulation={"heard": str(heard)})
    lines = refused(3, file, "--bench", other)
    assert "device.limits.voltage.pd: 5.5 V then, 4.5 V now" in lines[0]
