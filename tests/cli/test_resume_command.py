"""``labctl resume`` as a technician uses it: after a kill, and where nobody can be asked."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labctl import api, load_run
from labctl.bench.loading import find_bench
from labctl.store import Recorder


def labctl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labctl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_run_goes_on_from_its_journal(tmp_path: Path) -> None:
    settings = ("--set", "fields=[0.19 V/um, 0.21 V/um]", "--set", "trials=40", "--progress", "json")
    command = [sys.executable, "-m", "labctl", "run", "hnno/spiking_probability", *settings, "--out", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("{") and json.loads(line)["events"] > 100)
        process.send_signal(signal.SIGKILL)
    (journal,) = tmp_path.glob("*.journal")
    before = journal.read_bytes()
    again = labctl("resume", journal, "--json")
    assert again.returncode == 0, again.stderr
    answer = json.loads(again.stdout)
    assert (answer["status"], answer["simulated"]) == ("complete", True)
    assert "SIMULATED" in again.stderr
    assert "events are stored; the simulated device is brought there by simulating the run again" in again.stderr
    assert Path(answer["run"]).name == journal.name.removesuffix(".h5.journal") + "_resumed.h5"
    assert journal.read_bytes() == before
    run = load_run(answer["run"])
    assert run.tables["spike"].groupby("field").size().tolist() == [40, 40]
    assert len(run.events) == answer["events"]
    assert labctl("verify", answer["run"]).returncode == 0
    twice = labctl("resume", answer["run"])
    assert twice.returncode == 2
    assert twice.stderr.splitlines()[0].endswith("this run was not interrupted: complete")


def test_a_doubt_that_nobody_settles_is_bad_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = tmp_path / "p.yaml"
    protocol.write_text(
        "protocol: 1\ntitle: t\nmeasures: [H2]\nbench: hnno\nsteps:\n"
        "  - pulse: {at: pd, level: 1 V, width: 10 us}\n  - read: {resistance: pd, as: r}\n",
        encoding="utf-8",
    )
    bench = tmp_path / "bench.yaml"
    text = find_bench("hnno").read_text(encoding="utf-8")
    bench.write_text(f"{text}  state: {tmp_path / 'device.json'}\n", encoding="utf-8")

    append = Recorder.append

    def interrupted(recorder: Recorder, kind: str, *row: Any) -> int:
        if kind == "pulse":
            raise KeyboardInterrupt
        return append(recorder, kind, *row)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "append", interrupted)
        path = api.run(protocol, bench, out=tmp_path / "runs").path
    refused = labctl("resume", path)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "labctl: 'pulse pd by afg.1: 1 V for 10 us' may have reached the device without being stored",
        "        say what to do with --on-resume reprepare, or --on-resume skip",
    ]
    assert labctl("resume", path, "--on-resume", "maybe").returncode == 2
    done = labctl("resume", path, "--on-resume", "skip")
    assert done.returncode == 0, done.stderr
    run = load_run(done.stdout.splitlines()[-1])
    assert "pulse" not in run.tables or run.tables["pulse"].empty
    assert len(run.tables["resistance"]) == 1


def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    settings = ("--set", "trials=200", "--progress", "json", "--out", str(tmp_path))
    command = [sys.executable, "-m", "labctl", "run", "hnno/spiking_probability", *settings]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("{"))
        (journal,) = tmp_path.glob("*.journal")
        refused = labctl("resume", journal)
        assert process.poll() is None, "the run ended before it was asked about"
        process.terminate()
        process.communicate()
    assert refused.returncode == 2
    assert "this run still goes on" in refused.stderr
