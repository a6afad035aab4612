"""Errors and warnings of the library: texts, queue, summaries, levels, log file (reference b1530a sec. 5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sim_backend.wgfmu import codes
from sim_backend.wgfmu.codes import Failure


class Diary:
    """What went wrong since the last ``clear``.

    Args:
        stamp: text of the present date and time for the log file.
        pop_shortens_summary: whether ``pop`` takes the entry out of the summary too.
    """

    def __init__(self, stamp: Callable[[], str], pop_shortens_summary: bool) -> None:
        self._stamp = stamp
        self._pop_shortens_summary = pop_shortens_summary
        self._log: Path | None = None
        self._reset()

    def _reset(self) -> None:
        self.errors: list[str] = []
        self.summary: list[str] = []
        self.warnings: list[tuple[int, str]] = []
        self.level = codes.WARNING_NORMAL
        self.threshold = codes.WARNING_OFF

    def clear(self) -> None:
        """Forget everything, levels included; an open log file stays open."""
        self._reset()

    def error(self, call: str, code: int, message: str) -> None:
        """Queue an error of a call such as ``WGFMU_connect(7)``."""
        text = f"{code}: Error in {call};\n\t{message}\n"
        self.errors.append(text)
        self.summary.append(text)
        self._write(text)

    def warning(self, call: str, level: int, message: str) -> bool:
        """Note a warning; whether it counts as an error by the level set."""
        text = f"Warning in {call};\n\t{message}\n"
        self.warnings.append((level, text))
        if level <= self.level:
            self._write(text)
        return level <= self.threshold

    def next_error(self) -> str:
        """The oldest error, "" if there is none; it stays queued."""
        return self.errors[0] if self.errors else ""

    def pop(self) -> str:
        """The oldest error, taken out of the queue."""
        if not self.errors:
            return ""
        text = self.errors.pop(0)
        if self._pop_shortens_summary:
            self.summary.remove(text)
        return text

    def error_summary(self) -> str:
        """All errors since ``clear``."""
        return "".join(self.summary)

    def warning_summary(self) -> str:
        """All warnings that the level set lets through."""
        return "".join(text for level, text in self.warnings if level <= self.level)

    def open_log(self, name: str) -> None:
        """Append errors and warnings to a file from now on."""
        path = Path(name)
        try:
            with path.open("a", encoding="ascii") as file:
                file.write(f"Log started: {self._stamp()}\n")
        except OSError as error:
            raise Failure(codes.UNIDENTIFIED, f"Log file {name} cannot be opened: {error.strerror}.") from error
        self._log = path

    def close_log(self) -> None:
        """End the log file."""
        self._write(f"Log ended: {self._stamp()}\n")
        self._log = None

    def _write(self, text: str) -> None:
        if self._log is None:
            return
        try:
            with self._log.open("a", encoding="ascii", errors="replace") as file:
                file.write(text)
        except OSError as error:
            raise Failure(codes.UNIDENTIFIED, f"Log file cannot be written: {error.strerror}.") from error
