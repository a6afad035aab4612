"""What can go wrong between a program and an instrument.

Every class derives from PyVISA's ``Error``, so that a program which knows no driver by import catches them
together with a lost link by ``except pyvisa.Error``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyvisa.errors import Error


class DriverError(Error):
    """Base of all errors of these drivers."""


class ErrorEntry(NamedTuple):
    """One entry of an instrument's error queue; ``severity`` is None where the instrument has none."""

    code: int
    text: str
    severity: int | None = None

    def __str__(self) -> str:
        severity = "" if self.severity is None else f" (severity {self.severity})"
        return f"{self.code}, {self.text}{severity}"


class InstrumentError(DriverError):
    """The instrument's error queue held errors.

    Attributes:
        instrument: name of the instrument.
        entries: the errors, oldest first.
        command: what was sent last before the queue was read; the offender is in it.
    """

    def __init__(self, instrument: str, entries: Sequence[ErrorEntry], command: str = "") -> None:
        self.instrument = instrument
        self.entries = tuple(entries)
        self.command = command
        sent = f" after {command!r}" if command else ""
        super().__init__(f"{instrument}: {'; '.join(map(str, self.entries))}{sent}")

    @property
    def code(self) -> int:
        return self.entries[0].code

    @property
    def text(self) -> str:
        return self.entries[0].text

    @property
    def severity(self) -> int | None:
        return self.entries[0].severity


class SettingError(DriverError, ValueError):
    """A value that the instrument, or a limit set before, does not allow; refused before it is sent."""


class ReadBackError(DriverError):
    """The instrument took a setting without complaint but holds something else."""

    def __init__(self, instrument: str, setting: str, asked: object, reported: object) -> None:
        self.instrument = instrument
        self.setting = setting
        self.asked = asked
        self.reported = reported
        super().__init__(f"{instrument}: {setting} was set to {asked}, the instrument reports {reported}")


class ReplyError(DriverError):
    """A reply that is not what the query asks for."""

    def __init__(self, instrument: str, command: str, reply: object) -> None:
        self.instrument = instrument
        self.command = command
        self.reply = reply
        super().__init__(f"{instrument}: cannot understand the reply {reply!r} to {command!r}")


class IdentityError(DriverError):
    """The instrument at this address is not one that the driver knows."""


class SafeStateError(DriverError):
    """Some steps on the way to the safe state failed; the others were carried out.

    Attributes:
        failures: (step, exception) pairs in the order tried.
    """

    def __init__(self, instrument: str, failures: Sequence[tuple[str, Exception]]) -> None:
        self.instrument = instrument
        self.failures = tuple(failures)
        steps = "; ".join(f"{step}: {error}" for step, error in self.failures)
        super().__init__(f"{instrument}: not proved safe: {steps}")
