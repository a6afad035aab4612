"""Export: what a spreadsheet or Parquet reader finds is what the run has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from labctl.store import ExportError, StorageError, describe, load_run
from labctl.store import export as export_package


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_tables_traces_and_wire_come_along(short_run: Any, tmp_path: Path, to: str) -> None:
    if to == "parquet":
        pytest.importorskip("pyarrow")
    short = short_run(3)
    path = short.recorder.finish("complete")
    written = export_package.export(path, tmp_path / "out", to)
    names = ["pulse", "resistance", "resistance.traces", "wire"]
    assert [p.name for p in written] == [*(f"run.{name}.{to}" for name in names), "run.meta.json"]
    read = pd.read_csv if to == "csv" else pd.read_parquet
    run = load_run(path)
    for kind in ("pulse", "resistance"):
        pd.testing.assert_frame_equal(read(written[names.index(kind)]), run.tables[kind], check_dtype=to == "parquet")
    traces = read(written[2])
    assert traces["trace"].tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert traces["voltage"].tolist() == [v for n in range(3) for v in run.traces[n]["voltage"]]
    assert read(written[3])["data"].tolist() == ["*TRG\n"] * 3
    meta = json.loads(written[4].read_text())
    assert (meta["status"], meta["units"]["resistance"]["value"]) == ("complete", "ohm")


def test_a_run_that_goes_on_is_exported_as_far_as_it_is(short_run: Any, tmp_path: Path) -> None:
    short = short_run(2)
    written = export_package.export(short.recorder.path, tmp_path / "out")
    assert len(pd.read_csv(written[0])) == 2


def test_without_pyarrow_it_says_what_to_install(short_run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    path = short_run(1).recorder.finish("complete")
    monkeypatch.setattr(export_package, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match="pyarrow") as error:
        export_package.export(path, tmp_path, "parquet")
    assert error.value.hint == "pip install 'labctl[parquet]'"
    with pytest.raises(ExportError, match="'xls'"):
        export_package.export(path, tmp_path, "xls")


def test_a_folder_that_cannot_be_made(short_run: Any, tmp_path: Path) -> None:
    path = short_run(1).recorder.finish("complete")
    with pytest.raises(StorageError, match="exporting failed"):
        export_package.export(path, path / "out")


def test_flags_in_words() -> None:
    assert describe(0) == ""
    assert describe(1 | 4 | 64) == "compliance, retry, beyond the device's ordinary limit"
    assert describe(2 | 1 << 20) == "overflow, bit 1048576"
