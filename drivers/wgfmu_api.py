"""The WGFMU instrument library (wgfmu.dll) for ctypes: every function, every constant (reference b1530a sec. 2, 3).

``SIGNATURES`` is the one place where argument types are declared; nothing is ever called without them, for an int
given for a ``double`` would be passed in the wrong register (reference b1530a sec. 10).
"""

from __future__ import annotations

import ctypes
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from ctypes import POINTER, c_char, c_char_p, c_double, c_int
from enum import IntEnum
from pathlib import Path
from typing import Any

from drivers.errors import DriverError, ErrorEntry, InstrumentError

PREFIX = "WGFMU_"
NO_ERROR = 0
#: characters of a call that an error quotes
_LONGEST_SAID = 300
#: told of a call and of its return: direction ('>' or '<'), ASCII
OnCall = Callable[[str, bytes], None]
#: functions whose arrays are arguments; those of all others are filled by the library
_ARRAYS_IN = frozenset({"addVectors", "setVectors", "addSequences"})

_TEXT = c_char_p  # const char*
_TEXTS = POINTER(c_char_p)  # const char**
_BUFFER = POINTER(c_char)  # char*, filled by the library
_BUFFERS = POINTER(POINTER(c_char))  # char**
_INT = c_int
_REAL = c_double  # the library knows no other real number
_INTS = POINTER(c_int)
_REALS = POINTER(c_double)

#: argument types of each function by its name without ``WGFMU_``; all return int
SIGNATURES: dict[str, tuple[Any, ...]] = {
    # session, initialise
    "openSession": (_TEXT,),
    "closeSession": (),
    "initialize": (),
    "setTimeout": (_REAL,),
    "doSelfCalibration": (_INTS, _BUFFER, _INTS),
    "doSelfTest": (_INTS, _BUFFER, _INTS),
    "getChannelIdSize": (_INTS,),
    "getChannelIds": (_INTS, _INTS),
    # errors and warnings
    "getErrorSize": (_INTS,),
    "getError": (_BUFFER, _INTS),
    "getErrorSummarySize": (_INTS,),
    "getErrorSummary": (_BUFFER, _INTS),
    "treatWarningsAsErrors": (_INT,),
    "setWarningLevel": (_INT,),
    "getWarningLevel": (_INTS,),
    "getWarningSummarySize": (_INTS,),
    "getWarningSummary": (_BUFFER, _INTS),
    "openLogFile": (_TEXT,),
    "closeLogFile": (),
    # channel setup
    "setOperationMode": (_INT, _INT),
    "getOperationMode": (_INT, _INTS),
    "setForceVoltageRange": (_INT, _INT),
    "getForceVoltageRange": (_INT, _INTS),
    "setMeasureMode": (_INT, _INT),
    "getMeasureMode": (_INT, _INTS),
    "setMeasureVoltageRange": (_INT, _INT),
    "getMeasureVoltageRange": (_INT, _INTS),
    "setMeasureCurrentRange": (_INT, _INT),
    "getMeasureCurrentRange": (_INT, _INTS),
    "setForceDelay": (_INT, _REAL),
    "getForceDelay": (_INT, _REALS),
    "setMeasureDelay": (_INT, _REAL),
    "getMeasureDelay": (_INT, _REALS),
    "setMeasureEnabled": (_INT, _INT),
    "isMeasureEnabled": (_INT, _INTS),
    "setTriggerOutMode": (_INT, _INT, _INT),
    "getTriggerOutMode": (_INT, _INTS, _INTS),
    "connect": (_INT,),
    "disconnect": (_INT,),
    # library
    "clear": (),
    # patterns
    "createPattern": (_TEXT, _REAL),
    "addVector": (_TEXT, _REAL, _REAL),
    "addVectors": (_TEXT, _REALS, _REALS, _INT),
    "setVector": (_TEXT, _REAL, _REAL),
    "setVectors": (_TEXT, _REALS, _REALS, _INT),
    "createMergedPattern": (_TEXT, _TEXT, _TEXT, _INT),
    "createMultipliedPattern": (_TEXT, _TEXT, _REAL, _REAL),
    "createOffsetPattern": (_TEXT, _TEXT, _REAL, _REAL),
    # events: pattern, event, time, points, interval, averaging time, raw data
    "setMeasureEvent": (_TEXT, _TEXT, _REAL, _INT, _REAL, _REAL, _INT),
    "setRangeEvent": (_TEXT, _TEXT, _REAL, _INT),
    "setTriggerOutEvent": (_TEXT, _TEXT, _REAL, _REAL),
    # sequences
    "addSequence": (_INT, _TEXT, _REAL),
    "addSequences": (_INT, _TEXTS, _REALS, _INT),
    # setup check: pattern
    "getPatternForceValueSize": (_TEXT, _INTS),
    "getPatternForceValues": (_TEXT, _INT, _INTS, _REALS, _REALS),
    "getPatternForceValue": (_TEXT, _INT, _REALS, _REALS),
    "getPatternInterpolatedForceValue": (_TEXT, _REAL, _REALS),
    "getPatternMeasureTimeSize": (_TEXT, _INTS),
    "getPatternMeasureTimes": (_TEXT, _INT, _INTS, _REALS),
    "getPatternMeasureTime": (_TEXT, _INT, _REALS),
    # setup check: sequence; sizes and indices of force values are double
    "getForceValueSize": (_INT, _REALS),
    "getForceValues": (_INT, _REAL, _INTS, _REALS, _REALS),
    "getForceValue": (_INT, _REAL, _REALS, _REALS),
    "getInterpolatedForceValue": (_INT, _REAL, _REALS),
    "getMeasureTimeSize": (_INT, _INTS),
    "getMeasureTimes": (_INT, _INT, _INTS, _REALS),
    "getMeasureTime": (_INT, _INT, _REALS),
    # setup check: event: patterns, events, cycles, loops, counts, offsets, sizes
    "getMeasureEventSize": (_INT, _INTS),
    "getMeasureEvents": (_INT, _INT, _INTS, _BUFFERS, _BUFFERS, _INTS, _REALS, _INTS, _INTS, _INTS),
    "getMeasureEvent": (_INT, _INT, _BUFFER, _BUFFER, _INTS, _REALS, _INTS, _INTS, _INTS),
    "getMeasureEventAttribute": (_INT, _INT, _REALS, _INTS, _REALS, _REALS, _INTS),
    # export
    "exportAscii": (_TEXT,),
    # measurement
    "update": (),
    "updateChannel": (_INT,),
    "execute": (),
    "abort": (),
    "abortChannel": (_INT,),
    "waitUntilCompleted": (),
    "getStatus": (_INTS, _REALS, _REALS),
    "getChannelStatus": (_INT, _INTS, _REALS, _REALS),
    # data
    "getMeasureValueSize": (_INT, _INTS, _INTS),
    "getMeasureValues": (_INT, _INT, _INTS, _REALS, _REALS),
    "getMeasureValue": (_INT, _INT, _REALS, _REALS),
    "getCompletedMeasureEventSize": (_INT, _INTS, _INTS),
    "isMeasureEventCompleted": (_INT, _TEXT, _TEXT, _INT, _REAL, _INT, _INTS, _INTS, _INTS, _INTS),
    # DC
    "dcforceVoltage": (_INT, _REAL),
    "dcmeasureValue": (_INT, _REALS),
    "dcmeasureAveragedValue": (_INT, _INT, _INT, _REALS),
}


class ErrorCode(IntEnum):
    """Return codes below 0."""

    PARAMETER_OUT_OF_RANGE_ERROR = -1
    ILLEGAL_STRING_ERROR = -2
    CONTEXT_ERROR = -3
    FUNCTION_NOT_SUPPORTED_ERROR = -4
    COMMUNICATION_ERROR = -5
    FW_ERROR = -6
    LIBRARY_ERROR = -7
    ERROR = -8
    CHANNEL_NOT_FOUND_ERROR = -9
    PATTERN_NOT_FOUND_ERROR = -10
    EVENT_NOT_FOUND_ERROR = -11
    PATTERN_ALREADY_EXISTS_ERROR = -12
    SEQUENCER_NOT_RUNNING_ERROR = -13
    RESULT_NOT_READY_ERROR = -14
    RESULT_OUT_OF_DATE = -15


class WarningLevel(IntEnum):
    OFF = 1000
    SEVERE = 1001
    NORMAL = 1002
    INFORMATION = 1003


class OperationMode(IntEnum):
    DC = 2000
    FASTIV = 2001
    PG = 2002
    SMU = 2003


class ForceVoltageRange(IntEnum):
    AUTO = 3000
    V3 = 3001
    V5 = 3002
    V10_NEGATIVE = 3003
    V10_POSITIVE = 3004


class MeasureMode(IntEnum):
    VOLTAGE = 4000
    CURRENT = 4001


class MeasureVoltageRange(IntEnum):
    V5 = 5001
    V10 = 5002


class MeasureCurrentRange(IntEnum):
    UA1 = 6001
    UA10 = 6002
    UA100 = 6003
    MA1 = 6004
    MA10 = 6005


class MeasureEnabled(IntEnum):
    DISABLE = 7000
    ENABLE = 7001


class TriggerOutMode(IntEnum):
    DISABLE = 8000
    START_EXECUTION = 8001
    START_SEQUENCE = 8002
    START_PATTERN = 8003
    EVENT = 8004


class TriggerOutPolarity(IntEnum):
    POSITIVE = 8100
    NEGATIVE = 8101


class Axis(IntEnum):
    TIME = 9000
    VOLTAGE = 9001


class Status(IntEnum):
    COMPLETED = 10000
    DONE = 10001
    RUNNING = 10002
    ABORT_COMPLETED = 10003
    ABORTED = 10004
    RUNNING_ILLEGAL = 10005
    IDLE = 10006


class EventCompleted(IntEnum):
    NOT_COMPLETED = 11000
    COMPLETED = 11001


class EventData(IntEnum):
    AVERAGED = 12000
    RAW = 12001


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
    """Functions from C addresses by full name (a simulated bench), cast with the declarations of this module.

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
