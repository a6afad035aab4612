"""Bench files: found by path or name, read with positions, refused with a place and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl.bench.errors import BenchFileError
from labctl.bench.loading import find_bench, load_bench, parse_bench, shipped_benches

#: the shipped file from its first key on, so that its heading may grow
HNNO = "bench: 1" + find_bench("hnno").read_text(encoding="utf-8").partition("bench: 1")[2]


def test_shipped_benches_load_by_name() -> None:
    assert {"hnno", "hnno_t1", "hnno_t2"} <= set(shipped_benches())
    for name in shipped_benches():
        assert load_bench(name).name == name
        assert load_bench(name).simulated


def test_units_become_si() -> None:
    bench = load_bench("hnno")
    assert bench.device.length == 20e-6
    assert bench.device.limits.exceptions["erase"].voltage == 6.5
    assert bench.wiring.relays["k1"].time == 5e-3
    assert bench.wiring.on("pd")[0].capacitance == 150e-12


def test_a_path_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hnno").write_text(HNNO.replace("name: hnno", "name: mine"), encoding="utf-8")
    assert load_bench("hnno").name == "mine"


def test_simulation_settings_are_merged() -> None:
    bench = load_bench("hnno", {"seed": 9, "parameters": {"v50": 4.0}})
    assert (bench.simulation.seed, bench.simulation.model) == (9, "hnno")
    again = parse_bench(HNNO + "  parameters: {s: 0.1}\n", "f", {"parameters": {"v50": 4.0}})
    assert again.simulation.parameters == {"s": 0.1, "v50": 4.0}


@pytest.mark.parametrize(
    ("old", "new", "place", "said", "hint"),
    [
        ("isolation", "isolaton", "40:29", "unknown key", "did you mean 'isolation'?"),
        ("model: hnno\n", "modell: hnno\n", "46:3", "unknown key", "did you mean 'model'?"),
        ("exceptions:", "exceptons:", "34:5", "unknown key", "did you mean 'exceptions'?"),
        ("voltage: 6.5 V", "voltge: 6.5 V", "35:15", "unknown key", "did you mean 'voltage'?"),
        ("time: 5 ms", "time: 5", "38:69", "unit", ""),
        ("time: 5 ms", "time: 5 mV", "38:69", "time", ""),
        ("    driver: afg31000\n", "", "6:3", "driver", ""),
        ("relay: k1,", "relay: k9,", "36:1", "'k9' is not declared", ""),
        ("from: afg.1", "from: agf.1", "", "names no instrument", ""),
        ("read_resistance: [50 kohm,", "read_resistance: [20 kohm,", "16:1", "within 'resistance'", ""),
        ("rest: smu", "rest: off", "38:5", "it rests at 'off', which is none of its positions (smu, afg)", ""),
        ("line: smu.digio.1", "line: sum.digio.1", "", "relay k1: 'sum.digio.1' is a line of no instrument", ""),
        ("line: smu.digio.1", "line: smu.1", "38:10", "pattern", ""),
        ("bench: 1", "bench: 2", "1:1", "", ""),
        ("  seed: 1", "  seed: [1", "48:1", "not YAML", ""),
        ("  seed: 1", "  seed: 1\n  seed: 2", "48:3", "duplicate key", ""),
        ("bench: 1\n", "", "", "not a bench file", "bench: 1"),
    ],
)
def test_a_mistake_is_placed_and_explained(old: str, new: str, place: str, said: str, hint: str) -> None:
    assert old in HNNO
    with pytest.raises(BenchFileError) as error:
        parse_bench(HNNO.replace(old, new, 1), "file.yaml")
    assert error.value.message.startswith(f"file.yaml:{place}:" if place else "file.yaml")
    assert said in error.value.message
    assert hint in error.value.hint
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{terminal: drain,", "{terminal: drian,", "no terminal 'drian' here (drain, gate, source)"),
        ("gate: [-6 V, -4 V]", "gaet: [-6 V, -4 V]", "no terminal 'gaet' here"),
        ("[20 pA, 20 nA]", "[20 nA, 20 pA]", "the lower end comes first"),
        ("[20 pA, 20 nA]", "[20 pA, 20 nV]", "nV"),
    ],
)
def test_what_is_expected_of_a_device_is_checked(old: str, new: str, said: str) -> None:
    text = find_bench("aab").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(BenchFileError) as error:
        parse_bench(text.replace(old, new, 1), "file.yaml")
    assert said in error.value.message


def test_what_cannot_be_read(tmp_path: Path) -> None:
    for bench, said in (("nowhere", "neither a file nor a shipped bench"), (tmp_path, "is a directory")):
        with pytest.raises(BenchFileError, match=said) as error:
            load_bench(bench)
        assert "hnno" in error.value.hint
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BenchFileError, match="cannot be read"):
        load_bench(binary)


@given(st.text(max_size=80), st.integers(0, len(HNNO)), st.integers(0, 60))
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
def test_any_damage_is_a_bench_error_or_a_bench(text: str, where: int, length: int) -> None:
    damaged = HNNO[:where] + text + HNNO[where + length :]
    problem = "file.yaml"
    try:
        parse_bench(damaged, "file.yaml")
    except BenchFileError as error:
        problem = error.message
    assert problem.startswith("file.yaml")
