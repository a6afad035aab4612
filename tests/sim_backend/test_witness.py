"""The witness of a circuit: time above levels, charge, pulses and energies against closed forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_backend.circuit import Circuit, Waveform
from sim_backend.clock import Clock
from sim_backend.devices.aab import make_device
from sim_backend.devices.resistor import Resistor
from sim_backend.draws import Draws
from sim_backend.gated import GatedCircuit
from sim_backend.witness import Witness, share_above

OHMS, LEVEL, WIDTH = 25e3, 4.2, 100e-6
CYCLE = Waveform((WIDTH, WIDTH, WIDTH, WIDTH), (LEVEL, 0.0, -2.0, 0.0), (LEVEL, 0.0, -2.0, 0.0))


def witnessed(count: int, step: float | None) -> Witness:
    """``count`` cycles of a set and a reset pulse; ``step``: settled that often (s), so that nothing goes in bulk."""
    clock = Clock()
    circuit = Circuit(clock, Resistor(OHMS))
    port = circuit.port("p")
    circuit.connect(port, "pd")
    circuit.ground("au")
    circuit.witness = Witness(circuit.terminals, {"pd": [1.0, 3.0, 4.5]})
    port.drive(0.0, 0.0)
    port.play(CYCLE, count, 0.0)
    end = count * CYCLE.period
    while step is not None and clock.now + step < end:
        clock.sleep(step)
        circuit.settle()
    clock.sleep(end - clock.now)
    circuit.settle()
    return circuit.witness


@pytest.mark.parametrize("step", [None, 130e-6])
@pytest.mark.parametrize("count", [1, 3, 40])
def test_pulses_are_seen_one_by_one_and_in_bulk(count: int, step: float | None) -> None:
    witness = witnessed(count, step)
    pd = witness.terminals["pd"]
    assert (pd.lowest, pd.highest) == (pytest.approx(-2.0), pytest.approx(LEVEL))
    assert pd.above[1.0] == pytest.approx(2 * count * WIDTH)
    assert pd.above[3.0] == pytest.approx(count * WIDTH)
    assert pd.above[4.5] == 0.0
    assert witness.pulses == {"pd": 2 * count, "au": 0}
    assert pd.current == pytest.approx(LEVEL / OHMS)
    assert witness.channel == pytest.approx(LEVEL)
    if count < 4 or step is not None:  # in bulk the largest current stands for all
        assert pd.charge == pytest.approx(count * (LEVEL + 2.0) / OHMS * WIDTH)
    assert witness.energy == pytest.approx(LEVEL**2 / OHMS * WIDTH)


def test_a_gated_circuit_is_witnessed_in_levels_and_in_waveforms() -> None:
    clock = Clock()
    circuit = GatedCircuit(clock, make_device({}, Draws(1), False))
    gate, drain = circuit.port("g"), circuit.port("d")
    circuit.connect(gate, "gate")
    circuit.connect(drain, "drain")
    circuit.ground("source")
    witness = circuit.witness = Witness(circuit.terminals, {"gate": [5.0, 20.0]})
    drain.drive(2.0, 0.0)
    gate.drive(30.0, 0.0)
    clock.sleep(3.0)
    gate.drive(0.0, 0.0)
    gate.play(Waveform((1e-3, 1e-3), (-10.0, 0.0), (-10.0, 0.0)), 100, clock.now)
    clock.sleep(1.0)
    circuit.settle()
    seen = witness.terminals["gate"]
    assert (seen.lowest, seen.highest) == (-10.0, 30.0)
    assert seen.above == {5.0: pytest.approx(3.1), 20.0: pytest.approx(3.0)}
    assert witness.pulses["gate"] == 100
    assert witness.channel == 2.0
    assert 0.0 < witness.terminals["drain"].current < 1e-8


VOLTS = st.integers(-1000, 1000).map(lambda v: v / 100)


@given(VOLTS.map(abs), VOLTS, VOLTS)
def test_the_share_above_a_level_is_that_of_a_fine_grid(level: float, v1: float, v2: float) -> None:
    points = 2000
    grid = sum(abs(v1 + (v2 - v1) * (k + 0.5) / points) > level for k in range(points)) / points
    assert share_above(level, v1, v2) == pytest.approx(grid, abs=2 / points)
