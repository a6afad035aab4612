"""What goes into a recorder comes out of the reader, bit for bit: while the run goes on, and from the finished file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labctl.store import Column, Header, Recorder, event_tables, load_run, loop_column
from labctl.store.header import canonical
from labctl.store.verify import verify

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
DTYPES = {
    "f8": st.floats(),
    "f4": st.floats(width=32),
    **{f"i{n}": st.integers(-(1 << 8 * n - 1), (1 << 8 * n - 1) - 1) for n in (1, 2, 4, 8)},
    **{f"u{n}": st.integers(0, (1 << 8 * n) - 1) for n in (1, 2, 4, 8)},
    "bool": st.booleans(),
    "str": TEXT,
}
EVERY_DTYPE = {"every": {f"c_{dtype}": Column(dtype, "V") for dtype in DTYPES}, "other": {"name": Column("str")}}
ROWS = st.fixed_dictionaries({}, optional={f"c_{dtype}": values for dtype, values in DTYPES.items()})
TRACES = st.integers(0, 5).flatmap(
    lambda n: st.dictionaries(
        st.sampled_from(["set", "voltage", "current", "status", "µ"]),
        st.sampled_from(["<f8", ">f8", "<f4", "<i8", "<i4", ">i2", "u1", "bool"]).flatmap(
            lambda dtype: hnp.arrays(np.dtype(dtype), n)
        ),
        min_size=1,
    )
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["every", "other"]), ROWS, st.none() | TRACES, st.binary(max_size=9)), max_size=4
)


def same(a: Any, b: Any) -> bool:
    return bool(a == b or (a != a and b != b))


def check(path: Path, events: list[tuple[str, dict[str, Any], Any, bytes]]) -> None:
    run = load_run(path)
    assert run.events["event"].tolist() == list(range(len(events)))
    assert run.wire["data"].tolist() == [message for *_, message in events]
    for number, (kind, row, trace, _) in enumerate(events):
        table = run.tables[kind]
        found = table[table["event"] == number].iloc[0]
        assert found["wire"] == number + 1
        for name, column in EVERY_DTYPE[kind].items():
            assert same(found[name], row.get(name, column.default)), name
        assert (found["trace"] >= 0) == (trace is not None)
        if trace is not None:
            arrays = run.traces[found["trace"]]
            assert list(arrays) == list(trace)
            for name, values in trace.items():
                assert arrays[name].dtype == values.dtype.newbyteorder("<")
                assert np.array_equal(arrays[name], values, equal_nan=values.dtype.kind == "f")


@settings(max_examples=20, deadline=None)
@given(EVENTS)
def test_every_dtype_text_and_trace_comes_back(events: list[tuple[str, dict[str, Any], Any, bytes]]) -> None:
    events = [(kind, row if kind == "every" else {}, trace, message) for kind, row, trace, message in events]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.h5"
        with Recorder.create(path, Header(protocol=""), EVERY_DTYPE) as recorder:
            for kind, row, trace, message in events:
                recorder.wire(0.0, "smu", "read", message)
                recorder.append(kind, row, trace)
            check(path, events)
            recorder.finish("complete")
        check(path, events)
        assert verify(path).findings == ()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.fixed_dictionaries({f"c_{d}": values for d, values in DTYPES.items()}), min_size=1, max_size=8))
def test_a_block_of_rows_is_the_same_as_its_rows(rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, block = Path(folder) / "one.h5", Path(folder) / "block.h5"
        with Recorder.create(one, Header(protocol=""), EVERY_DTYPE) as recorder:
            for row in rows:
                recorder.append("every", row)
            recorder.finish("complete")
        with Recorder.create(block, Header(protocol=""), EVERY_DTYPE) as recorder:
            columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
            for dtype in DTYPES:
                if dtype != "str":
                    columns[f"c_{dtype}"] = np.array(columns[f"c_{dtype}"], dtype)
            assert recorder.extend("every", columns) == range(len(rows))
            recorder.finish("complete")
        assert load_run(one).tables["every"].equals(load_run(block).tables["every"])


@settings(max_examples=30, deadline=None)
@given(
    st.text(max_size=30),
    st.text(max_size=30),
    st.dictionaries(st.text(max_size=5), st.floats() | st.text() | st.none()),
)
def test_the_header_comes_back(protocol: str, note: str, settings_: dict[str, Any]) -> None:
    header = Header(
        protocol=protocol, note=note, seed=7, nodes=("pulse", "läs"), instruments={"smu": {"settings": settings_}}
    )
    stored = header.as_dict()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.h5"
        with Recorder.create(path, header, EVERY_DTYPE) as recorder:
            recorder.finish("stopped", "by Ctrl+C", {"smu": {"output": False}})
        meta = load_run(path).meta
    instruments = {"smu": stored["instruments"]["smu"] | {"after": {"output": False}}}
    assert canonical(meta["instruments"]) == canonical(instruments)  # NaN does not equal NaN
    for name in ("protocol", "note", "seed", "nodes", "simulated", "started", "versions", "extra"):
        assert meta[name] == stored[name], name
    assert (meta["status"], meta["reason"]) == ("stopped", "by Ctrl+C")
    assert [entry["status"] for entry in meta["history"]] == ["running", "stopped"]


def test_text_that_nothing_can_hold_is_escaped_in_the_header_and_refused_in_rows(tmp_path: Path) -> None:
    with Recorder.create(tmp_path / "run.h5", Header(protocol="", note="a\0b\udc80"), EVERY_DTYPE) as recorder:
        for bad in ("a\0b", "\udc80"):
            with pytest.raises(ValueError, match=r"NUL|surrogate"):
                recorder.append("other", {"name": bad})
        assert recorder.append("other", {"name": "good"}) == 0
        recorder.finish("complete")
    run = load_run(tmp_path / "run.h5")
    assert run.meta["note"] == "a\\x00b\\udc80"
    assert run.tables["other"]["name"].tolist() == ["good"]


@pytest.mark.parametrize(
    ("kind", "row", "trace", "words"),
    [
        ("pulse", {}, None, "no table 'pulse'"),
        ("every", {"levle": 1.0}, None, "'levle'"),
        ("every", {"event": 3}, None, "'event'"),
        ("every", {"c_f8": "1 V"}, None, r"every.c_f8 \(f8\) cannot hold '1 V'"),
        ("every", {"c_f8": None}, None, r"every.c_f8"),
        ("every", {"c_i1": 128}, None, r"every.c_i1 \(i1\) cannot hold 128"),
        ("every", {"c_i4": 1.5}, None, r"every.c_i4"),
        ("every", {"c_str": 1.5}, None, "text is needed, not 1.5"),
        ("every", {}, {}, "at least one array"),
        ("every", {}, {"v": np.zeros(2), "i": np.zeros(3)}, "equally long"),
        ("every", {}, {"v": np.zeros((2, 2))}, "one-dimensional"),
        ("every", {}, {"v": np.array(["a"])}, "numbers are needed"),
        ("every", {}, {"a/b": np.zeros(2)}, "cannot name"),
    ],
)
def test_a_wrong_row_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, kind: str, row: dict[str, Any], trace: Any, words: str
) -> None:
    with Recorder.create(tmp_path / "run.h5", Header(protocol=""), EVERY_DTYPE) as recorder:
        before = recorder.journal.read_bytes()
        with pytest.raises((ValueError, TypeError), match=words):
            recorder.append(kind, row, trace)
        assert recorder.journal.read_bytes() == before
        assert recorder.append("other", {"name": "next"}, {"v": np.zeros(1)}) == 0
        recorder.finish("complete")
    assert load_run(tmp_path / "run.h5").tables["other"]["trace"].tolist() == [0]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"c_i1": np.array([1, 300])}, "c_i1"),
        ({"c_u4": np.array([-1, 2])}, "c_u4"),
        ({"c_i8": np.array([1.0, 2.0])}, "c_i8"),
        ({"c_f4": np.array([1e300, 2.0])}, "c_f4"),
        ({"c_f8": np.zeros(2), "c_i4": np.zeros(3, int)}, "one length"),
        ({"c_f8": 1.0}, "one length"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(tmp_path: Path, columns: dict[str, Any], words: str) -> None:
    with Recorder.create(tmp_path / "run.h5", Header(protocol=""), EVERY_DTYPE) as recorder:
        with pytest.raises((ValueError, TypeError), match=words):
            recorder.extend("every", columns)
        assert recorder.events == 0


def test_an_empty_run_has_its_tables(tmp_path: Path) -> None:
    with Recorder.create(tmp_path / "run.h5", Header(protocol=""), event_tables({"field": "V/m"})) as recorder:
        recorder.finish("failed", "nothing answered")
    run = load_run(tmp_path / "run.h5")
    assert len(run.events) == len(run.traces) == len(run.wire) == 0
    assert run.tables["pulse"].columns[:5].tolist() == ["event", "wire", "trace", "time", "step"]
    assert {"kind", "event", "field", "trial"} <= set(run.events.columns)
    assert verify(run.path).ok


def test_enums_are_given_and_read_by_name_and_stored_as_hdf5_enums(tmp_path: Path) -> None:
    import h5py

    enum = {"none": 0, "rising": 1, "falling": 2}
    tables = {"edge": {"slope": Column("u1", enum=enum), "time": "f8"}}
    with Recorder.create(tmp_path / "run.h5", Header(protocol=""), tables) as recorder:
        recorder.append("edge", {"slope": "falling"})
        recorder.append("edge", {"slope": 1})
        recorder.append("edge", {})
        recorder.extend("edge", {"slope": ["rising", "none"]})
        expected = ["falling", "rising", "none", "rising", "none"]
        assert load_run(recorder.path).tables["edge"]["slope"].tolist() == expected
        recorder.finish("complete")
    assert load_run(recorder.path).tables["edge"]["slope"].tolist() == expected
    with h5py.File(recorder.path) as file:
        assert h5py.check_enum_dtype(file["entry/events/edge/slope"].dtype) == enum


def test_events_are_one_table_over_all_kinds(tmp_path: Path) -> None:
    tables = event_tables({"field": "V/m", "width": "s"}, ("trial", "cycle"))
    with Recorder.create(tmp_path / "run.h5", Header(protocol=""), tables) as recorder:
        recorder.append("pulse", {"field": 2e5, "width": 1e-4, "loop_width": 1e-3, "trial": 3, "terminal": "pd"})
        recorder.append("resistance", {"value": 1e5, "points": 21, "flags": 5})
        recorder.append("confirm", {"ok": True})
        recorder.finish("complete")
    events = load_run(tmp_path / "run.h5").events
    assert events["kind"].tolist() == ["pulse", "resistance", "confirm"]
    assert events["terminal"].tolist() == ["pd", "", ""]
    assert events["points"].fillna(-7).tolist() == [-7, 21, -7]
    assert events["trial"].tolist() == [3, -1, -1]
    assert events["cycle"].dtype == np.int32
    assert events["flags"].tolist() == [0, 5, 0]
    assert events["ok"].isna().tolist() == [True, True, False]
    assert events.loc[0, ["field", "width", "loop_width"]].tolist() == [2e5, 1e-4, 1e-3]
    assert (loop_column("field"), loop_column("width")) == ("field", "loop_width")


def test_identical_runs_have_identical_events_and_wire_logs(short_run: Any) -> None:
    first, second = short_run(name="a.h5"), short_run(name="b.h5")
    a, b = (load_run(run.recorder.finish("complete")) for run in (first, second))
    assert a.events.equals(b.events)
    assert a.wire.equals(b.wire)
    assert a.meta["run_id"] != b.meta["run_id"]
