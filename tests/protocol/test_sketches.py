"""The language can say the second half of the catalogue, A1 to A17, as files in tests/protocol/aab."""

from pathlib import Path

import jsonschema
import pytest

from labctl.protocol import Ref, describe, load_protocol
from labctl.protocol import steps as s
from labctl.protocol.nodes import parse, plain
from labctl.protocol.schema import json_schema

FOLDER = Path(__file__).parent / "aab"
FILES = sorted(FOLDER.glob("*.yaml"))


def test_all_ids_are_there() -> None:
    found = {identity for file in FILES for identity in load_protocol(file).measures}
    assert found == {f"A{number}" for number in range(1, 18)}


@pytest.mark.parametrize("file", [*FILES, *FOLDER.glob("parts/*.yaml")], ids=lambda file: file.stem)
def test_it_loads_and_reads(file: Path) -> None:
    assert len(describe(load_protocol(file))) > 10
    tree = plain(parse(file.read_text(encoding="utf-8"), file.name))
    assert not list(jsonschema.Draft202012Validator(json_schema()).iter_errors(tree))


def test_the_search_varies_the_bias_of_a_used_protocol() -> None:
    protocol = load_protocol(FOLDER / "non_plastic_state.yaml")
    biases = [step for step in protocol.walk() if isinstance(step, s.Bias)]
    assert [str(bias.duration) for bias in biases] == ["3 s", "$bias_time"]
    assert isinstance(biases[1].duration, Ref)
    assert biases[1].duration.values == (5.0, 120.0)


def test_a_train_of_triangles_stands_inside_its_exception() -> None:
    protocol = load_protocol(FOLDER / "integration_envelope.yaml")
    (allow,) = [step for step in protocol.walk() if isinstance(step, s.Allow)]
    assert allow.exception == "fast_edges"
    (train,) = [step for step in allow.walk() if isinstance(step, s.Train)]
    assert (train.shape, train.count) == ("triangle", 4000)
