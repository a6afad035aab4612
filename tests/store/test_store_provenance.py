"""Everything that issue and page promise of a run's origin is in the file of a run on either bench, for plain h5py."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from labctl import api
from labctl.store import RunFileError, load_run
from labctl.store.verify import verify
from labctl.testing import bench_file

CALIBRATED = "2025-01-31"
CASES = {
    "hnno": ("hnno/resistance_read", {"readings": "2", "points": "5"}, {"afg": "AFG31052", "smu": "2636B"}),
    "aab": ("aab/single_pulse", {}, {"b1500": "B1500A", "wgfmu": "B1530A"}),
}


@pytest.fixture(scope="module", params=CASES)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Path, api.Prepared]:
    """Base of the bench, bench file, run file, what was run."""
    base: str = request.param
    folder = tmp_path_factory.mktemp(base)
    protocol, overrides, instruments = CASES[base]
    first = next(iter(instruments))
    bench = bench_file(folder, base, instruments={first: {"calibrated": CALIBRATED}})
    ready = api.prepare(protocol, bench, overrides=overrides, seed=5)
    outcome = api.run(ready, out=folder, operator="Ada", device="N7", note="by hand")
    assert outcome.status == "complete"
    return base, bench, outcome.path, ready


def text(file: h5py.File, path: str) -> str:
    found: bytes = file[path][()]
    return found.decode()


def test_what_was_run_and_on_what(made: Any) -> None:
    base, bench, path, ready = made
    protocol, overrides, instruments = CASES[base]
    with h5py.File(path) as file:
        header = "entry/header"
        assert text(file, f"{header}/protocol") == ready.protocol.source_text
        resolved = json.loads(text(file, f"{header}/resolved"))
        assert (resolved["name"], resolved["overrides"]) == (protocol, overrides)
        assert resolved["parameters"]
        used = json.loads(text(file, f"{header}/extra"))["used_protocols"]
        assert all(protocol["text"] for protocol in used.values())
        plan = text(file, f"{header}/plan")
        assert plan == ready.plan.text
        assert file[f"{header}/plan"].attrs["sha256"] == ready.plan.hash == hashlib.sha256(plan.encode()).hexdigest()
        assert text(file, f"{header}/bench") == bench.read_text(encoding="utf-8")
        assert json.loads(text(file, f"{header}/seed")) == 5
        versions = json.loads(text(file, f"{header}/versions"))
        assert {"labctl", "numpy", "h5py", "pyvisa", "pymeasure"} <= versions.keys()
        assert all(versions.values())
        assert "Python" in text(file, f"{header}/host")
        assert [text(file, f"{header}/{name}") for name in ("operator", "device", "note")] == ["Ada", "N7", "by hand"]
        before = json.loads(text(file, f"{header}/instruments"))
        after = json.loads(file["entry/history/instruments"][-1])
        assert {name: before[name]["identity"]["model"] for name in instruments} == instruments
        assert before[next(iter(instruments))]["calibrated"] == CALIBRATED
        for name in instruments:
            assert before[name]["identity"].keys() >= {"model", "serial", "firmware"}
            assert before[name]["settings"]
            assert after[name]["settings"].keys() >= before[name]["settings"].keys()


def test_every_event_points_to_its_messages(made: Any) -> None:
    path = made[2]
    with h5py.File(path) as file:
        wire = file["entry/wire"]
        ends = wire["offset"][()] + wire["length"][()]
        assert np.array_equal(wire["offset"][1:], ends[:-1])
        assert ends[-1] == len(wire["data"])
        messages = len(ends)
        points = sorted(
            (event, at)
            for table in file["entry/events"].values()
            for event, at in zip(table["event"][()].tolist(), table["wire"][()].tolist(), strict=True)
        )
    assert [event for event, _ in points] == list(range(len(points)))
    places = [at for _, at in points]
    assert places == sorted(places)
    assert 0 < places[0] <= places[-1] <= messages
    run = load_run(path)
    acting = run.events[run.events["kind"].isin(["pulse", "resistance", "current", "sweep", "sample"])]
    for at, event in zip(acting["wire"], acting["event"], strict=True):
        before = max((w for e, w in points if e < event), default=0)
        if at > before:  # the second terminal of a sweep comes with the first one's messages
            assert (run.intents["wire"].between(before, at - 1)).any(), event
    assert len(run.intents) > 0


def test_checksums_of_every_dataset_and_a_chain_to_the_last_event(made: Any) -> None:
    path = made[2]
    with h5py.File(path) as file:
        names = {name.decode() for name in file["entry/integrity/datasets"][()]}
        found: set[str] = set()
        file.visititems(lambda name, item: found.add(f"/{name}") if isinstance(item, h5py.Dataset) else None)
        bare = {name for name in found - names if not name.startswith(("/entry/integrity/", "/entry/data/"))}
        assert not bare
        chunked = [file[name] for name in found if file[name].chunks]
        assert chunked
        assert all(dataset.fletcher32 for dataset in chunked)
        ends = file["entry/integrity/block_ends"][()]
        assert len(ends) == len(file["entry/integrity/block_digests"])
        assert ends[-1][0] == sum(len(table["event"]) for table in file["entry/events"].values())
    assert verify(path).ok


def test_any_changed_byte_is_placed(made: Any) -> None:
    """A sample; benchmarks/flips.py changes thousands."""
    path = made[2]
    data = bytearray(path.read_bytes())
    generator = random.Random(7)
    for _ in range(60):
        at, change = generator.randrange(len(data) - 2000), generator.randrange(1, 256)
        data[at] ^= change
        path.write_bytes(data)
        (first, *_) = verify(path).findings
        low, high = (int(number) for number in first.place.removeprefix("bytes ").split(" to "))
        assert low <= at <= high
        with pytest.raises(RunFileError, match=f"bytes {low} to {high}"):
            load_run(path)
        data[at] ^= change
    path.write_bytes(data)
    assert verify(path).ok
