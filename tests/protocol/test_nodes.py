"""YAML 1.2 with places: scalars of the core schema, nothing of YAML 1.1, bounded depth and size."""

import pytest

from labctl.protocol import ProtocolError
from labctl.protocol.nodes import MAX_BYTES, Mapping, decode, find, parse, plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("1e-6", 1e-6),
        ("1e6", 1e6),
        ("012", 12),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("0x10", "0x10"),
        ("true", True),
        ("~", None),
        ("'1'", "1"),
        ('"\\u00b5s"', "µs"),
        ("4.2 V", "4.2 V"),
        ("-0.21 V/um", "-0.21 V/um"),
        (".5", 0.5),
        (".inf", ".inf"),
        ("2026-01-01", "2026-01-01"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    assert plain(parse(f"key: {text}\n", "f")) == {"key": value}


def test_places_count_from_one() -> None:
    root = parse("a:\n  - b: 1\n    c: [x, y]\n", "f.yaml")
    assert isinstance(root, Mapping)
    assert str(find(root, ("a", 0, "c", 1)).where) == "f.yaml:3:12"
    assert find(root, ("a", 5, "z")) is find(root, ("a",))
    assert str(root.keys["a"]) == "f.yaml:1:1"


def test_size_is_bounded_before_anything_is_read() -> None:
    with pytest.raises(ProtocolError, match="more than the"):
        decode(b"x" * (MAX_BYTES + 1), "f.yaml")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_depth_is_bounded(opening: str) -> None:
    with pytest.raises(ProtocolError, match="nested more than"):
        parse(opening * 5000, "f.yaml")


def test_half_characters_are_refused() -> None:
    with pytest.raises(ProtocolError, match="surrogate"):
        parse('a: "\\ud83d"', "f.yaml")
