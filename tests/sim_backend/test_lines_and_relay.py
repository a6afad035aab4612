"""Digital lines, trigger cables and the relay that they drive."""

from __future__ import annotations

import pytest

from sim_backend.circuit import Circuit, Port
from sim_backend.clock import Clock
from sim_backend.devices.resistor import Resistor
from sim_backend.lines import Lines
from sim_backend.relay import Branch, SelectorRelay


def test_listeners_hear_changes_only() -> None:
    lines = Lines()
    heard: list[bool] = []
    lines.listen("a", heard.append)
    for level in (0, 1, 1, 0):
        lines.set("a", level)
    assert heard == [True, False]


def test_a_pulse_returns_to_the_level_it_came_from() -> None:
    lines = Lines()
    lines.set("a", True)
    heard: list[bool] = []
    lines.listen("a", heard.append)
    lines.pulse("a")
    assert heard == [False, True]
    assert lines.level("a")


def test_a_cable_carries_levels_and_pulses() -> None:
    lines = Lines()
    lines.set("smu.digio.2", True)
    lines.join("smu.digio.2", "afg.trigger")
    assert lines.level("afg.trigger")
    heard: list[bool] = []
    lines.listen("afg.trigger", heard.append)
    lines.pulse("smu.digio.2")
    assert heard == [False, True]


class Board:
    """Two sources on one terminal behind a relay of 5 ms."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lines = Lines()
        self.circuit = Circuit(self.clock, Resistor(1e3))
        self.circuit.ground("au")
        self.smu, self.afg = self._source("smu.a", 1.0), self._source("afg.1", 2.0)
        branches = {0: [Branch(self.smu, "pd", 0.0)], 1: [Branch(self.afg, "pd", 0.0)]}
        self.relay = SelectorRelay(self.clock, self.circuit, self.lines, "smu.digio.1", branches, 5e-3)

    def _source(self, name: str, volts: float) -> Port:
        port = self.circuit.port(name)
        port.drive(volts, 50.0)
        return port

    def node(self) -> float:
        return self.circuit.true_voltage("pd")


def test_break_before_make() -> None:
    board = Board()
    assert board.node() == pytest.approx(1.0 * 1000 / 1050)
    board.lines.set("smu.digio.1", 1)
    assert board.node() == 0.0
    board.clock.sleep(4.9e-3)
    assert board.node() == 0.0
    assert board.smu.current() == board.afg.current() == 0.0
    board.clock.sleep(0.2e-3)
    assert board.node() == pytest.approx(2.0 * 1000 / 1050)
    assert board.smu.current() == 0.0
    assert board.smu.voltage() == 1.0  # open: its own EMF
    assert board.relay.operations == 1


def test_a_relay_called_back_while_it_moves_makes_only_the_last_position() -> None:
    board = Board()
    board.lines.set("smu.digio.1", 1)
    board.clock.sleep(3e-3)
    board.lines.set("smu.digio.1", 0)
    board.clock.sleep(4e-3)
    assert board.node() == 0.0
    board.clock.sleep(2e-3)
    assert board.node() == pytest.approx(1.0 * 1000 / 1050)
    assert board.relay.operations == 2
