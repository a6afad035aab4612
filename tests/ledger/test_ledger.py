"""What a device has seen over its runs: counted by hand here, once each, whatever file they stand in."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl import api
from labctl.ledger import Ledger, book, read_ledger
from labctl.ledger.applied import smallest_resistance
from labctl.store import Header, Recorder, Run, load_run
from labctl.store.continuation import copy_records, origin

HEAD = "protocol: 1\ntitle: t\nbench: hnno\nsteps:\n"
MIXED = """
  - for: {height: [3 V, -4 V]}
    do:
      - repeat: 5
        do:
          - pulse: {at: pd, level: $height, width: 200 us, role: set}
  - train: {at: pd, pulses: [{level: 2 V, width: 1 ms}, {level: -1 V, width: 3 ms}], gap: 1 ms, count: 10}
"""
READ = "  - read: {resistance: pd, as: r, window: 0.1 V, points: 3}\n"
ERASE = (
    "  - allow: erase\n    because: test\n    do:\n      - pulse: {at: pd, level: -6.2 V, width: 100 us, role: erase}\n"
)
RMIN = 25e3  # of the shipped bench


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    def go(steps: str, bench: str | Path | None = None, **options: Any) -> Path:
        (tmp_path / "p.yaml").write_text(HEAD + steps, encoding="utf-8")
        return api.run(tmp_path / "p.yaml", bench, out=tmp_path / "runs", **options).path

    return go


def ledger(tmp_path: Path, device: str = "simulated-neuron") -> Ledger:
    return read_ledger(tmp_path / "runs", device)


def copied(source: Path, target: Path, **header: Any) -> Path:
    """The same records in a run of its own, with another header."""
    run = load_run(source)
    kept = {f.name: run.meta[f.name] for f in dataclasses.fields(Header)}
    kept |= {"plan": json.dumps(run.meta["plan"]), "resolved": json.dumps(run.meta["resolved"])} | header
    with run.content() as content:
        tables = {layout.kind: layout.columns for layout in content.identity.layouts}
    recorder = Recorder.create(target, Header(**kept), tables)
    copy_records(run, recorder)
    recorder.close()
    return target.with_name(target.name + ".journal")


def test_pulses_are_counted_by_role_level_and_width(run: Callable[..., Path], tmp_path: Path) -> None:
    """10 single pulses over a loop, and a train of 10 cycles of two pulses: levels of the loop and of each part."""
    run(MIXED)
    seen = ledger(tmp_path).total(simulated=True).dose.of("pd")
    assert seen.pulses == {"set": 10, "": 20}
    assert dict(seen.held) == pytest.approx({1.0: 30e-3, 2.0: 10e-3, 3.0: 1e-3, 4.0: 1e-3})
    assert seen.above(2.0) == pytest.approx(2e-3)
    charge = (3 * 1e-3 + 4 * 1e-3 + 2 * 10e-3 + 1 * 30e-3) / RMIN
    assert seen.charge == pytest.approx(charge)
    assert seen.beyond == 0


def test_readings_count_their_measured_charge_and_time(run: Callable[..., Path], tmp_path: Path) -> None:
    path = run(READ + READ)
    seen = ledger(tmp_path).total(simulated=True)
    trace = load_run(path).traces[0]
    each = float(trace["time"][1] - trace["time"][0])
    assert seen.dose.of("pd").held[0][0] == 0.1
    assert seen.dose.of("pd").above(0.05) == pytest.approx(2 * 2 * each, rel=0.05)  # two of three points, two readings
    assert seen.dose.of("pd").charge == pytest.approx(2 * 2 * each * 0.1 / 400e3, rel=0.1)  # 400 kohm, spread 4 %
    assert seen.switchings == {"pd": 1}


def test_stations_held_and_swept_and_biases(tmp_path: Path) -> None:
    """The gate sweeps 0..2 V with 1 V on the drain, 50 ms each; then 5 V for 2 s on the gate."""
    steps = """
  - sweep: {at: gate, measure: [drain, gate], from: 0 V, to: 2 V, points: 3, bias: {drain: 1 V}, dwell: 50 ms,
            compliance: 1 uA, as: transfer}
  - bias: {at: gate, level: 5 V, for: 2 s, grounded: [drain]}
"""
    (tmp_path / "p.yaml").write_text(HEAD.replace("hnno", "aab") + steps, encoding="utf-8")
    api.run(tmp_path / "p.yaml", out=tmp_path / "runs")
    total = ledger(tmp_path, "simulated-transistor").total(simulated=True)
    gate, drain = total.dose.of("gate"), total.dose.of("drain")
    assert dict(gate.held)[5.0] == pytest.approx(2.0, rel=1e-3)
    assert total.biased == {"gate": pytest.approx(2.0, rel=1e-3)}
    assert [level for level, _ in gate.held] == [1.0, 2.0, 5.0]
    assert [level for level, _ in drain.held] == [1.0]
    assert all(seconds >= 50e-3 for _, seconds in gate.held)
    assert gate.above(0.5) - gate.above(4) < drain.above(0.5) < 3.0  # autorange takes its time at 0 V
    assert 0 < drain.charge < 1e-6 * drain.above(0.5)  # inside the compliance


def test_exceptions_are_counted_apart(run: Callable[..., Path], tmp_path: Path) -> None:
    run(ERASE, allow=("erase",))
    run(ERASE + MIXED, allow=("erase",))
    seen = ledger(tmp_path).total(simulated=True).dose.of("pd")
    assert (seen.beyond, seen.count("erase"), seen.count()) == (2, 2, 32)


def test_devices_and_simulated_runs_are_kept_apart(run: Callable[..., Path], tmp_path: Path) -> None:
    path = run(MIXED)
    run(ERASE, allow=("erase",), device="N7")
    copied(path, tmp_path / "runs" / "real.h5", simulated=False)
    found = ledger(tmp_path)
    assert found.others == ("N7",)
    assert [total.dose.of("pd").count() for total in (found.total(True), found.total(False))] == [30, 30]
    assert ledger(tmp_path, "N7").total(simulated=True).dose.of("pd").pulses == {"erase": 1}


def test_a_run_that_was_killed_counts_as_far_as_it_got(run: Callable[..., Path], tmp_path: Path) -> None:
    whole = run(MIXED)
    journal = copied(whole, tmp_path / "runs" / "killed.h5")
    whole.unlink()
    (entry,) = ledger(tmp_path).entries
    assert (entry.run, entry.status) == (journal, "failed")
    assert entry.dose.of("pd").pulses == {"set": 10, "": 20}


def test_what_may_have_been_sent_is_told(tmp_path: Path) -> None:
    """An intent after which something was sent, and no event: not counted, but said."""
    recorder = Recorder.create(tmp_path / "runs.h5", Header(protocol="", device="N7", simulated=True), {})
    recorder.intent(0.0, 3, "pulse pd 4.2 V")
    recorder.wire(0.0, "afg", "write", b"*TRG")
    recorder.close()
    (entry,) = read_ledger(tmp_path, "N7").entries
    assert entry.note == "may also have carried out: pulse pd 4.2 V"


def test_copies_and_continuations_count_once(run: Callable[..., Path], tmp_path: Path) -> None:
    """A run and its copy; a run that continues it, with its records in front; and that one again, continued."""
    first = run(MIXED)
    shutil.copy(first, tmp_path / "runs" / "copy.h5")
    assert len(ledger(tmp_path).entries) == 1
    (tmp_path / "runs" / "copy.h5").unlink()
    resumed = origin(load_run(first))
    second = copied(first, tmp_path / "runs" / "second.h5", extra={"resumed": resumed})
    again = origin(load_run(second))
    copied(second, tmp_path / "runs" / "third.h5", extra={"resumed": again})
    found = ledger(tmp_path)
    assert [entry.dose.of("pd").count() for entry in found.entries] == [30, 0, 0]
    first.unlink()  # then the second one's copy is all there is
    assert [entry.dose.of("pd").count() for entry in ledger(tmp_path).entries] == [30, 0]
    second.unlink()
    assert [entry.dose.of("pd").count() for entry in ledger(tmp_path).entries] == [30]


@pytest.mark.parametrize("content", [b"", b"no run file", b"\x89HDF\r\n\x1a\n" + bytes(200)])
def test_a_file_that_cannot_be_read_is_told(run: Callable[..., Path], tmp_path: Path, content: bytes) -> None:
    run(MIXED)
    (tmp_path / "runs" / "bad.h5").write_bytes(content)
    (tmp_path / "runs" / "worse.h5.journal").write_bytes(content)
    found = ledger(tmp_path)
    assert len(found.entries) == 1
    assert sorted(Path(problem.partition(":")[0]).name for problem in found.problems) == ["bad.h5", "worse.h5.journal"]


def test_a_damaged_column_is_told(run: Callable[..., Path], tmp_path: Path) -> None:
    """One byte changed among the counts of pulses: the chunk's checksum finds it, the run is not counted."""
    import h5py

    path = run(MIXED)
    with h5py.File(path) as file:
        place = file["entry/events/pulse/count"].id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[place + 3] ^= 0x40
    path.chmod(0o644)
    path.write_bytes(data)
    found = ledger(tmp_path)
    assert not found.entries
    assert "damaged" in found.problems[0]


def test_a_file_is_read_once_until_it_changes(
    run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(MIXED)
    before = ledger(tmp_path)
    opened: list[Path] = []

    def counted(path: Path, **options: Any) -> Run:
        opened.append(path)
        return load_run(path, **options)

    monkeypatch.setattr(book, "load_run", counted)
    assert ledger(tmp_path) == before
    assert not opened
    shutil.copy(first, tmp_path / "kept.h5")
    first.unlink()
    shutil.copy(tmp_path / "kept.h5", first)  # another file of the same name
    assert ledger(tmp_path) == before
    assert opened == [first]


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert ledger(tmp_path) == Ledger("simulated-neuron", tmp_path / "runs", (), (), ())


def test_older_run_files_tell_the_resistance_by_their_bench_text(run: Callable[..., Path]) -> None:
    meta = load_run(run(READ)).meta
    older = meta | {"plan": {key: value for key, value in meta["plan"].items() if key != "proved_on"}}
    assert smallest_resistance(meta) == smallest_resistance(older) == RMIN
    assert smallest_resistance(older | {"bench": ""}) is None


def test_from_the_command_line(run: Callable[..., Path], tmp_path: Path) -> None:
    run(ERASE + READ, allow=("erase",))
    (tmp_path / "runs" / "bad.h5").write_bytes(b"")

    def labctl(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "labctl", "device", *arguments, "--runs", str(tmp_path / "runs")]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    done = labctl("simulated-neuron")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SIMULATED  simulated-neuron: 1 run (1 complete), ")
    assert "pulses       1: 1 erase; 1 beyond the ordinary limit" in done.stdout
    assert "warning: not counted" in done.stderr
    said = json.loads(labctl("simulated-neuron", "--json").stdout)
    assert said["simulated"]["terminals"]["pd"]["beyond"] == 1
    assert said["real"]["runs"] == 0
    done = labctl("N8")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].strip() == "devices with runs there: simulated-neuron"
