"""Run files in other people's tools: plain h5py and pandas, a reader of NeXus' default rules, silx."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from labctl.store import Header, Recorder, event_tables


def default_plot(file: h5py.File) -> tuple[h5py.Group, h5py.Dataset, list[h5py.Dataset]]:
    """The NXdata group to plot, its signal and axes, by the rules of the NeXus manual for default plots."""
    group: Any = file
    classes = []
    while True:
        classes.append(group.attrs["NX_class"])
        if "default" not in group.attrs:
            break
        group = group[group.attrs["default"]]
    assert classes[0] == "NXroot"
    assert classes[-1] == "NXdata"
    axes = [group[name] for name in np.atleast_1d(group.attrs["axes"])]
    return group, group[group.attrs["signal"]], axes


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    header = Header(protocol="protocol: 1\n", title="Probability", device="N7", operator="Åsa", simulated=True)
    recorder = Recorder.create(tmp_path / "run.h5", header, event_tables({"field": "V/m"}))
    for i in range(12):
        recorder.wire(float(i), "smu", "write", b"print(1)\n")
        recorder.append("pulse", {"time": float(i), "field": 2e5, "level": 2.0, "terminal": "pd", "role": "set"})
        points = {"voltage": np.linspace(0, 0.1, 5 + i), "current": np.linspace(0, 1e-6, 5 + i)}
        recorder.append("resistance", {"time": i + 0.5, "value": 1e5 + i, "name": "after", "terminal": "pd"}, points)
    return recorder.finish("complete")


def test_the_default_plot_is_resistance_against_time(run_file: Path) -> None:
    with h5py.File(run_file) as file:
        group, signal, (time,) = default_plot(file)
        assert group.name == "/entry/data"
        assert group.attrs["title"] == "SIMULATED: Probability (resistance)"
        assert (signal.attrs["units"], time.attrs["units"]) == ("ohm", "s")
        assert signal[()].tolist() == [1e5 + i for i in range(12)]
        assert time.shape == signal.shape
        assert file["entry/data/value"].id == file["entry/events/resistance/value"].id


def test_every_table_and_set_of_traces_is_plottable(run_file: Path) -> None:
    with h5py.File(run_file) as file:
        groups = [*file["entry/events"].values(), file["entry/traces/resistance"]]
        assert len(groups) == 3
        for group in groups:
            assert group.attrs["NX_class"] == "NXdata"
            (axis,) = group.attrs["axes"]
            assert group[axis].shape == group[group.attrs["signal"]].shape
            assert group[axis].attrs["units"]


@pytest.mark.parametrize("kind", ["sweep", "pulse", "state", "route", "none"])
def test_other_runs_have_a_default_plot_too(tmp_path: Path, kind: str) -> None:
    recorder = Recorder.create(tmp_path / "run.h5", Header(protocol=""), event_tables())
    for i in range(3):
        trace = {"set": np.arange(4.0), "voltage": np.arange(4.0), "current": np.arange(4.0) * i}
        if kind != "none":
            recorder.append(kind, {"time": float(i)}, trace if kind == "sweep" else None)
    with h5py.File(recorder.finish("complete")) as file:
        if kind == "none":
            assert "default" not in file["entry"].attrs
            return
        _, signal, (axis,) = default_plot(file)
        assert signal.shape == axis.shape == ((12,) if kind == "sweep" else (3,))
        if kind == "sweep":
            assert (signal.attrs["units"], axis.attrs["units"]) == ("A", "V")


@pytest.mark.parametrize("kind", ["sweep", "sample"])
def test_what_was_measured_is_shown_rather_than_the_pulses(tmp_path: Path, kind: str) -> None:
    """As after a train whose response a fast unit records: its current against time, all records together."""
    recorder = Recorder.create(tmp_path / "run.h5", Header(protocol="", title="Integration"), event_tables())
    for i in range(3):
        recorder.append("route", {"time": float(i), "terminal": "gate"})
        recorder.append("pulse", {"time": float(i), "level": -10.0, "terminal": "gate"})
        trace = {"time": np.arange(5.0) * 1e-5, "current": np.arange(5.0) * i, "status": np.zeros(5, np.int64)}
        recorder.append(kind, {"time": float(i), "terminal": "drain", "points": 5}, trace)
    path = recorder.finish("complete")
    with h5py.File(path) as file:
        group, signal, (time,) = default_plot(file)
        assert group.attrs["title"] == f"Integration ({kind})"
        assert signal.id == file[f"entry/traces/{kind}/current"].id
        assert (signal.attrs["units"], time.attrs["units"], time.shape) == ("A", "s", (15,))
    silx_io = pytest.importorskip("silx.io")
    with silx_io.open(str(path)) as file:
        plot = pytest.importorskip("silx.io.nxdata").get_default(file)
        assert plot.is_curve
        assert (plot.signal_name, plot.axes_names) == ("current (A)", ["time (s)"])


def test_the_recipe_of_the_documentation(run_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/run_file.md, "With h5py and pandas", as it stands there."""
    text = (Path(__file__).parents[2] / "docs" / "run_file.md").read_text(encoding="utf-8")
    recipe = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[1]
    monkeypatch.chdir(run_file.parent)
    names: dict[str, Any] = {}
    exec(recipe, names)
    assert names["pulses"]["level"].tolist() == [2.0] * 12
    assert set(names["pulses"]["terminal"]) == {"pd"}
    assert names["unit"] == "V"
    assert names["current"].tolist() == np.linspace(0, 1e-6, 12).tolist()
    assert names["protocol"] == "protocol: 1\n"


def test_nothing_but_checksummed_chunks_and_fixed_strings(run_file: Path) -> None:
    """Variable-length strings would lie in a heap without checksums."""
    with h5py.File(run_file) as file:
        datasets: list[h5py.Dataset] = []
        file.visititems(lambda _, item: datasets.append(item) if isinstance(item, h5py.Dataset) else None)
        assert len(datasets) > 60
        for dataset in datasets:
            assert not h5py.check_vlen_dtype(dataset.dtype)
            assert dataset.ndim == 0 or dataset.fletcher32, dataset.name
            string = h5py.check_string_dtype(dataset.dtype)
            assert string is None or string.length is not None


def test_silx_finds_the_plot(run_file: Path) -> None:
    silx_io = pytest.importorskip("silx.io")
    nxdata = pytest.importorskip("silx.io.nxdata")
    with silx_io.open(str(run_file)) as file:
        plot = nxdata.get_default(file)
        assert plot.is_curve
        assert plot.signal_name.startswith("value")
        assert plot.axes_names[0].startswith("time")
        assert plot.title == "SIMULATED: Probability (resistance)"
        for group in (*file["entry/events"].values(), file["entry/traces/resistance"]):
            assert nxdata.NXdata(group).is_valid


def test_xarray_opens_a_table(run_file: Path) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    table = xarray.open_dataset(run_file, group="entry/events/resistance", engine="h5netcdf", phony_dims="sort")
    with table:
        assert table["value"].values.tolist() == [1e5 + i for i in range(12)]
        assert table["value"].attrs["units"] == "ohm"
