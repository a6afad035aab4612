"""Whatever text comes in, a protocol or a ProtocolError comes out, and its place lies inside the text."""

import json
import random
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl.protocol import Protocol, ProtocolError, describe, loads_protocol
from labctl.protocol.nodes import parse, plain
from labctl.protocol.sources import shipped

TEXTS = [path.read_text(encoding="utf-8") for path in shipped().values()]
WORDS = [
    "", "0", "-1", "1e400", "-.inf", ".nan", "true", "null", "~", "[]", "{}", "'", '"', "$", "$$", "$x", "$field", "pd",
    "4.2", "4.2 V", "4.2 V V", "0.2 V/um", "100 us", "-3 s", "20 %", "1e99999 V", "[1, 2]", "[1 V, 2 s]", "{a: b}",
    "{linspace: [0, 1, 1e9]}", "{range: [0, 1, 1e-300]}", "{geomspace: [1, -1, 3]}", "&a", "*a", "!!int 3", "<<", "? x",
    "\t", "\u2028", "\x07", "%YAML 9.9", "---", "...", "|", ">", "hnno/demo", "state", "as", "wait: 1 s", "0x10", "1_0",
    "9" * 400, "é", "\U0001f600", "- - -", "- repeat: 2", "do:", "steps:", "for: {x: [1]}", "#", ":", ",", "]", "}",
]  # fmt: skip


def mutate(text: str, random_: random.Random) -> str:
    """A few edits of the kinds that people and accidents make."""
    for _ in range(random_.randint(1, 4)):
        lines = text.split("\n")
        kind = random_.randrange(7)
        at = random_.randrange(len(lines))
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(random_.randrange(len(lines) + 1), lines[at])
        elif kind == 2:
            lines[at] = " " * random_.randrange(4) + lines[at]
        elif kind == 3:
            lines[at] = lines[at][random_.randrange(4) :]
        elif kind in (4, 5):  # one token for another
            tokens = re.findall(r"[^\s,:{}\[\]]+|\s+|.", lines[at])
            if tokens:
                tokens[random_.randrange(len(tokens))] = random_.choice([*WORDS, *text.split()])
                lines[at] = "".join(tokens)
        else:
            position = random_.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:position] + random_.choice(WORDS) + lines[at][position:]
        text = "\n".join(lines)
    return text


def check(text: str, **overrides: str) -> None:
    found = outcome(text, overrides)
    if isinstance(found, ProtocolError):
        assert found.problem
        assert "\n" not in found.message + found.hint
        if found.where is not None and found.where.file == "fuzz.yaml":
            assert found.where.line <= len(re.split("\n|\r|\x85|\u2028|\u2029", text)) + 1
    else:
        json.dumps(found.resolved(), allow_nan=False)
        assert describe(found)


def outcome(text: str, overrides: dict[str, str]) -> Protocol | ProtocolError:
    try:
        return loads_protocol(text, "fuzz.yaml", overrides)
    except ProtocolError as error:
        return error


@pytest.mark.parametrize("seed", range(150))
def test_mutated_protocols(seed: int) -> None:
    random_ = random.Random(seed)
    check(mutate(random_.choice(TEXTS), random_))


def nodes(tree: Any) -> list[Any]:
    """All lists and dictionaries of a tree."""
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    return ([tree] if isinstance(tree, dict | list) else []) + [node for item in inner for node in nodes(item)]


def mutate_tree(tree: Any, random_: random.Random) -> None:
    """Edits that keep the text YAML: values and branches replaced, moved, renamed, taken out."""
    for _ in range(random_.randint(1, 3)):
        everything = [node for node in nodes(tree) if node]
        node, other = random_.choice(everything), random_.choice(everything)
        key = random_.choice(list(node)) if isinstance(node, dict) else random_.randrange(len(node))
        kind = random_.randrange(5)
        if kind == 0:
            del node[key]
        elif kind == 1 and isinstance(node, dict):
            node[random_.choice(sorted({k for n in everything if isinstance(n, dict) for k in n}))] = node.pop(key)
        elif kind == 2:  # a copy, for a tree may not hold itself
            moved = other[random_.choice(list(other)) if isinstance(other, dict) else random_.randrange(len(other))]
            node[key] = json.loads(json.dumps(moved))
        else:
            node[key] = random_.choice([*WORDS, 0, -1, 1e308, 2**70, None, True, [], {}, [[]], 0.5, "$field", "$reset"])


@pytest.mark.parametrize("seed", range(250))
def test_mutated_trees(seed: int) -> None:
    random_ = random.Random(seed)
    tree = plain(parse(random_.choice(TEXTS), "fuzz.yaml"))
    mutate_tree(tree, random_)
    check(json.dumps(tree))


@given(st.text(max_size=200))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_text(text: str) -> None:
    check(text)
    check("protocol: 1\ntitle: x\nparameters:\n  a: {value: 1}\nsteps: []\n", a=text)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["at", "level", "width", "do", "as", "resistance", "from", "to", "against", "x"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(
    st.sampled_from(["pulse", "train", "bias", "read", "sweep", "sample", "wait", "repeat", "for", "until", "state",
                     "spike", "confirm", "route", "use", "allow", "note"]),
    PLAIN,
    st.dictionaries(st.sampled_from(["do", "order", "name", "at_most", "vary", "verify", "set", "because"]), PLAIN),
)  # fmt: skip
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_step(verb: str, fields: object, beside: dict[str, object]) -> None:
    check(json.dumps({"protocol": 1, "title": "x", "steps": [{verb: fields, **beside}]}))


@given(st.sampled_from(["probability", "threshold", "shift", "spread", "resistance", "ratio", "energy", "map"]), PLAIN)
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_request(name: str, fields: object) -> None:
    check(json.dumps({"protocol": 1, "title": "x", "steps": [], "analyze": [{name: fields}]}))
