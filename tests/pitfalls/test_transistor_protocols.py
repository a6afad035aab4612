"""The AAB protocols show none of F18 to F28, the plan refuses what would, and bad input is named before it drives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from drivers.wgfmu_api import LibraryMissing, WgfmuError, load_functions
from labctl import api, load_run
from labctl.bench import opening
from labctl.bench.errors import InstrumentUnavailable
from labctl.cli import app
from labctl.plan import operations as o
from labctl.protocol.catalogue import catalogue
from labctl.store.flags import Flags
from labctl.testing import bench_file

SMALL: dict[str, dict[str, str]] = {
    "conditioned_pulse": {},
    "conditioned_train": {"duration": "3 s"},
    "conditioning": {},
    "conditioning_map": {"levels": "[38 V, 42 V]", "times": "[3 s]"},
    "control_devices": {},
    "cyclic_transfer": {},
    "gaussian_synapse": {"times": "[3 s]"},
    "integration_bursts": {"counts": "[1, 400]", "repeats": "2"},
    "integration_envelope": {"trains": "2"},
    "integration_high_current": {},
    "negative_pulses": {"duration": "3 s"},
    "non_plastic_state": {"rounds": "3", "within": "500 pA"},
    "output_curves": {"gates": "[-5 V]"},
    "paper_sequence": {"count": "3"},
    "pulse_train": {"count": "3"},
    "retention": {"duration": "5 s"},
    "single_pulse": {},
    "transfer_curves": {},
}
FAST = {"integration_bursts", "integration_envelope", "integration_high_current"}
HEAD = "protocol: 1\ntitle: t\nbench: aab\nsteps:\n"


def confirmed(*step: str) -> None:
    """An operator who has done it."""


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Simulated benches as they are opened."""
    seen: list[Any] = []
    open_bench = opening.open_bench

    @contextmanager
    def witnessed(*arguments: Any) -> Iterator[opening.OpenBench]:
        with open_bench(*arguments) as opened:
            seen.append(opened.library.bench)
            yield opened

    monkeypatch.setattr(opening, "open_bench", witnessed)
    return seen


def test_the_table_has_every_shipped_protocol() -> None:
    assert set(SMALL) == {e.name.removeprefix("aab/") for e in catalogue() if e.name.startswith("aab/")}


@pytest.mark.parametrize("name", SMALL)
def test_shipped_protocols_show_none_of_the_pitfalls(worlds: list[Any], tmp_path: Path, name: str) -> None:
    ready = api.prepare(f"aab/{name}", overrides=SMALL[name])
    done = api.run(ready, out=tmp_path, ask_operator=confirmed)
    assert (done.status, done.unsafe) == ("complete", ()), done.reason
    world, run = worlds[-1], load_run(done.path)
    world.circuit.settle()
    extremes = world.circuit.extremes
    assert max(-extremes["gate"].lowest, extremes["gate"].highest) <= 42.0 * 1.001
    assert max(-extremes["drain"].lowest, extremes["drain"].highest) <= 5.0 * 1.001
    assert world.device.dose()["oxide_seconds"] < 1e-4
    flags = int(np.bitwise_or.reduce([int(f) for table in run.tables.values() for f in table["flags"]]))
    assert flags == (int(Flags.FAST_EDGES) if name in FAST else 0)  # F27, F28; no compliance, no overflow
    assert not any(port.connected for port in world.circuit.ports.values())
    for _, bias in run.tables["bias"].iterrows():  # F18, F20, F21
        assert abs(bias["true_extreme"]) == pytest.approx(abs(bias["level"]), rel=1e-3)
        assert bias["max_current"] < 1e-9
        held = bias["stop"] - bias["start"]
        asked = next(float(t) for t in _durations(ready.plan) if abs(t - held) < 0.2)
        assert held == pytest.approx(asked, abs=0.2)
    assert {"gate": "b1500.5"}.items() <= _at_bias(ready.plan).items() or run.tables["bias"].empty


def _durations(plan: Any) -> set[float]:
    """Times of the plan's biases (s), loop values included."""
    found: set[float] = set()
    for op in o.walk(plan.ops):
        if isinstance(op, o.Bias):
            found.add(op.duration.constant)
        if isinstance(op, o.ForEach):
            found |= set(op.axis.values)
    return found | set(np.geomspace(5.0, 120.0, 5)[[2]])


def _at_bias(plan: Any) -> dict[str, str]:
    """Terminal -> source of the biases beyond 25 V."""
    return {op.terminal: op.source for op in o.walk(plan.ops) if isinstance(op, o.Bias)}


# -- the plan ---------------------------------------------------------------------------------------------------------


def test_f18_the_plan_lays_the_gate_on_an_smu_for_40_v() -> None:
    plan = api.prepare("aab/conditioning").plan
    ops = list(o.walk(plan.ops))
    (bias,) = [op for op in ops if isinstance(op, o.Bias)]
    assert bias.source == "b1500.5"
    moved = [op for op in ops if isinstance(op, o.Connect) and op.source == "b1500.5"]
    assert len(moved) == 1
    assert moved[0].manual
    assert "straight on gate" in moved[0].operator
    assert set(moved[0].quiet) == {"b1500.3", "wgfmu.101"}
    assert ops.index(moved[0]) < ops.index(bias)
    assert plan.violations == ()


def only_behind_rsu(folder: Path) -> Path:
    """The bench without the connections that the operator makes."""
    from labctl.bench.loading import find_bench

    text = find_bench("aab").read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if "manual: true" not in line)
    file = folder / "w1.yaml"
    file.write_text(kept, encoding="utf-8")
    return file


def command(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and what is said on stderr."""
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    return done.exit_code, done.stderr


@pytest.fixture
def refused(tmp_path: Path, worlds: list[Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What ``labctl run`` says when it refuses with exit code 3: nothing opened, no run file."""

    def check(protocol: str | Path, *options: str | Path) -> str:
        ready = api.prepare(protocol, options[1] if options[:1] == ("--bench",) else None)
        assert ready.plan.violations
        from labctl.plan.errors import RefusedByLimits

        with pytest.raises(RefusedByLimits) as error:
            api.run(ready, out=tmp_path / "out")
        assert error.value.exit_code == 3
        assert worlds == []
        assert not (tmp_path / "out").exists()
        return error.value.message

    return check


def test_f18_without_a_way_round_the_rsu_40_v_are_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    said = refused("aab/conditioning", "--bench", only_behind_rsu(tmp_path))
    assert "40 V is beyond the limit 25 V of the wiring (path of b1500.3)" in said


# -- bad input --------------------------------------------------------------------------------------------------------


def written(folder: Path, step: str) -> Path:
    file = folder / "bad.yaml"
    file.write_text(f"{HEAD}  - {step}\n", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("step", "rule"),
    [
        ("pulse: {at: gate, level: 10 V, base: -1 V, width: 1 ms}", "levels of one sign beyond 5 V"),
        ("pulse: {at: gate, level: 11 V, width: 1 ms}", "highest open-circuit voltage"),
        ("pulse: {at: gate, level: 45 V, width: 1 ms}", "gate against common"),
        ("bias: {at: gate, level: 45 V, for: 1 s}", "gate against common"),
        ("train: {at: gate, level: -10 V, width: 100 ns, gap: 100 ns, count: 9, shape: triangle}", "allow: fast_edges"),
        (
            "train: {at: gate, pulses: [" + ", ".join(["{level: 1 V, width: 1 us}"] * 513) + "], gap: 1 us, count: 3}",
            "vectors 2052 is beyond the limit 2048",
        ),
    ],
)
def test_bad_levels_and_patterns_are_refused(refused: Callable[..., str], tmp_path: Path, step: str, rule: str) -> None:
    said = refused(written(tmp_path, step))
    assert rule in said
    assert "bad.yaml:5:5" in said


def test_an_open_interlock_keeps_what_was_measured(worlds: list[Any], tmp_path: Path) -> None:
    """45 V where device and cables would hold them: stopped before a volt, exit code 4, the first curve is kept."""
    file = bench_file(
        tmp_path,
        device={"limits": {"voltage": {"gate": "50 V"}}},
        wiring={"limits": {"gate": "50 V"}},
        simulation={"faults": {"interlock_open": ["b1500"]}},
        base="aab",
    )
    done = api.run("aab/conditioning", file, overrides={"level": "45 V"}, out=tmp_path, ask_operator=confirmed)
    assert (done.status, done.exit_code, done.unsafe) == ("failed", 4, ())
    assert "45 V needs the interlock closed; it is open, so 42 V at most" in done.reason
    assert worlds[-1].circuit.extremes["gate"].highest <= 15.001
    assert len(load_run(done.path).tables["sweep"]) == 2


def test_a_fast_channel_without_its_rsu_is_named(worlds: list[Any], tmp_path: Path) -> None:
    text = only_behind_rsu(tmp_path).read_text(encoding="utf-8")
    bare = "\n".join(
        line.replace("isolation: rsu, ", "") if "from: wgfmu.101" in line else line
        for line in text.splitlines()
        if "from: b1500.3" not in line
    )
    file = tmp_path / "bare.yaml"
    file.write_text(bare, encoding="utf-8")
    protocol = written(tmp_path, "pulse: {at: gate, level: 5 V, width: 1 ms}")
    done = api.run(protocol, file, out=tmp_path)
    assert (done.status, done.exit_code) == ("failed", 4)
    assert "RSU is not connected; CHANNEL101" in done.reason
    assert worlds[-1].circuit.extremes["gate"].highest == 0.0


def test_another_channel_of_the_module_has_no_rsu(simulated_bench: Callable[..., Any]) -> None:
    channel = simulated_bench("aab").instruments["wgfmu"].channel("202")
    channel.prepare_pulse(5.0, width=1e-3)
    with pytest.raises(WgfmuError, match="RSU is not connected"):
        channel.output(True)


def drain_curve(more: str) -> str:
    """An output curve at the peak, where the drain draws 1 nA at 2 V."""
    return f"sweep: {{at: drain, from: 0 V, to: 5 V, points: 11, bias: {{gate: -5 V}}, as: x, {more}}}"


def test_a_sweep_that_must_reach_its_compliance_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    said = refused(written(tmp_path, drain_curve("range: 10 nA, compliance: 10 pA")))
    assert "bad.yaml:5:5: current 2e-11 A is beyond the limit 1e-11 A of the sweep (compliance of drain;" in said
    assert "by 1e-11 A" in said


def stopped(folder: Path, protocol: Path) -> tuple[str, Any]:
    """What ``labctl run`` says of a run that stops itself, and the run."""
    code, said = command("run", protocol, "--out", folder)
    (path,) = folder.glob("*.h5")
    run = load_run(path)
    assert (code, run.meta["status"]) == (3, "stopped")
    return said, run


def test_a_sweep_into_compliance_is_stopped_and_kept(worlds: list[Any], tmp_path: Path) -> None:
    said, run = stopped(tmp_path, written(tmp_path, drain_curve("range: 10 nA, compliance: 1 nA")))
    assert "bad.yaml:5:5: sweep 'x' ran into the compliance 1 nA of drain at 2 V on drain" in said
    assert "on_compliance: flag" in said
    assert "what was measured is in" in said
    row = run.tables["sweep"].iloc[0]
    trace = run.traces[int(row["trace"])]
    assert row["flags"] == int(Flags.COMPLIANCE)
    assert trace["set"].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert (np.asarray(trace["status"]) & 1).tolist() == [0, 0, 0, 0, 1]
    assert worlds[-1].circuit.extremes["drain"].highest <= 2.0
    assert not any(port.connected for port in worlds[-1].circuit.ports.values())


def test_compliance_of_a_terminal_that_is_only_held_stops_too(tmp_path: Path) -> None:
    step = (
        "sweep: {at: gate, from: -6 V, to: 5 V, points: 12, bias: {drain: 2 V}, hold: 1 s, dwell: 0.5 s, range: 10 nA,"
        " compliance: {gate: 1 uA, drain: 100 pA}, as: x}"
    )
    said, run = stopped(tmp_path, written(tmp_path, step))
    assert "ran into the compliance 100 pA of drain at -6 V on gate" in said
    assert run.tables["sweep"]["flags"].tolist() == [int(Flags.COMPLIANCE)]


def test_an_overflow_ends_such_a_sweep_and_says_so(tmp_path: Path) -> None:
    """The instrument's automatic abort knows no difference; the message does."""
    said, run = stopped(tmp_path, written(tmp_path, drain_curve("range: 1 nA, compliance: 10 nA")))
    assert "the current of drain passed its range at 2 V on drain" in said
    assert "take a larger 'range'" in said
    assert run.tables["sweep"]["flags"].tolist() == [int(Flags.OVERFLOW)]


def test_a_sweep_of_a_2636b_stops_at_compliance_too(tmp_path: Path) -> None:
    step = "sweep: {at: pd, from: 0 V, to: 3 V, points: 11, mode: cyclic, compliance: 4 uA, as: x}"
    file = written(tmp_path, step)
    file.write_text(file.read_text(encoding="utf-8").replace("aab", "hnno"), encoding="utf-8")
    said, run = stopped(tmp_path, file)
    row = run.tables["sweep"].iloc[0]
    trace = run.traces[int(row["trace"])]
    assert f"ran into the compliance 4 uA of pd at {trace['set'][-1]:g} V on pd" in said
    assert row["flags"] == int(Flags.COMPLIANCE)
    assert (np.abs(trace["current"][:-1]) < 4e-6 * 0.999).all()
    assert trace["current"][-1] == pytest.approx(4e-6, rel=1e-3)
    assert 1.0 < trace["set"][-1] < 3.0


def test_a_sweep_into_compliance_goes_on_if_that_is_wanted(tmp_path: Path) -> None:
    step = drain_curve("range: 10 nA, compliance: 1 nA, on_compliance: flag")
    code, said = command("run", written(tmp_path, step), "--out", tmp_path)
    assert code == 0
    assert "1 rows are flagged: compliance" in said
    (path,) = tmp_path.glob("*.h5")
    run = load_run(path)
    assert run.tables["sweep"]["flags"].tolist() == [int(Flags.COMPLIANCE)]
    trace = run.traces[int(run.tables["sweep"]["trace"].iloc[0])]
    assert len(trace["current"]) == 11  # kept, each with its status
    limited = (np.asarray(trace["status"]) & 1).astype(bool)
    assert 0 < limited.sum() < 11
    assert np.asarray(trace["current"])[limited] == pytest.approx(1e-9, rel=0.05)


def test_a_missing_library_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LibraryMissing, match="--simulate"):
        load_functions()
    monkeypatch.setattr("sys.platform", "win32")

    def windll(name: str) -> None:
        raise OSError(f"Could not find module '{name}'")

    monkeypatch.setattr("ctypes.WinDLL", windll, raising=False)
    with pytest.raises(LibraryMissing, match=r"wgfmu.dll cannot be loaded.*install the B1530A instrument library"):
        load_functions()


def test_a_real_bench_without_the_library_is_an_error_of_the_instrument(tmp_path: Path) -> None:
    file = tmp_path / "real.yaml"
    file.write_text(
        "bench: 1\nname: real\ntitle: t\nvisa: '@py'\n"
        "instruments: {wgfmu: {driver: b1530a, address: 'GPIB0::17::INSTR'}}\n"
        "device: {id: d, kind: aab, limits: {voltage: {gate: 42 V}, current: 100 uA}}\n"
        "wiring: {connections: [{from: wgfmu.101, to: gate, isolation: rsu}, {from: common, to: source}]}\n",
        encoding="utf-8",
    )
    with pytest.raises(
        InstrumentUnavailable, match=r"wgfmu.*WGFMU instrument library exists for Windows only"
    ) as error:
        api.run(written(tmp_path, "pulse: {at: gate, level: 5 V, width: 1 ms}"), file, out=tmp_path)
    assert error.value.exit_code == 4
    assert "--simulate" in error.value.hint
    assert not list(tmp_path.glob("**/*.h5"))
