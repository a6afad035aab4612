"""Pulses are worked out once for each value of the loop variables: the right one is always asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labctl.execution.acting import Acting
from labctl.plan import operations as o
from labctl.plan.findings import ROUNDING
from labctl.store.flags import Flags

LEVELS = st.floats(-5.0, 5.0)


class _Bench:
    """A bench whose one channel keeps what it was asked for; the device's limit is 3 V."""

    clock = None
    description = SimpleNamespace(device=SimpleNamespace(limits=SimpleNamespace(voltage={"pd": 3.0})))

    def __init__(self) -> None:
        self.pulses: list[tuple[Any, ...]] = []

    def channel(self, source: str) -> _Bench:
        return self

    def prepare_pulse(self, *arguments: Any) -> _Bench:
        self.pulses.append(arguments)
        return self

    set_high = set_low = reported_high = reported_low = 0.0


def _pulse(level: o.Value) -> o.Pulses:
    return o.Pulses(1, "afg.1", "pd", (o.Part(level, o.Value(1e-4)),), o.Value(), None, o.Value(), None, o.Value(1.0))


@st.composite
def passes(draw: st.DrawFn) -> list[dict[str, float]]:
    """Loop variables a and b of some passes, in either order."""
    orders = draw(st.lists(st.permutations(["a", "b"]), max_size=8))
    return [{name: draw(LEVELS) for name in order} for order in orders]


@given(passes=passes())
def test_each_pass_has_its_own_level(passes: list[dict[str, float]]) -> None:
    """Two pulses, of a and of -b, in passes that come twice."""
    bench: Any = _Bench()
    acting = Acting(bench, 0.0)
    pulses = [(_pulse(o.Value(name="a")), "a", 1.0), (_pulse(o.Value(name="b", scale=-1.0)), "b", -1.0)]
    for variables in passes + passes:
        for pulse, name, scale in pulses:
            level = variables[name] * scale
            row = acting.pulse_row(pulse, variables, acting.prepare(pulse, variables), 0.0)
            assert bench.pulses[-1] == (level, 0.0, 1e-4, None, None, 1)
            assert (row.measured["level"], row.measured["width"], row.measured["count"]) == (level, 1e-4, 1)
            assert bool(row.flags & Flags.BEYOND_ORDINARY_LIMIT) == (abs(level) > 3.0 * (1 + ROUNDING))
