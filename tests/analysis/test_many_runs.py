"""Many files: same results in one process, in several and on a cluster; a bad file does not stop the rest."""

import json

import numpy as np
import pandas as pd
import pytest

import labctl
from labctl.analysis.many import ClusterError, Task, analyze_file, analyze_many, save_table, table_of
from labctl.analysis.model import ModelError, load_model
from labctl.analysis.model_export import export_model
from labctl.analysis.second_look import load_look
from labctl.cli import app
from labctl.report.html import report_page
from labctl.store.errors import ExportError

FEW = {"trials": "4", "fields": "{linspace: [0.18, 0.24, 7], unit: V/um}"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("runs")
    for seed in (1, 2):
        labctl.run("hnno/spiking_probability", overrides=FEW, seed=seed, out=made)
    (made / "z_bad.h5").write_text("junk")
    return made


@pytest.fixture
def runs(folder):
    return sorted(folder.glob("*.h5"))


@pytest.fixture
def command():
    from typer.testing import CliRunner

    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_a_bad_file_is_kept_with_its_reason_and_the_order_stays(runs):
    found = analyze_many(runs, jobs=1)
    assert [one.path for one in found] == [str(path) for path in runs]
    assert [one.exit_code for one in found] == [0, 0, 5]
    assert "not an HDF5 file" in found[2].problem
    assert all(one.simulated and one.results for one in found[:2])


def test_processes_and_a_cluster_give_the_same(runs):
    distributed = pytest.importorskip("distributed")
    done = []
    here = table_of(analyze_many(runs, jobs=1))
    pd.testing.assert_frame_equal(here, table_of(analyze_many(runs, jobs=2, progress=done.append)))
    assert sum(done) == len(runs)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        there = table_of(analyze_many(runs, scheduler=cluster.scheduler_address))
    pd.testing.assert_frame_equal(here, there)


def test_no_scheduler_is_said_so(runs):
    pytest.importorskip("distributed")
    with pytest.raises(ClusterError, match="no Dask scheduler"):
        analyze_many(runs, scheduler="nonsense://127.0.0.1:1")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_one_tidy_table(runs, tmp_path, command, ending):
    out = tmp_path / f"all.{ending}"
    done = command("analyze", *runs, "--out", out, "--jobs", 1, "--spread", "V50")
    assert done.exit_code == 5
    table = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
    assert set(table["quantity"]) >= {"probability", "V50", "threshold", "V50_mean", "V50_sd_repeats"}
    assert table["simulated"].all()


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ExportError):
        save_table(pd.DataFrame(), tmp_path / "all.xlsx")


def test_json_lists_what_could_not_be_read(runs, command):
    done = command("analyze", *runs, "--jobs", 1, "--json")
    found = json.loads(done.stdout)
    assert len(found["problems"]) == 1
    assert len({r["run"] for r in found["results"]}) == 2


def test_a_second_look_is_kept_beside_and_the_run_stays(runs, command):
    run = runs[0]
    before = run.read_bytes()
    done = analyze_file(str(run), Task(load_look("0.05")))
    assert run.read_bytes() == before
    assert done.kept.endswith(".analysis.yaml")
    assert "a spike is below 0.05" in report_page([labctl.load_run(run)], load_look("0.05"))
    assert ".analysis.yaml" in report_page([labctl.load_run(run)])


def test_the_model_evaluates_to_the_fit(runs, tmp_path):
    out = export_model(runs[:1], tmp_path / "model.json")
    model = load_model(out)
    assert model.simulated
    curve = model.activation()
    assert curve.probability(curve.v50) == pytest.approx(0.5)
    assert curve.probability(field=curve.v50 / 20e-6) == pytest.approx(0.5)
    assert curve.threshold(0.1) == pytest.approx(curve.data["V10"]["value"])
    assert curve.data["N"] == 28
    draws = curve.draw(4000, np.random.default_rng(1))
    # half the interval is about 1.96 sd; loosely, as it is by likelihood ratio
    assert draws[:, 0].std() == pytest.approx((curve.data["V50"]["high"] - curve.data["V50"]["low"]) / 3.92, rel=0.6)
    with pytest.raises(ModelError, match="nothing was measured"):
        model.next_state(model.devices[0], "initial", 1e5)
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(runs[2])


def test_a_run_as_xarray(runs):
    pytest.importorskip("xarray")
    run = labctl.load_run(runs[0])
    tree = run.to_xarray()
    readings = tree["resistance"]
    assert readings.sizes["point"] == 21
    assert readings["value"].attrs["units"] == "ohm"
    assert np.array_equal(readings["value"], run.tables["resistance"]["value"])
    assert np.array_equal(readings["trace_current"][0], run.traces[0]["current"])
    assert tree.attrs["simulated"] == 1
