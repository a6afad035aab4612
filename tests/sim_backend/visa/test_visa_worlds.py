"""Resource managers and their benches: what is named, what lives how long, what the same seed gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvisa

GPIB = "GPIB0::5::INSTR"
Open = Callable[..., pyvisa.ResourceManager]


def test_a_manager_hands_out_its_world(rm: pyvisa.ResourceManager) -> None:
    library = rm.visalib
    instrument: Any = rm.open_resource(GPIB)
    instrument.write("DRIVE 2.1")
    assert library.true_voltages() == pytest.approx({"pd": 2.0, "au": 0.0}, abs=1e-9)
    assert library.bench.description.name == "echoes"


def test_extremes_are_since_the_last_call(rm: pyvisa.ResourceManager) -> None:
    instrument: Any = rm.open_resource(GPIB)
    for volts in (2.1, -4.2, 1.05):
        instrument.write(f"DRIVE {volts}")
        rm.visalib.clock.sleep(1.0)
    assert rm.visalib.true_extremes()["pd"] == pytest.approx(-4.0)
    assert rm.visalib.true_extremes()["pd"] == pytest.approx(1.0)


def test_the_world_ends_with_its_manager(open_manager: Open) -> None:
    rm = open_manager()
    rm.open_resource(GPIB).write("DRIVE 1")  # type: ignore[attr-defined]
    rm.visalib.clock.sleep(5.0)
    library = rm.visalib
    rm.close()
    with pytest.raises(pyvisa.InvalidSession):
        _ = library.clock
    again = open_manager()
    assert again.visalib.clock.now == 0.0
    assert again.visalib.true_voltages()["pd"] == 0.0


def test_the_same_file_opened_twice_is_one_world_and_another_query_is_another(open_manager: Open) -> None:
    one, two, other = open_manager(), open_manager(), open_manager("?seed=2")
    one.visalib.clock.sleep(1.0)
    assert two.visalib.clock.now == 1.0
    assert other.visalib.clock.now == 0.0


def test_settings_of_the_simulation_in_the_name(open_manager: Open) -> None:
    library = open_manager("?seed=7&noise=false&faults.leads_swapped=true&parameters.resistance=2e3").visalib
    assert library.bench.draws.seed == 7
    assert library.bench.description.simulation.noise is False
    assert library.bench.faults.leads_swapped
    assert library.bench.device.resistance == 2000.0


def test_shipped_benches_are_known_by_name() -> None:
    for name in ("hnno", "hnno_t1", "hnno_t2"):
        rm = pyvisa.ResourceManager(f"{name}@labctl")
        assert rm.visalib.bench.description.name == name
        rm.close()
    rm = pyvisa.ResourceManager("@labctl")
    assert rm.visalib.bench.description.name == "hnno"
    rm.close()


def test_odd_file_names(echo_bench: Path) -> None:
    for name in ("user@host.yaml", "what?.yaml", "100%.yaml", "white space.yaml"):
        file = echo_bench.with_name(name)
        file.write_text(echo_bench.read_text(encoding="utf-8"), encoding="utf-8")
        rm = pyvisa.ResourceManager(f"{file}@labctl")
        assert rm.visalib.bench.description.name == "echoes"
        rm.close()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nowhere.yaml", "neither a file nor a shipped bench"),
        ("hnno?sed=3", "did you mean 'seed'"),
        ("hnno?seed", "seed"),
        ("hnno?faults.on_fire=true", "known faults"),
        ("hnno?model=neuron", "no device model 'neuron'"),
        ("hnno?parameters.colour=red", "unknown parameter colour"),
        ("hnno?model=resistor&parameters.colour=red", "unknown parameter colour"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(spec: str, said: str) -> None:
    with pytest.raises(OSError, match=said):
        pyvisa.ResourceManager(f"{spec}@labctl")


def test_what_is_no_bench_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    for text in ("just notes", "a: [1", "\x00\x01", "- 1\n- 2\n"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(OSError, match=r"not a bench file|not YAML"):
            pyvisa.ResourceManager(f"{file}@labctl")
    file.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(OSError, match="cannot be read"):
        pyvisa.ResourceManager(f"{file}@labctl")


def test_a_driver_without_simulation_is_named(echo_bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    echo_bench.write_text(echo_bench.read_text(encoding="utf-8").replace("driver: echo", "driver: toaster", 1))
    with pytest.raises(OSError, match="toaster"):
        pyvisa.ResourceManager(f"{echo_bench}@labctl")


def test_wall_mode_lets_a_foreign_program_sleep(open_manager: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    real = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: real[0])
    monkeypatch.setattr("time.sleep", lambda seconds: real.__setitem__(0, real[0] + seconds))
    rm = open_manager("?clock=wall&speed=100")
    instrument: Any = rm.open_resource(GPIB, timeout=500)
    instrument.write("LATER 200")
    real[0] += 2.0  # time.sleep(2) of the program
    assert instrument.read() == "late\n"
    assert rm.visalib.clock.now == pytest.approx(200.0)
    instrument.write("SLEEP 0.3")
    assert real[0] == pytest.approx(2.003)


def conversation(specification: str) -> list[str]:
    """A short program with both instruments of the H-NNO bench; everything that comes back."""
    rm = pyvisa.ResourceManager(f"{specification}@labctl")
    smu: Any = rm.open_resource(
        "TCPIP0::192.168.1.26::5025::SOCKET", read_termination="\n", write_termination="\n", timeout=60_000
    )
    answers = [smu.query("*IDN?")]
    smu.write("smua.source.output = 1")
    for level in (-0.1, 0.05, 0.1):
        smu.write(f"smua.source.levelv = {level}")
        answers.append(smu.query("print(smua.measure.iv())"))
    rm.close()
    return answers


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not() -> None:
    first = conversation("hnno?seed=5")
    assert conversation("hnno?seed=5") == first
    assert conversation("hnno?seed=6") != first
