"""The published schema: it accepts every shipped protocol, and refuses what the loader refuses for its shape."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from labctl.protocol import ProtocolError, loads_protocol
from labctl.protocol.building import file_fields
from labctl.protocol.nodes import parse, plain
from labctl.protocol.requests import REQUESTS
from labctl.protocol.schema import json_schema
from labctl.protocol.sources import shipped
from labctl.protocol.steps import VERBS

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def accepted(text: str) -> bool:
    return not list(VALIDATOR.iter_errors(plain(parse(text, "p.yaml"))))


def test_it_is_a_schema_and_plain_json() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_protocols_are_accepted(name: str) -> None:
    assert accepted(Path(shipped()[name]).read_text(encoding="utf-8"))


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_field_of_a_step_is_described(verb: str) -> None:
    step = SCHEMA["$defs"][f"step_{verb}"]
    assert step["description"]
    forms = step.get("anyOf", [step])
    fields: dict[str, Any] = {}
    for form in forms:
        fields |= form["properties"]
        fields |= form["properties"][verb].get("properties", {})
    keys = (
        set(file_fields(VERBS[verb])) - {"values" if verb == "for" else ""} - {"condition" if verb == "until" else ""}
    )
    assert keys <= set(fields)
    assert all(fields[key].get("description") for key in keys)


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_every_request_is_described(name: str) -> None:
    request = SCHEMA["$defs"][f"analyze_{name}"]
    assert set(request["properties"]) == set(file_fields(REQUESTS[name]))
    assert all(field.get("description") for field in request["properties"].values())


RIGHT = [
    "wait: 10 ms",
    "wait: {duration: 10 ms}",
    "wait: 0",
    "note: hello",
    "repeat: 1e6\n    do: [{wait: 1 s}]",
    "repeat: {count: 3, do: [{wait: 1 s}]}",
    "for: {v: {linspace: [1 V, 2 V, 3]}}\n    order: shuffled\n    do: [{note: x}]",
    "pulse: {at: pd, level: 0.2 V/um, width: 100 us, base: 0, role: set}",
    "train: {at: pd, pulses: [{level: 1 V, width: 1 ms}], gap: 1 ms, count: 10}",
    "bias: {at: g, level: 40 V, for: 90 s, ramp: 10 V/s, grounded: [s, d], abort_above: 1 nA}",
    "bias: {at: g, level: 40 V, during: [{wait: 1 s}]}",
    "read: {current: [d, g], bias: {d: 2 V, g: 0 V}, samples: 10, range: auto}",
    "sweep: {at: g, measure: d, values: [1 V, 2 V, 3 V], compliance: {g: 1 nA, d: 1 uA}}",
    "sample: {current: d, interval: 1 ms, for: 1 s, range: 1 uA}",
    "state: pristine",
    "state: pristine\n    verify: {resistance: {at: pd, above: 1 kohm}}\n    else: flag",
    "route: {terminal: g, source: smu.b, operator: plug it in}",
    "allow: fast_edges\n    because: the paper does\n    do: [{wait: 1 s}]",
    "use: hnno/parts/initial\n    set: {reset: -4 V}",
]

WRONG = [
    "wait: 10",
    "wait: true",
    "wait: {duration: 10 ms, more: 1}",
    "wait: 10 ms\n    more: 1",
    "wiat: 10 ms",
    "note: 3",
    "repeat: 3",
    "repeat: 2.5\n    do: [{wait: 1 s}]",
    "repeat: -1\n    do: [{wait: 1 s}]",
    "repeat: 3\n    do: []",
    "repeat: 3\n    do: {wait: 1 s}",
    "for: {a: [1], b: [2]}\n    do: [{wait: 1 s}]",
    "for: {v: [1 V]}\n    order: random\n    do: [{wait: 1 s}]",
    "for: {v: {linspace: [1 V, 2 V]}}\n    do: [{wait: 1 s}]",
    "for: {v: {linspace: [1 V, 2 V, 2], geomspace: [1 V, 2 V, 2]}}\n    do: [{wait: 1 s}]",
    "pulse: {at: pd, level: 4.2, width: 100 us}",
    "pulse: {at: pd, level: 4.2 V}",
    "pulse: {at: pd, level: 4.2 V, width: 100 us, role: resett}",
    "pulse: {at: p d, level: 4.2 V, width: 100 us}",
    "pulse: 4.2 V",
    "pulse: {at: pd, level: 4.2 V, width: 100 us}\n    as: x",
    "train: {at: pd, pulses: [{level: 1 V, wide: 1 ms}], gap: 1 ms, count: 10}",
    "read: {resistance: pd, points: 1}",
    "read: {resistance: pd, windw: 0.1 V}",
    "sweep: {at: g, from: 0 V, to: 1 V, points: 3, mode: round}",
    "until: {reading: r, above: 1 ohm}\n    do: [{wait: 1 s}]",
    "state: pristine\n    verify: {resistance: {above: 1 kohm}}",
    "confirm: {reset: a, against: [], within: 20 %}",
    "route: {terminal: g}",
    "allow: fast_edges\n    do: [{wait: 1 s}]",
    "use: {set: {}}",
    "wait: 1 s\n    note: x",
]


def protocol_with(step: str) -> str:
    return f"protocol: 1\ntitle: x\nsteps:\n  - {step}\n"


@pytest.mark.parametrize("step", RIGHT)
def test_both_accept(step: str) -> None:
    text = protocol_with(step)
    loads_protocol(text)
    assert accepted(text)


@pytest.mark.parametrize("step", WRONG)
def test_both_refuse(step: str) -> None:
    text = protocol_with(step)
    with pytest.raises(ProtocolError):
        loads_protocol(text)
    assert not accepted(text)


HEADS = [
    "protocol: 2\ntitle: x\nsteps: []\n",
    "title: x\nsteps: []\n",
    "protocol: 1\nsteps: []\n",
    "protocol: 1\ntitle: x\n",
    "protocol: 1\ntitle: x\nsteps: []\nstep: []\n",
    "protocol: 1\ntitle: 3\nsteps: []\n",
    "protocol: 1\ntitle: x\nsteps: []\nparameters: [a]\n",
    "protocol: 1\ntitle: x\nsteps: []\nparameters: {a: 3}\n",
    "protocol: 1\ntitle: x\nsteps: []\nparameters: {a: {about: y}}\n",
    "protocol: 1\ntitle: x\nsteps: []\nparameters: {a: {value: 3, unit: V}}\n",
    "protocol: 1\ntitle: x\nsteps: []\nparameters: {a b: {value: 3}}\n",
    "protocol: 1\ntitle: x\nsteps: []\nparameters: {a: {value: []}}\n",
    "protocol: 1\ntitle: x\nsteps: []\nanalyze: [treshold]\n",
    "protocol: 1\ntitle: x\nsteps: []\nanalyze: [{map: null}]\n",
    "protocol: 1\ntitle: x\nsteps: []\nanalyze: [{sigmoid: null, threshold: null}]\n",
]


@pytest.mark.parametrize("text", HEADS)
def test_both_refuse_heads(text: str) -> None:
    with pytest.raises(ProtocolError):
        loads_protocol(text)
    assert not accepted(text)
