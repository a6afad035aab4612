"""Everything that design section 8 lists is in the file of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labctl import api
from labctl.report.tables import run_facts
from labctl.store import Run, load_run
from labctl.testing import bench_file

PROTOCOL = """
protocol: 1
title: One of each
steps:
  - use: hnno/parts/initial
  - pulse: {at: pd, level: 4.2 V, width: 100 us}
  - read: {resistance: pd, as: after_pulse}
  - sweep: {at: pd, measure: pd, from: -0.1 V, to: 0.1 V, points: 5, as: curve}
  - wait: 7 s
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("provenance")
    (folder / "each.yaml").write_text(PROTOCOL, encoding="utf-8")
    bench = bench_file(folder, instruments={"smu": {"calibrated": "2025-01-31"}})
    ready = api.prepare(folder / "each.yaml", bench, seed=5)
    outcome = api.run(ready, out=folder, operator="J. Doe", device="N7", note="first light")
    found = load_run(outcome.path)
    assert found.meta["plan_hash"] == ready.plan.hash
    assert found.meta["bench"] == bench.read_text(encoding="utf-8")
    return found


def test_what_was_run_on_what_by_whom(run: Run) -> None:
    meta = run.meta
    assert meta["protocol"] == PROTOCOL
    assert "hnno/parts/initial.yaml" in meta["extra"]["used_protocols"]
    assert meta["resolved"]["steps"]
    assert (meta["seed"], meta["operator"], meta["device"], meta["note"]) == (5, "J. Doe", "N7", "first light")
    assert meta["simulated"] is True
    assert meta["host"]
    assert {"labctl", "numpy", "h5py", "pyvisa"} <= set(meta["versions"])
    assert [entry["status"] for entry in meta["history"]] == ["running", "complete"]


def test_instruments_before_and_after(run: Run) -> None:
    for entry in run.meta["instruments"].values():
        assert set(entry["identity"]) >= {"manufacturer", "model", "serial", "firmware"}
        assert entry["settings"]
        assert entry["after"]["settings"]
        assert entry["driver"]
        assert entry["address"]
    assert run.meta["instruments"]["smu"]["calibrated"] == "2025-01-31"
    assert run.meta["instruments"]["afg"]["calibrated"] == ""


@pytest.mark.parametrize(
    ("kind", "programmed", "reported"),
    [("pulse", "set_high", "reported_high"), ("resistance", "", "v_max"), ("sweep", "", "")],
)
def test_voltages_programmed_reported_and_true(run: Run, kind: str, programmed: str, reported: str) -> None:
    rows = run.tables[kind]
    assert len(rows)
    for column in filter(None, (programmed, reported, "true_extreme")):
        assert np.isfinite(rows[column]).all(), column
    for _, row in rows[rows["trace"] >= 0].iterrows():
        trace = run.traces[row["trace"]]
        assert "current" in trace
        if "voltage" in trace:  # asked and measured, point by point
            assert abs(row["true_extreme"]) == pytest.approx(np.abs(trace["voltage"]).max(), rel=0.02)
            assert len(trace["set"]) == len(trace["voltage"])


def test_messages_lead_to_their_events(run: Run) -> None:
    events, wire = run.events, run.wire
    assert events["wire"].is_monotonic_increasing
    pulse = events.index[events["kind"] == "pulse"][0]
    messages = wire["data"].iloc[int(events["wire"][pulse - 1]) : int(events["wire"][pulse])]
    assert any(b"*TRG" in message for message in messages)


def test_prediction_stands_beside_fact(run: Run) -> None:
    """Duration by the bench's clock to the end of the last step, not to the last row; rows per table."""
    facts = run_facts(run)
    last = max(float(table["time"].iloc[-1]) for table in run.tables.values() if len(table))
    assert facts["seconds"] == pytest.approx(last + 7.0)  # the protocol ends with a wait
    assert facts["events"] == facts["predicted"]["events"]
    assert facts["predicted"]["seconds"] == run.meta["plan"]["cost"]["duration"] > 7.0


def test_used_protocol_text_is_the_file(run: Run) -> None:
    from labctl.protocol.sources import shipped

    text = run.meta["extra"]["used_protocols"]["hnno/parts/initial.yaml"]["text"]
    assert text == Path(shipped()["hnno/parts/initial"]).read_text(encoding="utf-8")
