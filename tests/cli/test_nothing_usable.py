"""Runs that measured nothing usable: a statement, exit code 0 of an analysis that was done, and no number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labctl import api, load_run
from labctl.analysis.model import load_model
from labctl.store import Flags, Header, Recorder
from tests.cli.conftest import Labctl

AUTOMATIC = ["event", "wire", "trace"]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    asked = {"trials": "3", "fields": "{linspace: [0.18, 0.24, 5], unit: V/um}"}
    ready = api.prepare("hnno/spiking_probability", overrides=asked)
    return Path(api.run(ready, out=tmp_path_factory.mktemp("good")).path)


def changed(good: Path, path: Path, rows: bool, flag: int = 0) -> Path:
    """The run again, without its rows, or with a flag on each of them."""
    run = load_run(good)
    with run.content() as content:
        header = Header.from_dict(content.identity.header)
        tables = {t.kind: {n: c for n, c in t.columns.items() if n in t.given} for t in content.identity.layouts}
    found: list[tuple[int, str, dict[str, Any]]] = [
        (int(number), kind, row | {"flags": int(row["flags"]) | flag})
        for kind, table in run.tables.items()
        for number, row in zip(table["event"], table.drop(columns=AUTOMATIC).to_dict("records"), strict=True)
    ]
    with Recorder.create(path, header, tables) as recorder:
        for _, kind, row in sorted(found, key=lambda one: one[0]) if rows else ():
            recorder.append(kind, row, None)
        recorder.finish("complete")
    return path


@pytest.mark.parametrize(
    ("rows", "words"),
    [(False, "the run has no events"), (True, "15 of 15 left out: 15 overflow")],
    ids=["none", "flagged"],
)
def test_analysis_report_and_model(
    rows: bool, words: str, good: Path, labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(good, tmp_path / "useless.h5", rows, Flags.OVERFLOW)
    assert labctl("analyze", path, "--json") == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert results
    assert all(result["value"] is None for result in results)
    assert any(words in result["method"] for result in results)
    page = tmp_path / "page.html"
    assert labctl("report", path, "--out", page) == 0
    assert words in page.read_text(encoding="utf-8")
    capsys.readouterr()
    model = tmp_path / "model.json"
    assert labctl("export-model", path, "--out", model) == 2
    assert "none of the runs measured" in capsys.readouterr().err
    assert not model.exists()
    assert labctl("export-model", path, good, "--out", model, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"path": str(model)}
    (curve,) = load_model(model).activations
    assert curve.data["N"] == 15


def test_no_model_from_what_is_no_run(labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "junk.h5").write_text("junk", encoding="utf-8")
    assert labctl("export-model", tmp_path / "junk.h5", "--out", tmp_path / "model.json") == 5
    assert "not an HDF5 file" in capsys.readouterr().err
    assert not (tmp_path / "model.json").exists()
