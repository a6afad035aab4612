"""Places in files, and the one error of the language: what is wrong, where, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Where:
    """Place of a node in its file, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE = Where("<code>", 0, 0)


class ProtocolError(ValueError):
    """A protocol file, or an override of one of its parameters, is wrong (exit code 2).

    Attributes:
        problem: what is wrong. ``message`` is the same after ``file:line:column``.
        where: the place, None if there is none (a file that does not exist).
        hint: what to do.
        excerpt: the line of the file and a caret below the place, or ``""``.
    """

    exit_code = 2

    def __init__(self, problem: str, where: Where | None = None, hint: str = "", excerpt: str = "") -> None:
        self.problem = problem
        self.where = where
        self.hint = hint
        self.excerpt = excerpt
        super().__init__(self.message)

    @property
    def message(self) -> str:
        return f"{self.where}: {self.problem}" if self.where else self.problem

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?``, or the list of what is known."""
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6) or [
        name for name in names if name.lower() == word.lower()
    ]
    if close:
        return f"did you mean '{close[0]}'?"
    if " " in word.strip():
        return "a text that holds a comma or a colon needs quotes around it"
    if not names:
        return "nothing can stand here"
    shown = ", ".join(sorted(names)[:30])
    return f"expected one of: {shown}" if len(names) > 1 else f"expected: {shown}"


def excerpt(text: str, where: Where) -> str:
    """The line at ``where`` and a caret below the column; long lines are cut."""
    lines = text.splitlines()
    if not 1 <= where.line <= len(lines):
        return ""
    start = max(0, where.column - 60)
    line = lines[where.line - 1][start : start + 100].replace("\t", " ")
    return f"{line}\n{' ' * (where.column - 1 - start)}^"


def shorten(raw: Any) -> str:
    """``repr`` in at most 60 characters, for messages."""
    if isinstance(raw, int) and abs(raw) > 10**18:
        return "a number of more than 18 digits"
    if isinstance(raw, list | tuple):
        return "a list"
    shown = repr(raw)
    return shown if len(shown) <= 60 else shown[:57] + "..."
