"""The fingerprint of a bench, and where two plans differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.bench.description import BenchDescription
from labctl.bench.facts import fingerprint, proof_facts
from labctl.bench.loading import load_bench, shipped_benches
from labctl.plan.build import build_plan
from labctl.plan.compare import changes
from labctl.protocol import load_protocol
from labctl.testing import bench_file

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def facts(folder: Path, base: str = "hnno", **edited: Any) -> dict[str, Any]:
    return proof_facts(load_bench(bench_file(folder, base, **edited)))


@pytest.mark.parametrize(
    ("edited", "place"),
    [
        ({"device": {"limits": {"voltage": {"pd": "6 V"}}}}, "device.limits.voltage.pd: 5.5 V then, 6 V now"),
        ({"device": {"id": "other"}}, "device.id: simulated-neuron then, other now"),
        ({"device": {"length": "15 um"}}, "device.length: 20 um then, 15 um now"),
        ({"instruments": {"afg": {"model": "AFG31152"}}}, "instruments.afg.model: AFG31052 then, AFG31152 now"),
        ({"wiring": {"limits": {"pd": "5 V"}}}, 'wiring.limits: (none) then, {"pd": "5 V"} now'),
        ({"wiring": {"relays": {"k1": {"time": "9 ms"}}}}, "wiring.relays.k1.time: (none) then, 9 ms now"),
    ],
)
def test_what_the_proof_depends_on_is_in_the_fingerprint(tmp_path: Path, edited: dict[str, Any], place: str) -> None:
    before, after = facts(tmp_path), facts(tmp_path, **edited)
    assert fingerprint(before) != fingerprint(after)
    assert [change.said("then", "now") for change in changes(before, after)] == [place]


@pytest.mark.parametrize(
    "edited",
    [
        {"visa": "@ivi"},
        {"title": "another"},
        {"simulation": {"seed": 7, "noise": False}},
        {"instruments": {"afg": {"address": "USB0::1::2::3::INSTR", "serial": "x", "calibrated": "2026-01-01"}}},
        {"device": {"length": "0.02 mm"}},
    ],
)
def test_what_it_does_not_depend_on_is_not(tmp_path: Path, edited: dict[str, Any]) -> None:
    assert fingerprint(facts(tmp_path)) == fingerprint(facts(tmp_path, **edited))


def test_shipped_benches_are_told_apart() -> None:
    prints = {fingerprint(proof_facts(load_bench(name))) for name in shipped_benches()}
    assert len(prints) == len(shipped_benches())


def test_a_plan_read_back_from_json_is_the_same() -> None:
    plan = build_plan(load_protocol("hnno/spiking_probability"), load_bench("hnno"), seed=1)
    assert not list(changes(json.loads(plan.text), plan.to_dict()))


@given(JSON)
def test_plain_data_is_itself(value: Any) -> None:
    assert not list(changes(value, json.loads(json.dumps(value))))


@given(st.lists(JSON, min_size=1, max_size=4), st.data())
def test_one_edit_is_found_at_its_place(values: list[Any], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values) - 1))
    edited = [*values[:place], "edited: no such value is drawn", *values[place + 1 :]]
    (change,) = changes({"ops": values}, {"ops": edited})
    assert change.place == f"ops[{place}]"
    assert change.second.startswith("edited")


@pytest.mark.parametrize(
    ("protocol", "bench"),
    [("hnno/demo", "hnno"), ("hnno/characterisation", "hnno_t1"), ("aab/paper_sequence", "aab")],
)
def test_a_plan_follows_from_the_facts_alone(protocol: str, bench: str) -> None:
    """A bench rebuilt from its facts gives the same plan: the fingerprint leaves out nothing that counts."""
    described = load_bench(bench)
    known = proof_facts(described)
    instruments = {name: {**entry, "address": "nowhere"} for name, entry in known["instruments"].items()}
    rebuilt = {**known, "instruments": instruments, "bench": 1, "name": described.name, "visa": "@ivi"}
    loaded = load_protocol(protocol)
    plans = [build_plan(loaded, b, seed=1) for b in (described, BenchDescription.model_validate(rebuilt))]
    assert plans[0].text == plans[1].text


def leaves(plain: Any, place: str = "") -> Iterator[tuple[str, Any, int | str]]:
    """Every leaf of plain data: its place, and its container with the key in it."""
    for key, value in plain.items() if isinstance(plain, dict) else enumerate(plain):
        where = f"{place}[{key}]" if isinstance(plain, list) else f"{place}.{key}" if place else str(key)
        if isinstance(value, dict | list) and value:
            yield from leaves(value, where)
        else:
            yield where, plain, key


@pytest.mark.parametrize("protocol", ["hnno/resistance_read", "aab/integration_envelope"])
def test_an_edit_of_any_leaf_of_a_plan_is_found_at_its_place(protocol: str) -> None:
    """Each leaf in turn is replaced, and then put back: one change, there and nowhere else."""
    loaded = load_protocol(protocol)
    assert loaded.bench is not None
    planned = build_plan(loaded, load_bench(loaded.bench), seed=1).to_dict()
    stored = json.loads(json.dumps(planned))
    tried = 0
    for place, container, key in list(leaves(stored)):
        kept = container[key]
        container[key] = "edited" if kept != "edited" else ""
        assert [change.place for change in changes(stored, planned)] == [place]
        container[key] = kept
        tried += 1
    assert tried > 100
    assert not list(changes(stored, planned))
