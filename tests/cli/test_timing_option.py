"""``--timing`` from end to end: planned, run, told, kept in plan files and run files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from labctl import load_run

Labctl = Callable[..., int]
SETTINGS = ("hnno/spiking_probability", "--set", "fields=[0.19 V/um, 0.24 V/um]", "--set", "trials=3")


def test_both_ways_run_and_say_the_same(labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for timing in ("host", "auto"):
        assert labctl("plan", *SETTINGS, "--timing", timing, "--json") == 0
        (decision,) = json.loads(capsys.readouterr().out)["decisions"]
        assert ("as --timing host asks" in decision) == (timing == "host")
        assert labctl("run", *SETTINGS, "--timing", timing, "--out", tmp_path / timing, "--json") == 0
        run = load_run(json.loads(capsys.readouterr().out)["run"])
        assert run.meta["plan"]["timing"] == timing
        assert labctl("analyze", run.path, "--json") == 0
        results = json.loads(capsys.readouterr().out)["results"]
        found[timing] = [{key: value for key, value in result.items() if key != "run"} for result in results]
        assert labctl("rerun", run.path) == 0
        assert "the same bit for bit" in capsys.readouterr().out
    assert found["host"] == found["auto"]


def test_a_plan_file_has_its_timing(labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "PLAN.json"
    assert labctl("plan", *SETTINGS, "--timing", "host", "--save", plan) == 0
    assert json.loads(plan.read_text())["timing"] == "host"
    assert labctl("check", plan) == 0
    assert labctl("check", plan, "--timing", "auto") == 2
    assert "--timing" in capsys.readouterr().err
    edited = plan.read_text().replace('"timing": "host"', '"timing": "auto"')
    plan.write_text(edited)
    assert labctl("check", plan) == 3


def test_another_word_is_refused(labctl: Labctl, capsys: pytest.CaptureFixture[str]) -> None:
    assert labctl("run", *SETTINGS, "--timing", "never") == 2
    assert "'never'" in capsys.readouterr().err
