"""Errors of the bench: what is wrong and where, what to do, and the exit code of the command line."""

from __future__ import annotations


class BenchProblem(Exception):
    """Base of the bench's errors."""

    exit_code = 4

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BenchFileError(BenchProblem):
    """The bench file is wrong."""

    exit_code = 2


class InstrumentUnavailable(BenchProblem):
    """An instrument does not answer, or is not the one the bench file names."""


class InterlockOpen(BenchProblem):
    """A plan needs a voltage for which a safety interlock must be closed, and it is open."""


class BenchBusy(BenchProblem):
    """Another controller holds the bench."""
