"""`labctl plan --transcript` predicts what a run sends: held against what the simulated instruments say they heard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl import load_run
from labctl.testing import bench_file
from labctl.transcript import escaped, unescaped
from tests.cli.conftest import Labctl

#: protocol -> (base of its bench, what is set to make it short)
CASES: dict[str, tuple[str, list[str]]] = {
    "hnno/resistance_read": ("hnno", []),
    "hnno/spiking_probability": ("hnno", ["--set", "fields=[0.19 V/um, 0.21 V/um]", "--set", "trials=3"]),
    "aab/single_pulse": ("aab", []),
    "aab/pulse_train": ("aab", ["--set", "count=5"]),
}


def lines_of(file: Path) -> list[list[str]]:
    return [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def sent(transcript: Path) -> list[tuple[str, str, str]]:
    """Time, receiver and bytes; calls of the WGFMU library go to the library."""
    return [
        (at, "wgfmu_library" if data.startswith("WGFMU_") else name, data)
        for at, name, direction, data in lines_of(transcript)
        if direction == ">"
    ]


@pytest.mark.parametrize("protocol", CASES)
def test_the_instruments_receive_what_was_predicted(protocol: str, labctl: Labctl, tmp_path: Path) -> None:
    base, settings = CASES[protocol]
    heard, transcript = tmp_path / "heard.txt", tmp_path / "transcript.txt"
    bench = bench_file(tmp_path, base, simulation={"heard": str(heard)})
    options = [protocol, "--bench", bench, "--seed", "7", *settings]
    assert labctl("plan", *options, "--transcript", transcript) == 0
    assert not heard.exists()  # a rehearsal leaves nothing but its transcript
    assert labctl("run", *options, "--out", tmp_path / "runs") == 0
    received = [(f"{float(at):.9f}", name, data) for at, name, data in lines_of(heard)]
    assert sent(transcript) == received
    (run,) = (tmp_path / "runs").glob("*.h5")
    wire = load_run(run).wire
    messages = wire[wire["direction"] != "intent"].itertuples()  # an intent is labctl's own note
    log = [[f"{m.time:.9f}", m.instrument, m.direction, escaped(m.data)] for m in messages]
    predicted = lines_of(transcript)
    assert predicted[: len(log)] == log  # the wire log begins with the first byte
    after = {(name, data) for _, name, _, data in predicted[len(log) :]}
    assert after <= {("wgfmu", "WGFMU_closeSession()"), ("wgfmu", "0")}  # and ends when the file is closed


def test_the_seed_decides(labctl: Labctl, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a", "b", "c")]
    options = ["hnno/spiking_probability", "--set", "fields=[0.19 V/um, 0.21 V/um]", "--set", "trials=2"]
    for file, seed in zip(files, ("1", "1", "2"), strict=True):
        assert labctl("plan", *options, "--seed", seed, "--transcript", file) == 0
    first, again, other = (file.read_text(encoding="utf-8") for file in files)
    assert first == again
    assert lines_of(files[0]) != lines_of(files[2])
    assert first.splitlines()[0].endswith("seed 1")
    assert other.splitlines()[-1] == "# complete"


def test_a_real_bench_is_rehearsed_without_a_wire(
    labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing listens at the addresses, and no VISA is asked; a device that the bench keeps in a file is left alone."""
    kept = tmp_path / "device.json"
    changes = {"visa": "@ivi", "simulation": {"state": str(kept), "clock": "wall"}}
    bench = bench_file(tmp_path, "hnno", **changes)
    file = tmp_path / "transcript.txt"
    assert labctl("plan", "hnno/resistance_read", "--bench", bench, "--transcript", file, "--json") == 0
    said = json.loads(capsys.readouterr().out)["transcript"]
    rows = lines_of(file)
    told = {"file": str(file), "simulated": True, "status": "complete", "reason": "", "messages": len(rows)}
    assert said == told | {"bytes_sent": sum(len(unescaped(row[3])) for row in rows if row[2] == ">")}
    assert "SIMULATED" in file.read_text(encoding="utf-8").splitlines()[1]
    assert not kept.exists()


def test_a_refused_plan_writes_no_transcript(labctl: Labctl, tmp_path: Path) -> None:
    file = tmp_path / "transcript.txt"
    bench = bench_file(tmp_path, "hnno", device={"limits": {"voltage": {"pd": "50 mV"}}})
    assert labctl("plan", "hnno/resistance_read", "--bench", bench, "--transcript", file) == 3
    assert not file.exists()


def test_a_protocol_that_stops_says_so(labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "transcript.txt"
    bench = bench_file(tmp_path, "hnno", simulation={"faults": {"contact_open": True}})
    assert labctl("plan", "hnno/polarity_check", "--bench", bench, "--transcript", file) == 0
    ending = file.read_text(encoding="utf-8").splitlines()[-1]
    assert ending.startswith("# stopped: ")
    assert ending.removeprefix("# stopped: ") in capsys.readouterr().err


def test_a_file_that_cannot_be_written(labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert labctl("plan", "hnno/resistance_read", "--transcript", tmp_path / "none" / "t.txt") == 6
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "t.txt cannot be written" in lines[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_told(labctl: Labctl, capsys: pytest.CaptureFixture[str]) -> None:
    assert labctl("plan", "hnno/resistance_read", "--transcript", "/dev/full") == 6
    assert "/dev/full cannot be written" in capsys.readouterr().err


@given(st.binary(max_size=200))
def test_escaped_bytes_come_back(data: bytes) -> None:
    text = escaped(data)
    assert unescaped(text) == data
    assert text.isascii()
    assert not set("\n\r\t") & set(text)
