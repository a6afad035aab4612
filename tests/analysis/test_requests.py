"""From a run to results: what is asked, what is used, what is left out, what is refused."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from fake_run import LENGTH, FakeRun, Neuron, probability_run, read, trial

from labctl.analysis import AnalysisError, analyze_run, to_frame
from labctl.analysis.results import KEYS
from labctl.analysis.trials import groups, trials

FIELDS = np.linspace(0.15e6, 0.25e6, 21)


@pytest.fixture(scope="module")
def two_states():
    return probability_run({"initial": 4.203, "sensitized": 3.664}, FIELDS)


@pytest.fixture(scope="module")
def table(two_states):
    return to_frame(analyze_run(two_states)).set_index(["quantity", "state"])


def blocks(levels, count=30, **neuron):
    """Trials at a few levels in V, in one state, without resolved protocol."""
    run, device = FakeRun(meta={"device": "d"}), Neuron(**neuron)
    for level in levels:
        for number in range(count):
            run.loops = {"level_set": level, "level_set_index": 0, "trial": number}
            trial(run, device, level)
    return run


def ask(run, request, **fields):
    return analyze_run(run, [{"request": request, **fields}])


def test_thresholds_of_both_states_within_three_standard_errors(table):
    """Reference sec. 2a.5: true V10 +- 0.09 V; V10 = V50 - s ln 9, s = 0.116 V."""
    for state, v50 in (("initial", 4.203), ("sensitized", 3.664)):
        row = table.loc[("threshold", state)]
        assert row.value == pytest.approx(v50 - 0.116 * math.log(9), abs=0.09)
        assert row.low < row.value < row.high
        assert row.unit == "V"
        assert row.n == 21 * 30
        assert row.note.startswith(f"{row.value / 20:.4f} V/um"), "as papers quote it, on 20 um"


def test_however_many_requests_the_trials_are_gone_through_once(two_states, monkeypatch):
    calls = []
    monkeypatch.setattr("labctl.analysis.curves.trials", lambda *asked: calls.append(asked) or trials(*asked))
    requests = [{"request": name, "over": "field"} for name in ("probability", "sigmoid", "threshold", "shift")]
    results = analyze_run(two_states, requests)
    assert len(calls) == 1
    assert results == [r for one in requests for r in analyze_run(two_states, [one])]


def test_shift_holds_the_truth_and_names_both_states(table):
    row = table.loc[("threshold_shift", "initial -> sensitized")]
    assert row.low < -0.539 < row.high
    assert row.note.startswith("shifted")
    assert row.n == 2 * 21 * 30


def test_probabilities_come_with_their_pulse_level_in_volts(two_states):
    found = [r for r in analyze_run(two_states) if r.quantity == "probability" and r.state == "initial"]
    np.testing.assert_allclose([r.at for r in found], FIELDS * LENGTH)
    assert {r.at_unit for r in found} == {"V"}
    assert all(r.low <= r.value <= r.high for r in found)


def test_json_has_the_keys_that_scripts_rely_on_and_no_nan(two_states):
    for result in analyze_run(two_states):
        plain = result.to_dict()
        assert tuple(plain) == KEYS
        json.dumps(plain, allow_nan=False)


def test_order_of_rows_does_not_matter(two_states, table):
    rng = np.random.default_rng(1)
    shuffled = FakeRun(meta=two_states.meta, path=two_states.path)
    shuffled.rows = {kind: [rows[i] for i in rng.permutation(len(rows))] for kind, rows in two_states.rows.items()}
    other = to_frame(analyze_run(shuffled)).set_index(["quantity", "state"])
    pd.testing.assert_series_equal(table.loc["threshold"].value, other.loc["threshold"].value)
    assert other.loc["threshold"].index.tolist() == ["initial", "sensitized"]


def test_flagged_trials_are_left_out_and_counted():
    run, device = FakeRun(meta={"device": "d"}), Neuron()
    for number in range(30):
        run.loops = {"level_set": 4.2, "level_set_index": 0, "trial": number}
        trial(run, device, 4.2, flags={3: 1, 4: 2, 5: 2, 6: 16, 7: 4}.get(number, 0))
    (result,) = ask(run, "probability", over="level_set")
    assert (result.n, result.left_out) == (26, 4)
    assert result.note == "4 of 30 left out: 1 compliance, 2 overflow, 1 excluded or aborted"
    (resistance,) = [
        r for r in ask(run, "resistance", of=["after_pulse"]) if r.quantity == "resistance" and "non" in r.state
    ]
    assert resistance.left_out > 0


def test_all_flagged_gives_no_number():
    run, device = FakeRun(meta={"device": "d"}), Neuron()
    for number in range(5):
        run.loops = {"level_set": 4.2, "level_set_index": 0, "trial": number}
        trial(run, device, 4.2, flags=2)
    for request in ("probability", "threshold", "sigmoid"):
        for result in ask(run, request, over="level_set"):
            assert not math.isfinite(result.value)
            assert "5 of 5 left out: 5 overflow" in result.note


def test_a_trial_after_a_failed_reset_is_left_out():
    run = blocks([4.2], 10)
    run.rows["confirm"][3]["ok"] = False
    found = trials(run, "spike", "level_set")
    assert found["why"].tolist() == [""] * 4 + ["after a failed reset"] + [""] * 5


def test_an_undefined_resistance_is_left_out():
    run = blocks([4.2], 10)
    run.rows["spike"][2] |= {"resistance": math.nan, "ratio": math.nan, "value": 0}
    assert trials(run, "spike")["why"].tolist()[2] == "resistance undefined"


def test_levels_follow_the_pulse_that_the_loop_moves():
    """Reset calibration: the set level is constant, the reverse pulse follows the loop, so it is the abscissa."""
    run, device = FakeRun(meta={"device": "d"}), Neuron()
    for level in np.linspace(-0.13e6, -0.23e6, 11):
        for number in range(20):
            run.loops = {"reset_level": level, "reset_level_index": 0, "trial": number}
            run.add("pulse", terminal="pd", role="set", level=5.0, width=1e-4, count=1)
            device.pulse(5.0)
            before = read(run, device, "after_set")
            run.add("pulse", terminal="pd", role="reset", level=level * LENGTH, width=1e-4, count=1)
            if device.rng.random() < 1 / (1 + math.exp((level * LENGTH + 3.0) / 0.1)):
                device.spiking = False
            after = read(run, device, "after_reset")
            run.add(
                "spike", name="done", value=int(after / before > 2), ratio=after / before, resistance=after,
                reference=before, criterion=2.0,
            )  # fmt: skip
    result = {r.quantity: r for r in ask(run, "sigmoid", of="done", over="reset_level")}["V50"]
    assert result.value == pytest.approx(-3.0, abs=0.1)
    assert result.low < result.value < result.high
    (best,) = ask(run, "reliable", of="done", over="reset_level", failures=0, trials=20)
    assert -3.7 < best.value < -3.0
    (none,) = ask(run, "reliable", of="done", over="reset_level", failures=0, trials=100)
    assert math.isnan(none.value)
    assert "most trials at one level: 20" in none.note


def test_resistances_are_apart_by_outcome_with_mean_and_spread():
    run = blocks([4.2], 100)
    found = {(r.quantity, r.state): r for r in ask(run, "resistance", of=["after_pulse", "after_reset"])}
    silent = found[("resistance", "after_pulse, non-spiking")]
    assert silent.low < 400e3 * math.exp(0.04**2 / 2) < silent.high
    assert found[("resistance", "after_pulse, spiking")].value == pytest.approx(80e3, rel=0.05)
    assert found[("resistance_sd", "after_reset")].value == pytest.approx(0.04 * 400e3, rel=0.3)
    (window,) = ask(run, "ratio", of="after_pulse", to="after_pulse", split="spike")
    assert window.low < 5.0 < window.high


def test_one_reading_has_the_interval_of_its_fit():
    run = FakeRun()
    value = read(run, Neuron(), "resistance")
    (result,) = ask(run, "resistance")
    assert result.value == value
    assert result.high - result.low == pytest.approx(2 * 2.093 * 1e-4 * value, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "flags", "verdict"),
    [
        (4e5, 0, "contacted"),
        (300.0, 0, "short"),
        (2e8, 0, "open"),
        (-1e9, 0, "open"),
        (math.nan, 1, "short"),
        (math.nan, 2, "no reading"),
    ],
)
def test_contact(value, flags, verdict):
    run = FakeRun()
    run.add("resistance", flags, name="r", value=value, stderr=abs(value) * 1e-3, points=21)
    (result,) = ask(run, "contact", of=["r"], open_above=50e6, short_below=1e3)
    assert result.note.startswith(verdict)
    assert ("flagged" in result.note) == (flags != 0)


@pytest.mark.parametrize(
    ("forward", "reverse", "verdict"),
    [(10, 0, "leads the right way round"), (0, 10, "leads swapped"), (5, 5, "undecided")],
)
def test_polarity(forward, reverse, verdict):
    run = FakeRun()
    for number in range(10):
        for name, k in (("f", forward), ("r", reverse)):
            run.add("spike", name=name, value=int(number < k), ratio=1.0, resistance=4e5, reference=4e5, criterion=0.5)
    (result,) = ask(run, "polarity", forward="f", reverse="r")
    assert result.note.startswith(verdict)


def test_energy_is_bounded_not_measured():
    """4.2 V for 100 us: 4.4 nJ at 400 k all the way, 22 nJ x 1.6 at 80 k (reference sec. 2a.4: 6.8 and 34 nJ held)."""
    run = blocks([4.2], 60)
    found = {
        r.quantity: r for r in ask(run, "energy", of="spike", before="after_reset", after="after_pulse", excess=1.6)
    }
    assert math.isnan(found["energy"].value)
    assert found["energy"].low == pytest.approx(4.4e-9, rel=0.05)
    assert found["energy"].high == pytest.approx(35.3e-9, rel=0.1)
    assert found["switching_time"].high == 1e-4
    assert math.isnan(found["energy"].confidence)


def test_energy_takes_the_resistance_before_the_pulse_not_the_one_after_its_reset():
    run = FakeRun(meta={"device": "d"})
    for before, after in ((4e5, 8e4), (1e6, 1e5)):
        run.add("pulse", terminal="pd", role="probe", level=4.0, width=1e-4, base=0.0, count=1)
        run.add("resistance", name="after_pulse", value=after, stderr=1.0, points=21)
        run.add("pulse", terminal="pd", role="reset", level=-4.2, width=1e-4, base=0.0, count=1)
        run.add("resistance", name="after_reset", value=1e6, stderr=1.0, points=21)
        run.add("spike", name="spike", value=1, ratio=after / before, resistance=after, reference=before, criterion=0.5)
    (found, _) = ask(run, "energy", of="spike", before="after_reset", after="after_pulse")
    assert found.low == pytest.approx(16 * 1e-4 * (1 / 4e5 + 1 / 1e6) / 2)
    assert found.high == pytest.approx(16 * 1e-4 * (1 / 8e4 + 1 / 1e5) / 2)
    assert found.left_out == 0


def test_spread_over_repeats_and_change_per_decade():
    run, device = FakeRun(meta={"device": "d"}), Neuron(seed=3)
    volts = np.linspace(3.4, 5.0, 9)
    for turn, width in enumerate((1e-5, 1e-4, 1e-3)):
        device.v50 = 4.2 - 0.3 * math.log10(width / 1e-4)
        for level in volts:
            for number in range(30):
                run.loops = {"v": level, "v_index": 0, "w": width, "w_index": turn, "trial": number}
                trial(run, device, level)
    (slope,) = ask(run, "per_decade", over="v", variable="w", per=["w"])
    assert slope.low < -0.3 < slope.high
    assert slope.high - slope.low < 0.15
    found = {r.quantity: r for r in ask(run, "spread", over="v", per=["w"], across="w", quantity="V50")}
    assert found["V50_mean"].low < 4.2 < found["V50_mean"].high
    assert found["V50_sd"].low < 0.3 < found["V50_sd"].high


def test_no_spikes_at_all_is_a_one_sided_bound():
    results = ask(blocks([3.0, 3.2, 3.4], 40), "threshold", over="level_set")
    assert math.isnan(results[0].value)
    assert results[0].high == math.inf
    assert results[0].low > 3.0
    assert "no spike at all" in results[0].note
    assert results[0].to_dict()["high"] is None


def test_a_hump_is_refused():
    run = FakeRun(meta={"device": "d"})
    for level, spikes in ((3.4, 0), (3.8, 29), (4.2, 2), (4.6, 30)):
        for number in range(30):
            run.loops = {"v": level, "v_index": 0}
            run.add("spike", name="spike", value=int(number < spikes), ratio=0.2, resistance=1.0, reference=5.0)
    (result,) = ask(run, "threshold", over="v")
    assert math.isnan(result.value)
    assert "contradict any rising curve" in result.note


def test_a_run_stopped_before_its_first_trial_says_so():
    run = FakeRun(
        meta={"status": "stopped", "resolved": json.dumps({"analyze": [{"request": "threshold", "of": "spike"}]})}
    )
    (nothing,) = analyze_run(run)
    assert "no events" in nothing.note
    begun = FakeRun(run.meta)
    begun.add("state", name="initial", passed=True)
    (result,) = analyze_run(begun)
    assert (result.quantity, result.n) == ("threshold", 0)
    assert math.isnan(result.value)
    assert "no outcome 'spike'" in result.note


def test_requests_that_make_no_sense_are_refused():
    run = blocks([4.2], 3)
    with pytest.raises(AnalysisError, match="no request 'tea'"):
        ask(run, "tea")
    with pytest.raises(AnalysisError, match="no outcome 'x'"):
        ask(run, "probability", of="x")
    with pytest.raises(AnalysisError, match="no column 'y'"):
        ask(run, "probability", over="y")
    with pytest.raises(AnalysisError, match="no group 'gone'"):
        ask(run, "shift", over="level_set", between=["gone", "away"])


def test_rows_outside_a_loop_are_a_group_of_their_own():
    run, device = FakeRun(), Neuron()
    for burst in (math.nan, 1.0, 9.0):
        run.state, run.loops = "s", {"burst": burst, "trial": -1 if burst != burst else 0}
        trial(run, device, 4.2)
    found = groups(trials(run, "spike"), ["state", "burst", "trial"])
    assert [g.label for g in found] == ["s", "s, burst=1, trial=0", "s, burst=9, trial=0"]


def test_the_column_of_a_loop_whose_name_a_table_needs():
    """A loop over ``width`` is stored as ``loop_width``: the pulse's own width is another thing."""
    run, device = FakeRun(), Neuron()
    for width in (1e-5, 1e-4):
        run.loops = {"loop_width": width}
        trial(run, device, 4.2)
    assert [dict(g.keys)["width"] for g in groups(trials(run, "spike"), ["width"])] == [1e-5, 1e-4]
