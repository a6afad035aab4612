"""Run files that are damaged, foreign, unfinished or of other versions: a clear statement and the right exit code."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest

from labctl import api, load_run
from labctl.store import Header, Recorder
from labctl.store.continuation import copy_records
from labctl.store.journal import record
from labctl.store.tables import RowLayout
from tests.cli.conftest import Labctl

READING = ("info", "verify", "export", "analyze", "report", "rerun", "resume", "repair")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ready = api.prepare("hnno/resistance_read", overrides={"readings": "2", "points": "5"})
    return Path(api.run(ready, out=tmp_path_factory.mktemp("good")).path)


def again(good: Path, path: Path, events: bool = True, **changed: Any) -> Recorder:
    """A run that goes on, with what a good one recorded and other words in its header."""
    run = load_run(good)
    with run.content() as content:
        header = Header.from_dict({**content.identity.header, **changed})
        tables = {layout.kind: _given(layout) for layout in content.identity.layouts}
    recorder = Recorder.create(path, header, tables)
    if events:
        copy_records(run, recorder)
    return recorder


def _given(layout: RowLayout) -> dict[str, Any]:
    return {name: column for name, column in layout.columns.items() if name in layout.given}


def make_bad(case: str, good: Path, folder: Path) -> Path:
    path = folder / f"{case}.h5"
    data = bytearray(good.read_bytes())
    if case == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif case == "flipped":
        data[len(data) // 3] ^= 16
        path.write_bytes(data)
    elif case == "empty":
        path.write_bytes(b"")
    elif case == "foreign":
        with h5py.File(path, "w") as file:
            file["data"] = [1, 2, 3]
    elif case == "later":
        shutil.copy(good, path)
        with h5py.File(path, "r+") as file:
            file.attrs["labctl_format"] = 2
    else:
        again(good, path).close()
        journal = path.with_name(path.name + ".journal")
        if case == "journal_flipped":
            data = bytearray(journal.read_bytes())
            data[len(data) - 500] ^= 16
            journal.write_bytes(data)
        else:
            with journal.open("ab") as file:
                file.write(record(99, b"news"))
    return path


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("truncated", "cut short"),
        ("flipped", "damaged"),
        ("empty", "not an HDF5 file"),
        ("foreign", "not one of labctl's runs"),
        ("later", "format 2 of the run file is later"),
        ("journal_flipped", "damaged"),
        ("journal_later", "record of an unknown kind 99"),
    ],
)
def test_what_cannot_be_read_is_refused_by_every_command(
    case: str, words: str, good: Path, labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_bad(case, good, tmp_path)
    for command in READING if case != "journal_flipped" else READING[:-1]:
        options = ["--out", tmp_path / "export"] if command == "export" else []
        assert labctl(command, path, *options) == 5, command
        told = capsys.readouterr()
        lines = [line for line in told.err.splitlines() if not line.startswith("SIMULATED")]
        assert words in lines[0], command
        assert (lines[0].startswith(f"labctl: {path}"), len(lines)) == (True, 2), told.err
        assert command == "verify" or not told.out
    assert not list((tmp_path).glob("export/*"))
    assert labctl("verify", path, "--json") == 5
    out = capsys.readouterr().out
    if "flipped" in case:
        (finding,) = json.loads(out)["findings"][:1]
        assert finding["place"].startswith("bytes ")


def test_an_unfinished_run_says_so_everywhere(
    good: Path, labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cut.h5"
    again(good, path).close()
    whole = load_run(good)
    assert labctl("info", path, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["status"], facts["reason"]) == ("failed", "the process ended without finishing the run")
    assert labctl("verify", path) == 0
    assert "intact, but not finished: labctl repair" in capsys.readouterr().out
    assert labctl("analyze", path) == 0
    assert "not complete: failed: the process ended" in capsys.readouterr().out
    assert labctl("export", path, "--out", tmp_path) == 0
    assert json.loads((tmp_path / "cut.meta.json").read_text(encoding="utf-8"))["status"] == "failed"
    journal = path.with_name("cut.h5.journal")
    with journal.open("ab") as file:
        file.write(b"LJ\x01")  # the start of a record
    assert labctl("verify", path) == 5
    assert "no complete record" in capsys.readouterr().out
    assert labctl("info", path) == 0
    assert "no complete record" in capsys.readouterr().out
    assert labctl("repair", path) == 0
    assert "never acknowledged, left out" in capsys.readouterr().out
    assert len(load_run(path).events) == len(whole.events)
    assert labctl("verify", path) == 0


def test_a_run_that_goes_on_is_read_but_not_repaired(
    good: Path, labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with again(good, tmp_path / "on.h5") as recorder:
        for command in ("info", "verify", "analyze"):
            assert labctl(command, recorder.path) == 0
        for command, code in {"repair": 6, "resume": 2}.items():
            capsys.readouterr()
            assert labctl(command, recorder.path) == code
            assert "goes on" in capsys.readouterr().err
        assert recorder.journal.exists()


def test_a_run_file_that_another_program_has_open(
    good: Path, labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "open.h5"
    shutil.copy(good, path)
    program = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        for command in ("info", "verify", "analyze", "repair"):
            assert labctl(command, path) == 5, command
            told = capsys.readouterr()
            assert "a program that has it open for writing" in told.out + told.err
        other.communicate()
    assert labctl("info", path) == 0  # it changed nothing
    with h5py.File(path, "r"):  # in the same process, as in a notebook
        assert len(load_run(path).events) == len(load_run(good).events)


def test_a_protocol_of_another_version_of_the_language_is_not_guessed_at(
    good: Path, labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "version2.h5"
    resolved = {**load_run(good).meta["resolved"], "protocol": 2}
    again(good, path, resolved=json.dumps(resolved)).finish("complete")
    for command in ("info", "verify", "export"):
        assert labctl(command, path, *(["--out", tmp_path] if command == "export" else [])) == 0
    capsys.readouterr()
    assert labctl("analyze", path) == 2
    told = capsys.readouterr()
    assert "its protocol is of version 2 of the language, known here is 1" in told.err
    assert not told.out


def test_a_run_without_events_gives_no_number(
    good: Path, labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.h5"
    again(good, path, events=False).finish("stopped", "stopped by Ctrl+C")
    for command in ("info", "verify", "export", "report"):
        assert labctl(command, path, *(["--out", tmp_path] if command == "export" else [])) == 0
    capsys.readouterr()
    assert labctl("analyze", path, "--json") == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert all(result["value"] is None for result in results)
    assert labctl("analyze", path) == 0
    assert "not complete: stopped: stopped by Ctrl+C" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "RUN", "--out", "FOLDER"),
        ("report", "RUN", "--out", "FOLDER/page.html"),
        ("analyze", "RUN", "--figures", "FOLDER"),
        ("analyze", "RUN", "--out", "FOLDER/table.csv"),
        ("plan", "hnno/resistance_read", "--figure", "FOLDER/plan.png"),
        ("plan", "hnno/resistance_read", "--save", "FOLDER/plan.json"),
        ("run", "hnno/resistance_read", "--out", "FOLDER"),
    ],
    ids=lambda arguments: " ".join(arguments[::2]),
)
def test_a_folder_that_takes_nothing(
    arguments: tuple[str, ...], good: Path, labctl: Labctl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    replaced = [a.replace("RUN", str(good)).replace("FOLDER", str(blocked / "folder")) for a in arguments]
    assert labctl(*replaced) == 6
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("SIMULATED")]
    assert (lines[0].startswith("labctl: "), len(lines)) == (True, 2), lines


def test_runs_begun_in_the_same_instant_get_names_of_their_own(
    tmp_path: Path, labctl: Labctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Recorder.create.__func__  # type: ignore[attr-defined]
    taken = []

    def late(recorder: type[Recorder], path: Path, header: Header, tables: Any) -> Recorder:
        """Another process has taken the name since it was chosen."""
        if not taken:
            taken.append(create(recorder, path, header, tables))
        return create(recorder, path, header, tables)

    monkeypatch.setattr(Recorder, "create", classmethod(late))
    assert labctl("run", "hnno/resistance_read", "--set", "readings=1", "--out", tmp_path) == 0
    taken[0].close()
    assert [path.stem for path in tmp_path.glob("*.h5")] == [f"{taken[0].path.stem}_2"]
