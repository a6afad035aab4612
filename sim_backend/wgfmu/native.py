"""The library as C sees it: real function pointers, with declarations of this module's own (reference b1530a sec. 3).

What a parameter is: ``text``, ``int``, ``real`` go in; ``texts`` and ``reals`` are input arrays as long as the last
``int`` says; ``int*`` and ``real*`` come out; ``size*`` goes in and out and rules the output arrays ``ints[]``,
``reals[]``, ``names[]`` and the buffer ``char[]``; ``name`` is a buffer for one name.
"""

from __future__ import annotations

import _thread
import ctypes
import re
import threading
from collections.abc import Callable, Sequence
from ctypes import POINTER, c_char, c_char_p, c_double, c_int
from types import TracebackType
from typing import Any

from sim_backend.heard import LIBRARY, Heard
from sim_backend.wgfmu import codes
from sim_backend.wgfmu.codes import Failure, number
from sim_backend.wgfmu.state import State, WarningIsError

_C_TYPES: dict[str, Any] = {
    "text": c_char_p,
    "int": c_int,
    "real": c_double,
    "texts": POINTER(c_char_p),
    "reals": POINTER(c_double),
    "int*": POINTER(c_int),
    "real*": POINTER(c_double),
    "size*": POINTER(c_int),
    "ints[]": POINTER(c_int),
    "reals[]": POINTER(c_double),
    "names[]": POINTER(POINTER(c_char)),
    "char[]": POINTER(c_char),
    "name": POINTER(c_char),
}
_INPUTS = ("text", "int", "real", "texts", "reals")
NAME_BUFFER = 512
_AFTER_RETURN = 0.05  # s

DECLARATIONS: dict[str, str] = {
    "openSession": "text",
    "closeSession": "",
    "initialize": "",
    "setTimeout": "real",
    "doSelfCalibration": "int* char[] size*",
    "doSelfTest": "int* char[] size*",
    "getChannelIdSize": "int*",
    "getChannelIds": "ints[] size*",
    "getErrorSize": "int*",
    "getError": "char[] size*",
    "getErrorSummarySize": "int*",
    "getErrorSummary": "char[] size*",
    "treatWarningsAsErrors": "int",
    "setWarningLevel": "int",
    "getWarningLevel": "int*",
    "getWarningSummarySize": "int*",
    "getWarningSummary": "char[] size*",
    "openLogFile": "text",
    "closeLogFile": "",
    "setOperationMode": "int int",
    "getOperationMode": "int int*",
    "setForceVoltageRange": "int int",
    "getForceVoltageRange": "int int*",
    "setMeasureMode": "int int",
    "getMeasureMode": "int int*",
    "setMeasureVoltageRange": "int int",
    "getMeasureVoltageRange": "int int*",
    "setMeasureCurrentRange": "int int",
    "getMeasureCurrentRange": "int int*",
    "setForceDelay": "int real",
    "getForceDelay": "int real*",
    "setMeasureDelay": "int real",
    "getMeasureDelay": "int real*",
    "setMeasureEnabled": "int int",
    "isMeasureEnabled": "int int*",
    "setTriggerOutMode": "int int int",
    "getTriggerOutMode": "int int* int*",
    "connect": "int",
    "disconnect": "int",
    "clear": "",
    "createPattern": "text real",
    "addVector": "text real real",
    "addVectors": "text reals reals int",
    "setVector": "text real real",
    "setVectors": "text reals reals int",
    "createMergedPattern": "text text text int",
    "createMultipliedPattern": "text text real real",
    "createOffsetPattern": "text text real real",
    "setMeasureEvent": "text text real int real real int",
    "setRangeEvent": "text text real int",
    "setTriggerOutEvent": "text text real real",
    "addSequence": "int text real",
    "addSequences": "int texts reals int",
    "getPatternForceValueSize": "text int*",
    "getPatternForceValues": "text int size* reals[] reals[]",
    "getPatternForceValue": "text int real* real*",
    "getPatternInterpolatedForceValue": "text real real*",
    "getPatternMeasureTimeSize": "text int*",
    "getPatternMeasureTimes": "text int size* reals[]",
    "getPatternMeasureTime": "text int real*",
    "getForceValueSize": "int real*",
    "getForceValues": "int real size* reals[] reals[]",
    "getForceValue": "int real real* real*",
    "getInterpolatedForceValue": "int real real*",
    "getMeasureTimeSize": "int int*",
    "getMeasureTimes": "int int size* reals[]",
    "getMeasureTime": "int int real*",
    "getMeasureEventSize": "int int*",
    "getMeasureEvents": "int int size* names[] names[] ints[] reals[] ints[] ints[] ints[]",
    "getMeasureEvent": "int int name name int* real* int* int* int*",
    "getMeasureEventAttribute": "int int real* int* real* real* int*",
    "exportAscii": "text",
    "update": "",
    "updateChannel": "int",
    "execute": "",
    "abort": "",
    "abortChannel": "int",
    "waitUntilCompleted": "",
    "getStatus": "int* real* real*",
    "getChannelStatus": "int int* real* real*",
    "getMeasureValueSize": "int int* int*",
    "getMeasureValues": "int int size* reals[] reals[]",
    "getMeasureValue": "int int real* real*",
    "getCompletedMeasureEventSize": "int int* int*",
    "isMeasureEventCompleted": "int text text int real int int* int* int* int*",
    "dcforceVoltage": "int real",
    "dcmeasureValue": "int real*",
    "dcmeasureAveragedValue": "int int int real*",
}


def snake(name: str) -> str:
    """Python name of a C function."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class _Boundary:
    """Nothing may leave a C callback: failures become return codes, anything else -7 with its text.

    ``crash`` keeps an exception that was no failure of the library's own, for whoever debugs the simulation.
    """

    def __init__(self, state: State, call: str) -> None:
        self._state, self._call = state, call
        self.code = 0
        self.crash: BaseException | None = None

    def __enter__(self) -> _Boundary:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            return False
        if isinstance(error, WarningIsError):
            self.code, message = self._state.options.warning_as_error_code, str(error)
        elif isinstance(error, Failure):
            self.code, message = error.code, error.message
        else:
            self.code, self.crash = codes.LIBRARY, error
            if isinstance(error, KeyboardInterrupt):  # for the program, not for the library: once C has returned
                threading.Timer(_AFTER_RETURN, _thread.interrupt_main).start()
            message = f"{type(error).__name__}: {error}"
        self._state.diary.error(self._call, self.code, message)
        return True


class Native:
    """C functions over the parts that implement them.

    Attributes:
        addresses: full name -> address of the C function; valid as long as this object lives.
        crashes: exceptions that no function should have raised.
    """

    def __init__(self, state: State, parts: Sequence[object], heard: Heard | None = None) -> None:
        self._state = state
        self._heard = heard
        self.crashes: list[BaseException] = []
        self._pointers: dict[str, Any] = {}  # keeps the callbacks alive
        make = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)
        for name, declaration in DECLARATIONS.items():
            method = next(getattr(part, snake(name)) for part in parts if hasattr(part, snake(name)))
            kinds = declaration.split()
            prototype = make(c_int, *(_C_TYPES[kind] for kind in kinds))
            self._pointers[f"WGFMU_{name}"] = prototype(self._wrapped(name, kinds, method))
        self.addresses: dict[str, int] = {
            name: ctypes.cast(pointer, ctypes.c_void_p).value or 0 for name, pointer in self._pointers.items()
        }

    def _wrapped(self, name: str, kinds: list[str], method: Callable[..., Any]) -> Callable[..., int]:
        def function(*raw: Any) -> int:
            if self._heard is not None:
                self._heard.message(LIBRARY, _spelled(name, kinds, raw).encode("latin-1"))
            call = f"WGFMU_{name}({', '.join(_shown(k, r) for k, r in zip(kinds, raw, strict=True) if k in _INPUTS)})"
            self._state.begin(call)
            with _Boundary(self._state, call) as boundary:
                arguments = _inputs(kinds, raw)
                results = method(*arguments)
                _outputs(self._state, kinds, raw, () if results is None else results)
            if boundary.crash is not None:
                self.crashes.append(boundary.crash)
            return boundary.code

        return function


def _spelled(name: str, kinds: list[str], raw: Sequence[Any]) -> str:
    """The call with every argument in full, as C passed it."""
    length = next((int(r) for k, r in zip(reversed(kinds), reversed(raw), strict=True) if k == "int"), 0)
    spelled = []
    for kind, value in zip(kinds, raw, strict=True):
        if kind in ("int", "real"):
            spelled.append(repr(value))
        elif not value:
            spelled.append("NULL")
        elif kind == "text":
            spelled.append(f'"{value.decode("latin-1")}"')
        elif kind in ("texts", "reals"):
            spelled.append(repr(value[:length]))
        else:
            spelled.append(f"&{value[0]!r}" if kind.endswith("*") else "&")
    return f"WGFMU_{name}({', '.join(spelled)})"


def _inputs(kinds: list[str], raw: Sequence[Any]) -> list[Any]:
    length = next((int(r) for k, r in zip(reversed(kinds), reversed(raw), strict=True) if k == "int"), 0)
    arguments: list[Any] = []
    for kind, value in zip(kinds, raw, strict=True):
        if kind == "text":
            arguments.append(_text(value))
        elif kind in ("int", "real"):
            arguments.append(value)
        else:
            if not value:
                raise Failure(codes.ILLEGAL_STRING, "A pointer is NULL.")
            if kind == "size*":
                arguments.append(int(value[0]))
            elif kind in ("texts", "reals"):
                if length < 1:
                    raise Failure(
                        codes.PARAMETER_OUT_OF_RANGE, f"size = {length} is invalid. The value must be 1 or more."
                    )
                items = value[:length]
                arguments.append([_text(item) for item in items] if kind == "texts" else items)
    return arguments


def _text(value: bytes | None) -> str:
    if not value:
        raise Failure(codes.ILLEGAL_STRING, "A string is empty or its pointer is NULL.")
    if not value.isascii():
        raise Failure(codes.ILLEGAL_STRING, "A string has characters that are not ASCII.")
    return value.decode("ascii")


def _outputs(state: State, kinds: list[str], raw: Sequence[Any], results: Sequence[Any]) -> None:
    """Write what a function returned; the room of every array and buffer is what ``size*`` brought in."""
    size = next((value for kind, value in zip(kinds, raw, strict=True) if kind == "size*"), None)
    room = int(size[0]) if size is not None else 0
    written = 0
    pending = iter(results)
    for kind, target in zip(kinds, raw, strict=True):
        if kind in _INPUTS or kind == "size*":
            continue
        result = next(pending)
        if kind in ("int*", "real*"):
            target[0] = result
        elif kind == "name":
            _write_text(target, result, NAME_BUFFER)
        elif kind == "char[]":
            if len(result) >= room and result:
                state.warn(codes.WARNING_NORMAL, f"size = {room} is less than the required size = {len(result) + 1}.")
            written = _write_text(target, result, room)
        else:
            for k, item in enumerate(result):
                if kind == "names[]":
                    _write_text(target[k], item, NAME_BUFFER)
                else:
                    target[k] = item
            written = len(result)
    if size is not None:
        size[0] = written


def _write_text(target: Any, text: str, room: int) -> int:
    """NUL-terminated, cut to ``room``; returns the bytes written."""
    if room < 1:
        return 0
    data = text.encode("ascii", "replace")[: room - 1] + b"\0"
    ctypes.memmove(target, data, len(data))
    return len(data)


def _shown(kind: str, value: Any) -> str:
    if kind == "text":
        return f'"{value.decode("ascii", "replace")}"' if value else "NULL"
    if kind == "int":
        return str(value)
    return number(value) if kind == "real" else "..."
