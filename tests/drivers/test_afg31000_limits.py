"""Limits of the AFG31000 and the order in which its levels move: nothing clipped, the idle level stays at bases."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers.afg31000 import AFG31000
from drivers.afg31000_commands import level_changes, timing_changes
from drivers.afg31000_models import MODELS, PulseShape, level_order, model
from drivers.errors import IdentityError, SettingError

SMALL = 2e-3
levels = st.tuples(st.floats(-10, 9), st.floats(SMALL, 1)).map(lambda v: [round(v[0], 4), round(v[0] + v[1], 4) + 1e-4])


def pulse(level: float = 1.0, base: float = 0.0, width: float = 1e-4, edge: float | None = None) -> PulseShape:
    return PulseShape(level, base, width, edge, 1e-3, 1)


def test_models_and_their_limits() -> None:
    assert len(MODELS) == 10
    assert model("AFG31022").min_width == 16e-9
    assert model("AFG31252").window == 5.0
    assert model("AFG31052").window == 10.0
    assert (model("AFG31051").channels, model("AFG31052").channels) == (1, 2)
    # Advanced mode has its own ceiling on the 50 MHz models
    assert (model("AFG31052").sample_rate, model("AFG31052").sequence_rate) == (1e9, 500e6)
    with pytest.raises(IdentityError, match="AFG31052"):
        model("AFG3252")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (pulse(level=10.1), "level 10.1 V is outside"),
        (pulse(level=-10.1), "level -10.1 V is outside"),
        (pulse(level=1e-3), "amplitude 0.001 V"),
        (pulse(level=0.0), "amplitude 0 V"),
        (pulse(level=math.nan), "level"),
        (pulse(width=9e-9), "pulse width 9e-09 s is outside 1e-08"),
        (pulse(width=1e-3), "does not fit"),
        (pulse(width=1e-4, edge=1e-4), "pulse width 0.0001 s is outside 0.000125"),
        (pulse(width=9e-4, edge=1e-4), "does not fit"),
        (PulseShape(1, 0, 1e-4, None, 2000, 1), "period 2000 s"),
        (PulseShape(1, 0, 1e-4, None, 100, 1), "duty cycle 0.0001 %"),
        (PulseShape(1, 0, 1e-4, None, 1e-3, 0), "burst count 0"),
        (PulseShape(1, 0, 1e-4, None, 1e-3, 1_000_001), "burst count"),
        (PulseShape(1, 0, 1e-4, None, 1e-3, 1.5), "whole number"),  # type: ignore[arg-type]
    ],
)
def test_pulse_beyond_the_model_is_refused(shape: PulseShape, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        shape.check(model("AFG31052"), -10, 10)


def test_level_beyond_the_limit_set_is_refused() -> None:
    pulse(4.2).check(model("AFG31052"), -4.5, 4.5)
    with pytest.raises(SettingError, match=r"level 4\.6 V is outside -4\.5 \.\. 4\.5"):
        pulse(4.6).check(model("AFG31052"), -4.5, 4.5)


@given(levels, levels)
def test_high_stays_above_low_on_the_way(present: list[float], wanted: list[float]) -> None:
    now = {"LOW": present[0], "HIGH": present[1]}
    for name, level in level_order((present[0], present[1]), (wanted[0], wanted[1]), SMALL):
        now[name] = level
        assert now["HIGH"] - now["LOW"] >= SMALL - 1e-12
    assert now == {"LOW": wanted[0], "HIGH": wanted[1]}


@given(levels, st.booleans(), levels, st.booleans())
def test_idle_level_goes_straight_from_base_to_base(
    present: list[float], down: bool, wanted: list[float], down_then: bool
) -> None:
    """Every intermediate idle level lies between the bases, or within twice the smallest amplitude of one of them."""
    known, shape = pulse(*present[:: 1 if down else -1]), pulse(*wanted[:: 1 if down_then else -1])
    state: dict[str, Any] = {"LOW": known.low, "HIGH": known.high, "POL": "INV" if known.inverted else "NORM"}
    for command in level_changes("1", known, shape, SMALL):
        header, value = command.split(" ")
        state[header.rpartition(":")[2]] = value if value in ("INV", "NORM") else float(value)
        idle = state["HIGH"] if state["POL"] == "INV" else state["LOW"]
        bases = sorted([known.base, shape.base])
        assert bases[0] - 2 * SMALL - 1e-9 <= idle <= bases[1] + 2 * SMALL + 1e-9
    assert math.isclose(state["HIGH"], shape.high, abs_tol=1e-9)
    assert math.isclose(state["LOW"], shape.low, abs_tol=1e-9)
    assert state["POL"] == ("INV" if shape.inverted else "NORM")


@given(st.floats(1e-6, 4e-4), st.floats(1e-8, 1e-4), st.floats(1e-6, 4e-4), st.floats(1e-8, 1e-4))
def test_width_and_edges_fit_at_every_step(width: float, edge: float, width2: float, edge2: float) -> None:
    def fits(w: float, leading: float, trailing: float) -> bool:
        edges = leading + trailing
        return 0.625 * edges <= w * (1 + 1e-9) and w <= (1e-3 - 0.8 * edges) * (1 + 1e-9)

    assume(fits(width, edge, edge) and fits(width2, edge2, edge2))
    now = {"WIDT": width, "LEAD": edge, "TRA": edge}
    for command in timing_changes("1", pulse(width=width, edge=edge), pulse(width=width2, edge=edge2)):
        header, value = command.split(" ")
        now[header.rpartition(":")[2]] = float(value)
        assert fits(now["WIDT"], now["LEAD"], now["TRA"])


def test_record_length_that_the_sample_rate_allows() -> None:
    assert model("AFG31052").points(1.0) == 131_072
    assert model("AFG31052").points(10e-6) == 10_000  # 1 GS/s
    assert model("AFG31052").points(100e-6) == 25_000  # 16 K points or more: 250 MS/s
    assert model("AFG31022").points(10e-6) == 2500


def test_capabilities_without_an_instrument() -> None:
    able = AFG31000.capabilities("AFG31052", "2")
    assert able["pulse"]["min_width"] == 10e-9
    assert able["pulse"]["window"] == (-10.0, 10.0)
    assert able["burst"]["max_count"] == 1_000_000
    assert able["source_resistance"] == 50
    with pytest.raises(SettingError, match="no channel 2"):
        AFG31000.capabilities("AFG31051", "2")
    with pytest.raises(IdentityError):
        AFG31000.capabilities("2636B")
