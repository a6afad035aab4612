"""Transistor requests on data that are flagged, missing, repeated or of another kind: what is used, told, refused."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_run import FakeRun
from fake_transistor import CYCLIC, UP, TransistorBench

from labctl.analysis import AnalysisError, analyze_run, to_frame
from labctl.analysis.requests import HANDLERS
from labctl.analysis.results import KEYS
from labctl.analysis.runs import requests_of
from labctl.protocol import load_protocol
from labctl.protocol.requests import REQUESTS
from sim_backend.devices.aab import AabTransistor

NOISE = {"flicker": 5e-3, "floor": 1e-13}
SKETCHES = Path(__file__).parents[1] / "protocol" / "aab"


def ask(run, request, **fields):
    return {(r.quantity, r.state): r for r in analyze_run(run, [{"request": request, **fields}])}


def marked(where, bit, levels=UP):
    """Status word of a sweep: ``bit`` where ``where(levels)`` holds."""
    return np.where(where(levels), bit, 0)


# --- points and rows that are flagged --------------------------------------------------------------------------------


def test_points_in_compliance_far_from_the_peak_are_left_out_and_counted():
    bench = TransistorBench()
    bench.transfer("forward", UP, status=marked(lambda v: v > 13, 1), flags=1)
    found = ask(bench.run, "peak", of="forward")
    assert found["peak_voltage", ""].value == pytest.approx(-4.81, abs=0.02)
    offset = ask(bench.run, "offset", of="forward", beyond=10.0)["offset_current", ""]
    assert offset.n == 13
    assert offset.note == "8 of 121 points left out: 8 compliance"


def test_a_top_that_was_not_measured_gives_a_bound_and_no_peak():
    bench = TransistorBench()
    bench.transfer("forward", UP, status=marked(lambda v: np.abs(v + 5) < 0.6, 1), flags=1)
    found = ask(bench.run, "peak", of="forward")
    assert math.isnan(found["peak_voltage", ""].value)
    assert found["peak_current", ""].low > 0.9e-9
    assert found["peak_current", ""].high == math.inf
    assert "the top was not measured" in found["peak_voltage", ""].note


def test_an_overflow_beside_zero_gives_no_dI0():  # noqa: N802
    bench = TransistorBench()
    bench.transfer(status=marked(lambda v: v == 0, 2, CYCLIC), flags=2)
    change = ask(bench.run, "crossing", of="transfer")["dI0", ""]
    assert math.isnan(change.value)
    assert "2 of 242 points left out: 2 overflow" in change.note
    bench = TransistorBench()
    bench.transfer(status=marked(lambda v: v == 3, 2, CYCLIC), flags=2)
    assert ask(bench.run, "crossing", of="transfer")["dI0", ""].value == pytest.approx(0.867e-9, abs=1e-12)


def test_a_point_with_the_gate_in_compliance_was_not_at_its_voltage():
    bench = TransistorBench()
    bench.transfer(status=marked(lambda v: v == 0, 4, CYCLIC))
    assert math.isnan(ask(bench.run, "crossing", of="transfer")["dI0", ""].value)


def test_a_row_whose_flag_no_point_explains_is_left_out_whole():
    bench = TransistorBench()
    bench.transfer(flags=1)
    bench.transfer(flags=16)
    bench.transfer()
    change = ask(bench.run, "crossing", of="transfer")["dI0", ""]
    assert (change.n, change.left_out) == (1, 2)
    assert "2 of 3 left out: 1 compliance, 1 excluded or aborted" in change.note


def test_without_any_usable_sweep_there_is_a_result_that_says_so():
    bench = TransistorBench()
    bench.transfer(flags=16)
    (result,) = analyze_run(bench.run, [{"request": "peak", "of": "transfer"}])
    assert math.isnan(result.value)
    assert "1 of 1 left out" in result.note
    assert math.isnan(ask(bench.run, "crossing", of="transfer")["dI0", ""].value)


def test_a_sweep_without_its_trace_is_left_out():
    bench = TransistorBench()
    bench.transfer()
    bench.run.traces.clear()
    assert "no trace" in ask(bench.run, "crossing", of="transfer")["dI0", ""].note


# --- sweeps of other kinds -------------------------------------------------------------------------------------------


def test_one_way_has_a_peak_but_no_dI0():  # noqa: N802
    bench = TransistorBench()
    bench.transfer("forward", UP)
    change = ask(bench.run, "crossing", of="forward")["dI0", ""]
    assert math.isnan(change.value)
    assert "not cyclic" in change.note


def test_a_level_outside_the_sweep_is_not_extrapolated():
    bench = TransistorBench()
    bench.transfer()
    found = ask(bench.run, "crossing", of="transfer", at=20.0)
    assert math.isnan(found["dI", ""].value)
    assert "outside the sweep" in found["dI", ""].note


def test_two_cycles_in_one_sweep_are_refused():
    bench = TransistorBench()
    bench.transfer(levels=np.concatenate([CYCLIC, CYCLIC]))
    assert "neither a single nor a cyclic sweep" in ask(bench.run, "crossing", of="transfer")["dI0", ""].note


def test_a_coarse_curve_has_bounds_from_its_neighbours():
    bench = TransistorBench()
    bench.transfer("forward", np.arange(-15.0, 15.1, 2.0))
    place = ask(bench.run, "peak", of="forward")["peak_voltage", ""]
    assert place.low < -4.81 < place.high
    assert math.isnan(place.confidence)


def test_unknown_names_are_refused_with_those_there_are():
    bench = TransistorBench()
    bench.transfer()
    with pytest.raises(AnalysisError, match="no sweep 'output'") as caught:
        ask(bench.run, "peak", of="output")
    assert "transfer" in caught.value.hint
    with pytest.raises(AnalysisError, match="no current reading 'before'"):
        ask(bench.run, "delta_base_current", before="before", after="after")
    with pytest.raises(AnalysisError, match="'source' was not measured"):
        ask(bench.run, "leakage", terminal="source")


def test_the_drain_is_the_curve_and_the_gate_the_leakage():
    bench = TransistorBench()
    bench.transfer()
    assert ask(bench.run, "peak", of="transfer")["peak_current", "forward"].value > 1e-9
    assert ask(bench.run, "leakage")["gate_leakage", "transfer"].value == pytest.approx(3e-12)


def test_an_offset_of_the_meter_is_subtracted_where_a_reading_tells_it():
    """F25: leakage of the RSU is as large as what is blocked; read without supply, the device carries nothing."""
    bench = TransistorBench(offset=-12e-12, **NOISE)
    bench.read("zero", vds=0.0)
    bench.device = AabTransistor()
    bench.transfer("forward", UP)
    bench.device = AabTransistor()
    bench.transfer("reverse", UP, vds=-2.0)
    raw = ask(bench.run, "rectification", of="forward", to="reverse")["rectification", ""]
    assert raw.value < 100
    assert "no offset of the meter was subtracted" in raw.note
    found = ask(bench.run, "rectification", of="forward", to="reverse", offset="zero")["rectification", ""]
    assert found.low < 860 < found.high
    assert found.value > 500
    peak = ask(bench.run, "peak", of="forward")
    assert "an offset of the meter?" in peak["peak_current", ""].note
    peak = ask(bench.run, "peak", of="forward", offset="zero")
    assert peak["peak_current", ""].low < 1.0327e-9 < peak["peak_current", ""].high
    assert peak["on_off_ratio", ""].value > 1000
    crossing = ask(bench.run, "crossing", of="forward", offset="zero")  # one way: no value, but no error either
    assert math.isnan(crossing["dI0", ""].value)


def test_an_offset_that_drifts_is_followed_between_its_readings():
    """A decay of 300 s under a drift of 100 pA: subtracted on a straight line, from the reference too."""
    rng, run = np.random.default_rng(1), FakeRun(meta={"device": "d"})

    def read(time: float, name: str, value: float) -> None:
        samples = {"time": np.zeros(10), "current": np.full(10, value), "status": np.zeros(10, int)}
        run.add("current", 0, samples, time=time, name=name, terminal="drain", value=value, std=1e-15, samples=10)

    read(0.0, "zero", 10e-12)
    read(10.0, "before", 0.5e-9 + 15e-12)
    time = np.arange(180.0)
    current = 0.5e-9 + 0.2e-9 * np.exp(-time / 300) + 10e-12 + 0.5e-12 * (20 + time) + 1e-13 * rng.normal(size=180)
    record = {"time": time, "current": current}
    run.add("sample", 0, record, time=199.0, name="decay", terminal="drain", points=180, interval=1.0, window=1.0)
    read(200.0, "zero", 110e-12)
    found = ask(run, "retention", of="decay", reference="before", offset="zero")
    assert found["retention_time", ""].value == pytest.approx(300, rel=0.01)
    assert "less 'zero', of 2 readings with straight lines between" in found["retention_time", ""].note
    raw = ask(run, "retention", of="decay", reference="before")
    assert not raw["retention_time", ""].low < 300 < raw["retention_time", ""].high


def test_an_offset_that_was_not_read_is_refused():
    bench = TransistorBench()
    bench.transfer("forward", UP)
    bench.read("zero", flags=2)
    with pytest.raises(AnalysisError, match="no usable reading of 'zero'"):
        ask(bench.run, "peak", of="forward", offset="zero")


# --- repetition and conditions ---------------------------------------------------------------------------------------


def test_repeated_sweeps_are_averaged_with_their_own_spread():
    bench = TransistorBench(**NOISE)
    for trial in range(6):
        bench.run.loops["trial"] = trial
        bench.transfer()
    change = ask(bench.run, "crossing", of="transfer")["dI0", ""]
    assert change.n == 6
    assert "mean over repeated curves" in change.method
    assert change.low < 0.867e-9 < change.high
    assert change.high - change.low < 0.02e-9


def test_curves_under_different_conditions_are_not_averaged():
    bench = TransistorBench()
    for index, supply in enumerate((1.0, 2.0)):
        bench.run.loops |= {"supply": supply, "supply_index": index}
        bench.device = AabTransistor()
        bench.transfer(vds=supply)
    found = ask(bench.run, "crossing", of="transfer")
    assert {state for quantity, state in found if quantity == "dI0"} == {"supply=1", "supply=2"}
    over = analyze_run(bench.run, [{"request": "crossing", "of": "transfer", "over": "supply"}])
    assert [r.at for r in over if r.quantity == "dI0"] == [1.0, 2.0]


def test_a_search_piles_up_points_at_the_null(tmp_path):
    """A bounded search records its variable without an index; its points come in the order of the halving."""
    bench = TransistorBench(**NOISE)
    bench.run.meta["units"] = {"sweep": {"bias_time": "s"}}
    for turn, seconds in enumerate((24.5, 54.2, 36.4, 29.9)):
        bench.device = AabTransistor()
        bench.transfer("reset_transfer")
        bench.run.loops |= {"bias_time": seconds, "turn": turn}
        bench.condition(seconds if turn else 25.0)
        bench.transfer()
        bench.run.loops |= {"bias_time": math.nan, "turn": -1}
    (null,) = analyze_run(bench.run, [{"request": "null_time", "of": "transfer", "over": "bias_time"}])
    assert null.value == pytest.approx(29.7, abs=1.0)
    assert null.n == 4
    assert "1 of 4 biases lasted more than 1 % off what was asked" in null.note


def test_one_side_of_the_null_is_a_bound():
    bench = TransistorBench()
    for index, seconds in enumerate((60.0, 90.0)):
        bench.device = AabTransistor()
        bench.transfer("reset_transfer")
        bench.run.loops |= {"bias_time": seconds, "bias_time_index": index}
        bench.condition(seconds)
        bench.transfer()
    (null,) = analyze_run(bench.run, [{"request": "null_time", "of": "transfer", "over": "bias_time"}])
    assert math.isnan(null.value)
    assert (null.low, null.high) == (0.0, 60.0)
    assert "keeps its sign" in null.note


# --- base currents ---------------------------------------------------------------------------------------------------


def pulse_trial(bench, **after):
    bench.read("before")
    bench.pulse(10.0, 10e-3)
    bench.read("after", **after)


def test_flagged_readings_make_no_pair():
    bench = TransistorBench(**NOISE)
    pulse_trial(bench, flags=2)
    change = ask(bench.run, "delta_base_current", before="before", after="after")["delta_base_current", ""]
    assert math.isnan(change.value)
    assert "after: 1 of 1 left out: 1 overflow" in change.note


def test_pairs_of_repeats_are_told_from_one_pair():
    bench = TransistorBench(**NOISE)
    for trial in range(5):
        bench.run.loops["trial"] = trial
        bench.device = AabTransistor()
        pulse_trial(bench)
    change = ask(bench.run, "delta_base_current", before="before", after="after")["delta_base_current", ""]
    assert change.n == 100
    assert "paired" in change.method
    assert change.low < 0.2202e-9 < change.high


def test_a_single_sample_has_no_interval():
    bench = TransistorBench(**NOISE)
    bench.read("before", samples=1)
    bench.pulse(10.0, 10e-3)
    bench.read("after", samples=1)
    change = ask(bench.run, "delta_base_current", before="before", after="after")["delta_base_current", ""]
    assert change.value == pytest.approx(0.22e-9, abs=0.01e-9)
    assert math.isnan(change.low)
    assert "no interval" in change.note


def test_a_reading_that_came_too_soon_is_told_by_its_drift():
    """F22: the carriers relax while the samples are taken."""
    bench = TransistorBench(**NOISE)
    bench.read("before")
    bench.pulse(-10.0, 10e-3)
    bench.read("after", samples=20)
    number = bench.run.rows["current"][-1]["trace"]
    trace = bench.run.traces[number]
    trace["current"] = trace["current"] + 0.3e-9 * np.exp(-trace["time"] / 0.1)
    note = ask(bench.run, "delta_base_current", before="before", after="after")["delta_base_current", ""].note
    assert "samples of 'after' drift by -" in note
    assert "'before'" not in note


# --- trains and records ----------------------------------------------------------------------------------------------


def test_a_train_that_changes_nothing_is_called_that():
    bench = TransistorBench(**NOISE)
    bench.hold(0.1, 0.0)
    bench.train(30, level=1.0)
    found = ask(bench.run, "train_response", of="train", over="number")
    assert found["train_monotonic", ""].value == 0
    assert found["train_monotonic", ""].note.startswith("no change established")


def test_a_train_against_time_when_no_counter_is_named():
    bench = TransistorBench()
    bench.hold(0.1, 0.0)
    bench.train(20)
    found = ask(bench.run, "train_response", of="train")
    assert found["train_maximum_at", ""].unit == "s"
    assert found["train_monotonic", ""].value == 1


def test_single_samples_take_their_noise_from_neighbours():
    bench = TransistorBench(**NOISE)
    bench.hold(0.1, 0.0)
    bench.train(60, samples=1)
    found = ask(bench.run, "train_response", of="train", over="number")
    assert found["train_monotonic", ""].value == 1
    assert "differences of neighbours" in found["train_change", ""].method


def test_records_at_several_pulse_numbers_are_one_series_with_the_noise_of_their_repeats():
    """Burst then sample by the fast unit: windows after each burst, several bursts per pulse number."""
    rng, run = np.random.default_rng(1), FakeRun(meta={"device": "d"})
    expected = (0.145, 0.233, 0.340, 0.578, 0.926, 1.030, 1.015, 0.914, 0.768, 0.657)
    for index, count in enumerate((1, 50, 100, 200, 400, 600, 800, 1200, 2000, 4000)):
        for burst in range(8):
            run.loops = {"pulses": float(count), "pulses_index": index, "burst": burst}
            trace = {"time": np.arange(10) * 1e-5, "current": expected[index] * 1e-9 + 160e-12 * rng.normal(size=10)}
            run.add("sample", 0, trace, name="response", terminal="drain", points=10, interval=1e-5, window=1e-5)
    found = ask(run, "train_response", of="response", over="pulses")
    assert found["train_monotonic", ""].value == 0
    assert "noise from repeated series" in found["train_change", ""].method
    assert found["train_change", ""].low < 0.512e-9 < found["train_change", ""].high
    assert 400 <= found["train_maximum_at", ""].value <= 1200


def test_clipped_windows_of_a_record_are_not_averaged_in():
    bench = TransistorBench()
    bench.triangles(-10.0)
    trace = bench.run.traces[0]
    trace["current"] = np.where(np.arange(80) % 20 == 3, 9.9e37, trace["current"])
    trace["status"] = np.where(np.arange(80) % 20 == 3, 2, 0)
    found = ask(bench.run, "train_response", of="response")
    assert found["train_maximum", ""].n == 73  # the filter's first four, one of them clipped, are left out too
    assert found["train_maximum", ""].value == pytest.approx(1.03e-9, rel=0.01)


def test_what_a_fast_unit_records_while_its_filter_settles_is_left_out():
    """On 1 uA the windows that begin within 37 us; 'settling: kept' takes them. An SMU's record is taken whole."""
    bench = TransistorBench()
    bench.triangles(-10.0)
    trace = bench.run.traces[0]
    early = np.asarray(trace["time"]) < 40e-6
    trace["current"] = np.where(early, -2e-9, trace["current"])
    found = ask(bench.run, "train_response", of="response")
    change = found["train_change", ""]
    assert (change.n, int(early.sum())) == (76, 4)
    assert "windows that begin in the first 37 us left out (the meter's filter)" in change.method
    assert change.value > -0.5e-9
    kept = ask(bench.run, "train_response", of="response", settling="kept")["train_change", ""]
    assert kept.n == 80
    assert "left out" not in kept.method
    assert kept.value > 2e-9
    bench.run.tables["sample"]["range"] = np.nan
    assert ask(bench.run, "train_response", of="response")["train_change", ""].n == 80


def test_no_usable_reading_of_a_train_is_refused():
    bench = TransistorBench()
    bench.read("train", flags=2)
    with pytest.raises(AnalysisError, match="no usable reading of 'train'"):
        ask(bench.run, "train_response", of="train", over="number")


def test_retention_without_its_reference_or_with_too_few_values():
    bench = TransistorBench(**NOISE)
    bench.record("decay", 3.0, 1.0)
    bench.read("before")
    found = ask(bench.run, "retention", of="decay", reference="before")["retention_time", ""]
    assert math.isnan(found.value)
    assert "no usable 'before' before" in found.note
    assert "too few" in ask(bench.run, "retention", of="decay")["retention_time", ""].note


def test_a_decay_is_found_with_its_time():
    rng, run = np.random.default_rng(1), FakeRun(meta={"device": "d"})
    time = np.arange(200.0)
    trace = {"time": time, "current": 1e-9 * np.exp(-time / 300) * (1 + 5e-3 * rng.normal(size=200))}
    run.add("sample", 0, trace, name="decay", terminal="drain", points=200, interval=1.0, window=1.0)
    found = ask(run, "retention", of="decay")
    assert found["retention_time", ""].low < 300 < found["retention_time", ""].high
    assert found["retained_fraction", ""].at == 199.0
    assert found["retained_fraction", ""].value == pytest.approx(math.exp(-199 / 300), rel=0.01)


@pytest.mark.parametrize("current", [np.zeros(121), 1e-9 * np.linspace(0, 1, 121), 1e-9 * np.cosh(UP / 5)])
def test_what_is_no_bell_gets_no_bell(current):
    run = FakeRun(meta={"device": "d"})
    trace = {"set": UP, "voltage": UP, "current": current}
    run.add("sweep", 0, trace, name="curve", terminal="gate", measured="drain", points=121)
    found = ask(run, "bell", of="curve")
    assert math.isnan(found["bell_centre", ""].value)
    assert found["bell_centre", ""].note


# --- the whole -------------------------------------------------------------------------------------------------------


def test_every_request_of_the_language_is_answered():
    assert set(REQUESTS) == set(HANDLERS)


def test_a_run_answers_its_own_protocol_and_every_result_is_plain_json():
    """The sketch of the paper's order: rows as that protocol makes them, requests as its file says."""
    bench = TransistorBench(**NOISE)
    bench.run.meta["resolved"] = load_protocol(SKETCHES / "plasticity.yaml").resolved()
    for state in ("pristine", "conditioned"):
        bench.run.state = state
        if state == "conditioned":
            bench.condition(90.0)
        bench.transfer()
        pulse_trial(bench)
        bench.train(20)
    assert len(requests_of(bench.run)) == 4
    results = analyze_run(bench.run)
    assert {"dI0", "peak_voltage", "peak_current", "delta_base_current", "train_monotonic"} <= {
        r.quantity for r in results
    }
    for result in results:
        assert math.isfinite(result.value), result
        assert tuple(result.to_dict()) == KEYS
        json.dumps(result.to_dict(), allow_nan=False)


def test_order_of_rows_does_not_matter():
    bench = TransistorBench(**NOISE)
    bench.transfer()
    pulse_trial(bench)
    bench.train(20)
    rng = np.random.default_rng(1)
    other = FakeRun(meta=bench.run.meta, path=bench.run.path, traces=bench.run.traces)
    other.rows = {kind: [rows[i] for i in rng.permutation(len(rows))] for kind, rows in bench.run.rows.items()}
    requests = [
        {"request": "crossing", "of": "transfer"},
        {"request": "delta_base_current", "before": "before", "after": "after"},
        {"request": "train_response", "of": "train", "over": "number"},
    ]
    pd.testing.assert_frame_equal(*(to_frame(analyze_run(run, requests)) for run in (bench.run, other)))
