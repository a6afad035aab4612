"""A transistor's model file: what simulations get is what was measured, with its intervals; nothing is made up."""

import json

import numpy as np
import pytest
from fake_transistor import TransistorBench

from labctl.analysis import AnalysisError
from labctl.analysis.model import ModelError, load_model
from labctl.analysis.model_export import model_of

NOISE = {"flicker": 5e-3, "floor": 1e-13}
TIMES = (10.0, 30.0, 90.0)
LEVELS = (38.0, 42.0)


def pulse_trial(bench):
    bench.read("before")
    bench.pulse(10.0, 10e-3)
    bench.read("after")


def asking(bench, *requests):
    bench.run.meta["resolved"] = {"analyze": list(requests)}
    return bench.run


@pytest.fixture(scope="module")
def sequence():
    """The paper's order: curve, pulse, curve, train; the same after 40 V for 90 s."""
    bench = TransistorBench(**NOISE)
    for state in ("pristine", "conditioned"):
        bench.run.state = state
        if state == "conditioned":
            bench.condition(90.0)
        bench.transfer()
        pulse_trial(bench)
        bench.transfer("reset_transfer")
        bench.read("before_train")
        bench.train(20)
    return asking(
        bench,
        {"request": "peak", "of": "transfer"},
        {"request": "delta_base_current", "before": "before", "after": "after"},
        {"request": "train_response", "of": "train", "over": "number"},
    )


@pytest.fixture(scope="module")
def conditioned_map():
    bench = TransistorBench(**NOISE)
    bench.run.meta["units"] = {"sweep": {"bias_time": "s", "cgb": "V"}}
    bench.transfer("reset_transfer")
    pristine = bench.device.state()
    for i, level in enumerate(LEVELS):
        for j, seconds in enumerate(TIMES):
            bench.run.loops |= {"cgb": level, "cgb_index": i, "bias_time": seconds, "bias_time_index": j}
            bench.device.restore(pristine)
            bench.condition(seconds, level)
            bench.transfer()
    return asking(
        bench,
        {"request": "map", "of": "transfer", "x": "bias_time", "y": "cgb"},
        {"request": "null_time", "of": "transfer", "over": "bias_time", "per": ["cgb"]},
    )


@pytest.fixture
def exported(tmp_path):
    def export(*runs):
        path = tmp_path / "model.json"
        path.write_text(json.dumps(model_of(runs), allow_nan=False))
        return load_model(path)

    return export


def test_bells_by_state_and_branch(sequence, exported):
    """C8 to C11: the activation, normalised, as measured and as a Gaussian; anchors 6 and 12 of the model."""
    model = exported(sequence)
    assert model.simulated
    assert model.states("aab-1") == ("pristine", "conditioned")
    for state, branch, peak in (
        ("pristine", "forward", -4.81), ("pristine", "backward", 0.49),
        ("conditioned", "forward", -1.28), ("conditioned", "backward", 4.02),
    ):  # fmt: skip
        curve = model.transfer(state, branch)
        assert curve.peak_voltage.low < curve.peak_voltage.value < curve.peak_voltage.high
        assert curve.peak_voltage.value == pytest.approx(peak, abs=0.15)
        assert curve.normalised(curve.peak_voltage.value) == pytest.approx(1, abs=0.02)
        assert abs(curve.normalised(15.0)) < 0.01
        assert curve.gaussian(curve.bell["centre"].value) == 1.0
        low, high = curve.interval(peak)
        assert low < curve.current(peak) < high
        assert curve.drain_voltage == 2.0
    assert model.transfer("conditioned").conditioning.level == 40.0
    assert model.transfer("conditioned").conditioning.time == pytest.approx(90.0)
    assert model.transfer("pristine").conditioning.time == 0.0
    assert np.isnan(model.transfer("pristine").current([-20.0, 20.0])).all()
    assert len(model.transfers) == 4  # the curve that only resets was not asked about


def test_changes_by_a_pulse_and_by_a_train(sequence, exported):
    """Anchors 8, 9, 13, 14: +0.22 and -0.12 nA; rising and falling trains."""
    model = exported(sequence)
    before, after = model.pulse_changes
    for entry, change in ((before, 0.22e-9), (after, -0.12e-9)):
        assert (entry.level, entry.width, entry.count) == (10.0, 10e-3, 1.0)
        assert entry.change.low < entry.change.value < entry.change.high
        assert entry.change.value == pytest.approx(change, abs=0.02e-9)
    assert (before.conditioning.time, after.conditioning.time) == (0.0, pytest.approx(90.0))
    rising, falling = model.response("pristine"), model.response("conditioned")
    assert rising.shape.startswith("rises")
    assert falling.shape.startswith("falls")
    assert rising.current(pulses=[1, 20]) == pytest.approx(rising.curve.current[[0, -1]])
    with pytest.raises(ModelError, match="period"):
        rising.current(time=1e-3)


def test_what_a_bias_changes_is_a_table_that_interpolates_inside_only(conditioned_map, exported):
    """C12: dI0 against level and time of the conditioning, and the bell that it moves."""
    model = exported(conditioned_map)
    assert len(model.conditioned) == len(LEVELS) * len(TIMES)
    cell = next(e for e in model.conditioned if e.conditions == {"cgb": 42.0, "bias_time": 30.0})
    found = model.dI0(42.0, 30.0)
    assert found == pytest.approx(cell.change)
    between = model.dI0(40.0, 30.0)
    assert between.low < between.value < between.high
    assert model.dI0(38.0, 30.0).value > between.value > found.value
    with pytest.raises(ModelError, match="around 45 V"):
        model.dI0(45.0, 30.0)
    with pytest.raises(ModelError, match="around 300 s"):
        model.dI0(40.0, 300.0)
    centres = [model.transfer(branch="forward", conditioning=(42.0, t)).bell["centre"].value for t in TIMES]
    assert centres == sorted(centres)
    nulls = {entry["state"]: entry["time"] for entry in model.data["plasticity"]["null_times"]}
    assert nulls["cgb=42 V"]["low"] < 15 < nulls["cgb=42 V"]["high"]


def test_responses_over_time_know_the_pulses(exported):
    bench = TransistorBench()
    for level in (-10.0, -5.0):
        bench.run.loops |= {"amplitude": level}
        bench.add(
            "pulse", terminal="gate", role="", name="", level=level, width=100e-9, base=0.0, count=4000, period=200e-9
        )  # fmt: skip
        bench.triangles(level)
    run = asking(bench, {"request": "train_response", "of": "response", "per": ["amplitude"]})
    model = exported(run)
    turning, rising = (model.response(amplitude=level) for level in (-10.0, -5.0))
    assert turning.shape == "rises to a maximum, then falls"
    assert rising.shape.startswith("rises, no fall")
    assert turning.pulse == {"level": -10.0, "width": 100e-9, "period": 200e-9}
    assert turning.current(pulses=574) == pytest.approx(turning.current(time=574 * 200e-9))
    assert turning.normalised(pulses=574) == pytest.approx(1, abs=0.02)
    with pytest.raises(ModelError, match="no response with"):
        model.response(amplitude=-3.0)


def test_slopes_of_output_curves_and_retention(exported):
    bench = TransistorBench(**NOISE)
    bench.run.meta["units"] = {"sweep": {"vg": "V"}}
    for i, vg in enumerate((-10.0, -5.0, 0.0)):
        bench.run.loops |= {"vg": vg, "vg_index": i}
        bench.output(np.arange(-5, 5.01, 0.25), vg)
    bench.read("before")
    bench.pulse(10.0, 10e-3)
    bench.record("decay", 10.0, 0.1)
    run = asking(
        bench,
        {"request": "output_slope", "of": "output", "at": 4.0, "over": "vg"},
        {"request": "retention", "of": "decay", "reference": "before"},
    )
    model = exported(run)
    (output,) = model.data["outputs"]
    assert output["gate_voltage"] == [-10.0, -5.0, 0.0]
    assert output["low"][1] < output["slope"][1] < output["high"][1]
    assert output["steepest_at"]["value"] == -5.0
    (steady,) = model.retentions
    value, low, high = steady.left(5.0)
    assert low <= value <= high
    assert high > 0.97


def test_a_file_of_format_1_still_opens(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"format": "labctl-model", "version": 1, "simulated": False, "activations": []}))
    model = load_model(path)
    assert model.transfers == ()
    with pytest.raises(ModelError, match="no transfer curve"):
        model.transfer()
    path.write_text(json.dumps({"format": "labctl-model", "version": 3}))
    with pytest.raises(ModelError, match="format 3"):
        load_model(path)


def test_a_run_that_measured_nothing_of_the_kind_is_refused():
    bench = TransistorBench()
    bench.read("base")
    with pytest.raises(AnalysisError, match="none of the runs measured"):
        model_of([asking(bench, {"request": "delta_base_current", "before": "base", "after": "later"})])
