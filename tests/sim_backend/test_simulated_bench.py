"""The simulated bench from its description: wiring, relays, faults, device state between runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labctl.bench.loading import load_bench
from sim_backend.bench import SimulatedBench
from sim_backend.circuit import pulse


def build(bench: str = "hnno", **simulation: Any) -> SimulatedBench:
    return SimulatedBench(load_bench(bench, simulation))


def port(bench: SimulatedBench, name: str) -> Any:
    return bench.circuit.port(name)


def fire(bench: SimulatedBench, level: float) -> None:
    afg = port(bench, "afg.1")
    afg.play(pulse(level, 0.0, 100e-6, 1e-6, 1e-3), 1, bench.clock.now)
    bench.clock.sleep(2e-3)
    bench.circuit.settle()


def to_afg(bench: SimulatedBench) -> None:
    bench.lines.set("smu.digio.1", 1)
    bench.clock.sleep(6e-3)
    port(bench, "afg.1").drive(0.0, 50.0)


def test_t3_relay_selects_the_source() -> None:
    bench = build()
    assert bench.circuit.terminal_of(port(bench, "smu.a")) == "pd"
    assert bench.circuit.terminal_of(port(bench, "afg.1")) is None
    to_afg(bench)
    assert bench.circuit.terminal_of(port(bench, "smu.a")) is None
    assert bench.circuit.terminal_of(port(bench, "afg.1")) == "pd"
    assert bench.relays["k1"].operations == 1


def test_t1_and_t2_connect_at_once() -> None:
    bench = build("hnno_t1")
    assert {bench.circuit.terminal_of(port(bench, name)) for name in ("afg.1", "smu.a")} == {"pd"}
    bench = build("hnno_t2")
    assert bench.circuit.terminal_of(port(bench, "afg.1")) == "pd"
    assert bench.circuit.terminal_of(port(bench, "smu.a")) == "au"


def test_the_trigger_cable_is_laid() -> None:
    bench = build()
    heard: list[bool] = []
    bench.lines.listen("afg.trigger", heard.append)
    bench.lines.pulse("smu.digio.2")
    assert heard == [True, False]


def test_leads_swapped() -> None:
    bench = build(faults={"leads_swapped": True})
    to_afg(bench)
    fire(bench, 5.0)
    assert not bench.device.state()["spiking"]
    fire(bench, -5.0)
    assert bench.device.state()["spiking"]


def test_contact_open() -> None:
    bench = build(faults={"contact_open": True})
    to_afg(bench)
    fire(bench, 5.0)
    assert bench.device.dose()["events"] == 0
    port(bench, "afg.1").drive(1.0, 50.0)
    assert port(bench, "afg.1").current() == pytest.approx(0.0, abs=1e-14)
    assert port(bench, "afg.1").voltage() == pytest.approx(1.0)


def test_an_open_interlock_reaches_the_instrument() -> None:
    with pytest.raises(ValueError, match="known faults"):
        build(faults={"interlock_open": 3})
    bench = build(faults={"interlock_open": ["smu"]})
    assert bench.faults.interlock_open == ("smu",)


def test_specimens_differ_and_the_nominal_device_does_not() -> None:
    nominal = [build(seed=seed).device.parameters for seed in (1, 2)]  # type: ignore[attr-defined]
    assert nominal[0] == nominal[1]
    special = [build(parameters={"specimen": k}).device.parameters for k in (1, 2)]  # type: ignore[attr-defined]
    assert special[0].v50 != special[1].v50
    assert build(parameters={"v50": 4.0}).device.parameters.v50 == 4.0  # type: ignore[attr-defined]


def test_without_noise_nothing_flickers() -> None:
    assert build(noise=False).device.flicker() == 0.0
    assert build().device.flicker() != 0.0


def test_manual_connections_wait_for_the_operator(tmp_path: Path) -> None:
    file = tmp_path / "manual.yaml"
    text = (Path(load_bench.__code__.co_filename).parents[2] / "sim_backend/benches/hnno_t1.yaml").read_text("utf-8")
    file.write_text(text.replace("to: pd, isolation: output", "to: pd, manual: true, isolation: output", 1), "utf-8")
    bench = build(str(file))
    assert bench.circuit.terminal_of(port(bench, "afg.1")) is None
    bench.plug("afg.1")
    assert bench.circuit.terminal_of(port(bench, "afg.1")) == "pd"
    bench.unplug("afg.1")
    assert bench.circuit.terminal_of(port(bench, "afg.1")) is None


def test_a_terminal_that_the_device_does_not_have_is_named(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    text = (Path(load_bench.__code__.co_filename).parents[2] / "sim_backend/benches/hnno_t1.yaml").read_text("utf-8")
    file.write_text(text.replace("to: au", "to: gate"), "utf-8")
    with pytest.raises(ValueError, match="pd and au, not 'gate'"):
        build(str(file))


# -- state between runs ------------------------------------------------------------------------------------------------


def test_the_device_goes_on_where_it_was(tmp_path: Path) -> None:
    kept = tmp_path / "device.json"
    whole = build()
    to_afg(whole)
    parts = build(state=str(kept))
    to_afg(parts)
    for k in range(20):
        fire(whole, 4.2)
        fire(parts, 4.2)
        if k % 5 == 4:
            parts.close()
            parts = build(state=str(kept))
            to_afg(parts)
    assert parts.device.dose()["events"] == whole.device.dose()["events"] == 20
    assert parts.device.state()["spiking"] == whole.device.state()["spiking"]
    assert not list(tmp_path.glob("*.tmp"))


def test_without_a_state_file_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bench = build()
    to_afg(bench)
    fire(bench, 4.2)
    bench.close()
    assert not list(tmp_path.iterdir())
    assert build().device.dose()["events"] == 0


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 1}'])
def test_a_damaged_state_file_is_refused(tmp_path: Path, damage: str) -> None:
    kept = tmp_path / "device.json"
    kept.write_text(damage)
    with pytest.raises(ValueError, match="not a device state"):
        build(state=str(kept))


def test_a_state_of_another_device_is_refused(tmp_path: Path) -> None:
    kept = tmp_path / "device.json"
    build(state=str(kept)).close()
    content = json.loads(kept.read_text())
    content["device"] = "another"
    kept.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="another"):
        build(state=str(kept))
    assert json.loads(kept.read_text()) == content
