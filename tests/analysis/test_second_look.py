"""Second looks: another criterion and excluded rows change the results, say so, and never touch the run."""

import numpy as np
import pytest
from fake_run import probability_run
from ruamel.yaml import YAML

from labctl.analysis import AnalysisError, analyze_run
from labctl.analysis.second_look import Seen, analyze_seen, load_look, save_look


@pytest.fixture
def run():
    return probability_run({"initial": 4.2}, np.linspace(0.18e6, 0.24e6, 7), trials=6)


def look(tmp_path, text, below=None):
    file = tmp_path / "look.yaml"
    file.write_text(text)
    return load_look(below, file)


def test_no_look_is_the_protocols_analysis(run):
    assert repr(analyze_seen(run, load_look())) == repr(analyze_run(run))


def test_another_criterion_judges_again_and_leaves_the_run_alone(run):
    before = run.tables["spike"].copy()
    seen = Seen(run, load_look("0.05")).tables["spike"]
    assert before["value"].sum() > 0
    assert seen["value"].sum() == 0
    assert run.tables["spike"].equals(before)
    in_ohm = Seen(run, load_look("180 kohm")).tables["spike"]
    assert (in_ohm["value"] == (in_ohm["resistance"] < 180e3)).all()


def test_every_result_says_so(run):
    assert all("a spike is below 0.05" in r.note for r in analyze_seen(run, load_look("0.05")))


def test_excluded_trials_are_counted_with_their_reason(run, tmp_path):
    chosen = look(tmp_path, "exclude: [{because: probe lifted, where: {field: 0.2 V/um, trial: [0, 5]}}]")
    found = [r for r in analyze_seen(run, chosen) if r.quantity == "probability" and np.isclose(r.at, 4.0)]
    # trial 1 and the one after trial 5, at another level, were judged against an excluded reading
    assert [(r.n, r.left_out) for r in found] == [(3, 4)]
    assert "excluded: probe lifted" in found[0].note


def test_an_outcome_judged_from_an_excluded_reading_is_excluded(run, tmp_path):
    readings, spikes = run.tables["resistance"], run.tables["spike"]
    event = readings.loc[readings["name"] == "after_pulse", "event"].iloc[3]
    seen = Seen(run, look(tmp_path, f"exclude: [{{because: light on, events: {event}}}]")).tables["spike"]
    place = spikes.loc[spikes["event"] > event, "event"].iloc[0]
    assert list(seen.loc[seen["excluded"] != "", "event"]) == [place]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("exclude: [{where: {trial: 3}}]", "no reason"),
        ("exclude: [{because: x}]", "names no rows"),
        ("exclude: [{because: x, wher: {trial: 3}}]", "unknown key 'wher'"),
        ("exclude: [{because: x, time: [1 s]}]", "'time' is"),
        ("exclude: [{because: x, events: [a]}]", "no event number"),
        ("exclude: {because: x}", "must be a list"),
        ("excluded: []", "unknown key"),
        ("- 1", "holds no"),
        ("{", "no YAML"),
    ],
)
def test_bad_files_are_refused_with_a_reason(tmp_path, text, why):
    with pytest.raises(AnalysisError, match=why):
        look(tmp_path, text)


def test_an_exclusion_that_hits_nothing_is_an_error(run, tmp_path):
    with pytest.raises(AnalysisError, match="names no event"):
        Seen(run, look(tmp_path, "exclude: [{because: x, where: {trial: 99}}]"))
    other = look(tmp_path, "exclude: [{because: x, run: 'other*.h5', where: {trial: 99}}]")
    assert (Seen(run, other).tables["spike"]["excluded"] == "").all()


@pytest.mark.parametrize("below", ["2", "0", "3 V", "x"])
def test_a_criterion_is_a_ratio_or_a_resistance(below):
    with pytest.raises(AnalysisError):
        load_look(below)


def test_looks_are_appended_beside_the_run_and_can_be_taken_again(run, tmp_path):
    run.path = str(tmp_path / "a.h5")
    first = look(tmp_path, "exclude: [{because: probe lifted, where: {trial: 3}}]", "0.4")
    for chosen in (load_look("0.3"), first):
        kept = save_look(run, chosen, analyze_seen(run, chosen))
    assert kept == tmp_path / "a.analysis.yaml"
    documents = [d for d in YAML(typ="safe").load_all(kept.read_text()) if d]
    assert [d["spike_below"] for d in documents] == ["0.3", "0.4"]
    assert documents[1]["results"]
    again = load_look(None, kept)
    assert repr(analyze_seen(run, again)) == repr(analyze_seen(run, first))
