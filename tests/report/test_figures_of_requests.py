"""Figures that say what was asked for: the smallest reliable reset, the change of V50 per decade of width."""

from __future__ import annotations

import numpy as np
import pytest
from fake_run import FakeRun, Neuron, trial

from labctl.report.figures import figures_for

WIDTHS = (1e-5, 1e-4, 1e-3)


def legend_of(figure: object) -> str:
    return " ".join(text.get_text() for text in figure.axes[0].get_legend().get_texts())  # type: ignore[attr-defined]


def test_reset_calibration_marks_the_smallest_reliable_level() -> None:
    run = FakeRun(meta={"device": "d", "units": {"spike": {"reset_level": "V/m"}}})
    for index, level in enumerate((-0.13e6, -0.15e6, -0.17e6, -0.19e6)):
        for number in range(20):
            run.loops = {"reset_level": level, "reset_level_index": index, "trial": number}
            run.add("pulse", terminal="pd", role="reset", level=level * 20e-6, width=1e-4, base=0.0, count=1)
            done = int(index > 1 or number < 10 * index)
            after = 4e5 if done else 8e4
            run.add("resistance", name="after_reset", terminal="pd", value=after, stderr=10.0, points=21)
            run.add("spike", name="reset_done", value=done, ratio=after / 8e4, resistance=after, reference=8e4,
                    criterion=2.0)  # fmt: skip
    ask = {"of": "reset_done", "over": "reset_level"}
    run.meta["resolved"] = {
        "analyze": [
            {"request": "probability", **ask, "per": []},
            {"request": "reliable", **ask, "failures": 0, "trials": 20},
        ]
    }
    figure = figures_for(run)["reset_calibration_reset_done"]
    assert "smallest reliable level\n-3.4 V, 20 trials" in legend_of(figure)
    assert "threshold" not in legend_of(figure)


@pytest.fixture(scope="module")
def widths() -> FakeRun:
    run, device = FakeRun(meta={"device": "d"}), Neuron(seed=3)
    for turn, width in enumerate(WIDTHS):
        device.v50 = 4.2 - 0.3 * np.log10(width / 1e-4)
        for index, level in enumerate(np.linspace(3.4, 5.0, 9)):
            for number in range(30):
                run.loops = {"v": level, "v_index": index, "wide": width, "wide_index": turn, "trial": number}
                trial(run, device, level)
    run.meta["units"] = {kind: {"v": "V", "wide": "s"} for kind in run.tables}
    run.meta["resolved"] = {
        "analyze": [
            {"request": "probability", "of": "spike", "over": "v", "per": ["wide"]},
            {"request": "per_decade", "of": "spike", "over": "v", "per": ["wide"], "variable": "wide"},
        ]
    }
    return run


def test_width_dependence_has_its_line(widths: FakeRun) -> None:
    axes = figures_for(widths)["width_dependence"].axes[0]
    (line,) = [line for line in axes.lines if "per decade" in str(line.get_label())]
    change = np.diff(line.get_ydata())[0] / np.diff(np.log10(line.get_xdata()))[0]
    assert change == pytest.approx(-0.3, abs=0.05)
    assert line.get_label().startswith(f"{change:.3f} V per decade")
    assert axes.get_xlabel() == "wide (s)"


def test_a_single_curve_is_named(widths: FakeRun) -> None:
    legend = figures_for(widths)["2B_probability"].axes[0].get_legend()
    assert legend.get_title().get_text() == "wide=10 µs"
