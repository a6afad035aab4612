"""Figures: chosen by what the run holds, units on every axis, marked when simulated, nothing global touched."""

import math

import matplotlib as mpl
import numpy as np
import pytest
from fake_run import LENGTH, FakeRun, Neuron, probability_run, read, trial

from labctl.report.figures import figures_for, save_figures

FIELDS = np.linspace(0.15e6, 0.25e6, 11)


@pytest.fixture(scope="module")
def two_states():
    return probability_run({"initial": 4.2, "sensitized at 0.19 V/um": 3.7}, FIELDS)


@pytest.fixture(scope="module")
def drawn(two_states):
    return figures_for(two_states)


def texts(figure):
    return [t.get_text() for t in figure.findobj(mpl.text.Text) if t.get_text()]


def self_sensitization_run():
    run, device = FakeRun(meta={"device": "d", "simulated": True}), Neuron(seed=2)
    for state, v50 in (("initial", 4.2), ("sensitized", 3.67)):
        run.state, device.v50 = state, v50
        for number in range(20):
            run.loops = {"field": 3.8 / LENGTH, "field_index": 0, "trial": number}
            trial(run, device, 3.8)
        if state == "initial":
            run.state = "accumulating"
            run.loops = {"field": math.nan, "field_index": -1, "trial": -1}
            for _ in range(10):
                run.add("pulse", terminal="pd", role="set", level=3.8, width=1e-4, base=0.0, count=1)
                device.pulse(3.8)
                read(run, device, "accumulating")
            run.add("pulse", terminal="pd", role="reset", level=-4.2, width=1e-4, base=0.0, count=1)
            device.pulse(-4.2)
            read(run, device, "after_reset")
    return run


def test_a_run_over_states_has_the_panels_of_the_paper(drawn):
    wanted = {"2A_stochastic_spiking", "2B_probability", "2E_probability_per_state", "2F_thresholds"}
    assert wanted <= set(drawn)
    assert {"current_voltage", "readings"} <= set(drawn)


def test_sensitization_by_pulses_without_reset_has_2c_and_2d():
    drawn = figures_for(self_sensitization_run())
    assert {"2A_stochastic_spiking", "2C_self_sensitization", "2D_sensitized_states"} <= set(drawn)
    blocks = [t for t in texts(drawn["2C_self_sensitization"]) if t[:2] in ("A:", "B:", "C:")]
    assert len(blocks) == 3
    assert "10 pulses" in blocks[1]
    assert "at 3.8 V (0.19 V/µm)" in blocks[0]


def test_every_axis_has_a_label_and_physical_ones_a_unit(drawn):
    for name, figure in drawn.items():
        for axes in figure.axes:
            assert axes.get_ylabel(), name
            assert "(" in axes.get_ylabel() or "probability" in axes.get_ylabel(), name
            if name != "2F_thresholds":
                assert axes.get_xlabel(), name


def test_fields_have_a_second_axis_and_names_the_sign_for_micro(drawn):
    figure = drawn["2E_probability_per_state"]
    (second,) = figure.axes[0].child_axes
    assert second.get_xlabel() == "field (V/µm)"
    assert "sensitized at 0.19 V/µm" in texts(figure)


def test_simulated_data_are_marked_on_each_figure_and_others_are_not(drawn, two_states):
    assert all("SIMULATED" in texts(figure) for figure in drawn.values())
    real = FakeRun(meta={**two_states.meta, "simulated": False}, rows=two_states.rows)
    assert not any("SIMULATED" in texts(figure) for figure in figures_for(real).values())


def test_legends_cover_no_data(drawn):
    for name, figure in drawn.items():
        figure.canvas.draw()
        for axes in figure.axes:
            if legend := axes.get_legend():
                inside = axes.get_window_extent().padded(-2)
                assert not legend.get_window_extent().overlaps(inside), name


def test_pyplot_and_settings_are_left_alone(two_states):
    import sys

    before = dict(mpl.rcParams)
    figures_for(two_states)
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_endurance_is_drawn_against_all_cycles_so_far():
    run, device = FakeRun(meta={"device": "d"}), Neuron(seed=4)
    run.meta["resolved"] = {
        "analyze": [
            {"request": "probability", "of": "spike", "over": "field", "per": ["state", "burst"]},
            {"request": "ratio", "of": "after_pulse", "to": "after_pulse", "over": "burst", "split": "spike"},
        ]
    }
    for burst in (math.nan, 1, 9, 90):
        run.state = "fresh" if burst != burst else "cycled"
        run.loops = {"burst": burst, "burst_index": -1, "field": math.nan, "field_index": -1, "trial": -1}
        if run.state == "cycled":
            run.add("pulse", terminal="pd", role="set", level=4.6, width=1e-4, base=0.0, count=burst)
        for number in range(30):
            run.loops |= {"field": 0.21e6, "field_index": 0, "trial": number}
            trial(run, device, 4.2)
    drawn = figures_for(run)
    left, right = drawn["endurance"].axes
    places = sorted(float(line.get_xdata()[0]) for line in left.lines if line.get_marker() == "o")
    assert places == [0, 1, 10, 100]
    assert right.get_ylabel() == "spiking probability"
    assert not any(name.startswith(("2C", "2D")) for name in drawn)


def test_saved_as_png_and_pdf_under_the_name_of_the_run(two_states, tmp_path):
    written = save_figures(two_states, [], tmp_path / "new" / "folder")
    assert {p.suffix for p in written} == {".png", ".pdf"}
    assert all(p.name.startswith("fake_") and p.stat().st_size > 1000 for p in written)
    assert (tmp_path / "new" / "folder" / "fake_2B_probability.png").read_bytes()[:4] == b"\x89PNG"


def test_runs_without_events_or_without_usable_ones_have_no_broken_figure():
    assert figures_for(FakeRun(meta={"status": "stopped"})) == {}
    run, device = FakeRun(meta={}), Neuron()
    for number in range(5):
        run.loops = {"field": 0.2e6, "field_index": 0, "trial": number}
        trial(run, device, 4.0, flags=2)
    assert set(figures_for(run)) <= {"current_voltage", "readings"}


def test_one_sided_thresholds_are_drawn_as_arrows():
    run, device = FakeRun(meta={"device": "d"}), Neuron(v50=9.0)
    for state, v50 in (("never", 9.0), ("always", 1.0)):
        run.state, device.v50 = state, v50
        for level in np.linspace(3.0, 4.0, 6):
            for number in range(40):
                run.loops = {"v": level, "v_index": 0, "trial": number}
                trial(run, device, level)
    figure = figures_for(run)["2F_thresholds"]
    arrows = [t for t in figure.findobj(mpl.text.Annotation) if t.arrow_patch is not None]
    assert len(arrows) == 2
