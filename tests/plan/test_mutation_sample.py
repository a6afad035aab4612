"""A few seeded mutants of the shipped protocols, judged by the circuit; all of them in benchmarks/mutation_proof.py."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from mutants import Mutant, mutants, shrunk
from mutation_proof import judge, outcome

TEXTS = shrunk()
#: every kind of mutation, on protocols of both folders
SAMPLE = mutants(1200, seed=11)[90::31]


def test_what_would_harm_the_device_is_refused_and_little_else() -> None:
    results = [judge(mutant, TEXTS) for mutant in SAMPLE]
    found = Counter(map(outcome, results))
    assert not [result for result in results if outcome(result) == "harmful, MISSED"]
    assert found["harmful, refused"] >= 1
    refused = [result for result in results if outcome(result) == "harmless, refused"]
    by_rule = [result for result in refused if result["refused"] == ["sources of wiring"]]  # rule 3, used or not
    assert len(refused) - len(by_rule) <= 1  # of 36


@pytest.mark.parametrize(
    ("path", "old", "new", "harm"),
    [
        ("hnno/stochastic_spiking.yaml", "0.21 V/um]", "0.42 V/um]", "voltage"),
        ("hnno/stochastic_spiking.yaml", "width: {value: 100 us", "width: {value: 100 ms", "energy"),
        ("aab/single_pulse.yaml", "vds: {value: 2 V", "vds: {value: 8 V", "field"),
        ("aab/conditioning.yaml", "level: {value: 40 V", "level: {value: -44 V", "voltage"),
    ],
)
def test_the_judge_sees_what_is_done_to_the_device(path: str, old: str, new: str, harm: str) -> None:
    """The circuit's verdict does not come from the plan: each of these harms, and it says how."""
    text = TEXTS[path]
    assert old in text
    name = path.removesuffix(".yaml")
    bench = path.partition("/")[0]
    base = next(m.bench_text for m in mutants(1, 1) if m.bench == bench)
    result = judge(Mutant(0, "known", name, bench, new, {path: text.replace(old, new)}, base), TEXTS)
    assert harm in result["harm"]
    assert outcome(result) == "harmful, refused"
