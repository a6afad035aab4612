"""Lua 5.0 as the instrument speaks it, rewritten for the embedded Lua 5.1 (reference keithley2636b sec. 2).

Three things differ in the source itself, and each is rewritten where it stands, so that line numbers stay:
``for k, v in t do`` (5.0 allows a table), nested ``[[ ]]`` strings and comments, and - because time is simulated -
loops that wait by turning: ``while`` and ``repeat`` get a call per turn that lets time pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

#: names of the helpers, handed to a rewritten chunk as its arguments
HELPERS = "local __each, __turn = ...; "

_NEEDED = re.compile(r"\b(?:for|while|repeat)\b|\[\[")
_TOKEN = re.compile(
    r"""(?P<comment>--(?:\[\[)?)
      | (?P<long>\[\[)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<string>"(?:\\.|[^"\\\n])*"? | '(?:\\.|[^'\\\n])*'?)
      | (?P<number>\.?\d(?:[eE][+-]|[\w.])*)
      | (?P<other>[^\s])""",
    re.VERBOSE | re.DOTALL,
)
_OPENERS = frozenset({"function", "if", "do", "repeat"})
_CLOSERS = frozenset({"end", "until"})


@lru_cache(maxsize=256)
def translate(source: str) -> str:
    """``source`` in Lua 5.1; the same text when nothing in it needs rewriting."""
    if not _NEEDED.search(source):
        return source
    edits = sorted(_edits(source))
    if not edits:
        return source
    parts: list[str] = []
    at = 0
    for start, end, text in edits:
        parts += [source[at:start], text]
        at = end
    helped = any("__" in text for _, _, text in edits)
    return (HELPERS if helped else "") + "".join(parts) + source[at:]


def _edits(source: str) -> Iterator[tuple[int, int, str]]:
    """Replacements (start, end, text), in no order."""
    tokens: list[tuple[str, int, int]] = []
    at = 0
    while (match := _TOKEN.search(source, at)) is not None:
        kind, start, at = match.lastgroup, match.start(), match.end()
        if kind == "comment" and match.group() == "--":
            at = source.find("\n", at) if "\n" in source[at:] else len(source)
        elif kind in ("comment", "long"):
            at, nested = _long_end(source, match.end())
            if nested:
                yield from _level_up(start + (2 if kind == "comment" else 0), at)
        elif kind == "name" or kind == "other":
            tokens.append((match.group(), start, at))
    yield from _loops(tokens)


def _long_end(source: str, at: int) -> tuple[int, bool]:
    """End of a long bracket opened before ``at``, counting nested ones as 5.0 does; whether there were any."""
    depth, nested = 1, False
    for match in re.compile(r"\[\[|\]\]").finditer(source, at):
        depth += 1 if match.group() == "[[" else -1
        nested = nested or depth > 1
        if depth == 0:
            return match.end(), nested
    return len(source), False


def _level_up(start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """[[ ... ]] -> [===[ ... ]===], inside which 5.1 takes brackets as text."""
    yield start, start + 2, "[===["
    yield end - 2, end, "]===]"


def _loops(tokens: list[tuple[str, int, int]]) -> Iterator[tuple[int, int, str]]:
    for index, (word, _, end) in enumerate(tokens):
        if word == "repeat" and _is_keyword(tokens, index):
            yield end, end, " __turn() "
        elif word == "while" and _is_keyword(tokens, index):
            do = _matching_do(tokens, index + 1)
            if do is not None:
                yield tokens[do][2], tokens[do][2], " __turn() "
        elif word == "in":
            do = _matching_do(tokens, index + 1)
            if do is not None and do > index + 1:
                yield end, end, " __each("
                yield tokens[do][1], tokens[do][1], ") "


def _is_keyword(tokens: list[tuple[str, int, int]], index: int) -> bool:
    return index == 0 or tokens[index - 1][0] not in (".", ":")


def _matching_do(tokens: list[tuple[str, int, int]], index: int) -> int | None:
    """The ``do`` that ends the expression beginning at ``index``; function bodies inside it are passed over."""
    depth = 0
    for k in range(index, len(tokens)):
        word = tokens[k][0]
        if word == "do" and depth == 0:
            return k
        if word in _OPENERS or word in ("(", "{", "["):
            depth += 1
        elif word in _CLOSERS or word in (")", "}", "]"):
            depth -= 1
            if depth < 0:
                return None
    return None
