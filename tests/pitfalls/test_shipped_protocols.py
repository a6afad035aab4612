"""The shipped H-NNO protocols show none of the pitfalls, judged by what the simulated circuit has recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl import api, load_run
from labctl.bench import opening
from labctl.protocol.catalogue import catalogue
from labctl.store.flags import Flags
from labctl.testing import bench_file

TWO_FIELDS = "[0.19 V/um, 0.21 V/um]"
SMALL: dict[str, dict[str, str]] = {
    "characterisation": {"readings": "2", "nplc": "1"},
    "demo": {"initial_fields": TWO_FIELDS, "sensitized_fields": TWO_FIELDS, "trials": "2"},
    "endurance": {"bursts": "[1, 9, 90, 900]", "trials": "2"},
    "noise_filtering": {"fields": TWO_FIELDS, "trials": "2"},
    "polarity_check": {"pairs": "3"},
    "prepare_state": {},
    "repeatability": {"rounds": "2", "fields": TWO_FIELDS, "trials": "2"},
    "reset_calibration": {"resets": "[-0.19 V/um, -0.21 V/um]", "trials": "2"},
    "resistance_read": {"readings": "3"},
    "return_to_initial": {"fields": TWO_FIELDS, "trials": "2"},
    "self_sensitization": {"trials": "3"},
    "sensitized_states": {"trials": "1"},
    "spike_energy": {"trials": "2"},
    "spiking_probability": {"fields": TWO_FIELDS, "trials": "3"},
    "state_hold": {"repeats": "3", "fields": TWO_FIELDS, "trials": "2"},
    "state_probability": {"fields": TWO_FIELDS, "trials": "2"},
    "state_thresholds": {"fields": TWO_FIELDS, "trials": "2"},
    "statistics": {"cycles": "3", "fields": TWO_FIELDS, "trials": "2"},
    "stochastic_spiking": {"cycles": "5"},
    "width_dependence": {"fields": TWO_FIELDS, "trials": "1"},
}
#: protocols that try until something holds: the plan counts the most attempts
BOUNDED = {"prepare_state", "reset_calibration"}
ERASING = {"return_to_initial"}


@dataclass
class Judged:
    """A run and the world in which it ran."""

    run: Any
    plan: Any
    world: Any

    @property
    def flags(self) -> int:
        return int(np.bitwise_or.reduce([int(f) for table in self.run.tables.values() for f in table["flags"]]))

    def switched(self) -> int:
        """Movements of the selector that the rows of the run ask for, from its rest position on the SMU."""
        positions = ["smu.a", *self.run.tables["route"]["position"]]
        return sum(a != b for a, b in pairwise(positions))


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Judged]:
    """Run a shipped protocol as ``labctl run`` does; keep hold of its simulated bench."""
    worlds: list[Any] = []
    open_bench = opening.open_bench

    @contextmanager
    def witnessed(*arguments: Any, **options: Any) -> Iterator[opening.OpenBench]:
        with open_bench(*arguments, **options) as opened:
            worlds.append(opened.library.bench)
            yield opened

    monkeypatch.setattr(opening, "open_bench", witnessed)

    def run(name: str, bench: str | Path | None = None, **overrides: str) -> Judged:
        allow = ("erase",) if name in ERASING else ()
        ready = api.prepare(f"hnno/{name}", bench, overrides=overrides or SMALL[name], allow=allow)
        outcome = api.run(ready, out=tmp_path / "runs")
        assert (outcome.status, outcome.unsafe) == ("complete", ()), outcome.reason
        worlds[-1].circuit.settle()
        return Judged(load_run(outcome.path), ready.plan, worlds[-1])

    return run


def assert_sound(done: Judged, limit: float = 5.5, tolerated: int = 0) -> None:
    circuit, dose = done.world.circuit, done.world.device.dose()
    worst = max(max(-seen.lowest, seen.highest) for seen in circuit.extremes.values())
    assert worst <= limit  # F1, F2, F16
    assert not dose["dead"]
    assert dose["breakdown"] < 1e-2
    assert circuit.contention == {"pd": 0.0, "au": 0.0}  # F5, F6, F7: never two sources on one terminal
    assert done.flags & ~tolerated == 0  # F9, F10, F15
    assert not any(port.connected for port in circuit.ports.values())  # all outputs off at the end
    readings = done.run.tables["resistance"]
    assert (readings["v_max"] <= 0.1 * 1.01).all()
    assert (abs(readings["offset"]) * readings["value"] < 2e-3 * 0.1).all()  # F11: nothing left of settling


def test_the_table_has_every_shipped_protocol() -> None:
    assert set(SMALL) == {e.name.removeprefix("hnno/") for e in catalogue() if e.name.startswith("hnno/")}


@pytest.mark.parametrize("name", SMALL)
def test_shipped_protocols_show_none_of_the_pitfalls(judge: Callable[..., Judged], name: str) -> None:
    done = judge(name)
    erasing = name in ERASING
    assert_sound(done, 6.5 if erasing else 5.5, Flags.BEYOND_ORDINARY_LIMIT if erasing else 0)
    planned, routes = done.plan.cost, len(done.run.tables["route"])
    events = done.world.device.dose()["events"]
    if name in BOUNDED:
        assert routes <= planned.most["route"]
        assert events <= planned.most_pulses
    else:
        assert routes == planned.rows["route"]  # F8: as many operations as planned ...
        assert events == planned.pulses
    assert done.world.relays["k1"].operations == done.switched()  # ... and none beside
    pulses = done.run.tables["pulse"]
    missed = abs(pulses["true_extreme"] / pulses["level"] - 1)
    assert (missed < 5e-3).all()  # F1, F2: the node gets what was asked for
    assert (pulses["base"] == 0.0).all()  # F3


@pytest.mark.parametrize("bench", ["hnno_t1", "hnno_t2"])
def test_the_other_wirings_show_none_of_the_pitfalls(judge: Callable[..., Judged], bench: str) -> None:
    done = judge("stochastic_spiking", bench)
    assert_sound(done)
    assert done.world.device.dose()["events"] == done.plan.cost.pulses
    operations = done.world.instruments["smu"].channels["a"].source.relay_operations
    assert operations == (len(done.run.tables["route"]) + 1 if bench == "hnno_t1" else 3)  # one at the end


def test_reads_leave_no_trace(judge: Callable[..., Judged]) -> None:
    done = judge("resistance_read", readings="50")
    assert_sound(done)
    assert done.world.device.dose()["events"] == 0
    assert done.run.tables["resistance"]["value"].mean() == pytest.approx(400e3, rel=2e-3)


def test_f14_swapped_leads_are_told_by_the_polarity_check(judge: Callable[..., Judged], tmp_path: Path) -> None:
    swapped = bench_file(tmp_path, "hnno", simulation={"faults": {"leads_swapped": True}})
    told = {}
    for bench in (None, swapped):
        done = judge("polarity_check", bench)
        (result,) = [r for r in api.analyze(done.run.path) if r.quantity == "polarity"]
        told[bench] = result.value
    assert told[None] > 0 > told[swapped]


def test_f15_a_failed_reset_is_retried_once_then_the_run_stops(tmp_path: Path) -> None:
    """-2.6 V hardly ever resets: the rows say so, and nothing is measured on a device that is not reset."""
    weak = {"reset": "-0.13 V/um", "field": "[0.25 V/um]", "cycles": "20"}
    outcome = api.run("hnno/stochastic_spiking", overrides=weak, out=tmp_path)
    assert outcome.status == "stopped"
    assert "reset" in outcome.reason
    tables = load_run(outcome.path).tables
    assert tables["confirm"]["ok"].tolist()[-2:] == [False, False]
    assert (tables["confirm"]["flags"].iloc[-2:] & int(Flags.FAILED_RESET) > 0).all()
    assert tables["pulse"]["role"].tolist()[-2:] == ["reset", "reset"]
    assert tables["pulse"]["flags"].tolist()[-2:] == [0, int(Flags.RETRY)]
