"""The command line as its user meets it: in a process of its own, by exit code, stdout and stderr."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labctl import load_run
from labctl.testing import bench_file

PROTOCOL = """
protocol: 1
title: Two trials
measures: [H2]
bench: hnno
parameters:
  level: {value: 4.2 V}
  trials: {value: 2, min: 1}
steps:
  - state: {name: initial, verify: {resistance: {at: pd, above: 200 kohm}}}
  - repeat: $trials
    do:
      - pulse: {at: pd, level: $level, width: 100 us}
      - read: {resistance: pd, as: after_pulse}
      - pulse: {at: pd, level: -4.2 V, width: 100 us, role: reset}
      - read: {resistance: pd, as: after_reset}
analyze:
  - resistance
"""


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "two_trials.yaml"
    path.write_text(PROTOCOL, encoding="utf-8")
    return path


def labctl(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labctl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Two lines on stderr that hold the words, the code, no traceback, nothing on stdout but the run's own lines."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("SIMULATED")]
    assert lines[0].startswith("labctl: ")
    assert len(lines) <= 2, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def test_a_run_ends_with_the_path_of_its_file(protocol: Path, tmp_path: Path) -> None:
    done = labctl("run", protocol, "--out", tmp_path / "runs", "--operator", "J. Doe", "--note", "first light")
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stderr
    assert "SIMULATED" in done.stdout
    run = load_run(done.stdout.splitlines()[-1])
    assert run.meta["status"] == "complete"
    assert run.meta["simulated"]
    assert (run.meta["operator"], run.meta["note"]) == ("J. Doe", "first light")
    assert len(run.tables["pulse"]) == 4


def test_json_prints_one_object_and_nothing_else(protocol: Path, tmp_path: Path) -> None:
    done = labctl("run", protocol, "--json", "--out", tmp_path)
    said = json.loads(done.stdout)
    assert set(said) == {"run", "status", "events", "simulated", "seconds"}
    assert said["simulated"] is True
    assert said["status"] == "complete"
    results = json.loads(labctl("analyze", said["run"], "--json").stdout)["results"]
    keys = {"run", "device", "quantity", "state", "at", "value", "low", "high", "confidence", "unit", "method", "n"}
    assert results
    assert all(keys <= set(result) for result in results)
    for command in (["list"], ["check", protocol], ["plan", protocol], ["info", said["run"]], ["verify", said["run"]]):
        assert isinstance(json.loads(labctl(*command, "--json").stdout), dict), command
    planned = json.loads(labctl("plan", protocol, "--json").stdout)
    assert {"duration", "pulses", "envelope", "violations"} <= set(planned)
    assert {"name", "title", "measures"} <= set(json.loads(labctl("list", "--json").stdout)["protocols"][0])


def test_progress_can_be_read_by_a_program(protocol: Path, tmp_path: Path) -> None:
    done = labctl("run", protocol, "--progress", "json", "--out", tmp_path)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert lines
    assert {"events", "expected", "kind", "time", "remaining"} <= set(lines[0])
    left = [line["remaining"] for line in lines]
    assert left == sorted(left, reverse=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("level: -4.2 V", "level: -4.2"), ("two_trials.yaml:", "missing unit")),
        (("level: {value: 4.2 V}", "level: {value: 4.2 s}"), ("two_trials.yaml:", "voltage")),
        (("width: 100 us, role", "widht: 100 us, role"), ("two_trials.yaml:", "widht", "width")),
        (("resistance: pd, as: after_reset", "resistance: gate, as: after_reset"), ("gate", "pd")),
    ],
)
def test_a_wrong_protocol_is_refused_with_its_place(
    protocol: Path, tmp_path: Path, change: tuple[str, str], words: tuple[str, ...]
) -> None:
    assert change[0] in PROTOCOL
    protocol.write_text(PROTOCOL.replace(*change), encoding="utf-8")
    refused(labctl("run", protocol, "--out", tmp_path / "runs"), 2, *words)
    assert not (tmp_path / "runs").exists()


def test_an_unknown_protocol_names_the_nearest() -> None:
    refused(labctl("run", "hnno/spiking_probabilty"), 2, "hnno/spiking_probability")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["--set", "level=8.4 V"], ("8.4 V", "5.5 V", "device")),
        (["--set", "level=-0.4 V/um"], ("-8 V", "5.5 V")),
    ],
)
def test_a_level_above_the_limit_is_refused_before_anything_opens(
    protocol: Path, tmp_path: Path, settings: list[str], words: tuple[str, ...]
) -> None:
    refused(labctl("run", protocol, *settings, "--out", tmp_path / "runs"), 3, *words)
    assert not (tmp_path / "runs").exists()


def test_a_width_below_the_models_minimum_is_refused(protocol: Path) -> None:
    protocol.write_text(PROTOCOL.replace("width: 100 us}", "width: 5 ns}"), encoding="utf-8")
    refused(labctl("run", protocol), 3, "width", "minimum")


def test_a_bench_that_does_not_answer_is_an_error_that_offers_the_simulation(protocol: Path, tmp_path: Path) -> None:
    real = bench_file(tmp_path, "hnno", visa="@py")
    text = real.read_text(encoding="utf-8")
    real.write_text(
        text.replace("TCPIP0::192.168.1.26::5025::SOCKET", "TCPIP0::127.0.0.1::9::SOCKET"), encoding="utf-8"
    )
    refused(labctl("run", protocol, "--bench", real, "--out", tmp_path / "runs"), 4, "--simulate")
    done = labctl("run", protocol, "--bench", real, "--simulate", "--json", "--out", tmp_path / "runs")
    assert json.loads(done.stdout)["simulated"] is True


def test_a_serial_number_that_does_not_match_is_refused(protocol: Path, tmp_path: Path) -> None:
    wrong = bench_file(tmp_path, "hnno", simulation={"faults": {"serial": {"smu": "9999999"}}})
    refused(labctl("run", protocol, "--bench", wrong, "--out", tmp_path), 4, "serial", "9999999", "4308079")


def test_a_run_file_from_something_else_is_refused(tmp_path: Path) -> None:
    import h5py

    foreign = tmp_path / "foreign.h5"
    with h5py.File(foreign, "w") as file:
        file["data"] = [1, 2, 3]
    for command in ("analyze", "info", "verify"):
        refused(labctl(command, foreign), 5, "foreign.h5")
    (tmp_path / "text.h5").write_text("not HDF5", encoding="utf-8")
    refused(labctl("info", tmp_path / "text.h5"), 5)
    assert labctl("info", tmp_path / "missing.h5").returncode in (5, 6)


def test_a_folder_that_cannot_be_written_is_a_storage_error(protocol: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    refused(labctl("run", protocol, "--out", blocked / "runs"), 6, "--out")


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a small file system to fill")
def test_a_full_disk_ends_safe_with_what_was_kept(protocol: Path, tmp_path: Path) -> None:
    """A limit on the file size stands for the full disk: the journal cannot grow past it."""
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)); import signal; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); sys.argv[0] = 'labctl'; from labctl.cli import main; main()"
    )
    command = [
        sys.executable,
        "-c",
        script,
        "run",
        str(protocol),
        "--set",
        "trials=500",
        "--timing",
        "host",
        "--out",
        str(tmp_path / "runs"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 6, done.stderr
    assert "Traceback" not in done.stderr
    (journal,) = (tmp_path / "runs").glob("*.journal")
    kept = load_run(journal)
    assert len(kept.events) > 10


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_is_safe_and_readable(protocol: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "labctl", "run", str(protocol), "--set", "trials=100000", "--out", str(tmp_path)]
    process = subprocess.Popen(
        [*command, "--progress", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("{") and json.loads(line)["events"] > 20:
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    (path,) = tmp_path.glob("*.h5")
    run = load_run(path)
    assert run.meta["status"] == "stopped"
    after = run.meta["instruments"]
    assert after["afg"]["after"]["settings"]["1.output"] in (False, 0)
    assert str(path) in out + err


def test_a_lost_instrument_ends_safe_and_readable(protocol: Path, tmp_path: Path) -> None:
    lost = bench_file(tmp_path, "hnno", simulation={"faults": {"instrument_lost_after": {"smu": 100.0}}})
    done = labctl("run", protocol, "--set", "trials=1000", "--bench", lost, "--out", tmp_path)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    (path,) = tmp_path.glob("*.h5")
    run = load_run(path)
    assert run.meta["status"] == "failed"
    assert "smu" in run.meta["reason"]
    assert len(run.tables["resistance"]) > 2


def test_one_bench_one_controller(protocol: Path, tmp_path: Path) -> None:
    """A bench that keeps its device in a file is shared between processes, so it is locked."""
    shared = bench_file(tmp_path, "hnno", simulation={"state": str(tmp_path / "device.json")})
    arguments = ["run", str(protocol), "--bench", str(shared), "--out", str(tmp_path), "--progress", "json"]
    first = subprocess.Popen(
        [sys.executable, "-m", "labctl", *arguments, "--set", "trials=100000"], stderr=subprocess.PIPE, text=True
    )
    assert first.stderr is not None
    for line in first.stderr:
        if line.startswith("{"):
            break
    second = labctl("run", protocol, "--bench", shared, "--out", tmp_path)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    refused(second, 4, "in use by", str(first.pid))
    assert labctl("bench", "check", shared).returncode == 0


def test_bench_check_and_safe(tmp_path: Path) -> None:
    done = labctl("bench", "check", "hnno", "--json")
    said = json.loads(done.stdout)
    assert said["instruments"]["smu"]["model"] == "2636B"
    assert said["simulated"] is True
    assert labctl("safe", "--bench", "hnno").returncode == 0
    refused(labctl("bench", "check", tmp_path / "none.yaml"), 2, "hnno")


def test_usage_errors_have_code_2() -> None:
    assert labctl("run").returncode == 2
    assert labctl("nonsense").returncode == 2
    refused(labctl("run", "hnno/resistance_read", "--set", "points"), 2, "NAME=VALUE")


def test_show_and_schema() -> None:
    shown = labctl("show", "hnno/spiking_probability").stdout
    assert "0.17 V/um" in shown
    assert json.loads(labctl("schema").stdout)["$schema"].startswith("https://json-schema.org")


def test_same_seed_same_bytes(protocol: Path, tmp_path: Path) -> None:
    """Two runs with one seed agree in every event and every byte on the wires; another seed differs."""
    runs = []
    for number, seed in enumerate(("7", "7", "8")):
        done = labctl("run", protocol, "--seed", seed, "--set", "trials=20", "--out", tmp_path / str(number), "--json")
        runs.append(load_run(json.loads(done.stdout)["run"]))
    first, again, other = runs
    assert first.events.equals(again.events)
    assert first.wire.equals(again.wire)
    assert not first.events.equals(other.events)


def test_the_module_runs_from_any_folder(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "labctl", "list"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "hnno/spiking_probability" in done.stdout
