"""What the drivers share at the wire: numbers as text, stale replies, time for slow replies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import pyvisa
from pymeasure.instruments import Channel, Instrument
from pymeasure.instruments.common_base import CommonBase

from drivers.adapter import DirectVISAAdapter
from drivers.clock import Clock, SystemClock
from drivers.errors import ReplyError, SafeStateError, SettingError

#: how long a raw socket must be silent before its stale replies count as drained, s
SILENCE = 0.05
#: messages read from a socket before it is given up as babbling
_MOST_STALE = 1000


def number(value: float) -> str:
    """Text of a number with 12 significant digits, shortest form: 1e-9 stays 1e-09.

    Raises:
        SettingError: the value is not finite.
    """
    if not math.isfinite(value):
        raise SettingError(f"{value} cannot be sent to an instrument")
    return f"{float(value):.12g}"


def within(name: str, value: float, low: float, high: float, unit: str = "") -> float:
    """``value`` if it lies in [low, high], as a float; never clipped.

    Raises:
        SettingError: it lies outside or is not a number.
    """
    if not low <= value <= high:
        unit = unit and f" {unit}"
        raise SettingError(f"{name} {value:g}{unit} is outside {low:g} .. {high:g}{unit}")
    return float(value)


class _PlainAttributes(CommonBase):
    """Attributes at about Python's own speed.

    PyMeasure takes 2 us for each access, only to keep limits of dynamic properties from being read, and another for
    each assignment, to look through a list of their names.
    """

    __getattribute__ = object.__getattribute__

    def _setup_special_names(self) -> Any:
        return frozenset(super()._setup_special_names())

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if name in own:  # so it is no special name: those are kept under others
            own[name] = value
        else:
            super().__setattr__(name, value)


class WireChannel(_PlainAttributes, Channel):
    """PyMeasure channel with plain attributes."""


class WireInstrument(_PlainAttributes, Instrument):
    """PyMeasure instrument whose waits go through an injected clock and whose link can be cleared.

    Args:
        adapter: PyMeasure adapter, VISA resource name or GPIB address.
        name: name in messages.
        clock: what waits are made on; the host's clock by default.
        visa_library: handed to PyVISA.
        **kwargs: further PyVISA settings, such as ``timeout`` in ms.
    """

    #: everything that a call may raise when the instrument or its link is at fault, or a setting refused
    exceptions: ClassVar[tuple[type[Exception], ...]] = (pyvisa.Error, OSError)
    #: drivers of sources that can harm have the higher number: made safe first
    safe_priority = 0

    def __init__(
        self, adapter: Any, name: str, clock: Clock | None = None, visa_library: Any = "", **kwargs: Any
    ) -> None:
        scpi = kwargs.pop("includeSCPI", False)  # some of PyMeasure's classes pass it on
        if isinstance(adapter, int | str):
            settings = {"read_termination": "\n", "write_termination": "\n", "timeout": 5000, **kwargs}
            adapter = DirectVISAAdapter(adapter, visa_library=visa_library, **settings)
        super().__init__(adapter, name, includeSCPI=scpi)
        self.clock: Clock = clock or SystemClock()
        self.sent = ""

    def write(self, command: str, **kwargs: Any) -> None:
        """Send ``command``; it is kept in ``sent``, to be named should it prove wrong."""
        self.sent = command
        super().write(command, **kwargs)

    def wait_for(self, query_delay: float | None = None) -> None:
        """Wait between a command and its reply, on the injected clock."""
        if query_delay:
            self.clock.sleep(query_delay)

    def close(self) -> None:
        """Close the link."""
        self.adapter.close()

    def clear_link(self) -> None:
        """Throw away replies that nobody read: device clear, or reading until silence on a raw socket.

        A reply left over from an interrupted program shifts every later answer by one.
        """
        connection = self.adapter.connection
        if getattr(connection, "resource_class", None) != "SOCKET":
            try:
                connection.clear()
            except pyvisa.VisaIOError as error:
                # some backends cannot clear USB; there, the next message discards what nobody read
                if error.error_code != pyvisa.constants.StatusCode.error_nonsupported_operation:
                    raise
            return
        try:
            with self.timeout(SILENCE):
                for _ in range(_MOST_STALE):
                    connection.read_raw()
        except pyvisa.VisaIOError as error:
            if not timed_out(error):
                raise
        else:
            raise ReplyError(self.name, "", "messages without end")

    def patience(self, seconds: float) -> AbstractContextManager[None]:
        """Let replies inside take ``seconds`` longer than the link's ordinary timeout."""
        connection = self.adapter.connection
        ordinary = connection.timeout
        return _Timeout(connection, ordinary, ordinary + 1e3 * seconds)

    def timeout(self, seconds: float) -> AbstractContextManager[None]:
        """Wait ``seconds`` for each reply inside."""
        connection = self.adapter.connection
        return _Timeout(connection, connection.timeout, 1e3 * seconds)


class _Timeout:
    """A link's timeout (ms) while a block runs; a quarter of what a generator would cost each reading."""

    def __init__(self, connection: Any, ordinary: float, now: float) -> None:
        self._connection = connection
        self._ordinary = ordinary
        self._now = now

    def __enter__(self) -> None:
        self._connection.timeout = self._now

    def __exit__(self, *_: object) -> None:
        self._connection.timeout = self._ordinary


def timed_out(error: pyvisa.VisaIOError) -> bool:
    """Whether a reply did not come, the link itself being alive."""
    return bool(error.error_code == pyvisa.constants.StatusCode.error_timeout)


def attempt(instrument: str, steps: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Carry out all ``steps`` (what, how), whether or not those before failed.

    Raises:
        SafeStateError: names the steps that failed.
    """
    failures: list[tuple[str, Exception]] = []
    for what, step in steps:
        try:
            step()
        except (pyvisa.Error, OSError, UnicodeError) as error:
            failures.append((what, error))
    if failures:
        raise SafeStateError(instrument, failures)
