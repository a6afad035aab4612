"""The shipped catalogue: complete, explained, and light to list."""

import subprocess
import sys

import pytest

from labctl.protocol import Protocol, Quantity, describe, load_protocol
from labctl.protocol import steps as s
from labctl.protocol.catalogue import catalogue
from labctl.protocol.names import RESERVED
from labctl.protocol.sources import shipped
from labctl.store.tables import event_tables

NAMES = [entry.name for entry in catalogue()]
H_IDS = {f"H{number}" for number in range(1, 21)} - {"H13"}


def steps_of(protocol: Protocol, kind: type[s.Step]) -> list[s.Step]:
    return [step for step in protocol.walk() if isinstance(step, kind)]


def test_every_h_nno_measurement_has_a_protocol() -> None:
    assert {identity for entry in catalogue() for identity in entry.measures if identity.startswith("H")} == H_IDS


def test_entries_say_what_the_files_say() -> None:
    for entry in catalogue():
        protocol = load_protocol(entry.name)
        assert (protocol.title, protocol.measures) == (entry.title, entry.measures)
    assert not any("/parts/" in name for name in NAMES)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_parameter_is_explained(name: str) -> None:
    protocol = load_protocol(name)
    assert protocol.about
    assert all(parameter.about for parameter in protocol.parameters.values())
    assert protocol.bench == name.split("/")[0]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_parameter_is_used(name: str) -> None:
    text = shipped()[name].read_text(encoding="utf-8")
    for parameter in load_protocol(name).parameters:
        assert f"${parameter}" in text


@pytest.mark.parametrize("name", NAMES)
def test_every_protocol_can_be_described(name: str) -> None:
    lines = describe(load_protocol(name))
    assert lines[0] == load_protocol(name).title
    assert all(len(line) <= 110 and line == line.rstrip() for line in lines)
    assert {"steps", "measured", "analysed"} <= set(lines)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("hnno/")])
def test_h_nno_reads_stay_in_the_window_and_pulses_below_the_limit(name: str) -> None:
    protocol = load_protocol(name)
    for read in steps_of(protocol, s.Read):
        assert isinstance(read, s.Read)
        assert not isinstance(read.window, Quantity) or read.window.value <= 0.1
    for pulse in steps_of(protocol, s.Pulse):
        assert isinstance(pulse, s.Pulse)
        if isinstance(pulse.level, Quantity):
            assert abs(pulse.level.value) <= 0.25e6


def test_endurance_is_a_million_cycles_in_seven_trains() -> None:
    protocol = load_protocol("hnno/endurance")
    (loop,) = [step for step in steps_of(protocol, s.For) if isinstance(step, s.For) and step.variable == "burst"]
    (train,) = steps_of(protocol, s.Train)
    assert isinstance(loop, s.For)
    assert isinstance(train, s.Train)
    assert sum(value.value for value in loop.values) == 1_000_000
    assert [shot.role for shot in train.shots] == ["set", "reset"]


def test_only_the_return_to_the_initial_state_asks_for_an_exception() -> None:
    asking = {name for name in NAMES if name.startswith("hnno/") and steps_of(load_protocol(name), s.Allow)}
    assert asking == {"hnno/return_to_initial"}


def test_reserved_names_are_the_columns_of_the_run_file() -> None:
    columns = {column for table in event_tables({}, ()).values() for column in table}
    assert columns <= RESERVED


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("from labctl.protocol.catalogue import catalogue; catalogue()", "pint pandas scipy matplotlib pydantic numpy"),
        ("from labctl.protocol import load_protocol; load_protocol('hnno/demo')", "pint pandas scipy matplotlib numpy"),
        ("import labctl.protocol.units", "pint pydantic ruamel.yaml"),
    ],
)
def test_imports_stay_light(code: str, absent: str) -> None:
    check = f"import sys; {code}; assert not [m for m in {absent.split()!r} if m in sys.modules], sys.modules.keys()"
    subprocess.run([sys.executable, "-c", check], check=True)
