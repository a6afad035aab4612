"""Run files of format 1, as the first labctl made them, read as they did then."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.store import load_run
from labctl.store.repair import repair
from labctl.store.verify import verify

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", ["format_1.h5", "format_1_cut.journal"])
def test_events_traces_and_wire_log(name: str) -> None:
    run = load_run(DATA / name)
    assert len(run.events) == (13 if name == "format_1.h5" else 12)  # the last event of the cut one is torn
    pulses, readings = run.tables["pulse"], run.tables["resistance"]
    assert pulses["event"].tolist() == [0, 2, 4, 6, 8, 10]
    assert pulses[["field", "level"]].drop_duplicates().to_numpy().tolist() == [[1.9e5, 1.9]]
    assert pulses["terminal"].unique().tolist() == ["pd"]
    assert readings["value"].tolist() == [1e5 + i for i in range(6)]
    assert readings["flags"].tolist() == list(range(6))
    assert readings["wire"].tolist() == [1, 2, 3, 4, 5, 6]
    assert readings["trace"].tolist() == list(range(6))
    for i in range(6):
        trace = run.traces[i]
        assert trace["voltage"].tolist() == list(range(i + 1))
        assert trace["current"].tolist() == [1e-6 * n for n in range(i + 1)]
        assert ("status" in trace) == (i % 2 == 1)
    assert run.wire["data"].tolist() == [b"print(smua.measure.i())\n"] * 6
    assert run.wire["time"].tolist() == [i + 0.25 for i in range(6)]


def test_a_row_of_every_dtype() -> None:
    run = load_run(DATA / "format_1.h5")
    row = run.tables["every"].iloc[0]
    assert [row[name] for name in ("slope", "b", "u8", "i1", "f4", "s")] == [
        "falling",
        True,
        2**64 - 1,
        -128,
        0.5,
        "läs",
    ]


@pytest.mark.parametrize("name", ["format_1.h5", "format_1_cut.journal"])
def test_what_is_known_about_the_run(name: str) -> None:
    meta = load_run(DATA / name).meta
    expected = {
        "protocol": "protocol: 1\ntitle: Format 1 µ\n",
        "resolved": {"parameters": {"field": 190000.0}},
        "plan": {"nodes": 2},
        "plan_hash": "3fef379e22424d57a4b35d7d322701eed838bc60bfd9f4ef8a1bd825ce3b2969",
        "bench": "bench: 1\n",
        "versions": {"labctl": "0.1.0"},
        "seed": 7,
        "host": "probe-station",
        "operator": "Åsa",
        "device": "N7",
        "note": "kept for later versions",
        "simulated": True,
        "started": "2025-01-31T10:00:00.000+00:00",
        "nodes": ["pulse pd", "read pd"],
        "extra": {"allow": ["erase"]},
        "format": 1,
    }
    assert {key: meta[key] for key in expected} == expected
    assert meta["units"]["pulse"]["field"] == "V/m"
    assert meta["instruments"]["smu"]["identity"] == {"model": "2636B", "serial": "42"}
    if name == "format_1.h5":
        assert (meta["status"], meta["reason"]) == ("stopped", "by the script")
        assert meta["instruments"]["smu"]["after"] == {"output": False}
    else:
        assert meta["status"] == "failed"
        assert "no complete record" in meta["torn"]


def test_its_checksums_and_chain_still_hold() -> None:
    assert verify(DATA / "format_1.h5").findings == ()


def test_its_journal_is_still_repaired(tmp_path: Path) -> None:
    journal = tmp_path / "run.h5.journal"
    journal.write_bytes((DATA / "format_1_cut.journal").read_bytes())
    assert repair(journal).events == 12
    assert verify(tmp_path / "run.h5").ok
