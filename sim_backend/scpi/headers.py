"""Command headers: patterns in the manuals' notation, and their look-up by what arrives on the wire.

Notation: ``[SOURce<2>:]VOLTage[:LEVel][:IMMediate]:HIGH``. Capitals are the short form, brackets mark a
node that may be left out, ``<2>`` a numeric suffix 1..2 (left out: 1), ``<3-4>`` 3 or 4, which must stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Generic, TypeVar

from sim_backend.scpi.errors import ScpiError

Target = TypeVar("Target")
SuffixRange = tuple[int, int]

_NODE = re.compile(r"(\[?):?(\*?[A-Za-z]+)(?:<(\d+)(?:-(\d+))?>)?:?(\]?)")
_WORD = re.compile(r"(\*?[A-Za-z_]+)(\d*)$")
_LARGEST_SUFFIX_DIGITS = 9


@cache
def short_form(mnemonic: str) -> str:
    """``FREQuency`` -> ``FREQ``: the capitals in front."""
    head = re.match(r"\*?[A-Z]*", mnemonic)
    return head.group() if head else ""


@dataclass(frozen=True)
class _Node:
    mnemonic: str
    optional: bool
    suffix: SuffixRange | None


def _nodes(pattern: str) -> list[_Node]:
    nodes = []
    position = 0
    for found in _NODE.finditer(pattern):
        if found.start() != position:
            break
        position = found.end()
        opened, mnemonic, first, last, closed = found.groups()
        if bool(opened) != bool(closed):
            break
        suffix = None if first is None else (int(first), int(last)) if last else (1, int(first))
        nodes.append(_Node(mnemonic, bool(opened), suffix))
    else:
        if nodes and position == len(pattern):
            return nodes
    raise ValueError(f"not a command pattern: {pattern!r}")


@dataclass(frozen=True)
class _End(Generic[Target]):
    """Where a header ends: its target, and for each word of the path the suffix it may carry."""

    target: Target
    suffixes: tuple[SuffixRange | None, ...]
    slots: tuple[int | None, ...]
    """For each word: the place of its suffix among the target's arguments."""
    defaults: tuple[int, ...]


class _Branch(Generic[Target]):
    """What may follow a word, and the commands that end here."""

    __slots__ = ("ends", "next")

    def __init__(self) -> None:
        self.next: dict[str, _Branch[Target]] = {}
        self.ends: list[_End[Target]] = []

    def grow(self, mnemonic: str) -> _Branch[Target]:
        """The branch under ``mnemonic``, reached by its long and its short form."""
        long, short = mnemonic.upper(), short_form(mnemonic)
        branch = self.next.setdefault(long, _Branch())
        if self.next.setdefault(short, branch) is not branch:
            raise ValueError(f"two mnemonics share the short form {short}")
        return branch


class HeaderTree(Generic[Target]):
    """All headers of one instrument."""

    def __init__(self, range_error: int = -114) -> None:
        """``range_error``: what a suffix out of its range raises."""
        self._range_error = range_error
        self._root: _Branch[Target] = _Branch()
        self._found: dict[str, tuple[Target, tuple[int, ...]] | ScpiError] = {}

    def add(self, pattern: str, target: Target) -> None:
        """Let every spelling of ``pattern`` lead to ``target``."""
        nodes = _nodes(pattern)
        carriers = [i for i, node in enumerate(nodes) if node.suffix]
        defaults = tuple(node.suffix[0] for node in nodes if node.suffix)
        for present in product(*((False, True) if node.optional else (True,) for node in nodes)):
            kept = [i for i, here in enumerate(present) if here]
            branch = self._root
            for i in kept:
                branch = branch.grow(nodes[i].mnemonic)
            slots = tuple(carriers.index(i) if i in carriers else None for i in kept)
            branch.ends.append(_End(target, tuple(nodes[i].suffix for i in kept), slots, defaults))

    def find(self, header: str) -> tuple[Target, tuple[int, ...]]:
        """Target and numeric suffixes of a complete header, such as ``sour2:volt:high``; -113, or -114."""
        known = self._found.get(header)
        if known is None:
            try:
                known = self._search(header)
            except ScpiError as error:
                known = error
            if len(self._found) > 10_000:  # a client that invents headers must not fill the memory
                self._found.clear()
            self._found[header] = known
        if isinstance(known, ScpiError):
            raise ScpiError(known.code, known.detail)
        return known

    def _search(self, header: str) -> tuple[Target, tuple[int, ...]]:
        branch = self._root
        numbers: list[int | None] = []
        for part in header.upper().split(":"):
            word = _WORD.match(part)
            following = branch.next.get(word.group(1)) if word else None
            if word is None or following is None or len(word.group(2)) > _LARGEST_SUFFIX_DIGITS:
                raise ScpiError(-113, header)
            branch = following
            numbers.append(int(word.group(2)) if word.group(2) else None)
        ends = branch.ends
        if not ends:
            raise ScpiError(-113, header)
        for end in ends:
            suffixes = _fill(end, numbers)
            if suffixes is not None:
                return end.target, suffixes
        carries = any(all(n is None or s for n, s in zip(numbers, end.suffixes, strict=True)) for end in ends)
        raise ScpiError(self._range_error if carries else -113, header)


def _fill(end: _End[Target], numbers: list[int | None]) -> tuple[int, ...] | None:
    """Suffixes of the target, or None when one is out of range or stands where none belongs."""
    suffixes = list(end.defaults)
    for number, allowed, slot in zip(numbers, end.suffixes, end.slots, strict=True):
        if allowed is None or slot is None:
            if number is not None:
                return None
            continue
        value = 1 if number is None else number
        if not allowed[0] <= value <= allowed[1]:
            return None
        suffixes[slot] = value
    return tuple(suffixes)
