"""Figures of a transistor's run: the paper's panels by what the protocol asks for, labelled, marked, never broken."""

import math

import matplotlib as mpl
import numpy as np
import pytest
from fake_run import FakeRun
from fake_transistor import TRIANGLE, UP, TransistorBench

from labctl.report.figures import figures_for, save_figures
from sim_backend.devices.aab import AabTransistor

NOISE = {"flicker": 5e-3, "floor": 1e-13}
PAPER_ORDER = [
    {"request": "crossing", "of": "transfer"},
    {"request": "peak", "of": "transfer"},
    {"request": "delta_base_current", "before": "before", "after": "after"},
    {"request": "train_response", "of": "train", "over": "number"},
    {"request": "retention", "of": "decay", "reference": "before"},
    {"request": "bell", "of": "transfer"},
]


def asking(bench, *requests):
    bench.run.meta["resolved"] = {"analyze": list(requests)}
    return bench.run


def transfer_run():
    bench = TransistorBench(**NOISE)
    bench.transfer("forward", UP)
    bench.device = AabTransistor()
    bench.transfer("reverse", UP, vds=-2.0)
    return asking(
        bench, {"request": "peak", "of": "forward"}, {"request": "rectification", "of": "forward", "to": "reverse"}
    )


def output_run():
    bench = TransistorBench(**NOISE)
    for index, vg in enumerate((-10.0, -5.0, 0.0)):
        bench.run.loops |= {"vg": vg, "vg_index": index}
        bench.output(np.arange(-5.0, 5.01, 0.25), vg, dwell=5e-3)
    return asking(bench, {"request": "output_slope", "of": "output", "over": "vg", "at": 4.0})


def envelope_run():
    bench = TransistorBench()
    bench.run.meta["units"] = {"sample": {"amplitude": "V"}}
    for index, amplitude in enumerate((-10.0, -5.0)):
        bench.run.loops |= {"amplitude": amplitude, "amplitude_index": index}
        bench.triangles(amplitude, trains=4, noise=80e-12)
    return asking(bench, {"request": "train_response", "of": "response", "per": ["amplitude"]})


def bursts_run():
    bench = TransistorBench(**NOISE)
    for index, count in enumerate((0, 100, 400, 800, 2000)):
        bench.run.loops |= {"pulses": float(count), "pulses_index": index}
        bench.device = AabTransistor()
        bench.hold(0.1, 0.0)
        if count:
            bench.device.run([(TRIANGLE, 0.0, -10.0), (TRIANGLE, -10.0, 0.0), (2 * TRIANGLE, 0.0, 0.0)], count)
        bench.read("response", delay=1e-4)
    return asking(bench, {"request": "train_response", "of": "response", "over": "pulses"})


def plasticity_run():
    bench = TransistorBench(**NOISE)
    for state in ("pristine", "conditioned"):
        bench.run.state = state
        if state == "conditioned":
            bench.condition(90.0)
        bench.transfer()
        bench.read("before")
        bench.pulse(10.0, 10e-3)
        bench.read("after")
        bench.record("decay", 20.0, 1.0)
        bench.train(20)
    return asking(bench, *PAPER_ORDER)


def map_run():
    bench = TransistorBench(**NOISE)
    bench.run.meta["units"] = {"sweep": {"bias_time": "s", "cgb": "V"}}
    for i, level in enumerate((38.0, 40.0)):
        for j, seconds in enumerate((10.0, 30.0, 90.0)):
            bench.run.loops |= {"cgb": level, "cgb_index": i, "bias_time": seconds, "bias_time_index": j}
            bench.device = AabTransistor()
            bench.condition(seconds, level)
            bench.transfer()
    return asking(
        bench,
        {"request": "map", "of": "transfer", "x": "bias_time", "y": "cgb"},
        {"request": "null_time", "of": "transfer", "over": "bias_time", "per": ["cgb"]},
        {"request": "bell", "of": "transfer", "over": "bias_time", "per": ["cgb"]},
    )


RUNS = {run.__name__: run for run in (transfer_run, output_run, envelope_run, bursts_run, plasticity_run, map_run)}
WANTED = {
    "transfer_run": {"2a_transfer", "gate_leakage"},
    "output_run": {"2c_output"},
    "envelope_run": {"2d_temporal_integration"},
    "bursts_run": {"2d_temporal_integration"},
    "plasticity_run": {
        "5c_cyclic_transfer", "5d_single_pulse", "5e_train", "5f_cyclic_transfer_conditioned",
        "5g_single_pulse_conditioned", "5h_train_conditioned", "retention", "bell", "gate_leakage",
    },
    "map_run": {"conditioning_map", "null_time", "bell", "gate_leakage"},
}  # fmt: skip


@pytest.fixture(scope="module", params=list(RUNS))
def drawn(request):
    run = RUNS[request.param]()
    return request.param, run, figures_for(run)


def texts(figure):
    return [t.get_text() for t in figure.findobj(mpl.text.Text) if t.get_text()]


def test_each_run_has_the_panels_of_what_it_asks_for(drawn):
    name, _, figures = drawn
    assert set(figures) == WANTED[name]


def test_axes_have_labels_with_units_and_figures_the_mark(drawn):
    _, _, figures = drawn
    for name, figure in figures.items():
        assert "SIMULATED" in texts(figure), name
        for axes in figure.axes:
            assert "(" in axes.get_ylabel(), name
            colourbar = axes.get_label() == "<colorbar>"
            assert colourbar or "(" in axes.get_xlabel() or axes.get_xlabel() in ("sample", "pulse number", "pulses")


def test_legends_cover_no_data(drawn):
    _, _, figures = drawn
    for name, figure in figures.items():
        figure.canvas.draw()
        for axes in figure.axes:
            if legend := axes.get_legend():
                inside = axes.get_window_extent().padded(-2)
                assert not legend.get_window_extent().overlaps(inside), name


def test_numbers_stand_on_the_panels():
    figures = figures_for(plasticity_run())
    assert any(t.startswith("pristine: dI₀ = 0.8") for t in texts(figures["5c_cyclic_transfer"]))
    assert any(t.startswith("conditioned: dI₀ = -0.4") for t in texts(figures["5f_cyclic_transfer_conditioned"]))
    assert any(t.startswith("pristine: Δ = 0.2") for t in texts(figures["5d_single_pulse"]))
    assert any("10 V, 10 ms" in t for t in texts(figures["5d_single_pulse"]))
    assert "conditioned: falls, no rise established" in texts(figures["5h_train_conditioned"])


def test_several_states_of_one_kind_have_a_figure_each():
    bench = TransistorBench(**NOISE)
    for state in ("first", "second"):
        bench.run.state = state
        bench.read("before")
        bench.pulse(10.0, 10e-3)
        bench.read("after")
    figures = figures_for(asking(bench, PAPER_ORDER[2]))
    assert set(figures) == {"5d_single_pulse", "5d_single_pulse-2"}


def test_a_run_without_requests_shows_its_transfer_curves():
    bench = TransistorBench(**NOISE)
    bench.transfer()
    assert set(figures_for(bench.run)) == {"5c_cyclic_transfer", "gate_leakage"}


def test_flagged_stopped_or_missing_data_break_no_figure():
    bench = TransistorBench(**NOISE)
    bench.transfer(flags=16)
    bench.read("before", flags=2)
    assert set(figures_for(asking(bench, *PAPER_ORDER))) <= {"gate_leakage"}
    assert figures_for(FakeRun(meta={"resolved": {"analyze": PAPER_ORDER}})) == {}


def test_a_lost_top_is_drawn_without_a_peak():
    bench = TransistorBench(**NOISE)
    bench.transfer("forward", UP, status=np.where(np.abs(UP + 5) < 0.6, 1, 0), flags=1)
    figure = figures_for(asking(bench, {"request": "peak", "of": "forward"}))["2a_transfer"]
    assert not any(t.endswith(" V") and t.startswith("-4") for t in texts(figure))
    assert math.isfinite(figure.axes[0].dataLim.ymax)


def test_saved_under_the_name_of_the_run(tmp_path):
    written = save_figures(transfer_run(), [], tmp_path, formats=("png",))
    assert {p.name for p in written} == {"fake_2a_transfer.png", "fake_gate_leakage.png"}
    assert all(p.read_bytes()[:4] == b"\x89PNG" for p in written)
