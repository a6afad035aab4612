"""The WGFMU instrument library (wgfmu.dll): loaded, called, and its calls as text (reference b1530a sec. 2)."""

from __future__ import annotations

import ctypes
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from ctypes import c_char, c_double, c_int
from pathlib import Path
from typing import Any

from drivers.errors import DriverError, ErrorEntry, InstrumentError
from drivers.wgfmu_header import NO_ERROR, PREFIX, SIGNATURES, ErrorCode, Status

#: characters of a call that an error quotes
_LONGEST_SAID = 300
#: told of a call and of its return: direction ('>' or '<'), ASCII
OnCall = Callable[[str, bytes], None]
#: functions whose arrays are arguments; those of all others are filled by the library
_ARRAYS_IN = frozenset({"addVectors", "setVectors", "addSequences"})


class LibraryMissing(DriverError):
    """wgfmu.dll cannot be used on this machine."""


class WgfmuError(InstrumentError):
    """A function of the library returned an error code; carries the library's own text."""


def load_functions(path: str | Path | None = None) -> dict[str, Callable[..., int]]:
    """Functions of the vendor's library.

    Args:
        path: the file; by default ``wgfmu.dll`` where Windows looks for libraries.

    Raises:
        LibraryMissing: not Windows, no such file, wrong bitness, or its VISA is not installed.
    """
    if sys.platform != "win32":
        raise LibraryMissing(
            "the WGFMU instrument library exists for Windows only; on this machine use a simulated bench (--simulate)"
        )
    name = str(path or "wgfmu.dll")
    try:
        library = ctypes.WinDLL(name)
    except OSError as error:
        raise LibraryMissing(
            f"{name} cannot be loaded ({error}): install the B1530A instrument library of Python's own bitness "
            f"({8 * ctypes.sizeof(ctypes.c_void_p)} bit) and a VISA with a driver for the interface"
        ) from error
    functions = {}
    for short, argtypes in SIGNATURES.items():
        function = getattr(library, PREFIX + short, None)
        if function is None:
            raise LibraryMissing(f"{name} has no function {PREFIX + short}")
        function.argtypes, function.restype = argtypes, c_int
        functions[short] = function
    return functions


def functions_at(addresses: Mapping[str, int]) -> dict[str, Callable[..., int]]:
    """Functions from C addresses by full name (a simulated bench), cast with the declarations of the header.

    Raises:
        LibraryMissing: a function is not among them.
    """
    missing = [name for name in SIGNATURES if PREFIX + name not in addresses]
    if missing:
        raise LibraryMissing(f"the library has no function {', '.join(PREFIX + name for name in missing)}")
    make = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)  # __stdcall matters on 32-bit Windows only
    return {name: make(c_int, *argtypes)(addresses[PREFIX + name]) for name, argtypes in SIGNATURES.items()}


class WgfmuLibrary:
    """Calls that raise instead of returning codes, and return what the library writes.

    Args:
        functions: by short name.
        name: in messages.
        on_call: told of every call: ('>', the call) before it and ('<', return code: values) after it, as ASCII.
            Numbers are exact; ``&`` stands for what the library fills, after it what was in it.
    """

    def __init__(
        self, functions: Mapping[str, Callable[..., int]], name: str = "WGFMU", on_call: OnCall | None = None
    ) -> None:
        self._functions = functions
        self.name = name
        self.on_call = on_call

    def call(self, function: str, *arguments: Any) -> None:
        """Call ``function`` (short name); text goes as ASCII.

        Raises:
            WgfmuError: with the library's text.
        """
        code = self._invoke(function, *arguments)
        if code != NO_ERROR:
            said = textwrap.shorten(call_text(function, arguments), _LONGEST_SAID, placeholder=" ...)")
            raise WgfmuError(self.name, [ErrorEntry(code, self._error_text(code))], said)

    def _invoke(self, function: str, *arguments: Any) -> int:
        raw = [a.encode("ascii") if isinstance(a, str) else a for a in arguments]
        if self.on_call is None:
            return self._functions[function](*raw)
        self.on_call(">", call_text(function, arguments).encode("ascii"))
        code = self._functions[function](*raw)
        self.on_call("<", reply_text(function, arguments, code).encode("ascii"))
        return code

    def integer(self, function: str, *arguments: Any) -> int:
        """The one int that ``function`` writes."""
        return self.integers(function, 1, *arguments)[0]

    def integers(self, function: str, number: int, *arguments: Any) -> list[int]:
        """The ``number`` ints that ``function`` writes after its arguments."""
        results = [c_int() for _ in range(number)]
        self.call(function, *arguments, *(ctypes.byref(r) for r in results))
        return [r.value for r in results]

    def real(self, function: str, *arguments: Any) -> float:
        """The one double that ``function`` writes."""
        result = c_double()
        self.call(function, *arguments, ctypes.byref(result))
        return result.value

    def channel_ids(self) -> list[int]:
        """Channels of the open session."""
        size = c_int(self.integer("getChannelIdSize"))
        ids = (c_int * max(1, size.value))()
        self.call("getChannelIds", ids, ctypes.byref(size))
        return list(ids[: size.value])

    def status(self) -> tuple[Status, float, float]:
        """Status of all channels, elapsed and total time (s)."""
        status, elapsed, total = c_int(), c_double(), c_double()
        self.call("getStatus", ctypes.byref(status), ctypes.byref(elapsed), ctypes.byref(total))
        return Status(status.value), elapsed.value, total.value

    def values(self, channel: int, offset: int, size: int) -> tuple[list[float], list[float]]:
        """Times (s) and values of at most ``size`` points from ``offset`` on."""
        number = c_int(size)
        times, values = (c_double * size)(), (c_double * size)()
        self.call("getMeasureValues", channel, offset, ctypes.byref(number), times, values)
        return times[: number.value], values[: number.value]

    def pattern_points(self, pattern: str) -> list[tuple[float, float]]:
        """Points (s, V) of a pattern, the initial one included."""
        size = c_int(self.integer("getPatternForceValueSize", pattern))
        times, volts = (c_double * size.value)(), (c_double * size.value)()
        self.call("getPatternForceValues", pattern, 0, ctypes.byref(size), times, volts)
        return list(zip(times[: size.value], volts[: size.value], strict=True))

    def warnings(self) -> str:
        """All warnings since the last ``clear``."""
        return self._text("getWarningSummary")

    def self_test(self, function: str) -> tuple[int, str]:
        """Result code and detail of ``doSelfTest`` or ``doSelfCalibration``."""
        result, size = c_int(), c_int(4096)
        detail = ctypes.create_string_buffer(size.value)
        self.call(function, ctypes.byref(result), detail, ctypes.byref(size))
        return result.value, detail.value.decode("ascii", "replace")

    def _text(self, function: str) -> str:
        size = c_int(self.integer(f"{function}Size") + 1)  # whether NUL is counted is not documented
        buffer = ctypes.create_string_buffer(size.value)
        self.call(function, buffer, ctypes.byref(size))
        return buffer.value.decode("ascii", "replace")

    def _error_text(self, code: int) -> str:
        """Everything in the error queue, oldest first; the queue is emptied."""
        size, texts = c_int(), []
        while self._invoke("getErrorSize", ctypes.byref(size)) == NO_ERROR:
            size.value += 1
            buffer = ctypes.create_string_buffer(size.value)
            if self._invoke("getError", buffer, ctypes.byref(size)) != NO_ERROR or not buffer.value:
                break
            texts.append(" ".join(buffer.value.decode("ascii", "replace").split()))
        name = ErrorCode(code).name if code in ErrorCode.__members__.values() else "unknown code"
        return " / ".join(texts) or name


def call_text(function: str, arguments: Sequence[Any]) -> str:
    """A call as text: ``WGFMU_setVectors("p", [1e-06, 2e-06], [0.0, 1.0], 2)``, ``WGFMU_getStatus(&0, &0.0, &0.0)``."""
    filled = function not in _ARRAYS_IN
    return f"{PREFIX}{function}({', '.join(_shown(a, filled) for a in arguments)})"


def reply_text(function: str, arguments: Sequence[Any], code: int) -> str:
    """What a call returned: its code, then what it filled, in order."""
    if function in _ARRAYS_IN:
        return str(code)
    filled = [_value_text(a) for a in arguments if not isinstance(a, str | int | float)]
    return f"{code}: {', '.join(filled)}" if filled else str(code)


def _shown(argument: Any, filled: bool) -> str:
    if isinstance(argument, str):
        return f'"{argument}"'
    if isinstance(argument, int | float):
        return repr(float(argument) if isinstance(argument, float) else int(argument))
    if isinstance(argument, ctypes.Array):
        return "&" if filled else _value_text(argument)
    return f"&{_value_text(argument)}"


def _value_text(argument: Any) -> str:
    """Value of an array, a buffer of text, or what ``byref`` points to."""
    if not isinstance(argument, ctypes.Array):
        return repr(argument._obj.value)
    if isinstance(argument, c_char * len(argument)):
        return repr(argument.value.decode("ascii", "backslashreplace"))
    return repr(argument[:])


def reals(values: Sequence[float]) -> Any:
    """A C array of doubles."""
    return (c_double * len(values))(*values)
