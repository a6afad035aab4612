"""The loop solution against hand-solved cases and against its own equations."""

from __future__ import annotations

from math import inf, sinh

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sim_backend.circuit.network import Source, solve
from sim_backend.devices.hnno import HnnoNeuron, HnnoParameters
from sim_backend.devices.resistor import Resistor
from sim_backend.draws import Draws

KILO = Resistor(1e3)
GROUND = Source(0.0, 0.0)


def test_divider() -> None:
    solution = solve(KILO, [Source(4.2, 50.0)], [GROUND])
    assert solution.first == pytest.approx(4.0)
    assert solution.current == pytest.approx(4e-3)
    assert solution.currents == pytest.approx([4e-3, -4e-3])


def test_two_sources_on_one_terminal_share_by_conductance() -> None:
    solution = solve(KILO, [Source(4.2, 50.0), Source(0.0, 1.0)], [GROUND])
    g = 1 / 50 + 1 + 1e-3
    assert solution.first == pytest.approx(4.2 / 50 / g)
    assert solution.currents[0] == pytest.approx((4.2 - solution.first) / 50)
    assert solution.currents[1] == pytest.approx(-solution.first)


def test_a_limited_source_gives_its_limit() -> None:
    solution = solve(KILO, [Source(5.0, 0.0, 1e-3)], [GROUND])
    assert solution.current == 1e-3
    assert solution.first == pytest.approx(1.0)
    assert solution.limited == [1, 0]


def test_a_sink_at_its_limit_lets_the_other_source_win() -> None:
    """F6 once the limit acts: V = Vsrc - 50 ohm I_off."""
    solution = solve(Resistor(1e12), [Source(4.2, 50.0), Source(0.0, 1.0, 1e-3)], [GROUND])
    assert solution.first == pytest.approx(4.15)
    assert solution.limited == [0, -1, 0]


def test_series_loop_with_a_limit_on_the_far_side() -> None:
    """T2 in compliance: Au floats so that the device carries the limit."""
    solution = solve(Resistor(400e3), [Source(4.2, 50.0)], [Source(0.0, 0.0, 1e-6)])
    assert solution.first - solution.second == pytest.approx(0.4)
    assert solution.second == pytest.approx(4.2 - 50e-6 - 0.4)
    assert solution.limited == [0, -1]


def test_the_smaller_of_two_limits_in_one_loop_acts() -> None:
    solution = solve(KILO, [Source(4.0, 0.0, 2e-3)], [Source(0.0, 0.0, 1e-3)])
    assert solution.current == pytest.approx(1e-3)
    assert solution.limited == [0, -1]


def test_a_floating_terminal_follows_the_other() -> None:
    solution = solve(KILO, [Source(3.0, 50.0)], [])
    assert solution.first == solution.second == 3.0
    assert solution.current == 0.0


def test_nothing_connected() -> None:
    solution = solve(KILO, [], [])
    assert (solution.first, solution.second, solution.current) == (0.0, 0.0, 0.0)


def test_small_currents_of_a_stiff_source_are_exact() -> None:
    """An ammeter of 0 ohm reads 1 pA without losing digits to the node voltage."""
    solution = solve(Resistor(1e12), [Source(1.0, 0.0)], [GROUND])
    assert solution.currents[0] == pytest.approx(1e-12, rel=1e-12)


SOURCE = st.builds(
    Source,
    st.floats(-10, 10),
    st.one_of(st.just(0.0), st.floats(1e-3, 1e6)),
    st.one_of(st.just(inf), st.floats(1e-9, 1.0)),
)


@given(
    first=st.lists(SOURCE, min_size=1, max_size=3),
    second=st.lists(SOURCE, min_size=1, max_size=2),
    spiking=st.booleans(),
)
def test_any_network_fulfils_kirchhoff_and_every_characteristic(
    first: list[Source], second: list[Source], spiking: bool
) -> None:
    # two stiff sources of different EMF on one node, both unlimited, are a short circuit, not a bench
    for sources in (first, second):
        assume(sum(s.resistance < 1e-3 and s.limit == inf for s in sources) <= 1)
    device = HnnoNeuron(HnnoParameters(), Draws(1))
    device.memory.spiking = spiking
    device.refresh()
    solution = solve(device, first, second)
    i, tiny = solution.current, 1e-9 * max(map(abs, solution.currents)) + 1e-18
    assert sum(solution.currents[: len(first)]) == pytest.approx(i, abs=tiny)
    assert sum(solution.currents[len(first) :]) == pytest.approx(-i, abs=tiny)
    v = solution.first - solution.second
    assert i == pytest.approx(2.5 / device.resistance * sinh(v / 2.5), rel=1e-6, abs=tiny)
    nodes = [solution.first] * len(first) + [solution.second] * len(second)
    for source, node, current, side in zip([*first, *second], nodes, solution.currents, solution.limited, strict=True):
        assert abs(current) <= source.limit * (1 + 1e-9)
        if not side:
            assert source.emf - node == pytest.approx(current * source.resistance, rel=1e-6, abs=1e-6)
        else:
            assert abs(current) == source.limit
            assert side * (source.emf - node) >= source.limit * source.resistance - 1e-6
