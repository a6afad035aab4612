"""A disk that does not take it: nothing acknowledged is lost, and the error says what to do."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from labctl.store import Header, Recorder, StorageError, load_run, open_block
from labctl.store import journal as journal_module
from labctl.store.repair import repair
from labctl.store.verify import verify

ROW = {"time": 1.0, "level": 2.0, "role": "set"}


def two_lines(error: StorageError) -> None:
    assert error.exit_code == 6
    assert len(str(error).splitlines()) == 2


class FullDisk:
    """``os.write`` that takes ``room`` bytes, then fails like a full disk: a part of the data, then ENOSPC."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __call__(self, fd: int, data: bytes) -> int:
        part = data[: self.room]
        if not part:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(part)
        return WRITE(fd, part)


WRITE = os.write


def test_the_disk_fills_up_at_any_byte_and_gets_space_again(
    short_run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for room in range(0, 420, 13):
        short = short_run(2, name=f"{room}.h5")
        monkeypatch.setattr(journal_module.os, "write", FullDisk(room))
        with pytest.raises(StorageError, match="No space left on device") as error:
            short.fill(5, start=2)
        count = len(short.events)
        assert f"all {count} acknowledged events are kept in {short.recorder.journal}" in error.value.hint
        two_lines(error.value)
        monkeypatch.setattr(journal_module.os, "write", WRITE)
        assert short.recorder.events == count
        short.check(load_run(short.recorder.path), count)
        short.append("pulse", ROW)
        short.append("resistance", {"name": "after_3 µ"}, {"voltage": [0.1], "status": [1]})
        path = short.recorder.finish("complete")
        short.check(load_run(path), count + 2)
        assert verify(path).ok


def test_the_wire_log_never_keeps_a_message_from_being_sent(short_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver's safe() runs through the log: on a full disk it must get through."""
    short = short_run(1)
    monkeypatch.setattr(journal_module.os, "write", FullDisk(30))
    for command in (b"OUTP1 OFF\n", b"OUTP2 OFF\n"):
        short.recorder.wire(9.0, "afg", "write", command)
    with pytest.raises(StorageError):
        short.recorder.append("pulse", ROW)
    monkeypatch.setattr(journal_module.os, "write", WRITE)
    short.recorder.wire(9.5, "afg", "write", b"*CLS\n")
    run = load_run(short.recorder.finish("failed", "disk full"))
    assert run.wire["data"].tolist() == [b"*TRG\n", b"OUTP1 OFF\n", b"OUTP2 OFF\n", b"*CLS\n"]
    short.check(run, 2)


def test_a_full_disk_at_the_end_keeps_the_journal(short_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    short = short_run(3)
    monkeypatch.setattr(journal_module.os, "write", FullDisk(10))
    with pytest.raises(StorageError) as error:
        short.recorder.finish("complete")
    two_lines(error.value)
    short.recorder.close()
    monkeypatch.setattr(journal_module.os, "write", WRITE)
    short.check(load_run(short.recorder.path), 6)
    short.check(load_run(repair(short.recorder.path).path), 6)


def test_hdf5_on_a_full_disk_ends_in_an_error_and_a_second_try_succeeds(tmp_path: Path) -> None:
    """In a child process: HDF5 by itself crashes there. The file size limit stands for the full disk."""
    pytest.importorskip("resource")
    script = """
        import resource, sys
        from pathlib import Path
        from labctl.store import Header, Recorder, StorageError, event_tables, load_run
        folder = Path(sys.argv[1])
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        failed = 0
        for limit in range(40_000, 160_000, 7_001):
            recorder = Recorder.create(folder / f"{limit}.h5", Header(protocol=""), event_tables())
            for i in range(100):
                recorder.append("pulse", {"level": float(i)})
                recorder.append("resistance", {"value": float(i)}, {"voltage": [0.1 * i] * 5})
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            try:
                recorder.finish("complete")
            except StorageError as error:
                failed += 1
                assert "all 200 acknowledged events are kept" in error.hint, error
                assert recorder.journal.exists() and not recorder.path.exists()
                assert not list(folder.glob("*.tmp"))
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
            if recorder.journal.exists():
                recorder.finish("complete")
            assert len(load_run(recorder.path).events) == 200
        print("failed", failed)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout.split()[1]) >= 5


def test_a_disk_that_does_not_keep_what_was_written_is_found_at_the_end(short_run: Any) -> None:
    short = short_run(2)
    with short.recorder.journal.open("r+b") as file:
        file.seek(short.sizes[1] - 3)
        file.write(b"?")
    with pytest.raises(StorageError, match="making the run file failed: Input/output error"):
        short.recorder.finish("complete")
    assert short.recorder.journal.exists()
    assert not short.recorder.path.exists()


def test_two_recorders_on_one_path_the_second_is_refused(short_run: Any) -> None:
    short = short_run(1)
    with pytest.raises(StorageError, match="another run is being written") as error:
        Recorder.create(short.recorder.path, Header(protocol=""), {"pulse": {}})
    two_lines(error.value)
    short.fill(1, start=1)
    short.check(load_run(short.recorder.finish("complete")), 4)


def test_a_cut_off_run_is_not_overwritten_by_the_next(short_run: Any) -> None:
    short = short_run(1)
    short.recorder.close()
    with pytest.raises(StorageError, match="cut off") as error:
        Recorder.create(short.recorder.path, Header(protocol=""), {"pulse": {}})
    assert "labctl repair" in error.value.hint


def test_an_existing_file_is_never_overwritten(short_run: Any, tmp_path: Path) -> None:
    path = tmp_path / "there.h5"
    path.write_text("mine")
    with pytest.raises(StorageError, match="a file of this name already"):
        Recorder.create(path, Header(protocol=""), {"pulse": {}})
    short = short_run(1)
    short.recorder.path.write_text("came while the run was going")
    with pytest.raises(StorageError, match="File exists") as error:
        short.recorder.finish("complete")
    two_lines(error.value)
    assert short.recorder.path.read_text() == "came while the run was going"
    short.recorder.close()
    short.check(load_run(short.recorder.journal), 2)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.ENOENT, "Create the folder"),
        (errno.EROFS, "can be written"),
        (errno.EACCES, "can be written"),
        (errno.ENOSPC, "space"),
    ],
)
def test_a_folder_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, hint: str) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StorageError) as error:
        Recorder.create(tmp_path / "run.h5", Header(protocol=""), {"pulse": {}})
    two_lines(error.value)
    assert os.strerror(code) in error.value.message
    assert hint in error.value.hint


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory") as error:
        Recorder.create(tmp_path / "none" / "run.h5", Header(protocol=""), {"pulse": {}})
    assert error.value.hint.startswith("Create the folder")


def test_a_failing_fsync_refuses_the_next_event_and_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder.create(tmp_path / "run.h5", Header(protocol=""), {"pulse": {"level": "f8"}}, sync_interval=0.0)
    recorder.append("pulse", {"level": 1.0})

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(journal_module, "_sync_data", fail)
    with pytest.raises(StorageError, match="writing event 1 failed"):
        recorder.append("pulse", {"level": 2.0})
    monkeypatch.undo()
    assert recorder.append("pulse", {"level": 3.0}) == 1
    assert load_run(recorder.finish("failed", "disk")).tables["pulse"]["level"].tolist() == [1.0, 3.0]


def test_an_interrupt_at_any_line_leaves_whole_events_with_their_own_numbers(tmp_path: Path) -> None:
    """Ctrl+C raises KeyboardInterrupt wherever the recorder is: here at every line that one append executes."""
    files = {module.__file__ for module in (journal_module, open_block, sys.modules[Recorder.__module__])}
    recorder = Recorder.create(tmp_path / "run.h5", Header(protocol=""), {"pulse": {"level": "f8", "role": "str"}})
    acknowledged: list[float] = []
    logged: list[int] = []
    line, interrupted = 0, True
    while interrupted:
        line += 1
        left = line

        def trace(frame: Any, event: str, _: Any) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in files:
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    raise KeyboardInterrupt
            return trace

        level = float(line)
        interrupted = False
        sys.settrace(trace)
        try:
            if line % 20 == 1:  # now and then: each that is held makes the next attempt longer
                recorder.wire(level, "afg", ">", b"%d" % line)
                logged.append(line)
            number = recorder.append("pulse", {"level": level, "role": f"new text {line}"}, {"v": [level]})
        except KeyboardInterrupt:
            interrupted = True
        finally:
            sys.settrace(None)
        if not interrupted:
            acknowledged.append(level)
            assert number == recorder.events - 1
    assert line > 30
    run = load_run(recorder.finish("stopped", "Ctrl+C"))
    table, sent = run.tables["pulse"], [int(data) for data in run.wire["data"]]
    assert table["event"].tolist() == list(range(len(table)))
    assert set(acknowledged) <= set(table["level"])
    assert all(f"new text {int(level)}" == role for level, role in zip(table["level"], table["role"], strict=True))
    assert sent == sorted(set(sent))  # no message twice, none out of order
    assert logged
    assert set(logged) <= set(sent)
    assert verify(recorder.path).ok
