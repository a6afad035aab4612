"""Errors of the bench, each with what to do about it. The command line turns them into two lines and an exit code."""

from __future__ import annotations


class BenchFileError(ValueError):
    """The bench file is wrong (exit code 2)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InstrumentUnavailable(RuntimeError):
    """An instrument does not answer, or is not the one the bench file names (exit code 4)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class BenchBusy(RuntimeError):
    """Another controller holds the bench (exit code 4)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
