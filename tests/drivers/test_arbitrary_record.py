"""Piecewise-linear waveforms as records of a sampling generator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.arbitrary import record
from drivers.errors import SettingError

FULL = 16_382


def volts(codes: np.ndarray, low: float, high: float) -> np.ndarray:
    return low + codes / FULL * (high - low)


def test_corners_on_the_grid_are_met_exactly() -> None:
    samples = record([0, 100e-6, 100e-6, 200e-6, 200e-6, 1e-3], [0, 0, 4.2, 4.2, 0, 0], 1e-3, 131_072, FULL)
    assert samples.time_error == 0
    assert samples.codes.size % 10 == 0
    tenth = samples.codes.size // 10
    assert (samples.codes[:tenth] == 0).all()
    assert (samples.codes[tenth : 2 * tenth] == FULL).all()
    assert (samples.codes[2 * tenth :] == 0).all()


def test_full_scale_is_16382_not_16383() -> None:
    samples = record([0, 1, 2, 3], [0, 1, -1, 0], 3, 300, FULL)
    assert samples.codes.max() == 16_382
    assert samples.codes.min() == 0


def test_first_sample_is_the_idle_level_even_if_the_waveform_steps_at_once() -> None:
    samples = record([0, 0, 0.5, 0.5, 1], [0, 2, 2, 0, 0], 1, 100, FULL)
    assert samples.codes[0] == 0
    assert np.count_nonzero(samples.codes == FULL) == 50


@pytest.mark.parametrize(
    ("times", "levels", "period", "said"),
    [
        ([0], [0], 1, "two times"),
        ([0, 1], [0, 1, 2], 1, "as many voltages"),
        ([0, 2, 1], [0, 1, 0], 3, "never fall"),
        ([0.1, 1], [0, 0], 1, "begin at 0"),
        ([0, 2], [0, 0], 1, "end by the period"),
        ([0, 0.5, 1], [0, 1, 1], 1, "must end where it idles"),
        ([0, 1], [1, 1], 1, "no amplitude"),
        ([0, np.nan], [1, 1], 1, "finite"),
        ([0, 0, 1, 1], [0, 1, 1, 0], 1, "must rest"),
    ],
)
def test_what_is_no_waveform_is_refused(times: list[float], levels: list[float], period: float, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        record(times, levels, period, 100, FULL)


@st.composite
def waveforms(draw: st.DrawFn) -> tuple[list[float], list[float], float]:
    count = draw(st.integers(2, 6))
    steps = draw(st.lists(st.floats(1e-3, 1), min_size=count, max_size=count))
    levels = draw(st.lists(st.floats(-5, 5), min_size=count, max_size=count))
    times = [0.0, *np.cumsum(steps).tolist()]
    base = draw(st.floats(-5, 5))
    return times, [base, *levels[:-1], base], times[-1] * draw(st.floats(1, 2))


@settings(max_examples=60)
@given(waveforms())
def test_samples_lie_on_the_waveform(waveform: tuple[list[float], list[float], float]) -> None:
    times, levels, period = waveform
    if max(levels) - min(levels) < 1e-3:
        return
    samples = record(times, levels, period, 4096, FULL)
    step = period / samples.codes.size
    drawn = volts(samples.codes, samples.low, samples.high)
    # a corner may be off by its time error; elsewhere a sample is on the line within half a code
    lsb = (samples.high - samples.low) / FULL
    slope = np.max(np.abs(np.diff(levels) / np.diff(times)))
    expected = np.interp(np.arange(samples.codes.size) * step, times, levels)
    assert np.abs(drawn - expected).max() <= lsb / 2 + slope * samples.time_error + 1e-6
    assert abs(drawn[0] - levels[0]) <= lsb / 2 + 1e-12
    assert samples.time_error <= step / 2 * (1 + 1e-9)
