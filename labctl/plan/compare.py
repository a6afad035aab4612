"""Where two plans differ, place by place: ``ops[3].body[0].parts[0].level.constant: 4.2 -> 3.8``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MISSING = "(none)"
_LONGEST = 120  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class Change:
    """A place in plain data, and what stands there in the first and in the second, as text."""

    place: str
    first: str
    second: str

    def said(self, first: str, second: str) -> str:
        """One line: ``place: 45 V then, 60 V now``; the arguments say which is which."""
        return f"{self.place}: {self.first} {first}, {self.second} {second}"


def changes(first: Any, second: Any, place: str = "") -> Iterator[Change]:
    """Every place where plain data differ, in the order of the first.

    For two plans by their ``Plan.to_dict`` (or JSON's form of it), and for the facts of two benches. Numbers are
    compared by their exact text, so that NaN is itself.
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in dict.fromkeys([*first, *second]):
            yield from _member(first, second, key, f"{place}.{key}" if place else str(key))
    elif _is_list(first) and _is_list(second):
        both = dict(enumerate(first)), dict(enumerate(second))
        for index in range(max(map(len, both))):
            yield from _member(*both, index, f"{place}[{index}]")
    elif not (type(first) is type(second) and first == second) and _text(first) != _text(second):
        yield Change(place, _shown(first), _shown(second))


def _member(first: Mapping[Any, Any], second: Mapping[Any, Any], key: Any, place: str) -> Iterator[Change]:
    if key in first and key in second:
        yield from changes(first[key], second[key], place)
    else:
        yield Change(place, *(_shown(side[key]) if key in side else MISSING for side in (first, second)))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _text(value: Any) -> str:
    """A text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _shown(value: Any) -> str:
    """The text for a message: a whole operation that stands on one side only is cut."""
    text = _text(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
