"""Damaged, cut, changed and foreign files: each is recognised, and the place named."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from labctl.store import RunFileError, load_run
from labctl.store.pages import FOOTER, PAGE
from labctl.store.repair import repair
from labctl.store.verify import verify


@pytest.fixture
def run_file(short_run: Any) -> Path:
    short = short_run(40)
    path: Path = short.recorder.finish("complete")
    assert verify(path).ok
    return path


def flip(path: Path, at: int, bit: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))


def test_a_flipped_bit_anywhere_is_found_and_its_place_named(run_file: Path) -> None:
    rng = random.Random(5)
    size = run_file.stat().st_size
    places = [*range(0, size, 499), *range(size - 200, size, 3)]
    for at in places:
        bit = rng.randrange(8)
        flip(run_file, at, bit)
        verification = verify(run_file)
        assert not verification.ok, at
        place = verification.findings[0].place
        if match := re.fullmatch(r"bytes (\d+) to (\d+)", place):
            assert int(match[1]) <= at <= int(match[2])
        else:
            assert place == "end of the file"
            assert at >= size - 48
        flip(run_file, at, bit)
    assert verify(run_file).ok


def test_no_flipped_bit_changes_what_is_read_unnoticed(run_file: Path) -> None:
    rng = random.Random(6)
    for _ in range(60):
        at, bit = rng.randrange(run_file.stat().st_size - FOOTER.size), rng.randrange(8)
        flip(run_file, at, bit)
        with pytest.raises(RunFileError, match="damaged: bytes"):
            load_run(run_file)
        flip(run_file, at, bit)


def test_the_column_and_its_rows_are_named_and_reading_it_is_refused(run_file: Path) -> None:
    with h5py.File(run_file) as file:
        at = file["entry/events/pulse/level"].id.get_chunk_info(0).byte_offset
    flip(run_file, at + 8 * 7, 3)
    (finding,) = verify(run_file).findings
    assert "/entry/events/pulse/level[0..39]" in finding.problem
    first, last = map(int, re.findall(r"\d+", finding.place))
    assert last - first < 2 * PAGE
    with pytest.raises(RunFileError, match=r"/entry/events/pulse/level\[0\.\.39\]"):
        load_run(run_file)
    run = load_run(run_file, check=False)
    assert len(run.tables["resistance"]) == 40
    with pytest.raises(RunFileError, match="damaged") as error:
        run.tables["pulse"]
    assert error.value.hint == f"See what is affected: labctl verify {run_file}"
    with pytest.raises(RunFileError, match="Its journal is gone"):
        repair(run_file)


def test_values_changed_by_another_program_are_named_by_column_and_block(short_run: Any) -> None:
    short = short_run(1200)
    path = short.recorder.finish("complete")
    with h5py.File(path, "r+") as file:
        file["entry/events/pulse/level"][7] = 99.0
        file["entry/events/resistance/value"].attrs["units"] = "kohm"
    found = {finding.place: finding.problem for finding in verify(path).findings}
    assert "/entry/events/pulse/level" in found
    assert "/entry/events/resistance/value" in found
    blocks = [place for place in found if place.startswith("block")]
    assert len(blocks) == 1
    assert blocks[0].startswith("block 0 (events 0 to ")


def test_a_file_only_touched_by_another_program_still_reads(run_file: Path) -> None:
    with h5py.File(run_file, "r+") as file:
        file["entry/analysis"] = np.arange(3)
    assert [finding.place for finding in verify(run_file).findings] == ["end of the file"]
    run = load_run(run_file)
    assert "checksums at its end is missing" in run.meta["torn"]
    assert len(run.events) == 80


def test_a_file_cut_short_says_so_and_never_opens_as_a_good_one(run_file: Path) -> None:
    data = run_file.read_bytes()
    whole = load_run(run_file).events
    hdf5 = FOOTER.unpack(data[-FOOTER.size :])[1]
    for cut in [0, 1, 7, 8, 100, 500, 2000, *range(5000, len(data), 4999), hdf5 - 1, hdf5, len(data) - 1]:
        run_file.write_bytes(data[:cut])
        if cut < hdf5:
            with pytest.raises(RunFileError, match=r"cut short|not an HDF5 file|damaged") as error:
                load_run(run_file)
            assert error.value.exit_code == 5
            assert len(str(error.value).splitlines()) == 2
            with pytest.raises(RunFileError):
                verify(run_file)
        else:  # only the table of checksums is cut
            run = load_run(run_file)
            assert run.meta["torn"]
            assert run.events.equals(whole)
            assert not verify(run_file).ok


@pytest.mark.parametrize("act", [load_run, verify, repair])
def test_foreign_files(tmp_path: Path, act: Any) -> None:
    text, foreign, later = tmp_path / "notes.h5", tmp_path / "foreign.h5", tmp_path / "later.h5"
    text.write_text("voltages of Tuesday")
    with h5py.File(foreign, "w") as file:
        file["data"] = np.arange(5)
    with h5py.File(later, "w") as file:
        file.attrs["labctl_format"] = 2
    expected = {
        text: "not an HDF5 file",
        foreign: "not one of labctl's runs",
        later: "format 2",
        tmp_path: "cannot be read|signature",
        tmp_path / "none.h5": "there is no such",
    }
    for path, words in expected.items():
        with pytest.raises(RunFileError, match=words) as error:
            act(path)
        assert error.value.exit_code == 5
        assert len(str(error.value).splitlines()) == 2


def test_an_hdf5_file_that_only_claims_to_be_a_run(tmp_path: Path) -> None:
    path = tmp_path / "claims.h5"
    with h5py.File(path, "w") as file:
        file.attrs["labctl_format"] = 1
    for act in (load_run, verify):
        with pytest.raises(RunFileError, match="damaged"):
            act(path)


def test_the_chain_binds_every_block_to_the_one_before(short_run: Any) -> None:
    from labctl.store.content import check_chain
    from labctl.store.h5_reader import H5Reader

    short = short_run(2000)
    with H5Reader(short.recorder.finish("complete")) as reader:
        assert len(reader.blocks) >= 3
        assert list(check_chain(reader)) == []
        reader.identity.header["note"] = "changed"  # type: ignore[index]
        reader.identity.__dict__.pop("canonical", None)
        assert [number for number, *_ in check_chain(reader)] == [0]
        reader.__dict__["blocks"] = [reader.blocks[0], *reader.blocks[2:]]
        assert [number for number, *_ in check_chain(reader)] == [0, 1]
