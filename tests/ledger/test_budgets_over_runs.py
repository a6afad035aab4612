"""Budgets of a device count yesterday's runs: a plan that one run could afford is refused after it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labctl import api, load_run
from labctl.ledger.applied import applied
from labctl.plan import operations as o
from labctl.plan.errors import RefusedByLimits
from labctl.plan.findings import ROUNDING
from labctl.protocol.catalogue import catalogue
from labctl.testing import bench_file
from tests.plan.test_durations import FEWER

HEAD = "protocol: 1\ntitle: t\nbench: hnno\nsteps:\n"
TWENTY = "  - repeat: 20\n    do:\n      - pulse: {at: pd, level: 4 V, width: 1 ms, role: set}\n"
ERASE = """
  - allow: erase
    because: test
    do:
      - repeat: 5
        do:
          - pulse: {at: pd, level: -6.2 V, width: 100 us, role: erase}
"""
LIMITS = {
    "pulses": {"pulses": 30},
    "dwell": {"dwell": [{"terminal": "pd", "above": "3 V", "for": "30 ms"}]},
    "charge": {"charge": "4 uC"},  # 4 V over 25 kohm for 20 ms: 3.2 uC
}


def kept_bench(folder: Path, **changes: Any) -> Path:
    """A bench whose simulated device lasts from run to run, so that its budgets do."""
    return bench_file(folder, simulation={"state": str(folder / "device.json")}, **changes)


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + TWENTY, encoding="utf-8")
    return path


@pytest.mark.parametrize("budget", LIMITS)
def test_a_second_run_is_refused(tmp_path: Path, protocol: Path, budget: str) -> None:
    bench = kept_bench(tmp_path, device={"limits": LIMITS[budget]})
    api.run(protocol, bench, out=tmp_path / "runs")
    with pytest.raises(RefusedByLimits, match="of it in earlier runs") as refusal:
        api.run(protocol, bench, out=tmp_path / "runs")
    assert refusal.value.exit_code == 3
    assert len(list((tmp_path / "runs").iterdir())) == 1
    api.run(protocol, bench, out=tmp_path / "runs", device="N7")  # another device
    api.run(protocol, bench, out=tmp_path / "elsewhere")  # runs that are not there do not count


def test_erases_are_counted_over_the_devices_life(tmp_path: Path) -> None:
    """12 per run by the shipped bench; 8 ever by this one: 5 and 5 are too many."""
    (tmp_path / "p.yaml").write_text(HEAD + ERASE, encoding="utf-8")
    exceptions = {"erase": {"voltage": "6.5 V", "pulses": 12, "ever": 8}}
    bench = kept_bench(tmp_path, device={"limits": {"exceptions": exceptions}})
    api.run(tmp_path / "p.yaml", bench, out=tmp_path / "runs", allow=("erase",))
    with pytest.raises(RefusedByLimits, match=r"exception 'erase' in all runs, 5 of it in earlier runs"):
        api.run(tmp_path / "p.yaml", bench, out=tmp_path / "runs", allow=("erase",))


def test_an_interrupted_run_counts(tmp_path: Path, protocol: Path) -> None:
    def interrupt(event: object, seen: list[object] = []) -> None:  # noqa: B006
        seen.append(event)
        if len(seen) == 16:
            raise KeyboardInterrupt

    bench = kept_bench(tmp_path, device={"limits": {"pulses": 25}})
    outcome = api.run(protocol, bench, out=tmp_path / "runs", progress=interrupt)
    assert outcome.exit_code == 130
    planned = api.prepare(protocol, bench, runs=tmp_path / "runs").plan
    (violation,) = planned.violations
    assert violation.value == 20 + 8  # every other row is a switching


def test_the_plan_is_the_same_whatever_was_run_before(tmp_path: Path, protocol: Path) -> None:
    """Its hash is of protocol and bench: a run can be repeated, and compared, in any folder."""
    bench = kept_bench(tmp_path, device={"limits": {"pulses": 60}})
    before = api.prepare(protocol, bench, runs=tmp_path / "runs")
    api.run(protocol, bench, out=tmp_path / "runs")
    after = api.prepare(protocol, bench, runs=tmp_path / "runs")
    assert after.ledger is not None
    assert len(after.ledger.entries) == 1
    assert before.plan.hash == after.plan.hash


def test_simulated_runs_count_for_simulated_runs_only(tmp_path: Path, protocol: Path) -> None:
    bench = kept_bench(tmp_path, device={"limits": {"pulses": 30}}, visa="@ivi")
    api.run(protocol, bench, out=tmp_path / "runs", simulate=True)
    assert api.prepare(protocol, bench, runs=tmp_path / "runs", simulate=True).plan.violations
    assert not api.prepare(protocol, bench, runs=tmp_path / "runs").plan.violations


def test_a_device_that_is_new_in_every_run_has_no_yesterday(tmp_path: Path, protocol: Path) -> None:
    bench = bench_file(tmp_path, device={"limits": {"pulses": 30}})
    for _ in range(2):
        api.run(protocol, bench, out=tmp_path / "runs")
    assert api.prepare(protocol, bench, runs=tmp_path / "runs").ledger is None


def test_without_budgets_no_run_is_looked_at(tmp_path: Path, protocol: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "bad.h5").write_bytes(b"")
    bench = kept_bench(tmp_path, device={"limits": {"charge": None, "dwell": [], "pulses": []}})
    assert api.prepare(protocol, bench, runs=tmp_path / "runs").ledger is None


def test_from_the_command_line(tmp_path: Path, protocol: Path) -> None:
    bench = kept_bench(tmp_path, device={"limits": {"pulses": 30}})
    api.save_plan(api.prepare(protocol, bench), tmp_path / "PLAN.json")
    api.run(protocol, bench, out=tmp_path / "runs")
    (tmp_path / "runs" / "bad.h5").write_bytes(b"")

    def labctl(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "labctl", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)

    for command in (("run", "p.yaml"), ("check", "p.yaml"), ("run", "PLAN.json")):
        done = labctl(*command, "--bench", str(bench))
        assert done.returncode == 3, done.stderr
        assert "pulses 40 is beyond the limit 30 of the device (on pd, 20 of it in earlier runs)" in done.stderr
        assert "warning: not counted among the earlier runs: runs/bad.h5" in done.stderr
    done = labctl("plan", "p.yaml", "--bench", str(bench), "--device", "N7", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["earlier"] == {"device": "N7", "folder": "runs", "runs": []}
    assert labctl("check", "p.yaml", "--bench", str(bench), "--runs", "none").returncode == 0


@pytest.mark.parametrize(
    ("protocol", "overrides"),
    [("hnno/width_dependence", {"trials": "1", "fields": "[0.2 V/um]"}), ("aab/output_curves", {})],
)
def test_a_run_applies_no_more_than_its_plan_says(tmp_path: Path, protocol: str, overrides: dict[str, str]) -> None:
    """Two ways to the same sums: bounded from the operations before the run, counted from its rows after it."""
    ready = api.prepare(protocol, overrides=overrides)
    done = applied(load_run(api.run(ready, out=tmp_path).path)).dose
    assert set(done.terminals) == set(ready.plan.dose.terminals)
    for terminal, seen in done.terminals.items():
        most = ready.plan.dose.of(terminal)
        assert seen.count() <= most.count()
        assert seen.charge <= most.charge
        for level in (0.05, 0.5, 2.0, 4.5, 9.0):
            assert seen.above(level) <= most.above(level) * (1 + ROUNDING), (terminal, level)
    assert any(seen.above(0.5) for seen in done.terminals.values())


@pytest.mark.parametrize("name", [entry.name for entry in catalogue() if entry.name.startswith("aab/")])
def test_no_level_of_a_sweep_lasts_longer_than_its_plan_says(tmp_path: Path, name: str) -> None:
    """At each level that the ledger counts, of the swept terminal and of those that are held."""
    ready = api.prepare(name, overrides=FEWER.get(name, {}))
    swept = [op for op in o.walk(ready.plan.ops) if isinstance(op, o.Sweep)]
    done = applied(load_run(api.run(ready, out=tmp_path, ask_operator=lambda step, what: None).path)).dose
    for terminal, seen in done.terminals.items():
        most = ready.plan.dose.of(terminal)
        bounds = dict(most.held)
        for level, seconds in seen.held:
            assert seconds <= bounds[level] * (1 + ROUNDING), (terminal, level)
            assert seen.above(level - 1e-6) <= most.above(level - 1e-6) * (1 + ROUNDING)
    if swept and name != "aab/non_plastic_state":  # a bound of four rounds: the search may end before
        terminal = swept[0].stations[0].terminal
        assert done.of(terminal).above(0.1) > 0.95 * ready.plan.dose.of(terminal).above(0.1)  # and no bound is loose
